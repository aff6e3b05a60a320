"""Smaller SVG files: the same picture to the eye, in half of the bytes."""

from __future__ import annotations

import re

__all__ = ["slim_svg"]

_COMMENT = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.S)
_PATH = re.compile(r'(?<=\bd=")[^"]*', re.S)
_PLACE = re.compile(r'\b(?:x|y|points)="[^"]*"|(?:translate|rotate)\([^)]*\)')
_LETTER = re.compile(r' transform="translate\(([^ )]+) 0\)"/>')
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")


def slim_svg(text: str) -> str:
    """Return an SVG with coordinates to a hundredth of a point and nothing that is not drawn.

    A hundredth of a point is 3.5 micrometres on paper. Scales, and with them the shapes of
    letters, stay as they are.

    Examples
    --------
    >>> slim_svg('<g>\\n  <path d="M 1.234567 2 \\nL 3 2.000001 \\nL 3 4 \\n"/>\\n</g>')
    '<g><path d="M1.23 2H3V4"/></g>'
    """
    bare = _PLACE.sub(lambda m: _rounded(m[0]), _COMMENT.sub("", text))
    bare = _PATH.sub(lambda m: _short_path(_rounded(m[0])), bare)
    bare = _LETTER.sub(r' x="\1"/>', re.sub(r">\s+<", "><", bare))
    return re.sub(r"(?<=;) (?=[a-z-]+:)|(?<=[a-z]:) ", "", bare)


def _rounded(text: str) -> str:
    return _DECIMALS.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)


def _short_path(data: str) -> str:
    """Return path data with lines along the axes as such, and without lines of no length."""
    if re.search("[^MLz0-9eE.\\s-]", data):  # curves stay as they are
        return re.sub(r" ?([A-Za-z]) ?", r"\1", re.sub(r"\s+", " ", data.strip()))
    parts, at = [], ("", "")
    for command, body in re.findall(r"([MLz])([^MLz]*)", data):
        point = (*body.split(), "", "")[:2]
        if command == "L" and point == at and not parts[-1].startswith("M"):
            continue  # a line that is a point as a whole stays: its caps are drawn
        if command == "L" and point[1] == at[1]:
            parts.append(f"H{point[0]}")
        elif command == "L" and point[0] == at[0]:
            parts.append(f"V{point[1]}")
        else:
            parts.append(f"{command}{' '.join(p for p in point if p)}")
        at = point if command != "z" else ("", "")
    return "".join(parts)
