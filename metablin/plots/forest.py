"""The forest plot: studies with weights, pooled diamonds, prediction intervals, subgroups."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from metablin.effects.exact import exact_intervals
from metablin.plots import style

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = [
    "draw_forest",
    "draw_rows",
    "forest",
    "forest_frame",
    "heterogeneity_words",
    "label_offset",
    "narrow_forest",
    "put",
]

COLUMNS = [
    "position",
    "kind",
    "group",
    "label",
    "counts",
    "estimate",
    "conf_low",
    "conf_high",
    "pred_low",
    "pred_high",
    "weight",
    "size",
    "text",
]

NUMBERS = ["estimate", "conf_low", "conf_high", "pred_low", "pred_high"]

RATIOS = ("or", "rr", "hr", "irr", "peto")
NAMES = {
    "proportion": "Proportion",
    "or": "Odds ratio",
    "peto": "Peto odds ratio",
    "rr": "Risk ratio",
    "rd": "Risk difference",
    "hr": "Hazard ratio",
    "rate": "Rate",
    "irr": "Rate ratio",
    "ird": "Rate difference",
    "asd": "Arcsine difference",
    "md": "Mean difference",
    "smd": "Standardised mean difference",
    "generic": "Effect",
}

# Widths in points of one character at the house font size, and of the gaps between columns.
CHARACTER = 5.5
GAP = 12.0
ROW_INCHES = 0.235

STUDY = style.colour("study")
POOLED = style.colour("pooled")


def forest_frame(fit: MetaFit, *, overall: bool = True) -> pd.DataFrame:
    """Return the rows of a forest plot, top to bottom, with positions, numbers and labels.

    Parameters
    ----------
    fit : MetaFit
        A pooled result, with or without subgroups.
    overall : bool
        Show the pool of all subgroups; leave it out where adding them up has no meaning.

    Returns
    -------
    pandas.DataFrame
        ``position`` (0 is the top row), ``kind`` (``heading``, ``study``, ``pooled``,
        ``prediction``, ``note`` or ``gap``), ``group``, ``label``, ``counts`` (text such as
        ``81/189``), ``estimate, conf_low, conf_high, pred_low, pred_high`` on the reader's
        scale (of a study with counts the raw proportion and its Clopper-Pearson interval),
        ``weight`` (a share of 1 within its own pool; NaN where the model has no weights), ``size``
        (the weight, else the share of patients) and ``text`` (the estimate as printed).
    """
    whole = fit.to_dict()
    show = _formatter(fit.measure)
    rows: list[dict[str, Any]] = []
    for level, part in fit.subgroups.items():
        inner = part.to_dict()
        rows.append(_row("heading", str(level), group=str(level)))
        rows += _studies(part, show, str(level))
        if inner["k"] > 1:  # one study is itself, not a pool
            rows += _pooled(inner, show, "Pooled", str(level))
            rows.append(_row("note", _heterogeneity(inner), group=str(level)))
        rows.append(_row("gap", ""))
    if not rows:
        rows += _studies(fit, show, "")
    if overall or not whole.get("subgroups"):
        rows += _pooled(whole, show, "Pooled, all studies" if whole.get("subgroups") else "Pooled")
        rows.append(_row("note", _heterogeneity(whole)))
    test = whole.get("subgroup_test")
    if test:
        rows.append(_row("note", _subgroup_test(test)))
    frame = pd.DataFrame(rows, columns=COLUMNS[1:])
    frame.insert(0, "position", np.arange(len(frame)))
    return frame


def _row(kind: str, label: str, **values: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {c: np.nan for c in COLUMNS[5:12]}
    return {"kind": kind, "label": label, "group": "", "counts": "", "text": "", **blank, **values}


def _studies(fit: MetaFit, show: Callable[[float], str], group: str) -> list[dict[str, Any]]:
    return [
        _row(
            "study",
            s["study"],
            group=group,
            counts=count,
            **{name: s[name] for name in NUMBERS[:3]},
            weight=np.nan if s["weight"] is None else s["weight"],
            size=share if s["weight"] is None else s["weight"],
            text=_interval(s, show),
        )
        for s, count, share in zip(_own(fit), _count_texts(fit), _shares(fit), strict=True)
    ]


def _own(fit: MetaFit) -> list[dict[str, Any]]:
    """Each study's own result; of a proportion what was counted, with its exact interval.

    The pool may have added to empty cells, and 4 of 4 would then be shown as 90%.
    """
    studies: list[dict[str, Any]] = fit.to_dict()["studies"]
    counts = fit.effects.counts
    if fit.measure != "proportion" or "events" not in counts:
        return studies
    exact = exact_intervals(counts["events"], counts["n"], level=fit.level)[NUMBERS[:3]]
    numbers = exact.to_numpy(dtype=float)
    return [
        s | dict(zip(NUMBERS, own, strict=False)) for s, own in zip(studies, numbers, strict=True)
    ]


def _pooled(
    part: dict[str, Any], show: Callable[[float], str], label: str, group: str = ""
) -> list[dict[str, Any]]:
    numbers = {n: np.nan if part.get(n) is None else part[n] for n in NUMBERS}
    inner = {n: numbers[n] for n in NUMBERS[:3]}
    rows = [_row("pooled", label, group=group, text=_interval(part, show), **inner)]
    if not np.isnan(numbers["pred_low"]):
        outer = {n: numbers[n] for n in NUMBERS[3:]}
        text = f"{show(outer['pred_low'])} to {show(outer['pred_high'])}"
        rows.append(_row("prediction", "Prediction interval", group=group, text=text, **outer))
    return rows


def _interval(values: dict[str, Any], show: Callable[[float], str]) -> str:
    estimate, low, high = (values.get(n) for n in ("estimate", "conf_low", "conf_high"))
    if estimate is None or low is None or high is None:
        return "" if estimate is None else show(estimate)
    return f"{show(estimate)} ({show(low)} to {show(high)})"


def _formatter(measure: str) -> Callable[[float], str]:
    if measure == "proportion":
        return lambda x: f"{100 * x:z.0f}%"
    return lambda x: f"{x:z.2f}"


def _count_texts(fit: MetaFit) -> list[str]:
    counts = fit.effects.counts
    if "events" not in counts:
        return [""] * fit.k
    second = "n" if "n" in counts else "person_time"
    pairs = zip(counts["events"], counts[second], strict=True)
    return [f"{events:g}/{size:g}" for events, size in pairs]


def _shares(fit: MetaFit) -> list[float]:
    """Return every study's share of the patients, where patients were counted."""
    counts = fit.effects.counts
    size = next((counts[c] for c in ("n", "person_time") if c in counts), np.ones(fit.k))
    return list(size / size.sum())


