"""Exact coordinates: whole numbers behind the steps, against known patients and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from metablin import DataError
from metablin.reconstruct import reconstruct_km
from metablin.reconstruct.curve._exact import solve
from metablin.reconstruct.curve.clicks import Curve
from metablin.reconstruct.reading import Reading
from tests.reconstruct.conftest import lifelines_survival, plain_survival

SIX_DECIMALS = 1e-6
TIME = 1e-5  # times of the corners have six decimals too, on an axis of about 30


def patients(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    t, c = rng.weibull(1.1, n) * 15.0, rng.uniform(6.0, 35.0, n)
    return np.minimum(t, c), (t <= c).astype(int)


def corners(time, event, decimals: int = 6):
    drops = np.unique(time[event == 1])
    s = plain_survival(time, event, drops)
    x = np.concatenate([[0.0], np.repeat(drops, 2), [time.max()]])
    y = np.concatenate([[1.0], np.column_stack([np.append(1.0, s[:-1]), s]).ravel(), s[-1:]])
    return np.round(x, 6), np.round(y, decimals)


def table(time, every: float = 5.0):
    r = np.arange(0.0, time.max(), every)
    return r, np.array([(time >= x).sum() for x in r])


def at_events(time, event):
    """Times of the events and numbers at risk there."""
    t = np.unique(np.round(time[event == 1], 5))
    return t, np.array([(time >= x - TIME).sum() for x in t])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("total", [True, False])
def test_exact_corners_give_back_every_event_and_number_at_risk(seed, total):
    time, event = patients(40 + 25 * seed, seed)
    r = reconstruct_km(*corners(time, event), n=time.size, at_risk=table(time),
                       events=int(event.sum()) if total else None)  # fmt: skip
    assert r.quality.clicks == "corners"
    assert r.quality.noise <= 3e-4
    for a, b in zip(at_events(time, event), at_events(r.time, r.event), strict=True):
        assert b == pytest.approx(a, abs=2 * TIME)
    at = np.linspace(0.0, time.max(), 700)
    true, found = (lifelines_survival(*x, at) for x in ((time, event), (r.time, r.event)))
    assert found == pytest.approx(true, abs=2 * SIX_DECIMALS)


def test_without_a_table_the_sizes_of_the_steps_tell_who_is_at_risk():
    time, event = patients(90, 5)
    r = reconstruct_km(*corners(time, event), n=90)
    assert r.event.sum() == event.sum()
    assert np.array_equal(at_events(r.time, r.event)[1], at_events(time, event)[1])


def test_ties_are_told_from_single_events_among_fewer():
    time = np.array([1.0, 1, 2, 3, 3, 3, 4, 5, 5, 6, 7, 8, 9, 9, 10, 11])
    event = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0])
    r = reconstruct_km(*corners(time, event), n=16)
    assert np.array_equal(r.time[r.event == 1], np.sort(time[event == 1]))


@pytest.mark.parametrize("seed", range(10))
def test_the_beam_finds_what_trying_everything_finds(seed):
    """Independent slow version: all numbers of events and censorings of a small curve."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(9, 14))
    left, s, level = n, 1.0, []
    for _ in range(4):
        left -= int(rng.integers(0, 2))
        d = int(rng.integers(1, 3))
        s *= 1.0 - d / left
        left -= d
        level.append(round(s, 6))
    found = set()
    for lost in product(range(5), repeat=4):
        for tied in product(range(1, 5), repeat=4):
            at_risk, now, value = [], n, 1.0
            for c, d, want in zip(lost, tied, level, strict=True):
                now -= c
                if now < d:
                    break
                value *= 1.0 - d / now
                if abs(value - want) > SIX_DECIMALS:
                    break
                at_risk.append(now)
                now -= d
            else:
                found.add((tuple(at_risk), tied))
    t = np.arange(5.0)
    curve = Curve(t, np.array([1.0, *level]), n, np.zeros(1), np.array([n]), None, None,
                  reading=Reading("drops", 3e-4, 1e-4, 3e-7))  # fmt: skip
    best = solve(curve)
    assert best.events.shape == best.at_risk.shape == (4,)
    assert (tuple(best.at_risk.tolist()), tuple(best.events.tolist())) in found


