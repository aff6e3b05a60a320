"""A Bayesian average over models with and without an effect, heterogeneity and bias."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import interpolate, optimize, special

from metablin._input import choice, one
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.records import Record, json_dict

__all__ = ["RobustAverage", "robust_average"]

FloatArray = NDArray[np.float64]

ALTERNATIVES = ("greater", "less")

BIASES = {"none": 0.5, "one-sided": 0.125, "two-sided": 0.125, "pet": 0.125, "peese": 0.125}
"""Prior probabilities of the models of bias: none, or in equal parts selection and regression."""

TAU_SCALE = 0.15
"""Of the inverse gamma prior of tau with shape 1, in units of a standardised mean difference."""

PEESE_SCALE = 5.0

NODES = {"mu": 96, "tau": 48, "bias": 32}
COARSE = 40
PASSES = 5
"""Times the box of integration shrinks to where the likelihood is."""

NEGLIGIBLE = 30.0
"""Log-likelihoods this far below the highest do not count."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RobustAverage(Record):
    """A Bayesian model average.

    Attributes
    ----------
    effects : EffectSizes
    models : DataFrame
        One row a model: ``effect, heterogeneity`` (bool), ``bias``, ``prior, posterior``
        (probabilities), ``log_marginal`` and ``mean`` (of mu in that model, analysis scale).
    bf_effect, bf_heterogeneity, bf_bias : float
        Inclusion Bayes factors: posterior over prior odds of the models that have it.
    estimate, cred_low, cred_high : float
        Mean of mu over all models, models without an effect counting as 0, with its central
        interval; analysis scale.
    conditional, conditional_low, conditional_high : float
        The same over the models with an effect.
    level : float
    """

    effects: EffectSizes
    models: pd.DataFrame
    bf_effect: float
    bf_heterogeneity: float
    bf_bias: float
    estimate: float
    cred_low: float
    cred_high: float
    conditional: float
    conditional_low: float
    conditional_high: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a model."""
        return self.models.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the average as JSON-ready Python types."""
        names = [n for n in self.__slots__ if n not in ("effects", "models")]
        return json_dict({**{n: getattr(self, n) for n in names}, "models": self.models})

    def summary(self) -> str:
        """Return the average as text for people."""
        percent = f"{100 * self.level:g}%"
        return (
            f"Model average: {self.estimate:.4g} [{percent} {self.cred_low:.4g} to "
            f"{self.cred_high:.4g}]; given an effect {self.conditional:.4g} [{percent} "
            f"{self.conditional_low:.4g} to {self.conditional_high:.4g}]\n"
            f"Bayes factors: effect {self.bf_effect:.3g}, heterogeneity "
            f"{self.bf_heterogeneity:.3g}, bias {self.bf_bias:.3g}"
        )


