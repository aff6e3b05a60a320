"""Plausible survival and censoring curves through printed summaries.

Hard anchors are landmarks and the median. The limits of the median are soft anchors: inverting
the pointwise interval (Brookmeyer and Crowley 1982, doi:10.2307/2530286) says what S must be
there. Between anchors the cumulative hazard follows a monotone cubic (Fritsch and Butland 1984,
doi:10.1137/0905021) with random warps; after the last one the hazard continues, fades or stops.
Draws are weighted by how well they explain the number of events, the printed standard errors and
the limits of the median, and resampled (Rubin 1988). Every array has one row a candidate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.numerics.inference import critical
from metablin.reconstruct.printed import half_digit
from metablin.reconstruct.summary._input import Arm
from metablin.reconstruct.summary._visits import Visits, draw_visits

__all__ = ["Shapes", "draw_shapes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Method = tuple[IntArray, FloatArray]
"""How each candidate's limits are formed: index of the scale, quantile of the level."""

GRID = 240
BLOCK = 64  # candidates that fit into a processor's cache together
CANDIDATES = 400  # fewest that are weighed against each other
WARP_SD = 0.26  # of the log power that bends the hazard over a segment that doubles the time
MOST_WARP_SD = 0.45  # the same over a long one, and ahead of the first anchor
EARLY = 0.15  # mean of that log power ahead of the first anchor: hazards tend to start low
HIGHEST = 6.0  # cumulative hazard beyond which a limit of the median says nothing
TAIL_SD = 0.8  # of the log hazard after the last anchor
TAIL_MEAN = -0.3
PLATEAU = 0.2  # probability that the hazard all but stops after the last anchor
LOG_POWER_SD = 0.9
POWER = 1.6
BEYOND = (1.05, 3.0)  # end of follow-up over the last time in print
BEYOND_MEDIAN = (1.2, 2.4)  # end of follow-up over its median
EVENTS_SD = 0.04  # relative, how closely a shape must explain the events
ERROR_SD = 0.08  # relative, the same for printed standard errors
LIMIT_SD = 0.25  # of the normal deviate that is the quantile of the level at a printed limit
ROUNDED = 0.01  # of a limit's time: its rounding at most
LEVEL_SD = 0.1  # relative, of that quantile: print may be stratified, adjusted or by other means
SCALES = (0.6, 0.25, 0.15)  # log-log, log and plain limits are all in use
SOLVE_STEPS = 12
NODES = 16
EFFECTIVE = 40.0  # candidates that share the weights, at least
TEMPER_STEPS = 12
LEAST_LOG = 700.0
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
    many = max(8 * count, CANDIDATES) if _tells_apart(arm) else count
    end = _ends(arm, many, rng)
    time = np.linspace(0.0, 1.0, GRID) * end[:, None]
    g = _censoring(arm, end, time, rng)
    scale = rng.choice(3, size=many, p=SCALES)
    z = float(critical(arm.level)) * np.exp(rng.normal(0.0, LEVEL_SD, many))
    visits = draw_visits(arm, many, rng)
    anchors = _anchors(arm, end, g, (scale, z), rng)
    h = _hazard(arm, end, time, anchors, visits, rng)
    misfit = _misfit(arm, time, h, g, (scale, z)) + visits.misfit(arm, *anchors)
    chosen = _systematic(_tempered(misfit.min() - misfit), count, rng)
    return Shapes(end[chosen], time[chosen], h[chosen], g[chosen])


def _tempered(log_weight: FloatArray) -> FloatArray:
    """Weights that add up to one, flattened until enough candidates share them.

    Their effective number is 1 / sum of squares (Kong, Liu and Wong 1994,
    doi:10.1080/01621459.1994.10476469); a power below one is found by bisection. The largest
    log weight is 0.
    """
    enough = min(EFFECTIVE, 0.5 * log_weight.size)
    low, high, power = 0.0, 1.0, 1.0
    for _ in range(TEMPER_STEPS):
        weight = np.exp(np.maximum(power * log_weight, -LEAST_LOG))
        weight /= weight.sum()
        if 1.0 / float((weight**2).sum()) >= enough:
            low = power
        else:
            high = power
        if low == 1.0:
            break
        power = 0.5 * (low + high)
    return np.asarray(weight)


