"""``metablin network``: its JSON object, summary, pictures, and one line on bad data."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from metablin.network import network, network_pool
from tests.cli.runner import assert_one_line_error, metablin
from tests.network.pinned import cells, fitted


@pytest.fixture(scope="module")
def smoking(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "smoking.csv"
    pd.DataFrame(cells()["hasselblad1998"]["data"]).to_csv(path, index=False)
    return path


def test_json_is_the_object_of_the_fit(smoking):
    result = metablin("network", smoking, "--measure", "or", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(
        json.dumps(fitted("hasselblad1998", "REML").to_dict())
    )


def test_summary_league_and_picture(smoking, tmp_path):
    plot = tmp_path / "graph.png"
    result = metablin("network", smoking, "--measure", "or", "--reference", "no_contact",
                      "--tau2", "DL", "--ci", "hksj", "--league", "--plot", plot)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "against no_contact" in result.stdout
    assert "P-scores" in result.stdout
    assert plot.stat().st_size > 10_000


def test_what_was_understood_is_said_on_stderr(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Trial,Treat,events,n\nA,01,1,20\nA,1,2,20\n")
    result = metablin("network", path, "--measure", "rr", "--json")
    assert result.returncode == 0
    assert "Trial read as study" in result.stderr
    assert json.loads(result.stdout)["treatments"] in (["1", "01"], ["01", "1"])


def test_bad_data_is_one_line(tmp_path, smoking):
    path = tmp_path / "b.csv"
    path.write_text("study,treatment,events,n\nA,x,1,20\nA,y,2,20\nB,z,1,9\nB,w,2,9\n")
    assert_one_line_error(metablin("network", path, "--measure", "or"), "{w, z}", "{x, y}")
    path.write_text("study,treatment,events,n\nA,x,1,20\nA,y,2,20\nB,z,1,9\n")
    assert_one_line_error(metablin("network", path, "--measure", "or"), "B", "one arm", "z")
    bad = metablin("network", smoking, "--measure", "or", "--reference", "nobody")
    assert_one_line_error(bad, "'reference'", "nobody", "no_contact")


def test_an_unknown_measure_is_bad_usage(smoking):
    assert metablin("network", smoking, "--measure", "odds").returncode == 2


def test_decimal_commas_and_other_names_of_columns_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("studlab;TE;seTE;treat1;treat2\nA;0,1;0,2;x;y\nB;0,3;0,2;y;z\nC;0,2;0,3;x;z\n")
    result = metablin("network", path, "--measure", "generic", "--json")
    assert result.returncode == 0, result.stderr
    effects = {(e["treat1"], e["treat2"]): e for e in json.loads(result.stdout)["effects"]}
    plain = network_pool(network({"study": ["A", "B", "C"], "treat1": ["x", "y", "x"],
                                  "treat2": ["y", "z", "z"], "yi": [0.1, 0.3, 0.2],
                                  "std_error": [0.2, 0.2, 0.3]}, "generic"))  # fmt: skip
    assert effects["x", "z"]["estimate"] == pytest.approx(plain.effect("x", "z")["estimate"])


def test_incomplete_rows_are_refused_or_left_out_by_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("study,treatment,deaths,total\nA,x,1,20\nA,y,NR,20\nB,x,2,20\nB,y,4,30\n")
    options = ("--measure", "or", "--columns", "events=deaths,n=total")
    assert_one_line_error(metablin("network", path, *options), "row 2", "A, y", "events")
    result = metablin("network", path, *options, "--missing", "drop", "--json")
    assert result.returncode == 0
    assert "row 2 (A" in result.stderr
    assert json.loads(result.stdout)["k"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("study,treatment,events,n\na,x,1,20\na,y,3,20\nTotal,x,1,20\nTotal,y,3,20\n",
         "row 3, column 'study', value Total: a row of totals"),
        ("study,treatment,events (%),n\na,x,10,20\na,y,15,20\n", "lacks the column"),
    ],
)  # fmt: skip
def test_totals_and_shares_are_not_arms(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert_one_line_error(metablin("network", path, "--measure", "or"), said)


def test_what_is_good_turns_the_ranking(smoking):
    better = json.loads(
        metablin(
            "network", smoking, "--measure", "or", "--small-values", "undesirable", "--json"
        ).stdout
    )
    fit = fitted("hasselblad1998", "REML")
    assert better["small_values"] == "undesirable"
    want = fit.ranking("undesirable")
    assert [r["treatment"] for r in better["ranking"]] == want["treatment"].tolist()
    assert want["treatment"].tolist() == fit.ranking()["treatment"].tolist()[::-1]
    said = metablin("network", smoking, "--measure", "or", "--small-values", "undesirable").stdout
    assert f"P-scores, small values undesirable: {want['treatment'][0]}" in said


def test_arms_side_by_side_are_read_from_a_file(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("study;event1;n1;event2;n2;treat1;treat2\nA;1;20,0;2;20;x;y\nB;3;30;4;30;x;z\n")
    done = metablin("network", path, "--measure", "or", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["treatments"] == ["x", "y", "z"]
    assert "its arms side by side: 1, 2" in done.stderr
