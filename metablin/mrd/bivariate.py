"""Both effects random: the bivariate model of trial effects, and the line within it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from metablin.errors import ConvergenceError
from metablin.mrd._pairs import Pairs, trial_pairs
from metablin.records import Record, json_dict

__all__ = ["BivariateEffects", "bivariate_effects"]

FloatArray = NDArray[np.float64]

FEWEST = 4
"""Five parameters from two effects a trial: three trials would leave one degree of freedom."""

STARTS = (-0.9, 0.0, 0.9)
"""Correlations the search starts from; the likelihood can have a maximum at either end."""

REACH = 1e6
"""Largest slope looked at, in multiples of the scale of y over that of x."""

FLAT = 1e-10
"""A variance below this share of the spread of the estimates is none."""

STEP = 1e-8
"""Of the differences that the search for a limit climbs by, in the scale of the estimates."""

ROOT_EPS = float(np.finfo(float).eps) ** 0.5
"""Share of a parameter that is its difference where `STEP` would drown in rounding."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BivariateEffects(Record):
    """Means and covariance of the true effects, and the regression they imply.

    Attributes
    ----------
    studies : tuple of str
    mean : ndarray, shape (2,)
        Mean true effects on the marker and on the true endpoint.
    mean_cov : ndarray, shape (2, 2)
        Covariance of the estimated means.
    between : ndarray, shape (2, 2)
        Covariance of the true effects between trials.
    correlation, correlation_low, correlation_high : float
        Between-trial correlation, with profile likelihood limits; 1 or -1 at the edge.
    r2, r2_low, r2_high : float
        Its square: the share of the variance of the one effect that the other explains.
    slope, slope_low, slope_high, intercept : float
        Line of the true effect on the endpoint given that on the marker; profile likelihood
        limits, infinite where the likelihood never drops enough.
    tau2 : float
        Variance of the true effects on the endpoint around the line.
    loglik, level : float
    """

    studies: tuple[str, ...]
    mean: FloatArray
    mean_cov: FloatArray
    between: FloatArray
    correlation: float
    correlation_low: float
    correlation_high: float
    r2: float
    r2_low: float
    r2_high: float
    slope: float
    slope_low: float
    slope_high: float
    intercept: float
    tau2: float
    loglik: float
    level: float

    @property
    def k(self) -> int:
        """Number of trials."""
        return len(self.studies)

    def to_frame(self) -> pd.DataFrame:
        """Return the line as one row, with the columns of :meth:`Surrogacy.to_frame`."""
        names = ("intercept", "slope", "slope_low", "slope_high", "tau2", "r2", "r2_low",
                 "r2_high")  # fmt: skip
        row: dict[str, Any] = {"method": "bivariate", **{n: getattr(self, n) for n in names}}
        return pd.DataFrame([{**row, "k": self.k, "conf_level": self.level}])

    def to_dict(self) -> dict[str, Any]:
        """Return means, covariance and line as JSON-ready Python types."""
        return json_dict({n: getattr(self, n) for n in self.__slots__})


