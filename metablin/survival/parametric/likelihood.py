"""The likelihood every family shares: censoring, left truncation, weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metablin.survival._data import Patients, count
from metablin.survival.km import product_limit
from metablin.survival.parametric.families import Family, Start

__all__ = ["curve_points", "log_likelihood", "rough_start"]

FloatArray = NDArray[np.float64]


def log_likelihood(family: Family, p: Patients) -> Callable[[FloatArray], FloatArray]:
    r"""Return the log-likelihood as a function of points (p, b), giving (b,).

    :math:`\sum_i w_i [d_i \log f(t_i) + (1 - d_i) \log S(t_i) - \log S(a_i)]`; patients with the
    same follow-up are added up first.
    """
    had = p.event == 1.0
    deaths, death_weight = _added(p.time[had], p.w[had])
    ends, end_weight = _added(p.time[~had], p.w[~had])
    late, late_weight = np.zeros(0), np.zeros(0)
    if p.entry is not None:
        late, late_weight = _added(p.entry[p.entry > 0.0], p.w[p.entry > 0.0])

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


def _added(time: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return distinct times and the weight at each."""
    distinct, which = np.unique(time, return_inverse=True)
    return distinct, np.bincount(which, weight, minlength=distinct.size).astype(np.float64)


def curve_points(p: Patients) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return event times, the Kaplan-Meier curve midway through each drop, and events there."""
    c = count(p)
    survival, _ = product_limit(c)
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
