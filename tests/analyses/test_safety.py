"""The safety analysis on the evidence."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from metablin.datasets import load
from metablin.pipeline import Evidence
from metablin.report import Outcome


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("safety")


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_every_line_names_its_evidence(outcome: Outcome) -> None:
    for name, table in outcome.tables.items():
        if name != "unanswered":  # no row answers them
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
    assert (table["low"] <= table["expected"]).all()
    assert (table["expected"] <= table["high"]).all()
    assert table["certainty"].isin(["high", "moderate", "low", "very low"]).all()
    surrogate = table["question"].str.contains("MRD")
    assert surrogate.any()
    assert (table.loc[surrogate, "certainty"] != "high").all()
    assert table.loc[surrogate, "lowered"].str.contains("indirectness").all()


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


def test_every_question_is_answered_or_listed_for_every_population(
    outcome: Outcome, module: Callable[[str], ModuleType]
) -> None:
    populations = len(module("cohorts.populations").POPULATIONS)
    answered, open_ = frame(outcome, "answers"), frame(outcome, "unanswered")
    assert not set(answered["key"]) & set(open_["key"])
    asked = {"response", "mrd_of_responders"}  # of relapsed patients only
    keys = [*answered["key"], *open_["key"]]
    # designs beside the first one carry its name
    count = pd.Series([k.split(".")[1] for k in keys if k.count(".") == 1]).value_counts()
    assert (count[count.index.isin(asked)] == 3).all()
    assert (count[~count.index.isin(asked)] == populations).all()
    foretold = answered["range"] == "a new cohort"
    assert foretold.any()
    assert (answered.loc[foretold, "pred_low"] <= answered.loc[foretold, "pred_high"]).all()
    assert answered.loc[~foretold, "pred_low"].isna().all()


def test_a_first_cycle_is_not_a_whole_treatment(outcome: Outcome) -> None:
    import metablin as mb

    rows = mb.load("safety", all_rows=True).set_index("row_id")
    for ids in frame(outcome, "rates")["row_ids"]:
        used = rows.loc[ids.split()]
        assert not used["term"].str.contains("cycle").any()
        assert not used["note"].str.fullmatch("cycle 1").any()


def test_an_organ_class_is_at_least_its_most_frequent_term(outcome: Outcome) -> None:
    import metablin as mb

    classes = frame(outcome, "organ_classes").set_index("key")
    rows = mb.load("safety", all_rows=True).set_index("row_id")
    for line in classes.to_dict(orient="records"):
        used = rows.loc[line["row_ids"].split()]
        assert used["trial_id"].is_unique
        assert used["events"].sum() == line["events"]
        assert len(used) == line["k"]


def test_every_single_term_of_a_blinatumomab_arm_has_an_organ_class() -> None:
    import metablin as mb

    rows, terms = mb.load("safety"), mb.load("terms")
    arms = rows.loc[rows["arm"].eq("blinatumomab") & rows["grade"].eq("any")]
    words = arms["term"].replace({"neurotoxicity": "neurologic event"})
    words = words.str.replace(r" \((cycle [12]|age .*|prior allohsct)\)$", "", regex=True)
    sums = r"^(?:any |treatment-related|most common|adverse events as|count of|dose-limiting)"
    single = words.loc[~words.str.contains(sums) & arms["events"].notna()]
    # not events, or a word that different reports use for different classes
    outside = {"ivig administration", "gcsf administration", "mucositis"}
    assert set(single) - outside <= set(terms["term"])


def test_registered_events_rank_the_organ_classes_as_the_review_says(outcome: Outcome) -> None:
    # haematological, gastrointestinal and general disorders are named as the three most frequent
    shares = frame(outcome, "class_shares")
    top = shares.loc[(shares["grade"] == "any grade") & (shares["rank"] <= 3), "organ_class"]
    assert {t.split()[0] for t in top} == {"blood", "gastrointestinal", "general"}
    totals = shares.groupby("grade")[["estimate", "share_without_doubtful"]].sum()
    np.testing.assert_allclose(totals, 1.0)


def test_spontaneous_reports_stay_out_of_every_rate(outcome: Outcome) -> None:
    reports = frame(outcome, "reporting")
    printed = reports["printed_share"].notna() & reports["count"].notna()
    gap = (reports["estimate"] - reports["printed_share"])[printed].abs()
    assert (gap < 5e-5 + 1e-12).all()
    assert reports["remainder"].dropna().round(3).tolist() == [0.201]
    used = " ".join(" ".join(frame(outcome, n)["row_ids"]) for n in ("rates", "answers"))
    assert "rep-" not in used


def test_dose_levels_and_cycles_come_with_their_gaps(outcome: Outcome) -> None:
    table, gaps = frame(outcome, "dose_and_cycle"), frame(outcome, "dose_gaps")
    levels = table.loc[table["at"].str.contains("dose")].groupby(["study", "term", "grade"])
    assert (levels["n"].sum() == 93).all()
    rising = gaps.loc[gaps["dose_rises"]]
    assert rising["not_reported"].str.contains("by dose step").all()
    known = set(gaps["found"].str.split(", ").explode())
    assert "by cycle" in known


def test_exposure_is_a_number_of_the_evidence(outcome: Outcome) -> None:
    import metablin as mb

    rows = mb.load("safety").set_index("row_id")
    for line in frame(outcome, "time_on_treatment").to_dict(orient="records"):
        assert rows.loc[line["key"], "exposure"] == line["estimate"]
        assert line["low"] <= line["estimate"] <= line["high"]


def counted(module: Callable[[str], ModuleType]) -> pd.DataFrame:
    safety, shared = module("cohorts.harms"), module("cohorts.populations")
    evidence = Evidence(("trials", "references", "screening", "safety", "discrepancies"))
    found: pd.DataFrame = safety.counts(
        evidence.load("safety"), shared.known_trials(evidence), evidence.load("discrepancies")
    )
    return found


def test_rates_are_of_the_whole_treatment(outcome: Outcome) -> None:
    used = " ".join(frame(outcome, "rates")["row_ids"]).split()
    rows = load("safety").set_index("row_id").loc[used]
    one_course = rows["note"].str.match(r"(?:first |one )?(?:cycle|block|course)\b")
    assert rows.index[one_course].tolist() == []
    assert not rows["term"].str.contains(r"\(cycle").any()


def test_severe_counts_hold_every_severe_grade(outcome: Outcome) -> None:
    used = " ".join(frame(outcome, "rates")["row_ids"]).split()
    rows = load("safety").set_index("row_id").loc[used]
    severe = rows.loc[rows["grade"] == "grade3plus"]
    assert not severe["note"].str.contains("grade 3 count not given").any()
    assert len(severe) > 20


def test_no_severe_event_is_rarer_over_the_whole_treatment_than_in_its_first_course(
    module: Callable[[str], ModuleType],
) -> None:
    found = counted(module)
    severe = found.loc[found["grade"] == "grade3plus"]
    wide = severe.pivot_table(
        index=["trial_id", "arm", "event"], columns="period", values="events", aggfunc="max"
    ).dropna()
    assert len(wide) > 2
    assert (wide["whole treatment"] >= wide["first cycle"]).all()


def test_one_question_has_one_answer_on_every_page(
    outcome: Outcome, written: Callable[[str], Outcome]
) -> None:
    other = pd.concat(
        [
            written(name).tables[table].frame[["row_ids", "estimate"]]
            for name, table in (("response", "pooled"), ("mrd", "response"), ("mrd", "transplant"))
        ]
    )
    elsewhere = {frozenset(r.row_ids.split()): r.estimate for r in other.itertuples()}
    answers = frame(outcome, "answers")
    both = [
        (r.estimate, elsewhere[ids])
        for r in answers.itertuples()
        if (ids := frozenset(r.row_ids.split())) in elsewhere
    ]
    assert len(both) >= 20
    assert np.array(both)[:, 0] == pytest.approx(np.array(both)[:, 1])
