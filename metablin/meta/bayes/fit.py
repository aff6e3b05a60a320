"""Bayesian random-effects meta-analysis by deterministic quadrature over tau.

Given tau everything is normal, so every posterior is a mixture of normals over a grid of tau. The
grid is Gauss-Legendre on panels of log(tau) that reach from 1e-19 to 1e19 times the scale of the
data: no sampler, no seed, about twelve digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from metablin import _input
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.bayes._mixture import central, mass_above, mixture_row, shortest
from metablin.meta.bayes.priors import TauPrior, half_normal
from metablin.meta.core.design import typical_variance
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options
from metablin.meta.core.parts import Heterogeneity
from metablin.records import Record, json_dict

__all__ = ["BayesFit", "bayes", "fit_bayes", "predicted_above", "prior_of"]

FloatArray = NDArray[np.float64]
#: Width of a panel of log(tau), at most this and at most PANEL_SD posterior standard deviations of
#: log(tau) (about 1 / sqrt(2 k)); Gauss-Legendre nodes in each.
PANEL = 0.25
PANEL_SD = 2.5
NODES = 12
#: How far the grid reaches beyond the scales of data and prior, in log(tau): exp(-44) = 8e-20.
REACH = 44.0
#: The log-t prior keeps mass 1e-8 below that, and with one study above it; squares must not
#: overflow.
REACH_LOG_T = 300.0
#: Prior standard deviations of log(tau) beyond which a log-normal prior leaves nothing (e^-1800).
PRIOR_REACH = 60.0
#: Posterior mass per node below which a node is dropped from mixtures.
NEGLIGIBLE = 1e-22
#: Share of the smallest standard error below which tau is none: its square is lost in rounding.
NONE = 1e-9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BayesFit(Record):
    """Posterior of a normal-normal model.

    Attributes
    ----------
    studies : tuple of str
        Labels.
    prior : TauPrior
        Prior of tau; `mu_prior` is (mean, sd) of the normal prior of mu, or None for a flat one.
    interval : str
        ``central`` or ``shortest``; `level` is its probability.
    summaries : tuple of dict
        For mu, tau and theta_new: mean, sd, median, mode, conf_low, conf_high. A moment that the
        posterior does not have is infinite, or NaN.
    shrunken : tuple of dict
        The same for the true effect of every study (without the mode).
    weights : ndarray, shape (k,)
        Posterior mean share of each study in the mean of mu given tau.
    log_marginal : float
        Log of the probability of the data; NaN with an improper prior.
    tau_grid, tau_mass : ndarray, shape (g,)
        Nodes of tau and their posterior mass; one stands for all too small to tell from none.
    mean_grid, sd_grid : ndarray, shape (g,)
        Posterior mean and standard deviation of mu given tau at the nodes.
    """

    studies: tuple[str, ...]
    yi: FloatArray
    vi: FloatArray
    prior: TauPrior
    mu_prior: tuple[float, float] | None
    interval: str
    level: float
    summaries: tuple[dict[str, Any], ...]
    shrunken: tuple[dict[str, Any], ...]
    weights: FloatArray
    log_marginal: float
    tau_grid: FloatArray
    tau_mass: FloatArray
    mean_grid: FloatArray
    sd_grid: FloatArray

    def summary_of(self, term: str) -> dict[str, Any]:
        """Return the summary of ``mu``, ``tau``, ``theta_new`` or a study."""
        rows = {row["term"]: row for row in (*self.shrunken, *self.summaries)}
        return rows[_input.choice("term", term, rows)]

    def probability(self, above: float, of: str = "mu") -> float:
        """Return the posterior probability that `of` exceeds `above`.

        Parameters
        ----------
        above : float
            Threshold on the analysis scale.
        of : {"mu", "theta_new", "tau"}
            Mean, effect in a new study, or heterogeneity.

        Examples
        --------
        >>> fit = bayes([-0.4, -0.1, -0.6], [0.04, 0.02, 0.09], half_normal(0.5))
        >>> round(fit.probability(0.0), 4)
        0.0633
        """
        of = _input.choice("of", of, ["mu", "theta_new", "tau"])
        if of == "tau":
            return 1 - _Tau(self.yi, self.vi, self.prior, self.mu_prior).cdf(above)
        spread = self.sd_grid if of == "mu" else np.hypot(self.sd_grid, self.tau_grid)
        return mass_above(above, self.tau_mass, self.mean_grid, spread)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per parameter and study; ``estimate`` is the posterior median."""
        rows = [*self.summaries, *self.shrunken]
        table = pd.DataFrame(rows).rename(columns={"median": "estimate", "sd": "std_error"})
        first = ["term", "estimate", "std_error", "conf_low", "conf_high", "mean", "mode"]
        return table[first].assign(conf_level=self.level)

    def to_dict(self) -> dict[str, Any]:
        """Return the posterior summaries in plain types, ready for JSON."""
        prior = {name: getattr(self.prior, name) for name in TauPrior.__slots__}
        return json_dict(
            {
                "prior": prior,
                "mu_prior": self.mu_prior,
                "interval": self.interval,
                "level": self.level,
                "posterior": list(self.summaries),
                "shrunken": list(self.shrunken),
                "log_marginal": self.log_marginal,
            }
        )