def _heterogeneity(part: dict[str, Any]) -> str:
    if part["k"] < 2:
        return "one study: heterogeneity cannot be estimated"
    texts = []
    if part.get("tau2") is not None:
        texts.append(f"tau² = {part['tau2']:.3f}")
    if part.get("i2") is not None:
        texts.append(f"I² = {100 * part['i2']:.0f}%")
    if part.get("q_p") is not None:
        texts.append(f"Q = {part['q']:.1f} (df {part['q_df']:.0f}, p {_p(part['q_p'])})")
    if part["model"] == "bayes":
        prior = part["prior"]
        texts.append(f"Bayesian, {prior['family']} prior of scale {prior['scale']:g} on tau")
    return ", ".join(texts)


def heterogeneity_words(fit: MetaFit) -> str:
    """Return heterogeneity and the test of the overall effect in the words of RevMan."""
    if fit.k < 2:
        return "Heterogeneity: not applicable"
    parts = [] if np.isnan(fit.tau2) or fit.model == "common" else [f"Tau² = {fit.tau2:.2f}"]
    if not np.isnan(fit.q):
        parts.append(f"Chi² = {fit.q:.2f}, df = {fit.q_df:g} (P {_p(fit.q_p)})")
    if not np.isnan(fit.i2):
        parts.append(f"I² = {100 * fit.i2:.0f}%")
    name = "Z" if np.isinf(fit.df) else "t"
    overall = ""
    if not np.isnan(fit.p_value):
        overall = f"; overall effect: {name} = {abs(fit.statistic):.2f} (P {_p(fit.p_value)})"
    return "Heterogeneity: " + "; ".join(parts) + overall


