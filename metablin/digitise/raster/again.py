"""A second look where a number is expected and none was recognised: cells, lone axis labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.axes import Panel, number, number_rows
from metablin.digitise.readers import Drawing, Label, recognise_crops
from metablin.digitise.table import RiskRow, missing_cells, with_cells

__all__ = ["complete_table", "with_lone_labels"]

INK_MARGIN = 2  # pixels of paper around a number that is looked at again
FLUSH = 0.5  # labels of one column end within this of each other, in heights of the text
INK = 60.0  # ink differs from the paper by at least this, in 0..441
FAR = 0.7  # paper between two labels of one row, in heights of the text
MOST_CROPS = 80  # pieces that are looked at again
SURE = 0.4  # confidence from which the label that was expected is taken


def complete_table(panel: Panel, drawing: Drawing, rows: list[RiskRow]) -> list[RiskRow]:
    """Look again where a cell of the table is expected and none was recognised."""
    pixels, scale = drawing.extra.get("spelled", (drawing.pixels, 1.0))
    places, crops = [], []
    for k, time in missing_cells(panel, rows):
        row = rows[k]
        size = float(np.median([c.size for c in row.cells]))
        x, y = float(panel.x.position(time)), row.y
        half = min(0.45 * panel.x.step * max(1.0, _spread(row)), 2.2 * size)
        crop = pixels[
            max(int((y - 0.9 * size) * scale), 0) : int((y + 0.9 * size) * scale) + 1,
            max(int((x - half) * scale), 0) : int((x + half) * scale) + 1,
        ]
        if crop.size and np.ptp(crop.mean(axis=2)) > 60:
            places.append((k, time))
            crops.append(_to_ink(crop))
    found = recognise_crops(crops)
    return with_cells(rows, [(*p, *f) for p, f in zip(places, found, strict=True)])


def _to_ink(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a piece down to its ink: a lone 0 in wide paper is taken for a full stop."""
    grey = crop.mean(axis=2)
    ink = np.abs(grey - np.median(grey)) > 0.4 * np.ptp(grey)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return crop
    return crop[
        max(rows[0] - INK_MARGIN, 0) : rows[-1] + INK_MARGIN + 1,
        max(columns[0] - INK_MARGIN, 0) : columns[-1] + INK_MARGIN + 1,
    ]


def _spread(row: RiskRow) -> float:
    """Return the usual distance of a row's cells, in ticks."""
    gaps = np.diff(row.times)
    return float(np.median(gaps) / np.min(gaps)) if len(gaps) else 1.0


def with_lone_labels(drawing: Drawing) -> Drawing:
    """Look for labels of an axis that an engine passes over, as it does with a lone 0.

    Where the other labels of a row of numbers say that there should be one, before their first,
    between them, or below the second of two, the number is looked for and taken when it is there.

    Parameters
    ----------
    drawing : Drawing
        Raster drawing with its labels, which made no pair of axes.
    """
    assert drawing.pixels is not None
    pixels = drawing.pixels
    drawing = _with_row_mates(drawing, pixels)
    wanted = [*_thirds(drawing.labels), *_gaps(drawing.labels)]
    crops = [_around(pixels, lab) for lab, _ in wanted]
    seen = [k for k, c in enumerate(crops) if c.size and np.ptp(c.mean(axis=2)) > 60]
    found = recognise_crops([_to_ink(crops[k]) for k in seen])
    more = []
    for k, (text, sure) in zip(seen, found, strict=True):
        lab, value = wanted[k]
        if sure >= SURE and number(text) == value:
            more.append(replace(lab, text=text, confidence=sure))
    return replace(drawing, labels=drawing.labels + tuple(more))


