"""Does the effect on MRD foretell the effect on survival? Trial-level surrogacy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from metablin._input import choice, numeric, one
from metablin._input import seed as check_seed
from metablin.effects import generic
from metablin.errors import ConvergenceError, DataError
from metablin.meta import pool
from metablin.mrd._errors_in_variables import Line, fit_line, slope_interval
from metablin.mrd._pairs import Pairs, trial_pairs
from metablin.numerics.inference import critical
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["Association", "Surrogacy", "surrogacy"]

FloatArray = NDArray[np.float64]

METHODS = ("weighted", "daniels-hughes")
FEWEST = 3
"""A line through two points always fits; three trials are the fewest that can disagree with it."""

COARSE = 1e-4
"""Tolerance of the fits inside the bootstrap, far below its Monte Carlo error."""

SEARCH = 100.0
"""How far, in multiples of the largest effect seen, the threshold is looked for."""


@dataclass(frozen=True, slots=True)
class Association:
    """The line of one method.

    Attributes
    ----------
    method : str
    intercept, slope, slope_low, slope_high : float
        Effect on survival at no effect on the marker, and per unit of it.
    tau2 : float
        Variance of the survival effects around the line (residual variance of the weighted
        regression; between-trial variance of Daniels and Hughes).
    r2, r2_low, r2_high : float
        Share of the variance between trials that the line explains.
    threshold : float
        Surrogate threshold effect; infinite when no effect on the marker suffices.
    cov : ndarray, shape (2, 2)
        Covariance of intercept and slope.
    """

    method: str
    intercept: float
    slope: float
    slope_low: float
    slope_high: float
    tau2: float
    r2: float
    r2_low: float
    r2_high: float
    threshold: float
    cov: FloatArray

    def predict(self, x: ArrayLike, crit: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the predicted effect of new trials with its prediction limits, each (m,)."""
        at = np.atleast_1d(np.asarray(x, dtype=np.float64))
        y = self.intercept + self.slope * at
        var = self.cov[0, 0] + 2 * at * self.cov[0, 1] + at**2 * self.cov[1, 1] + self.tau2
        half = crit * np.sqrt(np.maximum(var, 0.0))
        return y, y - half, y + half


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Surrogacy(Record):
    """Trial-level association of two treatment effects.

    Attributes
    ----------
    pairs : Pairs
        The trials' effects ``x`` and ``y`` with variances ``vx`` and ``vy``, shape (k,) each, their
        ``correlation``, ``studies`` and confidence ``level``.
    weighted, daniels_hughes : Association
    """

    pairs: Pairs
    weighted: Association
    daniels_hughes: Association

    @property
    def k(self) -> int:
        """Number of trials."""
        return self.pairs.k

    @property
    def critical(self) -> float:
        """Critical value of predictions: t with k - 2 degrees of freedom."""
        return _critical(self.pairs)

    def association(self, method: str) -> Association:
        """Return the line of a method."""
        method = choice("method", method, METHODS)
        return self.weighted if method == "weighted" else self.daniels_hughes

    def predict(self, x: ArrayLike, method: str = "daniels-hughes") -> pd.DataFrame:
        """Return predicted effects on the true endpoint of new trials.

        Parameters
        ----------
        x : array-like, shape (m,)
            Effects on the marker, taken as known.
        method : {"daniels-hughes", "weighted"}
        """
        at = numeric("x", x)
        y, low, high = self.association(method).predict(at, self.critical)
        return pd.DataFrame({"x": at, "estimate": y, "pred_low": low, "pred_high": high})

    def leave_one_out(self, method: str = "daniels-hughes") -> pd.DataFrame:
        """Predict every trial from the others; ``inside`` says whether its effect was foreseen.

        The limits allow for the line's uncertainty, the scatter around it and the error of both
        estimates of the trial left out.

        Raises
        ------
        DataError
            With fewer than four trials: three would leave two to draw a line through.
        """
        method = choice("method", method, METHODS)
        if self.k <= FEWEST:
            raise DataError("too few trials to leave one out", column="k", value=self.k,
                            allowed=f"at least {FEWEST + 1}")  # fmt: skip
        p = self.pairs
        crit = float(critical(p.level, self.k - 3))
        rows = []
        for i, study in enumerate(p.studies):
            line = _line(method, p.take(np.arange(self.k) != i))
            b = line.beta
            at = np.array([1.0, p.x[i]])
            var = float(at @ line.cov @ at) + line.tau2 + p.vy[i]
            if method == "daniels-hughes":
                var += b**2 * p.vx[i] - 2 * b * p.cxy[i]
            predicted = line.alpha + b * p.x[i]
            half = crit * var**0.5
            rows.append((study, p.x[i], p.y[i], predicted, predicted - half,
                         predicted + half, abs(p.y[i] - predicted) <= half))  # fmt: skip
        columns = ["study", "x", "observed", "predicted", "pred_low", "pred_high", "inside"]
        return pd.DataFrame(rows, columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a method."""
        names = [n for n in Association.__slots__ if n != "cov"]
        return pd.DataFrame(
            [{n: getattr(a, n) for n in names} for a in (self.weighted, self.daniels_hughes)]
        ).assign(k=self.k, conf_level=self.pairs.level)

    def to_dict(self) -> dict[str, Any]:
        """Return trials and lines as JSON-ready Python types."""
        p = self.pairs
        trials = pd.DataFrame(
            {"study": list(p.studies), "x": p.x, "vx": p.vx, "y": p.y, "vy": p.vy}
        )
        return json_dict({"k": self.k, "correlation": p.correlation,
                                        "trials": trials, "lines": self.to_frame()})  # fmt: skip


def surrogacy(
    x: ArrayLike,
    vx: ArrayLike,
    y: ArrayLike,
    vy: ArrayLike,
    *,
    studies: Iterable[Any] | None = None,
    correlation: ArrayLike = 0.0,
    level: float = 0.95,
    draws: int = 300,
    seed: int = 1,
) -> Surrogacy:
    """Relate treatment effects on a marker to treatment effects on the true endpoint.

    Two lines are fitted: a regression of y on x weighted by ``1 / vy``, which takes x as known,
    and the errors-in-variables model of Daniels and Hughes by maximum likelihood, with a profile
    likelihood interval of the slope.

    Parameters
    ----------
    x, vx : array-like, shape (k,)
        Effects on the marker and variances (of log odds ratios, say).
    y, vy : array-like, shape (k,)
        Effects on the true endpoint and variances (of log hazard ratios).
    studies : iterable of str, optional
        Labels.
    correlation : float or array-like, shape (k,)
        Correlation of the two estimates within a trial, one for all or one each; rarely
        reported, so vary it.
    level : float
        Confidence level.
    draws, seed : int
        Parametric bootstrap for the interval of the Daniels-Hughes R2.

    Returns
    -------
    Surrogacy

    Raises
    ------
    DataError
        With fewer than three trials, equal x, a trial named twice, or bad numbers.
    ConvergenceError
        When the likelihood has no finite maximum.

    References
    ----------
    Daniels MJ, Hughes MD (1997). Meta-analysis for the evaluation of potential surrogate markers.
    Stat Med 16:1965-1982. doi:10.1002/(SICI)1097-0258(19970915)16:17<1965::AID-SIM630>3.0.CO;2-M

    Burzykowski T, Buyse M (2006). Surrogate threshold effect. Pharm Stat 5:173-186.
    doi:10.1002/pst.207

    Examples
    --------
    >>> found = surrogacy([0.2, 0.9, 1.5, 2.1], [0.05] * 4, [-0.1, -0.4, -0.8, -1.0], [0.03] * 4,
    ...                   draws=20)
    >>> round(found.weighted.slope, 3), round(found.daniels_hughes.slope, 3)
    (-0.492, -0.449)
    """
    data = trial_pairs(x, vx, y, vy, studies, correlation, level, FEWEST)
    count = int(one("draws", draws, minimum=2, integer=True))
    seed = check_seed(seed)
    crit = _critical(data)
    return Surrogacy(
        data,
        weighted=_weighted(data, crit),
        daniels_hughes=_daniels_hughes(data, crit, count, seed),
    )


def _critical(p: Pairs) -> float:
    return float(critical(p.level, p.k - 2))


def _weighted_line(p: Pairs) -> tuple[Line, float]:
    """Return the weighted least-squares line, its residual variance, and R2."""
    x, y, w = p.x, p.y, 1 / p.vy
    design = np.column_stack([np.ones_like(x), x])
    bread = np.linalg.inv(design.T @ (w[:, None] * design))
    a, b = bread @ (design.T @ (w * y))
    e = y - a - b * x
    rss = float((w * e**2).sum())
    mean = (w * y).sum() / w.sum()
    tss = float((w * (y - mean) ** 2).sum())
    dispersion = rss / (len(x) - 2) if len(x) > 2 else 0.0
    # scatter of a trial of typical size, so that predictions and lines share one scale
    tau2 = dispersion * len(x) / float(w.sum())
    cov = np.asarray(dispersion * bread, dtype=np.float64)
    return Line(float(a), float(b), tau2, cov, rss), 1 - rss / tss if tss else 1.0


def _weighted(p: Pairs, crit: float) -> Association:
    line, r2 = _weighted_line(p)
    half = crit * line.cov[1, 1] ** 0.5
    low, high = _fisher(r2, p.k, p.level)
    return Association("weighted", line.alpha, line.beta, line.beta - half, line.beta + half,
                       line.tau2, r2, low, high, _threshold(line, crit, p.x), line.cov)  # fmt: skip


def _fisher(r2: float, k: int, level: float) -> tuple[float, float]:
    """Return limits of R2 by Fisher's z of its root; three trials say nothing."""
    if k <= FEWEST:
        return 0.0, 1.0
    if r2 >= 1:
        return 1.0, 1.0
    z = np.arctanh(r2**0.5)
    half = float(critical(level)) / (k - 3) ** 0.5
    low, high = np.tanh(z - half), np.tanh(z + half)
    return (0.0 if low < 0 else float(low**2)), float(max(low**2, high**2))


def _line(method: str, p: Pairs) -> Line:
    return _weighted_line(p)[0] if method == "weighted" else fit_line(*p.data)


def _daniels_hughes(p: Pairs, crit: float, draws: int, seed: int) -> Association:
    line = fit_line(*p.data)
    low, high = slope_interval(line, p.data, p.level)
    fit = pool(generic(p.x, p.vx), ci="z")
    spread = fit.estimate, fit.tau2
    limits = _bootstrap(line, p, spread, draws, seed)
    return Association("daniels-hughes", line.alpha, line.beta, low, high, line.tau2,
                       _r2(line, spread[1]), *limits, _threshold(line, crit, p.x),
                       line.cov)  # fmt: skip


def _r2(line: Line, spread: float) -> float:
    """Return R2 of a line where the true effects on the marker have a variance."""
    explained = line.beta**2 * spread
    total = explained + line.tau2
    return explained / total if total > 0 else 0.0


def _bootstrap(
    line: Line, p: Pairs, spread: tuple[float, float], draws: int, seed: int
) -> tuple[float, float]:
    """Return percentile limits of R2 over data simulated from the fitted model.

    `spread` is mean and variance of the true effects on the marker, by REML here and there.
    """
    vx, vy, rho, cxy = p.vx, p.vy, p.correlation, p.cxy
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        theta = spread[0] + spread[1] ** 0.5 * rng.standard_normal(p.k)
        truth = line.alpha + line.beta * theta + line.tau2**0.5 * rng.standard_normal(p.k)
        u, v = rng.standard_normal((2, p.k))
        xs = theta + vx**0.5 * u
        ys = truth + vy**0.5 * (rho * u + (1 - rho**2) ** 0.5 * v)
        try:
            again = fit_line(xs, vx, ys, vy, cxy, COARSE)
        except ConvergenceError:
            found += [0.0, 1.0]  # no line at all: such data leave R2 anywhere
            continue
        found.append(_r2(again, float(estimate_tau2("REML", xs, vx))))
    low, high = np.quantile(found, [(1 - p.level) / 2, (1 + p.level) / 2])
    return float(low), float(high)


def _threshold(line: Line, crit: float, x: FloatArray) -> float:
    """Return the smallest effect on the marker whose predicted benefit excludes none."""
    if line.beta == 0:
        return np.inf
    sign = -np.sign(line.beta)

    def upper(size: float) -> float:
        at = np.array([1.0, sign * size])
        spread = (float(at @ line.cov @ at) + line.tau2) ** 0.5
        return float(line.alpha + line.beta * sign * size + crit * spread)

    grid = np.linspace(0, SEARCH * float(np.abs(x).max()), 4001)
    below = np.flatnonzero(np.array([upper(g) for g in grid]) < 0)
    if not below.size:
        return np.inf
    i = int(below[0])
    size = 0.0 if i == 0 else float(optimize.brentq(upper, grid[i - 1], grid[i]))
    return float(sign * size)
