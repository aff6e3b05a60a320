"""Survival on reconstructed patients: what must hold whatever the numbers are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.datasets import load
from metablin.errors import DataError
from metablin.pipeline import Evidence, load_analysis
from metablin.report import Outcome

FOLDER = Path(__file__).parents[2] / "analyses"
READS = ("trials", "survival", "contrasts", "references", "screening", "at_risk")


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("survival")


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_every_result_names_its_evidence_and_grade(outcome: Outcome) -> None:
    known = set(load("survival", all_rows=True)["row_id"]) | set(
        load("contrasts", all_rows=True)["row_id"]
    )
    for name in ("pooled", "pooled_curves", "arms", "cure_models", "first_relapse_trials"):
        table = frame(outcome, name)
        assert set(" ".join(table["row_ids"]).split()) <= known, name
        grades = table["grade"] if "grade" in table else table["grades"]
        assert (grades != "").all(), name


def test_no_pool_holds_a_row_twice(outcome: Outcome) -> None:
    for ids in frame(outcome, "pooled")["row_ids"]:
        names = ids.split()
        assert len(names) == len(set(names))


def test_pooled_curves_fall_inside_nested_bands(outcome: Outcome) -> None:
    curves = frame(outcome, "pooled_curves")
    for _, part in curves.groupby("pool"):
        assert (np.diff(part["survival"]) <= 0).all()
    assert (curves["conf_low"] <= curves["survival"]).all()
    assert (curves["survival"] <= curves["conf_high"]).all()
    foretold = curves["k"] >= 3  # two arms do not tell how trials differ
    assert foretold.sum() >= 3
    known = curves.loc[foretold]
    assert (known["pred_low"] <= known["conf_low"]).all()
    assert (known["conf_high"] <= known["pred_high"]).all()
    assert curves.loc[~foretold, ["pred_low", "pred_high"]].isna().all(axis=None)
    assert curves["between_share"].between(0, 1).all()
    assert (curves["k"] >= 2).all()


def test_arms_reproduce_the_printed_medians(outcome: Outcome) -> None:
    arms = frame(outcome, "arms")
    medians = arms.loc[(arms["term"] == "median") & arms["printed"].notna()]
    assert len(medians) > 5
    assert (medians["estimate"] - medians["printed"]).abs().max() < 0.05


def test_arms_meet_what_is_printed_to_its_rounding_or_say_why(outcome: Outcome) -> None:
    arms = frame(outcome, "arms")
    known = arms.loc[arms["printed"].notna()]
    rounding = np.where(known["term"] == "median", 0.05, 0.005)
    apart = (known["estimate"] - known["printed"]).abs() > rounding
    assert len(known) > 15
    away = known.loc[apart]
    half = (away["estimate"] - away["printed"]).abs() <= 0.5 / away["n"]
    few = half & away["note"].str.startswith("within half a patient")
    assert (few | away["note"].str.startswith("without ")).all()


def test_joint_draws_meet_the_printed_hazard_ratios(outcome: Outcome) -> None:
    pairs = frame(outcome, "comparisons")
    drawn = pairs.loc[pairs["grade"] != ""]
    assert len(drawn) >= 4
    assert drawn["agrees"].all()
    assert (pairs.loc[pairs["grade"] == "", "note"] != "").all()


def test_printed_milestones_are_met(outcome: Outcome) -> None:
    single = frame(outcome, "first_relapse_trials")
    known = single.loc[single["key"].str.contains("milestone") & single["printed"].notna()]
    assert len(known) >= 1
    assert (known["estimate"] - known["printed"]).abs().max() < 0.01


def test_cured_shares_are_shares_with_their_limits(outcome: Outcome) -> None:
    cures = frame(outcome, "cure_models")
    own = cures.loc[cures["family"].str.contains("cure")]
    assert own["estimate"].notna().all()
    assert own["conf_low"].between(0, 1).all()
    assert (own["conf_low"] <= own["estimate"]).all()
    assert (own["estimate"] <= own["conf_high"]).all()
    assert cures.loc[~cures["family"].str.contains("cure"), "estimate"].isna().all()


@pytest.fixture(scope="module")
def drawn() -> tuple[ModuleType, object, list[object]]:
    """Return the module of pools, its first question and three reconstructed arms of it."""
    import importlib

    from metablin.pipeline.registry import PACKAGE

    load_analysis(FOLDER, "landscape")
    pools = importlib.import_module(f"{PACKAGE}.survival.pools")
    cohorts = importlib.import_module(f"{PACKAGE}.cohorts.arm_pools")
    arms = importlib.import_module(f"{PACKAGE}.rebuilt")
    shared = importlib.import_module(f"{PACKAGE}.cohorts.populations")
    evidence = Evidence(READS)
    trials = shared.known_trials(evidence)
    chosen = ("mt103_211", "alcantara", "mt103_206")
    question = cohorts.POOLS[0]
    some = arms.rebuild_all(
        evidence.load("survival"),
        trials,
        draws=4,
        wanted=lambda a: (
            (a.endpoint, a.subgroup, a.arm) == ("os", "all", "blinatumomab")
            and a.trial_id in chosen
        ),
    )
    return pools, question, some


def test_rubin_totals_of_one_landmark_by_hand(
    drawn: tuple[ModuleType, object, list[object]],
) -> None:
    pools, question, some = drawn
    line = next(
        x
        for x in pools.arm_lines(question, some)
        if "mt103_211" in x["key"] and x["term"] == "survival at 12"
    )
    arm = next(a for a in some if a.printed.trial_id == "mt103_211")
    rows = [mb.kaplan_meier(t, e).survival_at([12.0]).iloc[0] for t, e in pools.followed(arm)]
    s = np.array([r["estimate"] for r in rows])
    se = np.array([r["std_error"] for r in rows])
    y, v = np.log(-np.log(s)), (se / (s * np.log(s))) ** 2
    between = (1 + 1 / len(y)) * y.var(ddof=1)
    total = v.mean() + between
    z = 1.959963984540054
    assert line["estimate"] == pytest.approx(np.exp(-np.exp(y.mean())), abs=1e-10)
    assert line["conf_low"] == pytest.approx(
        np.exp(-np.exp(y.mean() + z * np.sqrt(total))), abs=1e-10
    )
    assert line["between_share"] == pytest.approx(between / total, abs=1e-10)


def test_nobody_is_followed_beyond_what_is_printed(
    drawn: tuple[ModuleType, object, list[object]],
) -> None:
    pools, _, some = drawn
    for arm in some:
        end = pools.reach(arm.used)
        assert all(t.max() <= end for t, _ in pools.followed(arm))


def test_two_arms_are_too_few_to_pool(drawn: tuple[ModuleType, object, list[object]]) -> None:
    pools, question, some = drawn
    with pytest.raises(DataError, match="too few to pool"):
        pools.pooled(question, some[:2])


def test_patients_that_would_count_twice_are_refused(
    drawn: tuple[ModuleType, object, list[object]], module: Callable[[str], ModuleType]
) -> None:
    _, _, some = drawn
    cohorts = module("cohorts.arm_pools")
    whole = some[0].printed
    part = dataclasses.replace(whole, patient_set=f"{whole.patient_set}/ph=positive")
    other = dataclasses.replace(whole, patient_set=f"{whole.patient_set}/ph=negative")
    cohorts.no_patient_twice([part, other])
    with pytest.raises(DataError, match="counted twice"):
        cohorts.no_patient_twice([whole, part])


def test_cured_share_over_draws_widens_with_the_draws(
    module: Callable[[str], ModuleType],
) -> None:
    cure = module("survival.cure")

    class Fit:
        at_boundary = False

        def __init__(self, value: float) -> None:
            self.value = value

        def cure_fraction(self) -> tuple[float, float, float]:
            return self.value, self.value - 0.1, self.value + 0.1

    same = cure.cure_fraction([Fit(0.4), Fit(0.4)])
    apart = cure.cure_fraction([Fit(0.3), Fit(0.5)])
    assert same["between_share"] == pytest.approx(0.0, abs=1e-12)
    assert apart["between_share"] > 0.5
    assert same["conf_high"] == pytest.approx(0.5)
    assert apart["conf_high"] > same["conf_high"]


def test_months_in_which_arms_end_are_times_of_the_curve(
    drawn: tuple[ModuleType, object, list[object]],
) -> None:
    pools, _, some = drawn
    curves = pools.curves_by_arm(some)
    # One arm stops midway between two of the usual times.
    name = next(iter(curves))
    cut = {
        **curves,
        name: [mb.kaplan_meier(np.minimum(c.time, 11.7), c.time < 11.7) for c in curves[name]],
        "fourth": curves[name],
    }
    assert 11.0 in pools.grid(cut)
    assert 11.0 not in pools.grid({**curves, "fourth": curves[name]})


def test_the_distribution_free_curve_meets_every_printed_median(outcome: Outcome) -> None:
    table = frame(outcome, "medians").set_index("key")
    for pool in ("rr_blinatumomab",):
        each = table.loc[table.index.str.startswith(f"{pool}.") & table["printed"].notna()]
        own = each.loc[each.index != f"{pool}.geometric_mean"]
        mean = table.loc[f"{pool}.geometric_mean"]
        assert mean["printed"] == pytest.approx(np.exp(np.log(own["printed"]).mean()))
        assert (own["kaplan_meier"] - own["printed"]).abs().max() < 0.05
        # What the notes of the analysis say: the other families miss some, either way.
        for family in ("weibull", "lognormal"):
            off = np.log(own[family] / own["printed"])
            assert off.min() < 0 < off.max()
            assert off.abs().max() > 0.1


def test_survival_by_design_is_the_pool_of_its_arms(outcome: Outcome) -> None:
    table = frame(outcome, "by_design").set_index("key")
    arms = frame(outcome, "arms")
    known = arms.loc[(arms["pool"] == "rr_blinatumomab") & (arms["term"] == "survival at 6")]
    assert known["design"].nunique() == 4
    for design, part in known.groupby("design"):
        line = table.loc[f"rr_blinatumomab.{design}.6"]
        assert line["k"] == len(part)
        if len(part) > 1:
            assert part["estimate"].min() < line["estimate"] < part["estimate"].max()
        else:
            assert line["studies"] == part["arm"].iloc[0]
            assert np.isnan(line["pred_low"])
    ratio = table.loc["rr_blinatumomab.ratio.6"]
    assert ratio["k"] == len(known)
    assert ratio["conf_low"] < ratio["estimate"] < ratio["conf_high"]


def test_designs_and_ph_status_never_share_a_pool(outcome: Outcome) -> None:
    trials = load("trials", all_rows=True).set_index("trial_id")["design"]
    rows = load("survival", all_rows=True).set_index("row_id")
    table = frame(outcome, "pooled")
    # a historical control may be reported in the paper of the single arm
    for line in table.loc[~table["key"].str.startswith("rr_control")].to_dict(orient="records"):
        used = rows.loc[line["row_ids"].split()]
        assert set(trials.loc[used["trial_id"]]) == {line["design"]}, line["key"]
        positive = used["subgroup"].str.contains("ph=positive") | (used["trial_id"] == "alcantara")
        assert positive.nunique() == 1, line["key"]


def test_patients_observed_at_five_years_add_up(outcome: Outcome) -> None:
    seen = frame(outcome, "observed").set_index("key")
    whole, parts = (
        seen.loc["blast.alive_relapse_free_5y"],
        seen.loc[seen.index.str.count("[.]") > 1],
    )
    assert whole["events"] == parts["events"].sum()
    assert whole["n"] == parts["n"].sum()
    assert whole["conf_low"] < whole["events"] / whole["n"] < whole["conf_high"]


def test_a_pool_names_only_the_rows_it_was_reconstructed_from(outcome: Outcome) -> None:
    arms = frame(outcome, "arms")
    dropped = arms.loc[arms["note"].str.contains("without other reports than")]
    assert len(dropped)
    pooled = set(" ".join(frame(outcome, "pooled")["row_ids"]).split())
    for line in dropped.to_dict(orient="records"):
        assert not set(line["row_ids"].split()) <= pooled
