"""Every reported count, contrast and landmark, recomputed line by line.

Nothing here is pooled. A percentage comes from its events and n, a p-value from the estimate and
its interval, an implied number of events from a survival probability and n: what a careful reader
would check with a pencil.
"""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from .rows import contrasts, landmarks, rates, two_by_two
from .sums import named_sums

ROWS = ("proportions", "safety", "contrasts", "survival", "landscape", "claims")


@analysis(reads=(*ROWS, "sums"), order=90)
def arithmetic(evidence: Evidence, words: Words) -> Outcome:
    """Recompute rates, intervals, p-values and implied counts from the evidence rows."""
    tables = {name: evidence.load(name, all_rows=True) for name in ROWS}
    return words.outcome(
        {
            "proportions": rates(tables["proportions"]),
            "safety": rates(tables["safety"]),
            "contrasts": contrasts(tables["contrasts"]),
            "survival": landmarks(tables["survival"]),
            "two_by_two": two_by_two(evidence.load("proportions")),
            "sums": named_sums(evidence.load("sums"), tables),
        }
    )
