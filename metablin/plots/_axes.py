"""What the diagnostic plots share: ticks on the reader's scale, labels that keep off each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedFormatter, FixedLocator
from numpy.typing import NDArray
from scipy import special

from metablin.plots import style
from metablin.plots.forest import NAMES

__all__ = ["POINT", "axis_name", "null_value", "place_labels", "reader_ticks"]

FloatArray = NDArray[np.float64]

POINT = style.colour("study")

# Round numbers in the order in which they should get a tick.
_RATIOS = (1, 0.5, 2, 0.25, 4, 0.1, 10, 0.05, 20, 0.01, 100, 0.75, 1.5, 0.7, 0.8, 0.9, 1.2,
           0.6, 0.4, 0.3, 3, 0.002, 500, 1e-4, 1e4)  # fmt: skip
_SHARES = (0.5, 0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.05, 0.95, 0.01, 0.99, 0.4, 0.6, 0.02, 0.98,
           0.001, 0.999, 0.35, 0.45, 0.55, 0.65, 0.25, 0.75, 0.15, 0.85)  # fmt: skip

SMALL = 7.5  # font size of labels beside points
CHARACTER = 0.55
"""Width of a character as a share of the font size."""


LEADER = {"arrowstyle": "-", "lw": 0.5, "color": style.SOFT, "shrinkA": 0, "shrinkB": 2}
"""A thin line from a label that stands away from its point."""

CROWDED = 0.1
"""A label that would lie under others with more than this share of its area is left out."""


def axis_name(measure: str, transform: str) -> str:
    """Return the axis label of a measure, naming the scale where the ticks are not the reader's.

    Examples
    --------
    >>> axis_name("hr", "log"), axis_name("proportion", "arcsine")
    ('Hazard ratio', 'Proportion (arcsine scale)')
    """
    name = NAMES.get(measure, measure)
    return name if transform in ("log", "logit", "raw", "none") else f"{name} ({transform} scale)"


def null_value(measure: str) -> float | None:
    """Return the effect on the analysis scale that means no effect; None for single groups."""
    return None if measure in ("proportion", "rate") else 0.0


def reader_ticks(axis: Axis, transform: str, low: float, high: float) -> None:
    """Put ticks at round values of the reader's scale on an axis that runs on the analysis scale.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
    transform : str
        ``log`` and ``logit`` get such ticks, others keep their own.
    low, high : float
        Ends of the axis.
    """
    if transform not in ("log", "logit"):
        return
    values = np.array(_RATIOS if transform == "log" else _SHARES, dtype=np.float64)
    at = np.log(values) if transform == "log" else special.logit(values)
    chosen: list[int] = []
    for i in np.flatnonzero((at >= low) & (at <= high)):
        if all(abs(at[i] - at[j]) > 0.11 * (high - low) for j in chosen):
            chosen.append(int(i))
    chosen.sort(key=lambda i: at[i])
    if len(chosen) < 2:
        return
    texts = [f"{values[i]:g}" if transform == "log" else f"{100 * values[i]:g}%" for i in chosen]
    axis.set_major_locator(FixedLocator([float(at[i]) for i in chosen]))
    axis.set_major_formatter(FixedFormatter(texts))


def place_labels(
    ax: Axes,
    x: Sequence[float] | FloatArray,
    y: Sequence[float] | FloatArray,
    texts: Sequence[str],
    reach: float = 5.0,
) -> None:
    """Write texts beside their points, each where it covers least of the others.

    A label that finds no room is left out.

    Call it when the limits of the axes are final.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : sequence of float
        Points in data coordinates; points with an empty text are only kept clear.
    texts : sequence of str
    reach : float
        Distance from the point, in points.
    """
    unit = ax.figure.get_dpi() / 72
    points = ax.transData.transform(np.column_stack([x, y])) / unit
    frame = ax.get_window_extent()
    edges = np.array([frame.x0, frame.y0, frame.x1, frame.y1]) / unit
    taken = [np.array([px - 3, py - 3, px + 3, py + 3]) for px, py in points]
    for i in np.argsort(-points[:, 1], kind="stable"):
        if not texts[i]:
            continue
        width, height = CHARACTER * SMALL * len(texts[i]), 1.25 * SMALL
        boxes = _candidates(points[i], width, height, reach)
        costs = [_cost(box, taken, edges) + 0.01 * rank for rank, (box, *_) in enumerate(boxes)]
        if min(costs) > CROWDED * width * height:
            continue
        box, shift, ha, va = boxes[int(np.argmin(costs))]
        taken.append(box)
        ax.annotate(
            style.plain(texts[i]),
            (x[i], y[i]),
            xytext=shift,
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=SMALL,
            color=style.INK,
            zorder=6,
            bbox={"facecolor": "white", "alpha": 0.7, "pad": 0.4, "lw": 0},
            arrowprops=LEADER if max(map(abs, shift)) > reach else None,
        )


def _candidates(
    point: FloatArray, width: float, height: float, reach: float
) -> list[tuple[FloatArray, tuple[float, float], str, str]]:
    out = []
    for far in (1.0, 2.2, 3.6):
        r = reach * far
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7),
                       (-0.7, -0.7)):  # fmt: skip
            ha = "left" if dx > 0 else "right" if dx < 0 else "center"
            va = "bottom" if dy > 0 else "top" if dy < 0 else "center"
            x0 = point[0] + r * dx - {"left": 0.0, "right": 1.0, "center": 0.5}[ha] * width
            y0 = point[1] + r * dy - {"bottom": 0.0, "top": 1.0, "center": 0.5}[va] * height
            box = np.array([x0, y0, x0 + width, y0 + height])
            out.append((box, (r * dx, r * dy), ha, va))
    return out


def _cost(box: FloatArray, taken: list[FloatArray], edges: FloatArray) -> float:
    others = np.array(taken)
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    tall = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    covered = float((np.maximum(wide, 0) * np.maximum(tall, 0)).sum())
    outside = np.maximum(edges[:2] - box[:2], 0).sum() + np.maximum(box[2:] - edges[2:], 0).sum()
    return covered + 200 * float(outside)
