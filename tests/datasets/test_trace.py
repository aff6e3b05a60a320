"""A trace gives every row about a trial, each with its source."""

from __future__ import annotations

import pytest

from metablin.datasets import describe, find_trial, load, tables, trace
from metablin.errors import DataError
from metablin.pipeline.trace import evidence_rows

NAMES = tables()["table"].tolist()


@pytest.mark.parametrize("trial_id", ["tower", "blast", "aall1331_hrir"])
def test_every_row_about_the_trial_is_there_once(trial_id: str) -> None:
    rows = trace(trial_id)
    assert not rows.duplicated(["table", "row_id"]).any()
    for name in NAMES:
        frame = load(name, all_rows=True)
        if "trial_id" in frame:
            own = frame.loc[frame["trial_id"] == trial_id, describe(name).primary_key]
            assert set(own) <= set(rows.loc[rows["table"] == name, "row_id"])


def test_rows_that_point_to_a_row_about_the_trial_are_there() -> None:
    rows = trace("tower")
    ids = set(rows["row_id"])
    cells = load("seed_cells")
    pointing = cells.loc[cells["row_id"].isin(ids), "cell_id"]
    assert len(pointing) > 0
    assert set(pointing) == set(rows.loc[rows["table"] == "seed_cells", "row_id"])


def test_rows_of_evidence_have_a_source_and_a_place() -> None:
    rows = trace("tower").set_index("row_id")
    row = rows.loc["prop-tower-001"]
    assert row["item"] == "blinatumomab; all; cr"
    assert row["reported"] == "events=91; n=271"
    assert row["citation"] == "Kantarjian H et al., 2017, N Engl J Med 376(9):836-847"
    assert row["doi"] == "10.1056/NEJMoa1609783"
    evidence = rows[rows["table"].isin(["trials", "proportions", "survival", "safety"])]
    for column in ("source_key", "citation", "source_url", "locator", "confidence"):
        assert (evidence[column] != "").all(), column


def test_claims_and_cells_of_the_reviews_have_the_review_as_source() -> None:
    rows = trace("tower")
    keys = set(load("references")["source_key"])
    for name in ("claims", "seed_cells"):
        sources = rows.loc[rows["table"] == name, "source_key"]
        assert set(sources) <= keys
        (seed,) = (f for f in describe(name).fields if f.name == "seed")
        assert set(seed.sources) == set(seed.enum)
        assert set(seed.sources.values()) <= keys


def test_rows_that_are_not_preferred_are_there_and_marked() -> None:
    rows = trace("tower")
    every = load("proportions", all_rows=True).query("trial_id == 'tower'")
    traced = rows[rows["table"] == "proportions"]
    assert traced["preferred"].tolist() == every["preferred"].tolist()
    assert not traced["preferred"].all()


def test_an_unknown_trial_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'towr'.*no such trial; allowed: tower"):
        trace("towr")


def test_a_trial_is_found_by_its_identifier() -> None:
    assert find_trial("tower")["acronym"] == "TOWER"


def test_a_row_of_another_review_is_its_own_citation() -> None:
    rows = evidence_rows(["yu2019.cr", "prop-tower-001"])
    assert rows["citation"].tolist()[0] == "Yu et al., 2019, Hematology 24(1):199-207"
    assert rows["doi"].tolist()[0] == "10.1080/16078454.2018.1549802"
    assert "N Engl J Med" in rows["citation"].tolist()[1]
