"""Which interval to use for few studies: the pools that the evidence has, over and over.

``python -m benchmarks.simulation.few_studies`` writes the table beside the analysis that shows it
and its section of ``RESULTS.md``. Sizes, standard errors, proportions and
heterogeneity are read from the base.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

import metablin as mb
from metablin.errors import ConvergenceError, DataError

SEED = 20260103
REPETITIONS = 2_000
STUDIES = (2, 3, 4, 5, 7, 10)
LEVEL = 0.95
RESAMPLES = 199
TARGET = 0.93
RULE = "half-Cauchy 0.5"
"""The interval adopted for few studies: the narrowest that keeps the target in every cell."""

ENDPOINTS = ("os", "efs", "dfs", "rfs")
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")
OUTCOMES = {"response": "cr_crh", "mrd response": "mrd_response"}
SPREAD = {"log hazard ratio": (0.0, 1.0, 2.0), "proportion": (0.5, 1.0)}
"""Multiples of the base's own tau that the cells have."""

GRID = np.tan(np.pi / 2 * (np.arange(120) + 0.5) / 120) / 2
"""Values of tau of equal mass under a half-Cauchy prior of scale 0.5."""

PRIORS = {
    "half-normal 0.25": np.exp(-((GRID / 0.25) ** 2) / 2),
    "half-normal 0.5": np.exp(-((GRID / 0.5) ** 2) / 2),
    "half-normal 1": np.exp(-(GRID**2) / 2),
    "half-Cauchy 0.5": 1 / (1 + (GRID / 0.5) ** 2),
}
_MASS = 1 + (GRID / 0.5) ** 2  # one over the density that the grid follows

Interval = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Kind:
    """A kind of pool: what its studies look like, and how much they differ."""

    name: str
    sizes: np.ndarray  # standard errors of log hazard ratios, or patients
    mean: float  # on the analysis scale
    tau: float

    @property
    def counts(self) -> bool:
        return self.name != "log hazard ratio"


def kinds() -> list[Kind]:
    """Read the kinds of pools from the base."""
    found = [_ratios()]
    rows = mb.load("proportions")
    whole = rows["subgroup"].eq("all") & rows["arm"].isin(BLINATUMOMAB)
    for name, outcome in OUTCOMES.items():
        mine = rows[whole & rows["outcome"].eq(outcome)].sort_values("n", ascending=False)
        mine = mine.drop_duplicates("trial_id").dropna(subset=["events", "n"])
        fit = mb.pool(mb.proportions(mine["events"], mine["n"]), model="glmm", ci="t")
        tau = float(np.sqrt(fit.tau2))
        found.append(Kind(name, mine["n"].to_numpy(float), fit.analysis.estimate, tau))
    return found


def _ratios() -> Kind:
    rows = mb.load("contrasts")
    whole = rows["subgroup"].str.split(";").str[0].eq("all") & rows["measure"].eq("hr")
    arms = rows["arm_treatment"].isin(BLINATUMOMAB) & rows["arm_control"].eq("chemotherapy")
    mine = rows[whole & arms & rows["endpoint"].isin(ENDPOINTS)].dropna(subset=["ci_low"])
    tau = []
    for part in (mine[mine["endpoint"].eq("os")], mine[mine["endpoint"].ne("os")]):
        e = mb.hazard_ratios(part["estimate"], part["ci_low"], part["ci_high"])
        tau.append(np.sqrt(mb.pool(e).tau2))
    e = mb.hazard_ratios(mine["estimate"], mine["ci_low"], mine["ci_high"])
    return Kind("log hazard ratio", np.sqrt(e.vi), float(mb.pool(e).analysis.estimate), max(tau))


