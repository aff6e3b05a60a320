"""PDF pages: paths with their graphics state, text with its place, embedded pictures."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from metablin._extra import needs
from metablin.digitise.readers.drawing import Colour, Drawing, Stroke
from metablin.digitise.readers.words import Glyph, words
from metablin.errors import DataError

__all__ = ["page_count", "read_pdf"]

DEPTH = 12  # form objects nested deeper than this are a file made to exhaust a reader
MAX_OBJECTS = 400_000
BEZIER_STEPS = 8
PAGE_DPI = 200  # a page without a figure in vectors is looked at in pixels
MIN_PICTURE = 150  # pixels; smaller embedded pictures are logos


def read_pdf(path: Path, page: int, as_shown: bool = True) -> Drawing:
    """Read one page (counted from 1) of a PDF.

    Parameters
    ----------
    path : Path
        The file.
    page : int
        Page, from 1.
    as_shown : bool
        Turn the page as the file says it is to be shown; else leave it as it was drawn.

    Returns
    -------
    Drawing
        Vector content; ``extra["picture"]`` is a function that returns the largest embedded
        picture or, without one, the page in pixels; ``extra["turn"]`` is how far the file turns
        the page, in degrees.
    """
    import pypdfium2.raw as raw

    with _sheet(path, page) as sheet:
        turn = sheet.get_rotation() % 360
        place = _placement(raw, sheet, turn if as_shown else 0)
        width, height = sheet.get_size()
        shapes = _shapes(raw, sheet)
        strokes = [
            s
            for shape, matrix in shapes
            if shape[0] == "path"
            for s in _path(raw, shape[1], place @ matrix)
        ]
        glyphs, marks = _glyphs(raw, sheet, place)
        pictures = sum(kind == "image" for (kind, _), _ in shapes)
    return Drawing(
        kind="vector",
        width=width,
        height=height,
        strokes=tuple(strokes + marks),
        labels=tuple(words(glyphs)),
        extra={"picture": lambda: _pixels(path, page), "pictures": pictures, "turn": turn},
    )


def _pixels(path: Path, page: int) -> Any:
    import pypdfium2.raw as raw

    with _sheet(path, page) as sheet:
        return _picture(raw, sheet, _shapes(raw, sheet)).copy()


def _shapes(raw: Any, sheet: Any) -> list[Any]:
    count = raw.FPDFPage_CountObjects(sheet.raw)
    return list(_walk(raw, sheet.raw, count, raw.FPDFPage_GetObject, np.eye(3), 0))


def page_count(path: Path) -> int:
    """Return the number of pages; refuse an encrypted or broken file."""
    with _document(path) as document:
        return len(document)


@contextmanager
def _sheet(path: Path, page: int) -> Iterator[Any]:
    """Open a page; nothing of it outlives the block."""
    with _document(path) as document:
        if not 1 <= page <= len(document):
            raise DataError(
                "no such page", column="--page", value=page, allowed=f"1 to {len(document)}"
            )
        yield document[page - 1]


@contextmanager
def _document(path: Path) -> Iterator[Any]:
    """Open a file and close it, its pages first: left to the collector the order is open."""
    document = _open(path)
    try:
        yield document
    finally:
        document.close()


def _open(path: Path) -> Any:
    pypdfium2 = needs("pypdfium2", "figures")
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        text = str(error).lower()
        if "password" in text or "security" in text:
            raise DataError(
                f"{path.name} is encrypted", allowed="a PDF that opens without a password"
            ) from error
        raise DataError(f"{path.name} is not a readable PDF", allowed="a whole PDF file") from error


def _placement(raw: Any, sheet: Any, turn: int) -> Any:
    """Return the matrix from the page's own frame to the top left one, with its rotation."""
    visible = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(sheet.raw, visible)
    left, bottom, right, top = visible.left, visible.bottom, visible.right, visible.top
    w, h = right - left, top - bottom
    shift = np.array([[1, 0, -left], [0, 1, -bottom], [0, 0, 1.0]])
    flip = {
        0: [[1, 0, 0], [0, -1, h], [0, 0, 1]],
        90: [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        180: [[-1, 0, w], [0, 1, 0], [0, 0, 1]],
        270: [[0, -1, h], [-1, 0, w], [0, 0, 1]],
    }[turn]
    return np.array(flip, dtype=float) @ shift


def _matrix(raw: Any, item: Any) -> Any:
    m = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, m)
    return np.array([[m.a, m.c, m.e], [m.b, m.d, m.f], [0, 0, 1.0]])


