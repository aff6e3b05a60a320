"""How certain: risk of bias, GRADE, absolute effects, summary of findings.

Answers to signalling questions become judgements (:mod:`~metablin.certainty.judgements`, by the
decision trees of :mod:`~metablin.certainty.rob2` and :mod:`~metablin.certainty.robins`);
judgements and a pool become a suggested level of certainty with the number behind each domain
(:mod:`~metablin.certainty.rating`); a pool and a baseline risk become what it means for patients
(:mod:`~metablin.certainty.absolute`); ratings become the table that panels use
(:mod:`~metablin.certainty.findings`).
"""

from metablin.certainty.absolute import (
    AbsoluteEffect,
    absolute_effect,
    needed_to_treat,
    probability_beyond,
)
from metablin.certainty.answers import TOOLS
from metablin.certainty.arms import absolute_effect_arms
from metablin.certainty.evidence import START, DomainRating, without_high_risk
from metablin.certainty.findings import SummaryOfFindings, summary_of_findings
from metablin.certainty.judgements import Judgement, RiskOfBias, risk_of_bias
from metablin.certainty.precision import information_size
from metablin.certainty.rating import Certainty, grade
from metablin.certainty.words import LEVELS, SIGNS, SUGGESTED

__all__ = [
    "LEVELS",
    "SIGNS",
    "START",
    "SUGGESTED",
    "TOOLS",
    "AbsoluteEffect",
    "Certainty",
    "DomainRating",
    "Judgement",
    "RiskOfBias",
    "SummaryOfFindings",
    "absolute_effect",
    "absolute_effect_arms",
    "grade",
    "information_size",
    "needed_to_treat",
    "probability_beyond",
    "risk_of_bias",
    "summary_of_findings",
    "without_high_risk",
]