def bivariate_effects(
    x: ArrayLike,
    vx: ArrayLike,
    y: ArrayLike,
    vy: ArrayLike,
    *,
    studies: Any = None,
    correlation: ArrayLike = 0.0,
    level: float = 0.95,
) -> BivariateEffects:
    """Fit the bivariate random-effects model by maximum likelihood.

    ``(x_i, y_i)' ~ N(mu, S_i + Sigma)``, with ``S_i`` the known error covariance of trial i. The
    true effects then lie around the line ``mu_y + Sigma_xy / Sigma_xx (theta - mu_x)`` with
    variance ``Sigma_yy - Sigma_xy^2 / Sigma_xx``. Unlike the model of Daniels and Hughes, the
    true effects on the marker have a normal distribution of their own.

    Parameters
    ----------
    x, vx : array-like, shape (k,)
        Effects on the marker and variances.
    y, vy : array-like, shape (k,)
        Effects on the true endpoint and variances.
    studies : sequence of str, optional
        Labels.
    correlation : float or array-like, shape (k,)
        Correlation of the two estimates within a trial, one for all or one each.
    level : float
        Confidence level.

    Returns
    -------
    BivariateEffects

    Raises
    ------
    DataError
        With fewer than four trials, equal x, or bad numbers.
    ConvergenceError
        When the effects on the marker do not vary between trials, so that no line exists.

    References
    ----------
    van Houwelingen HC, Arends LR, Stijnen T (2002). Advanced methods in meta-analysis:
    multivariate approach and meta-regression. Stat Med 21:589-624, section 5. doi:10.1002/sim.1040

    Examples
    --------
    >>> found = bivariate_effects([0.2, 0.9, 1.5, 2.1, 3.0], [0.05] * 5,
    ...                           [-0.1, -0.4, -0.8, -0.8, -1.7], [0.03] * 5)
    >>> round(found.slope, 3), round(found.correlation, 3)
    (-0.552, -1.0)
    """
    data = trial_pairs(x, vx, y, vy, studies, correlation, level, FEWEST)
    between = _maximum(data)
    mean, mean_cov, top = _profile(between, data)
    if between[0, 0] <= FLAT * float(np.var(data.x)):
        raise ConvergenceError(
            "the effects on the marker do not vary between trials beyond their errors"
        )
    slope = float(between[0, 1] / between[0, 0])
    tau2 = max(float(between[1, 1] - slope * between[0, 1]), 0.0)
    rho = _correlation(between)
    limits = _correlation_limits(between, top, data)
    ends = _slope_limits(between, top, data)
    inside = limits[0] <= 0 <= limits[1]
    squares = sorted(v**2 for v in limits)
    return BivariateEffects(
        data.studies, mean, mean_cov, between, rho, *limits, rho**2,
        0.0 if inside else squares[0], squares[1], slope, *ends,
        float(mean[1] - slope * mean[0]), tau2, top, data.level,
    )  # fmt: skip


def _correlation(between: FloatArray) -> float:
    size = float(between[0, 0] * between[1, 1])
    if size <= 0:
        return 0.0
    return float(np.clip(between[0, 1] / size**0.5, -1.0, 1.0))


def _profile(between: FloatArray, data: Pairs) -> tuple[FloatArray, FloatArray, float]:
    """Return the best means at a covariance, their covariance, and the log likelihood."""
    mean, cov, value = _profiles(between[None], data)
    return mean[0], cov[0], float(value[0])


