"""Individual patient data from printed summaries, when there is no curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import seed as check_seed
from metablin._input import whole
from metablin.errors import DataError
from metablin.numerics import kaplan_meier
from metablin.reconstruct.records import Check, PseudoIPD, Quality
from metablin.reconstruct.summary._input import Arm, parse_arm
from metablin.reconstruct.summary._limits import has_limits, off_limits
from metablin.reconstruct.summary._patients import draw_patients, stations
from metablin.reconstruct.summary._shapes import draw_shapes
from metablin.records import Record

__all__ = ["SummaryDraws", "draw_sets", "reconstruct_summary", "summary_quality"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Data = tuple[FloatArray, IntArray]

ROUNDS = 40  # batches of curves tried before the summaries count as contradictory
HOPELESS = 3  # the same when not one data set was found,
FEWEST = 600  # in at least as many curves
STRAIN = 2.5  # standard deviations by which events after the last printed time may be unlikely
PATIENCE = 3  # batches after which sets with other intervals than the printed ones will do


@dataclass(frozen=True, slots=True, eq=False)
class SummaryDraws(Record, Sequence[PseudoIPD]):
    """Draws of pseudo individual patient data with the grade of what they rest on.

    A sequence: ``len(draws)``, ``draws[0]``, iteration. `grade` is C (two landmarks or more, or a
    median with interval and events) or D (less).
    """

    sets: tuple[PseudoIPD, ...]
    grade: str
    label: str = ""

    @overload
    def __getitem__(self, index: int) -> PseudoIPD: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[PseudoIPD, ...]: ...

    def __getitem__(self, index: int | slice) -> PseudoIPD | tuple[PseudoIPD, ...]:
        return self.sets[index]

    def __len__(self) -> int:
        return len(self.sets)

    def __iter__(self) -> Iterator[PseudoIPD]:
        return iter(self.sets)

    def to_frame(self) -> pd.DataFrame:
        """Columns draw, time, event; draws numbered from 1."""
        frames = [s.to_frame().assign(draw=i + 1) for i, s in enumerate(self.sets)]
        return pd.concat(frames, ignore_index=True)[["draw", "time", "event"]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "label": self.label,
            "grade": self.grade,
            "sets": [s.to_dict() for s in self.sets],
        }

    def summary(self) -> str:
        """Text for people."""
        first = self.sets[0]
        name = f"{self.label}: " if self.label else ""
        return f"{name}{len(self.sets)} draws of {first.time.size} patients, grade {self.grade}"


def reconstruct_summary(
    *,
    n: int,
    events: int | None = None,
    median: float | Sequence[float | None] | None = None,
    landmarks: Mapping[float, Any] | Iterable[Sequence[float]] | None = None,
    followup: float | Sequence[float | None] | None = None,
    at_risk: tuple[Any, Any] | None = None,
    draws: int = 20,
    seed: int = 1,
    level: float = 0.95,
    label: str = "",
) -> SummaryDraws:
    """Draw individual patient data that agree with printed summaries of one arm.

    Every draw has exactly `n` patients and the printed events; its Kaplan-Meier curve meets each
    landmark within half a patient or its rounding and has the printed median. What the summaries
    leave open (the shape between and after them, the course of censoring) differs between draws,
    so that the spread of any statistic over draws shows what is not known.

    Parameters
    ----------
    n : int
        Patients.
    events : int, optional
        Events.
    median : float or (median, low, high), optional
        Median and the limits of its interval; None within the triple for what is not reached.
    landmarks : sequence of tuples, or mapping, optional
        ``(time, survival)``, ``(time, survival, std_error)`` or ``(time, survival, low, high)``,
        survival in 0..1; or a mapping of time to survival (or to its tuple).
    followup : float or (median, shortest, longest), optional
        Follow-up.
    at_risk : (times, counts), optional
        Numbers at risk.
    draws : int
        Number of data sets.
    seed : int
        Seed; the same seed gives the same data.
    level : float
        Confidence level of printed intervals.
    label : str
        Name of the arm, used in messages.

    Returns
    -------
    SummaryDraws
        A sequence of `PseudoIPD` with a `grade`.

    Raises
    ------
    DataError
        When summaries contradict each other, naming the two items.

    References
    ----------
    Brookmeyer R, Crowley J (1982). Biometrics 38:29-41. doi:10.2307/2530286
    Rubin DB (1987). Multiple Imputation for Nonresponse in Surveys. doi:10.1002/9780470316696

    Examples
    --------
    >>> sets = reconstruct_summary(n=40, events=22, median=(9.5, 6.1, 14.0),
    ...                            landmarks=[(6, 0.62), (12, 0.41)], followup=18, draws=3)
    >>> [int(s.event.sum()) for s in sets], sets.grade
    ([22, 22, 22], 'C')
    """
    arm = parse_arm(n, events, median, landmarks, followup, at_risk, level, label)
    draws, seed = whole("draws", draws, minimum=1, what="number of draws"), check_seed(seed)
    sets = draw_sets(arm, draws, np.random.default_rng(seed))
    records = tuple(PseudoIPD(t, e, summary_quality(arm, t, e), label=label) for t, e in sets)
    return SummaryDraws(records, arm.grade, label)


def draw_sets(arm: Arm, count: int, rng: np.random.Generator) -> list[Data]:
    """Draw `count` data sets that meet every constraint, or say which items exclude each other.

    Sets whose own intervals are far from the printed ones wait until the rounds for better ones
    are over; the nearest of them fill what is missing then.
    """
    out: list[Data] = []
    waiting: list[tuple[float, Data]] = []
    marks, judged = stations(arm), has_limits(arm)
    for i in range(ROUNDS):
        shapes = draw_shapes(arm, 2 * count, rng)
        for curves in zip(shapes.time, shapes.h, shapes.g, strict=True):
            found = draw_patients(arm, marks, *curves, rng)
            if found is None:
                continue
            data, off = found[:2], found[2] / STRAIN
            if off <= 1.0 and judged:
                off = off_limits(arm, *data)
            if off <= 1.0:
                out.append(data)
            else:
                waiting.append((off, data))
            if len(out) == count:
                return out
        if i >= PATIENCE and len(out) + len(waiting) >= count:
            waiting.sort(key=lambda x: x[0])
            return out + [x[1] for x in waiting[: count - len(out)]]
        if not out and not waiting and i >= HOPELESS and 2 * count * (i + 1) >= FEWEST:
            break
    raise _contradiction(arm)


def _contradiction(arm: Arm) -> DataError:
    """Name the two items that no data set could meet together."""
    marks = " and ".join(x.name for x in arm.landmarks[-1:])
    if arm.events is not None:
        partner = marks or f"a median of {arm.median:g}"
        return DataError(
            f"{arm.events} events among {arm.n} patients cannot be reconciled with {partner}",
            column="events",
            value=arm.events,
            study=arm.label or None,
        )
    partner = f"a median of {arm.median:g}" if math.isfinite(arm.median) else f"n = {arm.n}"
    return DataError(
        f"{marks or 'the median'} cannot be reconciled with {partner}",
        column="landmarks" if marks else "median",
        study=arm.label or None,
    )


def summary_quality(arm: Arm, time: FloatArray, event: IntArray) -> Quality:
    """Quality record of one data set drawn from summaries."""
    return Quality(
        level="summary",
        grade=arm.grade,
        n=arm.n,
        events=int(event.sum()),
        n_source="given",
        censoring="accrual ramp or power of time, drawn anew in each set",
        rmse=math.nan,
        max_abs_error=math.nan,
        at_risk_error=0,
        events_error=0,
        checks=_checks(arm, time, event),
    )


def _checks(arm: Arm, time: FloatArray, event: IntArray) -> tuple[Check, ...]:
    km = kaplan_meier.steps(time, event)
    out = []
    if arm.events is not None:
        out.append(Check("events", float(arm.events), float(event.sum()), 0.0))
    if math.isfinite(arm.median):
        slack = abs(arm.median - arm.printed_median) + 1e-6 * arm.median
        out.append(Check("median", arm.printed_median, kaplan_meier.median(km), slack))
    for x in arm.landmarks:
        found = float(kaplan_meier.survival_at(km, np.array([x.time]))[0])
        out.append(Check(f"S({x.time:g})", x.survival, found, max(x.tolerance, 0.5 / arm.n)))
    return tuple(out)
