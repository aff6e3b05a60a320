"""Pooled survival curves of single arms, with a band for the mean and one for a new trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from metablin import _input
from metablin._records import Record, freeze, jsonable
from metablin.errors import DataError
from metablin.meta.batch import pool_many
from metablin.survival import KMCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PooledCurve", "pool_curves"]

FloatArray = NDArray[np.float64]

METHODS = ("combescure", "pointwise")
CIS = ("t", "z")

INTERVALS = 8
"""Default number of intervals: the arcsine of a conditional survival needs events to stand on."""

FEWEST = 2
"""Studies that must still be followed at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledCurve(Record):
    """A summary survival curve at g times.

    Attributes
    ----------
    time : ndarray, shape (g,)
    survival, conf_low, conf_high : ndarray, shape (g,)
        The mean of the population of trials and its pointwise limits.
    pred_low, pred_high : ndarray, shape (g,)
        Pointwise limits for a new trial; NaN with fewer than three trials.
    i2 : ndarray, shape (g,)
        Share of variance between trials, of everything up to each time (``combescure``) or of the
        survival at each time (``pointwise``).
    k : ndarray, shape (g,)
        Trials followed that far.
    studies : tuple of str
    method : str
    level : float
    """

    time: FloatArray
    survival: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    pred_low: FloatArray
    pred_high: FloatArray
    i2: FloatArray
    k: NDArray[np.intp]
    studies: tuple[str, ...]
    method: str
    level: float

    def __post_init__(self) -> None:
        freeze(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, its bands, I2 and the number of trials at each time."""
        names = ("time", "survival", "conf_low", "conf_high", "pred_low", "pred_high", "i2", "k")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def at(self, times: ArrayLike) -> pd.DataFrame:
        """Return the curve at landmarks, log-linear between its times.

        Raises
        ------
        DataError
            Beyond the last time of the curve.
        """
        t = _input.numeric("times", times, minimum=0.0, maximum=float(self.time[-1]))
        out: dict[str, Any] = {"term": [f"survival at {x:g}" for x in t], "time": t}
        pairs = {
            "estimate": self.survival,
            "conf_low": self.conf_low,
            "conf_high": self.conf_high,
            "pred_low": self.pred_low,
            "pred_high": self.pred_high,
        }
        for name, values in pairs.items():
            with np.errstate(divide="ignore"):
                logs = np.log(np.r_[1.0, values])
            out[name] = np.exp(np.interp(t, np.r_[0.0, self.time], logs))
        return pd.DataFrame({**out, "conf_level": self.level})

    def median(self) -> pd.DataFrame:
        """Return the median, its interval and that of a new trial; infinite where not reached."""
        row = {
            "term": "median",
            "estimate": self._crossing(self.survival),
            "conf_low": self._crossing(self.conf_low),
            "conf_high": self._crossing(self.conf_high),
            "pred_low": self._crossing(self.pred_low),
            "pred_high": self._crossing(self.pred_high),
            "conf_level": self.level,
        }
        return pd.DataFrame([row])

    def _crossing(self, curve: FloatArray) -> float:
        if np.isnan(curve).any():
            return np.nan
        t, s = np.r_[0.0, self.time], np.r_[1.0, curve]
        below = np.flatnonzero(s <= 0.5)
        if below.size == 0:
            return np.inf
        i = int(below[0])
        a, b = np.log(s[i - 1]), np.log(max(s[i], 1e-300))
        return float(t[i - 1] + (t[i] - t[i - 1]) * (a - np.log(0.5)) / (a - b))

    def summary(self) -> str:
        """Return the median and the band as text."""
        m = self.median().iloc[0]
        head = (
            f"{len(self.studies)} trials, {self.method}: median {m['estimate']:.3g} "
            f"({self.level:.0%} CI {m['conf_low']:.3g} to {m['conf_high']:.3g}; "
            f"new trial {m['pred_low']:.3g} to {m['pred_high']:.3g})"
        )
        return f"{head}\n{self.to_frame().round(4).to_string(index=False)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the curve, ready for JSON."""
        out: dict[str, Any] = jsonable(
            {
                "method": self.method,
                "conf_level": self.level,
                "studies": list(self.studies),
                "median": self.median().iloc[0].to_dict(),
                "curve": self.to_frame(),
            }
        )
        return out

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve with its two bands."""
        from metablin.plots.km import pooled_curve

        return pooled_curve(self, ax=ax)


def pool_curves(
    curves: Mapping[str, KMCurve],
    times: ArrayLike | None = None,
    *,
    method: str = "combescure",
    ci: str = "t",
    level: float = 0.95,
) -> PooledCurve:
    """Pool Kaplan-Meier curves of single arms with random effects.

    ``combescure``: the survival of each interval given survival to its start is pooled over
    trials (arcsine square root, between-trial covariance by the multivariate method of moments)
    and multiplied up, so that a trial with short follow-up still tells about early intervals.
    Intervals should hold events in most trials, as the arcsine is biased where they are rare; the
    default grid has eight intervals with equally many events.

    ``pointwise``: log(-log S) is pooled at each time on its own (REML, Hartung-Knapp) and the
    curve is made monotone; any grid will do, but trials drop out where their follow-up ends.

    Parameters
    ----------
    curves : mapping of str to KMCurve
        Two or more trials.
    times : array-like, optional
        Increasing positive times; where at least two trials are followed.
    method : {"combescure", "pointwise"}
    ci : {"t", "z"}
        Reference distribution of the mean's band with ``combescure``: t with k - 1 degrees of
        freedom (k trials) or normal, as in the paper. The new trial's band has t with k - 2.
    level : float

    Returns
    -------
    PooledCurve

    Raises
    ------
    DataError
        For fewer than two trials, or times beyond the follow-up of all but one.

    References
    ----------
    Combescure C, Foucher Y, Jackson D (2014). Meta-analysis of single-arm survival studies: a
    distribution-free approach for estimating summary survival curves with random effects.
    Stat Med 33:2521-2537. doi:10.1002/sim.6111

    Jackson D, White IR, Thompson SG (2010). Extending DerSimonian and Laird's methodology to
    perform multivariate random effects meta-analyses. Stat Med 29:1282-1297.
    doi:10.1002/sim.3602

    Examples
    --------
    >>> from metablin.survival import kaplan_meier
    >>> t, e = [2, 4, 5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 1, 0, 0]
    >>> found = pool_curves({"a": kaplan_meier(t, e), "b": kaplan_meier(t, e)}, times=[6, 12])
    >>> bool((found.i2 == 0).all())
    True
    """
    _input.choice("method", method, METHODS)
    _input.choice("ci", ci, CIS)
    confidence = _input.level(level)
    if len(curves) < 2:
        raise DataError(f"{len(curves)} trial", column="curves", allowed="two or more")
    trials = tuple(curves.values())
    grid = _grid(trials) if times is None else _checked(times, trials)
    if method == "pointwise":
        return _pointwise(trials, tuple(curves), grid, confidence)
    return _combescure(trials, tuple(curves), grid, ci, confidence)


def _last(curve: KMCurve) -> float:
    """Return the time up to which a curve is known; infinite when it has reached 0."""
    return np.inf if curve.survival[-1] == 0.0 else float(curve.time[-1])


def _grid(trials: tuple[KMCurve, ...]) -> FloatArray:
    reach = np.sort([_last(c) for c in trials])[-FEWEST]
    every = np.concatenate([np.repeat(c.time, c.n_event.astype(int)) for c in trials])
    every = every[every <= reach]
    if every.size < FEWEST:
        raise DataError("too few events to place times", column="times", allowed="give times")
    grid = np.unique(np.quantile(every, np.linspace(0.0, 1.0, INTERVALS + 1)[1:]))
    return np.asarray(grid[grid > 0.0])


def _checked(times: ArrayLike, trials: tuple[KMCurve, ...]) -> FloatArray:
    grid = np.unique(_input.numeric("times", times, above=0.0))
    reach = np.sort([_last(c) for c in trials])[-FEWEST]
    for t in grid:
        if t > reach:
            raise DataError(
                "fewer than two trials are followed that far",
                column="times",
                value=f"{t:g}",
                allowed=f"at most {reach:g}",
            )
    return grid


def conditional_survival(curve: KMCurve, grid: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return survival of each interval given its start, and the number it rests on, (g,) each.

    The number is those at risk at the start less half of those censored within (the actuarial
    convention); NaN and 0 where the trial is not followed or nobody is left.
    """
    edges = np.r_[0.0, grid]
    index = np.searchsorted(curve.time, edges, side="right")
    s = np.r_[1.0, curve.survival][index]
    gone_events = np.r_[0.0, np.cumsum(curve.n_event)][index]
    gone_censored = np.r_[0.0, np.cumsum(curve.n_censored)][index]
    start = curve.n - gone_events[:-1] - gone_censored[:-1]
    n = start - 0.5 * np.diff(gone_censored)
    use = (grid <= _last(curve)) & (s[:-1] > 0.0) & (n > 0.0)
    p = np.divide(s[1:], s[:-1], out=np.full(grid.size, np.nan), where=use)
    return p, np.where(use, n, 0.0)


def _combescure(
    trials: tuple[KMCurve, ...], names: tuple[str, ...], grid: FloatArray, ci: str, level: float
) -> PooledCurve:
    parts = [conditional_survival(c, grid) for c in trials]
    p, n = np.array([a for a, _ in parts]), np.array([b for _, b in parts])
    seen = n > 0.0
    y = np.arcsin(np.sqrt((n * np.where(seen, p, 0.5) + 0.25) / (n + 0.5)))
    v = 1.0 / (4.0 * (n + 0.5))
    k = seen.sum(axis=0)
    if np.any(k < FEWEST):
        bad = grid[np.flatnonzero(k < FEWEST)[0]]
        raise DataError(
            "fewer than two trials have patients left", column="times", value=f"{bad:g}"
        )
    between = between_covariance(y, v, seen)
    beta, covariance = _generalised_mean(y, v, seen, between)
    angle = np.minimum(beta, 0.5 * np.pi - 1e-9)
    log_s = np.cumsum(2.0 * np.log(np.sin(angle)))
    slope = np.tril(np.broadcast_to(2.0 / np.tan(angle), (grid.size, grid.size)))
    variance = np.einsum("ij,jk,ik->i", slope, covariance, slope)
    spread = variance + np.einsum("ij,jk,ik->i", slope, between, slope)
    tail = 0.5 + 0.5 * level
    trials_at = k.astype(np.float64)
    quantile = stats.t.ppf(tail, trials_at - 1.0) if ci == "t" else special.ndtri(tail)
    low, high = _band(log_s, np.sqrt(variance), np.asarray(quantile) * np.ones(grid.size))
    wide = np.where(k > 2, stats.t.ppf(tail, np.maximum(trials_at - 2.0, 1.0)), np.nan)
    pred_low, pred_high = _band(log_s, np.sqrt(spread), wide)
    return PooledCurve(
        time=grid,
        survival=np.exp(log_s),
        conf_low=low,
        conf_high=high,
        pred_low=pred_low,
        pred_high=pred_high,
        i2=_i2(y, v, seen),
        k=k,
        studies=names,
        method="combescure",
        level=level,
    )


def _band(log_s: FloatArray, se: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return limits of S formed on the log(-log) scale, made monotone."""
    hazard = np.maximum(-log_s, 1e-12)
    width = q * se / hazard
    low, high = np.exp(-hazard * np.exp(width)), np.exp(-hazard * np.exp(-width))
    return np.minimum.accumulate(low), np.minimum.accumulate(high)


def between_covariance(y: FloatArray, v: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return the between-trial covariance by the multivariate method of moments, (g, g).

    Jackson, White and Thompson (2010), with within-trial covariances zero: intervals of one trial
    are conditionally independent. Negative eigenvalues are set to zero.

    Parameters
    ----------
    y, v : ndarray, shape (k, g)
        Effects and variances.
    seen : ndarray of bool, shape (k, g)
    """
    root = np.where(seen, 1.0 / np.sqrt(v), 0.0)
    # w[j, l, i]: weight of trial i in the pair (j, l); zero where it lacks either.
    w = root.T[:, None, :] * root.T[None, :, :]
    total = w.sum(axis=2)
    enough = (w > 0).sum(axis=2) > 1
    safe = np.where(total > 0, total, 1.0)
    filled = np.where(seen, y, 0.0).T
    mean_first = np.einsum("jli,ji->jl", w, filled) / safe
    mean_second = np.einsum("jli,li->jl", w, filled) / safe
    q = np.einsum("jli,ji,li->jl", w, filled, filled) - total * mean_first * mean_second
    sampling = np.diag(seen.sum(axis=0) - 1.0)
    scale = total - (w**2).sum(axis=2) / safe
    raw = np.where(enough, (q - sampling) / np.where(scale > 0, scale, 1.0), 0.0)
    values, vectors = np.linalg.eigh(0.5 * (raw + raw.T))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _generalised_mean(
    y: FloatArray, v: FloatArray, seen: NDArray[np.bool_], between: FloatArray
) -> tuple[FloatArray, FloatArray]:
    g = y.shape[1]
    information, weighted = np.zeros((g, g)), np.zeros(g)
    for row, variance, use in zip(y, v, seen, strict=True):
        pick = np.flatnonzero(use)
        inverse = np.linalg.inv(between[np.ix_(pick, pick)] + np.diag(variance[pick]))
        information[np.ix_(pick, pick)] += inverse
        weighted[pick] += inverse @ row[pick]
    covariance = np.linalg.inv(information)
    return np.asarray(covariance @ weighted), np.asarray(covariance, dtype=np.float64)


def _i2(y: FloatArray, v: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return I2 of all intervals up to each time, from the multivariate Q."""
    w = np.where(seen, 1.0 / v, 0.0)
    mean = (w * y).sum(axis=0) / w.sum(axis=0)
    q = np.cumsum((w * (y - mean) ** 2).sum(axis=0))
    df = np.cumsum(seen.sum(axis=0) - 1.0)
    return np.maximum(0.0, 1.0 - df / np.where(q > 0.0, q, np.inf)) * (q > df)


def _pointwise(
    trials: tuple[KMCurve, ...], names: tuple[str, ...], grid: FloatArray, level: float
) -> PooledCurve:
    rows = [c.survival_at(grid) for c in trials]
    s = np.array([r["estimate"].to_numpy() for r in rows])
    se = np.array([r["std_error"].to_numpy() for r in rows])
    with np.errstate(invalid="ignore"):
        use = (s > 0.0) & (s < 1.0) & (se > 0.0)
    inside = np.where(use, s, 0.5)
    yi = np.where(use, np.log(-np.log(inside)), np.nan).T
    vi = np.where(use, (se / (inside * np.log(inside))) ** 2, np.nan).T
    k = use.sum(axis=0)
    if np.any(k < FEWEST):
        bad = grid[np.flatnonzero(k < FEWEST)[0]]
        raise DataError(
            "fewer than two trials have a survival between 0 and 1",
            column="times",
            value=f"{bad:g}",
            allowed="later or earlier times",
        )
    found = pool_many(yi, vi, level=level)

    def back(name: str) -> FloatArray:
        # Survival falls: the running minimum makes the curve monotone.
        return np.minimum.accumulate(np.exp(-np.exp(found[name].to_numpy())))

    return PooledCurve(
        time=grid,
        survival=back("estimate"),
        conf_low=back("conf_high"),
        conf_high=back("conf_low"),
        pred_low=back("pred_high"),
        pred_high=back("pred_low"),
        i2=found["i2"].to_numpy(),
        k=k,
        studies=names,
        method="pointwise",
        level=level,
    )
