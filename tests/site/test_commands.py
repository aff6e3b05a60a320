"""``metablin trace`` and ``metablin site`` as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from metablin import DataError
from metablin.cli import app
from metablin.cli.site import find_quarto
from metablin.pipeline.trace import evidence_rows, trace_result
from metablin.report import Column, Outcome, Table, save
from tests.cli.runner import ROOT, CliRunner, assert_one_line_error, metablin

NAMES = ["key", "estimate", "conf_low", "conf_high", "row_ids"]
ROWS = [
    ("os.all", 0.59, 0.42, 0.82, "cont-tower-001 prop-tower-001"),
    ("alone", 0.5, 0.4, 0.6, ""),
]
RATIO = Column("estimate", "Hazard ratio", "ratio", low="conf_low", high="conf_high")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    pooled = Table(pd.DataFrame(ROWS, columns=NAMES), (RATIO,), "Pooled", "How.")
    save({"name": "randomised", "order": 1}, Outcome({"pooled": pooled}), tmp_path)
    return tmp_path


def test_a_result_leads_to_its_rows_and_their_sources(results: Path) -> None:
    found = trace_result("randomised/pooled/os.all/estimate", results)
    assert found.value == 0.59
    assert found.evidence["row_id"].tolist() == ["cont-tower-001", "prop-tower-001"]
    assert found.evidence["trial_id"].tolist() == ["tower", "tower"]
    assert (found.evidence["citation"] != "").all()
    assert "NEJMoa1609783" in found.summary()
    assert "Hazard ratio (95% interval): 0.59 (0.42 to 0.82)" in found.summary()
    assert json.loads(json.dumps(found.to_dict()))["evidence"][0]["row_id"] == "cont-tower-001"


def test_a_result_without_evidence_rows_says_so(results: Path) -> None:
    found = trace_result("randomised/pooled/alone", results)
    assert found.evidence.empty
    assert "0 evidence rows" in found.summary()


@pytest.mark.parametrize("key", ["randomised", "randomised/pooled", "a/b/c/d/e", "a//c"])
def test_a_malformed_key_names_the_form(results: Path, key: str) -> None:
    with pytest.raises(DataError, match=r"analysis/table/key\[/column\]"):
        trace_result(key, results)


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(DataError, match="prop-nowhere-001"):
        evidence_rows(["prop-nowhere-001"])


def test_every_row_of_every_table_is_listed_once() -> None:
    rows = evidence_rows()
    assert len(rows) > 1500
    assert not rows.duplicated(["table", "row_id"]).any()


def test_the_command_prints_text_json_and_csv(results: Path) -> None:
    key = "randomised/pooled/os.all"
    text = metablin("trace", key, "--out", results)
    assert text.returncode == 0, text.stderr
    assert "2 evidence rows" in text.stdout
    data = json.loads(metablin("trace", key, "--out", results, "--json").stdout)
    assert data["row"]["estimate"] == 0.59
    table = metablin("trace", key, "--out", results, "--csv").stdout
    assert table.splitlines()[1].startswith("contrasts,cont-tower-001,tower")


def test_the_command_names_a_wrong_key_in_one_line(results: Path) -> None:
    wrong = metablin("trace", "randomised/pooled/os.al", "--out", results)
    assert_one_line_error(wrong, "os.al", "os.all")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which no program is found."""
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    return monkeypatch


def test_a_machine_without_quarto_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    assert find_quarto() is None


