"""The generated part of the site: complete, linked, stable, and written without Quarto."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import subprocess
import sys
from html import escape, unescape
from pathlib import Path

import pandas as pd
import pytest
import yaml

import metablin as mb
from metablin.pipeline.trace import trace_result
from tests.site import checker
from tests.site.conftest import ROOT
from tests.site.documents import parse

GENERATED = ("trials", "sources", "reference")
SCRIPT = ROOT / "site" / "_scripts" / "build.py"


def test_every_trial_has_a_page_with_its_rows(site: Path) -> None:
    trials = mb.load("trials", all_rows=True)["trial_id"]
    assert {p.stem for p in (site / "trials").glob("*.qmd")} == set(trials)
    page = (site / "trials" / "tower.qmd").read_text(encoding="utf-8")
    for table in ("proportions", "survival", "contrasts", "safety"):
        rows = mb.load(table, all_rows=True)
        for row in rows.loc[rows["trial_id"] == "tower", "row_id"]:
            assert f'id="{row}"' in page


def test_a_trial_with_curves_shows_them_with_their_values(site: Path) -> None:
    page = (site / "trials" / "tower.qmd").read_text(encoding="utf-8")
    assert 'src=\\"../assets/curve.js\\"' in page
    assert "![](curves/tower.os.svg)" in page
    assert 'data-figure="fig-tower-os"' in page
    values = pd.read_csv(site / "results" / "reconstruction" / "curves.csv", index_col="key")
    row = values.loc["tower.chemotherapy.os.3"]
    cells = (f"{100 * row[c]:.1f}%" for c in ("survival", "low", "high"))
    line = "<td>chemotherapy</td><td>3</td><td>{}</td><td>{} to {}</td>".format(*cells)
    assert f"{line}<td>{row['n_risk']:.0f}</td>" in page


def test_every_curve_that_is_drawn_is_shown(site: Path) -> None:
    every = {p.name for p in (site / "trials" / "curves").glob("*.svg")}
    drawn = {name for name in every if not name.endswith(".narrow.svg")}
    assert every - drawn == {name.replace(".svg", ".narrow.svg") for name in drawn}
    pages = "".join(p.read_text(encoding="utf-8") for p in (site / "trials").glob("*.qmd"))
    assert drawn == set(re.findall(r"!\[\]\(curves/([^)]+)\)", pages))
    values = pd.read_csv(site / "results" / "reconstruction" / "curves.csv")
    trials = {key.split(".")[0] for key in values["arm_key"]}
    assert trials <= {name.split(".")[0] for name in drawn}


@pytest.mark.parametrize(
    "key",
    [
        "randomised/pooled/os.all",
        "response/pooled/paediatric_rr",
        "safety/rates/all.neurologic_event.grade3plus",
    ],
)
def test_the_page_of_sources_says_what_the_command_says(site: Path, key: str) -> None:
    analysis, table, _ = key.split("/")
    page = (site / "sources" / f"{analysis}.qmd").read_text(encoding="utf-8")
    section = page.split(f"{{#{table}}}")[1].split("\n## ")[0]
    rows = trace_result(key, site / "results").evidence
    assert len(rows) > 0
    for row, citation in zip(rows["row_id"], rows["citation"], strict=True):
        assert f">{row}</a>" in section
        assert escape(citation) in section


def test_every_analysis_has_a_page_of_sources(site: Path) -> None:
    names = {p.parent.name for p in (site / "results").glob("*/outcome.json")}
    assert {p.stem for p in (site / "sources").glob("*.qmd")} == names
    page = (site / "sources" / "randomised.qmd").read_text(encoding="utf-8")
    assert "cont-tower-001" in page
    assert "https://doi.org/10.1056/NEJMoa1609783" in page


@pytest.mark.parametrize("folder", GENERATED)
def test_generated_pages_keep_the_rules(site: Path, folder: str) -> None:
    problems = []
    for path in sorted((site / folder).glob("*.qmd")):
        document = parse(path)
        text = "\n".join(part.text for part in document.prose)
        problems += list(checker.front_matter(document))
        problems += checker.check_assembled(document, text, site)
        assert document.cells == [], path
    assert problems == []


def test_the_python_reference_has_every_public_name(site: Path) -> None:
    for path in sorted((site / "reference").glob("*.qmd")):
        module = path.stem
        if module == "index":
            continue
        page = path.read_text(encoding="utf-8")
        assert "### Functions" not in page, f"{module}: a file in place of a function"
        home = importlib.import_module(f"metablin.{module}")
        for name in home.__all__:
            if callable(getattr(home, name)):
                assert f"{{#metablin.{module}.{name}}}" in page, name
    index = (site / "reference" / "index.qmd").read_text(encoding="utf-8")
    assert "`mb.pool`" in index


def test_survival_figures_are_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "plots.qmd").read_text(encoding="utf-8")
    for name in ("km", "pooled_curve", "hazard", "model_curves", "rmst_curve", "schoenfeld"):
        assert f"{{#metablin.plots.{name}}}" in page


def test_pages_of_trials_speak_to_readers(site: Path) -> None:
    """No number of a review, no code of a column, no unit without its letter."""
    for path in sorted([*(site / "trials").glob("*.qmd"), *(site / "sources").glob("*.qmd")]):
        cells = re.findall(r"<t[dh](?: [^>]*)?>(.*?)</t[dh]>", path.read_text("utf-8"), flags=re.S)
        words = [re.sub(r"<a [^>]*>|</a>|<br>|</?small>", " ", cell) for cell in cells]
        for text in words:
            assert not re.search(r"\bseeds? ?0\d\d|\bug/|(?<!\w)nan(?!\w)", text), (path.name, text)
    page = (site / "trials" / "tower.qmd").read_text("utf-8")
    assert "<td>blinatumomab (271); chemotherapy (134)</td>" in page
    assert "µg/day" in page
    assert "Lee 2016 Table 1" in page
    assert ">Blinatumomab: CR or CRh</td>" in page
    assert ">115 of 271 (42.4%)</td>" in page
    assert ">Blinatumomab against chemotherapy: overall survival</td>" in page


def test_no_two_pages_differ_only_by_case(site: Path) -> None:
    names = [str(p.relative_to(site)).lower() for p in site.rglob("*.qmd")]
    assert len(names) == len(set(names))


def test_the_page_of_commands_has_every_command(site: Path) -> None:
    page = (site / "statisticians" / "commands.qmd").read_text(encoding="utf-8")
    titles = set(re.findall(r"^## (.*)$", page, flags=re.M))
    commands = {"pool", "reconstruct", "reconstruct-summary", "survival", "reproduce", "verify"}
    commands |= {"trace", "site", "data list", "data show", "data validate", "data trace"}
    assert {f"metablin {c}" for c in commands} <= titles
    assert "--measure" in page


def test_version_digest_and_date_are_there_for_the_footer(site: Path) -> None:
    words = yaml.safe_load((site / "_variables.yml").read_text(encoding="utf-8"))
    assert words["version"] == mb.__version__
    assert re.fullmatch(r"[0-9a-f]{12}", words["evidence"]["digest"])
    assert re.match(r"\d{4}", str(words["evidence"]["date"]))


def test_building_again_touches_nothing(site: Path) -> None:
    folders = ("trials", "sources", "results/response")
    before = {p: p.stat().st_mtime_ns for folder in folders for p in (site / folder).iterdir()}
    places = ["--site", str(site), "--results", str(site.parent / "results")]
    subprocess.run([sys.executable, str(SCRIPT), *places], check=True)
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_documents_run_again_when_what_they_read_changes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import build\nfolder = Path(sys.argv[1])\n"
        "for result in ('one', 'one', 'two'):\n"
        "    (folder / 'results' / 'table.csv').write_text(result)\n"
        "    build.run_documents(folder)\n"
        "    print((folder / 'ran').read_text())\n"
    )
    (tmp_path / "results").mkdir()
    cell = "with open('ran', 'a') as f:\n    n = f.write('x')"
    page = f"---\ntitle: x\n---\n\n```{{python}}\n{cell}\n```\n"
    (tmp_path / "page.qmd").write_text(page)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["x", "x", "xx"]


def test_without_results_the_build_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ["--site", str(tmp_path), "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *places])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit, match="metablin reproduce"):  # in words: exit code 1
        runpy.run_path(str(SCRIPT), run_name="__main__")


MISSING = ("everything('nowhere')", "figure('nowhere/x')")
WRONG = ("figure('response/nothing')", "table('response/nothing')", "number.estimate('a/b/c')")
FIGURE, DRAWN = "figure('randomised/os')", "figure('landscape/{}')"
CELLS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from documents import Cell, Document, execute
from pathlib import Path
for call in json.load(sys.stdin):
    cell = Cell(1, f"import _page\\n_page.{call}", {"output": "asis"})
    try:
        page = execute(Document(Path(sys.argv[2]) / "page.qmd", {}, parts=[cell]))
        print(json.dumps([page.assembled(), ""]))
    except RuntimeError as error:
        print(json.dumps(["", repr(error.__cause__)]))
"""


