"""Characters to words and lines: what stands close together on one baseline is one label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from metablin.digitise.readers.drawing import Colour, Label

__all__ = ["Glyph", "words"]

SPLIT = 0.75  # gap, in font sizes, from which two pieces are two labels
SPACE = 0.14  # gap from which there is a space between two characters
LEVEL = 0.25  # difference of baselines, in font sizes, within one line


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: ink, origin on the baseline, font size, direction, colour, room."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    x: float
    y: float
    size: float
    angle: int
    colour: Colour
    room: tuple[float, float, float, float] | None = None


def words(glyphs: Iterable[Glyph]) -> list[Label]:
    """Join characters to labels.

    Parameters
    ----------
    glyphs : iterable of Glyph
        Characters without spaces, in any order.

    Returns
    -------
    list of Label
    """
    lines: dict[int, list[Glyph]] = {}
    for g in glyphs:
        lines.setdefault(g.angle, []).append(g)
    out = []
    for angle, group in lines.items():
        for line in _baselines(group, angle):
            out.extend(_cut(line, angle))
    return out


def _along(g: Glyph, angle: int) -> tuple[float, float, float]:
    """Return start and end along the line, and the place of the baseline across it."""
    x0, y0, x1, y1 = g.room or (g.x0, g.y0, g.x1, g.y1)
    if angle == 90:
        return -y1, -y0, g.x
    if angle == 270:
        return y0, y1, -g.x
    if angle == 180:
        return -x1, -x0, -g.y
    return x0, x1, g.y


def _baselines(group: list[Glyph], angle: int) -> list[list[Glyph]]:
    """Split into lines of one baseline."""
    group = sorted(group, key=lambda g: _along(g, angle)[2])
    lines: list[list[Glyph]] = []
    last = -np.inf
    for g in group:
        across = _along(g, angle)[2]
        if across - last > LEVEL * g.size or not lines:
            lines.append([])
        lines[-1].append(g)
        last = across
    return [sorted(line, key=lambda g: _along(g, angle)[0]) for line in lines]


def _cut(line: list[Glyph], angle: int) -> list[Label]:
    """Cut one line at its gaps."""
    parts: list[list[Glyph]] = []
    texts: list[str] = []
    end = -np.inf
    for g in line:
        start, stop, _ = _along(g, angle)
        gap = (start - end) / g.size
        if not parts or gap > SPLIT or g.colour != parts[-1][-1].colour:
            parts.append([])
            texts.append("")
        elif gap > SPACE:
            texts[-1] += " "
        parts[-1].append(g)
        texts[-1] += g.text
        end = max(stop, end) if len(parts[-1]) > 1 else stop
    return [_label(p, t, angle) for p, t in zip(parts, texts, strict=True)]


def _label(part: list[Glyph], text: str, angle: int) -> Label:
    left, top = min(g.x0 for g in part), min(g.y0 for g in part)
    right, bottom = max(g.x1 for g in part), max(g.y1 for g in part)
    return Label(text, left, top, right, bottom, part[0].colour, angle)
