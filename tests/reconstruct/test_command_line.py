from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import typer

from metablin.cli.reconstruct import reconstruct
from metablin.cli.summary import reconstruct_summary
from tests.cli.runner import CliRunner
from tests.reconstruct.test_whole_units import PLACEBO

EXAMPLES = Path(__file__).parents[2] / "examples"

app = typer.Typer()
app.command("reconstruct")(reconstruct)
app.command("reconstruct-summary")(reconstruct_summary)


@pytest.fixture
def folder(tmp_path, known):
    clicks, risk, totals = [], [], []
    for i, n in enumerate((40, 90)):
        k = known(n, 60 + i)
        name = "ab"[i]
        clicks.append(pd.DataFrame({"id": name, "time": k.clicks[0], "survival": k.clicks[1]}))
        risk.append(pd.DataFrame({"id": name, "time": k.at_risk[0], "n_at_risk": k.at_risk[1]}))
        totals.append({"id": name, "n": k.n, "events": k.events if i else ""})
    pd.concat(clicks).to_csv(tmp_path / "clicks.csv", index=False)
    pd.concat(risk).to_csv(tmp_path / "risk.csv", index=False)
    pd.DataFrame(totals).to_csv(tmp_path / "totals.csv", index=False)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def batch(folder, *more):
    return run("reconstruct", folder / "clicks.csv", "--at-risk", folder / "risk.csv",
               "--totals", folder / "totals.csv", "--out", folder / "ipd.csv", *more)  # fmt: skip


def test_the_example_gives_back_the_weeks_of_remission(tmp_path):
    """Freireich 1963, doi:10.1182/blood.V21.6.699.699, Table 1: the patients behind the clicks."""
    example = [EXAMPLES / f"remission_{x}.csv" for x in ("clicks", "at_risk", "totals")]
    result = run("reconstruct", example[0], "--at-risk", example[1], "--totals", example[2],
                 "--out", tmp_path / "patients.csv", "--quality", tmp_path / "q.csv")  # fmt: skip
    assert result.exit_code == 0, result.output
    patients = pd.read_csv(tmp_path / "patients.csv")
    relapses = patients[patients["event"] == 1].groupby("id")["time"].apply(list)
    assert relapses["mercaptopurine"] == [6, 6, 6, 7, 10, 13, 16, 22, 23]
    assert relapses["placebo"] == PLACEBO.tolist()
    assert patients.groupby("id")["time"].max().tolist() == [35, 23]
    quality = pd.read_csv(tmp_path / "q.csv")
    assert quality["times"].tolist() == ["whole units"] * 2
    assert (quality["max_abs_error"] < 0.01).all()  # reading noise has SD 0.0025


def test_a_batch_is_written_with_its_quality(folder):
    result = batch(folder, "--quality", folder / "q.csv")
    assert result.exit_code == 0, result.output
    out, q = pd.read_csv(folder / "ipd.csv"), pd.read_csv(folder / "q.csv")
    assert out.columns.tolist() == ["id", "time", "event"]
    assert out.groupby("id").size().tolist() == [40, 90]
    assert q["level"].tolist() == ["curve + n + at-risk", "curve + n + at-risk + events"]
    assert (q["at_risk_error"] == 0).all()
    assert result.stdout == ""


def test_a_single_curve_has_no_id_column(folder):
    clicks = pd.read_csv(folder / "clicks.csv")
    clicks[clicks["id"] == "a"].drop(columns="id").to_csv(folder / "one.csv", index=False)
    (folder / "n.csv").write_text("n\n40\n")
    result = run("reconstruct", folder / "one.csv", "--totals", folder / "n.csv",
                 "--out", folder / "one_ipd.csv")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert pd.read_csv(folder / "one_ipd.csv").columns.tolist() == ["time", "event"]


def test_bad_curves_are_reported_and_good_ones_written(folder):
    clicks = pd.read_csv(folder / "clicks.csv")
    clicks.loc[2, "survival"] = 50.0
    clicks.to_csv(folder / "clicks.csv", index=False)
    result = batch(folder)
    assert result.exit_code == 1
    assert pd.read_csv(folder / "ipd.csv")["id"].unique().tolist() == ["b"]
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "row 3 (a), column 'survival', value 50" in lines[0]


