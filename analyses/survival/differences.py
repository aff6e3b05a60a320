"""Differences between randomised arms drawn together: first relapse, two-stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.meta.survival.ipd import TwoStage, two_stage

from ..lines import join_ids
from ..pairs import CONTROL, Pair, alone

ENDPOINTS = {"os": ("os",), "event_free": ("dfs", "efs", "rfs")}
TITLES = {"os": "Overall survival", "event_free": "Disease-free or event-free survival"}
HORIZON = 24.0
UNITS = {"hr": "ratio", "rmst_24": "months", "milestone_24": "points"}
MEASURES: dict[str, tuple[str, float | None, str]] = {
    "hr": ("hr", None, "Hazard ratio, reconstructed patients"),
    "rmst_24": ("rmst", HORIZON, "Months of survival gained within 24 months"),
    "milestone_24": (
        "milestone",
        HORIZON,
        "Difference in survival at 24 months, percentage points",
    ),
}


def patients(found: Sequence[Pair], *, apart: bool = False) -> pd.DataFrame:
    """Return the drawn patients of all comparisons: trial, group, endpoint, draw, time, event."""
    parts = []
    for pair in found:
        if pair.draws is None:
            continue
        draws = alone(pair.treatment, pair.control) if apart else pair.draws
        for arm, sets in zip((pair.treatment, pair.control), draws, strict=True):
            named = {"trial": pair.treatment.label, "group": arm.arm, "endpoint": arm.endpoint}
            parts.append(sets.to_frame().assign(**named))
    return pd.concat(parts, ignore_index=True)


def listing(found: Sequence[Pair]) -> pd.DataFrame:
    """Return one line a comparison: what is printed, and the ratio of the draws."""
    return pd.DataFrame([_line(p) for p in found])


def _line(pair: Pair) -> dict[str, Any]:
    ratios = np.array([_ratio(*two) for two in zip(*pair.draws, strict=True)] if pair.draws else [])
    marks = {x[0]: x[1] for x in pair.control.landmarks}
    both = [(t, s - marks[t]) for t, s, *_ in pair.treatment.landmarks if t in marks]
    middle, low, high = np.quantile(ratios, [0.5, 0.0, 1.0]) if len(ratios) else [math.nan] * 3
    ratio = pair.ratio
    assert ratio is not None
    printed = float(ratio["estimate"])
    return {
        "key": pair.key,
        "trial": pair.treatment.label,
        "endpoint": pair.treatment.endpoint,
        "n_blinatumomab": pair.treatment.n,
        "n_chemotherapy": pair.control.n,
        "printed_hr": printed,
        "printed_low": ratio["ci_low"],
        "printed_high": ratio["ci_high"],
        "reconstructed_hr": middle,
        "lowest_draw": low,
        "highest_draw": high,
        "agrees": bool(len(ratios) and np.abs(ratios - printed).max() <= 0.0051),
        "printed_differences": "; ".join(f"{d:+.3f} at {t:g} months" for t, d in both),
        "grade": pair.grade,
        "note": pair.note,
        "row_ids": pair.row_ids,
    }


def _ratio(a: Any, b: Any) -> float:
    time = np.concatenate([a.time, b.time])
    event = np.concatenate([a.event, b.event])
    group = np.repeat(["treatment", "control"], [a.time.size, b.time.size])
    return math.exp(float(mb.cox(time, event, group, control="control").log_hr[0]))


def effects(drawn: pd.DataFrame, name: str, measure: str) -> TwoStage:
    """Return a two-stage analysis of one group of endpoints.

    No prior of tau is at hand for months and percentage points: the interval is Hartung and
    Knapp's, which keeps the promise of the rule for few studies too, only wider.
    """
    own = drawn.loc[drawn["endpoint"].isin(ENDPOINTS[name])]
    kind, at, _ = MEASURES[measure]
    return two_stage(own, kind, at=at, control=CONTROL, draw="draw", ci="hksj")


def pooled(found: Sequence[Pair], *, apart: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return pooled effects and those of each trial, by endpoint and measure."""
    drawn = patients(found, apart=apart)
    whole, single = [], []
    for name in ENDPOINTS:
        own = [p for p in found if p.treatment.endpoint in ENDPOINTS[name]]
        if not apart:
            whole.append(_printed_line(name, own))
        for measure in MEASURES:
            result = effects(drawn, name, measure)
            whole.append(_pooled_line(name, measure, result, own))
            single += _trial_lines(name, measure, result, own)
    return pd.DataFrame(whole), pd.DataFrame(single)


