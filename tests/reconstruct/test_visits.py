"""Progression is seen at visits: what draws from summaries allow ahead of the first anchor."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.numerics.kaplan_meier import rmst, steps, survival_at
from metablin.reconstruct import reconstruct_summary
from metablin.reconstruct.summary._shapes import SEEN_AT_ONCE, at_visits


def test_hazard_is_held_back_to_visits_and_complete_at_the_anchor():
    share = np.tile(np.linspace(0.0, 1.0, 101), (200, 1))
    held = at_visits(share, np.random.default_rng(1))
    assert (held[:, 0] == 0.0).all()
    assert held[:, -1] == pytest.approx(1.0)
    assert (np.diff(held, axis=1) >= -1e-12).all()
    moved = (held != share).any(axis=1)
    assert 0.3 < moved.mean() < 0.7
    early = held[moved][:, 5]  # ahead of the first visit only what is seen at once
    assert early == pytest.approx(SEEN_AT_ONCE * 0.05)


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