def test_a_named_quarto_that_is_not_there_is_named(bare: pytest.MonkeyPatch) -> None:
    """Asked of the installed program."""
    bare.setenv("QUARTO_PATH", "/no/quarto")
    program = str(Path(sys.executable).with_name("metablin"))
    done = subprocess.run(
        [sys.executable, program, "site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert_one_line_error(done, "QUARTO_PATH", "/no/quarto")


@pytest.mark.parametrize(("version", "line"), [("1.5.57", "1.6 or newer"), ("", "none")])
def test_an_old_quarto_is_refused(
    bare: pytest.MonkeyPatch, tmp_path: Path, version: str, line: str
) -> None:
    program = tmp_path / "quarto"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    bare.setenv("QUARTO_PATH", str(program))
    assert_one_line_error(metablin("site"), line)


def test_quarto_is_found_by_name_by_folder_and_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "quarto"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv("QUARTO_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_quarto() == program
    monkeypatch.setenv("PATH", "/nowhere")
    for named in (program, tmp_path):
        monkeypatch.setenv("QUARTO_PATH", str(named))
        assert find_quarto() == program


def test_a_missing_quarto_ends_with_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("metablin.cli.site.find_quarto", lambda: None)
    result = CliRunner().invoke(app, ["site"])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "pip install quarto-cli" in result.stderr


QUARTO = """#!/bin/sh
if [ "$1" = --version ]; then echo 1.6.40; exit 0; fi
echo "$1 $2 $METABLIN_SITE_BUILT $QUARTO_PYTHON" > "$(dirname "$0")/called"
exit {code}
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout and a program that stands in for Quarto."""
    for name in ("analyses", "site/_scripts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site" / "_quarto.yml").write_text("project: {type: website}\n")
    build = "from pathlib import Path\nPath(__file__).with_name('built').touch()\n"
    (tmp_path / "site" / "_scripts" / "build.py").write_text(build)
    program = tmp_path / "quarto"
    program.write_text(QUARTO.format(code=0))
    program.chmod(0o755)
    monkeypatch.setenv("QUARTO_PATH", str(program))
    monkeypatch.setattr("metablin.pipeline.runner.reproduce", lambda **_: [])
    monkeypatch.setattr("metablin.pipeline.publish.publish", lambda out: out)
    return tmp_path


@pytest.mark.parametrize(("options", "verb"), [([], "render"), (["--serve"], "preview")])
def test_the_site_is_built_and_handed_to_quarto(
    checkout: Path, options: list[str], verb: str
) -> None:
    place = ["--analyses", str(checkout / "analyses")]
    result = CliRunner().invoke(app, ["site", *place, *options])
    assert result.exit_code == 0, result.stderr
    assert (checkout / "site" / "_scripts" / "built").is_file()
    called = (checkout / "called").read_text().split()
    assert called == [verb, str(checkout / "site"), "1", sys.executable]


def test_a_render_that_fails_is_reported(checkout: Path) -> None:
    (checkout / "quarto").write_text(QUARTO.format(code=3))
    result = CliRunner().invoke(app, ["site", "--analyses", str(checkout / "analyses")])
    assert isinstance(result.exception, DataError)
    assert "quarto stopped with exit code 3" in str(result.exception)


@pytest.mark.parametrize(
    "words",
    [
        "WARN: The following string was found in the document: :::",
        "WARNING: Unable to resolve crossref @fig-nowhere",
        "[WARNING] Citeproc: citation nobody1999 not found",
        "WARN: Invalid URI '45% of 100' in attribute 'alt'",
    ],
)
def test_a_render_that_warns_of_a_fault_fails(checkout: Path, words: str) -> None:
    program = checkout / "quarto"
    text = program.read_text().replace("exit 0\n", f'echo "{words}" >&2\nexit 0\n')
    program.write_text(text)
    result = CliRunner().invoke(app, ["site", "--analyses", str(checkout / "analyses")])
    assert isinstance(result.exception, DataError)
    assert words.split(": ", 1)[-1][:20] in str(result.exception)


def test_a_checkout_without_a_site_is_named(checkout: Path) -> None:
    (checkout / "site" / "_quarto.yml").unlink()
    result = CliRunner().invoke(app, ["site", "--analyses", str(checkout / "analyses")])
    assert isinstance(result.exception, DataError)
    assert "site/_quarto.yml" in str(result.exception)
