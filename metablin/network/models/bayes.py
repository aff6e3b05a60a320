"""Bayesian networks with one variance between studies, by quadrature: no sampler."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.meta.bayes.priors import TauPrior, half_normal
from metablin.network.gls import Rows, rows_of
from metablin.network.records import Network, needs_network
from metablin.numerics.gls import gls_at
from metablin.numerics.tau2 import log_likelihood
from metablin.options import SmallValues, words
from metablin.records import Record, json_dict

__all__ = ["NetworkPosterior", "network_bayes"]

FloatArray = NDArray[np.float64]

PANELS = 48
NODES = 6
"""Gauss-Legendre points a panel; 288 in all, which is more than smooth posteriors need."""

NEGLIGIBLE = 32.0
"""The range of tau ends where the log posterior density has fallen by this much (1e-14)."""

MAX_HALVINGS = 200


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkPosterior(Record):
    """The posterior of a network: a mixture of normal distributions over tau.

    Attributes
    ----------
    network : Network
    prior : TauPrior
        Of tau; effects have a flat one.
    level : float
        Of the central credible intervals.
    reference : str or None
    tau, weight : ndarray, shape (m,)
        Nodes and posterior weights (they sum to 1).
    d, cov : ndarray, shape (m, t), (m, t, t)
        Effects against the first treatment and their covariance at each node.
    tau_median, tau_low, tau_high : float
    """

    network: Network
    prior: TauPrior
    level: float
    reference: str | None
    tau: FloatArray
    weight: FloatArray
    d: FloatArray
    cov: FloatArray
    tau_median: float
    tau_low: float
    tau_high: float

    def _pairs(self) -> list[tuple[int, int]]:
        ref = None if self.reference is None else self.network.treatments.index(self.reference)
        pairs = combinations(range(len(self.network.treatments)), 2)
        return [(j, i) if i == ref else (i, j) for i, j in pairs]

    def _back(self, x: FloatArray) -> FloatArray:
        return np.asarray(np.exp(x)) if self.network.transform == "log" else x

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair: posterior median with credible and predictive limits.

        ``effect`` and ``std_error`` are posterior mean and standard deviation on the analysis
        scale; the rest is on the reader's scale.
        """
        first, second = (np.array(x) for x in zip(*self._pairs(), strict=True))
        mean = self.d[:, first] - self.d[:, second]
        var = _pair_variance(self.cov, first, second)
        tails = np.array([0.5, (1 - self.level) / 2, (1 + self.level) / 2])
        inner = _quantiles(mean, var, self.weight, tails)
        outer = _quantiles(mean, var + self.tau[:, None] ** 2, self.weight, tails[1:])
        centre = self.weight @ mean
        spread = np.sqrt(self.weight @ (var + (mean - centre) ** 2))
        names = self.network.treatments
        return pd.DataFrame(
            {
                "term": [f"{names[i]} : {names[j]}" for i, j in self._pairs()],
                "treat1": [names[i] for i in first],
                "treat2": [names[j] for j in second],
                "estimate": self._back(inner[0]),
                "std_error": spread,
                "conf_low": self._back(inner[1]),
                "conf_high": self._back(inner[2]),
                "conf_level": self.level,
                "pred_low": self._back(outer[0]),
                "pred_high": self._back(outer[1]),
                "effect": centre,
            }
        )

    def ranking(self, small_values: SmallValues = "desirable") -> pd.DataFrame:
        """Return SUCRA (the mean posterior probability of beating another), the best first."""
        sign = -1.0 if choice("small_values", small_values, words(SmallValues)) == (
            "desirable") else 1.0  # fmt: skip
        t = len(self.network.treatments)
        i, j = np.nonzero(~np.eye(t, dtype=bool))
        z = sign * (self.d[:, i] - self.d[:, j]) / np.sqrt(_pair_variance(self.cov, i, j))
        p = self.weight @ special.ndtr(z)
        sucra = np.bincount(i, p, t) / (t - 1)
        frame = pd.DataFrame({"treatment": list(self.network.treatments), "sucra": sucra})
        return frame.sort_values("sucra", ascending=False, kind="stable").reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        return json_dict(
            {
                "measure": self.network.measure,
                "prior": {"family": self.prior.family, "scale": self.prior.scale},
                "tau": {"median": self.tau_median, "low": self.tau_low, "high": self.tau_high},
                "effects": self.to_frame(),
                "ranking": self.ranking(),
            }
        )

    def summary(self) -> str:
        """Return the result in words."""
        return (
            f"Bayesian network, {self.prior.family} prior of tau (scale {self.prior.scale:g}): tau "
            f"{self.tau_median:.4g} [{100 * self.level:g}% CrI {self.tau_low:.4g} to "
            f"{self.tau_high:.4g}]\n"
            + self.to_frame().drop(columns=["term", "conf_level"]).to_string(
                index=False, float_format="{:.4g}".format)
        )  # fmt: skip


