"""Every corrupted copy is named exactly: file, row, line, column, value, rule, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from metablin.datasets import ValidationReport, tables, validate
from metablin.datasets._cells import Raw
from metablin.datasets._rules import KINDS
from metablin.datasets.package import Rule
from metablin.errors import DataError
from tests.datasets.corruptions import CORRUPTIONS, SEVERAL, Copy, Corruption, Expected


def found(report: ValidationReport) -> list[Expected]:
    return [(v.file, v.row, v.line, v.column, v.value, v.rule) for v in report.violations]


def test_the_base_is_valid() -> None:
    report = validate()
    assert report.violations == ()
    assert dict(report.rows) == dict(zip(tables()["table"], tables()["rows"], strict=True))


def test_an_untouched_copy_is_valid(tmp_path: Path) -> None:
    assert validate(Copy(tmp_path / "base").directory).ok


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_a_corruption_is_named_exactly(corruption: Corruption, tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    expected = corruption.damage(copy)
    report = validate(copy.directory)
    assert not report.ok
    assert sorted(found(report), key=str) == sorted(expected, key=str)


def test_all_violations_are_reported_at_once(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    expected = SEVERAL(copy)
    report = validate(copy.directory)
    assert len(expected) == 5
    assert sorted(found(report), key=str) == sorted(expected, key=str)


def test_messages_say_what_is_allowed(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    SEVERAL(copy)
    text = validate(copy.directory).summary()
    row = copy.find("contrasts.csv", row_id="cont-tower-001")
    assert (
        f"contrasts.csv row {row} (line {row + 1}) estimate = 0.95: must hold: "
        "ci_low <= estimate <= ci_high; here 0.55 <= 0.95 <= 0.93 [estimate_in_interval]"
    ) in text
    assert "confidence = certain: must be one of primary, secondary, derived [enum]" in text
    assert "survival = 43: must be at most 1 [maximum]" in text
    assert "events = 268: must hold: events <= n; here 268 <= 267 [events_within_n]" in text
    assert text.endswith("5 violations")


def test_an_unknown_key_suggests_the_nearest(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    number = copy.find("survival.csv", row_id="surv-tower-003")
    copy.set("survival.csv", number, source_key="kantarjian2071")
    (violation,) = validate(copy.directory).violations
    assert "kantarjian2017" in violation.message


def test_a_swapped_header_is_named_with_every_row_it_breaks(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    rows = copy.read("proportions.csv")
    i, j = rows[0].index("events"), rows[0].index("n")
    more = [k for k, r in enumerate(rows) if k and r[i] and r[j] and int(r[j]) > int(r[i])]
    rows[0][i], rows[0][j] = rows[0][j], rows[0][i]
    copy.write("proportions.csv", rows)
    report = validate(copy.directory)
    assert [v.rule for v in report.violations[:2]] == ["header", "header"]
    assert [v.row for v in report.violations if v.rule == "events_within_n"] == more


def test_a_cell_with_a_line_break_keeps_the_line_numbers_right(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    copy.set("proportions.csv", 1, note="two\nlines")
    copy.set("proportions.csv", 3, confidence="certain")
    (violation,) = validate(copy.directory).violations
    assert (violation.row, violation.line) == (3, 5)


def test_odd_bytes_and_characters_are_escaped_everywhere(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    key = copy.read("discrepancies.csv")[1][0]
    copy.replace("discrepancies.csv", key.encode(), b"d-\x00\xff")
    copy.set("proportions.csv", 1, source_key="two\nlines")
    text = validate(copy.directory).summary()
    assert text.encode("utf-8").isascii()
    assert "discrepancy_id = d-\\x00\\xff: the file must be UTF-8 text [utf8]" in text
    assert "source_key = two\\nlines: must match" in text


def test_the_report_is_a_table_and_plain_data(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "base")
    copy.set("proportions.csv", 3, confidence="certain")
    report = validate(copy.directory)
    frame = report.to_frame()
    assert frame.loc[0, ["file", "row", "column", "value", "rule"]].tolist() == [
        "proportions.csv",
        3,
        "confidence",
        "certain",
        "enum",
    ]
    assert report.to_dict()["valid"] is False
    assert report.to_dict()["violations"][0]["line"] == 4


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a directory"):
        validate(tmp_path / "nowhere")


def test_some_asks_for_one_filled_column() -> None:
    rule = Rule("one", "One of two.", "some", ("low", "high"), (), {})
    table = SimpleNamespace(path="t.csv")
    raw = Raw(table, {"low": ["1", "", ""], "high": ["", "2", ""]}, [1, 2, 3], [2, 3, 4],
              frozenset())  # fmt: skip
    found = list(KINDS["some"](rule, raw, range(3), {}))
    assert [(i, column) for i, column, _ in found] == [(2, "low")]
    assert "at least one of low, high must be filled; the row has none" in found[0][2]
