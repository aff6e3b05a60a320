"""What each cohort weighs in the pools that answers are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from metablin.pipeline import Evidence, slug

from ..cohorts import harms
from ..lines import join_ids, records
from ..safety import answers
from .published import Published, published

GRADED = ("randomised", "certainty")
"""Analyses whose keys are those of the bodies of evidence that are graded."""


def weights(evidence: Evidence, trials: pd.DataFrame) -> pd.DataFrame:
    """Return one line a pool and trial: the weight of the trial, and its share of the patients.

    A trial that gives two cohorts weighs what both do. ``graded`` names the body of evidence whose
    certainty is that of the pool, as the analyses of certainty and safety do.

    Parameters
    ----------
    evidence : Evidence
    trials : pandas.DataFrame
        What ``known_trials`` returns.
    """
    counted = harms.counts(evidence.load("safety"), trials, evidence.load("discrepancies"))
    asked = answers.questions(evidence, trials, harms.cohorts(counted))
    rates = answers.answers(asked)
    graded = {frozenset(r["row_ids"].split()): r["key"] for r in records(rates)}
    found = narrowest(published(evidence, trials, rates, asked))
    return pd.DataFrame([line for pool in found for line in _lines(pool, graded)])


def narrowest(found: list[Published]) -> list[Published]:
    """Return the pools without those that a later, narrower one repeats row for row."""
    last = {(p.question, p.role, p.row_ids): p for p in found}
    return [p for p in found if last[p.question, p.role, p.row_ids] is p]


def _lines(pool: Published, graded: Mapping[frozenset[str], str]) -> Iterator[dict[str, Any]]:
    """Yield the lines of one pool, in the order of its forest plot."""
    rows = pool.rows.assign(weight=pool.weights)
    patients = rows["n"].sum(skipna=False)
    analysis, table, key = pool.answer.split("/")
    for (trial, label), part in rows.groupby(["trial_id", "label"], sort=False):
        own = part["n"].sum(skipna=False)
        yield {
            "key": f"{analysis}.{table}.{key}.{slug(str(trial))}",
            "question": pool.question,
            "pool": pool.pool,
            "role": pool.role,
            "trial_id": trial,
            "cohort": label,
            "cohorts": len(part),
            "k": len(rows),
            "weight": 1.0 if len(part) == len(rows) else part["weight"].sum(skipna=False),
            "share": own / patients,
            "n": own,
            "model": pool.model,
            "answer": pool.answer,
            "graded": key if analysis in GRADED else graded.get(pool.row_ids, ""),
            "row_ids": join_ids(part["row_id"]),
        }
