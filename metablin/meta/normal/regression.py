"""Meta-regression: effects explained by study-level moderators."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.moderators import Design, Regression
from metablin.meta.core.options import CI_METHODS, Options
from metablin.meta.core.parts import NAN, Heterogeneity
from metablin.meta.normal.inverse import narrower, tau2_of
from metablin.numerics.gls import Fit, gls
from metablin.numerics.inference import (
    chi2_tail,
    hksj_factor,
    i2_h2,
    joint_test,
    q_profile,
    wald,
)
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["fit_regression"]

FloatArray = NDArray[np.float64]


def fit_regression(e: EffectSizes, options: Options, design: Design) -> MetaFit:
    """Fit the mixed-effects meta-regression y_i ~ N(x_i' beta, v_i + tau2), or with tau2 = 0.

    References
    ----------
    Raudenbush SW (2009). Analyzing effect sizes: random-effects models.
    Knapp G, Hartung J (2003), t and F with the scaled covariance. doi:10.1002/sim.1482
    Lopez-Lopez JA and others (2014), R2. doi:10.1111/bmsp.12002
    """
    options.only()
    choice("ci", options.ci, CI_METHODS)  # Kenward and Roger's is for a mean alone
    x, y, v = design.matrix, e.yi, e.vi
    df = float(e.k - x.shape[1])
    name, given = (None, 0.0) if options.model == "common" else tau2_of(options.tau2)
    tau2 = float(estimate_tau2(str(name), y, v, x)) if given is None else given
    fit = gls(y, 1 / (v + tau2), x)
    het = _heterogeneity(e, options, x, tau2)
    regression = _coefficients(fit, design, options, df, _r2(e, design, name, given, het))
    pooled = make_fit(
        e,
        options,
        estimate=NAN,
        std_error=NAN,
        df=regression.df,
        heterogeneity=het,
        tau2_method=name,
        weights=fit.w,
        predict=False,
        notes=narrower(options, float(hksj_factor(fit.rss, df)), df),
    )
    return dataclasses.replace(pooled, regression=regression)


def _heterogeneity(e: EffectSizes, options: Options, x: FloatArray, tau2: float) -> Heterogeneity:
    df = float(e.k - x.shape[1])
    q = float(gls(e.yi, 1 / e.vi, x).rss)
    q_p = float(chi2_tail(q, df))
    if options.model == "common":
        i2 = max(0.0, (q - df) / q) if q > 0 else 0.0
        return Heterogeneity(0.0, NAN, NAN, i2, q / df, q, df, q_p)
    i2, h2 = (float(value) for value in i2_h2(e.vi, tau2, x))
    low, high = (float(value) for value in q_profile(e.yi, e.vi, options.level, x))
    return Heterogeneity(tau2, low, high, i2, h2, q, df, q_p)


def _r2(
    e: EffectSizes, design: Design, name: str | None, given: float | None, het: Heterogeneity
) -> float:
    if not design.has_intercept or len(design.terms) == 1:
        return NAN
    if name is None:
        before = float(gls(e.yi, 1 / e.vi).rss) / (e.k - 1)
        after = het.q / het.q_df
    elif given is None:
        before, after = float(estimate_tau2(name, e.yi, e.vi)), het.tau2
    else:
        return NAN
    return max(0.0, (before - after) / before) if before > 0 else NAN


def _coefficients(fit: Fit, design: Design, options: Options, df: float, r2: float) -> Regression:
    cov = fit.cov
    if options.ci.startswith("hksj"):
        cov = cov * hksj_factor(fit.rss, df, options.ci == "hksj-adhoc")
    reference = math.inf if options.ci == "z" else df
    at = design.tested
    qm, qm_p = joint_test(fit.beta[at], cov[np.ix_(at, at)], reference)
    return Regression(
        terms=design.terms,
        beta=fit.beta,
        **wald(fit.beta, cov, reference, options.level),
        cov=np.array(cov),
        df=reference,
        level=options.level,
        design=design,
        qm=qm,
        qm_df=len(at),
        qm_df2=NAN if math.isinf(reference) else df,
        qm_p=qm_p,
        r2=r2,
    )
