"""Pictures of a reading: the figure with what was read on it, and a page to correct it on."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.arms import Arm
from metablin.digitise.axes import Panel
from metablin.digitise.readers import Drawing, hexed

__all__ = ["blank_page", "draw", "edit_page", "png", "report"]

READING = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
SCALE = 2.0  # pixels per point of a vector figure
TEMPLATE = "edit_page.html"


def draw(drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm], ax: Any = None) -> Any:
    """Draw a reading on its figure.

    Parameters
    ----------
    drawing : Drawing
        The page as read.
    panels : sequence of Panel
        Calibrated axes.
    arms : sequence of Arm
        The curves.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own when not given.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if ax is None:
        from matplotlib.figure import Figure

        wide = 9.0
        figure = Figure(figsize=(wide, wide * drawing.height / drawing.width), dpi=150)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(
        background(drawing), extent=(0, drawing.width, drawing.height, 0), alpha=0.45,
        interpolation="bilinear",
    )  # fmt: skip
    for k, arm in enumerate(arms):
        colour = READING[k % len(READING)]
        ax.plot(*arm.xy.T, color=colour, lw=0.9, label=f"{arm.id} ({arm.confidence:.2f})")
        marks = panels[arm.panel].x.position(arm.censor_times)
        ax.plot(marks, _heights(arm, marks), "|", color=colour, ms=5, mew=0.7)
    for panel in panels:
        base, left = max(panel.y.positions), min(panel.x.positions)
        ax.plot(panel.x.positions, [base] * len(panel.x.positions), "x", color="black", ms=5)
        ax.plot([left] * len(panel.y.positions), panel.y.positions, "x", color="black", ms=5)
    ax.legend(loc="lower right", fontsize=6, framealpha=0.8)
    ax.set_xlim(0, drawing.width)
    ax.set_ylim(drawing.height, 0)
    ax.axis("off")
    return ax.figure


def _heights(arm: Arm, x: Any) -> Any:
    k = np.searchsorted(arm.xy[:, 0], np.asarray(x) + 0.02, side="right") - 1
    return arm.xy[np.clip(k, 0, len(arm.xy) - 1), 1]


def background(drawing: Drawing) -> NDArray[np.uint8]:
    """Return the figure as pixels: the picture, or its strokes and labels drawn."""
    if drawing.pixels is not None:
        return drawing.pixels
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (int(drawing.width * SCALE), int(drawing.height * SCALE)), "white")
    pen = ImageDraw.Draw(image, "RGBA")
    for s in drawing.strokes:
        points = [(float(x * SCALE), float(y * SCALE)) for x, y in s.xy]
        if s.fill is not None and s.closed and len(points) > 2:
            pen.polygon(points, fill=(*s.fill, int(255 * min(s.opacity, 1))))
        if s.stroke is not None and len(points) > 1:
            ends = [*points, points[0]] if s.closed else points
            pen.line(ends, fill=s.stroke, width=max(1, round(s.width * SCALE)))
    for lab in drawing.labels:
        if lab.angle == 0:
            size = max(6.0, 1.3 * lab.size * SCALE)
            pen.text((lab.x0 * SCALE, lab.y0 * SCALE), lab.text, fill=lab.colour, font_size=size)
    return np.asarray(image)


def png(figure: Any) -> bytes:
    """Return a figure as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def report(file: str, arms: Sequence[Arm], notes: Sequence[str], picture: bytes) -> str:
    """Return one page with the overlay, the confidence of every arm and the table as read."""
    rows = "".join(
        f"<tr><td>{html.escape(a.id)}</td><td>{len(a.time)}</td><td>{len(a.censor_times)}</td>"
        f"<td>{a.confidence:.2f}{' (doubtful)' if a.doubtful else ''}</td>"
        f"<td>{html.escape('; '.join(a.reasons))}</td></tr>"
        for a in arms
    )
    cells = "".join(
        f"<tr><th>{html.escape(a.id)}</th>"
        + "".join(f"<td>{t:g}: {n}</td>" for t, n in zip(a.at_risk_times, a.at_risk, strict=True))
        + "</tr>"
        for a in arms
        if len(a.at_risk)
    )
    shown = base64.b64encode(picture).decode()
    notes = "".join(f"<p>{html.escape(n)}</p>" for n in notes)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<title>Reading of {html.escape(file)}</title>"
        "<style>body{font:15px sans-serif;max-width:70rem;margin:1rem auto}"
        "td,th{padding:.2rem .6rem;text-align:left}img{max-width:100%}</style>"
        f"<h1>Reading of {html.escape(file)}</h1>{notes}"
        f"<img alt='The figure with the curves as read' src='data:image/png;base64,{shown}'>"
        "<table><tr><th>arm</th><th>clicks</th><th>marks</th><th>confidence</th><th>reasons</th>"
        f"</tr>{rows}</table><h2>Numbers at risk</h2><table>{cells}</table></html>"
    )


def blank_page() -> str:
    """Return the same page without a reading: a figure is opened and read by hand on it.

    Examples
    --------
    >>> "http" in blank_page().replace("http://www.w3.org/2000/svg", "")
    False
    """
    from importlib import resources

    return resources.files("metablin.digitise").joinpath(TEMPLATE).read_text(encoding="utf-8")


def edit_page(file: str, drawing: Drawing, panels: Sequence[Panel], arms: Sequence[Arm]) -> str:
    """Return one self-contained page on which the reading is corrected and saved as CSV."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(background(drawing)).save(buffer, "PNG")
    data = {
        "file": file,
        "width": drawing.width,
        "height": drawing.height,
        "image": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        "panels": [_ends(p) for p in panels],
        "arms": [
            {
                "id": a.id,
                "panel": a.panel,
                "colour": READING[k % len(READING)],
                "ink": hexed(a.colour),
                "points": np.round(a.xy, 3).tolist(),
                "risk": [
                    [float(t), int(n)] for t, n in zip(a.at_risk_times, a.at_risk, strict=True)
                ],
                "confidence": round(a.confidence, 2),
                "reasons": list(a.reasons),
            }
            for k, a in enumerate(arms)
        ],
    }
    # "</" would end the script early were it in a printed name.
    text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    return blank_page().replace("/*DATA*/null", text)


def _ends(panel: Panel) -> dict[str, list[list[float]]]:
    """Return two points an axis: value, place across and place down."""
    x0, x1 = (
        float(panel.x.position(min(panel.x.values))),
        float(panel.x.position(max(panel.x.values))),
    )
    y0, y1 = (
        float(panel.y.position(min(panel.y.values))),
        float(panel.y.position(max(panel.y.values))),
    )
    base, left = max(y0, y1), min(x0, x1)
    return {
        "x": [[min(panel.x.values), x0, base], [max(panel.x.values), x1, base]],
        "y": [[min(panel.y.values), left, y0], [max(panel.y.values), left, y1]],
    }
