"""Operating characteristics of the survival methods: tests, cure fractions, pooled curves."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from metablin.errors import ConvergenceError, MetablinWarning
from metablin.meta.survival.curves import pool_curves
from metablin.survival import (
    KMCurve,
    fit_parametric,
    kaplan_meier,
    logrank,
    max_combo,
    rmst,
)

SEED = 20260103
MEDIAN_SCALE = 12.0
"""Mean survival of controls, and of the median trial, in months."""

TRIALS, PATIENTS, HORIZON = 2_500, 300, 24.0
SCENARIOS = ("none", "proportional", "delayed", "crossing")

CURE_REPETITIONS = 400
CURED = (0.1, 0.3, 0.5)
SIZES = (100, 300)
FOLLOW_UP = {"long": (24.0, 60.0), "short": (9.0, 24.0)}
SHAPE, SCALE = 1.2, 9.0

BAND_REPETITIONS = 600
NUMBERS = (5, 10, 20)
SD = 0.3
TIMES = np.array([3.0, 6.0, 12.0, 18.0, 24.0])
METHODS = ("combescure", "pointwise", "parametric")


def tests() -> pd.DataFrame:
    """Return how often each test rejects at the two-sided 5% level, one line a scenario."""
    lines = []
    for i, scenario in enumerate(SCENARIOS):
        rng = np.random.default_rng([SEED, 1, i])
        hits = np.array([_rejected(*_trial(scenario, rng)) for _ in range(TRIALS)]).mean(axis=0)
        for name, share in zip(("log-rank", "max-combo", "rmst"), hits, strict=True):
            lines.append(
                {
                    "scenario": scenario,
                    "test": name,
                    "rejected": share,
                    "rejected_se": _error(share, TRIALS),
                    "n": PATIENTS,
                    "repetitions": TRIALS,
                }
            )
    return pd.DataFrame(lines)


def _error(share: float, count: int) -> float:
    return float(np.sqrt(share * (1.0 - share) / count))


def _trial(scenario: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a trial with entry over 12 months and a cut at 36: time, event, arm."""
    arm = np.arange(PATIENTS) % 2
    control = rng.exponential(MEDIAN_SCALE, PATIENTS)
    treated = {
        "none": control,
        "proportional": control / 0.7,
        # Hazard ratio 1 up to 6 months, 0.5 afterwards.
        "delayed": np.where(control > 6.0, 6.0 + (control - 6.0) / 0.5, control),
        # 1.6 up to 5 months (8 months of the control's clock), 0.45 afterwards.
        "crossing": np.where(control > 8.0, 5.0 + (control - 8.0) / 0.45, control / 1.6),
    }[scenario]
    time = np.where(arm == 1, treated, control)
    censor = 36.0 - rng.uniform(0.0, 12.0, PATIENTS)
    return np.minimum(time, censor), (time <= censor).astype(int), arm


def _rejected(time: np.ndarray, event: np.ndarray, arm: np.ndarray) -> tuple[bool, bool, bool]:
    area = rmst(time, event, HORIZON, arm).contrasts()["p_value"].iloc[0]
    return (
        logrank(time, event, arm).p_value < 0.05,
        max_combo(time, event, arm).p_value < 0.05,
        area < 0.05,
    )


def cure() -> pd.DataFrame:
    """Return coverage and bias of the cured share of Weibull mixture cure models."""
    lines = []
    for i, share in enumerate(CURED):
        for j, n in enumerate(SIZES):
            for m, (followup, limits) in enumerate(FOLLOW_UP.items()):
                rng = np.random.default_rng([SEED, 2, i, j, m])
                drawn = [_mixture(share, n, limits, rng) for _ in range(CURE_REPETITIONS)]
                for kind in ("profile", "wald"):
                    cell = {"followup": followup, "cured": share, "n": n, "interval": kind}
                    lines.append({**cell, **_covered(drawn, kind, share)})
    return pd.DataFrame(lines)


