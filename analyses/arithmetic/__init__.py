"""Every reported count, contrast and landmark, recomputed line by line.

Nothing here is pooled. A percentage comes from its events and n, a p-value from the estimate and
its interval, an implied number of events from a survival probability and n: what a careful reader
would check with a pencil.
"""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from .claim_checks import attainable, elsewhere, from_events
from .rows import contrasts, landmarks, rates, two_by_two
from .sums import named_sums

ROWS = ("proportions", "safety", "contrasts", "survival", "landscape", "claims")
MORE = ("trials", "pharmacokinetics", "mrd_stratified")


@analysis(reads=(*ROWS, "sums", *MORE, "references"), order=90)
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
            **_of_claims(evidence, tables),
        }
    )


def _of_claims(evidence: Evidence, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return what can be said of printed numbers that no count gives."""
    claims = tables["claims"]
    more = {name: evidence.load(name, all_rows=True) for name in MORE}
    doi = evidence.load("references").set_index("source_key")["doi"]
    field = claims.attrs["fields"]["seed"]
    reviews = {seed: f"https://doi.org/{doi[key]}" for seed, key in field["sources"].items()}
    counted = pd.concat([tables["proportions"], tables["safety"]])
    return {
        "elsewhere": elsewhere(claims, {**tables, **more}, reviews),
        "attainable": attainable(claims, counted),
        "from_events": from_events(tables["contrasts"], tables["proportions"], more["trials"]),
    }
