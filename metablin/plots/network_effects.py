"""Effects of a network as pictures: forest against a reference, node splits, league table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from metablin.errors import DataError
from metablin.network import NetworkFit
from metablin.numerics.inference import critical
from metablin.plots import style
from metablin.plots.forest import NAMES

__all__ = [
    "draw_intervals",
    "draw_league",
    "league_plot",
    "network_forest",
    "network_forest_frame",
    "rows",
    "split_forest",
    "split_frame",
]

ROW_INCHES = 0.25
COLOURS = {
    "effect": style.INK,
    "network": style.INK,
    "direct": style.colour("study"),
    "indirect": style.colour("pooled"),
}
MARKERS = {"effect": "s", "network": "D", "direct": "s", "indirect": "o"}
LOG_MEASURES = ("or", "rr", "rate", "hr")
MEASURE_NAMES = {
    **NAMES,
    "rate": "Rate ratio",
    "md": "Mean difference",
    "smd": "Standardised mean difference",
}


def network_forest_frame(fit: NetworkFit, reference: str | None = None) -> pd.DataFrame:
    """Return every treatment against the reference, the best first.

    Returns
    -------
    DataFrame
        ``position, kind, label, estimate, conf_low, conf_high, pred_low, pred_high, text``.
    """
    found = fit.against(reference)
    order = fit.ranking()["treatment"].tolist()
    place = found["treat1"].map(order.index).to_numpy()
    found = found.iloc[np.argsort(place)].reset_index(drop=True)
    frame = pd.DataFrame({"position": np.arange(len(found)), "kind": "effect",
                          "label": found["treat1"]})  # fmt: skip
    for name in ("estimate", "conf_low", "conf_high", "pred_low", "pred_high"):
        frame[name] = found[name]
    frame["text"] = [_text(r.estimate, r.conf_low, r.conf_high) for r in rows(found)]
    return frame


def rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a frame, whose cells are of any kind."""
    yield from frame.itertuples()


def _text(estimate: float, low: float, high: float) -> str:
    a, b, c = (round(x, 2) + 0.0 for x in (estimate, low, high))  # + 0.0: no sign on a zero
    return f"{a:z.2f} ({b:z.2f} to {c:z.2f})"


def network_forest(
    fit: NetworkFit, ax: Axes | None = None, *, reference: str | None = None
) -> Axes:
    """Draw every treatment against the reference, with prediction intervals as thin lines."""
    frame = network_forest_frame(fit, reference)
    name = reference or fit.reference or fit.treatments[0]
    if ax is None:
        ax = style.figure(6.6, ROW_INCHES * len(frame) + 1.2)[1]
    ax = draw_intervals(frame, ax, measure=fit.measure, level=fit.level)
    with style.house_style():
        ax.set_title(f"Against {name}")
    return ax


SPLIT_KINDS = ("direct", "indirect", "network")


def split_frame(fit: NetworkFit, method: str = "back-calculation") -> pd.DataFrame:
    """Return three rows per comparison with both kinds of evidence: direct, indirect, network.

    Returns
    -------
    DataFrame
        As :func:`network_forest_frame`, with ``group`` (the comparison) and ``p_value`` of the
        difference.

    Raises
    ------
    DataError
        When no comparison has both.
    """
    splits = fit.splits(method)
    if splits.empty:
        raise DataError("no comparison has direct and indirect evidence", column="picture",
                        value="splits")  # fmt: skip
    z = float(critical(fit.level))
    out = []
    position = 0.0
    for r in rows(splits):
        for kind in SPLIT_KINDS:
            y = getattr(r, kind)
            se = fit.effect(r.treat1, r.treat2)["std_error"] if kind == "network" else getattr(
                r, f"{kind}_std_error")  # fmt: skip
            estimate, low, high = fit.back([y, y - z * se, y + z * se]).tolist()
            out.append({
                "position": position, "kind": kind, "group": f"{r.treat1} : {r.treat2}",
                "label": kind, "estimate": estimate, "conf_low": low, "conf_high": high,
                "pred_low": math.nan, "pred_high": math.nan,
                "text": _text(estimate, low, high), "p_value": r.p_value,
            })  # fmt: skip
            position += 1
        position += 0.9
    return pd.DataFrame(out)


def split_forest(
    fit: NetworkFit, ax: Axes | None = None, *, method: str = "back-calculation"
) -> Axes:
    """Draw direct, indirect and network estimates of every comparison that has both."""
    frame = split_frame(fit, method)
    if ax is None:
        height = 0.2 * (float(frame["position"].max()) + 1) + 1.0
        ax = style.figure(6.8, height)[1]
    return draw_intervals(frame, ax, measure=fit.measure, level=fit.level)


