"""How each headline became what it is: estimate, interval and certainty over the years."""

from __future__ import annotations

from functools import partial
from textwrap import shorten

import pandas as pd

from metablin.datasets import read_date
from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..certainty import control_groups
from ..certainty.questions import Grading
from ..cohorts import bias
from ..cohorts.arms import printed_arms
from ..cohorts.comparisons import choices, comparisons
from ..cohorts.populations import known_trials
from ..cohorts.responses import MRD_RESPONSES, RESPONSES
from ..lines import records
from . import rows
from .figures import over_time

READS = (
    "trials", "references", "screening", "contrasts", "survival", "at_risk", "proportions",
    "risk_of_bias", "overrides",
)  # fmt: skip

TITLE = 60
"""Characters of a title that stands for an author."""


@analysis(reads=READS, order=90)
def history(evidence: Evidence, words: Words) -> Outcome:
    """Compute every headline at the dates on which a source of it became public."""
    trials, references = known_trials(evidence), evidence.load("references")
    grading = Grading(bias.all_judged(evidence, trials), evidence.load("overrides"))
    public = dict(zip(references["source_key"], references["public_date"], strict=True))
    compared = comparisons(evidence.load("contrasts"), trials)
    arms = printed_arms(
        evidence.load("survival"), trials, evidence.load("at_risk"), evidence.curves()
    )
    controls = control_groups(list(choices(compared)), compared, arms, trials)
    ratios = partial(rows.ratios, evidence, trials, controls, grading)
    rates = partial(rows.rates, evidence, trials, grading)
    known = [
        *rows.followed(ratios, rows.dates_of(_ratios(evidence, trials), public), [*rows.RATIOS]),
        *rows.followed(rates, rows.dates_of(_rates(evidence), public), [*rows.RATED]),
    ]
    found = rows.moves(known, citations(references))
    last = max(read_date(d) for d in public.values() if d)
    return words.outcome({"moves": found}, {"over_time": over_time(found, last)}, last=last)


def _ratios(evidence: Evidence, trials: pd.DataFrame) -> pd.DataFrame:
    """Return rows of contrasts of every date that a headline could rest on."""
    return comparisons(evidence.load("contrasts", all_rows=True), trials)


def _rates(evidence: Evidence) -> pd.DataFrame:
    found = evidence.load("proportions", all_rows=True)
    kinds = (*RESPONSES, *MRD_RESPONSES)
    return found.loc[found["outcome"].isin(kinds) & found["arm"].str.contains("blinatumomab")]


def citations(references: pd.DataFrame) -> dict[str, str]:
    """Return first author, journal and year of every source; without an author, its title."""
    out = {}
    for r in records(references):
        title = shorten(r["title"].split(" (")[0], TITLE, placeholder=" …")
        who = r["first_author"] or title
        year = "" if pd.isna(r["year"]) else f"{r['year']:.0f}"
        where = ", ".join(x for x in (r["journal"], year) if x)
        out[r["source_key"]] = f"{who} ({where})" if where else who
    return out
