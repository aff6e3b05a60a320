"""Real files at the command line: accepted or refused as known, with what was understood."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from metablin.cli import app
from tests.cli.runner import CliRunner

CASES = Path(__file__).parents[1] / "cases"
FILES = sorted(p.name for p in (CASES / "files").iterdir())
# Pinned values are printed with four digits.
PRINTED = 1e-4


def run(folder: Path, *arguments: object) -> Result:
    """Run a command inside a folder; an error comes back as the text that would be printed."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(app, [str(a) for a in arguments])
    finally:
        os.chdir(here)


def error_of(result: Result) -> str:
    assert result.exit_code == 1
    return result.stderr or str(result.exception)


def numbers(result: Result) -> list[float]:
    answer = json.loads(result.stdout)
    return [answer[name] for name in ("estimate", "conf_low", "conf_high")]


@pytest.mark.parametrize("name", FILES)
def test_a_file_met_in_the_wild(tmp_path: Path, name: str) -> None:
    shutil.copytree(CASES / "files" / name, tmp_path, dirs_exist_ok=True)
    case = json.loads((tmp_path / "expected.json").read_text())
    right: dict[str, Any] = case["right"]
    words = shlex.split(case["command"])[1:]
    pools = words[0] == "pool" and case["must"] == "accept"
    result = run(tmp_path, *words, *(["--json"] if pools else []))
    assert result.exit_code == right["rc"], result.output
    if case["must"] == "refuse":
        assert not (tmp_path / "o.csv").exists()
        assert len(error_of(result).strip().splitlines()) == 1
        if ":" in right["message"]:
            assert right["message"].split(", value")[0] in error_of(result).replace("'", "")
        return
    if "n" in right:
        patients = pd.read_csv(tmp_path / "o.csv")
        assert len(patients) == right["n"]
        assert int(patients["event"].sum()) == right["events"]
    for key in ("HR", "estimate"):
        if key in right:
            assert numbers(result) == pytest.approx(right[key], abs=PRINTED)
    if "cluster_robust" in right:
        again = run(tmp_path, *words, "--json", "--cluster", "study")
        assert numbers(again) == pytest.approx(right["cluster_robust"], abs=PRINTED)
        assert "5 rows of 3 studies (T1 in 3), pooled as independent" in result.stderr
        assert "independent" not in again.stderr


def test_all_four_cells_are_named_with_what_each_may_mean() -> None:
    text = error_of(run(CASES / "files" / "pool_cells", "pool", "s.csv", "--measure", "proportion"))
    for words in ("row 1 (A)", "write 12", "row 2 (B)", "write 4", "row 3 (C)", "'NR' (missing)",
                  "row 4 (D)", "1204 or 1.204"):  # fmt: skip
        assert words in text


def test_rows_with_a_missing_moderator_are_refused_or_left_out_and_named() -> None:
    words = ("pool", "na_dose.csv", "--measure", "proportion", "--moderators", "dose")
    assert "row 2 (B), column 'dose'" in error_of(run(CASES / "na_moderator", *words))
    result = run(CASES / "na_moderator", *words, "--missing", "drop", "--json")
    answer = json.loads(result.stdout)
    slope = answer["coefficients"][1]
    assert answer["k"] == 5
    assert [slope[x] for x in ("estimate", "conf_low", "conf_high")] == pytest.approx(
        [-0.0141, -0.0390, 0.0109], abs=PRINTED
    )
    assert [answer["qm"], answer["qm_p"]] == pytest.approx([3.231, 0.170], abs=5 * PRINTED)
    assert "2 rows with a missing value left out: row 2 (B), row 7 (G)" in result.stderr


def test_a_year_with_gaps_is_one_slope() -> None:
    result = run(CASES / "na_moderator", "pool", "na_year.csv", "--measure", "proportion",
                 "--moderators", "year", "--missing", "drop", "--json")  # fmt: skip
    answer = json.loads(result.stdout)
    assert [c["term"] for c in answer["coefficients"]] == ["Intercept", "year"]
    assert answer["coefficients"][1]["estimate"] == pytest.approx(0.0052, abs=PRINTED)


