"""Safety: how often, compared with what, and for how long treated."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.harms import cohorts, counts, randomised
from ..cohorts.populations import known_trials
from . import answers, described, rows
from .figures import EXPOSED, figures

READS = (
    "trials", "references", "screening", "safety", "terms", "reporting", "proportions",
    "discrepancies",
)  # fmt: skip


@analysis(reads=READS, order=55)
def safety(evidence: Evidence, words: Words) -> Outcome:
    """Pool adverse events, compare randomised arms with and without exposure, answer questions."""
    trials, current = known_trials(evidence), evidence.load("trials")
    reported, every = evidence.load("safety"), evidence.load("safety", all_rows=True)
    found = counts(reported, trials, evidence.load("discrepancies"))
    kept, pairs, terms = cohorts(found), randomised(found), evidence.load("terms")
    asked = answers.questions(evidence, trials, kept)
    cycles = rows.exposure_cycles(reported, EXPOSED)
    doses = current.set_index("trial_id")["dose"]
    steps = described.doses_and_cycles(every, trials, doses)
    tables = {
        "answers": answers.answers(asked),
        "unanswered": answers.unanswered(asked),
        "rates": rows.pooled_rates(kept),
        "randomised": rows.differences(pairs),
        "pooled_differences": rows.across_trials(pairs),
        "exposure": rows.by_exposure(pairs.loc[pairs["trial_id"] == EXPOSED], cycles),
        "printed_rates": rows.printed_rates(reported),
        "time_on_treatment": rows.exposures(reported, trials),
        "organ_classes": described.organ_classes(found, terms),
        "dose_and_cycle": steps,
        "dose_gaps": described.dose_gaps(steps, found, current),
        "class_shares": described.class_shares(every, terms),
        "reporting": described.spontaneous(evidence.load("reporting")),
        "burden": rows.by_burden(kept),
        "doubtful": rows.doubtful(found),
    }
    return words.outcome(tables, figures(tables), **answers.RULE)
