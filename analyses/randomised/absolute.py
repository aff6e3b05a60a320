"""What the hazard ratios mean for patients: survival by arm, points, patients to treat, months."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.certainty import AbsoluteEffect
from metablin.survival import KMCurve, combine_curves, rubin

from ..cohorts.arm_pools import POOLS
from ..cohorts.arms import PrintedArm
from ..cohorts.comparisons import ENDPOINTS, Choice
from ..cohorts.populations import POPULATIONS
from ..lines import join_ids
from ..pairs import PAIR_DRAWS, Pair, pairs, whole_arms, without_ratio
from ..rebuilt import reach
from .rows import TITLES, words_of

__all__ = [
    "PAIR_DRAWS",
    "baselines",
    "by_comparison",
    "by_pool",
    "curves",
    "drawn_pairs",
    "not_drawn",
]

HALF, TIMES = 6.0, (12.0, 24.0, 36.0, 48.0, 60.0)
"""Months: one to five years; half a year where nobody is followed for one."""
THRESHOLD = 0.05
"""Smallest difference in risk that counts as one: 50 of 1,000 patients."""
Z = 1.959963984540054
SHOWN = (
    "survival_control", "survival_treatment", "points", "points_low", "points_high", "nnt",
    "nnt_low", "nnt_high", "nnt_text", "per_1000_control", "per_1000_treatment",
    "per_1000_difference", "per_1000_low", "per_1000_high", "p_benefit", "p_harm",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A randomised comparison with the curves of both arms, draw by draw, as far as print goes."""

    pair: Pair
    name: str
    population: str
    curves: tuple[tuple[KMCurve, ...], tuple[KMCurve, ...]]

    @property
    def times(self) -> tuple[float, ...]:
        """The times that both arms are followed to."""
        last = min(float(c.time[-1]) for arm in self.curves for c in arm)
        printed = min(reach(self.pair.treatment), reach(self.pair.control))
        return chosen_times(min(last, printed))


def chosen_times(last: float) -> tuple[float, ...]:
    """Return the times up to the last one that is followed."""
    years = tuple(t for t in TIMES if t <= last)
    return years or ((HALF,) if last >= HALF else ())


def drawn_pairs(
    arms: Sequence[PrintedArm], ratios: pd.DataFrame, trials: Sequence[str]
) -> list[Pair]:
    """Return every randomised comparison, under its printed ratio or, without one, arms apart."""
    arms = [_followed(a, arms) for a in arms if a.trial_id in set(trials)]
    found = pairs(arms, ratios)
    known = {p.key for p in found}
    for trial in trials:
        for endpoint in (e for names in ENDPOINTS.values() for e in names):
            two = whole_arms(arms, trial, endpoint)
            if two and f"{trial}.{endpoint}" not in known:
                found.append(without_ratio(*two))
    return found


def _followed(arm: PrintedArm, arms: Sequence[PrintedArm]) -> PrintedArm:
    """Return an arm without follow-up with that of another endpoint of the same patients."""
    if arm.followup is not None:
        return arm
    same = [a.followup for a in arms if a.patient_set == arm.patient_set and a.followup]
    return replace(arm, followup=max(same)) if same else arm


def curves(found: Sequence[Pair], population: dict[str, str]) -> list[Drawn]:
    """Return the comparisons that can be drawn, with the curves of their arms."""
    groups = {e: name for name, endpoints in ENDPOINTS.items() for e in endpoints}
    return [
        Drawn(p, groups[p.treatment.endpoint], population[p.treatment.trial_id], _both(p))
        for p in found
        if p.draws is not None
    ]


def _both(pair: Pair) -> tuple[tuple[KMCurve, ...], tuple[KMCurve, ...]]:
    assert pair.draws is not None
    two = [
        tuple(mb.kaplan_meier(s.time, s.event, label=arm.label) for s in sets)
        for arm, sets in zip((pair.treatment, pair.control), pair.draws, strict=True)
    ]
    return two[0], two[1]


def by_comparison(found: Sequence[Drawn]) -> pd.DataFrame:
    """Return one line for every comparison and time it is followed to."""
    return pd.DataFrame([line for one in found for line in _comparison(one)])


def _comparison(one: Drawn) -> Iterator[dict[str, Any]]:
    pair = one.pair
    for t in one.times:
        arms = [_landmark(c, a, t) for c, a in zip(one.curves, _arms(pair), strict=True)]
        effect = mb.absolute_effect_arms(arms[0], arms[1], at=t)
        row = effect.table.iloc[0]
        printed = [_printed(a, t) for a in _arms(pair)]
        yield {
            "key": f"{pair.key}.{t:g}",
            "trial": pair.treatment.label,
            "population": POPULATIONS[one.population],
            "endpoint": pair.treatment.endpoint,
            "time": t,
            "n": (pair.treatment.n or 0) + (pair.control.n or 0),
            **{name: row[name] for name in SHOWN[:-2]},
            "treatment_low": arms[0]["conf_low"].iloc[0],
            "treatment_high": arms[0]["conf_high"].iloc[0],
            "control_low": arms[1]["conf_low"].iloc[0],
            "control_high": arms[1]["conf_high"].iloc[0],
            **_months(one, t),
            "basis": "printed" if all(map(math.isfinite, printed)) else "reconstructed",
            "grade": pair.grade,
            "note": pair.note,
            "row_ids": pair.row_ids,
        }


def _arms(pair: Pair) -> tuple[PrintedArm, PrintedArm]:
    return pair.treatment, pair.control


def _printed(arm: PrintedArm, t: float) -> float:
    return next((x[1] for x in arm.landmarks if x[0] == t), math.nan)


