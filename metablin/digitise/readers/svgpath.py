"""Geometry of SVG: path data, basic shapes, transforms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["IDENTITY", "basic_shape", "matrix_of", "sub_paths"]

IDENTITY = np.eye(3)
STEPS = 8  # points on a Bezier curve
CIRCLE = np.linspace(0, 2 * np.pi, 25)
NEEDS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
Piece = tuple[Any, bool, bool]


def matrix_of(text: str | None) -> Any:
    """Return the matrix of a ``transform`` attribute.

    Examples
    --------
    >>> (matrix_of("translate(10 5) scale(2)") @ [1, 1, 1])[:2].tolist()
    [12.0, 7.0]
    """
    out = IDENTITY
    for name, body in re.findall(r"(\w+)\s*\(([^)]*)\)", text or ""):
        v = [float(x) for x in re.findall(NUMBER, body)]
        out = out @ _one(name, v)
    return out


def _one(name: str, v: list[float]) -> Any:
    m = IDENTITY.copy()
    if name == "matrix" and len(v) == 6:
        m[:2] = [[v[0], v[2], v[4]], [v[1], v[3], v[5]]]
    elif name == "translate" and v:
        m[:2, 2] = v[0], v[1] if len(v) > 1 else 0.0
    elif name == "scale" and v:
        m[0, 0], m[1, 1] = v[0], v[-1]
    elif name == "rotate" and v:
        c, s = np.cos(np.radians(v[0])), np.sin(np.radians(v[0]))
        m[:2, :2] = [[c, -s], [s, c]]
        if len(v) == 3:
            about = np.array(v[1:])
            m[:2, 2] = about - m[:2, :2] @ about
    elif name in ("skewX", "skewY") and v:
        m[(0, 1) if name == "skewX" else (1, 0)] = np.tan(np.radians(v[0]))
    return m


def sub_paths(d: str) -> list[Piece]:
    """Return the pieces of path data: points, whether closed, whether bent.

    Examples
    --------
    >>> [(p.tolist(), closed) for p, closed, _ in sub_paths("M0 0h5v-2z")]
    [([[0.0, 0.0], [5.0, 0.0], [5.0, -2.0]], True)]
    """
    pen = _Pen()
    for command, body in re.findall(r"([MmLlHhVvCcSsQqTtAaZz])([^MmLlHhVvCcSsQqTtAaZz]*)", d):
        values = [float(x) for x in re.findall(NUMBER, body)]
        need = NEEDS[command.upper()]
        groups = [values[i : i + need] for i in range(0, len(values), need)] if need else [[]]
        for i, group in enumerate(groups):
            if len(group) == need:
                again = {"M": "L", "m": "l"}.get(command, command) if i else command
                pen.go(again, group)
    pen.lift()
    return pen.pieces


class _Pen:
    """A pen that follows path commands."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.points: list[Any] = []
        self.at = np.zeros(2)
        self.start = np.zeros(2)
        self.control: Any = None
        self.curved = False

    def lift(self, closed: bool = False) -> None:
        """End a piece."""
        if len(self.points) > 1 or (self.points and closed):
            self.pieces.append((np.array(self.points, dtype=float), closed, self.curved))
        self.points, self.curved = [], False

    def go(self, command: str, v: list[float]) -> None:
        """Follow one command."""
        base = self.at if command.islower() else np.zeros(2)
        upper = command.upper()
        if upper == "M":
            self.lift()
            self.at = self.start = base + v
            self.points = [self.at]
            return
        if not self.points:
            self.points = [self.at]
        if upper == "Z":
            self.lift(closed=True)
            self.at = self.start
        elif upper in "LHV":
            end = self.at.copy() if command.isupper() else base.copy()
            self.line(self._end(upper, command, v, end))
        elif upper == "A":
            self.arc(base + v[5:7])
        else:
            self.bend(upper, base, v)
        if upper not in "CSQT":
            self.control = None

    def _end(self, upper: str, command: str, v: list[float], end: Any) -> Any:
        if upper == "L":
            return np.array(v) + (self.at if command.islower() else 0.0)
        axis = 0 if upper == "H" else 1
        end[axis] = v[0] + (self.at[axis] if command.islower() else 0.0)
        return end

    def line(self, end: Any) -> None:
        """Draw a straight line."""
        self.points.append(end)
        self.at = end

    def arc(self, end: Any) -> None:
        """Draw an elliptic arc as its chord: arcs make markers and letters, not curves."""
        self.curved = True
        self.line(end)

    def bend(self, upper: str, base: Any, v: list[float]) -> None:
        """Draw a Bezier curve, cubic or quadratic, smooth or not."""
        p = [base + v[i : i + 2] for i in range(0, len(v), 2)]
        mirror = self.at if self.control is None else 2 * self.at - self.control
        if upper in "ST":
            p = [mirror, *p]
        t = np.linspace(0, 1, STEPS + 1)[1:, None]
        if upper in "CS":
            a, b, c, d = self.at, *p
            xy = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
        else:
            a, b, d = self.at, *p
            xy = (1 - t) ** 2 * a + 2 * (1 - t) * t * b + t**2 * d
        self.control = p[-2]
        self.points.extend(xy)
        self.at, self.curved = p[-1], True


def basic_shape(name: str, get: Callable[[str], float], points: str | None) -> list[Piece]:
    """Return the outline of a basic shape."""
    if name == "line":
        ends = [[get("x1"), get("y1")], [get("x2"), get("y2")]]
        return [(np.array(ends), False, False)]
    if name == "rect":
        x, y, w, h = get("x"), get("y"), get("width"), get("height")
        return [(np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]), True, False)]
    if name in ("polyline", "polygon"):
        v = [float(x) for x in re.findall(NUMBER, points or "")]
        xy = np.array(v[: len(v) // 2 * 2]).reshape(-1, 2)
        return [(xy, name == "polygon", False)] if len(xy) else []
    rx, ry = (get("r"), get("r")) if name == "circle" else (get("rx"), get("ry"))
    ring = np.c_[get("cx") + rx * np.cos(CIRCLE), get("cy") + ry * np.sin(CIRCLE)]
    return [(ring, True, True)]