def _subgroup_test(test: dict[str, Any]) -> str:
    df = test["df"] if "df" in test else test["q_df"]
    p = test["p_value"] if "p_value" in test else test["q_p"]
    return f"Test for subgroup differences: df {df:.0f}, p {_p(p)}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


@style.styled
def forest(fit: MetaFit, ax: Axes | None = None, *, overall: bool = True) -> Axes:
    """Draw the forest plot of a pooled result.

    Parameters
    ----------
    fit : MetaFit
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of fitting height is made when there is none.
    overall : bool
        See :func:`forest_frame`.

    Returns
    -------
    matplotlib.axes.Axes
        Text columns hang outside the axes; save with ``bbox_inches="tight"``.
    """
    frame = forest_frame(fit, overall=overall)
    with style.house_style():
        if ax is None:
            _, ax = style.figure(3.9, ROW_INCHES * (len(frame) + 3))
        return draw_forest(frame, ax, measure=fit.measure, level=fit.level)


@style.styled
def draw_forest(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    measure: str,
    level: float = 0.95,
    limits: tuple[float, float] | None = None,
    first: str = "Study",
) -> Axes:
    """Draw the rows of :func:`forest_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    measure : str
        Fixes the axis: logarithmic for ratios, percent for proportions.
    level : float
        Confidence level of the intervals, for the column heading.
    limits : (float, float), optional
        Ends of the axis; intervals beyond them end in an arrow.
    first : str
        Heading of the names.
    """
    ends = draw_rows(frame, ax, measure=measure, limits=limits)
    _texts(ax, frame, first, f"{NAMES.get(measure, measure)} ({100 * level:g}% CI)")
    narrow_forest(ax, frame, measure, ends)
    return ax


def draw_rows(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    measure: str,
    limits: tuple[float, float] | None = None,
    square: str = STUDY,
    diamond: str = POOLED,
) -> tuple[float, float]:
    """Draw the marks of a forest plot without its texts, and return the ends of the axis."""
    low, high = limits or _axis_limits(frame, measure)
    _axis(ax, measure, low, high, len(frame))
    for row in _rows(frame):
        if row.kind == "study":
            _draw_study(ax, row, low, high, square)
        elif row.kind == "pooled":
            _draw_pooled(ax, row, low, high, diamond)
        elif row.kind == "prediction":
            _draw_prediction(ax, row, low, high, diamond)
    whole = frame.loc[(frame["kind"] == "pooled") & (frame["group"] == ""), "estimate"]
    if len(whole):
        ax.axvline(whole.iloc[-1], color=style.SOFT, lw=0.8, ls=(0, (2, 2)), zorder=0)
    return low, high


def narrow_forest(ax: Axes, frame: pd.DataFrame, measure: str, limits: tuple[float, float]) -> None:
    """Remember how the forest plot on `ax` is drawn for a telephone."""
    picture = ax.figure
    if isinstance(picture, Figure) and picture.axes == [ax]:
        style.narrow_as(picture, lambda: _narrow(frame, measure, limits))


NARROW_HEIGHTS = {"study": 1.95, "pooled": 1.95, "prediction": 1.95, "gap": 0.4}
"""Of a row on a telephone, in lines of text: the name stands above its mark."""
NARROW_LINE = 0.17
"""Inches of a line of text on a telephone."""
NARROW_LETTERS = 46


