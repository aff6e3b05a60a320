"""Text that a vector file draws as outlines: drawn to pixels, then recognised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.readers.drawing import Drawing, Label, Stroke
from metablin.digitise.readers.glyphs import filled, read_lines
from metablin.digitise.readers.ocr import recognise

__all__ = ["spell", "spell_lines"]

SCALE = 3.0  # pixels per unit of the drawing
LEVEL = 0.1  # a line is level to this, in units of the drawing
MAX_SIDE = 4000  # pixels


def spell_lines(drawing: Drawing) -> Drawing:
    """Return the drawing with its lines of letters read as labels, each line on its own.

    Parameters
    ----------
    drawing : Drawing
        Vector drawing with ``extra["lines"]``.
    """
    labels = read_lines(drawing.extra.get("lines", ()))
    return replace(drawing, labels=drawing.labels + tuple(labels)) if labels else drawing


def spell(drawing: Drawing, upright: bool = False) -> Drawing:
    """Return the drawing with its outlined letters read as labels.

    Parameters
    ----------
    drawing : Drawing
        Vector drawing with ``extra["outlines"]``.
    upright : bool
        Look for text that runs upwards.
    """
    outlines: Sequence[Stroke] = drawing.extra.get("outlines", ())
    if not outlines:
        return drawing
    scale = min(SCALE, MAX_SIDE / max(drawing.width, drawing.height))
    pixels = _drawn(outlines, drawing, scale)
    labels = [_unscaled(lab, scale) for lab in recognise(pixels, upright=upright)]
    labels = [part for lab in labels for part in _at_samples(lab, drawing.strokes)]
    inks = [replace(lab, colour=_ink(lab, outlines)) for lab in labels if not upright or lab.angle]
    return replace(
        drawing,
        labels=drawing.labels + tuple(inks),
        extra=drawing.extra | {"spelled": (pixels, scale)},
    )


def _drawn(outlines: Sequence[Stroke], drawing: Drawing, scale: float) -> NDArray[np.uint8]:
    size = (int(drawing.width * scale) + 1, int(drawing.height * scale) + 1)
    return filled([s.xy * scale for s in outlines], size)


def _unscaled(label: Label, scale: float) -> Label:
    box = {k: getattr(label, k) / scale for k in ("x0", "y0", "x1", "y1")}
    return replace(label, **box)


def _at_samples(label: Label, strokes: Sequence[Stroke]) -> list[Label]:
    """Cut a legend's line at the samples within it, whose marks were read as plus signs."""
    names = [part.strip() for part in label.text.split("+")]
    if len(names) < 2:
        return [label]
    inside = {
        (round(s.box[0], 1), round(s.box[2], 1))
        for s in strokes
        if len(s.xy) == 2 and s.box[3] - s.box[1] < LEVEL and label.y0 <= s.box[1] <= label.y1
        and label.x0 - label.size < s.box[0] and 0 < s.box[2] - s.box[0] < 6 * label.size
        and s.box[2] < label.x1
    }  # fmt: skip
    samples = sorted(inside)
    if len(samples) != len(names) - 1:
        return [label]
    starts = [label.x0, *(b for _, b in samples)]
    ends = [*(a for a, _ in samples), label.x1]
    return [
        replace(label, text=name, x0=x0, x1=x1)
        for name, x0, x1 in zip(names, starts, ends, strict=True)
        if name
    ]


def _ink(label: Label, outlines: Sequence[Stroke]) -> tuple[int, int, int]:
    for s in outlines:
        x0, y0, x1, y1 = s.box
        if label.x0 - 1 <= x0 and x1 <= label.x1 + 1 and label.y0 - 1 <= y0 and y1 <= label.y1 + 1:
            return s.fill or (0, 0, 0)
    return (0, 0, 0)
