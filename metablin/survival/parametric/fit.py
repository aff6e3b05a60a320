"""Fitting one family to one arm, and what the fit says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin.errors import ConvergenceError, ConvergenceWarning, DataError, warn
from metablin.numerics.inference import critical
from metablin.numerics.newton import Derivatives, Optimum, hessian, jacobian, maximise
from metablin.numerics.profile import profile_limits
from metablin.records import Record, json_dict
from metablin.survival.parametric.families import Family, Start, runaway
from metablin.survival.parametric.likelihood import (
    exact_derivatives,
    log_likelihood,
    rough_start,
)
from metablin.survival.parametric.names import family_of
from metablin.survival.patients import Patients, patients

__all__ = ["ParametricFit", "fit_family", "fit_parametric"]

FloatArray = NDArray[np.float64]

BOUNDARY = 9.0
"""|logit| of the cure fraction beyond which it is at its boundary (about 1 in 8000)."""

AT_BOUNDARY = 16.0
"""Where it is then held while the rest is fitted."""

SETTLED = 1e-9
"""A singular information matrix has eigenvalues below this share of its largest."""

NODES = special.roots_legendre(128)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ParametricFit(Record):
    """A parametric survival model of one arm.

    Attributes
    ----------
    family : Family
    theta : ndarray, shape (p,)
        Unconstrained parameters.
    covariance : ndarray, shape (p, p)
        Of ``theta``; rows and columns of a cure fraction at its boundary are NaN.
    scale : ndarray, shape (p,)
        Size of a small change, for derivatives.
    loglik : float
    n, events : float
        Weighted patients and events.
    last : float
        Last follow-up; beyond it the model extrapolates.
    level : float
    iterations : int
    converged : bool
    at_boundary : bool
        Whether the cure fraction is at 0 or 1.
    cure_low, cure_high : float
        Limits of the cure fraction; NaN without a cure part.
    """

    family: Family
    theta: FloatArray
    covariance: FloatArray
    scale: FloatArray
    loglik: float
    n: float
    events: float
    last: float
    level: float
    iterations: int
    converged: bool
    at_boundary: bool
    cure_low: float
    cure_high: float

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return 2.0 * self.theta.size - 2.0 * self.loglik

    @property
    def bic(self) -> float:
        """Bayesian information criterion, with the number of patients as sample size."""
        return float(np.log(self.n) * self.theta.size - 2.0 * self.loglik)

    def survival(self, times: ArrayLike) -> pd.DataFrame:
        """Return S(t) with a delta-method interval on the log(-log) scale.

        Returns
        -------
        pandas.DataFrame
            ``term, time, estimate, std_error, conf_low, conf_high, conf_level``.
        """
        t = _input.numeric("times", times, minimum=0.0)
        safe = np.maximum(t, 1e-12)

        def log_h(theta: FloatArray) -> FloatArray:
            return np.asarray(np.log(-self.family.log_survival(theta[:, :, None], safe)))

        centre, se = self._delta(log_h)
        z = critical(self.level)
        at, low, high = (np.exp(-np.exp(centre + k * se)) for k in (0.0, z, -z))
        start = t == 0.0
        frame = pd.DataFrame(
            {
                "term": [f"survival at {x:g}" for x in t],
                "time": t,
                "estimate": np.where(start, 1.0, at),
                "std_error": np.where(start, 0.0, at * np.exp(centre) * se),
                "conf_low": np.where(start, 1.0, low),
                "conf_high": np.where(start, 1.0, high),
                "conf_level": self.level,
            }
        )
        return frame

    def hazard(self, times: ArrayLike) -> pd.DataFrame:
        """Return h(t) with a delta-method interval on the log scale."""
        t = _input.numeric("times", times, above=0.0)

        def log_h(theta: FloatArray) -> FloatArray:
            return np.asarray(self.family.log_hazard(theta[:, :, None], t))

        centre, se = self._delta(log_h)
        z = critical(self.level)
        return pd.DataFrame(
            {
                "term": [f"hazard at {x:g}" for x in t],
                "time": t,
                "estimate": np.exp(centre),
                "std_error": np.exp(centre) * se,
                "conf_low": np.exp(centre - z * se),
                "conf_high": np.exp(centre + z * se),
                "conf_level": self.level,
            }
        )

    def _delta(self, f: Any) -> tuple[FloatArray, FloatArray]:
        """Return f at the estimate and its standard errors, (m,) each."""
        with np.errstate(divide="ignore", invalid="ignore"):
            centre = f(self.theta[:, None])[0]
            slopes = jacobian(f, self.theta, self.scale)
        v = np.where(np.isnan(self.covariance), 0.0, self.covariance)
        return centre, np.sqrt(np.einsum("im,ij,jm->m", slopes, v, slopes))

    def rmst(self, tau: float) -> tuple[float, float]:
        """Return the restricted mean up to `tau` under the model, and its standard error."""
        horizon = _input.one("tau", tau, above=0.0)
        x, w = NODES
        # Squares crowd the nodes near 0, where a falling hazard is steep.
        u = 0.5 * (x + 1.0)
        t, weight = horizon * u * u, horizon * u * w

        def area(theta: FloatArray) -> FloatArray:
            log_s = self.family.log_survival(theta[:, :, None], t)
            return np.asarray(np.exp(log_s) @ weight[:, None])

        centre, se = self._delta(area)
        return float(centre[0]), float(se[0])

    def mean(self) -> float:
        """Return the mean survival extrapolated to infinity; infinite with a plateau."""
        if self.family.cure:
            return np.inf
        x = np.linspace(-30.0, 300.0, 13201) + np.log(self.last)
        with np.errstate(over="ignore", under="ignore"):
            log_s = self.family.log_survival(self.theta[:, None], np.exp(x))
            integrand = np.exp(np.minimum(log_s + x, 700.0))
        if log_s[-1] + x[-1] > -1.0 or np.isnan(log_s[-1]):
            return np.inf
        return float(integrand.sum() * (x[1] - x[0]))

    def quantile(self, p: float = 0.5) -> float:
        """Return the time by which a share `p` has had the event; infinite when never."""
        _input.level(p)
        target = np.log1p(-p)
        x = np.linspace(-20.0, 20.0, 4001) + np.log(self.last)

        def gap(grid: FloatArray) -> FloatArray:
            with np.errstate(all="ignore"):
                log_s = self.family.log_survival(self.theta[:, None], np.exp(grid))
            return np.asarray(log_s - target)

        below = np.flatnonzero(gap(x) <= 0)
        if below.size == 0:
            return np.inf
        low, high = x[max(below[0] - 1, 0)], x[below[0]]
        for _ in range(6):
            x = np.linspace(low, high, 65)
            i = int(np.flatnonzero(gap(x) <= 0)[0])
            low, high = x[max(i - 1, 0)], x[i]
        return float(np.exp(0.5 * (low + high)))

    def cure_fraction(self) -> tuple[float, float, float]:
        """Return the cure fraction and its limits; NaN without a cure part."""
        if not self.family.cure:
            return np.nan, np.nan, np.nan
        return float(special.expit(self.theta[0])), self.cure_low, self.cure_high

    def to_frame(self) -> pd.DataFrame:
        """Return natural parameters with intervals formed on the unconstrained scale."""
        z = critical(self.level)
        se = np.sqrt(np.diag(self.covariance))
        rows = []
        for i, (name, link) in enumerate(
            zip(self.family.parameters, self.family.links, strict=True)
        ):
            if name == "cure":
                rows.append(self._cure_row(float(se[i])))
                continue
            centre, half = float(self.theta[i]), z * float(se[i])
            values = np.array([centre, centre - half, centre + half])
            with np.errstate(over="ignore"):  # a limit beyond the largest double is infinite
                estimate, low, high = np.exp(values) if link == "log" else values
            slope = estimate if link == "log" else 1.0
            rows.append(
                {
                    "term": name,
                    "estimate": float(estimate),
                    "std_error": float(slope * se[i]),
                    "conf_low": float(low),
                    "conf_high": float(high),
                    "conf_level": self.level,
                }
            )
        return pd.DataFrame(rows)

    def _cure_row(self, se: float) -> dict[str, Any]:
        estimate, low, high = self.cure_fraction()
        return {
            "term": "cure",
            "estimate": estimate,
            "std_error": estimate * (1.0 - estimate) * se,
            "conf_low": low,
            "conf_high": high,
            "conf_level": self.level,
        }

    def summary(self) -> str:
        """Return the fit as text."""
        head = (
            f"{self.family.name}: log-likelihood {self.loglik:.4f}, AIC {self.aic:.2f}, "
            f"BIC {self.bic:.2f}; {self.n:g} patients, {self.events:g} events"
        )
        return f"{head}\n{self.to_frame().to_string(index=False)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fit, ready for JSON."""
        return json_dict(
            {
                "family": self.family.name,
                "parameters": self.to_frame(),
                "loglik": self.loglik,
                "aic": self.aic,
                "bic": self.bic,
                "n": self.n,
                "events": self.events,
                "converged": self.converged,
                "at_boundary": self.at_boundary,
                "mean": self.mean(),
            }
        )