def _tells_apart(arm: Arm) -> bool:
    """Tell whether anything in print makes one candidate curve likelier than another."""
    errors = any(math.isfinite(x.std_error) and x.std_error > 0 for x in arm.landmarks)
    limits = math.isfinite(arm.median_low) or math.isfinite(arm.median_high)
    return errors or limits or arm.events is not None or arm.table[0].size > 0


def _systematic(weight: FloatArray, count: int, rng: np.random.Generator) -> IntArray:
    points = (np.arange(count) + rng.random()) / count
    picked = np.minimum(np.searchsorted(np.cumsum(weight), points), weight.size - 1)
    return np.asarray(rng.permutation(picked))


def _ends(arm: Arm, many: int, rng: np.random.Generator) -> FloatArray:
    """End of follow-up: printed, or beyond everything that is known.

    A limit of the median is a time of an event, so that someone was followed beyond it.
    """
    if math.isfinite(arm.followup_max):
        return np.full(many, max(arm.followup_max, arm.last))
    known = [x.time for x in arm.landmarks]
    known += [x for x in (arm.median, arm.median_low, arm.median_high) if math.isfinite(x)]
    known += arm.table[0][arm.table[1] > 0].tolist()
    if math.isfinite(arm.followup):
        end = arm.followup * rng.uniform(*BEYOND_MEDIAN, many)
        return np.asarray(np.maximum(end, 1.05 * max(known)))
    return np.asarray(
        max(known) * np.exp(rng.uniform(math.log(BEYOND[0]), math.log(BEYOND[1]), many))
    )


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
    arm: Arm,
    end: FloatArray,
    time: FloatArray,
    anchors: tuple[FloatArray, FloatArray],
    visits: Visits,
    rng: np.random.Generator,
) -> FloatArray:
    """Cumulative hazards on the grid, through the anchors, in the time at which events are seen."""
    t, h = anchors
    knots = np.tile(t, (end.size, 1))
    if t[-1] < end.min() * (1 - 1e-6):
        h = np.column_stack([h, h[:, -1] + _tail(arm, t, h, end, rng)])
        knots = np.column_stack([knots, end])
    doublings = np.log2(knots[:, 1:] / np.maximum(knots[:, :-1], TINY))
    sd = np.full(knots.shape, MOST_WARP_SD)
    sd[:, 1:] = np.minimum(WARP_SD * np.sqrt(doublings), MOST_WARP_SD)
    power = sd * rng.normal(size=knots.shape)
    power[:, 1] += EARLY
    bend, knots, seen = np.exp(power), visits.seen(knots), visits.seen(time)
    blocks = [slice(i, i + BLOCK) for i in range(0, end.size, BLOCK)]
    return np.concatenate([_through(t, knots[i], h[i], bend[i], time[i], seen[i]) for i in blocks])


def _through(
    t: FloatArray, knots: FloatArray, h: FloatArray, bend: FloatArray, time: FloatArray,
    seen: FloatArray,
) -> FloatArray:  # fmt: skip
    """Cumulative hazards through the knots at times at which events are seen, bent in between."""
    j = np.minimum(np.searchsorted(t, time, side="right"), knots.shape[1] - 1)
    left = np.take_along_axis(knots, j - 1, axis=1)
    width = np.take_along_axis(knots, j, axis=1) - left
    share = np.clip((seen - left) / width, 0.0, 1.0) ** np.take_along_axis(bend, j, axis=1)
    return np.maximum.accumulate(monotone_cubic(knots, h, j, share), axis=1)


