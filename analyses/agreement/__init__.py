"""Our pools beside published ones: the same question, the same unit; agree or differ, and why."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from .figures import pairs_figure
from .ours import READS, results
from .rows import compared, counted


@analysis(reads=(*READS, "agreement", "syntheses"), order=92)
def agreement(evidence: Evidence, words: Words) -> Outcome:
    """Set every published pooled number beside the one that answers the same question here."""
    pairs = compared(evidence.load("agreement"), evidence.load("syntheses"), results(evidence))
    return words.outcome(
        {"pairs": pairs, "verdicts": counted(pairs)}, {"ratios": pairs_figure(pairs)}
    )
