"""Every document runs as Quarto would run it, and what comes out keeps the rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metablin.report.store import Saved
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
    document = execute(parse(site / "statisticians" / f"{name}.qmd"))
    printed = "".join(cell.output for cell in document.cells)
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
