"""Two arms drawn jointly, so that a printed hazard ratio is met as well."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin._input import items, whole
from metablin._input import seed as check_seed
from metablin.errors import DataError
from metablin.numerics.partial import log_hazard_ratio
from metablin.reconstruct.printed import half_digit
from metablin.reconstruct.records import Check, PseudoIPD
from metablin.reconstruct.summary._input import Arm, parse_arm
from metablin.reconstruct.summary._patients import meets
from metablin.reconstruct.summary.single import SummaryDraws, draw_sets, summary_quality

__all__ = ["reconstruct_summary_pair"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Data = tuple[FloatArray, IntArray]

ROUNDS = 3  # pools drawn before the ratio counts as contradictory
POOL = 4  # candidate sets per arm for each pair that is returned
FEWEST = 60  # sets in a pool
CLOSEST = 20  # pairs looked at for each returned pair
KERNEL = 0.02  # of the log hazard ratio: pairs this near are as good as on it
REACH = 0.25  # of the log hazard ratio: farther pairs are not bent
BINS = 400  # intervals with as many events each,
STRETCHES = 100  # and stretches of one length, which divide those that are long
NEWTON = 8
TINY = 1e-12
BEND = 1.6  # largest log power by which times within a segment move
BISECTIONS = 18
DIGITS = 0.005  # hazard ratios are printed to two decimals or more

ARM_ITEMS = ("n", "events", "median", "landmarks", "followup", "at_risk")


def reconstruct_summary_pair(
    treatment: Mapping[str, Any],
    control: Mapping[str, Any],
    *,
    hr: float,
    draws: int = 20,
    seed: int = 1,
    level: float = 0.95,
    labels: tuple[str, str] = ("treatment", "control"),
) -> tuple[SummaryDraws, SummaryDraws]:
    """Draw two arms that meet their own summaries and, together, a printed hazard ratio.

    Each arm is drawn as by `reconstruct_summary`, from the same hazard shapes with the same
    weights, and pairs are picked by their Cox hazard ratio; times between the fixed points of an
    arm are then moved a little, without changing who leaves after whom, until it is met.

    Parameters
    ----------
    treatment, control : mapping
        Summaries of each arm: ``n``, ``events``, ``median``, ``landmarks``, ``followup``,
        ``at_risk``, as for `reconstruct_summary`.
    hr : float
        Printed hazard ratio, treatment over control.
    draws, seed, level
        As for `reconstruct_summary`.
    labels : tuple of str
        Names of the arms.

    Returns
    -------
    tuple of SummaryDraws
        Treatment and control; set i of one belongs to set i of the other.

    Raises
    ------
    DataError
        When an arm contradicts itself, or the ratio contradicts the arms.

    Examples
    --------
    >>> a, b = reconstruct_summary_pair(
    ...     {"n": 60, "events": 35, "median": 12.0, "followup": 18},
    ...     {"n": 60, "events": 44, "median": 8.0, "followup": 18}, hr=0.70, draws=2)
    >>> a[0].quality.checks[-1].agrees
    True
    """
    if not (isinstance(hr, int | float) and 0 < hr < sys.float_info.max):
        raise DataError("not a hazard ratio", column="hr", value=hr, allowed="above 0")
    named = items("labels", labels)
    if len(named) != 2:
        raise DataError("not two labels", column="labels", value=repr(labels),
                        allowed="one for the treatment and one for the control")  # fmt: skip
    draws, seed = whole("draws", draws, minimum=1, what="number of draws"), check_seed(seed)
    arms = tuple(
        _arm(arm, level, str(label)) for arm, label in zip((treatment, control), named, strict=True)
    )
    pairs = _draw_pairs(arms, draws, hr, np.random.default_rng(seed))
    return _record(arms, pairs, 0, hr), _record(arms, pairs, 1, hr)


def _draw_pairs(
    arms: tuple[Arm, ...], count: int, hr: float, rng: np.random.Generator
) -> list[tuple[Data, Data]]:
    """Draw pairs of data sets that meet the printed ratio.

    Both arms are drawn on their own; pairs are then picked at random in proportion to a narrow
    normal kernel around the printed log ratio, each set at most once. This is the distribution of
    the two arms given the ratio, and only the last little distance is bent away.
    """
    want = math.log(hr)
    out: list[tuple[Data, Data]] = []
    seen: list[FloatArray] = []
    for _ in range(ROUNDS):
        wanted = count - len(out)
        pools = [draw_sets(arm, max(POOL * wanted, FEWEST), rng) for arm in arms]
        ratios = all_log_ratios(*pools)
        seen.append(ratios.ravel())
        out += _pick(arms, pools, ratios, want, _tolerance(hr), wanted, rng)
        if len(out) == count:
            return out
    low, high = np.exp(np.nanquantile(np.concatenate(seen), [0.025, 0.975]))
    raise DataError(
        f"a hazard ratio of {hr:g} cannot be reconciled with the medians, landmarks and events of "
        f"the arms, which give {low:.2f} to {high:.2f}",
        column="hr",
        value=hr,
    )


def _pick(
    arms: tuple[Arm, ...],
    pools: list[list[Data]],
    ratios: FloatArray,
    want: float,
    slack: float,
    wanted: int,
    rng: np.random.Generator,
) -> list[tuple[Data, Data]]:
    """Take pairs near the printed ratio until enough of them can be moved onto it."""
    off = np.where(np.isfinite(ratios), np.abs(ratios - want), np.inf)
    nearest = np.sort(off, axis=None)[min(4 * wanted, off.size) - 1]
    if not math.isfinite(nearest) or off.min() > REACH:
        return []
    kernel = max(KERNEL, 0.5 * float(nearest))
    # the largest of log weight plus Gumbel noise is a draw in proportion to the weight
    order = np.argsort(0.5 * (off / kernel) ** 2 - rng.gumbel(size=off.shape), axis=None)
    used: tuple[set[int], set[int]] = (set(), set())
    out: list[tuple[Data, Data]] = []
    for flat in order[: CLOSEST * wanted]:
        j, k = (int(x) for x in np.unravel_index(int(flat), off.shape))
        if j in used[0] or k in used[1] or off[j, k] > REACH:
            continue
        pair = _meet(arms, (pools[0][j], pools[1][k]), want, slack)
        if pair is not None:
            used[0].add(j)
            used[1].add(k)
            out.append(pair)
        if len(out) == wanted:
            break
    return out


def all_log_ratios(treatment: list[Data], control: list[Data]) -> FloatArray:
    """Cox log hazard ratio of every pair of sets, with events of one interval as ties.

    Breslow's likelihood (Biometrics 1974;30:89-99); shape (treatment sets, control sets).
    """
    died = np.sort(np.concatenate([t[e == 1] for t, e in (*treatment, *control)]))
    if died.size == 0:
        return np.full((len(treatment), len(control)), np.nan)
    even = np.linspace(died[0], died[-1], STRETCHES + 1)
    edges = np.unique([*np.quantile(died, np.linspace(0.0, 1.0, BINS + 1)), *even])
    (d1, n1), (d0, n0) = (_counts(sets, edges) for sets in (treatment, control))
    out = np.empty((len(treatment), len(control)))
    for i in range(len(treatment)):
        out[i] = _breslow(d1[i], n1[i], d0, n0)
    return out


def _counts(sets: list[Data], edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Events in and mean number at risk over each interval, shape (sets, intervals)."""
    d, n = [], []
    for time, event in sets:
        d.append(np.diff(np.searchsorted(np.sort(time[event == 1]), edges, side="right")))
        d[-1][0] += int((time[event == 1] <= edges[0]).sum())
        left = time.size - np.searchsorted(np.sort(time), edges, side="left")
        n.append(0.5 * (left[1:] + left[:-1]))
    return np.asarray(d, dtype=np.float64), np.asarray(n, dtype=np.float64)


