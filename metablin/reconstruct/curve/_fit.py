r"""A real-valued Kaplan-Meier curve through the clicks: S, events and censorings at every node.

With numbers at risk :math:`n_k` at :math:`r_k` and the monotone curve :math:`Z`, patients at risk
within the interval are :math:`N(t) = n_k Z(t)/Z(r_k) (1 - \gamma_k \psi(t))`: the product of
survival and of a censoring curve, which runs as a monotone cubic through its known values (as a
power of time after the last known count), with :math:`\gamma_k` set so that the next number at
risk is met. Events are :math:`\int N\,dH`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from metablin.reconstruct.curve._grid import Grid

__all__ = [
    "FLOOR",
    "TINY",
    "Censoring",
    "RealFit",
    "at_risk_of",
    "monotone",
    "real_fit",
    "scaled_path",
    "shift",
    "solve_power",
    "survival_of",
    "with_hazard",
    "within",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ANCHOR_WEIGHT = 1e6  # S(0) = 1 is known, clicks are read
TINY = 1e-12
SPREAD = 1e-3  # patients; gives flat stretches a slope so that positions interpolate
POWERS = np.exp(np.linspace(np.log(0.05), np.log(60.0), 48))  # censoring shapes searched
FEW = 6.0  # censorings of an interval that shape it half as much as they seem to
FLOOR = 0.02  # smallest survival factor of a gap while counts are still real numbers
UNSEEN = 0.01  # of the last click's time: a longer stretch after it was not seen
SLOWEST, FASTEST, BISECTIONS = 1e-3, 30.0, 16  # hazard of the stretch, over its length
UNKNOWN_POWER = 1.6  # censoring without table or total: most of it late, as with an accrual period


@dataclass(frozen=True, slots=True)
class Censoring:
    """Censoring after the last known number at risk: G(t) = 1 - share * u**power, u in 0..1."""

    power: float = 1.0
    share: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RealFit:
    """Real-valued fit.

    S, events per gap and place of censorings are of shape (nodes,), events per interval and the
    log power that bends censoring within the interval of shape (K,).
    """

    z: FloatArray
    events: FloatArray
    even_share: FloatArray
    per_interval: FloatArray
    bend: FloatArray
    interval: IntArray

    @property
    def lost_share(self) -> FloatArray:
        """Share of the interval's censorings up to each node, shape (nodes,)."""
        return self.share_with(self.bend)

    def share_with(self, bend: FloatArray) -> FloatArray:
        """Share of the interval's censorings up to each node with other bends, shape (nodes,)."""
        return np.asarray(self.even_share ** np.exp(bend)[self.interval])


def monotone(survival: FloatArray) -> FloatArray:
    """Least-squares non-increasing curve through the clicks; the first one is S(0) = 1.

    Examples
    --------
    >>> monotone(np.array([1.0, 0.8, 0.82, 0.5])).round(4)
    array([1.  , 0.81, 0.81, 0.5 ])
    """
    weights = np.ones(survival.size)
    weights[0] = ANCHOR_WEIGHT
    fitted = isotonic_regression(survival, weights=weights, increasing=False).x
    out: FloatArray = np.minimum(np.maximum(fitted, 0.0), 1.0)
    out[0] = 1.0
    return out


def at_nodes(grid: Grid, z: FloatArray) -> FloatArray:
    """Carry the curve from the clicks to all nodes: linearly, but for the step at a click."""
    t = grid.time[grid.click]
    if not grid.at_drops:
        out: FloatArray = np.interp(grid.time, t, z)
        out[grid.click] = z
        return out * unseen(grid) if grid.hazard else out
    nodes = np.arange(grid.time.size)
    i = np.searchsorted(grid.click, nodes, side="right") - 1
    j = np.minimum(i + 1, z.size - 1)
    u = (grid.time - t[i]) / np.maximum(t[j] - t[i], TINY)
    out = z[i] - (z[i] - z[j]) * grid.spread[j] * np.minimum(u, 1.0)
    return out * unseen(grid) if grid.hazard else out


def unseen(grid: Grid) -> FloatArray:
    """Survival since the last click at every node, by a constant hazard; 1 up to that click."""
    since = np.maximum(grid.time - grid.time[grid.click[-1]], 0.0)
    return np.asarray(np.exp(-grid.hazard * since))


def with_hazard(grid: Grid, z_click: FloatArray, censoring: Censoring, events: float) -> Grid:
    """Grid whose hazard after the last click makes up for the events that were not seen.

    Unchanged where the curve was clicked to its end, or the clicks account for all events.
    """
    last = float(grid.time[grid.click[-1]])
    stretch = float(grid.stop[-1]) - last
    if stretch <= UNSEEN * last:
        return grid
    lacking = events - float(real_fit(grid, z_click, censoring).events.sum())
    if lacking < 1.0:
        return grid
    low, high = math.log(SLOWEST / stretch), math.log(FASTEST / stretch)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        tried = replace(grid, hazard=math.exp(middle))
        enough = float(real_fit(tried, z_click, censoring).events.sum()) >= events
        low, high = (low, middle) if enough else (middle, high)
    return replace(grid, hazard=math.exp(low))


