"""What a figure was read as: arms with their clicks, table, axes and confidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.digitise.axes import Panel
from metablin.digitise.readers import Colour, Drawing, hexed
from metablin.errors import DataError
from metablin.records import Record, freeze, jsonable

if TYPE_CHECKING:
    from metablin.reconstruct import PseudoIPD

__all__ = ["CONFIDENT", "Arm", "Digitised"]

FloatArray = NDArray[np.float64]
CONFIDENT = 0.6  # an arm below this is not written without being accepted


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One curve of a figure.

    Attributes
    ----------
    id : str
        Printed name, with the letter of the panel before it where there are several.
    name : str
        Printed name; a number where none was found.
    panel : int
        Panel, from 0.
    time, survival : ndarray, shape (k,)
        Clicks, in the figure's unit and in 0..1: both ends of every fall.
    censor_times : ndarray
        Places of censoring marks.
    at_risk_times : ndarray, shape (r,)
        Times of the table; empty without one.
    at_risk : ndarray of int, shape (r,)
        Numbers at risk.
    colour : (red, green, blue)
        Colour of the line.
    dash : tuple of float
        Dashes and gaps; empty for solid.
    confidence : float
        From 0 to 1; below `CONFIDENT` the reading is not to be relied on.
    reasons : tuple of str
        What lowered the confidence.
    exact : bool
        Whether the clicks are corners of a vector figure.
    xy : ndarray, shape (k, 2)
        The clicks in units of the drawing.
    """

    id: str
    name: str
    panel: int
    time: FloatArray
    survival: FloatArray
    censor_times: FloatArray
    at_risk_times: FloatArray
    at_risk: NDArray[np.int64]
    colour: Colour
    dash: tuple[float, ...]
    confidence: float
    reasons: tuple[str, ...]
    exact: bool
    xy: FloatArray
    named_by: str = ""

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, eq=False)
class Digitised(Record):
    """A figure, read.

    Attributes
    ----------
    file : str
        Name of the file.
    page : int
        Page of a PDF, from 1; 1 for others.
    kind : str
        ``vector`` or ``raster``.
    panels : tuple of Panel
        Calibrated axes.
    arms : tuple of Arm
        Every curve.
    notes : tuple of str
        What was understood and is worth saying.
    drawing : Drawing
        The page as read, for pictures.
    """

    file: str
    page: int
    kind: str
    panels: tuple[Panel, ...]
    arms: tuple[Arm, ...]
    notes: tuple[str, ...] = ()
    drawing: Drawing | None = field(default=None, repr=False)

    @property
    def confidence(self) -> float:
        """Lowest confidence of an arm."""
        return min((a.confidence for a in self.arms), default=0.0)

    @property
    def clicks(self) -> pd.DataFrame:
        """Clicks of every arm: ``id, time, survival``."""
        return _long(self.arms, lambda a: {"time": a.time, "survival": a.survival})

    @property
    def risk(self) -> pd.DataFrame:
        """Numbers at risk of every arm: ``id, time, n_at_risk``."""
        return _long(self.arms, lambda a: {"time": a.at_risk_times, "n_at_risk": a.at_risk})

    @property
    def censored(self) -> pd.DataFrame:
        """Censoring marks of every arm: ``id, time``."""
        return _long(self.arms, lambda a: {"time": a.censor_times})

    def to_frame(self) -> pd.DataFrame:
        """One row per arm: what was found and how sure it is."""
        return pd.DataFrame(
            [
                {
                    "id": a.id,
                    "clicks": len(a.time),
                    "end": float(a.time[-1]),
                    "end_survival": float(a.survival[-1]),
                    "marks": len(a.censor_times),
                    "cells": len(a.at_risk),
                    "confidence": round(a.confidence, 3),
                    "reasons": "; ".join(a.reasons),
                }
                for a in self.arms
            ]
        )

    def summary(self) -> str:
        """Text for people."""
        head = (
            f"{self.file}: {self.kind} figure, {len(self.panels)} panel(s), {len(self.arms)} arm(s)"
        )
        lines = [head, *self.notes]
        for a in self.arms:
            why = f" ({'; '.join(a.reasons)})" if a.reasons else ""
            table = f", {len(a.at_risk)} numbers at risk" if len(a.at_risk) else ", no table"
            lines.append(
                f"{a.id}: {len(a.time)} clicks to {a.time[-1]:g}, ends at {a.survival[-1]:.3f}, "
                f"{len(a.censor_times)} marks{table}; confidence {a.confidence:.2f}{why}"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return dict(
            jsonable(
                {
                    "file": self.file,
                    "page": self.page,
                    "kind": self.kind,
                    "panels": [_panel_dict(p) for p in self.panels],
                    "arms": [_arm_dict(a) for a in self.arms],
                    "notes": list(self.notes),
                    "confidence": self.confidence,
                }
            )
        )

    def doubtful(self) -> list[Arm]:
        """Arms whose confidence is too low to be relied on."""
        return [a for a in self.arms if a.confidence < CONFIDENT]

    def reconstruct(self, **options: Any) -> dict[str, PseudoIPD]:
        """Reconstruct the patients of every arm.

        Parameters
        ----------
        **options
            Handed on to :func:`metablin.reconstruct_km`.

        Returns
        -------
        dict of str to PseudoIPD
            By the arm's id.

        Raises
        ------
        DataError
            Where an arm has no number of patients, or a confidence that is too low.
        """
        from metablin.digitise.patients import patients

        return {a.id: patients(a, **options) for a in self.arms}

    def overlay(self, path: str | Path | None = None) -> Any:
        """Draw the reading on the figure.

        Parameters
        ----------
        path : str or Path, optional
            A ``.png`` or a self-contained ``.html`` to write.

        Returns
        -------
        matplotlib.figure.Figure or Path
            The picture, or the file written.
        """
        from metablin.digitise.pictures import overlay

        return overlay(self, None if path is None else Path(path))

    def edit(self, path: str | Path) -> Path:
        """Write one self-contained page (HTML) on which the reading is corrected and saved.

        Parameters
        ----------
        path : str or Path
            The page to write.
        """
        from metablin.digitise.pictures import edit_page

        return edit_page(self, Path(path))


def _long(arms: tuple[Arm, ...], columns: Any) -> pd.DataFrame:
    parts = [pd.DataFrame(columns(a)).assign(id=a.id) for a in arms]
    if not parts:
        raise DataError("no arm was read")
    frame = pd.concat(parts, ignore_index=True)
    return frame[["id", *[c for c in frame.columns if c != "id"]]]


def _panel_dict(panel: Panel) -> dict[str, Any]:
    return {
        "letter": panel.letter,
        "percent": panel.percent,
        **{
            name: {
                "labels": axis.values,
                "positions": axis.positions,
                "source": axis.source,
                "residual": axis.residual,
            }
            for name, axis in (("x", panel.x), ("y", panel.y))
        },
    }


def _arm_dict(arm: Arm) -> dict[str, Any]:
    return {
        "id": arm.id,
        "name": arm.name,
        "panel": arm.panel,
        "colour": hexed(arm.colour),
        "dash": arm.dash,
        "clicks": len(arm.time),
        "censor_times": arm.censor_times,
        "at_risk_times": arm.at_risk_times,
        "at_risk": arm.at_risk,
        "confidence": arm.confidence,
        "reasons": arm.reasons,
        "exact": arm.exact,
    }