def draw_intervals(frame: pd.DataFrame, ax: Axes, *, measure: str, level: float = 0.95) -> Axes:
    """Draw rows of estimates with intervals, labels on the left and numbers on the right."""
    with style.house_style():
        logged = measure in LOG_MEASURES
        low, high = _limits(frame, logged)
        if logged:
            ax.set_xscale("log")
        ax.set_xlim(low, high)
        for row in rows(frame):
            shade = COLOURS[row.kind]
            if not math.isnan(row.pred_low):
                ax.plot([max(row.pred_low, low), min(row.pred_high, high)], [row.position] * 2,
                        "-", lw=0.8, color=style.SOFT, zorder=1)  # fmt: skip
            ax.plot([max(row.conf_low, low), min(row.conf_high, high)], [row.position] * 2, "-",
                    lw=1.7, color=shade, zorder=2, solid_capstyle="butt")  # fmt: skip
            if low <= row.estimate <= high:
                ax.plot([row.estimate], [row.position], MARKERS[row.kind], ms=4.6, color=shade,
                        zorder=3)  # fmt: skip
            ax.annotate(row.text, (1.02, row.position), xycoords=("axes fraction", "data"),
                        va="center", fontsize=7.8)  # fmt: skip
        ax.axvline(1.0 if logged else 0.0, color=style.SOFT, lw=0.8, ls=(0, (3, 2)), zorder=0)
        ax.set_yticks(frame["position"], frame["label"], fontsize=8)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        bottom = float(frame["position"].max())
        ax.set_ylim(bottom + 0.8, -1.2)
        ax.annotate(f"{100 * level:g}% CI", (1.02, 1.0), xycoords="axes fraction", fontsize=7.8,
                    color=style.SOFT, va="bottom")  # fmt: skip
        if "group" in frame:
            _groups(frame, ax)
        ax.set_xlabel(MEASURE_NAMES.get(measure, measure))
        if logged:
            _ratio_ticks(ax, low, high)
    return ax


def _groups(frame: pd.DataFrame, ax: Axes) -> None:
    for name, part in frame.groupby("group", sort=False):
        y = float(part["position"].min()) - 0.72
        p = float(part["p_value"].iloc[0])
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        ax.annotate(f"{name}  ({shown})", (0.0, y), xycoords=("axes fraction", "data"),
                    fontsize=8, fontweight="bold", va="center", ha="left")  # fmt: skip


def _limits(frame: pd.DataFrame, logged: bool) -> tuple[float, float]:
    """Return axis limits that hold estimates and most of the intervals."""
    numbers = frame[["estimate", "conf_low", "conf_high", "pred_low", "pred_high"]].to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    if logged:
        at = np.log(numbers[numbers > 0])
        centre = np.log(frame["estimate"].to_numpy())
    else:
        at, centre = numbers, frame["estimate"].to_numpy()
    width = max(float(np.ptp(np.append(centre, 0.0))), 0.2)
    low, high = min(float(at.min()), 0.0), max(float(at.max()), 0.0)
    low, high = max(low, min(centre.min(), 0) - 1.6 * width), min(
        high, max(centre.max(), 0) + 1.6 * width)  # fmt: skip
    pad = 0.04 * (high - low)
    low, high = low - pad, high + pad
    return (math.exp(low), math.exp(high)) if logged else (low, high)


def _ratio_ticks(ax: Axes, low: float, high: float) -> None:
    wide = math.log(high / low) > 4
    ticks = [t for t in ((0.001, 0.01, 0.1, 1, 10, 100, 1000) if wide else
                         (0.1, 0.2, 0.33, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10))
             if low <= t <= high]  # fmt: skip
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))


def league_plot(
    fit: NetworkFit, ax: Axes | None = None, *, digits: int = 2, other: NetworkFit | None = None
) -> Axes:
    """Draw the league table; cells whose interval leaves out no effect are tinted."""
    table = fit.league(digits, other=other)
    size = len(table)
    if ax is None:
        ax = style.figure(1.25 * size + 0.4, 0.42 * size + 0.5)[1]
    below = "row against column"
    above = "the second outcome" if other is not None else "direct evidence alone"
    words = f"Below the diagonal: network, {below}. Above: {above}."
    return draw_league(table, ax, null=1.0 if fit.measure in LOG_MEASURES else 0.0, words=words)


def draw_league(table: pd.DataFrame, ax: Axes, *, null: float, words: str = "") -> Axes:
    """Draw a league table of text on `ax`."""
    with style.house_style():
        size = len(table)
        for i in range(size):
            for j in range(size):
                text = str(table.iat[i, j])
                if not text:
                    continue
                face = _face(text, null) if i != j else style.INK
                ax.add_patch(_box(j, i, face))
                shown = text.replace(" (", "\n(") if i != j else _wrap(text)
                ax.text(j + 0.5, i + 0.5, shown, ha="center", va="center", fontsize=6.6,
                        color="white" if i == j else style.INK,
                        fontweight="bold" if i == j else "normal", linespacing=1.2)  # fmt: skip
        ax.set_xlim(0, size)
        ax.set_ylim(size, 0)
        ax.axis("off")
        ax.text(0, size + 0.12, words, va="top", fontsize=7.5, color=style.SOFT)
    return ax


def _wrap(text: str) -> str:
    """Break a long label at a blank or a sign near its middle."""
    if len(text) <= 14:
        return text
    cuts = [i for i, c in enumerate(text) if c in " +/-_"]
    if not cuts:
        return text
    cut = min(cuts, key=lambda i: abs(i - len(text) / 2))
    return f"{text[: cut + 1].rstrip()}\n{text[cut + 1 :]}"


def _box(x: float, y: float, face: str) -> Rectangle:
    return Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, facecolor=face, edgecolor="none")


def _face(text: str, null: float) -> str:
    low, high = (float(x) for x in text.split("(")[1].rstrip(")").split(" to "))
    if high < null:
        return "#d6e6f2"
    return "#f8dfcf" if low > null else "#f1f3f5"
