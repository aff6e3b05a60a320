"""Curves one below the other in two columns, each under a line with its name, or a comment."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from metablin._input import is_missing
from metablin.io.cells import is_number
from metablin.io.grid import Grid
from metablin.io.names import NAMES, plain, says_percent

__all__ = ["Stacked", "stacked"]

Row = Sequence[str]

LEAST = 2
"""Points of a curve; a single line between two lines of words is no curve."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """One block as a table of its own: the curve's name, a grid, its first data row in the file."""

    name: str
    grid: Grid
    first: int


def stacked(grid: Grid, role: str) -> list[Stacked]:
    """Return the blocks of a grid; none where it holds one table.

    Parameters
    ----------
    grid : Grid
    role : {"survival", "n_at_risk"}
        What the second column is.
    """
    if grid.width != 2:
        return []
    grid = _named_by_comments(grid)
    parts = list(_parts(grid))
    fits = all(len(data) >= LEAST and _is_head(heads[-1:]) for heads, data, _ in parts)
    if len(parts) < 2 or not fits:
        return []
    top = len(parts[0][0])
    out = []
    for number, (heads, data, at) in enumerate(parts, start=1):
        percent = " (%)" if any(says_percent(c) for head in heads for c in head) else ""
        rows = [["time", role + percent], *map(list, data)]
        name = _name(heads, role) or str(number)
        out.append(Stacked(name, replace(grid, rows=rows, short={}), at - top + 1))
    return out


def _named_by_comments(grid: Grid) -> Grid:
    """Make rows of the comment lines above curves of their own; the grid itself without two.

    A comment inside one curve is no name: the times under it do not begin anew, nearer to where
    the block above began than to where it ended.
    """
    at = [i for i, row in enumerate(grid.rows) if is_number(row[0], grid.comma)]
    times = [grid.number(grid.rows[i][0]) or 0.0 for i in at]
    names, begun = [], 0
    for j, (row, text) in enumerate(grid.comments):
        here = bisect_left(at, row)
        last = j + 1 == len(grid.comments) or grid.comments[j + 1][0] > row
        if not last or here == len(at) or not _words([text], grid.comma):
            continue
        start, end, new = times[begun], times[here - 1], times[here]
        if not here or abs(new - start) < abs(new - end):
            names.append(j)
            begun = here
    return grid.with_comments(names) if begun else grid


def _parts(grid: Grid) -> Iterator[tuple[list[Row], list[Row], int]]:
    """Yield the lines of words, the lines of numbers under them, and where those begin."""
    heads: list[Row] = []
    data: list[Row] = []
    for i, row in enumerate(grid.rows):
        if _words(row, grid.comma):
            if data:
                yield heads, data, i - len(data)
                heads, data = [], []
            heads.append(row)
        else:
            data.append(row)
    yield heads, data, len(grid.rows) - len(data)


def _words(row: Row, comma: bool) -> bool:
    filled = [c for c in row if not is_missing(c)]
    return bool(filled) and not any(is_number(c, comma) for c in row)


def _is_head(heads: Sequence[Row]) -> bool:
    """Tell whether a line is a name alone, or names the time and then a curve or a value."""
    return any(not row[1] or plain(row[0]) in NAMES["time"] for row in heads)


def _name(heads: Sequence[Row], role: str) -> str:
    """Return the last cell above a block that is no word for time or value."""
    usual = {*NAMES["time"], *NAMES[role], "y"}
    cells = [c.lstrip("# ") for row in heads for c in row if c and plain(c) not in usual]
    return cells[-1] if cells else ""
