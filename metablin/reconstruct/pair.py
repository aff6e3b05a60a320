"""Two arms drawn jointly, so that a printed hazard ratio is met as well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.reconstruct import _km
from metablin.reconstruct._patients import meets
from metablin.reconstruct._summary_input import Arm, parse_arm
from metablin.reconstruct.quality import half_digit
from metablin.reconstruct.records import Check, PseudoIPD
from metablin.reconstruct.summary import SummaryDraws, draw_sets, summary_quality

__all__ = ["reconstruct_summary_pair"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Data = tuple[FloatArray, IntArray]

ROUNDS = 4  # batches of pairs tried before the ratio counts as contradictory
HOPELESS = 1  # the same when not one pair was found
POOL = 4  # candidate sets per arm for each pair that is returned
CLOSEST = 12  # pairs tried for each returned pair
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

    Candidates of both arms are paired by their Cox hazard ratio; times between the fixed points
    of an arm are then moved, without changing who leaves after whom, until the ratio is met.

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
    if not (isinstance(hr, int | float) and math.isfinite(hr) and hr > 0):
        raise DataError("not a hazard ratio", column="hr", value=hr, allowed="above 0")
    if draws < 1 or draws != int(draws):
        raise DataError("not a number of draws", column="draws", value=draws, allowed="1, 2, ...")
    arms = tuple(
        _arm(items, level, label) for items, label in zip((treatment, control), labels, strict=True)
    )
    pairs = _draw_pairs(arms, int(draws), hr, np.random.default_rng(seed))
    return _record(arms, pairs, 0, hr), _record(arms, pairs, 1, hr)


def _draw_pairs(
    arms: tuple[Arm, ...], count: int, hr: float, rng: np.random.Generator
) -> list[tuple[Data, Data]]:
    """Draw pairs of data sets until enough of them meet the printed ratio."""
    out: list[tuple[Data, Data]] = []
    seen: list[float] = []
    for turn in range(ROUNDS):
        wanted = count - len(out)
        pools = [draw_sets(arm, POOL * wanted, rng) for arm in arms]
        for i in range(wanted):
            own = [pool[POOL * i : POOL * (i + 1)] for pool in pools]
            ratios = np.array([[log_ratio(a, b) for b in own[1]] for a in own[0]])
            seen.extend(ratios.ravel().tolist())
            pair = _meet(arms, own, ratios, hr)
            if pair is not None:
                out.append(pair)
        if len(out) == count:
            return out
        if not out and turn >= HOPELESS:
            break
    low, high = np.exp(np.nanquantile(seen, [0.025, 0.975]))
    raise DataError(
        f"a hazard ratio of {hr:g} cannot be reconciled with the medians, landmarks and events of "
        f"the arms, which give {low:.2f} to {high:.2f}",
        column="hr",
        value=hr,
    )


def _arm(items: Mapping[str, Any], level: float, label: str) -> Arm:
    unknown = set(items) - set(ARM_ITEMS)
    if unknown or "n" not in items:
        raise DataError(
            "unknown item" if unknown else "missing item",
            column=sorted(unknown)[0] if unknown else "n",
            allowed=", ".join(ARM_ITEMS),
            study=label,
        )
    n, events, median, landmarks, followup, at_risk = (items.get(name) for name in ARM_ITEMS)
    return parse_arm(n, events, median, landmarks, followup, at_risk, level, label)  # type: ignore[arg-type]  # checked inside


def log_ratio(treatment: Data, control: Data) -> float:
    """Cox log hazard ratio, treatment over control."""
    return _km.log_hazard_ratio(
        np.concatenate([treatment[0], control[0]]),
        np.concatenate([treatment[1], control[1]]),
        np.repeat([1, 0], [treatment[0].size, control[0].size]),
    )


def _tolerance(hr: float) -> float:
    return min(half_digit(hr), DIGITS) / hr


def _meet(
    arms: tuple[Arm, ...], own: list[list[Data]], ratios: FloatArray, hr: float
) -> tuple[Data, Data] | None:
    """Return the first of the closest pairs that can be moved onto the printed ratio."""
    want, slack = math.log(hr), _tolerance(hr)
    off = np.where(np.isnan(ratios), np.inf, np.abs(ratios - want))
    for flat in np.argsort(off, axis=None)[:CLOSEST]:
        j, k = np.unravel_index(int(flat), off.shape)
        pair = own[0][int(j)], own[1][int(k)]
        if off[j, k] <= slack:
            return pair
        moved = _bend_pair(arms, pair, want, slack)
        if moved is not None:
            return moved
    return None


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
