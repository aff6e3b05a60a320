"""The count models of :mod:`metablin.meta.counts.glmm.fit` as a model of :func:`metablin.pool`."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from metablin import _input
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.design import typical_variance
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.moderators import Design, Regression
from metablin.meta.core.options import Options, needs_measure
from metablin.meta.core.parts import NAN, Heterogeneity
from metablin.meta.counts.glmm.fit import (
    GLMMFit,
    glmm_proportions,
    glmm_rate_ratios,
    glmm_rates,
    glmm_two_by_two,
)
from metablin.numerics.inference import joint_test
from metablin.records import Coefficients

__all__ = ["fit_glmm", "fit_glmm_regression"]


def fit_glmm(e: EffectSizes, options: Options) -> MetaFit:
    """Pool the counts behind `e` by the count model of its measure (see :func:`metablin.pool`).

    Options: ``study_effects`` (``fixed``, the default, or ``random``; 2x2 and rate ratios),
    ``points`` and ``interval`` (``wald`` or ``profile``).

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.proportions([0, 10, 4, 18], [20, 31, 25, 40]), model="glmm")
    >>> round(fit.estimate, 4)
    0.1892
    """
    fit = _fit_counts(e, options)
    return make_fit(
        e, options, estimate=float(fit.beta[0]), std_error=float(fit.std_error[0]), df=fit.df,
        confidence=(float(fit.conf_low[0]), float(fit.conf_high[0])), **_company(fit, e),
    )  # fmt: skip


def fit_glmm_regression(e: EffectSizes, options: Options, design: Design) -> MetaFit:
    """Fit the count model with moderators: of the logit or log rate, or of the log ratio.

    Options as for :func:`fit_glmm`. Studies that carry no information leave with their row of the
    design. R2 is not given: tau2 without the moderators comes from another likelihood.

    Raises
    ------
    DataError
        When the informative studies no longer tell the moderators apart.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.proportions([2, 10, 4, 18, 9], [20, 31, 25, 40, 33])
    >>> fit = mb.pool(e, model="glmm", moderators="year", data={"year": [1, 3, 2, 4, 3]})
    >>> fit.regression.beta.round(3).tolist()
    [-2.95, 0.689]
    """
    fit = _fit_counts(e, options, design=design.matrix, terms=design.terms)
    pooled = make_fit(e, options, estimate=NAN, std_error=NAN, df=fit.df, predict=False,
                      **_company(fit, e))  # fmt: skip
    at = design.tested
    qm, qm_p = joint_test(fit.beta[at], fit.cov[np.ix_(at, at)], fit.df)
    df2 = fit.df if np.isfinite(fit.df) else NAN
    shared = {f.name: getattr(fit, f.name) for f in dataclasses.fields(Coefficients)}
    regression = Regression(
        **shared, design=design, qm=qm, qm_df=len(at), qm_df2=df2, qm_p=qm_p, r2=NAN
    )
    return dataclasses.replace(pooled, regression=regression)


def _fit_counts(e: EffectSizes, options: Options, **moderators: Any) -> GLMMFit:
    """Return the fit of the function for the measure, after checking measure and options."""
    needs_measure(e, "glmm", _FITTERS)
    extra = options.only("study_effects", "points", "interval")
    wanted = "logit" if e.measure == "proportion" else "log"
    if e.transform != wanted:
        raise DataError(
            "model 'glmm' works on its own scale", column="transform", value=e.transform,
            allowed=wanted,
        )  # fmt: skip
    function, columns, two_arms = _FITTERS[e.measure]
    keywords: dict[str, Any] = {
        name: extra[name] for name in ("points", "interval") if name in extra
    }
    if two_arms:
        effects = _input.choice(
            "study_effects", extra.get("study_effects", "fixed"), ["fixed", "random"]
        )
        keywords["model"] = {"fixed": "UM.FS", "random": "UM.RS"}[effects]
    elif "study_effects" in extra:
        raise DataError("only for two arms", column="study_effects", value=extra["study_effects"])
    found: GLMMFit = function(
        *(e.counts[c] for c in columns), test=options.ci if e.k > 1 else "z",
        level=options.level, studies=e.studies, **keywords, **moderators,
    )  # fmt: skip
    return found


def _company(fit: GLMMFit, e: EffectSizes) -> dict[str, Any]:
    """Return what goes with the coefficients of a count model into :func:`make_fit`."""
    typical = typical_variance(e.vi[fit.rows])
    het = Heterogeneity(
        fit.tau2, fit.tau2_conf_low, fit.tau2_conf_high, fit.tau2 / (fit.tau2 + typical),
        1 + fit.tau2 / typical, fit.q, fit.q_df, fit.q_p,
    )  # fmt: skip
    notes = ["the counts enter as they were observed, without correction", *fit.notes]
    if fit.excluded:
        notes.append("no information, hence left out: " + ", ".join(n for n, _ in fit.excluded))
    names = ("model", "loglik", "aic", "sigma2", "tau2_lrt", "tau2_lrt_p", "points", "interval")
    record = {("glmm_model" if n == "model" else n): getattr(fit, n) for n in names}
    return {"heterogeneity": het, "tau2_method": "ML", "notes": tuple(notes), "extra": record}


_FITTERS: dict[str, tuple[Any, tuple[str, ...], bool]] = {
    "proportion": (glmm_proportions, ("events", "n"), False),
    "rate": (glmm_rates, ("events", "person_time"), False),
    "or": (
        glmm_two_by_two,
        ("events_treatment", "n_treatment", "events_control", "n_control"),
        True,
    ),
    "irr": (
        glmm_rate_ratios,
        ("events_treatment", "person_time_treatment", "events_control", "person_time_control"),
        True,
    ),
}
