"""Every document runs as Quarto would run it, and what comes out keeps the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site import checker
from tests.site.conftest import ROOT
from tests.site.documents import execute, parse

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
    document = execute(parse(site / name))
    text = document.assembled()
    assert checker.check_assembled(document, text, site) == []
    for cell in document.cells:
        if cell.options.get("output") == "asis":
            assert cell.output.strip(), f"{name}:{cell.line} shows nothing"
        if cell.options.get("fig-alt"):
            assert cell.pictures == 1, f"{name}:{cell.line} draws nothing"
    for expression, value in document.values.items():
        assert value not in ("", "None", "nan", "–"), expression


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_is_written_by_the_rules(site: Path, name: str) -> None:
    assert checker.check_source(parse(site / name), checker.bibliography(site)) == []


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
