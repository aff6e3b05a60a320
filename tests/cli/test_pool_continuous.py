"""``metablin pool``: means, ratios of means, correlations; every option of the one list."""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin import options
from metablin.cli import app
from metablin.cli.pool import pool as command
from metablin.io.studies import MEASURES
from tests.cli.runner import CliRunner

DATA = Path(__file__).parents[1] / "reference" / "data"
NORMAND = pd.read_csv(DATA / "normand1999.csv")
ARMS = [NORMAND[c] for c in ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i")]


def run(file: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["pool", str(file), "--json", *words])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("measure", ["md", "smd", "smdh", "glass", "rom"])
def test_differences_of_means_are_those_of_python(measure: Any) -> None:
    answer = run(DATA / "normand1999.csv", "--measure", measure)
    assert answer["estimate"] == pytest.approx(
        mb.pool(mb.mean_differences(*ARMS, measure=measure)).estimate
    )


def test_a_variance_is_chosen_and_refused_elsewhere() -> None:
    answer = run(DATA / "normand1999.csv", "--measure", "md", "--variance", "pooled")
    expected = mb.pool(mb.mean_differences(*ARMS, variance="pooled"))
    assert answer["estimate"] == pytest.approx(expected.estimate)
    words = ["pool", str(DATA / "bcg.csv"), "--measure", "or", "--variance", "pooled"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--variance is for" in result.output


def test_standard_errors_serve_in_place_of_standard_deviations(tmp_path: Path) -> None:
    frame = pd.DataFrame({"mean": [3.0, 4, 5], "se": [0.5, 0.4, 0.6], "n": [20, 30, 25]})
    frame.to_csv(tmp_path / "se.csv", index=False)
    frame.assign(sd=frame["se"] * np.sqrt(frame["n"])).drop(columns="se").to_csv(
        tmp_path / "sd.csv", index=False
    )
    for scale in ("raw", "log"):
        a, b = (run(tmp_path / f"{x}.csv", "--measure", "mean", "--transform", scale)
                for x in ("se", "sd"))  # fmt: skip
        assert a["estimate"] == pytest.approx(b["estimate"])
        assert a["transform"] == scale


def test_correlations_come_back_as_correlations(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("study,r,n\nA,0.5,30\nB,0.3,50\nC,0.6,41\n")
    answer = run(tmp_path / "r.csv", "--measure", "correlation")
    expected = mb.pool(mb.correlations([0.5, 0.3, 0.6], [30, 50, 41]))
    assert answer["estimate"] == pytest.approx(expected.estimate)


def test_a_scale_of_another_measure_is_refused() -> None:
    words = ["pool", str(DATA / "normand1999.csv"), "--measure", "mean", "--transform", "logit"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "raw, log" in result.output


def test_every_option_is_read_in_one_place() -> None:
    hints = typing.get_type_hints(command)
    for name, words in (("model", options.Model), ("tau2", options.Tau2),
                        ("measure", options.Measure)):  # fmt: skip
        assert hints[name] == words
    assert set(MEASURES) == set(options.words(options.Measure))


@pytest.mark.parametrize("tau2", ["SJ-HE", "DL2", "CA2"])
def test_later_estimators_and_any_case(tau2: Any) -> None:
    answer = run(DATA / "bcg.csv", "--measure", "OR", "--tau2", tau2.lower(), "--ci", "Z")
    bcg = pd.read_csv(DATA / "bcg.csv")
    names = ("events_treatment", "n_treatment", "events_control", "n_control")
    fit = mb.pool(mb.two_by_two(*names, data=bcg), tau2=tau2, ci="z")
    assert answer["tau2_method"] == tau2
    assert answer["tau2"] == pytest.approx(fit.tau2)


@pytest.mark.parametrize(
    "model", ["conditional", "weighted", "henmi-copas", "student-t", "mixture"]
)
def test_later_models(model: str) -> None:
    assert run(DATA / "bcg.csv", "--measure", "or", "--model", model)["model"] == model