def robust_average(
    e: EffectSizes | MetaFit,
    unit: float = 1.0,
    alternative: str = "greater",
    level: float = 0.95,
) -> RobustAverage:
    """Average over models with and without an effect, heterogeneity and publication bias.

    Twenty models: mu 0 or normal(0, 1); tau 0 or inverse gamma(1, 0.15); no bias, selection at
    one-sided p = 0.025 or at two-sided p = 0.05 (relative probability uniform), or a slope on the
    standard error (PET, half-Cauchy(1)) or on its square (PEESE, half-Cauchy(5)). Each of the
    three is in half of the prior. By quadrature: no random numbers.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.
    unit : float
        Size on the analysis scale that the priors take for 1: 1 for standardised mean
        differences; pi / sqrt(3) = 1.81 for log odds ratios, which are that much larger.
    alternative : {"greater", "less"}
        Direction in which significant studies are published more readily.
    level : float

    Returns
    -------
    RobustAverage

    Raises
    ------
    DataError
        For fewer than three studies.

    Notes
    -----
    The ensemble is that of Bartos and others with two of its six selection models.

    References
    ----------
    Maier M, Bartos F, Wagenmakers E-J (2023). Robust Bayesian meta-analysis: addressing
    publication bias with model-averaging. doi:10.1037/met0000405
    Bartos F and others (2023). Robust Bayesian meta-analysis: model-averaging across complementary
    publication bias adjustment methods. doi:10.1002/jrsm.1594

    Examples
    --------
    >>> import metablin as mb
    >>> y, v = [0.9, 0.6, 0.35, 0.2, 0.7], [0.2, 0.1, 0.03, 0.01, 0.12]
    >>> r = mb.robust_average(mb.generic(y, v))
    >>> len(r.models), bool(r.bf_bias > 1)
    (20, True)
    """
    e = effects_of(e)
    level, unit = check_level(level), one("unit", unit, above=0.0)
    sign = 1.0 if choice("alternative", alternative, ALTERNATIVES) == "greater" else -1.0
    if e.k < 3:
        raise DataError("a model average needs three studies", value=f"k = {e.k}")
    y, s = sign * e.yi / unit, np.sqrt(e.vi) / unit
    rows, posteriors = [], []
    for effect in (False, True):
        for spread in (False, True):
            for bias, prior in BIASES.items():
                log, mu, mass = _marginal(y, s, effect, spread, bias)
                posteriors.append((sign * unit * mu, mass))
                rows.append((effect, spread, bias, prior / 4, log, float(posteriors[-1][0] @ mass)))
    table = pd.DataFrame(
        rows, columns=["effect", "heterogeneity", "bias", "prior", "log_marginal", "mean"]
    )
    weight = table["prior"] * np.exp(table["log_marginal"] - table["log_marginal"].max())
    table.insert(4, "posterior", weight / weight.sum())
    p = table["posterior"].to_numpy()
    has = table["effect"].to_numpy()
    reach = float(np.abs(e.yi).max()) + 10 * unit
    given = p * has / p[has].sum()
    means = table["mean"].to_numpy()
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = (_quantile(posteriors, p, q, reach) for q in tails)
    given_low, given_high = (_quantile(posteriors, given, q, reach) for q in tails)
    return RobustAverage(
        e, table, _odds(p, has), _odds(p, table["heterogeneity"].to_numpy()),
        _odds(p, (table["bias"] != "none").to_numpy()), float(p @ means), low, high,
        float(given @ means), given_low, given_high, level,
    )  # fmt: skip


def _odds(p: FloatArray, has: NDArray[np.bool_]) -> float:
    """Return the inclusion Bayes factor; the prior odds are 1."""
    with np.errstate(divide="ignore"):
        return float(p[has].sum() / p[~has].sum())


def _marginal(
    y: FloatArray, s: FloatArray, effect: bool, spread: bool, bias: str
) -> tuple[float, FloatArray, FloatArray]:
    """Return the log marginal likelihood, and nodes and masses of the posterior of mu.

    Every parameter is the quantile of its prior at a number between 0 and 1, so that the marginal
    likelihood is the mean of the likelihood over a cube.
    """
    axes = [n for n, there in (("mu", effect), ("tau", spread), ("bias", bias != "none")) if there]
    box = {name: (0.0, 1.0) for name in axes}

    def height(at: dict[str, FloatArray]) -> FloatArray:
        mu = _clipped(special.ndtri, at["mu"]) if effect else np.zeros(1)
        tau = _clipped(lambda u: -TAU_SCALE / np.log(u), at["tau"]) if spread else np.zeros(1)
        third = at["bias"] if bias != "none" else np.zeros(1)
        return _log_likelihood(y, s, mu, tau, third, bias)

    for _ in range(PASSES if axes else 0):
        at = {n: low + (high - low) * (np.arange(COARSE) + 0.5) / COARSE
              for n, (low, high) in box.items()}  # fmt: skip
        box = _shrunk(box, axes, _shaped(height(at), effect, spread, bias != "none"))
    at, rules = {}, []
    for name in ("mu", "tau", "bias"):
        if name not in box:
            rules.append(np.ones(1))
            continue
        nodes, rule = np.polynomial.legendre.leggauss(NODES[name])
        low, high = box[name]
        at[name] = low + (high - low) * (nodes + 1) / 2
        rules.append(rule * (high - low) / 2)
    logs = height(at)
    top = float(logs.max())
    weights = np.exp(logs - top) * rules[0][:, None, None] * rules[1][:, None] * rules[2]
    total = float(weights.sum())
    mu = _clipped(special.ndtri, at["mu"]) if effect else np.zeros(1)
    return top + math.log(total), mu, weights.sum(axis=(1, 2)) / total


