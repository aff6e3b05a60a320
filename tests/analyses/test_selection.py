"""Which evidence rows the response analysis takes, and that no patient is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from metablin.pipeline import Evidence
from metablin.report import Outcome

Load = Callable[[str], ModuleType]
Written = Callable[[str], Outcome]
READS = ("trials", "proportions", "references", "screening")


def candidate(**changes: Any) -> dict[str, Any]:
    base = {
        "row_id": "r1",
        "trial_id": "a",
        "label": "A",
        "subgroup": "all",
        "population": "paediatric_rr",
        "denominator": "treated",
        "rank": 0,
        "design": "single_arm",
    }
    return {**base, **changes}


def chosen(module: Load, *rows: dict[str, Any]) -> list[str]:
    selection = module("cohorts.responses")
    found = selection.one_a_cohort(pd.DataFrame(rows), selection.WHOLE)
    return list(found["row_id"])


def test_the_best_outcome_of_a_cohort_is_taken(module: Load) -> None:
    assert chosen(module, candidate(rank=3), candidate(row_id="r2", rank=0)) == ["r2"]


def test_parts_are_taken_only_where_there_is_no_whole(module: Load) -> None:
    parts = [candidate(row_id=name, subgroup=f"ph={name}") for name in ("negative", "positive")]
    assert chosen(module, *parts) == ["negative", "positive"]
    assert chosen(module, candidate(), *parts) == ["r1"]


def test_responders_of_one_trial_are_counted_once(module: Load) -> None:
    responders = [
        candidate(row_id=s, subgroup=f"{s}=yes", denominator="responders") for s in ("cr", "cr_crh")
    ]
    selection = module("cohorts.responses")
    found = selection.one_a_cohort(pd.DataFrame(responders), selection.RESPONDERS)
    assert found["row_id"].tolist() == ["cr_crh"]


def test_responders_of_two_parts_of_a_trial_both_count(module: Load) -> None:
    selection = module("cohorts.responses")
    parts = [
        candidate(row_id=s, subgroup=s, denominator="responders") for s in selection.RESPONDER_PARTS
    ]
    found = selection.one_a_cohort(pd.DataFrame(parts), selection.RESPONDER_PARTS)
    assert sorted(found["row_id"]) == sorted(selection.RESPONDER_PARTS)


def test_cohorts_that_screening_leaves_out_do_not_enter(module: Load) -> None:
    evidence = Evidence(READS)
    selection, shared = module("cohorts.responses"), module("cohorts.populations")
    trials = shared.known_trials(evidence)
    assert trials.set_index("trial_id").loc["yin2024_short", "left_out"] != ""
    found = selection.candidates(evidence.load("proportions"), trials, selection.RESPONSES)
    assert "yin2024_short" in set(evidence.load("proportions")["trial_id"])
    assert not set(found["trial_id"]) & set(trials.loc[trials["left_out"] != "", "trial_id"])


@pytest.mark.parametrize(
    ("subgroup", "definition", "expected"),
    [
        ("cr_crh=yes", "", "responders"),
        ("all", "MRD response among those evaluable", "evaluable"),
        ("all", "MRD below 1e-4", "treated"),
    ],
)
def test_the_denominator_is_read_from_the_row(
    module: Load, subgroup: str, definition: str, expected: str
) -> None:
    row = {"subgroup": subgroup, "definition": definition, "note": ""}
    assert module("cohorts.responses")._denominator(row) == expected


@pytest.mark.parametrize(
    ("status", "age", "ph", "expected"),
    [
        ("relapsed_refractory", "adult", "positive", "adult_rr_ph_positive"),
        ("relapsed_refractory", "adult", "mixed", "adult_rr_ph_negative"),
        ("relapsed_refractory", "mixed", "negative", "paediatric_rr"),
        ("mrd_positive", "adult", "negative", "mrd_positive"),
        ("mrd_positive", "mixed", "negative", "mrd_positive_young"),
        ("mrd_positive", "paediatric", "negative", "mrd_positive_young"),
        ("newly_diagnosed", "adult", "positive", "first_line_ph_positive"),
        ("newly_diagnosed", "adult", "negative", "first_line"),
    ],
)
def test_populations(module: Load, status: str, age: str, ph: str, expected: str) -> None:
    trial = pd.Series({"disease_status": status, "age_group": age, "ph_status": ph})
    assert module("cohorts.populations").population(trial) == expected


def test_no_patients_enter_the_response_analysis_twice(module: Load) -> None:
    evidence = Evidence(READS)
    selection, shared = module("cohorts.responses"), module("cohorts.populations")
    found = selection.candidates(
        evidence.load("proportions"), shared.known_trials(evidence), selection.RESPONSES
    )
    rows = selection.one_a_cohort(found, selection.WHOLE)
    assert rows["patient_set"].is_unique
    wholes = rows.loc[rows["subgroup"] == "all", "trial_id"]
    assert wholes.is_unique
    assert len(rows) >= 20


def test_every_pooled_line_names_rows_that_exist(written: Written) -> None:
    outcome = written("response")
    known = set(mb.load("proportions", all_rows=True)["row_id"])
    for name in ("pooled", "by_definition", "splits", "sensitivity"):
        frame = outcome.tables[name].frame
        for line in frame.to_dict(orient="records"):
            ids = line["row_ids"].split()
            assert len(ids) == line["k"]
            assert set(ids) <= known


def test_definitions_of_response_mix_only_where_asked(written: Written) -> None:
    outcome = written("response")
    rows = outcome.tables["cohorts"].frame.set_index("key")
    for name in ("pooled", "by_definition"):
        for line in outcome.tables[name].frame.to_dict(orient="records"):
            assert rows.loc[line["row_ids"].split(), "definition"].nunique() == 1
            assert rows.loc[line["row_ids"].split(), "design"].nunique() == 1
    for line in outcome.tables["sensitivity"].frame.to_dict(orient="records"):
        if "any_definition" not in line["key"]:
            assert rows.loc[line["row_ids"].split(), "definition"].nunique() == 1


def test_denominators_never_mix_within_one_pool(written: Written) -> None:
    outcome = written("mrd")
    rows = outcome.tables["response_cohorts"].frame.set_index("key")
    for line in outcome.tables["response"].frame.to_dict(orient="records"):
        pooled = rows.loc[line["row_ids"].split()]
        assert pooled["denominator"].nunique() == 1
        assert pooled["study"].is_unique


def test_mrd_response_is_pooled_in_one_place(written: Written) -> None:
    assert not any("mrd" in name for name in written("response").tables)


def pooled_rows(module: Load, ids: str) -> pd.DataFrame:
    rows = mb.load("proportions").set_index("row_id").loc[ids.split()].reset_index()
    shared = module("cohorts.populations")
    joined: pd.DataFrame = shared.with_trials(rows, shared.known_trials(Evidence(READS)))
    return joined


def test_splits_compare_one_definition_in_one_population(module: Load, written: Written) -> None:
    outcome = written("response")
    for line in outcome.tables["splits"].frame.to_dict(orient="records"):
        rows = pooled_rows(module, line["row_ids"])
        assert rows["outcome"].nunique() == 1
        assert rows["population"].nunique() == 1


def test_mrd_pools_keep_adults_and_children_apart(module: Load, written: Written) -> None:
    outcome = written("mrd")
    lines = pd.concat([outcome.tables[name].frame for name in ("response", "transplant")])
    assert lines["key"].str.startswith("mrd_positive_young").any()
    for line in lines.to_dict(orient="records"):
        rows = pooled_rows(module, line["row_ids"])
        assert (rows["age_group"] == "adult").nunique() == 1, line["key"]


def test_mrd_response_has_one_threshold(module: Load, written: Written) -> None:
    outcome = written("mrd")
    ids = " ".join(outcome.tables["response"].frame["row_ids"])
    rows = pooled_rows(module, ids)
    stated = rows["definition"].str.extract(r"<\s*([0-9.]+(?:e-[0-9]+)?)(%?)")
    known = stated.loc[stated[0].notna()]
    limits = known[0].astype(float) * known[1].map({"%": 0.01, "": 1.0})
    assert len(limits) > 5
    assert limits.to_numpy() == pytest.approx(1e-4)
