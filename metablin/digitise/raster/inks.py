"""Inks of a picture: what stands out from the paper, in how many colours, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from metablin.digitise.readers import Colour

__all__ = [
    "Field", "added", "coverages", "ink_field", "is_thin", "length", "nearest_inks", "paler",
    "palette", "unblended",
]  # fmt: skip

FAINT = 36.0  # ink differs from the paper by at least this, in 0..441
CORE = 0.86  # the core of a line has at least this part of the strongest ink around
SAME = 42.0  # colours nearer than this are one ink
DEPTH = 220.0  # depth of ink at which hues are compared
SAME_HUE = 30.0  # and how near they are then
MAX_INKS = 12
THROUGH = 0.8  # a line of the grid or the frame runs through this part of the piece
STEP = 5.0  # and differs from the paper beside it by this
WHITE = 250.0  # mean of red, green and blue of white paper, with the noise of a camera
LIKE = 40.0  # its pixels differ by less from its usual colour, where nothing crosses it
HUE = 0.975  # cosine between two inks of one hue, seen from white
HUE_COLOURED = 0.99
ACHROMATIC = 30.0  # spread of red, green and blue below which a colour is grey
MATE = 0.3  # the ink of a rim has at least this many pixels for each of the rim's
ROUNDS = 6  # of moving samples to the middle of their pixels
THIN = 2.2  # pixels; thinner lines are blends of ink and paper all over


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
    part = _without_grid(part, size)
    paper = ndimage.grey_closing(part, size=(size, size, 1), mode="nearest")
    strength = length(paper - part)
    return Field(part, paper, strength, x0, y0)


def _without_grid(part: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Wipe out grid lines and frames: lines that run through nearly all of the piece.

    A pixel of such a line differs from the paper on both sides of it; a curve does not run level
    for that long.
    """
    grey = added(part) / 3
    out = part.copy()
    tinted = float(np.median(grey)) < WHITE  # only a tinted ground has paler lines
    for axis in (0, 1):
        along = (size, 1) if axis == 0 else (1, size)
        lines = ndimage.grey_closing(grey, size=along, mode="nearest") - grey > STEP
        if tinted:
            lines |= grey - ndimage.grey_opening(grey, size=along, mode="nearest") > STEP
        for k in np.flatnonzero(lines.mean(axis=1 - axis) > THROUGH):
            _wipe(out, part, lines, int(k), axis)
    return out


def _wipe(out: Any, part: Any, lines: Any, k: int, axis: int) -> None:
    """Replace one row or column of a line by the nearest paper beside it."""
    full = lines.mean(axis=1 - axis) > THROUGH
    free = np.flatnonzero(~full)
    if not len(free):
        return
    below, above = free[free < k], free[free > k]
    nearest = [int(v[i]) for v, i in ((below, -1), (above, 0)) if len(v)]
    row = part[k] if axis == 0 else part[:, k]
    usual = np.median(row[lines[k] if axis == 0 else lines[:, k]], axis=0)
    own = np.linalg.norm(row - usual, axis=1) < LIKE
    sides = np.stack([part[j] if axis == 0 else part[:, j] for j in nearest])
    paper = sides[np.argmax(sides.sum(axis=2), axis=0), np.arange(sides.shape[1])]
    target = out[k] if axis == 0 else out[:, k]
    target[own] = paper[own]


def palette(field: Field, thin: bool) -> list[tuple[Colour, int]]:
    """Return the inks of a piece, each with the number of its core pixels, most first.

    Thin lines are blends of ink and paper all over: there pixels are grouped by hue, and the
    strongest of a group stand for the ink.
    """
    strong = field.strength > FAINT
    local = ndimage.maximum_filter(field.strength, size=5)
    colours = field.pixels[strong & (field.strength >= CORE * local)]
    places = _hues(colours) if thin else colours
    radius = SAME_HUE if thin else SAME
    out: list[tuple[Colour, int]] = []
    while len(colours) and len(out) < MAX_INKS:
        near = _group(places, radius)
        if not near.any():
            break
        own = colours[near]
        if thin:
            depth = own.sum(axis=1)
            own = own[depth <= np.percentile(depth, 25)]
        red, green, blue = (round(float(v)) for v in np.median(own, axis=0))
        out.append(((red, green, blue), int(near.sum())))
        colours, places = colours[~near], places[~near]
    return out


def nearest_inks(field: Field, samples: list[Colour]) -> list[Colour]:
    """Return the inks of a piece's thin lines, one for each sample of a legend.

    Pixels go to the sample of the nearest hue, and each sample moves to the middle of its pixels
    (k-means; Lloyd 1982, IEEE Transactions on Information Theory 28:129-137,
    doi:10.1109/TIT.1982.1056489): compression drains the colour of a short sample and of thin
    lines alike, so that one colour alone may be nearer to another line's.

    Parameters
    ----------
    field : Field
        Paper and ink.
    samples : list of colours
        As many as there are arms.
    """
    local = ndimage.maximum_filter(field.strength, size=5)
    colours = field.pixels[(field.strength > FAINT) & (field.strength >= CORE * local)]
    centres = _hues(np.array(samples, dtype=np.float64))
    places = _hues(colours)
    nearest = np.zeros(len(places), dtype=int)
    for _ in range(ROUNDS):
        nearest = np.argmin(length(places[:, None, :] - centres[None, :, :]), axis=1)
        for k in range(len(centres)):
            if np.any(nearest == k):
                centres[k] = np.median(places[nearest == k], axis=0)
    out = []
    for k, sample in enumerate(samples):
        own = colours[nearest == k]
        if len(own):
            depth = own.sum(axis=1)
            red, green, blue = np.median(own[depth <= np.percentile(depth, 25)], axis=0)
            sample = round(float(red)), round(float(green)), round(float(blue))
        out.append(sample)
    return out


