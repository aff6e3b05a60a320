"""Routes from printed numbers to a log hazard ratio: published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metablin.errors import DataError
from metablin.mrd import (
    expected_events,
    hr_from_medians,
    hr_from_oe,
    hr_from_p,
    hr_from_patients,
    responder_hazard_ratios,
)

# The bladder cancer trial of Tierney 2007 (International Collaboration of Trialists, Lancet 1999):
# 485 deaths, hazard ratio 0.85 (0.71 to 1.02), p = 0.075.
DEATHS, HR, LOW, HIGH, P = (229, 256), 0.85, 0.71, 1.02, 0.075
CLOSED = 1e-12


def one(**values: float | str) -> pd.Series:
    frame = pd.DataFrame([{"study": "A", **values}])
    return responder_hazard_ratios(frame).to_frame().iloc[0]


def test_the_bladder_trial_comes_out_by_p_and_events() -> None:
    fit = hr_from_p(P, *DEATHS)
    assert np.exp(fit.log_hr) == pytest.approx(HR, abs=0.005)
    low, high = (np.exp(fit.log_hr + s * 1.959964 * fit.std_error) for s in (-1, 1))
    assert (low, high) == (pytest.approx(LOW, abs=0.005), pytest.approx(HIGH, abs=0.005))


def test_the_bladder_trial_agrees_across_routes() -> None:
    by_p = hr_from_p(P, *DEATHS)
    v = DEATHS[0] * DEATHS[1] / sum(DEATHS)
    by_oe = hr_from_oe(by_p.log_hr * v, v)
    by_interval = one(hr=HR, hr_low=LOW, hr_high=HIGH)
    assert by_oe.log_hr == pytest.approx(by_p.log_hr, rel=CLOSED)
    assert by_oe.std_error == pytest.approx(by_p.std_error, rel=CLOSED)
    assert by_interval["std_error"] == pytest.approx(by_p.std_error, rel=0.02)
    assert 2 * stats.norm.sf(abs(by_interval["log_hr"]) / by_interval["std_error"]) == (
        pytest.approx(P, abs=0.01)
    )


def test_observed_minus_expected_over_variance() -> None:
    fit = hr_from_oe(-12.0, 16.0)
    assert (fit.log_hr, fit.std_error) == (-0.75, 0.25)


def test_a_one_sided_p_has_the_z_of_twice_its_size() -> None:
    assert hr_from_p(0.02, 30, 20, sides=1).log_hr == pytest.approx(
        hr_from_p(0.04, 30, 20).log_hr, rel=CLOSED
    )
    assert hr_from_p(0.04, 30, 20, favours_first=False).log_hr > 0


def test_medians_give_the_ratio_of_constant_hazards() -> None:
    fit = hr_from_medians(18.0, 6.0, 40, 10)
    assert fit.log_hr == pytest.approx(-np.log(3), rel=CLOSED)
    assert fit.std_error == pytest.approx((1 / 40 + 1 / 10) ** 0.5, rel=CLOSED)


def test_expected_events_halve_the_survivors_every_median() -> None:
    assert expected_events(80, 10, 10) == pytest.approx(40)
    assert expected_events(80, 10, 30) == pytest.approx(70)


# Every route by hand. Normal quantiles are those of printed tables: z(0.975) = 1.959964,
# z(0.99) = 2.326348, z(0.995) = 2.575829. Equations of Parmar, Torri and Stewart 1998 (PTS) and
# the methods of Tierney and others 2007 (T) that use them.
QUANTILE = 1e-6
"""Relative: the quantiles above have seven digits."""

BY_HAND = {
    # PTS eq. 4, T method 3: ln HR = ln 0.6; se = (ln 0.9 - ln 0.4) / (2 * 1.959964)
    "hr_interval": (
        {"hr": 0.6, "hr_low": 0.4, "hr_high": 0.9}, np.log(0.6), np.log(0.9 / 0.4) / 3.919928,
    ),
    # PTS eq. 7, T method 4 backwards: se = |ln HR| / z, p = 0.02 two-sided
    "hr_p": ({"hr": 0.6, "p_value": 0.02}, np.log(0.6), -np.log(0.6) / 2.326348),
    # PTS eqs 6, 8, 9, T method 7: V = 30 * 15 / 45 = 10; ln HR = -z / sqrt(10), p = 0.01
    "p_events": (
        {"p_value": 0.01, "events_responders": 30, "events_nonresponders": 15},
        -2.575829 / 10**0.5, 10**-0.5,
    ),
    # Medians 20 and 10: ln HR = ln(10 / 20); test-based se = ln 2 / z, p = 0.05
    "p_medians": (
        {"p_value": 0.05, "median_responders": 20, "median_nonresponders": 10},
        -np.log(2), np.log(2) / 1.959964,
    ),
    # Constant hazard, two medians of follow-up: 40 * (1 - 1/4) = 30 and 20 * (1 - 1/4) = 15
    # events, so V = 10 again; p = 0.02
    "p_expected_events": (
        {"p_value": 0.02, "n_responders": 40, "n_nonresponders": 20, "median_all": 12,
         "followup": 24},
        -2.326348 / 10**0.5, 10**-0.5,
    ),
    # Exponential survival: ln HR = ln(m2 / m1), var = 1/30 + 1/15 = 1/10
    "medians_events": (
        {"median_responders": 20, "median_nonresponders": 10, "events_responders": 30,
         "events_nonresponders": 15},
        -np.log(2), 10**-0.5,
    ),
    # 40 followed for one median: 20 events; 20 followed for two: 15; var = 1/20 + 1/15 = 7/60
    "medians_expected_events": (
        {"median_responders": 24, "median_nonresponders": 12, "n_responders": 40,
         "n_nonresponders": 20, "followup": 24},
        -np.log(2), (7 / 60) ** 0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("route", list(BY_HAND))
def test_every_route_is_its_equation_by_hand(route: str) -> None:
    printed, log_hr, std_error = BY_HAND[route]
    row = one(**printed)
    assert row["route"] == route
    assert row["log_hr"] == pytest.approx(log_hr, rel=QUANTILE)
    assert row["std_error"] == pytest.approx(std_error, rel=QUANTILE)
    assert row["approximate"] == (route not in ("hr_interval", "hr_p", "p_events"))


def test_the_by_hand_table_and_the_routes_are_the_same_list() -> None:
    # the route by patients has no printed numbers; its regression is tested by Rubin's rules below
    from metablin.mrd.routes import ROUTES

    assert {*BY_HAND, "patients"} == set(ROUTES)


EVERYTHING = {
    "hr": 0.5, "hr_low": 0.3, "hr_high": 0.8333, "p_value": 0.01, "events_responders": 30,
    "events_nonresponders": 15, "median_responders": 20, "median_nonresponders": 10,
    "n_responders": 60, "n_nonresponders": 20, "followup": 24,
}  # fmt: skip


@pytest.mark.parametrize(
    ("drop", "route"),
    [
        ((), "hr_interval"),
        (("hr_low",), "hr_p"),
        (("hr",), "p_events"),
        (("hr", "events_responders"), "p_medians"),
        (("hr_low", "events_responders", "p_value"), "medians_expected_events"),
        (("hr_low", "p_value"), "medians_events"),
    ],
)
def test_the_best_route_is_taken_and_recorded(drop: tuple[str, ...], route: str) -> None:
    row = one(**{k: v for k, v in EVERYTHING.items() if k not in drop})
    assert row["route"] == route
    assert row["approximate"] == (route not in ("hr_interval", "hr_p", "p_events"))
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_a_p_value_and_a_missing_median_fall_back_on_the_cohort() -> None:
    row = one(p_value=0.009, n_responders=25, n_nonresponders=11, followup=30, median_all=12)
    e1, e2 = expected_events(25, 12, 30), expected_events(11, 12, 30)
    assert row["route"] == "p_expected_events"
    assert row["log_hr"] == pytest.approx(hr_from_p(0.009, e1, e2).log_hr, rel=CLOSED)


def test_an_open_median_caps_the_events_at_half_the_patients() -> None:
    row = one(p_value=0.002, n_responders=80, n_nonresponders=20, followup=60, median_all=30,
              median_nonresponders=12, median_responders_state="NR")  # fmt: skip
    by_hand = hr_from_p(0.002, 40, expected_events(20, 12, 60))
    assert row["log_hr"] == pytest.approx(by_hand.log_hr, rel=CLOSED)


def test_medians_with_a_p_value_reproduce_that_p_value() -> None:
    row = one(p_value=0.002, median_responders=24, median_nonresponders=6)
    assert row["estimate"] == pytest.approx(0.25)
    assert 2 * stats.norm.sf(-row["log_hr"] / row["std_error"]) == pytest.approx(0.002)


def test_reconstructions_combine_by_rubins_rules() -> None:
    from metablin.survival.cox import cox

    rng = np.random.default_rng(2)
    group = np.repeat([1, 0], 30)
    draws = [(rng.exponential(np.where(group == 1, 10, 4)), np.ones(60), group) for _ in range(3)]
    fits = [cox(t, e, g) for t, e, g in draws]
    b = np.array([f.log_hr[0] for f in fits])
    within = np.mean([f.std_error[0] ** 2 for f in fits])
    found = hr_from_patients(draws)
    assert found.log_hr == pytest.approx(b.mean())
    assert found.std_error**2 == pytest.approx(within + (1 + 1 / 3) * b.var(ddof=1))


def test_an_unusable_row_stays_with_its_reason() -> None:
    row = one(median_responders=9)
    assert np.isnan(row["log_hr"])
    assert "nothing printed" in row["note"]


@pytest.mark.parametrize(
    ("timing", "flag"),
    [("landmark", False), ("time-dependent", False), ("not stated", True), ("", True)],
)
def test_a_comparison_without_landmark_is_flagged(timing: str, flag: bool) -> None:
    row = one(hr=0.5, hr_low=0.3, hr_high=0.8333, timing=timing)
    assert row["immortal_time"] == flag


def test_effects_leave_out_what_cannot_be_used_and_what_is_approximate_on_request() -> None:
    frame = pd.DataFrame(
        {"study": ["A", "B", "C"], "endpoint": ["os", "os", "rfs"],
         "hr": [0.5, np.nan, np.nan], "hr_low": [0.3, np.nan, np.nan],
         "hr_high": [0.8333, np.nan, np.nan], "p_value": [np.nan, 0.01, np.nan],
         "median_responders": [np.nan, 20, 9], "median_nonresponders": [np.nan, 8, np.nan]}
    )  # fmt: skip
    found = responder_hazard_ratios(frame)
    assert found.effects().studies == ("A", "B")
    assert found.effects(("os",), approximate=False).studies == ("A",)
    assert found.effects().measure == "hr"
    assert found.to_dict()["comparisons"][0]["route"] == "hr_interval"


@pytest.mark.parametrize("p", [0.0, 1.0, 1.2, -0.1])
def test_an_impossible_p_value_is_refused(p: float) -> None:
    with pytest.raises(DataError, match="p_value"):
        hr_from_p(p, 20, 20)


def test_the_study_column_is_needed() -> None:
    with pytest.raises(DataError, match="study"):
        responder_hazard_ratios(pd.DataFrame({"hr": [0.5]}))
