"""Times of patients whose events and numbers at risk are solved exactly.

What stays open is when patients were censored between two falls. How many it were is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve._exact import ExactFit
from metablin.reconstruct.curve.clicks import Curve

__all__ = ["to_patients", "unit_of"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FEWEST = 5  # falls from which a common unit of their times is looked for
OFF = 0.02  # of that unit: how far a fall may lie beside a multiple
SMALLEST = 1e-3  # of the time axis: smaller units do not matter
PARTS = 4  # into which the shortest time between two falls is divided
LATELY = (2.0, 0.1)  # stretch that tells the usual rate: last gaps, of the time axis; the longer
TOGETHER = 3.0  # times as many left as usual from which most are censored at the end
CLOSE = 1e-6


def to_patients(
    fit: ExactFit, curve: Curve, rng: np.random.Generator | None = None
) -> tuple[FloatArray, IntArray]:
    """Return times and flags: events at their falls, censorings evenly between what is known.

    Where falls lie at multiples of a unit, censorings do too. Those that are left at the end are
    censored there, all but as many as the usual rate lets expect before, when they are far more.
    """
    edges, lost = _known(fit, curve)
    own = np.arange(lost.size).repeat(lost)
    rank = np.arange(own.size) - (lost.cumsum() - lost)[own]
    u = (rank + 0.5) / lost[own] if rng is None else rng.random(own.size)
    at_end = _together(edges, lost)
    final = np.flatnonzero(own == lost.size - 1)
    spread = final[: final.size - at_end]
    if rng is None:  # the end of the curve is that of the last patient
        u[spread] = (np.arange(spread.size) + 1.0) / (spread.size + 1.0)
    censored = edges[own] + u * (edges[own + 1] - edges[own])
    unit = unit_of(fit.time, curve.end)
    if unit > 0.0:
        censored = _in_units(censored, u, edges, own, unit)
    censored[final[spread.size :]] = edges[-1]
    events = np.repeat(fit.time, fit.events)
    time = np.concatenate([events, censored])
    flag = np.repeat(np.array([1, 0]), [events.size, censored.size])
    order = np.lexsort((1 - flag, time))
    return time[order], flag[order]


def _known(fit: ExactFit, curve: Curve) -> tuple[FloatArray, IntArray]:
    """Return times at which the number at risk is known, (k + 1,), and who is lost between."""
    fences = np.concatenate([fit.time, curve.starts[1:]])
    left = np.concatenate([fit.at_risk - fit.events, curve.counts[1:]])
    need = np.concatenate([fit.at_risk, curve.counts[1:]])
    order = np.lexsort((np.repeat([1, 0], [fit.time.size, curve.starts.size - 1]), fences))
    fences, left, need = fences[order], left[order], need[order]
    lost = np.concatenate([[curve.n], left]) - np.concatenate([need, [0]])
    edges = np.concatenate([[0.0], fences, [max(curve.end, float(fences[-1]))]])
    return edges, np.maximum(lost, 0)


def _together(edges: FloatArray, lost: IntArray) -> int:
    """Patients of the last gap that are censored at its very end, one at least if any."""
    left, length = int(lost[-1]), float(edges[-1] - edges[-2])
    if left == 0:
        return 0
    span = max(LATELY[0] * length, LATELY[1] * float(edges[-1]))
    since = max(float(edges[-2]) - span, 0.0)
    inside = np.clip(edges[1:-1] - since, 0.0, np.diff(edges[:-1])) / np.maximum(
        np.diff(edges[:-1]), CLOSE
    )
    usual = (float(inside @ lost[:-1]) + 1.0) * length / max(float(edges[-2]) - since, CLOSE)
    return left - round(usual) if left > TOGETHER * usual + 1.0 else 1


def unit_of(time: FloatArray, end: float) -> float:
    """Return the largest unit of which all times are multiples, 0 where there is none.

    Examples
    --------
    >>> round(unit_of(np.array([3.0, 5.0, 6.0, 11.0, 12.0, 14.0]), 20.0), 6)
    1.0
    >>> unit_of(np.array([3.1, 5.0, 6.77, 11.0, 12.0, 14.0]), 20.0)
    0.0
    """
    if time.size < FEWEST:
        return 0.0
    shortest = float(np.diff(time, prepend=0.0).min())
    for parts in range(1, PARTS + 1):
        unit = shortest / parts
        if unit < SMALLEST * end:
            break
        unit = float(time[-1]) / round(float(time[-1]) / unit)
        if (np.abs(time - np.rint(time / unit) * unit) < OFF * unit).all():
            return unit
    return 0.0


def _in_units(
    censored: FloatArray, u: FloatArray, edges: FloatArray, own: IntArray, unit: float
) -> FloatArray:
    """Move censorings to multiples of the unit, from the fall ahead up to before what follows."""
    first = np.ceil(edges[own] / unit - OFF)
    last = np.ceil(edges[own + 1] / unit - OFF) - 1.0
    here = first + np.floor(u * (last - first + 1.0))
    return np.where(first <= last, np.maximum(here * unit, edges[own]), censored)
