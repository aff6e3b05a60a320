from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.utils import restricted_mean_survival_time

from metablin.reconstruct import check_hazard_ratio, reconstruct_km
from tests.reconstruct.conftest import plain_survival

# Reading noise is 0.0025 of survival; a step of one patient between clicks adds to it.
RMSE_BOTH = 0.012
EXACT = 1e-12
SIZES = [(20, 1), (45, 2), (120, 3), (300, 4), (1000, 5), (3000, 6)]


def rmse(k, r) -> float:
    grid = np.linspace(0, k.time.max(), 400)
    a, b = (
        KaplanMeierFitter().fit(t, e).survival_function_at_times(grid).to_numpy()
        for t, e in ((k.time, k.event), (r.time, r.event))
    )
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.mark.parametrize(("n", "seed"), SIZES)
def test_numbers_at_risk_and_events_are_met_exactly(known, n, seed):
    k = known(n, seed)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    assert r.time.size == k.n
    assert r.event.sum() == k.events
    assert [(r.time >= x).sum() for x in k.at_risk[0]] == k.at_risk[1].tolist()
    assert (r.quality.at_risk_error, r.quality.events_error) == (0, 0)


@pytest.mark.parametrize(("n", "seed"), SIZES)
def test_the_curve_of_the_output_is_the_curve_of_the_hidden_patients(known, n, seed):
    k = known(n, seed, clicks=120)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    assert rmse(k, r) < (RMSE_BOTH if n >= 100 else 0.03)


@pytest.mark.parametrize("seed", range(8))
def test_known_totals_hold_without_a_table(known, seed):
    k = known(40 + 60 * seed, 20 + seed)
    r = reconstruct_km(*k.clicks, n=k.n, events=k.events)
    assert (r.time.size, r.event.sum()) == (k.n, k.events)
    assert r.quality.level == "curve + n + events"
    assert rmse(k, r) < 0.03


@pytest.mark.parametrize("seed", range(6))
def test_the_table_holds_without_a_total(known, seed):
    k = known(50 + 90 * seed, 40 + seed)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk)
    assert [(r.time >= x).sum() for x in k.at_risk[0]] == k.at_risk[1].tolist()
    assert abs(r.event.sum() - k.events) <= max(3, 0.06 * k.events)


def test_exact_coordinates_of_every_drop_come_back_exactly():
    time = np.array([1.0, 2.5, 3.0, 4.5, 6.0, 7.0, 9.5, 11.0, 12.0, 15.0])
    event = np.array([1, 1, 0, 1, 1, 0, 1, 1, 0, 0])
    fit = KaplanMeierFitter().fit(time, event)
    drops = time[event == 1]
    x = np.concatenate([[0], drops, [15.0]])
    y = fit.survival_function_at_times(x).to_numpy()
    table = (np.array([0.0, 5.0, 10.0]), np.array([10, 6, 3]))
    r = reconstruct_km(x, y, n=10, at_risk=table, events=6)
    assert r.time[r.event == 1] == pytest.approx(drops, rel=EXACT)
    assert r.quality.rmse < 1e-9


@pytest.mark.parametrize("factor", [1 / 12, 30.4375, 1e-4])
def test_scaling_time_scales_the_result(known, factor):
    k = known(150, 9)
    one = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    x, y = k.clicks
    other = reconstruct_km(
        x * factor, y, n=k.n, at_risk=(k.at_risk[0] * factor, k.at_risk[1]), events=k.events
    )
    assert np.array_equal(one.event, other.event)
    assert other.time == pytest.approx(one.time * factor, rel=1e-6)


def test_percent_and_fractions_give_the_same(known):
    k = known(80, 10)
    x, y = k.clicks
    a = reconstruct_km(x, y, n=k.n, events=k.events)
    b = reconstruct_km(x, 100 * y, n=k.n, events=k.events, percent=True)
    assert np.array_equal(a.event, b.event)
    assert b.time == pytest.approx(a.time, rel=1e-9)


