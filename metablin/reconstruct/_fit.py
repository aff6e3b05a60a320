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

from dataclasses import dataclass

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
BEND_FROM = 8  # patients after the last known count from which their censoring is fitted
LOG_BEND = np.log(1.25)
START_SD = 0.15  # relative, of interpolated events per interval: matters where few clicks are
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
    """Real-valued fit: S at nodes, events per gap, censoring position, all of shape (nodes,)."""

    z: FloatArray
    events: FloatArray
    lost_share: FloatArray
    per_interval: FloatArray


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
    psi, psi_mid = grid.frac, grid.frac_mid
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
    return RealFit(z, events, share, np.minimum(inside[grid.last], grid.lost))


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
) -> tuple[RealFit, FloatArray]:
    """Real-valued events per interval in least squares of S, within the table and the total.

    Gauss-Newton on events per interval (0 to the patients lost in it, summing to `events` when
    given) and on the power that bends censoring after the last known count, which has a prior.
    Returns the fit and the information matrix, shape (K, K).
    """
    k = grid.n.size
    m = np.minimum(np.maximum(fit.per_interval, 0.0), grid.lost)
    bends = 3.0 if k > 1 and known is None and grid.n[-1] >= BEND_FROM else 0.0
    upper, lower = np.append(grid.lost, bends), np.append(0.0 * m, -bends)
    if known is not None:
        upper[known_from:k] = lower[known_from:k] = m[known_from:] = known
    in_sum = np.append(np.ones(k), 0.0) if events is not None else None
    start = m.copy()
    weak = (READING_SD / (1.0 + START_SD * m)) ** 2
    prior = np.append(weak, (READING_SD / POWER_SD) ** 2)
    bend, h = 0.0, np.empty((0, 0))
    share = fit.lost_share
    for _ in range(steps + (bends > 0)):
        now = RealFit(fit.z, fit.events, share, m)
        jacobian, s = _linearise(grid, now, bends > 0)
        x = np.append(m, bend)
        h = jacobian.T @ jacobian
        h.flat[:: k + 2] += prior
        g = jacobian.T @ (curve.survival - s + jacobian @ x)
        g[:k] += weak * start
        x = bounded_quadratic(h, g, lower, upper, in_sum, float(events or 0))
        m, bend = x[:k], float(x[k])
        if bend != 0.0:
            share = np.where(grid.interval == k - 1, fit.lost_share ** np.exp(bend), share)
    return RealFit(fit.z, fit.events, share, m), h[:k, :k]


def _linearise(grid: Grid, fit: RealFit, bends: bool) -> tuple[FloatArray, FloatArray]:
    """Jacobian of S at the clicks in events per interval and the bend, shape (clicks, K + 1)."""
    at, k, m = grid.click, grid.n.size, fit.per_interval
    path = scaled_path(grid, fit, m)
    c = grid.lost - m
    s, _ = survival_of(grid, path, c, fit.lost_share, FLOOR)
    s_start, some = s[grid.first], m > 0.5
    n_mid = np.maximum(grid.n - 0.5 * grid.lost, 0.5)
    kappa = np.where(some, np.log(s_start / s[grid.last]) / np.maximum(m, 0.5), 1.0 / n_mid)
    own = grid.interval[at]
    shape = np.where(some[own], path[at] / np.maximum(m, 0.5)[own], grid.frac[at])
    steps = (own[:, None] > grid.column) * kappa
    steps[grid.row, own] = kappa[own] * shape
    jacobian = np.zeros((at.size, k + 1))
    jacobian[:, :k] = steps * -s[at, None]
    if bends:
        share = np.where(grid.interval == k - 1, fit.lost_share**1.25, fit.lost_share)
        moved, _ = survival_of(grid, path, c, share, FLOOR)
        jacobian[:, k] = (moved - s)[at] / LOG_BEND
    return jacobian, s[at]


def allocate(grid: Grid, curve: Curve, fit: RealFit) -> Allocation:
    """Whole events per interval and gap: known counts met exactly, clicks in least squares."""
    m = _interval_counts(grid, fit, curve.events)
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
    before, share_before = np.empty(path.size), np.empty(path.size)
    before[1:], share_before[1:] = path[:-1], share[:-1]
    before[0] = share_before[0] = 0.0
    before[grid.opens] = share_before[grid.opens] = 0.0
    mid = share_before + grid.position * (share - share_before)
    at_risk = np.maximum(grid.n[grid.interval] - before - c[grid.interval] * mid, TINY)
    factor = np.minimum(np.maximum(1.0 - (path - before) / at_risk, floor), 1.0)
    s = factor.cumprod()
    s_before = np.empty(s.size)
    s_before[0], s_before[1:] = 1.0, s[:-1]
    return s, s_before / np.maximum(at_risk, 1.0)


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