def _profiles(between: FloatArray, data: Pairs) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the same, (b, 2), (b, 2, 2) and (b,), at covariances (b, 2, 2)."""
    a = data.vx + between[:, 0, 0, None]
    b = data.vy + between[:, 1, 1, None]
    c = data.cxy + between[:, 0, 1, None]
    det = a * b - c**2
    none = ~(det > 0).all(axis=1)
    a[none], b[none], c[none], det[none] = 1.0, 1.0, 0.0, 1.0
    p, q, r = b / det, a / det, -c / det
    information = np.empty((len(between), 2, 2))
    information[:, 0, 0], information[:, 1, 1] = p.sum(axis=1), q.sum(axis=1)
    information[:, 0, 1] = information[:, 1, 0] = r.sum(axis=1)
    cov: FloatArray = np.asarray(np.linalg.inv(information), dtype=np.float64)
    x, y = p * data.x + r * data.y, r * data.x + q * data.y
    mean = (cov @ np.stack([x.sum(axis=1), y.sum(axis=1)], axis=1)[:, :, None])[:, :, 0]
    e, f = data.x - mean[:, :1], data.y - mean[:, 1:]
    misfit = p * e**2 + 2 * r * e * f + q * f**2
    value = -0.5 * (2 * np.log(2 * np.pi) + np.log(det) + misfit).sum(axis=1)
    mean[none], cov[none], value[none] = 0.0, 0.0, -np.inf
    return mean, cov, value


def _gradient(between: FloatArray, mean: FloatArray, data: Pairs) -> FloatArray:
    """Return the slope of the profile log likelihood in the covariance, a symmetric matrix."""
    v = np.empty((len(data.x), 2, 2))
    v[:, 0, 0], v[:, 1, 1] = data.vx + between[0, 0], data.vy + between[1, 1]
    v[:, 0, 1] = v[:, 1, 0] = data.cxy + between[0, 1]
    w = np.linalg.inv(v)
    we = np.einsum("kij,kj->ki", w, np.column_stack([data.x - mean[0], data.y - mean[1]]))
    return np.asarray(-0.5 * (w - we[:, :, None] * we[:, None, :]).sum(axis=0))


def _scales(data: Pairs) -> FloatArray:
    return np.sqrt([np.var(data.x), np.var(data.y)])


def _maximum(data: Pairs) -> FloatArray:
    """Maximise over the Cholesky factor, which lets the correlation reach its ends."""
    sx, sy = _scales(data)

    def factor(u: FloatArray) -> FloatArray:
        return np.array([[u[0] * sx, 0.0], [u[1] * sy, u[2] * sy]])

    def negative(u: FloatArray) -> tuple[float, FloatArray]:
        lower = factor(u)
        between = lower @ lower.T
        mean, _, value = _profile(between, data)
        g = 2 * _gradient(between, mean, data) @ lower
        return -value, -np.array([g[0, 0] * sx, g[1, 0] * sy, g[1, 1] * sy])

    found = [
        optimize.minimize(
            negative, [0.7, 0.7 * rho, 0.7 * (1 - rho**2) ** 0.5], jac=True, method="BFGS",
            options={"gtol": 1e-10, "maxiter": 1000},
        )
        for rho in STARTS
    ]  # fmt: skip
    best = min(found, key=lambda f: float(f.fun))
    # BFGS stops where differences of the likelihood drown in rounding; its slope says more
    polished = optimize.root(lambda u: negative(u)[1], best.x, tol=1e-13)
    better = polished.success and negative(polished.x)[0] <= best.fun + 1e-10
    lower = factor(polished.x if better else best.x)
    return np.asarray(lower @ lower.T)


def _best(
    shape: Callable[[FloatArray], FloatArray], starts: list[list[float]], data: Pairs
) -> float:
    """Return the largest log likelihood over two non-negative parameters of a covariance.

    A point and its neighbours are one call: scipy's own differences take longer than the
    likelihood.
    """

    def negative(u: FloatArray) -> tuple[float, FloatArray]:
        step = np.where(u + STEP == u, ROOT_EPS * np.maximum(u, 1.0), STEP)
        points = [u, *(u + np.diag(step))]
        values = -_profiles(np.array([shape(point) for point in points]), data)[2]
        values[~np.isfinite(values)] = 1e300
        return float(values[0]), (values[1:] - values[0]) / ((u + step) - u)

    values = [
        optimize.minimize(negative, s, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 2,
                          options={"ftol": 1e-14, "gtol": 1e-9}).fun
        for s in starts
    ]  # fmt: skip
    return -float(min(values))


def _correlation_limits(between: FloatArray, top: float, data: Pairs) -> tuple[float, float]:
    """Return profile likelihood limits of the between-trial correlation."""
    drop = float(stats.chi2.ppf(data.level, 1)) / 2
    scales = _scales(data)
    roots = np.sqrt(np.diag(between)) / scales
    starts = [roots.tolist(), [0.5, 0.5]]

    @functools.cache  # the ends of a bracket are asked for twice
    def short(rho: float) -> float:
        def shape(u: FloatArray) -> FloatArray:
            u = u * scales
            return np.array([[u[0] ** 2, rho * u[0] * u[1]], [rho * u[0] * u[1], u[1] ** 2]])

        return _best(shape, starts, data) - (top - drop)

    rho = _correlation(between)
    ends = []
    for end in (-1.0, 1.0):
        open_end = abs(rho - end) < 1e-6 or short(end) >= 0
        ends.append(end if open_end else float(optimize.brentq(short, rho, end, xtol=1e-9)))
    return ends[0], ends[1]


def _slope_limits(between: FloatArray, top: float, data: Pairs) -> tuple[float, float]:
    """Return profile likelihood limits of the slope."""
    drop = float(stats.chi2.ppf(data.level, 1)) / 2
    sx, sy = _scales(data)
    slope = float(between[0, 1] / between[0, 0])
    tau = max(float(between[1, 1] - slope * between[0, 1]), 0.0) ** 0.5
    starts = [[float(between[0, 0]) ** 0.5 / sx, tau / sy], [0.5, 0.5]]

    @functools.cache
    def short(b: float) -> float:
        def shape(u: FloatArray) -> FloatArray:
            s, t = (u[0] * sx) ** 2, (u[1] * sy) ** 2
            return np.array([[s, b * s], [b * s, b**2 * s + t]])

        return _best(shape, starts, data) - (top - drop)

    ends = []
    for sign in (-1.0, 1.0):
        step, near, far = 0.1 * sy / sx, slope, slope + sign * 0.1 * sy / sx
        while short(far) >= 0 and step < REACH * sy / sx:
            step *= 2
            near, far = far, slope + sign * step
        gone = step >= REACH * sy / sx
        ends.append(sign * np.inf if gone else float(optimize.brentq(short, near, far, rtol=1e-9)))
    return ends[0], ends[1]
