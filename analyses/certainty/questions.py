"""The questions that are graded, and the pool that answers each: the pools of other analyses."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

import metablin as mb
from metablin.certainty import Certainty, RiskOfBias
from metablin.options import Start

from ..cohorts.bias import of_outcome
from ..cohorts.comparisons import Choice
from ..cohorts.populations import POPULATIONS
from ..cohorts.rates import ACCEPTED, rated_rate
from ..lines import join_ids, records
from ..randomised.absolute import THRESHOLD, Baseline
from ..randomised.rows import GROUPS, fitted
from ..safety.answers import Question as Asked
from ..safety.answers import by_population

DRUG = "blinatumomab"


@dataclass(frozen=True, slots=True)
class Question:
    """One summary of findings: who, and what they are asked about.

    Attributes
    ----------
    key, words : str
    pool : str
        Of :func:`..cohorts.comparisons.choices`, or a population of rates.
    at : float
        Months at which survival is compared: the latest that the control groups of both endpoints
        are followed to, three years at most; 0 for rates.
    """

    key: str
    words: str
    pool: str
    at: float = 0.0


COMPARED = (
    Question("rr_adults", "Relapsed or refractory adults, against chemotherapy",
             "adult_rr_ph_negative", 6.0),
    Question("first_relapse", "First relapse, children and young adults, against chemotherapy",
             "first_relapse", 24.0),
    Question("first_line_adults", "First line, adults, added to chemotherapy (E1910)",
             "first_line_adults", 36.0),
    Question("first_line_children", "First line, children, added to chemotherapy (AALL1731)",
             "first_line_children", 36.0),
)  # fmt: skip
MRD = Question("mrd_positive", "Adults in remission with MRD, one arm", "mrd_positive")
SINGLE = (
    Question("rr_adults_alone", "Relapsed or refractory adults, Ph-negative or mixed, one arm",
             "adult_rr_ph_negative"),
    Question("rr_children", "Relapsed or refractory children, one arm", "paediatric_rr"),
    MRD,
    Question("ph_positive", "Relapsed or refractory adults, Ph-positive, one arm",
             "adult_rr_ph_positive"),
    Question("ph_positive_first_line", "First line, adults, Ph-positive, one arm",
             "first_line_ph_positive"),
)  # fmt: skip
OUTCOMES = {"os": "death", "event_free": "relapse, another event or death"}
HARMS = {
    "any adverse event": "severe adverse events of any kind",
    "infection": "severe infection",
    "sepsis": "severe sepsis",
    "neurologic event": "severe neurologic events",
    "cytokine release syndrome": "severe cytokine release syndrome",
}
EVENTS = "event_free"
"""Harms take the judgement of event-free survival: the other outcome that knowledge of the arm can
touch (a choice)."""
RATES = {
    "response": "haematological response (CR or CRh)",
    "mrd": "MRD response among those evaluable",
    "mrd_of_responders": "MRD response among responders",
    "transplant": "transplant afterwards",
    "severe": "severe adverse events of any kind",
    "crs_severe": "severe cytokine release syndrome",
    "neuro_severe": "severe neurologic events",
    "fatal": "fatal adverse events of any cause",
}
"""Questions about one arm that a summary holds, in the words of a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A body of evidence: a pool with everything its grade rests on."""

    key: str
    question: Question
    rated: Certainty
    row_ids: str
    baseline: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Grading:
    """What every grade takes beside its pool: judgements of bias, and persons' overrides."""

    bias: RiskOfBias
    overrides: pd.DataFrame

    def own(self, key: str) -> list[dict[str, str]]:
        """Return the overrides of one body of evidence."""
        rows = self.overrides
        rows = rows.loc[(rows["kind"] == "grade") & (rows["subject"] == key)]
        return [
            {"domain": r["domain"].replace("_", " "), "levels": r["value"], "reason": r["reason"]}
            for r in records(rows)
        ]


def survival_bodies(
    choices: Sequence[Choice],
    controls: Mapping[str, Baseline],
    grading: Grading,
) -> Iterator[Body]:
    """Yield the pooled hazard ratios of every question, graded.

    Parameters
    ----------
    choices : sequence of Choice
    controls : mapping of str to Baseline
        Survival of the control group by key of the choice; a ratio without one is graded as such.
    grading : Grading
    """
    wanted = {q.pool: q for q in COMPARED}
    mine = [c for c in choices if c.name in wanted]
    for choice, fit in zip(mine, fitted(mine).values(), strict=True):
        question, control = wanted[choice.name], controls.get(choice.key)
        rows = choice.rows
        rated = mb.grade(
            fit,
            "randomised",
            risk_of_bias=of_outcome(grading.bias, choice.endpoint),
            threshold=THRESHOLD if control else None,
            baseline=1 - control.survival if control else None,
            at=question.at if control else None,
            outcome=OUTCOMES[choice.endpoint],
            population=GROUPS[choice.name],
            populations=dict.fromkeys(rows["label"], GROUPS[choice.name]),
            intervention=DRUG,
            patients=float(rows["n_total"].sum()),
            overrides=grading.own(choice.key),
        )
        ids = join_ids(
            [*rows["row_id"], *rows["trial_id"], *([control.row_ids] if control else [])]
        )
        yield Body(choice.key, question, rated, ids, control.label if control else "")


