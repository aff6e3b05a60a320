"""Curves that can be read are read: what is put right is said, and by how much."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metablin import DataError
from metablin.reconstruct import reconstruct_batch, reconstruct_km, reconstruct_many
from tests.reconstruct.conftest import lifelines_survival, plain_survival

RMSE = 0.012  # as for clicks in order: reading noise and steps of one patient
NOISY = 0.02  # clicks with four times the noise


def kinds(r) -> dict[str, int]:
    return {x.what: x.count for x in r.quality.mended}


def off(k, r) -> float:
    at = np.linspace(0, k.time.max(), 300)
    miss = lifelines_survival(k.time, k.event, at) - lifelines_survival(r.time, r.event, at)
    return float(np.sqrt(np.mean(miss**2)))


def test_two_clicks_at_a_near_vertical_fall_are_put_in_falling_order():
    x, y = [0, 1.59, 1.65, 3, 5, 8, 10], [1, 0.886, 1, 0.8, 0.7, 0.6, 0.5]
    table = ([0, 5], [35, 20])
    r = reconstruct_km(x, y, n=35, at_risk=table)
    assert kinds(r) == {"falls": 2}
    assert "2 clicks at near-vertical falls" in r.summary()
    right = reconstruct_km(x, [1, 1, 0.886, *y[3:]], n=35, at_risk=table)
    assert np.array_equal(r.time, right.time)
    assert kinds(right) == {}


def test_clicks_in_any_order_are_those_in_order_of_time(known):
    k = known(150, 3)
    kw = {"n": k.n, "at_risk": k.at_risk, "events": k.events}
    order = np.random.default_rng(1).permutation(k.clicks[0].size)
    straight = reconstruct_km(*k.clicks, **kw)
    for some in (order, slice(None, None, -1)):
        r = reconstruct_km(k.clicks[0][some], k.clicks[1][some], **kw)
        assert np.array_equal(r.time, straight.time)
        assert kinds(r)["order"] > 40
    assert "order" not in kinds(straight)


def test_a_table_that_goes_on_says_where_the_other_events_lie():
    x, y = [0, 2, 4, 6], [1, 0.93, 0.86, 0.8]
    table = ([0, 2, 4, 6, 8, 10], [100, 88, 80, 70, 60, 40])
    r = reconstruct_km(x, y, n=100, at_risk=table, events=30)
    assert r.event.sum() == 30
    assert [(r.time >= t).sum() for t in table[0]] == table[1]
    late = int(r.event[r.time > 6].sum())
    assert kinds(r)["not seen"] == late >= 10
    assert f"{late} of the events lie where S was not seen" in r.summary()
    assert r.quality.rmse < RMSE
    without = reconstruct_km(x, y, n=100, at_risk=table)
    assert kinds(without)["not seen"] <= 2


def test_events_below_an_axis_that_is_cut_need_no_table():
    time = np.sort(np.random.default_rng(8).exponential(10.0, 120))
    x = np.linspace(0.0, time[90], 60)  # S = 1/4 there
    r = reconstruct_km(x, plain_survival(time, np.ones(120), x), n=120, events=120)
    assert r.event.sum() == 120
    assert 25 <= kinds(r)["not seen"] <= 35
    with pytest.raises(DataError, match="do not fit a curve"):
        reconstruct_km([0, 5, 10], [1, 0.8, 0.6], n=100, events=90)


@pytest.mark.parametrize("seed", range(8))
def test_rough_clicks_are_read_and_their_error_is_told(known, seed):
    k = known(200, 300 + seed, noise=0.01)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    assert 0.0035 < r.quality.noise < 0.015  # careful clicking has 0.0025
    assert off(k, r) < NOISY


def test_the_patients_of_the_table_are_those_of_the_curve(known):
    k = known(150, 4)
    kw = {"at_risk": k.at_risk, "events": k.events}
    r = reconstruct_km(*k.clicks, n=152, **kw)
    assert np.array_equal(r.time, reconstruct_km(*k.clicks, n=150, **kw).time)
    assert kinds(r) == {"n": 2}
    assert "n = 152, but 150 at risk at time 0" in r.summary()


def test_a_stray_click_is_left_out_and_named(known):
    k = known(200, 6)
    x, y = k.clicks[0].copy(), k.clicks[1].copy()
    y[50] = y[50] + 0.3
    r = reconstruct_km(x, y, n=k.n, at_risk=k.at_risk, events=k.events)
    assert kinds(r) == {"left out": 1}
    assert "row 51" in r.summary()
    clean = reconstruct_km(
        np.delete(x, 50), np.delete(y, 50), n=k.n, at_risk=k.at_risk, events=k.events
    )
    assert np.array_equal(r.time, clean.time)
    y[20:80:4] += 0.3
    with pytest.raises(DataError, match="rises"):
        reconstruct_km(x, y, n=k.n)


def test_a_table_from_the_end_is_turned_round_and_keeps_its_rows(known):
    k = known(90, 7)
    table = k.at_risk[0][::-1], k.at_risk[1][::-1]
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=table)
    assert np.array_equal(r.time, reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk).time)
    assert kinds(r) == {"table": len(table[0])}
    bad = table[1].copy()
    bad[1] = 80  # later than, and above, the entry in row 3
    with pytest.raises(DataError) as caught:
        reconstruct_km(*k.clicks, at_risk=(table[0], bad))
    assert caught.value.row == 2


@pytest.mark.parametrize("percent", [True, False])
def test_cumulative_incidence_is_one_less_survival(known, percent):
    k = known(120, 9)
    scale = 100.0 if percent else 1.0
    kw = {"n": k.n, "at_risk": k.at_risk, "events": k.events, "percent": percent}
    a = reconstruct_km(k.clicks[0], scale * k.clicks[1], **kw)
    b = reconstruct_km(k.clicks[0], scale * (1.0 - k.clicks[1]), **kw, failure=True)
    assert np.array_equal(a.event, b.event)
    assert b.time == pytest.approx(a.time, rel=1e-9)
    assert b.quality.rmse == pytest.approx(a.quality.rmse, abs=1e-12)
    with pytest.raises(DataError, match="failure"):
        reconstruct_km(k.clicks[0], scale * (1.0 - k.clicks[1]), **kw)


def test_clicks_part_way_down_a_fall_do_not_count_against_the_fit():
    x = np.array([0.0, 2, 2, 2, 5, 5, 5, 9, 9, 12])
    y = np.array([1.0, 1, 0.95, 0.9, 0.9, 0.84, 0.8, 0.8, 0.6, 0.6])
    r = reconstruct_km(x, y, n=10, events=4)
    assert r.time[r.event == 1].tolist() == [2, 5, 9, 9]
    assert r.quality.max_abs_error < 1e-6
    between = reconstruct_km(np.append(x, 7.0), np.append(y, 0.77), n=10, events=4)
    assert between.quality.max_abs_error > 0.02  # but a click beside a plateau does


def test_no_patients_are_made_up():
    x, y = [0.0, 4, 8], [1.0, 0.8, 0.6]
    r = reconstruct_km(x, y)
    assert r.quality.n_source == "nominal"
    assert "a nominal 500" in r.summary()
    clicks = pd.DataFrame({"time": x, "survival": y})
    for totals in (None, pd.DataFrame({"n": [""], "events": [4]})):
        with pytest.raises(DataError, match="no number of patients") as caught:
            reconstruct_many(clicks, totals=totals)
        assert caught.value.column == "n"
        assert "--n" in str(caught.value)


def test_a_batch_tells_what_was_mended_of_which_curve():
    clicks = pd.DataFrame(
        {"id": ["a"] * 3 + ["b"] * 3, "time": [8, 4, 0, 0, 4, 8], "survival": [0.6, 0.8, 1] * 2}
    )
    clicks.loc[3:, "survival"] = [1, 0.8, 0.6]
    totals = pd.DataFrame({"id": ["a", "b"], "n": [20, 20], "events": [8, 8]})
    batch = reconstruct_batch(clicks, totals=totals, quality=True)
    assert list(batch.mended) == ["a"]
    assert batch.quality["mended"].tolist() == ["2 clicks put in order of time", ""]
    assert batch.quality["clicks"].tolist() == ["points", "points"]


@pytest.mark.parametrize("name", ["clicks", "at-risk table", "totals"])
def test_what_is_no_table_is_named(name):
    clicks = pd.DataFrame({"time": [0, 4, 8], "survival": [1, 0.8, 0.6]})
    arguments = {"clicks": [clicks], "at-risk table": [clicks, "x"], "totals": [clicks, None, "x"]}
    given = ["x"] if name == "clicks" else arguments[name]
    with pytest.raises(DataError, match="no table") as caught:
        reconstruct_many(*given)
    assert caught.value.column == name
