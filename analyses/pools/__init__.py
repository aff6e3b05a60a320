"""Who is in which pool and with what weight, who is in none, and why."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.members import READS, members
from ..cohorts.populations import known_trials
from .rows import listed, none_of
from .weights import weights


@analysis(reads=(*READS, "risk_of_bias", "overrides"), order=5)
def pools(evidence: Evidence, words: Words) -> Outcome:
    """List the cohorts of every pool with their weights, and those of none with the reason."""
    found, trials = members(evidence), known_trials(evidence)
    return words.outcome(
        {
            "members": listed(found, trials),
            "weights": weights(evidence, trials),
            "left_out": none_of(found, trials, evidence.load("screening")),
        }
    )
