"""Prior distributions of the between-study standard deviation tau, published ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin._input import choice
from metablin.errors import DataError

__all__ = [
    "TURNER_COMPARISONS",
    "TURNER_OUTCOMES",
    "TauPrior",
    "half_cauchy",
    "half_normal",
    "log_normal",
    "log_t",
    "rhodes",
    "turner",
    "uniform",
]

FloatArray = NDArray[np.float64]

#: Narrower log-t priors would need a grid too fine for their reach.
MIN_LOG_T_SCALE = 0.1
#: Turner et al. (2015), Table IV: rows of (location, scale) of log(tau^2) for log odds ratios, one
#: pair per comparison in the order of TURNER_COMPARISONS.
_TURNER: dict[str, tuple[tuple[float, float], ...]] = {
    "all-cause mortality": (
        (-3.95, 1.34), (-4.18, 1.41), (-4.17, 1.55), (-2.92, 1.02), (-3.50, 1.26)),
    "obstetric outcomes": (
        (-3.52, 1.74), (-3.75, 1.79), (-3.74, 1.91), (-2.49, 1.50), (-3.08, 1.68)),
    "cause-specific mortality or major morbidity": (
        (-3.71, 1.74), (-3.95, 1.79), (-3.93, 1.91), (-2.68, 1.51), (-3.27, 1.68)),
    "resource use or hospital stay": (
        (-2.34, 1.74), (-2.58, 1.79), (-2.56, 1.91), (-1.31, 1.50), (-1.90, 1.68)),
    "surgical or device related success or failure": (
        (-2.14, 1.74), (-2.37, 1.79), (-2.36, 1.91), (-1.11, 1.50), (-1.69, 1.68)),
    "withdrawals or drop-outs": (
        (-2.99, 1.74), (-3.23, 1.79), (-3.21, 1.91), (-1.96, 1.51), (-2.55, 1.68)),
    "internal or structure-related outcomes": (
        (-2.71, 1.74), (-2.94, 1.79), (-2.93, 1.92), (-1.67, 1.51), (-2.26, 1.68)),
    "general physical health indicators": (
        (-2.29, 1.53), (-2.53, 1.58), (-2.51, 1.72), (-1.26, 1.25), (-1.85, 1.46)),
    "adverse events": (
        (-1.87, 1.52), (-2.10, 1.58), (-2.10, 1.71), (-0.84, 1.24), (-1.43, 1.45)),
    "infection or onset of new disease": (
        (-2.49, 1.52), (-2.73, 1.58), (-2.71, 1.71), (-1.46, 1.24), (-2.05, 1.45)),
    "signs or symptoms": (
        (-2.06, 1.51), (-2.29, 1.58), (-2.28, 1.71), (-1.03, 1.24), (-1.61, 1.45)),
    "pain": (
        (-1.83, 1.52), (-2.06, 1.58), (-2.05, 1.71), (-0.80, 1.25), (-1.38, 1.45)),
    "quality of life or functioning": (
        (-2.54, 1.54), (-2.78, 1.60), (-2.77, 1.73), (-1.51, 1.27), (-2.10, 1.47)),
    "mental health indicators": (
        (-2.12, 1.53), (-2.35, 1.60), (-2.34, 1.72), (-1.09, 1.27), (-1.67, 1.47)),
    "biological markers": (
        (-1.77, 1.52), (-2.00, 1.58), (-1.99, 1.71), (-0.74, 1.24), (-1.33, 1.45)),
    "subjective outcomes": (
        (-2.70, 1.52), (-2.93, 1.58), (-2.92, 1.71), (-1.67, 1.25), (-2.26, 1.45)),
    "any": ((-2.56, 1.74),) * 5,
}  # fmt: skip
TURNER_OUTCOMES = tuple(_TURNER)
TURNER_COMPARISONS = (
    "pharmacological vs placebo",
    "pharmacological vs pharmacological",
    "non-pharmacological vs placebo",
    "non-pharmacological vs pharmacological",
    "non-pharmacological vs non-pharmacological",
)


@dataclass(frozen=True, slots=True)
class TauPrior:
    """A prior density of tau.

    Attributes
    ----------
    family : str
        ``half-normal``, ``half-cauchy``, ``log-normal``, ``log-t`` or ``uniform``.
    location, scale, df : float
        Scale of tau (half-normal, half-Cauchy), or location, scale and degrees of freedom of
        log(tau) (log-normal, log-t).
    """

    family: str
    location: float = 0.0
    scale: float = 1.0
    df: float = math.inf

    @property
    def proper(self) -> bool:
        """Return whether the density integrates to one."""
        return self.family != "uniform"

    @property
    def tail(self) -> float:
        """Return a such that the density falls as ``tau ** -a``; infinite for light tails."""
        return {"half-cauchy": 2.0, "log-t": 1.0, "uniform": 0.0}.get(self.family, math.inf)

    @property
    def size(self) -> float:
        """Return a typical value of tau."""
        return math.exp(self.location) if self.family.startswith("log") else self.scale

    def log_density(self, tau: ArrayLike) -> FloatArray:
        """Return the log density at positive `tau`.

        Examples
        --------
        >>> float(np.exp(half_normal(0.5).log_density(0.0)).round(6))
        1.595769
        """
        t = np.asarray(tau, dtype=np.float64)
        if self.family == "uniform":
            return np.zeros_like(t)
        if self.family == "half-normal":
            z = t / self.scale
            return np.asarray(0.5 * math.log(2 / math.pi) - math.log(self.scale) - 0.5 * z * z)
        if self.family == "half-cauchy":
            z = t / self.scale
            return np.asarray(math.log(2 / (math.pi * self.scale)) - np.log1p(z * z))
        x = np.log(t)
        z = (x - self.location) / self.scale
        if self.family == "log-normal":
            peak = -0.5 * math.log(2 * math.pi) - math.log(self.scale)
            return np.asarray(peak - 0.5 * z * z - x)
        half = (self.df + 1) / 2
        peak = float(special.gammaln(half) - special.gammaln(self.df / 2))
        peak -= 0.5 * math.log(self.df * math.pi) + math.log(self.scale)
        return np.asarray(peak - half * np.log1p(z * z / self.df) - x)


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise DataError("not a scale", column=name, value=value, allowed="greater than 0")
    return float(value)


def half_normal(scale: float) -> TauPrior:
    """Return the half-normal prior: |N(0, scale^2)|.

    References
    ----------
    Roever C et al. (2021), Res Synth Methods 12:448, doi:10.1002/jrsm.1475 (scale 0.5 or 1 for
    log ratios).

    Examples
    --------
    >>> half_normal(0.5).size
    0.5
    """
    return TauPrior("half-normal", scale=_positive("scale", scale))


def half_cauchy(scale: float) -> TauPrior:
    """Return the half-Cauchy prior, which allows for surprisingly large tau.

    References
    ----------
    Polson NG, Scott JG (2012), Bayesian Anal 7:887, doi:10.1214/12-BA730.

    Examples
    --------
    >>> half_cauchy(1.0).tail
    2.0
    """
    return TauPrior("half-cauchy", scale=_positive("scale", scale))


def log_normal(location: float, scale: float) -> TauPrior:
    """Return the prior with log(tau) ~ N(location, scale^2).

    Examples
    --------
    >>> round(log_normal(-1.28, 0.87).size, 3)
    0.278
    """
    return TauPrior("log-normal", float(location), _positive("scale", scale))


def log_t(location: float, scale: float, df: float) -> TauPrior:
    """Return the prior with log(tau) following a shifted and scaled t distribution.

    Examples
    --------
    >>> log_t(-1.72, 1.295, 5).proper
    True
    """
    if not scale >= MIN_LOG_T_SCALE:
        raise DataError("too narrow for its heavy tails to be integrated", column="scale",
                        value=scale, allowed=f"at least {MIN_LOG_T_SCALE}")  # fmt: skip
    return TauPrior("log-t", float(location), _positive("scale", scale), _positive("df", df))


def uniform() -> TauPrior:
    """Return the improper uniform prior on tau >= 0 (needs at least three studies).

    Examples
    --------
    >>> uniform().proper
    False
    """
    return TauPrior("uniform")


def turner(outcome: str = "any", comparison: str = "pharmacological vs placebo") -> TauPrior:
    """Return the log-normal prior of Turner et al. for log odds ratios.

    Parameters
    ----------
    outcome : str
        One of :data:`TURNER_OUTCOMES`; ``any`` is the prior without covariates.
    comparison : str
        One of :data:`TURNER_COMPARISONS`.

    Returns
    -------
    TauPrior
        For tau: half the published location and scale, which are those of log(tau^2).

    References
    ----------
    Turner RM, Jackson D, Wei Y, Thompson SG, Higgins JPT (2015), Stat Med 34:984, Table IV,
    doi:10.1002/sim.6381.

    Examples
    --------
    >>> turner("all-cause mortality")
    TauPrior(family='log-normal', location=-1.975, scale=0.67, df=inf)
    """
    row = _TURNER[choice("outcome", outcome, TURNER_OUTCOMES)]
    location, scale = row[
        TURNER_COMPARISONS.index(choice("comparison", comparison, TURNER_COMPARISONS))
    ]
    return log_normal(location / 2, scale / 2)


def rhodes() -> TauPrior:
    """Return the general prior of Rhodes et al. for standardised mean differences.

    log(tau^2) follows a t distribution with 5 degrees of freedom, location -3.44 and scale 2.59.

    References
    ----------
    Rhodes KM, Turner RM, Higgins JPT (2015), J Clin Epidemiol 68:52, section 3.3,
    doi:10.1016/j.jclinepi.2014.08.012.

    Examples
    --------
    >>> rhodes()
    TauPrior(family='log-t', location=-1.72, scale=1.295, df=5.0)
    """
    return log_t(-3.44 / 2, 2.59 / 2, 5.0)
