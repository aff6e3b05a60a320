"""Text whose letters are drawn one by one from a font of outlines: each line is read on its own.

A file that refers to its letters by symbols tells where every line of text stands, how it runs,
and which letters are the same. Each line is drawn and recognised alone; then a symbol is the
letter that its lines, taken together, read it as, so that a lone 0 is the 0 of every 10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.readers.drawing import Label, Stroke
from metablin.digitise.readers.ocr import recognise_crops

__all__ = ["Letter", "filled", "is_line", "read_lines"]

TALL = 32  # pixels of the height at which a line is drawn
PAD = 4  # pixels of paper around it
LONGEST = 2400  # pixels of a line
APART = 4.0  # letters of one line are at most this far from each other, in sizes of a letter
LEVEL = 0.02  # and this near to one level


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One letter of a line.

    Attributes
    ----------
    symbol : str
        Which symbol of the file draws it.
    origin : (x, y)
        Where its pen starts.
    outlines : tuple of Stroke
        Its outlines; none for a space.
    """

    symbol: str
    origin: tuple[float, float]
    outlines: tuple[Stroke, ...]


Line = tuple[Letter, ...]


def is_line(letters: Sequence[Letter]) -> bool:
    """Whether letters stand in one line, level or upright, one after the other."""
    if not any(v.outlines for v in letters):
        return False
    return len(letters) == 1 or _angle(letters) is not None


def _angle(letters: Sequence[Letter]) -> int | None:
    """Return 0 for a level line, 90 and 270 for one that runs up and down; None for no line."""
    x0, y0, x1, y1 = _box(letters)
    if len(letters) == 1:
        return 0 if y1 - y0 >= x1 - x0 else 90
    boxes = [s.box for v in letters for s in v.outlines]
    size = max(max(b[2] - b[0], b[3] - b[1]) for b in boxes)
    step = np.diff(np.array([v.origin for v in letters]), axis=0)
    for angle, (along, off) in {
        0: (step[:, 0], step[:, 1]),
        90: (-step[:, 1], step[:, 0]),
        270: (step[:, 1], step[:, 0]),
    }.items():
        level = np.all(np.abs(off) <= LEVEL * size)
        if level and np.all(along > 0) and np.all(along < APART * size):
            return angle
    return None


def _box(letters: Sequence[Letter]) -> tuple[float, float, float, float]:
    boxes = np.array([s.box for v in letters for s in v.outlines])
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def read_lines(lines: Sequence[Line]) -> list[Label]:
    """Return the text of lines of letters.

    Parameters
    ----------
    lines : sequence of tuple of Letter
        Each as `is_line` allows.

    Returns
    -------
    list of Label
        In the order given, without those in which nothing was recognised.
    """
    alike: dict[tuple[str, ...], Line] = {}
    for line in lines:
        alike.setdefault(tuple(v.symbol for v in line), line)
    found = dict(zip(alike, recognise_crops([_drawn(v) for v in alike.values()]), strict=True))
    known = _alphabet(alike, found)
    out = []
    for line in lines:
        text, sure = _respelt(line, *found[tuple(v.symbol for v in line)], known)
        if text:
            ink = next(s.fill for v in line for s in v.outlines) or (0, 0, 0)
            out.append(Label(text, *_box(line), ink, _angle(line) or 0, sure))
    return out


def _alphabet(
    alike: dict[tuple[str, ...], Line], found: dict[tuple[str, ...], tuple[str, float]]
) -> dict[str, tuple[str, float]]:
    """Return the letter of each symbol, and the best confidence with which it was read as that.

    A letter among others is read more surely than one alone: each line weighs by its length.
    """
    votes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    sure: dict[tuple[str, str], float] = defaultdict(float)
    for symbols, (text, confidence) in found.items():
        inked = [v.symbol for v in alike[symbols] if v.outlines]
        letters = "".join(text.split())
        if len(letters) != len(inked):
            continue
        for symbol, letter in zip(inked, letters, strict=True):
            votes[symbol][letter] += confidence * len(letters)
            sure[symbol, letter] = max(sure[symbol, letter], confidence)
    best = {symbol: max(v, key=lambda k: v[k]) for symbol, v in votes.items()}
    return {symbol: (letter, sure[symbol, letter]) for symbol, letter in best.items()}


def _respelt(
    line: Line, text: str, confidence: float, known: dict[str, tuple[str, float]]
) -> tuple[str, float]:
    """Return the text of a line by its symbols where all are known, else as it was recognised."""
    inked = [v for v in line if v.outlines]
    if any(v.symbol not in known for v in inked):
        return text, confidence
    words = "".join(known[v.symbol][0] if v.outlines else " " for v in line)
    return " ".join(words.split()), min(known[v.symbol][1] for v in inked)


def _drawn(line: Line) -> NDArray[np.uint8]:
    """Draw a line so that it runs level."""
    turn = {0: (0, 1, 1, 1), 90: (1, -1, 0, 1), 270: (1, 1, 0, -1)}[_angle(line) or 0]
    shapes = [
        np.c_[turn[1] * s.xy[:, turn[0]], turn[3] * s.xy[:, 1 - turn[0]]]
        for v in line
        for s in v.outlines
    ]
    low = np.min([s.min(axis=0) for s in shapes], axis=0)
    wide, high = np.max([s.max(axis=0) for s in shapes], axis=0) - low
    scale = min(TALL / max(high, 1e-6), LONGEST / max(wide, 1e-6))
    size = int(wide * scale) + 2 * PAD + 1, int(high * scale) + 2 * PAD + 1
    return filled([(s - low) * scale + PAD for s in shapes], size)


def filled(shapes: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Fill outlines in black; pieces of one letter that overlap make its holes.

    Parameters
    ----------
    shapes : sequence of ndarray, shape (k, 2)
        Corners in pixels.
    size : (width, height)
        Of the picture.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    from PIL import Image, ImageChops, ImageDraw

    ink = Image.new("1", size, 0)
    for xy in shapes:
        (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
        left, top = int(x0) - 1, int(y0) - 1
        width, height = int(x1 - x0) + 4, int(y1 - y0) + 4
        if width > size[0] or height > size[1]:
            continue
        piece = Image.new("1", (width, height), 0)
        points = [(float(x - left), float(y - top)) for x, y in xy]
        if len(points) > 2:
            ImageDraw.Draw(piece).polygon(points, fill=1)
        area = (left, top, left + width, top + height)
        ink.paste(ImageChops.logical_xor(ink.crop(area), piece), area)
    return np.asarray(ImageChops.invert(ink.convert("L")).convert("RGB"))
