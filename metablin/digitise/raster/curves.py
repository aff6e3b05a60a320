"""Curves of a picture: panels by their recognised numbers, arms by ink and by line style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from metablin.digitise.axes import Panel, find_panels
from metablin.digitise.byhand import Hand, apply_axes
from metablin.digitise.names import Key
from metablin.digitise.raster.again import with_lone_labels
from metablin.digitise.raster.inks import (
    Field,
    coverages,
    ink_field,
    is_thin,
    nearest_inks,
    palette,
    unblended,
)
from metablin.digitise.raster.marks import calibrate_pixels, straighten
from metablin.digitise.raster.samples import pixel_keys
from metablin.digitise.raster.trace import Trace, follow, lattice, refine, upright
from metablin.digitise.readers import (
    Colour,
    Drawing,
    Label,
    colour_distance,
    recognise,
)
from metablin.digitise.steps import RawCurve
from metablin.digitise.table import RiskRow

__all__ = ["picture_panels", "raster_curves"]

PAPER = 0.35  # what a pixel of bare paper costs a curve
PAPER_DASHED = 0.12  # and where dashes and dots leave gaps
MIN_SPAN = 0.08  # a curve spans at least this part of the time axis
MIN_SEEN = 0.22  # and at least this part of it is seen
NEW = 0.25  # a further curve of one ink has at least this part of its own
HALF = 0.5  # part of a curve that is not on bare paper for longer than a gap between dashes
WIDEST = 0.04  # such a gap is at most this part of a curve
MIN_PIXELS = 25  # cores of an ink that is worth a look
HUES = 0.2  # radians between two inks of one hue, seen from white paper
HUES_TOLD = 0.1  # and from which on two samples of a legend are of two hues
PARTS = 4  # steps in adjoining columns, at most, that may be one fall
MANY_LEVELS = 5  # level parts that tell whether a curve was moved to pixels
SEEN = 0.6  # ink of a pixel whose shade counts
FEW_SHADES = 20  # columns that tell the shade of a curve
MOST = 8  # curves of one panel


def picture_panels(drawing: Drawing, hand: Hand) -> tuple[Drawing, list[Panel]]:
    """Read the text of a picture, set it straight, and find its panels.

    Parameters
    ----------
    drawing : Drawing
        Raster drawing without labels.
    hand : Hand
        What a person gave.
    """
    assert drawing.pixels is not None
    pixels, angle = straighten(drawing.pixels)
    labels = recognise(pixels)
    notes = () if angle == 0 else (f"the picture was turned by {angle:.2f} degrees",)
    drawing = replace(drawing, pixels=pixels, labels=tuple(labels), notes=notes)
    panels = find_panels(drawing)
    if not panels:
        drawing = with_lone_labels(drawing)
        panels = find_panels(drawing)
    if not panels:
        upright = [lab for lab in recognise(pixels, upright=True) if lab.angle == 90]
        drawing = replace(drawing, labels=(*drawing.labels, *upright))
        panels = find_panels(drawing)
    panels = [calibrate_pixels(p, pixels) for p in panels]
    return drawing, apply_axes(panels, drawing, hand)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """The inside of a panel with its inks."""

    field: Field
    start: tuple[int, int]
    slack: int
    wide: float
    text: Any


def raster_curves(
    panel: Panel, drawing: Drawing, rows: Sequence[RiskRow], hand: Hand
) -> tuple[list[RawCurve], list[Key]]:
    """Return the curves of a panel and the entries of its legend.

    Parameters
    ----------
    panel : Panel
        Calibrated axes.
    drawing : Drawing
        Raster drawing with its labels.
    rows : sequence of RiskRow
        Rows of the table: they tell how many arms there are.
    hand : Hand
        What a person gave.
    """
    assert drawing.pixels is not None
    keys = pixel_keys(panel, drawing)
    piece = _piece(panel, drawing, keys)
    expected = hand.expected(len(rows) or len(keys) or None)
    inks, keys = _inks(piece, keys, expected)
    found = _gather(piece, inks, expected)
    marks = _snapped(panel)
    fine = [refine(own, neutral, trace) for _, own, neutral, trace in found]
    shift = _moved(fine, marks)
    inks_used = [ink for ink, *_ in found]
    shades = [
        ink if inks_used.count(ink) == 1 else _shade(piece, ink, own, trace)
        for ink, own, _, trace in found
    ]
    curves = [
        _curve(piece, shift, line, shade, *rest)
        for line, shade, (_, *rest) in zip(fine, shades, found, strict=True)
    ]
    return [c for c in curves if c is not None], keys


def _piece(panel: Panel, drawing: Drawing, keys: Sequence[Key]) -> _Piece:
    """Cut the inside of the panel out of the picture."""
    assert drawing.pixels is not None
    height, width = drawing.pixels.shape[:2]
    x0, y1 = float(panel.x.position(0.0)), float(panel.y.position(1.0))
    bottom = _bottom(panel)
    wide = max(panel.x.positions) - x0
    pad = max(4, round(0.012 * wide))
    box = (
        max(round(x0) - pad, 0), max(round(y1) - pad, 0),
        min(round(x0 + 1.06 * wide), round(panel.bounds[2]), width),
        min(round(bottom) + pad, height),
    )  # fmt: skip
    reach = max(6, round(0.011 * wide))
    field = ink_field(drawing.pixels, box, reach)
    text = _text_mask(field, drawing.labels, keys)
    return _Piece(field, (round(x0) - box[0], round(y1) - box[1]), pad - 1, wide, text)


def _bottom(panel: Panel) -> float:
    """Return the row of survival 0, or of the lower end of an axis that starts above 0."""
    lowest = max(panel.y.positions)
    if not panel.x.labels:
        return max(lowest, float(panel.y.position(0.0)))
    edge = min(lab.y0 - 0.5 * lab.size for lab in panel.x.labels)
    return max(lowest, min(float(panel.y.position(0.0)), edge))


def _text_mask(field: Field, labels: Sequence[Label], keys: Sequence[Key]) -> Any:
    """Return where text and the samples of the legend stand: ink there is no curve's."""
    height, width = field.strength.shape
    mask = np.zeros((height, width), dtype=bool)
    boxes = [(lab.x0 - 2, lab.y0 - 2, lab.x1 + 2, lab.y1 + 2) for lab in labels if _is_text(lab)]
    boxes += [(k.x - k.width / 2 - 2, k.y - 5, k.x + k.width / 2 + 2, k.y + 5) for k in keys]
    for x0, y0, x1, y1 in boxes:
        a, b = int(np.clip(x0 - field.left, 0, width)), int(np.clip(x1 - field.left, 0, width))
        c, d = int(np.clip(y0 - field.top, 0, height)), int(np.clip(y1 - field.top, 0, height))
        mask[c:d, a:b] = True
    return mask


