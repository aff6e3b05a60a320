"""Reconstructed arms against what was printed, item by item, and their curves on a grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.options import ConfType
from metablin.report.words import arm_words, outcome_words, patients_words
from metablin.survival import KMCurve

from ..cohorts.arms import PrintedArm
from ..lines import join_ids
from ..rebuilt import Rebuilt, reach, rebuild

ROUNDING_MONTHS = 0.05
ROUNDING_SURVIVAL = 0.005
INTERVAL_SLACK = 0.15
"""Share of a printed interval's width by which its limits may differ: packages form it in more
than one way."""

HELD_OUT_DRAWS = 100
"""Draws for a withheld landmark: the central 95% of 20 draws holds only 86% of their kind."""

SCALES: tuple[ConfType, ...] = ("log-log", "log", "plain")
Item = tuple[str, str, float, float, list[float]]
"""Name, kind, printed value, tolerance, and the value of every draw."""

HARD = ("n", "events", "median", "survival")


def name_of(arm: PrintedArm) -> str:
    """Return the name of an arm: trial, arm, its patients where they are not all, endpoint."""
    patients = "" if arm.patients == "all" else f", {patients_words(arm.patients)}"
    return f"{arm.label}, {arm_words(arm.arm)}{patients}: {outcome_words(arm.endpoint)}"


def curves_of(arm: Rebuilt, scale: ConfType = SCALES[0]) -> list[KMCurve]:
    """Return the Kaplan-Meier curve of every draw, with limits formed on a scale."""
    return [mb.kaplan_meier(s.time, s.event, conf_type=scale) for s in arm.draws or ()]


def comparison(arm: Rebuilt, curves: list[KMCurve]) -> pd.DataFrame:
    """Return one line for every printed item of an arm that could be compared.

    Exact items (patients, events, median, landmarks) agree when every draw is within the printed
    rounding or half a patient; limits agree when the middle draw is within 15% of the printed
    interval's width. Papers rarely say how an interval was formed: its limits are compared on
    the log(-log), log or plain scale, whichever comes nearest to both.
    """
    used = {name for name, *_ in _items(arm.used, curves)}
    by_scale: dict[str, list[Item]] = {SCALES[0]: list(_items(arm.printed, curves))}
    if any(item[1] == "limit" for item in by_scale[SCALES[0]]):
        by_scale |= {x: list(_items(arm.printed, curves_of(arm, x))) for x in SCALES[1:]}
    lines = []
    for i, (name, kind, *_) in enumerate(by_scale[SCALES[0]]):
        scale = _nearest_scale(by_scale, name) if kind == "limit" else ""
        _, _, printed, tolerance, values = by_scale[scale or SCALES[0]][i]
        found = np.asarray(values, dtype=np.float64)
        line = _line(arm, name, kind, printed, tolerance, found, used)
        lines.append({**line, "scale": scale})
    return pd.DataFrame(lines)


def _nearest_scale(by_scale: dict[str, list[Item]], name: str) -> str:
    """Return the scale whose middle draw is nearest to both limits of an interval."""
    interval = name.rsplit("_", 1)[0]

    def distance(scale: str) -> float:
        return max(
            abs(_middle(np.asarray(values)) - printed)
            if math.isfinite(printed)
            else 0.0 if math.isinf(_middle(np.asarray(values))) else math.inf
            for item, kind, printed, _, values in by_scale[scale]
            if kind == "limit" and item.rsplit("_", 1)[0] == interval
        )  # fmt: skip

    return min(by_scale, key=distance)


def _middle(found: np.ndarray) -> float:
    return float(np.quantile(found[~np.isnan(found)], 0.5, method="lower"))


def _items(p: PrintedArm, curves: list[KMCurve]) -> Iterator[Item]:
    if p.n is not None:
        yield "n", "n", p.n, 0.0, [c.n for c in curves]
    if p.events is not None:
        yield "events", "events", p.events, 0.0, [c.events for c in curves]
    yield from _median_items(p, curves)
    for time, s, *limits in p.landmarks:
        found = np.array([c.values_at(np.array([time]))[:, 0] for c in curves])
        name = f"survival_{time:g}"
        yield name, "survival", s, max(ROUNDING_SURVIVAL, 0.5 / (p.n or 1)), list(found[:, 0])
        if limits:
            slack = INTERVAL_SLACK * (limits[1] - limits[0])
            yield f"{name}_low", "limit", limits[0], slack, list(found[:, 2])
            yield f"{name}_high", "limit", limits[1], slack, list(found[:, 3])


def _median_items(p: PrintedArm, curves: list[KMCurve]) -> Iterator[Item]:
    if p.median is None:
        return
    middle, low, high = p.median
    rows = np.array([c.quantile_values(0.5) for c in curves])
    found = rows[:, 0].tolist()
    yield "median", "median", math.inf if middle is None else middle, ROUNDING_MONTHS, found
    width = (high - low) if low is not None and high is not None else (low or math.nan)
    slack = INTERVAL_SLACK * width
    if low is not None:
        yield "median_low", "limit", low, slack, rows[:, 1].tolist()
        top = math.inf if high is None else high
        yield "median_high", "limit", top, slack, rows[:, 2].tolist()


def _line(
    arm: Rebuilt,
    name: str,
    kind: str,
    printed: float,
    tolerance: float,
    found: np.ndarray,
    used: set[str],
) -> dict[str, Any]:
    seen = found[~np.isnan(found)]
    middle = _middle(found)
    low, high = (float(np.quantile(seen, q, method="nearest")) for q in (0.025, 0.975))
    judged = found if kind in HARD else np.array([middle])
    same = np.isinf(judged) if math.isinf(printed) else np.abs(judged - printed) <= tolerance
    return {
        "key": f"{arm.printed.key}.{name}",
        "arm_key": arm.printed.key,
        "arm": name_of(arm.printed),
        "item": name.replace("_", " "),
        "kind": kind,
        "printed": _finite(printed),
        "printed_not_reached": math.isinf(printed),
        "tolerance": _finite(tolerance),
        "reconstructed": _finite(middle),
        "low": _finite(low),
        "high": _finite(high),
        "draws_not_reached": int(np.isinf(found).sum()),
        "draws_not_followed": int(np.isnan(found).sum()),
        "used": name in used,
        "agrees": bool(np.all(same)),
        "grade": arm.draws.grade if arm.draws else "",
        "row_ids": join_ids(arm.printed.row_ids),
    }


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def grid_of(arm: Rebuilt, curves: list[KMCurve]) -> pd.DataFrame:
    """Return the reconstructed curve month by month, as far as anything is printed.

    The curve is the middle draw's value at each month, the band the 2.5% and 97.5% points of the
    draws; a month appears while at least half of the draws still follow anyone.
    """
    months = np.arange(0.0, math.floor(reach(arm.used)) + 1.0)
    values = np.array([c.values_at(months)[0] for c in curves])
    risk = np.array([c.n_risk_at(months) for c in curves])
    followed = np.isfinite(values)
    keep = followed.mean(axis=0) >= 0.5
    months, values, risk = months[keep], values[:, keep], risk[:, keep]
    point, low, high = np.nanquantile(values, [0.5, 0.025, 0.975], axis=0)
    key = arm.printed.key
    return pd.DataFrame(
        {
            "key": [f"{key}.{m:g}" for m in months],
            "arm_key": key,
            "time": months,
            "survival": np.minimum.accumulate(point),
            "low": np.minimum.accumulate(low),
            "high": np.minimum.accumulate(high),
            "n_risk": np.median(risk, axis=0),
            "grade": arm.draws.grade if arm.draws else "",
            "row_ids": join_ids(arm.printed.row_ids),
        }
    )


def held_out(arm: Rebuilt) -> list[dict[str, Any]]:
    """Return what the rest of an arm's print says about each landmark when it is left out."""
    marks = arm.used.landmarks
    known = arm.used.median is not None and arm.used.median[0] is not None
    if arm.draws is None or not marks or (len(marks) < 2 and not known):
        return []
    lines = []
    for i, (time, printed, *_) in enumerate(marks):
        rest = replace(arm.used, landmarks=marks[:i] + marks[i + 1 :])
        again = rebuild(rest, draws=HELD_OUT_DRAWS)
        if again.draws is None or again.conflict:
            continue
        found = np.array([c.values_at(np.array([time]))[0, 0] for c in curves_of(again)])
        seen = found[np.isfinite(found)]
        if 2 * seen.size < found.size:
            continue
        low, middle, high = np.quantile(seen, [0.025, 0.5, 0.975])
        slack = max(ROUNDING_SURVIVAL, 0.5 / (arm.used.n or 1))
        lines.append(
            {
                "key": f"{arm.printed.key}.survival_{time:g}",
                "arm_key": arm.printed.key,
                "arm": name_of(arm.printed),
                "time": time,
                "printed": printed,
                "reconstructed": middle,
                "low": low,
                "high": high,
                "draws_followed": int(seen.size),
                "covered": bool(low - slack <= printed <= high + slack),
                "grade": again.draws.grade,
                "row_ids": join_ids(arm.printed.row_ids),
            }
        )
    return lines


