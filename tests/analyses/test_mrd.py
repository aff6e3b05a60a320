"""The MRD analysis on the evidence: what must hold whatever the numbers are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from metablin.report import Outcome


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("mrd")


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_no_pool_mixes_denominators(outcome: Outcome) -> None:
    for name in ("response", "response_detailed", "transplant"):
        assert not frame(outcome, name)["mixed_denominators"].any()


def test_no_patients_stand_twice_in_one_pool(outcome: Outcome) -> None:
    cohorts = frame(outcome, "response_cohorts")
    twice = cohorts.groupby(["population", "denominator"])["study"].apply(
        lambda s: s.duplicated().any()
    )
    # phases and parts of a cohort by Ph status are different patients and carry their part
    assert not twice.any()


def test_every_result_names_its_evidence(outcome: Outcome) -> None:
    for name, table in outcome.tables.items():
        if name not in ("simulation",):
            assert (table.frame["row_ids"] != "").all(), name


def test_unhandled_time_is_flagged_and_bounded(outcome: Outcome) -> None:
    responders = frame(outcome, "responders")
    flagged = responders.loc[responders["immortal_time"] & responders["log_hr"].notna()]
    bounds = frame(outcome, "immortal_time").set_index("key")
    assert set(flagged["key"]) == set(bounds.index)
    known = bounds.loc[bounds["high"].notna()]
    assert (known["low"] <= known["half_window"]).all()
    assert (known["half_window"] <= known["high"]).all()
    assert (bounds.loc[bounds["high"].isna(), "why_not"] != "").all()


def test_routes_are_recorded(outcome: Outcome) -> None:
    responders = frame(outcome, "responders")
    assert (responders.loc[responders["in_pool"], "route"] != "").all()
    assert np.isfinite(responders.loc[responders["in_pool"], "log_hr"]).all()


def test_transplant_is_described_without_a_contrast(outcome: Outcome) -> None:
    table = frame(outcome, "transplant_outcomes")
    assert table["immortal_time"].all()
    assert not {"ratio", "difference", "p_value"} & set(table.columns)


def test_the_simulation_biases_only_the_naive_comparison(outcome: Outcome) -> None:
    table = frame(outcome, "simulation")
    naive = table["method"] == "naive"
    assert (table.loc[naive, "bias"] < -0.15).all()
    assert (table.loc[~naive, "bias"].abs() < 0.1).all()


def test_anchors_all_face_the_same_way(outcome: Outcome) -> None:
    assert (frame(outcome, "anchors")["estimate"] < 1).all()
