"""Draws from summaries as a sample: against brute force, and what they may not pin down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from metablin import DataError
from metablin.numerics import kaplan_meier
from metablin.reconstruct import reconstruct_summary, reconstruct_summary_pair
from metablin.reconstruct.summary._input import error_of_limits, parse_arm
from metablin.reconstruct.summary._patients import draw_patients, stations
from metablin.reconstruct.summary._shapes import monotone_cubic
from metablin.reconstruct.summary.pair import KERNEL, all_log_ratios, log_ratio


def at(ipd, t: float) -> float:
    return float(
        kaplan_meier.survival_at(kaplan_meier.steps(ipd.time, ipd.event), np.array([t]))[0]
    )


def test_patients_of_given_curves_are_those_that_brute_force_keeps():
    """Independent slow version: simulate whole trials and keep those that show the print."""
    arm = parse_arm(20, None, None, [(12.0, 0.6)], None, None, 0.95, "")
    time = np.linspace(0.0, 20.0, 240)
    h, g = 0.6 * (time / 12.0) ** 0.8 * np.log(1 / 0.6) / 0.6, 1.0 - (time / 20.0) ** 2
    rng = np.random.default_rng(5)
    kept = []
    while len(kept) < 1500:
        t = np.interp(rng.exponential(1.0, 20), h, time, right=np.inf)
        c = 20.0 * np.sqrt(rng.random(20))
        x, e = np.minimum(t, c), (t <= c).astype(int)
        km = kaplan_meier.steps(x, e)
        s6, s12 = kaplan_meier.survival_at(km, np.array([6.0, 12.0]))
        if abs(s12 - 0.6) <= 0.025 and x.max() >= 12.0:
            kept.append((s6, (x >= 12.0).sum(), e.sum()))
    marks = stations(arm)
    drawn = []
    while len(drawn) < 1500:
        found = draw_patients(arm, marks, time, h, g, rng)
        if found is not None:
            x, e, _ = found
            km = kaplan_meier.steps(x, e)
            drawn.append(
                (kaplan_meier.survival_at(km, np.array([6.0]))[0], (x >= 12).sum(), e.sum())
            )
    a, b = np.array(kept), np.array(drawn)
    # S(6) to a tenth of its spread; a quarter for counts, where m follows from the censorings
    assert abs(a[:, 0].mean() - b[:, 0].mean()) < 0.1 * a[:, 0].std() + 0.005
    assert b[:, 0].std() == pytest.approx(a[:, 0].std(), rel=0.2)
    assert np.abs(a[:, 1:].mean(0) - b[:, 1:].mean(0)).max() < 0.25 * a[:, 1:].std(0).max()


def test_survival_shortly_ahead_of_the_median_stays_open():
    sets = reconstruct_summary(n=110, median=(18.9, 12.3, 35.2), draws=100)
    low, high = np.quantile([at(s, 18.0) for s in sets], [0.025, 0.975])
    assert high - low > 0.03  # two events more or fewer of the 55 at risk


def test_early_survival_under_a_late_landmark_is_where_the_shapes_put_it():
    sets = reconstruct_summary(n=63, landmarks=[(48, 0.78)], followup=18, draws=100)
    assert 0.85 < np.median([at(s, 18.0) for s in sets]) < 0.96


def test_after_a_landmark_without_deaths_the_next_one_is_not_excluded():
    sets = reconstruct_summary(n=20, landmarks=[(12, 1.0)], followup=18, draws=100)
    assert np.quantile([at(s, 18.0) for s in sets], 0.05) < 0.97


@pytest.mark.parametrize("items", [
    {"n": 40, "median": 9.0, "landmarks": [(36, 0.2)]},
    {"n": 30, "events": 2, "landmarks": [(24, 0.93), (48, 0.93)], "followup": 20},
    {"n": 12, "landmarks": [(60, 0.5)]},
])  # fmt: skip
def test_someone_is_followed_to_every_landmark_above_zero(items):
    last = max(x[0] for x in items["landmarks"])
    assert all(s.time[-1] >= last for s in reconstruct_summary(**items, draws=40))


def test_without_follow_up_it_ends_beyond_the_upper_limit_of_the_median():
    sets = reconstruct_summary(n=90, median=(8.0, 6.0, 11.7), draws=60)
    assert min(s.time[-1] for s in sets) >= 11.7
    found = np.array(
        [kaplan_meier.median_interval(kaplan_meier.steps(s.time, s.event)) for s in sets]
    )
    assert np.isfinite(found[:, 1]).mean() > 0.9
    assert np.nanmedian(found[:, 1]) == pytest.approx(11.7, abs=0.15 * 5.7)
    assert np.nanmedian(found[:, 0]) == pytest.approx(6.0, abs=0.15 * 5.7)


@pytest.mark.parametrize("s", [0.5, 0.49, 0.52])
def test_a_landmark_at_the_time_of_the_median_is_told_apart_within_the_rounding(s):
    sets = reconstruct_summary(
        n=150, events=124, median=(6.6, 5.5, 7.5), landmarks=[(6.6, s), (13.3, 0.25)],
        followup=32.7, draws=10,
    )  # fmt: skip
    for x in sets:
        assert kaplan_meier.median(kaplan_meier.steps(x.time, x.event)) == pytest.approx(
            6.6, abs=0.05
        )
        assert at(x, 6.6) == pytest.approx(s, abs=0.005 + 1e-9)
        assert x.quality.verdict == "agrees with print"


A = {"n": 90, "events": 55, "landmarks": [(6, 0.7), (18, 0.42)], "followup": 20}
B = {"n": 88, "events": 66, "landmarks": [(6, 0.55), (18, 0.28)], "followup": 20}


def test_a_ratio_that_says_nothing_new_leaves_the_arms_as_they_are():
    single = [reconstruct_summary(**x, draws=150, seed=3) for x in (A, B)]
    usual = np.median(
        [log_ratio((a.time, a.event), (b.time, b.event)) for a, b in zip(*single, strict=True)]
    )
    pair = reconstruct_summary_pair(A, B, hr=round(float(np.exp(usual)), 2), draws=60, seed=4)
    for alone, joint in zip(single, pair, strict=True):
        for t in (3.0, 12.0):
            x, y = np.array([at(s, t) for s in alone]), np.array([at(s, t) for s in joint])
            noise = np.sqrt(x.var() / x.size + y.var() / y.size)
            assert abs(x.mean() - y.mean()) < 4.0 * noise
            assert 0.6 < y.std() / x.std() < 1.4


def test_ratios_of_all_pairs_are_those_of_the_cox_model():
    sets = [
        [(s.time, s.event) for s in reconstruct_summary(**x, draws=6, seed=i)]
        for i, x in enumerate((A, B))
    ]
    fast = all_log_ratios(*sets)
    exact = np.array([[log_ratio(a, b) for b in sets[1]] for a in sets[0]])
    np.testing.assert_allclose(fast, exact, atol=KERNEL)  # ties within an interval


def test_the_monotone_cubic_is_the_hermite_spline_of_its_slopes():
    t, h = np.array([0.0, 1.0, 4.0, 5.0]), np.array([0.0, 0.3, 0.9, 2.0])
    w, d = np.diff(t), np.diff(h) / np.diff(t)
    inner = 3 * (w[:-1] + w[1:]) / (
        (2 * w[1:] + w[:-1]) / d[:-1] + (w[1:] + 2 * w[:-1]) / d[1:]
    )  # fmt: skip
    spline = CubicHermiteSpline(t, h, np.concatenate([d[:1], inner, d[-1:]]))
    x = np.linspace(0.0, 5.0, 101)
    j = np.minimum(np.searchsorted(t, x, side="right"), 3)
    share = (x - t[j - 1]) / (t[j] - t[j - 1])
    found = monotone_cubic(t[None], h[None], j[None], share[None])[0]
    np.testing.assert_allclose(found, spline(x), atol=1e-12)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("scale", ["plain", "log", "log-log"])
def test_the_error_behind_limits_is_found_on_their_own_scale(scale):
    s, error, z = 0.8, 0.05, 1.959964
    if scale == "plain":
        low, high = s - z * error, s + z * error
    elif scale == "log":
        low, high = s * np.exp(-z * error / s), s * np.exp(z * error / s)
    else:
        power = np.exp(z * error / (-s * np.log(s)))
        low, high = s**power, s ** (1 / power)
    assert error_of_limits(s, float(low), float(high), 0.95) == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("items", "column", "words"),
    [
        ({"n": 50, "median": float("nan")}, "median", "NaN"),
        ({"n": float("nan"), "median": 5}, "n", "NaN"),
        ({"n": float("inf"), "median": 5}, "n", "whole number"),
        ({"n": 1e12, "median": 5}, "n", "at most 10000000"),
        ({"n": 50, "events": float("inf"), "median": 5}, "events", "whole number"),
        ({"n": 50, "landmarks": [(float("nan"), 0.5)]}, "landmarks", "NaN"),
        ({"n": 50, "landmarks": [(6, float("nan"))]}, "landmarks", "NaN"),
        ({"n": 50, "landmarks": [(6, None)]}, "landmarks", "every place"),
        ({"n": 50, "landmarks": [(-6, 0.5)]}, "landmarks", "above 0"),
        ({"n": 50, "median": 5, "followup": -2}, "followup", "above 0"),
        ({"n": 50, "median": 5, "level": 95}, "level", "between 0 and 1"),
        ({"n": 50, "median": 5, "at_risk": ([0, 6], [50, float("nan")])}, "at_risk", "count"),
        ({"n": 50, "median": 5, "at_risk": ([0, 6], [50, 3.5])}, "at_risk", "row 2"),
    ],
)
def test_odd_values_are_one_clear_error(items, column, words):
    with pytest.raises(DataError) as caught:
        reconstruct_summary(**items)
    assert caught.value.column == column
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
