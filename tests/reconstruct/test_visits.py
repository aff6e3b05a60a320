"""Progression is seen at visits: what draws from summaries allow, and what tells of visits."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.numerics.kaplan_meier import rmst, steps, survival_at
from metablin.reconstruct import reconstruct_summary
from metablin.reconstruct.summary._input import parse_arm
from metablin.reconstruct.summary._shapes import EFFECTIVE, _tempered
from metablin.reconstruct.summary._visits import SCANNED, VISITS, Visits, draw_visits

ARM = parse_arm(120, 70, (6.1, 4.2, 8.3), [(3.0, 0.75), (6.0, 0.52)], None, None, 0.95, "")
MANY = 40_000
SAMPLING = 0.02  # about four standard errors of a share among MANY candidates of unequal weight


def schedule(every: float, at_once: float = 0.1, scatter: float = 0.1) -> Visits:
    one = np.ones((1, 1))
    return Visits(one > 0, every * one, scatter * one, at_once * one, np.zeros(1))


def test_events_are_seen_at_visits_and_deaths_on_their_day():
    v = schedule(2.0)
    time = np.linspace(0.0, 8.0, 801)[None]
    seen = v.seen(time)[0]
    assert (np.diff(seen) >= -1e-12).all()
    assert seen[150] == pytest.approx(0.1 * 1.5, abs=1e-5)  # ahead of the first visit
    assert seen[-1] - seen[0] == pytest.approx(0.9 * 7.0 + 0.1 * 8.0)  # half of the fourth visit
    slope = np.gradient(seen, time[0])
    for t in (1.0, 2.0, 3.9, 5.0):
        assert v.rate(t)[0] == pytest.approx(slope[round(100 * t)], abs=0.02)


def test_without_visits_events_are_seen_when_they_happen():
    v = schedule(2.0)
    plain = Visits(~v.scanned, v.every, v.scatter, v.at_once, v.penalty)
    time = np.linspace(0.0, 8.0, 50)[None]
    assert np.array_equal(plain.seen(time), time)
    assert plain.rate(3.3)[0] == 1.0


def test_printed_times_of_events_speak_for_visits_on_those_dates():
    arm = parse_arm(300, 200, (6.0, 4.0, 8.0), [(3.0, 0.75), (9.0, 0.3)], None, None, 0.95, "")
    times, h = np.array([0.0, 3.0, 9.0]), -np.log(np.array([[1.0, 0.75, 0.3]]))
    misfit = {e: schedule(e).misfit(arm, times, h)[0] for e in (1.37, 2.0, 2.6)}
    assert misfit[2.0] < min(misfit[1.37], misfit[2.6]) - 3.0


def test_hazards_that_jump_between_anchors_speak_against_a_schedule():
    arm = parse_arm(300, None, None, [(2.5, 0.9), (5.0, 0.8)], None, None, 0.95, "")
    times, h = np.array([0.0, 2.5, 5.0]), -np.log(np.array([[1.0, 0.9, 0.8]]))
    # two visits before each landmark, against none before the first
    assert schedule(1.2).misfit(arm, times, h)[0] < schedule(2.9).misfit(arm, times, h)[0]


def test_schedules_have_their_prior_however_they_are_proposed():
    v = draw_visits(ARM, MANY, np.random.default_rng(1))
    weight = np.exp(-v.penalty)
    weight /= weight.sum()
    scanned = v.scanned[:, 0]
    assert weight[scanned].sum() == pytest.approx(SCANNED, abs=SAMPLING)
    log = np.log(v.every[scanned, 0] / 3.0)  # over the time of the first anchor
    low, high = np.log(VISITS)
    assert low <= log.min() < log.max() <= high
    share = np.histogram(log, np.linspace(low, high, 6), weights=weight[scanned] / SCANNED)[0]
    assert share == pytest.approx(np.full(5, 0.2), abs=SAMPLING)


def test_weights_are_flattened_until_enough_candidates_share_them():
    steep = np.linspace(0.0, -300.0, 500)
    w = _tempered(steep)
    assert w.sum() == pytest.approx(1.0)
    assert 1.0 / (w**2).sum() == pytest.approx(EFFECTIVE, rel=0.1)
    assert (np.diff(w) <= 0).all()
    flat = np.linspace(0.0, -2.0, 500)
    assert _tempered(flat) == pytest.approx(np.exp(flat) / np.exp(flat).sum())


def test_a_first_stretch_without_events_is_within_the_draws():
    """An arm scanned every two months: S is 1 up to the first scan, and falls there."""
    sets = reconstruct_summary(n=200, events=130, landmarks=[(2.2, 0.7), (6.5, 0.4)], followup=9,
                               draws=150)  # fmt: skip
    curves = [steps(x.time, x.event) for x in sets]
    early = np.array([survival_at(c, np.array([1.5]))[0] for c in curves])
    assert np.quantile(early, 0.975) > 0.93
    assert np.quantile(early, 0.025) < 0.82
    area = np.array([rmst(c, 2.2) for c in curves])
    assert area.min() < 0.85 * 2.2
    assert area.max() > 0.94 * 2.2
