"""MRD: who clears it, what clearing it is worth, and what transplant after it can tell."""

from __future__ import annotations

from metablin.mrd import ResponderHR, responder_hazard_ratios, response_rates
from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import known_trials
from ..cohorts.responders import responder_rows
from ..cohorts.responses import mrd_cohorts, transplant_cohorts
from .figures import figures
from .rows import (
    POOLS,
    SIMULATIONS,
    anchors,
    bias_bounds,
    by_mrd_status,
    by_threshold,
    cohort_table,
    consistency_of_medians,
    pooled,
    responders_table,
    response_table,
    simulated,
)
from .transplant import outcomes_by_transplant, survival_by_transplant

READS = (
    "trials", "references", "screening", "proportions", "survival", "contrasts", "mrd_stratified",
)  # fmt: skip


@analysis(reads=READS, order=30)
def mrd(evidence: Evidence, words: Words) -> Outcome:
    """Pool MRD response, compare responders with the rest, and show what time bias does."""
    trials, current = known_trials(evidence), evidence.load("trials")
    rows, survival = evidence.load("proportions"), evidence.load("survival")
    cohorts = mrd_cohorts(rows, trials)
    pools = response_rates(cohorts, POOLS)
    transplants = transplant_cohorts(rows, trials, set(current["trial_id"]))
    compared = responder_rows(
        evidence.load("mrd_stratified"), trials, evidence.load("trials", all_rows=True), survival
    )
    found = responder_hazard_ratios(compared)
    whole = ~compared["subset"]
    main = ResponderHR(found.frame.loc[whole.to_numpy()].reset_index(drop=True))
    biased = simulated()
    return words.outcome(
        {
            "response_cohorts": cohort_table(cohorts),
            "response": response_table(pools, cohorts),
            "response_detailed": by_threshold(cohorts),
            "responders": responders_table(found, compared),
            "responders_pooled": pooled(main, compared.loc[whole].reset_index(drop=True)),
            "by_mrd_status": by_mrd_status(evidence.load("contrasts"), trials),
            "anchors": anchors(evidence.load("contrasts"), trials),
            "immortal_time": bias_bounds(compared, found.frame, current["dose"]),
            "consistency": consistency_of_medians(compared),
            "transplant": response_table(response_rates(transplants, POOLS), transplants),
            "transplant_outcomes": outcomes_by_transplant(rows, trials),
            "transplant_survival": survival_by_transplant(survival, trials),
            "simulation": biased,
        },
        figures(cohorts, pools, main, biased),
        simulations=SIMULATIONS,
    )
