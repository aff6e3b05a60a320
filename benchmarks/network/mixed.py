"""A survival network of studies that print different things, and restricted means of curves.

One simulated network with known hazard ratios: a study prints counts, one a hazard ratio, one
medians, one hands over patients, one has only a figure (clicks, numbers at risk). Then coverage
of the restricted-mean network when every arm comes from clicks, and when it comes from landmarks.
``python -m benchmarks.network.mixed``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import metablin as mb
from metablin.network import NetworkFit, network_pool
from metablin.network.survival import (
    hazard_network,
    hazard_vectors,
    multivariate_pool,
    proportional_hazards,
    survival_vectors,
    treatment_curves,
)

HAZARDS = {"chemotherapy": 0.08, "antibody": 0.05, "conjugate": 0.06, "cells": 0.04}
DRAWS = 10
TAU = 18.0
REPETITIONS = 100


def arm(name: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return patients of an arm with exponential survival and staggered entry."""
    time = rng.exponential(1 / HAZARDS[name], n)
    stop = rng.uniform(18, 36, n)
    return pd.DataFrame({"treatment": name, "time": np.minimum(time, stop),
                         "event": (time <= stop).astype(int)})  # fmt: skip


def clicks(patients: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Return draws reconstructed from clicks on the curve, numbers at risk and events."""
    curve = mb.kaplan_meier(patients["time"], patients["event"])
    grid = np.linspace(0, float(patients["time"].max()), 60)
    at = np.searchsorted(curve.time, grid, side="right") - 1
    s = np.where(at < 0, 1.0, np.asarray(curve.survival)[np.maximum(at, 0)])
    s = np.clip(np.minimum.accumulate(s + rng.normal(0, 0.002, len(s))), 0, 1)
    risk = np.arange(0, grid[-1], 6.0)
    counts = [(patients["time"] >= t).sum() for t in risk]
    found = mb.reconstruct_km(grid, s, at_risk=(risk, counts), events=int(patients["event"].sum()),
                              draws=DRAWS, seed=int(rng.integers(1_000_000)))  # fmt: skip
    return [d.to_frame() for d in found.draws]


def summaries(patients: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Return draws from numbers of patients and events, landmarks and follow-up."""
    curve = mb.kaplan_meier(patients["time"], patients["event"])
    marks = {}
    for t in (6.0, 12.0, 18.0):
        i = np.searchsorted(curve.time, t, side="right") - 1
        marks[t] = round(float(curve.survival[i]), 3)
    found = mb.reconstruct_summary(
        n=len(patients), events=int(patients["event"].sum()), landmarks=marks,
        followup=[27.0, 18.0, 36.0], draws=DRAWS,
        seed=int(rng.integers(1_000_000)),
    )  # fmt: skip
    return [d.to_frame() for d in found]


def as_rows(study: str, name: str, sets: list[pd.DataFrame]) -> list[pd.DataFrame]:
    return [d.assign(study=study, treatment=name, draw=i) for i, d in enumerate(sets)]


def studies(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of a study of counts, one of a hazard ratio and one of medians; patients."""
    names = list(HAZARDS)
    counts = {t: arm(t, 200, rng) for t in names[:2]}
    ratio = pd.concat([arm(t, 150, rng) for t in (names[0], names[2])])
    medians = {t: arm(t, 160, rng) for t in (names[0], names[3])}
    held = pd.concat([arm(t, 120, rng) for t in (names[1], names[2])])
    hr = mb.cox(ratio["time"], ratio["event"], ratio["treatment"], control=names[0]).to_frame()
    early = {t: int(((d["time"] <= TAU) & (d["event"] == 1)).sum()) for t, d in counts.items()}
    rows = [{"study": "counts", "treatment": t, "events": early[t], "n": 200} for t in counts]
    printed = hr.iloc[0][["estimate", "conf_low", "conf_high"]].astype(float).round(2)
    rows.append({"study": "hazard ratio", "treat1": names[2], "treat2": names[0], **printed})
    for t, d in medians.items():
        curve = mb.kaplan_meier(d["time"], d["event"])
        median = float(curve.time[np.flatnonzero(np.asarray(curve.survival) <= 0.5)[0]])
        rows.append({"study": "medians", "treatment": t, "events": int(d["event"].sum()),
                     "median": round(median, 1)})  # fmt: skip
    return pd.DataFrame(rows), held.assign(study="patients", draw=0)


def against_truth(fit: NetworkFit) -> pd.DataFrame:
    """Return every hazard ratio beside the true one."""
    table = fit.to_frame()[["treat1", "treat2", "estimate", "conf_low", "conf_high"]]
    pairs = zip(table["treat1"], table["treat2"], strict=True)
    return table.assign(truth=[HAZARDS[a] / HAZARDS[b] for a, b in pairs])


def mixed(rng: np.random.Generator) -> None:
    """Fit one mixed network and print routes, effects and shares."""
    names = list(HAZARDS)
    rows, held = studies(rng)
    figure = {t: arm(t, 110, rng) for t in (names[2], names[3])}
    drawn = [r for t, d in figure.items() for r in as_rows("figure", t, clicks(d, rng))]
    patients = pd.concat([held, *drawn])
    found = hazard_network(rows, patients)
    fit = network_pool(found.network, reference=names[0])
    print(found.routes.to_string(index=False, float_format="{:.3f}".format))
    print()
    table = against_truth(fit)
    table["reconstruction_share"] = found.reconstruction_share(fit)["reconstruction_share"]
    print(table.to_string(index=False, float_format="{:.3f}".format))
    print()
    print(proportional_hazards(patients).to_string(index=False, float_format="{:.3f}".format))
    inside, errors = [], []
    for _ in range(REPETITIONS):
        rows, held = studies(rng)
        one = against_truth(network_pool(hazard_network(rows, held).network))
        inside.append(one["truth"].between(one["conf_low"], one["conf_high"]).mean())
        errors.append(np.abs(np.log(one["estimate"] / one["truth"])).mean())
    print(f"\n{REPETITIONS} such networks without the figure: coverage {np.mean(inside):.3f}, mean "
          f"absolute error of a log hazard ratio {np.mean(errors):.3f}")  # fmt: skip


def horizon(rng: np.random.Generator) -> None:
    """Rank by restricted means on a baseline, from patients of all studies."""
    names = list(HAZARDS)
    parts = []
    for s, (a, b) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)]):
        for t in (names[a], names[b]):
            parts.append(arm(t, 120, rng).assign(study=f"S{s}"))
    patients = pd.concat(parts)
    fit = multivariate_pool(hazard_vectors(patients, "log"), reference=names[0])
    base = patients[patients["treatment"] == names[0]]
    curves = treatment_curves(fit, "log", base["time"], base["event"], baseline=names[0],
                              horizons=[TAU], draws=1000)  # fmt: skip
    table = curves.rmst.drop(columns="horizon")
    table["truth"] = [(1 - np.exp(-HAZARDS[t] * TAU)) / HAZARDS[t] for t in table["treatment"]]
    print()
    print(f"restricted mean to {TAU:g} months on the baseline of {names[0]}, bivariate network")
    print(table.to_string(index=False, float_format="{:.2f}".format))


def coverage(rng: np.random.Generator) -> None:
    """Print coverage of the restricted-mean network with patients, clicks and summaries."""
    names = list(HAZARDS)[:3]
    truth = {t: (1 - np.exp(-HAZARDS[t] * TAU)) / HAZARDS[t] for t in names}
    found: dict[str, list[tuple[bool, float, float]]] = {"patients": [], "clicks": [],
                                                         "summaries": []}  # fmt: skip
    for _ in range(REPETITIONS):
        arms = [(f"S{s}", t, arm(t, 100, rng)) for s, pair in enumerate([(0, 1), (0, 2), (1, 2)])
                for t in (names[pair[0]], names[pair[1]])]  # fmt: skip
        sets = {
            "patients": [d.assign(study=s, draw=0) for s, _, d in arms],
            "clicks": [r for s, t, d in arms for r in as_rows(s, t, clicks(d, rng))],
            "summaries": [r for s, t, d in arms for r in as_rows(s, t, summaries(d, rng))],
        }
        for kind, frames in sets.items():
            n = survival_vectors(pd.concat(frames), horizons=[TAU], hazard_ratio=False)
            table = multivariate_pool(n, model="common").to_frame()
            for r in table.to_dict(orient="records"):
                gap = truth[r["treat1"]] - truth[r["treat2"]]
                found[kind].append((r["conf_low"] <= gap <= r["conf_high"], r["estimate"] - gap,
                                    r["reconstruction_share"]))  # fmt: skip
    print()
    print(f"{REPETITIONS} networks of 3 treatments and 3 trials, restricted mean to {TAU:g} months")
    for kind, rows in found.items():
        cover, bias, share = np.array(rows, dtype=float).mean(0)
        print(f"{kind:10s} coverage {cover:.3f}, mean error {bias:+.3f} months, share of variance "
              f"from reconstruction {share:.3f}")  # fmt: skip


def main() -> None:
    """Print all three."""
    rng = np.random.default_rng(7)
    mixed(rng)
    horizon(rng)
    coverage(rng)


if __name__ == "__main__":
    main()
