"""Visits at which events are seen: progression is found at scans, death on its day.

Between two visits hardly anything falls, and nothing ahead of the first one. A schedule maps time
to the time at which what happens is seen; hazards are smooth in that time. Printed items tell of
the schedule: the median and its limits are times of events, and so lie at visits where there are
any; and a hazard that would have to jump between two printed values speaks against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from metablin.reconstruct.summary._input import Arm

__all__ = ["Visits", "draw_visits"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SCANNED = 0.7  # probability that events are seen at visits
VISITS = (0.3, 1.2)  # time between visits, over that of the first anchor
FOLLOWED = 0.5  # of the median follow-up: visits are not rarer than patients are followed
SCATTER = (0.03, 0.15)  # of a visit around its date, over the time between visits
AT_ONCE = (0.05, 0.45)  # share of the events that are seen on their day all the same
CELLS = 400  # of the time between visits
BLIND = 0.3  # share of the schedules proposed without a look at the printed times
SHARE = (0.3, 0.8)  # of the candidates that are proposed with visits
JUMP_SD = 1.0  # of the log hazard between two anchors
HALF = 0.5
TINY = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Schedule of each candidate, every array (m, 1): `every` and `scatter` are times.

    Where `scanned` is False events are seen when they happen. `penalty` (m,) turns what was
    proposed into the prior.
    """

    scanned: BoolArray
    every: FloatArray
    scatter: FloatArray
    at_once: FloatArray
    penalty: FloatArray

    def seen(self, time: FloatArray) -> FloatArray:
        """Time at which all that happens up to `time` is seen, increasing; shape (m, q).

        Examples
        --------
        >>> one = np.ones((1, 1))
        >>> v = Visits(one > 0, 2.0 * one, 0.1 * one, 0.0 * one, one[0])
        >>> v.seen(np.array([[0.0, 1.0, 2.0, 3.0, 4.0]])).round(3).tolist()
        [[0.0, 0.0, 1.0, 2.0, 3.0]]
        """
        rows = np.flatnonzero(self.scanned)
        out = np.array(np.broadcast_to(time, (self.scanned.size, time.shape[1])))
        t, every, at_once = out[rows], self.every[rows], self.at_once[rows]
        nearest = np.rint(t / every)
        passed = nearest - 1.0 + ndtr((t - nearest * every) / self.scatter[rows])
        held = every * np.maximum(passed, 0.0)
        out[rows] = (1.0 - at_once) * held + at_once * t
        return out

    def rate(self, time: float) -> FloatArray:
        """Slope of `seen` at one time, shape (m,): how much likelier than on average events are."""
        nearest = np.maximum(np.rint(time / self.every), 1.0)
        away = (time - nearest * self.every) / self.scatter
        peak = np.exp(-0.5 * away**2) / (math.sqrt(2.0 * math.pi) * self.scatter)
        slope = (1.0 - self.at_once) * peak * self.every + self.at_once
        return np.asarray(np.where(self.scanned, slope, 1.0)[:, 0])

    def misfit(self, arm: Arm, times: FloatArray, h: FloatArray) -> FloatArray:
        """Minus log likelihood of the printed times, and of hazards that jump; shape (m,)."""
        out = self.penalty.copy()
        for t in _event_times(arm):
            out -= np.log(self.rate(t))
        if times.size < 3:
            return out
        seen = self.seen(np.tile(times, (h.shape[0], 1)))
        events = arm.n * -np.diff(np.exp(-h), axis=1) + HALF
        rate = np.log((np.diff(h, axis=1) + HALF / arm.n) / np.maximum(np.diff(seen), TINY))
        variance = JUMP_SD**2 + 1.0 / events[:, 1:] + 1.0 / events[:, :-1]
        return np.asarray(out + 0.5 * (np.diff(rate, axis=1) ** 2 / variance).sum(axis=1))


def _event_times(arm: Arm) -> list[float]:
    """Return the printed times at which an event was seen."""
    times = {arm.median, arm.median_low, arm.median_high}
    return sorted(x for x in times if math.isfinite(x) and x > 0)


def draw_visits(arm: Arm, many: int, rng: np.random.Generator) -> Visits:
    """Draw schedules, most of them so that printed times of events are dates of visits.

    The time between visits is drawn from cells of its logarithm in proportion to how likely usual
    schedules make the printed times; `penalty` makes good for that.
    """
    low, high = (math.log(x * _scale(arm)) for x in VISITS)
    edges = np.linspace(low, high, CELLS + 1)
    likely = _likely(arm, np.exp(0.5 * (edges[1:] + edges[:-1])))
    proposed = BLIND / CELLS + (1.0 - BLIND) * likely / likely.sum()
    evidence = SCANNED * float(likely.mean()) / (SCANNED * float(likely.mean()) + 1.0 - SCANNED)
    share = min(max(evidence, SHARE[0]), SHARE[1])
    cell = rng.choice(CELLS, size=many, p=proposed)
    every = np.exp(edges[cell] + (edges[1] - edges[0]) * rng.random(many))
    scanned = rng.random(many) < share
    penalty = np.where(scanned, np.log(CELLS * proposed[cell] * share / SCANNED),
                       math.log((1.0 - share) / (1.0 - SCANNED)))  # fmt: skip
    least, most = (float(x) for x in np.log(SCATTER))
    scatter = every * np.exp(rng.uniform(least, most, many))
    at_once = rng.uniform(*AT_ONCE, many)
    return Visits(scanned[:, None], every[:, None], scatter[:, None], at_once[:, None], penalty)


def _scale(arm: Arm) -> float:
    """Time of the first anchor, or half of the median follow-up if that is shorter."""
    first = [x.time for x in arm.landmarks] + [x for x in (arm.median,) if math.isfinite(x)]
    first = first or _event_times(arm)
    return min([*first, *([FOLLOWED * arm.followup] if math.isfinite(arm.followup) else [])])


def _likely(arm: Arm, every: FloatArray) -> FloatArray:
    """Likelihood of the printed times of events under usual schedules, shape (cells,)."""
    one = np.ones((every.size, 1))
    scatter, at_once = math.sqrt(SCATTER[0] * SCATTER[1]), 0.5 * sum(AT_ONCE)
    usual = Visits(one > 0, every[:, None], scatter * every[:, None], at_once * one, every)
    out = np.ones(every.size)
    for t in _event_times(arm):
        out *= usual.rate(t)
    return out