@pytest.fixture(scope="module")
def landscape(site: Path) -> tuple[str, dict[str, str]]:
    """A figure of an analysis that takes no time, by name, and what is said about it."""
    words = json.loads((site / "results/landscape/outcome.json").read_text("utf-8"))
    name, about = next(iter(words["figures"].items()))
    return name, about


@pytest.fixture(scope="module")
def told(site: Path, landscape: tuple[str, dict[str, str]]) -> dict[str, tuple[str, str]]:
    """What a page of one call shows, or the error that stops it, run as the build runs pages."""
    calls = [*MISSING, *WRONG, FIGURE, DRAWN.format(landscape[0])]
    done = subprocess.run(
        [sys.executable, "-c", CELLS, str(SCRIPT.parent), str(site)],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(calls, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("call", MISSING)
def test_an_analysis_that_was_not_run_is_said_to_be_missing(
    told: dict[str, tuple[str, str]], call: str
) -> None:
    text, error = told[call]
    assert error == ""
    assert "Not there yet" in text
    assert "nothing is claimed" in text


@pytest.mark.parametrize("call", WRONG)
def test_a_result_that_does_not_exist_stops_the_page(
    told: dict[str, tuple[str, str]], call: str
) -> None:
    assert told[call][1].startswith("DataError(")


def test_a_figure_comes_with_caption_description_data_and_source(
    site: Path, told: dict[str, tuple[str, str]]
) -> None:
    text, _ = told[FIGURE]
    words = json.loads((site / "results/randomised/outcome.json").read_text("utf-8"))
    assert words["figures"]["os"]["alt"] in text
    assert "{#fig-randomised-os}" in text
    assert "(results/randomised/pooled.csv)" in text
    assert "(sources/randomised.qmd#pooled)" in text


def test_a_figure_says_how_it_is_drawn_again(
    site: Path, landscape: tuple[str, dict[str, str]], told: dict[str, tuple[str, str]]
) -> None:
    name, about = landscape
    text, _ = told[DRAWN.format(name)]
    code = unescape(re.findall(r"<code>(.*?)</code>", text)[0])
    check = f"print(len(found.tables[{about['data']!r}].frame), len(found.figures[{name!r}].alt))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = pd.read_csv(site / "results" / "landscape" / f"{about['data']}.csv")
    assert done.stdout.split() == [str(len(rows)), str(len(about["alt"]))]
