"""Of 100 such patients, how many: answers with prediction intervals and a computed grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

import metablin as mb
from metablin.safety import EventRate, event_rate, predicted_count

from ._shared import POPULATIONS, join_ids

PATIENTS = 100
TWO = 2
PROSPECTIVE = ("rct", "single_arm")
ENOUGH_COHORTS, ENOUGH_PATIENTS, NARROW = 5, 300, 30
DIFFER = 0.1  # the usual level of the test of heterogeneity, which has little power
GRADES = {4: "good", 3: "fair", 2: "weak", 1: "very weak", 0: "very weak"}
RULE = (
    f"One point each for {ENOUGH_COHORTS} cohorts or more, {ENOUGH_PATIENTS} patients or more, a "
    f"prediction interval no wider than {NARROW} of {PATIENTS} patients that allows for "
    "differences between trials (not where tau² is zero though Cochran's Q says the trials "
    "differ), and at least half of the patients from prospective trials: 4 good, 3 fair, 2 weak, "
    "fewer very weak. Responses are pooled as on the pages of response and MRD; harms of up to two "
    "cohorts are summed, and their interval leaves differences between trials out. No answer has a "
    "control group."
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question a patient or a doctor asks, the rows that answer it, and of whom it is asked."""

    key: str
    words: str
    rows: pd.DataFrame
    populations: tuple[str, ...] = tuple(POPULATIONS)
    harm: bool = True


def answers(questions: list[Question]) -> pd.DataFrame:
    """Return one line for every question and population with any cohort.

    Rows need ``population, design, study, events, n, row_id``.
    """
    lines = []
    for question in questions:
        for population in question.populations:
            part = question.rows.loc[question.rows["population"] == population]
            if not part.empty:
                lines.append(_answer(question, population, part))
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


def _answer(question: Question, population: str, part: pd.DataFrame) -> dict[str, Any]:
    # as pool_cohorts does: one question has one answer, on whichever page it stands
    split = 0 < part["events"].sum() < part["n"].sum()
    model = "bayes" if not question.harm and len(part) == TWO and split else "auto"
    rate = event_rate(part["events"], part["n"], studies=part["study"].tolist(), model=model)
    expected, low, high = predicted_count(rate, PATIENTS)
    prospective = part.loc[part["design"].isin(PROSPECTIVE), "n"].sum() / part["n"].sum()
    points = (
        (rate.k >= ENOUGH_COHORTS)
        + (rate.n >= ENOUGH_PATIENTS)
        + (rate.model != "exact" and high - low <= NARROW and not _unseen(part, rate))
        + (prospective >= 0.5)
    )
    return {
        "key": f"{population}.{question.key}",
        "group": POPULATIONS[population],
        "question": question.words,
        "expected": expected,
        "low": low,
        "high": high,
        "of": PATIENTS,
        "grade": GRADES[int(points)],
        "k": rate.k,
        "events": rate.events,
        "n": rate.n,
        "prospective_share": prospective,
        "estimate": rate.estimate,
        "conf_low": rate.conf_low,
        "conf_high": rate.conf_high,
        "pred_low": low / PATIENTS,
        "pred_high": high / PATIENTS,
        "model": rate.model,
        "row_ids": join_ids(part["row_id"]),
    }
