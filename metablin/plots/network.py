"""The network graph, treatments as nodes and comparisons as edges, and all network pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from metablin._input import choice
from metablin.errors import DataError
from metablin.network import Network, NetworkFit
from metablin.plots import style
from metablin.plots.network_effects import league_plot, network_forest, rows, split_forest
from metablin.plots.network_matrices import contribution_bars, net_heat_plot, rankogram

__all__ = [
    "NETWORK_PICTURES",
    "draw_network_graph",
    "network_frames",
    "network_graph",
    "network_picture",
]

RISKS = ("low", "some concerns", "high")
RISK_COLOURS = {"low": "#009E73", "some concerns": "#E69F00", "high": "#D55E00"}
EDGE = "#9aa5b1"

LARGEST_NODE = 1100.0
"""Area of the largest node in square points."""
SMALLEST_NODE = 60.0
WIDEST_EDGE = 9.0
"""Width of the widest edge in points."""
UNITS_A_POINT = 0.0095
"""Units of the axes a point of the page, in a figure of the usual size."""


def network_frames(
    network: Network, risk_of_bias: Mapping[str, str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return nodes and edges of the graph.

    Parameters
    ----------
    network : Network
    risk_of_bias : mapping of study to ``low``, ``some concerns`` or ``high``, optional

    Returns
    -------
    nodes : DataFrame
        ``treatment, x, y`` (on the unit circle, the first at the top), ``studies, n``.
    edges : DataFrame
        ``treat1, treat2, studies, multi_arm, n`` and ``risk_of_bias``, the worst of the studies.

    Raises
    ------
    DataError
        For another judgement, or a study without one.
    """
    nodes = network.nodes()
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(nodes)) / len(nodes)
    nodes.insert(1, "x", np.cos(angle))
    nodes.insert(2, "y", np.sin(angle))
    edges = network.geometry()
    edges["risk_of_bias"] = ""
    if risk_of_bias is not None:
        edges["risk_of_bias"] = _risks(network, edges, risk_of_bias)
    return nodes, edges


def _risks(network: Network, edges: pd.DataFrame, judged: Mapping[str, str]) -> list[str]:
    worst: dict[tuple[str, str], int] = {}
    for row in rows(network.to_frame()):
        if row.study not in judged:
            raise DataError("no judgement of the study", column="risk_of_bias", value=row.study)
        level = RISKS.index(choice("risk_of_bias", judged[row.study], RISKS))
        key = (row.treat1, row.treat2)
        worst[key] = max(level, worst.get(key, 0))
    return [RISKS[worst[pair]] for pair in zip(edges["treat1"], edges["treat2"], strict=True)]


def network_graph(
    network: Network | NetworkFit,
    ax: Axes | None = None,
    *,
    risk_of_bias: Mapping[str, str] | None = None,
) -> Axes:
    """Draw the network: width of an edge by studies, area of a node by patients.

    Parameters
    ----------
    network : Network or NetworkFit
    ax : matplotlib.axes.Axes, optional
    risk_of_bias : mapping of study to judgement, optional
        Colours every edge by the worst judgement of its studies.

    Returns
    -------
    matplotlib.axes.Axes
    """
    found = network.network if isinstance(network, NetworkFit) else network
    nodes, edges = network_frames(found, risk_of_bias)
    if ax is None:
        ax = style.figure(6.4, 5.6)[1]
    return draw_network_graph(nodes, edges, ax)


def draw_network_graph(nodes: pd.DataFrame, edges: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the frames of :func:`network_frames` on `ax` and return it."""
    with style.house_style():
        place = {r.treatment: (r.x, r.y) for r in rows(nodes)}
        widest = float(edges["studies"].max())
        for row in rows(edges):
            (x1, y1), (x2, y2) = place[row.treat1], place[row.treat2]
            width = max(0.8, WIDEST_EDGE * row.studies / max(widest, 6.0))
            shade = RISK_COLOURS.get(row.risk_of_bias, EDGE)
            ax.plot([x1, x2], [y1, y2], "-", lw=width, color=shade, alpha=0.75, zorder=1,
                    solid_capstyle="butt")  # fmt: skip
            _edge_label(ax, row, (x1, y1), (x2, y2))
        by = "n" if nodes["n"].notna().all() else "studies"
        areas = np.maximum(LARGEST_NODE * nodes[by] / nodes[by].max(), SMALLEST_NODE)
        ax.scatter(nodes["x"], nodes["y"], s=areas, color=style.colour("study"), zorder=3,
                   edgecolor="white", linewidth=1.2)  # fmt: skip
        for row, area in zip(rows(nodes), areas, strict=True):
            _node_label(ax, row, float(area), by)
        ax.set_xlim(-1.75, 1.75)
        ax.set_ylim(-1.32, 1.32)
        ax.set_aspect("equal")
        ax.axis("off")
        _legend(ax, edges, by)
    return ax


def _edge_label(ax: Axes, row: Any, a: tuple[float, float], b: tuple[float, float]) -> None:
    """Put the number of studies beside edges of more than one, off the crossing in the middle."""
    if row.studies < 2:
        return
    at = 0.36
    ax.text(a[0] + at * (b[0] - a[0]), a[1] + at * (b[1] - a[1]), str(row.studies), fontsize=7.5,
            ha="center", va="center", zorder=2,
            bbox={"boxstyle": "circle,pad=0.16", "fc": "white", "ec": "none"})  # fmt: skip


def _node_label(ax: Axes, row: Any, area: float, by: str) -> None:
    radius = 1.05 + UNITS_A_POINT * np.sqrt(area / np.pi)
    side = "left" if row.x > 0.15 else "right" if row.x < -0.15 else "center"
    level = "bottom" if row.y > 0.7 and side == "center" else "top" if (
        row.y < -0.7 and side == "center") else "center"  # fmt: skip
    count = f"{row.n:,.0f}" if by == "n" else f"{row.studies}"
    ax.text(radius * row.x, radius * row.y, f"{row.treatment}\n{count}", ha=side, va=level,
            fontsize=8.5, color=style.INK, linespacing=1.15)  # fmt: skip


def _legend(ax: Axes, edges: pd.DataFrame, by: str) -> None:
    what = "patients" if by == "n" else "studies"
    text = f"Node area and number: {what}. Edge width and number: studies of the comparison."
    ax.text(0.5, -0.05, text, transform=ax.transAxes, ha="center", va="top", fontsize=7.5,
            color=style.SOFT)  # fmt: skip
    there = [r for r in RISKS if (edges["risk_of_bias"] == r).any()]
    if there:
        handles = [Line2D([], [], lw=4, color=RISK_COLOURS[r], label=r) for r in there]
        ax.legend(handles=handles, title="Risk of bias (worst study)", loc="upper left",
                  fontsize=7.5, title_fontsize=7.5, bbox_to_anchor=(-0.02, 1.02))  # fmt: skip


NETWORK_PICTURES: dict[str, Callable[..., Axes]] = {
    "graph": network_graph,
    "forest": network_forest,
    "splits": split_forest,
    "heat": net_heat_plot,
    "ranks": rankogram,
    "contributions": contribution_bars,
    "league": league_plot,
}
"""Every picture of a fitted network by its name on the command line."""


def network_picture(fit: NetworkFit, ax: Axes | None = None, *, picture: str = "forest") -> Axes:
    """Draw one of :data:`NETWORK_PICTURES` of a fit."""
    return NETWORK_PICTURES[choice("picture", picture, NETWORK_PICTURES)](fit, ax)
