"""The reconstruction of every arm on the evidence: what must hold whatever the numbers are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from metablin.datasets import load
from metablin.pipeline import Evidence
from metablin.report import Outcome

from .conftest import WRITTEN

DRAWN_AGAIN = ("tower", "blast", "aall1731")
"""Trials of two arms, of one arm, and with printed numbers at risk."""


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("reconstruction")


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_every_printed_row_belongs_to_exactly_one_arm(outcome: Outcome) -> None:
    named = " ".join(frame(outcome, "arms")["row_ids"]).split()
    printed = [row for table in ("survival", "at_risk") for row in load(table)["row_id"]]
    assert sorted(named) == sorted(printed)


def test_every_arm_is_reconstructed_or_listed_with_the_reason(outcome: Outcome) -> None:
    arms = frame(outcome, "arms").set_index("key")
    missing = set(frame(outcome, "missing")["key"])
    inconsistent = set(frame(outcome, "inconsistent")["arm_key"])
    assert set(arms.index[arms["status"] == "too little printed"]) == missing
    assert (frame(outcome, "missing")["missing"] != "").all()
    partial = arms.index[
        arms["status"].isin(["inconsistent", "reconstructed without what conflicts"])
    ]
    assert set(partial) <= inconsistent
    assert set(arms.index[arms["draws"] > 0]) == set(frame(outcome, "curves")["arm_key"])


def test_an_arm_with_size_and_median_or_landmark_is_not_called_missing(outcome: Outcome) -> None:
    arms = frame(outcome, "arms")
    median = arms["median"].ne("") & ~arms["median"].str.startswith("not reached")
    enough = arms["n"].notna() & (median | arms["landmarks"].ne(""))
    assert (arms.loc[enough, "status"] != "too little printed").all()


def test_grades_follow_what_is_printed(outcome: Outcome) -> None:
    arms = frame(outcome, "arms")
    drawn = arms.loc[arms["draws"] > 0]
    assert drawn["grade"].isin(["C", "D"]).all()
    full = drawn.loc[drawn["status"] == "reconstructed"]
    several = full["landmarks"].str.count(" at ") >= 2
    assert (full.loc[several, "grade"] == "C").all()


def test_counts_and_medians_that_were_used_are_met_in_every_draw(outcome: Outcome) -> None:
    checks = frame(outcome, "comparison")
    exact = checks.loc[checks["used"] & checks["kind"].isin(["n", "events", "median"])]
    assert exact["agrees"].all()
    inside = checks.loc[checks["used"] & (checks["kind"] == "survival")]
    assert inside["agrees"].all()
    assert (inside["draws_not_followed"] == 0).all()


def test_limits_are_near_the_printed_ones_where_they_were_used(outcome: Outcome) -> None:
    checks = frame(outcome, "comparison")
    limits = checks.loc[checks["used"] & (checks["kind"] == "limit")]
    assert limits["scale"].isin(["log-log", "log", "plain"]).all()
    assert limits["agrees"].mean() > 0.95


def test_verdicts_name_the_items_that_differ(outcome: Outcome) -> None:
    arms, checks = frame(outcome, "arms"), frame(outcome, "comparison")
    failing = set(checks.loc[~checks["agrees"], "arm_key"])
    assert set(arms.loc[arms["verdict"] == "differs", "key"]) == failing
    assert (arms.loc[arms["verdict"] == "differs", "differing_items"] != "").all()


def test_curves_fall_and_lie_inside_their_bands(outcome: Outcome) -> None:
    curves = frame(outcome, "curves")
    for _, part in curves.groupby("arm_key"):
        assert part["survival"].iloc[0] == 1.0
        assert (np.diff(part["survival"]) <= 1e-12).all()
    assert (curves["low"] <= curves["survival"]).all()
    assert (curves["survival"] <= curves["high"]).all()


def test_subgroups_that_differ_in_a_sign_have_different_keys(
    module: Callable[[str], ModuleType],
) -> None:
    arms = module("cohorts.arms")
    assert arms.slug_of("a/b/age=<55") != arms.slug_of("a/b/age=>=55")


def _arm(module: Callable[[str], ModuleType], **changes: object) -> object:
    arms = module("cohorts.arms")
    plain = arms.PrintedArm(
        key="a.os", trial_id="a", label="A", arm="blinatumomab", subgroup="all", endpoint="os",
        population="mrd_positive", age_group="adult", design="single_arm", patient_set="a/b",
        n=40, events=None, median=(9.0, None, None), landmarks=(), followup=None, row_ids=("r",),
        source_keys=("s",), note="",
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def test_a_conflict_is_reported_and_what_remains_is_used(
    module: Callable[[str], ModuleType],
) -> None:
    arms = module("rebuilt")
    narrow = _arm(module, median=None, landmarks=((12.0, 0.4, 0.39, 0.41),))
    found = arms.rebuild(narrow, draws=2)
    assert found.status == "reconstructed without what conflicts"
    assert "too narrow" in found.conflict
    assert found.dropped == "limits of landmarks"


def test_items_that_cannot_be_saved_stay_inconsistent(
    module: Callable[[str], ModuleType],
) -> None:
    arms = module("rebuilt")
    found = arms.rebuild(_arm(module, landmarks=((12.0, 0.8),)), draws=2)
    assert found.status == "inconsistent"
    assert "median" in found.conflict


def test_without_a_size_nothing_is_drawn(module: Callable[[str], ModuleType]) -> None:
    arms = module("rebuilt")
    found = arms.rebuild(_arm(module, n=None), draws=2)
    assert found.status == "too little printed"
    assert found.printed.missing == "number of patients"


def test_the_same_arm_gives_the_same_draws(module: Callable[[str], ModuleType]) -> None:
    arms = module("rebuilt")
    one, two = (arms.rebuild(_arm(module), draws=2).draws.to_frame() for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_arms_drawn_again_in_this_process_have_the_curves_of_the_main_job(
    outcome: Outcome, module: Callable[[str], ModuleType]
) -> None:
    arms, checks = module("rebuilt"), module("reconstruction.checks")
    evidence = Evidence(("trials", "survival", "references", "screening", "at_risk"))
    found = arms.rebuild_all(
        evidence.load("survival"),
        module("cohorts.populations").known_trials(evidence),
        at_risk=evidence.load("at_risk"),
        wanted=lambda arm: arm.trial_id in DRAWN_AGAIN,
    )
    drawn = [arm for arm in found if arm.draws is not None]
    assert {arm.printed.trial_id for arm in drawn} == set(DRAWN_AGAIN)
    written = frame(outcome, "curves")
    for arm in drawn:
        again = checks.grid_of(arm, checks.curves_of(arm))
        once = written.loc[written["arm_key"] == arm.printed.key]
        for column in ("time", "survival", "low", "high", "n_risk"):
            assert again[column].tolist() == pytest.approx(once[column].tolist(), rel=WRITTEN)


def test_relapse_free_longer_than_alive_is_a_conflict(
    module: Callable[[str], ModuleType],
) -> None:
    checks = module("reconstruction.checks")
    free = _arm(module, key="a.rfs", endpoint="rfs", median=(12.0, None, None))
    found = checks.endpoint_conflicts([_arm(module), free])
    assert found["conflict"].tolist() == ["median RFS 12 months exceeds median OS 9 months"]


def test_withheld_landmarks_are_judged_by_their_own_band(outcome: Outcome) -> None:
    held = frame(outcome, "held_out")
    assert len(held) > 10
    assert (held["low"] <= held["reconstructed"]).all()
    assert (held["reconstructed"] <= held["high"]).all()
    inside = held["printed"].between(held["low"], held["high"])
    assert held.loc[inside, "covered"].all()
    share = frame(outcome, "summary").set_index("key").loc["held_out", "estimate"]
    assert share == float(f"{held['covered'].mean():.12g}")  # as it is written
