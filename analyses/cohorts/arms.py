"""What is printed of every survival arm, put together, and reconstructed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from metablin.datasets import ReadCurve

from .populations import with_trials

NOT_REACHED = ("NR", "NE")
COMPARED = (("<=", "_to_"), (">=", "_from_"), ("<", "_below_"), (">", "_above_"))
LIMITS = ("survival", "survival_ci_low", "survival_ci_high")
Median = tuple[float | None, float | None, float | None]
Row = Mapping[Any, Any]


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
    at_risk: tuple[tuple[float, int], ...] = ()
    left_out: str = ""
    curve: ReadCurve | None = None

    @property
    def items(self) -> dict[str, Any]:
        """Arguments of `reconstruct_summary`."""
        return {
            "n": self.n,
            "events": self.events,
            "median": _median_argument(self.median),
            "landmarks": list(self.landmarks),
            "followup": self.followup,
            "at_risk": tuple(zip(*self.at_risk, strict=True)) if self.at_risk else None,
        }

    @property
    def patients(self) -> str:
        """Which of the patients of the trial's arm they are; ``all`` when they are all of them.

        Other trials whose patients are in the same set follow after plus signs.
        """
        own, *others = self.patient_set.split("+")
        parts = "; ".join(own.split("/")[2:]) or "all"
        return "+".join([parts, *(o for o in others if o.split("/")[0] != self.trial_id)])

    @property
    def patients_known(self) -> bool:
        """Whether a number of patients is printed, in the text or beside the curve."""
        own = self.curve is not None and (self.curve.n is not None or len(self.curve.at_risk) > 0)
        return self.n is not None or own

    @property
    def missing(self) -> str:
        """What a reconstruction would need and the print does not give; empty when enough."""
        lacks = [] if self.patients_known else ["number of patients"]
        if self.curve is not None:
            return "; ".join(lacks)
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


def printed_arms(
    rows: pd.DataFrame,
    trials: pd.DataFrame,
    at_risk: pd.DataFrame | None = None,
    curves: Sequence[ReadCurve] = (),
) -> list[PrintedArm]:
    """Return one record for every endpoint of every set of patients.

    Rows of the same patients and endpoint are put together whoever reports them. `trials` is what
    :func:`known_trials` returns, `at_risk` the table of printed numbers at risk, `curves` what was
    read off figures.
    """
    groups = _grouped(with_trials(rows, trials))
    arms = [_arm(s, e, groups[s, e]) for s, e in sorted(groups)]
    own = {c.of: c for c in curves}
    arms = [replace(a, curve=own.get((a.trial_id, a.arm, a.subgroup, a.endpoint))) for a in arms]
    if at_risk is None:
        return arms
    numbers = _grouped(at_risk.sort_values("time_months"))
    return [_with_numbers(a, numbers.get((a.patient_set, a.endpoint), [])) for a in arms]


def _grouped(rows: pd.DataFrame) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of every endpoint of every set of patients, in their order."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows.to_dict(orient="records"):
        groups.setdefault((str(row["patient_set"]), str(row["endpoint"])), []).append(row)
    return groups


def _with_numbers(arm: PrintedArm, own: list[Row]) -> PrintedArm:
    """Return an arm with its printed numbers at risk, and the rows they stand in."""
    if not own:
        return arm
    counts = tuple((float(r["time_months"]), int(r["n_at_risk"])) for r in own)
    return replace(arm, at_risk=counts, row_ids=(*arm.row_ids, *(r["row_id"] for r in own)))


def _arm(patient_set: str, endpoint: str, part: Sequence[Row]) -> PrintedArm:
    main = sorted(part, key=lambda r: (-_printed(r, "n", 0.0), r["row_id"]))
    medians = [r for r in main if not math.isnan(r["median_months"]) or r["median_state"]]
    first = (medians or main)[0]
    sizes = sorted({int(r["n"]) for r in part if not math.isnan(r["n"])})
    n = first["n"] if not math.isnan(first["n"]) else main[0]["n"]
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
        events=None if (most := _largest(part, "events")) is None else int(most),
        median=_median(first) if len(medians) else None,
        landmarks=_landmarks(part),
        followup=_largest(part, "followup_months"),
        row_ids=tuple(r["row_id"] for r in part),
        source_keys=tuple(dict.fromkeys(r["source_key"] for r in part)),
        left_out=str(first["left_out"]),
        note=f"reports differ in size: {', '.join(map(str, sizes))}" if len(sizes) > 1 else "",
    )


def _printed(row: Row, name: str, otherwise: float) -> float:
    return otherwise if math.isnan(row[name]) else float(row[name])


def _largest(part: Sequence[Row], name: str) -> float | None:
    """Return the largest printed value; None where none is printed."""
    return max((float(r[name]) for r in part if not math.isnan(r[name])), default=None)


def _median(row: Row) -> Median:
    def limit(name: str) -> float | None:
        return None if math.isnan(row[name]) else float(row[name])

    low, high = limit("median_ci_low"), limit("median_ci_high")
    return limit("median_months"), low, high


def _landmarks(part: Sequence[Row]) -> tuple[tuple[float, ...], ...]:
    """Return landmarks in order of time; limits only where both are printed."""
    out = []
    marks = [r for r in part if not math.isnan(r["time_months"] + r["survival"])]
    for row in sorted(marks, key=lambda r: (r["time_months"], r["row_id"])):
        time, *values = (float(row[name]) for name in ("time_months", *LIMITS))
        whole = not any(map(math.isnan, values))
        out.append((time, *(values if whole else values[:1])))
    return tuple(dict.fromkeys(out))


def by_report(rows: pd.DataFrame, trials: pd.DataFrame, arm: PrintedArm) -> tuple[PrintedArm, ...]:
    """Return an arm as each report alone gives it, the longest follow-up first.

    A report is one source at one length of follow-up.
    """
    own = with_trials(rows.loc[rows["row_id"].isin(arm.row_ids)], trials)
    parts = [
        replace(_arm(arm.patient_set, arm.endpoint, part.to_dict("records")), note=f"{source}")
        for (source, _), part in own.groupby(
            ["source_key", own["followup_months"].fillna(0.0)], sort=True
        )
    ]
    reach = [(max([x[0] for x in p.landmarks], default=0.0), p.followup or 0.0) for p in parts]
    order = np.lexsort(([-b for _, b in reach], [-a for a, _ in reach]))
    return tuple(parts[i] for i in order)
