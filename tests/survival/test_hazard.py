"""Hazards and changing hazard ratios."""

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.survival import (
    bootstrap_hazard_ratios,
    cox,
    kaplan_meier,
    nelson_aalen,
    piecewise_hazard_ratio,
    smoothed_hazard,
    time_varying_hazard_ratio,
)
from tests.reference import table


def test_the_cumulative_hazard_is_the_curves_own():
    d = table("pbc")
    frame = nelson_aalen(d["time"], d["event"], weights=d["weight"])
    curve = kaplan_meier(d["time"], d["event"], weights=d["weight"])
    at = curve.n_event > 0
    np.testing.assert_allclose(frame["estimate"], curve.cumulative_hazard[at])
    np.testing.assert_allclose(frame["std_error"], curve.std_error_hazard[at])
    half = np.log(frame["conf_high"] / frame["estimate"])
    np.testing.assert_allclose(half, 1.959963984540054 * frame["std_error"] / frame["estimate"])


def test_a_constant_hazard_is_smoothed_to_a_constant():
    rng = np.random.default_rng(1)
    time = rng.exponential(10.0, 6000)
    curve = smoothed_hazard(time, np.ones(6000), bandwidth=6.0)
    early = curve.time < 25
    assert np.abs(curve.estimate[early] / 0.1 - 1).max() < 0.12
    assert curve.estimate[0] == pytest.approx(0.1, abs=0.012)


def test_smoothing_keeps_the_cumulative_hazard_within_its_ends():
    d = table("lung")
    curve = smoothed_hazard(d["time"], d["event"], bandwidth=60.0)
    # Away from the ends the integral of the smooth is the Nelson-Aalen estimate.
    inner = (curve.time > 100) & (curve.time < 500)
    area = np.trapezoid(curve.estimate[inner], curve.time[inner])
    na = nelson_aalen(d["time"], d["event"]).set_index("time")["estimate"]
    low, high = (na[na.index <= curve.time[inner][i]].iloc[-1] for i in (0, -1))
    assert area == pytest.approx(high - low, rel=0.05)


def test_pieces_without_cuts_are_the_whole_and_pieces_are_cox_fits_of_their_interval():
    d = table("lung")
    whole = piecewise_hazard_ratio(d["time"], d["event"], d["group"], [5000.0])
    fit = cox(d["time"], d["event"], d["group"])
    assert whole["estimate"].iloc[0] == pytest.approx(fit.hr, rel=1e-9)
    assert whole["note"].iloc[1] != ""
    assert np.isnan(whole["estimate"].iloc[1])
    pieces = piecewise_hazard_ratio(d["time"], d["event"], d["group"], [200.0])
    late = d[d["time"] > 200]
    again = cox(late["time"], late["event"], late["group"], entry=np.full(len(late), 200.0))
    assert pieces["estimate"].iloc[1] == pytest.approx(again.hr, rel=1e-9)
    assert pieces["events"].sum() == d["event"].sum()


def test_a_linear_trend_matches_cox_with_split_follow_up():
    rng = np.random.default_rng(6)
    n = 400
    group = rng.integers(0, 2, n)
    time = rng.exponential(np.where(group == 1, 14.0, 10.0))
    event = (time < 20).astype(int)
    time = np.minimum(time, 20.0)
    curve = time_varying_hazard_ratio(time, event, group, knots=0)
    # Split every patient at every event time and add x * t as a covariate.
    deaths = np.unique(time[event == 1])
    start = np.r_[0.0, deaths[:-1]]
    rows = [
        (a, b, int(time[i] == b and event[i]), group[i], group[i] * b)
        for i in range(n)
        for a, b in zip(start, deaths, strict=True)
        if time[i] >= b
    ]
    import pandas as pd

    long = pd.DataFrame(rows, columns=["entry", "time", "event", "x", "xt"])
    fit = cox(long["time"], long["event"], covariates=long[["x", "xt"]], entry=long["entry"])
    expected = np.exp(fit.log_hr[0] + fit.log_hr[1] * curve.time)
    np.testing.assert_allclose(curve.estimate, expected, rtol=1e-6)
    z = fit.log_hr[1] / fit.std_error[1]
    from scipy.stats import norm

    assert curve.p_value == pytest.approx(2 * norm.sf(abs(z)), rel=1e-6)


def test_a_crossing_is_seen():
    rng = np.random.default_rng(9)
    n = 3000
    group = np.repeat([0, 1], n // 2)
    time = np.where(group == 1, rng.weibull(0.7, n), rng.weibull(1.5, n)) * 10
    curve = time_varying_hazard_ratio(time, np.ones(n), group)
    assert curve.estimate[0] > 1.3
    assert curve.estimate[-1] < 0.8
    assert curve.p_value < 1e-6
    assert curve.label == "1 vs 0"


def test_bootstrap_ratios_are_cox_fits_of_the_samples():
    d = table("veteran")
    found = bootstrap_hazard_ratios(d["time"], d["event"], d["group"], samples=20, seed=3)
    # The same draws, one Cox model each.
    rng = np.random.default_rng(3)
    order = np.argsort(d["time"].to_numpy(), kind="stable")
    s = d.iloc[order]
    treated = (s["group"] == 2).to_numpy()
    drawn = np.zeros((20, len(s)), dtype=int)
    for arm in (False, True):
        members = np.flatnonzero(treated == arm)
        drawn[:, members] = rng.multinomial(
            members.size, np.full(members.size, 1 / members.size), size=20
        )
    for row, log_hr in zip(drawn, found, strict=True):
        again = s.iloc[np.repeat(np.arange(len(s)), row)]
        fit = cox(again["time"], again["event"], again["group"])
        assert log_hr == pytest.approx(fit.log_hr[0], abs=1e-6)


def test_samples_without_events_in_an_arm_are_infinite():
    found = bootstrap_hazard_ratios(
        [1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 1], list("aaabbb"), samples=200
    )
    assert np.isinf(found).any()
    assert not np.isnan(found).any()


def test_bad_requests_are_named():
    with pytest.raises(DataError, match="column 'knots'"):
        time_varying_hazard_ratio([1, 2, 3, 4], [1, 1, 1, 1], list("abab"), knots=7)
    with pytest.raises(DataError, match="two groups"):
        piecewise_hazard_ratio([1, 2, 3], [1, 1, 1], list("abc"), [2])
    with pytest.raises(DataError, match="column 'samples'"):
        bootstrap_hazard_ratios([1, 2], [1, 1], list("ab"), samples=0)
