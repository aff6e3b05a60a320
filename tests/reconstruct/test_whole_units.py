"""Times recorded in whole weeks or months: recognised where they are, and never elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.reconstruct import reconstruct_km
from metablin.reconstruct.curve._grid import build_grid
from metablin.reconstruct.curve._whole import to_whole_units
from metablin.reconstruct.curve.clicks import Curve
from tests.reconstruct.conftest import plain_survival

# Freireich 1963, doi:10.1182/blood.V21.6.699.699: weeks of remission, placebo arm (Table 1)
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23.0])


def clicked(time, event, at, rng):
    x = np.maximum(at + rng.normal(0, 0.0008 * time.max(), at.size), 0.0)
    y = plain_survival(time, event, at) + rng.normal(0, 0.0025, at.size)
    return x, np.clip(y, 0.0, 1.0)


def at_risk(time, every):
    r = np.arange(0.0, time.max(), every)
    return r, np.array([(time >= x).sum() for x in r])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mode", ["drops", "grid"])
def test_weeks_of_remission_come_back_exactly(seed, mode):
    rng = np.random.default_rng(seed)
    event = np.ones(PLACEBO.size, dtype=int)
    places = np.concatenate([[0.0], np.unique(PLACEBO)])
    at = places if mode == "drops" else np.linspace(0.0, 23.0, 120)
    x, y = clicked(PLACEBO, event, at, rng)
    r = reconstruct_km(x, y, n=21, at_risk=at_risk(PLACEBO, 5.0), events=21, draws=3)
    assert np.array_equal(r.time, PLACEBO)
    assert r.quality.times == "whole units"
    assert all(np.array_equal(d.time, np.rint(d.time)) for d in r.draws)


@pytest.mark.parametrize("seed", range(40))
def test_times_that_lie_anywhere_are_not_rounded(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 300))
    t, c = rng.exponential(15.0, n), rng.uniform(6.0, 40.0, n)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    drops = np.concatenate([[0.0], np.unique(time[event == 1]), [time.max()]])
    at = drops if seed % 2 else np.linspace(0.0, time.max(), 100)
    x, y = clicked(time, event, at, rng)
    r = reconstruct_km(x, y, n=n, at_risk=at_risk(time, 4.0), events=int(event.sum()))
    assert r.quality.times == "any"


@pytest.mark.parametrize("seed", range(20))
def test_a_curve_read_at_every_whole_month_says_nothing_of_its_times(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 120))
    t, c = rng.exponential(9.0, n), rng.uniform(6.0, 30.0, n)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    months = np.arange(0.0, np.floor(time.max()) + 1.0)
    y = plain_survival(time, event, months)
    ipd = reconstruct_km(months, y, n=n, events=int(event.sum()))
    assert ipd.quality.times == "any"


def test_whole_units_keep_the_numbers_at_risk_and_ties():
    rng = np.random.default_rng(3)
    n = 120
    t, c = np.ceil(rng.exponential(14.0, n)), rng.integers(6, 40, n).astype(float)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    at = np.concatenate([[0.0], np.unique(time[event == 1]), [time.max()]])
    r, counts = at_risk(time, 6.5)  # table times between whole units
    ipd = reconstruct_km(*clicked(time, event, at, rng), n=n, at_risk=(r, counts),
                         events=int(event.sum()))  # fmt: skip
    assert [int((ipd.time >= x).sum()) for x in r] == counts.tolist()
    assert np.array_equal(ipd.time, np.rint(ipd.time))
    assert np.array_equal(np.unique(ipd.time[ipd.event == 1]), np.unique(time[event == 1]))


def test_an_interval_without_a_whole_unit_keeps_its_patients():
    grid = build_grid(_curve([0.0, 0.3, 0.6, 2.0], [0.0, 0.2, 0.8]))
    events, censored = to_whole_units(grid, np.array([0.25, 0.5, 1.4]), np.array([0.7, 1.6]))
    assert events.tolist() == [0.25, 0.5, 1.0]
    assert censored.tolist() == [0.7, 2.0]


def _curve(time, starts):
    counts = np.arange(len(starts), 0, -1) * 10
    survival = np.linspace(1.0, 0.5, len(time))
    return Curve(np.array(time), survival, int(counts[0]), np.array(starts), counts, None, None)
