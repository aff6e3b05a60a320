from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import median_survival_times
from scipy.optimize import minimize

from metablin.numerics import kaplan_meier
from metablin.numerics.partial import log_hazard_ratio
from metablin.numerics.quadratic import bounded_quadratic
from metablin.reconstruct.curve._fit import monotone
from metablin.reconstruct.curve.clicks import Rows
from metablin.reconstruct.curve.clicks._mend import put_in_order
from metablin.reconstruct.printed import half_digit
from tests.reconstruct.conftest import lifelines_survival, plain_survival

CLOSED_FORM = 1e-10
OPTIMISER = 1e-4  # against a general solver with its own tolerance


def sample(seed: int, n: int = 60, ties: bool = False):
    rng = np.random.default_rng(seed)
    t, c = rng.exponential(10, n), rng.uniform(0, 25, n)
    time = np.minimum(t, c)
    return (np.ceil(time) if ties else time), (t <= c).astype(int), rng.integers(0, 2, n)


@pytest.mark.parametrize("ties", [False, True])
def test_the_curve_that_the_tests_draw_clicks_from_is_that_of_lifelines(ties):
    time, event, _ = sample(9, ties=ties)
    at = np.concatenate([time, np.linspace(0.0, time.max(), 60)])
    wanted = lifelines_survival(time, event, at)
    assert plain_survival(time, event, at) == pytest.approx(wanted, abs=CLOSED_FORM)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_survival_median_and_interval_agree_with_lifelines(seed, ties):
    time, event, _ = sample(seed, ties=ties)
    curve = kaplan_meier.steps(time, event)
    fit = KaplanMeierFitter().fit(time, event)
    at = np.linspace(0, time.max(), 37)
    assert kaplan_meier.survival_at(curve, at) == pytest.approx(
        fit.survival_function_at_times(at).to_numpy(), rel=CLOSED_FORM
    )
    assert kaplan_meier.median(curve) == fit.median_survival_time_
    limits = median_survival_times(fit.confidence_interval_).to_numpy().ravel()
    assert kaplan_meier.median_interval(curve) == pytest.approx(limits.tolist(), nan_ok=True)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_log_hazard_ratio_agrees_with_lifelines(seed, ties):
    time, event, arm = sample(seed, 90, ties)
    frame = pd.DataFrame({"t": time, "e": event, "arm": arm})
    expected = CoxPHFitter().fit(frame, "t", "e").params_["arm"]
    assert log_hazard_ratio(time, event, arm) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("summed", [True, False])
def test_quadratic_programme_agrees_with_a_general_solver(seed, summed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 7))
    a = rng.normal(size=(k + 3, k))
    h, g = a.T @ a, rng.normal(size=k) * 4
    lower, upper = np.zeros(k), rng.uniform(0.3, 2.0, k)
    total = 0.5 * upper.sum()
    x = bounded_quadratic(h, g, lower, upper, total if summed else None)
    constraints = [{"type": "eq", "fun": lambda v: v.sum() - total}] if summed else []
    best = minimize(
        lambda v: 0.5 * v @ h @ v - g @ v,
        0.5 * upper,
        jac=lambda v: h @ v - g,
        bounds=list(zip(lower, upper, strict=True)),
        constraints=constraints,
        method="SLSQP",
    )
    value = 0.5 * x @ h @ x - g @ x
    assert np.all(x >= lower - 1e-9)
    assert np.all(x <= upper + 1e-9)
    assert value <= best.fun + OPTIMISER * (1 + abs(best.fun))
    if summed:
        assert x.sum() == pytest.approx(total)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_monotone_fit_never_rises_and_starts_at_one(values):
    z = monotone(np.array([1.0, *values]))
    assert z[0] == 1.0
    assert np.all(np.diff(z) <= 1e-12)
    assert np.all((z >= 0) & (z <= 1))


def test_close_clicks_are_put_in_falling_order_and_distant_ones_are_not():
    t = np.array([0.0, 10.0, 10.01, 20.0])
    y = np.array([1.0, 0.6, 0.8, 0.62])
    clicks = put_in_order(t, y, Rows())
    assert clicks.survival.tolist() == [1.0, 0.8, 0.6, 0.62]
    assert clicks.origin.tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(("value", "half"), [(7.7, 0.05), (0.31, 0.005), (12.0, 0.5)])
def test_half_of_the_last_printed_digit(value, half):
    assert half_digit(value) == pytest.approx(half)
