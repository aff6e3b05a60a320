"""Effect sizes of two groups: 2x2 tables and pairs of rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length, within
from metablin.effects.sizes import LONGEST, EffectSizes, build, readmit
from metablin.options import (
    DoubleZeros,
    Missing,
    RateMeasure,
    TableMeasure,
    ZeroRule,
    ZeroRuleSingle,
    words,
)

__all__ = [
    "RATE_MEASURES",
    "TABLE_MEASURES",
    "ZERO_RULES",
    "rate_contrasts",
    "two_by_two",
]

FloatArray = NDArray[np.float64]
Pair = tuple[FloatArray, FloatArray]

TABLE_MEASURES = words(TableMeasure)
RATE_MEASURES = words(RateMeasure)
ZERO_RULES = words(ZeroRule)

HALF = 0.5
"""What a continuity correction adds to every cell."""


@reads("a", "n1", "c", "n2", optional=("studies",), after=readmit)
def two_by_two(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    measure: TableMeasure = "or",
    studies: Iterable[Any] | None = None,
    zero_cells: ZeroRule = "only-needed",
    double_zeros: DoubleZeros = "keep",
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return effect sizes of 2x2 tables, treatment against control.

    Parameters
    ----------
    a, n1 : array-like of whole numbers, shape (k,)
        Events and patients in the treatment group.
    c, n2 : array-like of whole numbers, shape (k,)
        Events and patients in the control group.
    measure : {"or", "rr", "rd", "peto", "asd"}
        Log odds ratio, log risk ratio, risk difference, log odds ratio by Peto's one-step
        estimate, difference of arcsine square roots.
    studies : iterable of str, optional
        Labels.
    zero_cells : {"only-needed", "all", "treatment-arm", "none"}
        Add 1/2 to the four cells of tables with a zero cell, or of all tables; or, in tables with
        a zero cell, add to the cells of each arm its share n1/(n1 + n2) or n2/(n1 + n2) (the
        reciprocal-of-the-opposite-arm correction); or add nothing, and set tables without a
        variance aside. The arcsine difference needs no correction and gets none.
    double_zeros : {"keep", "drop"}
        Whether tables in which no patient or every patient had the event stay in (as metafor
        does by default) or are set aside with that reason.

    Returns
    -------
    EffectSizes
        Studies set aside are listed in ``excluded``.

    Raises
    ------
    DataError
        When a count is missing, fractional, negative, or more events than patients are given.

    References
    ----------
    Sweeting MJ, Sutton AJ, Lambert PC (2004). What to add to nothing? doi:10.1002/sim.1761
    Yusuf S and others (1985), the one-step odds ratio. doi:10.1016/s0033-0620(85)80003-7
    Ruecker G and others (2009), the arcsine difference. doi:10.1002/sim.3511

    Examples
    --------
    >>> e = two_by_two([12, 0], [40, 30], [20, 3], [42, 31])
    >>> e.yi.round(4).tolist(), e.corrected.tolist()
    ([-0.752, -2.0137], [False, True])
    """
    measure = choice("measure", measure, TABLE_MEASURES)
    zero_cells = choice("zero_cells", zero_cells, ZERO_RULES)
    drop = choice("double_zeros", double_zeros, words(DoubleZeros)) == "drop"
    counts, names = _table(a, n1, c, n2, studies)
    x1, m1, x2, m2 = counts.values()
    zero = (x1 == 0) | (x2 == 0) | (x1 == m1) | (x2 == m2)
    rule = "none" if measure == "asd" else zero_cells
    fix, (add1, add2) = _corrections(rule, zero, m1, m2)
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _TABLES[measure](x1 + add1, m1 + 2 * add1, x2 + add2, m2 + 2 * add2)
    reasons = _unusable(yi, vi, f"no {measure} variance without a correction of its zero cells")
    if drop:
        reasons |= _double_zero_reasons(x1 + x2, m1 + m2)
    transform = "log" if measure in ("or", "rr", "peto") else "none"
    return build(yi, vi, names, measure, transform, counts, rule, fix, reasons)


def _table(
    a: ArrayLike, n1: ArrayLike, c: ArrayLike, n2: ArrayLike, studies: Iterable[Any] | None
) -> tuple[dict[str, FloatArray], tuple[str, ...]]:
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    counts = {}
    for arm, x, n in (("treatment", a, n1), ("control", c, n2)):
        events, size = f"events_{arm}", f"n_{arm}"
        counts[events] = numeric(events, x, minimum=0, integer=True, studies=known)
        counts[size] = numeric(size, n, minimum=1, integer=True, studies=known)
    names = labels(known, same_length(**counts))
    for arm in ("treatment", "control"):
        events, size = f"events_{arm}", f"n_{arm}"
        within(events, counts[events], counts[size], names, size)
    return counts, names