def test_coarser_coordinates_are_solved_with_the_precision_they_have():
    right = []
    for decimals in (6, 5, 4, 3):
        hits = 0
        for seed in range(6):
            time, event = patients(60, 40 + seed)
            r = reconstruct_km(*corners(time, event, decimals), n=60, at_risk=table(time),
                               events=int(event.sum()))  # fmt: skip
            assert r.quality.max_abs_error < 5 * 10.0**-decimals + 1e-9
            hits += np.array_equal(at_events(r.time, r.event)[1], at_events(time, event)[1])
        right.append(hits)
    assert right[:2] == [6, 6]
    assert right == sorted(right, reverse=True)


def test_exact_may_be_said_of_clicks_on_drops_alone():
    time, event = patients(80, 9)
    x, y = corners(time, event)
    foot = np.concatenate([[True], np.tile([False, True], (x.size - 2) // 2), [True]])
    kw = {"n": 80, "at_risk": table(time), "events": int(event.sum())}
    r = reconstruct_km(x[foot], y[foot], **kw, clicks="drops", noise="exact")
    assert np.array_equal(at_events(r.time, r.event)[1], at_events(time, event)[1])
    draws = reconstruct_km(x[foot], y[foot], **kw, clicks="drops", noise="exact", draws=3).draws
    for d in draws:
        assert d.time[d.event == 1] == pytest.approx(r.time[r.event == 1], abs=1e-12)
    assert len({d.time.tobytes() for d in draws}) == 3


def test_what_is_called_exact_and_is_not_is_read_all_the_same(known):
    k = known(150, 12)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events, noise="exact")
    assert r.event.sum() == k.events
    assert [(r.time >= x).sum() for x in k.at_risk[0]] == k.at_risk[1].tolist()


def test_the_reading_error_that_is_set_is_used(known):
    k = known(300, 13)
    kw = {"n": k.n, "at_risk": k.at_risk, "events": k.events}
    fits = [reconstruct_km(*k.clicks, **kw, noise=sd) for sd in (0.001, 0.0025, 0.02)]
    assert [f.quality.noise for f in fits] == [0.001, 0.0025, 0.02]
    assert fits[0].quality.rmse < fits[2].quality.rmse
    assert np.array_equal(fits[1].time, reconstruct_km(*k.clicks, **kw).time)
    with pytest.raises(DataError, match="standard deviation"):
        reconstruct_km(*k.clicks, **kw, noise=0.5)


def test_patients_alive_at_the_end_of_a_trial_are_censored_there():
    """All of a trial of a year are followed to its end: nobody is lost between the last falls."""
    rng = np.random.default_rng(3)
    time = np.minimum(rng.exponential(60.0, 80), 12.0)
    event = (time < 12.0).astype(int)
    x, y = corners(time, event)
    assert x[-2] < 12.0
    r = reconstruct_km(x, y, n=80, events=int(event.sum()))
    assert (r.time == 12.0).sum() == (time == 12.0).sum()


def test_patients_who_entered_over_time_are_censored_over_time():
    rng = np.random.default_rng(4)
    t, c = rng.exponential(12.0, 120), rng.uniform(6.0, 36.0, 120)
    t = np.where(t > 15.0, np.inf, t)  # a plateau
    time, event = np.minimum(t, c), (t <= c).astype(int)
    r = reconstruct_km(*corners(time, event), n=120, at_risk=table(time), events=int(event.sum()))
    last = time[event == 1].max()
    assert np.median(r.time[r.time > last + TIME]) == pytest.approx(
        np.median(time[time > last]), abs=1.5
    )
    assert r.time.max() == pytest.approx(time.max(), abs=TIME)
    assert (r.time > time.max() - TIME).sum() == 1


def test_censorings_keep_to_the_unit_of_the_falls():
    time = np.array([2, 3, 3, 5, 6, 6, 8, 9, 11, 12, 12, 14, 15, 17, 17, 20], dtype=float) * 3
    event = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0])
    r = reconstruct_km(*corners(time, event), n=16, events=9)
    assert r.quality.clicks == "corners"
    censored = r.time[r.event == 0]
    assert np.abs(censored / 3 - np.rint(censored / 3)).max() < TIME
    assert np.array_equal(at_events(r.time, r.event)[1], at_events(time, event)[1])
