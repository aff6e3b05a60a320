"""`pool`: from effect sizes to a fitted meta-analysis."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from metablin._frame import column_of
from metablin._input import choice
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.models import MODELS, fit_model
from metablin.meta.core.options import Options, needs_effects
from metablin.meta.normal.subgroups import add_subgroups
from metablin.options import EqualTau2, Interval, Model, Prediction, Tau2, words

__all__ = ["pool"]

REGRESSIONS = ("random", "common", "glmm", "student-t", "mixture")
"""Models that take moderators."""


def pool(
    e: EffectSizes,
    model: Model = "random",
    tau2: Tau2 | float = "REML",
    ci: Interval | None = None,
    level: float = 0.95,
    by: str | Sequence[Any] | None = None,
    moderators: str | None = None,
    data: Any = None,
    subgroup_tau2: EqualTau2 = "separate",
    prediction: Prediction = "match",
    **extra: Any,
) -> MetaFit:
    """Pool effect sizes.

    Parameters
    ----------
    e : EffectSizes
        From :func:`metablin.proportions`, :func:`metablin.hazard_ratios` and their kin.
    model : str
        ``random`` (default), ``common``, or another name of
        :data:`metablin.meta.core.models.MODELS`.
    tau2 : str or float
        Estimator of the between-study variance, ``REML`` (default), ``DL``, ``HE``, ``HS``,
        ``SJ``, ``ML``, ``EB``, ``PM``, ``PMM``, ``SJ-HE``, ``DL2`` or ``CA2``
        (:mod:`metablin.numerics.tau2`), or a known value.
    ci : str, optional
        ``hksj`` (Hartung-Knapp; default of the random-effects model), ``hksj-adhoc`` (never
        narrower than Wald), ``z`` (default of the other models), ``t`` or, with REML and without
        moderators, ``kenward-roger``. Some models have an interval of their own (``profile`` of
        ``student-t`` and ``mixture``).
    level : float
        Confidence level.
    by : sequence or str, optional
        One label per input row, or the name of a column of `data`: a fit per subgroup and a test
        of their difference, beside the fit of all studies.
    moderators : str, optional
        Formula of a meta-regression (models ``random``, ``common``, ``glmm``, ``student-t`` and
        ``mixture``), such as ``"year + C(line)"``.
    data : DataFrame or mapping, optional
        Table of the moderators (and of `by`), one row per input row.
    subgroup_tau2 : {"separate", "common"}
        Whether subgroups have a tau2 each or share one.
    prediction : {"match", "hts", "kenward-roger", "sidik-jonkman", "nagashima"}
        Prediction interval with the reference distribution and standard error of the confidence
        interval; as Higgins, Thompson and Spiegelhalter (2009) give it, t with k - 2 degrees of
        freedom and the Wald standard error; as Partlett and Riley (2017) do, with the variance of
        Kenward and Roger or of Sidik and Jonkman; or the confidence distribution of Nagashima,
        Noma and Furukawa (2019) (model ``random``; see
        :mod:`metablin.meta.normal.prediction`).
    **extra
        Options of one model only.

    Returns
    -------
    MetaFit

    Raises
    ------
    DataError
        For an unknown option or data the model cannot take, naming the study; for a ratio when
        nobody, or everybody, had the event in both arms of all studies.

    Notes
    -----
    Where no patient, or every patient, of single arms had the event, the fit is the exact interval
    of all patients together (``model`` is ``"exact"``), as in :func:`metablin.pool_cohorts`.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.71, 0.55, 0.90], [0.55, 0.35, 0.60], [0.92, 0.86, 1.35])
    >>> fit = mb.pool(e, ci="z")
    >>> round(fit.estimate, 3), fit.k
    (0.715, 3)
    """
    needs_effects(e)
    given_ci = ci
    model = choice("model", model, MODELS)
    spec = MODELS[model]
    ci = choice("ci", spec.ci[0] if ci is None else ci, spec.ci)
    prediction = choice("prediction", prediction, words(Prediction))
    options = Options(model, ci, tau2, check_level(level), extra, prediction)
    if e.k == 0:
        why = "; ".join(f"{x.study}: {x.reason}" for x in e.excluded)
        raise DataError(f"no study to pool ({why})" if why else "no study to pool")
    if moderators is not None:
        fit = _with_moderators(e, options, moderators, data, by is not None)
    else:
        fit = fit_model(e, options)
        if by is not None:
            fit = add_subgroups(fit, options, _labels(by, data), subgroup_tau2)
    asked: dict[str, Any] = {"model": model, "tau2": tau2, "ci": given_ci, "level": level, "by": by}
    asked |= {"moderators": moderators, "data": data, "subgroup_tau2": subgroup_tau2}
    again = functools.partial(pool, e, **asked, prediction=prediction, **extra)
    return dataclasses.replace(fit, again=again)


def _labels(by: str | Sequence[Any], data: Any) -> Sequence[Any]:
    """Return the subgroup labels, from a column of `data` when `by` is its name."""
    if not isinstance(by, str):
        return by
    if data is None:
        raise DataError(
            "the name of a column without a table to find it in",
            column="by",
            value=repr(by),
            allowed="data=, or one label per row",
        )
    labels: Sequence[Any] = column_of(data, by)[1]
    return labels


def _with_moderators(
    e: EffectSizes, options: Options, formula: str, data: Any, grouped: bool
) -> MetaFit:
    from metablin.meta.core.moderators import design_matrix

    if options.model not in REGRESSIONS:
        raise DataError(
            "moderators need an inverse-variance model or a count model",
            column="model",
            value=options.model,
            allowed=" | ".join(REGRESSIONS),
        )
    if grouped:
        raise DataError(
            "subgroups and moderators cannot be asked for at once",
            column="by",
            allowed='the subgroup as a moderator, "C(column)"',
        )
    if options.model == "glmm":
        from metablin.meta.counts.glmm.model import fit_glmm_regression

        return fit_glmm_regression(e, options, design_matrix(e, formula, data))
    if options.model in ("student-t", "mixture"):
        from metablin.meta.outliers.fit import fit_outlier_regression

        return fit_outlier_regression(e, options, design_matrix(e, formula, data))
    from metablin.meta.normal.regression import fit_regression

    return fit_regression(e, options, design_matrix(e, formula, data))
