"""How certain the answers are: risk of bias, GRADE, and summaries of findings."""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts import bias, harms
from ..cohorts.arms import PrintedArm, printed_arms
from ..cohorts.comparisons import Choice, choices, comparisons
from ..cohorts.populations import known_trials
from ..randomised import absolute
from ..safety import answers
from ..survival.observed import observed
from . import figures, rows
from .questions import (
    COMPARED,
    SINGLE,
    Body,
    Grading,
    harm_bodies,
    members,
    observed_bodies,
    rate_bodies,
    survival_bodies,
)

READS = (
    "trials", "references", "screening", "contrasts", "survival", "at_risk", "proportions",
    "safety", "discrepancies", "risk_of_bias", "overrides",
)  # fmt: skip

LIGHTS = {
    "bias_os": ("os", "rob2"),
    "bias_event_free": ("event_free", "rob2"),
    "bias_others": ("os", "robins-i"),
}
"""Outcome and tool of every figure of risk of bias."""


@analysis(reads=READS, order=15)
def certainty(evidence: Evidence, words: Words) -> Outcome:
    """Judge risk of bias, grade every headline, and set the summaries of findings."""
    trials, asked = known_trials(evidence), evidence.load("risk_of_bias")
    labels = trials.set_index("trial_id")["label"]
    overrides, judged = evidence.load("overrides"), bias.all_judged(evidence, trials)
    grading = Grading(judged, overrides)
    compared = comparisons(evidence.load("contrasts"), trials)
    pools = list(choices(compared))
    bodies = all_bodies(evidence, trials, compared, grading)
    lines = bias.judgements(judged, asked, labels)
    return words.outcome(
        {
            "summary_of_findings": rows.findings(bodies),
            "grades": rows.grades(bodies),
            "domains": rows.domains(bodies, lines),
            "without_high_risk": rows.sensitivity(pools, judged),
            "no_information": bias.silence(lines),
            "risk_of_bias": lines,
            "overrides": rows.given(overrides),
        },
        {
            "steps": figures.steps(bodies),
            **{
                name: figures.lights(judged, *of)
                for name, of in LIGHTS.items()
                if bias.some(judged, *of)
            },
        },
        **bias.counts(lines),
    )


def all_bodies(
    evidence: Evidence, trials: pd.DataFrame, compared: pd.DataFrame, grading: Grading
) -> list[Body]:
    """Return every graded body of evidence, question by question."""
    pools = list(choices(compared))
    arms = printed_arms(
        evidence.load("survival"), trials, evidence.load("at_risk"), evidence.curves()
    )
    controls = control_groups(pools, compared, arms, trials)
    counted = harms.counts(evidence.load("safety"), trials, evidence.load("discrepancies"))
    asked = answers.questions(evidence, trials, harms.cohorts(counted))
    labels = dict(zip(trials["trial_id"], trials["label"], strict=True))
    found = [
        *survival_bodies(pools, controls, grading),
        *harm_bodies(harms.randomised(counted), members(pools), grading),
        *observed_bodies(observed(evidence.load("proportions"), trials), labels, grading),
        *rate_bodies(asked, grading),
    ]
    order = [q.key for q in (*COMPARED, *SINGLE)]
    return sorted(found, key=lambda b: order.index(b.question.key))


def control_groups(
    pools: list[Choice], compared: pd.DataFrame, arms: list[PrintedArm],
    trials: pd.DataFrame,
) -> dict[str, absolute.Baseline]:  # fmt: skip
    """Return the middle control group of every question's pools at the question's time."""
    drawn = absolute.drawn_pairs(arms, compared, compared["trial_id"].unique().tolist())
    known = absolute.curves(drawn, dict(zip(trials["trial_id"], trials["population"], strict=True)))
    at = {q.pool: q.at for q in COMPARED}
    found = {
        c.key: rows.middle(absolute.baselines(c, known, arms), at[c.name])
        for c in pools
        if c.name in at
    }
    return {key: one for key, one in found.items() if one is not None}
