r"""Exact coordinates: events and numbers at risk from the sizes of the steps.

With :math:`d_i` events among :math:`n_i` at risk the curve falls by the factor
:math:`1 - d_i/n_i`: a ratio of whole numbers that coordinates of vector figures are precise enough
to tell. A beam search (Lowerre 1976) goes from fall to fall. It keeps hypotheses of who is still
at risk and of the level that follows, weighs the level by the precision of the coordinates, and
censorings between two falls by how many the table and the length of the gap let expect. As a
hypothesis carries its own level along, a number at risk that is off by one shows at every later
fall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from metablin.reconstruct.curve.clicks import Curve

__all__ = ["PRECISE", "ExactFit", "solve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PRECISE = 4e-4  # reading error of S up to which steps are solved as whole numbers
WIDTH = 300  # hypotheses kept
MOST_TIED = 40  # events at one fall
AROUND = 4  # numbers at risk on either side of what a fall says
TIE = 2.5  # cost of each further event at a fall, minus log
MISFIT = 4.0  # reading errors beyond which a fall is not explained
HOPELESS = 25.0  # behind the best
FITS = (
    2.0  # root mean square of the misfit, in reading errors, up to which the falls count as solved
)
SAME_TIME = 2e-6  # of the time axis
LOST = np.arange(7.0)  # censorings in a gap that are always thought of
TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ExactFit:
    """Falls (k,): their times, events, and numbers at risk; `misfit` is the mean square of S.

    `misfit` is in reading errors.
    """

    time: FloatArray
    events: IntArray
    at_risk: IntArray
    misfit: float


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """Between two falls: length, table entries within, and fewest at risk after the next fall."""

    length: float
    first: int
    last: int
    least: int
    fixed: bool


@dataclass(slots=True)
class _Beam:
    """Hypotheses, best first: left at risk, level of S, events so far, cost; shape (width,)."""

    left: FloatArray
    level: FloatArray
    events: FloatArray
    cost: FloatArray


def solve(curve: Curve) -> ExactFit | None:
    """Whole events and numbers at risk at every fall, or None where they do not explain it.

    `curve` has a click after each fall.
    """
    sd = curve.reading.precision
    fall = np.flatnonzero(curve.survival[:-1] - curve.survival[1:] > MISFIT * sd) + 1
    if fall.size == 0:
        return None
    time, level = curve.time[fall], curve.survival[fall]
    gaps = _gaps(curve, time)
    rate = _loss_rate(curve, time)
    beam = _Beam(np.array([float(curve.n)]), np.ones(1), np.zeros(1), np.zeros(1))
    back: list[tuple[IntArray, FloatArray, FloatArray]] = []
    for gap, y in zip(gaps, level.tolist(), strict=True):
        step = _next_fall(beam, gap, y, sd, rate)
        if step is None:
            return None
        beam, way = step
        back.append(way)
    i = _best_end(beam, curve, time)
    if i is None:
        return None
    d, n = _trace(back, i)
    s = np.cumprod(1.0 - d / n)
    misfit = float(np.mean(((s - level) / sd) ** 2))
    return ExactFit(time, d, n, misfit) if misfit <= FITS**2 else None


def _gaps(curve: Curve, time: FloatArray) -> list[_Gap]:
    """Tell what the table says about the patients between each fall and the one before."""
    r, k = curve.starts[1:], curve.counts[1:]
    fuzz = SAME_TIME * curve.end
    before = np.concatenate([[0.0], time[:-1]])
    inside = (r > before[:, None] + TINY) & (r <= time[:, None] + fuzz)
    taken = np.zeros(r.size, dtype=bool)
    out = []
    for i, t in enumerate(time.tolist()):
        own = inside[i] & ~taken
        taken |= own
        later = k[~taken & (r > before[i])]
        at = np.flatnonzero(own)
        first, last = (int(k[at[0]]), int(k[at[-1]])) if at.size else (-1, -1)
        fixed = bool(at.size and abs(r[at[-1]] - t) <= fuzz)
        least = int(later[0]) if later.size else 0
        out.append(_Gap(t - before[i], first, last, least, fixed))
    return out


def _loss_rate(curve: Curve, time: FloatArray) -> float:
    """Censorings per patient and unit of time, by the whole curve."""
    s = np.interp(curve.starts, curve.time, curve.survival)
    if curve.has_table:
        kept = float(curve.counts[-1]) / (curve.n * max(float(s[-1]), TINY))
        span = float(curve.starts[-1])
    else:
        events = curve.events or 0.0
        kept, span = max(1.0 - events / curve.n, 0.2), float(time[-1])
    return max(-math.log(min(max(kept, 0.02), 1.0)), 0.02) / max(span, TINY)


def _next_fall(
    beam: _Beam, gap: _Gap, y: float, sd: float, rate: float
) -> tuple[_Beam, tuple[IntArray, FloatArray, FloatArray]] | None:
    """Extend every hypothesis by the censorings of a gap and the events of the fall behind it."""
    high = np.minimum(beam.left, gap.last) if gap.last >= 0 else beam.left
    fall = np.maximum(1.0 - y / beam.level, TINY)
    width = MISFIT * sd / beam.level
    most = np.minimum(np.ceil((fall + width) * high), MOST_TIED)
    d = np.arange(1.0, max(float(most.max()), 1.0) + 1.0)
    centre = d / fall[:, None]
    spread = d * width[:, None] / fall[:, None] ** 2
    reach = np.maximum(spread / AROUND, 1.0)
    offset = np.arange(-AROUND, AROUND + 1.0)
    n = np.rint(centre[:, :, None] + offset * reach[:, :, None])
    expected = np.rint(high * math.exp(-rate * gap.length))
    own = np.column_stack([high[:, None] - LOST, expected])
    own = np.broadcast_to(own[:, None, :], (high.size, d.size, own.shape[1]))
    n = np.concatenate([n, own], axis=2)
    if gap.fixed:
        n[:] = gap.last
    new_level = beam.level[:, None, None] * (1.0 - d[:, None] / np.maximum(n, 1.0))
    off = (new_level - y) / sd
    censored = beam.left[:, None, None] - n
    free = (high[:, None, None] - n) if gap.last >= 0 else censored
    ok = (n <= high[:, None, None]) & (n - d[:, None] >= gap.least) & (np.abs(off) <= 2.0 * MISFIT)
    if gap.first >= 0:
        ok &= (beam.left >= gap.first)[:, None, None]
    if not ok.any():
        return None
    mean = 0.3 + rate * gap.length * np.maximum(n, 1.0)
    cost = beam.cost[:, None, None] + 0.5 * off**2 + TIE * (d[:, None] - 1.0)
    cost = cost + _count_cost(np.maximum(free, 0.0), mean)
    cost[~ok] = np.inf
    return _kept(beam, cost, n, d, new_level, sd)


def _count_cost(x: FloatArray, mean: FloatArray) -> FloatArray:
    """Minus log probability of x censorings, geometric-tailed around a Poisson mean."""
    shape = 1.0
    p = shape / (shape + mean)
    return np.asarray(
        -(gammaln(x + shape) - gammaln(x + 1.0) + shape * np.log(p) + x * np.log1p(-p))
    )


def _kept(
    beam: _Beam, cost: FloatArray, n: FloatArray, d: FloatArray, level: FloatArray, sd: float
) -> tuple[_Beam, tuple[IntArray, FloatArray, FloatArray]]:
    flat = cost.ravel()
    good = np.flatnonzero(flat <= flat.min() + HOPELESS)
    good = good[np.argsort(flat[good], kind="stable")]
    parent, tied, _ = np.unravel_index(good, cost.shape)
    at_risk, events = n.ravel()[good], d[tied]
    left, s = at_risk - events, level.ravel()[good]
    total = beam.events[parent] + events
    seen = _distinct(left, total, np.rint(s / (0.25 * sd)))
    keep = good[seen]
    new = _Beam(left[seen], s[seen], total[seen], flat[keep])
    return new, (parent[seen], events[seen], at_risk[seen])


def _distinct(left: FloatArray, total: FloatArray, level: FloatArray) -> IntArray:
    """Places of the first `WIDTH` hypotheses that differ."""
    found: dict[tuple[float, float, float], int] = {}
    for i, name in enumerate(zip(left.tolist(), total.tolist(), level.tolist(), strict=True)):
        if name not in found:
            found[name] = i
            if len(found) == WIDTH:
                break
    return np.array(list(found.values()), dtype=np.int64)


def _best_end(beam: _Beam, curve: Curve, time: FloatArray) -> int | None:
    """Cheapest hypothesis that leaves what the table and the total say."""
    ok = np.ones(beam.cost.size, dtype=bool)
    later = curve.counts[1:][curve.starts[1:] > time[-1]]
    if later.size:
        ok &= beam.left >= later[0]
    if curve.events is not None:
        ok &= beam.events == curve.events
    if not ok.any():
        return None
    return int(np.flatnonzero(ok)[np.argmin(beam.cost[ok])])


def _trace(
    back: list[tuple[IntArray, FloatArray, FloatArray]], i: int
) -> tuple[IntArray, IntArray]:
    d, n = [], []
    for parent, events, at_risk in reversed(back):
        d.append(int(events[i]))
        n.append(int(at_risk[i]))
        i = int(parent[i])
    return np.array(d[::-1], dtype=np.int64), np.array(n[::-1], dtype=np.int64)