@pytest.mark.parametrize(
    ("cell", "words"), [("abc", "not a number"), ("", "finite"), ("nan", "finite")]
)
def test_cells_that_are_not_numbers_are_named(folder, cell, words):
    text = (folder / "clicks.csv").read_text().splitlines()
    text[5] = f"a,{cell},0.9"
    (folder / "clicks.csv").write_text("\n".join(text) + "\n")
    result = batch(folder)
    assert result.exit_code == 1
    assert "row 5" in result.stderr
    assert "'time'" in result.stderr
    assert words in result.stderr


def test_two_runs_write_the_same_bytes(folder):
    batch(folder)
    first = (folder / "ipd.csv").read_bytes()
    batch(folder, "--jobs", "2")
    assert (folder / "ipd.csv").read_bytes() == first


def test_what_was_mended_is_one_line_and_the_options_are_taken(folder):
    (folder / "totals.csv").write_text("id,n,events\na,41,\nb,90,\n")
    result = batch(folder, "--clicks", "points", "--noise", "0.003", "--quality", folder / "q.csv")
    assert result.exit_code == 0, result.output
    lines = [x for x in result.stderr.strip().splitlines() if "n = 41, but 40" in x]
    assert len(lines) == 1
    assert "a: " in lines[0]
    quality = pd.read_csv(folder / "q.csv")
    assert quality[["clicks", "noise"]].to_numpy().tolist() == [["points", 0.003]] * 2


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [("--noise", "much", 2), ("--noise", "0.4", 1), ("--clicks", "dots", 2)],
)
def test_a_wrong_option_is_refused(folder, option, value, code):
    result = batch(folder, option, value)
    assert result.exit_code == code
    assert not (folder / "ipd.csv").exists()


def test_no_patients_are_made_up(folder):
    clicks = pd.read_csv(folder / "clicks.csv")
    clicks[clicks["id"] == "a"].drop(columns="id").to_csv(folder / "one.csv", index=False)
    result = run("reconstruct", folder / "one.csv", "--out", folder / "x.csv")
    assert result.exit_code == 1
    assert "no number of patients" in result.stderr
    assert not (folder / "x.csv").exists()


def test_a_missing_file_is_bad_usage(folder):
    assert run("reconstruct", folder / "none.csv", "--out", folder / "x.csv").exit_code == 2


SUMMARY = """id,n,events,median,median_low,median_high,followup,time,survival
tower,271,164,7.7,5.6,9.6,11.7,6,0.55
tower,,,,,,,12,0.36
other,60,18,NR,20.1,NR,30,12,0.80
"""


def test_summaries_become_draws_with_a_grade(folder):
    (folder / "s.csv").write_text(SUMMARY)
    arguments = ("reconstruct-summary", folder / "s.csv", "--out", folder / "s_ipd.csv")
    result = run(*arguments, "--draws", 3, "--seed", 2)
    assert result.exit_code == 0, result.output + result.stderr
    out = pd.read_csv(folder / "s_ipd.csv")
    assert out.columns.tolist() == ["id", "draw", "time", "event", "grade"]
    assert out.groupby(["id", "draw"]).size().to_dict() == {
        (i, d): n for i, n in (("other", 60), ("tower", 271)) for d in (1, 2, 3)
    }
    assert out[out["id"] == "tower"].groupby("draw")["event"].sum().tolist() == [164] * 3
    assert out[out["id"] == "tower"]["grade"].unique().tolist() == ["C"]


def test_contradictory_summaries_are_reported_and_the_others_written(folder):
    (folder / "s.csv").write_text(SUMMARY.replace("0.55", "0.30"))
    result = run("reconstruct-summary", folder / "s.csv", "--out", folder / "x.csv", "--draws", 2)
    assert result.exit_code == 1
    assert "row 2 (tower)" in result.stderr
    assert "S(6) = 0.3" in result.stderr
    assert pd.read_csv(folder / "x.csv")["id"].unique().tolist() == ["other"]


def test_rows_of_one_arm_that_disagree_are_an_error(folder):
    (folder / "s.csv").write_text(SUMMARY.replace("tower,,,", "tower,270,,"))
    result = run("reconstruct-summary", folder / "s.csv", "--out", folder / "x.csv", "--draws", 2)
    assert result.exit_code == 1
    assert "row 2 (tower), column 'n'" in result.stderr


