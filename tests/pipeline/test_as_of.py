"""Results of what was public on a date: counted, labelled, kept apart, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metablin.datasets import load
from metablin.errors import DataError
from metablin.pipeline import runner
from metablin.report import Saved
from tests.pipeline.folders import one_analysis

DATES = ("2014-12-31", "2017-06-30", "2021-12-31", "2025-12-31")
COUNT = """
import pandas as pd
from metablin.pipeline import analysis


@analysis(reads=("contrasts",))
def run(evidence, words):
    rows = evidence.load("contrasts")
    known = rows.loc[rows["trial_id"] == "e1910"]
    first = known["estimate"].iloc[0]
    frame = pd.DataFrame({"key": ["all"], "estimate": [float(len(rows))], "first": [first],
                          "row_ids": [" ".join(rows["row_id"])]})
    later = frame.loc[frame["estimate"] > 40]
    return words.outcome({"count": frame, "later": later})
"""
WORDS = """
title = "Comparisons"
question = "How many?"

[[headlines]]
label = "Comparisons, once there are many"
table = "later"
key = "all"

[tables.count]
title = "Comparisons"
columns = [{ name = "estimate", heading = "Rows", unit = "count" }]

[tables.later]
title = "Many comparisons"
columns = [{ name = "estimate", heading = "Rows", unit = "count" }]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return one_analysis(tmp_path, COUNT, WORDS)


def at(folder: Path, out: Path, date: str | None) -> Saved:
    runner.reproduce(folder=folder, out=out, as_of=date)
    return Saved(out)


def test_four_dates_hold_what_was_public_and_say_so(folder: Path, tmp_path: Path) -> None:
    references = load("references").set_index("source_key")["public_date"]
    for date in DATES:
        out = tmp_path / date
        saved = at(folder, out, date)
        words = saved.words("counted")
        assert words["notes"][0].startswith(f"From what was public by {date}.")
        assert json.loads((out / "manifest.json").read_text())["as_of"] == date
        if date < "2022":  # nothing of this trial was public
            assert words["tables"] == {}
            assert words["notes"][1].startswith("Not answered: too little was public (rows: ")
            continue
        ids = set(str(saved.row("counted/count/all")["row_ids"]).split())
        rows = load("contrasts", all_rows=True).set_index("row_id").loc[sorted(ids)]
        assert (references[rows["source_key"]] <= date).all()
        assert (references[rows["source_key"]] != "").all()


def test_a_headline_without_a_row_is_left_out_and_its_table_named(
    folder: Path, tmp_path: Path
) -> None:
    code = COUNT.replace('"e1910"', '"tower"')
    (folder / "counted" / "__init__.py").write_text(code)
    words = at(folder, tmp_path / "early", "2017-06-30").words("counted")
    assert words["headlines"] == []
    assert "Nothing yet for: Many comparisons." in words["notes"][0]
    assert len(at(folder, tmp_path / "now", None).words("counted")["headlines"]) == 1


def test_one_folder_is_of_one_date(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    at(folder, out, "2025-12-31")
    for other in (None, "2024"):
        with pytest.raises(DataError, match="holds results of 2025-12-31"):
            runner.reproduce(folder=folder, out=out, as_of=other)
    assert runner.reproduce(folder=folder, out=out, as_of="2025-12-31")[0].cached


def test_what_is_no_date_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'as_of', value 'June 2017': not a date"):
        runner.reproduce(folder=folder, out=tmp_path / "results", as_of="June 2017")
