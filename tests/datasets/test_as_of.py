"""What was public on a date, with the rows that were preferred then."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from metablin.datasets import copies, load, tables, validate
from metablin.errors import DataError
from tests.datasets.corruptions import Copy

CITING = ["proportions", "survival", "contrasts", "mrd_stratified", "safety", "at_risk"]
DATES = ["2012-12-31", "2017-06-30", "2021-12-31", "2024-12-31"]


@pytest.mark.parametrize("table", CITING)
def test_what_was_known_grows_and_ends_with_the_dated_rows(table: str) -> None:
    known = [set(load(table, all_rows=True, as_of=d)["row_id"]) for d in [*DATES, "2026-11-30"]]
    for earlier, later in pairwise(known):
        assert earlier <= later
    references = load("references").set_index("source_key")["public_date"]
    every = load(table, all_rows=True)
    dated = every["source_key"].map(references) != ""
    assert known[-1] == set(every.loc[dated, "row_id"])


def test_a_report_counts_from_the_end_of_its_month() -> None:
    before, after = (load("references", as_of=d) for d in ("2017-03-30", "2017-03-31"))
    assert "kantarjian2017" not in set(before["source_key"])
    assert "kantarjian2017" in set(after["source_key"])


def test_a_row_that_gave_way_later_is_preferred_until_then() -> None:
    medians = {}
    for date in ("2019-06-30", "2021-06-30"):
        rows = load("survival", as_of=date).query("trial_id == 'blast' and endpoint == 'os'")
        rows = rows[(rows["subgroup"] == "all") & rows["median_months"].notna()]
        medians[date] = rows["row_id"].tolist()
    assert medians == {"2019-06-30": ["surv-blast-002"], "2021-06-30": ["surv-blast-009"]}


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("table", ["proportions", "survival", "contrasts", "safety"])
def test_no_quantity_has_two_preferred_rows_on_any_date(table: str, date: str) -> None:
    quantity = {
        "proportions": ["outcome"],
        "survival": ["endpoint", "time_months"],
        "contrasts": ["endpoint", "arm_treatment", "arm_control", "measure"],
        "safety": ["term", "grade"],
    }[table]
    rows = load(table, as_of=date)
    assert rows.loc[rows.duplicated(["patient_set", *quantity]), "row_id"].tolist() == []


def test_today_the_preferred_rows_are_the_preferred_rows() -> None:
    today, always = load("contrasts", as_of="2026-11-30"), load("contrasts")
    references = load("references").set_index("source_key")["public_date"]
    dated = always[always["source_key"].map(references) != ""]
    assert set(dated["row_id"]) <= set(today["row_id"])


def test_a_trial_is_there_once_any_report_about_it_was() -> None:
    assert "e1910" not in set(load("trials", as_of="2022-06-30")["trial_id"])
    assert "e1910" in set(load("trials", as_of="2022-12-31")["trial_id"])


def test_tables_without_sources_are_whole() -> None:
    pd.testing.assert_frame_equal(load("claims", as_of="2015"), load("claims"))


@pytest.mark.parametrize("date", ["yesterday", "2017-13", "2017-02-30", "17-01-01", ""])
def test_a_date_that_is_none_is_named(date: str) -> None:
    with pytest.raises(DataError, match="not a date") as caught:
        load("contrasts", as_of=date)
    assert caught.value.column == "as_of"


def test_copies_are_listed_and_counted() -> None:
    listed = copies()
    assert validate().copies == len(listed)
    assert (listed["source_url"].str.startswith("copy:") == (listed["kind"] == "copy")).all()
    for name in set(listed["table"]):
        key = load(name).attrs["primary_key"]
        rows = set(load(name, all_rows=True)[key])
        assert set(listed.loc[listed["table"] == name, "row_id"]) <= rows


def test_no_row_cites_a_mirror() -> None:
    for name in tables()["table"]:
        frame = load(name, all_rows=True)
        if "source_url" in frame:
            plain = frame.loc[~frame["source_url"].str.startswith(("copy:", "not"))]
            assert plain["source_url"].str.startswith("https://").all(), name


def test_a_mirror_is_one_line_that_names_the_row_and_the_mend(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    number = copy.find("contrasts.csv", row_id="cont-e1910-001")
    copy.set("contrasts.csv", number, source_url="http://pubmed.ncbi.nlm.nih.gov.example/39047240")
    (violation,) = validate(copy.directory).violations
    text = str(violation)
    assert text.startswith(f"contrasts.csv row {number} (line {number + 1}) source_url = http://")
    assert "pubmed.ncbi.nlm.nih.gov.example is not among the allowed hosts" in text
    assert "copy:<address>; nearest: pubmed.ncbi.nlm.nih.gov" in text
    assert "\n" not in text


def test_the_numbers_at_risk_feed_a_reconstruction() -> None:
    from metablin.reconstruct import reconstruct_km

    risk, curve = load("at_risk"), load("survival")
    for arm, endpoint in [("blinatumomab", "dfs"), ("chemotherapy", "dfs"), ("chemotherapy", "os")]:
        where = f"trial_id == 'aall1731' and arm == '{arm}' and endpoint == '{endpoint}'"
        counts = risk.query(where).sort_values("time_months")
        points = curve.query(f"{where} and patient_set == 'aall1731/{arm}'")
        points = points.dropna(subset=["survival"]).sort_values("time_months")
        assert points["time_months"].tolist() == [12, 24, 36, 48]
        made = reconstruct_km(
            [0, *points["time_months"]],
            [1, *points["survival"]],
            n=int(counts["n_at_risk"].iloc[0]),
            at_risk=(counts["time_months"], counts["n_at_risk"]),
        )
        assert len(made.time) == counts["n_at_risk"].iloc[0]
        left = [(made.time >= t).sum() for t in counts["time_months"]]
        assert abs(pd.Series(left) - counts["n_at_risk"].to_numpy()).max() <= 1
