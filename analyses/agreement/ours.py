"""The pools of the other analyses that published numbers are set beside, computed as they do."""

from __future__ import annotations

import pandas as pd

from metablin.mrd import ResponderHR, responder_hazard_ratios, response_rates
from metablin.pipeline import Evidence

from ..cohorts import harms
from ..cohorts.arm_pools import POOLS
from ..cohorts.comparisons import choices, comparisons
from ..cohorts.members import READS as READS
from ..cohorts.populations import RELAPSED, SPLITS, known_trials, split
from ..cohorts.responders import responder_rows
from ..cohorts.responses import (
    RESPONSES,
    WHOLE,
    candidates,
    mrd_cohorts,
    one_a_cohort,
    one_definition,
)
from ..mrd import rows as mrd_rows
from ..randomised import rows as randomised_rows
from ..rebuilt import rebuild_all
from ..response import rows as response_rows
from ..safety import rows as safety_rows
from ..survival import cure
from ..survival import rows as survival_rows


def results(evidence: Evidence) -> pd.DataFrame:
    """Return every pool with its address, ``analysis/table/key``, as the index."""
    trials = known_trials(evidence)
    tables = {
        **_randomised(evidence, trials),
        **_response(evidence, trials),
        **_mrd(evidence, trials),
        **_safety(evidence, trials),
        "survival/pooled": _survival(evidence, trials),
    }
    parts = [f.assign(result=f"{name}/" + f["key"].astype(str)) for name, f in tables.items()]
    return pd.concat(parts, ignore_index=True).set_index("result")


def _randomised(evidence: Evidence, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    pools = list(choices(comparisons(evidence.load("contrasts"), trials)))
    return {"randomised/pooled": randomised_rows.pooled(pools, randomised_rows.fitted(pools))}


def _response(evidence: Evidence, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    found = candidates(evidence.load("proportions"), trials, RESPONSES)
    rows = one_a_cohort(found, WHOLE)
    rows = rows.loc[rows["population"].isin(RELAPSED)]
    same = one_definition(found)
    splits = [
        response_rows.pooled(split(same, levels), "subgroup", levels) for levels in SPLITS.values()
    ]
    return {
        "response/pooled": response_rows.by_population(one_definition(rows)),
        "response/sensitivity": response_rows.sensitivity(rows),
        "response/splits": pd.concat(splits, ignore_index=True),
    }


def _mrd(evidence: Evidence, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    cohorts = mrd_cohorts(evidence.load("proportions"), trials)
    rows = responder_rows(
        evidence.load("mrd_stratified"), trials, evidence.load("trials", all_rows=True),
        evidence.load("survival"),
    )  # fmt: skip
    whole = ~rows["subset"]
    found = responder_hazard_ratios(rows).frame.loc[whole.to_numpy()].reset_index(drop=True)
    return {
        "mrd/response": mrd_rows.response_table(response_rates(cohorts, mrd_rows.POOLS), cohorts),
        "mrd/responders_pooled": mrd_rows.pooled(
            ResponderHR(found), rows.loc[whole].reset_index(drop=True)
        ),
    }


def _safety(evidence: Evidence, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    found = harms.counts(evidence.load("safety"), trials, evidence.load("discrepancies"))
    return {
        "safety/rates": safety_rows.pooled_rates(harms.cohorts(found)),
        "safety/pooled_differences": safety_rows.across_trials(harms.randomised(found)),
    }


def _survival(evidence: Evidence, trials: pd.DataFrame) -> pd.DataFrame:
    pool = POOLS[0]
    arms = survival_rows.wholes(
        rebuild_all(
            evidence.load("survival"), trials, wanted=lambda a: pool.belongs(a) and pool.main(a),
            at_risk=evidence.load("at_risk"), curves=evidence.curves(),
        )
    )  # fmt: skip
    drawn = [a for a in arms if a.draws is not None]
    return pd.DataFrame(cure.whole_lines(pool.name, pool.title, drawn))
