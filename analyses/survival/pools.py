"""Single arms pooled as curves: which arms, the curve of their mean, and other choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.errors import DataError
from metablin.meta.survival.curves import PooledCurve, combine_pooled_curves, pool_curves
from metablin.survival import KMCurve
from metablin.survival.draws import combine_curves

from ..cohorts.arm_pools import Pool, name_of
from ..cohorts.arms import PrintedArm
from ..cohorts.populations import PROSPECTIVE
from ..lines import join_ids, records, unit_of
from ..rebuilt import Rebuilt, reach

TIMES = (3.0, 6.0, 9.0, 12.0, 18.0, 24.0, 36.0, 48.0)
LANDMARKS = (6.0, 12.0, 24.0)
ROUNDING = 0.005  # of a landmark printed in whole percent
FEWEST = 3
"""Arms, at every time: fewer cannot show how much arms differ."""


def followed(arm: Rebuilt) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the draws of an arm, censored where nothing more is printed about it."""
    end = reach(arm.used)
    return [(np.minimum(s.time, end), np.where(s.time <= end, s.event, 0)) for s in arm.draws or ()]


def curves_by_arm(arms: Sequence[Rebuilt]) -> dict[str, list[KMCurve]]:
    """Return the Kaplan-Meier curves of every draw, by label."""
    return {name_of(a.printed): _curves(a) for a in arms}


def _curves(arm: Rebuilt) -> list[KMCurve]:
    name = name_of(arm.printed)
    return [mb.kaplan_meier(t, e, label=name) for t, e in followed(arm)]


def grid(curves: dict[str, list[KMCurve]]) -> np.ndarray:
    """Return the times at which at least three arms are followed in every draw.

    The whole months in which arms end are among them: an arm says nothing about the rest of an
    interval it does not reach the end of, and what it shows of the beginning would be lost.
    """
    draws = zip(*curves.values(), strict=True)
    last = min(sorted(_last(c) for c in one)[-FEWEST] for one in draws)
    ends = [min(_last(c) for c in own) for own in curves.values()]
    months = {*TIMES, *(math.floor(t) for t in ends if math.isfinite(t))}
    return np.array([float(t) for t in sorted(months) if TIMES[0] <= t <= last])


def _last(curve: KMCurve) -> float:
    return math.inf if curve.survival[-1] == 0 else float(curve.time[-1])


@dataclass(frozen=True, slots=True, eq=False)
class PooledDraws:
    """A pooled curve over draws, with the share of variance between draws at each time."""

    pool: Pool
    arms: tuple[Rebuilt, ...]
    curve: PooledCurve
    share: np.ndarray

    @property
    def grades(self) -> str:
        """How many arms of which grade, as text."""
        return grades_of(self.arms)

    @property
    def row_ids(self) -> str:
        """Evidence rows the arms of the pool were reconstructed from."""
        return join_ids(i for a in self.arms for i in a.used.row_ids)


def grades_of(arms: Sequence[Rebuilt]) -> str:
    """Return grades and their counts as text."""
    counts = pd.Series([a.draws.grade for a in arms if a.draws]).value_counts().sort_index()
    return ", ".join(f"{n} {g}" for g, n in counts.items())


def pooled(
    pool: Pool, arms: Sequence[Rebuilt], method: str = "combescure", family: str = "weibull"
) -> PooledDraws:
    """Pool the curves of each draw and combine the draws by Rubin's rules.

    Raises
    ------
    DataError
        With fewer than three arms.
    """
    if len(arms) < FEWEST:
        raise DataError(f"{len(arms)} arms are too few to pool", column="arms", allowed="3 or more")
    curves = curves_by_arm(arms)
    if len(curves) < len(arms):
        raise DataError("two arms with one label", column="arms", value=sorted(curves))
    times = grid(curves)
    draws = [
        pool_curves(dict(zip(curves, one, strict=True)), times=times, method=method, family=family)
        for one in zip(*curves.values(), strict=True)
    ]
    curve, share = combine_pooled_curves(draws)
    return PooledDraws(pool, tuple(arms), curve, share)


def curve_table(found: Sequence[PooledDraws]) -> pd.DataFrame:
    """Return the pooled curves at their times, with bands, I2, arms followed and draw share."""
    parts = []
    for one in found:
        frame = one.curve.to_frame().assign(
            between_share=one.share, grades=one.grades, row_ids=one.row_ids
        )
        frame.insert(0, "key", [f"{one.pool.name}.{t:g}" for t in frame["time"]])
        frame.insert(1, "pool", one.pool.title)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def pooled_lines(one: PooledDraws, prefix: str = "") -> list[dict[str, Any]]:
    """Return median and landmarks of a pooled curve as lines of a result table."""
    reached = [t for t in LANDMARKS if t <= one.curve.time[-1]]
    frames = [one.curve.median(), one.curve.at(reached)]
    lines = []
    for row in pd.concat(frames, ignore_index=True).to_dict(orient="records"):
        time = row.get("time", math.nan)
        i = int(np.searchsorted(one.curve.time, time)) if math.isfinite(time) else None
        values = {n: row[n] for n in ("estimate", "conf_low", "conf_high", "pred_low", "pred_high")}
        inf = [n for n, v in values.items() if math.isinf(v)]
        lines.append(
            {
                "key": f"{prefix or one.pool.name}.{row['term'].replace(' at ', '_')}",
                "pool": one.pool.title,
                "term": row["term"],
                "unit": unit_of(row["term"]),
                "k": len(one.arms),
                "n": sum(a.printed.n or 0 for a in one.arms),
                **{n: math.nan if n in inf else v for n, v in values.items()},
                "not_reached": " ".join(inf),
                "i2": one.curve.i2[i] if i is not None else math.nan,
                "between_share": one.share[i] if i is not None else math.nan,
                "method": one.curve.method,
                "grades": one.grades,
                "row_ids": one.row_ids,
            }
        )
    return lines


