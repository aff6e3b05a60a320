"""Whole patients that meet printed summaries exactly, drawn around one pair of curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct import _km
from metablin.reconstruct._summary_input import Arm, Landmark

__all__ = ["assemble", "meets"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

BISECTIONS = 24
EXTRA = 6  # spare events drawn ahead of the median, of which the first to cross is kept
TINY = 1e-12
CLOSE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Distribution functions from which times within a segment are drawn."""

    time: FloatArray
    s: FloatArray
    g: FloatArray
    event: FloatArray
    censor: FloatArray


def make_source(time: FloatArray, h: FloatArray, g: FloatArray) -> Source:
    """Cumulative incidence of events and of censorings, with a slope everywhere."""
    s = np.exp(-h)
    event = np.cumsum(0.5 * (g[1:] + g[:-1]) * -np.diff(s) + TINY)
    censor = np.cumsum(0.5 * (s[1:] + s[:-1]) * -np.diff(g) + TINY)
    zero = np.zeros(1)
    return Source(time, s, g, np.concatenate([zero, event]), np.concatenate([zero, censor]))


@dataclass(slots=True)
class _State:
    """Patients still at risk and S so far, with the times and flags of those that left."""

    at_risk: int
    s: float
    at: float
    times: list[FloatArray]
    flags: list[IntArray]
    events: int = 0

    def leave(self, times: FloatArray, flags: IntArray) -> None:
        """Let patients leave in the given order."""
        ahead = self.at_risk - np.arange(times.size)
        self.s *= float(np.prod(1.0 - flags / ahead)) if times.size else 1.0
        self.at_risk -= times.size
        self.events += int(flags.sum())
        self.times.append(times)
        self.flags.append(flags)


def assemble(
    arm: Arm, time: FloatArray, h: FloatArray, g: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, IntArray] | None:
    """One data set, or None when these curves cannot meet every printed item."""
    source = make_source(time, h, g)
    state = _State(arm.n, 1.0, 0.0, [], [])
    for at, landmark, count in _boundaries(arm):
        if at == arm.median and landmark is None and count is None:
            ok = _to_median(arm, state, source, rng)
        else:
            ok = _to_boundary(arm, state, source, at, landmark, count, rng)
        if not ok:
            return None
        state.at = at
    if not _to_end(arm, state, source, rng):
        return None
    times, flags = np.concatenate(state.times), np.concatenate(state.flags)
    order = np.lexsort((1 - flags, times))
    out = times[order], flags[order].astype(np.int64)
    return out if meets(arm, *out) else None


def _boundaries(arm: Arm) -> list[tuple[float, Landmark | None, int | None]]:
    out: dict[float, tuple[Landmark | None, int | None]] = {}
    for t, k in zip(arm.table[0].tolist(), arm.table[1].tolist(), strict=True):
        if t > 0:
            out[t] = (None, int(k))
    for x in arm.landmarks:
        out[x.time] = (x, out.get(x.time, (None, None))[1])
    if math.isfinite(arm.median) and arm.median not in out:
        out[arm.median] = (None, None)
    for t in (arm.median_low, arm.median_high):  # S there follows from the interval of the median
        if math.isfinite(t) and t > 0 and t not in out:
            out[t] = (Landmark(t, math.nan, 1.0 / arm.n, math.nan), None)
    return [(t, *out[t]) for t in sorted(out)]


def _at(source: Source, values: FloatArray, t: float) -> float:
    return float(np.interp(t, source.time, values))


def _draw(
    source: Source, kind: FloatArray, a: float, b: float, size: int, rng: np.random.Generator
) -> FloatArray:
    low, high = _at(source, kind, a), _at(source, kind, b)
    u = np.interp(low + (high - low) * rng.random(size), kind, source.time)
    edge = 1e-9 * (b - a)
    return np.asarray(np.clip(u, a + edge, b - edge))


