"""Survival figures: the frames by value, and what is drawn from them."""

import numpy as np
import pandas as pd
import pytest

from metablin.meta.survival.curves import pool_curves
from metablin.plots.diagnostics import schoenfeld, schoenfeld_frame
from metablin.plots.hazard import hazard, hazard_frame
from metablin.plots.km import km, km_frame, log_log, log_log_frame, pooled_curve, risk_frame
from metablin.plots.models import model_curves, model_frame
from metablin.plots.rmst_curve import rmst_curve as draw_rmst
from metablin.plots.rmst_curve import rmst_frame
from metablin.survival import (
    compare_parametric,
    kaplan_meier,
    kaplan_meier_by,
    rmst_curve,
    schoenfeld_residuals,
    smoothed_hazard,
    time_varying_hazard_ratio,
)
from tests.reference import table


@pytest.fixture(scope="module")
def lung():
    d = table("lung")
    return d.assign(time=d["time"] / 30.4375, arm=d["group"].map({1: "men", 2: "women"}))


@pytest.fixture(scope="module")
def curves(lung):
    return list(kaplan_meier_by(lung["time"], lung["event"], lung["arm"]).values())


def test_the_curve_starts_at_one_and_the_table_adds_up(curves, lung):
    frame = km_frame(curves)
    starts = frame.groupby("group").first()
    assert starts["survival"].tolist() == [1.0, 1.0]
    assert starts["n_risk"].to_dict() == {"men": 138.0, "women": 90.0}
    risk = risk_frame(curves, [0, 12, 24])
    men = risk[risk["group"] == "men"]
    at_12 = ((lung["arm"] == "men") & (lung["time"] >= 12)).sum()
    assert men["n_risk"].tolist()[:2] == [138.0, at_12]
    drop = men["n_event"].iloc[1] + men["n_censored"].iloc[1]
    assert men["n_risk"].iloc[1] == 138 - drop


def test_the_drawing_shows_every_count(curves):
    ax = km(curves, times=[0, 12, 24], rows=("n_risk", "n_event", "n_censored"))
    texts = [t.get_text() for t in ax.texts]
    assert {"At risk", "Events", "Censored", "men", "women", "138", "90"} <= set(texts)
    # Three headings, and for each a name and three counts per arm.
    assert len(texts) == 3 + 3 * 2 * (1 + 3)
    assert list(ax.get_xticks()) == [0, 12, 24]


def test_log_log_lines_are_finite_and_of_events_only(curves):
    frame = log_log_frame(curves)
    assert np.isfinite(frame["log_log"]).all()
    assert frame.groupby("group")["log_log"].apply(lambda y: y.is_monotonic_increasing).all()
    assert log_log(curves).get_xscale() == "log"


def test_the_rmst_figure_shows_the_difference_of_two_groups(lung):
    curve = rmst_curve(lung["time"], lung["event"], lung["arm"], tau=[6, 12, 24])
    frame = rmst_frame(curve)
    assert frame["term"].unique().tolist() == ["women - men"]
    np.testing.assert_allclose(frame["estimate"], curve.estimate[1] - curve.estimate[0])
    ax = draw_rmst(curve)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), frame["estimate"])
    alone = rmst_curve(lung["time"], lung["event"], tau=[6, 12])
    assert rmst_frame(alone)["term"].unique().tolist() == ["all"]
    assert "Restricted mean" in draw_rmst(alone).get_ylabel()


def test_models_are_marked_where_they_extrapolate(lung):
    found = compare_parametric(lung["time"], lung["event"], ["weibull", "exponential"])
    frame = model_frame(found.fits, [0, 12, 100])
    assert frame["extrapolated"].tolist() == [False, False, True] * 2
    assert frame["estimate"].iloc[0] == 1.0
    ax = model_curves(found.fits, curve=found.curve)
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == ["Kaplan-Meier", "weibull", "exponential"]


def test_hazards_and_ratios_are_drawn_on_their_own_scales(lung):
    men = lung[lung["arm"] == "men"]
    smooth = smoothed_hazard(men["time"], men["event"], label="men")
    frame = hazard_frame([smooth])
    assert (frame["conf_low"] <= frame["estimate"]).all()
    assert hazard([smooth]).get_yscale() == "linear"
    ratio = time_varying_hazard_ratio(lung["time"], lung["event"], lung["arm"])
    assert ratio.plot().get_yscale() == "log"


def test_the_residuals_trend_is_level_when_hazards_are_proportional():
    rng = np.random.default_rng(3)
    group = rng.integers(0, 2, 600)
    time = rng.exponential(np.where(group == 1, 2.0, 1.0))
    residuals = schoenfeld_residuals(time, np.ones(600), group)
    frame = schoenfeld_frame(residuals)
    assert frame["trend"].mean() == pytest.approx(-np.log(2), abs=0.2)
    assert np.ptp(frame["trend"]) < 0.8
    assert schoenfeld(residuals).get_ylabel() == "Log hazard ratio"


def test_the_trend_of_residuals_on_a_line_is_the_line():
    t = np.linspace(1.0, 20.0, 40)
    frame = schoenfeld_frame(pd.DataFrame({"term": "x", "time": t, "scaled": 0.3 - 0.1 * t}))
    np.testing.assert_allclose(frame["trend"], 0.3 - 0.1 * t)
    half = frame["conf_high"] - frame["trend"]
    assert (half > 0).all()
    np.testing.assert_allclose(half, frame["trend"] - frame["conf_low"])
    # Fewest neighbours at the ends: the band is widest there.
    assert half.iloc[0] > half.iloc[20]


def test_the_band_of_a_new_trial_is_drawn_as_far_as_three_trials_reach():
    short = kaplan_meier(np.arange(1.0, 9.0), [1, 1, 1, 1, 1, 1, 0, 0])
    long = [kaplan_meier(np.arange(1.0, 19.0) + s, np.tile([1, 1, 0], 6)) for s in (0.0, 0.5)]
    found = pool_curves({"a": short, "b": long[0], "c": long[1]}, [4.0, 6.0, 14.0])
    assert found.k.tolist() == [3, 3, 2]
    labels = [t.get_text() for t in pooled_curve(found).get_legend().get_texts()]
    assert labels == ["new trial", "mean, interval", "mean"]
