"""``metablin data`` keeps its contract: exit codes, machine output, one line for an error."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from metablin.cli import main
from metablin.datasets import load, tables, trace, validate
from tests.datasets.corruptions import CORRUPTIONS, SEVERAL, Copy, Corruption


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process at a width of 80."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["metablin", "data", *arguments])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_list_shows_every_table(run: Run) -> None:
    ran = run("list")
    assert (ran.code, ran.err) == (0, "")
    for name in tables()["table"]:
        assert name in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_list_for_machines(run: Run) -> None:
    expected = tables()
    by_json = json.loads(run("list", "--json").out)["tables"]
    by_csv = parsed(run("list", "--csv").out)
    assert [row["table"] for row in by_json] == expected["table"].tolist()
    assert [row["rows"] for row in by_json] == expected["rows"].tolist()
    assert [int(row["preferred"]) for row in by_csv] == expected["preferred"].tolist()


@pytest.mark.parametrize("name", tables()["table"])
def test_show_fits_the_width_and_begins_with_the_key(name: str, run: Run) -> None:
    ran = run("show", name)
    frame = load(name)
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    # Nobody has overridden a suggested grade so far.
    assert frame.empty == (name == "overrides")
    assert frame.empty or str(frame.iloc[0, 0])[:12] in ran.out
    assert f"{len(frame)} " in ran.out.splitlines()[-1]


@pytest.mark.parametrize("name", tables()["table"])
def test_csv_of_all_rows_holds_the_cells_of_the_file(name: str, run: Run) -> None:
    rows = parsed(run("show", name, "--all-rows", "--csv").out)
    path = Path(__file__).parents[2] / "datasets" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        source = list(csv.DictReader(stream))
    assert len(rows) == len(source)
    fields = load(name).attrs["fields"]
    for shown, printed in zip(rows, source, strict=True):
        for column, field in fields.items():
            if field["type"] == "number" and printed[column]:
                assert float(shown[column]) == float(printed[column])
            else:
                assert shown[column] == printed[column]


def test_show_json_is_one_object_with_the_descriptor(run: Run) -> None:
    shown = json.loads(run("show", "proportions", "--json").out)
    assert list(shown) == ["table", "title", "description", "fields", "rows"]
    assert shown["fields"]["n"]["unit"] == "patients"
    row = next(r for r in shown["rows"] if r["row_id"] == "prop-tower-001")
    assert (row["events"], row["n"], row["preferred"]) == (91, 271, True)
    assert isinstance(row["events"], int)


def test_an_empty_number_is_null_in_json_and_empty_in_csv(run: Run) -> None:
    shown = json.loads(run("show", "survival", "--json").out)["rows"]
    row = next(r for r in shown if r["row_id"] == "surv-tower-003")
    assert row["median_months"] is None
    line = next(
        r for r in parsed(run("show", "survival", "--csv").out) if r["row_id"] == "surv-tower-003"
    )
    assert line["median_months"] == ""


def test_show_gives_preferred_rows_unless_told(run: Run) -> None:
    some = parsed(run("show", "survival", "--csv").out)
    every = parsed(run("show", "survival", "--csv", "--all-rows").out)
    assert {row["preferred"] for row in some} == {"true"}
    assert len(some) == len(load("survival")) < len(every) == len(load("survival", all_rows=True))


def test_show_of_one_trial(run: Run) -> None:
    rows = parsed(run("show", "survival", "--trial", "blast", "--csv").out)
    assert {row["trial_id"] for row in rows} == {"blast"}
    assert "surv-blast-" in run("show", "survival", "--trial", "blast").out


def test_trace_shows_rows_and_sources(run: Run) -> None:
    ran = run("trace", "tower")
    assert (ran.code, ran.err) == (0, "")
    assert "prop-tower-001" in ran.out
    assert "tower: sources" in ran.out
    assert "10.1056/NEJMoa1609783" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_trace_for_machines(run: Run) -> None:
    expected = trace("tower")
    by_json = json.loads(run("trace", "tower", "--json").out)
    by_csv = parsed(run("trace", "tower", "--csv").out)
    assert by_json["trial_id"] == "tower"
    assert [row["row_id"] for row in by_json["rows"]] == expected["row_id"].tolist()
    assert [row["citation"] for row in by_csv] == expected["citation"].tolist()


def test_validate_passes_on_the_base(run: Run) -> None:
    ran = run("validate")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("valid\n")


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda c: c.name)
def test_validate_names_a_corruption(corruption: Corruption, tmp_path: Path, run: Run) -> None:
    copy = Copy(tmp_path / "base")
    expected = corruption.damage(copy)
    ran = run("validate", str(copy.directory))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert len(lines) == len(expected) + 1
    for file, row, line, column, value, rule in expected:
        place = f"row {row} (line {line})" if row is not None else ""
        assert any(
            text.startswith(f"{file}")
            and text.endswith(f"[{rule}]")
            and all(part in text for part in (place, column, value))
            for text in lines
        )
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.out + ran.err


def test_validate_json_is_the_report(tmp_path: Path, run: Run) -> None:
    copy = Copy(tmp_path / "base")
    SEVERAL(copy)
    ran = run("validate", str(copy.directory), "--json")
    assert ran.code == 1
    assert json.loads(ran.out) == validate(copy.directory).to_dict()
    assert ran.err.startswith("metablin: 5 violations, the first: ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("show", "proportion"), "no such table; allowed: proportions"),
        (("show", "survival", "--trial", "towr"), "no such trial; allowed: tower"),
        (("show", "references", "--trial", "tower"), "table references has no trial_id"),
        (("trace", "towr"), "no such trial; allowed: tower"),
    ],
)
def test_bad_data_is_one_line_and_exit_1(arguments: tuple[str, ...], line: str, run: Run) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("metablin: ")
    assert line in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "trials", "--csv", "--json"),
        ("trace", "tower", "--csv", "--json"),
        ("list", "--csv", "--json"),
        ("validate", "no-such-directory"),
        ("show", "trials", "--rows"),
        ("nothing",),
    ],
)
def test_bad_usage_is_exit_2(arguments: tuple[str, ...], run: Run) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
