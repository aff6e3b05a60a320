"""From the figures of ten two-arm trials to pools, against the pools of the true patients.

Each trial is drawn, read and reconstructed with draws that carry the reading error; hazard ratio,
difference of restricted means and curve are pooled with Rubin's rules over the draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from benchmarks.figures.drawn import draw
from benchmarks.figures.trials import Arm, Spec, simulate, ticks_of
from metablin.meta.survival.curves import pool_curves
from metablin.meta.survival.ipd import two_stage
from metablin.meta.survival.pooled_curve import combine_pooled_curves

SEED = 20261202
TRIALS = 10
DRAWS = 10
TAU = 24.0  # months, horizon of the restricted mean
TIMES = (6.0, 12.0, 18.0, 24.0)
STYLES = ("journal", "oncology", "black", "comma", "cut axis")
VECTOR = (("pdf", 72), ("svg", 72))
RASTER = (("png", 150), ("jpg", 150))
NAMES = ("Treatment", "Control")
EDGE = 1e-12


def trials(seed: int) -> list[tuple[Arm, ...]]:
    """Ten trials with hazard ratios of control over treatment around 1.4."""
    rng = np.random.default_rng([SEED, seed])
    ratios = np.exp(rng.normal(np.log(1.4), 0.1, TRIALS))
    return [simulate(rng, NAMES, "months", float(r)) for r in ratios]


def read(arms: tuple[Arm, ...], k: int, kind: tuple[Any, ...], folder: Path) -> dict[str, Any]:
    """Draw a trial, read the figure, reconstruct with draws; nothing when it is doubtful."""
    ending, dpi = kind[k % len(kind)]
    rng = np.random.default_rng([SEED, k])
    ticks = ticks_of((arms,), rng, "months")
    spec = Spec(k + 1, STYLES[k % len(STYLES)], ending, dpi, False, (arms,), "months", ticks, True)
    found = mb.digitise(draw(spec, folder))
    return {} if found.doubtful() else found.reconstruct(draws=DRAWS, seed=k + 1)


def patients(sets: Iterable[tuple[str, str, int, Any]]) -> pd.DataFrame:
    """Return one row a patient: trial, group, draw, time, event."""
    return pd.concat(
        [
            pd.DataFrame({"trial": t, "group": g, "draw": d, "time": x.time, "event": x.event})
            for t, g, d, x in sets
        ],
        ignore_index=True,
    )


def frames(seed: int, kind: tuple[Any, ...], folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the true patients and the draws of the read ones."""
    true, drawn = [], []
    for k, arms in enumerate(trials(seed)):
        sets = read(arms, k, kind, folder)
        if not sets:  # a reader leaves out what is refused: from both pools
            continue
        true += [(f"t{k}", a.name, 1, a) for a in arms]
        for name, found in sets.items():
            drawn += [(f"t{k}", name, d + 1, one) for d, one in enumerate(found.draws)]
    return patients(true), patients(drawn)


def _effect(measure: str) -> Callable[[pd.DataFrame], tuple[float, float, float, float]]:
    at: dict[str, Any] = {"at": TAU} if measure == "rmst" else {}

    def estimate(frame: pd.DataFrame) -> tuple[float, float, float, float]:
        several: dict[str, Any] = {"draw": "draw"} if frame["draw"].nunique() > 1 else {}
        found = two_stage(frame, measure, control="Control", **at, **several).fit
        row = found.to_dict()["analysis"]
        own = [
            two_stage(part, measure, control="Control", **at).fit.to_dict()["analysis"]["estimate"]
            for _, part in frame.groupby("draw")
        ]
        return row["estimate"], row["conf_low"], row["conf_high"], float(np.std(own))

    return estimate


def _curve(frame: pd.DataFrame) -> pd.DataFrame:
    pooled = []
    for _, part in frame[frame["group"] == "Treatment"].groupby("draw"):
        own = {str(t): mb.kaplan_meier(p["time"], p["event"]) for t, p in part.groupby("trial")}
        pooled.append(pool_curves(own, times=TIMES))
    best = combine_pooled_curves(pooled)[0] if len(pooled) > 1 else pooled[0]
    spread = np.std([p.survival for p in pooled], axis=0)
    return pd.DataFrame({"estimate": best.survival, "low": best.conf_low, "high": best.conf_high,
                         "spread": spread})  # fmt: skip


def compare(true: pd.DataFrame, drawn: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row a pooled quantity: true, read, error, cover of both intervals."""
    rows = []
    for name, measure in (("log hazard ratio", "hr"), ("RMST difference, months", "rmst")):
        estimate = _effect(measure)
        (a, *_), (b, low, high, spread) = estimate(true), estimate(drawn)
        rows.append({**_row(name, a, b, low, high, spread), "trials": true["trial"].nunique()})
    one, other = _curve(true), _curve(drawn)
    pairs = zip(one.to_dict("records"), other.to_dict("records"), strict=True)
    for t, (x, y) in zip(TIMES, pairs, strict=True):
        row = _row(f"survival at {t:g} months", x["estimate"], y["estimate"], y["low"],
                   y["high"], y["spread"])  # fmt: skip
        rows.append({**row, "trials": true["trial"].nunique()})
    return rows


def _row(name: str, a: float, b: float, low: float, high: float, spread: float) -> dict[str, Any]:
    return {"quantity": name, "true pool": a, "read": b, "error": abs(b - a),
            "covered": low - EDGE <= a <= high + EDGE, "reading SD": spread,
            "within reading": abs(b - a) <= 1.96 * spread + EDGE}  # fmt: skip


def table(folder: Path, runs: int, kind: tuple[Any, ...]) -> pd.DataFrame:
    """Return the mean over runs of ten trials each."""
    rows = [r for seed in range(runs) for r in compare(*frames(seed, kind, folder))]
    found = pd.DataFrame(rows).groupby("quantity", sort=False).mean(numeric_only=False)
    return found.reset_index()
