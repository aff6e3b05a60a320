"""What a reader hands on: strokes, labels and pixels of one page, in one frame of coordinates.

The origin is the top left corner and y runs downwards; the unit is the point (vector) or the
pixel (raster).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.records import freeze

__all__ = ["Colour", "Drawing", "Label", "Stroke", "colour_distance", "hexed"]

FloatArray = NDArray[np.float64]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """One polyline as drawn.

    Attributes
    ----------
    xy : ndarray, shape (k, 2)
        Corners, in the order drawn.
    stroke, fill : (red, green, blue) in 0..255, or None
        Colours; None is not drawn.
    width : float
        Line width.
    dash : tuple of float
        Lengths of dashes and gaps; empty for a solid line.
    opacity : float
        0 is transparent.
    closed, curved : bool
        Whether the last corner joins the first; whether a corner is that of a Bezier curve.
    """

    xy: FloatArray
    stroke: Colour | None = None
    fill: Colour | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0
    closed: bool = False
    curved: bool = False

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        (x0, y0), (x1, y1) = self.xy.min(axis=0), self.xy.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


@dataclass(frozen=True, slots=True)
class Label:
    """One piece of text in one line.

    Attributes
    ----------
    text : str
        What is printed.
    x0, y0, x1, y1 : float
        Box of the ink.
    colour : (red, green, blue)
        Colour of the ink.
    angle : int
        0, or 90 where the text runs upwards and 270 where it runs downwards.
    confidence : float
        1 for text of the file; the engine's own figure for text that was recognised.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    colour: Colour = (0, 0, 0)
    angle: int = 0
    confidence: float = 1.0

    @property
    def x(self) -> float:
        """Centre across."""
        return (self.x0 + self.x1) / 2

    @property
    def y(self) -> float:
        """Centre down."""
        return (self.y0 + self.y1) / 2

    @property
    def size(self) -> float:
        """Height of the line of text."""
        return self.y1 - self.y0 if self.angle == 0 else self.x1 - self.x0


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """One page or picture.

    Attributes
    ----------
    kind : str
        ``vector`` or ``raster``.
    width, height : float
        Size in points or pixels.
    strokes : tuple of Stroke
        What is drawn; empty for a raster.
    labels : tuple of Label
        Text, with its place.
    pixels : ndarray, shape (height, width, 3), optional
        The picture of a raster.
    notes : tuple of str
        What the reader found worth saying.
    """

    kind: str
    width: float
    height: float
    strokes: tuple[Stroke, ...] = ()
    labels: tuple[Label, ...] = ()
    pixels: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


def colour_distance(a: Colour | None, b: Colour | None) -> float:
    """Euclidean distance in 0..441; infinite against no colour.

    Examples
    --------
    >>> colour_distance((0, 0, 0), (3, 4, 0))
    5.0
    """
    if a is None or b is None:
        return float("inf")
    return float(np.linalg.norm(np.subtract(a, b)))


def hexed(colour: Colour) -> str:
    """Return a colour as ``#rrggbb``.

    Examples
    --------
    >>> hexed((255, 0, 16))
    '#ff0010'
    """
    return "#" + "".join(f"{int(c):02x}" for c in colour)
