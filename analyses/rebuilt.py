"""Arms of printed survival reconstructed patient by patient."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from metablin.errors import DataError
from metablin.reconstruct import SummaryDraws, reconstruct_summary

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
    try:
        return Rebuilt(arm, arm, _draw(arm, draws), "", "")
    except DataError as error:
        conflict = _words(error)
    for dropped, fewer in _fewer(arm, reports(arm)):
        try:
            return Rebuilt(arm, fewer, _draw(fewer, draws), conflict, dropped)
        except DataError:
            continue
    return Rebuilt(arm, arm, None, conflict, "")


def _draw(arm: PrintedArm, draws: int) -> SummaryDraws:
    return reconstruct_summary(**arm.items, draws=draws, seed=seed_of(arm.key), label=arm.key)


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
) -> list[Rebuilt]:
    """Reconstruct every arm, or those for which `wanted` says so."""

    def reports(arm: PrintedArm) -> tuple[PrintedArm, ...]:
        return by_report(rows, trials, arm)

    return [rebuild(a, reports, draws) for a in printed_arms(rows, trials, at_risk) if wanted(a)]


def reach(arm: PrintedArm) -> float:
    """Return the last time about which anything is printed, months."""
    times = [x[0] for x in arm.landmarks]
    times += [t for t in arm.median or () if t is not None]
    times += [arm.followup] if arm.followup is not None else []
    times += [t for t, n in arm.at_risk if n]
    return max(times)
