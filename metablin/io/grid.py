"""A file as rows of cells: separator, quotes, decimal commas, sheets of a workbook."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from metablin._extra import needs
from metablin.errors import DataError
from metablin.io.cells import is_number, looks_numeric, parse
from metablin.io.source import is_workbook, read_bytes, read_text

__all__ = ["Grid", "has_words", "read_grids", "trimmed"]

Rows = list[list[str]]

MOST_CELLS = 20_000_000
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}

_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_BETWEEN = " \t,;|"
_LEFT_OUT = " left out"
_QUOTED_OR_WORD = re.compile(r'"((?:[^"]|"")*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells as text, all of one width, without empty rows and trailing empty columns.

    Attributes
    ----------
    file : str
        Name of the file, for messages.
    rows : list of list of str
    sheet : str
        Name of the sheet in a workbook.
    comma : bool
        Decimals have a comma.
    said : tuple of str
        What was understood of the file beyond plain UTF-8 with commas.
    short : mapping of int to int
        Rows that had fewer cells than the header, with their number of cells.
    comments : tuple of (row, text)
        Comment lines, which are no rows, with the row that each stands above.
    """

    file: str
    rows: Rows
    sheet: str = ""
    comma: bool = False
    said: tuple[str, ...] = ()
    short: Mapping[int, int] = field(default_factory=dict)
    comments: tuple[tuple[int, str], ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.rows[0]) if self.rows else 0

    def number(self, cell: str) -> float | None:
        """Return the number in a cell of this file, or None."""
        return parse(cell, self.comma)

    def with_comments(self, which: Sequence[int]) -> Grid:
        """Return the grid with some of its comment lines as rows of one cell."""
        said = [x for x in self.said if not x.endswith(_LEFT_OUT)]
        said += _left_out([i for j, (i, _) in enumerate(self.comments) if j not in which])
        said.append("comment lines taken as names")
        rows = list(self.rows)
        for j in sorted(which, reverse=True):
            at, text = self.comments[j]
            rows.insert(at, [text, *[""] * (self.width - 1)])
        return replace(self, rows=rows, said=tuple(said), short={}, comments=())

    def without_title(self) -> Grid:
        """Return the grid without leading lines that have one cell only, such as a title."""
        first = 0
        while first < len(self.rows) - 2 and sum(map(bool, self.rows[first])) < min(2, self.width):
            first += 1
        if not first:
            return self
        left = " ".join(x for row in self.rows[:first] for x in row if x)
        said = (*self.said, f"title left out: {left[:60]}")
        return replace(
            self, rows=trimmed(self.rows[first:]), said=said,
            short={i - first: n for i, n in self.short.items() if i >= first},
        )  # fmt: skip

    def with_one_header(self) -> Grid:
        """Return the grid with a header of two rows, the upper one of merged cells, as one row.

        ``Experimental,,Control,`` over ``Events,Total,Events,Total`` becomes
        ``Experimental Events`` and so on.
        """
        if len(self.rows) < 3 or self.short:
            return self
        upper, lower, body = self.rows[0], self.rows[1], self.rows[2:]
        numeric = [any(is_number(row[j], self.comma) for row in body) for j in range(self.width)]
        words = has_words(lower, self.comma) and has_words(upper, self.comma)
        gaps = [not upper[j] for j in range(1, self.width) if lower[j]]
        over = all(lower[j] for j in range(self.width) if numeric[j])
        if not (words and any(gaps) and over and any(numeric) and not lower[0]):
            return self
        names, last = [], ""
        for top, low in zip(upper, lower, strict=True):
            last = top or last
            names.append(f"{last} {low}".strip() if low else top)
        said = (*self.said, "the header's two rows joined")
        return replace(self, rows=[names, *body], said=said)


def read_grids(path: Path, sheet: str | None = None) -> list[Grid]:
    """Return the tables of a file: one of a text, one a sheet of a workbook.

    Parameters
    ----------
    path : Path
    sheet : str, optional
        Only the sheet with this name (or number, from 1).

    Raises
    ------
    DataError
        For a file that is no table, and for a sheet that is not there.
    """
    raw = read_bytes(path)
    if is_workbook(path, raw):
        return _workbook(path, raw, sheet)
    if sheet is not None:
        raise DataError(f"{path.name} is no workbook: it has no sheets", column="--sheet",
                        value=sheet)  # fmt: skip
    found = read_text(path, raw)
    grid = _text_grid(path, found.text)
    said = ((f"read as {found.encoding}",) if found.encoding else ()) + grid.said
    return [replace(grid, said=said)]


# --- text -------------------------------------------------------------------------------------


