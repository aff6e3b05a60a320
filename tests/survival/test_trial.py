"""The whole analysis in one call, and on the command line."""

import json

import pytest
import typer

from metablin.cli.survival import survival
from metablin.errors import DataError, MetablinWarning
from metablin.survival import analyse_trial
from tests.cli.runner import CliRunner
from tests.reference import HERE, pinned, table

PINNED = pinned("survival")["sets"]["lung"]
LUNG = str(HERE / "data" / "lung.csv")

app = typer.Typer()
app.command()(survival)


def run(*arguments):
    result = CliRunner().invoke(app, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def largest_disagreement(found):
    """Relative, over everything that was pinned for lung by sex."""
    worst = 0.0

    def compare(ours, theirs):
        nonlocal worst
        if theirs is not None:
            worst = max(worst, abs(ours / theirs - 1))

    for label in ("1", "2"):
        group = found["groups"][label]
        q = PINNED["groups"][label]["quantiles"]
        i = q["p"].index(0.5)
        for name in ("estimate", "conf_low", "conf_high"):
            compare(group["median"][name], q[name][i])
        reference = PINNED["rmst"][1]["groups"][label]
        compare(group["rmst"]["estimate"], reference["rmst"])
        compare(group["rmst"]["std_error"], reference["std_error"])
    comparison = found["comparison"]
    compare(comparison["logrank"]["statistic"], PINNED["difference"]["plain"][0]["chisq"])
    cell = PINNED["cox"][0]
    compare(comparison["hazard_ratio"][0]["log_hr"], cell["coef"])
    compare(comparison["hazard_ratio"][0]["std_error"] ** 2, cell["var"][0][0])
    compare(comparison["proportional_hazards"][0]["statistic"], cell["zph"]["km"][0][0])
    return worst


def test_the_json_of_lung_by_sex_matches_r():
    tau = PINNED["rmst"][1]["tau"]
    result = run(LUNG, "--by", "group", "--tau", str(tau), "--at", "180,365", "--json")
    found = json.loads(result.stdout)
    assert (found["n"], found["events"]) == (228, 165)
    assert largest_disagreement(found) < 1e-8
    assert [row["time"] for row in found["groups"]["1"]["landmarks"]] == [180, 365]
    assert found["comparison"]["max_combo"]["p_value"] < 0.01


def test_one_arm_and_models_on_the_command_line():
    result = run(LUNG, "--models", "weibull,weibull-mixture-cure", "--at", "365", "--json")
    found = json.loads(result.stdout)
    assert "comparison" not in found
    names = {row["family"] for row in found["models"]["all"]["table"]}
    assert names == {"weibull", "weibull-mixture-cure"}


def test_text_and_csv_carry_the_same_estimates():
    text = run(LUNG, "--by", "group", "--at", "365").stdout
    assert "2: 90 patients, 53 events, median 426" in text
    assert "log-rank: chi2 = 10.33 on 1 df" in text
    csv = run(LUNG, "--by", "group", "--at", "365", "--csv").stdout
    assert csv.splitlines()[0].startswith("group,term,estimate")
    assert "hazard ratio: 2 vs 1" in csv


def test_the_plot_is_written(tmp_path):
    target = tmp_path / "km.svg"
    run(LUNG, "--by", "group", "--plot", str(target))
    assert "At risk" in target.read_text(encoding="utf-8") or target.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "arm"), "lacks the column of --by"),
        (("--by", "group", "--control", "9"), "no such group"),
        (("--tau", "99999"), "column 'tau'"),
        (("--models", "weibul"), "unknown family"),
    ],
)
def test_bad_requests_give_one_clear_line(arguments, words):
    with pytest.raises(DataError, match=words):
        run(LUNG, *arguments)


@pytest.mark.parametrize("arguments", [("--json", "--csv"), ("--control", "1"), ("--at", "a,b")])
def test_bad_usage_exits_with_two(arguments):
    assert run(LUNG, *arguments).exit_code == 2


def test_an_arm_without_events_leaves_a_note_in_place_of_the_ratio():
    found = analyse_trial([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], list("aaabbb"), tau=3)
    assert "not estimable" in found.comparison["note"]
    assert "hazard_ratio" not in found.to_dict()["comparison"]
    assert "not estimable" in found.summary()


@pytest.mark.parametrize("name", ["response", "mrd_day29", "Remission", "mrd"])
def test_groups_formed_after_baseline_draw_a_warning(name):
    with pytest.warns(MetablinWarning, match="immortal time"):
        analyse_trial([1, 2, 3, 4], [1, 1, 1, 1], list("abba"), group_name=name)


def test_the_control_can_be_chosen():
    d = table("colon")
    found = analyse_trial(d["time"], d["event"], d["group"], control="Obs", at=[365])
    assert list(found.curves) == ["Obs", "Lev", "Lev+5FU"]
    assert found.to_dict()["comparison"]["hazard_ratio"][1]["term"] == "Lev+5FU vs Obs"


def test_a_missing_arm_is_named_by_its_own_column():
    with pytest.raises(DataError, match="row 2, column 'regimen': missing"):
        analyse_trial([1, 2, 3], [1, 1, 1], ["a", None, "b"], group_name="regimen")


def test_the_arm_that_cannot_be_fitted_is_named():
    with pytest.raises(DataError, match=r"study b, column 'event': no events"):
        analyse_trial([1, 2, 3, 4], [1, 1, 0, 0], list("aabb"), models=["weibull"])
