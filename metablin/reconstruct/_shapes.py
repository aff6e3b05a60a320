"""Plausible survival and censoring curves through printed summaries.

Hard anchors are landmarks and the median. The limits of the median are soft anchors: inverting
the pointwise interval (Brookmeyer and Crowley 1982, doi:10.2307/2530286) says what S must be
there. Between anchors the cumulative hazard follows a monotone cubic with random warps; after the
last one the hazard continues, fades or stops. Draws are weighted by how well they explain the
number of events and the printed standard errors, and resampled (Rubin 1988).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtri

from metablin.reconstruct._summary_input import Arm

__all__ = ["Shapes", "draw_shapes"]

FloatArray = NDArray[np.float64]

GRID = 240
WARP_SD = 0.5  # of the log power that bends the hazard within a segment
FIRST_WARP_SD = 0.9  # the same ahead of the first anchor, where no earlier slope is a guide
HIGHEST = 6.0  # cumulative hazard beyond which a limit of the median says nothing
TAIL_SD = 0.8  # of the log hazard after the last anchor
TAIL_MEAN = -0.3
PLATEAU = 0.2  # probability that the hazard all but stops after the last anchor
LOG_POWER_SD = 0.9
POWER = 1.6
EVENTS_SD = 0.04  # relative, how closely a shape must explain the events
ERROR_SD = 0.08  # relative, the same for printed standard errors
TINY = 1e-9
LEAST_G = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """Curves on a common grid of scaled time: `end` (m,), `h` and `g` of shape (m, GRID)."""

    end: FloatArray
    time: FloatArray
    h: FloatArray
    g: FloatArray


def draw_shapes(arm: Arm, count: int, rng: np.random.Generator) -> Shapes:
    """Draw candidate curves and keep `count` of them in proportion to their weights."""
    many = max(8 * count, 400) if _tells_apart(arm) else count
    end = _ends(arm, many, rng)
    time = np.linspace(0.0, 1.0, GRID) * end[:, None]
    g = _censoring(arm, end, time, rng)
    h = np.empty((many, GRID))
    for i in range(many):
        h[i] = _hazard(arm, end[i], time[i], g[i], rng)
    weight = np.exp(-_misfit(arm, time, h, g))
    if weight.sum() <= 0:
        weight = np.ones(many)
    chosen = _systematic(weight / weight.sum(), count, rng)
    return Shapes(end[chosen], time[chosen], h[chosen], g[chosen])


def _tells_apart(arm: Arm) -> bool:
    """Tell whether anything in print makes one candidate curve likelier than another."""
    errors = any(math.isfinite(x.std_error) and x.std_error > 0 for x in arm.landmarks)
    return errors or arm.events is not None or arm.table[0].size > 0


def _systematic(weight: FloatArray, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    points = (np.arange(count) + rng.random()) / count
    picked = np.minimum(np.searchsorted(np.cumsum(weight), points), weight.size - 1)
    return np.asarray(rng.permutation(picked))


def _ends(arm: Arm, many: int, rng: np.random.Generator) -> FloatArray:
    """End of follow-up: printed, or beyond everything that is known."""
    if math.isfinite(arm.followup_max):
        return np.full(many, max(arm.followup_max, arm.last))
    last = arm.last * 1.02
    known = [x.time for x in arm.landmarks] + [x for x in (arm.median,) if math.isfinite(x)]
    latest = max(known) if known else last
    if math.isfinite(arm.followup):
        return np.asarray(np.maximum(arm.followup * rng.uniform(1.2, 2.4, many), latest * 1.05))
    return np.asarray(np.maximum(latest * rng.uniform(1.1, 2.2, many), last))


def _censoring(arm: Arm, end: FloatArray, time: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Survival curve G of the censoring time: an accrual ramp, or a power of time."""
    many = end.size
    power = POWER * np.exp(rng.normal(0.0, LOG_POWER_SD, many))
    start = end * rng.uniform(0.0, 0.8, many)
    if math.isfinite(arm.followup):
        middle = np.minimum(arm.followup * np.exp(rng.normal(0.0, 0.08, many)), 0.97 * end)
        power = math.log(0.5) / np.log(middle / end)
        start = np.maximum(2.0 * middle - end, 0.0)
    if math.isfinite(arm.followup_min):
        start = np.maximum(start, min(arm.followup_min, 0.9 * float(end.min())))
    u = time / end[:, None]
    by_power = 1.0 - u ** power[:, None]
    width = np.maximum(end - start, TINY)[:, None]
    ramp = np.clip((end[:, None] - time) / width, 0.0, 1.0)
    use_ramp = rng.random(many) < 0.5
    if math.isfinite(arm.followup):
        use_ramp &= 2.0 * middle >= end
    g = np.where(use_ramp[:, None], ramp, by_power)
    return np.clip(g, 0.0, 1.0)


