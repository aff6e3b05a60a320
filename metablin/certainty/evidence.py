"""What a rating starts from: the fit, its weights, and the bias of each study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.certainty.judgements import RiskOfBias
from metablin.certainty.scale import Scale, decision_scale
from metablin.errors import DataError
from metablin.meta import MetaFit, pool
from metablin.meta.bayes import prior_of
from metablin.options import Start

__all__ = [
    "START",
    "Body",
    "DomainRating",
    "refit",
    "severities",
    "weights_of",
    "without_high_risk",
]

FloatArray = NDArray[np.float64]

CORE, ROBINS = "Core GRADE (2025)", "GRADE 18 with ROBINS-I"

START: dict[Start, tuple[int, str, str]] = {
    "randomised": (4, CORE, "randomised comparisons start high"),
    "non-randomised": (2, CORE, "non-randomised comparisons start low"),
    "robins-i": (4, ROBINS, "comparisons judged by ROBINS-I start high"),
    "rate": (4, CORE, "a rate in one group starts high for the question how often"),
    "prognostic": (4, CORE, "a prognostic factor starts high"),
    "single-arm": (1, CORE, "one arm read as an effect starts very low"),
}
"""Starting level, convention and reason by kind of evidence (Guyatt 2025,
doi:10.1136/bmj-2024-083864; Schünemann 2019, doi:10.1016/j.jclinepi.2018.01.012; Iorio 2015,
doi:10.1136/bmj.h870; Foroutan 2020, doi:10.1016/j.jclinepi.2019.12.023)."""

# Levels that a study's judgement costs when the whole body is like it.
_COST = {
    "low": 0, "some concerns": 0, "high": 1, "low except for uncontrolled confounding": 0,
    "moderate": 0, "serious": 1, "critical": 2,
}  # fmt: skip
_COST_ROBINS = {
    "low": 0, "low except for uncontrolled confounding": 1, "moderate": 1, "serious": 2,
    "critical": 3,
}  # fmt: skip
AGAIN = ("random", "common", "glmm", "mantel-haenszel", "peto")
"""Models that some of the studies can be pooled by again."""

SEVERAL = 2
"""Domains with some concerns from which a study counts as high (a choice of this project)."""


@dataclass(frozen=True, slots=True)
class DomainRating:
    """How one domain moves the certainty.

    Attributes
    ----------
    domain : str
    suggested, final : int
        Levels by rule, and after an override: negative down, positive up.
    rule : str
        Which rule applied.
    inputs : str
        The numbers behind it.
    numbers : mapping of str to float
        The same for programs.
    would_change : str
        What would undo it (or, where nothing was lost, what would cost a level).
    reason : str
        Of the override; empty without one.
    """

    domain: str
    suggested: int
    final: int
    rule: str
    inputs: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    would_change: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """A body of evidence: what every domain looks at."""

    fit: MetaFit
    start: Start
    scale: Scale
    weights: FloatArray


def weights_of(fit: MetaFit) -> FloatArray:
    """Return study weights that sum to 1; by inverse variance where the model has none."""
    if np.isfinite(fit.weights).all():
        return np.asarray(fit.weights)
    tau2 = 0.0 if math.isnan(fit.tau2) else fit.tau2
    w = 1 / (fit.effects.vi + tau2)
    return np.asarray(w / w.sum())


def refit(fit: MetaFit, keep: Any = None, ci: str | None = None) -> MetaFit:
    """Return the same pool of some of its studies, or with another interval.

    A posterior keeps its prior. A model that a part of the studies cannot carry (two levels)
    becomes the random-effects model, and so does a posterior when another interval is asked for.
    """
    effects = fit.effects if keep is None else fit.effects.select(keep)
    if fit.model == "bayes" and effects.k > 1 and ci is None:
        return pool(effects, model="bayes", level=fit.level, prior=prior_of(fit))
    model = fit.model if fit.model in AGAIN and effects.k > 1 else "random"
    options: dict[str, Any] = {"model": model, "level": fit.level}
    if model == "random" and effects.k > 1 and fit.tau2_method is not None:
        options["tau2"] = fit.tau2 if fit.tau2_method == "given" else fit.tau2_method
    if ci is not None:
        options["ci"] = ci
    elif model == fit.model and effects.k > 1:
        options["ci"] = fit.ci_method
    return pool(effects, **options)


def without_high_risk(
    fit: MetaFit, risk_of_bias: Any, start: Start = "randomised", outcome: str | None = None
) -> MetaFit:
    """Return the same pool without the studies at high risk of bias.

    Parameters
    ----------
    fit : MetaFit
    risk_of_bias : RiskOfBias or mapping
        Judgements of every study of the pool.
    start : str
        As in :func:`metablin.grade`: for ``robins-i`` the studies left out are those at serious
        or critical risk.
    outcome : str, optional
        Where studies are judged for several outcomes.

    Raises
    ------
    DataError
        For a study without a judgement, or when no study is left.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.5, 0.9], [0.04, 0.05, 0.03], studies=list("ABC")))
    >>> without_high_risk(fit, {"A": "low", "B": "low", "C": "high"}).effects.studies
    ('A', 'B')
    """
    body = Body(fit, start, decision_scale(fit.measure, None, None), weights_of(fit))
    cost, _ = severities(body, risk_of_bias, outcome)
    keep = cost < (2 if start == "robins-i" else 1)
    if not keep.any():
        raise DataError("every study is at high risk of bias", column="risk_of_bias")
    return refit(fit, keep)


def severities(body: Body, judged: Any, outcome: str | None) -> tuple[NDArray[np.intp], list[str]]:
    """Return what each study's risk of bias costs, and its judgement in words."""
    cost = _COST_ROBINS if body.start == "robins-i" else _COST
    levels, words = [], []
    for row, study in enumerate(body.fit.effects.studies, start=1):
        word, several = _judged(judged, study, outcome, row)
        if body.start == "non-randomised" and word in ("serious", "critical"):
            raise DataError(
                "judged by ROBINS-I, which starts high: the two conventions exclude each other",
                column="start", value=body.start, allowed="robins-i", study=study,
            )  # fmt: skip
        if word not in cost:
            raise DataError("unknown judgement", row=row, column="risk_of_bias", value=word,
                            allowed=" | ".join(cost), study=study)  # fmt: skip
        levels.append(max(cost[word], 1 if several >= SEVERAL else 0))
        words.append(f"{word} in {several} domains" if several >= SEVERAL else word)
    return np.array(levels, dtype=np.intp), words


def _judged(judged: Any, study: str, outcome: str | None, row: int) -> tuple[str, int]:
    """Return a study's overall judgement, and in how many domains it has some concerns."""
    if isinstance(judged, RiskOfBias):
        mine = judged.of(study, outcome)
        whole = [j.judgement for j in mine if j.domain == "overall"]
        some = [j for j in mine if j.domain != "overall" and j.judgement == "some concerns"]
        if whole:
            return whole[0], len(some) if whole[0] == "some concerns" else 0
    elif isinstance(judged, Mapping):
        if study in judged:
            return " ".join(str(judged[study]).lower().split()), 0
    else:
        raise DataError(
            "not judgements",
            column="risk_of_bias",
            value=type(judged).__name__,
            allowed="what risk_of_bias returns, or a mapping of study to judgement",
        )
    raise DataError("pooled but not judged", row=row, column="risk_of_bias", value="missing",
                    allowed="a judgement for every study", study=study)  # fmt: skip
