"""Inks of a picture: what stands out from the paper, in how many colours, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from metablin.digitise.readers import Colour

__all__ = ["Field", "coverage", "ink_field", "palette"]

FAINT = 36.0  # ink differs from the paper by at least this, in 0..441
CORE = 0.86  # the core of a line has at least this part of the strongest ink around
SAME = 42.0  # colours nearer than this are one ink
MAX_INKS = 12
ACHROMATIC = 30.0  # spread of red, green and blue below which a colour is grey


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A piece of a picture, split into paper and ink.

    Attributes
    ----------
    pixels, paper : ndarray, shape (height, width, 3)
        The piece, and what lies under its lines: paper, bands, fills.
    strength : ndarray, shape (height, width)
        Distance of a pixel from its paper.
    left, top : int
        Place of the piece in the picture.
    """

    pixels: NDArray[np.float32]
    paper: NDArray[np.float32]
    strength: NDArray[np.float32]
    left: int
    top: int


def ink_field(pixels: NDArray[np.uint8], box: tuple[int, int, int, int], reach: int) -> Field:
    """Split a piece of a picture into paper and ink.

    Parameters
    ----------
    pixels : ndarray
        The picture.
    box : (left, top, right, bottom)
        The piece, in whole pixels.
    reach : int
        Wider than any line, narrower than any band.
    """
    x0, y0, x1, y1 = box
    part = pixels[y0:y1, x0:x1].astype(np.float32)
    size = 2 * reach + 1
    part = _without_grid(part, 2 * size + 1)
    paper = ndimage.grey_closing(part, size=(size, size, 1), mode="nearest")
    strength = np.linalg.norm(paper - part, axis=2)
    return Field(part, paper, strength, x0, y0)


def _without_grid(part: NDArray[np.float32], around_size: int) -> NDArray[np.float32]:
    """Wipe out grid lines: whole rows or columns that differ from their neighbours."""
    out = part.copy()
    for axis in (0, 1):
        line = np.median(part, axis=1 - axis)
        around = ndimage.median_filter(line, size=(around_size, 1), mode="nearest")
        off = np.linalg.norm(line - around, axis=1)
        for k in np.flatnonzero(off > 6):
            row = out[k] if axis == 0 else out[:, k]
            own = np.linalg.norm(row - line[k], axis=1) < 0.5 * off[k] + 12
            row[own] = around[k]
    return out


def palette(field: Field) -> list[tuple[Colour, int]]:
    """Return the inks of a piece, each with the number of its core pixels, most first."""
    strong = field.strength > FAINT
    local = ndimage.maximum_filter(field.strength, size=5)
    core = strong & (field.strength >= CORE * local)
    colours = field.pixels[core]
    out: list[tuple[Colour, int]] = []
    while len(colours) and len(out) < MAX_INKS:
        bins = (colours // 20).astype(np.int64)
        code = bins @ np.array([10_000, 100, 1])
        values, counts = np.unique(code, return_counts=True)
        top = colours[code == values[np.argmax(counts)]]
        centre = np.median(top, axis=0)
        for _ in range(2):
            near = np.linalg.norm(colours - centre, axis=1) < SAME
            centre = np.median(colours[near], axis=0) if near.any() else centre
        near = np.linalg.norm(colours - centre, axis=1) < SAME
        if not near.any():
            break
        red, green, blue = (round(float(v)) for v in centre)
        out.append(((red, green, blue), int(near.sum())))
        colours = colours[~near]
    return out


def coverage(field: Field, ink: Colour, rivals: list[Colour]) -> tuple[Any, Any]:
    """Return how much of each pixel an ink covers, and where other inks hide it.

    Parameters
    ----------
    field : Field
        Paper and ink.
    ink : (red, green, blue)
        The ink.
    rivals : list of colours
        The other inks.

    Returns
    -------
    own : ndarray in 0..1
        Coverage by the ink.
    hidden : ndarray of bool
        Pixels that another ink covers.
    """
    own, off = _project(field, ink)
    tolerance = np.maximum(30.0, 0.33 * field.strength)
    mine = (off < tolerance) & (own > 0.12)
    hidden = np.zeros(mine.shape, dtype=bool)
    for rival in rivals:
        other, far = _project(field, rival)
        better = _misfit(other, far) < _misfit(own, off)
        mine &= ~better
        hidden |= better & (other > 0.3)
    foreign = (field.strength > 60) & ~mine & (off >= tolerance)
    return np.where(mine, np.clip(own, 0, 1), 0.0), hidden | foreign


def _project(field: Field, ink: Colour) -> tuple[Any, Any]:
    """Return the part of ink in each pixel and what it leaves unexplained."""
    to_ink = np.asarray(ink, dtype=np.float32) - field.paper
    to_pixel = field.pixels - field.paper
    square = np.maximum((to_ink**2).sum(axis=2), 1.0)
    part = (to_ink * to_pixel).sum(axis=2) / square
    rest = np.linalg.norm(to_pixel - np.clip(part, 0, 1.0)[:, :, None] * to_ink, axis=2)
    return part, rest


def _misfit(part: Any, rest: Any) -> Any:
    """What an ink leaves unexplained; thin ink is a worse explanation than full ink."""
    return rest + 25.0 * np.maximum(0.0, 0.75 - np.clip(part, 0, 1))
