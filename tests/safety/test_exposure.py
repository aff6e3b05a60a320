"""Rates per time on treatment: computed by hand, and by simulation of what they assume."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metablin.errors import DataError
from metablin.safety import compare_by_exposure, exposure_rate

LN2 = np.log(2)


@pytest.mark.parametrize(
    ("assumption", "by_hand"),
    [
        ("total", 30 / (100 * 2.0)),
        ("fixed", -np.log(0.7) / 2.0),
        ("exponential", LN2 / 2.0 * 0.3 / 0.7),
    ],
)
def test_the_three_readings_by_hand(assumption: str, by_hand: float) -> None:
    assert exposure_rate(30, 100, 2.0, assumption)["estimate"] == pytest.approx(by_hand)


def test_limits_are_exact_ones_on_the_scale_of_the_rate() -> None:
    low = stats.beta.ppf(0.025, 30, 71)
    assert exposure_rate(30, 100, 2.0)["conf_low"] == pytest.approx(-np.log1p(-low) / 2)
    # Garwood: 30 events, 20.24 to 42.83
    total = exposure_rate(30, 100, 1.0, "total")
    assert total["conf_low"] * 100 == pytest.approx(20.24, abs=0.005)
    assert total["conf_high"] * 100 == pytest.approx(42.83, abs=0.005)


@pytest.mark.parametrize("assumption", ["fixed", "exponential"])
def test_a_simulated_constant_hazard_is_recovered(assumption: str) -> None:
    rng = np.random.default_rng(6)
    n, hazard, median = 200_000, 0.25, 2.0
    onset = rng.exponential(1 / hazard, n)
    treated = np.full(n, median) if assumption == "fixed" else rng.exponential(median / LN2, n)
    patients = int((onset < treated).sum())
    found = exposure_rate(patients, n, median, assumption)["estimate"]
    assert found == pytest.approx(hazard, rel=0.02)


def test_none_and_all_have_the_limits_they_can_have() -> None:
    assert exposure_rate(0, 50, 1.0)["conf_low"] == 0.0
    assert exposure_rate(0, 50, 1.0, "total")["estimate"] == 0.0
    assert np.isinf(exposure_rate(50, 50, 1.0)["estimate"])


def test_adjusted_and_unadjusted_stand_side_by_side() -> None:
    found = compare_by_exposure(30, 100, 2.0, 20, 100, 1.0)
    rows = found.to_frame().set_index("assumption")
    assert rows.loc["unadjusted", "estimate"] == pytest.approx(1.5)
    assert rows.loc["total", "estimate"] == pytest.approx(0.75)
    assert rows.loc["fixed", "estimate"] == pytest.approx(np.log(0.7) / np.log(0.8) / 2)
    assert rows.loc["exponential", "estimate"] == pytest.approx(0.3 / 0.7 / (0.2 / 0.8) / 2)
    half = 1.959964 * (1 / 30 - 1 / 100 + 1 / 20 - 1 / 100) ** 0.5
    assert rows.loc["unadjusted", "conf_high"] == pytest.approx(1.5 * np.exp(half), rel=1e-6)


def test_the_tipping_ratio_turns_the_adjusted_ratio_into_one() -> None:
    found = compare_by_exposure(30, 100, 2.0, 20, 100, 1.0)
    again = compare_by_exposure(30, 100, found.tipping_ratio, 20, 100, 1.0)
    fixed = again.to_frame().set_index("assumption").loc["fixed", "estimate"]
    assert fixed == pytest.approx(1.0)


def test_equal_exposure_leaves_rates_over_total_time_as_risks() -> None:
    rows = compare_by_exposure(9, 90, 3.0, 12, 80, 3.0).to_frame().set_index("assumption")
    assert rows.loc["total", "estimate"] == pytest.approx(rows.loc["unadjusted", "estimate"])


def test_the_unit_of_exposure_does_not_change_a_ratio() -> None:
    a = compare_by_exposure(9, 90, 3.0, 12, 80, 1.0).to_frame()["estimate"]
    b = compare_by_exposure(9, 90, 90.0, 12, 80, 30.0).to_frame()["estimate"]
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_empty_cells_are_filled_and_said_to_be() -> None:
    found = compare_by_exposure(12, 200, 2.0, 0, 100, 1.0).to_frame()
    assert np.isfinite(found["estimate"]).all()
    assert (found["note"] != "").all()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [((30, 20, 1.0), "more patients"), ((3, 20, 0.0), "exposure"), ((-1, 20, 1.0), "patients")],
)
def test_impossible_numbers_are_refused(arguments: tuple[float, ...], match: str) -> None:
    with pytest.raises(DataError, match=match):
        exposure_rate(*arguments)


def test_half_a_patient_fills_an_empty_cell_by_hand() -> None:
    rows = compare_by_exposure(0, 100, 2.0, 20, 100, 1.0).to_frame().set_index("assumption")
    assert rows.loc["unadjusted", "estimate"] == pytest.approx(0.005 / 0.2)
    assert rows.loc["total", "estimate"] == pytest.approx(0.005 / 2 / 0.2)
    assert rows.loc["fixed", "estimate"] == pytest.approx(np.log(0.995) / np.log(0.8) / 2)
    half = 1.959964 * (1 / 0.5 - 1 / 100 + 1 / 20 - 1 / 100) ** 0.5
    found = rows.loc["unadjusted", ["conf_low", "conf_high"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, 0.025 * np.exp([-half, half]), rtol=1e-6)


def test_half_a_patient_is_taken_from_a_full_cell_by_hand() -> None:
    rows = compare_by_exposure(40, 40, 2.0, 20, 40, 1.0).to_frame().set_index("assumption")
    assert rows.loc["unadjusted", "estimate"] == pytest.approx(2.0)
    assert rows.loc["fixed", "estimate"] == pytest.approx(np.log(0.5 / 40) / np.log(0.5) / 2)
    assert rows.loc["exponential", "estimate"] == pytest.approx(39.5 / 0.5 / 1 / 2)
    half = 1.959964 * (1 / 39.5 - 1 / 40 + 1 / 20 - 1 / 40) ** 0.5
    assert rows.loc["unadjusted", "conf_high"] == pytest.approx(2.0 * np.exp(half), rel=1e-6)
