"""Of 100 such patients, how many: answers with prediction intervals and their certainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin.datasets import said
from metablin.pipeline import Evidence
from metablin.safety import event_rate

from ..cohorts.designs import by_design, suffix
from ..cohorts.populations import POPULATIONS, PROSPECTIVE, RELAPSED
from ..cohorts.rates import ACCEPTED, rated_rate
from ..cohorts.responses import marrow_cohorts, mrd_cohorts, one_definition, response_cohorts
from ..lines import join_ids

PATIENTS = 100
SLACK = 1e-9  # a whole number that rounding has moved is whole
RULE = {"accepted": round(PATIENTS * ACCEPTED), "of": PATIENTS}
"""What the words about certainty name."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question a patient or a doctor asks, the rows that answer it, and of whom it is asked."""

    key: str
    words: str
    rows: pd.DataFrame
    populations: tuple[str, ...] = tuple(POPULATIONS)


def answers(questions: list[Question]) -> pd.DataFrame:
    """Return one line for every question, population and design with any cohort.

    Prospective designs stand side by side; others answer only where no prospective cohort does.
    Rows need ``population, design, study, events, n, row_id``.
    """
    lines = []
    for question in questions:
        for population in question.populations:
            lines += [
                _answer(question, population, design, rows, i == 0)
                for i, (design, rows) in enumerate(by_population(question, population))
            ]
    return pd.DataFrame(lines)


def by_population(question: Question, population: str) -> list[tuple[str, pd.DataFrame]]:
    """Return the cohorts of a population that answer a question, a design after the other."""
    part = question.rows.loc[question.rows["population"] == population]
    planned = part.loc[part["design"].isin(PROSPECTIVE)]
    return list(by_design(part if planned.empty else planned))


def unanswered(questions: list[Question]) -> pd.DataFrame:
    """Return the questions that no cohort of a population answers."""
    lines = [
        {"key": f"{population}.{question.key}", "group": POPULATIONS[population],
         "question": question.words}
        for question in questions
        for population in question.populations
        if not (question.rows["population"] == population).any()
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=["key", "group", "question"])


def _answer(
    question: Question, population: str, design: str, part: pd.DataFrame, first: bool
) -> dict[str, Any]:
    # as pool_cohorts does: one question has one answer and one range, on whichever page it stands
    rate = event_rate(part["events"], part["n"], studies=part["study"].tolist())
    foretold = math.isfinite(rate.pred_low)
    low, high = (rate.pred_low, rate.pred_high) if foretold else (rate.conf_low, rate.conf_high)
    prospective = part.loc[part["design"].isin(PROSPECTIVE), "n"].sum() / part["n"].sum()
    rated = rated_rate(part, question.key, outcome=question.words)
    several = f"{rate.k} {said('design')[design]} cohorts"
    return {
        "key": f"{population}.{question.key}{'' if first else suffix(design) or '.' + design}",
        "group": POPULATIONS[population],
        "question": question.words,
        "design": design,
        "who": several if rate.k > 1 else part["study"].iloc[0],
        "expected": PATIENTS * rate.estimate,
        "low": math.floor(PATIENTS * low + SLACK),
        "high": math.ceil(PATIENTS * high - SLACK),
        "range": "a new cohort" if foretold else "this study",
        "of": PATIENTS,
        "certainty": rated.word,
        "lowered": ", ".join(d.domain for d in rated.domains if d.final < 0),
        "k": rate.k,
        "events": rate.events,
        "n": rate.n,
        "prospective_share": prospective,
        "estimate": rate.estimate,
        "conf_low": rate.conf_low,
        "conf_high": rate.conf_high,
        "pred_low": rate.pred_low,
        "pred_high": rate.pred_high,
        "model": rate.model,
        "row_ids": join_ids(part["row_id"]),
    }


ASKED = {
    "crs_severe": ("cytokine release syndrome", "grade3plus", "severe cytokine release syndrome"),
    "neuro_severe": ("neurologic event", "grade3plus", "severe neurologic event"),
    "severe": ("any adverse event", "grade3plus", "any severe adverse event"),
    "serious": ("any adverse event", "serious", "any serious adverse event"),
    "stopped": ("any adverse event", "discontinuation", "treatment ended by an adverse event"),
    "fatal": ("any adverse event", "fatal", "fatal adverse event, any cause"),
    "fatal_related": ("treatment-related adverse event", "fatal", "fatal event due to treatment"),
}


def questions(evidence: Evidence, trials: pd.DataFrame, kept: pd.DataFrame) -> list[Question]:
    """Return the questions, benefits first; trials that are part of another one stay out."""
    current = set(evidence.load("trials")["trial_id"])
    rows = evidence.load("proportions")
    rows = rows.loc[rows["trial_id"].isin(current)]
    response = one_definition(marrow_cohorts(rows, trials))
    mrd = mrd_cohorts(rows, trials)
    transplant = response_cohorts(rows, trials, ("allohsct",))
    out = [
        Question("response", "haematological response (CR or CRh)", response, RELAPSED),
        Question("mrd_of_responders", "of responders, MRD response",
                 mrd.loc[mrd["denominator"] == "responders"], RELAPSED),
        Question("mrd", "MRD response (of those evaluable)",
                 mrd.loc[mrd["denominator"] == "evaluable"]),
        Question("mrd_of_treated", "MRD response, of all treated",
                 mrd.loc[mrd["denominator"] == "treated"]),
        Question("transplant", "transplant afterwards, of all treated",
                 transplant.loc[transplant["denominator"] == "treated"]),
    ]  # fmt: skip
    for key, (term, grade, words) in ASKED.items():
        part = kept.loc[(kept["term"] == term) & (kept["grade"] == grade)]
        out.append(Question(key, words, part))
    return out
