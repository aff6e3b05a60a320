"""A reading drawn on its figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metablin.digitise.pictures import draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from metablin.digitise import Digitised

__all__ = ["reading"]


def reading(found: Digitised, ax: Axes | None = None) -> Axes:
    """Draw the curves of a reading on its figure and return the axes."""
    figure = draw(found.drawing, found.panels, found.arms, ax)
    axes: Axes = figure.axes[0] if ax is None else ax
    return axes
