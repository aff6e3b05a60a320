"""Selection models whose chance of publication turns smoothly with the p-value."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_text
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, two_sided
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Row

__all__ = ["SELECTION_FUNCTIONS", "SmoothSelection", "selection_function"]

FloatArray = NDArray[np.float64]

ALTERNATIVES = ("greater", "less")

REACH = 8.5
"""Standard deviations from the mean that the share of studies seen is summed over."""

FINE = 0.25
"""Step of that sum in z values, on which selection turns: the trapezoidal rule of a smooth
integrand is then good to about 14 digits."""

NODES = (120, 20_000)
"""Fewest and most points of the sum."""

STARTS = (0.5, 3.0, 10.0)
"""Values of delta from which the likelihood is climbed."""

BETA_STARTS = ((1.0, 1.0), (0.5, 0.5), (2.0, 2.0))

MOST = 1e3
"""A delta that runs to here has no maximum."""

BETA_MOST = 100.0
"""The same for the beta function, whose powers turn more sharply."""

BETA_EDGE = 1e-5
"""The beta function is level for p-values nearer to 0 or 1 than this, as its authors have it:
it would have no finite integral otherwise."""

BETA_NODES = 120
"""Points of its Gauss-Legendre rule between the edges, about 1e-12 even for delta of 100."""

AT_ZERO = 1e-8
"""A tau2 (in units of the typical variance) or delta this small is at the end of its range."""

STEP = 1e-4
"""Step of the differences that give the curvature, on parameters of order one."""

FLAT = 1e-4
"""Largest slope, in units of the standard error, at which a maximum counts as reached."""


def _half_normal(p: FloatArray, delta: float) -> FloatArray:
    return np.asarray(-delta * p**2)


def _exponential(p: FloatArray, delta: float) -> FloatArray:
    return np.asarray(-delta * p)


def _logistic(p: FloatArray, delta: float) -> FloatArray:
    return np.asarray(math.log(2) - np.logaddexp(0.0, delta * p))


SELECTION_FUNCTIONS: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    "half-normal": _half_normal,
    "negative-exponential": _exponential,
    "logistic": _logistic,
}
"""Log chance of being seen from p and delta; 0 at p = 0 or delta = 0."""

FUNCTIONS = (*SELECTION_FUNCTIONS, "beta")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SmoothSelection(Row):
    """A selection model with one parameter of selection, or two of the beta function.

    Attributes
    ----------
    function, alternative : str
    estimate, std_error, p_value, conf_low, conf_high : float
        Corrected mean effect on the analysis scale, normal reference.
    tau2, delta : float
        Between-study variance and strength of selection; 0 is none. Of the beta function the
        first power, 1 is none.
    delta_std_error : float
        NaN at delta = 0.
    log_likelihood : float
    lrt, lrt_p : float
        Likelihood-ratio test of no selection; 1 degree of freedom, beta 2.
    unadjusted, unadjusted_tau2 : float
        Maximum likelihood without selection.
    level : float
    delta2, delta2_std_error : float
        Second power of the beta function, 1 is none; NaN for the functions that have no second.
    """

    function: str
    alternative: str
    estimate: float
    std_error: float
    p_value: float
    conf_low: float
    conf_high: float
    tau2: float
    delta: float
    delta_std_error: float
    log_likelihood: float
    lrt: float
    lrt_p: float
    unadjusted: float
    unadjusted_tau2: float
    level: float
    delta2: float = math.nan
    delta2_std_error: float = math.nan

    def to_frame(self) -> pd.DataFrame:
        """Return one row, with a second delta for the beta function."""
        row = {name: getattr(self, name) for name in self.__slots__
               if self.function == "beta" or not name.startswith("delta2")}  # fmt: skip
        return pd.DataFrame([row]).rename(columns={"level": "conf_level"})

    def summary(self) -> str:
        """Return the model as text for people."""
        second = "" if self.function != "beta" else (
            f" and {self.delta2:.3g} (SE {self.delta2_std_error:.3g})"
        )  # fmt: skip
        return (
            f"Selection ({self.function}, {self.alternative}): delta = {self.delta:.3g} "
            f"(SE {self.delta_std_error:.3g}){second}, LRT = {self.lrt:.3f}, "
            f"p = {p_text(self.lrt_p)}\n"
            f"Effect {self.estimate:.4g} [{100 * self.level:g}% CI {self.conf_low:.4g} to "
            f"{self.conf_high:.4g}], p = {p_text(self.p_value)}; tau2 = {self.tau2:.4g}; "
            f"without selection {self.unadjusted:.4g}, tau2 = {self.unadjusted_tau2:.4g}"
        )


def selection_function(
    e: EffectSizes | MetaFit,
    function: str = "negative-exponential",
    alternative: str = "greater",
    level: float = 0.95,
) -> SmoothSelection:
    """Fit a random-effects model whose studies are seen the less, the larger their p-value.

    The beta function may also turn upwards.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least four studies, five for ``beta``.
    function : {"negative-exponential", "half-normal", "logistic", "beta"}
        Chance of being seen, relative to p = 0: exp(-delta p), exp(-delta p^2) or
        2 / (1 + exp(delta p)); for ``beta`` up to a factor p^(delta - 1) (1 - p)^(delta2 - 1),
        with p kept between 1e-5 and 1 - 1e-5.
    alternative : {"greater", "less"}
        Direction of the one-sided p-values; ``less`` is usual for log hazard ratios.
    level : float

    Returns
    -------
    SmoothSelection

    Raises
    ------
    DataError
        For fewer than four studies, or five for ``beta``.
    ConvergenceError
        When the likelihood keeps rising with delta.

    References
    ----------
    Preston C, Ashby D, Smyth R (2004). Adjusting for publication bias: modelling the selection
    process. doi:10.1111/j.1365-2753.2003.00457.x
    Citkowicz M, Vevea JL (2017). A parsimonious weight function for modeling publication bias
    (beta). doi:10.1037/met0000119

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.5, 0.7, 0.3, 0.9, 0.2, 0.8], [0.04, 0.09, 0.02, 0.16, 0.03, 0.12])
    >>> m = selection_function(e)
    >>> m.estimate < m.unadjusted, m.delta > 0
    (True, True)
    """
    function = choice("function", function, FUNCTIONS)
    alternative, level = choice("alternative", alternative, ALTERNATIVES), check_level(level)
    e = effects_of(e)
    beta = function == "beta"
    if e.k < 4 + beta:
        raise DataError(f"too few studies for {'four' if beta else 'three'} parameters",
                        value=f"k = {e.k}", allowed=f"at least {4 + beta}")  # fmt: skip
    sign, scale = (1.0 if alternative == "greater" else -1.0), math.sqrt(float(np.mean(e.vi)))
    tau2 = float(estimate_tau2("ML", e.yi, e.vi))
    mean = float(gls(e.yi, 1 / (e.vi + tau2)).beta[0])
    start = np.array([sign * mean / scale, tau2 / scale**2])

    def value(x: FloatArray) -> float:
        y, v = sign * e.yi / scale, e.vi / scale**2
        return _log_likelihood_beta(y, v, x) if beta else _log_likelihood(y, v, function, x)

    starts = BETA_STARTS if beta else tuple((one,) for one in STARTS)
    at = _maximum(value, start, starts, BETA_MOST if beta else MOST)
    se = _std_errors(value, at)
    lift = e.k * math.log(scale)
    lrt = max(0.0, 2 * (value(at) - value(np.append(start, [1.0, 1.0] if beta else 0.0))))
    estimate, half = sign * float(at[0]) * scale, float(critical(level, math.inf)) * se[0] * scale
    return SmoothSelection(
        function, alternative, estimate, se[0] * scale,
        float(two_sided(at[0] / se[0], math.inf)), estimate - half, estimate + half,
        float(at[1]) * scale**2, float(at[2]), se[2], value(at) - lift, lrt,
        float(chi2_tail(lrt, 1 + beta)), mean, tau2, level,
        *((float(at[3]), se[3]) if beta else ()),
    )  # fmt: skip


def _log_likelihood(y: FloatArray, v: FloatArray, function: str, x: FloatArray) -> float:
    mu, tau2, delta = (float(one) for one in x)
    weight, spread = SELECTION_FUNCTIONS[function], np.sqrt(v + tau2)
    points = math.ceil(2 * REACH * float((spread / np.sqrt(v)).max()) / FINE)
    nodes, step = np.linspace(-REACH, REACH, min(max(points, NODES[0]), NODES[1]), retstep=True)
    rule = step * np.exp(-(nodes**2) / 2)
    z = y / np.sqrt(v)
    drawn = (mu + spread[:, None] * nodes) / np.sqrt(v)[:, None]
    seen = np.exp(weight(special.ndtr(-drawn), delta)) @ rule
    density = -np.log(2 * math.pi) / 2 - np.log(spread) - ((y - mu) / spread) ** 2 / 2
    here = weight(special.ndtr(-z), delta)
    return float((density + here - np.log(seen / math.sqrt(2 * math.pi))).sum())


def _log_likelihood_beta(y: FloatArray, v: FloatArray, x: FloatArray) -> float:
    """Sum the chance between the edges on fixed z values, beyond them in closed form."""
    mu, tau2 = float(x[0]), float(x[1])
    nodes, rule, logs = _beta_rule()
    se, spread, edge = np.sqrt(v), np.sqrt(v + tau2), nodes[-1]
    level = (x[2:] - 1) @ logs
    peak = float(level.max())
    chance = np.exp(level - peak)
    inside = np.exp(-(((nodes[1:-1] * se[:, None] - mu) / spread[:, None]) ** 2) / 2)
    seen = se / spread / math.sqrt(2 * math.pi) * (inside @ (rule * chance[1:-1]))
    seen += chance[0] * special.ndtr((-edge * se - mu) / spread)
    seen += chance[-1] * special.ndtr((mu - edge * se) / spread)
    density = -np.log(2 * math.pi) / 2 - np.log(spread) - ((y - mu) / spread) ** 2 / 2
    here = (x[2:] - 1) @ _log_tails(np.clip(y / se, -edge, edge))
    return float((density + here - peak - np.log(seen)).sum())


def _log_tails(z: FloatArray) -> FloatArray:
    """Return log p and log (1 - p), shape (2, k)."""
    return np.stack([special.log_ndtr(-z), special.log_ndtr(z)])


@functools.cache
def _beta_rule() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return z values from edge to edge, the weights of the inner ones, and the log tails."""
    edge = -float(special.ndtri(BETA_EDGE))
    nodes, rule = np.polynomial.legendre.leggauss(BETA_NODES)
    z = np.concatenate([[-edge], edge * nodes, [edge]])
    return z, edge * rule, _log_tails(z)


