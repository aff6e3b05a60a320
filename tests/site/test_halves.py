"""The site rendered by two processes: nothing is rendered twice, nothing is lost."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from metablin import DataError
from metablin.cli import app
from tests.cli.runner import ROOT, CliRunner

# Stands in for Quarto: writes a page for each document of its half, the search and the site map.
QUARTO = """#!/usr/bin/env python3
import json, os, sys
from pathlib import Path
if sys.argv[1] == "--version":
    sys.exit(print("1.9.38"))
asked = Path(sys.argv[2])
site = asked if (asked / "_quarto.yml").is_file() else asked.parent
rest = os.environ.get("QUARTO_PROFILE") == "rest"
found = [p for p in site.rglob("*.qmd") if str(p).startswith(str(asked))]
found = [p for p in found if not (rest and p.parent.name == "trials")]
pages = [str(p.relative_to(site).with_suffix(".html")) for p in sorted(found)]
for page in pages:
    (site / "_site" / page).parent.mkdir(parents=True, exist_ok=True)
    (site / "_site" / page).write_text(f"{page} of {'rest' if rest else 'trials'}")
entries = [{"objectID": p, "href": p, "title": p, "section": "", "text": ""} for p in pages]
(site / "_site" / "search.json").write_text(json.dumps(entries))
urls = "".join(f"\\n  <url>\\n    <loc>https://a.org/{p}</loc>\\n  </url>" for p in pages)
(site / "_site" / "sitemap.xml").write_text(f"<urlset>{urls}\\n</urlset>\\n")
sys.exit(FAIL if not rest else 0)
"""
DOCUMENT = re.compile(r"\btrials/\w+\.qmd")
PAGES = ("index", "trials", "reference/meta", "trials/tower", "trials/blast")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small site with the scripts of ours, and a program that stands in for Quarto."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "site" / "_scripts", site / "_scripts")
    (site / "_scripts" / "build.py").write_text("")
    (tmp_path / "analyses").mkdir()
    (site / "_quarto.yml").write_text("project: {type: website}\n")
    for page in PAGES:
        (site / page).parent.mkdir(exist_ok=True)
        text = f"---\ntitle: {page}\n---\n\n```{{python}}\nstop\n```\n"
        (site / f"{page}.qmd").write_text(text)
    (site / "results").mkdir()
    (site / "results" / "large.csv").write_text("a\n1\n")
    stale = site / "_site" / "trials" / "gone.html"
    stale.parent.mkdir(parents=True)
    stale.write_text("of a trial that is no more")
    program = tmp_path / "quarto"
    program.write_text(QUARTO.replace("FAIL", "0"))
    program.chmod(0o755)
    monkeypatch.setenv("QUARTO_PATH", str(program))
    monkeypatch.setattr("metablin.pipeline.runner.reproduce", lambda **_: [])
    monkeypatch.setattr("metablin.pipeline.publish.publish", lambda out: out)
    return tmp_path


def render(checkout: Path, jobs: int) -> dict[str, str]:
    place = ["--analyses", str(checkout / "analyses"), "--jobs", str(jobs)]
    result = CliRunner().invoke(app, ["site", *place])
    if result.exception is not None:
        raise result.exception
    site = checkout / "site" / "_site"
    return {str(p.relative_to(site)): p.read_text() for p in site.rglob("*") if p.is_file()}


def test_two_processes_make_every_page_once_and_one_search(checkout: Path) -> None:
    found = render(checkout, 2)
    pages = {name: text for name, text in found.items() if name.endswith(".html")}
    by = {p: "trials" if p.startswith("trials/") else "rest" for p in PAGES}
    assert pages == {f"{p}.html": f"{p}.html of {by[p]}" for p in PAGES}
    entries = json.loads(found["search.json"])
    listed = [e["objectID"] for e in entries if "?" not in e["objectID"]]
    assert sorted(listed) == sorted(f"{p}.html" for p in PAGES)
    assert listed[-1] == "reference/meta.html"
    addresses = re.findall(r"<loc>https://a.org/(.*)</loc>", found["sitemap.xml"])
    assert sorted(addresses) == sorted(f"{p}.html" for p in PAGES)
    assert found["sitemap.xml"].endswith("  </url>\n</urlset>\n")


def test_the_other_half_neither_runs_code_nor_carries_results(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = checkout / "kept"
    program = checkout / "quarto"
    copy = f"import shutil; rest or shutil.copytree(site, {str(kept)!r})\nsys.exit(0)"
    program.write_text(QUARTO.replace("sys.exit(FAIL if not rest else 0)", copy))
    render(checkout, 2)
    assert not (kept / "results").exists()
    assert (kept / "trials.qmd").read_text() == "---\ntitle: trials\n---"


def test_a_half_that_fails_is_reported(checkout: Path) -> None:
    program = checkout / "quarto"
    program.write_text(QUARTO.replace("FAIL", "3"))
    with pytest.raises(DataError, match="quarto stopped with exit code 3"):
        render(checkout, 2)


def test_the_profile_leaves_out_the_other_half_and_nothing_else() -> None:
    settings = yaml.safe_load((ROOT / "site" / "_quarto-rest.yml").read_text(encoding="utf-8"))
    assert settings == {"project": {"render": ["!trials/*.qmd"]}}


def test_no_page_needs_the_document_of_a_trial(site: Path) -> None:
    """A link to a document is followed only where the same process renders it."""
    documents = [p for p in site.rglob("*.qmd") if p.parent.name != "trials"]
    outputs = list((site / "_freeze").rglob("html.json"))
    assert documents
    assert outputs
    wanting = [p for p in [*documents, *outputs] if DOCUMENT.search(p.read_text("utf-8"))]
    assert wanting == []
