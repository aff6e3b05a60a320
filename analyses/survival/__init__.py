"""Survival on reconstructed patients: pooled single arms, cure models, randomised differences."""

from __future__ import annotations

from typing import Any

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.arm_pools import POOLS, no_patient_twice
from ..cohorts.arms import printed_arms
from ..cohorts.comparisons import comparisons
from ..cohorts.populations import known_trials
from ..pairs import pairs
from ..rebuilt import DRAWS, rebuild_all
from . import differences, methods, rows
from .figures import figures
from .observed import observed
from .pools import arm_lines, curve_table, sensitivity
from .rows import RELAPSED

READS = (
    "trials", "survival", "contrasts", "references", "screening", "at_risk", "proportions",
)  # fmt: skip


@analysis(reads=READS, order=40)
def survival(evidence: Evidence, words: Words) -> Outcome:
    """Pool reconstructed arms as curves, fit cure models, and pool randomised differences."""
    trials, printed = known_trials(evidence), evidence.load("survival")
    beside: dict[str, Any] = {"at_risk": evidence.load("at_risk"), "curves": evidence.curves()}
    arms = {p: rows.wholes(rebuild_all(printed, trials, wanted=p.belongs, **beside)) for p in POOLS}
    used = {pool: [a for a in some if a.draws is not None] for pool, some in arms.items()}
    for some in used.values():
        no_patient_twice([a.printed for a in some])
    main = rows.main_arms(used)
    curves = rows.pools(main)
    ratios = comparisons(evidence.load("contrasts"), trials)
    compared = pairs(
        printed_arms(printed, trials, **beside),
        ratios.loc[ratios["population"] == "first_relapse"],
    )
    whole, single = differences.pooled(compared)
    cures = rows.cure_table(main)
    chosen = [sensitivity(p, used[p]) for p in RELAPSED]
    middles = [methods.medians(p, main[p]) for p in RELAPSED[:1]]
    return words.outcome(
        {
            "observed": observed(evidence.load("proportions"), trials),
            "pooled": rows.pooled_table(curves, used),
            "pooled_curves": curve_table(curves),
            "arms": pd.DataFrame([x for p, some in used.items() for x in arm_lines(p, some)]),
            "left_out": rows.left_out(arms, trials),
            "sensitivity": pd.concat(chosen, ignore_index=True),
            "medians": pd.concat(middles, ignore_index=True),
            "by_design": methods.by_design(RELAPSED[0], used[RELAPSED[0]]),
            "cure_models": cures,
            "comparisons": differences.listing(compared),
            "first_relapse": whole,
            "first_relapse_trials": single,
            "first_relapse_apart": differences.pooled(compared, apart=True)[0],
        },
        figures(curves, main, cures, single, whole),
        draws=DRAWS,
    )
