"""From a file to arms: readers, panels, axes, curves, table, names, checks, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from metablin.digitise.arms import Arm
from metablin.digitise.axes import Panel, find_panels, has_level_axes
from metablin.digitise.byhand import Hand, apply_axes
from metablin.digitise.checks import doubts
from metablin.digitise.mirror import as_survival, mirrored, mirrored_back, rises
from metablin.digitise.names import Key, Named, legend_keys, name_curves
from metablin.digitise.raster import complete_table, picture_panels, raster_curves
from metablin.digitise.readers import (
    Drawing,
    kind_of,
    page_count,
    read_pdf,
    read_picture,
    read_svg,
    spell,
    spell_lines,
)
from metablin.digitise.records import Digitised
from metablin.digitise.steps import RawCurve, vector_curves
from metablin.digitise.table import RiskRow, find_table
from metablin.digitise.ticks import calibrate
from metablin.errors import DataError

__all__ = ["digitise"]

PIXEL = 0.5  # reading error of a place in a picture, in pixels
LOOK_AT = 60  # pages of a PDF that are searched for a figure in vectors
LOOK_AT_PIXELS = 3  # and pages that are searched in pixels, which takes seconds a page


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of one panel."""

    panel: Panel
    named: list[Named]
    rows: list[RiskRow]
    expected: int | None


def digitise(
    path: str | Path,
    *,
    page: int | None = None,
    panel: int | str | None = None,
    arms: int | Sequence[str] | None = None,
    x_axis: Any = None,
    y_axis: Any = None,
    at_risk: Any = None,
    failure: bool = False,
) -> Digitised:
    """Read the Kaplan-Meier curves of a figure.

    Vector figures (PDF, SVG) are read from the paths as drawn, to the precision of the file;
    pictures (PNG, JPEG, TIFF, WebP) by following each curve through its pixels. Axes come from
    their printed numbers, names from the legend, from text beside the curves or from the table.

    Parameters
    ----------
    path : str or Path
        The figure. A page of text may hold it among others.
    page : int, optional
        Page of a PDF, from 1; the first that holds a figure when not given.
    panel : int or str, optional
        One panel of several: its number from 1, or its letter. All when not given.
    arms : int or sequence of str, optional
        Number of arms, or their names from top to bottom of legend or table.
    x_axis, y_axis : pair, optional
        Values of the first and of the last mark of an axis; or ((value, place), (value, place)).
    at_risk : str or DataFrame, optional
        Numbers at risk by hand: ``"A 0:154,6:96; B 0:150,6:80"`` or columns id, time, n_at_risk.
    failure : bool
        The curves rise: 1 - S is drawn.

    Returns
    -------
    Digitised

    Raises
    ------
    DataError
        For a file that is no figure, or axes and curves that are not found; the message names
        what to give by hand.

    Examples
    --------
    >>> import metablin as mb
    >>> mb.digitise("missing.pdf")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'missing.pdf'
    """
    path = Path(path)
    hand = Hand(arms=arms, x_axis=x_axis, y_axis=y_axis, at_risk=at_risk)
    drawing, panels, number = _opened(path, page, hand)
    panels = _chosen(panels, panel)
    readings = [_read(p, drawing, hand, failure) for p in panels]
    readings = _told_by_others([r for r in readings if r.named])
    if not readings:
        raise _no_curves(panels, drawing, failure)
    arms_read = _arms(readings, drawing)
    hand.check_names(arms_read)
    notes = _notes(path, drawing, readings, page, number, failure)
    return Digitised(
        path.name, number, drawing.kind, tuple(r.panel for r in readings),
        tuple(arms_read), drawing, tuple(notes), path,
    )  # fmt: skip


def _told_by_others(readings: list[_Reading]) -> list[_Reading]:
    """Expect as many arms in a panel without a legend of its own as the others list."""
    listed = [r.expected for r in readings if r.expected is not None]
    if not listed:
        return readings
    return [r if r.expected is not None else replace(r, expected=max(listed)) for r in readings]


def _opened(path: Path, page: int | None, hand: Hand) -> tuple[Drawing, list[Panel], int]:
    """Return the drawing that holds a figure, its panels and the number of its page."""
    kind = kind_of(path)
    if kind == "PDF":
        return _opened_pdf(path, page, hand)
    if page not in (None, 1):
        raise DataError("no such page", column="--page", value=page, allowed="1")
    if kind == "SVG":
        drawing, panels = _vector(read_svg(path), hand)
        embedded = drawing.extra.get("embedded", ())
        if not panels and embedded:
            drawing, panels = picture_panels(read_picture(embedded[0], path.name), hand)
    else:
        drawing, panels = picture_panels(read_picture(path, path.name), hand)
    return drawing, _some(panels, path), 1


