"""Responders against non-responders without immortal time: landmarks and Simon-Makuch curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._frame import reads
from metablin.errors import DataError, warn
from metablin.options import Missing
from metablin.records import Record, json_dict
from metablin.survival.comparison import LogRank, logrank
from metablin.survival.cox import CoxFit, cox
from metablin.survival.km import KMCurve, curve_of
from metablin.survival.patients import Patients, patients
from metablin.survival.ties import onto

__all__ = ["ResponseComparison", "landmark_analysis", "simon_makuch"]

FloatArray = NDArray[np.float64]

NAMES = ("non-responder", "responder")

NAIVE = (
    "responders are compared with non-responders without a landmark: responders had to live until "
    "their response (immortal time)"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResponseComparison(Record):
    """Survival by a response that is reached after baseline.

    Attributes
    ----------
    method : str
        ``landmark``, ``simon-makuch`` or ``naive``.
    landmark : float
        From here on groups are compared; 0 without a landmark.
    curves : dict of str to KMCurve
        ``non-responder`` and ``responder``; time runs from the landmark in a landmark analysis,
        else from the start of treatment.
    test : LogRank
        Log-rank test; with time-dependent membership it is Mantel and Byar's.
    hazard_ratio : CoxFit
        Responders over non-responders.
    excluded : int
        Patients with follow-up up to the landmark or less.
    """

    method: str
    landmark: float
    curves: dict[str, KMCurve]
    test: LogRank
    hazard_ratio: CoxFit
    excluded: int

    def to_frame(self) -> pd.DataFrame:
        """Return the hazard ratio."""
        return self.hazard_ratio.to_frame()

    def summary(self) -> str:
        """Return the comparison as text."""
        lines = [
            f"{self.method} at {self.landmark:g}; {self.excluded} patients left before it",
            *(c.summary() for c in self.curves.values()),
            self.test.summary(),
            self.to_frame().to_string(index=False),
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        return json_dict(
            {
                "method": self.method,
                "landmark": self.landmark,
                "excluded": self.excluded,
                "medians": {name: curve.to_dict()["median"] for name, curve in self.curves.items()},
                "test": self.test.to_dict(),
                "hazard_ratio": self.to_frame(),
            }
        )


def _responses(p: Patients, response_time: ArrayLike) -> FloatArray:
    """Return response times, infinite for patients who never responded."""
    raw = np.asarray(response_time, dtype=object).ravel()
    cleaned = [np.nan if x is None or x is pd.NA or x in ("", np.inf) else x for x in raw]
    times = _input.numeric("response_time", cleaned, minimum=0.0, missing=True)
    _input.same_length(time=p.time, response_time=times)
    times = onto(times, np.unique(p.time))
    late = np.flatnonzero(times > p.time)
    if late.size:
        i = int(late[0])
        raise DataError(
            "response after the end of follow-up",
            row=i + 1,
            column="response_time",
            value=f"{times[i]:g}",
            allowed=f"at most {p.time[i]:g}, or missing",
        )
    return np.where(np.isnan(times), np.inf, times)


@reads("time", "event")
def landmark_analysis(
    time: ArrayLike,
    event: ArrayLike,
    response_time: ArrayLike,
    landmark: float | None = None,
    *,
    allow_naive: bool = False,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> ResponseComparison:
    """Compare responders with non-responders from a landmark on.

    Patients whose follow-up ended at or before the landmark are left out; a response after it does
    not count. Time runs from the landmark.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up and 1 event, 0 censored.
    response_time : array-like, shape (n,)
        Time of response; missing or infinite where there was none.
    landmark : float, optional
        Needed, unless `allow_naive`.
    allow_naive : bool
        Compare everyone who ever responds, from time 0, with the others. It favours responders,
        who had to live until their response; only to describe the bias.
    level : float

    Returns
    -------
    ResponseComparison

    Raises
    ------
    DataError
        Without a landmark, unless the naive comparison was allowed in so many words.

    Warns
    -----
    MetablinWarning
        When it was.

    References
    ----------
    Anderson JR, Cain KC, Gelber RD (1983). Analysis of survival by tumor response. J Clin Oncol
    1:710-719. doi:10.1200/JCO.1983.1.11.710

    Examples
    --------
    >>> found = landmark_analysis([3, 4, 6, 12, 5, 7], [1, 1, 1, 1, 1, 0],
    ...                           [None, 1, None, 2, 4, None], landmark=2)
    >>> found.curves["responder"].n
    2.0
    """
    p = patients(time, event)
    response = _responses(p, response_time)
    if landmark is None:
        if not allow_naive:
            raise DataError(NAIVE, column="landmark", value="missing",
                            allowed="a time; simon_makuch; or allow_naive=True to describe the "
                            "bias")  # fmt: skip
        warn(NAIVE)
        return _compare("naive", 0.0, p, np.isfinite(response), 0, level)
    start = _start(p, landmark)
    keep = p.time > start
    kept = p.take(keep)
    moved = Patients(kept.time - start, kept.event, None, None)
    early = onto(response, np.array([start])) <= start
    return _compare("landmark", start, moved, early[keep], int((~keep).sum()), level)


def _start(p: Patients, landmark: float) -> float:
    """Return a landmark, moved onto a time of follow-up it equals but for rounding."""
    at = _input.one("landmark", landmark, minimum=0.0)
    return float(onto(np.array(at), np.unique(p.time)))


def _compare(
    method: str,
    start: float,
    p: Patients,
    responder: NDArray[np.bool_],
    excluded: int,
    level: float,
) -> ResponseComparison:
    for name, there in zip(NAMES, (~responder, responder), strict=True):
        if not there.any():
            raise DataError(f"no {name} at {start:g}", column="landmark", value=f"{start:g}")
    group = np.where(responder, NAMES[1], NAMES[0])
    curves = {
        name: curve_of(p.take(group == name), "log-log", _input.level(level), name)
        for name in NAMES
    }
    return ResponseComparison(
        method=method,
        landmark=start,
        curves=curves,
        test=logrank(p.time, p.event, group, control=NAMES[0], entry=p.entry),
        hazard_ratio=cox(p.time, p.event, group, control=NAMES[0], entry=p.entry, level=level),
        excluded=excluded,
    )


@reads("time", "event")
def simon_makuch(
    time: ArrayLike,
    event: ArrayLike,
    response_time: ArrayLike,
    landmark: float = 0.0,
    *,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> ResponseComparison:
    """Compare responders with non-responders, membership changing at the response.

    A patient is at risk as a non-responder until the response and as a responder from then on
    (late entry), so no time is counted before it was earned. Patients whose follow-up ended at or
    before the landmark are left out; time runs from the start of treatment all the same.

    Parameters
    ----------
    time, event, response_time : array-like, shape (n,)
        As in `landmark_analysis`.
    landmark : float
        Both groups are followed from here on; 0 by default.
    level : float

    Returns
    -------
    ResponseComparison
        The test is Mantel and Byar's, the hazard ratio Cox's with a time-dependent covariate.

    References
    ----------
    Simon R, Makuch RW (1984). A non-parametric graphical representation of the relationship
    between survival and the occurrence of an event. Stat Med 3:35-44. doi:10.1002/sim.4780030106

    Mantel N, Byar DP (1974). Evaluation of response-time data involving transient states. J Am
    Stat Assoc 69:81-86. doi:10.1080/01621459.1974.10480131

    Examples
    --------
    >>> found = simon_makuch([3, 9, 6, 12, 5, 8], [1, 1, 1, 0, 1, 1],
    ...                      [None, 1, None, 2, 4, None])
    >>> found.curves["non-responder"].n
    6.0
    """
    p = patients(time, event)
    start = _start(p, landmark)
    keep = p.time > start
    t, e = p.time[keep], p.event[keep]
    response = onto(_responses(p, response_time)[keep], np.array([start]))
    response = np.maximum(response, start)
    # A response in the instant follow-up ends adds no time at risk as a responder.
    switched = response < t
    before = response > start
    times = np.r_[np.minimum(response, t)[before], t[switched]]
    events = np.r_[np.where(switched, 0.0, e)[before], e[switched]]
    entry = np.r_[np.full(int(before.sum()), start), response[switched]]
    responder = np.r_[np.zeros(int(before.sum()), bool), np.ones(int(switched.sum()), bool)]
    split = patients(times, events, entry)
    return _compare("simon-makuch", start, split, responder, int((~keep).sum()), level)
