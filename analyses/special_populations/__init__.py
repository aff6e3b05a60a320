"""Groups that trials are asked about one by one: what is printed of each, and one sentence."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import known_trials
from .rows import answers, listing
from .topics import TOPICS

READS = (
    "trials", "references", "screening", "proportions", "survival", "contrasts",
)  # fmt: skip


@analysis(reads=READS, order=45)
def special_populations(evidence: Evidence, words: Words) -> Outcome:
    """List what is printed of every group, and say in a sentence how much that is."""
    trials = known_trials(evidence).merge(
        evidence.load("trials", all_rows=True)[["trial_id", "age_range", "population"]].rename(
            columns={"population": "patients"}
        ),
        on="trial_id",
    )
    tables = {name: evidence.load(name) for name in ("proportions", "survival", "contrasts")}
    found = {topic: listing(topic, tables, trials) for topic in TOPICS}
    return words.outcome(
        {
            "answers": answers(found, trials),
            **{topic.key: frame for topic, frame in found.items() if not frame.empty},
        }
    )