def _opened_pdf(path: Path, page: int | None, hand: Hand) -> tuple[Drawing, list[Panel], int]:
    count = page_count(path)
    pages = [page] if page is not None else list(range(1, min(count, LOOK_AT) + 1))
    axes_only = None
    for number in pages:
        drawing, panels = _vector(read_pdf(path, number), hand)
        if panels and any(vector_curves(p, drawing) or rises(p, drawing) for p in panels):
            return drawing, panels, number
        if panels and axes_only is None and not drawing.extra["pictures"]:
            axes_only = drawing, panels, number
    if axes_only is not None:
        return axes_only
    for number in pages[:LOOK_AT_PIXELS]:
        drawing = read_pdf(path, number)
        if _on_its_side(drawing, path, number, hand):
            continue
        pixels = drawing.extra["picture"]()
        drawing, panels = picture_panels(read_picture(pixels, path.name), hand)
        if panels:
            return drawing, panels, number
    return drawing, _some([], path), 1


def _on_its_side(drawing: Drawing, path: Path, page: int, hand: Hand) -> bool:
    """Whether a page is drawn upright and shown turned: in its pixels no number could be read."""
    by_hand = hand.x_axis is not None or hand.y_axis is not None
    if not drawing.extra["turn"] or drawing.extra["pictures"] or by_hand:
        return False
    return has_level_axes(read_pdf(path, page, as_shown=False))


def _vector(drawing: Drawing, hand: Hand) -> tuple[Drawing, list[Panel]]:
    """Return a vector drawing with all its text, and its calibrated panels."""
    text = tuple(lab for lab in drawing.labels if lab.text.strip("+| "))
    drawing = replace(drawing, labels=text)
    panels = find_panels(drawing)
    if not panels and drawing.extra.get("lines"):
        spelt = spell_lines(drawing)
        panels = find_panels(spelt)
        drawing = spelt if panels else drawing
    if not panels and drawing.extra.get("outlines"):
        drawing = spell(drawing)
        panels = find_panels(drawing)
        if not panels:
            drawing = spell(drawing, upright=True)
            panels = find_panels(drawing)
    panels = [calibrate(p, drawing) for p in panels]
    return drawing, apply_axes(panels, drawing, hand)


def _some(panels: list[Panel], path: Path) -> list[Panel]:
    if not panels:
        raise DataError(
            f"{path.name}: no pair of axes with numbers was found",
            allowed="a Kaplan-Meier figure with a linear time axis and survival of 0 to 1 or 100; "
            "else give --x-axis and --y-axis",
        )
    return panels


def _chosen(panels: list[Panel], wanted: int | str | None) -> list[Panel]:
    """Return all panels, or the one chosen by number or letter."""
    if wanted is None:
        return panels
    text = str(wanted).strip()
    for i, panel in enumerate(panels, start=1):
        if text == str(i) or (panel.letter and text.lower() == panel.letter.lower()):
            return [panel]
    names = ", ".join(p.letter or str(i) for i, p in enumerate(panels, start=1))
    raise DataError("no such panel", column="--panel", value=wanted, allowed=names)


def _read(panel: Panel, drawing: Drawing, hand: Hand, failure: bool) -> _Reading:
    """Read the curves, the table and the names of one panel."""
    _, rows = find_table(panel, drawing.labels)
    if drawing.kind == "raster" or "spelled" in drawing.extra:
        rows = complete_table(panel, drawing, rows)
    shown, turned = mirrored(panel, drawing) if failure else (panel, drawing)
    if drawing.kind == "vector":
        curves: list[RawCurve] = vector_curves(shown, turned)
        keys: list[Key] = legend_keys(turned)
    else:
        curves, keys = raster_curves(shown, turned, rows, hand)
    if failure:
        curves = [mirrored_back(c, drawing) for c in curves]
        panel = as_survival(panel)
    curves = hand.at_most(curves)
    if not curves:
        return _Reading(panel, [], rows, None)
    named = name_curves(panel, curves, keys, drawing.labels, rows)
    used = [n.row for n in named if n.row is not None]
    rows = [r for r in rows if r in used] if len(used) == len(named) else rows
    expected = hand.expected(_listed(keys, rows, named))
    return _Reading(panel, hand.with_rows(hand.named(named), panel.letter), rows, expected)


