"""Bias of pooled proportions on several scales against the binomial-normal model."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
from scipy.special import expit, logit

import metablin as mb
from metablin.options import ProportionTransform

SEED = 20260102
REPETITIONS = 2_000
STUDIES = 10
TAU = 0.5
PROPORTIONS = (0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98)
SCALES = ("logit", "freeman-tukey", "arcsine", "glmm")


def transforms() -> pd.DataFrame:
    """Return one line for every true proportion and scale."""
    lines = []
    for i, p in enumerate(PROPORTIONS):
        rng = np.random.default_rng([SEED, i])
        n = rng.integers(15, 121, (REPETITIONS, STUDIES))
        events = rng.binomial(n, expit(rng.normal(logit(p), TAU, n.shape)))
        for scale in SCALES:
            pooled = [_pooled(x, size, scale) for x, size in zip(events, n, strict=True)]
            lines.append(_line(p, scale, np.array(pooled)))
    return pd.DataFrame(lines)


def _pooled(events: np.ndarray, n: np.ndarray, scale: str) -> tuple[float, float, float]:
    """Return estimate and interval; without any event or non-event the model has no answer."""
    if scale == "glmm":
        if events.sum() in (0, n.sum()):
            return (np.nan,) * 3
        fit = mb.pool(mb.proportions(events, n), model="glmm", ci="t")
    else:
        fit = mb.pool(mb.proportions(events, n, transform=cast(ProportionTransform, scale)))
    return fit.estimate, fit.conf_low, fit.conf_high


def _line(p: float, scale: str, pooled: np.ndarray) -> dict[str, object]:
    estimate, low, high = pooled[~np.isnan(pooled).any(axis=1)].T
    hit = (low <= p) & (p <= high)
    return {
        "p": p,
        "scale": scale,
        "bias": 100 * (estimate - p).mean(),
        "bias_se": 100 * estimate.std(ddof=1) / np.sqrt(len(estimate)),
        "coverage": hit.mean(),
        "coverage_se": np.sqrt(hit.mean() * (1 - hit.mean()) / len(hit)),
        "no_answer": int(np.isnan(pooled).any(axis=1).sum()),
        "repetitions": len(pooled),
    }
