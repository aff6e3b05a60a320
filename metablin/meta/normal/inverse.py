"""Inverse-variance models: the common effect and random effects."""

from __future__ import annotations

import math
import sys

import numpy as np

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.errors import DataError, warn
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options
from metablin.meta.core.parts import NAN, Heterogeneity
from metablin.meta.normal.prediction import kenward_roger, prediction_limits
from metablin.numerics.gls import Fit, gls
from metablin.numerics.inference import chi2_tail, critical, hksj_factor, i2_h2, q_profile
from metablin.numerics.tau2 import TAU2_METHODS, estimate_tau2

__all__ = ["fit_common", "fit_random", "narrower", "tau2_of"]


def fit_random(e: EffectSizes, options: Options) -> MetaFit:
    """Fit the random-effects model y_i ~ N(mu, v_i + tau2) with inverse-variance weights.

    One study is answered with its own effect and a normal interval, tau2 = 0 and no prediction,
    and says so in ``notes``.

    References
    ----------
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03
    """
    options.only()
    name, given = tau2_of(options.tau2)
    if e.k == 1:
        return _single(e, options, name)
    tau2 = float(estimate_tau2(name, e.yi, e.vi)) if given is None else given
    i2, h2 = (float(value) for value in i2_h2(e.vi, tau2))
    low, high = (float(value) for value in q_profile(e.yi, e.vi, options.level))
    q = float(gls(e.yi, 1 / e.vi).rss)
    het = Heterogeneity(tau2, low, high, i2, h2, q, e.k - 1, float(chi2_tail(q, e.k - 1)))
    return _finish(e, options, gls(e.yi, 1 / (e.vi + tau2)), het, name, predict=True)


def fit_common(e: EffectSizes, options: Options) -> MetaFit:
    """Fit the common-effect model with inverse-variance weights; I2 and H2 are those of Q."""
    options.only()
    if e.k == 1:
        return _single(e, options, None)
    fit = gls(e.yi, 1 / e.vi)
    q, df = float(fit.rss), e.k - 1
    i2 = max(0.0, (q - df) / q) if q > 0 else 0.0
    het = Heterogeneity(0.0, NAN, NAN, i2, q / df, q, df, float(chi2_tail(q, df)))
    return _finish(e, options, fit, het, None, predict=False)


def tau2_of(tau2: str | float, methods: tuple[str, ...] = TAU2_METHODS) -> tuple[str, float | None]:
    """Return the name of the estimator, one of `methods`, and, for a known tau2, its value.

    Examples
    --------
    >>> tau2_of("DL"), tau2_of(0.1)
    (('DL', None), ('given', 0.1))
    """
    if isinstance(tau2, str):
        return choice("tau2", tau2, methods), None
    number = isinstance(tau2, int | float | np.number) and not isinstance(tau2, bool)
    if not (number and 0 <= tau2 <= sys.float_info.max):
        raise DataError(
            "not a between-study variance",
            column="tau2",
            value=tau2,
            allowed="a finite number of at least 0, or " + " | ".join(methods),
        )
    return "given", float(tau2)


def _finish(
    e: EffectSizes,
    options: Options,
    fit: Fit,
    het: Heterogeneity,
    tau2_method: str | None,
    predict: bool,
) -> MetaFit:
    wald = variance = float(fit.cov[0, 0])
    df = math.inf if options.ci == "z" else float(e.k - 1)
    if options.ci.startswith("hksj"):
        variance *= float(hksj_factor(fit.rss, df, options.ci == "hksj-adhoc"))
        if variance <= np.finfo(float).eps ** 2 * float(fit.cov[0, 0]):
            warn(
                "all effects are equal, so the Hartung-Knapp standard error is zero; "
                "ci='hksj-adhoc' is never narrower than the Wald interval"
            )
    prediction: tuple[float, float] | None = None
    notes = narrower(options, variance / wald, df)
    if options.ci == "kenward-roger":
        variance, df = _kenward_roger(e, het.tau2, tau2_method)
    if predict and options.prediction != "match":
        if options.prediction == "kenward-roger":
            _kenward_roger(e, het.tau2, tau2_method)
        prediction, more = prediction_limits(
            options.prediction, e.yi, e.vi, het.tau2, options.level
        )
        notes = (*notes, *more)
    return make_fit(
        e,
        options,
        prediction=prediction,
        notes=notes,
        estimate=float(fit.beta[0]),
        std_error=math.sqrt(variance),
        df=df,
        heterogeneity=het,
        tau2_method=tau2_method,
        weights=fit.w,
        predict=predict,
    )


def _kenward_roger(e: EffectSizes, tau2: float, tau2_method: str | None) -> tuple[float, float]:
    """Return the variance and degrees of freedom after Kenward and Roger, which rest on REML."""
    if tau2_method != "REML":
        raise DataError("Kenward and Roger's method rests on REML", column="tau2",
                        value=tau2_method, allowed="REML")  # fmt: skip
    return kenward_roger(e.vi, tau2)


def narrower(options: Options, factor: float, df: float) -> tuple[str, ...]:
    """Return a note when the interval of Hartung and Knapp is narrower than the Wald interval.

    References
    ----------
    Jackson D, Law M, Rucker G, Schwarzer G (2017). The Hartung-Knapp modification for
    random-effects meta-analysis: a useful refinement but are there any residual concerns?
    doi:10.1002/sim.7411
    """
    wide = float(critical(options.level, df)) * math.sqrt(factor)
    if options.ci != "hksj" or wide >= float(critical(options.level, math.inf)):
        return ()
    return (
        "the Hartung-Knapp interval is narrower than the Wald interval "
        f"(variance times {factor:.3g}); ci='hksj-adhoc' never scales it down",
    )


def _single(e: EffectSizes, options: Options, tau2_method: str | None) -> MetaFit:
    het = Heterogeneity(tau2=0.0, i2=0.0, h2=1.0, q=0.0, q_df=0, q_p=1.0)
    return make_fit(
        e,
        options,
        estimate=float(e.yi[0]),
        std_error=float(np.sqrt(e.vi[0])),
        heterogeneity=het,
        tau2_method=tau2_method,
        weights=np.ones(1),
        predict=False,
        notes=("one study: its own effect with a normal interval; tau2 cannot be estimated",),
    )
