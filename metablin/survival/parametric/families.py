"""Families of survival distributions: what each must say about itself.

A family works on an unconstrained parameter array ``theta`` of shape (p, ...) and times of shape
(n,), and broadcasts: ``theta[:, :, None]`` of shape (p, b, 1) gives values of shape (b, n), so
that one call serves all the points a derivative or a line search needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.numerics.special import (
    log_gamma_lower,
    log_gamma_upper,
    stirling_error,
)

__all__ = ["SIMPLE", "Family", "Linear", "Start", "runaway"]

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray, FloatArray], FloatArray]

HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))

NEAR_ZERO = 1e-5
"""|Q| of the generalised gamma below which it is the log-normal to rounding."""

FAR = 10.0
"""|Q| beyond which a climb is on its way to infinity: maxima lie below 7, climbs end above 14."""


@dataclass(frozen=True, slots=True)
class Start:
    """Rough moments of the data from which a family starts.

    Attributes
    ----------
    log_mean, log_sd : float
        Of log time, from a log-normal-like fit to the curve.
    rate : float
        Events per unit of time at risk.
    """

    log_mean: float
    log_sd: float
    rate: float


@dataclass(frozen=True, slots=True)
class Linear:
    """A family with g(S(t)) = theta @ columns(t), for exact derivatives of its likelihood.

    Attributes
    ----------
    columns : callable
        t (n,) -> columns of the predictor s and of its slope in log t, (p, n) each.
    survival, density : callable
        s (n,) -> first and second derivatives of log S and of the part of log f that depends on
        s alone.
    """

    columns: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    survival: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    density: Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class Family:
    """A survival distribution.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        Natural parameters in the order of ``theta``.
    links : tuple of str
        ``log``, ``identity``, ``logit`` or ``log`` of each parameter.
    log_survival, log_density : callable
        ``(theta, t) -> log S(t)`` and ``log f(t)``, broadcasting; t > 0.
    start : callable
        ``Start -> theta`` of shape (s, p): one row a starting point.
    scale : callable
        ``Start -> ndarray (p,)``, the size of a small change in each parameter.
    cure : str
        ``""``, ``mixture`` or ``non-mixture``; the first parameter is then the cure fraction.
    linear : Linear, optional
        Of families that are linear in their parameters on some scale: exact derivatives.
    edges : ndarray, optional
        Left ends of the intervals of a hazard that is constant in each: exact derivatives.
    """

    name: str
    parameters: tuple[str, ...]
    links: tuple[str, ...]
    log_survival: Function
    log_density: Function
    start: Callable[[Start], FloatArray]
    scale: Callable[[Start], FloatArray]
    cure: str = ""
    linear: Linear | None = None
    edges: FloatArray | None = None

    def log_hazard(self, theta: FloatArray, t: FloatArray) -> FloatArray:
        """Return log h(t) = log f(t) - log S(t), broadcasting."""
        return np.asarray(self.log_density(theta, t) - self.log_survival(theta, t))


def _ones(p: int) -> Callable[[Start], FloatArray]:
    def scale(_: Start) -> FloatArray:
        return np.ones(p)

    return scale


def _exponential_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(-np.exp(theta[0]) * t)


def _exponential_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(theta[0] + _exponential_s(theta, t))


def _weibull_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(-np.exp(np.exp(theta[0]) * (np.log(t) - theta[1])))


def _weibull_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    z = np.log(t) - theta[1]
    log_hazard = theta[0] - theta[1] + np.expm1(theta[0]) * z
    return np.asarray(log_hazard + _weibull_s(theta, t))


def _gompertz_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    x = theta[0] * t
    # expm1(x) / x, by its series where x is tiny.
    ratio = np.where(np.abs(x) < 1e-8, 1.0 + 0.5 * x, np.expm1(x) / np.where(x == 0.0, 1.0, x))
    return np.asarray(-np.exp(theta[1]) * t * ratio)


def _gompertz_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    return np.asarray(theta[1] + theta[0] * t + _gompertz_s(theta, t))


def _lognormal_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    z = (np.log(t) - theta[0]) * np.exp(-theta[1])
    return np.asarray(special.log_ndtr(-z))


def _lognormal_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    log_t = np.log(t)
    z = (log_t - theta[0]) * np.exp(-theta[1])
    return np.asarray(-0.5 * z * z - HALF_LOG_2PI - theta[1] - log_t)


def _loglogistic_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    z = np.exp(theta[0]) * (np.log(t) - theta[1])
    return np.asarray(-np.logaddexp(0.0, z))


def _loglogistic_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    log_t = np.log(t)
    z = np.exp(theta[0]) * (log_t - theta[1])
    return np.asarray(theta[0] - log_t + z - 2.0 * np.logaddexp(0.0, z))


def _gamma_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    return log_gamma_upper(np.exp(theta[0]), np.exp(theta[1]) * t)


def _gamma_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    a, log_t = np.exp(theta[0]), np.log(t)
    log_x = theta[1] + log_t
    return np.asarray(a * log_x - np.exp(log_x) - special.gammaln(a) - log_t)


def _gengamma_parts(theta: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    w = (np.log(t) - theta[0]) * np.exp(-theta[1])
    q = np.where(np.abs(theta[2]) < NEAR_ZERO, NEAR_ZERO, theta[2])
    return np.minimum(q * w, 700.0), q, 1.0 / (q * q)


def _gengamma_s(theta: FloatArray, t: FloatArray) -> FloatArray:
    """Prentice's parametrisation: mu, log sigma, Q; Q = 1 is Weibull, Q = 0 log-normal."""
    qw, q, a = _gengamma_parts(theta, t)
    log_x = np.log(a) + qw
    positive = q > 0
    if np.all(positive):
        return log_gamma_upper(a, np.exp(log_x))
    if not np.any(positive):
        return log_gamma_lower(a, log_x)
    return np.where(positive, log_gamma_upper(a, np.exp(log_x)), log_gamma_lower(a, log_x))


