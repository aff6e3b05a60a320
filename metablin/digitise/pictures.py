"""Pictures of a reading: the figure with what was read on it, and a page to correct it on."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin.digitise.readers import Drawing, hexed
from metablin.digitise.records import CONFIDENT, Arm, Digitised

__all__ = ["edit_page", "overlay"]

READING = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2")
SCALE = 2.0  # pixels per point of a vector figure
TEMPLATE = "edit_page.html"


def overlay(found: Digitised, path: Path | None) -> Any:
    """Draw the reading on the figure; write a PNG or a self-contained HTML, or return it.

    Parameters
    ----------
    found : Digitised
        A reading.
    path : Path, optional
        Ends in ``.png`` or ``.html``.

    Returns
    -------
    matplotlib.figure.Figure or Path
    """
    figure = _figure(found)
    if path is None:
        return figure
    png = _png(figure)
    if path.suffix.lower() == ".html":
        path.write_text(_report(found, png), encoding="utf-8")
    else:
        path.write_bytes(png)
    return path


def _figure(found: Digitised) -> Any:
    from matplotlib.figure import Figure

    drawing = found.drawing
    assert drawing is not None
    wide = 9.0
    figure = Figure(figsize=(wide, wide * drawing.height / drawing.width), dpi=150)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(
        background(drawing), extent=(0, drawing.width, drawing.height, 0), alpha=0.45,
        interpolation="bilinear",
    )  # fmt: skip
    for k, arm in enumerate(found.arms):
        colour = READING[k % len(READING)]
        axes.plot(*arm.xy.T, color=colour, lw=0.9, label=f"{arm.id} ({arm.confidence:.2f})")
        axis = found.panels[arm.panel]
        marks = axis.x.position(arm.censor_times)
        axes.plot(marks, _heights(arm, marks), "|", color=colour, ms=5, mew=0.7)
    for panel in found.panels:
        base, left = max(panel.y.positions), min(panel.x.positions)
        axes.plot(panel.x.positions, [base] * len(panel.x.positions), "x", color="black", ms=5)
        axes.plot([left] * len(panel.y.positions), panel.y.positions, "x", color="black", ms=5)
    axes.legend(loc="lower right", fontsize=6, framealpha=0.8)
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    return figure


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


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _report(found: Digitised, png: bytes) -> str:
    """Return one page with the overlay, the confidence of every arm and the table as read."""
    rows = "".join(
        f"<tr><td>{html.escape(a.id)}</td><td>{len(a.time)}</td><td>{len(a.censor_times)}</td>"
        f"<td>{a.confidence:.2f}{'' if a.confidence >= CONFIDENT else ' (doubtful)'}</td>"
        f"<td>{html.escape('; '.join(a.reasons))}</td></tr>"
        for a in found.arms
    )
    cells = "".join(
        f"<tr><th>{html.escape(a.id)}</th>"
        + "".join(f"<td>{t:g}: {n}</td>" for t, n in zip(a.at_risk_times, a.at_risk, strict=True))
        + "</tr>"
        for a in found.arms
        if len(a.at_risk)
    )
    picture = base64.b64encode(png).decode()
    notes = "".join(f"<p>{html.escape(n)}</p>" for n in found.notes)
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<title>Reading of {html.escape(found.file)}</title>"
        "<style>body{font:15px sans-serif;max-width:70rem;margin:1rem auto}"
        "td,th{padding:.2rem .6rem;text-align:left}img{max-width:100%}</style>"
        f"<h1>Reading of {html.escape(found.file)}</h1>{notes}"
        f"<img alt='The figure with the curves as read' src='data:image/png;base64,{picture}'>"
        "<table><tr><th>arm</th><th>clicks</th><th>marks</th><th>confidence</th><th>reasons</th>"
        f"</tr>{rows}</table><h2>Numbers at risk</h2><table>{cells}</table></html>"
    )


def edit_page(found: Digitised, path: Path) -> Path:
    """Write one self-contained page on which the reading is corrected and saved as CSV.

    Parameters
    ----------
    found : Digitised
        A reading.
    path : Path
        The page to write; it needs no server and no other host.
    """
    from importlib import resources

    from PIL import Image

    drawing = found.drawing
    assert drawing is not None
    buffer = io.BytesIO()
    Image.fromarray(background(drawing)).save(buffer, "PNG")
    data = {
        "file": found.file,
        "width": drawing.width,
        "height": drawing.height,
        "image": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        "panels": [_ends(p) for p in found.panels],
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
            for k, a in enumerate(found.arms)
        ],
    }
    template = resources.files("metablin.digitise").joinpath(TEMPLATE).read_text(encoding="utf-8")
    # "</" would end the script early were it in a printed name.
    text = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    path.write_text(template.replace("/*DATA*/null", text), encoding="utf-8")
    return path


def _ends(panel: Any) -> dict[str, list[list[float]]]:
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