def _corrections(
    rule: str, zero: NDArray[np.bool_], m1: FloatArray, m2: FloatArray
) -> tuple[NDArray[np.bool_], Pair]:
    fix = {"none": np.zeros_like(zero), "all": np.ones_like(zero)}.get(rule, zero)
    if rule == "treatment-arm":
        share = m1 / (m1 + m2)
        return fix, (np.where(fix, share, 0.0), np.where(fix, 1 - share, 0.0))
    return fix, (np.where(fix, HALF, 0.0), np.where(fix, HALF, 0.0))


def _unusable(yi: FloatArray, vi: FloatArray, why: str) -> dict[int, str]:
    bad = ~(np.isfinite(yi) & np.isfinite(vi) & (vi > 0))
    return {int(i): why for i in np.flatnonzero(bad)}


def _double_zero_reasons(events: FloatArray, patients: FloatArray) -> dict[int, str]:
    reasons = {int(i): "no event in either group" for i in np.flatnonzero(events == 0)}
    full = np.flatnonzero(events == patients)
    return reasons | {int(i): "every patient of both groups had the event" for i in full}


def _odds_ratio(a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray) -> Pair:
    b, d = n1 - a, n2 - c
    return np.log(a) - np.log(b) - np.log(c) + np.log(d), 1 / a + 1 / b + 1 / c + 1 / d


def _risk_ratio(a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray) -> Pair:
    return np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2


def _risk_difference(a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray) -> Pair:
    p1, p2 = a / n1, c / n2
    return p1 - p2, p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2


def _peto(a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray) -> Pair:
    n, events = n1 + n2, a + c
    variance = n1 * n2 * events * (n - events) / (n**2 * (n - 1))
    return (a - events * n1 / n) / variance, 1 / variance


def _arcsine_difference(a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray) -> Pair:
    y = np.arcsin(np.sqrt(a / n1)) - np.arcsin(np.sqrt(c / n2))
    return y, 1 / (4 * n1) + 1 / (4 * n2)


_TABLES: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray], Pair]] = {
    "or": _odds_ratio,
    "rr": _risk_ratio,
    "rd": _risk_difference,
    "peto": _peto,
    "asd": _arcsine_difference,
}


@reads("x1", "t1", "x2", "t2", optional=("studies",), after=readmit)
def rate_contrasts(
    x1: ArrayLike,
    t1: ArrayLike,
    x2: ArrayLike,
    t2: ArrayLike,
    measure: RateMeasure = "irr",
    studies: Iterable[Any] | None = None,
    zero_cells: ZeroRuleSingle = "only-needed",
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return effect sizes of pairs of incidence rates, treatment against control.

    Parameters
    ----------
    x1, x2 : array-like of whole numbers, shape (k,)
        Events in the treatment and in the control group.
    t1, t2 : array-like, shape (k,)
        Time at risk in both groups, in one unit.
    measure : {"irr", "ird", "irsd"}
        Log rate ratio, rate difference, difference of square-root rates.
    studies : iterable of str, optional
        Labels.
    zero_cells : {"only-needed", "all", "none"}
        Add 1/2 to both counts of pairs with a zero, of all pairs, or nowhere (then pairs without
        a variance are set aside). The square-root difference needs no correction and gets none.

    Returns
    -------
    EffectSizes

    Raises
    ------
    DataError
        When a count is not a whole number of at least 0 or a time is not positive.

    References
    ----------
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of IRR, IRD and IRSD).

    Examples
    --------
    >>> e = rate_contrasts([3, 0], [20, 10], [4, 2], [22, 11])
    >>> e.yi.round(4).tolist()
    [-0.1924, -1.5141]
    """
    measure = choice("measure", measure, RATE_MEASURES)
    zero_cells = choice("zero_cells", zero_cells, words(ZeroRuleSingle))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    counts = {}
    for arm, x, t in (("treatment", x1, t1), ("control", x2, t2)):
        column = f"events_{arm}"
        counts[column] = numeric(column, x, minimum=0, integer=True, studies=known)
        column = f"person_time_{arm}"
        counts[column] = numeric(column, t, above=0, maximum=LONGEST, studies=known)
    names = labels(known, same_length(**counts))
    a, s, c, t_c = counts.values()
    rule = "none" if measure == "irsd" else zero_cells
    fix, (add1, add2) = _corrections(rule, (a == 0) | (c == 0), s, t_c)
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _RATES[measure](a + add1, s, c + add2, t_c)
    reasons = _unusable(yi, vi, f"no {measure} variance without a correction of its zero counts")
    transform = "log" if measure == "irr" else "none"
    return build(yi, vi, names, measure, transform, counts, rule, fix, reasons)


def _rate_ratio(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    return np.log(x1 / t1) - np.log(x2 / t2), 1 / x1 + 1 / x2


def _rate_difference(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    return x1 / t1 - x2 / t2, x1 / t1**2 + x2 / t2**2


def _root_difference(x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray) -> Pair:
    return np.sqrt(x1 / t1) - np.sqrt(x2 / t2), 1 / (4 * t1) + 1 / (4 * t2)


_RATES: dict[str, Callable[[FloatArray, FloatArray, FloatArray, FloatArray], Pair]] = {
    "irr": _rate_ratio,
    "ird": _rate_difference,
    "irsd": _root_difference,
}
