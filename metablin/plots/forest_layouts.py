"""Forest plots as journals and Cochrane reviews print them, and with columns of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from metablin._input import choice, flag
from metablin.errors import DataError
from metablin.options import ForestLayout, words
from metablin.plots import style
from metablin.plots.forest import (
    CHARACTER,
    GAP,
    NAMES,
    ROW_INCHES,
    draw_rows,
    forest,
    forest_frame,
    heterogeneity_words,
    narrow_forest,
    put,
)

if TYPE_CHECKING:
    from metablin.meta import MetaFit

__all__ = ["draw_forest_layout", "forest_layout", "forest_layout_frame", "forest_picture"]

SHORT = {
    "or": "OR", "peto": "Peto OR", "rr": "RR", "hr": "HR", "irr": "IRR", "rd": "RD", "md": "MD",
    "smd": "SMD", "ird": "IRD",
}  # fmt: skip
METHODS = {"mantel-haenszel": "M-H, Fixed", "peto": "Peto, Fixed", "common": "IV, Fixed",
           "random": "IV, Random"}  # fmt: skip
ARMS = ("treatment", "control")
OWN = "own: "
"""Before the name of a column of one's own."""
SQUARE = {"plain": style.colour("study"), "revman": "#1f5fbf", "jama": "#5b6675"}
DIAMOND = {"plain": style.colour("pooled"), "revman": style.INK, "jama": style.INK}
PICTURE_INCHES = 3.2


@dataclass(frozen=True, slots=True)
class _Text:
    """A column of text: its name in the frame, its headings, its side and how it is set."""

    name: str
    heading: str
    left: bool
    align: str
    over: str = ""


def forest_layout_frame(
    fit: MetaFit,
    layout: ForestLayout = "revman",
    *,
    columns: Mapping[str, Sequence[Any]] | None = None,
    studies: bool = True,
    overall: bool = True,
) -> pd.DataFrame:
    """Return the rows of a forest plot with the text columns of a layout.

    Parameters
    ----------
    fit : MetaFit
    layout : {"revman", "jama", "plain"}
    columns : mapping of str to sequence, optional
        Columns of one's own by their headings, one value per input row.
    studies : bool
        Show the studies; without them a subgroup is one line.
    overall : bool
        Show the pool of all subgroups.

    Returns
    -------
    pandas.DataFrame
        As :func:`metablin.plots.forest_frame`, with text columns ``arm_treatment, arm_control``
        (events and patients, or mean, standard deviation and patients), ``share`` (the weight) and
        ``own: HEADING`` for each column of one's own.
    """
    layout = choice("layout", layout, words(ForestLayout))
    frame = forest_frame(fit, overall=overall)
    rows = np.full(len(frame), -1)
    parts = list(fit.subgroups.values()) or [fit]
    rows[frame["kind"] == "study"] = np.concatenate([p.effects.rows for p in parts])
    at = frame["kind"] == "study"
    for arm, cells in _arms(fit).items():
        frame[f"arm_{arm}"] = ""
        frame.loc[at, f"arm_{arm}"] = [cells[i] for i in rows[at]]
    frame["share"] = [f"{100 * w:.1f}%" if w == w else "" for w in frame["weight"]]
    for heading, values in (columns or {}).items():
        given = _own(fit, str(heading), values)
        frame[f"{OWN}{heading}"] = ""
        frame.loc[at, f"{OWN}{heading}"] = [given[i] for i in rows[at]]
    if layout == "revman":
        frame = _revman_words(fit, frame)
    return frame if flag("studies", studies) else _summaries(frame)


def _arms(fit: MetaFit) -> dict[str, dict[int, str]]:
    """Return what was counted or measured in each arm, by input row."""
    c = fit.effects.counts
    parts = [p.effects for p in fit.subgroups.values()] or [fit.effects]
    out: dict[str, dict[int, str]] = {}
    for arm in ARMS:
        names = [f"events_{arm}", f"n_{arm}"]
        if f"person_time_{arm}" in c:
            names[1] = f"person_time_{arm}"
        if f"mean_{arm}" in c:
            names = [f"mean_{arm}", f"sd_{arm}", f"n_{arm}"]
        if not all(n in c for n in names):
            return {}
        out[arm] = {}
        for e in parts:
            values = [e.counts[n] for n in names]
            for i, *cell in zip(e.rows, *values, strict=True):
                out[arm][int(i)] = _cell(cell)
    return out


def _cell(values: list[float]) -> str:
    if len(values) == 2:
        return f"{values[0]:g}/{values[1]:g}"
    return f"{values[0]:.4g} ({values[1]:.4g}), {values[2]:g}"


