"""Whether clicks sit on drops, told from falls of single patients or of many."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.reconstruct import reconstruct_km
from metablin.reconstruct.curve._estimate import lay_out
from metablin.reconstruct.curve.clicks import Given, Rows, check_curve
from metablin.reconstruct.curve.clicks._noise import (
    at_corners,
    collapsed,
    estimated_reading,
    rounding,
)
from metablin.reconstruct.reading import READING_SD
from tests.reconstruct.conftest import plain_survival

EVERY = {40: 1, 200: 2, 1500: 9}  # drops per click, by patients


def at_drops(n: int, seed: int, mode: str) -> bool:
    rng = np.random.default_rng(seed)
    t, c = rng.weibull(1.2, n) * 20.0, rng.uniform(6.0, 40.0, n)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    drops = np.unique(time[event == 1])[:: EVERY[n]]
    anywhere = np.sort(rng.uniform(0.0, time.max(), drops.size))
    inner = {"drops": drops, "anywhere": anywhere,
             "regular": np.linspace(0.0, time.max(), drops.size + 2)[1:-1]}[mode]  # fmt: skip
    x = np.concatenate([[0.0], inner, [time.max()]])
    y = plain_survival(time, event, x) + rng.normal(0, 0.0025, x.size)
    x = np.maximum(x + rng.normal(0, 0.0008 * time.max(), x.size), 0.0)
    r = np.arange(0.0, time.max(), 5.0)
    counts = np.array([(time >= v).sum() for v in r])
    given = Given(x, np.clip(y, 0, 1), n, (r, counts), int(event.sum()))
    curve = check_curve(given, Rows()).curve
    return lay_out(curve)[1].at_drops


@pytest.mark.parametrize("n", EVERY)
@pytest.mark.parametrize(("mode", "expected"), [("drops", 10), ("anywhere", 0), ("regular", 0)])
def test_clicks_on_drops_are_told_from_clicks_at_times_of_their_own(n, mode, expected):
    assert sum(at_drops(n, seed, mode) for seed in range(10)) == expected


def test_clicks_after_falls_close_in_time_are_no_traced_verticals():
    """Where most fall in a twentieth of the follow-up, short gaps stand together."""
    for seed in range(10):
        rng = np.random.default_rng(800 + seed)
        n = 150
        early = rng.random(n) < 0.6
        t = np.where(early, rng.uniform(4.0, 5.5, n), rng.exponential(40.0, n))
        time, event = np.minimum(t, 30.0), (t <= 30.0).astype(int)
        drops = np.unique(time[event == 1])
        x = np.concatenate([[0.0], drops, [30.0]])
        y = plain_survival(time, event, x) + rng.normal(0, 0.0025, x.size)
        x = np.maximum(x + rng.normal(0, 0.01, x.size), 0.0)
        at_risk = ([0.0, 10.0, 20.0], [int((time >= v).sum()) for v in (0.0, 10.0, 20.0)])
        r = reconstruct_km(x, np.clip(y, 0, 1), n=n, at_risk=at_risk, events=int(event.sum()))
        assert r.quality.clicks == "drops"


@pytest.mark.parametrize("count", [15, 30, 120])
def test_irregular_clicks_under_a_changing_hazard_are_no_drops(count):
    """One rate of events for the whole curve took a quarter of 15 such clicks for drops."""
    taken = 0
    for seed in range(30):
        rng = np.random.default_rng(500 + seed)
        n = int(rng.integers(60, 600))
        t, c = 25.0 * rng.weibull(0.6, n), rng.uniform(10.0, 60.0, n)  # most fall early
        time, event = np.minimum(t, c), (t <= c).astype(int)
        x = np.concatenate([[0.0], np.sort(rng.uniform(0, time.max(), count - 2)), [time.max()]])
        y = plain_survival(time, event, x) + rng.normal(0, 0.0025, x.size)
        r = np.arange(0.0, time.max(), 6.0)
        counts = np.array([(time >= v).sum() for v in r])
        given = Given(x, np.clip(y, 0, 1), n, (r, counts), int(event.sum()))
        taken += lay_out(check_curve(given, Rows()).curve)[1].at_drops
    assert taken <= 1


@pytest.mark.parametrize("kind", ["drops", "points"])
def test_the_kind_that_is_said_is_used(known, kind):
    k = known(60, 21)
    r = reconstruct_km(*k.clicks, n=60, events=k.events, clicks=kind)
    assert r.quality.clicks == kind
    on_click = np.isin(np.round(r.time[r.event == 1], 9), np.round(k.clicks[0], 9)).mean()
    assert (on_click > 0.5) == (kind == "drops")


def test_clicks_above_and_below_falls_are_one_click_with_a_level_read_twice():
    t = np.array([0.0, 3.0, 3.001, 7.0, 7.002, 9.0, 9.0, 12.0])
    y = np.array([1.0, 0.998, 0.9, 0.904, 0.7, 0.704, 0.5, 0.5])
    upright = at_corners(t, y)
    assert upright.tolist() == [False, True, False, True, False, True, False]
    time, level = collapsed(t, y, upright)
    assert time == pytest.approx([0.0, 3.0005, 7.001, 9.0, 12.0])
    assert level == pytest.approx([1.0, 0.902, 0.702, 0.5, 0.5])
    assert at_corners(t[::2], y[::2]) is None


@pytest.mark.parametrize(("sd", "low", "high"), [(0.0008, 0.0006, 0.001), (0.01, 0.007, 0.012)])
def test_the_reading_error_is_estimated(sd, low, high):
    found = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        t = np.linspace(0.0, 30.0, 200)
        y = np.clip(np.exp(-0.05 * np.floor(t / 2.0)) + rng.normal(0.0, sd, t.size), 0.0, 1.0)
        step = np.full(t.size, 0.005)
        found.append(estimated_reading(t, np.append(1.0, y[1:]), 200, step, None, "auto").sd)
    assert low < np.mean(found) < high


def test_careful_clicks_have_the_error_of_careful_clicking(known):
    for seed in range(10):
        k = known(100 + 60 * seed, 700 + seed)
        assert reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk).quality.noise == READING_SD


@pytest.mark.parametrize(
    ("places", "n", "expected"), [(2, 300, 0.01 / 12**0.5), (2, 100, 0.0), (None, 97, 0.0)]
)
def test_rounded_values_are_told_from_fractions_of_n(places, n, expected):
    s = 1.0 - np.arange(0, 40) / (n if places is None else 100)
    s = s if places is None else np.round(s, places)
    assert rounding(s, n) == pytest.approx(expected, abs=1e-9)


def test_events_of_corners_lie_at_their_falls_however_many():
    x = np.array([0.0, 2, 2, 4, 4.02, 7, 7.01, 11, 11, 16, 16, 20])
    y = np.array([1.0, 1, 0.9, 0.9, 0.84, 0.84, 0.7, 0.7, 0.6, 0.6, 0.5, 0.5])
    r = reconstruct_km(x, y, at_risk=([0, 5, 10, 15], [50, 42, 34, 28]))
    assert r.quality.clicks == "corners"
    assert r.event.sum() == 24
    assert set(np.round(r.time[r.event == 1])) <= {2, 4, 7, 8, 11, 16}


@pytest.mark.parametrize(
    ("n", "left_out", "kind"),
    [
        (200, slice(0, 0), "corners"),
        (60, slice(0, None, 4), "points"),
        (200, slice(1, None, 3), "points"),
    ],
)
def test_falls_traced_above_and_below_are_corners_only_where_all_were(known, n, left_out, kind):
    """Traced from the bottom up. Where falls were left out S falls between two verticals."""
    k = known(n, 31)
    drops = np.unique(k.time[k.event == 1])
    s = plain_survival(k.time, k.event, drops)
    both = np.column_stack([s, np.append(1.0, s[:-1])])
    some = np.delete(np.arange(drops.size), left_out)
    x = np.concatenate([[0.0], np.repeat(drops[some], 2), [k.time.max()]])
    y = np.concatenate([[1.0], both[some].ravel(), s[-1:]])
    y += np.random.default_rng(2).normal(0.0, 0.0025, y.size)
    r = reconstruct_km(x, np.clip(y, 0, 1), n=k.n, at_risk=k.at_risk, events=k.events)
    assert r.quality.clicks == kind
