"""Labels that an engine ran together are cut at their gaps, and words are told apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.readers.drawing import Label

__all__ = ["cut_labels"]

SPLIT = 0.95  # gap, in heights of the ink, from which two pieces are two labels
CELL = 0.6  # and from which a number after a word is a cell of a table
SPACE = 0.33  # gap from which there is a space within a label
CELL_LAST = re.compile(r".*[A-Za-z].*?\d+")  # a name that ends in a number
INK = 60.0  # ink differs from the paper by at least this, in 0..441
PAD = 3  # pixels of paper around a piece
CELLS = re.compile(r".*?(\d\s*\(\d+\D{0,2}\).*?){2,}")  # cells with brackets, run together
LONGEST = 45  # characters; longer text is prose, whose words do not matter

Reader = Callable[[list[NDArray[np.uint8]]], list[tuple[str, float]]]


def cut_labels(pixels: NDArray[np.uint8], labels: list[Label], read: Reader) -> list[Label]:
    """Cut labels at wide gaps, and read names word by word so that spaces are kept.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, 3)
        The picture.
    labels : list of Label
        As recognised.
    read : callable
        Returns text and confidence of small pictures.
    """
    out: list[Label] = []
    todo: list[tuple[Label, list[tuple[int, int]]]] = []
    for label in labels:
        cells = CELLS.fullmatch(label.text) is not None
        known = label.angle == 0 and (cells or len(label.text) <= LONGEST)
        runs = _runs(pixels, label, 0.8 * SPLIT if cells else SPACE) if known else []
        cell = len(runs) > 1 and (cells or CELL_LAST.fullmatch(label.text) is not None)
        if len(runs) < 2 or (label.text.count(" ") >= len(runs) - 1 and not cell):
            out.append(label)
        else:
            todo.append((label, runs))
    crops = [_crop(pixels, label, run) for label, runs in todo for run in runs]
    texts = iter(read(crops))
    for label, runs in todo:
        words = [(run, *next(texts)) for run in runs]
        out.extend(_joined(label, words))
    return out


def _runs(pixels: NDArray[np.uint8], label: Label, space: float = SPACE) -> list[tuple[int, int]]:
    """Return the words of a label: from and to, across, in pixels of the picture."""
    x0, y0, x1, y1 = (round(v) for v in (label.x0, label.y0, label.x1, label.y1))
    part = pixels[max(y0, 0) : y1, max(x0, 0) : x1].astype(float)
    if part.shape[0] < 5 or part.shape[1] < 8:
        return []
    paper = np.median(part.reshape(-1, 3), axis=0)
    apart = np.linalg.norm(part - paper, axis=2)
    ink = (apart > max(INK, 0.35 * float(apart.max()))).any(axis=0)
    on = np.flatnonzero(ink)
    if not len(on):
        return []
    cuts = np.flatnonzero(np.diff(on) - 1 > space * part.shape[0])
    groups = np.split(on, cuts + 1)
    return [(max(x0, 0) + int(g[0]), max(x0, 0) + int(g[-1]) + 1) for g in groups]


def _crop(pixels: NDArray[np.uint8], label: Label, run: tuple[int, int]) -> NDArray[np.uint8]:
    y0, y1 = max(int(label.y0) - PAD, 0), int(label.y1) + PAD + 1
    return pixels[y0:y1, max(run[0] - PAD, 0) : run[1] + PAD]


def _joined(label: Label, words: list[tuple[tuple[int, int], str, float]]) -> list[Label]:
    """Join words to labels again, but for those with a wide gap between."""
    height = label.y1 - label.y0
    groups: list[list[Any]] = []
    for word in words:
        gap = word[0][0] - groups[-1][-1][0][1] if groups else 0
        cell = bool(groups) and word[1].isdigit() and any(ch.isalpha() for ch in groups[-1][-1][1])
        cell = cell or (bool(groups) and groups[-1][-1][1].endswith(")"))
        far = bool(groups) and gap > (CELL if cell else SPLIT) * height
        if not groups or far:
            groups.append([])
        groups[-1].append(word)
    whole = "".join(w[1] for w in words)
    kept = "".join(ch for ch in label.text if ch.isalnum())
    same = "".join(ch for ch in whole if ch.isalnum()) == kept
    out = []
    for group in groups:
        text = _spelled(group, height)
        sure = min((w[2] for w in group if w[1]), default=0.0)
        sure = max(sure, label.confidence) if same else sure
        out.append(
            replace(
                label,
                text=text,
                x0=float(group[0][0][0]),
                x1=float(group[-1][0][1]),
                confidence=sure,
            )
        )
    if (
        len(out) == 1
        and not same
        and label.confidence >= out[0].confidence
        and label.text.isascii()
    ):
        return [label]
    return [lab for lab in out if lab.text]


def _spelled(words: list[Any], height: float) -> str:
    """Return the words of a label; digits a little apart are one number (a 1 has much room)."""
    out = ""
    end = 0
    for (start, stop), text, _ in words:
        digits = out[-1:].isdigit() and text[:1].isdigit() and start - end < CELL * height
        out += text if digits or not out or not text else f" {text}"
        end = stop
    return out
