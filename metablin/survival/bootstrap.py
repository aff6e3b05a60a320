"""Many hazard ratios at once: bootstrap samples of a two-arm trial in one vectorised fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import ConvergenceError, DataError
from metablin.numerics.partial import efron
from metablin.survival.patients import patients, two_arms

__all__ = ["bootstrap_hazard_ratios"]

FloatArray = NDArray[np.float64]

MAX_ITER = 30
TOLERANCE = 1e-10
LARGEST = 12.0
"""A log hazard ratio beyond this belongs to a sample in which one arm has no events."""


def bootstrap_hazard_ratios(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    *,
    samples: int = 1000,
    seed: int = 1,
    control: object = None,
) -> FloatArray:
    """Return log hazard ratios (Cox, Efron) of bootstrap samples drawn within each arm.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        As in `cox`, with two groups.
    samples : int
    seed : int
    control : object, optional

    Returns
    -------
    ndarray, shape (samples,)
        Treatment over control. Minus or plus infinity for a sample in which the treated, or the
        controls, had no event; NaN for one without any event.

    References
    ----------
    Efron B (1981). Censored data and the bootstrap. J Am Stat Assoc 76:312-319.
    doi:10.1080/01621459.1981.10477650

    Examples
    --------
    >>> t = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    >>> bootstrap_hazard_ratios(t, [1] * 10, list("abbaababba"), samples=5).shape
    (5,)
    """
    p = patients(time, event)
    g = two_arms(group, p.n, control)
    if not p.event.any():
        raise DataError("no events", column="event", allowed="at least one event")
    count = _input.whole("samples", samples, minimum=1)
    rng = np.random.default_rng(_input.seed(seed))
    order = np.argsort(p.time, kind="stable")
    treated = (g.codes == 1)[order]
    drawn = np.zeros((count, p.n), dtype=np.int32)
    for arm in (False, True):
        members = np.flatnonzero(treated == arm)
        share = np.full(members.size, 1.0 / members.size)
        drawn[:, members] = rng.multinomial(members.size, share, size=count)
    return _fit(drawn, p.time[order], p.event[order] == 1.0, treated)


def _fit(
    drawn: NDArray[np.int32],
    time: FloatArray,
    event: NDArray[np.bool_],
    treated: NDArray[np.bool_],
) -> FloatArray:
    deaths = np.flatnonzero(event)
    times, starts = np.unique(time[deaths], return_index=True)
    first = np.searchsorted(time, times, side="left")

    def reverse(keep: NDArray[np.bool_]) -> NDArray[np.int32]:
        return np.cumsum((drawn * keep)[:, ::-1], axis=1, dtype=np.int32)[:, ::-1][:, first]

    def dead(keep: NDArray[np.bool_]) -> NDArray[np.int32]:
        return np.asarray(np.add.reduceat((drawn * keep)[:, deaths], starts, axis=1))

    n1, d1 = reverse(treated), dead(treated)
    n0, d0 = reverse(~treated), dead(~treated)
    at = np.nonzero(d0 + d1)
    (control, treat), row = efron(
        np.column_stack([n0[at], n1[at]]), np.column_stack([d0[at], d1[at]])
    )
    return _newton(control, treat, at[0][row], d1.sum(axis=1), d0.sum(axis=1))


def _newton(
    control: FloatArray,
    treat: FloatArray,
    sample: NDArray[np.intp],
    events1: NDArray[np.int32],
    events0: NDArray[np.int32],
) -> FloatArray:
    """Solve every sample's score equation; the log-likelihood is concave in one dimension."""
    m = events1.size
    beta = np.zeros(m)
    for _ in range(MAX_ITER):
        ratio = np.exp(beta)[sample] * treat
        q = ratio / (ratio + control)
        score = events1 - np.bincount(sample, q, minlength=m)
        information = np.bincount(sample, q * (1.0 - q), minlength=m)
        step = np.clip(score / np.maximum(information, 1e-12), -1.5, 1.5)
        beta = np.clip(beta + step, -LARGEST, LARGEST)
        done = (score * step < TOLERANCE) | (np.abs(beta) == LARGEST)
        if done.all():
            break
    else:
        raise ConvergenceError("a bootstrap sample's hazard ratio did not converge")
    beta[events1 == 0] = -np.inf
    beta[events0 == 0] = np.inf
    beta[(events0 == 0) & (events1 == 0)] = np.nan
    return beta