def _own(fit: MetaFit, heading: str, values: Sequence[Any]) -> dict[int, str]:
    try:
        given = ["" if v is None or v != v else str(v) for v in values]
    except (TypeError, ValueError):
        raise DataError("not a column", column=heading, allowed="one value per input row") from None
    e = fit.effects
    if len(given) == e.n_rows:
        return dict(enumerate(given))
    if len(given) == e.k:
        return {int(i): v for i, v in zip(e.rows, given, strict=True)}
    raise DataError(f"{len(given)} values for {e.n_rows} rows", column=heading)


def _revman_words(fit: MetaFit, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with RevMan's names of totals and its lines below them."""
    frame = frame.copy()
    pooled = frame["kind"] == "pooled"
    level = f"{100 * fit.level:g}%"
    inside = pooled & (frame["group"] != "")
    frame.loc[inside, "label"] = f"Subtotal ({level} CI)"
    frame.loc[pooled & ~inside, "label"] = f"Total ({level} CI)"
    fits = [fit.subgroups[g] if g else fit for g in frame.loc[frame["kind"] == "note", "group"]]
    notes = [
        heterogeneity_words(f) if not text.startswith("Test for") else text
        for f, text in zip(fits, frame.loc[frame["kind"] == "note", "label"], strict=True)
    ]
    frame.loc[frame["kind"] == "note", "label"] = notes
    total = {f"arm_{arm}": _total(fit, arm) for arm in ARMS if f"arm_{arm}" in frame}
    for name, text in total.items():
        frame.loc[pooled & ~inside, name] = text
    return frame


def _total(fit: MetaFit, arm: str) -> str:
    c = fit.effects.counts
    if f"events_{arm}" not in c or f"n_{arm}" not in c:
        return ""
    return f"{c[f'events_{arm}'].sum():g}/{c[f'n_{arm}'].sum():g}"


def _summaries(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each subgroup and the whole, without studies."""
    kept = frame.loc[frame["kind"].isin(["pooled", "prediction"]) | (
        (frame["kind"] == "note") & (frame["group"] == ""))].copy()  # fmt: skip
    named = (kept["kind"] == "pooled") & (kept["group"] != "")
    kept.loc[named, "label"] = kept.loc[named, "group"]
    kept = kept.loc[~((kept["kind"] == "prediction") & (kept["group"] != ""))]
    return kept.assign(position=np.arange(len(kept))).reset_index(drop=True)


@style.styled
def forest_layout(
    fit: MetaFit,
    ax: Axes | None = None,
    *,
    layout: ForestLayout = "revman",
    columns: Mapping[str, Sequence[Any]] | None = None,
    studies: bool = True,
    overall: bool = True,
    favours: tuple[str, str] | None = None,
) -> Axes:
    """Draw a forest plot in the layout of RevMan or JAMA, or with columns of one's own.

    Parameters
    ----------
    fit : MetaFit
    ax : matplotlib.axes.Axes, optional
    layout, columns, studies, overall
        See :func:`forest_layout_frame`.
    favours : (str, str), optional
        Whom effects left and right of no effect favour.

    Returns
    -------
    matplotlib.axes.Axes
        Text columns hang outside the axes; save with ``bbox_inches="tight"``.
    """
    frame = forest_layout_frame(fit, layout, columns=columns, studies=studies, overall=overall)
    if ax is None:
        _, ax = style.figure(PICTURE_INCHES, ROW_INCHES * (len(frame) + 3))
    method = METHODS.get(fit.model, "") if layout == "revman" else ""
    return draw_forest_layout(
        frame, ax, layout=layout, measure=fit.measure, level=fit.level, method=method,
        favours=favours,
    )  # fmt: skip


def forest_picture(
    fit: MetaFit,
    ax: Axes | None = None,
    *,
    layout: ForestLayout = "plain",
    overall: bool = True,
    **options: Any,
) -> Axes:
    """Draw the forest plot of a pooled result: the house's own, or that of a layout.

    Parameters
    ----------
    fit : MetaFit
    ax : matplotlib.axes.Axes, optional
    layout, overall
        See :func:`forest_layout`.
    **options
        Others of :func:`forest_layout`: ``columns``, ``studies``, ``favours``.

    Returns
    -------
    matplotlib.axes.Axes
    """
    layout = choice("layout", layout, words(ForestLayout))
    if layout == "plain" and not options:
        return forest(fit, ax, overall=overall)
    return forest_layout(fit, ax, layout=layout, overall=overall, **options)


@style.styled
def draw_forest_layout(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    layout: ForestLayout,
    measure: str,
    level: float = 0.95,
    method: str = "",
    favours: tuple[str, str] | None = None,
) -> Axes:
    """Draw the rows of :func:`forest_layout_frame` on `ax` and return it.

    Parameters
    ----------
    frame : pandas.DataFrame
    ax : matplotlib.axes.Axes
    layout, measure, level, favours
        See :func:`forest_layout`.
    method : str
        Model in RevMan's words, for the heading.
    """
    limits = draw_rows(frame, ax, measure=measure, square=SQUARE[layout], diamond=DIAMOND[layout])
    _columns(ax, frame, _texts(frame, layout, measure, level, method))
    if favours is not None:
        _favours(ax, favours, top=layout == "jama")
    narrow_forest(ax, frame, measure, limits)
    return ax


def _texts(
    frame: pd.DataFrame, layout: str, measure: str, level: float, method: str
) -> list[_Text]:
    short = SHORT.get(measure, NAMES.get(measure, measure))
    interval = f"{short} ({100 * level:g}% CI)"
    arms = [_Text(f"arm_{a}", "Events/n", True, "right", a.title()) for a in ARMS
            if f"arm_{a}" in frame and (frame[f"arm_{a}"] != "").any()]  # fmt: skip
    counts = frame.get("arm_treatment", pd.Series(dtype=str))
    if counts.str.contains("(", regex=False).any():
        arms = [_Text(t.name, "Mean (SD), n", True, "right", t.over) for t in arms]
    if not arms and (frame["counts"] != "").any():
        arms = [_Text("counts", "Events/n", True, "right")]
    heads = [str(c) for c in frame if str(c).startswith(OWN)]
    own = [_Text(c, c.removeprefix(OWN), True, "right" if _numbers(frame[c]) else "left")
           for c in heads]  # fmt: skip
    share = [_Text("share", "Weight", layout == "revman", "right")]
    if not (frame["share"] != "").any():
        share = []
    name = {"revman": "Study or subgroup", "jama": "Source"}.get(layout, "Study")
    label = _Text("label", name, True, "left")
    if layout == "revman":
        full = f"{method + ', ' if method else ''}{100 * level:g}% CI"
        text = _Text("text", full, True, "right", NAMES.get(measure, measure))
        return [label, *own, *arms, *share, text]
    text = _Text("text", interval, False, "right")
    return [label, *own, *arms, text, *share]


def _numbers(cells: pd.Series[str]) -> bool:
    filled = cells[cells != ""]
    return bool(pd.to_numeric(filled, errors="coerce").notna().all())


def _columns(ax: Axes, frame: pd.DataFrame, texts: list[_Text]) -> None:
    """Set the columns: those of the left side end at the axes, those of the right begin there."""
    long = frame["kind"].isin(["note", "heading"])
    for left in (True, False):
        chosen = [t for t in texts if t.left == left]
        wide = [_width(frame, t, long) for t in chosen]
        edge = -GAP - sum(wide) - GAP * (len(wide) - 1) if left else GAP
        for t, width in zip(chosen, wide, strict=True):
            x = edge if t.align == "left" else edge + width
            for heading, y in ((t.over, -1.75), (t.heading, -1.0)):
                put(ax, 0 if left else 1, y, x, heading, t.align, fontweight="bold")
            for row in frame.itertuples():
                _set(ax, row, t, x, frame)
            edge += width + GAP


def _width(frame: pd.DataFrame, t: _Text, long: pd.Series[bool]) -> float:
    cells = frame.loc[~long, t.name] if t.name == "label" else frame[t.name]
    longest = max([len(t.heading), len(t.over), *cells.str.len()])
    return float(CHARACTER * longest)


def _set(ax: Axes, row: Any, t: _Text, x: float, frame: pd.DataFrame) -> None:
    said: dict[str, Any] = {}
    if row.kind in ("heading", "pooled"):
        said["fontweight"] = "bold"
    if row.kind == "note" and t.name == "label":
        said.update(color=style.SOFT, fontsize=8)
    text = str(frame.loc[row.Index, t.name])
    put(ax, 0 if t.left else 1, row.position, x, text, t.align, **said)


def _favours(ax: Axes, favours: tuple[str, str], *, top: bool) -> None:
    """Say whom the sides favour: below the axis (RevMan) or above the picture (JAMA)."""
    try:
        left, right = (str(x) for x in favours)
    except (TypeError, ValueError):
        raise DataError("two words, for left and right", column="favours",
                        value=repr(favours)) from None  # fmt: skip
    null = 1.0 if ax.get_xscale() == "log" else 0.0
    at = float(ax.transAxes.inverted().transform(ax.transData.transform((null, 0)))[0])
    at = min(max(at, 0.0), 1.0)
    place: dict[str, Any] = {
        "xycoords": "axes fraction", "textcoords": "offset points", "fontsize": 8,
        "annotation_clip": False, "color": style.SOFT,
    }  # fmt: skip
    y, shift = (1, 3) if top else (0, -26)
    if not top:  # below the axis, where its name would stand; the name heads a column
        ax.set_xlabel("")
    for text, ha, dx in ((f"Favours {left}", "right", -5), (f"Favours {right}", "left", 5)):
        ax.annotate(style.plain(text), (at, y), xytext=(dx, shift), ha=ha, va="center", **place)