def members(choices: Sequence[Choice]) -> dict[str, list[str]]:
    """Return the trials of every question that compares."""
    return {
        q.pool: sorted({t for c in choices if c.name == q.pool for t in c.rows["trial_id"]})
        for q in COMPARED
    }


def harm_bodies(
    pairs: pd.DataFrame, members: Mapping[str, Sequence[str]], grading: Grading
) -> Iterator[Body]:
    """Yield risk ratios of severe events of every question, graded.

    Parameters
    ----------
    pairs : pandas.DataFrame
        What :func:`..cohorts.harms.randomised` returns.
    members : mapping of str to sequence of str
        Trials of every pool.
    grading : Grading
    """
    severe = pairs.loc[pairs["grade"] == "grade3plus"]
    severe = severe.sort_values("period", ascending=False, kind="stable")  # whole treatment first
    severe = severe.drop_duplicates(["trial_id", "event"])
    for question in COMPARED:
        for event, words in HARMS.items():
            rows = severe.loc[
                severe["trial_id"].isin(members.get(question.pool, ())) & (severe["event"] == event)
            ].sort_values("trial_id")
            if not rows.empty:
                yield _harm(question, event, words, rows, grading)


def _harm(question: Question, event: str, words: str, rows: pd.DataFrame, grading: Grading) -> Body:
    columns = (rows["events"], rows["n"], rows["events_control"], rows["n_control"])
    effects = mb.two_by_two(*columns, measure="rr", studies=rows["study"].tolist())
    risk = float(rows["events_control"].sum() / rows["n_control"].sum())
    key = f"{question.pool}.{event.replace(' ', '_')}"
    first = (rows["period"] != "whole treatment").all()
    rated = mb.grade(
        mb.pool_contrasts(effects),
        "randomised",
        risk_of_bias=of_outcome(grading.bias, EVENTS),
        threshold=THRESHOLD if risk else None,
        baseline=risk or None,
        outcome=f"{words}{', first course' if first else ''}",
        population=GROUPS[question.pool],
        populations=dict.fromkeys(rows["study"], GROUPS[question.pool]),
        intervention=DRUG,
        overrides=grading.own(key),
    )
    return Body(key, question, rated, join_ids(rows["row_ids"]), "control groups, counted")


def rate_bodies(
    asked: Sequence[Asked],
    grading: Grading,
    questions: Sequence[Question] = SINGLE,
    wanted: Container[str] | None = None,
) -> Iterator[Body]:
    """Yield the rates of every question about one arm, graded; the main design only.

    With `wanted` only those of these keys.
    """
    for question in questions:
        for one in (a for a in asked if a.key in RATES):
            key = f"{question.pool}.{one.key}"
            if wanted is not None and key not in wanted:
                continue
            found = by_population(one, question.pool)
            if not found:
                continue
            _, rows = found[0]
            rated = rated_rate(
                rows,
                one.key,
                outcome=RATES.get(one.key, one.words),
                population=POPULATIONS[question.pool],
                overrides=grading.own(key),
            )
            yield Body(key, question, rated, join_ids(rows["row_id"]))


def observed_bodies(
    counted: pd.DataFrame, labels: Mapping[str, str], grading: Grading
) -> Iterator[Body]:
    """Yield what one arm shows at five years: as a rate, and read as an effect of the drug.

    Parameters
    ----------
    counted : pandas.DataFrame
        What :func:`..survival.observed.observed` returns.
    labels : mapping of str to str
        Label by trial.
    grading : Grading
    """
    whole = counted.loc[counted["who"] == "all"] if len(counted) else counted
    for row in whole.to_dict(orient="records"):
        trial = str(row["key"]).partition(".")[0]
        fit = mb.pool_cohorts(mb.proportions([row["events"]], [row["n"]], studies=[labels[trial]]))
        kinds: tuple[tuple[str, Start, str], ...] = (
            ("rate", "rate", "survival without relapse to five years"),
            ("effect", "single-arm", "relapse or death"),
        )
        for name, start, words in kinds:
            key = f"{MRD.pool}.five_years_{name}"
            bias = {labels[trial]: "low"} if start == "rate" else of_outcome(grading.bias, EVENTS)
            rated = mb.grade(
                fit, start, risk_of_bias=bias, outcome=words, half_width=ACCEPTED,
                population=POPULATIONS[MRD.pool], intervention=DRUG,
                overrides=grading.own(key),
            )  # fmt: skip
            yield Body(key, MRD, rated, str(row["row_ids"]))