def _printed_line(name: str, own: Sequence[Pair]) -> dict[str, Any]:
    rows = pd.DataFrame([p.ratio for p in own])
    fit = mb.pool_contrasts(
        mb.hazard_ratios(
            rows["estimate"], rows["ci_low"], rows["ci_high"],
            studies=[p.treatment.label for p in own],
        )
    )  # fmt: skip
    return {
        "key": f"{name}.hr_printed",
        "endpoint": TITLES[name],
        "measure": "Hazard ratio, printed",
        "unit": UNITS["hr"],
        "k": fit.k,
        **_numbers(fit),
        "ci_method": fit.ci_method,
        "between_share": 0.0,
        "grades": "",
        "left_out": "",
        "row_ids": join_ids(rows["row_id"]),
    }


def _numbers(fit: mb.MetaFit) -> dict[str, float]:
    names = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high", "tau2", "i2", "p_value")
    return {n: float(getattr(fit, n)) for n in names}


def _pooled_line(name: str, measure: str, result: TwoStage, own: Sequence[Pair]) -> dict[str, Any]:
    used = [p for p in own if p.treatment.label in result.fit.effects.studies]
    why = [f"{p.treatment.label}: {p.note}" for p in own if p.draws is None]
    why += [f"{trial}: {reason}" for trial, reason in result.excluded]
    return {
        "key": f"{name}.{measure}",
        "endpoint": TITLES[name],
        "measure": MEASURES[measure][2],
        "unit": UNITS[measure],
        "k": result.fit.k,
        **_numbers(result.fit),
        "ci_method": result.fit.ci_method,
        "between_share": result.pooled_between_share,
        "grades": ", ".join(f"{p.treatment.label} {p.grade}" for p in used),
        "left_out": "; ".join(why),
        "row_ids": " ".join(p.row_ids for p in used),
    }


def _trial_lines(
    name: str, measure: str, result: TwoStage, own: Sequence[Pair]
) -> list[dict[str, Any]]:
    frame = result.fit.effects.to_frame()
    by_label = {p.treatment.label: p for p in own}
    lines = []
    for i, label in enumerate(result.fit.effects.studies):
        pair = by_label[label]
        lines.append(
            {
                "key": f"{name}.{measure}.{pair.treatment.trial_id}",
                "endpoint": pair.treatment.endpoint,
                "measure": MEASURES[measure][2],
                "unit": UNITS[measure],
                "trial": label,
                **{c: float(frame[c].iloc[i]) for c in ("estimate", "conf_low", "conf_high")},
                "between_share": float(result.between_share[i]),
                "printed": printed_effect(pair, measure),
                "grade": pair.grade,
                "row_ids": pair.row_ids,
            }
        )
    return lines


def printed_effect(pair: Pair, measure: str) -> float:
    """Return what is printed of the same effect, NaN where nothing is."""
    if measure == "hr":
        return math.nan if pair.ratio is None else float(pair.ratio["estimate"])
    if not measure.startswith("milestone"):
        return math.nan
    at = HORIZON
    marks = [{x[0]: x[1] for x in a.landmarks} for a in (pair.treatment, pair.control)]
    return marks[0][at] - marks[1][at] if all(at in m for m in marks) else math.nan
