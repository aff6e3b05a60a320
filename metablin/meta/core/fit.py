"""The result of pooling, and the one place where it is put together."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.moderators import Regression
from metablin.meta.core.options import Options, needs_effects
from metablin.meta.core.parts import NAN, Analysis, Heterogeneity, SubgroupTest
from metablin.meta.core.text import MODEL_NAMES, p_phrase
from metablin.numerics.inference import critical, two_sided
from metablin.records import Record, json_dict, record_to_json

__all__ = [
    "Analysis",
    "Heterogeneity",
    "MetaFit",
    "SubgroupTest",
    "effects_of",
    "make_fit",
    "needs_fit",
]

SAVED = "metablin_fit"
"""Key that marks a saved fit and the version of its form."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MetaFit(Record):
    """A fitted meta-analysis.

    Attributes
    ----------
    effects : EffectSizes
        What was pooled.
    model, tau2_method, ci_method : str
        As asked for; ``tau2_method`` is ``"given"`` for a known tau2 and None where the model has
        no such estimator.
    level : float
        Confidence level of all intervals.
    estimate, conf_low, conf_high, pred_low, pred_high : float
        Pooled effect, its confidence interval and prediction interval on the reader's scale
        (proportion, ratio, difference, rate). The prediction interval is NaN without a
        between-study variance.
    analysis : Analysis
        The same on the analysis scale, with the standard error.
    statistic, df, p_value : float
        Test that the effect on the analysis scale is zero; ``df`` is infinite for a normal
        reference.
    heterogeneity : Heterogeneity
        tau2 with its interval, I2 (0 to 1), H2, Cochran's Q. Each is also a property of the fit.
    weights : ndarray, shape (k,)
        Shares that sum to 1; NaN where the model has none.
    notes : tuple of str
        Caveats: corrected zero cells, excluded studies, what could not be estimated.
    subgroups : mapping of str to MetaFit
        One fit per subgroup.
    subgroup_test : SubgroupTest or None
        Difference between subgroups.
    extra : mapping
        What only this model reports (log-likelihood, ...), JSON-ready.
    regression : Regression or None
        Coefficients of a meta-regression; the pooled effect is then NaN, and the heterogeneity is
        what the moderators leave over.
    again : callable or None
        What :func:`metablin.pool` was asked for, to be asked again (see :meth:`update`).
    """

    effects: EffectSizes
    model: str
    tau2_method: str | None
    ci_method: str
    level: float
    estimate: float
    conf_low: float
    conf_high: float
    pred_low: float
    pred_high: float
    analysis: Analysis
    statistic: float
    df: float
    p_value: float
    heterogeneity: Heterogeneity
    weights: NDArray[np.float64]
    notes: tuple[str, ...] = ()
    subgroups: Mapping[str, MetaFit] = field(default_factory=dict)
    subgroup_test: SubgroupTest | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    regression: Regression | None = None
    again: Callable[..., MetaFit] | None = field(default=None, repr=False)

    @property
    def k(self) -> int:
        """Number of studies pooled."""
        return self.effects.k

    @property
    def measure(self) -> str:
        """Measure of the effects."""
        return self.effects.measure

    @property
    def transform(self) -> str:
        """Transform to the analysis scale."""
        return self.effects.transform

    @property
    def tau2(self) -> float:
        """Between-study variance on the analysis scale."""
        return self.heterogeneity.tau2

    @property
    def tau2_conf_low(self) -> float:
        """Lower limit of tau2."""
        return self.heterogeneity.tau2_conf_low

    @property
    def tau2_conf_high(self) -> float:
        """Upper limit of tau2."""
        return self.heterogeneity.tau2_conf_high

    @property
    def i2(self) -> float:
        """Share of the variance that lies between studies, 0 to 1."""
        return self.heterogeneity.i2

    @property
    def h2(self) -> float:
        """Total over sampling variance."""
        return self.heterogeneity.h2

    @property
    def q(self) -> float:
        """Cochran's Q."""
        return self.heterogeneity.q

    @property
    def q_df(self) -> float:
        """Degrees of freedom of Q."""
        return self.heterogeneity.q_df

    @property
    def q_p(self) -> float:
        """P-value of Q."""
        return self.heterogeneity.q_p

    @property
    def studies(self) -> pd.DataFrame:
        """One row per study: study, yi, vi, weight, and estimate and limits for the reader."""
        estimate, low, high = self.effects.limits(self.level)
        return pd.DataFrame(
            {
                "study": list(self.effects.studies),
                "yi": self.effects.yi,
                "vi": self.effects.vi,
                "weight": self.weights,
                "estimate": estimate,
                "conf_low": low,
                "conf_high": high,
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per subgroup and one for the whole.

        Estimates and limits are on the reader's scale; ``std_error`` and ``statistic`` belong to
        the analysis scale. A meta-regression gives one row per coefficient, on the analysis
        scale.
        """
        if self.regression is not None:
            return self.regression.to_frame()
        rows = [_frame_row(name, fit) for name, fit in self.subgroups.items()]
        return pd.DataFrame([*rows, _frame_row("overall", self)])

    def to_dict(self) -> dict[str, Any]:
        """Return the object `metablin pool --json` prints."""
        out: dict[str, Any] = {
            name: getattr(self, name) for name in ("measure", "model", "transform", "tau2_method")
        }
        for name in ("ci_method", "level", "k", *_READER):
            out[name] = getattr(self, name)
        out["analysis"] = {name: getattr(self.analysis, name) for name in Analysis.__slots__}
        out["statistic"], out["df"], out["p_value"] = self.statistic, self.df, self.p_value
        for name in Heterogeneity.__slots__:
            out[name] = getattr(self.heterogeneity, name)
        out["studies"] = self.studies
        out["excluded"] = [
            {"study": x.study, "row": x.row, "reason": x.reason} for x in self.effects.excluded
        ]
        out["notes"] = list(self.notes)
        if self.subgroups:
            out["subgroups"] = {name: fit.to_dict() for name, fit in self.subgroups.items()}
        if self.subgroup_test is not None:
            out["subgroup_test"] = self.subgroup_test.to_dict()
        if self.regression is not None:
            out.update(self.regression.to_dict())
        out.update(self.extra)
        return json_dict(out)

    def summary(self) -> str:
        """Return the result as text for people."""
        return "\n".join(_summary_lines(self))

    def __getitem__(self, study: str) -> pd.Series[Any]:
        """Return the row of :attr:`studies` of one study.

        Raises
        ------
        DataError
            When there is no such study, or several rows bear its label.
        """
        at = [i for i, name in enumerate(self.effects.studies) if name == study]
        if len(at) != 1:
            raise DataError(
                f"{len(at)} rows bear this label" if at else "no such study",
                column="study",
                value=repr(study),
                allowed=" | ".join(dict.fromkeys(self.effects.studies)),
            )
        return self.studies.iloc[at[0]]

    def update(self, **changes: Any) -> MetaFit:
        """Return the fit of the same studies with some arguments of ``pool`` changed.

        Examples
        --------
        >>> import metablin as mb
        >>> fit = mb.pool(mb.proportions([3, 9, 4], [20, 20, 25]))
        >>> fit.update(tau2="DL").tau2_method
        'DL'
        """
        if self.again is None:
            raise DataError("only what pool returned can be fitted again", column="fit")
        if "e" in changes:
            raise DataError("the studies stay as they are", column="e",
                            allowed="options of pool; pool(e) for other studies")  # fmt: skip
        return self.again(**changes)

    def to_json(self) -> str:
        """Return the whole fit as JSON text that :func:`metablin.load_fit` reads back."""
        return record_to_json(self, SAVED, skip=("spec", "again"))

    def report(self) -> Record:
        """Return methods and results in sentences for a paper, with the sources of what was used.

        Examples
        --------
        >>> import metablin as mb
        >>> text = mb.pool(mb.generic([0.1, 0.3, 0.6], [0.02, 0.05, 0.04])).report()
        >>> text.results.startswith("3 studies were included. The pooled effect was 0.31")
        True
        """
        # By name: a result does not import what prints it.
        text: Record = importlib.import_module("metablin.report.paper").write_up(self)
        return text

    def predict(self, data: Any) -> pd.DataFrame:
        """Return the effect a meta-regression expects at new values of its moderators.

        Parameters
        ----------
        data : DataFrame or mapping of columns
            One row per prediction, with the moderators of the formula.

        Returns
        -------
        DataFrame
            ``estimate, std_error, conf_low, conf_high, conf_level, pred_low, pred_high``; estimate
            and limits on the reader's scale, the standard error on the analysis scale.
        """
        if self.regression is None:
            raise DataError("only a fit with moderators predicts", column="moderators")
        # of outlying studies tau2 says nothing
        tau2 = None if self.model in ("common", "student-t", "mixture") else self.tau2
        return self.regression.predict(data, tau2=tau2, back=self.effects.back)


def needs_fit(fit: object) -> None:
    """Raise unless `fit` is what :func:`metablin.pool` returns."""
    if not isinstance(fit, MetaFit):
        raise DataError("not a fitted meta-analysis", column="fit", value=type(fit).__name__,
                        allowed="what pool returns")  # fmt: skip


def effects_of(e: EffectSizes | MetaFit) -> EffectSizes:
    """Return effect sizes as they are, and of a fit those it pooled."""
    if isinstance(e, MetaFit):
        return e.effects
    needs_effects(e)
    return e


_READER = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high")


def _frame_row(term: str, fit: MetaFit) -> dict[str, Any]:
    return {
        "term": term,
        "estimate": fit.estimate,
        "std_error": fit.analysis.std_error,
        "statistic": fit.statistic,
        "p_value": fit.p_value,
        "conf_low": fit.conf_low,
        "conf_high": fit.conf_high,
        "conf_level": fit.level,
        "pred_low": fit.pred_low,
        "pred_high": fit.pred_high,
    }


def make_fit(
    e: EffectSizes,
    options: Options,
    *,
    estimate: float,
    std_error: float,
    df: float = math.inf,
    heterogeneity: Heterogeneity | None = None,
    tau2_method: str | None = None,
    weights: NDArray[np.float64] | None = None,
    confidence: tuple[float, float] | None = None,
    prediction: tuple[float, float] | None = None,
    predict: bool = True,
    notes: tuple[str, ...] = (),
    extra: Mapping[str, Any] | None = None,
) -> MetaFit:
    """Return the :class:`MetaFit` of a model from what it estimated on the analysis scale.

    Parameters
    ----------
    e : EffectSizes
        The studies pooled.
    options : Options
        What was asked for.
    estimate, std_error, df : float
        Pooled effect; ``df`` infinite for a normal reference distribution, else Student's t.
    heterogeneity : Heterogeneity, optional
        All NaN when not given.
    tau2_method : str, optional
        Name of the estimator.
    weights : ndarray, shape (k,), optional
        Study weights; scaled here to sum to 1.
    confidence, prediction : (low, high), optional
        Limits on the analysis scale when they are not estimate -/+ critical value times standard
        error (a profile likelihood, a posterior).
    predict : bool
        Whether to give a prediction interval; its half-width is the critical value times
        sqrt(std_error^2 + tau2) (Higgins, Thompson, Spiegelhalter 2009,
        doi:10.1111/j.1467-985X.2008.00552.x, with the reference distribution of the interval).
    notes : tuple of str
        Caveats of this fit; those of the effect sizes are added.
    extra : mapping, optional
        Further entries of the JSON object.
    """
    het = heterogeneity or Heterogeneity()
    crit = float(critical(options.level, df))
    low, high = confidence or (estimate - crit * std_error, estimate + crit * std_error)
    if prediction is None:
        spread = math.sqrt(std_error**2 + het.tau2) if predict and het.tau2 >= 0 else NAN
        prediction = (estimate - crit * spread, estimate + crit * spread)
    inner = Analysis(estimate, std_error, low, high, *prediction)
    outer = [float(x) for x in e.back([getattr(inner, name) for name in _READER])]
    statistic = _ratio(estimate, std_error)
    share = np.full(e.k, NAN) if weights is None else weights / weights.sum()
    return MetaFit(
        e,
        options.model,
        tau2_method,
        options.ci,
        options.level,
        outer[0],
        outer[1],
        outer[2],
        outer[3],
        outer[4],
        analysis=inner,
        statistic=statistic,
        df=df,
        p_value=float(two_sided(statistic, df)),
        heterogeneity=het,
        weights=np.array(share, dtype=np.float64),
        notes=(*_effect_notes(e, options.model), *notes),
        extra=extra or {},
    )


def _ratio(estimate: float, std_error: float) -> float:
    if math.isinf(std_error):  # a posterior without a variance
        return NAN
    if std_error == 0:
        return math.copysign(math.inf, estimate) if estimate else NAN
    return estimate / std_error


RAW_COUNTS = ("mantel-haenszel", "peto", "glmm", "beta-binomial", "conditional", "exact")
"""Models of the counts themselves: corrections of zero cells do not reach them."""


def _effect_notes(e: EffectSizes, model: str) -> tuple[str, ...]:
    notes = []
    repeated = len(set(e.studies))
    if repeated < e.k and model != "multilevel":
        notes.append(
            f"{e.k} rows of {repeated} {'study' if repeated == 1 else 'studies'} are pooled as if "
            "independent; `--cluster study` (robust, or model 'multilevel') allows for it"
        )
    if e.corrected.any() and model not in RAW_COUNTS:
        which = ", ".join(np.array(e.studies)[e.corrected][:5])
        notes.append(f"zero cells corrected ({e.zero_cells}) in {e.corrected.sum()}: {which}")
    if e.excluded:
        which = "; ".join(f"{x.study} ({x.reason})" for x in e.excluded)
        notes.append(f"excluded: {which}")
    if e.transform == "freeman-tukey" and model not in RAW_COUNTS:
        notes.append(
            f"Freeman-Tukey back-transform at the harmonic mean of n = {e.harmonic_n:.4g}; "
            "it can mislead when study sizes differ a lot"
        )
    return tuple(notes)


def _summary_lines(fit: MetaFit) -> list[str]:
    percent = f"{100 * fit.level:g}%"
    tau = f" (tau2: {fit.tau2_method})" if fit.tau2_method else ""
    transform = "" if fit.transform == "none" else f", {fit.transform} scale"
    lines = [
        f"{MODEL_NAMES.get(fit.model, fit.model)}{tau}: {fit.k} "
        f"{'study' if fit.k == 1 else 'studies'}, measure {fit.measure}{transform}",
        *_estimate_lines("Pooled", fit, percent),
        *_heterogeneity_lines(fit, percent),
    ]
    if fit.regression is not None:
        lines += _regression_lines(fit.regression)
    for name, group in fit.subgroups.items():
        lines += _estimate_lines(f"{name} (k = {group.k})", group, percent)
    if fit.subgroup_test is not None:
        test = fit.subgroup_test
        lines.append(
            f"Subgroups: {test.method}: {test.statistic:.3f}, df = {test.df}, "
            f"{p_phrase(test.p_value)}"
        )
    return [*lines, *(f"Note: {note}" for note in fit.notes)]


def _estimate_lines(label: str, fit: MetaFit, percent: str) -> list[str]:
    if math.isnan(fit.estimate):
        return []
    reference = "z" if math.isinf(fit.df) else f"t({fit.df:g})"
    # Without a standard error there is no test.
    tested = not math.isnan(fit.statistic)
    test = f", {reference} = {fit.statistic:.3f}, {p_phrase(fit.p_value)}" if tested else ""
    lines = [
        f"{label}: {fit.estimate:.4g} [{percent} CI {fit.conf_low:.4g} to {fit.conf_high:.4g}]"
        f"{test} ({fit.ci_method})"
    ]
    if not math.isnan(fit.pred_low):
        lines.append(f"  prediction interval {fit.pred_low:.4g} to {fit.pred_high:.4g}")
    return lines


def _heterogeneity_lines(fit: MetaFit, percent: str) -> list[str]:
    lines = []
    if not math.isnan(fit.tau2):
        text = f"tau2 = {fit.tau2:.4g}"
        if not math.isnan(fit.tau2_conf_low):
            text += f" [{percent} CI {fit.tau2_conf_low:.4g} to {fit.tau2_conf_high:.4g}]"
        if not math.isnan(fit.i2):
            text += f", I2 = {100 * fit.i2:.1f}%, H2 = {fit.h2:.3g}"
        lines.append(text)
    if not math.isnan(fit.q):
        lines.append(f"Q = {fit.q:.3f}, df = {fit.q_df:g}, {p_phrase(fit.q_p)}")
    return lines


def _regression_lines(regression: Regression) -> list[str]:
    table = regression.to_frame().drop(columns="conf_level")
    if math.isnan(regression.qm_df2):
        test = f"QM = {regression.qm:.3f}, df = {regression.qm_df}"
    else:
        test = f"F({regression.qm_df}, {regression.qm_df2:g}) = {regression.qm:.3f}"
    explained = "" if math.isnan(regression.r2) else f", R2 = {100 * regression.r2:.1f}%"
    return [
        *table.to_string(index=False, float_format=lambda x: f"{x:.4f}").splitlines(),
        f"Moderators: {test}, {p_phrase(regression.qm_p)}{explained}",
    ]
