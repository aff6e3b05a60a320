"""GRADE: a level of certainty suggested from the numbers, with every step open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metablin import _input
from metablin.certainty.absolute import AbsoluteEffect, absolute_effect
from metablin.certainty.domains import (
    inconsistency,
    indirectness_domain,
    large_effect,
    publication_bias,
    risk_of_bias_domain,
)
from metablin.certainty.evidence import START, Body, DomainRating, weights_of
from metablin.certainty.precision import imprecision
from metablin.certainty.scale import RATIOS, WORDS, Scale, decision_scale
from metablin.certainty.tables import read_overrides
from metablin.certainty.words import LEVELS, SIGNS, SUGGESTED, rate_sentence, sentence
from metablin.errors import DataError
from metablin.meta import MetaFit
from metablin.options import Start, words
from metablin.records import Record, json_dict

__all__ = ["Certainty", "grade"]

ACCEPTED = 0.10
"""Half-width of the interval of a rate that a reader accepts when none is named (a choice)."""

COLUMNS = ("domain", "suggested", "final", "rule", "inputs", "would_change", "reason")


@dataclass(frozen=True, slots=True, eq=False)
class Certainty(Record):
    """The certainty of one outcome in one population, suggested by rule.

    Attributes
    ----------
    fit : MetaFit
    outcome, population, intervention : str
    start, convention : str
        Kind of evidence; which of GRADE's two conventions its starting level follows.
    start_level, level : int
        4 high, 3 moderate, 2 low, 1 very low.
    domains : tuple of DomainRating
        Each with its rule, the numbers behind it, and what would change it.
    size : str
        ``large``, ``moderate``, ``small`` or ``trivial`` by three thresholds, ``important`` or
        ``trivial`` by one, ``not sized`` without; ``rate`` in one group.
    sentence : str
        In GRADE's words.
    absolute : AbsoluteEffect or None
        At the baseline risk, where one was given.
    at : float
        Time of the outcome in months; NaN when it has none.
    patients : float
        NaN when not known.
    """

    fit: MetaFit
    outcome: str
    population: str
    intervention: str
    start: Start
    convention: str
    start_level: int
    level: int
    domains: tuple[DomainRating, ...]
    size: str
    sentence: str
    absolute: AbsoluteEffect | None
    at: float
    patients: float

    @property
    def word(self) -> str:
        """The level as GRADE calls it."""
        return LEVELS[self.level]

    @property
    def status(self) -> str:
        """Who stands behind the level."""
        return SUGGESTED

    @property
    def relative(self) -> str:
        """The effect with its interval, as tables print it."""
        f = self.fit
        scale, digits = (100, 0) if f.measure == "proportion" else (1, 2)
        low, middle, high = (
            f"{scale * x:.{digits}f}" for x in (f.conf_low, f.estimate, f.conf_high)
        )
        unit = "%" if f.measure == "proportion" else ""
        name = "" if unit else f"{WORDS.get(f.measure, f.measure)} "
        return f"{name}{middle}{unit} ({low}{unit} to {high}{unit})"

    def to_frame(self) -> pd.DataFrame:
        """Return one row per domain."""
        rows = [[getattr(d, name) for name in COLUMNS] for d in self.domains]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def changes(self) -> pd.DataFrame:
        """Return what would change the level: per domain that moved it, and the level then."""
        rows = []
        for d in (d for d in self.domains if d.final < 0):
            others = [x for x in self.domains if x is not d]
            then = LEVELS[_level(self.start_level, others)]
            rows.append({"domain": d.domain, "would_change": d.would_change, "level_then": then})
        return pd.DataFrame(rows, columns=["domain", "would_change", "level_then"])

    def summary(self) -> str:
        """Return the rating as text, step by step."""
        lines = [
            f"{self.outcome}{f' in {self.population}' if self.population else ''}: "
            f"{SIGNS[self.level]} {self.word} ({SUGGESTED})",
            f"{self.relative}; {self.sentence}",
            f"start: {LEVELS[self.start_level]} ({START[self.start][2]}; {self.convention})",
        ]
        for d in self.domains:
            own = "" if not d.reason else f" [rule: {d.suggested:+d}; overridden: {d.reason}]"
            lines.append(f"{d.final:+d} {d.domain}: {d.rule}; {d.inputs}{own}")
        for row in self.changes().itertuples():
            lines.append(f"would be {row.level_then} with: {row.would_change}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready Python types."""
        names = (
            "outcome",
            "population",
            "intervention",
            "start",
            "convention",
            "start_level",
            "level",
            "word",
            "status",
            "relative",
            "size",
            "sentence",
            "at",
            "patients",
        )
        out: dict[str, Any] = {name: getattr(self, name) for name in names}
        out["domains"] = [
            {**{n: getattr(d, n) for n in COLUMNS}, "numbers": dict(d.numbers)}
            for d in self.domains
        ]
        out["changes"] = self.changes()
        out["absolute"] = None if self.absolute is None else self.absolute.to_dict()
        out["fit"] = self.fit.to_dict()
        return json_dict(out)


