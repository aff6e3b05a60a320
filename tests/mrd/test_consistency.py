"""Subgroup curves add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.mrd import mixture_bounds, mixture_check, mixture_median

TIMES = np.array([3.0, 6.0, 12.0, 24.0])
RESPONDERS, OTHERS, SHARE = 2 ** (-TIMES / 20), 2 ** (-TIMES / 5), 0.7
WHOLE = SHARE * RESPONDERS + (1 - SHARE) * OTHERS


def test_the_rest_is_recovered_from_the_whole_and_the_responders() -> None:
    found = mixture_check(TIMES, WHOLE, RESPONDERS, SHARE, tolerance=0.0)
    np.testing.assert_allclose(found.implied, OTHERS, rtol=1e-12)
    assert found.consistent.all()


def test_rounding_widens_the_implied_curve_by_its_worst_case() -> None:
    found = mixture_check([12], [0.50], [0.60], 0.75, tolerance=0.005)
    assert found.implied[0] == pytest.approx(0.2)
    # worst case by hand: (0.505 - 0.75 * 0.595) / 0.25 = 0.235
    assert found.implied_high[0] == pytest.approx(0.235)
    assert found.implied_low[0] == pytest.approx(0.165)


def test_curves_that_cannot_add_up_are_found() -> None:
    found = mixture_check([12, 24], [0.50, 0.40], [0.80, 0.50], 0.8)
    assert found.consistent.tolist() == [False, True]


def test_a_printed_curve_is_checked_against_the_implied_one() -> None:
    printed = OTHERS + np.array([0, 0, 0.2, 0])
    found = mixture_check(TIMES, WHOLE, RESPONDERS, SHARE, printed)
    assert found.consistent.tolist() == [True, True, False, True]


def test_bounds_hold_for_every_split_of_the_deaths() -> None:
    low, high = mixture_bounds(WHOLE, SHARE)
    assert (low <= RESPONDERS).all()
    assert (high >= RESPONDERS).all()
    rng = np.random.default_rng(4)
    others = rng.random(1000)
    implied = (0.5 - 0.3 * others) / 0.7
    low, high = mixture_bounds([0.5], 0.7)
    possible = implied[(implied >= 0) & (implied <= 1)]
    assert possible.min() >= low[0]
    assert possible.max() <= high[0]


def test_the_median_of_a_mixture_halves_it() -> None:
    t = mixture_median(20, 5, SHARE)
    assert SHARE * 2 ** (-t / 20) + (1 - SHARE) * 2 ** (-t / 5) == pytest.approx(0.5, abs=1e-12)
    assert 5 < t < 20
    assert mixture_median(5, 20, 1 - SHARE) == pytest.approx(t)


def test_probabilities_and_shares_are_checked() -> None:
    with pytest.raises(DataError, match="overall"):
        mixture_check([1], [1.2], [0.5], 0.5)
    with pytest.raises(DataError, match="share"):
        mixture_check([1], [0.5], [0.5], 1.0)
    assert mixture_check([1], [0.5], [0.5], 0.5).to_dict()["share"] == 0.5