def _listed(keys: Sequence[Key], rows: Sequence[RiskRow], named: Sequence[Named]) -> int | None:
    """Return how many arms the table lists, or the legend where there is no table."""
    if rows:
        return len(rows)
    used = [k for k in keys if any(n.name == k.text for n in named)]
    listed = {(k.text, k.colour) for k in keys if any(_beside(k, other) for other in used)}
    return len(listed) or None


def _beside(key: Key, other: Key) -> bool:
    """Whether two samples stand in one column or one row of a legend, as wide as each other."""
    near = abs(key.x - other.x) < 2 or abs(key.y - other.y) < 2
    return near and abs(key.width - other.width) <= 0.5 * max(key.width, other.width)


def _no_curves(panels: list[Panel], drawing: Drawing, failure: bool) -> DataError:
    if not failure and any(rises(p, drawing) for p in panels):
        return DataError(
            "the curves rise: a figure of cumulative incidence",
            allowed="--failure reads it as 1 - S",
        )
    return DataError(
        "axes were found, but no curve that starts at time 0 and survival 1 and falls in steps",
        allowed="Kaplan-Meier curves; else give --x-axis and --y-axis, or --failure",
    )


def _arms(readings: list[_Reading], drawing: Drawing) -> list[Arm]:
    several = len(readings) > 1
    out = []
    for k, reading in enumerate(readings):
        letter = reading.panel.letter or chr(65 + k)
        for named in reading.named:
            name = named.name
            ident = f"{letter}|{name}" if several else name
            out.append(_arm(named, reading, k, ident, drawing))
    return _unique(out)


def _unique(arms: list[Arm]) -> list[Arm]:
    """Tell arms of one name apart by a number."""
    seen: dict[str, int] = {}
    out = []
    for arm in arms:
        seen[arm.id] = seen.get(arm.id, 0) + 1
        again = seen[arm.id]
        out.append(arm if again == 1 else replace(arm, id=f"{arm.id} ({again})"))
    return out


def _arm(named: Named, reading: _Reading, k: int, ident: str, drawing: Drawing) -> Arm:
    panel, curve, row = reading.panel, named.curve, named.row
    found = doubts(
        panel, named, reading.named, reading.expected, reading.rows, drawing.kind == "raster"
    )
    confidence = float(np.prod([d.factor for d in found])) if found else 1.0
    time, survival, xy = _clicks(panel, curve)
    exact = drawing.kind == "vector"
    marks = np.unique(np.clip(panel.x.value(curve.censored), 0.0, time[-1]))
    return Arm(
        id=ident,
        name=named.name,
        panel=k,
        time=time,
        survival=survival,
        censor_times=marks,
        at_risk_times=np.array(row.times if row else (), dtype=float),
        at_risk=np.array(row.counts if row else (), dtype=np.int64),
        colour=curve.colour,
        dash=curve.dash,
        confidence=confidence,
        reasons=tuple(d.reason for d in found),
        exact=exact,
        xy=xy,
        named_by=named.source,
        noise=0.0 if exact else max(PIXEL * abs(panel.y.slope), curve.error),
        axis_errors=(0.0, 0.0) if exact else _axis_errors(panel),
    )


def _axis_errors(panel: Panel) -> tuple[float, float]:
    """Return the error of an axis' end in pixels' worth of its value: places, and their line."""
    x, y = (
        abs(a.slope) * float(np.hypot(PIXEL, a.residual)) / np.sqrt(len(a.values) / 2)
        for a in (panel.x, panel.y)
    )
    return float(x), float(y)


def _clicks(panel: Panel, curve: RawCurve) -> tuple[Any, Any, Any]:
    """Return times, survival and places of the corners, with the start at (0, 1)."""
    time = np.maximum(panel.x.value(curve.xy[:, 0]), 0.0)
    survival = np.clip(panel.y.value(curve.xy[:, 1]), 0.0, 1.0)
    time = np.maximum.accumulate(time)
    survival = np.minimum.accumulate(survival)
    time[0], survival[0] = 0.0, 1.0
    return np.round(time, 9), np.round(survival, 9), np.array(curve.xy)


def _notes(
    path: Path,
    drawing: Drawing,
    readings: list[_Reading],
    page: int | None,
    number: int,
    failure: bool,
) -> list[str]:
    out = list(drawing.notes)
    if path.suffix.lower() == ".pdf" and page is None and number > 1:
        out.append(f"the figure was found on page {number}")
    if failure:
        out.append("rising curves were read as 1 - S")
    for r in readings:
        sources = {r.panel.x.source, r.panel.y.source}
        low = min(r.panel.y.values)
        if "labels" in sources:
            out.append("an axis has no marks: its places come from its labels")
        if low > 0.05:
            out.append(f"the survival axis starts at {low:g}")
    return list(dict.fromkeys(out))