def _gengamma_d(theta: FloatArray, t: FloatArray) -> FloatArray:
    qw, _, a = _gengamma_parts(theta, t)
    # |Q| a^a e^-a / Gamma(a), with a = 1/Q^2, is exp(-stirling error) / sqrt(2 pi).
    constant = -HALF_LOG_2PI - stirling_error(a) - theta[1]
    return np.asarray(constant + a * (qw - np.expm1(qw)) - np.log(t))


def runaway(family: Family, theta: FloatArray) -> str:
    """Return why the likelihood has no finite maximum where Q of a climb has run away, or "".

    With Q to plus infinity and sigma Q fixed, the generalised gamma tends to the power law
    F(t) = (t / end)^(1 / (sigma Q)), whose density jumps to zero at its end; with Q to minus
    infinity to the Pareto law S(t) = (t / start)^(1 / (sigma Q)). Data that pile up towards the
    last event, or fall off from the first, bring their likelihood ever closer to that of the limit.
    Small samples can have both, a maximum and a higher limit; the maximum is then the estimate, as
    in other software and as for other distributions with an end (Smith 1985, Biometrika 72:67-90,
    doi:10.1093/biomet/72.1.67).
    """
    if "Q" not in family.parameters or abs(theta[family.parameters.index("Q")]) <= FAR:
        return ""
    up = theta[family.parameters.index("Q")] > 0
    law = "a power law that ends with the last event" if up else "a Pareto law from the first event"
    return (
        f"{family.name}: the likelihood keeps rising as Q goes to {'plus' if up else 'minus'} "
        f"infinity, towards {law}; it has no finite maximum"
    )


SIMPLE: dict[str, Family] = {
    f.name: f
    for f in (
        Family(
            "exponential",
            ("rate",),
            ("log",),
            _exponential_s,
            _exponential_d,
            lambda s: np.array([[np.log(s.rate)]]),
            _ones(1),
        ),
        Family(
            "weibull",
            ("shape", "scale"),
            ("log", "log"),
            _weibull_s,
            _weibull_d,
            lambda s: np.array([[np.log(1.28 / s.log_sd), s.log_mean + 0.45 * s.log_sd]]),
            _ones(2),
        ),
        Family(
            "gompertz",
            ("shape", "rate"),
            ("identity", "log"),
            _gompertz_s,
            _gompertz_d,
            lambda s: np.array([[-0.1 * s.rate, np.log(s.rate)]]),
            lambda s: np.array([s.rate, 1.0]),
        ),
        Family(
            "lognormal",
            ("meanlog", "sdlog"),
            ("identity", "log"),
            _lognormal_s,
            _lognormal_d,
            lambda s: np.array([[s.log_mean, np.log(s.log_sd)]]),
            _ones(2),
        ),
        Family(
            "loglogistic",
            ("shape", "scale"),
            ("log", "log"),
            _loglogistic_s,
            _loglogistic_d,
            lambda s: np.array([[np.log(1.8 / s.log_sd), s.log_mean]]),
            _ones(2),
        ),
        Family(
            "gamma",
            ("shape", "rate"),
            ("log", "log"),
            _gamma_s,
            _gamma_d,
            lambda s: np.array([[0.0, np.log(s.rate)]]),
            _ones(2),
        ),
        Family(
            "gengamma",
            ("mu", "sigma", "Q"),
            ("identity", "log", "identity"),
            _gengamma_s,
            _gengamma_d,
            lambda s: np.array(
                [
                    [s.log_mean, np.log(s.log_sd), 0.1],
                    [s.log_mean + 0.45 * s.log_sd, np.log(s.log_sd / 1.28), 0.9],
                    [s.log_mean + 1.1 * s.log_sd, np.log(s.log_sd / 2.0), 2.5],
                ]
            ),
            _ones(3),
        ),
    )
}
