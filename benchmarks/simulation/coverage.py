"""Coverage of Wald, Hartung-Knapp and prediction intervals for few studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

import metablin as mb

SEED = 20260101
REPETITIONS = 20_000
STUDIES = (3, 5, 10, 20)
TAU2 = (0.0, 0.03, 0.1, 0.3)
INTERVALS = ("z", "hksj", "hksj-adhoc")


def coverage() -> pd.DataFrame:
    """Return one line for every number of studies, tau2 and interval."""
    lines = []
    for i, k in enumerate(STUDIES):
        for j, tau2 in enumerate(TAU2):
            rng = np.random.default_rng([SEED, i, j])
            vi = _variances(rng, (REPETITIONS, k))
            yi = rng.normal(0.0, np.sqrt(vi + tau2))
            new = rng.normal(0.0, np.sqrt(tau2), REPETITIONS)
            lines += [_line(k, tau2, ci, mb.pool_many(yi, vi, ci=ci), new) for ci in INTERVALS]
    return pd.DataFrame(lines)


def _variances(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    vi = 0.25 * rng.chisquare(1, shape)
    while True:
        outside = (vi < 0.009) | (vi > 0.6)
        if not outside.any():
            return vi
        vi[outside] = 0.25 * rng.chisquare(1, int(outside.sum()))


def _line(k: int, tau2: float, ci: str, fits: pd.DataFrame, new: np.ndarray) -> dict[str, object]:
    hit = (fits["conf_low"] <= 0) & (fits["conf_high"] >= 0)
    inside = (fits["pred_low"] <= new) & (fits["pred_high"] >= new)
    return {
        "k": k,
        "tau2": tau2,
        "interval": ci,
        "coverage": hit.mean(),
        "coverage_se": np.sqrt(hit.mean() * (1 - hit.mean()) / len(hit)),
        "width": (fits["conf_high"] - fits["conf_low"]).median(),
        "prediction": inside.mean(),
        "prediction_se": np.sqrt(inside.mean() * (1 - inside.mean()) / len(hit)),
        "repetitions": len(fits),
    }
