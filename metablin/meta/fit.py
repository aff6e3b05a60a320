"""The result of pooling, and the one place where it is put together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.records import Record, freeze, jsonable
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta._inference import critical, two_sided
from metablin.meta.models import Options, needs_effects

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metablin.meta.regression import Regression

__all__ = [
    "Analysis",
    "Heterogeneity",
    "MetaFit",
    "SubgroupTest",
    "effects_of",
    "make_fit",
    "needs_fit",
]

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Analysis:
    """The pooled effect on the analysis scale (a log hazard ratio, a logit, ...)."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    pred_low: float
    pred_high: float


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Between-study variance and its company; values a model does not define are NaN."""

    tau2: float = NAN
    tau2_conf_low: float = NAN
    tau2_conf_high: float = NAN
    i2: float = NAN
    h2: float = NAN
    q: float = NAN
    q_df: float = NAN
    q_p: float = NAN


@dataclass(frozen=True, slots=True)
class SubgroupTest:
    """Test that all subgroups share one effect."""

    statistic: float
    df: int
    p_value: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types."""
        return {
            "statistic": jsonable(self.statistic),
            "df": self.df,
            "p_value": jsonable(self.p_value),
            "method": self.method,
        }


@dataclass(frozen=True, slots=True, eq=False)
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

    def __post_init__(self) -> None:
        freeze(self)

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
        ready: dict[str, Any] = jsonable(out)
        return ready

    def summary(self) -> str:
        """Return the result as text for people."""
        from metablin.meta._summary import summarise

        return summarise(self)

    def to_json(self) -> str:
        """Return the whole fit as JSON text that :func:`metablin.load_fit` reads back."""
        from metablin.meta.saved import fit_to_json

        return fit_to_json(self)

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
        return self.regression.predict(self, data)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a forest plot and return its axes."""
        from metablin.plots import forest

        axes: Axes = forest(self, ax=ax)
        return axes


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
        notes=(*_effect_notes(e), *notes),
        extra=extra or {},
    )


def _ratio(estimate: float, std_error: float) -> float:
    if std_error == 0:
        return math.copysign(math.inf, estimate) if estimate else NAN
    return estimate / std_error


def _effect_notes(e: EffectSizes) -> tuple[str, ...]:
    notes = []
    if e.corrected.any():
        which = ", ".join(np.array(e.studies)[e.corrected][:5])
        notes.append(f"zero cells corrected ({e.zero_cells}) in {e.corrected.sum()}: {which}")
    if e.excluded:
        which = "; ".join(f"{x.study} ({x.reason})" for x in e.excluded)
        notes.append(f"excluded: {which}")
    if e.transform == "freeman-tukey":
        notes.append(
            f"Freeman-Tukey back-transform at the harmonic mean of n = {e.harmonic_n:.4g}; "
            "it can mislead when study sizes differ a lot"
        )
    return tuple(notes)
