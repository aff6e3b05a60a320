"""Figures that rise (1 - S): the drawing is turned upside down, read, and turned back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metablin.digitise.axes import Panel, fit_axis
from metablin.digitise.byhand import Hand
from metablin.digitise.raster import raster_curves
from metablin.digitise.readers import Drawing, Stroke
from metablin.digitise.steps import RawCurve, vector_curves

__all__ = ["as_survival", "mirrored", "mirrored_back", "rises"]


def mirrored(panel: Panel, drawing: Drawing) -> tuple[Panel, Drawing]:
    """Return panel and drawing upside down, survival being 1 minus what is printed."""
    height = drawing.height
    y = fit_axis(
        [1 - v for v in panel.y.values], [height - p for p in panel.y.positions],
        panel.y.source, panel.y.labels,
    )  # fmt: skip
    strokes = tuple(_flip(s, height) for s in drawing.strokes)
    labels = tuple(replace(v, y0=height - v.y1, y1=height - v.y0) for v in drawing.labels)
    pixels = None if drawing.pixels is None else np.ascontiguousarray(drawing.pixels[::-1])
    return replace(panel, y=y), replace(drawing, strokes=strokes, labels=labels, pixels=pixels)


def _flip(stroke: Stroke, height: float) -> Stroke:
    return replace(stroke, xy=np.c_[stroke.xy[:, 0], height - stroke.xy[:, 1]])


def mirrored_back(curve: RawCurve, drawing: Drawing) -> RawCurve:
    """Return a curve of the turned drawing in the frame of the true one."""
    return replace(curve, xy=np.c_[curve.xy[:, 0], drawing.height - curve.xy[:, 1]])


def as_survival(panel: Panel) -> Panel:
    """Return the panel with survival, 1 minus what is printed, in the frame of the drawing."""
    y = panel.y
    values = [1 - v for v in y.values]
    return replace(panel, y=fit_axis(values, y.positions, y.source, y.labels))


def rises(panel: Panel, drawing: Drawing) -> bool:
    """Whether the figure holds curves that start at 0 and rise."""
    shown, turned = mirrored(panel, drawing)
    if drawing.kind == "vector":
        return bool(vector_curves(shown, turned))
    return bool(raster_curves(shown, turned, [], Hand())[0])