def arm_lines(one: Pool, arms: Sequence[Rebuilt]) -> list[dict[str, Any]]:
    """Return each arm's median and landmarks by Rubin's rules, with what is printed beside."""
    lines = []
    for arm in arms:
        curves = _curves(arm)
        last = min(_last(c) for c in curves)
        found = combine_curves(curves, at=[t for t in LANDMARKS if t <= last])
        for row in records(found):
            lines.append(_arm_line(one, arm, row))
    return lines


def _arm_line(one: Pool, arm: Rebuilt, row: dict[str, Any]) -> dict[str, Any]:
    p, term = arm.printed, str(row["term"])
    values = {n: row[n] for n in ("estimate", "conf_low", "conf_high")}
    return {
        "key": f"{one.name}.{p.key}.{term.replace(' at ', '_')}",
        "pool": one.name,
        "arm": name_of(p),
        "design": p.design,
        "n": p.n,
        "term": term,
        "unit": unit_of(term),
        **{n: v if math.isfinite(v) else math.nan for n, v in values.items()},
        "not_reached": " ".join(n for n, v in values.items() if math.isinf(v)),
        "between_share": row["between_share"],
        "printed": printed_value(p, term),
        "note": "; ".join(
            x for x in (str(row["note"]), unused(arm), coarse(p, term, row["estimate"])) if x
        ),
        "grade": arm.draws.grade if arm.draws else "",
        "row_ids": join_ids(p.row_ids),
    }


def unused(arm: Rebuilt) -> str:
    """Return which printed items an arm was reconstructed without, and why; empty when none."""
    return f"without {arm.dropped}: {arm.conflict}" if arm.dropped else ""


def coarse(arm: PrintedArm, term: str, estimate: float) -> str:
    """Return why a landmark is met to half a patient only, empty where its rounding is met."""
    away = abs(estimate - printed_value(arm, term))
    if term == "median" or not arm.n or not ROUNDING < away <= 0.5 / arm.n:
        return ""
    return f"within half a patient of {arm.n}"


def printed_value(arm: PrintedArm, term: str) -> float:
    """Return the printed median or landmark, NaN where none is printed."""
    if term == "median":
        middle = arm.median[0] if arm.median else None
        return math.nan if middle is None else middle
    at = {f"survival at {x[0]:g}": x[1] for x in arm.landmarks}
    return at.get(term, math.nan)


Keep = Callable[[Pool, PrintedArm], bool]


def _main(pool: Pool, arm: PrintedArm) -> bool:
    return pool.main(arm)


CHOICES: dict[str, tuple[str, str, str, Keep]] = {
    "main": ("Main: one design, distribution-free", "combescure", "", _main),
    "weibull": ("Weibull curves", "parametric", "weibull", _main),
    "lognormal": ("Log-normal curves", "parametric", "lognormal", _main),
    "pointwise": ("Each time on its own", "pointwise", "", _main),
    "prospective": (
        "Single-arm and randomised trials together", "combescure", "",
        lambda p, a: a.design in PROSPECTIVE,
    ),
    "observational": (
        "Retrospective and external cohorts together", "combescure", "",
        lambda p, a: a.design not in PROSPECTIVE,
    ),
    "all_designs": ("All designs together", "combescure", "", lambda p, a: True),
}  # fmt: skip


def sensitivity(pool: Pool, arms: Sequence[Rebuilt]) -> pd.DataFrame:
    """Return the pooled median and landmarks under other choices of arms and method."""
    lines: list[dict[str, Any]] = []
    for choice, (words, method, family, keep) in CHOICES.items():
        chosen = [a for a in arms if keep(pool, a.printed)]
        prefix = f"{pool.name}.{choice}"
        try:
            more = pooled_lines(pooled(pool, chosen, method, family or "weibull"), prefix)
            lines += [{**x, "choice": words, "note": ""} for x in more]
        except DataError as error:
            lines.append(
                {
                    "key": f"{prefix}.none",
                    "pool": pool.title,
                    "term": "not pooled",
                    "unit": "number",
                    "k": len(chosen),
                    "choice": words,
                    "note": error.message,
                    "grades": grades_of(chosen),
                    "row_ids": join_ids(i for a in chosen or arms for i in a.used.row_ids),
                }
            )
    return pd.DataFrame(lines)
