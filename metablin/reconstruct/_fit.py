r"""Least-squares fit of a Kaplan-Meier curve to clicks, in two stages: real, then whole patients.

With numbers at risk :math:`n_k` at :math:`r_k` and the monotone curve :math:`Z`, patients at risk
within the interval are :math:`N(t) = n_k Z(t)/Z(r_k) (1 - \gamma_k \psi(t))`: the product of
survival and of a censoring curve that is linear within the interval (or a power of time after the
last known count), with :math:`\gamma_k` set so that the next number at risk is met. Events are
:math:`\int N\,dH`. A known total is met by moving the clicks, jointly and least in squares, along
the gradient of that integral. Whole numbers follow by isotonic regression on whole numbers, which
is the rounded isotonic regression (Goldstein and Kruskal 1976, doi:10.1080/01621459.1976.10480388).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from metablin.reconstruct._grid import Curve, Grid
from metablin.reconstruct._qp import bounded_quadratic

__all__ = ["Allocation", "Censoring", "allocate", "monotone", "real_fit", "solve_power"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ANCHOR_WEIGHT = 1e6  # S(0) = 1 is known, clicks are read
TINY = 1e-12
SPREAD = 1e-3  # patients; gives flat stretches a slope so that positions interpolate
POWERS = np.exp(np.linspace(np.log(0.05), np.log(60.0), 48))  # censoring shapes searched
READING_SD = 0.0025  # of survival: what careful clicking achieves
GAUSS_NEWTON_STEPS = 2
BEND_SD = 0.4  # of the log power of censoring within a risk interval
BEND_MOST = 3.0
FEW = 6.0  # censorings of an interval that shape it half as much as they seem to
START_SD = 0.15  # relative, of interpolated events per interval: matters where few clicks are
WANDER = 0.3  # of the fall between two clicks: how far S strays from a straight line
FLOOR = 0.02  # smallest survival factor of a gap while counts are still real numbers
UNKNOWN_POWER = 1.6  # censoring without table or total: most of it late, as with an accrual period
POWER_SD = 1.0  # of log power after the last known number at risk


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
        return np.asarray(self.even_share ** np.exp(self.bend)[self.interval])


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Whole patients: events per gap (nodes,), events and censorings per interval (K,)."""

    per_gap: IntArray
    events: IntArray
    censored: IntArray
    lost_share: FloatArray


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
    out: FloatArray = np.clip(fitted, 0.0, 1.0)
    out[0] = 1.0
    return out


def at_nodes(grid: Grid, z: FloatArray) -> FloatArray:
    """Carry the curve from the clicks to all nodes: linearly, but for the step at a click."""
    t = grid.time[grid.click]
    if not grid.at_drops:
        out: FloatArray = np.interp(grid.time, t, z)
        out[grid.click] = z
        return out
    nodes = np.arange(grid.time.size)
    i = np.searchsorted(grid.click, nodes, side="right") - 1
    j = np.minimum(i + 1, z.size - 1)
    u = (grid.time - t[i]) / np.maximum(t[j] - t[i], TINY)
    return np.asarray(z[i] - (z[i] - z[j]) * grid.spread[j] * np.clip(u, 0.0, 1.0))


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
    inside = _within(grid, events)
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
    slope[0] = np.clip(2.0 * fall[0] - slope[1], 0.0, 3.0 * fall[0])
    slope[-1] = np.clip(2.0 * fall[-1] - slope[-2], 0.0, 3.0 * fall[-1])
    steep = np.maximum(fall, TINY)
    trust = np.append(fall * width * grid.n[0] / (fall * width * grid.n[0] + FEW), 0.0)
    left = 1.0 + trust * (np.append(slope[:-1] / steep, 1.0) - 1.0)
    right = 1.0 + trust * (np.append(slope[1:] / steep, 1.0) - 1.0)
    a, b = left[grid.interval], right[grid.interval]
    return _hermite(grid.frac, a, b), _hermite(grid.frac_mid, a, b)