EVENT_FREE = ("rfs", "dfs", "efs", "pfs")


def endpoint_conflicts(arms: list[PrintedArm]) -> pd.DataFrame:
    """Return pairs of endpoints of the same patients that cannot both hold.

    Whoever lives free of events is alive: a median or a landmark of an event-free endpoint may
    not exceed that of overall survival.
    """
    overall = {a.patient_set: a for a in arms if a.endpoint == "os"}
    lines = []
    for arm in arms:
        other = overall.get(arm.patient_set)
        if arm.endpoint not in EVENT_FREE or other is None:
            continue
        for text, item in _exceeding(arm, other):
            lines.append(
                {
                    "key": f"{arm.key}.{item}_above_os",
                    "arm_key": arm.key,
                    "arm": name_of(arm),
                    "conflict": text,
                    "used_instead": "both endpoints reconstructed as printed",
                    "row_ids": join_ids((*arm.row_ids, *other.row_ids)),
                }
            )
    return pd.DataFrame(
        lines, columns=["key", "arm_key", "arm", "conflict", "used_instead", "row_ids"]
    )


def _exceeding(arm: PrintedArm, overall: PrintedArm) -> Iterator[tuple[str, str]]:
    a, b = arm.median, overall.median
    if a is not None and b is not None and b[0] is not None and (a[0] is None or a[0] > b[0]):
        text = "not reached" if a[0] is None else f"{a[0]:g} months"
        yield (f"median {arm.endpoint.upper()} {text} exceeds median OS {b[0]:g} months", "median")
    marks = {x[0]: x[1] for x in overall.landmarks}
    for t, s, *_ in arm.landmarks:
        if t in marks and s > marks[t] + ROUNDING_SURVIVAL:
            yield (
                f"{arm.endpoint.upper()} {s:g} at {t:g} months exceeds OS {marks[t]:g}",
                f"survival_{t:g}",
            )