def _text_grid(path: Path, text: str) -> Grid:
    text = re.sub(r"\r\n?", "\n", text).replace("\xa0", " ")
    said: list[str] = []
    lines = text.split("\n")
    given = re.fullmatch(r"sep=(.)", lines[0].strip())
    if given:
        lines = lines[1:]
    lines, comments = _without_comments(lines)
    said += _left_out([row for row, _ in comments])
    body = "\n".join(lines)
    separator = given[1] if given else _separator(lines)
    rows = _clean(_split(path, body, separator))
    if not rows:
        raise DataError(f"{path.name} has no data rows", allowed="a header and at least one row")
    rows = _row_names(rows)
    comma = _decimal_comma(rows, separator)
    if separator != ",":
        said.append(f"columns between {SEPARATORS.get(separator, repr(separator))}")
    if comma:
        said.append("decimal commas")
    full, short = _same_width(path, rows)
    if len(rows) != sum(map(_filled_line, lines)):
        comments = []  # a cell over several lines: which row a line is cannot be told
    return Grid(path.name, full, "", comma, tuple(said), short, tuple(comments))


def _without_comments(lines: Sequence[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the lines of the table, and the comments with the number of lines above them."""
    first = next((i for i, x in enumerate(lines) if x.strip() and not _is_comment(x)), len(lines))
    quoted = any('"' in line for line in lines[first:] if _is_comment(line))
    kept: list[str] = []
    comments = []
    above = 0
    for i, line in enumerate(lines):
        if _is_comment(line) and (i < first or not quoted):
            comments.append((above, " ".join(line.strip().lstrip("#").rstrip(_BETWEEN).split())))
        elif i >= first:
            kept.append(line)
            above += _filled_line(line)
    return kept, comments


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _filled_line(line: str) -> bool:
    return bool(line.strip(_BETWEEN + '"'))


def _left_out(rows: Sequence[int]) -> list[str]:
    """Say how many comments were left out inside the table; one above it is no surprise."""
    inside = sum(row > 0 for row in rows)
    return [f"{inside} comment line{'s' * (inside > 1)}{_LEFT_OUT}"] if inside else []


def _split(path: Path, body: str, separator: str) -> Rows:
    if separator == " ":
        return [
            [a.replace('""', '"') or b for a, b in _QUOTED_OR_WORD.findall(line)]
            for line in body.split("\n")
        ]
    try:
        reader = csv.reader(StringIO(body, newline=""), delimiter=separator, strict=False,
                            skipinitialspace=True)  # fmt: skip
        return list(reader)
    except csv.Error as error:
        raise DataError(f"{path.name} is not a table of text: {error}") from error


def _clean(rows: Rows) -> Rows:
    """Strip cells, make blanks and breaks inside them single blanks, drop empty rows."""
    stripped = [[" ".join(cell.split()) for cell in row] for row in rows]
    return [row for row in stripped if any(row)]


def _separator(lines: Sequence[str]) -> str:
    """Return the separator that stands in every line outside quotes, in an order of trust.

    A tab or a semicolon in every line is no accident; commas may be decimal commas, and blanks
    may be part of words, so they come after.
    """
    full = [re.sub(r'"[^"]*"', "q", line) for line in lines if line.strip()][:200]
    for mark in ("\t", ";", "|"):
        if full and sum(mark in line for line in full) >= 0.9 * len(full):
            return mark
    return " " if _by_blanks([line.split() for line in full]) else ","


def _by_blanks(lines: Sequence[Sequence[str]]) -> bool:
    """Tell whether columns stand between blanks: rows of equal length with a number in each."""
    body = lines[1:] or lines
    if not body or len({len(row) for row in body}) != 1 or len(body[0]) < 2:
        return False
    if any("," in word for row in lines for word in row):
        return all(_COMMA.fullmatch(w) or is_number(w) for row in body for w in row)
    return all(any(is_number(w) for w in row) for row in body)


def _row_names(rows: Rows) -> Rows:
    """Give R's column of row names, which has no name in the header, the name ``row.names``."""
    if len(rows) > 1 and all(len(r) == len(rows[0]) + 1 and r[-1] for r in rows[1:]):
        first = [r[0] for r in rows[1:]]
        running = first == [str(i + 1) for i in range(len(first))]
        labels = len(rows) > 2 and not any(is_number(x) for x in first)
        if (running or labels) and not any(is_number(x) for x in rows[0]):
            return [["row.names", *rows[0]], *rows[1:]]
    return rows


def _decimal_comma(rows: Rows, separator: str) -> bool:
    """Tell whether this file writes decimals with a comma; refuse where both readings stand."""
    cells = [c for row in rows for c in row]
    commas = [c for c in cells if _COMMA.fullmatch(c)]
    if not commas or any("." in c and is_number(c) for c in cells):
        return False
    sure = [c for c in commas if not _THOUSANDS.fullmatch(c)]
    if separator == ",":
        numbers = [c for c in cells if is_number(c)]
        return bool(sure) and len(commas) > len(numbers)
    return bool(sure)  # 1,204 alone: the cell itself is refused with both readings


def _same_width(path: Path, rows: Rows) -> tuple[Rows, dict[int, int]]:
    """Fill rows to one width and tell which were short; refuse a row longer than the header."""
    rows = trimmed(rows)
    body = next((i for i, row in enumerate(rows) if any(map(is_number, row))), len(rows))
    heads = [row for row in rows[:body] if _filled(row) > 1] or rows[:2]
    width = max(map(len, heads))
    for i, row in enumerate(rows):
        if _filled(row) > width:
            raise DataError(
                f"{path.name} has {_filled(row)} cells", row=max(i, 1),
                allowed=f"{width} cells{_comma_hint(rows)}",
            )  # fmt: skip
    short = {i: len(row) for i, row in enumerate(rows) if len(row) < width}
    return [[*row[:width], *[""] * (width - len(row))] for row in rows], short


def _comma_hint(rows: Rows) -> str:
    if all(len(r) == 2 * len(rows[0]) for r in rows[1:]):
        return "; decimal commas and commas between columns look alike: export with semicolons"
    return ""


def _filled(row: Sequence[str]) -> int:
    """Length of a row without its trailing empty cells."""
    n = len(row)
    while n and not row[n - 1]:
        n -= 1
    return n


def trimmed(rows: Rows) -> Rows:
    """Return rows without the columns at the right end that are empty throughout."""
    width = max(map(_filled, rows), default=0)
    return [row[:width] for row in rows]


def has_words(row: Sequence[str], comma: bool = False) -> bool:
    """Tell whether a row has words only, as a header has."""
    return any(row) and not any(is_number(c, comma) or looks_numeric(c) for c in row)


# --- workbooks --------------------------------------------------------------------------------


def _workbook(path: Path, raw: bytes, sheet: str | None) -> list[Grid]:
    names_and_rows = _sheets(path, raw)
    names = [name for name, _ in names_and_rows]
    if sheet is not None:
        at = [i for i, n in enumerate(names) if n == sheet] or [
            i for i, n in enumerate(names) if n.casefold().strip() == sheet.casefold().strip()
        ]
        if not at and sheet.isdecimal() and 0 < int(sheet) <= len(names):
            at = [int(sheet) - 1]
        if not at:
            raise DataError("no such sheet", column="--sheet", value=sheet,
                            allowed=" | ".join(names))  # fmt: skip
        names_and_rows = [names_and_rows[at[0]]]
    grids = []
    for name, rows in names_and_rows:
        clean = trimmed(_clean(rows))
        if clean:
            width = max(map(len, clean))
            padded = [[*r, *[""] * (width - len(r))] for r in clean]
            padded = [list(r) for r in zip(*_left_trimmed(padded), strict=True)]
            comma = _decimal_comma(padded, ";")
            grids.append(Grid(path.name, padded, name, comma, ("decimal commas",) if comma else ()))
    if not grids:
        raise DataError(f"{path.name} has no data rows", allowed="a header and at least one row")
    return grids


def _left_trimmed(rows: Rows) -> list[tuple[str, ...]]:
    """Return the columns without those at the left end that are empty throughout."""
    columns = list(zip(*rows, strict=True))
    while len(columns) > 1 and not any(columns[0]):
        columns = columns[1:]
    return columns


def _sheets(path: Path, raw: bytes) -> list[tuple[str, Rows]]:
    openpyxl = needs("openpyxl", "data", f", or save the sheet of {path.name} as CSV")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions the reader skips are of no concern
        try:
            book = openpyxl.load_workbook(BytesIO(raw), data_only=True)
        except Exception as error:  # whatever a damaged archive makes the library raise
            raise DataError(f"{path.name} is a damaged workbook",
                            allowed="save it again, or as CSV") from error  # fmt: skip
    out = []
    for sheet in book.worksheets:
        if (sheet.max_row or 0) * (sheet.max_column or 0) > MOST_CELLS:
            raise DataError(f"{path.name}, sheet {sheet.title!r} has too many cells",
                            allowed=f"at most {MOST_CELLS}")  # fmt: skip
        out.append((sheet.title, [[_shown(v) for v in row] for row in sheet.values]))
    return out


def _shown(value: Any) -> str:
    """Return a cell of a workbook as text; a date keeps the form by which it is recognised."""
    shown: dict[type, Callable[[Any], str]] = {
        type(None): lambda v: "",
        bool: lambda v: str(v).upper(),
        int: str,
        float: lambda v: str(int(v)) if v == int(v) and abs(v) < 1e15 else repr(v),
        datetime: lambda v: v.date().isoformat(),
        date: lambda v: v.isoformat(),
        time: lambda v: v.isoformat(),
    }
    return shown.get(type(value), str)(value)
