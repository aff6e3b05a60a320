"""Of 100 such patients, how many: answers with prediction intervals and a computed grade."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

import metablin as mb
from metablin.datasets import said
from metablin.pipeline import Evidence
from metablin.safety import EventRate, event_rate

from ..cohorts.designs import by_design, suffix
from ..cohorts.populations import POPULATIONS, PROSPECTIVE, RELAPSED
from ..cohorts.responses import (
    MRD_RESPONSES,
    RESPONSES,
    WHOLE,
    candidates,
    one_a_cohort,
    one_definition,
    response_cohorts,
)
from ..lines import join_ids

PATIENTS = 100
SLACK = 1e-9  # a whole number that rounding has moved is whole
ENOUGH_COHORTS, ENOUGH_PATIENTS, NARROW = 5, 300, 30
DIFFER = 0.1  # the usual level of the test of heterogeneity, which has little power
GRADES = {4: "good", 3: "fair", 2: "weak", 1: "very weak", 0: "very weak"}
RULE = {
    "cohorts": ENOUGH_COHORTS,
    "patients": ENOUGH_PATIENTS,
    "narrow": NARROW,
    "of": PATIENTS,
}
"""What the words about the grade name."""


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
            part = question.rows.loc[question.rows["population"] == population]
            planned = part.loc[part["design"].isin(PROSPECTIVE)]
            found = list(by_design(part if planned.empty else planned))
            lines += [
                _answer(question, population, design, rows, i == 0)
                for i, (design, rows) in enumerate(found)
            ]
    return pd.DataFrame(lines)


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


def _unseen(part: pd.DataFrame, rate: EventRate) -> bool:
    """Tell whether trials differ by Cochran's Q while the model found no variance between them."""
    if rate.tau2 > 0:
        return False
    e = mb.proportions(part["events"], part["n"], studies=part["study"].tolist())
    return bool(mb.pool(e).q_p < DIFFER)


def _answer(
    question: Question, population: str, design: str, part: pd.DataFrame, first: bool
) -> dict[str, Any]:
    # as pool_cohorts does: one question has one answer and one range, on whichever page it stands
    rate = event_rate(part["events"], part["n"], studies=part["study"].tolist())
    foretold = math.isfinite(rate.pred_low)
    low, high = (rate.pred_low, rate.pred_high) if foretold else (rate.conf_low, rate.conf_high)
    prospective = part.loc[part["design"].isin(PROSPECTIVE), "n"].sum() / part["n"].sum()
    points = (
        (rate.k >= ENOUGH_COHORTS)
        + (rate.n >= ENOUGH_PATIENTS)
        + (foretold and PATIENTS * (high - low) <= NARROW and not _unseen(part, rate))
        + (prospective >= 0.5)
    )
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
        "grade": GRADES[int(points)],
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
    response = one_definition(one_a_cohort(candidates(rows, trials, RESPONSES), WHOLE))
    mrd = response_cohorts(rows, trials, MRD_RESPONSES)
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
