"""Randomised arms drawn together under the printed hazard ratio, and what they differ by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from metablin.errors import DataError
from metablin.reconstruct import SummaryDraws, reconstruct_summary_pair

from .cohorts.arms import PrintedArm
from .lines import join_ids
from .rebuilt import draw, seed_of

PAIR_DRAWS = 20
TREATMENTS = ("blinatumomab", "blinatumomab_plus_chemotherapy")
CONTROL = "chemotherapy"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A randomised comparison: two printed arms, the ratio where printed, and draws of both."""

    treatment: PrintedArm
    control: PrintedArm
    ratio: pd.Series | None
    draws: tuple[SummaryDraws, SummaryDraws] | None
    note: str

    @property
    def key(self) -> str:
        """Trial and endpoint."""
        return f"{self.treatment.trial_id}.{self.treatment.endpoint}"

    @property
    def grade(self) -> str:
        """The lower of the two arms' grades; empty without draws."""
        return max(d.grade for d in self.draws) if self.draws else ""

    @property
    def row_ids(self) -> str:
        """Evidence rows behind it."""
        own = () if self.ratio is None else (self.ratio["row_id"],)
        return join_ids((*self.treatment.row_ids, *self.control.row_ids, *own))


def pairs(arms: Sequence[PrintedArm], ratios: pd.DataFrame) -> list[Pair]:
    """Return the randomised comparisons with a printed ratio, both arms drawn under it."""
    found = []
    for ratio in ratios.to_dict(orient="records"):
        two = whole_arms(arms, ratio["trial_id"], ratio["endpoint"])
        if two:
            found.append(Pair(*two, pd.Series(ratio), *_draw(*two, float(ratio["estimate"]))))
    return found


def whole_arms(
    arms: Sequence[PrintedArm], trial: str, endpoint: str
) -> tuple[PrintedArm, PrintedArm] | None:
    """Return blinatumomab and chemotherapy of one trial, all patients; None without both."""
    own = {
        a.arm: a
        for a in arms
        if (a.trial_id, a.endpoint) == (trial, endpoint) and a.patient_set.count("/") == 1
    }
    treated = [own[name] for name in TREATMENTS if name in own]
    return (treated[0], own[CONTROL]) if treated and CONTROL in own else None


def without_ratio(a: PrintedArm, b: PrintedArm) -> Pair:
    """Return a comparison of which no ratio is printed: each arm drawn by itself."""
    if a.missing or b.missing:
        lacks = "; ".join(f"{x.arm}: {x.missing}" for x in (a, b) if x.missing)
        return Pair(a, b, None, None, f"not reconstructed, lacking {lacks}")
    return Pair(a, b, None, alone(a, b), "no ratio printed: arms drawn apart")


@cache
def _draw(
    a: PrintedArm, b: PrintedArm, ratio: float
) -> tuple[tuple[SummaryDraws, SummaryDraws] | None, str]:
    """Return draws of both arms, and why not together; four analyses ask for the same pairs."""
    lacks = "; ".join(f"{x.arm}: {x.missing}" for x in (a, b) if x.missing)
    if lacks:
        return None, f"not reconstructed, lacking {lacks}"
    if a.curve is not None or b.curve is not None:
        return alone(a, b), "arms drawn apart: a curve was read off a figure"
    try:
        return reconstruct_summary_pair(
            a.items, b.items, hr=ratio, draws=PAIR_DRAWS, seed=seed_of(a.key), labels=(a.key, b.key)
        ), ""
    except DataError as error:
        return alone(a, b), f"arms drawn apart: {error.message}"


def alone(a: PrintedArm, b: PrintedArm) -> tuple[SummaryDraws, SummaryDraws]:
    """Return draws of both arms that need not meet the printed ratio."""
    return draw(a, PAIR_DRAWS), draw(b, PAIR_DRAWS)