def test_a_missing_group_is_no_group() -> None:
    folder = CASES / "na_group"
    assert "row 2 (B), column 'dose'" in error_of(
        run(folder, "pool", "na_dose.csv", "--measure", "proportion", "--by", "dose")
    )
    assert "row 1, column 'arm'" in error_of(run(folder, "survival", "na_arm.csv", "--by", "arm"))
    result = run(folder, "survival", "na_arm.csv", "--by", "arm", "--missing", "drop", "--json")
    answer = json.loads(result.stdout)
    assert list(answer["groups"]) == ["9", "15", "28"]
    assert answer["comparison"]["logrank"]["df"] == 2
    assert "7 rows with a missing value left out" in result.stderr


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ([], [0.7264, 0.6117, 0.8625]),
        (["--input-level", "0.99", "--level", "0.99"], [0.7346, 0.6134, 0.8798]),
    ],
)
def test_levels_of_input_and_output(options: list[str], want: list[float]) -> None:
    result = run(CASES / "ci_level_hr", "pool", "level.csv", "--measure", "hr", "--ci", "z",
                 "--json", *options)  # fmt: skip
    assert numbers(result) == pytest.approx(want, abs=PRINTED)


def test_doses_are_in_order_of_size() -> None:
    result = run(CASES / "numeric_arm_order", "survival", "dose2.csv", "--by", "dose", "--csv")
    table = pd.read_csv(StringIO(result.stdout)).set_index("term")
    row = table.loc["hazard ratio: 28 vs 9", ["estimate", "conf_low", "conf_high"]]
    assert row.tolist() == pytest.approx([0.202, 0.076, 0.536], abs=5e-4)


def test_empty_columns_at_the_end_are_dropped() -> None:
    result = run(CASES / "trailing_columns", "pool", "trailing.csv", "--measure", "proportion",
                 "--json")  # fmt: skip
    assert json.loads(result.stdout)["k"] == 3
    assert result.stderr == ""


def test_a_curve_as_it_was_traced_is_the_curve_in_order(tmp_path: Path) -> None:
    falls = [2, 4, 7, 11, 16]
    for name in ("km_times_descending", "km_vertical_bottom_up"):
        source = CASES / "files" / name
        for clicks, out in (("c.csv", "a.csv"), ("in_order.csv", "b.csv")):
            run(
                tmp_path,
                "reconstruct",
                source / clicks,
                "--at-risk",
                source / "r.csv",
                "--out",
                out,
            )
        a, b = (pd.read_csv(tmp_path / x) for x in ("a.csv", "b.csv"))
        assert [len(a), a["event"].sum()] == [len(b), b["event"].sum()]
    at = a.loc[a["event"] == 1, "time"].to_numpy()
    assert [int(((at >= t) & (at <= t + 0.02)).sum()) for t in falls] == [5, 3, 7, 5, 4]


def test_numbers_at_risk_and_totals_may_be_typed_in(tmp_path: Path) -> None:
    source = CASES / "files" / "risk_wide_arms"
    for at_risk, out in (
        (str(source / "r.csv"), "a.csv"),
        ("A 0:50,5:42,10:34,15:28,20:20; B 0:52,5:47,10:43,15:38,20:30", "b.csv"),
    ):
        result = run(tmp_path, "reconstruct", source / "c.csv", "--at-risk", at_risk, "--out", out)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    one = CASES / "files" / "km_times_descending" / "in_order.csv"
    run(tmp_path, "reconstruct", one, "--n", 50, "--events", 24, "--out", "o.csv")
    assert pd.read_csv(tmp_path / "o.csv")["event"].sum() == 24


def test_totals_and_summaries_know_other_names(tmp_path: Path) -> None:
    one = CASES / "files" / "km_times_descending" / "in_order.csv"
    (tmp_path / "t.csv").write_text("N;Deaths;site\n50;24;x\n")
    result = run(tmp_path, "reconstruct", one, "--totals", "t.csv", "--out", "o.csv")
    assert pd.read_csv(tmp_path / "o.csv")["event"].sum() == 24
    assert "Deaths is events" in result.stderr
    assert "not used: site" in result.stderr
    for head in ("id,n,events,median", "ID,N,Events,Median", "arm;Patients;deaths;Median OS"):
        text = head + "\n" + "A,60,30,10\n".replace(",", ";" if ";" in head else ",")
        (tmp_path / "s.csv").write_text(text)
        result = run(tmp_path, "reconstruct-summary", "s.csv", "--out", "x.csv", "--draws", 1)
        assert result.exit_code == 0, result.output
        assert pd.read_csv(tmp_path / "x.csv")["event"].sum() == 30


