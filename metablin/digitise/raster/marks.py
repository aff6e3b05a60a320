"""Places of the labels of an axis in a picture: marks, grid lines, else the labels themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from metablin.digitise.axes import Axis, Panel, fit_axis
from metablin.digitise.raster.inks import added

__all__ = ["calibrate_pixels", "straighten"]

CONTRAST = 24.0  # a mark is darker than its surroundings by this
INLIER = 1.2  # pixels by which a mark may be off the line of the others
ENOUGH = 0.55  # part of the labels that must have a mark
MOST_MARKS = 0.8  # and a fit that is preferred to others has marks for this part
AXIS_LINE = 0.75  # part of the panel that the line of an axis is dark along
SHORT = 3  # pixels of the shortest mark
OFF_LABELS = 0.3  # marks stand at the middles of their labels to this, in heights of the text
TURN = 2.0  # degrees that are looked for
STILL = 0.07  # degrees below which a picture is left as it is


def straighten(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Turn a picture so that its lines run level; return it and the angle in degrees."""
    grey = added(pixels.astype(np.float32)) / 3
    dark = np.argwhere(grey < np.percentile(grey, 50) - 60)
    if len(dark) < 200:
        return pixels, 0.0
    if len(dark) > 120_000:
        dark = dark[:: len(dark) // 120_000 + 1]
    y, x = dark[:, 0] - pixels.shape[0] / 2, dark[:, 1] - pixels.shape[1] / 2
    coarse = np.arange(-TURN, TURN + 0.01, 0.1)
    best = coarse[int(np.argmax([_sharp(x, y, a) for a in coarse]))]
    fine = np.arange(best - 0.1, best + 0.101, 0.02)
    angle = float(fine[int(np.argmax([_sharp(x, y, a) for a in fine]))])
    if abs(angle) < STILL or _sharp(x, y, angle) < 1.03 * _sharp(x, y, 0.0):
        return pixels, 0.0
    from PIL import Image

    image = Image.fromarray(pixels)
    turned = image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    return np.asarray(turned), angle


def _sharp(x: Any, y: Any, angle: float) -> float:
    """How sharply dark pixels gather in rows and columns after a turn by an angle."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    total = 0.0
    for along in (y * c - x * s, x * c + y * s):
        counts = np.bincount((along - along.min()).astype(int))
        total += float((counts.astype(float) ** 2).sum())
    return total


def calibrate_pixels(panel: Panel, pixels: NDArray[np.uint8]) -> Panel:
    """Replace places of labels by those of marks or grid lines, below the pixel.

    Parameters
    ----------
    panel : Panel
        As found from labels.
    pixels : ndarray
        The picture.
    """
    grey = added(pixels.astype(np.float32)) / 3
    return replace(panel, x=_axis(panel.x, panel, grey, 0), y=_axis(panel.y, panel, grey.T, 1))


def _axis(axis: Axis, panel: Panel, grey: Any, which: int) -> Axis:
    """Return the best of marks and grid; `grey` has the axis along its columns."""
    if axis.source == "given" or not axis.labels:
        return axis
    size = float(np.median([lab.size for lab in axis.labels]))
    box = panel.box
    inner, along = ((box[1], box[3]), (box[0], box[2]))[:: 1 if which == 0 else -1]
    zones = _zones(axis, which, size)
    beside = [z for zone in zones for z in _beside_line(grey, zone, along, size, which == 1)]
    alike = _alike_rows(grey, axis, zones[1], size, which)
    tries = [[("ticks", z)] for z in (*beside, *alike)]
    tries.append([("ticks", zones[0]), ("grid", inner)])
    found: list[Axis] = []
    for several in tries:
        for source, (a, b) in several:
            profile = _profile(grey, a, b, source)
            fitted = None if profile is None else _fit(axis, profile, size, source)
            if fitted is not None and _near_labels(fitted, which, size):
                found.append(fitted)
        if any(len(f.values) >= MOST_MARKS * len(axis.values) for f in found):
            break
    if not found:
        return axis
    best = max(found, key=lambda f: (len(f.values) >= MOST_MARKS * len(axis.values), -f.residual))
    return _whole(best, axis)


def _zones(axis: Axis, which: int, size: float) -> list[tuple[float, float]]:
    """Return where the marks of an axis may be: from the labels' outermost edge, and usual one.

    The edge of a label whose mark was taken for a part of it lies too near to the axis.
    """
    if which == 0:
        edges = [lab.y0 for lab in axis.labels]
        return [(e - 2.2 * size, e - 1) for e in (min(edges), float(np.median(edges)))]
    edges = [lab.x1 for lab in axis.labels]
    return [(e + 2, e + 2.2 * size) for e in (max(edges), float(np.median(edges)))]


def _beside_line(
    grey: Any, zone: tuple[float, float], along: tuple[float, float], size: float, first: bool
) -> list[tuple[float, float]]:
    """Return the rows outside and inside the line of an axis, where its marks are.

    A table may stand between the axis and the curves: only what touches the line is a mark. The
    line is the one nearest to the labels, the `first` of the zone or its last.
    """
    top, bottom = max(round(zone[0]), 0), min(round(zone[1]), grey.shape[0])
    part = grey[top:bottom, max(round(along[0]), 0) : round(along[1])]
    if min(part.shape) < 3:
        return []
    dark = (part < np.median(part) - CONTRAST).mean(axis=1) > AXIS_LINE
    rows = np.flatnonzero(dark)
    if not len(rows):
        return []
    k = int(rows[0] if first else rows[-1])
    step = 1 if first else -1
    end = k
    while 0 <= end + step < len(dark) and dark[end + step]:
        end += step
    low, high = top + min(k, end), top + max(k, end) + 1
    # A label may have taken its mark for a part of it, and so end at the line.
    outside = (min(zone[0], low - SHORT), low) if first else (high, max(zone[1], high + SHORT))
    inside = (high, high + size) if first else (low - size, low)
    return [outside, inside]


def _alike_rows(
    grey: Any, axis: Axis, zone: tuple[float, float], size: float, which: int
) -> list[tuple[float, float]]:
    """Return the rows in which most labels have one short dark piece: marks without a line.

    The zone begins within the labels, whose boxes may have taken the marks for parts of text.
    """
    low, high = (zone[0] - size, zone[1]) if which == 1 else (zone[0], zone[1] + size)
    top, bottom = max(round(low), 0), min(round(high), grey.shape[0])
    reach = int(max(3, min(0.9 * size, 0.4 * axis.step)))
    share = np.zeros(max(bottom - top, 0))
    for value in axis.values:
        at = int(axis.position(value))
        part = grey[top:bottom, max(at - reach, 0) : at + reach + 1]
        if part.size == 0:
            return []
        dark = part < np.median(part, axis=1, keepdims=True) - CONTRAST
        starts = np.diff(np.pad(dark.astype(int), ((0, 0), (1, 0))), axis=1) == 1
        short = (dark.sum(axis=1) <= max(4, 0.35 * size)) & (starts.sum(axis=1) == 1)
        share += short / len(axis.values)
    good = np.flatnonzero(share >= MOST_MARKS)
    if not len(good):
        return []
    run = max(np.split(good, np.flatnonzero(np.diff(good) > 1) + 1), key=len)
    return [(top + run[0], top + run[-1] + 1)] if len(run) >= SHORT else []


def _near_labels(fitted: Axis, which: int, size: float) -> bool:
    """Whether the marks of a fit stand, taken together, at the middles of their labels."""
    middles = [lab.x if which == 0 else lab.y for lab in fitted.labels]
    off = np.abs(np.array(middles) - np.array(fitted.positions))
    return bool(np.median(off) <= max(INLIER, OFF_LABELS * size))


def _whole(fitted: Axis, axis: Axis) -> Axis:
    """Give back the labels whose mark was not found, at their places by the others.

    A frame beside the last mark hides it; without its label the axis would end a step too soon,
    and so would the curves.
    """
    left = [
        (value, float(fitted.position(value)), label)
        for value, label in zip(axis.values, axis.labels, strict=True)
        if value not in fitted.values
    ]
    if not left:
        return fitted
    values, places, labels = zip(*left, strict=True)
    return replace(
        fitted,
        values=fitted.values + values,
        positions=fitted.positions + places,
        labels=fitted.labels + labels,
    )


def _profile(grey: Any, a: float, b: float, source: str) -> Any:
    """Return the darkness of columns within rows a to b, less that of their neighbours.

    A mark fills part of the zone, a grid line all of it.
    """
    top, bottom = max(round(a), 0), min(round(b), grey.shape[0])
    if bottom - top < SHORT:
        return None
    zone = 255.0 - grey[top:bottom]
    if source == "grid":
        line = np.median(zone, axis=0)
        return np.maximum(line - ndimage.median_filter(line, size=15), 0)
    along = np.median(zone, axis=1, keepdims=True)
    rest = np.maximum(zone - along, 0)
    return np.sort(rest, axis=0)[-max(3, (bottom - top) // 6) :].mean(axis=0)


def _fit(axis: Axis, profile: Any, size: float, source: str) -> Axis | None:
    """Join labels with peaks of a profile and fit the line, leaving out what is off it."""
    reach = int(max(3, min(0.9 * size, 0.4 * axis.step)))
    values, places, labels = [], [], []
    for value, label in zip(axis.values, axis.labels, strict=True):
        at = float(axis.position(value))
        peak = _peak(profile, at, reach, 4.0 if source == "grid" else CONTRAST)
        if peak is not None:
            values.append(value)
            places.append(peak)
            labels.append(label)
    return _robust(values, places, labels, source, len(axis.values))


def _peak(profile: Any, at: float, reach: int, contrast: float) -> float | None:
    """Return the middle of the strongest peak near a place, below the pixel."""
    a, b = max(int(at) - reach, 1), min(int(at) + reach + 1, len(profile) - 1)
    if b - a < 3:
        return None
    part = profile[a:b]
    k = a + int(np.argmax(part))
    floor = float(np.median(part))
    if profile[k] - floor < contrast:
        return None
    lo = hi = k
    half = floor + 0.5 * (profile[k] - floor)
    while lo > 0 and profile[lo - 1] > half:
        lo -= 1
    while hi < len(profile) - 1 and profile[hi + 1] > half:
        hi += 1
    if hi - lo > 2 * reach:
        return None
    window = np.arange(max(lo - 1, 0), min(hi + 2, len(profile)))
    weight = np.maximum(profile[window] - floor, 0)
    return float((window * weight).sum() / weight.sum()) + 0.5


def _robust(
    values: list[float], places: list[float], labels: Any, source: str, total: int
) -> Axis | None:
    """Fit with the worst place left out until all agree."""
    while len(values) >= max(3, ENOUGH * total):
        axis = fit_axis(values, places, source, labels)
        off = np.abs(np.asarray(places) - axis.position(values))
        worst = int(np.argmax(off))
        if off[worst] <= INLIER:
            return axis
        values, places, labels = (
            [v for i, v in enumerate(seq) if i != worst] for seq in (values, places, labels)
        )
    return None
