"""Arms of printed survival reconstructed patient by patient."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from metablin.datasets import ReadCurve
from metablin.errors import DataError
from metablin.reconstruct import SummaryDraws, reconstruct_km, reconstruct_summary

from .cohorts.arms import PrintedArm, by_report, printed_arms

DRAWS = 20


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An arm with its draws, or without; `conflict` is what did not fit, `used` what remained."""

    printed: PrintedArm
    used: PrintedArm
    draws: SummaryDraws | None
    conflict: str
    dropped: str

    @property
    def status(self) -> str:
        """How far the reconstruction of the arm got."""
        if self.printed.missing:
            return "too little printed"
        if self.draws is None:
            return "inconsistent"
        return "reconstructed without what conflicts" if self.conflict else "reconstructed"


def seed_of(key: str) -> int:
    """Return the seed of an arm: its own, the same in every analysis."""
    return zlib.crc32(key.encode())


def rebuild(
    arm: PrintedArm,
    reports: Callable[[PrintedArm], tuple[PrintedArm, ...]] = lambda arm: (),
    draws: int = DRAWS,
) -> Rebuilt:
    """Reconstruct an arm from all of its items or, where they conflict, from fewer.

    Parameters
    ----------
    arm : PrintedArm
    reports : callable
        From an arm to the same arm as each report alone gives it, the longest follow-up first;
        asked only when the items conflict.
    draws : int
        Data sets.
    """
    if arm.missing:
        return Rebuilt(arm, arm, None, "", "")
    if arm.curve is not None:
        alone = replace(arm, median=None, landmarks=())
        return Rebuilt(arm, alone, draw(arm, draws), "", "")
    try:
        return Rebuilt(arm, arm, draw(arm, draws), "", "")
    except DataError as error:
        conflict = _words(error)
    for dropped, fewer in _fewer(arm, reports(arm)):
        try:
            return Rebuilt(arm, fewer, draw(fewer, draws), conflict, dropped)
        except DataError:
            continue
    return Rebuilt(arm, arm, None, conflict, "")


def draw(arm: PrintedArm, draws: int) -> SummaryDraws:
    """Return draws of an arm: from its curve where one was read off a figure, else from print."""
    if arm.curve is not None:
        return _from_curve(arm, arm.curve, draws)
    return reconstruct_summary(**arm.items, draws=draws, seed=seed_of(arm.key), label=arm.key)


def _from_curve(arm: PrintedArm, curve: ReadCurve, draws: int) -> SummaryDraws:
    """Return draws of an arm from its curve, with what else is printed of it; grade A or B."""
    table = (curve.at_risk_times, curve.at_risk) if len(curve.at_risk) else arm.items["at_risk"]
    n = curve.n if curve.n is not None else None if table is not None else arm.n
    events = curve.events if curve.events is not None else arm.events
    found = reconstruct_km(
        curve.time, curve.survival, n=n, at_risk=table, events=events, draws=draws,
        seed=seed_of(arm.key), label=arm.key,
    )  # fmt: skip
    return SummaryDraws(found.draws, found.grade, arm.key)


def _words(error: DataError) -> str:
    extra = f"; {error.allowed} is needed" if error.allowed else ""
    return f"{error.message}{extra}"


def _fewer(arm: PrintedArm, reports: tuple[PrintedArm, ...]) -> list[tuple[str, PrintedArm]]:
    points = tuple(x[:2] for x in arm.landmarks)
    median = None if arm.median is None else (arm.median[0], None, None)
    alone = [(f"other reports than {r.note}", r) for r in reports if not r.missing]
    alone = alone if len(reports) > 1 else []
    plain = replace(arm, landmarks=points)
    return [
        *alone,
        ("limits of landmarks", plain),
        ("events", replace(arm, events=None)),
        ("events, and limits of landmarks", replace(plain, events=None)),
        ("limits of landmarks and of the median", replace(plain, median=median)),
        ("events and every limit", replace(plain, events=None, median=median)),
    ]


def rebuild_all(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    draws: int = DRAWS,
    wanted: Callable[[PrintedArm], bool] = lambda arm: True,
    at_risk: pd.DataFrame | None = None,
    curves: Sequence[ReadCurve] = (),
) -> list[Rebuilt]:
    """Reconstruct every arm, or those for which `wanted` says so."""

    def reports(arm: PrintedArm) -> tuple[PrintedArm, ...]:
        return by_report(rows, trials, arm)

    arms = printed_arms(rows, trials, at_risk, curves)
    return [rebuild(a, reports, draws) for a in arms if wanted(a)]


def reach(arm: PrintedArm) -> float:
    """Return the last time about which anything is printed, months."""
    times = [x[0] for x in arm.landmarks]
    times += [t for t in arm.median or () if t is not None]
    times += [arm.followup] if arm.followup is not None else []
    times += [t for t, n in arm.at_risk if n]
    times += [float(arm.curve.time[-1])] if arm.curve is not None else []
    return max(times)