def _with_row_mates(drawing: Drawing, pixels: NDArray[np.uint8]) -> Drawing:
    """Read what stands alone in one row with a number: its neighbours on a time axis."""
    heads: list[Label] = []
    for lab in sorted(drawing.labels, key=lambda v: -v.confidence):
        whole = lab.angle == 0 and number(lab.text) is not None and lab.confidence > SURE
        if whole and not any(abs(lab.y - h.y) < 0.5 * h.size for h in heads):
            heads.append(lab)
    wanted = [place for h in heads for place in _alone(h, drawing.labels, pixels)][:MOST_CROPS]
    crops = [
        pixels[int(v.y0) - 1 : int(v.y1) + 1, max(int(v.x0) - 1, 0) : int(v.x1) + 1] for v in wanted
    ]
    found = recognise_crops([_to_ink(c) for c in crops])
    more = [
        replace(place, text=text, confidence=sure)
        for place, (text, sure) in zip(wanted, found, strict=True)
        if sure >= SURE and number(text) is not None
    ]
    return replace(drawing, labels=drawing.labels + tuple(more))


def _alone(head: Label, labels: tuple[Label, ...], pixels: NDArray[np.uint8]) -> list[Label]:
    """Return the places of ink in the row of a number that no label has, with paper around."""
    top, bottom = int(head.y0 - 0.2 * head.size), int(np.ceil(head.y1 + 0.2 * head.size))
    if top < 0 or bottom > len(pixels):
        return []
    band = pixels[top:bottom].astype(float)
    ink = np.linalg.norm(band - np.median(band.reshape(-1, 3), axis=0), axis=2) > INK
    on = np.flatnonzero(ink.any(axis=0))
    if not len(on):
        return []
    out = []
    for run in np.split(on, np.flatnonzero(np.diff(on) > FAR * head.size) + 1):
        x0, x1 = int(run[0]), int(run[-1]) + 1
        rows = np.flatnonzero(ink[:, x0:x1].any(axis=1))
        tall = rows[-1] + 1 - rows[0]
        free = rows[0] > 0 and rows[-1] < len(ink) - 1
        like = 0.6 * head.size < tall < 1.3 * head.size and x1 - x0 < 4 * head.size
        known = any(v.x0 < x1 and x0 < v.x1 and v.y0 < head.y < v.y1 for v in labels)
        if free and like and not known:
            y0, y1 = float(top + rows[0]), float(top + rows[-1] + 1)
            out.append(replace(head, x0=float(x0), x1=float(x1), y0=y0, y1=y1))
    return out


def _thirds(labels: tuple[Label, ...]) -> list[tuple[Label, float]]:
    """Return where the lowest of three labels of a survival axis should be, and its value."""
    known = [(lab, number(lab.text)) for lab in labels if lab.angle == 0]
    out = []
    for (a, v), (b, w) in permutations([(lab, n) for lab, n in known if n is not None], 2):
        flush = abs(a.x1 - b.x1) < FLUSH * a.size
        third = 2 * w - v
        if flush and b.y - a.y > 3 * a.size and v > w > 0 and third >= -1e-9 and v <= 100:
            y, half = 2 * b.y - a.y, a.size / 2
            place = replace(b, y0=y - half, y1=y + half, x0=b.x1 - 3 * a.size)
            out.append((place, abs(third)))
    return out


def _gaps(labels: tuple[Label, ...]) -> list[tuple[Label, float]]:
    """Return where labels of a time axis should be, before its first and between, and values."""
    out = []
    for axis in number_rows([lab for lab in labels if lab.angle == 0], "x"):
        step = float(np.min(np.diff(np.unique(axis.values))))
        size = float(np.median([lab.size for lab in axis.labels]))
        half = 0.45 * abs(step / axis.slope)
        for value in np.arange(max(axis.values) % step, max(axis.values), step):
            if np.min(np.abs(np.array(axis.values) - value)) > 1e-6 * step:
                x, like = float(axis.position(value)), axis.labels[0]
                reach = min(half, 1.5 * size)
                place = replace(like, x0=x - reach, x1=x + reach)
                out.append((place, round(float(value), 9)))
    return out


def _around(pixels: NDArray[np.uint8], lab: Label) -> Any:
    pad = 0.4 * lab.size
    x0, x1 = max(int(lab.x0), 0), int(lab.x1 + pad)
    return pixels[max(int(lab.y0 - pad), 0) : int(lab.y1 + pad), x0:x1]
