"""Every document runs as Quarto would run it, and what comes out keeps the rules."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metablin.report.store import Saved
from tests.site import checker
from tests.site.conftest import ROOT
from tests.site.documents import SCRIPTS, frozen, parse

WRITTEN = sorted(
    str(p.relative_to(ROOT / "site"))
    for p in [*(ROOT / "site").glob("*.qmd"), *(ROOT / "site" / "statisticians").glob("*.qmd")]
    if p.name != "commands.qmd"
)


def test_the_pages_people_look_for_are_there() -> None:
    wanted = {"index", "response", "survival", "mrd", "safety", "trials", "methods"}
    assert wanted | {"reproducibility"} <= {Path(name).stem for name in WRITTEN}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_runs_and_keeps_the_rules(site: Path, name: str) -> None:
    """What the build executed is what Quarto takes, and pandoc gets to see."""
    document = parse(site / name)
    # a document without cells is not executed
    text = frozen(site / name, site) if document.cells else (site / name).read_text("utf-8")
    assert text.startswith(document.head)
    assert "{python}" not in text
    assert checker.check_assembled(document, text.removeprefix(document.head), site) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_is_written_by_the_rules(site: Path, name: str) -> None:
    assert checker.check_source(parse(site / name), checker.bibliography(site)) == []


TOPICS = ("response", "survival", "mrd", "safety")
GLANCE = 7
"""Lines of a summary that is read at a glance."""


@pytest.mark.parametrize("name", TOPICS)
def test_a_summary_of_findings_is_read_at_a_glance(site: Path, name: str) -> None:
    page = frozen(site / f"{name}.qmd", site)
    summary = page.split("{#tbl-findings}")[1].split("\n:::")[0]
    seen = summary.split("<details>")[0]
    assert 1 <= seen.count('<th scope="row">') <= GLANCE
    assert seen.count('class="grade') == seen.count('<th scope="row">')


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_ends_with_other_reviews_and_how_it_was_made(site: Path, name: str) -> None:
    page = frozen(site / f"{name}.qmd", site)
    assert "{#tbl-agreement-pairs}" in page
    made = page.split("## How this page was made")[1]
    assert made.split("\n## ")[0].count("\n- **") == 5


ILLUSTRATED = {
    "index": ["response/pooled/adult_rr_ph_negative"],
    "pool": [
        "randomised/pooled/os.first_relapse",
        "randomised/sensitivity/os.first_relapse_dersimonian_laird",
        "randomised/sensitivity/os.first_relapse_hartung_knapp",
        "response/pooled/adult_rr_ph_negative",
        "response/pooled/adult_rr_ph_negative.rct",
        "response/pooled/paediatric_rr",
    ],
}


@pytest.mark.parametrize("name", ILLUSTRATED)
def test_a_guide_shows_the_number_it_illustrates(site: Path, name: str) -> None:
    """A guide pools the evidence as the analyses do: no trial of another drug, no other cohort."""
    printed = frozen(site / "statisticians" / f"{name}.qmd", site)
    results = Saved(site / "results")
    for path in ILLUSTRATED[name]:
        row = results.row(path)
        wanted = [row[c] for c in ("estimate", "conf_low", "conf_high")]
        assert shown(wanted, printed), (path, wanted, printed)


def shown(numbers: list[float], text: str) -> bool:
    """Tell whether three numbers stand behind each other in a text, as it rounds them."""
    found = re.findall(r"-?\d+\.(\d+)", text.replace("95%", ""))
    values = re.findall(r"-?\d+\.\d+", text.replace("95%", ""))
    pairs = [(float(v), 0.5001 * 10.0 ** -len(d)) for v, d in zip(values, found, strict=True)]
    return any(
        all(abs(v - scale * n) <= half for (v, half), n in zip(pairs[i:], numbers, strict=False))
        for scale in (1, 100)
        for i in range(len(pairs) - len(numbers) + 1)
    )


def test_numbers_are_found_as_a_text_rounds_them() -> None:
    text = "Pooled: 0.5403 [95% CI 0.2825 to 0.9856]; rate 49.1% (36.7 to 66.7)"
    assert shown([0.54029, 0.28247, 0.98561], text)
    assert shown([0.490757, 0.366785, 0.667082], text)
    assert not shown([0.708, 0.28247, 0.98561], text)


RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import documents
from pathlib import Path
for name in sys.argv[2:]:
    try:
        document = documents.execute(documents.parse(Path(name)))
        print(json.dumps([document.assembled(), [c.output for c in document.cells]]))
    except RuntimeError as error:
        print(json.dumps([str(error), []]))
"""
PAGE = """---
title: x
---

```{python}
from _told import told
told.append("seen")
word = f"{len(told)} time, 2*3"
```

Said `{python} word`.

```{python}
#| output: asis
from IPython.display import Markdown, display
display(Markdown("**a**"))
display(Markdown("::: b"))
```

```{python}
#| echo: true
print(word)
len(word)
```
"""
BROKEN = {
    "raises": ("1 / 0", "line 5: division by zero"),
    "warns": ("import warnings; warnings.warn('odd')", "line 5: odd"),
    "complains": ("import sys; print('no', file=sys.stderr)", "line 5: no"),
    "silent": ("#| output: asis\nx = 1", "line 5: shows nothing"),
    "nothing": ("x = None\n```\n\n`{python} x`\n\n```{python}\ny = 1", "x: no value"),
}


def test_documents_run_in_one_process_each_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "_told.py").write_text("told = []\n")
    pages = {"one": PAGE, "two": PAGE} | {
        name: f"---\ntitle: x\n---\n\n```{{python}}\n{code}\n```\n"
        for name, (code, _) in BROKEN.items()
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.qmd").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(SCRIPTS), *(str(tmp_path / f"{n}.qmd") for n in pages)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(zip(pages, map(json.loads, done.stdout.splitlines()), strict=True))
    for name in ("one", "two"):
        text, outputs = told[name]
        assert "Said 1 time, 2\\*3." in text
        assert outputs[1] == "**a**\n::: b\n", "as Quarto ends outputs, with one newline"
        assert "``` {.python .cell-code}\nprint(word)\nlen(word)\n```" in text
        assert "::: {.cell-output .cell-output-stdout}\n```\n1 time, 2*3\n```\n:::" in text
        assert "::: {.cell-output .cell-output-display}\n```\n11\n```\n:::" in text
        assert "told.append" not in text
    for name, (_, words) in BROKEN.items():
        assert f"{name}.qmd, {words}" in told[name][0]


def test_the_configuration_names_files_that_exist(site: Path) -> None:
    assert checker.configuration(site) == []


READABLE = 4.5
"""Contrast that WCAG 2.2 asks of text (success criterion 1.4.3)."""


@pytest.mark.parametrize("sheets", [("theme.scss",), ("dark.scss", "theme.scss")])
def test_text_can_be_read_in_both_themes(sheets: tuple[str, ...]) -> None:
    found = checker.colours(*(ROOT / "site" / name for name in sheets))
    for text in ("body-color", "link-color", "secondary"):
        for ground in ("body-bg", "code-bg"):
            assert checker.contrast(found[text], found[ground]) >= READABLE, (text, ground)
    assert checker.contrast(found["navbar-fg"], found["navbar-bg"]) >= READABLE
    assert checker.contrast(found["navbar-hl"], found["navbar-bg"]) >= READABLE


def test_contrast_of_black_and_white_and_of_a_known_grey() -> None:
    assert checker.contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert checker.contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
