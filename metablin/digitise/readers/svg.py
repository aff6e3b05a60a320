"""SVG files: shapes with their style, text with its place, text drawn as outlines.

Only what figures of survival curves use is read: paths and basic shapes, ``use`` and symbols,
transforms, presentation attributes, ``style`` and simple class rules. Nothing outside the file
is fetched.
"""

from __future__ import annotations

import base64
import binascii
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from metablin.digitise.readers.drawing import Drawing, Label, Stroke
from metablin.digitise.readers.glyphs import Letter, is_line
from metablin.digitise.readers.svgpath import IDENTITY, basic_shape, matrix_of, sub_paths
from metablin.digitise.readers.svgstyle import Style, length, rules, styled, text_width
from metablin.errors import DataError

__all__ = ["read_svg"]

MAX_ELEMENTS = 300_000
MAX_DEPTH = 60
MAX_BYTES = 60_000_000
XLINK = "{http://www.w3.org/1999/xlink}href"
SHAPES = {"path", "line", "polyline", "polygon", "rect", "circle", "ellipse"}
HIDDEN = {"defs", "symbol", "clipPath", "mask", "pattern", "marker", "metadata", "title", "desc"}
ASCENT, DESCENT = 0.72, 0.02  # of a figure or capital, in font sizes


@dataclass
class _Sheet:
    """What has been gathered of a file while its tree is walked."""

    names: dict[str, Any]
    sheet: dict[str, dict[str, str]]
    strokes: list[Stroke] = field(default_factory=list)
    outlines: list[Stroke] = field(default_factory=list)
    lines: list[tuple[Letter, ...]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    seen: int = 0


def read_svg(path: Path) -> Drawing:
    """Read an SVG file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Drawing
        ``extra["outlines"]`` holds filled shapes that look like letters, where text has no
        characters, ``extra["lines"]`` the lines of letters that are drawn from symbols;
        ``extra["embedded"]`` gives the bytes of embedded pictures.
    """
    root = _parse(path)
    names = {e.get("id"): e for e in root.iter() if isinstance(e.tag, str) and e.get("id")}
    css = "".join(e.text or "" for e in root.iter() if _name(e) == "style")
    gathered = _Sheet(names, rules(css))
    width, height, frame = _frame(root)
    _walk(gathered, root, frame, Style(), 0)
    return Drawing(
        kind="vector",
        width=width,
        height=height,
        strokes=tuple(gathered.strokes),
        labels=tuple(gathered.labels),
        extra={
            "outlines": tuple(gathered.outlines),
            "lines": tuple(gathered.lines),
            "embedded": tuple(gathered.pictures),
        },
    )


def _parse(path: Path) -> Any:
    raw = path.read_bytes()
    if len(raw) > MAX_BYTES:
        raise DataError(f"{path.name} is too large", allowed=f"at most {MAX_BYTES // 10**6} MB")
    if b"<!ENTITY" in raw:
        raise DataError(f"{path.name} defines entities", allowed="an SVG file without them")
    builder = ElementTree.TreeBuilder(insert_comments=True)
    try:
        root = ElementTree.fromstring(raw, ElementTree.XMLParser(target=builder))
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise DataError(
            f"{path.name}, line {line}: not whole XML", allowed="an SVG file"
        ) from error
    if _name(root) != "svg":
        raise DataError(f"{path.name} is XML but not SVG", allowed="an SVG file")
    return root


def _name(element: Any) -> str:
    """Return the local name; a comment has the name ``!``."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else "!"


def _frame(root: Any) -> tuple[float, float, Any]:
    """Return width, height and the matrix of the view box."""
    box = [float(v) for v in re.split(r"[\s,]+", (root.get("viewBox") or "").strip()) if v]
    width, height = length(root.get("width")), length(root.get("height"))
    if len(box) != 4 or box[2] <= 0 or box[3] <= 0:
        return width or 1000.0, height or 1000.0, IDENTITY
    # The view box's own units are kept: a figure of survival needs no absolute size.
    return box[2], box[3], np.array([[1, 0, -box[0]], [0, 1, -box[1]], [0, 0, 1.0]])


def _walk(out: _Sheet, element: Any, matrix: Any, style: Style, depth: int) -> None:
    """Gather an element and what it holds."""
    out.seen += 1
    if out.seen > MAX_ELEMENTS or depth > MAX_DEPTH:
        raise DataError("the SVG nests or repeats its elements beyond reason")
    name = _name(element)
    if name in HIDDEN or name in ("!", "style") or element.get("display") == "none":
        return
    style = styled(style, element, out.sheet)
    matrix = matrix @ matrix_of(element.get("transform"))
    if name in SHAPES:
        _shape(out, element, name, matrix, style)
    elif name == "use":
        _use(out, element, matrix, style, depth)
    elif name == "text":
        _text(out, element, matrix, style)
    elif name == "image":
        _image(out, element)
    else:
        _children(out, element, matrix, style, depth)


def _children(out: _Sheet, element: Any, matrix: Any, style: Style, depth: int) -> None:
    """Gather the children; a comment before a group of letters tells what they spell."""
    spelt = ""
    line: list[Letter] = []
    for child in element:
        if _name(child) == "!":
            spelt = (child.text or "").strip()
            continue
        before = len(out.outlines), len(out.strokes), len(out.lines)
        _walk(out, child, matrix, style, depth + 1)
        letters = out.outlines[before[0] :]
        if spelt and letters and len(out.strokes) == before[1] and _name(child) == "g":
            out.labels.append(_spelt(spelt, letters))
            del out.outlines[before[0] :], out.lines[before[2] :]
        elif _name(child) == "use" and len(out.strokes) == before[1]:
            line.append(Letter(_link(child), _origin(child, matrix), tuple(letters)))
        spelt = ""
    if is_line(line):
        out.lines.append(tuple(line))


def _link(element: Any) -> str:
    """Return the name of what an element refers to."""
    return (element.get(XLINK) or element.get("href") or "").lstrip("#")


def _origin(element: Any, matrix: Any) -> tuple[float, float]:
    """Return where an element refers another one to."""
    at = length(element.get("x")) or 0.0, length(element.get("y")) or 0.0, 1.0
    x, y, _ = matrix @ matrix_of(element.get("transform")) @ np.array(at)
    return float(x), float(y)


def _spelt(text: str, letters: list[Stroke]) -> Label:
    """Return the label that a comment spells, in the box of its letters."""
    boxes = np.array([s.box for s in letters])
    x0, y0 = boxes[:, :2].min(axis=0)
    x1, y1 = boxes[:, 2:].max(axis=0)
    upright = y1 - y0 > 1.5 * (x1 - x0) and len(text) > 2
    return Label(
        " ".join(text.split()), float(x0), float(y0), float(x1), float(y1),
        letters[0].fill or (0, 0, 0), 90 if upright else 0,
    )  # fmt: skip


def _use(out: _Sheet, element: Any, matrix: Any, style: Style, depth: int) -> None:
    target = out.names.get(_link(element))
    if target is None or target is element:
        return
    shift = IDENTITY.copy()
    shift[:2, 2] = length(element.get("x")) or 0.0, length(element.get("y")) or 0.0
    matrix = matrix @ shift
    if _name(target) == "symbol":
        style = replace(styled(style, target, out.sheet), referenced=True)
        for child in target:
            _walk(out, child, matrix, style, depth + 1)
    else:
        _walk(out, target, matrix, replace(style, referenced=True), depth + 1)


def _shape(out: _Sheet, element: Any, name: str, matrix: Any, style: Style) -> None:
    """Keep a shape, as a stroke or as an outline of a letter."""
    if style.hidden:
        return
    pieces = (
        sub_paths(element.get("d") or "")
        if name == "path"
        else basic_shape(name, lambda key: length(element.get(key)) or 0.0, element.get("points"))
    )
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    for points, closed, curved in pieces:
        flat = (np.c_[points, np.ones(len(points))] @ matrix.T)[:, :2]
        stroke = Stroke(
            xy=flat.copy(),
            stroke=style.stroke,
            fill=style.fill,
            width=style.width * scale,
            dash=tuple(v * scale for v in style.dash),
            opacity=style.opacity,
            closed=closed,
            curved=curved,
        )
        letter = style.fill is not None and style.stroke is None and style.referenced
        (out.outlines if letter or _letterlike(stroke) else out.strokes).append(stroke)


def _letterlike(stroke: Stroke) -> bool:
    """Whether a filled shape without a border is small and bent as letters are."""
    if stroke.fill is None or stroke.stroke is not None or not stroke.curved:
        return False
    x0, y0, x1, y1 = stroke.box
    return 0 < y1 - y0 < 40 and x1 - x0 < 40


def _text(out: _Sheet, element: Any, matrix: Any, style: Style) -> None:
    """Keep the lines of a text element, each ``tspan`` with a place of its own as one."""
    x, y = length(element.get("x")) or 0.0, length(element.get("y")) or 0.0
    runs = [(element.text or "", x, y, style)]
    for span in element:
        if _name(span) != "tspan":
            continue
        own = styled(style, span, out.sheet)
        at = [length((span.get(k) or "").split(" ")[0].split(",")[0]) for k in ("x", "y")]
        moved = any(v is not None for v in at) or span.get("dy")
        if moved:
            x = x if at[0] is None else at[0]
            y = (y if at[1] is None else at[1]) + (length(span.get("dy")) or 0.0)
            runs.append((span.text or "", x, y, own))
        else:
            runs[-1] = (runs[-1][0] + (span.text or ""), *runs[-1][1:])
        tail = span.tail or ""
        runs[-1] = (runs[-1][0] + tail, *runs[-1][1:])
    for text, left, base, own in runs:
        text = " ".join(text.split())
        if text and own.fill is not None and not own.hidden:
            out.labels.append(_line(text, left, base, matrix, own))


def _line(text: str, x: float, y: float, matrix: Any, style: Style) -> Label:
    wide = text_width(text) * style.font_size
    start = x - {"middle": wide / 2, "end": wide}.get(style.anchor, 0.0)
    low, high = y + DESCENT * style.font_size, y - ASCENT * style.font_size
    corners = np.array(
        [[start, low, 1], [start + wide, low, 1], [start, high, 1], [start + wide, high, 1]]
    )
    flat = (corners @ matrix.T)[:, :2]
    along = flat[1] - flat[0]
    angle = round(float(np.degrees(np.arctan2(-along[1], along[0]))) / 90) * 90 % 360
    (x0, y0), (x1, y1) = flat.min(axis=0), flat.max(axis=0)
    return Label(text, float(x0), float(y0), float(x1), float(y1), style.fill or (0, 0, 0), angle)


def _image(out: _Sheet, element: Any) -> None:
    """Keep an embedded picture; a link to elsewhere is not followed."""
    link = element.get(XLINK) or element.get("href") or ""
    found = re.match(r"data:image/[\w.+-]+;base64,(.*)", link, re.S)
    if found:
        try:
            out.pictures.append(base64.b64decode(found.group(1)))
        except binascii.Error:
            return
