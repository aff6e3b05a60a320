"""The safety analysis on the evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metablin.pipeline.registry import load_analysis
from metablin.report import Outcome

FOLDER = Path(__file__).parents[2] / "analyses"


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return load_analysis(FOLDER, "safety").run()


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_every_line_names_its_evidence(outcome: Outcome) -> None:
    for name, table in outcome.tables.items():
        assert (table.frame["row_ids"] != "").all(), name


def test_the_impossible_fever_is_flagged_and_left_out(outcome: Outcome) -> None:
    doubtful = frame(outcome, "doubtful")
    fever = doubtful.loc[(doubtful["term"] == "pyrexia") & (doubtful["grade"] == "any")]
    assert fever["events"].tolist() == fever["n"].tolist()
    assert fever["left_out"].all()
    used = " ".join(frame(outcome, "rates")["row_ids"]).split()
    assert not set(doubtful.loc[doubtful["left_out"], "key"]) & set(used)


def test_no_evidence_row_is_used_twice_in_one_rate(outcome: Outcome) -> None:
    for ids in frame(outcome, "rates")["row_ids"]:
        assert len(ids.split()) == len(set(ids.split()))


def test_answers_bracket_their_expectation(outcome: Outcome) -> None:
    table = frame(outcome, "answers")
    assert (table["low"] <= table["expected"] + 1).all()
    assert (table["expected"] - 1 <= table["high"]).all()
    assert table["grade"].isin(["good", "fair", "weak", "very weak"]).all()
    assert (table.loc[table["k"] == 1, "grade"] != "good").all()


def test_adjusted_and_unadjusted_stand_side_by_side(outcome: Outcome) -> None:
    table = frame(outcome, "exposure")
    readings = table.groupby("term")["assumption"].apply(list)
    assert all(r == ["unadjusted", "total", "fixed", "exponential"] for r in readings)
    wide = table.pivot(index="term", columns="assumption", values="estimate")
    assert (table["exposure_ratio"] > 1).all()
    assert (wide["total"] < wide["unadjusted"]).all()


def test_single_terms_have_q_values_and_sums_have_none(outcome: Outcome) -> None:
    table = frame(outcome, "randomised")
    single = ~table["summary"]
    assert (table.loc[single, "q_value"] >= table.loc[single, "p_value"] - 1e-12).all()
    assert table.loc[table["summary"], "q_value"].isna().all()


def test_shrinkage_pulls_in_the_extreme_ratios(outcome: Outcome) -> None:
    table = frame(outcome, "randomised")
    shrunk = table.loc[table["ebgm"].notna() & table["risk_ratio"].notna()]
    assert (shrunk["eb05"] < shrunk["eb95"]).all()
    assert np.log(shrunk["ebgm"]).abs().max() < 3


def test_printed_rates_give_the_printed_ratios(outcome: Outcome) -> None:
    import metablin as mb

    contrasts = mb.load("contrasts")
    printed = contrasts.loc[(contrasts["trial_id"] == "tower") & (contrasts["measure"] == "rr")]
    ratios = frame(outcome, "printed_rates")["estimate"].dropna()
    assert sorted(ratios.round(3)) == pytest.approx(sorted(printed["estimate"]), abs=1e-3)