def _landmark(curves: Sequence[KMCurve], arm: PrintedArm, t: float) -> pd.DataFrame:
    """Return survival of an arm at a time: as printed where it is, limits over draws elsewhere."""
    row = combine_curves(curves, at=[t]).iloc[1]
    values = [row["estimate"], row["conf_low"], row["conf_high"]]
    mark = next((x for x in arm.landmarks if x[0] == t), ())
    if len(mark) == 4:
        values = list(mark[1:])
    elif len(mark) > 1:  # limits keep their distance on the scale they were made on
        values = [mark[1], *_moved(values, mark[1])]
    columns = ("survival", "conf_low", "conf_high")
    return pd.DataFrame({"time": [t], **{c: [v] for c, v in zip(columns, values, strict=True)}})


def _moved(values: Sequence[float], to: float) -> tuple[float, float]:
    """Return limits moved with their estimate on the log(-log) scale."""
    if not 0 < to < 1 or not all(0 < v < 1 for v in values):
        return min(values[1], to), max(values[2], to)
    shift = math.log(-math.log(to)) - math.log(-math.log(values[0]))
    low, high = (math.exp(-math.exp(math.log(-math.log(v)) + shift)) for v in values[1:])
    return low, high


def _months(one: Drawn, t: float) -> dict[str, float]:
    """Return months gained within a horizon over draws, by Rubin's rules."""
    effects = [mb.absolute_effect_arms(a, b, at=t) for a, b in zip(*one.curves, strict=True)]
    gained = np.array([e.months for e in effects])
    width = np.array([e.months_high - e.months_low for e in effects])
    centre, total, _ = rubin(gained, (width / (2 * Z)) ** 2)
    half = Z * math.sqrt(float(total))
    return {
        "months": float(centre),
        "months_low": float(centre) - half,
        "months_high": float(centre) + half,
    }


def not_drawn(found: Sequence[Pair]) -> pd.DataFrame:
    """Return the comparisons whose arms print too little, and what is missing."""
    lines = [
        {"key": p.key, "trial": p.treatment.label, "endpoint": p.treatment.endpoint,
         "reason": p.note, "row_ids": p.row_ids}
        for p in found
        if p.draws is None
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=["key", "trial", "endpoint", "reason", "row_ids"])


@dataclass(frozen=True, slots=True)
class Baseline:
    """Survival of a control group at one time."""

    key: str
    label: str
    time: float
    survival: float
    row_ids: str


def baselines(
    choice: Choice, found: Sequence[Drawn], arms: Sequence[PrintedArm]
) -> dict[float, list[Baseline]]:
    """Return control survival at every time: of the pool's own control arms, by time.

    Where relapsed adults of the pool are not followed that far, control groups of the same
    patients with survival printed at the time.
    """
    out: dict[float, list[Baseline]] = {}
    trials = set(choice.rows["trial_id"])
    for one in found:
        own = one.name == choice.endpoint and one.pair.treatment.trial_id in trials
        for t in one.times if own else ():
            survival = float(_landmark(one.curves[1], one.pair.control, t)["survival"].iloc[0])
            out.setdefault(t, []).append(_baseline(one.pair.control, t, survival))
    if choice.key == "os.adult_rr_ph_negative":
        for t in (t for t in TIMES if t not in out):
            known = [a for a in arms if CONTROLS.belongs(a) and math.isfinite(_printed(a, t))]
            if known:
                out[t] = [_baseline(a, t, _printed(a, t)) for a in known]
    return out


CONTROLS = next(p for p in POOLS if p.name == "rr_control")


def _baseline(arm: PrintedArm, t: float, survival: float) -> Baseline:
    return Baseline(arm.trial_id, arm.label, t, survival, join_ids(arm.row_ids))


def by_pool(
    choices: Sequence[Choice], fits: dict[str, mb.MetaFit], known: Sequence[Drawn],
    arms: Sequence[PrintedArm],
) -> pd.DataFrame:  # fmt: skip
    """Return one line for every pool, time and baseline: the middle control arm, and each."""
    lines = []
    for choice in (c for c in choices if not c.name.startswith("age_")):
        for t, controls in sorted(baselines(choice, known, arms).items()):
            middle = float(np.median([b.survival for b in controls]))
            names = ", ".join(b.label for b in controls)
            whole = Baseline("", f"middle of {names}", t, middle,
                             join_ids(b.row_ids for b in controls))  # fmt: skip
            some = [whole if len(controls) > 1 else controls[0]]
            some += controls if len(controls) > 1 else []
            lines += [_pool_line(choice, fits[choice.key], b, i == 0) for i, b in enumerate(some)]
    return pd.DataFrame(lines)


def _pool_line(choice: Choice, fit: mb.MetaFit, at: Baseline, main: bool) -> dict[str, Any]:
    effect = effect_at(fit, at)
    row = effect.table.iloc[0]
    suffix = "" if main else f".at_{at.key}"
    return {
        "key": f"{choice.key}.{at.time:g}{suffix}",
        "endpoint": TITLES[choice.endpoint],
        "group": words_of(choice.name),
        "time": at.time,
        "baseline": at.label,
        "main": main,
        "k": fit.k,
        **{name: row[name] for name in SHOWN},
        "months": effect.months,
        "months_low": effect.months_low,
        "months_high": effect.months_high,
        "threshold": THRESHOLD,
        "note": "; ".join(effect.notes[1:]),
        "row_ids": join_ids([*choice.rows["row_id"], at.row_ids]),
    }


def effect_at(fit: mb.MetaFit, at: Baseline) -> AbsoluteEffect:
    """Return the absolute effect of a pooled ratio at one control survival."""
    return mb.absolute_effect(fit, [1 - at.survival], [at.time], threshold=THRESHOLD)
