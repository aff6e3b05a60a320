"""Events per risk interval and the course of censoring within, in least squares of S.

Gauss-Newton on the events of each interval and on the log power that bends censoring within it,
both with a prior.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from metablin.numerics.quadratic import bounded_quadratic, solve_definite
from metablin.reconstruct.curve._fit import (
    FLOOR,
    TINY,
    RealFit,
    at_risk_of,
    scaled_path,
    shift,
    within,
)
from metablin.reconstruct.curve._grid import Grid
from metablin.reconstruct.curve.clicks import Curve

__all__ = ["Prior", "Quadratic", "fit_counts", "prior_of", "scatter"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

BEND_SD = 0.4  # of the log power of censoring within a risk interval
BEND_MOST = 3.0
POWER_SD = 1.0  # of the log power after the last known number at risk
START_SD = 0.15  # relative, of interpolated events per interval: matters where few clicks are
SETTLED = 1e-6  # variance of the log power where the course of censoring is given
LONG_STEP = 1.0  # of a log power: beyond it the quadratic model is made anew
MOST_STEPS = 3
WANDER = 0.3  # of the fall between two clicks: how far S strays from a straight line


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Mean and variance of the events, variance of the bend, per interval, each (K,)."""

    events: FloatArray
    events_variance: FloatArray
    bend_variance: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Quadratic:
    """Quadratic model of the misfit, in units of squared survival, without a known total.

    Information `h` (K, K) and slope `g` (K,) of the events per interval once the bends suit them:
    the bends are `at_none` - `per_event` @ events, of shape (K,) and (K, K).
    """

    h: FloatArray
    g: FloatArray
    at_none: FloatArray
    per_event: FloatArray
    most: FloatArray
    sd: float

    def events(self) -> tuple[FloatArray, FloatArray]:
        """Events per interval by the clicks alone, shape (K,), and their variance, (K, K)."""
        inverse = np.linalg.inv(self.h)
        mean = np.minimum(np.maximum(inverse @ self.g, 0.0), self.most)
        return mean, np.asarray(self.sd**2 * inverse)

    def bends(self, m: FloatArray) -> FloatArray:
        """Bends (K,) that suit given events per interval."""
        bend = self.at_none - self.per_event @ m
        return np.minimum(np.maximum(bend, -BEND_MOST), BEND_MOST)


def prior_of(grid: Grid, fit: RealFit) -> Prior:
    """Prior around the interpolated fit.

    The mean place of c censorings is uncertain by 1/sqrt(12 c) of the interval even where they
    come evenly; a log power of one moves it by a quarter.
    """
    m = np.minimum(np.maximum(fit.per_interval, 0.0), grid.lost)
    bend = BEND_SD**2 + 16.0 / 12.0 / np.maximum(grid.lost - m, 0.25)
    bend[-1] += POWER_SD**2 - BEND_SD**2
    variance = (1.0 + START_SD * m) ** 2 + between_clicks(grid, fit)
    if grid.hazard:
        late = grid.time > grid.time[grid.click[-1]]
        hidden = np.bincount(grid.interval, weights=late * fit.events, minlength=m.size)
        variance += hidden**2
    return Prior(m, variance, bend)


def between_clicks(grid: Grid, fit: RealFit) -> FloatArray:
    """Variance of the events of each interval because S was interpolated at its ends, shape (K,).

    At a table time between two clicks S lies anywhere between theirs.
    """
    out = np.zeros(grid.n.size)
    inner = grid.last[:-1]
    if inner.size == 0:
        return out
    after = np.minimum(np.searchsorted(grid.click, inner), grid.click.size - 1)
    ahead, behind = grid.click[np.maximum(after - 1, 0)], grid.click[after]
    t = grid.time
    u = (t[inner] - t[ahead]) / np.maximum(t[behind] - t[ahead], TINY)
    u = np.minimum(np.maximum(u, 0.0), 1.0)
    variance = WANDER * (fit.z[ahead] - fit.z[behind]) ** 2 * u * (1.0 - u)
    scale = (grid.n / np.maximum(fit.z[grid.first], TINY)) ** 2
    out[:-1] += variance * scale[:-1]
    out[1:] += variance * scale[1:]
    return out