def _hues(colours: Any) -> Any:
    """Return inks at one depth, so that only their hues differ."""
    away = 255.0 - colours
    return DEPTH * away / np.maximum(length(away)[:, None], 1.0)


def _group(places: Any, radius: float) -> Any:
    """Return which colours belong to the most crowded place."""
    code = (places // 20).astype(np.int64) @ np.array([10_000, 100, 1])
    values, counts = np.unique(code, return_counts=True)
    centre = np.median(places[code == values[np.argmax(counts)]], axis=0)
    for _ in range(2):
        near = length(places - centre) < radius
        centre = np.median(places[near], axis=0) if near.any() else centre
    return length(places - centre) < radius


def added(values: Any) -> Any:
    """Return the sum of red, green and blue, which numpy adds up ten times more slowly itself."""
    return values[..., 0] + values[..., 1] + values[..., 2]


def length(colours: Any) -> Any:
    """Return the length of colours, seen from black."""
    return np.sqrt(added(colours * colours))


def coverages(field: Field, inks: list[Colour]) -> dict[Colour, tuple[Any, Any]]:
    """Return how much of each pixel an ink covers, and where other inks hide it, for every ink.

    Parameters
    ----------
    field : Field
        Paper and ink.
    inks : list of (red, green, blue)

    Returns
    -------
    dict
        own : ndarray in 0..1, coverage by the ink; hidden : ndarray of bool, pixels that another
        ink covers.
    """
    parts = {ink: _project(field, ink) for ink in inks}
    cores = {
        ink: ndimage.binary_dilation((own > 0.8) & (off < 30), iterations=1)
        for ink, (own, off) in parts.items()
    }
    tolerance = np.maximum(30.0, 0.33 * field.strength)
    out = {}
    for ink, (own, off) in parts.items():
        mine, misfit = (off < tolerance) & (own > 0.12), _misfit(own, off)
        hidden = np.zeros(mine.shape, dtype=bool)
        for rival, (other, far) in parts.items():
            if rival == ink:
                continue
            better = _misfit(other, far) < misfit
            if paler(rival, ink):
                better &= ~cores[ink]  # the rim of a line is a paler shade of its ink
            elif paler(ink, rival):
                better |= cores[rival]
            mine &= ~better
            hidden |= better & (other > 0.3)
        foreign = (field.strength > 60) & ~mine & (off >= tolerance)
        out[ink] = np.where(mine, np.clip(own, 0, 1), 0.0), hidden | foreign
    return out


def paler(pale: Colour, dark: Colour) -> bool:
    """Whether one ink is a paler shade of another."""
    a, b = 255.0 - np.array(pale), 255.0 - np.array(dark)
    la, lb = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    hue = HUE if max(np.ptp(a), np.ptp(b)) < ACHROMATIC else HUE_COLOURED
    return la < lb and float(a @ b) > hue * la * lb


def unblended(field: Field, found: list[tuple[Colour, int]], thin: bool) -> list[Colour]:
    """Drop inks (with their core pixels) that are a shade of a darker one: rims, or thin lines."""
    strong = field.strength > FAINT
    cores = dict(found)
    inks = list(cores)
    colours = field.pixels[strong]
    near = {i: np.zeros_like(strong) for i in inks}
    for i in inks:
        near[i][strong] = length(colours - np.array(i)) < SAME
    out = []
    for pale in inks:
        rim = False
        for dark in inks:
            if not paler(pale, dark) or cores[dark] < MATE * cores[pale]:
                continue
            around = ndimage.binary_dilation(near[dark], iterations=2)
            share = (near[pale] & around).sum() / max(int(near[pale].sum()), 1)
            rim = rim or share > 0.6 or thin
        if not rim:
            out.append(pale)
    return out


def is_thin(field: Field) -> bool:
    """Whether lines are so thin that they are blends of ink and paper all over."""
    local = ndimage.maximum_filter(field.strength, size=5)
    return thickness((field.strength > FAINT) & (field.strength > 0.5 * local)) < THIN


def thickness(mask: Any) -> float:
    """Return the usual thickness of lines: the shorter of the runs through a pixel."""
    runs = np.minimum(_runs(mask), _runs(mask.T).T)
    values = runs[mask]
    return float(np.median(values)) if len(values) else 1.0


def _runs(mask: Any) -> Any:
    """Return, for each pixel of a mask, the length of the run down its column."""
    padded = np.zeros((mask.shape[1], mask.shape[0] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask.T
    step = np.diff(padded, axis=1).ravel()
    size = np.flatnonzero(step == -1) - np.flatnonzero(step == 1)
    out = np.zeros(mask.shape[::-1], dtype=np.int32)
    out[mask.T] = np.repeat(size, size)
    return out.T


def _project(field: Field, ink: Colour) -> tuple[Any, Any]:
    """Return the part of ink in each pixel and what it leaves unexplained."""
    to_ink = np.asarray(ink, dtype=np.float32) - field.paper
    to_pixel = field.pixels - field.paper
    square = np.maximum(added(to_ink**2), 1.0)
    part = added(to_ink * to_pixel) / square
    rest = length(to_pixel - np.clip(part, 0, 1.0)[:, :, None] * to_ink)
    return part, rest


def _misfit(part: Any, rest: Any) -> Any:
    """Return what an ink leaves unexplained; thin ink explains worse than full ink."""
    return rest + 25.0 * np.maximum(0.0, 0.75 - np.clip(part, 0, 1))
