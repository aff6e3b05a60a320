"""The least-squares step and the search, against finite differences and simple cases."""

from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from metablin.reconstruct import reconstruct_km
from metablin.reconstruct.curve import _counts, _fit, _search
from metablin.reconstruct.curve._grid import build_grid
from metablin.reconstruct.curve.clicks import Given, Rows, check_curve
from tests.reconstruct.conftest import plain_survival

DIFFERENCE = 1e-6  # step of a central difference: its own error is below 1e-8 here
TWO_PATIENTS = 2.0  # when nearly all leave in the last gap, its order is known no better
JACOBIAN = 1e-6  # relative to the largest entry: truncation of the central difference


def real(k):
    curve = check_curve(Given(*k.clicks, k.n, k.at_risk, k.events), Rows()).curve
    grid = build_grid(curve)
    fit = _fit.real_fit(grid, _fit.monotone(curve.survival), _fit.Censoring())
    return curve, grid, fit


def survival(grid, fit, x):
    k = grid.n.size
    share = fit.even_share ** np.exp(x[k:])[grid.interval]
    path = _fit.scaled_path(grid, fit, x[:k])
    return _fit.survival_of(grid, path, grid.lost - x[:k], share, _fit.FLOOR)[0][grid.click]


@pytest.mark.parametrize(("n", "seed"), [(60, 1), (300, 2), (2000, 3)])
def test_the_slopes_of_s_in_the_bends_are_those_of_finite_differences(known, n, seed):
    _, grid, fit = real(known(n, seed))
    k = grid.n.size
    x = np.concatenate([np.minimum(fit.per_interval, grid.lost), np.linspace(-0.3, 0.3, k)])
    _, jacobian = _counts._linearise(grid, fit, x)
    for j in range(k, 2 * k):
        step = np.zeros(2 * k)
        step[j] = DIFFERENCE
        slope = (survival(grid, fit, x + step) - survival(grid, fit, x - step)) / (2 * DIFFERENCE)
        assert jacobian[:, j] == pytest.approx(slope, abs=JACOBIAN * np.abs(jacobian).max())


def test_later_censoring_leaves_more_at_risk_and_so_a_higher_curve(known):
    _, grid, fit = real(known(300, 4))
    k = grid.n.size
    x = np.concatenate([np.minimum(fit.per_interval, grid.lost), np.zeros(k)])
    later = np.concatenate([x[:k], np.full(k, 0.5)])
    higher = survival(grid, fit, later) - survival(grid, fit, x)
    assert (higher >= 0).all()
    assert higher.max() > 0


def test_the_course_of_censoring_is_straight_where_it_is_even():
    n = 400
    time = np.linspace(0.01, 40.0, n)
    table = np.arange(0, 40, 5.0), np.array([(time >= x).sum() for x in np.arange(0, 40, 5.0)])
    curve = check_curve(Given(np.linspace(0, 40, 60), np.ones(60), n, table), Rows()).curve
    grid = build_grid(curve)
    psi, _ = _fit.censoring_shape(grid, np.ones(grid.n.size))
    assert psi == pytest.approx(grid.frac, abs=0.01)  # a table counts whole patients


def test_accelerating_censoring_comes_late_within_its_interval():
    starts = np.array([0.0, 10.0, 20.0, 30.0])
    counts = np.array([400, 390, 340, 200])
    given = Given(np.linspace(0, 40, 60), np.ones(60), 400, (starts, counts))
    curve = check_curve(given, Rows()).curve
    grid = build_grid(curve)
    psi, _ = _fit.censoring_shape(grid, np.ones(4))
    inside = (grid.frac > 0) & (grid.frac < 1) & (grid.interval < 2)
    assert (psi[inside] < grid.frac[inside]).all()


def end_of_curve(time, event):
    """S after the last event, by lifelines."""
    return float(KaplanMeierFitter().fit(time, event).survival_function_.iloc[-1, 0])


def test_patients_censored_at_the_end_of_the_trial_outlive_its_last_events():
    """A trial that stops on one date: most are censored then, and events of that day come first."""
    rng = np.random.default_rng(5)
    time = np.minimum(rng.exponential(90.0, 200), 24.0)
    event = (time < 24.0).astype(int)
    event[np.flatnonzero(time == 24.0)[:6]] = 1
    at = np.linspace(0, 24, 80)
    y = plain_survival(time, event, at)
    table = (np.arange(0, 24, 4.0), np.array([(time >= x).sum() for x in np.arange(0, 24, 4.0)]))
    r = reconstruct_km(at, y, n=200, at_risk=table, events=int(event.sum()))
    assert end_of_curve(r.time, r.event) == pytest.approx(y[-1], abs=TWO_PATIENTS / 200)


def test_an_unlikely_number_of_events_early_does_not_cost_the_late_curve(known):
    """The search keeps hypotheses that leave enough events for the visible steps at the end."""
    for seed in range(6):
        k = known(99, 200 + seed, clicks=120)
        r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
        assert r.quality.rmse < 0.012  # reading noise is 0.0025; a step of one patient 0.01


def test_the_best_hypotheses_are_one_per_count_and_level():
    same = np.array([1.0, 1.0, 2.0, 1.0, 1.0])  # best first
    s = np.array([0.5, 0.5, 0.5, 0.6, 0.5])
    assert _search._distinct(same, same, same, s, 0.0025).tolist() == [0, 2, 3]
    many = np.arange(2.0 * _search.WIDTH)
    assert _search._distinct(many, many, many, many, 0.0025).tolist() == list(range(_search.WIDTH))


def test_a_table_time_between_two_clicks_leaves_the_events_on_either_side_open():
    """By hand: 0.3 (0.9 - 0.7)^2 u (1 - u) with u = 1/4, times (n/S)^2 of each interval."""
    given = Given([0.0, 4.0, 8.0, 12.0], [1.0, 0.9, 0.7, 0.6], 100, ([0.0, 5.0], [100, 80]))
    grid = build_grid(check_curve(given, Rows()).curve)
    z = _fit.monotone(np.array([1.0, 0.9, 0.7, 0.6]))
    fit = _fit.real_fit(grid, z, _fit.Censoring())
    variance = 0.3 * 0.2**2 * 0.25 * 0.75
    s = 0.85  # at the table time, on the line between the clicks
    expected = [variance * 100.0**2, variance * (80.0 / s) ** 2]
    assert _counts.between_clicks(grid, fit) == pytest.approx(expected, rel=1e-9)
    at_click = Given([0.0, 5.0, 12.0], [1.0, 0.85, 0.6], 100, ([0.0, 5.0], [100, 80]))
    grid = build_grid(check_curve(at_click, Rows()).curve)
    fit = _fit.real_fit(grid, _fit.monotone(np.array([1.0, 0.85, 0.6])), _fit.Censoring())
    assert _counts.between_clicks(grid, fit) == pytest.approx([0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("noise", [None, "exact"])
def test_events_come_ahead_of_censorings_of_the_same_time(noise):
    time = np.array([2.0, 2, 2, 4, 4, 4, 6, 6, 8, 8, 8, 8])
    event = np.array([1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0])
    drops = np.array([2.0, 4, 6, 8])
    y = plain_survival(time, event, drops)
    r = reconstruct_km(np.append(0.0, drops), np.append(1.0, y), n=12, events=5, noise=noise,
                       clicks="drops")  # fmt: skip
    same = r.time[1:] == r.time[:-1]
    assert same.sum() >= 1
    assert (r.event[1:][same] <= r.event[:-1][same]).all()