def _ordered(
    source: Source, a: float, b: float, m: int, c: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    times = np.concatenate(
        [_draw(source, source.event, a, b, m, rng), _draw(source, source.censor, a, b, c, rng)]
    )
    flags = np.repeat([1, 0], [m, c])
    order = np.argsort(times, kind="stable")
    return times[order], flags[order]


def _ratios(state: _State, source: Source, b: float) -> tuple[float, float]:
    """Fall of S and of G over the segment, by the curves."""
    rho = _at(source, source.s, b) / max(_at(source, source.s, state.at), TINY)
    gamma = _at(source, source.g, b) / max(_at(source, source.g, state.at), TINY)
    return min(rho, 1.0), min(gamma, 1.0)


def _censored(state: _State, rho: float, gamma: float, rng: np.random.Generator) -> tuple[int, int]:
    """Events expected and censorings drawn in a segment."""
    n = state.at_risk
    m = min(round(n * (1.0 - rho) * 0.5 * (1.0 + gamma)), n)
    left = n - m
    share = 0.0 if left <= 0 else min(max(1.0 - n * rho * gamma / left, 0.0), 1.0)
    return m, int(rng.binomial(left, share))


def _to_boundary(
    arm: Arm,
    state: _State,
    source: Source,
    b: float,
    landmark: Landmark | None,
    count: int | None,
    rng: np.random.Generator,
) -> bool:
    """Let patients leave up to a landmark (S fixed), a table time (number fixed), or both."""
    n = state.at_risk
    rho, gamma = _ratios(state, source, b)
    slack = 0.0
    if landmark is not None:
        drawn = _at(source, source.s, b)
        printed = drawn if math.isnan(landmark.survival) else landmark.survival
        slack = max(landmark.tolerance, 0.5 / arm.n)
        target = _beside_half(arm, b, drawn, printed, slack, n)
        rho, slack = target / max(state.s, TINY), slack / max(state.s, TINY)
    rho = min(rho, 1.0)
    m, c = _censored(state, rho, gamma, rng)
    if landmark is None:
        m = min(m, n - count) if count is not None else m
        c = n - m - count if count is not None else c
        state.leave(*_ordered(source, state.at, b, m, c, rng))
        return True
    found = _choose(n, m, c, rho, slack, count)
    if found is None:
        return False
    times, flags = _ordered(source, state.at, b, *found, rng)
    state.leave(times, _reorder(n, times, flags, rho))
    return True


def _beside_half(arm: Arm, b: float, drawn: float, printed: float, slack: float, n: int) -> float:
    """Where to aim: the drawn S, within the tolerance and on its side of the median."""
    aim = min(max(drawn, printed - 0.8 * slack), printed + 0.8 * slack)
    if b < arm.median:
        aim = max(aim, min(0.5 + 0.3 / max(n, 1), printed + 0.9 * slack))
    return min(max(aim, 0.0), 1.0)


def _choose(
    n: int, m: int, c: int, rho: float, slack: float, count: int | None
) -> tuple[int, int] | None:
    """Events and censorings whose order can give the wanted fall, near the drawn ones."""
    best, cost = None, math.inf
    for dc in range(-4, 5):
        for dm in range(-4, 5):
            events = m + dm
            lost = c + dc if count is None else n - events - count
            if events < 0 or lost < 0 or events + lost > n or (events and lost >= n):
                continue
            high = 1.0 - events / n if n else 1.0
            low = 1.0 - events / (n - lost) if n > lost else 1.0
            if not low - 0.9 * slack <= rho <= high + 0.9 * slack:
                continue
            off = abs(rho - 0.5 * (low + high)) * n + 0.3 * abs(dc)
            if off < cost:
                best, cost = (events, lost), off
    return best


def _reorder(n: int, times: FloatArray, flags: IntArray, rho: float) -> IntArray:
    """Move censorings earlier or later, as little as needed, until S falls as wanted."""
    if flags.all() or not flags.any():
        return flags
    u = (times - times[0]) / max(float(times[-1] - times[0]), TINY)
    ahead = n - np.arange(times.size)

    def moved(shift: float) -> tuple[float, IntArray]:
        order = np.argsort(u + shift * (1 - flags), kind="stable")
        new = flags[order]
        return float(np.prod(1.0 - new / ahead)), new

    start, same = moved(0.0)
    low, high = (0.0, 1.01) if start < rho else (-1.01, 0.0)
    best, gap = same, abs(start - rho)
    for _ in range(BISECTIONS):
        mid = 0.5 * (low + high)
        value, new = moved(mid)
        if abs(value - rho) < gap:
            best, gap = new, abs(value - rho)
        low, high = (mid, high) if value < rho else (low, mid)
    return best


def _to_median(arm: Arm, state: _State, source: Source, rng: np.random.Generator) -> bool:
    """Let patients leave until an event at the median takes S from above to one half or less."""
    if state.s <= 0.5 + CLOSE:
        return False
    b, n = arm.median, state.at_risk
    _, gamma = _ratios(state, source, b)
    m, c = _censored(state, 0.5 / state.s, gamma, rng)
    times, flags = _ordered(source, state.at, b, min(m + EXTRA, n - c), c, rng)
    path = state.s * np.cumprod(1.0 - flags / (n - np.arange(times.size)))
    crossed = np.flatnonzero(path <= 0.5 + CLOSE)
    if crossed.size == 0:
        return False
    i = int(crossed[0])
    keep_c = np.flatnonzero(flags[i + 1 :] == 0) + i + 1
    gone = np.arange(i + 1)
    exact = abs(path[i] - 0.5) < CLOSE
    times, flags = times[gone].copy(), flags[gone]
    last = [b, b] if exact and n - i - 1 > 1 else [b]
    ends = np.asarray(np.append(times[:-1], last), dtype=np.float64)
    state.leave(ends, np.append(flags[:-1], np.ones(len(last), int)))
    room = min(keep_c.size, max(state.at_risk - 1, 0))
    late = np.asarray(b + (b - state.at) * 1e-6 * (1.0 + np.arange(room)), dtype=np.float64)
    state.leave(late, np.zeros(room, dtype=np.int64))
    return True


def _to_end(arm: Arm, state: _State, source: Source, rng: np.random.Generator) -> bool:
    """Let everyone else leave after the last boundary; the known total fixes the events."""
    n, end = state.at_risk, float(source.time[-1])
    if arm.events is not None:
        m = arm.events - state.events
        if m < 0 or m > n:
            return False
    else:
        a = _at(source, source.event, state.at)
        lost = 1.0 - a - _at(source, source.censor, state.at)
        share = (float(source.event[-1]) - a) / max(lost, TINY)
        m = int(rng.binomial(n, min(max(share, 0.0), 1.0)))
    if n == 0:
        return True
    if state.at >= end * (1 - 1e-9):
        state.leave(np.full(n, end), np.repeat([1, 0], [m, n - m]))
        return True
    times, flags = _ordered(source, state.at, end, m, n - m, rng)
    if math.isfinite(arm.followup_max) and (flags == 0).any():
        i = int(np.flatnonzero(flags == 0)[-1])
        times = np.append(np.delete(times, i), end)
        flags = np.append(np.delete(flags, i), 0)
    state.leave(times, flags)
    return True


def meets(arm: Arm, time: FloatArray, event: IntArray) -> bool:
    """Whether a data set meets every printed constraint."""
    if time.size != arm.n or (arm.events is not None and int(event.sum()) != arm.events):
        return False
    km = _km.steps(time, event)
    for x in arm.landmarks:
        found = float(_km.survival_at(km, np.array([x.time]))[0])
        if abs(found - x.survival) > max(x.tolerance, 0.5 / arm.n) + CLOSE:
            return False
    middle = _km.median(km)
    if math.isfinite(arm.median) and not abs(middle - arm.median) <= CLOSE * arm.median:
        return False
    if math.isinf(arm.median) and not math.isnan(middle):
        return False
    left = time.size - np.searchsorted(time, arm.table[0], side="left")
    return bool((left == arm.table[1]).all())