def _mixture(
    share: float, n: int, followup: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    time = np.where(rng.random(n) < share, np.inf, rng.weibull(SHAPE, n) * SCALE)
    censor = rng.uniform(*followup, n)
    return np.minimum(time, censor), (time <= censor).astype(int)


def _covered(
    drawn: list[tuple[np.ndarray, np.ndarray]], kind: str, share: float
) -> dict[str, float]:
    found = []
    for time, event in drawn:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetablinWarning)
            try:
                fit = fit_parametric(time, event, "weibull-mixture-cure", cure_interval=kind)
            except ConvergenceError:
                continue
        found.append((*fit.cure_fraction(), fit.at_boundary))
    estimate, low, high, edge = np.array(found).T
    inside = float(np.mean((low <= share) & (share <= high)))
    return {
        "coverage": inside,
        "coverage_se": _error(inside, len(found)),
        "width": float(np.nanmedian(high - low)),
        "bias": float(100.0 * np.mean(estimate - share)),
        "bias_se": float(100.0 * np.std(estimate, ddof=1) / np.sqrt(len(found))),
        "at_boundary": float(edge.mean()),
        "no_answer": float(1.0 - len(found) / len(drawn)),
        "repetitions": len(drawn),
    }


def bands() -> pd.DataFrame:
    """Return coverage and bias of pooled curves over five times, one line a method."""
    lines = []
    for i, k in enumerate(NUMBERS):
        for j, followup in enumerate(("all", "some")):
            rng = np.random.default_rng([SEED, 3, i, j])
            drawn = [_curves(k, followup, rng) for _ in range(BAND_REPETITIONS)]
            for method in METHODS:
                lines.append(
                    {"k": k, "followed": followup, "method": method, **_held(drawn, method)}
                )
    return pd.DataFrame(lines)


Drawn = tuple[dict[str, KMCurve], np.ndarray]


def _curves(k: int, followup: str, rng: np.random.Generator) -> Drawn:
    """Draw k exponential trials whose log time scale is normal, and a new trial's true curve."""
    effects = np.exp(rng.normal(0.0, SD, k + 1))
    curves = {}
    for i in range(k):
        n = int(rng.integers(30, 200))
        time = rng.exponential(MEDIAN_SCALE * effects[i], n)
        censor = rng.uniform(24.0, 60.0, n)
        # Half of the trials, or all but three of them, stop looking between 6 and 24 months.
        if followup == "some" and i >= max(3, k // 2):
            censor = np.minimum(censor, rng.uniform(6.0, 24.0))
        curves[str(i)] = kaplan_meier(np.minimum(time, censor), (time <= censor).astype(int))
    return curves, np.exp(-TIMES / (MEDIAN_SCALE * effects[k]))


def _held(drawn: list[Drawn], method: str) -> dict[str, float]:
    truth, middle = np.exp(-TIMES / MEDIAN_SCALE), MEDIAN_SCALE * np.log(2.0)
    mean, new, gap, months = [], [], [], []
    for curves, fresh in drawn:
        found = pool_curves(curves, TIMES, method=method)
        mean.append((found.conf_low <= truth) & (truth <= found.conf_high))
        new.append((found.pred_low <= fresh) & (fresh <= found.pred_high))
        gap.append(found.survival - truth)
        months.append(float(found.median()["estimate"].iloc[0]))
    held, fresh_held = np.array(mean), np.array(new)
    root = np.sqrt(len(drawn))
    return {
        "coverage": float(held.mean()),
        "coverage_se": float(held.mean(axis=1).std(ddof=1) / root),
        "lowest_time": float(held.mean(axis=0).min()),
        "new_trial": float(fresh_held.mean()),
        "new_trial_se": float(fresh_held.mean(axis=1).std(ddof=1) / root),
        "bias": float(100.0 * np.mean(gap)),
        "bias_se": float(100.0 * np.mean(gap, axis=1).std(ddof=1) / root),
        "median_months": float(np.median(months)),
        "true_median": middle,
        "repetitions": len(drawn),
    }
