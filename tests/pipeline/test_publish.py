"""Ledger and report: made again when what they are made of, or they themselves, changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from metablin.pipeline import runner
from metablin.pipeline.publish import publish
from tests.pipeline.folders import one_analysis

MODULE = """
import pandas as pd
from metablin.pipeline import analysis


@analysis(reads=("trials",))
def run(evidence, words):
    frame = pd.DataFrame({"key": ["all"], "estimate": [3.0], "row_ids": ["tower"]})
    return words.outcome({"count": frame})
"""
WORDS = """
title = "Trials"
question = "How many trials?"

[[headlines]]
label = "Trials"
table = "count"
key = "all"

[tables.count]
title = "Trials"
columns = [{ name = "estimate", heading = "Trials", unit = "count" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return one_analysis(tmp_path, MODULE, WORDS)


def made(folder: Path, out: Path, date: str | None = None) -> dict[str, bytes]:
    """Return ledger, report and manifest after a run."""
    runner.reproduce(folder=folder, out=out, as_of=date)
    publish(out)
    return {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}


def written(out: Path) -> list[tuple[int, int]]:
    """Return what tells a file from one written again with the same bytes."""
    found = [(out / name).stat() for name in ("claims.csv", "report.html")]
    return [(s.st_ino, s.st_mtime_ns) for s in found]


def test_what_is_damaged_gone_or_edited_is_made_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    first = made(folder, out)
    report, claims, table = out / "report.html", out / "claims.csv", out / "counted" / "count.csv"
    report.unlink()
    assert made(folder, out) == first
    claims.write_bytes(first["claims.csv"][:-100])
    assert made(folder, out) == first
    report.write_bytes(first["report.html"].replace(b"Trials", b"trials"))
    assert made(folder, out) == first
    table.write_text(table.read_text().replace("3", "47"))
    publish(out)  # of what is there, whatever the manifest says of it
    assert b">47<" in report.read_bytes()
    assert made(folder, out) == first


def test_nothing_is_written_again_while_nothing_changed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    first = made(folder, out, "2025-12-31")
    # results of a date are not checked against all evidence
    assert b"these results are of 2025-12-31" in first["claims.csv"]
    before = written(out)
    assert made(folder, out, "2025-12-31") == first
    assert written(out) == before