def grade(
    fit: MetaFit,
    start: Start,
    risk_of_bias: Any = None,
    threshold: float | Sequence[float] | None = None,
    baseline: float | None = None,
    indirectness: Any = None,
    *,
    at: float | None = None,
    outcome: str = "the outcome",
    population: str = "",
    populations: Any = None,
    intervention: str = "the treatment",
    publication: Any = None,
    overrides: Any = None,
    half_width: float = ACCEPTED,
    patients: float | None = None,
) -> Certainty:
    """Suggest the certainty of a pooled effect by GRADE, from its numbers and stated judgements.

    Parameters
    ----------
    fit : MetaFit
        What :func:`metablin.pool` returns.
    start : {"randomised", "non-randomised", "robins-i", "rate", "prognostic", "single-arm"}
        Kind of evidence. Non-randomised comparisons start low (Core GRADE), or high when
        they are judged by ROBINS-I.
    risk_of_bias : RiskOfBias or mapping, optional
        Judgements of every study of the pool; without them the domain is not judged. Where studies
        are judged for several outcomes, `outcome` names the one of this pool.
    threshold : float or three floats, optional
        What matters: the smallest important difference, or the limits of small, moderate and large
        effects. Differences in risk (0.05 is 50 per 1,000) with a baseline; without one a ratio
        (0.8), a difference, or for a rate the value a decision turns at. The null alone without.
    baseline : float, optional
        Risk without treatment (at the time `at`); effects are then judged in absolute terms.
    indirectness : table, optional
        Rows of ``aspect`` (population, intervention, comparator, outcome, indirect comparison),
        ``severity`` (none, serious, very serious), ``reason`` and perhaps ``study``.
    at : float, optional
        Time of the outcome in months; needed with a hazard ratio and a baseline.
    outcome, population, intervention : str
        For the sentence; the outcome is the unwanted event.
    populations : sequence or mapping, optional
        Code of each study's population, compared with `population`.
    publication : mapping, optional
        ``overdue`` (registered comparisons overdue for results), ``industry`` (studies paid by
        industry).
    overrides : table, optional
        Rows of ``domain, levels, reason``: a person's rating in place of the rule's. Each needs a
        reason. ``dose response`` and ``plausible confounding`` raise.
    half_width : float
        Half-width of the interval that a reader of a rate accepts.
    patients : float, optional
        Number of patients where the counts of the fit do not say.

    Returns
    -------
    Certainty

    Raises
    ------
    DataError
        For an override without a reason, a threshold outside its scale, a study that is pooled but
        not judged, conventions that exclude each other.

    References
    ----------
    Guyatt G et al. (2025). Core GRADE 1 to 5. doi:10.1136/bmj-2024-083864 and its companions;
    thresholds of this project's own are named at each rule.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.hazard_ratios([0.7, 0.75], [0.55, 0.6], [0.89, 0.94]), model="common")
    >>> rated = grade(fit, "randomised", risk_of_bias={"study 1": "low", "study 2": "low"},
    ...               outcome="death", intervention="Drug X")
    >>> rated.word, rated.sentence
    ('high', 'Drug X reduces death.')
    """
    if not isinstance(fit, MetaFit):
        raise DataError("not a fitted meta-analysis", column="fit", value=type(fit).__name__,
                        allowed="what pool returns")  # fmt: skip
    _input.choice("start", start, words(Start))
    for name, said in (("outcome", outcome), ("intervention", intervention)):
        if not isinstance(said, str):
            raise DataError("not words", column=name, value=repr(said), allowed="text")
    start_level, convention, _ = START[start]
    scale = decision_scale(fit.measure, baseline, threshold)
    half = _input.one("half_width", half_width, above=0.0)
    body = Body(fit, start, scale, weights_of(fit))
    own = read_overrides(overrides)
    rated = [
        risk_of_bias_domain(body, risk_of_bias, outcome),
        inconsistency(body, half),
        indirectness_domain(body, indirectness, population, populations),
        imprecision(body, half),
        publication_bias(body, publication),
    ]
    rated = [_override(d, own) for d in rated]
    downs = -sum(d.final for d in rated)
    if start in ("non-randomised", "robins-i"):  # only these are rated up
        rated.append(_override(large_effect(body, downs), own))
    rated += [_raise(name, own) for name in own if name not in {d.domain for d in rated}]
    level = _level(start_level, rated)
    size = _size(scale, fit.estimate)
    absolute = _absolute(fit, baseline, at, scale)
    return Certainty(
        fit, outcome, population, intervention, start, convention, start_level, level,
        tuple(rated), size, _sentence(fit, start, scale, level, size, intervention, outcome),
        absolute, math.nan if at is None else _input.one("at", at, above=0.0),
        _patients(fit, patients),
    )  # fmt: skip


