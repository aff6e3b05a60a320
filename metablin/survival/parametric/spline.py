"""Royston-Parmar splines and the piecewise exponential model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.survival.parametric.families import HALF_LOG_2PI, Family, Linear

__all__ = ["basis", "piecewise_exponential", "royston_parmar", "spline_knots"]

FloatArray = NDArray[np.float64]

_OneArgument = Callable[[FloatArray], FloatArray]

SCALES = ("hazard", "odds", "normal")


def spline_knots(event_times: FloatArray, interior: int) -> FloatArray:
    """Return boundary knots at the first and last event and interior ones at centiles, in log t.

    Parameters
    ----------
    event_times : ndarray
        Times of uncensored patients.
    interior : int
        Number of interior knots.

    Returns
    -------
    ndarray, shape (interior + 2,)
    """
    x = np.log(np.sort(event_times))
    return np.asarray(np.quantile(x, np.linspace(0.0, 1.0, interior + 2)))


def basis(x: FloatArray, knots: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the restricted cubic spline basis and its derivative, both (k, n).

    Linear beyond the boundary knots; the first two functions are 1 and x.

    References
    ----------
    Royston P, Parmar MKB (2002). Flexible parametric proportional-hazards and proportional-odds
    models for censored survival data. Stat Med 21:2175-2197, eqs 3-4. doi:10.1002/sim.1203
    """
    low, high = knots[0], knots[-1]
    values, slopes = [np.ones_like(x), x], [np.zeros_like(x), np.ones_like(x)]
    for k in knots[1:-1]:
        share = (high - k) / (high - low)
        cubes, squares = [], []
        for at in (k, low, high):
            plus = np.maximum(x - at, 0.0)
            cubes.append(plus**3)
            squares.append(3.0 * plus**2)
        values.append(cubes[0] - share * cubes[1] - (1.0 - share) * cubes[2])
        slopes.append(squares[0] - share * squares[1] - (1.0 - share) * squares[2])
    return np.array(values), np.array(slopes)


def _combine(theta: FloatArray, columns: FloatArray) -> FloatArray:
    """Return sum over j of theta[j] * columns[j], broadcasting like the other families."""
    total = theta[0] * columns[0]
    for j in range(1, len(columns)):
        total = total + theta[j] * columns[j]
    return np.asarray(total)


def royston_parmar(
    scale: str, knots: FloatArray, start_theta: FloatArray, log_times: FloatArray
) -> Family:
    r"""Return the spline model of a transformed survival function in log time.

    :math:`g(S(t)) = s(\log t)` with g the log cumulative hazard (``hazard``), the log cumulative
    odds (``odds``) or minus the normal quantile (``normal``); without interior knots these are the
    Weibull, log-logistic and log-normal distributions.

    Parameters
    ----------
    scale : {"hazard", "odds", "normal"}
    knots : ndarray, shape (k,)
        Boundary and interior knots in log time.
    start_theta : ndarray, shape (k,)
        Starting coefficients (a regression on the transformed Kaplan-Meier curve).
    log_times : ndarray
        Log event times, from which the size of a small change in each coefficient follows.

    References
    ----------
    Royston P, Parmar MKB (2002). Stat Med 21:2175-2197. doi:10.1002/sim.1203
    """
    log_survival, log_density = _scale(scale)

    def log_s(theta: FloatArray, t: FloatArray) -> FloatArray:
        values, _ = basis(np.log(t), knots)
        return np.asarray(log_survival(_combine(theta, values)))

    def log_f(theta: FloatArray, t: FloatArray) -> FloatArray:
        x = np.log(t)
        values, slopes = basis(x, knots)
        s, ds = _combine(theta, values), _combine(theta, slopes)
        # A falling spline is no survival function: its likelihood is zero.
        log_slope = np.where(ds > 0, np.log(np.where(ds > 0, ds, 1.0)), -np.inf)
        return np.asarray(log_density(s) + log_slope - x)

    interior = len(knots) - 2
    return Family(
        name=f"rp-{scale}-{interior}",
        parameters=tuple(f"gamma{j}" for j in range(len(knots))),
        links=("identity",) * len(knots),
        log_survival=log_s,
        log_density=log_f,
        start=lambda _: start_theta[None, :],
        scale=lambda _: _typical(log_times, knots),
        linear=Linear(lambda t: basis(np.log(t), knots), *_SLOPES[scale]),
    )


def _typical(log_times: FloatArray, knots: FloatArray) -> FloatArray:
    """Return the change in each coefficient that moves the spline by about one."""
    values, _ = basis(log_times, knots)
    spread = values[1:].std(axis=1)
    return np.asarray(np.r_[1.0, 1.0 / np.maximum(spread, 1e-12)])


def _hazard_survival(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -np.exp(s), -np.exp(s)


def _hazard_density(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    return 1.0 - np.exp(s), -np.exp(s)


def _odds_survival(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    p = special.expit(s)
    return -p, -p * (1.0 - p)


def _odds_density(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    p = special.expit(s)
    return 1.0 - 2.0 * p, -2.0 * p * (1.0 - p)


def _normal_survival(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    m = np.exp(-0.5 * s * s - HALF_LOG_2PI - special.log_ndtr(-s))
    return -m, -m * (m - s)


def _normal_density(s: FloatArray) -> tuple[FloatArray, FloatArray]:
    return -s, -np.ones_like(s)


_SLOPES = {
    "hazard": (_hazard_survival, _hazard_density),
    "odds": (_odds_survival, _odds_density),
    "normal": (_normal_survival, _normal_density),
}


def _scale(scale: str) -> tuple[_OneArgument, _OneArgument]:
    if scale == "hazard":
        return (lambda s: -np.exp(s)), (lambda s: s - np.exp(s))
    if scale == "odds":
        return (lambda s: -np.logaddexp(0.0, s)), (lambda s: s - 2.0 * np.logaddexp(0.0, s))
    return (
        lambda s: np.asarray(special.log_ndtr(-s)),
        lambda s: -0.5 * s * s - HALF_LOG_2PI,
    )


def piecewise_exponential(cuts: FloatArray) -> Family:
    """Return the model with a constant hazard between cut points.

    Parameters
    ----------
    cuts : ndarray, shape (k - 1,)
        Interior cut points, increasing.

    References
    ----------
    Friedman M (1982). Piecewise exponential models for survival data with covariates.
    Ann Stat 10:101-113. doi:10.1214/aos/1176345693
    """
    edges = np.r_[0.0, cuts]
    widths = np.r_[np.diff(edges), np.inf]

    def log_s(theta: FloatArray, t: FloatArray) -> FloatArray:
        spent = np.clip(t - edges[:, None], 0.0, widths[:, None])
        return -_combine(np.exp(theta), spent)

    def log_f(theta: FloatArray, t: FloatArray) -> FloatArray:
        here = np.searchsorted(cuts, t, side="left")
        log_hazard = _combine(theta, (here == np.arange(edges.size)[:, None]).astype(np.float64))
        return np.asarray(log_hazard + log_s(theta, t))

    return Family(
        name="piecewise-exponential",
        parameters=tuple(f"rate{j + 1}" for j in range(edges.size)),
        links=("log",) * edges.size,
        log_survival=log_s,
        log_density=log_f,
        start=lambda s: np.full((1, edges.size), np.log(s.rate)),
        scale=lambda _: np.ones(edges.size),
        edges=edges,
    )
