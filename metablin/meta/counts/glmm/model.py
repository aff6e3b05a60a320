"""The count models of :mod:`metablin.meta.counts.glmm.fit` as a model of :func:`metablin.pool`."""

from __future__ import annotations

from typing import Any

from metablin import _input
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.design import typical_variance
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, needs_measure
from metablin.meta.core.parts import Heterogeneity
from metablin.meta.counts.glmm.fit import (
    glmm_proportions,
    glmm_rate_ratios,
    glmm_rates,
    glmm_two_by_two,
)

__all__ = ["fit_glmm"]


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
    fit = function(
        *(e.counts[c] for c in columns), test=options.ci if e.k > 1 else "z",
        level=options.level, studies=e.studies, **keywords,
    )  # fmt: skip
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
    return make_fit(
        e, options, estimate=float(fit.beta[0]), std_error=float(fit.std_error[0]), df=fit.df,
        heterogeneity=het, tau2_method="ML",
        confidence=(float(fit.conf_low[0]), float(fit.conf_high[0])),
        notes=tuple(notes),
        extra=record,
    )  # fmt: skip


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
