"""Who is in which pool: every pool of every analysis, by the one rule they share."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from metablin.pipeline import Evidence

from ..lines import join_ids
from . import harms
from .arm_pools import POOLS
from .arms import printed_arms
from .comparisons import choices, comparisons
from .designs import suffix
from .populations import RELAPSED, known_trials
from .responders import responder_rows
from .responses import marrow_cohorts, mrd_cohorts, one_definition, transplant_cohorts

READS = (
    "trials", "references", "screening", "proportions", "survival", "contrasts", "at_risk",
    "mrd_stratified", "safety", "discrepancies",
)  # fmt: skip
COLUMNS = ("question", "pool", "trial_id", "design", "role", "row_ids")
SAME = {"cr_cri": "cr_crh_cri"}
"""Definitions of remission that one pool takes together, as the page of response does."""
DRUG, CONTROL = "blinatumomab", "control group"


def members(evidence: Evidence) -> pd.DataFrame:
    """Return one line for every pool and cohort in it: question, pool, trial, design, role, rows.

    Pools over several designs or lines, which are sensitivity analyses, are not listed.
    """
    trials = known_trials(evidence)
    parts = [
        *_responses(evidence, trials),
        *_arms(evidence, trials),
        *_compared(evidence, trials),
        _harms(evidence, trials),
    ]
    return pd.concat(parts, ignore_index=True)


def _lines(
    rows: pd.DataFrame, question: str, pool: Iterable[str], role: str = DRUG
) -> pd.DataFrame:  # fmt: skip
    named = rows.assign(pool=list(pool))
    groups = named.groupby(["pool", "trial_id", "design"], sort=False)["row_id"].apply(join_ids)
    frame = groups.reset_index().rename(columns={"row_id": "row_ids"})
    return frame.assign(question=question, role=role)[list(COLUMNS)]


def _by_denominator(rows: pd.DataFrame) -> list[str]:
    keys = zip(rows["population"], rows["denominator"], rows["design"], strict=True)
    return [f"{p}.{d}{suffix(x)}" for p, d, x in keys]


def _responses(evidence: Evidence, trials: pd.DataFrame) -> Iterable[pd.DataFrame]:
    rows = evidence.load("proportions")
    response = marrow_cohorts(rows, trials)
    response = response.loc[response["population"].isin(RELAPSED)]
    same = one_definition(response)
    pools = [f"{p}{suffix(d)}" for p, d in zip(same["population"], same["design"], strict=True)]
    yield _lines(same, "CR or CRh", pools)
    other = response.loc[~response["row_id"].isin(same["row_id"])]
    keys = zip(other["population"], other["outcome"].replace(SAME), other["design"], strict=True)
    yield _lines(other, "another definition of remission",
                 [f"{p}.{o}{suffix(d)}" for p, o, d in keys])  # fmt: skip
    mrd = mrd_cohorts(rows, trials)
    yield _lines(mrd, "MRD response", _by_denominator(mrd))
    transplants = transplant_cohorts(rows, trials, set(evidence.load("trials")["trial_id"]))
    yield _lines(transplants, "transplant", _by_denominator(transplants))


def _arms(evidence: Evidence, trials: pd.DataFrame) -> Iterable[pd.DataFrame]:
    for arm in printed_arms(evidence.load("survival"), trials):
        for pool in (p for p in POOLS if p.belongs(arm) and not arm.missing):
            design = "" if pool.main(arm) else f".{arm.design}"
            rows = pd.DataFrame(
                {"trial_id": arm.trial_id, "design": arm.design, "row_id": list(arm.row_ids)}
            )
            role = CONTROL if pool.name == "rr_control" else DRUG
            yield _lines(rows, "survival of one arm", [f"{pool.name}{design}"] * len(rows), role)


def _compared(evidence: Evidence, trials: pd.DataFrame) -> Iterable[pd.DataFrame]:
    for choice in choices(comparisons(evidence.load("contrasts"), trials)):
        if choice.main:
            yield _lines(choice.rows, "hazard ratio", [choice.key] * len(choice.rows))
    rows = responder_rows(
        evidence.load("mrd_stratified"), trials, evidence.load("trials", all_rows=True),
        evidence.load("survival"),
    )  # fmt: skip
    rows = rows.loc[~rows["subset"]]
    yield _lines(rows, "MRD responders against others", rows["endpoint"])


def _harms(evidence: Evidence, trials: pd.DataFrame) -> pd.DataFrame:
    found = harms.counts(evidence.load("safety"), trials, evidence.load("discrepancies"))
    rows = harms.cohorts(found)
    pools = [f"{p}{suffix(d)}" for p, d in zip(rows["population"], rows["design"], strict=True)]
    return _lines(rows, "adverse events", pools)