def _clipped(quantile: Callable[[FloatArray], FloatArray], u: FloatArray) -> FloatArray:
    return np.asarray(quantile(np.clip(u, 1e-300, 1 - 1e-16)))


def _shaped(logs: FloatArray, *there: bool) -> FloatArray:
    """Return the array without the axes of parameters that the model lacks."""
    return logs[tuple(slice(None) if x else 0 for x in there)]


def _shrunk(
    box: dict[str, tuple[float, float]], axes: list[str], logs: FloatArray
) -> dict[str, tuple[float, float]]:
    """Return the box cut down to the cells that count, and one more on either side."""
    out = {}
    for i, name in enumerate(axes):
        profile = logs.max(axis=tuple(j for j in range(logs.ndim) if j != i))
        at = np.flatnonzero(profile > profile.max() - NEGLIGIBLE)
        low, high = box[name]
        cell = (high - low) / COARSE
        out[name] = (max(low + (at[0] - 1) * cell, low), min(low + (at[-1] + 2) * cell, high))
    return out


def _log_likelihood(
    y: FloatArray, s: FloatArray, mu: FloatArray, tau: FloatArray, u: FloatArray, bias: str
) -> FloatArray:
    """Return the log-likelihood on the grid (mu, tau, third), constants included."""
    total = s**2 + tau[:, None] ** 2  # (tau, k)
    w = 1 / total
    x = {"pet": s, "peese": s**2}.get(bias, np.zeros_like(s))
    slope = np.zeros_like(u)
    if bias in ("pet", "peese"):
        slope = np.tan(np.minimum(u, 1 - 1e-12) * math.pi / 2)
        slope = slope * (PEESE_SCALE if bias == "peese" else 1.0)
    yy, y1, yx = w @ y**2, w @ y, w @ (y * x)
    one_one, one_x, xx = w.sum(axis=1), w @ x, w @ x**2
    m, b = mu[:, None, None], slope
    square = (
        yy[:, None] - 2 * m * y1[:, None] - 2 * b * yx[:, None] + m**2 * one_one[:, None]
        + 2 * m * b * one_x[:, None] + b**2 * xx[:, None]
    )  # fmt: skip
    logs = -square / 2 - np.log(2 * math.pi * total).sum(axis=1)[:, None] / 2
    if bias in ("one-sided", "two-sided"):
        logs = logs + _selection(y / s, s, mu, tau, u, bias)
    return np.asarray(logs)


def _selection(
    z: FloatArray, s: FloatArray, mu: FloatArray, tau: FloatArray, omega: FloatArray, bias: str
) -> FloatArray:
    """Return what selection adds: log of the weights, less log of the share that is seen."""
    cut = -float(special.ndtri(0.025))
    spread = np.sqrt(s**2 + tau[:, None] ** 2)
    centre = mu[:, None, None]
    below = special.ndtr((centre - cut * s) / spread)  # (mu, tau, k)
    hidden = z < cut
    if bias == "two-sided":
        below = below + special.ndtr((-centre - cut * s) / spread)
        hidden = np.abs(z) < cut
    omega = np.maximum(omega, 1e-300)
    out = np.empty((len(mu), len(tau), len(omega)))
    for j, share in enumerate(omega):
        out[..., j] = hidden.sum() * math.log(share) - np.log(share + (1 - share) * below).sum(-1)
    return out


def _quantile(
    posteriors: list[tuple[FloatArray, FloatArray]], p: FloatArray, q: float, reach: float
) -> float:
    """Return the quantile of the mixture; models without an effect are a mass at 0."""
    spike, curves = 0.0, []
    for (mu, mass), share in zip(posteriors, p, strict=True):
        if len(mu) == 1:
            spike += share
        elif share > 0:
            order = np.argsort(mu)
            middle = np.cumsum(mass[order]) - mass[order] / 2
            curves.append((share, mu[order], interpolate.PchipInterpolator(mu[order], middle)))

    def below(x: float) -> float:
        return math.fsum(
            share * (0.0 if x < mu[0] else 1.0 if x > mu[-1] else float(curve(x)))
            for share, mu, curve in curves
        )

    at_zero = below(0.0)
    if at_zero <= q <= at_zero + spike and spike > 0:
        return 0.0
    aim = q if q < at_zero else q - spike
    return float(optimize.brentq(lambda x: below(x) - aim, -reach, reach, xtol=1e-8 * reach))
