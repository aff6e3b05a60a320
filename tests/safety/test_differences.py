"""Randomised differences of adverse events."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from metablin.errors import DataError
from metablin.safety import event_difference, event_differences


def test_the_mantel_haenszel_risk_difference_by_hand() -> None:
    found = event_differences([4, 6], [40, 60], [10, 9], [40, 60]).set_index("method")
    # weights 20 and 30; differences -6/40 and -3/60
    assert found.loc["mantel-haenszel-rd", "estimate"] == pytest.approx((-3 - 1.5) / 50)
    r, s = 4 * 30 / 80 + 6 * 51 / 120, 10 * 36 / 80 + 9 * 54 / 120
    assert found.loc["mantel-haenszel-or", "estimate"] == pytest.approx(r / s)
    rr = (4 * 40 / 80 + 6 * 60 / 120) / (10 * 40 / 80 + 9 * 60 / 120)
    assert found.loc["mantel-haenszel-rr", "estimate"] == pytest.approx(rr)


def test_petos_ratio_of_one_trial_is_observed_minus_expected_over_variance() -> None:
    found = event_differences([1], [100], [4], [100]).set_index("method")
    v = 100 * 100 * 5 * 195 / (200**2 * 199)
    assert found.loc["peto-or", "estimate"] == pytest.approx(np.exp((1 - 2.5) / v))
    assert found["preferred"].to_dict()["peto-or"]


def test_a_zero_arm_leaves_the_ratio_open_and_the_difference_usable() -> None:
    found = event_differences([12], [200], [0], [100]).set_index("method")
    assert np.isnan(found.loc["mantel-haenszel-or", "estimate"])
    assert "0 or infinite" in found.loc["mantel-haenszel-or", "note"]
    assert found.loc["mantel-haenszel-rd", "estimate"] == pytest.approx(0.06)
    assert found.loc["exact", "p_value"] == pytest.approx(
        stats.fisher_exact([[12, 188], [0, 100]])[1]
    )


def test_common_events_prefer_the_risk_difference() -> None:
    found = event_differences([30], [100], [50], [100])
    assert found.loc[found["preferred"], "method"].tolist() == ["mantel-haenszel-rd"]


def test_newcombes_interval_is_the_published_one() -> None:
    # Newcombe 1998, Table II, contrast (a): 56/70 - 48/80 is 0.2, method 10 gives 0.0524 to 0.3339
    found = event_difference(56, 70, 48, 80)
    assert found["estimate"] == pytest.approx(0.2)
    assert found["conf_low"] == pytest.approx(0.0524, abs=5e-5)
    assert found["conf_high"] == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize("measure", ["rr", "or"])
def test_swapping_the_arms_inverts_a_ratio(measure: str) -> None:
    a = event_difference(12, 60, 25, 70, measure=measure)
    b = event_difference(25, 70, 12, 60, measure=measure)
    assert a["estimate"] == pytest.approx(1 / b["estimate"])
    assert a["conf_low"] == pytest.approx(1 / b["conf_high"], rel=1e-3)


@pytest.mark.parametrize("measure", ["rr", "or"])
def test_a_zero_gives_an_open_ended_ratio(measure: str) -> None:
    none = event_difference(0, 50, 10, 50, measure=measure)
    assert (none["estimate"], none["conf_low"]) == (0.0, 0.0)
    assert 0 < none["conf_high"] < 1
    every = event_difference(10, 50, 0, 50, measure=measure)
    assert np.isinf(every["estimate"])
    assert np.isinf(every["conf_high"])
    assert every["conf_low"] > 1


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(DataError, match="more events"):
        event_differences([5], [4], [1], [4])