def _override(rating: DomainRating, own: dict[str, tuple[int, str]]) -> DomainRating:
    if rating.domain not in own:
        return rating
    levels, reason = own[rating.domain]
    return dataclasses.replace(rating, final=levels, reason=reason)


def _raise(domain: str, own: dict[str, tuple[int, str]]) -> DomainRating:
    levels, reason = own[domain]
    return DomainRating(domain, 0, levels, "UP5 a person's judgement", reason, reason=reason)


def _level(start: int, rated: Sequence[DomainRating]) -> int:
    return int(np.clip(start + sum(d.final for d in rated), 1, 4))


def _size(scale: Scale, estimate: float) -> str:
    """Return the size of an effect by its thresholds; without any, it is simply an effect."""
    if math.isnan(scale.null):
        return "rate"
    distance = abs(float(scale.value(estimate)))
    names = {0: ("not sized",), 1: ("trivial", "important"),
             3: ("trivial", "small", "moderate", "large")}[len(scale.thresholds)]  # fmt: skip
    return names[int(np.searchsorted(scale.thresholds, distance, side="right"))]


def _sentence(
    fit: MetaFit, start: Start, scale: Scale, level: int, size: str, intervention: str,
    outcome: str,
) -> str:  # fmt: skip
    if size == "rate" and start != "single-arm":  # read as an effect, it is one
        show = scale.show
        return rate_sentence(
            level, show(fit.estimate), f"{show(fit.conf_low)} to {show(fit.conf_high)}", outcome
        )
    reduces = fit.estimate < (1 if fit.measure in RATIOS else 0)
    size = "not sized" if size == "rate" else size
    return sentence(level, size, reduces, intervention, outcome)


def _absolute(
    fit: MetaFit, baseline: float | None, at: float | None, scale: Scale
) -> AbsoluteEffect | None:
    if baseline is None:
        return None
    matters = scale.thresholds[0] if scale.thresholds else None
    return absolute_effect(fit, baseline, at, threshold=matters)


def _patients(fit: MetaFit, patients: float | None) -> float:
    if patients is not None:
        return _input.one("patients", patients, minimum=0.0)
    counts = fit.effects.counts
    for names in (("n",), ("n_treatment", "n_control")):
        if set(names) <= set(counts):
            return float(sum(counts[n].sum() for n in names))
    return math.nan
