"""Judgements of persons and answers about bias: what a row must say, named by its row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from metablin.datasets import data_directory, load, validate

ROW = {
    "row_id": "override-001",
    "kind": "grade",
    "subject": "os.first_relapse",
    "outcome": "",
    "domain": "imprecision",
    "value": "-1",
    "reason": "the panel's threshold is lower",
    "person": "A. Reader",
    "date": "2026-11-01",
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_directory(), tmp_path / "datasets"))


def written(base: Path, **cells: str) -> Path:
    row = ROW | cells
    text = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    (base / "overrides.csv").write_text(text)
    return base


def test_no_override_is_a_valid_table() -> None:
    table = load("overrides")
    assert list(table.columns) == list(ROW)
    assert validate().ok


def test_an_override_is_read_as_it_is_written(base: Path) -> None:
    assert load("overrides", path=written(base)).to_dict(orient="records") == [ROW]
    assert validate(base).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [("reason", ""), ("domain", "mood"), ("value", "5"), ("kind", "hunch"), ("person", ""),
     ("date", "yesterday")],
)  # fmt: skip
def test_a_fault_of_an_override_is_named_by_row_and_column(
    base: Path, column: str, value: str
) -> None:
    found = validate(written(base, **{column: value})).violations
    assert [(v.file, v.row, v.column) for v in found] == [("overrides.csv", 1, column)]


@pytest.mark.parametrize(("old", "new", "column"), [
    ("tower,os,rob2,randomisation,1.1,PY", "tower,os,rob2,randomising,1.1,PY", "domain"),
    ("tower,os,rob2,randomisation,1.1,PY", "tower,os,rob2,randomisation,1.1,MAYBE", "answer"),
])  # fmt: skip
def test_an_unknown_domain_or_answer_about_bias_is_named(
    base: Path, old: str, new: str, column: str
) -> None:
    path = base / "risk_of_bias.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    found = validate(base).violations
    assert ("risk_of_bias.csv", 1, column) in [(v.file, v.row, v.column) for v in found]