def fit_parametric(
    time: ArrayLike,
    event: ArrayLike,
    family: str = "weibull",
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cuts: ArrayLike | None = None,
    cure_interval: str = "profile",
    level: float = 0.95,
) -> ParametricFit:
    """Fit a parametric or cure model by maximum likelihood.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up, greater than 0, and 1 event, 0 censored.
    family : str
        ``exponential, weibull, gompertz, lognormal, loglogistic, gamma, gengamma``,
        ``piecewise-exponential``, ``rp-hazard-K``, ``rp-odds-K``, ``rp-normal-K`` (Royston-Parmar
        with K interior knots at centiles of the event times), and any of them followed by
        ``-mixture-cure`` or ``-non-mixture-cure``.
    entry, weights : array-like, shape (n,), optional
        Late entry (left truncation) and case weights.
    cuts : array-like, optional
        Interior cut points of the piecewise exponential model; quartiles of the event times when
        not given.
    cure_interval : {"profile", "wald"}
        Interval of a cure fraction: from the profile likelihood, which stays honest near 0 and 1,
        or from the logit's standard error, which is quicker.
    level : float
        Confidence level.

    Returns
    -------
    ParametricFit

    Raises
    ------
    DataError
        For an unknown family, a time of 0 or too few events.
    ConvergenceError
        When no usable maximum is found; for ``gengamma`` with the limit its likelihood tends to.

    Warns
    -----
    MetablinWarning
        When the cure fraction is at its boundary: the data do not support a plateau.
    ConvergenceWarning
        When the search stopped short of its tolerance.

    References
    ----------
    Prentice RL (1974). A log gamma model and its maximum likelihood estimation. Biometrika
    61:539-544. doi:10.1093/biomet/61.3.539 (``gengamma``: mu, sigma, Q)

    Royston P, Parmar MKB (2002). Stat Med 21:2175-2197. doi:10.1002/sim.1203

    Examples
    --------
    >>> fit = fit_parametric([2, 3, 5, 7, 11], [1, 1, 1, 0, 1], "exponential")
    >>> float(round(fit.to_frame()["estimate"][0], 4))
    0.1429
    """
    p = patients(time, event, entry, weights)
    zero = np.flatnonzero(p.time <= 0.0)
    if zero.size:
        raise DataError(
            "a parametric model needs positive times",
            row=int(zero[0]) + 1,
            column="time",
            value=0,
            allowed="greater than 0 (half a day, say)",
        )
    at = None if cuts is None else _input.numeric("cuts", cuts, above=0.0)
    cure_interval = _input.choice("cure_interval", cure_interval, ("profile", "wald"))
    return fit_family(
        family_of_checked(family, p, at), p, _input.level(level), cure_interval == "profile"
    )