def _is_text(label: Label) -> bool:
    """Whether a label is text beyond doubt; dashes and marks are sometimes taken for letters."""
    letters = sum(ch.isalpha() and ch.isascii() for ch in label.text)
    return label.confidence > 0.7 and letters >= 3 and label.angle == 0


def _inks(
    piece: _Piece, keys: Sequence[Key], expected: int | None
) -> tuple[list[Colour], list[Key]]:
    """Return the colours worth following, and the legend's entries in the colours of the curves."""
    hushed = replace_strength(piece.field, piece.text)
    thin = is_thin(hushed)
    seen = [pair for pair in palette(hushed, thin) if pair[1] >= MIN_PIXELS]
    found = unblended(hushed, seen, thin)
    as_found = [_in_curves(k, found, thin) for k in keys]
    several = len({k.colour for k in keys}) == len(keys) and _hues_differ(keys)
    if thin and several and len(set(as_found)) < len(keys):  # two samples became one ink
        as_found = nearest_inks(hushed, [k.colour for k in keys])
    listed = list(dict.fromkeys(as_found))
    # Samples whose inks are followed as one keep their own shade, to be told apart by it.
    keys = [
        k if as_found.count(c) > 1 else replace(k, colour=c)
        for k, c in zip(keys, as_found, strict=True)
    ]
    if listed and len(keys) >= (expected or len(keys)):
        return listed, keys
    return found + [c for c in listed if c not in found], keys


def _in_curves(key: Key, found: Sequence[Colour], thin: bool) -> Colour:
    """Return the ink of a legend's sample as it is found in the curves.

    Thin lines are blends of ink and paper: there the hue decides, else the colour itself.
    """
    if thin:
        alike = [c for c in found if _hue_apart(c, key.colour) < HUES]
        return min(alike, key=lambda c: _hue_apart(c, key.colour), default=key.colour)
    near = [c for c in found if colour_distance(c, key.colour) < 48]
    return min(near, key=lambda c: colour_distance(c, key.colour), default=key.colour)


def _hues_differ(keys: Sequence[Key]) -> bool:
    """Whether every two samples of a legend differ in their hue."""
    return all(
        _hue_apart(a.colour, b.colour) > HUES_TOLD for i, a in enumerate(keys) for b in keys[:i]
    )


def _hue_apart(a: Colour, b: Colour) -> float:
    """Return the angle between two inks, seen from white paper."""
    u, v = 255.0 - np.array(a), 255.0 - np.array(b)
    cosine = float(u @ v) / max(float(np.linalg.norm(u) * np.linalg.norm(v)), 1e-9)
    return float(np.arccos(np.clip(cosine, -1, 1)))


