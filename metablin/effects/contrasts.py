"""Effect sizes given as estimates: hazard ratios with intervals, and generic effects."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length
from metablin._input import level as check_level
from metablin.effects.sizes import LARGEST, EffectSizes, build, readmit
from metablin.errors import DataError, warn
from metablin.numerics.inference import critical
from metablin.options import LogMeasure, Missing, words

__all__ = ["INTERVAL_ASYMMETRY", "generic", "hazard_ratios", "log_effects", "log_interval"]

FloatArray = NDArray[np.float64]

INTERVAL_ASYMMETRY = 0.05
"""Largest difference of the two half-widths, as a share of the whole width on the log scale, that
passes without a warning once rounding of the printed figures is allowed for."""


@reads("hr", "low", "high", optional=("level", "studies"), after=readmit)
def hazard_ratios(
    hr: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    level: ArrayLike = 0.95,
    studies: Iterable[Any] | None = None,
    sides: Literal[1, 2] = 2,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return log hazard ratios and variances from printed estimates with confidence intervals.

    Parameters
    ----------
    hr : array-like, shape (k,)
        Hazard ratios, treatment over control.
    low, high : array-like, shape (k,)
        Limits of the confidence interval.
    level : float or array-like, shape (k,)
        Level of the interval, one for all or one per study.
    studies : iterable of str, optional
        Labels.
    sides : {2, 1}
        1 when `level` is that of each limit alone: one-sided 97.5% limits are a two-sided 95%
        interval.
    data : data frame or mapping, optional
        Table whose columns the other arguments may name (pandas, polars, pyarrow, a mapping).
    missing : {"error", "drop"}
        What becomes of a row with a missing value; rows that are dropped are listed in
        ``excluded``.

    Returns
    -------
    EffectSizes
        ``yi = log(hr)`` and ``vi = ((log(high) - log(low)) / (2 z))**2``.

    Raises
    ------
    DataError
        When a value is not positive or the estimate is not inside its interval.

    Warns
    -----
    MetablinWarning
        When an interval is not symmetric on the log scale beyond rounding, naming the study:
        a misprint, another level, or an interval that is not of the Wald kind.

    References
    ----------
    Parmar MKB, Torri V, Stewart L (1998). Extracting summary statistics to perform
    meta-analyses of the published literature for survival endpoints, eq. 7.
    doi:10.1002/(SICI)1097-0258(19981230)17:24<2815::AID-SIM110>3.0.CO;2-8

    Examples
    --------
    >>> e = hazard_ratios([0.71], [0.55], [0.93], studies=["TOWER"])
    >>> round(float(e.yi[0]), 4), round(float(e.vi[0]), 5)
    (-0.3425, 0.01796)
    """
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    estimate = numeric("estimate", hr, above=0, studies=known)
    lower = numeric("conf_low", low, above=0, studies=known)
    upper = numeric("conf_high", high, above=0, studies=known)
    k = same_length(estimate=estimate, conf_low=lower, conf_high=upper)
    names = labels(known, k)
    levels = _levels(level, k, sides)
    yi, vi = log_interval(estimate, lower, upper, levels, names)
    counts = {"estimate": estimate, "conf_low": lower, "conf_high": upper}
    return build(yi, vi, names, "hr", "log", counts)


def _levels(level: ArrayLike, k: int, sides: int) -> FloatArray:
    """Return the levels of the two-sided intervals, one per study."""
    given = numeric("level", level)
    values = np.broadcast_to(given, (k,)) if np.ndim(level) == 0 else given
    same_length(estimate=np.empty(k), level=values)
    if not isinstance(sides, int | float | np.number) or sides not in (1, 2):
        raise DataError("not a number of sides", column="sides", value=sides, allowed="1 or 2")
    for value in np.unique(values):
        check_level(float(value))
        if sides == 1 and value <= 0.5:
            raise DataError(
                "no interval has this one-sided level",
                column="level",
                value=f"{value:g}",
                allowed="above 0.5 when one-sided",
            )
    return np.asarray(values if sides == 2 else 2 * values - 1)


