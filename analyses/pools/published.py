"""The pools that answers are read from: their cohorts, and what each weighs in the fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import metablin as mb
from metablin.datasets import said
from metablin.mrd import ResponderHR, responder_hazard_ratios, response_rates
from metablin.pipeline import Evidence

from ..certainty.questions import Grading, harm_bodies, members
from ..cohorts import bias, harms
from ..cohorts.arm_pools import POOLS as ARM_POOLS
from ..cohorts.arms import printed_arms
from ..cohorts.comparisons import choices, comparisons
from ..cohorts.designs import MAIN
from ..cohorts.members import CONTROL, DRUG
from ..cohorts.populations import RELAPSED
from ..cohorts.responders import responder_rows
from ..cohorts.responses import (
    MRD_RESPONSES,
    RESPONSES,
    WHOLE,
    candidates,
    one_a_cohort,
    one_definition,
    response_cohorts,
    transplant_cohorts,
)
from ..lines import effect_sizes, join_ids, records
from ..mrd.rows import POOLS, response_table
from ..mrd.rows import pooled as pooled_responders
from ..randomised.rows import TITLES, fitted, words_of
from ..response.rows import DEFINITIONS, by_definition, by_population
from ..safety import answers

BOTH = "both arms"
TOGETHER = "patients together"
"""Model of arms whose patients are put together: each patient counts alike."""
RESPONDERS = ("time_handled", "time_not_handled")
"""Of the choices of comparisons of responders, those that share out all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Published:
    """A pool that stands in a table of results.

    Attributes
    ----------
    question, pool : str
        In words.
    answer : str
        ``analysis/table/key`` of the line that prints it.
    rows : pandas.DataFrame
        Its cohorts: ``trial_id, label, row_id, n``; several rows of evidence in one cell of
        ``row_id`` where a cohort needs them.
    weights : ndarray, shape (k,)
        Shares of 1, as its forest plot prints them; NaN where the model has none.
    model : str
    role : str
        Whose patients they are.
    """

    question: str
    pool: str
    answer: str
    rows: pd.DataFrame
    weights: NDArray[np.float64]
    model: str
    role: str = DRUG

    @property
    def row_ids(self) -> frozenset[str]:
        """The evidence rows of its cohorts."""
        return frozenset(join_ids(self.rows["row_id"]).split())


def published(
    evidence: Evidence, trials: pd.DataFrame, rates: pd.DataFrame, asked: list[answers.Question]
) -> list[Published]:
    """Return every pool that is an answer, question by question.

    Pools over several questions, which are sensitivity analyses, are none.

    Parameters
    ----------
    evidence : Evidence
    trials : pandas.DataFrame
        What ``known_trials`` returns.
    rates : pandas.DataFrame
        The answers to `asked`.
    asked : list of Question
        What :func:`..safety.answers.questions` returns.
    """
    return [
        *_hazard_ratios(evidence, trials),
        *_arms(evidence, trials),
        *_responses(evidence, trials),
        *_mrd(evidence, trials),
        *_responders(evidence, trials),
        *_compared_harms(evidence, trials),
        *_rates(rates, asked),
    ]


def _by_fit(fit: mb.MetaFit, rows: pd.DataFrame, **about: Any) -> Published:
    return Published(rows=rows, weights=fit.weights, model=fit.model, **about)


def _of_cohorts(part: pd.DataFrame, line: dict[str, Any], **about: Any) -> Published:
    """Return a pool of rates, named as a line of its table."""
    fit = mb.pool_cohorts(effect_sizes(part))
    return _by_fit(fit, part, pool=_with_design(line["group"], line["design"]), **about)


def _behind(rows: pd.DataFrame, line: dict[str, Any]) -> pd.DataFrame:
    """Return the rows that a line of a result table names."""
    known = rows.set_index("row_id", drop=False)
    found: pd.DataFrame = known.loc[line["row_ids"].split()].reset_index(drop=True)
    return found


def _with_design(words: str, design: str) -> str:
    return words if design == MAIN else f"{words}; {said('design')[design]}"


