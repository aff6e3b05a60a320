"""One renderer: the same words and digits on the terminal, in the report and on the site."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from metablin.errors import DataError
from metablin.records import Column, Table
from metablin.report import Headline, Outcome, Saved, save
from metablin.report.render import IN_FILE, headlines, shown, to_html, to_page, to_terminal

FRAME = pd.DataFrame(
    {
        "key": ["os", "remission", "median"],
        "endpoint": ["os", "efs", "os"],
        "unit": ["ratio", "proportion", "months"],
        "k": [5, 1200, 3],
        "estimate": [0.5885, 0.4477, 11.2],
        "conf_low": [0.4211, 0.397, 6.4],
        "conf_high": [0.8224, 0.5, None],
        "not_reached": ["", "", "conf_high"],
        "pred_low": [0.3526, None, 2.0],
        "pred_high": [0.9824, None, None],
        "agrees": [True, False, True],
        "p_value": [0.0002, 0.04, None],
    }
)
ESTIMATE = Column("estimate", "Estimate", "row", low="conf_low", high="conf_high")
COLUMNS = (
    Column("endpoint", "Endpoint", codes="endpoint"),
    Column("k", "Studies", "count"),
    ESTIMATE,
    Column("pred_low", "Prediction interval", "row", "range", high="pred_high"),
    Column("agrees", "Agrees", "flag"),
    Column("p_value", "P", "p"),
)
TABLE = Table(FRAME, COLUMNS, "Estimates", "All of them.")
CELLS = {
    "Endpoint": ["Overall survival", "Event-free survival", "Overall survival"],
    "Studies": ["5", "1,200", "3"],
    "Estimate (95% interval)": [
        "0.59 (0.42 to 0.82)",
        "44.8% (39.7% to 50.0%)",
        "11.2 (6.4 to not reached)",
    ],
    "Prediction interval": ["0.35 to 0.98", "–", "from 2.0"],
    "Agrees": ["yes", "no", "yes"],
    "P": ["< 0.001", "0.040", "–"],
}


def test_units_headings_and_words_come_from_the_columns() -> None:
    assert shown(TABLE).frame.to_dict("list") == CELLS


def test_numbers_stand_to_the_right() -> None:
    assert shown(TABLE).right == ("Studies", "Estimate (95% interval)", "Prediction interval", "P")


def test_digits_are_those_of_the_column() -> None:
    table = Table(FRAME, (Column("estimate", "Estimate", "proportion", digits=0),), "Rounded")
    assert shown(table).frame["Estimate"].tolist()[:2] == ["59%", "45%"]


def test_without_any_interval_none_is_promised() -> None:
    bare = Table(FRAME.assign(conf_low=None, conf_high=None), (ESTIMATE,), "Bare")
    assert list(shown(bare).frame) == ["Estimate"]
    no_range = FRAME.assign(pred_low=None, pred_high=None)
    assert "Prediction interval" not in shown(Table(no_range, COLUMNS, "None")).frame


def test_a_number_that_heads_lines_says_what_it_is() -> None:
    table = Table(FRAME, (Column("k", "Studies", "count", "group"), ESTIMATE), "Grouped")
    assert shown(table).frame["Studies"].tolist() == ["Studies 5", "Studies 1,200", "Studies 3"]


def test_every_face_shows_the_same_text() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(to_terminal(TABLE))
    page = to_page(TABLE, "one").body
    site = to_html(shown(TABLE), "one")
    for texts in CELLS.values():
        for text in texts:
            assert text in out.getvalue()
            assert text.replace("<", "&lt;") in page
            assert text.replace("<", "&lt;") in site


def test_a_code_without_words_is_named() -> None:
    odd = Table(FRAME.assign(endpoint="abc"), COLUMNS, "Odd")
    with pytest.raises(DataError, match=r"endpoint.*abc.*without words"):
        shown(odd)


def test_two_columns_under_one_heading_are_refused() -> None:
    twice = (Column("k", "Studies", "count"), Column("p_value", "Studies", "p"))
    with pytest.raises(DataError, match="two columns under one heading"):
        shown(Table(FRAME, twice, "Twice"))


def test_very_long_tables_stay_in_their_files() -> None:
    many = pd.DataFrame({"key": [str(i) for i in range(IN_FILE + 1)], "k": 1})
    page = to_page(Table(many, (Column("k", "Studies", "count"),), "Long"), "long")
    assert (page.rows, page.body) == (IN_FILE + 1, "")
    some = to_page(Table(many.head(30), (Column("k", "Studies", "count"),), "Some"), "some")
    assert some.body.startswith("<details><summary>30 rows</summary>")


def test_what_is_saved_is_shown_as_before(tmp_path: Path) -> None:
    outcome = Outcome({"all": TABLE}, headlines=(Headline("Survival", "all", "os"),))
    folder = save({"name": "one", "title": "One", "order": 1}, outcome, tmp_path)
    saved = Saved(tmp_path)
    again = saved.table("one/all")
    assert again.columns == COLUMNS
    assert shown(again).frame.to_dict("list") == CELLS
    schema = json.loads((folder / "all.schema.json").read_text())
    types = {field["name"]: field["type"] for field in schema["fields"]}
    assert types["k"] == "integer"
    assert types["estimate"] == "number"
    assert types["agrees"] == "boolean"
    assert schema["primaryKey"] == ["key"]
    lines = shown(headlines(saved, saved.analyses)).frame
    assert lines.iloc[0].tolist() == ["Survival", "0.59 (0.42 to 0.82)", "0.35 to 0.98", "5"]


def test_a_saved_table_is_a_valid_table_schema(tmp_path: Path) -> None:
    import frictionless

    folder = save({"name": "one", "order": 1}, Outcome({"all": TABLE}), tmp_path)
    schema = json.loads((folder / "all.schema.json").read_text())
    resource = frictionless.Resource(
        path="all.csv",
        basepath=str(folder),
        schema=frictionless.Schema.from_descriptor(schema),
    )
    found = resource.validate()
    assert found.valid, found.flatten(["message"])