def _hazard(
    arm: Arm, end: float, time: FloatArray, g: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """One cumulative hazard on the grid, through the anchors."""
    t, h = _anchors(arm, end, time, g, rng)
    if t[-1] < end * (1 - 1e-6):
        span = end - t[-1]
        rate = (h[-1] - h[-2]) / (t[-1] - t[-2])
        overall = h[-1] / t[-1]
        factor = math.exp(rng.normal(TAIL_MEAN, TAIL_SD))
        factor = 0.05 * factor if rng.random() < PLATEAU else factor
        t = np.append(t, end)
        h = np.append(h, h[-1] + max(math.sqrt(rate * overall), 0.1 * overall) * factor * span)
    smooth = PchipInterpolator(t, h)
    j = np.minimum(np.searchsorted(t, time, side="right"), t.size - 1)
    left, width = t[j - 1], t[j] - t[j - 1]
    sd = np.full(t.size, WARP_SD)
    sd[1] = FIRST_WARP_SD
    bend = np.exp(sd * rng.normal(size=t.size))[j]
    share = np.clip((time - left) / width, 0.0, 1.0) ** bend
    return np.maximum.accumulate(np.asarray(smooth(left + share * width)))


def _anchors(
    arm: Arm, end: float, time: FloatArray, g: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return times and cumulative hazards at the anchors from the origin on, increasing."""
    points: dict[float, float] = {0.0: 0.0}
    for x in arm.landmarks:
        s = x.survival + x.tolerance * rng.uniform(-1.0, 1.0)
        points[min(x.time, end)] = -math.log(min(max(s, 0.25 / arm.n), 1 - 1e-6))
    if math.isfinite(arm.median):
        points[arm.median] = math.log(2.0) + rng.uniform(0.0, 1.0) / arm.n
    soft = _soft_anchors(arm, points, time, g, rng)
    hard = sorted(points.items())
    for t, h in soft:
        before = max((v for u, v in hard if u < t), default=0.0)
        after = min((v for u, v in hard if u > t), default=math.inf)
        if t < end and t not in points:
            points[t] = min(max(h, before), after)
    order = sorted(points.items())
    times = np.array([t for t, _ in order])
    hazards = np.maximum.accumulate(np.array([h for _, h in order]))
    return times, hazards + 1e-6 * times / end


def _soft_anchors(
    arm: Arm, points: dict[float, float], time: FloatArray, g: FloatArray, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Cumulative hazard at the limits of the median: H exp(+-z se) crosses log 2 there."""
    z = float(ndtri(0.5 + arm.level / 2))
    scale = rng.choice(3, p=[0.6, 0.25, 0.15])  # log-log, log and plain limits are all in use
    out = []
    for t, sign in ((arm.median_low, -1.0), (arm.median_high, 1.0)):
        if not math.isfinite(t) or t <= 0:
            continue
        kept = max(float(np.interp(0.6 * t, time, g)), LEAST_G)
        h = math.log(2.0)
        for _ in range(12):
            h = min(h, HIGHEST)
            error = math.sqrt(math.expm1(h) / (arm.n * kept))
            if scale == 0:
                h = 0.5 * h + 0.5 * math.log(2.0) * math.exp(sign * z * error / max(h, 0.05))
            elif scale == 1:
                h = 0.5 * h + 0.5 * max(math.log(2.0) + sign * z * error, 0.02)
            else:
                s = 0.5 - sign * z * error * math.exp(-h)
                h = 0.5 * h - 0.5 * math.log(min(max(s, 0.02), 0.99))
        step = math.exp(h) / (arm.n * kept)
        out.append((t, h + step * rng.uniform(0.0, 1.0)))
    return out


def _misfit(arm: Arm, time: FloatArray, h: FloatArray, g: FloatArray) -> FloatArray:
    """Half squared distance to the number of events, standard errors and numbers at risk."""
    s = np.exp(-h)
    mid_g = 0.5 * (g[:, 1:] + g[:, :-1])
    out = np.zeros(time.shape[0])
    if arm.events is not None:
        implied = arm.n * (mid_g * -np.diff(s, axis=1)).sum(axis=1)
        sd = 0.5 + EVENTS_SD * arm.events
        out += 0.5 * ((implied - arm.events) / sd) ** 2
    mid_s = 0.5 * (s[:, 1:] + s[:, :-1])
    v = np.diff(h, axis=1) / (arm.n * np.maximum(mid_s * mid_g, 0.2 / arm.n))
    variance = np.concatenate([np.zeros((v.shape[0], 1)), np.cumsum(v, axis=1)], axis=1)
    for x in arm.landmarks:
        if math.isfinite(x.std_error) and x.std_error > 0:
            i = np.argmax(time >= x.time, axis=1)
            implied = s[np.arange(i.size), i] * np.sqrt(variance[np.arange(i.size), i])
            out += 0.5 * (np.log(np.maximum(implied, TINY) / x.std_error) / ERROR_SD) ** 2
    times, counts = arm.table
    for t, k in zip(times, counts, strict=True):
        i = np.argmax(time >= t, axis=1)
        implied = arm.n * s[np.arange(i.size), i] * g[np.arange(i.size), i]
        out += 0.5 * ((implied - k) / (1.0 + 0.5 * math.sqrt(k))) ** 2
    return np.asarray(out - out.min())