def _tail(
    arm: Arm, t: FloatArray, h: FloatArray, end: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Rise of the cumulative hazard after the last anchor.

    The hazard so far is a guide, but one from n patients: with no event among them it is of the
    order of one event and not zero.
    """
    unseen = rng.exponential(1.0, end.size) / arm.n
    rate = (h[:, -1] - h[:, -2] + unseen) / (t[-1] - t[-2])
    overall = (h[:, -1] + unseen) / t[-1]
    factor = np.exp(rng.normal(TAIL_MEAN, TAIL_SD, end.size))
    factor *= np.where(rng.random(end.size) < PLATEAU, 0.05, 1.0)
    level = np.maximum(np.sqrt(rate * overall), 0.1 * overall)
    return np.asarray(level * factor * (end - t[-1]))


def monotone_cubic(knots: FloatArray, h: FloatArray, j: IntArray, share: FloatArray) -> FloatArray:
    """Evaluate the monotone cubic through each row's knots at `share` of the segment before j.

    Slopes at inner knots are the weighted harmonic mean of the slopes beside them (Fritsch and
    Butland 1984, eq. 5); at the ends they are those of the segment. Shapes (m, k), (m, k), (m, q),
    (m, q).

    Examples
    --------
    >>> knots, h = np.array([[0.0, 1.0, 3.0]]), np.array([[0.0, 0.5, 1.5]])
    >>> monotone_cubic(knots, h, np.array([[1, 2]]), np.array([[0.5, 0.5]])).tolist()
    [[0.25, 1.0]]
    """
    width = np.diff(knots, axis=1)
    slope = np.diff(h, axis=1) / width
    a, b = width[:, :-1], width[:, 1:]
    one, two = 2.0 * b + a, b + 2.0 * a
    inner = (one + two) / (
        one / np.maximum(slope[:, :-1], TINY**2) + two / np.maximum(slope[:, 1:], TINY**2)
    )
    d = np.concatenate([slope[:, :1], inner, slope[:, -1:]], axis=1)
    # places in the flattened arrays: of knots, and of segments, of which a row has one less
    row = np.arange(h.shape[0])[:, None]
    knot = row * h.shape[1] + j
    left, right, d0, d1 = h.take(knot - 1), h.take(knot), d.take(knot - 1), d.take(knot)
    dx = width.take(knot - row - 1)
    p, q = share, 1.0 - share
    return np.asarray(
        q * q * (1.0 + 2.0 * p) * left
        + p * p * (3.0 - 2.0 * p) * right
        + dx * p * q * (q * d0 - p * d1)
    )


def _anchors(
    arm: Arm, end: FloatArray, g: FloatArray, method: Method, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return times (k,) and cumulative hazards (m, k) at the anchors, from the origin on."""
    many = end.size
    points: dict[float, FloatArray] = {0.0: np.zeros(many)}
    for x in arm.landmarks:
        s = x.survival + x.tolerance * rng.uniform(-1.0, 1.0, many)
        points[x.time] = -np.log(np.clip(s, 0.25 / arm.n, 1 - 1e-6))
    if math.isfinite(arm.median):
        points[arm.median] = math.log(2.0) + rng.uniform(0.0, 1.0, many) / arm.n
    hard = sorted(points)
    for t, sign in ((arm.median_low, -1.0), (arm.median_high, 1.0)):
        if not 0 < t < end.min() or t in points:
            continue
        h = _at_limit(arm, t, sign, end, g, method, rng)
        before = points[max(u for u in hard if u < t)]
        after = points[min((u for u in hard if u > t), default=t)] if hard[-1] > t else math.inf
        points[t] = np.clip(h, before, after)
    times = np.array(sorted(points))
    hazards = np.maximum.accumulate(np.column_stack([points[t] for t in sorted(points)]), axis=1)
    return times, hazards + 1e-6 * times / end[:, None]


def _at_limit(
    arm: Arm,
    t: float,
    sign: float,
    end: FloatArray,
    g: FloatArray,
    method: Method,
    rng: np.random.Generator,
) -> FloatArray:
    """Cumulative hazard where a limit of S crosses one half, by the hazard even up to there."""
    scale, z = method
    share = (np.arange(NODES) + 0.5) / NODES
    kept = np.maximum(along(g, share * (t / end[:, None])), LEAST_G)
    h = np.full(end.size, math.log(2.0))
    for _ in range(SOLVE_STEPS):
        h = np.clip(h, 1e-3, HIGHEST)
        variance = h * (np.exp(h[:, None] * share) / kept).mean(axis=1) / arm.n
        move = sign * z * np.sqrt(variance)
        log_log = math.log(2.0) * np.exp(move / np.maximum(h, 0.05))
        log = np.maximum(math.log(2.0) + move, 0.02)
        plain = -np.log(np.clip(0.5 - move * np.exp(-h), 0.02, 0.99))
        h = 0.5 * h + 0.5 * np.choose(scale, [log_log, log, plain])
    h = np.minimum(h, HIGHEST)
    step = np.exp(h) / (arm.n * kept[:, -1])
    return np.asarray(h + step * rng.uniform(0.0, 1.0, end.size))


def along(values: FloatArray, u: FloatArray) -> FloatArray:
    """Each row's values on the grid, read off at scaled times `u` of shape (m, q)."""
    x = np.clip(u, 0.0, 1.0) * (GRID - 1)
    i = np.minimum(x.astype(np.int64), GRID - 2)
    low = np.take_along_axis(values, i, axis=1)
    return np.asarray(low + (x - i) * (np.take_along_axis(values, i + 1, axis=1) - low))


def _misfit(arm: Arm, time: FloatArray, h: FloatArray, g: FloatArray, method: Method) -> FloatArray:
    """Half squared distance to the events, standard errors, limits and numbers at risk."""
    s = np.exp(-h)
    end = time[:, -1:]
    mid_g = 0.5 * (g[:, 1:] + g[:, :-1])
    mid_s = 0.5 * (s[:, 1:] + s[:, :-1])
    out = np.zeros(time.shape[0])
    if arm.events is not None:
        implied = arm.n * (mid_g * -np.diff(s, axis=1)).sum(axis=1)
        sd = 0.5 + EVENTS_SD * arm.events
        out += 0.5 * ((implied - arm.events) / sd) ** 2
    v = np.diff(h, axis=1) / (arm.n * np.maximum(mid_s * mid_g, 0.2 / arm.n))
    variance = np.concatenate([np.zeros((v.shape[0], 1)), np.cumsum(v, axis=1)], axis=1)
    for x in arm.landmarks:
        if math.isfinite(x.std_error) and x.std_error > 0:
            u = x.time / end
            implied = np.exp(-along(h, u)[:, 0]) * np.sqrt(along(variance, u)[:, 0])
            out += 0.5 * (np.log(np.maximum(implied, TINY) / x.std_error) / ERROR_SD) ** 2
    out += _limits_misfit(arm, end, h, variance, s * g, method)
    for t, k in zip(*arm.table, strict=True):
        implied = arm.n * (along(s, t / end) * along(g, t / end))[:, 0]
        out += 0.5 * ((implied - k) / (1.0 + 0.5 * math.sqrt(k))) ** 2
    return np.asarray(out - out.min())


def _limits_misfit(
    arm: Arm,
    end: FloatArray,
    h: FloatArray,
    variance: FloatArray,
    left: FloatArray,
    method: Method,
) -> FloatArray:
    """Half squared distance to the limits of the median, on the scale of a normal deviate.

    The deviate of S from one half is minus and plus the quantile of the level at the limits; it
    stays below that quantile when there is no upper limit. Printed times are rounded, and S falls
    far within the rounding at a visit.
    """
    scale, z = method
    out = np.zeros(end.size)
    for t, sign in ((arm.median_low, -1.0), (arm.median_high, 1.0)):
        if math.isfinite(t) and t > 0:
            slack = min(half_digit(t), ROUNDED * t)
            near = np.column_stack([(t - slack) / end, (t + slack) / end])
            found = _deviate(along(h, near), along(variance, near), scale)
            away = np.maximum(found[:, 0] - sign * z, 0.0) + np.minimum(found[:, 1] - sign * z, 0.0)
            out += 0.5 * (away / LIMIT_SD) ** 2
    if math.isinf(arm.median_high):
        found = np.where(arm.n * left >= 1.0, _deviate(h, variance, scale), -math.inf)
        out += 0.5 * (np.maximum(found.max(axis=1) - z, 0.0) / LIMIT_SD) ** 2
    return out


def _deviate(h: FloatArray, variance: FloatArray, scale: IntArray) -> FloatArray:
    """Distance of S from one half in standard errors, on each candidate's own scale."""
    error = np.sqrt(np.maximum(variance, TINY**2))
    half = math.log(2.0)
    log_log = np.log(np.maximum(h, TINY) / half) * h / error
    log = (h - half) / error
    plain = (0.5 * np.exp(np.minimum(h, HIGHEST)) - 1.0) / error
    return np.asarray(np.choose(scale[:, None], [log_log, log, plain]))