def _hazard_ratios(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    pools = [c for c in choices(comparisons(evidence.load("contrasts"), trials)) if c.main]
    fits = fitted(pools)
    for choice in pools:
        yield _by_fit(
            fits[choice.key],
            choice.rows.assign(n=choice.rows["n_total"]),
            question=f"Against chemotherapy: {TITLES[choice.endpoint].lower()}",
            pool=words_of(choice.name),
            answer=f"randomised/pooled/{choice.key}",
            role=BOTH,
        )


def _arms(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    arms = [a for a in printed_arms(evidence.load("survival"), trials) if not a.missing]
    for pool in ARM_POOLS:
        mine = [a for a in arms if pool.belongs(a)]
        for design in dict.fromkeys(a.design for a in mine):
            lines = [
                {"trial_id": a.trial_id, "label": a.label, "row_id": join_ids(a.row_ids), "n": a.n}
                for a in mine
                if a.design == design
            ]
            name = pool.name if design == pool.design else f"{pool.name}.{design}"
            yield Published(
                question="Survival of one arm",
                pool=_with_design(pool.title, design),
                answer=f"survival/pooled/{name}.together.median",
                rows=pd.DataFrame(lines),
                weights=np.full(len(lines), np.nan),
                model=TOGETHER,
                role=CONTROL if pool.name == "rr_control" else DRUG,
            )


def _responses(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    rows = one_a_cohort(candidates(evidence.load("proportions"), trials, RESPONSES), WHOLE)
    rows = rows.loc[rows["population"].isin(RELAPSED)]
    if rows.empty:
        return
    other = by_definition(rows)
    other = other.loc[other["definition"] != DEFINITIONS["cr_crh"]]
    tables = {"pooled": by_population(one_definition(rows)), "by_definition": other}
    for table, lines in tables.items():
        for line in records(lines):
            words = line.get("definition", DEFINITIONS["cr_crh"])
            yield _of_cohorts(
                _behind(rows, line),
                line,
                question=f"Haematological response: {words}",
                answer=f"response/{table}/{line['key']}",
            )


def _mrd(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    rows = evidence.load("proportions")
    groups = {
        "response": ("MRD response", response_cohorts(rows, trials, MRD_RESPONSES)),
        "transplant": (
            "Transplant afterwards",
            transplant_cohorts(rows, trials, set(evidence.load("trials")["trial_id"])),
        ),
    }
    for table, (question, cohorts) in groups.items():
        if cohorts.empty:
            continue
        pools = response_rates(cohorts, POOLS)
        lines = records(response_table(pools, cohorts))
        for fit, line in zip(pools.fits.values(), lines, strict=True):
            yield _by_fit(
                fit,
                _behind(cohorts, line),
                question=f"{question}, {line['of_whom']}",
                pool=_with_design(line["group"], line["design"]),
                answer=f"mrd/{table}/{line['key']}",
            )


def _responders(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    rows = responder_rows(
        evidence.load("mrd_stratified"), trials, evidence.load("trials", all_rows=True),
        evidence.load("survival"),
    )  # fmt: skip
    rows = rows.loc[~rows["subset"]].reset_index(drop=True)
    if rows.empty:
        return
    found = responder_hazard_ratios(rows)
    lines = records(pooled_responders(found, rows))
    split = {line["key"].split(".")[0] for line in lines if line["key"].endswith(RESPONDERS)}
    for line in lines:
        endpoint, choice = line["key"].split(".")
        if choice not in RESPONDERS and not (choice == "all" and endpoint not in split):
            continue
        inside = rows["row_id"].isin(line["row_ids"].split())
        part = ResponderHR(found.frame.loc[inside.to_numpy()].reset_index(drop=True))
        yield _by_fit(
            mb.pool_contrasts(part.effects()),
            rows.loc[inside].assign(n=rows["n_responders"] + rows["n_nonresponders"]),
            question=f"MRD responders against others: {line['endpoint'].lower()}",
            pool=line["choice"],
            answer=f"mrd/responders_pooled/{line['key']}",
        )


def _compared_harms(evidence: Evidence, trials: pd.DataFrame) -> Iterator[Published]:
    safety = evidence.load("safety")
    pairs = harms.randomised(harms.counts(safety, trials, evidence.load("discrepancies")))
    asked = members(list(choices(comparisons(evidence.load("contrasts"), trials))))
    of = dict(zip(safety["row_id"], safety["trial_id"], strict=True))
    grading = Grading(bias.all_judged(evidence, trials), evidence.load("overrides"))
    trial_of = dict(zip(trials["label"], trials["trial_id"], strict=True))
    for body in harm_bodies(pairs, asked, grading):
        fit, ids = body.rated.fit, body.row_ids.split()
        counts, own = fit.effects.counts, [trial_of[s] for s in fit.effects.studies]
        rows = pd.DataFrame(
            {
                "label": fit.effects.studies,
                "trial_id": own,
                "row_id": [join_ids(i for i in ids if of[i] == trial) for trial in own],
                "n": counts["n_treatment"] + counts["n_control"],
            }
        )
        yield _by_fit(
            fit,
            rows,
            question=f"Against chemotherapy: {body.rated.outcome}",
            pool=body.question.words.partition(", against")[0].partition(", added")[0],
            answer=f"certainty/grades/{body.key}",
            role=BOTH,
        )


def _rates(lines: pd.DataFrame, asked: list[answers.Question]) -> Iterator[Published]:
    harm = {q.words: q for q in asked if q.key in answers.ASKED}
    for line in (r for r in records(lines) if r["question"] in harm):
        yield _of_cohorts(
            _behind(harm[line["question"]].rows, line),
            line,
            question=f"Harm: {line['question']}",
            answer=f"safety/answers/{line['key']}",
        )