def real_fit(grid: Grid, z_click: FloatArray, censoring: Censoring) -> RealFit:
    """Real-valued events per gap for a monotone curve at the clicks."""
    z = at_nodes(grid, z_click)
    k = grid.n.size
    z_start = np.maximum(z[grid.first], TINY)
    z_stop = np.maximum(z[grid.last], TINY)
    kept = (grid.n - grid.lost) * z_start / (z_stop * np.maximum(grid.n, TINY))
    gamma = np.maximum(1.0 - kept, 0.0)
    gamma[k - 1] = censoring.share
    psi, psi_mid = censoring_shape(grid, z_start)
    if censoring.power != 1.0:
        tail = grid.interval == k - 1
        psi = np.where(tail, psi**censoring.power, psi)
        psi_mid = np.where(tail, psi_mid**censoring.power, psi_mid)
    scale = (grid.n / z_start)[grid.interval]
    g = gamma[grid.interval]
    events = scale * (1.0 - g * psi_mid)
    events[0] = 0.0
    events[1:] *= z[:-1] - z[1:]
    inside = within(grid, events)
    at_risk = scale * (1.0 - g * psi) * z
    lost = np.maximum(grid.n[grid.interval] - inside - at_risk, 0.0) + SPREAD * grid.frac
    total = np.maximum(lost[grid.last], TINY)
    total[k - 1] += at_risk[grid.last[k - 1]]
    share = np.minimum(lost / total[grid.interval], 1.0)
    share = np.maximum.accumulate(share + grid.interval) - grid.interval
    counts = np.minimum(inside[grid.last], grid.lost)
    return RealFit(z, events, share, counts, np.zeros(k), grid.interval)


def censoring_shape(grid: Grid, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Course of censoring within the intervals, 0 to 1, at the nodes and amid the gaps.

    The censoring curve N/(n S) is known at the table times; a monotone cubic joins its values
    there (Fritsch and Carlson 1980, doi:10.1137/0717021), shrunk to a straight line where few
    were censored. After the last known count it is straight.
    """
    k = grid.n.size
    if k < 3:
        return grid.frac, grid.frac_mid
    g = grid.n / (grid.n[0] * s)
    width = np.maximum(grid.start[1:] - grid.start[:-1], TINY)
    fall = np.maximum(g[:-1] - g[1:], 0.0) / width
    slope = np.empty(k)
    w1, w2 = 2.0 * width[1:] + width[:-1], width[1:] + 2.0 * width[:-1]
    both = np.maximum(fall[:-1], TINY), np.maximum(fall[1:], TINY)
    slope[1:-1] = (w1 + w2) / (w1 / both[0] + w2 / both[1])
    slope[0] = min(max(2.0 * fall[0] - slope[1], 0.0), 3.0 * fall[0])
    slope[-1] = min(max(2.0 * fall[-1] - slope[-2], 0.0), 3.0 * fall[-1])
    steep = np.maximum(fall, TINY)
    lost = fall * width * grid.n[0]
    trust = lost / (lost + FEW)
    left, right = np.ones(k), np.ones(k)
    left[:-1] += trust * (slope[:-1] / steep - 1.0)
    right[:-1] += trust * (slope[1:] / steep - 1.0)
    a, b = left[grid.interval], right[grid.interval]
    return _hermite(grid.frac, a, b), _hermite(grid.frac_mid, a, b)


def _hermite(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Cubic from 0 to 1 with slopes a and b at its ends."""
    return np.asarray(u * (a * (1.0 - u) ** 2 + u * (3.0 - 2.0 * u - b * (1.0 - u))))


def within(grid: Grid, events: FloatArray) -> FloatArray:
    """Cumulative events since the start of the interval."""
    total = events.cumsum()
    return np.asarray(total - total[grid.first][grid.interval])


def solve_power(grid: Grid, z_click: FloatArray, events: float, share: float = 1.0) -> float:
    """Power of the censoring curve that yields the known number of events, no table given."""
    z = at_nodes(grid, z_click)
    drop = np.concatenate([[0.0], z[:-1] - z[1:]])
    totals = grid.n[0] * ((1.0 - share * grid.frac_mid ** POWERS[:, None]) @ drop)
    return float(np.exp(np.interp(events, totals, np.log(POWERS))))


def scaled_path(grid: Grid, fit: RealFit, m: FloatArray) -> FloatArray:
    """Real events since the interval's start, scaled to the whole count of the interval."""
    inside = within(grid, fit.events) + SPREAD * grid.frac
    total = np.maximum(inside[grid.last], TINY)
    path = inside * (m / total)[grid.interval]
    path[grid.last[:-1]] = m[:-1]
    return np.asarray(path)


def survival_of(
    grid: Grid, path: FloatArray, c: FloatArray, share: FloatArray, floor: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Kaplan-Meier estimate at the nodes for a path of events, and the size of one step."""
    before, at_risk = at_risk_of(grid, path, c, share)
    factor = np.minimum(np.maximum(1.0 - (path - before) / at_risk, floor), 1.0)
    s = factor.cumprod()
    s_before = np.empty(s.size)
    s_before[0], s_before[1:] = 1.0, s[:-1]
    return s, s_before / np.maximum(at_risk, 1.0)


def at_risk_of(
    grid: Grid, path: FloatArray, c: FloatArray, share: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Events of the interval ahead of each gap, and patients at risk of the gap's events."""
    before, share_before = shift(grid, path), shift(grid, share)
    mid = share_before + grid.position * (share - share_before)
    at_risk = grid.n[grid.interval] - before - c[grid.interval] * mid
    return before, np.maximum(at_risk, TINY)


def shift(grid: Grid, x: FloatArray) -> FloatArray:
    """Value at the node before, zero where an interval opens."""
    out = np.empty(x.size)
    out[1:] = x[:-1]
    out[0] = 0.0
    out[grid.opens] = 0.0
    return out
