"""One picture per stage of a reading, to see where it went wrong: text, axes, curves, table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from metablin.digitise.arms import Arm
from metablin.digitise.axes import Panel
from metablin.digitise.pictures import READING, background
from metablin.digitise.readers import Drawing

__all__ = ["STAGES", "stage"]


def _text(ax: Any, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> None:
    """Draw every label that was read in its box, red where it is unsure."""
    for lab in drawing.labels:
        ink = "#1f77b4" if lab.confidence > 0.7 else "#d62728"
        xs, ys = (lab.x0, lab.x1, lab.x1, lab.x0, lab.x0), (lab.y0, lab.y0, lab.y1, lab.y1, lab.y0)
        ax.plot(xs, ys, color=ink, lw=0.5)
        ax.text(lab.x0, lab.y0, lab.text, color=ink, fontsize=4, va="bottom")


def _axes(ax: Any, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> None:
    """Draw both axes of every panel: the places of their numbers, and where they come from."""
    for panel in panels:
        left, top, right, bottom = panel.box
        for value, x in zip(panel.x.values, panel.x.positions, strict=True):
            ax.plot((x, x), (top, bottom), color="#d62728", lw=0.5)
            ax.text(x, bottom, f"{value:g}", color="#d62728", fontsize=5, va="top", ha="center")
        for value, y in zip(panel.y.values, panel.y.positions, strict=True):
            ax.plot((left, right), (y, y), color="#1f77b4", lw=0.5)
            ax.text(left, y, f"{value:g}", color="#1f77b4", fontsize=5, va="center", ha="right")
        words = f"{panel.letter} time from {panel.x.source}, survival from {panel.y.source}"
        ax.text(left, top, words.strip(), fontsize=6, va="bottom")


def _curves(ax: Any, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> None:
    """Draw the corners of every curve, and its censoring marks as upright lines."""
    for k, arm in enumerate(arms):
        ink = READING[k % len(READING)]
        ax.plot(*arm.xy.T, color=ink, lw=0.5, marker=".", ms=1.5, label=arm.id)
        for x in panels[arm.panel].x.position(arm.censor_times):
            ax.axvline(x, 0.02, 0.05, color=ink, lw=0.4)
    ax.legend(loc="lower right", fontsize=6)


def _table(ax: Any, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> None:
    """Write the numbers at risk at their ticks, a row an arm."""
    for k, arm in enumerate(arms):
        panel = panels[arm.panel]
        row = panel.box[3] - (k + 1) * 0.06 * (panel.box[3] - panel.box[1])
        ink = READING[k % len(READING)]
        ax.text(panel.box[0], row, f"{arm.id} ", color=ink, fontsize=6, ha="right", va="center")
        for t, n in zip(arm.at_risk_times, arm.at_risk, strict=True):
            ax.text(float(panel.x.position(t)), row, str(n), color=ink, fontsize=6, ha="center",
                    va="center")  # fmt: skip


STAGES: dict[str, Callable[..., None]] = {
    "text": _text,
    "axes": _axes,
    "curves": _curves,
    "table": _table,
}


def stage(name: str, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> Any:
    """Draw one stage of a reading on its figure.

    Parameters
    ----------
    name : str
        ``text``, ``axes``, ``curves`` or ``table``.
    drawing : Drawing
    panels : sequence of Panel
    arms : sequence of Arm

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 9.0 * drawing.height / drawing.width), dpi=150)
    ax = figure.add_axes((0, 0, 1, 1))
    extent = (0, drawing.width, drawing.height, 0)
    ax.imshow(background(drawing), extent=extent, alpha=0.35, interpolation="bilinear")
    STAGES[name](ax, drawing, panels, arms)
    ax.set_xlim(0, drawing.width)
    ax.set_ylim(drawing.height, 0)
    ax.axis("off")
    return figure
