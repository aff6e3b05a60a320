"""What ``metablin pool`` can add: each option gives what the function of Python gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from metablin.cli import app
from metablin.records import jsonable
from tests.cli.runner import CliRunner
from tests.reference import pinned

DATA = Path(__file__).parents[1] / "reference" / "data"
BCG = pd.read_csv(DATA / "bcg.csv")
TABLE = [BCG[c] for c in ("events_treatment", "n_treatment", "events_control", "n_control")]
# The command line adds only the decimal print of a double.
PRINTED = 1e-12
# Closed forms on both sides.
CLOSED = 1e-12


def run(file: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["pool", str(file), "--json", *words])
    assert result.exit_code == 0, result.exception or result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("name", ["leave_one_out", "influence", "trim_and_fill"])
def test_diagnostics_are_those_of_python(name: str) -> None:
    answer = run(DATA / "bcg.csv", "--measure", "or", f"--{name.replace('_', '-')}")
    fit = mb.pool(mb.two_by_two(*TABLE, studies=BCG["study"]))
    assert answer[name] == jsonable(getattr(mb, name)(fit).to_dict())
    assert answer["estimate"] == pytest.approx(fit.estimate, rel=PRINTED)


@pytest.mark.parametrize("test", ["egger", "begg", "peters", "harbord"])
def test_small_study_tests_are_those_of_python(test: str) -> None:
    answer = run(DATA / "bcg.csv", "--measure", "or", "--small-study", test)
    fit = mb.pool(mb.two_by_two(*TABLE, studies=BCG["study"]))
    assert answer["small_study"] == jsonable(getattr(mb, test)(fit).to_dict())


@pytest.mark.parametrize("rule", ["only-needed", "all", "treatment-arm", "none"])
@pytest.mark.parametrize("double", ["keep", "drop"])
def test_rules_for_zero_cells(rule: Any, double: Any) -> None:
    answer = run(DATA / "sparse.csv", "--measure", "or", "--zero-cells", rule, "--double-zeros",
                 double)  # fmt: skip
    d = pd.read_csv(DATA / "sparse.csv")
    columns = [d[c] for c in ("events_treatment", "n_treatment", "events_control", "n_control")]
    e = mb.two_by_two(*columns, zero_cells=rule, double_zeros=double)
    assert answer["estimate"] == pytest.approx(mb.pool(e).estimate, rel=PRINTED)
    assert len(answer["excluded"]) == len(e.excluded)


@pytest.mark.parametrize("measure", ["irr", "ird", "irsd"])
def test_rates_of_two_arms(tmp_path: Path, measure: Any) -> None:
    file = tmp_path / "s.csv"
    file.write_text("x1i,t1i,x2i,t2i\n3,20,4,22\n5,30,9,31\n1,10,2,11\n")
    want = mb.pool(mb.rate_contrasts([3, 5, 1], [20, 30, 10], [4, 9, 2], [22, 31, 11], measure))
    assert run(file, "--measure", measure)["estimate"] == pytest.approx(want.estimate, rel=PRINTED)


def test_clusters_and_levels() -> None:
    e = mb.two_by_two(*TABLE, measure="rr")
    robust = run(DATA / "bcg.csv", "--measure", "rr", "--cluster", "alloc")
    assert robust["conf_low"] == pytest.approx(
        mb.clustered(mb.pool(e), BCG["alloc"]).conf_low, rel=PRINTED
    )
    assert (robust["ci_method"], robust["clusters"]) == ("cluster-robust", 3)
    levels = run(DATA / "bcg.csv", "--measure", "rr", "--cluster", "alloc", "--model", "multilevel")
    want = mb.pool(e, model="multilevel", levels={"alloc": BCG["alloc"].tolist()})
    assert levels["estimate"] == pytest.approx(want.estimate, rel=PRINTED)
    slope = run(DATA / "bcg.csv", "--measure", "rr", "--cluster", "year", "--moderators", "ablat")
    fit = mb.clustered(mb.pool(e, moderators="ablat", data=BCG), BCG["year"])
    assert fit.regression.terms == ("Intercept", "ablat")
    assert slope["coefficients"][1]["conf_low"] == pytest.approx(
        fit.regression.conf_low[1], rel=PRINTED
    )


@pytest.mark.parametrize(
    ("words", "kind"),
    [([], "equal_random"), (["--weights", "Own"], "user_random"),
     (["--weights", "own", "--ci", "t"], "user_t")],
)  # fmt: skip
def test_given_weights_are_those_of_metafor(tmp_path: Path, words: list[str], kind: str) -> None:
    file = tmp_path / "s.csv"
    BCG.assign(own=range(1, len(BCG) + 1)).to_csv(file, index=False)
    more = [*([] if "--ci" in words else ["--ci", "z"]), "--tau2", "DL", *words]
    answer = run(file, "--measure", "rr", "--model", "weighted", *more)
    want = pinned("breadth_normal")["weighted"]["bcg"][kind]
    names = ("estimate", "std_error", "conf_low", "conf_high")
    assert [answer["analysis"][n] for n in names] == pytest.approx(
        [want[n] for n in names], rel=CLOSED
    )


@pytest.mark.parametrize(
    ("cell", "words"), [("-1", ["row 2", "own", "-1", "at least 0"]), ("big", ["row 2", "big"]),
                        ("", ["row 2", "own"]), ("inf", ["row 2", "inf"])],
)  # fmt: skip
def test_a_cell_that_is_no_weight_is_named(tmp_path: Path, cell: str, words: list[str]) -> None:
    file = tmp_path / "s.csv"
    file.write_text(f"study,yi,vi,own\na,0.1,0.04,1\nb,0.3,0.05,{cell}\nc,0.2,0.03,2\n")
    asked = ["pool", str(file), "--measure", "generic", "--model", "weighted", "--weights", "own"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 1
    assert isinstance(result.exception, mb.DataError)
    assert all(word in str(result.exception) for word in words)


def test_a_cumulative_analysis_is_sorted_by_its_column() -> None:
    answer = run(DATA / "bcg.csv", "--measure", "rr", "--cumulative", "year")
    fit = mb.pool(mb.two_by_two(*TABLE, measure="rr", studies=BCG["study"]))
    assert answer["cumulative"] == jsonable(mb.cumulative(fit, BCG["year"]).to_dict())
    assert answer["cumulative"]["refits"][0]["term"] == "Aronson 1948"
    words = run(DATA / "bcg.csv", "--measure", "rr", "--cumulative", "alloc")
    assert words["cumulative"] == jsonable(mb.cumulative(fit, BCG["alloc"]).to_dict())


def test_clusters_are_resampled() -> None:
    fit = mb.pool(mb.two_by_two(*TABLE, studies=BCG["study"]))
    want = mb.cluster_bootstrap(fit, BCG["year"], draws=99).to_dict()
    more = ["--measure", "or", "--cluster", "year", "--bootstrap", "99"]
    assert run(DATA / "bcg.csv", *more)["bootstrap"] == jsonable(want)


def test_a_test_for_outliers() -> None:
    words = ["--measure", "or", "--model", "mixture", "--outlier-test", "9"]
    found = run(DATA / "bcg.csv", *words)["outlier_test"]
    # without outliers no draw is smaller
    assert (found["draws"], found["p_value"]) == (9, 1)


def test_the_rule_for_few_cohorts(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_text("events,n\n0,10\n0,15\n0,20\n")
    answer = run(file, "--measure", "proportion", "--rule", "cohorts")
    assert answer["estimate"] == 0
    assert answer["conf_high"] == pytest.approx(0.0787, abs=1e-4)  # Clopper-Pearson of 0 of 45


def test_a_funnel_plot_is_written(tmp_path: Path) -> None:
    picture = tmp_path / "f.svg"
    run(DATA / "bcg.csv", "--measure", "or", "--trim-and-fill", "--funnel", str(picture))
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert [p.name for p in tmp_path.iterdir()] == ["f.svg"]


@pytest.mark.parametrize(
    "words",
    [
        ["--measure", "hr", "--zero-cells", "all"],
        ["--measure", "irr", "--double-zeros", "drop"],
        ["--measure", "irr", "--zero-cells", "treatment-arm"],
        ["--measure", "or", "--model", "multilevel"],
        ["--measure", "or", "--cluster", "alloc", "--by", "alloc"],
        ["--measure", "or", "--cluster", "alloc", "--model", "glmm"],
        ["--measure", "or", "--weights", "alloc"],
        ["--measure", "or", "--bootstrap", "99"],
        ["--measure", "or", "--outlier-test", "9"],
        ["--measure", "or", "--weights", "year", "--rule", "cohorts"],
        ["--measure", "or", "--rule", "cohorts"],
        ["--measure", "proportion", "--rule", "cohorts", "--moderators", "ablat"],
        ["--measure", "or", "--funnel", "f.txt"],
        ["--measure", "or", "--missing", "ignore"],
        ["--measure", "or", "--unit", "hours"],
    ],
)
def test_options_that_do_not_go_together_exit_2(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["pool", str(DATA / "bcg.csv"), *words]).exit_code == 2