def _walk(
    raw: Any, parent: Any, count: int, get: Callable[[Any, int], Any], matrix: Any, depth: int
) -> Iterator[tuple[tuple[str, Any], Any]]:
    """Yield paths and images of a page and of the forms within, with the matrix they stand in."""
    if depth > DEPTH or count > MAX_OBJECTS:
        raise DataError("the page nests or repeats its objects beyond reason")
    for i in range(count):
        item = get(parent, i)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            yield ("path", item), matrix @ _matrix(raw, item)
        elif kind == raw.FPDF_PAGEOBJ_IMAGE:
            yield ("image", item), matrix @ _matrix(raw, item)
        elif kind == raw.FPDF_PAGEOBJ_FORM:
            inner = matrix @ _matrix(raw, item)
            number = raw.FPDFFormObj_CountObjects(item)
            yield from _walk(raw, item, number, raw.FPDFFormObj_GetObject, inner, depth + 1)


def _path(raw: Any, item: Any, matrix: Any) -> list[Stroke]:
    """Return the polylines of one path object."""
    fill_mode, stroked = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, fill_mode, stroked)
    colour, opacity = _colour(raw.FPDFPageObj_GetStrokeColor, item)
    inside, see_through = _colour(raw.FPDFPageObj_GetFillColor, item)
    width = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(item, width)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    style: dict[str, Any] = {
        "stroke": colour if stroked.value else None,
        "fill": inside if fill_mode.value else None,
        "width": width.value * scale,
        "dash": _dash(raw, item, scale),
        "opacity": opacity if stroked.value else see_through,
    }
    out = []
    for points, closed, curved in _pieces(raw, item):
        flat = np.c_[points, np.ones(len(points))] @ matrix.T
        out.append(Stroke(xy=flat[:, :2].copy(), closed=closed, curved=curved, **style))
    return out


def _pieces(raw: Any, item: Any) -> Iterator[tuple[Any, bool, bool]]:
    """Yield the sub-paths: points, whether closed, whether any part is a Bezier curve."""
    points: list[tuple[float, float]] = []
    closed = curved = False
    bezier: list[tuple[float, float]] = []
    x, y = ctypes.c_float(), ctypes.c_float()
    for i in range(raw.FPDFPath_CountSegments(item)):
        segment = raw.FPDFPath_GetPathSegment(item, i)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO and points:
            yield np.array(points), closed, curved
            points, closed, curved = [], False, False
        if kind == raw.FPDF_SEGMENT_BEZIERTO:
            bezier.append((x.value, y.value))
            if len(bezier) == 3 and points:
                points.extend(flatten(points[-1], *bezier))
                bezier, curved = [], True
        else:
            points.append((x.value, y.value))
        closed = closed or bool(raw.FPDFPathSegment_GetClose(segment))
    if points:
        yield np.array(points), closed, curved


def flatten(
    start: tuple[float, float], *controls: tuple[float, float]
) -> list[tuple[float, float]]:
    """Return points of a cubic Bezier curve after its start."""
    t = np.linspace(0, 1, BEZIER_STEPS + 1)[1:, None]
    a, b, c, d = (np.array(p) for p in (start, *controls))
    xy = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return [(float(u), float(v)) for u, v in xy]


def _colour(get: Callable[..., Any], item: Any) -> tuple[Colour, float]:
    r, g, b, a = (ctypes.c_uint() for _ in range(4))
    if not get(item, r, g, b, a):
        return (0, 0, 0), 1.0
    return (r.value, g.value, b.value), a.value / 255


def _dash(raw: Any, item: Any, scale: float) -> tuple[float, ...]:
    number = raw.FPDFPageObj_GetDashCount(item)
    if number <= 0:
        return ()
    array = (ctypes.c_float * number)()
    raw.FPDFPageObj_GetDashArray(item, array, number)
    return tuple(v * scale for v in array)


