"""Hazards: cumulative with limits, smoothed, and ratios that may change over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin.errors import ConvergenceError, DataError
from metablin.numerics.inference import critical
from metablin.numerics.partial import ArmCounts, arm_counts, efron
from metablin.records import Record
from metablin.survival._normal import ratio_row
from metablin.survival.partial import maximise, strata_of
from metablin.survival.patients import Groups, Patients, count, patients, two_arms
from metablin.survival.ties import onto

__all__ = [
    "HazardCurve",
    "nelson_aalen",
    "piecewise_hazard_ratio",
    "smoothed_hazard",
    "time_varying_hazard_ratio",
]

FloatArray = NDArray[np.float64]

POINTS = 101
MAX_ITER = 50
TOLERANCE = 1e-11
LARGEST = 12.0
"""A log hazard ratio beyond this means that the likelihood has no maximum."""


def nelson_aalen(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate the cumulative hazard, with limits formed on the log scale.

    Parameters are those of `kaplan_meier`.

    Returns
    -------
    pandas.DataFrame
        ``time, estimate, std_error, conf_low, conf_high, conf_level`` at the event times.

    References
    ----------
    Aalen O (1978). Nonparametric inference for a family of counting processes. Ann Stat
    6:701-726. doi:10.1214/aos/1176344247

    Examples
    --------
    >>> nelson_aalen([1, 2, 4], [1, 1, 0])["estimate"].round(4).tolist()
    [0.3333, 0.8333]
    """
    c = count(patients(time, event, entry, weights))
    at = c.n_event > 0
    hazard = np.cumsum(c.n_event[at] / c.n_risk[at])
    se = np.sqrt(np.cumsum(c.n_event[at] / c.n_risk[at] ** 2))
    factor = np.exp(critical(_input.level(level)) * se / np.where(hazard > 0, hazard, 1.0))
    return pd.DataFrame(
        {
            "time": c.time[at],
            "estimate": hazard,
            "std_error": se,
            "conf_low": hazard / factor,
            "conf_high": hazard * factor,
            "conf_level": level,
        }
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HazardCurve(Record):
    """A hazard, or a hazard ratio, over time with pointwise limits; arrays of shape (g,).

    Attributes
    ----------
    time, estimate, conf_low, conf_high : ndarray
    std_error : ndarray
        Of the log.
    kind : str
        ``hazard`` or ``hazard ratio``.
    label : str
    level : float
    p_value : float
        Test that a hazard ratio is constant; NaN for a hazard.
    """

    time: FloatArray
    estimate: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    std_error: FloatArray
    kind: str
    label: str
    level: float
    p_value: float

    def to_frame(self) -> pd.DataFrame:
        """Return ``term, time, estimate, std_error, conf_low, conf_high, conf_level``."""
        return pd.DataFrame(
            {
                "term": self.label or self.kind,
                "time": self.time,
                "estimate": self.estimate,
                "std_error": self.std_error,
                "conf_low": self.conf_low,
                "conf_high": self.conf_high,
                "conf_level": self.level,
            }
        )


def smoothed_hazard(
    time: ArrayLike,
    event: ArrayLike,
    *,
    bandwidth: float | None = None,
    entry: ArrayLike | None = None,
    label: str = "",
    level: float = 0.95,
) -> HazardCurve:
    r"""Smooth the Nelson-Aalen increments with Epanechnikov's kernel.

    Near the ends the kernel is divided by its mass inside the observed range. The limits are
    pointwise, on the log scale, and leave the smoothing bias out.

    Parameters
    ----------
    time, event : array-like, shape (n,)
    bandwidth : float, optional
        Half-width of the kernel; range / (4 d^0.2) with d events when not given.
    entry : array-like, shape (n,), optional
    label : str
    level : float

    References
    ----------
    Ramlau-Hansen H (1983). Smoothing counting process intensities by means of kernel functions.
    Ann Stat 11:453-466. doi:10.1214/aos/1176346152

    Müller HG, Wang JL (1994). Hazard rate estimation under random censoring with varying kernels
    and bandwidths. Biometrics 50:61-76. doi:10.2307/2533197

    Examples
    --------
    >>> smoothed_hazard([1, 2, 3, 4, 5], [1, 1, 1, 1, 1], bandwidth=3).estimate.size
    101
    """
    c = count(patients(time, event, entry))
    at = c.n_event > 0
    if at.sum() < 2:
        raise DataError("too few events", column="event", allowed="events at two or more times")
    t, d, n = c.time[at], c.n_event[at], c.n_risk[at]
    last = float(t[-1])
    width = last / (4.0 * d.sum() ** 0.2) if bandwidth is None else bandwidth
    width = float(_input.numeric("bandwidth", width, above=0.0)[0])
    if bandwidth is None:
        # Wide enough to reach an event from everywhere.
        width = max(width, 0.51 * float(np.diff(np.r_[0.0, t]).max()), float(t[0]))
    grid = np.linspace(0.0, last, POINTS)
    u = (grid[:, None] - t) / width
    kernel = np.where(np.abs(u) < 1.0, 0.75 * (1.0 - u * u), 0.0) / width
    inside = _mass((last - grid) / width) - _mass(-grid / width)
    kernel /= inside[:, None]
    estimate = kernel @ (d / n)
    variance = kernel**2 @ (d / n**2)
    keep = estimate > 0.0
    grid, estimate = grid[keep], estimate[keep]
    se = np.sqrt(variance[keep]) / estimate
    z = critical(_input.level(level))
    return HazardCurve(
        time=grid,
        estimate=estimate,
        conf_low=estimate * np.exp(-z * se),
        conf_high=estimate * np.exp(z * se),
        std_error=se,
        kind="hazard",
        label=label,
        level=level,
        p_value=np.nan,
    )


def _mass(u: FloatArray) -> FloatArray:
    """Integral of Epanechnikov's kernel up to u."""
    v = np.clip(u, -1.0, 1.0)
    return np.asarray(0.5 + 0.75 * (v - v**3 / 3.0))


def piecewise_hazard_ratio(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    cuts: ArrayLike,
    *,
    control: object = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate a hazard ratio in each interval between cut points.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        As in `cox`, with two groups.
    cuts : array-like
        Interior cut points; an interval contains its right end.
    control : object, optional
    level : float

    Returns
    -------
    pandas.DataFrame
        ``term, start, stop, n, events, estimate, std_error, statistic, p_value, conf_low,
        conf_high, conf_level, note``; an interval whose ratio cannot be estimated has NaN and the
        reason in ``note``.

    Examples
    --------
    >>> frame = piecewise_hazard_ratio([1, 2, 3, 4, 5, 6, 7, 8], [1] * 8, list("abbaabba"), [4])
    >>> frame["events"].tolist()
    [4, 4]
    """
    p = patients(time, event)
    g = two_arms(group, p.n, control)
    confidence = _input.level(level)
    inner = onto(_input.numeric("cuts", cuts, above=0.0), np.unique(p.time))
    edges = np.r_[0.0, np.unique(inner), np.inf]
    rows = [_interval(p, g, float(low), float(high), confidence) for low, high in pairwise(edges)]
    return pd.DataFrame(rows)


def _interval(p: Patients, g: Groups, low: float, high: float, level: float) -> dict[str, Any]:
    keep = p.time > low if low > 0 else np.ones(p.n, bool)
    end = np.minimum(p.time[keep], high)
    had = np.where(p.time[keep] <= high, p.event[keep], 0.0)
    term = f"{g.levels[1]} vs {g.levels[0]}, {low:g} to {high:g}"
    row: dict[str, Any] = {"term": term, "start": low, "stop": high, "n": int(keep.sum())}
    row["events"] = int(had.sum())
    try:
        if not had.any():
            raise ConvergenceError("no events")
        # Entry at the cut changes nothing: everyone kept is at risk throughout the interval.
        part = Patients(end, had, None, None)
        x = (g.codes[keep] == 1).astype(np.float64)[:, None]
        found = maximise(strata_of(part, x, None, "efron"))
    except ConvergenceError as error:
        blank = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        return {**row, **dict.fromkeys(blank, np.nan), "conf_level": level, "note": str(error)}
    se = float(np.sqrt(1.0 / found.information[0, 0]))
    return {**row, **ratio_row(term, float(found.beta[0]), se, level), "note": ""}


def time_varying_hazard_ratio(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any],
    *,
    knots: int = 1,
    control: object = None,
    level: float = 0.95,
) -> HazardCurve:
    """Estimate a hazard ratio that changes smoothly with time, with a pointwise band.

    Cox's model with the log hazard ratio a restricted cubic spline in time: boundary knots at the
    5th and 95th centile of the event times, `knots` interior ones at equal centiles between.

    Parameters
    ----------
    time, event, group : array-like, shape (n,)
        As in `cox`, with two groups.
    knots : int
        Interior knots, 0 (linear in time) to 3.
    control : object, optional
    level : float

    Returns
    -------
    HazardCurve
        ``p_value`` tests a constant ratio (Wald).

    References
    ----------
    Gray RJ (1992). Flexible methods for analyzing survival data using splines, with applications
    to breast cancer prognosis. J Am Stat Assoc 87:942-951. doi:10.1080/01621459.1992.10476248

    Examples
    --------
    >>> t = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    >>> time_varying_hazard_ratio(t, [1] * 10, list("abbaababba"), knots=0).kind
    'hazard ratio'
    """
    p = patients(time, event)
    g = two_arms(group, p.n, control)
    if knots not in (0, 1, 2, 3):
        raise DataError("not allowed", column="knots", value=knots, allowed="0, 1, 2 or 3")
    deaths = p.time[p.event == 1.0]
    if np.unique(deaths).size < knots + 3:
        raise DataError("too few events", column="event", allowed=f"{knots + 3} distinct times")
    at = np.quantile(deaths, np.linspace(0.05, 0.95, knots + 2))
    counts = arm_counts(p.time, p.event, g.codes)
    x = _columns(counts.time, at)
    gamma, information = _spline_newton(x, counts)
    covariance = np.linalg.inv(information)
    grid = np.linspace(at[0], at[-1], POINTS)
    b = _columns(grid, at)
    if max(np.abs(x @ gamma).max(), np.sqrt(covariance[0, 0])) > LARGEST:
        raise ConvergenceError("the time-varying hazard ratio is not estimable; try fewer knots")
    log_hr, se = b @ gamma, np.sqrt(np.einsum("gi,ij,gj->g", b, covariance, b))
    z = critical(_input.level(level))
    part = gamma[1:]
    wald = float(part @ np.linalg.solve(covariance[1:, 1:], part))
    return HazardCurve(
        time=grid,
        estimate=np.exp(log_hr),
        conf_low=np.exp(log_hr - z * se),
        conf_high=np.exp(log_hr + z * se),
        std_error=se,
        kind="hazard ratio",
        label=f"{g.levels[1]} vs {g.levels[0]}",
        level=level,
        p_value=float(special.chdtrc(part.size, wald)),
    )


def _columns(t: FloatArray, knots: FloatArray) -> FloatArray:
    from metablin.survival.parametric.spline import basis

    scale = knots[-1] - knots[0]
    return basis(t / scale, knots / scale)[0].T


def _spline_newton(x: FloatArray, counts: ArmCounts) -> tuple[FloatArray, FloatArray]:
    """Maximise the two-arm partial likelihood (Efron) with log hazard ratio x @ gamma."""
    (a, b), row = efron(counts.at_risk, counts.deaths)
    rows, d1 = x[row], counts.deaths[:, 1]

    def value(gamma: FloatArray) -> tuple[float, FloatArray]:
        eta = rows @ gamma
        total = np.logaddexp(np.log(np.maximum(a, 1e-300)), np.log(np.maximum(b, 1e-300)) + eta)
        loglik = float(d1 @ (x @ gamma) - total.sum())
        return loglik, np.exp(np.log(np.maximum(b, 1e-300)) + eta - total)

    gamma = np.zeros(x.shape[1])
    loglik, q = value(gamma)
    for _ in range(MAX_ITER):
        score = d1 @ x - q @ rows
        information = (rows * (q * (1.0 - q))[:, None]).T @ rows
        if np.linalg.cond(information) > 1e12:
            break
        step = np.linalg.solve(information, score)
        if float(score @ step) < TOLERANCE:
            return gamma, information
        for _ in range(30):
            found = value(gamma + step)
            if found[0] >= loglik - 1e-10 * abs(loglik):
                break
            step = step / 2.0
        gamma = gamma + step
        loglik, q = found
    raise ConvergenceError("the time-varying hazard ratio is not estimable; try fewer knots")
