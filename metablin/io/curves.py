"""Clicks on survival curves, from the files that digitisers write and people keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.io.grid import Grid, read_grids
from metablin.io.layout import Long, Part, lay_out
from metablin.io.order import Ordered, in_order
from metablin.io.table import ReadOptions

__all__ = ["Curves", "read_curves"]

FloatArray = NDArray[np.float64]

_USELESS = ("lower", "upper", "conf_low", "conf_high", "std_error", "nevent", "ncensor", "point",
            "n.event", "n.censor", "std.err", "x.1", "strata.1")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curves:
    """Clicks in order of time, as :func:`metablin.reconstruct_many` takes them.

    Attributes
    ----------
    clicks : DataFrame
        ``id`` (empty for a curve without a name), ``time``, ``survival`` (0 to 1, or percent as
        `percent` says).
    rows : ndarray of int
        Row of the file behind every click.
    named : bool
        The file tells several curves apart.
    percent : bool
        Survival is in percent.
    errors : dict of str to DataError
        What is wrong with curves that could not be read.
    note : str
        One line: what was understood.
    """

    clicks: pd.DataFrame
    rows: NDArray[np.intp]
    named: bool
    percent: bool
    errors: dict[str, DataError]
    note: str


def read_curves(path: Path, options: ReadOptions | None = None, failure: bool = False) -> Curves:
    """Read the clicks of one or many curves.

    Parameters
    ----------
    path : Path
        Text (CSV of any separator) or a workbook: long (``id, time, survival``), wide (``time``
        and one column a curve), in pairs of columns, a sheet a curve, or two columns without a
        header.
    options : ReadOptions, optional
    failure : bool
        The values are 1 - S (cumulative incidence).

    Returns
    -------
    Curves

    Raises
    ------
    DataError
        For a file that holds no curve, or whose layout is not clear.

    Notes
    -----
    Clicks are sorted by time, from the right when they were made from the right; clicks of one
    vertical fall, within 0.4% of the time axis, are put in order from the top. Both are said in
    ``note``.
    """
    options = options or ReadOptions()
    long = _all_sheets(read_grids(path, options.sheet), options)
    percent = options.percent or long.percent
    if long.percent and not options.percent:
        long.said.append("survival in percent by its header")
    parts, errors = [], {}
    moved, untangled = 0, 0
    for part in long.parts:
        try:
            ordered, found = _ordered(part, long, 100.0 if percent else 1.0, failure)
        except DataError as error:
            errors[part.id] = error
            continue
        parts.append(ordered)
        moved += found.sorted
        untangled += found.untangled
    said = [*long.said]
    if moved:
        said.append("sorted by time")
    if untangled:
        said.append(f"{untangled} clicks at vertical falls put in order")
    if options.unit and options.unit != "months":
        said.append(f"times in {options.unit}, turned into months")
    counts = [(part.id, part.time.size) for part in long.parts]
    note = f"{path.name}: {'; '.join([_curves(counts), *said])}"
    clicks, rows = _table(parts, options.months)
    return Curves(clicks, rows, long.named, percent, errors, note)


def _ordered(part: Part, long: Long, scale: float, failure: bool) -> tuple[Part, Ordered]:
    if part.id in long.errors:
        raise DataError.joined(long.errors[part.id])
    value = scale - part.value if failure else part.value
    found = in_order(part.time, value / scale, part.row, part.id)
    return Part(part.id, found.time, value[found.at], part.row[found.at]), found


def _table(parts: Sequence[Part], months: float) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts] or [np.empty(0)])

    ids = np.repeat(np.array([p.id for p in parts], dtype=object), [p.time.size for p in parts])
    frame = pd.DataFrame({"id": ids, "time": column("time") * months, "survival": column("value")})
    return frame, column("row").astype(np.intp)


def _curves(counts: Sequence[tuple[str, int]]) -> str:
    if len(counts) == 1 and not counts[0][0]:
        return f"1 curve ({counts[0][1]} points)"
    first = [f"{name} ({n}{' points' if i == 0 else ''})" for i, (name, n) in enumerate(counts)]
    shown = first if len(first) <= 8 else [*first[:8], "..."]
    return f"{len(counts)} curve{'' if len(counts) == 1 else 's'}, {', '.join(shown)}"


def _all_sheets(grids: Sequence[Grid], options: ReadOptions) -> Long:
    """Read every sheet that has numbers; each is a curve (or several) with the sheet's name."""
    useful = [g for g in grids if any(g.number(c) is not None for row in g.rows for c in row)]
    if not useful:
        raise DataError(f"{grids[0].file} has no numbers", allowed="time and survival")
    if len(useful) == 1:
        found = lay_out(useful[0], options, "survival", fits_survival, _USELESS)
        if useful[0].sheet and len(grids) > 1:
            found.said.append(f"sheet {useful[0].sheet!r}")
        return found
    out = Long(named=True)
    for grid in useful:
        part = lay_out(grid, options, "survival", fits_survival, _USELESS)
        out.join(part, partial(_in_sheet, grid.sheet))
    return out


def _in_sheet(sheet: str, name: str) -> str:
    return f"{sheet} {name}" if name else sheet


def fits_survival(time: FloatArray, value: FloatArray) -> bool:
    """Tell whether two columns without names can be the times and the survival of a curve."""
    if time.size < 2 or np.isnan(time).any() or np.isnan(value).any():
        return False
    axis = float(time.max())
    if axis <= 0 or time.min() < -0.02 * axis or value.min() < -2 or value.max() > 102:
        return False
    order = np.lexsort((-value, time))
    y = value[order]
    top = 100.0 if value.max() > 2 else 1.0
    falls = float(np.maximum(-np.diff(y), 0).sum())
    rises = float(np.maximum(np.diff(y), 0).sum())
    return bool(y[0] > 0.7 * top and np.ptp(time) > 0 and rises <= 0.1 * falls + 0.05 * top)
