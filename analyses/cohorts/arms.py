"""What is printed of every survival arm, put together, and reconstructed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
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
    found = with_trials(rows, trials)
    groups = found.groupby(["patient_set", "endpoint"], sort=True)
    arms = [_arm(str(s), str(e), part) for (s, e), part in groups]
    own = {c.of: c for c in curves}
    arms = [replace(a, curve=own.get((a.trial_id, a.arm, a.subgroup, a.endpoint))) for a in arms]
    return arms if at_risk is None else [_with_numbers(a, at_risk) for a in arms]


def _with_numbers(arm: PrintedArm, at_risk: pd.DataFrame) -> PrintedArm:
    """Return an arm with its printed numbers at risk, and the rows they stand in."""
    own = at_risk.loc[
        (at_risk["patient_set"] == arm.patient_set) & (at_risk["endpoint"] == arm.endpoint)
    ].sort_values("time_months")
    if own.empty:
        return arm
    counts = zip(own["time_months"].astype(float), own["n_at_risk"].astype(int), strict=True)
    return replace(arm, at_risk=tuple(counts), row_ids=(*arm.row_ids, *own["row_id"]))


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
        left_out=str(first["left_out"]),
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
    marks = marks.sort_values(["time_months", "row_id"])
    for time, *values in marks[["time_months", *LIMITS]].to_numpy(float).tolist():
        whole = not any(map(math.isnan, values))
        out.append((time, *(values if whole else values[:1])))
    return tuple(dict.fromkeys(out))


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
