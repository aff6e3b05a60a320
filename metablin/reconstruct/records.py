"""Results of a reconstruction: pseudo individual patient data and how well they fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.records import Record, json_dict
from metablin.survival.exchange import to_lifelines, to_sksurv

__all__ = ["Check", "Mended", "PseudoIPD", "Quality"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Check:
    """One printed item beside its reconstructed value.

    `tolerance` is the difference that printing and whole patients can explain.
    """

    item: str
    printed: float
    reconstructed: float
    tolerance: float

    @property
    def difference(self) -> float:
        """Reconstructed minus printed; NaN when the reconstruction has no such value."""
        return self.reconstructed - self.printed

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance."""
        return bool(abs(self.difference) <= self.tolerance + 1e-9)


@dataclass(frozen=True, slots=True)
class Mended:
    """Something of the input that was put right: its kind, how often, and in words."""

    what: str
    count: int
    text: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Quality(Record):
    """How a reconstruction fits its input, and how it agrees with what the paper printed.

    Attributes
    ----------
    level : str
        What was used: ``curve``, ``curve + n``, ``... + at-risk``, ``... + events``.
    grade : str
        A (curve, numbers at risk and events), B (curve), C or D (no curve).
    n, events : int
        Patients and events of the reconstruction.
    n_source, censoring : str
        Where n comes from and which model of censoring stands in for what is not known.
    times : str
        ``whole units`` when every event lies at a whole number of the time unit, else ``any``.
    rmse, max_abs_error : float
        Root mean squared and largest absolute difference of S to the clicks; NaN without a curve.
    at_risk_error, events_error : int
        Largest absolute difference to the risk table, and to the total; 0 when not given.
    checks : tuple of Check
        Comparison with printed items.
    clicks : str
        Kind of the clicks, given or told from them: ``drops``, ``corners`` or ``points``; empty
        without a curve.
    noise : float
        Reading error of S, given or estimated, as a standard deviation; NaN without a curve.
    mended : tuple of Mended
        What of the input was put right, left out or had to be assumed.
    """

    level: str
    grade: str
    n: int
    events: int
    n_source: str
    censoring: str
    rmse: float
    max_abs_error: float
    at_risk_error: int
    events_error: int
    checks: tuple[Check, ...] = ()
    times: str = "any"
    clicks: str = ""
    noise: float = np.nan
    mended: tuple[Mended, ...] = ()

    @property
    def verdict(self) -> str:
        """Agreement with print, naming the failing items; never judged on the clicks alone."""
        if not self.checks:
            return "not compared with print"
        failing = [c.item for c in self.checks if not c.agrees]
        return f"differs from print: {', '.join(failing)}" if failing else "agrees with print"

    def to_frame(self) -> pd.DataFrame:
        """One row with every figure but the single checks."""
        return pd.DataFrame([self.to_dict(checks=False)])

    def checks_frame(self) -> pd.DataFrame:
        """One row per printed item."""
        columns = ["item", "printed", "reconstructed", "difference", "tolerance", "agrees"]
        rows = [[getattr(c, name) for name in columns] for c in self.checks]
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self, checks: bool = True) -> dict[str, Any]:
        """JSON-ready values."""
        names = [
            "level", "grade", "n", "events", "n_source", "censoring", "times",
            "rmse", "max_abs_error", "at_risk_error", "events_error", "clicks", "noise", "verdict",
        ]  # fmt: skip
        out = {name: getattr(self, name) for name in names}
        out["mended"] = "; ".join(x.text for x in self.mended)
        if checks:
            out["checks"] = self.checks_frame()
        return json_dict(out)

    def summary(self) -> str:
        """Text for people."""
        fit = (
            ""
            if np.isnan(self.rmse)
            else (f"; RMSE to the clicks {self.rmse:.4f}, largest error {self.max_abs_error:.4f}")
        )
        mended = "".join(f" Mended: {x.text}." for x in self.mended)
        return (
            f"Grade {self.grade} ({self.level}): {self.n} patients, {self.events} events{fit}; "
            f"{self.verdict}. Censoring: {self.censoring}.{mended}"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PseudoIPD(Record):
    """Reconstructed individual patient data of one arm.

    Attributes
    ----------
    time : ndarray, shape (n,)
        Times in the unit of the input, sorted, events before censorings at ties.
    event : ndarray of int, shape (n,)
        1 for an event, 0 for a censoring.
    quality : Quality
        Fit to the input and agreement with print.
    draws : tuple of PseudoIPD
        Further plausible data sets, for combination by Rubin's rules; empty unless asked for.
    label : str
        Name of the arm.
    """

    time: FloatArray
    event: IntArray
    quality: Quality
    draws: tuple[PseudoIPD, ...] = field(default=())
    label: str = ""

    @property
    def grade(self) -> str:
        """Grade A to D of the information behind the data."""
        return self.quality.grade

    def to_frame(self) -> pd.DataFrame:
        """Time and event, one row per patient."""
        return pd.DataFrame({"time": self.time, "event": self.event})

    def to_sksurv(self) -> NDArray[Any]:
        """Return the patients as scikit-survival's structured array of event and time."""
        return to_sksurv(self)

    def to_lifelines(self, level: float = 0.95) -> Any:
        """Return the patients as a fitted ``lifelines.KaplanMeierFitter``."""
        return to_lifelines(self, label=self.label or None, level=level)

    def draws_frame(self) -> pd.DataFrame:
        """Time and event of every draw, numbered from 1."""
        frames = [d.to_frame().assign(draw=i + 1) for i, d in enumerate(self.draws)]
        columns = ["draw", "time", "event"]
        return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return json_dict(
            {
                "label": self.label,
                "time": self.time,
                "event": self.event,
                "quality": self.quality.to_dict(),
            }
        )

    def summary(self) -> str:
        """Text for people."""
        name = f"{self.label}: " if self.label else ""
        more = f" {len(self.draws)} draws." if self.draws else ""
        return f"{name}{self.quality.summary()}{more}"