def _maximum(
    value: Callable[[FloatArray], float],
    start: FloatArray,
    starts: Sequence[Sequence[float]],
    most: float,
) -> FloatArray:
    found = [
        optimize.minimize(
            lambda x: -value(x), np.append(start, delta), method="L-BFGS-B",
            bounds=[(None, None), (0, None), *[(0, most)] * len(delta)],
            options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 500},
        )
        for delta in starts
    ]  # fmt: skip
    x = np.asarray(min(found, key=lambda r: float(r.fun)).x, dtype=np.float64)
    if x[2:].max() > 0.99 * most:
        raise ConvergenceError("the likelihood keeps rising as selection grows without end")
    free = _free(x)
    for _ in range(3):
        slope, bend = _curvature(value, x, free)
        x[free] += np.linalg.solve(-bend, slope)
    slope, bend = _curvature(value, x, free)
    if not float(slope @ np.linalg.solve(-bend, slope)) <= FLAT**2 or (x[1:] < 0).any():
        raise ConvergenceError("the likelihood of the selection model was not maximised")
    return x


def _free(x: FloatArray) -> NDArray[np.intp]:
    """Return the parameters that are not at the end of their range, which are fixed there."""
    ends = np.append(False, x[1:] <= AT_ZERO)
    x[ends] = 0.0
    return np.flatnonzero(~ends)


def _curvature(
    value: Callable[[FloatArray], float], x: FloatArray, free: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Return slope and Hessian by central differences."""
    m = len(free)
    h = np.zeros((m, len(x)))
    h[np.arange(m), free] = [min(STEP * max(1.0, abs(x[i])), abs(x[i]) / 2) if i else STEP
                             for i in free]  # fmt: skip
    size, middle = h.sum(axis=1), value(x)
    up, down = np.array([value(x + s) for s in h]), np.array([value(x - s) for s in h])
    bend = np.diag((up - 2 * middle + down) / size**2)
    for i in range(m):
        for j in range(i):
            cross = (value(x + h[i] + h[j]) - value(x + h[i] - h[j])
                     - value(x - h[i] + h[j]) + value(x - h[i] - h[j]))  # fmt: skip
            bend[i, j] = bend[j, i] = cross / (4 * size[i] * size[j])
    return (up - down) / (2 * size), bend


def _std_errors(value: Callable[[FloatArray], float], x: FloatArray) -> list[float]:
    free = _free(x)
    out = np.full(len(x), math.nan)
    out[free] = np.sqrt(np.diagonal(np.linalg.inv(-_curvature(value, x, free)[1])))
    return [float(one) for one in out]
