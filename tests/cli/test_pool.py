"""``metablin pool``: agreement with metafor on the evidence, and one clear line on bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from tests.cli.runner import ROOT, assert_one_line_error, metablin
from tests.reference import pinned

# Closed forms and converged optimisers against metafor with its tolerances at 1e-14.
RELATIVE = 1e-8
ABSOLUTE = 1e-10

FILES = {"proportion": "prior.csv", "hr": "hazard_ratios.csv"}
REFERENCE = pinned("evidence")["grid"]
TESTS = {"z": "z", "hksj": "knha"}


def pooled(measure: str, *options: str) -> dict[str, Any]:
    result = metablin(
        "pool", f"examples/{FILES[measure]}", "--measure", measure, "--json", *options
    )
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("measure", ["proportion", "hr"])
@pytest.mark.parametrize("tau2", ["REML", "DL"])
@pytest.mark.parametrize("ci", ["z", "hksj"])
def test_random_effects_on_the_evidence_agree_with_metafor(
    measure: str, tau2: str, ci: str
) -> None:
    answer = pooled(measure, "--tau2", tau2, "--ci", ci)
    expected = REFERENCE[measure][tau2][TESTS[ci]]
    inner = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
    for name, value in expected.items():
        computed = answer["analysis"][name] if name in inner else answer[name]
        assert computed == pytest.approx(value, rel=RELATIVE, abs=ABSOLUTE), name


@pytest.mark.parametrize("measure", ["proportion", "hr"])
def test_common_effect_on_the_evidence_agrees_with_metafor(measure: str) -> None:
    answer = pooled(measure, "--model", "common", "--ci", "z")
    expected = REFERENCE[measure]["EE"]["z"]
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert answer["analysis"][name] == pytest.approx(expected[name], rel=RELATIVE)
    for name in ("q", "q_p", "p_value"):
        assert answer[name] == pytest.approx(expected[name], rel=RELATIVE, abs=ABSOLUTE)


def test_the_json_has_the_keys_of_the_contract() -> None:
    answer = pooled("proportion", "--by", "population")
    assert {
        *("measure", "model", "transform", "tau2_method", "ci_method", "k", "estimate"),
        *("conf_low", "conf_high", "pred_low", "pred_high", "analysis", "statistic", "p_value"),
        *("tau2", "tau2_conf_low", "tau2_conf_high", "i2", "h2", "q", "q_df", "q_p", "studies"),
        *("subgroups", "subgroup_test"),
    } <= set(answer)
    assert set(answer["studies"][0]) >= {
        *("study", "yi", "vi", "weight", "estimate", "conf_low", "conf_high")
    }
    assert len(answer["subgroups"]) == 3
    assert sum(s["weight"] for s in answer["studies"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("prior.csv", "proportions", {"events": "events", "n": "n"}),
        (
            "hazard_ratios.csv",
            "contrasts",
            {"estimate": "estimate", "conf_low": "ci_low", "conf_high": "ci_high"},
        ),
    ],
)
def test_examples_repeat_rows_of_the_evidence(
    name: str, table: str, columns: dict[str, str]
) -> None:
    example = pd.read_csv(ROOT / "examples" / name)
    rows = mb.load(table, all_rows=True).set_index("row_id").loc[example["row_id"]]
    for here, there in columns.items():
        assert example[here].tolist() == rows[there].tolist()


def test_people_get_text_and_a_plot(tmp_path: Path) -> None:
    figure = tmp_path / "forest.svg"
    result = metablin(
        *("pool", "examples/prior.csv", "--measure", "proportion"),
        *("--by", "population", "--plot", figure),
    )
    assert result.returncode == 0, result.stderr
    assert "prediction interval" in result.stdout
    assert figure.read_text(encoding="utf-8").count("<path") > 20
    assert [p.name for p in tmp_path.iterdir()] == ["forest.svg"]


def test_the_picture_of_the_examples_is_what_the_command_draws(tmp_path: Path) -> None:
    drawn = tmp_path / "forest.svg"
    metablin(
        *("pool", "examples/prior.csv", "--measure", "proportion"),
        *("--by", "population", "--plot", drawn),
    )

    def shape(figure: Path) -> tuple[list[str], dict[str, int]]:
        text = figure.read_text(encoding="utf-8")
        names = re.findall(r"<([a-z]+)[ >]", text)
        return re.findall(r'viewBox="([^"]+)"', text), {n: names.count(n) for n in names}

    assert shape(drawn) == shape(ROOT / "examples" / "forest.svg")


GOOD = "study,events,n\nA,3,10\nB,5,12\nC,9,20\n"


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (GOOD.replace("5,12", "15,12"), ["row 2", "events", "15"]),
        (GOOD.replace("5,12", "5.5,12"), ["row 2", "events", "5.5", "whole number"]),
        (GOOD.replace("5,12", "-5,12"), ["row 2", "events", "-5"]),
        (GOOD.replace("5,12", "five,12"), ["row 2", "events", "five", "a number"]),
        (GOOD.replace("5,12", ",12"), ["row 2", "events", "missing"]),
        (GOOD.replace("5,12", "5,12,7"), ["row 2", "4 cells"]),
        (GOOD.replace("5,12", "5"), ["row 2", "2 cells"]),
        (GOOD.replace("5,12", "0,0"), ["row 2", "'n'"]),
        (GOOD.replace("events", "happy"), ["'events'", "happy"]),
        (GOOD.replace("study", "n"), ["twice", "'n'"]),
        ("study,events,n\n", ["no data rows"]),
        ("", ["no data rows"]),
    ],
)
def test_malformed_proportions_get_one_line(tmp_path: Path, content: str, parts: list[str]) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(content, encoding="utf-8")
    assert_one_line_error(metablin("pool", file, "--measure", "proportion"), *parts)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("B,0.8,0.9,1.2", ["row 2", "0.8"]),
        ("B,0.8,-0.5,1.2", ["row 2", "conf_low"]),
        ("B,0,0.5,1.2", ["row 2", "estimate"]),
        ("B,0.8,0.8,0.8", ["row 2"]),
    ],
)
def test_malformed_hazard_ratios_get_one_line(tmp_path: Path, row: str, parts: list[str]) -> None:
    file = tmp_path / "ratios.csv"
    file.write_text(f"study,estimate,conf_low,conf_high\nA,0.7,0.5,0.98\n{row}\n")
    assert_one_line_error(metablin("pool", file, "--measure", "hr"), *parts)


ARMS = "study,events_treatment,n_treatment,events_control,n_control\nA,3,10,5,10\n"


@pytest.mark.parametrize(
    ("options", "content", "parts"),
    [
        (["--measure", "or"], ARMS + "B,12,10,5,10\n", ["row 2", "12"]),
        (["--measure", "rr"], ARMS + "B,3,10,5,0\n", ["row 2", "0"]),
        (["--measure", "rd"], ARMS + "B,3,10,x,10\n", ["row 2", "events_control", "x"]),
        (["--measure", "rate"], "events,person_time\n3,10\n4,0\n", ["row 2", "person_time"]),
        (["--measure", "rate"], "events,person_time\n3,10\n4,-1\n", ["row 2", "person_time"]),
        (["--measure", "generic"], "yi,vi\n0.1,0.2\n0.3,0\n", ["row 2", "vi", "0"]),
        (["--measure", "generic"], "yi,vi\n0.1,0.2\n0.3,-1\n", ["row 2", "vi", "-1"]),
        (["--measure", "generic"], "yi,vi\n0.1,0.2\ninf,0.1\n", ["row 2", "yi", "inf"]),
        (["--measure", "generic", "--moderators", "x"], "yi,vi\n1,1\n2,1\n3,1\n", ["x"]),
        (
            ["--measure", "generic", "--moderators", "x"],
            "yi,vi,x\n1,1,4\n2,1,4\n3,1,4\n",
            ["x"],
        ),
        (["--measure", "proportion", "--model", "glmm"], GOOD.replace("5,12", "15,12"), ["row 2"]),
        (["--measure", "generic", "--level", "95"], "yi,vi\n1,1\n2,1\n", ["level", "95"]),
    ],
)
def test_other_malformed_input_gets_one_line(
    tmp_path: Path, options: list[str], content: str, parts: list[str]
) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(content, encoding="utf-8")
    assert_one_line_error(metablin("pool", file, *options), *parts)


def test_latin_letters_are_read_and_the_encoding_said(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes("study,events,n\nGökbuget,3,10\nB,4,12\n".encode("latin-1"))
    result = metablin("pool", file, "--measure", "proportion", "--json")
    assert json.loads(result.stdout)["studies"][0]["study"] == "Gökbuget"
    assert result.stderr == "metablin: latin.csv: 2 rows; read as Latin-1\n"


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_other_separators_are_read_and_said(tmp_path: Path, mark: str, word: str) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(GOOD.replace(",", mark))
    result = metablin("pool", file, "--measure", "proportion", "--json")
    assert json.loads(result.stdout)["k"] == 3
    assert f"columns between {word}" in result.stderr


@pytest.mark.parametrize("cell", ["1_0", "\uff15", "0x5", "5%", "True", "5j"])
def test_what_only_python_reads_as_a_number_is_refused(tmp_path: Path, cell: str) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(GOOD.replace("5,12", f"{cell},12"), encoding="utf-8")
    result = metablin("pool", file, "--measure", "proportion")
    assert_one_line_error(result, "row 2", "'events'", cell, "not a number")


def test_a_plot_that_cannot_be_written_gets_one_line(tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "forest.svg"
    options = ("--measure", "proportion", "--plot", nowhere)
    result = metablin("pool", "examples/prior.csv", *options)
    assert_one_line_error(result, f"{nowhere.parent}: No such file")
    folder = tmp_path / "forest.svg"
    folder.mkdir()
    options = ("--measure", "proportion", "--plot", folder)
    assert_one_line_error(metablin("pool", "examples/prior.csv", *options), "forest.svg: Is a dir")
    assert list(tmp_path.iterdir()) == [folder]


def test_code_in_a_formula_is_not_run_and_gets_one_line(tmp_path: Path) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(GOOD)
    code = f"__import__('pathlib').Path('{tmp_path}/run').touch()"
    for formula in (code, f"I({code})", f"{{{code}}}"):
        options = ("--measure", "proportion", "--moderators", formula)
        result = metablin("pool", file, *options)
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_numbers_that_would_overflow_get_one_line(tmp_path: Path) -> None:
    file = tmp_path / "studies.csv"
    file.write_text("yi,vi\n1e200,1\n-1e200,1\n")
    assert_one_line_error(metablin("pool", file, "--measure", "generic"), "row 1", "'yi'", "1e+60")
    file.write_text("time,event\n1e308,1\n2,1\n")
    assert_one_line_error(metablin("survival", file), "row 1", "'time'", "1e+308")


def test_a_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(GOOD.replace("B,5", '"B\nagain",5'), encoding="utf-8")
    result = metablin("pool", file, "--measure", "proportion", "--json")
    assert json.loads(result.stdout)["k"] == 3


def test_an_unknown_subgroup_column_is_named() -> None:
    result = metablin("pool", "examples/prior.csv", "--measure", "proportion", "--by", "age")
    assert_one_line_error(result, "'age'")


@pytest.mark.parametrize(
    "options",
    [
        ["--measure", "hazard"],
        ["--measure", "proportion", "--tau2", "XX"],
        ["--measure", "hr", "--transform", "logit"],
        ["--measure", "proportion", "--plot", "forest.txt"],
        [],
    ],
)
def test_bad_usage_exits_2(options: list[str]) -> None:
    result = metablin("pool", "examples/hazard_ratios.csv", *options)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    file = tmp_path / "studies.csv"
    file.write_text(GOOD.replace("5,12", "15,12"))
    result = metablin("pool", file, "--measure", "proportion", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