def test_input_is_not_changed_and_output_is_read_only(known):
    k = known(60, 11)
    before = [a.copy() for a in (*k.clicks, *k.at_risk)]
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*k.clicks, *k.at_risk), strict=True))
    with pytest.raises(ValueError, match="read-only"):
        r.time[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.label = "x"


@pytest.mark.parametrize("level", ["curve", "n", "risk", "events", "both"])
def test_every_information_level_is_named_and_graded(known, level):
    k = known(90, 12)
    r = reconstruct_km(
        *k.clicks,
        n=None if level == "curve" else k.n,
        at_risk=k.at_risk if level in ("risk", "both") else None,
        events=k.events if level in ("events", "both") else None,
    )
    expected = {
        "curve": ("curve", "B"),
        "n": ("curve + n", "B"),
        "risk": ("curve + n + at-risk", "B"),
        "events": ("curve + n + events", "B"),
        "both": ("curve + n + at-risk + events", "A"),
    }[level]
    assert (r.quality.level, r.grade) == expected
    assert np.all(np.diff(r.time) >= 0)
    assert set(np.unique(r.event)) <= {0, 1}
    assert r.time.min() >= 0
    assert r.quality.rmse < 0.02


def test_without_n_the_first_number_at_risk_counts(known):
    k = known(70, 13)
    assert reconstruct_km(*k.clicks, at_risk=k.at_risk).time.size == k.n
    assert reconstruct_km(*k.clicks).quality.n_source == "nominal"


def test_quality_reports_absolute_errors_to_the_clicks_as_given(known):
    k = known(200, 14)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    s = KaplanMeierFitter().fit(r.time, r.event).survival_function_at_times(k.clicks[0])
    error = np.abs(s.to_numpy() - k.clicks[1])
    assert r.quality.max_abs_error == pytest.approx(error.max(), abs=1e-9)
    assert r.quality.rmse == pytest.approx(np.sqrt(np.mean(error**2)), abs=1e-9)


def test_the_verdict_rests_on_print_and_names_the_failing_item(known):
    k = known(250, 15)
    good = KaplanMeierFitter().fit(k.time, k.event).median_survival_time_
    items = {"median": round(good, 1), "events": k.events}
    kw = {"n": k.n, "at_risk": k.at_risk, "events": k.events}
    assert reconstruct_km(*k.clicks, **kw).quality.verdict == "not compared with print"
    right = reconstruct_km(*k.clicks, **kw, printed=items).quality
    wrong = reconstruct_km(*k.clicks, **kw, printed={**items, "median": good * 1.5}).quality
    assert right.verdict == "agrees with print"
    assert wrong.verdict == "differs from print: median"
    assert wrong.checks_frame()["agrees"].tolist() == [True, False]


def test_hazard_ratio_is_compared_on_the_log_scale(known):
    a, b = known(300, 16), known(280, 17)
    ipd = [reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events) for k in (a, b)]
    import pandas as pd

    frame = pd.DataFrame(
        {
            "t": np.concatenate([a.time, b.time]),
            "e": np.concatenate([a.event, b.event]),
            "arm": np.repeat([1, 0], [a.n, b.n]),
        }
    )
    truth = CoxPHFitter().fit(frame, "t", "e").params_["arm"]
    check = check_hazard_ratio(*ipd, hr=round(float(np.exp(truth)), 2))
    assert check.agrees
    assert check.reconstructed == pytest.approx(truth, abs=0.03)
    assert not check_hazard_ratio(*ipd, hr=float(np.exp(truth + 0.3))).agrees


def test_restricted_means_agree_with_the_hidden_patients(known):
    k = known(400, 18)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    a, b = (
        restricted_mean_survival_time(KaplanMeierFitter().fit(t, e), t=20)
        for t, e in ((k.time, k.event), (r.time, r.event))
    )
    assert b == pytest.approx(a, rel=0.004)


def test_draws_are_reproducible_differ_and_keep_what_is_known(known):
    k = known(120, 19)
    kw = {"n": k.n, "at_risk": k.at_risk, "events": k.events, "draws": 6}
    a = reconstruct_km(*k.clicks, **kw, seed=5)
    b = reconstruct_km(*k.clicks, **kw, seed=5)
    assert [d.time.tobytes() for d in a.draws] == [d.time.tobytes() for d in b.draws]
    assert len({d.time.tobytes() for d in a.draws}) == 6
    for d in a.draws:
        assert d.event.sum() == k.events
        assert [(d.time >= x).sum() for x in k.at_risk[0]] == k.at_risk[1].tolist()
    first = reconstruct_km(*k.clicks, **{**kw, "draws": 2}, seed=5)
    assert first.draws[1].time.tobytes() == a.draws[1].time.tobytes()