def _narrow(frame: pd.DataFrame, measure: str, limits: tuple[float, float]) -> Figure:
    """Draw a forest plot for a telephone: name and estimate on one line, the mark below it."""
    notes = frame["kind"].isin(["note", "heading"])
    beside = [_beside(*pair) for pair in zip(frame["label"], frame["text"], strict=True)]
    wrapped = frame["label"].map(_wrapped).where(notes, pd.Series(beside, index=frame.index))
    lines = wrapped.str.count("\n") + 1
    more = 0.8 * (lines - 1).where(~notes, 0)
    heights = frame["kind"].map(NARROW_HEIGHTS).fillna(1.15) * lines.where(notes, 1) + more
    tops = heights.cumsum() - heights
    total = float(heights.sum())
    picture = Figure(figsize=(style.NARROW_INCHES, NARROW_LINE * total + 0.5))
    ax = picture.add_subplot()
    picture.subplots_adjust(left=0.02, right=0.98)
    _axis(ax, measure, *limits, 1)
    ax.set_ylim(total + 0.2, -0.3)
    placed = frame.assign(position=tops + more + 1.3, label=wrapped, size=frame["size"] / 2)
    draw = {"study": _draw_study, "pooled": _draw_pooled, "prediction": _draw_prediction}
    for row, top, lower in zip(_rows(placed), tops, more, strict=True):
        if row.kind in draw:
            draw[row.kind](ax, row, *limits)
        words: dict[str, Any] = {"va": "center", "transform": ax.get_yaxis_transform()}
        words["fontweight"] = "bold" if row.kind in ("heading", "pooled") else "normal"
        if row.kind == "note":
            words.update(color=style.SOFT, fontsize=8)
        elif row.kind in draw and not _fits(row.label, row.text):
            words["fontsize"] = 7.5
        words["bbox"] = {"facecolor": "white", "lw": 0, "pad": 0.5}
        below = 0.45 + lower / 2 if row.kind in draw else 0.55 * (row.label.count("\n") + 1)
        middle = top + below
        ax.text(0, middle, row.label, ha="left", clip_on=False, **words)
        ax.text(1, middle, row.text, ha="right", **words)
    return picture


def _wrapped(text: str) -> str:
    return textwrap.fill(text, NARROW_LETTERS)


def _fits(label: str, text: str) -> bool:
    return len(label) + len(text) <= NARROW_LETTERS - 4


def _beside(label: str, text: str) -> str:
    """Return a name that leaves room for the estimate on its line, in smaller letters."""
    return label if _fits(label, text) else textwrap.fill(label, NARROW_LETTERS + 6 - len(text))


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    yield from frame.itertuples()


def _axis_limits(frame: pd.DataFrame, measure: str) -> tuple[float, float]:
    if measure == "proportion":
        return 0.0, 1.0
    lows = frame[["conf_low", "pred_low"]].min(axis=1).dropna()
    highs = frame[["conf_high", "pred_high"]].max(axis=1).dropna()
    if measure in RATIOS:
        return float(np.clip(lows.min() / 1.1, 0.05, 0.8)), float(
            np.clip(highs.max() * 1.1, 1.25, 20.0)
        )
    span = highs.max() - lows.min() or 1.0
    return float(lows.min() - 0.05 * span), float(highs.max() + 0.05 * span)