def _glyphs(raw: Any, sheet: Any, place: Any) -> tuple[list[Glyph], list[Stroke]]:
    """Return the characters of the page, each with its box, and marks set as characters."""
    text = sheet.get_textpage()
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    rgba = [ctypes.c_uint() for _ in range(4)]
    x, y = ctypes.c_double(), ctypes.c_double()
    out, marks = [], []
    for i in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text.raw, i)
        if raw.FPDFText_IsGenerated(text.raw, i) == 1 or code < 33:
            continue
        raw.FPDFText_GetCharBox(text.raw, i, left, right, bottom, top)
        raw.FPDFText_GetFillColor(text.raw, i, *rgba)
        raw.FPDFText_GetCharOrigin(text.raw, i, x, y)
        box = place @ np.array(
            [[left.value, right.value, x.value], [bottom.value, top.value, y.value], [1, 1, 1]]
        )
        xs, ys = sorted(box[0, :2]), sorted(box[1, :2])
        turn = round(-np.degrees(raw.FPDFText_GetCharAngle(text.raw, i))) % 360
        advance = _advance(raw, text, i, place)
        colour: Colour = (rgba[0].value, rgba[1].value, rgba[2].value)
        size = _font_size(raw, text, i, xs, ys)
        glyph = Glyph(
            chr(code), float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]),
            float(box[0, 2]), float(box[1, 2]), size, (turn + 45) // 90 * 90 % 360, colour, advance,
        )  # fmt: skip
        out.append(glyph)
        if chr(code) in "+|":
            marks.extend(_as_strokes(glyph))
    return out, marks


def _advance(raw: Any, text: Any, i: int, place: Any) -> tuple[float, float, float, float]:
    """Return the box of a character with the room that its font gives it."""
    loose = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text.raw, i, loose)
    box = place @ np.array([[loose.left, loose.right], [loose.bottom, loose.top], [1, 1]])
    (x0, x1), (y0, y1) = sorted(box[0]), sorted(box[1])
    return float(x0), float(y0), float(x1), float(y1)


def _font_size(raw: Any, text: Any, i: int, xs: list[float], ys: list[float]) -> float:
    """Return the size of the font on the page; the box stands in where a matrix scales it."""
    m = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(text.raw, i, m)
    size = float(raw.FPDFText_GetFontSize(text.raw, i) * np.hypot(m.a, m.b))
    tallest = max(xs[1] - xs[0], ys[1] - ys[0])
    return size if 0.3 * tallest < size < 12 * max(tallest, 1e-6) else 1.4 * tallest


def _as_strokes(glyph: Glyph) -> list[Stroke]:
    """Return a plus or a bar set as text as lines too: it may be a censoring mark."""
    cx, cy = (glyph.x0 + glyph.x1) / 2, (glyph.y0 + glyph.y1) / 2
    upright = np.array([[cx, glyph.y0], [cx, glyph.y1]])
    level = np.array([[glyph.x0, cy], [glyph.x1, cy]])
    lines = [upright] if glyph.text == "|" else [upright, level]
    return [Stroke(xy=xy, stroke=glyph.colour) for xy in lines]


def _picture(raw: Any, sheet: Any, shapes: list[Any]) -> Any:
    """Return the largest embedded picture as pixels, else the page itself."""
    import pypdfium2

    best, size = None, 0
    for (kind, item), _ in shapes:
        if kind != "image":
            continue
        w, h = ctypes.c_uint(), ctypes.c_uint()
        raw.FPDFImageObj_GetImagePixelSize(item, w, h)
        if min(w.value, h.value) >= MIN_PICTURE and w.value * h.value > size:
            best, size = item, w.value * h.value
    if best is None:
        return np.asarray(sheet.render(scale=PAGE_DPI / 72).to_pil().convert("RGB"))
    # Of its page: without one the wrapper would free what the page frees again.
    image = pypdfium2.PdfImage(best, page=sheet, pdf=sheet.pdf)
    return np.asarray(image.get_bitmap(render=False).to_pil().convert("RGB"))