def bayes(
    yi: ArrayLike,
    vi: ArrayLike,
    prior: TauPrior,
    *,
    mu_prior: tuple[float, float] | None = None,
    interval: str = "central",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> BayesFit:
    """Return the posterior of ``y_i ~ N(theta_i, v_i)``, ``theta_i ~ N(mu, tau^2)``.

    Parameters
    ----------
    yi, vi : array-like, shape (k,)
        Effects and sampling variances on the analysis scale.
    prior : TauPrior
        From :mod:`metablin.meta.bayes.priors`.
    mu_prior : (mean, sd), optional
        Normal prior of mu; flat when not given.
    interval : {"central", "shortest"}
        Equal tails (does not change with the scale) or highest density (bayesmeta's default).
    level : float
        Probability of the intervals.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    BayesFit

    Raises
    ------
    DataError
        For unusable variances or priors that leave the posterior improper.

    References
    ----------
    Roever C (2020), J Stat Softw 93(6), eqs 5 to 20, doi:10.18637/jss.v093.i06. Roever C, Friede
    T (2017), J Comput Graph Stat 26:217, doi:10.1080/10618600.2016.1276840.

    Examples
    --------
    >>> fit = bayes([-0.4, -0.1, -0.6], [0.04, 0.02, 0.09], half_normal(0.5))
    >>> row = fit.summary_of("mu")
    >>> round(row["median"], 4), round(fit.summary_of("tau")["median"], 4)
    (-0.2962, 0.2272)
    """
    y = _input.numeric("yi", yi, studies=studies)
    v = _input.numeric("vi", vi, above=0, studies=studies)
    names = _input.labels(studies, _input.same_length(yi=y, vi=v))
    interval = _input.choice("interval", interval, ["central", "shortest"])
    level = _input.level(level)
    _check_priors(len(y), prior, mu_prior)
    tau = _Tau(y, v, prior, mu_prior)
    t, p, m, s = tau.kept()
    tail = prior.tail + len(y) - (mu_prior is None)
    find = central if interval == "central" else shortest
    # moments of tau exist up to (not including) tail - 1; those of mu follow with a flat prior
    tails = {"mu": tail if mu_prior is None else math.inf, "theta_new": tail}
    rows = [
        mixture_row(name, p, m, sd, level, find, tails[name])
        for name, sd in (("mu", s), ("theta_new", np.hypot(s, t)))
    ]
    shrunken = []
    for name, yj, vj in zip(names, y, v, strict=True):
        b = vj / (vj + t**2)
        spread = np.sqrt((1 - b) * vj + (b * s) ** 2)
        shrunken.append(
            mixture_row(name, p, yj + b * (m - yj), spread, level, find, math.inf, mode=False)
        )
    w = 1 / (v[:, None] + t**2)
    return BayesFit(
        studies=names, yi=y, vi=v, prior=prior, mu_prior=mu_prior, interval=interval, level=level,
        summaries=(rows[0], tau.row(level, interval, tail), rows[1]), shrunken=tuple(shrunken),
        weights=(w / w.sum(axis=0)) @ p,
        log_marginal=tau.log_total if prior.proper and mu_prior is not None else math.nan,
        tau_grid=t, tau_mass=p, mean_grid=m, sd_grid=s,
    )  # fmt: skip


def predicted_above(fit: MetaFit, cuts: ArrayLike) -> FloatArray:
    """Return the posterior probability that the effect in a new study exceeds each cut.

    What :meth:`BayesFit.probability` says of ``theta_new``, without the summaries of a fit.

    Parameters
    ----------
    fit : MetaFit
        By the Bayesian model.
    cuts : array-like
        On the analysis scale.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.71, 0.55, 0.90], [0.55, 0.35, 0.60], [0.92, 0.86, 1.35])
    >>> predicted_above(mb.pool(e, model="bayes", prior=half_normal(0.5)), [0.0]).round(3).tolist()
    [0.118]
    """
    known = fit.extra["mu_prior"]
    t, p, m, s = _Tau(
        fit.effects.yi, fit.effects.vi, prior_of(fit), None if known is None else tuple(known)
    ).kept()
    cut, spread = np.asarray(cuts, dtype=np.float64), np.hypot(s, t)
    return np.array([mass_above(float(x), p, m, spread) for x in cut.ravel()]).reshape(cut.shape)


def fit_bayes(e: EffectSizes, options: Options) -> MetaFit:
    """Pool by the normal-normal Bayesian model (see :func:`metablin.pool`).

    Options: ``prior`` (a :class:`~metablin.meta.bayes.priors.TauPrior`; half-normal with scale 0.5
    for effects on a log or logit scale), ``mu_prior`` (mean, sd) and ``interval``. The estimate is
    the posterior median, the standard error the posterior standard deviation, tau2 the squared
    posterior median of tau.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.71, 0.55, 0.90], [0.55, 0.35, 0.60], [0.92, 0.86, 1.35])
    >>> fit = mb.pool(e, model="bayes", prior=half_normal(0.5))
    >>> round(fit.estimate, 3)
    0.713
    """
    extra = options.only("prior", "mu_prior", "interval")
    prior = extra.get("prior")
    if prior is None and e.transform in ("log", "logit"):
        prior = half_normal(0.5)
    if not isinstance(prior, TauPrior):
        raise DataError(
            "model 'bayes' needs a prior of tau on this scale", column="prior", value=prior,
            allowed="half_normal(scale), half_cauchy(scale), log_normal(...), turner(...)",
        )  # fmt: skip
    fit = bayes(
        e.yi, e.vi, prior, mu_prior=extra.get("mu_prior"),
        interval=extra.get("interval", "central"), level=options.level, studies=e.studies,
    )  # fmt: skip
    mu, tau, new = (fit.summary_of(name) for name in ("mu", "tau", "theta_new"))
    tau2, typical = tau["median"] ** 2, typical_variance(e.vi)
    het = Heterogeneity(
        tau2, tau["conf_low"] ** 2, tau["conf_high"] ** 2, tau2 / (tau2 + typical),
        1 + tau2 / typical,
    )  # fmt: skip
    return make_fit(
        e, options, estimate=mu["median"], std_error=mu["sd"], heterogeneity=het,
        weights=fit.weights, confidence=(mu["conf_low"], mu["conf_high"]),
        prediction=(new["conf_low"], new["conf_high"]),
        extra=fit.to_dict() | {"probability_above_zero": fit.probability(0.0)},
    )  # fmt: skip


def prior_of(fit: MetaFit) -> TauPrior:
    """Return the prior of tau of a fit by the Bayesian model.

    Raises
    ------
    DataError
        When another model made the fit.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.71, 0.55], [0.55, 0.35], [0.92, 0.86])
    >>> prior_of(mb.pool(e, model="bayes", prior=half_normal(0.5))).scale
    0.5
    """
    if fit.model != "bayes":
        raise DataError("no prior of tau", column="fit", value=f"model {fit.model}",
                        allowed="a fit by model bayes")  # fmt: skip
    said = fit.extra["prior"]
    df = math.inf if said["df"] is None else said["df"]
    return TauPrior(said["family"], said["location"], said["scale"], df)


def _check_priors(k: int, prior: TauPrior, mu_prior: tuple[float, float] | None) -> None:
    if mu_prior is not None:
        mean, sd = mu_prior
        if not (math.isfinite(mean) and math.isfinite(sd) and sd > 0):
            raise DataError("not a normal prior", column="mu_prior", value=mu_prior,
                            allowed="(mean, sd) with sd > 0")  # fmt: skip
    needed = 3 if mu_prior is None else 2
    if not prior.proper and k < needed:
        raise DataError(
            "the posterior is improper: a uniform prior of tau needs more studies",
            column="prior", value=f"k = {k}", allowed=f"at least {needed} studies",
        )  # fmt: skip


class _Tau:
    """Quadrature over tau: nodes, posterior masses, and mu given tau at the nodes."""

    def __init__(
        self, y: FloatArray, v: FloatArray, prior: TauPrior, mu_prior: tuple[float, float] | None
    ) -> None:
        self.y, self.v, self.prior, self.mu_prior = y, v, prior, mu_prior
        scales = [0.5 * math.log(v.min()), 0.5 * math.log(v.max()), math.log(prior.size)]
        scales.append(math.log(max(float(np.ptp(y)), math.sqrt(v.min()))))
        far = REACH_LOG_T if prior.family == "log-t" else REACH
        low, high = min(scales) - far, max(scales) + (far if len(y) == 1 else REACH)
        self.panel = min(PANEL, PANEL_SD / math.sqrt(2 * len(y)))
        if prior.family.startswith("log"):
            self.panel = min(self.panel, PANEL_SD * prior.scale)
        if prior.family == "log-normal":
            low = max(low, prior.location - PRIOR_REACH * prior.scale)
            high = min(high, prior.location + PRIOR_REACH * prior.scale)
        self.edges = low + self.panel * np.arange(math.ceil((high - low) / self.panel) + 1)
        x, self.w = np.polynomial.legendre.leggauss(NODES)
        self.unit = (x + 1) / 2
        at = (self.edges[:-1, None] + self.panel * self.unit).ravel()
        self.nodes = np.exp(at)
        logs, self.mean, self.sd = self._joint(self.nodes)
        logs = logs + at
        self.top = float(logs.max())
        raw = np.exp(logs - self.top) * np.tile(self.w, len(self.edges) - 1) * self.panel / 2
        self.total = float(raw.sum())
        self.mass = raw / self.total
        self.log_total = self.top + math.log(self.total)
        panels = self.mass.reshape(-1, NODES).sum(axis=1)
        self.cumulative = np.concatenate([[0.0], np.cumsum(panels)])

    def _joint(self, tau: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return log p(tau) + log p(y | tau), and mean and sd of mu given tau."""
        s2 = self.v[:, None] + tau * tau
        w = 1 / s2
        precision, weighted = w.sum(axis=0), (w * self.y[:, None]).sum(axis=0)
        logs = self.prior.log_density(tau) - 0.5 * np.log(2 * np.pi * s2).sum(axis=0)
        if self.mu_prior is not None:
            m0, s0 = self.mu_prior
            precision, weighted = precision + s0**-2, weighted + m0 * s0**-2
        mean = weighted / precision
        logs = logs - 0.5 * (w * (self.y[:, None] - mean) ** 2).sum(axis=0)
        logs = logs - 0.5 * np.log(precision)
        if self.mu_prior is not None:
            logs = logs - 0.5 * ((mean - m0) / s0) ** 2 - math.log(s0)
        else:
            logs = logs + 0.5 * math.log(2 * math.pi)
        return logs, mean, precision**-0.5

    def kept(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the nodes that bear on mixtures: tau, its mass, mean and sd of mu given tau.

        One node stands for all at which tau is too small to tell.
        """
        none = int(np.searchsorted(self.nodes, NONE * math.sqrt(self.v.min())))
        start = max(none - 1, 0)
        mass = self.mass[start:].copy()
        mass[0] = self.mass[: start + 1].sum()
        keep = mass > NEGLIGIBLE
        t, m, s = (x[start:][keep] for x in (self.nodes, self.mean, self.sd))
        return t, mass[keep], m, s

    def density(self, tau: float) -> float:
        """Return the posterior density of tau (its limit at zero)."""
        at = np.array([max(tau, float(self.nodes[0]))])
        return float(np.exp(self._joint(at)[0][0] - self.log_total))

    def _partial(self, x: float, panel: int, upper: bool) -> float:
        """Return the mass between `x` and the lower (or upper) edge of its panel."""
        start, stop = (x, self.edges[panel + 1]) if upper else (self.edges[panel], x)
        at = start + (stop - start) * self.unit
        values = np.exp(self._joint(np.exp(at))[0] + at - self.log_total)
        return float(values @ self.w) * (stop - start) / 2

    def cdf(self, tau: float) -> float:
        """Return the posterior probability of heterogeneity below `tau`."""
        if tau <= self.nodes[0]:
            return 0.0
        x = math.log(tau)
        panel = min(int((x - self.edges[0]) / self.panel), len(self.edges) - 2)
        return float(self.cumulative[panel]) + self._partial(x, panel, upper=False)

    def quantile(self, p: float) -> float:
        """Return the posterior quantile of tau."""
        if p <= 0:
            return 0.0
        panel = int(np.searchsorted(self.cumulative, p, side="right")) - 1
        panel = min(max(panel, 0), len(self.edges) - 2)
        base = float(self.cumulative[panel])
        return math.exp(
            optimize.brentq(
                lambda x: base + self._partial(x, panel, upper=False) - p,
                self.edges[panel],
                self.edges[panel + 1],
                xtol=1e-14,
            )
        )

    def mode(self) -> float:
        """Return the posterior mode of tau, which may be zero."""
        density = self.mass / (self.nodes * np.tile(self.w, len(self.edges) - 1))
        best = int(density.argmax())
        if self.density(0.0) >= self.density(float(self.nodes[best])) * (1 - 1e-12):
            return 0.0
        around = self.nodes[max(best - 1, 0)], self.nodes[min(best + 1, len(self.nodes) - 1)]
        found = optimize.minimize_scalar(
            lambda t: -self._joint(np.array([t]))[0][0],
            bounds=around,
            method="bounded",
            options={"xatol": 1e-12 * float(around[1])},
        )
        return float(found.x)

    def row(self, level: float, interval: str, tail: float) -> dict[str, Any]:
        """Return the summary of tau."""
        mean = float(self.mass @ self.nodes) if tail > 2 else math.inf
        square = float(self.mass @ self.nodes**2) if tail > 3 else math.inf
        find = central if interval == "central" else shortest
        low, high = find(self.quantile, self.density, level)
        sd = math.sqrt(max(square - mean**2, 0.0)) if math.isfinite(square) else math.inf
        return {
            "term": "tau", "mean": mean, "sd": sd, "median": self.quantile(0.5),
            "mode": self.mode(), "conf_low": low, "conf_high": high,
        }  # fmt: skip
