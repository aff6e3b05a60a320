"""Tables load typed, preferred rows first, and refuse what breaks their schema."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from metablin.datasets import data_directory, describe, load, tables
from metablin.errors import DataError
from tests.datasets.corruptions import CORRUPTIONS, Copy, Corruption

NAMES = tables()["table"].tolist()
EVIDENCE = ["proportions", "survival", "contrasts", "mrd_stratified", "safety", "pharmacokinetics"]
# What loading looks at: the form of the file and each cell by itself, not rules across cells.
ON_LOAD = [c for c in CORRUPTIONS if c.name in {
    "swapped_columns", "proportion_of_43", "duplicate_row_id", "byte_that_is_not_utf8",
    "empty_file", "unknown_enumeration", "descriptor_that_is_not_json", "blank_row",
    "descriptor_without_resources", "missing_descriptor", "row_with_too_many_cells",
    "row_with_too_few_cells", "missing_column", "word_for_a_number", "nan_for_a_number",
    "empty_required_cell", "missing_table",
}]  # fmt: skip


def test_the_tables_of_the_design_are_there() -> None:
    assert {*EVIDENCE, "trials", "landscape", "claims", "discrepancies", "references"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_columns_have_the_types_of_the_descriptor(name: str) -> None:
    frame = load(name, all_rows=True)
    spec = describe(name)
    assert frame.columns.tolist() == spec.columns
    for field in spec.fields:
        column = frame[field.name]
        if field.type == "string":
            assert column.map(type).eq(str).all()
        elif field.type == "boolean":
            assert column.dtype == np.bool_
        elif field.type == "integer" and field.required:
            assert column.dtype == np.int64
        else:
            assert column.dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_attributes_carry_the_descriptor(name: str) -> None:
    attrs = load(name).attrs
    assert (attrs["table"], attrs["path"]) == (name, f"{name}.csv")
    assert attrs["title"]
    assert attrs["all_rows"] is False
    assert list(attrs["fields"]) == describe(name).columns
    assert all(field["description"] for field in attrs["fields"].values())
    json.dumps(attrs)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_have_a_unit(name: str) -> None:
    numeric = [f for f in describe(name).fields if f.type in ("number", "integer")]
    assert [f.name for f in numeric if not f.unit] == []


@pytest.mark.parametrize("name", NAMES)
def test_counts_of_the_listing_are_those_of_the_tables(name: str) -> None:
    row = tables().set_index("table").loc[name]
    assert row["rows"] == len(load(name, all_rows=True))
    assert row["preferred"] == len(load(name))


@pytest.mark.parametrize("name", EVIDENCE)
def test_only_preferred_rows_load_by_default(name: str) -> None:
    every, preferred = load(name, all_rows=True), load(name)
    assert preferred["preferred"].all()
    assert len(preferred) == every["preferred"].sum() < len(every)
    assert preferred.index.tolist() == list(range(len(preferred)))


def test_an_empty_cell_is_empty_text_or_nan() -> None:
    survival = load("survival").set_index("row_id")
    assert survival.loc["surv-tower-003", "median_state"] == ""
    assert np.isnan(survival.loc["surv-tower-003", "median_months"])


def test_loading_twice_gives_equal_and_independent_frames() -> None:
    first = load("trials")
    first.loc[0, "acronym"] = "changed"
    assert load("trials").loc[0, "acronym"] != "changed"
    pd.testing.assert_frame_equal(load("trials"), load("trials"))


def test_another_directory_can_be_loaded(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    number = copy.find("trials.csv", trial_id="tower")
    copy.set("trials.csv", number, acronym="TOWER II")
    frame = load("trials", path=copy.directory).set_index("trial_id")
    assert frame.loc["tower", "acronym"] == "TOWER II"


@pytest.mark.parametrize("corruption", ON_LOAD, ids=lambda c: c.name)
def test_loading_names_the_first_bad_cell(corruption: Corruption, tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    file, row, _, column, value, rule = corruption.damage(copy)[0]
    name = "proportions" if file == "datapackage.json" else file.removesuffix(".csv")
    with pytest.raises(DataError) as caught:
        load(name, path=copy.directory)
    assert caught.value.row == row
    assert (caught.value.column or "") == column
    assert (caught.value.value or "") == value
    assert file in caught.value.message
    assert file == "datapackage.json" or f"[{rule}]" in caught.value.message


def test_loading_says_how_many_more_cells_are_bad(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    copy.set("proportions.csv", 1, confidence="certain")
    copy.set("proportions.csv", 2, confidence="certain")
    with pytest.raises(DataError, match="and 1 more; see metablin data validate"):
        load("proportions", path=copy.directory)


def test_an_unknown_table_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'proportion'.*no such table; allowed: proportions"):
        load("proportion")


def test_an_unknown_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a directory"):
        load("trials", path=tmp_path / "nowhere")


def test_the_data_directory_holds_the_descriptor() -> None:
    assert (data_directory() / "datapackage.json").is_file()
