"""The runner: what is computed, what is cached, what is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from metablin.errors import DataError
from metablin.pipeline import find_analyses, load_analysis, runner, store

MODULE = """
import pandas as pd
from matplotlib.figure import Figure as MplFigure
from metablin.pipeline import Figure, Headline, Outcome, Table, analysis
from ._shared import FACTOR


@analysis(title="{name}", question="How many trials?", reads=("trials",))
def run(evidence):
    n = len(evidence.load("trials")) * FACTOR
    frame = pd.DataFrame({{"key": ["all"], "estimate": [float(n)], "row_ids": ["tower blast"]}})
    picture = MplFigure(figsize=(2, 2))
    picture.add_subplot().plot([0, n], [0, 1])
    return Outcome(
        tables={{"count": Table(frame, "Trials")}},
        figures={{"line": Figure(picture, "Line", "A line.", "A rising line.", "count")}},
        headlines=(Headline("Trials", "count", "all", "count"),),
    )
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    analyses = tmp_path / "analyses"
    analyses.mkdir()
    (analyses / "__init__.py").write_text('"""Analyses."""\n')
    (analyses / "_shared.py").write_text("FACTOR = 1\n")
    for name in ("alpha", "beta"):
        (analyses / f"{name}.py").write_text(MODULE.format(name=name))
    return analyses


def digests(out: Path) -> dict[str, str]:
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and p.name != "manifest.json"]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_second_run_computes_nothing_and_changes_no_byte(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    first = runner.reproduce(folder=folder, out=out)
    before = digests(out)
    second = runner.reproduce(folder=folder, out=out)
    assert [r.cached for r in first] == [False, False]
    assert [r.cached for r in second] == [True, True]
    assert digests(out) == before


def test_two_jobs_write_the_bytes_of_one(folder: Path, tmp_path: Path) -> None:
    runner.reproduce(folder=folder, out=tmp_path / "one", jobs=1)
    runner.reproduce(folder=folder, out=tmp_path / "two", jobs=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) == 6


def test_changed_code_or_damaged_output_runs_that_analysis_again(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    (folder / "beta.py").write_text(MODULE.format(name="beta, better"))
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [True, False]
    (out / "alpha" / "count.csv").write_text("damaged\n")
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [False, True]
    assert store.Results(out).value("alpha/count/all/estimate") > 0


def test_a_changed_helper_runs_every_analysis_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    (folder / "_shared.py").write_text("FACTOR = 1.0\n")
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [False, False]


def test_force_runs_what_is_up_to_date(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(["alpha"], folder=folder, out=out)
    again = runner.reproduce(["alpha"], folder=folder, out=out, force=True)
    assert [(r.name, r.cached) for r in again] == [("alpha", False)]


def test_the_manifest_names_inputs_outputs_and_versions(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    manifest = json.loads((out / "manifest.json").read_text())
    entry = manifest["analyses"]["alpha"]
    assert set(entry["inputs"]) == {"datapackage.json", "trials.csv"}
    assert set(entry["outputs"]) == {"alpha/count.csv", "alpha/line.svg", "alpha/outcome.json"}
    digest = hashlib.sha256((out / "alpha/count.csv").read_bytes()).hexdigest()
    assert entry["outputs"]["alpha/count.csv"] == digest
    assert {"python", "numpy", "metablin"} <= set(manifest["versions"])
    assert entry["seconds"] >= 0


def test_a_failing_analysis_leaves_earlier_results_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    before = digests(out)
    (folder / "beta.py").write_text(
        MODULE.format(name="beta").replace(
            'Table(frame, "Trials")', 'Table(frame[["estimate"]], "")'
        )
    )
    with pytest.raises(DataError, match="first column of a result table is 'key'"):
        runner.reproduce(folder=folder, out=out)
    assert digests(out) == before


def test_an_unknown_name_lists_the_analyses(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'?gamma.*alpha \| beta"):
        runner.reproduce(["gamma"], folder=folder, out=tmp_path / "results")


def test_an_undeclared_table_is_refused(folder: Path) -> None:
    (folder / "alpha.py").write_text(
        MODULE.format(name="a").replace('load("trials")', 'load("safety")')
    )
    with pytest.raises(DataError, match="'safety' is not declared"):
        load_analysis(folder, "alpha").run()


def test_analyses_are_found_upwards(folder: Path) -> None:
    deep = folder.parent / "a" / "b"
    deep.mkdir(parents=True)
    assert find_analyses(deep) == folder


def test_no_analyses_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder 'analyses'"):
        find_analyses(tmp_path)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("alpha/count/all", "not a result key"),
        ("gamma/count/all/estimate", "no result table gamma/count"),
        ("alpha/count/none/estimate", "has no key 'none'"),
        ("alpha/count/all/median", "has no column 'median'"),
    ],
)
def test_a_result_key_that_leads_nowhere_says_where_it_stops(
    folder: Path, tmp_path: Path, key: str, message: str
) -> None:
    out = tmp_path / "results"
    runner.reproduce(["alpha"], folder=folder, out=out)
    with pytest.raises(DataError, match=message):
        store.Results(out).value(key)
