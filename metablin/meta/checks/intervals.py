"""Intervals for the amount of heterogeneity: tau2, tau, I2 and H2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.meta.checks.refit import no_moderators
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.numerics.gls import gls
from metablin.numerics.inference import i2_h2, q_profile
from metablin.numerics.tau2 import MAX_STEPS, estimate_tau2, log_likelihood
from metablin.records import Record

__all__ = ["HETEROGENEITY_METHODS", "HeterogeneityTable", "heterogeneity"]

FloatArray = NDArray[np.float64]

HETEROGENEITY_METHODS = ("q-profile", "profile-likelihood", "sidik-jonkman")

ROOT_TOLERANCE = 1e-14
"""Relative to the typical variance; the log-likelihood itself is good to about 1e-13."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HeterogeneityTable(Record):
    """Estimates and limits of tau2, tau, I2 (0 to 1) and H2, in this order.

    Attributes
    ----------
    estimate, conf_low, conf_high : ndarray, shape (4,)
    level : float
    method : str
    """

    estimate: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    level: float
    method: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row per quantity."""
        return pd.DataFrame(
            {
                "term": ["tau2", "tau", "i2", "h2"],
                "estimate": self.estimate,
                "conf_low": self.conf_low,
                "conf_high": self.conf_high,
                "conf_level": self.level,
            }
        )


def heterogeneity(
    fit: MetaFit, level: float | None = None, method: str = "q-profile"
) -> HeterogeneityTable:
    """Return intervals of tau2, tau, I2 and H2 of a random-effects fit.

    Parameters
    ----------
    fit : MetaFit
        Model ``random``, with or without moderators, two studies or more.
    level : float, optional
        That of the fit when not given.
    method : {"q-profile", "profile-likelihood", "sidik-jonkman"}
        The profile likelihood needs ``tau2="ML"`` or ``"REML"``; it is the restricted one for
        REML. The interval of Sidik and Jonkman needs ``tau2="SJ"`` or ``"SJ-HE"`` and no
        moderators; it takes (k - 1) times the estimate over tau2 for a chi-square. Limits of
        I2 and H2 follow from those of tau2 at the typical sampling variance.

    Returns
    -------
    HeterogeneityTable

    References
    ----------
    Viechtbauer W (2007), Q-profile. doi:10.1002/sim.2514
    Sidik K, Jonkman JN (2005). doi:10.1111/j.1467-9876.2005.00489.x
    Hardy RJ, Thompson SG (1996), profile likelihood.
    doi:10.1002/(SICI)1097-0258(19960330)15:6<619::AID-SIM188>3.0.CO;2-A

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04]))
    >>> heterogeneity(fit, method="profile-likelihood").to_frame()["conf_high"].round(2).tolist()
    [1.14, 1.07, 0.97, 30.13]
    """
    method = choice("method", method, HETEROGENEITY_METHODS)
    needs_fit(fit)
    if fit.model != "random" or fit.k < 2:
        raise DataError(
            "heterogeneity has an interval in random-effects models of two studies or more",
            column="model",
            value=f"{fit.model}, k = {fit.k}",
        )
    level = fit.level if level is None else check_level(level)
    y, v = fit.effects.yi, fit.effects.vi
    x = None if fit.regression is None else fit.regression.design.matrix
    if method == "q-profile":
        low, high = (float(limit) for limit in q_profile(y, v, level, x))
    elif method == "sidik-jonkman":
        choice("tau2", fit.tau2_method, ("SJ", "SJ-HE"))
        no_moderators(fit, "the interval of Sidik and Jonkman")
        low, high = (
            (fit.k - 1) * fit.tau2 / float(special.chdtri(fit.k - 1, tail))
            for tail in ((1 - level) / 2, (1 + level) / 2)
        )
    else:
        name = choice("tau2", fit.tau2_method, ("ML", "REML"))
        low, high = profile_likelihood(y, v, level, name == "REML", x)
    middle, lower, upper = (_quantities(v, tau2, x) for tau2 in (fit.tau2, low, high))
    return HeterogeneityTable(middle, lower, upper, level, method)


def _quantities(v: FloatArray, tau2: float, x: FloatArray | None) -> FloatArray:
    i2, h2 = i2_h2(v, tau2, x)
    return np.array([tau2, np.sqrt(tau2), float(i2), float(h2)])


def profile_likelihood(
    y: FloatArray, v: FloatArray, level: float, restricted: bool, x: FloatArray | None = None
) -> tuple[float, float]:
    """Return the tau2 whose (restricted) likelihood ratio reaches the chi-square quantile.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
    level : float
    restricted : bool
        REML instead of ML.
    x : ndarray, shape (k, p), optional

    Returns
    -------
    (low, high)
        ``low`` is 0 when zero is compatible with the data.
    """

    def height(tau2: float) -> float:
        return float(log_likelihood(gls(y, 1 / (v + tau2), x), restricted))

    peak = float(estimate_tau2("REML" if restricted else "ML", y, v, x))
    cut = height(peak) - float(special.chdtri(1, 1 - level)) / 2
    scale = float(v.mean())
    high = peak + scale
    for _ in range(MAX_STEPS):
        if height(high) < cut:
            break
        high = peak + 2 * (high - peak)
    else:
        raise DataError("the likelihood of tau2 does not fall off", column="tau2")

    def gap(tau2: float) -> float:
        return height(tau2) - cut

    root = {"xtol": ROOT_TOLERANCE * scale, "rtol": 4 * np.finfo(float).eps}
    upper = float(optimize.brentq(gap, peak, high, **root))
    if peak == 0 or gap(0.0) >= 0:
        return 0.0, upper
    return float(optimize.brentq(gap, 0.0, peak, **root)), upper
