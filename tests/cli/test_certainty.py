"""``metablin certainty`` on a user's own tables."""

import json
from pathlib import Path

import pytest

from tests.cli.runner import assert_one_line_error, metablin

STUDIES = """study,estimate,conf_low,conf_high,risk_of_bias,population
A,0.70,0.50,0.98,high,adults
B,0.50,0.30,0.83,low,adults
C,0.90,0.60,1.35,low,children
"""

ANSWERS = """study,domain,question,answer,reason
A,randomisation,1.1,Y,central
A,randomisation,1.2,Y,by telephone
A,randomisation,1.3,N,alike
B,randomisation,1.2,N,open list
"""

RATE = ("--measure", "hr", "--start", "randomised", "--outcome", "death")


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    path = tmp_path / "studies.csv"
    path.write_text(STUDIES, encoding="utf-8")
    return path


def test_three_studies_get_a_level_with_every_domain_and_what_would_change_it(
    studies: Path,
) -> None:
    result = metablin(
        "certainty", studies, *RATE, "--threshold", 0.05, "--baseline", 0.5, "--at", 24,
        "--population", "adults", "--intervention", "drug X",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("death in adults: ⊕⊕◯◯ low (suggested by rule")
    assert "Drug X may reduce death." in result.stdout
    assert "33% of the weight from a population other than adults" in result.stdout
    assert "would be high with" in result.stdout


def test_the_json_is_the_rating(studies: Path) -> None:
    result = metablin("certainty", studies, *RATE, "--json")
    rated = json.loads(result.stdout)
    assert rated["word"] == "very low"
    assert [d["domain"] for d in rated["domains"]] == [
        "risk of bias", "inconsistency", "indirectness", "imprecision", "publication bias",
    ]  # fmt: skip
    assert rated["fit"]["k"] == 3


def test_answers_become_judgements_and_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(ANSWERS, encoding="utf-8")
    result = metablin("certainty", path, "--plot", tmp_path / "lights.png", "--json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["judgements"]
    found = {r["study"]: r["judgement"] for r in rows if r["domain"] == "randomisation"}
    assert found == {"A": "low", "B": "high"}
    assert (tmp_path / "lights.png").stat().st_size > 5000


def test_answers_of_a_second_file_judge_the_studies_and_mark_the_plot(
    studies: Path, tmp_path: Path
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(ANSWERS + "C,randomisation,1.2,N,open list\n", encoding="utf-8")
    picture = tmp_path / "forest.png"
    result = metablin("certainty", studies, *RATE, "--answers", path, "--plot", picture)
    assert result.returncode == 0, result.stderr
    assert "RB2 most weight at high risk" in result.stdout
    assert picture.stat().st_size > 5000


MISTAKES = {
    "an override without reason": (
        "domain,levels,reason\nimprecision,-1,\n", "row 1", "column 'reason'",
        "an override needs a reason",
    ),
    "an override of nothing": (
        "domain,levels,reason\nsize,-1,seen\n", "row 1", "column 'domain'", "value size",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_in_overrides_are_one_line(mistake: str, studies: Path, tmp_path: Path) -> None:
    text, *words = MISTAKES[mistake]
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    assert_one_line_error(metablin("certainty", studies, *RATE, "--overrides", path), *words)


def test_a_threshold_outside_its_scale_is_one_line(studies: Path) -> None:
    result = metablin("certainty", studies, *RATE, "--threshold", 7, "--baseline", 0.4, "--at", 24)
    assert_one_line_error(result, "column 'threshold', value 7", "outside its scale")


def test_an_unknown_answer_is_one_line_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(ANSWERS.replace("B,randomisation,1.2,N", "B,randomisation,1.2,no idea"))
    assert_one_line_error(metablin("certainty", path), "row 4 (B)", "column 'answer'", "no idea")


def test_studies_without_a_measure_are_bad_usage(studies: Path) -> None:
    result = metablin("certainty", studies)
    assert result.returncode == 2
    assert "--measure is needed" in result.stderr
