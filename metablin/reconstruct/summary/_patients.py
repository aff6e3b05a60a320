"""Whole patients drawn from one pair of curves under everything that is printed of an arm.

Patients leave between one printed time and the next. How many are censored there is drawn from
the curves; so are the times of events, one after the other, as many as it takes for the
Kaplan-Meier curve to come down to the printed value. Draws that step over it are thrown away, so
that what is kept is a sample of the curves given the print and not an adjusted one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metablin.numerics import kaplan_meier
from metablin.reconstruct.summary._input import Arm, Landmark

__all__ = ["draw_patients", "meets", "stations"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TRIES = 40  # draws of a segment before its curves are given up
AIM = 0.8  # of the tolerance: how far off the printed value the curves may pull
CLOSE = 1e-9
TINY = 1e-12
NOBODY = np.empty(0)


@dataclass(frozen=True, slots=True)
class Station:
    """A time at which something is printed: S, a number at risk, the median or a limit of it."""

    time: float
    landmark: Landmark | None = None
    count: int | None = None
    is_median: bool = False

    @property
    def someone_left(self) -> bool:
        """Whether the print implies that a patient is still followed here."""
        return self.landmark is None or self.landmark.survival > self.landmark.tolerance


@dataclass(slots=True)
class _Walk:
    """Patients still at risk and S so far, with the times and flags of those that left."""

    at_risk: int
    s: float = 1.0
    at: float = 0.0
    events: int = 0
    rests: bool = False
    times: list[FloatArray] = field(default_factory=list)
    flags: list[IntArray] = field(default_factory=list)

    def leave(self, events: FloatArray, censored: FloatArray, s: float) -> None:
        """Let patients leave; `s` is the Kaplan-Meier value afterwards."""
        self.times += [events, censored]
        self.flags += [np.ones(events.size, np.int64), np.zeros(censored.size, np.int64)]
        self.at_risk -= events.size + censored.size
        self.events += events.size
        self.s = s


class _Curves:
    """Distribution functions of one candidate, from which times are drawn.

    `marks` are the times at which they are read off: the origin, the printed times and the end.
    """

    def __init__(self, marks: FloatArray, time: FloatArray, h: FloatArray, g: FloatArray) -> None:
        s = np.exp(-h)
        self.time, self.s = time, s
        self.event = np.zeros(time.size)
        self.event[1:] = np.cumsum(0.5 * (g[1:] + g[:-1]) * (s[:-1] - s[1:]) + TINY)
        self.censor = np.zeros(time.size)
        self.censor[1:] = np.cumsum(0.5 * (s[1:] + s[:-1]) * (g[:-1] - g[1:]) + TINY)

        self.at = marks.tolist()
        self.event_at, self.censor_at, self.s_at = (
            np.interp(marks, time, y).tolist() for y in (self.event, self.censor, s)
        )


class _Span:
    """The curves from the printed time before the `i`-th to that time."""

    def __init__(self, curves: _Curves, i: int) -> None:
        self.curves = curves
        self.event = curves.event_at[i - 1], curves.event_at[i]
        self.censor = curves.censor_at[i - 1], curves.censor_at[i]
        self.s = curves.s_at[i]
        a, b = curves.at[i - 1], curves.at[i]
        edge = 1e-9 * (b - a)
        self.inside = a + edge, b - edge

    def events(self, size: int, rng: np.random.Generator) -> FloatArray:
        """Draw times of events, in random order."""
        return self._draw(self.curves.event, self.event, size, rng)

    def censored(self, size: int, rng: np.random.Generator) -> FloatArray:
        """Draw times of censoring, in order."""
        t = self._draw(self.curves.censor, self.censor, size, rng)
        t.sort()
        return t

    def _draw(
        self, kind: FloatArray, ends: tuple[float, float], size: int, rng: np.random.Generator
    ) -> FloatArray:
        if size == 0:
            return NOBODY
        low, high = ends
        t = np.interp(low + (high - low) * rng.random(size), kind, self.curves.time)
        np.maximum(t, self.inside[0], out=t)
        np.minimum(t, self.inside[1], out=t)
        return t

    def shares(self) -> tuple[float, float]:
        """Probability of an event and of censoring for a patient at risk at the start."""
        (e0, e1), (c0, c1) = self.event, self.censor
        e, c = e1 - e0, c1 - c0
        left = max(1.0 - e0 - c0, e + c, TINY)
        return min(e / left, 1.0), min(c / left, 1.0)


def draw_patients(
    arm: Arm,
    marks: list[Station],
    time: FloatArray,
    h: FloatArray,
    g: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, IntArray, float] | None:
    """One data set, or None when these curves do not give one.

    The third item says how far the printed number of events is from what the curves expect after
    the last printed time, in standard deviations. It is infinite when S rests at one half, where
    other definitions of the median find another time.
    """
    places = np.array([0.0, *(mark.time for mark in marks), time[-1]])
    curves, walk = _Curves(places, time, h, g), _Walk(arm.n)
    for i, mark in enumerate(marks):
        if not _reach(arm, walk, _Span(curves, i + 1), mark, rng):
            return None
        walk.at = mark.time
    strain = _finish(arm, walk, _Span(curves, len(marks) + 1), rng)
    if strain is None:
        return None
    times, flags = np.concatenate(walk.times), np.concatenate(walk.flags)
    order = np.lexsort((1 - flags, times))
    times, flags = times[order], flags[order]
    strain = math.inf if walk.rests else strain
    return (times, flags, strain) if meets(arm, times, flags) else None


def stations(arm: Arm) -> list[Station]:
    """Return the printed times of an arm in order."""
    out: dict[float, Station] = {}
    for t, k in zip(arm.table[0].tolist(), arm.table[1].tolist(), strict=True):
        if t > 0:
            out[t] = Station(t, count=int(k))
    for x in arm.landmarks:
        out[x.time] = Station(x.time, x, out[x.time].count if x.time in out else None)
    if math.isfinite(arm.median):
        out[arm.median] = Station(arm.median, is_median=True)
    for t in (arm.median_low, arm.median_high):  # S there follows from the interval of the median
        if math.isfinite(t) and t > 0 and t not in out:
            out[t] = Station(t)
    return [out[t] for t in sorted(out)]


def _reach(arm: Arm, walk: _Walk, span: _Span, mark: Station, rng: np.random.Generator) -> bool:
    """Let patients leave up to a printed time, in one of some tries."""
    if mark.count is not None and mark.landmark is None:
        return _to_count(walk, span, mark, rng)
    goal = _Goal(arm, walk, span, mark)
    return any(_advance(arm, walk, span, goal, rng) for _ in range(TRIES))


class _Goal:
    """What every try of a draw up to a printed time has in common."""

    def __init__(self, arm: Arm, walk: _Walk, span: _Span, mark: Station) -> None:
        n = walk.at_risk
        self.mark = mark
        self.aim, self.slack = _aim(arm, walk, span, mark)
        rho = min(self.aim / walk.s, 1.0) if walk.s > 0 else 1.0
        self.most = min(math.ceil(n * (1.0 - rho)) + 1, n)
        event, censor = span.shares()
        self.expected = min(round(n * min(event, 1.0 - rho)), self.most)
        self.leaving = min(censor / max(1.0 - event, censor, TINY), 1.0)

    def lost(self, n: int, rng: np.random.Generator) -> int:
        """Draw the number censored among those that have no event."""
        if self.mark.count is not None:
            return max(n - self.mark.count - self.expected, 0)
        return int(rng.binomial(n - self.expected, self.leaving))


def _advance(arm: Arm, walk: _Walk, span: _Span, goal: _Goal, rng: np.random.Generator) -> bool:
    """Let patients leave up to a printed time; nothing happens when the draw misses the print."""
    mark, n, b = goal.mark, walk.at_risk, goal.mark.time
    pool = span.events(goal.most, rng)
    censored = span.censored(goal.lost(n, rng), rng)
    if mark.is_median:
        return _cross(walk, pool, censored, b, _together(arm, walk, b))
    most = min(goal.most, n - censored.size - mark.someone_left)
    m, s = _events_for(walk, _Fall(walk, pool[: max(most, 0)], censored), goal.aim)
    if mark.count is not None:
        lost = n - mark.count - m
        if lost < 0:
            return False
        censored = span.censored(lost, rng)
        s = _Fall(walk, pool[:m], censored).after(m)
    if n - m - censored.size < mark.someone_left or (b < arm.median and s <= 0.5 + CLOSE):
        return False
    if mark.landmark is not None and abs(s - mark.landmark.survival) > goal.slack:
        return False
    walk.leave(pool[:m], censored, s)
    return True


def _aim(arm: Arm, walk: _Walk, span: _Span, mark: Station) -> tuple[float, float]:
    """Value S should have at a printed time, and how far from the printed one it may be."""
    if mark.is_median:
        return 0.5, 0.0
    drawn = span.s
    slack = math.inf
    if mark.landmark is not None:
        slack = max(mark.landmark.tolerance, 0.5 / arm.n)
        printed = mark.landmark.survival
        drawn = min(max(drawn, printed - AIM * slack), printed + AIM * slack)
    if mark.time < arm.median:
        drawn = max(drawn, 0.5 + 0.3 / max(walk.at_risk, 1))
    return min(max(drawn, 0.0), walk.s), slack


class _Fall:
    """S after the first events of a pool, each among those that are still followed."""

    def __init__(self, walk: _Walk, pool: FloatArray, censored: FloatArray) -> None:
        self.start, self.size = walk.s, pool.size
        self.order = pool.argsort()  # the first events in order of time are those below a number
        self.gone = censored.searchsorted(pool[self.order])
        self.ahead = np.arange(walk.at_risk, walk.at_risk - self.size, -1)

    def after(self, m: int) -> float:
        """Return S after the first `m` events of the pool."""
        if m == 0:
            return self.start
        gone = self.gone if m == self.size else self.gone[self.order < m]
        ahead = self.ahead[:m] - gone
        np.maximum(ahead, 1, out=ahead)
        return self.start * float(np.multiply.reduce(1.0 - 1.0 / ahead))


def _events_for(walk: _Walk, fall: _Fall, aim: float) -> tuple[int, float]:
    """Return how many of a pool of events bring S nearest to where it should be, and S."""
    low, high = 0, fall.size  # S after `low` events is at least the aim
    above, below = walk.s, fall.after(high)
    if below >= aim:
        return high, below
    while high - low > 1:
        guess = low + round((above - aim) / (above - below) * (high - low))
        middle = min(max(guess, low + 1), high - 1)  # S falls with every event, nearly evenly
        s = fall.after(middle)
        low, high, above, below = (middle, high, s, below) if s >= aim else (low, middle, above, s)
    return (low, above) if above - aim <= aim - below else (high, below)


def _together(arm: Arm, walk: _Walk, b: float) -> tuple[int, int]:
    """Events still possible up to the median, and patients that are still at risk after it.

    A landmark of one half after the median needs S to rest there: no event may follow at once.
    """
    events = arm.n if arm.events is None else arm.events - walk.events
    later = arm.table[1][arm.table[0] > b]
    kept = int(later[0]) if later.size else 0
    rests = any(x.time > b and x.survival >= 0.5 for x in arm.landmarks)
    return events, walk.at_risk if rests else kept


def _cross(
    walk: _Walk, pool: FloatArray, censored: FloatArray, b: float, bounds: tuple[int, int]
) -> bool:
    """Bring S above one half before the median, and down to it or below with an event there."""
    if walk.s <= 0.5 + CLOSE:
        return False
    fall = _Fall(walk, pool[: max(walk.at_risk - censored.size - 1, 0)], censored)
    m, s = _events_for(walk, fall, 0.5)
    while m and s <= 0.5 + CLOSE:
        m -= 1
        s = fall.after(m)
    left = walk.at_risk - m - censored.size
    if left < 1 or s <= 0.5 + CLOSE:
        return False
    after = s * (1.0 - 1.0 / left)
    here = 1
    two = m + 2 <= bounds[0] and left - 2 >= max(bounds[1], 1)
    if abs(after - 0.5) < CLOSE and two:  # a plateau at one half would move the median
        here, after = 2, s * (1.0 - 2.0 / left)
    walk.rests = abs(after - 0.5) < CLOSE
    if after > 0.5 + CLOSE:
        return False
    walk.leave(np.append(pool[:m], np.full(here, b)), censored, after)
    return True


def _to_count(walk: _Walk, span: _Span, mark: Station, rng: np.random.Generator) -> bool:
    """Let patients leave until the printed number is at risk."""
    gone = walk.at_risk - (mark.count or 0)
    if gone < 0:
        return False
    event, censor = span.shares()
    m = int(rng.binomial(gone, event / max(event + censor, TINY)))
    events = span.events(m, rng)
    censored = span.censored(gone - m, rng)
    walk.leave(events, censored, _Fall(walk, events, censored).after(m))
    return True


def _finish(arm: Arm, walk: _Walk, span: _Span, rng: np.random.Generator) -> float | None:
    """Let everyone else leave after the last printed time; the known total fixes the events."""
    n, end = walk.at_risk, span.curves.at[-1]
    event, censor = span.shares()
    share = event / max(event + censor, TINY)
    if arm.events is None:
        m, strain = int(rng.binomial(n, share)), 0.0
    else:
        m = arm.events - walk.events
        if not 0 <= m <= n:
            return None
        strain = abs(m - n * share) / math.sqrt(n * share * (1.0 - share) + 1.0)
    if walk.at >= end * (1.0 - CLOSE):
        walk.leave(np.full(m, end), np.full(n - m, end), walk.s)
        return strain
    censored = span.censored(n - m, rng)
    if math.isfinite(arm.followup_max) and censored.size:
        censored[-1] = end
    walk.leave(span.events(m, rng), censored, walk.s)
    return strain


def meets(arm: Arm, time: FloatArray, event: IntArray) -> bool:
    """Whether a data set meets every printed constraint."""
    if time.size != arm.n or (arm.events is not None and int(event.sum()) != arm.events):
        return False
    km = kaplan_meier.steps(time, event)
    for x in arm.landmarks:
        found = float(kaplan_meier.survival_at(km, np.array([x.time]))[0])
        if abs(found - x.survival) > max(x.tolerance, 0.5 / arm.n) + CLOSE:
            return False
        if x.survival > x.tolerance and time[-1] < x.time:
            return False
    middle = kaplan_meier.median(km)
    if math.isfinite(arm.median) and not abs(middle - arm.median) <= CLOSE * arm.median:
        return False
    if math.isinf(arm.median) and not math.isnan(middle):
        return False
    left = time.size - np.searchsorted(time, arm.table[0], side="left")
    return bool((left == arm.table[1]).all())