def few_studies(repetitions: int = REPETITIONS, counts: bool = True) -> pd.DataFrame:
    """Return one line for every kind, number of studies, tau and interval."""
    lines = []
    for i, kind in enumerate(kinds()):
        factors = SPREAD["proportion" if kind.counts else "log hazard ratio"]
        for j, k in enumerate(STUDIES):
            for f, factor in enumerate(factors):
                rng = np.random.default_rng([SEED, i, j, f])
                start = time.process_time()
                lines += _cell(rng, kind, k, factor * kind.tau, repetitions, counts)
                used = time.process_time() - start
                print(f"{kind.name}, k = {k}, tau = {factor * kind.tau:.3f}: {used:.0f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
    return pd.DataFrame(lines)


def _cell(
    rng: np.random.Generator, kind: Kind, k: int, tau: float, m: int, counts: bool
) -> list[dict[str, object]]:
    shape = (m, k)
    truth = rng.normal(kind.mean, tau, shape)
    new = rng.normal(kind.mean, tau, m)
    size = rng.choice(kind.sizes, shape)
    if kind.counts:
        events = rng.binomial(size.astype(int), expit(truth))
        a, b = events.astype(float), size - events
        half = 0.5 * ((a == 0) | (b == 0))
        y, v = np.log((a + half) / (b + half)), 1 / (a + half) + 1 / (b + half)
    else:
        y, v = rng.normal(truth, size), size**2
    found = dict(intervals(rng, y, v))
    if kind.counts and counts:
        found["GLMM t"] = _glmm(events, size)
    about = {"kind": kind.name, "k": k, "tau": tau}
    return [about | _line(name, limits, kind.mean, new) for name, limits in found.items()]


def intervals(
    rng: np.random.Generator, y: np.ndarray, v: np.ndarray
) -> Iterator[tuple[str, Interval]]:
    """Yield every interval of the mean and of a new study, for (m, k) effects and variances."""
    for name, ci in (("Hartung-Knapp", "hksj"), ("ad hoc", "hksj-adhoc"), ("Wald", "z")):
        fits = mb.pool_many(y, v, ci=ci)
        yield name, tuple(fits[c].to_numpy() for c in _LIMITS)  # type: ignore[misc]
    fixed = mb.pool_many(y, v, tau2=0.0, ci="z")
    nothing = np.full(len(y), np.nan)  # one effect for all foretells no other
    yield "common", (fixed["conf_low"].to_numpy(), fixed["conf_high"].to_numpy(), nothing, nothing)
    yield "bootstrap", _bootstrap(rng, y, v)
    yield from bayes(y, v)


_LIMITS = ("conf_low", "conf_high", "pred_low", "pred_high")


def _bootstrap(rng: np.random.Generator, y: np.ndarray, v: np.ndarray) -> Interval:
    """Calibrate the critical values of Wald intervals by resampling from the fitted model."""
    fit = mb.pool_many(y, v, ci="z")
    mu, se, tau2 = (fit[c].to_numpy() for c in ("estimate", "std_error", "tau2"))
    m, k = y.shape
    spread = np.sqrt(v + tau2[:, None])
    drawn = rng.normal(mu[:, None, None], spread[:, None, :], (m, RESAMPLES, k))
    again = np.repeat(v, RESAMPLES, axis=0)
    refit = mb.pool_many(drawn.reshape(-1, k), again, ci="z")
    m2, s2, t2 = (
        refit[c].to_numpy().reshape(m, RESAMPLES) for c in ("estimate", "std_error", "tau2")
    )
    new = rng.normal(mu[:, None], np.sqrt(tau2)[:, None], (m, RESAMPLES))
    mean = np.quantile(np.abs(m2 - mu[:, None]) / s2, LEVEL, axis=1) * se
    wide = np.quantile(np.abs(new - m2) / np.sqrt(s2**2 + t2), LEVEL, axis=1)
    wide = wide * np.sqrt(se**2 + tau2)
    return mu - mean, mu + mean, mu - wide, mu + wide


def bayes(y: np.ndarray, v: np.ndarray) -> Iterator[tuple[str, Interval]]:
    """Yield central posterior intervals of the normal-normal model under every prior."""
    w = 1 / (v[:, None, :] + GRID[None, :, None] ** 2)
    total = w.sum(-1)
    mean = (w * y[:, None, :]).sum(-1) / total
    rest = (w * (y[:, None, :] - mean[:, :, None]) ** 2).sum(-1)
    log_likelihood = (np.log(w).sum(-1) - np.log(total) - rest) / 2
    log_likelihood -= log_likelihood.max(axis=1, keepdims=True)
    sd = 1 / np.sqrt(total)
    wide = np.hypot(sd, GRID)
    for name, density in PRIORS.items():
        weight = np.exp(log_likelihood) * density * _MASS
        weight /= weight.sum(axis=1, keepdims=True)
        ends = [
            _quantile(weight, mean, s, q)
            for s in (sd, wide)
            for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        ]
        yield name, (ends[0], ends[1], ends[2], ends[3])


def _quantile(weight: np.ndarray, mean: np.ndarray, sd: np.ndarray, q: float) -> np.ndarray:
    """Return quantiles of normal mixtures, one a row, by halving."""
    middle = (weight * mean).sum(1)
    far = 12 * np.sqrt((weight * (sd**2 + (mean - middle[:, None]) ** 2)).sum(1))
    low, high = middle - far, middle + far
    for _ in range(24):
        x = (low + high) / 2
        below = (weight * ndtr((x[:, None] - mean) / sd)).sum(1) < q
        low, high = np.where(below, x, low), np.where(below, high, x)
    return np.asarray((low + high) / 2)


def _glmm(events: np.ndarray, n: np.ndarray) -> Interval:
    """Return t intervals of the binomial-normal model; NaN where it has no answer."""
    out = np.full((4, len(events)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i, (a, size) in enumerate(zip(events, n, strict=True)):
            if a.sum() in (0, size.sum()):
                continue
            try:
                fit = mb.pool(mb.proportions(a, size), model="glmm", ci="t").analysis
            except (ConvergenceError, DataError):
                continue
            out[:, i] = fit.conf_low, fit.conf_high, fit.pred_low, fit.pred_high
    return out[0], out[1], out[2], out[3]


def _line(name: str, limits: Interval, mean: float, new: np.ndarray) -> dict[str, object]:
    low, high, pred_low, pred_high = limits
    answered = ~np.isnan(low)
    hit = ((low <= mean) & (mean <= high))[answered]
    inside = ((pred_low <= new) & (new <= pred_high))[answered]
    predicts = not np.isnan(pred_low[answered]).all()
    share = float(hit.mean())
    return {
        "interval": name,
        "coverage": share,
        "coverage_se": np.sqrt(share * (1 - share) / len(hit)),
        "width": float(np.median((high - low)[answered])),
        "prediction": float(inside.mean()) if predicts else np.nan,
        "prediction_width": float(np.median((pred_high - pred_low)[answered])),
        "no_answer": int((~answered).sum()),
        "repetitions": len(low),
    }


def verdict(lines: pd.DataFrame) -> pd.DataFrame:
    """Return one line an interval: its lowest coverage, and its width against Hartung-Knapp's.

    The width is the geometric mean over the cells that both have.
    """
    cells = ["kind", "k", "tau"]
    base = lines[lines["interval"] == "Hartung-Knapp"].set_index(cells)
    out = []
    for name, part in lines.groupby("interval", sort=False):
        part = part.set_index(cells)
        same = base.loc[part.index]
        worst: Any = part["coverage"].idxmin()
        out.append(
            {
                "interval": name,
                "lowest": part["coverage"].min(),
                "where": f"{worst[0]}, k = {worst[1]}, tau = {worst[2]:.2f}",
                "median": part["coverage"].median(),
                "cells_below": int((part["coverage"] < TARGET).sum()),
                "cells": len(part),
                "width": float(np.exp(np.log(part["width"] / same["width"]).mean())),
                "lowest_prediction": part["prediction"].min(),
                "prediction_width": float(
                    np.exp(np.log(part["prediction_width"] / same["prediction_width"]).mean())
                ),
            }
        )
    return pd.DataFrame(out)


HEADING = "## Which interval for few studies"

TEXT = (
    HEADING
    + """

{repetitions} pools a line like those of the base: log hazard ratios with the standard errors of its
randomised comparisons, proportions with the numbers of patients of its cohorts, on the logit scale;
`tau` is a multiple of the base's own (0, 1 and 2 for hazard ratios, 0.5 and 1 for proportions).
`lowest` is the worst coverage of the 95% interval over the cells, `where` the cell, `median` the
middle one, `cells_below` how many stay below 93%; `width` is against Hartung and Knapp's over the
same cells (geometric mean); `lowest_prediction` and `prediction_width` are those of the interval of
a new study. `bootstrap` calibrates the Wald interval by {resamples} resamples of the fitted model.
Half-normal and half-Cauchy name the prior of tau. The coverage of an interval with a prior holds
for the tau of these cells; it falls where studies differ more.

The rule: the narrowest interval that stays at {target} or above in every cell, {rule}
(`pool_cohorts` and `pool_contrasts`).

{verdict}

{lines}
"""
)


def section(lines: pd.DataFrame) -> str:
    """Return the simulation as a section of ``RESULTS.md``."""
    from benchmarks.simulation import markdown

    return TEXT.format(
        repetitions=int(lines["repetitions"].iloc[0]),
        resamples=RESAMPLES,
        target=f"{100 * TARGET:g}%",
        rule=RULE,
        verdict=markdown(verdict(lines)),
        lines=markdown(lines.drop(columns="repetitions")),
    )


def main() -> None:
    from benchmarks.simulation import HERE, write

    lines = few_studies()
    write(lines, "few_studies")
    write(verdict(lines), "few_studies_verdict")
    results = HERE / "RESULTS.md"
    before = results.read_text(encoding="utf-8").split(HEADING)[0].rstrip()
    results.write_text(f"{before}\n\n{section(lines)}", encoding="utf-8")


if __name__ == "__main__":
    main()