def _axis(ax: Axes, measure: str, low: float, high: float, rows: int) -> None:
    ax.set_ylim(rows - 0.4, -1.2)
    if measure in RATIOS:
        ax.set_xscale("log")
        ticks = [t for t in (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 10, 20) if low <= t <= high]
        ax.set_xticks(_thin(ticks))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
        ax.axvline(1.0, color=style.INK, lw=0.8, zorder=0)
    elif measure == "proportion":
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    else:
        ax.axvline(0.0, color=style.INK, lw=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_xlabel(NAMES.get(measure, measure))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _thin(ticks: Sequence[float]) -> list[float]:
    """Drop the ticks that would crowd their neighbours on a wide axis."""
    if len(ticks) <= 7:
        return list(ticks)
    return [t for t in ticks if t not in (0.75, 1.5, 0.05)]


def _draw_study(ax: Axes, row: Any, low: float, high: float, colour: str = STUDY) -> None:
    left, right = max(row.conf_low, low), min(row.conf_high, high)
    ax.plot([left, right], [row.position] * 2, color=style.INK, lw=1.1, solid_capstyle="butt")
    for beyond, x, marker in ((row.conf_low < low, low, "<"), (row.conf_high > high, high, ">")):
        if beyond:
            ax.plot(x, row.position, marker, color=style.INK, ms=4, clip_on=False)
    if low <= row.estimate <= high:
        area = 14 + 110 * row.size
        ax.scatter(row.estimate, row.position, s=area, marker="s", color=colour)


def _draw_pooled(ax: Axes, row: Any, low: float, high: float, colour: str = POOLED) -> None:
    left = row.estimate if np.isnan(row.conf_low) else max(row.conf_low, low)
    right = row.estimate if np.isnan(row.conf_high) else min(row.conf_high, high)
    y = row.position
    corners = [(left, y), (row.estimate, y - 0.32), (right, y), (row.estimate, y + 0.32)]
    ax.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor=colour, zorder=3))


def _draw_prediction(ax: Axes, row: Any, low: float, high: float, colour: str = POOLED) -> None:
    ends = [max(row.pred_low, low), min(row.pred_high, high)]
    ax.plot(ends, [row.position] * 2, color=colour, lw=3, alpha=0.55, solid_capstyle="butt")


def _texts(ax: Axes, frame: pd.DataFrame, first: str, heading: str) -> None:
    """Put the text columns left and right of the axes, at distances in points."""
    has_counts = bool((frame["counts"] != "").any())
    longest = max(len(heading), int(frame["text"].str.len().max()))
    text_width = CHARACTER * longest + 1.5 * GAP
    label_x = label_offset(frame)
    weight_x = text_width + 7 * CHARACTER + GAP
    head = {"fontweight": "bold"}
    put(ax, 0, -1, label_x, first, "left", **head)
    if has_counts:
        put(ax, 0, -1, -GAP, "Events/n", "right", **head)
    put(ax, 1, -1, text_width, heading, "right", **head)
    if frame["weight"].notna().any():
        put(ax, 1, -1, weight_x, "Weight", "right", **head)
    for row in _rows(frame):
        words: dict[str, Any] = {}
        if row.kind in ("heading", "pooled"):
            words["fontweight"] = "bold"
        if row.kind == "heading":  # nothing else is on its line, so it may reach into the axes
            words["bbox"] = {"facecolor": "white", "lw": 0, "pad": 1.0}
        if row.kind == "note":
            words.update(color=style.SOFT, fontsize=8)
        put(ax, 0, row.position, label_x, row.label, "left", **words)
        put(ax, 0, row.position, -GAP, row.counts, "right")
        put(ax, 1, row.position, text_width, row.text, "right", **words)
        if not np.isnan(row.weight):
            put(ax, 1, row.position, weight_x, f"{100 * row.weight:.1f}%", "right")


def label_offset(frame: pd.DataFrame) -> float:
    """Return where study names begin, in points from the left edge of the axes."""
    labels = frame.loc[frame["kind"].isin(["study", "pooled", "prediction"]), "label"]
    has_counts = bool((frame["counts"] != "").any())
    counts_width = CHARACTER * max(9, int(frame["counts"].str.len().max())) if has_counts else 0.0
    return -(CHARACTER * int(labels.str.len().max()) + counts_width + 2 * GAP)


def put(ax: Axes, side: int, y: float, offset: float, text: str, align: str, **words: Any) -> None:
    """Write a text beside the axes, `offset` points from its left (0) or right (1) edge."""
    if text:
        ax.annotate(
            style.plain(text),
            xy=(side, y),
            xycoords=("axes fraction", "data"),
            xytext=(offset, 0),
            textcoords="offset points",
            ha=align,
            va="center",
            annotation_clip=False,
            **words,
        )
