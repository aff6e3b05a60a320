"""The commands digitise and read, to the patients and to a pool of trials."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.cli import app
from metablin.digitise import check_printed
from tests.cli.runner import CliRunner
from tests.digitise.figures import Manner, draw, simulate

LOG_HR = 0.02  # error of one trial's log hazard ratio read from a vector figure


def _run(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="module")
def read22(tmp_path_factory):
    """One figure, read, with the log hazard ratio of its patients."""
    arms = simulate(22)
    frame = pd.concat(
        [pd.DataFrame({"id": a.name, "time": a.time, "event": a.event}) for a in arms]
    )
    path = draw(tmp_path_factory.mktemp("read") / "f.svg", arms)
    return mb.digitise(path), _log_hr(frame)[0]


def test_clicks_and_risk_are_what_reconstruct_reads(tmp_path):
    arms = simulate(21)
    path = draw(tmp_path / "f.pdf", arms)
    clicks, risk, ipd = (tmp_path / f"{x}.csv" for x in ("clicks", "risk", "ipd"))
    result = _run(
        "digitise", path, "--out", clicks, "--at-risk-out", risk, "--report", tmp_path / "o.html"
    )
    assert result.exit_code == 0, result.output
    assert "confidence 1.00" in result.stderr
    assert list(pd.read_csv(clicks).columns) == ["id", "time", "survival"]
    assert list(pd.read_csv(risk).columns) == ["id", "time", "n_at_risk"]
    report = (tmp_path / "o.html").read_text()
    assert "data:image/png;base64," in report
    assert "http" not in report
    assert _run("reconstruct", clicks, "--at-risk", risk, "--out", ipd).exit_code == 0
    assert set(pd.read_csv(ipd)["id"]) == {"Drug", "Placebo"}


def test_read_goes_straight_to_patients_and_compares_with_print(tmp_path):
    arms = simulate(22)
    path = draw(tmp_path / "f.svg", arms)
    truth = _log_hr(
        pd.concat([pd.DataFrame({"id": a.name, "time": a.time, "event": a.event}) for a in arms])
    )
    out = tmp_path / "ipd.csv"
    result = _run("read", path, "--out", out, "--printed", f"hr={np.exp(truth[0]):.3f}; Drug n=120")
    assert result.exit_code == 0, result.output
    assert "hr: printed" in result.stderr
    assert "Drug n: printed 120, read 120" in result.stderr
    assert abs(_log_hr(pd.read_csv(out))[0] - truth[0]) < LOG_HR


@pytest.mark.parametrize(
    ("printed", "arms", "said"),
    [
        ("Drug median=9.0", ["Drug"], "the curve is at"),
        ("Placebo n=100", ["Placebo"], "another number of patients"),
        ("Drug events=12", ["Drug"], "another number of events"),
        ("hr=3.5", ["Drug", "Placebo"], "another hazard ratio"),
        ("p=0.98", ["Drug", "Placebo"], "another P"),
        ("hr={inverse:.2f}", ["Drug", "Placebo"], "turned round"),
    ],
)
def test_what_the_paper_contradicts_is_doubted_and_named(printed, arms, said, read22):
    found, truth = read22
    text = printed.format(inverse=np.exp(-truth))
    doubted, lines = check_printed(found, text)
    assert [a.id for a in doubted.doubtful()] == arms
    assert all(said in a.reasons[-1] and "printed" in a.reasons[-1] for a in doubted.doubtful())
    assert said in lines[0]
    assert not found.doubtful()


def test_what_the_paper_says_alike_is_not_doubted(read22):
    found, truth = read22
    first = found.arms[0]
    median = mb.kaplan_meier(*(lambda p: (p.time, p.event))(first.reconstruct())).median
    text = f"hr={np.exp(truth):.2f}; p<0.05; Drug n=120, median={median:.1f}"
    doubted, lines = check_printed(found, text)
    assert not doubted.doubtful()
    assert len(lines) == 4


def test_a_contradicted_reading_is_not_written(tmp_path, read22):
    found, _ = read22
    out = tmp_path / "ipd.csv"
    for command in ("read", "digitise"):
        refused = _run(command, found.source, "--out", out, "--printed", "Drug median=9.0")
        assert refused.exit_code == 1
        assert "Drug median: printed 9, read" in str(refused.exception)
        assert not out.exists()


def test_every_stage_has_its_picture(tmp_path, read22):
    found, _ = read22
    assert _run("digitise", found.source, "--stages", tmp_path / "stages").exit_code == 0
    names = ["1-text.png", "2-axes.png", "3-curves.png", "4-table.png"]
    assert sorted(p.name for p in (tmp_path / "stages").iterdir()) == names
    sizes = {p.stat().st_size for p in (tmp_path / "stages").iterdir()}
    assert len(sizes) == 4


def test_draws_carry_the_reading_error(tmp_path):
    """Draws of a picture differ in their clicks; those of a vector agree to its precision."""
    arms = simulate(26)
    picture, vector = (mb.digitise(draw(tmp_path / f"f.{x}", arms)) for x in ("png", "svg"))
    at = np.array([12.0, 24.0])

    def spread(found):
        sets = found.arms[0].reconstruct(draws=8, seed=3).draws
        return np.std([mb.kaplan_meier(d.time, d.event).values_at(at)[0] for d in sets], axis=0)

    assert picture.arms[0].noise > 0
    assert vector.arms[0].noise == 0
    of_picture, of_vector = spread(picture), spread(vector)
    assert np.all(of_picture > 10 * of_vector)
    assert np.all(of_picture < 0.02)
    one, two = (picture.reconstruct(draws=2, seed=5)["Drug"].draws[1].time for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_doubtful_reading_is_not_written_unless_accepted(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(23))
    out = tmp_path / "clicks.csv"
    options = ("--at-risk", "Drug 0:120,12:119,24:118; Placebo 0:120")
    refused = _run("digitise", path, "--out", out, *options)
    assert refused.exit_code == 1
    assert not out.exists()
    assert _run("digitise", path, "--out", out, *options, "--accept").exit_code == 0
    frame = pd.read_csv(out)
    assert set(frame.loc[frame["id"] == "Drug", "doubtful"]) == {1}
    assert set(frame.loc[frame["id"] == "Placebo", "doubtful"]) == {0}


def test_wrong_endings_of_outputs_are_usage(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(1))
    assert _run("digitise", path, "--out", tmp_path / "c.csv", "--report", "x.doc").exit_code == 2
    assert _run("digitise", path, "--out", tmp_path / "c.csv", "--edit", "x.doc").exit_code == 2


def test_an_output_never_replaces_what_it_was_made_from(tmp_path):
    path = draw(tmp_path / "f.png", simulate(1))
    before = path.read_bytes()
    risk = tmp_path / "risk.csv"
    risk.write_text("id,time,n_at_risk\nDrug,0,120\n")
    clicks = tmp_path / "c.csv"
    for words in (
        ("digitise", path, "--out", path),
        ("digitise", path, "--out", clicks, "--report", path),
        ("digitise", path, "--out", clicks, "--at-risk", risk, "--at-risk-out", risk),
        ("digitise", path, "--out", clicks, "--at-risk-out", clicks),
        ("read", path, "--out", path),
    ):
        result = _run(*words)
        assert result.exit_code == 1, words
        assert re.search("is an input|two outputs", str(result.exception)), words
    assert path.read_bytes() == before
    assert not clicks.exists()


def test_pictures_of_a_reading_do_not_replace_its_figure(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(1))
    (tmp_path / "link.html").symlink_to(path)
    found = mb.digitise(path)
    before = path.read_bytes()
    with pytest.raises(mb.DataError, match="is an input"):
        found.edit(tmp_path / "link.html")
    with pytest.raises(mb.DataError, match=r"\.png or \.html"):
        found.overlay(path)
    assert path.read_bytes() == before
    assert len(found.plot().figure.axes) == 1


def test_without_a_table_the_number_of_patients_is_asked_for(tmp_path):
    """The number of patients is given, or nothing is written: it is never assumed."""
    path = draw(tmp_path / "f.svg", simulate(24), Manner(table=False))
    out = tmp_path / "ipd.csv"
    refused = _run("read", path, "--out", out)
    assert refused.exit_code == 1
    assert "--n" in str(refused.exception)
    assert not out.exists()
    assert _run("read", path, "--out", out, "--n", "120").exit_code == 0
    assert pd.read_csv(out).groupby("id").size().tolist() == [120, 120]


def test_a_page_for_correction_needs_no_clicks(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(25))
    assert _run("digitise", path).exit_code == 2
    assert _run("digitise", path, "--edit", tmp_path / "edit.html").exit_code == 0
    assert (tmp_path / "edit.html").exists()


def _log_hr(frame):
    fit = mb.cox(frame["time"], frame["event"], (frame["id"] == "Placebo").astype(int))
    return float(fit.log_hr[0]), float(fit.std_error[0])


def test_ten_figures_pool_to_the_hazard_ratio_of_the_true_patients(tmp_path):
    """From ten two-arm figures to the pooled hazard ratio, against the pool of the patients."""
    true, read = [], []
    for seed in range(10):
        arms = simulate(100 + seed, n=80)
        frame = pd.concat(
            [pd.DataFrame({"id": a.name, "time": a.time, "event": a.event}) for a in arms]
        )
        true.append(_log_hr(frame))
        found = mb.digitise(draw(tmp_path / f"{seed}.svg", arms, Manner(marks=True)))
        patients = found.reconstruct()
        read.append(
            _log_hr(
                pd.concat(
                    [
                        pd.DataFrame({"id": k, "time": v.time, "event": v.event})
                        for k, v in patients.items()
                    ]
                )
            )
        )
    pools = [mb.pool(mb.log_effects(*np.array(rows).T, measure="hr")) for rows in (true, read)]
    a, b = (p.to_dict()["analysis"] for p in pools)
    assert abs(a["estimate"] - b["estimate"]) < LOG_HR / 2
    assert b["conf_low"] < a["estimate"] < b["conf_high"]
    assert b["std_error"] == pytest.approx(a["std_error"], rel=0.05)
