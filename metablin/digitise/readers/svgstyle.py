"""Styles of SVG: colours, lengths, class rules, widths of letters."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from metablin.digitise.readers.drawing import Colour

__all__ = ["Style", "colour", "length", "rules", "styled", "text_width"]

UNITS = {"": 1.0, "px": 1.0, "pt": 4 / 3, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "pc": 16.0}
# Widths of a common sans serif, in font sizes; enough to centre a label that starts at a point.
NARROW, WIDE = set("iljtfrI.,:;'|!()[] "), set("mwMW%@—")
KEYS = (
    "stroke", "fill", "stroke-width", "stroke-dasharray", "opacity", "stroke-opacity",
    "fill-opacity", "font-size", "text-anchor", "visibility", "color", "display",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Presentation of an element, as inherited."""

    stroke: Colour | None = None
    fill: Colour | None = (0, 0, 0)
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0
    font_size: float = 16.0
    anchor: str = "start"
    hidden: bool = False
    referenced: bool = False


def length(text: str | None) -> float | None:
    """Return a length in user units; None where there is none.

    Examples
    --------
    >>> length("3px"), length("1in"), length(None), length("50%")
    (3.0, 96.0, None, None)
    """
    found = re.fullmatch(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*([a-z]*)\s*", text or "")
    if not found or found.group(2) not in UNITS:
        return None
    try:
        return float(found.group(1)) * UNITS[found.group(2)]
    except ValueError:
        return None


def colour(text: str) -> Colour | None:
    """Return a colour; None for ``none`` and for paint servers.

    Examples
    --------
    >>> colour("#f00"), colour("rgb(0%,50%,100%)"), colour("none"), colour("steelblue")
    ((255, 0, 0), (0, 128, 255), None, (70, 130, 180))
    """
    text = text.strip().lower()
    if text in ("none", "transparent") or text.startswith("url"):
        return None
    found = re.fullmatch(r"rgba?\(([^)]*)\)", text)
    if found:
        parts = re.split(r"[\s,/]+", found.group(1).strip())[:3]
        values = [float(p[:-1]) * 255.0 / 100.0 if p.endswith("%") else float(p) for p in parts]
        red, green, blue = (min(255, max(0, round(v))) for v in values)
        return red, green, blue
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        return (0, 0, 0)


def rules(css: str) -> dict[str, dict[str, str]]:
    """Return the declarations by simple selector: an element, ``.class``, ``#id`` or ``*``."""
    out: dict[str, dict[str, str]] = {}
    css = re.sub(r"/\*.*?\*/|<!\[CDATA\[|\]\]>", "", css, flags=re.S)
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
        for selector in selectors.split(","):
            last = selector.split()[-1] if selector.split() else ""
            out.setdefault(last, {}).update(_declarations(body))
    return out


def _declarations(body: str) -> dict[str, str]:
    pairs = (part.split(":", 1) for part in body.split(";") if ":" in part)
    return {k.strip(): v.replace("!important", "").strip() for k, v in pairs}


def styled(style: Style, element: Any, sheet: dict[str, dict[str, str]]) -> Style:
    """Return the style of an element below one of `style`."""
    name = element.tag.rsplit("}", 1)[-1]
    found = {k: element.get(k) for k in KEYS if element.get(k) is not None}
    classes = (element.get("class") or "").split()
    for selector in ("*", name, *(f".{c}" for c in classes), *(f"{name}.{c}" for c in classes)):
        found.update(sheet.get(selector, {}))
    found.update(_declarations(element.get("style") or ""))
    return _apply(style, found)


def _apply(style: Style, found: dict[str, Any]) -> Style:
    changes: dict[str, Any] = {}
    for key in ("stroke", "fill"):
        if key in found and found[key] not in ("inherit", "currentColor"):
            changes[key] = colour(found[key])
    width, size = length(found.get("stroke-width")), length(found.get("font-size"))
    if width is not None:
        changes["width"] = width
    if size is not None:
        changes["font_size"] = size
    if "stroke-dasharray" in found:
        parts = [length(p) for p in re.split(r"[\s,]+", found["stroke-dasharray"].strip())]
        changes["dash"] = tuple(p for p in parts if p) if all(p is not None for p in parts) else ()
    if "text-anchor" in found:
        changes["anchor"] = found["text-anchor"]
    opacity = 1.0
    for key in ("opacity", "stroke-opacity", "fill-opacity"):
        opacity *= _number(found.get(key))
    if opacity != 1.0:
        changes["opacity"] = style.opacity * opacity
    if found.get("visibility") == "hidden" or found.get("display") == "none":
        changes["hidden"] = True
    return replace(style, **changes)


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else 1.0
    except ValueError:
        return 1.0


def text_width(text: str) -> float:
    """Return the width of a text in font sizes.

    Examples
    --------
    >>> round(text_width("100"), 2)
    1.67
    """
    return sum(
        0.28 if c in NARROW else 0.85 if c in WIDE else 0.68 if c.isupper() else 0.556 for c in text
    )