def log_interval(
    estimate: FloatArray,
    low: FloatArray,
    high: FloatArray,
    level: FloatArray,
    names: tuple[str, ...],
    first: int = 1,
) -> tuple[FloatArray, FloatArray]:
    """Return log estimates and variances of ratios with intervals, after checking them.

    `first` is the data row of the first entry, for messages.

    Raises
    ------
    DataError
        When low < estimate < high does not hold.
    """
    wrong = ~((low < estimate) & (estimate < high))
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        column = "conf_low" if not low[i] < estimate[i] else "conf_high"
        raise DataError(
            "the interval does not contain the estimate",
            row=i + first,
            column=column,
            value=f"{estimate[i]:g} [{low[i]:g}, {high[i]:g}]",
            allowed="conf_low < estimate < conf_high",
            study=names[i],
        )
    for i in map(int, np.flatnonzero(_asymmetry(estimate, low, high) > INTERVAL_ASYMMETRY)):
        warn(
            f"row {i + first} ({names[i]}): {estimate[i]:g} [{low[i]:g}, {high[i]:g}] is not "
            "symmetric on the log scale; check the figures and the level"
        )
    z = critical(level)
    return np.log(estimate), ((np.log(high) - np.log(low)) / (2 * z)) ** 2


def _asymmetry(estimate: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Difference of half-widths over width, less what rounding to the printed digits explains."""
    width = np.log(high) - np.log(low)
    gap = np.abs(np.log(high) + np.log(low) - 2 * np.log(estimate))
    unit = np.array([_last_digit(t) for t in zip(estimate, low, high, strict=True)])
    rounding = unit / 2 * (1 / low + 1 / high + 2 / estimate)
    return np.asarray(np.maximum(gap - rounding, 0.0) / width)


def _last_digit(figures: Iterable[float]) -> float:
    """Size of the last printed digit, at most 1, judged from the figure with most digits."""
    exponents = [Decimal(repr(float(x))).normalize().as_tuple().exponent for x in figures]
    return 10.0 ** min(0, *(int(e) for e in exponents))


@reads("yi", "vi", optional=("studies",), after=readmit)
def generic(
    yi: ArrayLike,
    vi: ArrayLike,
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return effect sizes that are already on the analysis scale.

    Parameters
    ----------
    yi : array-like, shape (k,)
        Effects.
    vi : array-like, shape (k,)
        Sampling variances, all positive.
    studies : iterable of str, optional
        Labels.
    data : data frame or mapping, optional
        Table whose columns the other arguments may name (pandas, polars, pyarrow, a mapping).
    missing : {"error", "drop"}
        What becomes of a row with a missing value; rows that are dropped are listed in
        ``excluded``.

    Returns
    -------
    EffectSizes
        With ``transform == "none"``.

    Raises
    ------
    DataError
        Naming the study whose value is missing or whose variance is not positive.

    Examples
    --------
    >>> generic([0.1, 0.3], [0.02, 0.05]).k
    2
    """
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    y = numeric("yi", yi, studies=known)
    v = numeric("vi", vi, above=0, studies=known)
    names = labels(known, same_length(yi=y, vi=v))
    return build(y, v, names, "generic", "none", {})


@reads("log_effect", "std_error", optional=("studies",), after=readmit)
def log_effects(
    log_effect: ArrayLike,
    std_error: ArrayLike,
    measure: LogMeasure = "hr",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return ratios given as their logarithms with standard errors; ratios stay ratios.

    Parameters
    ----------
    log_effect : array-like, shape (k,)
        Natural logarithms of the ratios, treatment over control (``TE`` in meta).
    std_error : array-like, shape (k,)
        Their standard errors, all positive (``seTE`` in meta).
    measure : {"hr", "or", "rr", "irr"}
        What the ratios are.
    studies : iterable of str, optional
        Labels.
    data : data frame or mapping, optional
        Table whose columns the other arguments may name (pandas, polars, pyarrow, a mapping).
    missing : {"error", "drop"}
        What becomes of a row with a missing value; rows that are dropped are listed in
        ``excluded``.

    Returns
    -------
    EffectSizes
        ``yi = log_effect`` and ``vi = std_error**2``, shown as ratios.

    Raises
    ------
    DataError
        Naming the study whose value is missing or whose standard error is not positive.

    Examples
    --------
    >>> e = log_effects([-0.34, -0.51], [0.13, 0.24], measure="hr")
    >>> e.limits()[0].round(3).tolist()
    [0.712, 0.6]
    """
    measure = choice("measure", measure, words(LogMeasure))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    y = numeric("log_effect", log_effect, studies=known)
    se = numeric("std_error", std_error, above=0, maximum=LARGEST**0.5, studies=known)
    names = labels(known, same_length(log_effect=y, std_error=se))
    return build(y, se**2, names, measure, "log", {})