ODD = {
    "events above n": ("a,20,30,10,,,,,,,,", "row 2 (a), column 'events', value 30: more events"),
    "median excluded": ("a,60,,10,,,,,6,0.3,,", "row 2 (a), column 'median', value 10: S(6) = 0.3"),
    "interval too narrow": ("a,99,,,,,,,6,0.6,0.58,0.62", "row 2 (a), column 'survival'"),
    "rising": ("a,99,,,,,,,6,0.6,,\na,,,,,,,,12,0.7,,", "row 3 (a), column 'survival', value 0.7"),
    "percent": ("a,99,,,,,,,6,60,,", "row 2 (a), column 'survival', value 60.0: survival outside"),
    "no events": ("a,99,0,10,,,,,,,,", "row 2 (a), column 'events', value 0: no events, but"),
    "no patients": ("a,0,,10,,,,,,,,", "row 2 (a), column 'n', value 0.0"),
    "half a patient": ("a,9.5,,10,,,,,,,,", "row 2 (a), column 'n', value 9.5"),
    "too many": ("a,1e12,,10,,,,,,,,", "row 2 (a), column 'n'"),
    "beyond follow-up": ("a,50,,,,,10,15,24,0.5,,", "row 2 (a), column 'followup', value 15.0"),
    "negative median": ("a,50,,-10,,,,,,,,", "row 2 (a), column 'median', value -10.0"),
    "negative time": ("a,50,,,,,,,-6,0.5,,", "row 2 (a), column 'time', value -6.0"),
    "nan": ("a,50,,nan,,,,,,,,", "row 2 (a), column 'median': nothing to reconstruct from"),
    "text": ("a,50,,ten,,,,,,,,", "row 2 (a), column 'median', value 'ten': not a number"),
    "not reached n": ("a,NR,,10,,,,,,,,", "row 2 (a), column 'n': missing"),
    "two values": ("a,50,,,,,,,6,0.5,,\na,,,,,,,,6,0.4,,", "row 3 (a), column 'survival'"),
    "no n": ("a,,,10,,,,,,,,", "row 2 (a), column 'n': missing"),
    "nothing": ("a,50,,,,,,,,,,", "row 2 (a), column 'median': nothing to reconstruct from"),
    "limits": ("a,50,,10,11,13,,,,,,", "row 2 (a), column 'median'"),
    "one limit": ("a,50,,,,,,,6,0.5,0.4,", "row 2 (a), column 'survival_high': a limit without"),
    "no survival": ("a,50,,,,,,,6,,,", "row 2 (a), column 'survival': a landmark needs"),
}
ITEMS = "id,n,events,median,median_low,median_high,followup,followup_max,time,survival,"
ITEMS += "survival_low,survival_high\n"


@pytest.mark.parametrize("name", list(ODD))
def test_odd_summaries_are_one_line_with_their_place_and_spare_the_others(folder, name):
    rows, words = ODD[name]
    (folder / "s.csv").write_text(f"{ITEMS}good,60,30,10,,,,,,,,\n{rows}\n")
    result = run("reconstruct-summary", folder / "s.csv", "--out", folder / "x.csv", "--draws", 1)
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert words in result.stderr
    assert pd.read_csv(folder / "x.csv")["id"].unique().tolist() == ["good"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,median\na,10\n", "column 'n'"),
        ("id,n,mediann\na,50,10\n", "column 'mediann': unknown column; allowed: median"),
        ("id,n,median,survial\na,50,10,0.4\n", "column 'survial': unknown column"),
        ("id,n,median,median_months\na,50,10,12\n", "column 'median_months': stands for"),
        ("id,n,median\n,50,10\nb,50,10\n", "row 1, column 'id': missing"),
        ("", "no data rows"),
        ("id,n,median\n", "no data rows"),
    ],
)
def test_files_that_are_no_table_of_summaries_are_refused(folder, text, words):
    (folder / "s.csv").write_text(text)
    result = run("reconstruct-summary", folder / "s.csv", "--out", folder / "x.csv")
    assert result.exit_code == 1
    assert words in str(result.exception) + result.stderr
    assert not (folder / "x.csv").exists()


@pytest.mark.parametrize(("cell", "words"), [("1e13,", "at most"), ("40,50", "more events")])
def test_errors_about_totals_name_their_row(folder, cell, words):
    (folder / "totals.csv").write_text(f"id,n,events\nb,90,\na,{cell}\n")
    result = batch(folder)
    assert result.exit_code == 1
    assert "row 2 (a)" in result.stderr
    assert words in result.stderr
    assert pd.read_csv(folder / "ipd.csv")["id"].unique().tolist() == ["b"]


def test_rows_without_an_id_are_refused(folder):
    text = (folder / "clicks.csv").read_text() + ",0,1\n"
    (folder / "clicks.csv").write_text(text)
    result = batch(folder)
    assert result.exit_code == 1
    assert "column 'id': missing" in str(result.exception) + result.stderr
