"""What is printed of every survival arm, put together, and reconstructed."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from metablin.errors import DataError
from metablin.reconstruct import SummaryDraws, reconstruct_summary

from ._shared import with_trials

DRAWS = 20
NOT_REACHED = ("NR", "NE")
COMPARED = (("<=", "_to_"), (">=", "_from_"), ("<", "_below_"), (">", "_above_"))
LIMITS = ("survival", "survival_ci_low", "survival_ci_high")

Median = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class PrintedArm:
    """Everything printed about one endpoint of one set of patients; absent items are None."""

    key: str
    trial_id: str
    label: str
    arm: str
    subgroup: str
    endpoint: str
    population: str
    age_group: str
    design: str
    patient_set: str
    n: int | None
    events: int | None
    median: Median | None
    landmarks: tuple[tuple[float, ...], ...]
    followup: float | None
    row_ids: tuple[str, ...]
    source_keys: tuple[str, ...]
    note: str

    @property
    def items(self) -> dict[str, Any]:
        """Arguments of `reconstruct_summary`."""
        return {
            "n": self.n,
            "events": self.events,
            "median": _median_argument(self.median),
            "landmarks": list(self.landmarks),
            "followup": self.followup,
        }

    @property
    def missing(self) -> str:
        """What a reconstruction would need and the print does not give; empty when enough."""
        lacks = [] if self.n is not None else ["number of patients"]
        if not self.landmarks and (self.median is None or self.median[0] is None):
            text = "a landmark (median not reached)" if self.median else "a median or a landmark"
            lacks.append(text)
        return "; ".join(lacks)


def _median_argument(median: Median | None) -> float | Median | None:
    if median is None:
        return None
    return median[0] if median[0] is not None and median[1] is None else median


def slug_of(text: str) -> str:
    """Return a patient set as a key in which ``<5`` and ``>=5`` stay apart."""
    lower = text.lower()
    for sign, word in COMPARED:
        lower = lower.replace(sign, word)
    return ".".join(re.sub(r"[^a-z0-9]+", "_", p).strip("_") for p in lower.split("/"))


def printed_arms(rows: pd.DataFrame, trials: pd.DataFrame) -> list[PrintedArm]:
    """Return one record for every endpoint of every set of patients.

    Rows of the same patients and endpoint are put together whoever reports them. `trials` is what
    :func:`_shared.known_trials` returns.
    """
    found = with_trials(rows, trials)
    groups = found.groupby(["patient_set", "endpoint"], sort=True)
    return [_arm(str(s), str(e), part) for (s, e), part in groups]


def _arm(patient_set: str, endpoint: str, part: pd.DataFrame) -> PrintedArm:
    main = part.sort_values(["n", "row_id"], ascending=[False, True], kind="stable")
    medians = main.loc[main["median_months"].notna() | (main["median_state"] != "")]
    first = (medians if len(medians) else main).iloc[0]
    sizes = sorted({int(x) for x in part["n"].dropna()})
    n = first["n"] if not math.isnan(first["n"]) else main["n"].iloc[0]
    return PrintedArm(
        key=f"{slug_of(patient_set)}.{endpoint}",
        trial_id=str(first["trial_id"]),
        label=str(first["label"]),
        arm=str(first["arm"]),
        subgroup=str(first["subgroup"]),
        endpoint=endpoint,
        population=str(first["population"]),
        age_group=str(first["age_group"]),
        design=str(first["design"]),
        patient_set=patient_set,
        n=None if math.isnan(n) else int(n),
        events=_whole(part["events"]),
        median=_median(first) if len(medians) else None,
        landmarks=_landmarks(part),
        followup=_longest(part["followup_months"]),
        row_ids=tuple(part["row_id"]),
        source_keys=tuple(dict.fromkeys(part["source_key"])),
        note=f"reports differ in size: {', '.join(map(str, sizes))}" if len(sizes) > 1 else "",
    )


def _whole(values: pd.Series) -> int | None:
    return None if values.isna().all() else int(values.max())


def _longest(values: pd.Series) -> float | None:
    return None if values.isna().all() else float(values.max())


def _median(row: pd.Series) -> Median:
    def limit(name: str) -> float | None:
        return None if math.isnan(row[name]) else float(row[name])

    low, high = limit("median_ci_low"), limit("median_ci_high")
    return limit("median_months"), low, high


def _landmarks(part: pd.DataFrame) -> tuple[tuple[float, ...], ...]:
    """Return landmarks in order of time; limits only where both are printed."""
    marks = part.loc[part["time_months"].notna() & part["survival"].notna()]
    out = []
    for row in marks.sort_values(["time_months", "row_id"]).itertuples():
        values = [float(getattr(row, name)) for name in LIMITS]
        whole = not any(map(math.isnan, values))
        out.append((float(row.time_months), *(values if whole else values[:1])))
    return tuple(dict.fromkeys(out))


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


def by_report(rows: pd.DataFrame, trials: pd.DataFrame, arm: PrintedArm) -> tuple[PrintedArm, ...]:
    """Return an arm as each report alone gives it, the longest follow-up first.

    A report is one source at one length of follow-up.
    """
    own = with_trials(rows.loc[rows["row_id"].isin(arm.row_ids)], trials)
    parts = [
        replace(_arm(arm.patient_set, arm.endpoint, part), note=f"{source}")
        for (source, _), part in own.groupby(
            ["source_key", own["followup_months"].fillna(0.0)], sort=True
        )
    ]
    reach = [(max([x[0] for x in p.landmarks], default=0.0), p.followup or 0.0) for p in parts]
    order = np.lexsort(([-b for _, b in reach], [-a for a, _ in reach]))
    return tuple(parts[i] for i in order)


def rebuild_all(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    draws: int = DRAWS,
    wanted: Callable[[PrintedArm], bool] = lambda arm: True,
) -> list[Rebuilt]:
    """Reconstruct every arm, or those for which `wanted` says so."""

    def reports(arm: PrintedArm) -> tuple[PrintedArm, ...]:
        return by_report(rows, trials, arm)

    return [rebuild(a, reports, draws) for a in printed_arms(rows, trials) if wanted(a)]
