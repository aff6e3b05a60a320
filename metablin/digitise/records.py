"""What a figure was read as: arms with their clicks, table, axes and confidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from metablin.digitise.arms import Arm
from metablin.digitise.axes import Panel
from metablin.digitise.pictures import draw, edit_page, png, report
from metablin.digitise.readers import Drawing, hexed
from metablin.digitise.stages import STAGES, stage
from metablin.errors import DataError
from metablin.io import write_bytes, write_text
from metablin.records import Record, json_dict

if TYPE_CHECKING:
    from metablin.reconstruct import PseudoIPD

__all__ = ["Digitised"]


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
    source : Path, optional
        The file, which no picture of the reading replaces.
    """

    file: str
    page: int
    kind: str
    panels: tuple[Panel, ...]
    arms: tuple[Arm, ...]
    drawing: Drawing = field(repr=False)
    notes: tuple[str, ...] = ()
    source: Path | None = None

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
        return json_dict(
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

    def doubtful(self) -> list[Arm]:
        """Arms whose confidence is too low to be relied on."""
        return [a for a in self.arms if a.doubtful]

    def reconstruct(self, n: int | None = None, **options: Any) -> dict[str, PseudoIPD]:
        """Reconstruct the patients of every arm.

        Parameters
        ----------
        n : int, optional
            Number of patients of an arm without a table of numbers at risk.
        **options
            ``draws`` and ``seed`` carry the reading error, see :meth:`Arm.reconstruct`; all others
            are handed on to :func:`metablin.reconstruct_km`.

        Returns
        -------
        dict of str to PseudoIPD
            By the arm's id.

        Raises
        ------
        DataError
            Where an arm has neither a table nor `n`.
        """
        seed = options.pop("seed", 1)
        return {
            a.id: a.reconstruct(n, seed=seed + 1000 * k, **options) for k, a in enumerate(self.arms)
        }

    def overlay(self, path: str | Path | None = None) -> Any:
        """Draw the reading on the figure.

        Parameters
        ----------
        path : str or Path, optional
            A ``.png`` or a self-contained ``.html`` to write, whole or not at all.

        Returns
        -------
        matplotlib.figure.Figure or Path
            The picture, or the file written.
        """
        figure = draw(self.drawing, self.panels, self.arms)
        if path is None:
            return figure
        path = Path(path)
        if path.suffix.lower() == ".html":
            page = report(self.file, self.arms, self.notes, png(figure))
            write_text(path, page, [self.source])
        elif path.suffix.lower() == ".png":
            write_bytes(path, png(figure), [self.source])
        else:
            raise DataError("no such picture", value=path.name, allowed=".png or .html")
        return path

    def stages(self, folder: str | Path) -> list[Path]:
        """Write one picture per stage (text, axes, curves, table), to see where a reading erred.

        Parameters
        ----------
        folder : str or Path
            Where ``1-text.png``, ``2-axes.png``, ``3-curves.png`` and ``4-table.png`` are written;
            made when it is not there.

        Returns
        -------
        list of Path
            The files written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        out = []
        for k, name in enumerate(STAGES, start=1):
            path = folder / f"{k}-{name}.png"
            picture = png(stage(name, self.drawing, self.panels, self.arms))
            write_bytes(path, picture, [self.source])
            out.append(path)
        return out

    def edit(self, path: str | Path) -> Path:
        """Write one self-contained page (HTML) on which the reading is corrected and saved.

        Parameters
        ----------
        path : str or Path
            The page to write; it needs no server and no other host.
        """
        path = Path(path)
        write_text(path, edit_page(self.file, self.drawing, self.panels, self.arms), [self.source])
        return path


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