def family_of_checked(family: str, p: Patients, cuts: FloatArray | None) -> Family:
    """Return the family after checking that there are enough distinct events for it."""
    distinct = np.unique(p.time[p.event == 1.0]).size
    if distinct == 0:
        raise DataError("no events", column="event", allowed="at least one event")
    if distinct < 2 and family != "exponential":
        raise DataError(
            "too few events", column="event", allowed="events at two or more distinct times"
        )
    return family_of(family, p, cuts)


def fit_family(family: Family, p: Patients, level: float, profile: bool = True) -> ParametricFit:
    """Fit a family to checked patients."""
    f = log_likelihood(family, p)
    start = rough_start(p)
    scale = family.scale(start)
    best, at_boundary = _search(family, f, start, scale, exact_derivatives(family, p))
    covariance = _covariance(family.name, best.hessian, at_boundary)
    if not best.converged:
        warn(
            f"{family.name}: the search stopped after {best.iterations} iterations",
            ConvergenceWarning,
        )
    if at_boundary:
        edge = "0" if best.theta[0] < 0 else "1"
        warn(
            f"{family.name}: the cure fraction is at its boundary {edge}; the data do not "
            "support this cure model"
        )
    low, high = np.nan, np.nan
    if family.cure and profile:
        low, high = profile_limits(f, best.theta, best.value, scale, level)
    elif family.cure:
        z = critical(level) * float(np.sqrt(covariance[0, 0]))
        low, high = special.expit(best.theta[0] - z), special.expit(best.theta[0] + z)
    return ParametricFit(
        family=family,
        theta=best.theta,
        covariance=covariance,
        scale=scale,
        loglik=best.value,
        n=float(p.w.sum()),
        events=float(p.w @ p.event),
        last=float(p.time.max()),
        level=level,
        iterations=best.iterations,
        converged=best.converged,
        at_boundary=at_boundary,
        cure_low=float(low),
        cure_high=float(high),
    )


