"""Effect sizes of single groups: proportions and rates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length, within
from metablin.effects._scales import freeman_tukey
from metablin.effects.sizes import LONGEST, EffectSizes, build, readmit
from metablin.options import (
    Missing,
    ProportionTransform,
    RateTransform,
    ZeroRuleSingle,
    words,
)

__all__ = [
    "PROPORTION_TRANSFORMS",
    "RATE_TRANSFORMS",
    "ZERO_RULES_SINGLE",
    "events_of",
    "proportions",
    "rates",
]

FloatArray = NDArray[np.float64]

PROPORTION_TRANSFORMS = words(ProportionTransform)
RATE_TRANSFORMS = words(RateTransform)
ZERO_RULES_SINGLE = words(ZeroRuleSingle)

HALF = 0.5
"""What is added to events and to non-events when a zero cell needs it."""


@reads("events", "n", optional=("studies",), after=readmit)
def proportions(
    events: ArrayLike,
    n: ArrayLike,
    transform: ProportionTransform = "logit",
    studies: Iterable[Any] | None = None,
    zero_cells: ZeroRuleSingle = "only-needed",
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return effect sizes of single proportions.

    Parameters
    ----------
    events, n : array-like of whole numbers, shape (k,)
        Patients with the event, and patients; 0 <= events <= n, n >= 1.
    transform : {"logit", "log", "raw", "arcsine", "freeman-tukey"}
        Analysis scale.
    studies : iterable of str, optional
        Labels; ``study 1`` to ``study k`` when not given.
    zero_cells : {"only-needed", "all", "none"}
        For logit, log and raw: add 1/2 to events and to non-events in studies with no event or
        with nothing but events, in all studies, or nowhere (then such studies are set aside and
        listed in ``excluded``). Arcsine and Freeman-Tukey need no correction and get none.
    data : data frame or mapping, optional
        Table whose columns the other arguments may name (pandas, polars, pyarrow, a mapping).
    missing : {"error", "drop"}
        What becomes of a row with a missing value; rows that are dropped are listed in
        ``excluded``.

    Returns
    -------
    EffectSizes
        Variances, with events x, and p = x / n: logit 1/x + 1/(n - x); log 1/x - 1/n;
        raw p (1 - p) / n; arcsine 1/(4 n); Freeman-Tukey 1/(4 n + 2).

    Raises
    ------
    DataError
        When a count is missing, fractional, negative, or more events than patients are given.

    Notes
    -----
    A pooled Freeman-Tukey value goes back to a proportion through the harmonic mean of n, and
    that step can mislead when study sizes differ a lot (Schwarzer and others 2019,
    doi:10.1002/jrsm.1348); compare with the logit or a binomial-normal model.

    References
    ----------
    Viechtbauer W (2010). Conducting meta-analyses in R with the metafor package.
    doi:10.18637/jss.v036.i03 (conventions of PLO, PLN, PR, PAS and PFT).

    Examples
    --------
    >>> e = proportions([3, 0], [10, 12], studies=["A", "B"])
    >>> e.yi.round(4).tolist(), e.corrected.tolist()
    ([-0.8473, -3.2189], [False, True])
    >>> table = {"responders": [3, 0], "treated": [10, 12]}
    >>> proportions("responders", "treated", data=table).yi.round(4).tolist()
    [-0.8473, -3.2189]
    """
    transform = choice("transform", transform, PROPORTION_TRANSFORMS)
    zero_cells = choice("zero_cells", zero_cells, ZERO_RULES_SINGLE)
    x, size, names = events_of(events, n, studies)
    edge = (x == 0) | (x == size)
    smooth = transform in ("arcsine", "freeman-tukey")
    fix = np.zeros_like(edge) if smooth else _where(zero_cells, edge)
    xc, nc = x + HALF * fix, size + 2 * HALF * fix
    reasons = {}
    if zero_cells == "none" and not smooth:
        reasons = {
            int(i): f"{x[i]:g} of {size[i]:g} has no {transform} variance without a correction"
            for i in np.flatnonzero(edge)
        }
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = _proportion_effects(transform, xc, nc)
    return build(
        yi,
        vi,
        names,
        "proportion",
        transform,
        {"events": x, "n": size},
        "none" if smooth else zero_cells,
        fix,
        reasons,
    )


