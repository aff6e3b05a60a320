"""`pool`: from effect sizes to a fitted meta-analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metablin._input import choice
from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.fit import MetaFit
from metablin.meta.models import MODELS, Options, fitter
from metablin.meta.subgroups import add_subgroups

__all__ = ["pool"]


def pool(
    e: EffectSizes,
    model: str = "random",
    tau2: str | float = "REML",
    ci: str | None = None,
    level: float = 0.95,
    by: Sequence[Any] | None = None,
    moderators: str | None = None,
    data: Any = None,
    subgroup_tau2: str = "separate",
    prediction: str = "match",
    **extra: Any,
) -> MetaFit:
    """Pool effect sizes.

    Parameters
    ----------
    e : EffectSizes
        From :func:`metablin.proportions`, :func:`metablin.hazard_ratios` and their kin.
    model : str
        ``random`` (default), ``common``, or another name of
        :data:`metablin.meta.models.MODELS`.
    tau2 : str or float
        Estimator of the between-study variance, ``REML`` (default), ``DL``, ``HE``, ``HS``,
        ``SJ``, ``ML``, ``EB`` or ``PM``, or a known value.
    ci : str, optional
        ``hksj`` (Hartung-Knapp; default of the random-effects model), ``hksj-adhoc`` (never
        narrower than Wald), ``z`` (default of the other models) or ``t``.
    level : float
        Confidence level.
    by : sequence, optional
        One label per input row: a fit per subgroup, each with its own tau2, and a test of their
        difference, beside the fit of all studies.
    moderators : str, optional
        Formula of a meta-regression (models ``random`` and ``common``), such as
        ``"year + C(line)"``.
    data : DataFrame or mapping, optional
        Table of the moderators, one row per input row.
    subgroup_tau2 : {"separate", "common"}
        Whether subgroups have a tau2 each or share one.
    prediction : {"match", "hts"}
        Prediction interval with the reference distribution and standard error of the confidence
        interval, or as Higgins, Thompson and Spiegelhalter (2009) give it: t with k - 2 degrees of
        freedom and the Wald standard error (models ``random``).
    **extra
        Options of one model only.

    Returns
    -------
    MetaFit

    Raises
    ------
    DataError
        For an unknown option or data the model cannot take, naming the study.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.hazard_ratios([0.71, 0.55, 0.90], [0.55, 0.35, 0.60], [0.92, 0.86, 1.35])
    >>> fit = mb.pool(e, ci="z")
    >>> round(fit.estimate, 3), fit.k
    (0.715, 3)
    """
    spec = MODELS[choice("model", model, MODELS)]
    ci = choice("ci", spec.ci[0] if ci is None else ci, spec.ci)
    prediction = choice("prediction", prediction, ("match", "hts"))
    options = Options(model, ci, tau2, check_level(level), extra, prediction)
    if e.k == 0:
        why = "; ".join(f"{x.study}: {x.reason}" for x in e.excluded)
        raise DataError(f"no study to pool ({why})" if why else "no study to pool")
    if moderators is not None:
        return _with_moderators(e, options, moderators, data, by)
    fit = fitter(model)(e, options)
    return fit if by is None else add_subgroups(fit, options, by, subgroup_tau2)


def _with_moderators(
    e: EffectSizes, options: Options, formula: str, data: Any, by: Sequence[Any] | None
) -> MetaFit:
    from metablin.meta.regression import design_matrix, fit_regression

    if options.model not in ("random", "common"):
        raise DataError(
            "moderators need an inverse-variance model",
            column="model",
            value=options.model,
            allowed="random | common",
        )
    if by is not None:
        raise DataError(
            "subgroups and moderators cannot be asked for at once",
            column="by",
            allowed='the subgroup as a moderator, "C(column)"',
        )
    return fit_regression(e, options, design_matrix(e, formula, data))
