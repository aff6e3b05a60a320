"""What is mended after a render, and what stops it."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.site.conftest import ROOT

SCRIPT = ROOT / "site" / "_scripts" / "finish.py"


@pytest.fixture(scope="module")
def finish() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>::: {#tbl-x}</p>", [":::"]),
        ("<p>see ?@fig-x</p>", ["?@"]),
        ("<p>version {{&lt; var version &gt;}}</p>", ["{{<"]),
        ("<pre><code>::: {.note}</code></pre><script>':::'</script><p>fine</p>", []),
        ("<p>a<code>{{< x >}}</code> after <code>?@</code> code: 1::2</p>", []),
    ],
)
def test_raw_markdown_is_seen_where_a_reader_sees_it(
    finish: SimpleNamespace, html: str, shown: list[str]
) -> None:
    found = finish.shown_markdown(html)
    assert len(found) == len(shown)
    for text, sign in zip(found, shown, strict=True):
        assert sign in text


def test_scripts_of_other_hosts_go_and_own_ones_stay(
    finish: SimpleNamespace, tmp_path: Path
) -> None:
    own = '<script src="assets/curve.js" defer></script>'
    other = '<script src="https://cdn.example.org/require.min.js" integrity="x"></script>'
    define = "<script type=\"application/javascript\">define('jquery', [], f)</script>"
    assert finish.finished(f"{other}\n{define}\n{own}", tmp_path) == own


def test_what_scrolls_is_in_reach_of_the_keyboard(finish: SimpleNamespace, tmp_path: Path) -> None:
    html = '<div class="scroll"></div><pre class="x"></pre><pre tabindex="-1"></pre><div class="x">'
    done = finish.finished(html, tmp_path)
    assert done.count('tabindex="0"') == 2
    assert '<div class="x">' in done
    assert finish.finished(done, tmp_path) == done


def test_a_picture_gets_its_drawing_for_telephones(finish: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "a.narrow.svg").touch()
    (tmp_path / "a.png").touch()
    html = '<img src="a.svg" alt="A"><img src="b.svg"><meta property="og:image" content="a.svg">'
    done = finish.finished(html, tmp_path)
    assert 'srcset="a.narrow.svg"><img src="a.svg" alt="A"></picture>' in done
    assert '<img src="b.svg"><meta property="og:image" content="a.png">' in done
    assert finish.finished(done, tmp_path) == done


def test_answers_come_first_and_the_reference_last(finish: SimpleNamespace) -> None:
    entries = [
        {"objectID": "r", "href": "reference/meta.html", "title": "Meta", "section": "pool"},
        {"objectID": "t", "href": "trials/tower.html#os", "title": "TOWER", "section": "OS"},
        {"objectID": "s2", "href": "survival.html#b", "title": "Survival", "section": "B"},
        {"objectID": "s1", "href": "survival.html#a", "title": "Survival", "section": "A"},
    ]
    once = finish.ordered(entries)
    assert [e["objectID"] for e in once][-4:] == ["s2", "s1", "t", "r"]
    assert once[0]["title"] == "Hazard ratio"
    assert "reference" in once[-1]["title"]
    assert finish.ordered(once) == once


def test_every_question_of_the_search_leads_to_a_page(finish: SimpleNamespace) -> None:
    for entry in finish.ordered([]):
        name = str(entry["href"]).partition("#")[0].replace(".html", ".qmd")
        assert (ROOT / "site" / name).is_file() or name.startswith("trials/")


def test_a_page_that_shows_markdown_stops_the_render(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<p>::: {.x}</p>")
    (tmp_path / "search.json").write_text(json.dumps([]))
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "QUARTO_PROJECT_OUTPUT_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "bad.html: ::: {.x}" in done.stderr