def replace_strength(field: Field, mask: Any) -> Field:
    """Return the field with no ink under a mask."""
    return Field(
        field.pixels, field.paper, np.where(mask, 0, field.strength), field.left, field.top
    )


def _gather(
    piece: _Piece, inks: list[Colour], expected: int | None
) -> list[tuple[Colour, Any, Any, Trace]]:
    """Follow curve after curve, the one with the most ink first."""
    fields = {
        ink: (np.where(piece.text, 0.0, own), hidden | piece.text)
        for ink, (own, hidden) in coverages(piece.field, inks).items()
    }
    used = {ink: np.zeros(piece.text.shape, dtype=bool) for ink in inks}
    out: list[tuple[Colour, Any, Any, Trace]] = []
    limit = MOST if expected is None else expected
    once = expected is not None and len(inks) == expected  # an ink for each arm
    ahead = {ink: _next(piece, fields[ink], used[ink], False) for ink in inks} if limit else {}
    while len(out) < limit:
        best = None
        for ink, found in ahead.items():
            if found is not None and (best is None or found[0] > best[0]):
                best = (*found, ink)
        if best is None:
            break
        _, own, neutral, trace, ink = best
        out.append((ink, own, neutral, trace))
        used[ink] |= _around(own, trace)
        taken = bool(used[ink].any())
        more = len(out) < limit and not (once and taken)
        ahead[ink] = _next(piece, fields[ink], used[ink], taken) if more else None
    return out


def _next(
    piece: _Piece, field: tuple[Any, Any], used: Any, again: bool
) -> tuple[float, Any, Any, Trace] | None:
    """Return the best further curve of one ink: its ink, and how it was followed."""
    own, neutral = field
    own, neutral = np.where(used, 0.0, own), neutral | used
    best = None
    for paper in (PAPER, PAPER_DASHED):
        trace = follow(own, neutral, piece.start, paper, piece.slack)
        if trace is None or not _is_curve(piece, own, neutral, trace, again):
            continue
        ink = _length_on_ink(own, trace) * trace.seen**2
        if best is None or ink > 1.25 * best[0]:
            best = (ink, own, neutral, trace)
    return best


def _length_on_ink(own: Any, trace: Trace) -> float:
    """Return the length of the path on its own ink, across and down."""
    columns = trace.first + np.arange(len(trace.leave))
    on = own[trace.leave, columns] > 0.25
    return float(on.sum() + (trace.leave - trace.enter)[on].sum())


def _is_curve(piece: _Piece, own: Any, neutral: Any, trace: Trace, again: bool) -> bool:
    """Whether a path is a curve: long enough, seen enough, and no border line."""
    if len(trace.leave) < MIN_SPAN * piece.wide or trace.seen < MIN_SEEN:
        return False
    columns = trace.first + np.arange(len(trace.leave))
    seen = own[trace.leave, columns] > 0.25
    if again and seen.mean() < NEW:
        return False
    if _covered(seen | neutral[trace.leave, columns], 1.0) < HALF:
        return False
    flat = int(trace.leave[-1]) - int(trace.enter[0]) < 3
    return not (flat and len(trace.leave) > 0.97 * piece.wide)


def _around(own: Any, trace: Trace) -> Any:
    """Return the pixels of a followed line, so that the next curve does not take them again."""
    mask = np.zeros(own.shape, dtype=bool)
    for k, (a, b) in enumerate(zip(trace.enter, trace.leave, strict=True)):
        mask[a : b + 1, trace.first + k] = True
    reach = max(2, round(_thickness(own, trace) + 2))
    return ndimage.binary_dilation(mask, structure=np.ones((3, 3), dtype=bool), iterations=reach)


def _thickness(own: Any, trace: Trace) -> float:
    """Return the usual height of the line in its flat parts."""
    out = []
    for k in range(0, len(trace.leave), 3):
        column, row = own[:, trace.first + k], int(trace.leave[k])
        if trace.enter[k] != row or column[row] < 0.4:
            continue
        a = b = row
        while a > 0 and column[a - 1] > 0.4:
            a -= 1
        while b < len(column) - 1 and column[b + 1] > 0.4:
            b += 1
        out.append(b - a + 1)
    return float(np.percentile(out, 30)) if out else 1.0


def _curve(
    piece: _Piece, shift: Any, line: Any, ink: Colour, own: Any, neutral: Any, trace: Trace
) -> RawCurve | None:
    """Return the curve in pixels of the picture."""
    x, y, width, spikes, _ = line
    place = np.array([piece.field.left, piece.field.top]) + shift
    start = (float(piece.start[0]), float(piece.start[1]))
    corners = (
        _corners(x, y, start, lambda at, top, bottom: upright(own, at, top, bottom, width)) + place
    )
    columns = trace.first + np.arange(len(trace.leave))
    seen = own[trace.leave, columns] > 0.25
    known = seen | neutral[trace.leave, columns]
    return RawCurve(corners, ink, _pattern(seen), width, spikes + place[0], _covered(known, width))