def scatter(
    grid: Grid, fit: RealFit, prior: Prior, rng: np.random.Generator
) -> tuple[RealFit, Prior]:
    """Draw the means of the prior: with clicks read anew, the fit is then a posterior draw."""
    k = grid.n.size
    m = prior.events + np.sqrt(prior.events_variance) * rng.standard_normal(k)
    bend = np.sqrt(prior.bend_variance) * rng.standard_normal(k)
    bend = np.minimum(np.maximum(bend, -BEND_MOST), BEND_MOST)
    return replace(fit, even_share=fit.share_with(bend)), replace(prior, events=m)


def fit_counts(
    grid: Grid,
    curve: Curve,
    fit: RealFit,
    prior: Prior,
    known: FloatArray | None = None,
) -> tuple[RealFit, Quadratic]:
    """Real-valued events per interval, within the table and a known total, by Gauss-Newton.

    `known` gives the events of the last intervals, shape (K - start,). Returns the fit and the
    quadratic model it minimises. One step does unless censoring is far from even.
    """
    k = grid.n.size
    m = np.minimum(np.maximum(fit.per_interval, 0.0), grid.lost)
    lower, upper, bend_variance = np.zeros(k), grid.lost, prior.bend_variance
    if known is not None:
        late = np.arange(k) >= k - known.size
        m[late] = known
        lower, upper = np.where(late, m, lower), np.where(late, m, upper)
        bend_variance = np.where(late, SETTLED, bend_variance)
    weight = grid.sd**2 / np.concatenate([prior.events_variance, bend_variance])
    x = np.concatenate([m, fit.bend])
    for _ in range(MOST_STEPS):
        s, jacobian = _linearise(grid, fit, x)
        h = jacobian.T @ jacobian
        h.flat[:: 2 * k + 1] += weight
        g = jacobian.T @ (curve.survival - s + jacobian @ x)
        g[:k] += weight[:k] * prior.events
        model = _without_bends(h, g, grid.lost, grid.sd)
        before = x[k:]
        m = bounded_quadratic(model.h, model.g, lower, upper, curve.events)
        bend = model.bends(m)
        x = np.concatenate([m, bend])
        if np.abs(bend - before).max() < LONG_STEP:
            break
    return RealFit(fit.z, fit.events, fit.even_share, m, bend, fit.interval), model


def _without_bends(h: FloatArray, g: FloatArray, most: FloatArray, sd: float) -> Quadratic:
    """Minimise over the bends for any events per interval (Schur complement)."""
    k = most.size
    cross = h[k:, :k]
    both = np.empty((k, k + 1), order="F")
    both[:, :k], both[:, k] = cross, g[k:]
    both = solve_definite(h[k:, k:], both)
    per_event, at_none = both[:, :k], both[:, k]
    return Quadratic(
        h[:k, :k] - cross.T @ per_event, g[:k] - cross.T @ at_none, at_none, per_event, most, sd
    )


def _linearise(grid: Grid, fit: RealFit, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """S at the clicks and its Jacobian in events and bends, shape (clicks, 2 K)."""
    at, k = grid.click, grid.n.size
    m = x[:k]
    path = scaled_path(grid, fit, m)
    c = grid.lost - m
    share = fit.share_with(x[k:])
    before, at_risk = at_risk_of(grid, path, c, share)
    d = path - before
    stay = np.maximum(at_risk - d, FLOOR * at_risk)
    s = np.minimum(stay / at_risk, 1.0).cumprod()
    some, m_most = m > 0.5, np.maximum(m, 0.5)
    n_mid = np.maximum(grid.n - 0.5 * grid.lost, 0.5)
    per_event = np.where(some, np.log(s[grid.first] / s[grid.last]) / m_most, 1.0 / n_mid)
    own = grid.own
    shape = np.where(some[own], path[at] / m_most[own], grid.frac[at])
    jacobian = np.empty((at.size, 2 * k))
    np.multiply(grid.later, -per_event, out=jacobian[:, :k])
    jacobian[grid.row, own] = -per_event[own] * shape
    slope = -share * np.log(np.maximum(share, TINY))
    slope_before = shift(grid, slope)
    moved = slope_before + grid.position * (slope - slope_before)
    gain = within(grid, d * c[grid.interval] * moved / (at_risk * stay))
    np.multiply(grid.later, gain[grid.last], out=jacobian[:, k:])
    jacobian[grid.row, k + own] = gain[at]
    s_at = s[at]
    jacobian *= s_at[:, None]
    return s_at, jacobian