def test_days_become_months(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text(
        "time,status\n" + "".join(f"{365.25 * i},1\n" for i in (1, 2, 3))
    )
    result = run(tmp_path, "survival", "d.csv", "--unit", "days", "--json")
    median = json.loads(result.stdout)["groups"]["all"]["median"]
    assert median["estimate"] == pytest.approx(24)
    assert "times in days, turned into months" in result.stderr


def test_an_output_is_never_an_input(tmp_path: Path) -> None:
    source = CASES / "files" / "km_times_descending" / "in_order.csv"
    shutil.copy(source, tmp_path / "c.csv")
    before = (tmp_path / "c.csv").read_bytes()
    result = run(tmp_path, "reconstruct", "c.csv", "--n", 50, "--out", "c.csv")
    assert "c.csv is an input" in error_of(result)
    assert (tmp_path / "c.csv").read_bytes() == before
    result = run(
        tmp_path, "reconstruct", "c.csv", "--n", 50, "--out", "o.csv", "--quality", "o.csv"
    )
    assert "two outputs" in error_of(result)
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe" in error_of(run(tmp_path, "reconstruct", "c.csv", "--n", 50, "--out", "pipe.csv"))
    assert run(tmp_path, "reconstruct", "c.csv", "--n", 50, "--out", ".").exit_code == 1


def test_labels_do_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "study,events,n,g\nA\x1b[2J,1,9,x\nB,2,9,\x1b]0;y\x07\nC,2,9,x\n"
    )
    result = run(tmp_path, "pool", "s.csv", "--measure", "proportion", "--by", "g")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (("Dead", "Alive", "Dead", "Alive"), "Dead is an event and Alive is censored"),
        (("1:DECEASED", "0:LIVING") * 2, "1:DECEASED is an event and 0:LIVING is censored"),
        (("TRUE", "FALSE", "TRUE", "FALSE"), "TRUE is an event and FALSE is censored"),
        (("no event", "yes", "no event", "yes"), "yes is an event and no event is censored"),
    ],
)
def test_words_of_events_are_read_and_said(
    cells: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    had = [c.lower() in ("dead", "1:deceased", "true", "yes") for c in cells]
    words, numbers = tmp_path / "words.csv", tmp_path / "numbers.csv"
    for file, column in ((words, cells), (numbers, [int(x) for x in had])):
        rows = [f"{t},{c}" for t, c in zip((3, 5, 8, 13), column, strict=True)]
        file.write_text("\n".join(["time,status", *rows]), "utf-8")
    done, plain = (run(tmp_path, "survival", file, "--csv") for file in (words, numbers))
    assert done.stdout == plain.stdout != ""
    assert told in done.stderr


def test_two_kinds_of_events_are_not_one(tmp_path: Path) -> None:
    file = tmp_path / "kinds.csv"
    file.write_text("time,event\n1,Relapse\n2,Dead\n3,Censored\n", "utf-8")
    error = error_of(run(tmp_path, "survival", file))
    assert "column 'event', value Dead and Relapse: two kinds of events" in error


def test_limits_beside_a_median_alone_are_those_of_the_median(tmp_path: Path) -> None:
    printed = "strata,n,events,median,0.95LCL,0.95UCL\nA,120,80,7.7,5.6,9.6\n"
    ours = "id,n,events,median,median_low,median_high\nA,120,80,7.7,5.6,9.6\n"
    for name, text in (("printed", printed), ("ours", ours)):
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
        done = run(
            tmp_path, "reconstruct-summary", f"{name}.csv", "--draws", 2, "--out", f"{name}_ipd.csv"
        )
        assert done.exit_code == 0, done.output
        assert ("limits are those of the median" in done.stderr) == (name == "printed")
    drawn = [(tmp_path / f"{name}_ipd.csv").read_bytes() for name in ("printed", "ours")]
    assert drawn[0] == drawn[1]
    (tmp_path / "other.csv").write_text(printed.replace("0.95", "0.9"), "utf-8")
    error = error_of(run(tmp_path, "reconstruct-summary", "other.csv", "--out", "o.csv"))
    assert "limits of the median at 0.9" in error
