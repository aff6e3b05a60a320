"""Formulas of stratified 2x2 tables: Mantel-Haenszel estimates, score tests, homogeneity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from metablin.errors import DataError

__all__ = [
    "POOLED",
    "ZERO_CELL",
    "breslow_day",
    "cmh_test",
    "double_zero",
    "need",
    "score_test",
    "study_effects",
]

FloatArray = NDArray[np.float64]
#: Added to all cells of a table with a zero before its own effect is computed.
ZERO_CELL = 0.5


def need(treatment: bool, control: bool) -> None:
    """Refuse a ratio whose numerator or denominator is zero in every study."""
    for ok, column in ((treatment, "events_treatment"), (control, "events_control")):
        if not ok:
            raise DataError(
                "the Mantel-Haenszel ratio is 0 or infinite: one arm has no events, or the "
                "other only events, in every informative study",
                column=column,
            )


def _mh_or(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n, b, d = n1 + n2, n1 - a, n2 - c
    p, q, r, s = (a + d) / n, (b + c) / n, a * d / n, b * c / n
    big_r, big_s = r.sum(), s.sum()
    need(bool(big_r > 0), bool(big_s > 0))
    variance = (
        (p * r).sum() / (2 * big_r**2)
        + (p * s + q * r).sum() / (2 * big_r * big_s)
        + (q * s).sum() / (2 * big_s**2)
    )
    return float(np.log(big_r / big_s)), float(np.sqrt(variance)), s


def _mh_rr(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n = n1 + n2
    r, s = a * n2 / n, c * n1 / n
    big_r, big_s = r.sum(), s.sum()
    need(bool(big_r > 0), bool(big_s > 0))
    top = ((n1 * n2 * (a + c) - a * c * n) / n**2).sum()
    if top <= 0:
        raise DataError("every patient in every study had the event", column="events")
    return float(np.log(big_r / big_s)), float(np.sqrt(top / (big_r * big_s))), s


def _mh_rd(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n = n1 + n2
    w = n1 * n2 / n
    rd = float(((a * n2 - c * n1) / n).sum() / w.sum())
    p = (c * n1**2 - a * n2**2 + n1 * n2 * (n2 - n1) / 2) / n**2
    q = (a * (n2 - c) + c * (n1 - a)) / (2 * n)
    variance = float((rd * p.sum() + q.sum()) / w.sum() ** 2)
    if variance <= 0:
        raise DataError(
            "the variance of the Mantel-Haenszel risk difference is zero: no study has both "
            "events and non-events",
            column="events",
        )
    return rd, float(np.sqrt(variance)), w


POOLED = {"or": _mh_or, "rr": _mh_rr, "rd": _mh_rd}


def double_zero(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, measure: str
) -> NDArray[np.bool_]:
    """Return where a table carries no information on the measure."""
    none = (a == 0) & (c == 0)
    every: NDArray[np.bool_] = (a == n1) & (c == n2)
    return np.asarray(none | every if measure == "or" else none)


def study_effects(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, measure: str
) -> tuple[FloatArray, FloatArray]:
    """Return study-wise effects and variances, 1/2 added to tables that have a zero cell."""
    b, d = n1 - a, n2 - c
    zero = ZERO_CELL * ((a == 0) | (b == 0) | (c == 0) | (d == 0))
    a, b, c, d = a + zero, b + zero, c + zero, d + zero
    n1, n2 = a + b, c + d
    if measure == "rd":
        yi, vi = a / n1 - c / n2, a * b / n1**3 + c * d / n2**3
    elif measure == "rr":
        yi, vi = np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2
    else:
        yi, vi = np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d
    return yi, vi


def score_test(difference: float, variance: float, correct: bool) -> tuple[float, float]:
    """Return the chi-squared of an observed minus expected count, and its p-value (1 df)."""
    if variance <= 0:
        return np.nan, np.nan
    top = max(abs(difference) - (0.5 if correct else 0.0), 0.0)
    value = top**2 / variance
    return value, float(stats.chi2.sf(value, 1))


def cmh_test(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, correct: bool
) -> tuple[float, float]:
    """Return the Cochran-Mantel-Haenszel test."""
    n, m = n1 + n2, a + c
    variance = n1 * n2 * m * (n - m) / (n**2 * np.maximum(n - 1, 1))
    return score_test(float((a - n1 * m / n).sum()), float(variance.sum()), correct)


def breslow_day(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, odds_ratio: float
) -> tuple[Any, ...]:
    """Return Breslow-Day and Tarone statistics at the pooled odds ratio, and their df."""
    use = ~double_zero(a, n1, c, n2, "or")
    a, n1, c, n2 = a[use], n1[use], c[use], n2[use]
    fitted = _expected(n1, n2, a + c, odds_ratio)
    cells = np.array([fitted, n1 - fitted, a + c - fitted, n2 - (a + c) + fitted])
    variance = 1 / (1 / cells).sum(axis=0)
    bd = float(((a - fitted) ** 2 / variance).sum())
    tarone = bd - float((a - fitted).sum() ** 2 / variance.sum())
    df = len(a) - 1
    if df == 0:
        return np.nan, np.nan, 0
    return bd, tarone, df


def _expected(n1: FloatArray, n2: FloatArray, m: FloatArray, odds_ratio: float) -> FloatArray:
    """Return the expected treated events given the margins and a common odds ratio."""
    q = odds_ratio - 1
    b = odds_ratio * (n1 + m) + n2 - m
    # root of q x^2 - b x + OR n1 m = 0 in the form that does not cancel as OR -> 1
    return np.asarray(
        2 * odds_ratio * n1 * m / (b + np.sqrt(b**2 - 4 * q * odds_ratio * n1 * m)),
        dtype=np.float64,
    )