def _shade(piece: _Piece, ink: Colour, own: Any, trace: Trace) -> Colour:
    """Return the colour of one of several curves of one ink: greys near each other tell them apart.

    Taken at the strongest pixel of each column whose level part is seen from paper to paper.
    """
    columns = trace.first + np.arange(len(trace.leave))
    level = (trace.enter == trace.leave) & (own[trace.leave, columns] > SEEN)
    shades = []
    for x, row in zip(columns[level], trace.leave[level], strict=True):
        part = piece.field.pixels[max(row - 2, 0) : row + 3, x]
        strength = piece.field.strength[max(row - 2, 0) : row + 3, x]
        shades.append(part[int(np.argmax(strength))])
    if len(shades) < FEW_SHADES:
        return ink
    red, green, blue = (round(float(v)) for v in np.median(shades, axis=0))
    return red, green, blue


def _moved(fine: Sequence[Any], marks: tuple[float, float]) -> Any:
    """Return how far to move curves that were drawn on a lattice of pixels, against the marks.

    Curves of one panel are drawn by one program, most often in one width: all tell together.
    """
    levels = np.concatenate([line[4] for line in fine]) if fine else np.empty(0)
    snapped = lattice(levels, MANY_LEVELS)
    return np.zeros(2) if snapped is None else np.array(marks) - snapped


def _snapped(panel: Panel) -> tuple[float, float]:
    """Return by how much the marks of both axes were moved, where they were moved to pixels.

    A line of an odd number of pixels is drawn half a pixel after its place, on average: the place
    is rounded to a corner of pixels, and the line drawn along the pixels that follow.
    """
    x, y = (
        (lattice(a.positions, 3) or 0.0) if a.source == "ticks" else 0.0 for a in (panel.x, panel.y)
    )
    return x, y


def _covered(known: Any, width: float) -> float:
    """Return the part of a curve that was seen; gaps of its own dashes do not count against it."""
    edges = np.flatnonzero(np.diff(np.r_[True, known, True].astype(int)))
    gaps = edges[1::2] - edges[::2]
    if not len(gaps):
        return 1.0
    usual = 2.2 * float(np.median(gaps)) if len(gaps) > 4 else 0.0
    # No dash is so far from the next: what lies between is paper, or the ticks of a frame.
    usual = max(4.0, 4 * width, min(usual, WIDEST * len(known)))
    return float(1 - gaps[gaps > usual].sum() / len(known))


def _pattern(seen: Any) -> tuple[float, ...]:
    """Return usual lengths of dash and gap along a line; empty for solid."""
    edges = np.flatnonzero(np.diff(np.r_[False, seen, False].astype(int)))
    on, off = edges[1::2] - edges[::2], edges[2::2] - edges[1:-1:2]
    if len(off) < 4 or seen.mean() > 0.93:
        return ()
    return float(np.median(on)), float(np.median(off))


def _corners(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    start: tuple[float, float],
    upright_at: Callable[[float, float, float], float | None],
) -> NDArray[np.float64]:
    """Return both ends of every fall; a fall lies between two columns, or where it is drawn."""
    falls = np.flatnonzero(np.diff(y) > 0.02)
    at = (x[falls] + x[falls + 1]) / 2
    at, before, after = _single(at, y[falls], y[falls + 1])
    for k, fall in enumerate(zip(at, before, after, strict=True)):
        place = upright_at(*fall)
        at[k] = place if place is not None and abs(place - at[k]) < PARTS else at[k]
    xs = np.r_[start[0], x[0], np.repeat(at, 2), x[-1]]
    ys = np.r_[start[1], y[0], np.c_[before, after].ravel(), y[-1]]
    out: NDArray[np.float64] = np.c_[np.maximum.accumulate(xs), np.maximum.accumulate(ys)]
    return out


def _single(at: Any, before: Any, after: Any) -> tuple[Any, Any, Any]:
    """Join falls in adjoining columns that are the parts of one, at their middle.

    An upright line that ends within a pixel is seen as two or three small steps. Longer runs are
    slopes of many events, and stay as they are.
    """
    if len(at) < 2:
        return at, before, after
    cuts = np.flatnonzero(np.diff(at) > 1.5) + 1
    places, tops, bottoms = [], [], []
    for run in np.split(np.arange(len(at)), cuts):
        parts = [run] if len(run) <= PARTS else [np.array([k]) for k in run]
        for part in parts:
            depth = after[part] - before[part]
            places.append(float((at[part] * depth).sum() / depth.sum()))
            tops.append(before[part[0]])
            bottoms.append(after[part[-1]])
    return np.array(places), np.array(tops), np.array(bottoms)
