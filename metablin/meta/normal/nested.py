"""Comparing fits of the same studies: likelihoods, information criteria, likelihood-ratio tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.text import p_phrase
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail
from metablin.records import Record, Row, json_dict

__all__ = [
    "FitStatistics",
    "LikelihoodRatio",
    "design_matrix_of",
    "fit_statistics",
    "likelihood_ratio",
]

FloatArray = NDArray[np.float64]

SPANNED = 1e-8
"""A column that the larger design explains but for this share of its length lies within it."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FitStatistics(Row):
    """How well a normal model fits.

    Attributes
    ----------
    likelihood : str
        ``restricted`` for REML, else ``full`` (at the estimate of tau2, whatever gave it).
    log_likelihood, aic, bic, aicc : float
        Constants included. BIC and AICc count k studies, less the coefficients for REML.
    parameters : int
        Coefficients, and tau2 where it was estimated.
    """

    likelihood: str
    log_likelihood: float
    aic: float
    bic: float
    aicc: float
    parameters: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LikelihoodRatio(Record):
    """Likelihood-ratio test of two nested fits.

    Attributes
    ----------
    statistic, p_value : float
    df : int
        Parameters that the larger fit has more.
    smaller, larger : FitStatistics
    """

    statistic: float
    df: int
    p_value: float
    smaller: FitStatistics
    larger: FitStatistics

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each fit."""
        frame = pd.concat([self.smaller.to_frame(), self.larger.to_frame()], ignore_index=True)
        frame.insert(0, "fit", ["smaller", "larger"])
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types."""
        return json_dict(
            {"statistic": self.statistic, "df": self.df, "p_value": self.p_value,
             "fits": self.to_frame()}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the test as text for people."""
        return (
            f"Likelihood-ratio test: chi2 = {self.statistic:.3f}, df = {self.df}, "
            f"{p_phrase(self.p_value)}\n"
            + self.to_frame().to_string(index=False, float_format="{:.3f}".format)
        )


def design_matrix_of(fit: MetaFit, what: str) -> FloatArray:
    """Return the design, shape (k, p), of a normal model; raise for another model."""
    needs_fit(fit)
    if fit.model not in ("random", "common"):
        raise DataError(f"{what} needs a normal model", column="model", value=fit.model,
                        allowed="random | common")  # fmt: skip
    return np.ones((fit.k, 1)) if fit.regression is None else fit.regression.design.matrix


def fit_statistics(fit: MetaFit) -> FitStatistics:
    """Return the log-likelihood of a fit and its information criteria.

    Parameters
    ----------
    fit : MetaFit
        Model ``random`` or ``common``, with or without moderators.

    Returns
    -------
    FitStatistics

    Raises
    ------
    DataError
        For another model.

    Notes
    -----
    Restricted likelihoods of fits with other coefficients are not comparable.

    References
    ----------
    Raudenbush SW (2009). Analyzing effect sizes: random-effects models (likelihoods).
    Hurvich CM, Tsai CL (1989). Regression and time series model selection in small samples (AICc).
    doi:10.1093/biomet/76.2.297

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    >>> s = fit_statistics(mb.pool(e, tau2="ML"))
    >>> round(s.log_likelihood, 3), round(s.aic, 3), s.parameters
    (-1.117, 6.233, 2)
    """
    x = design_matrix_of(fit, "a likelihood")
    k, p = x.shape
    restricted = fit.tau2_method == "REML"
    solved = gls(fit.effects.yi, 1 / (fit.effects.vi + fit.tau2), x)
    value = float(np.log(solved.w).sum() - solved.rss)
    n = k - p if restricted else k
    value -= n * math.log(2 * math.pi)
    if restricted:
        # X'X is kept, so that the unit of a moderator does not matter
        value += float(np.linalg.slogdet(x.T @ x)[1] + np.linalg.slogdet(solved.cov)[1])
    ll = value / 2
    parameters = p + (fit.tau2_method not in (None, "given"))
    enough = max(n, parameters + 2)
    return FitStatistics(
        "restricted" if restricted else "full",
        ll,
        2 * parameters - 2 * ll,
        parameters * math.log(n) - 2 * ll if n > 0 else math.nan,
        2 * parameters * enough / (enough - parameters - 1) - 2 * ll,
        parameters,
    )


def likelihood_ratio(smaller: MetaFit, larger: MetaFit) -> LikelihoodRatio:
    """Test a fit against a larger one of the same studies that contains it.

    Parameters
    ----------
    smaller, larger : MetaFit
        Both by maximum likelihood (``tau2="ML"``), both common-effect models, or a common-effect
        against a maximum-likelihood fit.

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    DataError
        When the studies differ, the fits are not nested, or their likelihoods are not comparable.

    Notes
    -----
    With a common effect in the smaller fit and tau2 in the larger, the chi-square with one degree
    more is conservative, as zero is the end of the range of tau2.

    References
    ----------
    Raudenbush SW (2009). Analyzing effect sizes: random-effects models.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    >>> one = mb.pool(e, tau2="ML")
    >>> two = mb.pool(e, tau2="ML", moderators="z", data={"z": [1, 2, 4, 1]})
    >>> t = likelihood_ratio(one, two)
    >>> round(t.statistic, 3), t.df
    (7.536, 1)
    """
    a, b = fit_statistics(smaller), fit_statistics(larger)
    e, f = smaller.effects, larger.effects
    if not (np.array_equal(e.yi, f.yi) and np.array_equal(e.vi, f.vi)):
        raise DataError("the two fits are not of the same studies", column="larger")
    x, wide = (design_matrix_of(one, "a likelihood") for one in (smaller, larger))
    _comparable(smaller, larger)
    outside = x - wide @ np.linalg.lstsq(wide, x, rcond=None)[0]
    df = b.parameters - a.parameters
    if df < 1 or np.linalg.norm(outside) > SPANNED * np.linalg.norm(x):
        raise DataError("the smaller fit is not a part of the larger one", column="smaller",
                        allowed="fewer terms, all of them also in the larger fit")  # fmt: skip
    statistic = max(0.0, 2 * (b.log_likelihood - a.log_likelihood))
    return LikelihoodRatio(statistic, df, float(chi2_tail(statistic, df)), a, b)


def _comparable(smaller: MetaFit, larger: MetaFit) -> None:
    methods = (smaller.tau2_method, larger.tau2_method)
    allowed = {("ML", "ML"), (None, None), (None, "ML")}
    if methods not in allowed:
        raise DataError(
            "a likelihood-ratio test needs likelihoods that were maximised"
            + (", and restricted ones do not compare moderators" if "REML" in methods else ""),
            column="tau2",
            value=" and ".join(str(m or "common effect") for m in methods),
            allowed="ML (or the common-effect model)",
        )
