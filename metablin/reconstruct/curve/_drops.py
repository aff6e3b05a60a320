"""Whether the clicks sit on the drops of the curve, and whether several events share a drop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve._fit import TINY, Censoring
from metablin.reconstruct.curve._grid import Grid

__all__ = [
    "chance_of_events",
    "clicked_at_drops",
    "count_likelihood",
    "countable",
    "each_falls",
    "every_drop",
    "falls_of",
    "regular",
    "step_sizes",
    "visible_gaps",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

SINGLES = 0.3  # share of single falls from which every drop counts as clicked, so others are ties
COUNTABLE = 2.0  # reading errors in a step of one patient from which counts are taken as exact
VISIBLE = 1.2  # a fall of one patient is seen when it exceeds this many reading errors
REGULAR = 2.0  # reading errors of time by which the gaps between regular clicks vary
FEW_SEEN = 4  # visible falls from which they are counted one by one
FEWEST = 5  # gaps that can tell
BESIDE = 4  # clicks on either side whose falls are compared
MOST_COUNTED = 6.5  # steps: larger falls are not counted one by one
MOSTLY = 0.85  # of the visible falls: if fewer are counted, the large ones are judged by size
OF_ALL = 2.0  # mean gaps of the whole curve that a local rate counts
LEAST = 0.02  # of the patients not yet lost to events: fewest still at risk
COUNTS = np.arange(9.0)[:, None]
LOG_FACTORIAL = np.array([0.0, *np.cumsum(np.log(np.arange(1.0, 9.0)))])[:, None]


def falls_of(grid: Grid, z: FloatArray, step: FloatArray) -> FloatArray:
    """Events behind each click on a drop, one at least, by the monotone curve `z` at the clicks."""
    falls = np.ones(z.size)
    falls[1:] = np.maximum(np.rint((z[:-1] - z[1:]) / step), 1.0)
    return np.ones(z.size) if every_drop(falls, countable(grid)) else falls


def step_sizes(grid: Grid, z: FloatArray, censoring: Censoring) -> FloatArray:
    """Fall of the curve per event in each gap between clicks, shape (clicks - 1,).

    Censoring is taken as even within the risk intervals, and as given in the last one.
    """
    at = np.maximum(np.interp(grid.start, grid.time[grid.click], z), 1e-9)
    per_survivor = grid.n / at
    left = np.full(at.size, 1.0 - censoring.share)
    left[:-1] = np.minimum(per_survivor[1:] / np.maximum(per_survivor[:-1], 1e-9), 1.0)
    own, u = grid.own[1:], grid.frac_mid[grid.click[1:]]
    u = np.where(own == grid.n.size - 1, u**censoring.power, u)
    stay = 1.0 - (1.0 - left[own]) * u
    return np.asarray(1.0 / np.maximum(per_survivor[own] * np.maximum(stay, LEAST), 1e-9))


def clicked_at_drops(grid: Grid, survival: FloatArray, step: FloatArray) -> bool:
    """Whether the clicks look taken just after drops rather than at times of their own.

    Compares two likelihoods of the falls between clicks. At times of their own the number of
    events in a gap is Poisson with a mean that grows with the gap's length; on drops there is at
    least one, or as many as behind the clicks beside it, whatever the length. Regular times are
    no drops. `step` is the fall of one patient in each gap between clicks, shape (clicks - 1,).
    """
    t = grid.time[grid.click]
    gap = t[1:] - t[:-1]
    if regular(gap, grid.time_sd):
        return False
    fall = survival[:-1] - survival[1:]
    visible = visible_gaps(step, gap, grid.sd)
    seen = visible & (fall < MOST_COUNTED * step)
    if np.count_nonzero(seen) < MOSTLY * np.count_nonzero(visible):
        visible = seen
    many = seen.sum() >= FEW_SEEN
    evidence = _of_counts(fall[seen], step[seen], gap[seen], grid.sd) if many else 0.0
    hidden = ~visible if many else gap > 0
    return evidence + _of_falls(t, survival, step, hidden, grid.sd) > 0.0


def each_falls(grid: Grid, survival: FloatArray, step: FloatArray) -> bool:
    """Whether nearly every click lies at least half a patient below the one before it.

    Without that, clicks at whole units are times at which a plateau was read as well.
    """
    t = grid.time[grid.click]
    seen = visible_gaps(step, t[1:] - t[:-1], grid.sd)
    falls = (survival[:-1] - survival[1:])[seen] >= 0.5 * step[seen]
    return bool(np.count_nonzero(falls) >= MOSTLY * falls.size)


def regular(gap: FloatArray, time_sd: float) -> bool:
    """Whether clicks are at regular times, or too few to tell."""
    return bool(gap.size < FEWEST or gap[1:-1].std() < REGULAR * time_sd)


def _of_counts(fall: FloatArray, step: FloatArray, gap: FloatArray, sd: float) -> float:
    """Log likelihood ratio of clicks on drops by falls of a few visible steps."""
    events = fall / step
    normal = count_likelihood(fall, step, sd)
    rate = np.maximum(local_rate(events, gap) * gap, 1e-6)
    q = 1.0 - 1.0 / np.maximum(local_rate(events, np.ones(gap.size)), 1.05)
    geometric = np.where(COUNTS > 0, 0.97 * (1.0 - q) * q ** np.maximum(COUNTS - 1.0, 0.0), 0.03)
    own = np.log((normal * chance_of_events(rate)).sum(axis=0) + 1e-12)
    drops = np.log((normal * geometric).sum(axis=0) + 1e-12)
    return float((drops - own).sum())


def local_rate(events: FloatArray, gap: FloatArray) -> FloatArray:
    """Events per unit of time around each gap but not in it, drawn to the mean; shape (gaps,)."""
    k = np.arange(events.size)
    low, high = np.maximum(k - BESIDE, 0), np.minimum(k + BESIDE + 1, events.size)
    e, t = np.concatenate([[0.0], events.cumsum()]), np.concatenate([[0.0], gap.cumsum()])
    near = np.maximum(e[high] - e[low] - events, 0.0)
    usual = max(float(e[-1]), 0.05 * events.size) / max(float(t[-1]), TINY)
    length = OF_ALL * float(gap.mean())
    return np.asarray((near + usual * length) / (t[high] - t[low] - gap + length))


def _of_falls(
    t: FloatArray, survival: FloatArray, step: FloatArray, hidden: BoolArray, sd: float
) -> float:
    """Log likelihood ratio of clicks on drops by falls whose steps cannot be seen.

    What a click falls by is, beside its neighbours, as much as they do when clicks are every q-th
    drop, and in proportion to its gap when they are at times of their own.
    """
    k = t.size
    i = np.arange(1, k)
    low, high = np.maximum(i - 1 - BESIDE, 0), np.minimum(i + BESIDE, k - 1)
    gap, fall = t[1:] - t[:-1], survival[:-1] - survival[1:]
    events = np.zeros(k)
    (fall / step).cumsum(out=events[1:])
    even = np.maximum(events[high] - events[low], 0.0) / (high - low) * step
    around = np.maximum(survival[low] - survival[high], 0.0)
    in_time = around * gap / np.maximum(t[high] - t[low], TINY)
    noise = 2.0 * sd**2
    own, drop = noise + in_time * step, noise + step**2
    ratio = (fall - in_time) ** 2 / own + np.log(own / drop) - (fall - even) ** 2 / drop
    hidden = hidden.copy()
    hidden[[0, -1]] = False
    return 0.5 * float(ratio[hidden].sum())


def visible_gaps(step: FloatArray, gap: FloatArray, sd: float) -> BoolArray:
    """Gaps in which the fall of one patient can be seen, without the first and the last."""
    seen = (step > VISIBLE * sd) & (gap > 0)
    seen[[0, -1]] = False  # the origin and the end of the curve are clicked in any case
    return np.asarray(seen)


def count_likelihood(fall: FloatArray, step: FloatArray, sd: float) -> FloatArray:
    """Likelihood of each fall if 0 to 8 events are behind it, up to a factor, shape (9, gaps)."""
    misfit = (fall - COUNTS * step) / (np.sqrt(2.0) * sd)
    return np.asarray(np.exp(-0.5 * np.minimum(misfit**2, 60.0)))


def chance_of_events(rate: FloatArray) -> FloatArray:
    """Poisson probability of 0 to 8 events in each gap, shape (9, gaps)."""
    return np.asarray(np.exp(COUNTS * np.log(rate) - rate - LOG_FACTORIAL))


def every_drop(falls: FloatArray | IntArray, exact: bool) -> bool:
    """Whether every drop was clicked, judged by the events behind the clicks.

    Clicks on every q-th drop leave falls of q or q + 1 events; falls of one among larger ones, or
    of unequal size where counts are `exact`, are ties.
    """
    seen = falls[falls > 0]
    if seen.size == 0:
        return False
    ranked = np.sort(seen)
    low, high = ranked[seen.size // 10], ranked[seen.size - 1 - seen.size // 10]
    return bool((seen == 1).mean() >= SINGLES or (exact and high - low >= 2 and low <= 2))


def countable(grid: Grid) -> bool:
    """Whether one patient's step is large enough for counts behind a click to be exact."""
    return bool(grid.n[0] * COUNTABLE * grid.sd <= 1.0)
