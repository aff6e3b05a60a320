"""Text in pixels, by an engine that ships its model in its wheel."""

from __future__ import annotations

import functools
import hashlib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin._extra import needs
from metablin.digitise.readers.drawing import Colour, Label
from metablin.digitise.readers.segments import cut_labels

__all__ = ["ink_colour", "recognise", "recognise_crops"]

SMALL = 1000  # pictures whose shorter side is less are enlarged before text is looked for
LARGE = 2000  # and larger ones are reduced to this on their longer side
WIDE = str.maketrans("（）［］，．：；％＋－", "()[],.:;%+-")
ROMAN = re.compile(r"\b[IVX]*l[IlVX]*\b")
KEPT = 16  # pictures whose text is kept
DARK = 60.0  # ink differs from the paper by at least this, in 0..441


_READ: dict[bytes, tuple[Label, ...]] = {}


@functools.lru_cache(maxsize=1)
def _engine() -> Any:
    by_hand = ", or give --x-axis, --y-axis, --arms and --at-risk by hand"
    reader = needs("rapidocr_onnxruntime", "figures", by_hand)
    return reader.RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)


def recognise(pixels: NDArray[np.uint8], upright: bool = False) -> list[Label]:
    """Return the text of a picture.

    The last pictures are kept: a figure is read again with axes or arms given by hand, and its
    text takes most of the time.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, 3)
        The picture.
    upright : bool
        Look for text that runs upwards: the picture is turned, and the places turned back.

    Returns
    -------
    list of Label
        In pixels of the picture given.
    """
    engine = _engine()
    key = hashlib.sha256(repr((pixels.shape, upright)).encode() + pixels.tobytes()).digest()
    if key not in _READ:
        picture = np.rot90(pixels, k=-1) if upright else pixels
        labels = cut_labels(picture, _lines(engine, picture), recognise_crops)
        if upright:
            labels = [_turned(lab, pixels.shape[0]) for lab in labels]
        if len(_READ) == KEPT:
            del _READ[next(iter(_READ))]
        _READ[key] = tuple(labels)
    return list(_READ[key])


def _lines(engine: Any, picture: NDArray[np.uint8]) -> list[Label]:
    """Return the lines of text that the engine finds in a picture."""
    scaled, scale = _scaled(picture)
    out = []
    # Without the guess of what stands on its head: it takes a 6 for a 9.
    found = engine(np.ascontiguousarray(scaled[:, :, ::-1]), use_cls=False)[0] or []
    for corners, text, sure in found:
        box = np.asarray(corners, dtype=float) / scale
        (x0, y0), (x1, y1) = box.min(axis=0), box.max(axis=0)
        tall = y1 - y0 > 1.5 * (x1 - x0) and len(text) > 1
        label = _tight(
            picture,
            Label(_narrow(text), x0, y0, x1, y1, (0, 0, 0), 90 if tall else 0, float(sure)),
        )
        out.append(label)
    return out


def recognise_crops(crops: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
    """Return text and confidence of small pictures of one line each."""
    if not crops:
        return []
    found, _ = _engine().text_rec([np.ascontiguousarray(c[:, :, ::-1]) for c in crops])
    return [(_narrow(item[0]), float(item[1])) for item in found]


def _narrow(text: str) -> str:
    """Return text with the signs of western scripts, and Roman numerals without a small L."""
    plain = str(text).translate(WIDE).strip()
    return ROMAN.sub(lambda found: found.group().replace("l", "I"), plain)


def _scaled(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = 1.0
    if min(height, width) < SMALL:
        scale = min(2.0, SMALL / min(height, width))
    if max(height, width) * scale > LARGE:
        scale = LARGE / max(height, width)
    if abs(scale - 1) < 0.02:
        return pixels, 1.0
    size = (round(width * scale), round(height * scale))
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(resized), scale


def _turned(label: Label, height: int) -> Label:
    """Turn the place of a label of the turned picture back."""
    return Label(
        label.text, label.y0, height - label.x1, label.y1, height - label.x0,
        label.colour, 90 if label.angle == 0 else 0, label.confidence,
    )  # fmt: skip


def _tight(pixels: NDArray[np.uint8], label: Label) -> Label:
    """Shrink the box of a label to its ink, and take the colour of that ink."""
    height, width = pixels.shape[:2]
    pad = 1
    x0, y0 = max(int(label.x0) - pad, 0), max(int(label.y0) - pad, 0)
    x1, y1 = min(int(np.ceil(label.x1)) + pad, width), min(int(np.ceil(label.y1)) + pad, height)
    part = pixels[y0:y1, x0:x1].astype(float)
    if part.size == 0:
        return label
    paper = np.median(part.reshape(-1, 3), axis=0)
    apart = np.linalg.norm(part - paper, axis=2)
    ink = apart > max(DARK, 0.4 * float(apart.max()))
    rows, cols = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows) or not len(cols):
        return label
    return Label(
        label.text, float(x0 + cols[0]), float(y0 + rows[0]), float(x0 + cols[-1] + 1),
        float(y0 + rows[-1] + 1), ink_colour(part, apart), label.angle, label.confidence,
    )  # fmt: skip


def ink_colour(part: NDArray[np.float64], apart: NDArray[np.float64]) -> Colour:
    """Return the colour of the strongest ink of a piece."""
    strong = apart > 0.8 * apart.max()
    red, green, blue = (round(float(v)) for v in np.median(part[strong], axis=0))
    return red, green, blue
