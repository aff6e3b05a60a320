"""Conduct, risk of bias, searches, screening and published syntheses hang together."""

from __future__ import annotations

import pandas as pd
import pytest

from metablin.datasets import load

RANDOMISED = ("tower", "e1910", "aall1331_hrir", "aall1331_lr", "locatelli2021", "aall1731")
FIRST = {"randomisation": "1.2", "deviations": "2.1", "missing_data": "3.1", "measurement": "4.1"}


@pytest.mark.parametrize("outcome", ["os", "event_free"])
@pytest.mark.parametrize("study", RANDOMISED)
def test_every_domain_of_a_randomised_comparison_is_answered(study: str, outcome: str) -> None:
    rows = load("risk_of_bias").query("study == @study and outcome == @outcome")
    assert set(rows["tool"]) == {"rob2"}
    assert set(rows["domain"]) == {*FIRST, "reporting"}
    for domain, question in FIRST.items():
        assert question in set(rows.loc[rows["domain"] == domain, "question"])


def test_a_question_belongs_to_its_domain() -> None:
    number = {"randomisation": "1", "confounding": "1", "triage": "B", "reporting": "5"}
    rows = load("risk_of_bias")
    for tool, more in (
        ("rob2", {"deviations": "2", "missing_data": "3", "measurement": "4"}),
        ("robins-i", {"classification": "2", "selection": "3", "missing_data": "4",
                      "measurement": "5", "reporting": "6"}),
    ):  # fmt: skip
        part = rows[rows["tool"] == tool]
        heads = part["domain"].map(number | more)
        assert (part["question"].str[0] == heads).all(), tool


def test_silence_is_no_information() -> None:
    rows = load("risk_of_bias")
    silent = rows["reason"].str.endswith("not stated on the pages read")
    assert silent.sum() > 20
    assert set(rows.loc[silent, "answer"]) == {"NI"}


def test_an_answer_rests_on_facts_about_its_own_study() -> None:
    rows = load("risk_of_bias")
    facts = load("conduct").set_index("row_id")["trial_id"]
    for row in rows.itertuples():
        about = [facts[i] for i in str(row.source).split() if i.startswith("cond-")]
        assert set(about) <= {row.study}, row.row_id


def test_every_cohort_is_screened_and_what_is_left_out_says_why() -> None:
    screening = load("screening")
    cohorts = screening[screening["stage"] == "cohort"]
    assert sorted(cohorts["trial_id"]) == sorted(load("trials", all_rows=True)["trial_id"])
    left = screening[screening["decision"] == "left_out"]
    assert (left["reason_code"] != "").all()
    assert (screening.loc[screening["decision"] == "included", "reason_code"] == "").all()


def test_randomised_comparisons_of_the_drug_are_included() -> None:
    decision = load("screening").set_index("trial_id")["decision"]
    assert set(decision[list(RANDOMISED)]) == {"included"}


def test_nothing_is_guessed_about_searches() -> None:
    searches = load("searches")
    databases = searches[searches["kind"] == "database"]
    assert len(databases) > 0
    assert set(databases["date"]) == {"not recorded"}


def test_pairs_name_a_published_number() -> None:
    pairs, published = load("agreement"), load("syntheses").set_index("synthesis_id")
    chosen = published.loc[pairs["synthesis_id"]]
    assert chosen["estimate"].notna().all()
    assert (chosen["measure"].to_numpy() == pairs["measure"].to_numpy()).all()


def test_the_arms_of_a_risk_table_start_with_everybody() -> None:
    risk = load("at_risk")
    trials = load("trials").set_index("trial_id")
    start = risk[risk["time_months"] == 0]
    total = start.groupby(["trial_id", "endpoint"])["n_at_risk"].sum()
    for (trial, _), n in total.items():
        assert n == trials.at[trial, "n_total"]
    assert pd.unique(risk["confidence"]).tolist() == ["secondary"]
