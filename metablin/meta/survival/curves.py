"""Pooled survival curves of single arms, with a band for the mean and one for a new trial."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import ConvergenceError, DataError
from metablin.meta.normal.batch import pool_many
from metablin.meta.survival.pooled_curve import PooledCurve, combine_pooled_curves, falling
from metablin.numerics.inference import critical
from metablin.numerics.newton import jacobian
from metablin.survival import KMCurve, ParametricFit, fit_parametric
from metablin.survival.draws import patients_of
from metablin.survival.parametric.families import SIMPLE
from metablin.survival.ties import onto

__all__ = ["PooledCurve", "combine_pooled_curves", "pool_curves"]

FloatArray = NDArray[np.float64]

METHODS = ("combescure", "pointwise", "parametric")
CIS = ("t", "z")

INTERVALS = 8
"""Default number of intervals: the arcsine of a conditional survival needs events to stand on."""

FEWEST = 2
"""Studies that must still be followed at a time."""


def pool_curves(
    curves: Mapping[str, KMCurve],
    times: ArrayLike | None = None,
    *,
    method: str = "combescure",
    family: str = "weibull",
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
    A curve at 1 or 0 counts half an event or half a survivor.

    ``parametric``: a family is fitted to each trial, its parameters are pooled (multivariate
    method of moments with their sampling covariances), and the curve is that of the mean.

    Parameters
    ----------
    curves : mapping of str to KMCurve
        Two or more trials.
    times : array-like, optional
        Increasing positive times; where at least two trials are followed.
    method : {"combescure", "pointwise", "parametric"}
    family : str
        Simple family of the parametric method.
    ci : {"t", "z"}
        Reference distribution of the mean's band (``pointwise`` has its own): t with k - 1
        degrees of freedom (k trials) or normal, as in the paper. The new trial's band has t with
        k - 2.
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
    method = _input.choice("method", method, METHODS)
    ci = _input.choice("ci", ci, CIS)
    confidence = _input.level(level)
    if len(curves) < 2:
        raise DataError(f"{len(curves)} trial", column="curves", allowed="two or more")
    for name, curve in curves.items():
        if not isinstance(curve, KMCurve):
            kind = type(curve).__name__
            raise DataError("not a curve", study=str(name), value=kind, allowed="a KMCurve")
    trials = tuple(curves.values())
    grid = _grid(trials) if times is None else _checked(times, trials)
    if method == "pointwise":
        return _pointwise(trials, tuple(curves), grid, confidence)
    if method == "parametric":
        return _parametric(trials, tuple(curves), grid, family, ci, confidence)
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
    if grid.size == 0:
        raise DataError("no times", column="times", allowed="one or more")
    reach = np.sort([_last(c) for c in trials])[-FEWEST]
    for t in grid:
        if onto(np.array(t), np.array([reach])) > reach:
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
    index = np.searchsorted(curve.time, onto(edges, curve.time), side="right")
    s = np.r_[1.0, curve.survival][index]
    gone_events = np.r_[0.0, np.cumsum(curve.n_event)][index]
    gone_censored = np.r_[0.0, np.cumsum(curve.n_censored)][index]
    start = curve.n - gone_events[:-1] - gone_censored[:-1]
    n = start - 0.5 * np.diff(gone_censored)
    use = (onto(grid, curve.time) <= _last(curve)) & (s[:-1] > 0.0) & (n > 0.0)
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
    within = v[:, :, None] * np.eye(grid.size)
    between = between_covariance(y, within, seen)
    beta, covariance = _generalised_mean(y, within, seen, between)
    angle = np.minimum(beta, 0.5 * np.pi - 1e-9)
    log_s = np.cumsum(2.0 * np.log(np.sin(angle)))
    slope = np.tril(np.broadcast_to(2.0 / np.tan(angle), (grid.size, grid.size)))
    variance = np.einsum("ij,jk,ik->i", slope, covariance, slope)
    spread = variance + np.einsum("ij,jk,ik->i", slope, between, slope)
    return _assemble(
        grid, log_s, np.sqrt(variance), np.sqrt(spread), k, ci, level, names, "combescure",
        _i2(y, v, seen),
    )  # fmt: skip


def _assemble(
    grid: FloatArray,
    log_s: FloatArray,
    se: FloatArray,
    spread: FloatArray,
    k: NDArray[np.intp],
    ci: str,
    level: float,
    names: tuple[str, ...],
    method: str,
    i2: FloatArray,
) -> PooledCurve:
    """Put bands round a curve from the errors of log S for the mean and for a new trial."""
    of_t = np.where(k > 1, critical(level, np.maximum(k - 1, 1)), np.nan)
    low, high = _band(log_s, se, of_t if ci == "t" else np.full(grid.size, critical(level)))
    wide = np.where(k > 2, critical(level, np.maximum(k - 2, 1)), np.nan)
    pred_low, pred_high = _band(log_s, spread, wide)
    return PooledCurve(
        time=grid,
        survival=np.exp(log_s),
        conf_low=low,
        conf_high=high,
        pred_low=pred_low,
        pred_high=pred_high,
        std_error=se / np.maximum(-log_s, 1e-12),
        i2=i2,
        k=k,
        studies=names,
        method=method,
        level=level,
    )


def _parametric(
    trials: tuple[KMCurve, ...],
    names: tuple[str, ...],
    grid: FloatArray,
    family: str,
    ci: str,
    level: float,
) -> PooledCurve:
    """Pool the parameters of a family, trial by trial, and draw the curve of their mean."""
    fits = [_fit(name, c, family, level) for name, c in zip(names, trials, strict=True)]
    y = np.array([f.theta for f in fits])
    within = np.array([f.covariance for f in fits])
    seen = np.ones(y.shape, dtype=bool)
    between = between_covariance(y, within, seen)
    beta, covariance = _generalised_mean(y, within, seen, between)
    law = fits[0].family

    def log_s(theta: FloatArray) -> FloatArray:
        return law.log_survival(theta[:, :, None], grid)

    slope = jacobian(log_s, beta, fits[0].scale).T
    variance = np.einsum("gi,ij,gj->g", slope, covariance, slope)
    spread = variance + np.einsum("gi,ij,gj->g", slope, between, slope)
    k = np.full(grid.size, len(trials), dtype=np.intp)
    # The share of what a typical trial's own curve varies by.
    typical = np.einsum("gi,ij,gj->g", slope, np.median(within, axis=0), slope)
    i2 = (spread - variance) / np.maximum(spread - variance + typical, 1e-300)
    return _assemble(
        grid, log_s(beta[:, None])[0], np.sqrt(variance), np.sqrt(spread), k, ci, level, names,
        f"parametric, {family}", i2,
    )  # fmt: skip


def _fit(name: str, curve: KMCurve, family: str, level: float) -> ParametricFit:
    if family not in SIMPLE:
        raise DataError(
            "its parameters mean the same in every trial only for simple families",
            column="family",
            value=repr(family),
            allowed=" | ".join(SIMPLE),
        )
    p = patients_of(curve)
    try:
        return fit_parametric(p.time, p.event, family, weights=p.w, level=level)
    except (ConvergenceError, DataError) as error:
        raise DataError(f"the {family} model cannot be fitted: {error}", study=name) from error


def _band(log_s: FloatArray, se: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return limits of S formed on the log(-log) scale, made monotone."""
    hazard = np.maximum(-log_s, 1e-12)
    width = q * se / hazard
    low, high = np.exp(-hazard * np.exp(width)), np.exp(-hazard * np.exp(-width))
    return falling(np.exp(log_s), low, high)