def network_bayes(
    n: Network,
    prior: TauPrior | float = 0.5,
    *,
    level: float = 0.95,
    reference: str | None = None,
) -> NetworkPosterior:
    """Return the posterior of a random-effects network with flat priors of the effects.

    Given tau the effects are normal, so only tau is integrated, numerically and without a sampler.

    Parameters
    ----------
    n : Network
        In one piece.
    prior : TauPrior or float
        Prior of tau; a number is the scale of a half-normal one.
    level : float
    reference : str, optional

    Returns
    -------
    NetworkPosterior

    Raises
    ------
    DataError
        For a disconnected network, or an improper prior where the data leave tau open.

    References
    ----------
    Roever C (2020). Bayesian random-effects meta-analysis using the bayesmeta R package, section
    2.3 (the mixture). doi:10.18637/jss.v093.i06
    Dias S, Sutton AJ, Ades AE, Welton NJ (2013), the model. doi:10.1177/0272989X12458724

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": list("ABC"), "treat1": list("xxy"), "treat2": list("yzz"),
    ...              "yi": [0.1, 0.5, 0.3], "vi": [0.04, 0.05, 0.03]}, "generic")
    >>> post = network_bayes(n, 0.5)
    >>> round(float(post.weight.sum()), 12), post.to_frame()["effect"].round(2).tolist()
    (1.0, [0.13, 0.46, 0.33])
    """
    needs_network(n)
    if not isinstance(prior, TauPrior):
        prior = half_normal(prior)
    rows = rows_of(n)
    if not prior.proper and len(rows.y) <= len(n.treatments) + 1:
        raise DataError("an improper prior needs more studies", column="prior",
                        value=prior.family, allowed="half_normal(scale)")  # fmt: skip
    name = None if reference is None else n.treatments[n.position(reference)]
    level = check_level(level)
    edges = np.linspace(0.0, _reach(rows, prior), PANELS + 1)
    x, w = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(edges)[:, None] / 2
    tau = (edges[:-1, None] + half * (1 + x)).ravel()
    logs, d, cov = _at(rows, prior, tau)
    mass = np.exp(logs - logs.max()) * (half * w).ravel()
    weight = mass / mass.sum()
    cdf = np.append(0.0, np.cumsum(weight.reshape(PANELS, NODES).sum(1)))
    tails = ((1 - level) / 2, 0.5, (1 + level) / 2)
    scale = (float(logs.max()), float(mass.sum()))
    low, middle, high = (_tau_quantile(rows, prior, edges, cdf, scale, p) for p in tails)
    keep = weight > 1e-16
    return NetworkPosterior(n, prior, level, name, tau[keep], weight[keep], d[keep], cov[keep],
                            middle, low, high)  # fmt: skip


def _at(rows: Rows, prior: TauPrior, tau: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log posterior density of tau (up to a constant), effects and covariances."""
    t = rows.x.shape[1]
    fit = gls_at(np.broadcast_to(rows.y, (len(tau), len(rows.y))), rows.v, tau**2, rows.x[:, 1:])
    d, cov = np.zeros((len(tau), t)), np.zeros((len(tau), t, t))
    d[:, 1:], cov[:, 1:, 1:] = fit.beta, fit.cov
    return np.asarray(log_likelihood(fit, True) + prior.log_density(tau)), d, cov


def _reach(rows: Rows, prior: TauPrior) -> float:
    """Return a tau beyond which the posterior density is negligible."""
    scale = float(np.sqrt(rows.v.mean())) + float(np.ptp(rows.y)) + 1e-12
    high = max(scale, prior.size)
    for _ in range(MAX_HALVINGS):
        tau = np.linspace(1e-9 * high, high, 257)
        logs = _at(rows, prior, tau)[0]
        inside = np.flatnonzero(logs > logs.max() - NEGLIGIBLE)
        if inside[-1] == len(tau) - 1:
            high *= 2
        elif inside[-1] < 64:
            high /= 2
        else:
            return float(tau[min(inside[-1] + 1, len(tau) - 1)])
    raise DataError("the posterior of tau does not fall off", column="prior", value=prior.family)


def _tau_quantile(
    rows: Rows,
    prior: TauPrior,
    edges: FloatArray,
    cdf: FloatArray,
    scale: tuple[float, float],
    p: float,
) -> float:
    """Return a quantile of tau: whole panels, then the root of the integral over the last one."""
    panel = min(int(np.searchsorted(cdf, p, side="right")) - 1, PANELS - 1)
    start, end = float(edges[panel]), float(edges[panel + 1])
    x, w = np.polynomial.legendre.leggauss(2 * NODES)

    def gap(tau: float) -> float:
        half = (tau - start) / 2
        logs = _at(rows, prior, start + half * (1 + x))[0]
        return float(cdf[panel] + half * (w @ np.exp(logs - scale[0])) / scale[1] - p)

    if gap(end) <= 0:
        return end
    return float(optimize.brentq(gap, start, end, xtol=1e-12))


def _pair_variance(cov: FloatArray, first: NDArray[Any], second: NDArray[Any]) -> FloatArray:
    diagonal = np.einsum("mii->mi", cov)
    return np.asarray(diagonal[:, first] + diagonal[:, second] - 2 * cov[:, first, second])


def _quantiles(mean: FloatArray, var: FloatArray, weight: FloatArray, p: FloatArray) -> FloatArray:
    """Return quantiles of normal mixtures, (len(p), pairs), by bisection on all pairs at once."""
    sd = np.sqrt(var)
    low = np.broadcast_to((mean - 12 * sd).min(0), (len(p), mean.shape[1])).copy()
    high = np.broadcast_to((mean + 12 * sd).max(0), low.shape).copy()
    for _ in range(70):
        middle = (low + high) / 2
        below = (
            np.einsum("m,mqp->qp", weight, special.ndtr((middle - mean[:, None]) / sd[:, None]))
            < p[:, None]
        )
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
