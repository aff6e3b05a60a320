"""The likelihood every family shares: censoring, left truncation, weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metablin.numerics.kaplan_meier import product_limit
from metablin.numerics.newton import Derivatives
from metablin.survival.parametric.families import Family, Start
from metablin.survival.patients import Patients, count

__all__ = ["curve_points", "exact_derivatives", "log_likelihood", "rough_start"]

FloatArray = NDArray[np.float64]


def log_likelihood(family: Family, p: Patients) -> Callable[[FloatArray], FloatArray]:
    r"""Return the log-likelihood as a function of points (p, b), giving (b,).

    :math:`\sum_i w_i [d_i \log f(t_i) + (1 - d_i) \log S(t_i) - \log S(a_i)]`; patients with the
    same follow-up are added up first.
    """
    deaths, death_weight, ends, end_weight, late, late_weight = _parts(p)

    def value(theta: FloatArray) -> FloatArray:
        points = theta[:, :, None]
        with np.errstate(all="ignore"):
            total = family.log_density(points, deaths) @ death_weight
            if ends.size:
                total = total + family.log_survival(points, ends) @ end_weight
            if late.size:
                total = total - family.log_survival(points, late) @ late_weight
        return np.asarray(np.where(np.isnan(total), -np.inf, total))

    return value


def _parts(p: Patients) -> tuple[FloatArray, ...]:
    """Return distinct times and weights of deaths, of censorings and of late entries."""
    had = p.event == 1.0
    late = np.zeros(p.n, dtype=bool) if p.entry is None else p.entry > 0.0
    start = p.time if p.entry is None else p.entry
    return (
        *_added(p.time[had], p.w[had]),
        *_added(p.time[~had], p.w[~had]),
        *_added(start[late], p.w[late]),
    )


def exact_derivatives(family: Family, p: Patients) -> Derivatives | None:
    """Return value, gradient and Hessian of the log-likelihood where they have a closed form."""
    if family.edges is not None:
        return _piecewise_derivatives(family, family.edges, p)
    linear = family.linear
    if linear is None:
        return None
    deaths, death_weight, *others = _parts(p)
    b, slope = linear.columns(deaths)
    signed = [
        (linear.columns(t)[0], sign * w)
        for t, w, sign in ((others[0], others[1], 1.0), (others[2], others[3], -1.0))
        if t.size
    ]
    value = log_likelihood(family, p)

    def derivatives(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        first, second = linear.density(theta @ b)
        rise = theta @ slope
        gradient = b @ (death_weight * first) + slope @ (death_weight / rise)
        curvature = (b * (death_weight * second)) @ b.T
        curvature -= (slope * (death_weight / rise**2)) @ slope.T
        for columns, w in signed:
            first, second = linear.survival(theta @ columns)
            gradient += columns @ (w * first)
            curvature += (columns * (w * second)) @ columns.T
        return float(value(theta[:, None])[0]), gradient, curvature

    return derivatives


def _piecewise_derivatives(family: Family, edges: FloatArray, p: Patients) -> Derivatives:
    """Return the derivatives of sum_j d_j theta_j - exp(theta_j) E_j: events and exposure."""
    ends = np.r_[edges[1:], np.inf][:, None]
    entry = np.zeros(p.n) if p.entry is None else p.entry
    spent = np.minimum(p.time, ends) - np.maximum(entry, edges[:, None])
    exposure = np.maximum(spent, 0.0) @ p.w
    inside = (p.time > edges[:, None]) & (p.time <= ends)
    events = inside @ (p.w * p.event)
    value = log_likelihood(family, p)

    def derivatives(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        expected = np.exp(theta) * exposure
        return float(value(theta[:, None])[0]), events - expected, -np.diag(expected)

    return derivatives


def _added(time: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return distinct times and the weight at each."""
    distinct, which = np.unique(time, return_inverse=True)
    return distinct, np.bincount(which, weight, minlength=distinct.size).astype(np.float64)


def curve_points(p: Patients) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return event times, the Kaplan-Meier curve midway through each drop, and events there."""
    c = count(p)
    survival, _ = product_limit(c.n_event, c.n_risk)
    before = np.r_[1.0, survival[:-1]]
    at = c.n_event > 0
    return c.time[at], 0.5 * (survival + before)[at], c.n_event[at]


def rough_start(p: Patients) -> Start:
    """Return rough moments of log time from a probit line through the Kaplan-Meier curve."""
    from scipy import special

    time, survival, weight = curve_points(p)
    exposure = p.time if p.entry is None else p.time - p.entry
    rate = float(weight.sum() / (p.w @ exposure))
    x = np.log(time)
    if x.size < 2:
        return Start(float(-np.log(rate)), 1.0, rate)
    y = special.ndtri(np.clip(1.0 - survival, 1e-6, 1.0 - 1e-6))
    mean = np.average(x, weights=weight)
    spread = np.average((x - mean) ** 2, weights=weight)
    slope = float(np.average((x - mean) * y, weights=weight) / max(spread, 1e-12))
    sd = min(max(1.0 / max(slope, 1e-3), 0.05), 10.0)
    return Start(float(mean - sd * np.average(y, weights=weight)), sd, rate)