def between_covariance(y: FloatArray, within: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """Return the between-trial covariance by the multivariate method of moments, (g, g).

    Jackson, White and Thompson (2010): for each pair of outcomes, Cochran's Q with the geometric
    mean of the two precisions as weight. Negative eigenvalues are set to zero.

    Parameters
    ----------
    y : ndarray, shape (k, g)
        Effects.
    within : ndarray, shape (k, g, g)
        Their sampling covariances.
    seen : ndarray of bool, shape (k, g)
    """
    variance = np.einsum("kjj->kj", within)
    root = np.where(seen, 1.0 / np.sqrt(np.where(seen, variance, 1.0)), 0.0)
    # w[j, l, i]: weight of trial i in the pair (j, l); zero where it lacks either.
    w = root.T[:, None, :] * root.T[None, :, :]
    total = w.sum(axis=2)
    enough = (w > 0).sum(axis=2) > 1
    safe = np.where(total > 0, total, 1.0)
    filled = np.where(seen, y, 0.0).T
    mean_first = np.einsum("jli,ji->jl", w, filled) / safe
    mean_second = np.einsum("jli,li->jl", w, filled) / safe
    q = np.einsum("jli,ji,li->jl", w, filled, filled) - total * mean_first * mean_second
    error = np.where(w > 0, np.moveaxis(within, 0, 2), 0.0)
    sampling = (w * error).sum(axis=2) - (w**2 * error).sum(axis=2) / safe
    scale = total - (w**2).sum(axis=2) / safe
    raw = np.where(enough, (q - sampling) / np.where(scale > 0, scale, 1.0), 0.0)
    values, vectors = np.linalg.eigh(0.5 * (raw + raw.T))
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _generalised_mean(
    y: FloatArray, within: FloatArray, seen: NDArray[np.bool_], between: FloatArray
) -> tuple[FloatArray, FloatArray]:
    g = y.shape[1]
    information, weighted = np.zeros((g, g)), np.zeros(g)
    for row, error, use in zip(y, within, seen, strict=True):
        pick = np.flatnonzero(use)
        inverse = np.linalg.inv((between + error)[np.ix_(pick, pick)])
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


def log_cumulative_hazard(curve: KMCurve, grid: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log(-log S) and its variance at the times, (g,) each; NaN beyond follow-up.

    A curve still at 1 counts half an event among those at risk, one that reached 0 half a
    survivor of its last event: to leave such curves out would take the best early and the worst
    late ones away.
    """
    s, se, _, _ = curve.values_at(grid)
    log_s, spread = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
    inside = (s > 0.0) & (s < 1.0)
    log_s[inside], spread[inside] = np.log(s[inside]), (se[inside] / s[inside]) ** 2
    for i in np.flatnonzero(s == 1.0):
        n = float(curve.at_risk(grid[i : i + 1])["n_risk"].iloc[0])
        log_s[i], spread[i] = _half(n, n)
    if np.any(s == 0.0):
        end = int(np.flatnonzero(curve.survival == 0.0)[0])
        before = _before(curve, end)
        last = _half(float(curve.n_risk[end]), 0.0)
        log_s[s == 0.0], spread[s == 0.0] = before[0] + last[0], before[1] + last[1]
    return np.log(-log_s), spread / log_s**2


def _before(curve: KMCurve, i: int) -> tuple[float, float]:
    """Return log S and its variance just before the i-th time of a curve."""
    if i == 0:
        return 0.0, 0.0
    s = float(curve.survival[i - 1])
    return float(np.log(s)), float(curve.std_error[i - 1] / s) ** 2


def _half(n: float, survivors: float) -> tuple[float, float]:
    """Return log of (survivors + 1/2) / (n + 1) and its Greenwood variance."""
    stay = survivors + 0.5
    return float(np.log(stay / (n + 1.0))), (n + 1.0 - stay) / ((n + 1.0) * stay)


def _pointwise(
    trials: tuple[KMCurve, ...], names: tuple[str, ...], grid: FloatArray, level: float
) -> PooledCurve:
    parts = [log_cumulative_hazard(c, grid) for c in trials]
    yi, vi = np.array([y for y, _ in parts]).T, np.array([v for _, v in parts]).T
    k = np.isfinite(yi).sum(axis=1)
    found = pool_many(yi, vi, level=level)

    def back(name: str) -> FloatArray:
        return np.asarray(np.exp(-np.exp(found[name].to_numpy())))

    # Survival falls: the running minimum makes the curve monotone.
    survival = np.minimum.accumulate(back("estimate"))
    low, high = falling(survival, back("conf_high"), back("conf_low"))
    pred_low, pred_high = falling(survival, back("pred_high"), back("pred_low"))
    return PooledCurve(
        time=grid,
        survival=survival,
        conf_low=low,
        conf_high=high,
        pred_low=pred_low,
        pred_high=pred_high,
        std_error=found["std_error"].to_numpy(),
        i2=found["i2"].to_numpy(),
        k=k,
        studies=names,
        method="pointwise",
        level=level,
    )
