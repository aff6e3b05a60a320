"""Survival on reconstructed patients: pooled single arms, cure models, randomised differences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metablin.errors import DataError
from metablin.pipeline import Evidence, Headline, Outcome, Table, analysis

from . import _cure, _methods, _pairs
from ._arms import DRAWS, Rebuilt, printed_arms, rebuild_all
from ._pools import (
    LEFT_OUT,
    POOLS,
    Pool,
    PooledDraws,
    arm_lines,
    curve_table,
    name_of,
    no_patient_twice,
    pooled,
    pooled_lines,
    sensitivity,
)
from ._shared import join_ids, known_trials
from ._survival_figures import cure_figure, effects_figure, pooled_figure
from .randomised import comparisons

CURED = ("mrd_rfs", "mrd_os")
RELAPSED = tuple(p for p in POOLS if p.name not in CURED)


@analysis(
    title="Survival on reconstructed patients",
    question="How long do patients live, and free of relapse, on blinatumomab and without it, once "
    "the uncertainty of the reconstruction is counted?",
    reads=("trials", "survival", "contrasts", "references"),
    order=40,
)
def survival(evidence: Evidence) -> Outcome:
    """Pool reconstructed arms as curves, fit cure models, and pool randomised differences."""
    trials = known_trials(evidence)
    rows = evidence.load("survival")
    arms = {pool: wholes(rebuild_all(rows, trials, wanted=pool.belongs)) for pool in POOLS}
    used = {pool: [a for a in some if a.draws is not None] for pool, some in arms.items()}
    for some in used.values():
        no_patient_twice([a.printed for a in some])
    curves = pools(used)
    ratios = comparisons(evidence.load("contrasts"), trials)
    pairs = _pairs.pairs(
        printed_arms(rows, trials), ratios.loc[ratios["population"] == "first_relapse"]
    )
    whole, single = _pairs.pooled(pairs)
    cures = cure_table(used)
    return Outcome(
        tables={
            "pooled": Table(
                pooled_table(curves, used),
                "Pooled survival of single arms",
                "Distribution-free random-effects curve of reconstructed arms, three or more, "
                f"{DRAWS} draws each combined by Rubin's rules; the share of variance between "
                "draws beside. Last: all patients together, without differences between arms.",
            ),
            "pooled_curves": Table(curve_table(curves), "Pooled curves, I² and arms followed"),
            "arms": Table(
                pd.DataFrame([x for pool, some in used.items() for x in arm_lines(pool, some)]),
                "The arms, reconstructed and printed",
                "Each arm is used as far as anything is printed about it.",
            ),
            "left_out": Table(left_out(arms, trials), "Arms that belong here but cannot be used"),
            "sensitivity": Table(
                pd.concat(
                    [sensitivity(p, used[p]) for p in RELAPSED],
                    ignore_index=True,
                ),
                "Pooled survival under other methods and other arms",
            ),
            "medians": Table(
                pd.concat([_methods.medians(p, used[p]) for p in RELAPSED], ignore_index=True),
                "Why the pooled median depends on the method",
                "Median survival in months, the middle of the draws: as printed, of the "
                "reconstructed curve, and of families fitted to it. Random effects give arms "
                "nearly equal weight, all patients together the largest arms the most; a family "
                "need not pass through an arm's median.",
            ),
            "by_design": Table(
                _methods.by_design(RELAPSED[0], used[RELAPSED[0]]),
                "Survival on blinatumomab by design, relapsed or refractory adults",
                "Log cumulative hazards of the arms followed that far, over draws by Rubin's "
                "rules, pooled by REML with Hartung-Knapp intervals.",
            ),
            "cure_models": Table(
                cures,
                "Models with and without a cured share, MRD-positive adults",
                "All patients of the arms together. AIC above the best family of each draw, mean "
                "over draws; cured share over draws by Rubin's rules, limits kept within 0 to 1.",
                unit="proportion",
            ),
            "comparisons": Table(
                _pairs.listing(pairs),
                "First relapse: arms drawn under the printed hazard ratio",
            ),
            "first_relapse": Table(
                whole,
                "First relapse: pooled ratios and differences",
                "Blinatumomab against chemotherapy; random effects, REML, Hartung-Knapp interval; "
                "two trials get a normal interval.",
            ),
            "first_relapse_trials": Table(single, "First relapse: each trial, with the print"),
            "first_relapse_apart": Table(
                _pairs.pooled(pairs, apart=True)[0],
                "First relapse: the same without imposing the printed hazard ratio",
            ),
        },
        figures={
            **{one.pool.name: pooled_figure(one) for one in curves},
            **{
                f"cure_{p.name}": cure_figure(p.name, p.title, used[p], cures)
                for p in POOLS
                if p.name in CURED
            },
            "rmst_24": effects_figure(single, whole, "rmst_24", "Months gained within 24 months"),
            "milestone_24": effects_figure(
                single, whole, "milestone_24", "Difference at 24 months, percentage points"
            ),
        },
        headlines=(
            Headline("Median survival on blinatumomab, relapsed or refractory adults", "pooled",
                     "rr_blinatumomab.median", "months"),
            Headline("The same, prospective trials only", "sensitivity",
                     "rr_blinatumomab.prospective.median", "months"),
            Headline("12-month survival on blinatumomab, relapsed or refractory adults", "pooled",
                     "rr_blinatumomab.survival_12", "proportion"),
            Headline("The same, prospective trials only", "sensitivity",
                     "rr_blinatumomab.prospective.survival_12", "proportion"),
            Headline("12-month survival without it, relapsed or refractory adults", "pooled",
                     "rr_control.survival_12", "proportion"),
            Headline("Cured share, relapse-free survival, MRD-positive adults (Weibull mixture)",
                     "cure_models", "mrd_rfs.weibull-mixture-cure", "proportion"),
            Headline("Months of life gained within 24 months, first relapse", "first_relapse",
                     "os.rmst_24", "months"),
        ),
        notes=(
            "Patients are reconstructed from printed medians, landmarks and counts; nearly every "
            "arm is of grade D, and intervals contain what that leaves open.",
            "The two pooled curves of relapsed or refractory adults come from different trials and "
            "are not a randomised comparison.",
            "The distribution-free curve leads: it assumes no shape, uses every arm as far as its "
            "print goes, keeps its level in the simulations, and its median is that of the arms' "
            "printed medians averaged. Weibull and log-normal curves miss the medians of single "
            "arms, some by being too long and some too short; they stand beside as sensitivity.",
            "Patients of retrospective and external cohorts lived longer than those of trials; the "
            "pooled curve is a mean over both kinds and describes neither, so that both stand "
            "apart in the table by design.",
            "Arms drop out where their print ends; the later part of a pooled curve rests on "
            "fewer, and not the same, arms.",
            "A printed hazard ratio is often stratified or adjusted; where it differs from what "
            "the landmarks imply, imposing it shifts events within the follow-up, and the table "
            "without it shows what that changes.",
            "The print does not tell a cured share from a long tail: families fit alike and the "
            "interval of the cured share reaches 0.",
        ),
    )  # fmt: skip


def wholes(arms: list[Rebuilt]) -> list[Rebuilt]:
    """Return the arms without parts of an arm that is there as a whole."""
    whole = {a.printed.patient_set for a in arms if a.printed.patient_set.count("/") == 1}
    return [
        a
        for a in arms
        if a.printed.patient_set in whole
        or "/".join(a.printed.patient_set.split("/")[:2]) not in whole
    ]


def pools(used: dict[Pool, list[Rebuilt]]) -> list[PooledDraws]:
    """Return the pooled curves of all questions with three arms or more."""
    found = []
    for pool, arms in used.items():
        try:
            found.append(pooled(pool, arms))
        except DataError:  # too few arms: shown as patients together instead
            continue
    return found


def pooled_table(curves: Sequence[PooledDraws], used: dict[Pool, list[Rebuilt]]) -> pd.DataFrame:
    """Return medians and landmarks of the pooled curves, and of all patients together."""
    lines = [x for one in curves for x in pooled_lines(one)]
    for pool, arms in used.items():
        lines += _cure.whole_lines(pool.name, pool.title, arms)
    return pd.DataFrame(lines)


def cure_table(used: dict[Pool, list[Rebuilt]]) -> pd.DataFrame:
    """Return the cure models of all arms together, and of the largest arm alone."""
    parts = []
    for pool, arms in used.items():
        if pool.name not in CURED:
            continue
        largest = max(arms, key=lambda a: a.printed.n or 0)
        parts.append(_cure.comparison(pool.name, pool.title, arms))
        title = f"{pool.title}: {name_of(largest.printed)} alone"
        parts.append(_cure.comparison(f"{pool.name}.largest", title, [largest]))
    return pd.concat(parts, ignore_index=True)


def left_out(arms: dict[Pool, list[Rebuilt]], trials: pd.DataFrame) -> pd.DataFrame:
    """Return arms that answer a question but cannot be reconstructed, and trials left out."""
    labels = trials.set_index("trial_id")["label"]
    lines = [
        {
            "key": f"{pool.name}.{a.printed.key}",
            "arm": name_of(a.printed),
            "reason": f"missing: {a.printed.missing}" if a.printed.missing else a.conflict,
            "row_ids": join_ids(a.printed.row_ids),
        }
        for pool, some in arms.items()
        for a in some
        if a.draws is None
    ]
    lines += [
        {"key": f"trial.{t}", "arm": labels[t], "reason": why, "row_ids": ""}
        for t, why in LEFT_OUT.items()
    ]
    return pd.DataFrame(lines)