def test_draws_spread_more_when_less_is_known(known):
    k = known(150, 21)

    def spread(**kw) -> float:
        r = reconstruct_km(*k.clicks, n=k.n, draws=25, **kw)
        return float(np.std([d.event.sum() for d in r.draws]))

    assert spread() > 2 * spread(at_risk=k.at_risk)
    assert spread(events=k.events) == 0


def test_censoring_marks_are_used(known):
    k = known(40, 22)
    marks = np.sort(k.time[k.event == 0])
    r = reconstruct_km(*k.clicks, n=k.n, events=k.events, censor_times=marks)
    censored = r.time[r.event == 0]
    near = np.abs(censored[:, None] - marks[None, :]).min(axis=1)
    assert (near < 1e-9).mean() > 0.6
    assert "censoring marks" in r.quality.level


def test_a_curve_that_falls_to_zero_ends_with_an_event():
    x = np.linspace(0, 20, 60)
    r = reconstruct_km(x, np.maximum(1 - x / 20, 0), n=50)
    assert r.event[-1] == 1
    assert r.time[-1] == pytest.approx(20, rel=0.01)


def test_a_flat_curve_has_no_events():
    r = reconstruct_km([0, 5, 10], [1, 1, 1], n=30)
    assert r.event.sum() == 0
    assert r.time.max() == pytest.approx(10)


def test_a_hundred_thousand_patients_work(known):
    k = known(100_000, 23)
    r = reconstruct_km(*k.clicks, n=k.n, at_risk=k.at_risk, events=k.events)
    assert r.event.sum() == k.events
    assert [(r.time >= x).sum() for x in k.at_risk[0]] == k.at_risk[1].tolist()
    assert r.quality.rmse < 0.005


def test_swapped_neighbouring_clicks_do_no_harm(known):
    k = known(100, 24)
    x, y = (a.copy() for a in k.clicks)
    x[[30, 31]] = x[31] - 1e-3 * x[-1], x[31] - 2e-3 * x[-1]
    r = reconstruct_km(x, y, n=k.n, at_risk=k.at_risk, events=k.events)
    assert rmse(k, r) < 0.03


def test_results_have_the_four_verbs(known):
    k = known(30, 25)
    r = reconstruct_km(*k.clicks, n=k.n, draws=2, label="arm A")
    assert r.to_frame().columns.tolist() == ["time", "event"]
    assert r.draws_frame()["draw"].nunique() == 2
    assert r.summary().startswith("arm A: Grade B")
    assert set(r.to_dict()) == {"label", "time", "event", "quality"}
    assert r.quality.to_dict()["checks"] == []
    assert "<table" in r.quality._repr_html_()


@pytest.mark.parametrize("seed", range(20))
def test_an_event_clicked_a_rounding_error_ahead_of_a_table_time_stays_ahead_of_it(seed):
    rng = np.random.default_rng(seed)
    t, c = rng.weibull(0.8, 600) * 5.0, rng.uniform(0.0, 10.0, 600)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    r = np.arange(0.0, time.max(), time.max() / 9)
    counts = np.array([(time >= x).sum() for x in r])
    x = np.sort(np.concatenate([np.linspace(0.0, time.max(), 46), np.nextafter(r[1:], 0.0)]))
    y = plain_survival(time, event, x) + rng.normal(0, 0.004, x.size)
    ipd = reconstruct_km(x, np.clip(y, 0, 1), n=600, at_risk=(r, counts))
    assert [int((ipd.time >= x).sum()) for x in r] == counts.tolist()


def test_draws_without_a_table_read_the_number_at_risk_off_visible_steps(known):
    """Plausible courses of censoring alone are off by seven patients."""
    off = []
    for seed in range(4):
        k = known(79, 300 + seed)
        at = 0.35 * k.time.max()
        left = [(d.time >= at).sum() for d in reconstruct_km(*k.clicks, n=79, draws=30).draws]
        off.append(np.abs(np.array(left) - (k.time >= at).sum()).mean())
    assert np.mean(off) < 4.0