def _breslow(d1: FloatArray, n1: FloatArray, d0: FloatArray, n0: FloatArray) -> FloatArray:
    """One treatment set against every control set, by Newton steps."""
    d, total = d1 + d0, float(d1.sum())
    beta = np.zeros(d0.shape[0])
    for _ in range(NEWTON):
        weighted = n1 * np.exp(beta)[:, None]
        p = weighted / np.maximum(weighted + n0, TINY)
        expected = d * p
        information = (expected * (1.0 - p)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            beta = beta + np.clip((total - expected.sum(axis=1)) / information, -1.0, 1.0)
    return beta


def _arm(given: Mapping[str, Any], level: float, label: str) -> Arm:
    if not isinstance(given, Mapping):
        raise DataError("not items by name", column=label, value=repr(given),
                        allowed='such as {"n": 60, "median": 12}')  # fmt: skip
    unknown = set(given) - set(ARM_ITEMS)
    if unknown or "n" not in given:
        raise DataError(
            "unknown item" if unknown else "missing item",
            column=min(map(str, unknown)) if unknown else "n",
            allowed=", ".join(ARM_ITEMS),
            study=label,
        )
    n, events, median, landmarks, followup, at_risk = (given.get(name) for name in ARM_ITEMS)
    return parse_arm(n, events, median, landmarks, followup, at_risk, level, label)  # type: ignore[arg-type]  # checked inside


def log_ratio(treatment: Data, control: Data) -> float:
    """Cox log hazard ratio, treatment over control."""
    return log_hazard_ratio(
        np.concatenate([treatment[0], control[0]]),
        np.concatenate([treatment[1], control[1]]),
        np.repeat([1, 0], [treatment[0].size, control[0].size]),
    )


def _tolerance(hr: float) -> float:
    return min(half_digit(hr), DIGITS) / hr


def _meet(
    arms: tuple[Arm, ...], pair: tuple[Data, Data], want: float, slack: float
) -> tuple[Data, Data] | None:
    """Move a pair onto the printed ratio; None when it cannot be."""
    if abs(log_ratio(*pair) - want) <= slack:
        return pair
    return _bend_pair(arms, pair, want, slack)


def _bend_pair(
    arms: tuple[Arm, ...], pair: tuple[Data, Data], want: float, slack: float
) -> tuple[Data, Data] | None:
    """Bisect on the bend of time within segments, opposite in the two arms."""

    def at(bend: float) -> tuple[tuple[Data, Data], float]:
        new = _bend(arms[0], pair[0], bend), _bend(arms[1], pair[1], -bend)
        return new, log_ratio(*new) - want

    low, high = -BEND, BEND
    f_low, f_high = at(low)[1], at(high)[1]
    if f_low * f_high > 0:
        return None
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        new, f = at(middle)
        if abs(f) <= 0.9 * slack and all(meets(a, *d) for a, d in zip(arms, new, strict=True)):
            return new
        if f * f_low <= 0:
            high = middle
        else:
            low, f_low = middle, f
    return None


def _bend(arm: Arm, data: Data, bend: float) -> Data:
    """Move times within each segment between fixed points, keeping their order."""
    time, event = data
    points = [0.0, *(x.time for x in arm.landmarks), *arm.table[0].tolist(), float(time[-1])]
    points += [x for x in (arm.median, arm.median_low, arm.median_high) if math.isfinite(x)]
    edges = np.unique([p for p in points if p <= time[-1]])
    j = np.searchsorted(edges, time, side="left")
    inside = (j > 0) & (j < edges.size) & (time < edges[np.minimum(j, edges.size - 1)])
    left = edges[np.maximum(j - 1, 0)]
    width = edges[np.minimum(j, edges.size - 1)] - left
    share = np.where(inside, (time - left) / np.where(width > 0, width, 1.0), 0.0)
    moved = np.where(inside, left + width * share ** np.exp(bend), time)
    order = np.lexsort((1 - event, moved))
    return moved[order], event[order]


def _record(
    arms: tuple[Arm, ...], pairs: list[tuple[Data, Data]], which: int, hr: float
) -> SummaryDraws:
    arm = arms[which]
    grade = max(a.grade for a in arms)
    sets = []
    for pair in pairs:
        check = Check("log HR", math.log(hr), log_ratio(*pair), _tolerance(hr))
        quality = summary_quality(arm, *pair[which])
        quality = replace(quality, checks=(*quality.checks, check))
        sets.append(PseudoIPD(*pair[which], quality, label=arm.label))
    return SummaryDraws(tuple(sets), grade, arm.label)
