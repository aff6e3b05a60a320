"""Groups formed after baseline: refused, landmarked or time-dependent."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import metablin as mb
from metablin.errors import DataError, MetablinWarning
from metablin.mrd import (
    compare_counts_after_baseline,
    compare_groups_after_baseline,
    immortal_time_bounds,
    simon_makuch,
    simulate_cohort,
    simulate_immortal_time,
)

COHORT = simulate_cohort(120, true_hr=0.6, window=4.0, rng=np.random.default_rng(11))


def partial_loglik(beta: float) -> float:
    """Slow and plain: over deaths, who was at risk, and in which group at that moment."""
    time, event, at = COHORT
    total = 0.0
    for i in np.flatnonzero(event == 1):
        risk = [j for j in range(len(time)) if time[j] >= time[i]]
        group = [float(at[j] < time[i]) for j in risk]
        total += beta * float(at[i] < time[i]) - np.log(sum(np.exp(beta * g) for g in group))
    return total


def test_a_naive_comparison_is_refused() -> None:
    with pytest.raises(DataError, match="immortal time"):
        compare_groups_after_baseline(*COHORT, method="naive")
    with pytest.raises(DataError, match="allow_naive=True"):
        compare_counts_after_baseline(3, 10, 5, 12)


def test_a_naive_comparison_that_is_allowed_warns_and_is_marked() -> None:
    with pytest.warns(MetablinWarning, match="immortal time"):
        found = compare_groups_after_baseline(*COHORT, method="naive", allow_naive=True)
    assert found.immortal_time
    with pytest.warns(MetablinWarning, match="immortal time"):
        table = compare_counts_after_baseline(0, 10, 12, 12, allow_naive=True)
    assert table["conf_low"].tolist()[0] == 0.0
    assert table["conf_high"].tolist()[1] == 1.0
    assert "ratio" not in table.columns


def test_the_time_dependent_estimate_maximises_the_plain_partial_likelihood() -> None:
    found = compare_groups_after_baseline(*COHORT)
    top = partial_loglik(found.log_hr)
    for step in (-1e-3, 1e-3):
        assert partial_loglik(found.log_hr + step) < top
    h = 1e-3
    curvature = (
        partial_loglik(found.log_hr + h) - 2 * top + partial_loglik(found.log_hr - h)
    ) / h**2  # fmt: skip
    assert found.std_error == pytest.approx((-curvature) ** -0.5, rel=1e-4)


def test_a_landmark_drops_those_who_are_gone_and_takes_groups_as_they_stand() -> None:
    time, _event, at = COHORT
    found = compare_groups_after_baseline(*COHORT, method="landmark", landmark=4.0)
    assert found.n == int((time > 4).sum())
    assert found.n_changed == int(((time > 4) & (at <= 4)).sum())
    assert found.n_left_out == int((time <= 4).sum())


def test_changes_at_time_zero_make_all_three_comparisons_one() -> None:
    time, event, at = COHORT
    start = np.where(np.isnan(at), np.nan, 0.0)
    with pytest.warns(MetablinWarning):
        naive = compare_groups_after_baseline(time, event, start, method="naive", allow_naive=True)
    dependent = compare_groups_after_baseline(time, event, start)
    landmark = compare_groups_after_baseline(time, event, start, method="landmark", landmark=0.0)
    assert dependent.log_hr == pytest.approx(naive.log_hr, rel=1e-9)
    assert landmark.log_hr == pytest.approx(naive.log_hr, rel=1e-9)


def test_simon_makuch_counts_patients_where_they_are() -> None:
    # by hand: changes at 2 and 4; deaths at 3 (unchanged), 5 and 12 (changed); one censored at 9
    data = ([3, 5, 9, 12], [1, 1, 0, 1], [None, 2, None, 4])
    curves = mb.simon_makuch(*data).curves
    later, never = curves["responder"], curves["non-responder"]
    assert never.survival[never.time == 3][0] == pytest.approx(2 / 3)
    assert later.survival[later.time == 5][0] == pytest.approx(1 / 2)
    assert later.survival[later.time == 12][0] == pytest.approx(0.0)
    with pytest.warns(DeprecationWarning, match=r"metablin\.simon_makuch"):
        old = simon_makuch(*data)
    assert np.array_equal(old[0].survival, later.survival)


def test_bounds_start_at_the_naive_ratio_and_grow_with_the_window() -> None:
    found = [
        immortal_time_bounds(0.5, 0.05, window=w, followup=24, share=0.6) for w in (0, 1, 2, 3)
    ]
    assert found[0] == (0.5, pytest.approx(0.5))
    assert all(b[1] > a[1] for a, b in itertools.pairwise(found))
    assert all(low == 0.5 for low, _ in found)


def test_bounds_by_hand_with_a_very_long_follow_up() -> None:
    # mean times 1/0.025 = 40 and 1/0.05 = 20: 0.5 * 40/38 * (20 + 2 * 1.5)/20
    low, high = immortal_time_bounds(0.5, 0.05, window=2, followup=1e6, share=0.6)
    assert (low, high) == (0.5, pytest.approx(0.5 * 40 / 38 * 23 / 20))


@pytest.mark.parametrize("true_hr", [1.0, 0.5])
@pytest.mark.parametrize("window", [1.5, 3.0])
def test_bounds_hold_the_truth_and_half_the_window_comes_near_it(
    true_hr: float, window: float
) -> None:
    # responses are spread evenly over the window, so on average they come halfway through it
    time, event, at = simulate_cohort(
        20_000, true_hr=true_hr, window=window, rng=np.random.default_rng(1)
    )
    ever = ~np.isnan(at)
    rates = [event[g].sum() / time[g].sum() for g in (ever, ~ever)]
    given = (rates[0] / rates[1], rates[1])
    low, high = immortal_time_bounds(*given, window, 27.0, float(ever.mean()))
    half = immortal_time_bounds(*given, window / 2, 27.0, float(ever.mean()))[1]
    assert low < true_hr < high
    assert half == pytest.approx(true_hr, rel=0.05)


def test_the_simulation_shows_the_bias_and_its_two_cures() -> None:
    found = simulate_immortal_time([1.0, 0.5], [6.0], simulations=60, seed=5).to_frame()
    by = found.set_index(["true_hr", "method"])
    for truth in (1.0, 0.5):
        assert by.loc[(truth, "naive"), "bias"] < -0.4
        for cure in ("landmark", "time-dependent"):
            row = by.loc[(truth, cure)]
            assert abs(row["bias"]) < 4 * row["mc_error"]
            assert row["coverage"] > 0.85


def test_the_quick_estimates_of_the_simulation_are_those_of_the_regression() -> None:
    from metablin.mrd.simulation import _one

    quick = _one(150, 0.6, 3.0, np.random.default_rng(9), {})
    data = simulate_cohort(150, true_hr=0.6, window=3.0, rng=np.random.default_rng(9))
    with pytest.warns(MetablinWarning):
        slow = [compare_groups_after_baseline(*data, method="naive", allow_naive=True)]
    slow.append(compare_groups_after_baseline(*data, method="landmark", landmark=3.0))
    slow.append(compare_groups_after_baseline(*data))
    for (log_hr, std_error), found in zip(quick, slow, strict=True):
        assert log_hr == pytest.approx(found.log_hr, abs=1e-8)
        assert std_error == pytest.approx(found.std_error, rel=1e-6)


def test_the_simulation_is_its_seed() -> None:
    a, b, c = (
        simulate_immortal_time([0.8], [3.0], n=60, simulations=3, seed=s).to_dict()["rows"]
        for s in (1, 1, 2)
    )
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"method": "landmark"}, "needs a time"),
        ({"method": "guess"}, "method"),
    ],
)
def test_bad_requests_are_named(changes: dict[str, str], match: str) -> None:
    with pytest.raises(DataError, match=match):
        compare_groups_after_baseline(*COHORT, **changes)


def test_a_change_after_the_end_is_named() -> None:
    with pytest.raises(DataError, match="changed_at"):
        compare_groups_after_baseline([3, 5], [1, 1], [4, None])
