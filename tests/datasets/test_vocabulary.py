"""Every code of the evidence has words, and a code without them is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import metablin as mb
from metablin.datasets import data_directory, entries, entry, said, validate
from metablin.errors import DataError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "datasets"
    shutil.copytree(data_directory(), folder)
    return folder


def change(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_code_without_words_is_a_violation(copy: Path) -> None:
    change(copy, "vocabulary", "*.grade.fatal,*,grade,fatal,fatal,", "*.grade.f,*,grade,f,fatal,")
    report = validate(copy)
    assert {(v.rule, v.file, v.column, v.value) for v in report.violations} == {
        ("words", "safety.csv", "grade", "fatal")
    }
    assert "table *, column grade, code fatal" in report.violations[0].message


def test_each_part_of_a_subgroup_needs_words(copy: Path) -> None:
    line = "*.subgroup.phase=1b,*,subgroup,phase=1b,phase 1b,"
    change(copy, "vocabulary", line, line.replace("phase=1b", "phase=9"))
    problems = [v for v in validate(copy).violations if v.rule == "words"]
    assert problems
    assert all("phase=1b" in v.message for v in problems)


def test_words_for_a_new_code_can_be_added(copy: Path) -> None:
    path = copy / "vocabulary.csv"
    path.write_text(path.read_text("utf-8") + "*.arm.new,*,arm,new,new arm,,,\n", "utf-8")
    assert validate(copy).ok


def test_words_are_words() -> None:
    frame = mb.load("vocabulary")
    assert not frame["words"].str.contains("_").any()
    assert (frame["entry"] == frame["table"] + "." + frame["column"] + "." + frame["code"]).all()
    assert set(frame["table"]) - {"*", "results"} <= set(mb.datasets.tables()["table"])


def test_codes_come_in_their_order() -> None:
    found = [e.order for e in entries("population", "results")]
    assert found == sorted(found)
    assert next(iter(said("grade"))) == "any"


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(DataError, match=r"outcome.*xyz.*without words"):
        entry("outcome", "xyz")
