"""The runner: what is computed, what is cached, what is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from metablin.errors import DataError
from metablin.pipeline import find_analyses, load_analysis, runner
from metablin.report import Saved

MODULE = """
import pandas as pd
from matplotlib.figure import Figure as MplFigure
from metablin.pipeline import Drawn, analysis
from ..{shared} import FACTOR


@analysis(reads=("trials",))
def run(evidence, words):
    n = len(evidence.load("trials")) * FACTOR
    frame = pd.DataFrame({{"key": ["all"], "estimate": [float(n)], "row_ids": ["tower blast"]}})
    picture = MplFigure(figsize=(2, 2))
    picture.add_subplot().plot([0, n], [0, 1])
    return words.outcome({{"count": frame}}, {{"line": Drawn(picture, {{"n": 1}})}}, kind="Trials")
"""
WORDS = """
title = "{title}"
question = "How many trials?"

[[headlines]]
label = "Trials"
table = "count"
key = "all"

[tables.count]
title = "{{kind}}"
columns = [{{ name = "estimate", heading = "Trials", unit = "count" }}]

[figures.line]
title = "Line"
caption = "A line."
alt = "A rising line, {{n}}."
data = "count"
"""


def write(analyses: Path, name: str, code: str = MODULE, **changes: str) -> None:
    said = {"title": name, "shared": f"{name}_shared", **changes}
    (analyses / name).mkdir(exist_ok=True)
    (analyses / name / "__init__.py").write_text(code.format(**said))
    (analyses / name / "words.toml").write_text(WORDS.format(**said))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    analyses = tmp_path / "analyses"
    analyses.mkdir()
    (analyses / "__init__.py").write_text('"""Analyses."""\n')
    (analyses / "factor.py").write_text("FACTOR = 1\n")
    for name in ("alpha", "beta"):
        (analyses / f"{name}_shared.py").write_text("from .factor import FACTOR\n")
        write(analyses, name)
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
    assert len(digests(tmp_path / "one")) == 12  # three files a figure


def test_changed_words_or_damaged_output_run_that_analysis_again(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    write(folder, "beta", title="beta, better")
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [True, False]
    assert Saved(out).words("beta")["title"] == "beta, better"
    (out / "alpha" / "count.csv").write_text("damaged\n")
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [False, True]
    assert Saved(out).value("alpha/count/all/estimate") > 0


@pytest.mark.parametrize(
    ("changed", "cached"),
    [
        ("factor.py", [False, False]),
        ("beta_shared.py", [True, False]),
        ("beta/__init__.py", [True, False]),
        ("beta/data.csv", [True, False]),
        ("nobody_imports_it.py", [True, True]),
    ],
)
def test_only_what_rests_on_a_changed_file_runs_again(
    folder: Path, tmp_path: Path, changed: str, cached: list[bool]
) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    with (folder / changed).open("a") as file:
        file.write("# changed\n")
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == cached


def test_an_analysis_says_what_its_words_say(folder: Path) -> None:
    outcome = load_analysis(folder, "alpha").run()
    assert outcome.tables["count"].title == "Trials"
    assert outcome.figures["line"].alt == "A rising line, 1."


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (MODULE.replace('"count": frame', '"other": frame'), "no words for tables.other"),
        (MODULE.replace(', kind="Trials"', ""), r"no value for \{kind\} of tables.count"),
        (MODULE.replace('{{"n": 1}}', "{{}}"), r"no value for \{n\} of figures.line"),
    ],
)
def test_what_has_no_words_is_refused(folder: Path, code: str, message: str) -> None:
    write(folder, "alpha", code)
    with pytest.raises(DataError, match=message):
        load_analysis(folder, "alpha").run()


@pytest.mark.parametrize(
    ("text", "message"), [("title = ", "cannot be read"), ('title = "A"', "has no question")]
)
def test_words_that_cannot_be_read_are_named(folder: Path, text: str, message: str) -> None:
    (folder / "alpha" / "words.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        load_analysis(folder, "alpha")


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
    assert set(entry["inputs"]) == {"datapackage.json", "trials.csv", "vocabulary.csv"}
    names = ("count.csv", "count.schema.json", "line.narrow.svg", "line.png", "line.svg",
             "outcome.json")  # fmt: skip
    assert set(entry["outputs"]) == {f"alpha/{name}" for name in names}
    digest = hashlib.sha256((out / "alpha/count.csv").read_bytes()).hexdigest()
    assert entry["outputs"]["alpha/count.csv"] == digest
    assert {"python", "numpy", "metablin"} <= set(manifest["versions"])


def test_a_failing_analysis_leaves_earlier_results_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    before = digests(out)
    write(folder, "beta", MODULE.replace('"count": frame', '"count": frame[["estimate"]]'))
    with pytest.raises(DataError, match="first column of a result table is 'key'"):
        runner.reproduce(folder=folder, out=out)
    assert digests(out) == before


def test_an_unknown_name_lists_the_analyses(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'?gamma.*alpha \| beta"):
        runner.reproduce(["gamma"], folder=folder, out=tmp_path / "results")


def test_an_undeclared_table_is_refused(folder: Path) -> None:
    write(folder, "alpha", MODULE.replace('load("trials")', 'load("safety")'))
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
        ("gamma/count/all/estimate", "no such result table"),
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
        Saved(out).value(key)
