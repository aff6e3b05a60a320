"""Least-squares fit of a Kaplan-Meier curve to clicks, in two stages: real, then whole patients.

With numbers at risk :math:`n_k` at :math:`r_k` and the monotone curve :math:`Z`, patients at risk
within the interval are :math:`N(t) = n_k Z(t)/Z(r_k) (1 - \\gamma_k \\psi(t))`: the product of
survival and of a censoring curve that is linear within the interval (or a power of time after the
last known count), with :math:`\\gamma_k` set so that the next number at risk is met. Events are
:math:`\\int N\\,dH`. A known total is met by moving the clicks, jointly and least in squares, along
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
GAUSS_NEWTON_STEPS = 3
RIDGE = 0.01  # keeps intervals without clicks near their start value
FLOOR = 0.02  # smallest survival factor of a gap while counts are still real numbers
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
    """Carry the curve from the clicks to all nodes: as a step, or linearly in between."""
    if grid.at_drops:
        before = np.searchsorted(grid.click, np.arange(grid.time.size), side="right") - 1
        return np.asarray(z[before])
    out: FloatArray = np.interp(grid.time, grid.time[grid.click], z)
    out[grid.click] = z
    return out


def real_fit(grid: Grid, z_click: FloatArray, censoring: Censoring) -> RealFit:
    """Real-valued events per gap for a monotone curve at the clicks."""
    z = at_nodes(grid, z_click)
    k = grid.n.size
    z_start = np.maximum(z[grid.first], TINY)
    z_stop = z[grid.last]
    n_next = grid.n - grid.lost
    kept = np.where(z_stop > TINY, n_next * z_start / np.maximum(z_stop, TINY), 0.0)
    gamma = np.clip(1.0 - kept / np.maximum(grid.n, TINY), 0.0, 1.0)
    gamma[k - 1] = censoring.share
    psi, psi_mid = grid.frac, grid.frac_mid
    if censoring.power != 1.0:
        tail = grid.interval == k - 1
        psi = np.where(tail, psi**censoring.power, psi)
        psi_mid = np.where(tail, psi_mid**censoring.power, psi_mid)
    scale = (grid.n / z_start)[grid.interval]
    g = gamma[grid.interval]
    drop = -np.diff(z, prepend=1.0)
    events = scale * (1.0 - g * psi_mid) * drop
    inside = _within(grid, events)
    at_risk = scale * (1.0 - g * psi) * z
    lost = np.maximum(grid.n[grid.interval] - inside - at_risk, 0.0) + SPREAD * grid.frac
    total = np.maximum(lost[grid.last], TINY)
    total[k - 1] += at_risk[grid.last[k - 1]]
    share = np.maximum.accumulate(np.clip(lost / total[grid.interval], 0.0, 1.0) + grid.interval)
    per_interval = np.minimum(inside[grid.last], grid.lost)
    return RealFit(z, events, share - grid.interval, per_interval)


def _within(grid: Grid, events: FloatArray) -> FloatArray:
    """Cumulative events since the start of the interval."""
    total = np.cumsum(events)
    return np.asarray(total - total[grid.first][grid.interval])


def solve_power(grid: Grid, z_click: FloatArray, events: float, share: float = 1.0) -> float:
    """Power of the censoring curve that yields the known number of events, no table given."""
    z = at_nodes(grid, z_click)
    drop = -np.diff(z, prepend=1.0)
    totals = grid.n[0] * ((1.0 - share * grid.frac_mid ** POWERS[:, None]) @ drop)
    return float(np.exp(np.interp(events, totals, np.log(POWERS))))


def fit_counts(
    grid: Grid,
    curve: Curve,
    fit: RealFit,
    censoring: Censoring,
    known: FloatArray | None = None,
    known_from: int | None = None,
) -> tuple[RealFit, Censoring]:
    """Real-valued events per interval in least squares of S, within the table and the total.

    Gauss-Newton on events per interval (0 to the patients lost in it, summing to the known total)
    and on the power of the censoring curve after the last known count, which has a prior.
    """
    k = grid.n.size
    m = np.clip(fit.per_interval, 0.0, grid.lost)
    log_power = np.log(censoring.power)
    upper = np.append(grid.lost, 3.0 if k > 1 else log_power)
    lower = np.append(np.zeros(k), -3.0 if k > 1 else log_power)
    if known is not None:
        upper[known_from:k] = lower[known_from:k] = m[known_from:] = known
    in_sum = np.append(np.ones(k), 0.0) if curve.events is not None else None
    for _ in range(GAUSS_NEWTON_STEPS):
        jacobian, s, fit, log_power = _linearise(grid, fit, m, censoring, log_power, k > 1)
        x = np.append(m, log_power)
        weak = RIDGE * READING_SD**2 / np.maximum(grid.lost * 0.25, 1.0) ** 2
        prior = np.append(weak, (READING_SD / POWER_SD) ** 2)
        h = jacobian.T @ jacobian + np.diag(prior)
        g = jacobian.T @ (curve.survival - s + jacobian @ x) + prior * np.append(m, 0.0)
        x = bounded_quadratic(h, g, lower, upper, in_sum, float(curve.events or 0))
        m, log_power = x[:k], float(x[k])
    censoring = Censoring(float(np.exp(log_power)), censoring.share)
    share = real_fit(grid, fit.z[grid.click], censoring).lost_share
    return RealFit(fit.z, fit.events, share, m), censoring


def _linearise(
    grid: Grid, fit: RealFit, m: FloatArray, censoring: Censoring, log_power: float, tail: bool
) -> tuple[FloatArray, FloatArray, RealFit, float]:
    """Jacobian of S at the clicks in events per interval and log power, shape (clicks, K + 1)."""
    at, k = grid.click, grid.n.size
    z = fit.z[at]
    now = Censoring(float(np.exp(log_power)), censoring.share)
    fit = RealFit(fit.z, fit.events, real_fit(grid, z, now).lost_share, fit.per_interval)
    path = scaled_path(grid, fit, m)
    c = grid.lost - m
    s, _ = survival_of(grid, path, c, fit.lost_share, FLOOR)
    u = -np.log(s)
    u_start = u[grid.first]
    n_mid = np.maximum(grid.n - 0.5 * grid.lost, 0.5)
    kappa = np.where(m > 0.5, (u[grid.last] - u_start) / np.maximum(m, 0.5), 1.0 / n_mid)
    inside = np.where(m > 0.5, path[grid.last], 1.0)
    shape = np.where((m > 0.5)[grid.interval], path / np.maximum(inside, TINY)[grid.interval],
                     grid.frac)
    steps = np.where(grid.interval[at, None] > np.arange(k), kappa, 0.0)
    rows = np.arange(at.size)
    steps[rows, grid.interval[at]] = kappa[grid.interval[at]] * shape[at]
    jacobian = np.zeros((at.size, k + 1))
    jacobian[:, :k] = -s[at, None] * steps
    if tail:
        other = Censoring(now.power * 1.25, now.share)
        share = real_fit(grid, z, other).lost_share
        moved, _ = survival_of(grid, path, c, share, FLOOR)
        jacobian[:, k] = (moved - s)[at] / np.log(1.25)
    return jacobian, s[at], fit, log_power


def allocate(grid: Grid, curve: Curve, fit: RealFit) -> Allocation:
    """Whole events per interval and gap: known counts met exactly, clicks in least squares."""
    m = _interval_counts(grid, fit, curve.events)
    c = grid.lost - m
    path = scaled_path(grid, fit, m)
    y = curve.survival
    for _ in range(2):
        path = _refine(grid, path, m, c, fit.lost_share, y)
    per_gap = np.diff(path + _base(grid, m), prepend=0.0)
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
    before = np.concatenate([[0.0], path[:-1]])
    before[grid.opens] = 0.0
    share_before = np.concatenate([[0.0], share[:-1]])
    share_before[grid.opens] = 0.0
    mid = share if grid.at_drops else 0.5 * (share + share_before)
    at_risk = np.maximum(grid.n[grid.interval] - before - c[grid.interval] * mid, TINY)
    s = np.cumprod(np.clip(1.0 - (path - before) / at_risk, floor, 1.0))
    s_before = np.concatenate([[1.0], s[:-1]])
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
    wanted = np.clip(wanted, -grid.n[0], 2.0 * grid.n[0])
    fitted = isotonic_regression(wanted + apart * k, weights=step_at**2 + TINY).x - apart * k
    out = path.copy()
    out[at] = np.rint(np.clip(fitted, 0.0, m[k]))
    out[grid.last] = m
    out[0] = 0.0
    return out