def _search(
    family: Family, f: Any, start: Start, scale: FloatArray, exact: Derivatives | None
) -> tuple[Optimum, bool]:
    """Climb from the best start; with a cure part from each, as there may be several maxima."""
    points = family.start(start)
    order = np.argsort(-f(points.T), kind="stable")
    found: list[tuple[Optimum, bool]] = []
    endless = ""
    for i in order:
        try:
            climbed = _climb(family, f, points[i], scale, exact)
        except FloatingPointError:
            continue
        # A maximum is the estimate, even a lower one than the end of a climb to infinity.
        if away := runaway(family, climbed[0].theta):
            endless = away
            continue
        found.append(climbed)
        if not family.cure and found[-1][0].converged:
            break
    found = [x for x in found if np.isfinite(x[0].value)]
    if not found:
        raise ConvergenceError(endless or f"{family.name}: no start leads to a finite maximum")
    return max(found, key=lambda x: (x[0].converged, round(x[0].value, 9), not x[1]))


def _climb(
    family: Family, f: Any, point: FloatArray, scale: FloatArray, exact: Derivatives | None
) -> tuple[Optimum, bool]:
    edge = BOUNDARY if family.cure else np.inf
    best = maximise(f, point, scale, edge=edge, exact=exact)
    if not family.cure or abs(best.theta[0]) <= BOUNDARY:
        return best, False
    edge = np.copysign(AT_BOUNDARY, best.theta[0])

    def rest(theta: FloatArray) -> FloatArray:
        return np.asarray(f(np.vstack([np.full((1, theta.shape[1]), edge), theta])))

    inner = maximise(rest, best.theta[1:], scale[1:])
    theta = np.r_[edge, inner.theta]
    whole = np.full((theta.size, theta.size), np.nan)
    whole[1:, 1:] = hessian(rest, inner.theta, scale[1:])
    return Optimum(theta, inner.value, whole, best.iterations + inner.iterations, True), True


def _covariance(name: str, second: FloatArray, at_boundary: bool) -> FloatArray:
    first = 1 if at_boundary else 0
    information = -second[first:, first:]
    if not _definite(information):
        if at_boundary:
            return np.full(second.shape, np.nan)
        raise ConvergenceError(
            f"{name}: the information matrix is singular; the data do not determine every parameter"
        )
    out = np.full(second.shape, np.nan)
    out[first:, first:] = np.linalg.inv(information)
    return out


def _definite(information: FloatArray) -> bool:
    """Return whether a matrix is positive definite with room to spare."""
    diagonal = np.diag(information)
    if not np.isfinite(information).all() or np.any(diagonal <= 0.0):
        return False
    root = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(information / np.outer(root, root))[0] > SETTLED)
