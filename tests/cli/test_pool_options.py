"""Every measure, model, tau2 estimator and interval of the command line, against pinned values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

import metablin as mb
from metablin.cli import app
from tests.cli.runner import CliRunner, assert_one_line_error, metablin
from tests.reference import pinned

DATA = Path(__file__).parents[1] / "reference" / "data"
GRID = pinned("metafor_grid")["grid"]
# Both sides converge to 1e-14; the command line adds only the decimal print of a double.
RELATIVE = 1e-9
ROUNDING = 1e-13
TAU2 = ("DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
INTERVALS = {"z": "z", "t": "t", "hksj": "knha", "hksj-adhoc": "adhoc"}
INNER = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
OUTER = ("statistic", "p_value")
OUTER_NAMES = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high", "tau2", "q")
SETS = {
    "bcg_or": ("bcg", ["--measure", "or"]),
    "sparse_rr": ("sparse", ["--measure", "rr"]),
    "sparse_rd": ("sparse", ["--measure", "rd"]),
    "proportions_logit": ("proportions_edge", ["--measure", "proportion"]),
    "proportions_freeman-tukey": (
        "proportions_edge",
        ["--measure", "proportion", "--transform", "freeman-tukey"],
    ),
    "log_hr": ("log_hr", ["--measure", "hr"]),
    "sim_k05": ("sim_k05", ["--measure", "generic"]),
}


def run(file: str, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["pool", str(DATA / f"{file}.csv"), "--json", *options])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def same(value: float, expected: float) -> bool:
    return value == pytest.approx(expected, rel=RELATIVE, abs=ROUNDING)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("tau2", TAU2)
def test_random_effects_of_every_kind(name: str, tau2: str) -> None:
    file, options = SETS[name]
    expected = GRID[name]["fits"][tau2]
    for ci, test in INTERVALS.items():
        answer = run(file, *options, "--tau2", tau2, "--ci", ci)
        assert (answer["tau2_method"], answer["ci_method"]) == (tau2, ci)
        for key in ("tau2", "i2", "h2", "q", "q_p"):
            assert same(answer[key], expected[key]), key
        for key in INNER:
            assert same(answer["analysis"][key], expected["tests"][test][key]), (ci, key)
        for key in OUTER:
            assert same(answer[key], expected["tests"][test][key]), (ci, key)


@pytest.mark.parametrize("name", SETS)
def test_common_effect(name: str) -> None:
    file, options = SETS[name]
    expected = GRID[name]["fits"]["FE"]["tests"]["z"]
    answer = run(file, *options, "--model", "common", "--ci", "z")
    for key in ("estimate", "std_error", "conf_low", "conf_high"):
        assert same(answer["analysis"][key], expected[key]), key


@pytest.mark.parametrize(
    ("measure", "model"),
    [
        ("or", "mantel-haenszel"),
        ("rr", "mantel-haenszel"),
        ("rd", "mantel-haenszel"),
        ("or", "peto"),
    ],
)
def test_stratified_models(measure: str, model: str) -> None:
    cells = pinned("stratified")["cells"]
    wanted = {"data": "bcg", "measure": measure, "method": model}
    (cell,) = [c for c in cells if wanted.items() <= c.items()]
    answer = run("bcg", "--measure", measure, "--model", model)
    for key in ("estimate", "std_error", "conf_low", "conf_high"):
        assert same(answer["analysis"][key], cell[key]), key
    assert same(answer["p_value"], cell["p_value"])


# Adaptive quadrature with enough points on both sides; standard errors of lme4 are numerical.
GLMM = 1e-4


def test_the_binomial_normal_model_of_odds_ratios() -> None:
    cells = pinned("glmm")["cells"]
    chosen = [c for c in cells if c["data"] == "bcg" and c["measure"] == "or"]
    cell = max((c for c in chosen if c["model"] == "UM.FS"), key=lambda c: c["points"])
    answer = run("bcg", "--measure", "or", "--model", "glmm")
    for key in ("estimate", "std_error"):
        assert answer["analysis"][key] == pytest.approx(cell[key], rel=GLMM), key
    assert answer["tau2"] == pytest.approx(cell["tau2"], rel=GLMM)


def test_rates_come_back_per_person_time(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("study,events,person_time\nA,10,100\nB,20,200\nC,30,300\n")
    result = CliRunner().invoke(
        app, ["pool", str(file), "--measure", "rate", "--ci", "z", "--json"]
    )
    answer = json.loads(result.stdout)
    assert answer["estimate"] == pytest.approx(0.1)
    assert answer["tau2"] == 0


HEADS = {
    "or": ("Odds ratio,lower,upper", "logOR,SE"),
    "rr": ("RR (95% CI),lower,upper", "lnRR,SE"),
    "irr": ("Rate Ratio,lower,upper", "log_irr,SE"),
}


@pytest.mark.parametrize("measure", HEADS)
def test_ratios_are_pooled_without_their_counts(measure: str, tmp_path: Path) -> None:
    ratios, limits = (0.71, 0.54, 0.44), ((0.55, 0.92), (0.28, 0.99), (0.25, 0.77))
    z = special.ndtri(0.975)
    logs = [(np.log(r), np.log(b / a) / (2 * z)) for r, (a, b) in zip(ratios, limits, strict=True)]
    lines = (
        [f"S{i},{r},{a},{b}" for i, (r, (a, b)) in enumerate(zip(ratios, limits, strict=True))],
        [f"S{i},{float(y)!r},{float(se)!r}" for i, (y, se) in enumerate(logs)],
    )
    expected = mb.pool(mb.log_effects(*zip(*logs, strict=True), measure=measure))
    for head, rows in zip(HEADS[measure], lines, strict=True):
        file = tmp_path / "ratios.csv"
        file.write_text("\n".join([f"study,{head}", *rows]), "utf-8")
        done = CliRunner().invoke(app, ["pool", str(file), "--measure", measure, "--json"])
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert found["measure"] == measure
        for name in OUTER_NAMES:
            assert found[name] == pytest.approx(getattr(expected, name), rel=RELATIVE)


@pytest.mark.parametrize(
    "options", [["--model", "glmm"], ["--model", "peto"], ["--model", "mantel-haenszel"]]
)
def test_a_model_of_counts_needs_them(options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "ratios.csv"
    file.write_text("study,or,lower,upper\nA,.7,.55,.89\nB,.5,.3,.83\n", "utf-8")
    done = metablin("pool", file, "--measure", "or", *options)
    assert_one_line_error(done, "events_treatment", "carry no such counts")


def test_rules_for_counts_are_refused_where_there_are_none(tmp_path: Path) -> None:
    file = tmp_path / "ratios.csv"
    file.write_text("study,or,lower,upper\nA,.7,.55,.89\nB,.5,.3,.83\n", "utf-8")
    done = metablin("pool", file, "--measure", "or", "--zero-cells", "all")
    assert done.returncode == 2
    assert "the file has ratios, no counts" in done.stderr