def _hermite(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Cubic from 0 to 1 with slopes a and b at its ends."""
    return np.asarray(u * (a * (1.0 - u) ** 2 + u * (3.0 - 2.0 * u - b * (1.0 - u))))


def _within(grid: Grid, events: FloatArray) -> FloatArray:
    """Cumulative events since the start of the interval."""
    total = events.cumsum()
    return np.asarray(total - total[grid.first][grid.interval])


def solve_power(grid: Grid, z_click: FloatArray, events: float, share: float = 1.0) -> float:
    """Power of the censoring curve that yields the known number of events, no table given."""
    z = at_nodes(grid, z_click)
    drop = np.concatenate([[0.0], z[:-1] - z[1:]])
    totals = grid.n[0] * ((1.0 - share * grid.frac_mid ** POWERS[:, None]) @ drop)
    return float(np.exp(np.interp(events, totals, np.log(POWERS))))


def fit_counts(
    grid: Grid,
    curve: Curve,
    fit: RealFit,
    events: int | None,
    known: FloatArray | None = None,
    known_from: int | None = None,
    steps: int = GAUSS_NEWTON_STEPS,
) -> tuple[RealFit, FloatArray, FloatArray]:
    """Real-valued events per interval in least squares of S, within the table and the total.

    Gauss-Newton on events per interval (0 to the patients lost in it, summing to `events` when
    given) and on the powers that bend censoring within the intervals, which have a prior.
    Returns the fit, the information matrix of the events, shape (K, K), and the events per
    interval that the clicks alone would give, shape (K,).
    """
    k = grid.n.size
    m = np.minimum(np.maximum(fit.per_interval, 0.0), grid.lost)
    weak = READING_SD**2 / ((1.0 + START_SD * m) ** 2 + between_clicks(grid, fit))
    prior = np.concatenate([weak, bend_prior(grid, m)])
    lower = np.concatenate([0.0 * m, np.full(k, -BEND_MOST)])
    upper = np.concatenate([grid.lost, np.full(k, BEND_MOST)])
    if known is not None:
        lower[known_from:k] = upper[known_from:k] = m[known_from:] = known
    in_sum = np.repeat([1.0, 0.0], k) if events is not None else None
    start, now = m, replace(fit, per_interval=m)
    h, g = np.empty((0, 0)), np.empty(0)
    for _ in range(steps):
        jacobian, s = _linearise(grid, now)
        x = np.concatenate([now.per_interval, now.bend])
        h = jacobian.T @ jacobian
        h.flat[:: 2 * k + 1] += prior
        g = jacobian.T @ (curve.survival - s + jacobian @ x)
        g[:k] += weak * start
        x = bounded_quadratic(h, g, lower, upper, in_sum, float(events or 0))
        now = replace(now, per_interval=x[:k], bend=x[k:])
    alone = x if in_sum is None else bounded_quadratic(h, g, lower, upper)
    return now, marginal_information(h, k), alone[:k]


def between_clicks(grid: Grid, fit: RealFit) -> FloatArray:
    """Variance of the events of each interval because S was interpolated at its ends, shape (K,).

    At a table time between two clicks S lies anywhere between theirs.
    """
    k = grid.n.size
    inner = grid.last[: k - 1]
    at = grid.time[inner]
    after = np.minimum(np.searchsorted(grid.click, inner), grid.click.size - 1)
    ahead, behind = grid.click[np.maximum(after - 1, 0)], grid.click[after]
    gap = np.maximum(grid.time[behind] - grid.time[ahead], TINY)
    u = np.clip((at - grid.time[ahead]) / gap, 0.0, 1.0)
    fall = fit.z[ahead] - fit.z[behind]
    variance = WANDER * fall**2 * u * (1.0 - u)
    scale = (grid.n / np.maximum(fit.z[grid.first], TINY)) ** 2
    out = np.zeros(k)
    out[:-1] += variance * scale[:-1]
    out[1:] += variance * scale[1:]
    return out


def bend_prior(grid: Grid, m: FloatArray) -> FloatArray:
    """Weight of the prior on the log power of censoring within each interval, shape (K,).

    The mean place of c censorings is uncertain by 1/sqrt(12 c) of the interval even where they
    come evenly; a log power of one moves it by a quarter.
    """
    c = np.maximum(grid.lost - m, 0.25)
    variance = BEND_SD**2 + 16.0 / 12.0 / c
    variance[-1] += POWER_SD**2 - BEND_SD**2
    return np.asarray(READING_SD**2 / variance)


def marginal_information(h: FloatArray, k: int) -> FloatArray:
    """Information on the first `k` parameters once the others are estimated too."""
    cross = h[:k, k:]
    return np.asarray(h[:k, :k] - cross @ np.linalg.solve(h[k:, k:], cross.T))


def _linearise(grid: Grid, fit: RealFit) -> tuple[FloatArray, FloatArray]:
    """Jacobian of S at the clicks in events and bends of the intervals, shape (clicks, 2 K)."""
    at, k, m = grid.click, grid.n.size, fit.per_interval
    path = scaled_path(grid, fit, m)
    c = grid.lost - m
    share = fit.lost_share
    before, at_risk = _at_risk(grid, path, c, share)
    d = path - before
    stay = np.maximum(at_risk - d, FLOOR * at_risk)
    s = np.minimum(stay / at_risk, 1.0).cumprod()
    s_start, some = s[grid.first], m > 0.5
    n_mid = np.maximum(grid.n - 0.5 * grid.lost, 0.5)
    per_event = np.where(some, np.log(s_start / s[grid.last]) / np.maximum(m, 0.5), 1.0 / n_mid)
    own = grid.interval[at]
    shape = np.where(some[own], path[at] / np.maximum(m, 0.5)[own], grid.frac[at])
    later = own[:, None] > grid.column
    jacobian = np.zeros((at.size, 2 * k))
    jacobian[:, :k] = later * -per_event
    jacobian[grid.row, own] = -per_event[own] * shape
    slope = -share * np.log(np.maximum(share, TINY))
    slope_before = _shift(grid, slope)
    moved = slope_before + grid.position * (slope - slope_before)
    gain = d * c[grid.interval] * moved / (at_risk * stay)
    inside = _within(grid, gain)
    jacobian[:, k:] = later * inside[grid.last]
    jacobian[grid.row, k + own] = inside[at]
    jacobian *= s[at, None]
    return jacobian, s[at]


def allocate(grid: Grid, curve: Curve, fit: RealFit) -> Allocation:
    """Whole events per interval and gap: known counts met exactly, clicks in least squares."""
    m = _interval_counts(grid, fit, curve.events)
    fit = fit_counts(grid, curve, fit, None, m, 0, steps=1)[0]
    c = grid.lost - m
    path = scaled_path(grid, fit, m)
    y = curve.survival
    for _ in range(2):
        path = _refine(grid, path, m, c, fit.lost_share, y)
    total = path + _base(grid, m)
    total[1:] -= total[:-1].copy()
    per_gap = total
    return Allocation(
        np.rint(per_gap).astype(np.int64),
        m.astype(np.int64),
        c.astype(np.int64),
        fit.lost_share,
    )


def _interval_counts(grid: Grid, fit: RealFit, events: int | None) -> FloatArray:
    """Round the cumulative events at the table times, within what each interval can hold."""
    target = np.cumsum(fit.per_interval)
    if events is not None:
        target = target * (events / target[-1]) if target[-1] > 0 else target + events
        target[-1] = events
    room = np.cumsum(grid.lost[::-1])[::-1] - grid.lost
    out = np.empty(grid.n.size)
    done = 0.0
    for i, lost in enumerate(grid.lost):
        m = min(max(round(target[i]) - done, 0.0), lost)
        if events is not None:
            m = min(max(m, events - done - room[i]), events - done, lost)
        out[i] = m
        done += m
    return out


def _base(grid: Grid, m: FloatArray) -> FloatArray:
    return np.asarray((np.cumsum(m) - m)[grid.interval])


def scaled_path(grid: Grid, fit: RealFit, m: FloatArray) -> FloatArray:
    """Real events since the interval's start, scaled to the whole count of the interval."""
    inside = _within(grid, fit.events) + SPREAD * grid.frac
    total = np.maximum(inside[grid.last], TINY)
    path = inside * (m / total)[grid.interval]
    path[grid.last[:-1]] = m[:-1]
    return np.asarray(path)


def survival_of(
    grid: Grid, path: FloatArray, c: FloatArray, share: FloatArray, floor: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Kaplan-Meier estimate at the nodes for a path of events, and the size of one step."""
    before, at_risk = _at_risk(grid, path, c, share)
    factor = np.minimum(np.maximum(1.0 - (path - before) / at_risk, floor), 1.0)
    s = factor.cumprod()
    s_before = np.empty(s.size)
    s_before[0], s_before[1:] = 1.0, s[:-1]
    return s, s_before / np.maximum(at_risk, 1.0)


def _at_risk(
    grid: Grid, path: FloatArray, c: FloatArray, share: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Events of the interval ahead of each gap, and patients at risk of the gap's events."""
    before, share_before = _shift(grid, path), _shift(grid, share)
    mid = share_before + grid.position * (share - share_before)
    at_risk = grid.n[grid.interval] - before - c[grid.interval] * mid
    return before, np.maximum(at_risk, TINY)


def _shift(grid: Grid, x: FloatArray) -> FloatArray:
    """Value at the node before, zero where an interval opens."""
    out = np.empty(x.size)
    out[1:] = x[:-1]
    out[0] = 0.0
    out[grid.opens] = 0.0
    return out


def _refine(
    grid: Grid, path: FloatArray, m: FloatArray, c: FloatArray, share: FloatArray, y: FloatArray
) -> FloatArray:
    """One Gauss-Newton step in events: whole-number isotonic regression within each interval."""
    s, step = survival_of(grid, path, c, share)
    at = grid.click
    step_at = np.maximum(step[at], TINY)
    wanted = path[at] + (s[at] - y) / step_at
    k = grid.interval[at]
    apart = 4.0 * (grid.n[0] + 1.0)
    wanted = np.minimum(np.maximum(wanted, -grid.n[0]), 2.0 * grid.n[0])
    fitted = isotonic_regression(wanted + apart * k, weights=step_at**2 + TINY).x - apart * k
    out = path.copy()
    out[at] = np.rint(np.minimum(np.maximum(fitted, 0.0), m[k]))
    out[grid.last] = m
    out[0] = 0.0
    return out