def _where(rule: str, edge: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if rule == "all":
        return np.ones_like(edge)
    return edge if rule == "only-needed" else np.zeros_like(edge)


def events_of(
    events: ArrayLike, n: ArrayLike, studies: Iterable[Any] | None
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return checked events, sample sizes and labels of single groups."""
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    x = numeric("events", events, minimum=0, integer=True, studies=known)
    size = numeric("n", n, minimum=1, integer=True, studies=known)
    names = labels(known, same_length(events=x, n=size))
    within("events", x, size, names)
    return x, size, names


def _proportion_effects(
    transform: str, x: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    p = x / n
    if transform == "logit":
        return np.asarray(special.logit(p)), 1 / x + 1 / (n - x)
    if transform == "log":
        return np.log(p), 1 / x - 1 / n
    if transform == "raw":
        return p, p * (1 - p) / n
    if transform == "arcsine":
        return np.arcsin(np.sqrt(p)), 1 / (4 * n)
    return freeman_tukey(x, n), 1 / (4 * n + 2)


@reads("events", "person_time", optional=("studies",), after=readmit)
def rates(
    events: ArrayLike,
    person_time: ArrayLike,
    transform: RateTransform = "log",
    studies: Iterable[Any] | None = None,
    zero_cells: ZeroRuleSingle = "only-needed",
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return effect sizes of single incidence rates.

    Parameters
    ----------
    events : array-like of whole numbers, shape (k,)
        Events counted.
    person_time : array-like, shape (k,)
        Time at risk, greater than 0; the rate is per unit of it.
    transform : {"log", "sqrt", "raw"}
        Analysis scale.
    studies : iterable of str, optional
        Labels.
    zero_cells : {"only-needed", "all", "none"}
        For log and raw: add 1/2 to the events of studies without events, of all, or nowhere (then
        studies without events are set aside and listed in ``excluded``). The square root needs no
        correction and gets none.
    data : data frame or mapping, optional
        Table whose columns the other arguments may name (pandas, polars, pyarrow, a mapping).
    missing : {"error", "drop"}
        What becomes of a row with a missing value; rows that are dropped are listed in
        ``excluded``.

    Returns
    -------
    EffectSizes
        Variances, with x events in time t: log 1/x; raw x / t**2; square root 1/(4 t).

    Raises
    ------
    DataError
        When a count is not a whole number of at least 0 or a time is not positive.

    References
    ----------
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of IRLN, IR and IRS).

    Examples
    --------
    >>> e = rates([4, 0], [20, 12.5])
    >>> e.yi.round(4).tolist(), e.vi.tolist()
    ([-1.6094, -3.2189], [0.25, 2.0])
    """
    transform = choice("transform", transform, RATE_TRANSFORMS)
    zero_cells = choice("zero_cells", zero_cells, ZERO_RULES_SINGLE)
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    x = numeric("events", events, minimum=0, integer=True, studies=known)
    t = numeric("person_time", person_time, above=0, maximum=LONGEST, studies=known)
    names = labels(known, same_length(events=x, person_time=t))
    none = x == 0
    smooth = transform == "sqrt"
    fix = np.zeros_like(none) if smooth else _where(zero_cells, none)
    xc = x + HALF * fix
    reasons = {}
    if zero_cells == "none" and not smooth:
        why = f"no events, so no {transform} variance without a correction"
        reasons = {int(i): why for i in np.flatnonzero(none)}
    with np.errstate(divide="ignore"):
        if transform == "log":
            yi, vi = np.log(xc / t), 1 / xc
        elif transform == "raw":
            yi, vi = xc / t, xc / t**2
        else:
            yi, vi = np.sqrt(x / t), 1 / (4 * t)
    counts = {"events": x, "person_time": t}
    rule = "none" if smooth else zero_cells
    return build(yi, vi, names, "rate", transform, counts, rule, fix, reasons)
