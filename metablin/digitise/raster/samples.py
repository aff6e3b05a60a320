"""Legends of a picture: short samples of lines left of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metablin.digitise.axes import Panel, number
from metablin.digitise.names import STATISTIC, Key
from metablin.digitise.readers import Colour, Drawing, Label

__all__ = ["pixel_keys"]

BACK = 7.5  # how far left of its text a sample may begin, in heights of the text
LONG = 1.0  # a sample is at least this long
NEXT = 4.0  # from the end of an entry to the next one's sample, in heights of the text
INK = 40.0  # ink differs from the paper by at least this


def pixel_keys(panel: Panel, drawing: Drawing) -> list[Key]:
    """Return the legend's entries of a picture.

    Parameters
    ----------
    panel : Panel
        Whose legend is looked for.
    drawing : Drawing
        Raster drawing with its labels.
    """
    assert drawing.pixels is not None
    texts = [
        lab
        for lab in drawing.labels
        if lab.angle == 0
        and number(lab.text) is None
        and lab.confidence > 0.5
        and any(ch.isalnum() for ch in lab.text)
        and not STATISTIC.search(lab.text)
    ]
    found = {lab: key for lab in texts for key in [_key(lab, drawing)] if key is not None}
    chosen = [lab for lab in found if panel.owns(lab)]
    if not chosen:  # a legend above or below all panels may lie in another one's part
        top, bottom = panel.box[1], max((lab.y1 for lab in panel.x.labels), default=panel.box[3])
        chosen = [lab for lab in found if lab.y > bottom or lab.y1 < top]
    left = [lab for lab in found if lab not in chosen]
    while any(more := [lab for lab in left if any(_follows(lab, o, found) for o in chosen)]):
        chosen += more
        left = [lab for lab in left if lab not in more]
    return _together([key for lab, key in found.items() if lab in chosen])


def _follows(label: Label, own: Label, found: dict[Label, Key]) -> bool:
    """Whether two entries are next to each other in the row of a legend that panels share."""
    first, second = sorted((own, label), key=lambda lab: lab.x0)
    start = found[second].x - found[second].width / 2
    level = abs(first.y - second.y) < 0.5 * first.size
    return level and 0 < start - first.x1 < NEXT * first.size


def _key(label: Label, drawing: Drawing) -> Key | None:
    """Return the sample beside a label, when there is one with paper around it."""
    assert drawing.pixels is not None
    size = label.size
    x0, x1 = max(int(label.x0 - BACK * size), 0), int(label.x0 - 0.15 * size)
    y0, y1 = max(int(label.y - 0.55 * size), 0), int(label.y + 0.55 * size) + 1
    if x1 - x0 < 2 * size or y1 - y0 < 4:
        return None
    cut = False  # a word before the sample may have taken its first pixels for a part of it
    for other in drawing.labels:
        words = sum(ch.isalnum() and ch.isascii() for ch in other.text) > 1
        beside = other.y0 < label.y < other.y1 and x0 < other.x1 < label.x0 + size
        if other is not label and words and beside:
            x0, cut = max(x0, int(other.x1) + 2), True
    part = drawing.pixels[y0:y1, x0:x1].astype(float)
    if part.shape[1] < size:
        return None
    # Column by column: a sample may lie on a filled square, and a frame or panel beside it.
    paper = np.median(np.concatenate([part[:2], part[-2:]]), axis=0)
    ink = np.linalg.norm(part - paper, axis=2) > INK
    ink[:, ink.mean(axis=0) > 0.8] = False  # the frame of a legend; a mark on a sample is a gap
    run = _run(ink, size, cut)
    if run is None:
        return None
    row, a, b = run
    colour = _colour(part[max(row - 1, 0) : row + 2, a:b], paper[a:b])
    dash = _dash(ink[row, a:b])
    return Key(
        label.text, colour, dash, float(x0 + (a + b) / 2), float(y0 + row + 0.5), float(b - a)
    )


def _run(ink: Any, size: float, cut: bool = False) -> tuple[int, int, int] | None:
    """Return row, start and end of the longest level run of ink near the middle (gaps allowed)."""
    height, width = ink.shape
    best, longest = None, LONG * size
    for row in range(height // 4, height - height // 4):
        on = np.flatnonzero(ink[row])
        if not len(on):
            continue
        cuts = np.flatnonzero(np.diff(on) > 0.55 * size)
        for group in np.split(on, cuts + 1):
            long = group[-1] - group[0] + 1
            filled = len(group) / long
            near_text = width - group[-1] < 3.2 * size
            free = cut or group[0] > 0.15 * size
            if long * filled**0.5 > longest and near_text and free and filled > 0.2:
                best, longest = (row, int(group[0]), int(group[-1]) + 1), long * filled**0.5
    return best


def _colour(part: Any, paper: Any) -> Colour:
    apart = np.linalg.norm(part - paper, axis=2)
    strong = apart >= 0.85 * apart.max()
    red, green, blue = (round(float(v)) for v in np.median(part[strong], axis=0))
    return red, green, blue


def _dash(on: Any) -> tuple[float, ...]:
    edges = np.flatnonzero(np.diff(np.r_[False, on, False].astype(int)))
    lengths, gaps = edges[1::2] - edges[::2], edges[2::2] - edges[1:-1:2]
    if not len(gaps) or on.mean() > 0.93:
        return ()
    return float(np.median(lengths)), float(np.median(gaps))


def _together(keys: Sequence[Key]) -> list[Key]:
    """Keep entries that stand in a column or a row with the others; one alone must be long."""
    if len(keys) < 2:
        return list(keys)
    out = []
    for k in keys:
        mates = [
            o
            for o in keys
            if o is not k
            and (abs(o.x - k.x) < 0.35 * max(o.width, k.width) or abs(o.y - k.y) < 0.25 * k.width)
        ]
        if mates:
            out.append(k)
    return out
