"""Reading a table and checking it cell by cell against its descriptor."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from metablin.datasets.package import Field, Table

__all__ = ["Raw", "Violation", "check_cells", "number", "read_raw"]

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
INTEGER = re.compile(r"[+-]?[0-9]+")
# Bytes that are not UTF-8 are carried as these code points while a file is parsed (PEP 383).
NOT_UTF8 = re.compile("[\udc80-\udcff]")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\u2028\u2029]")
CELL_LIMIT = 40
KEPT = 64  # tables, as text, of which the last that were read are kept
NUMBERS = 2**14  # texts, of which the numbers are kept; the evidence has fewer


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a file departs from what its descriptor allows.

    Attributes
    ----------
    file : str
        File name.
    row : int or None
        Data row, counted from 1; None for the header or the whole file.
    line : int or None
        Line of the file on which the row ends, counted from 1.
    column : str
        Column, or part of the descriptor; may be empty.
    value : str
        The offending cell; may be empty.
    rule : str
        Short name of the rule: ``enum``, ``foreign_key``, or a rule of the descriptor.
    message : str
        What is allowed.
    """

    file: str
    row: int | None
    line: int | None
    column: str
    value: str
    rule: str
    message: str

    def __post_init__(self) -> None:
        for name in ("file", "column", "value", "message"):
            object.__setattr__(self, name, _one_line(getattr(self, name)))
        object.__setattr__(self, "value", _short(self.value))

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row} (line {self.line})")
        elif self.line is not None:
            place.append(f"line {self.line}")
        if self.column:
            place.append(self.column)
        text = " ".join(place)
        if self.value:
            text += f" = {self.value}"
        return f"{text}: {self.message} [{self.rule}]"


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A table as text: well-formed rows only; `keys` also holds the keys of malformed ones.

    Not to be written to: the next reader of the same file has the same lists.
    """

    table: Table
    columns: dict[str, list[str]]
    rows: list[int]
    lines: list[int]
    keys: frozenset[str]

    def violation(self, i: int, column: str, rule: str, message: str) -> Violation:
        """Describe what is wrong with the cell of row `i` in `column`."""
        value = self.columns[column][i]
        return Violation(self.table.path, self.rows[i], self.lines[i], column, value, rule, message)


@lru_cache(maxsize=NUMBERS)
def number(text: str) -> float | None:
    """Return the finite number written in `text`, or None.

    Examples
    --------
    >>> number("0.43"), number("4 3"), number("nan")
    (0.43, None, None)
    """
    if not NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def read_raw(directory: Path, table: Table) -> tuple[Raw | None, list[Violation]]:
    """Read the file of a table; return its text and what is wrong with its form."""

    def whole(rule: str, message: str) -> tuple[None, list[Violation]]:
        return None, [Violation(table.path, None, None, "", "", rule, message)]

    path = directory / table.path
    if not path.is_file():
        return whole("missing_file", f"the file of table {table.name} is missing")
    content = path.read_bytes()
    if not content.strip():
        return whole("empty_file", "the file is empty")
    raw, problems = _parsed(table, content)
    return raw, list(problems)


@lru_cache(maxsize=KEPT)
def _parsed(table: Table, content: bytes) -> tuple[Raw | None, tuple[Violation, ...]]:
    """Return the text of a table; the same bytes are parsed once in a process."""
    text = content.decode("utf-8", errors="surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        parsed = [(cells, reader.line_num) for cells in reader]
    except csv.Error as error:
        message = f"cannot be read beyond line {reader.line_num}: {error}"
        return None, (Violation(table.path, None, None, "", "", "csv", message),)
    header, body = parsed[0][0], parsed[1:]
    problems = list(_header(table, header))
    if not body and not table.may_be_empty:
        problems.append(
            Violation(table.path, None, None, "", "", "no_rows", "the table has no rows")
        )
    if len(header) != len(set(header)) or not set(table.columns) & set(header):
        return None, tuple(problems)
    good, malformed = [], []
    for row, (cells, line) in enumerate(body, start=1):
        if len(cells) == len(header):
            good.append((row, line, cells))
        else:
            malformed.append(cells)
            problems.append(_width(table, header, row, line, cells))
    columns = {name: [cells[j] for _, _, cells in good] for j, name in enumerate(header)}
    keys = set(columns.get(table.primary_key, []))
    if table.primary_key in header:
        j = header.index(table.primary_key)
        keys |= {cells[j] for cells in malformed if j < len(cells)}
    raw = Raw(table, columns, [g[0] for g in good], [g[1] for g in good], frozenset(keys))
    return raw, tuple(problems)


def _header(table: Table, header: list[str]) -> Iterator[Violation]:
    expected = table.columns

    def wrong(column: str, value: str, message: str) -> Violation:
        return Violation(table.path, None, 1, column, value, "header", message)

    if sorted(header) == sorted(expected):
        for i, (name, label) in enumerate(zip(expected, header, strict=True), start=1):
            if name != label:
                yield wrong(name, label, f"column {i} should be {name}")
        return
    for name in expected:
        if name not in header:
            yield wrong(name, "", "the column is missing")
    for i, label in enumerate(header, start=1):
        if label not in expected:
            yield wrong(label, "", f"column {i} is not in the descriptor")
        elif label in header[: i - 1]:
            yield wrong(label, "", f"column {i} repeats an earlier column")


def _width(table: Table, header: list[str], row: int, line: int, cells: list[str]) -> Violation:
    n = len(header)
    if not cells:
        return Violation(table.path, row, line, "", "", "cells", "the row is blank")
    message = f"{len(cells)} cells where the header has {n}"
    if len(cells) > n:
        return Violation(table.path, row, line, "", cells[n], "too_many_cells", message)
    return Violation(table.path, row, line, header[len(cells)], "", "too_few_cells", message)


def check_cells(raw: Raw) -> list[Violation]:
    """Check every cell against the type and constraints of its column."""
    return list(_cells_of(raw))


@lru_cache(maxsize=KEPT)
def _cells_of(raw: Raw) -> tuple[Violation, ...]:
    known = (field for field in raw.table.fields if field.name in raw.columns)
    return tuple(problem for field in known for problem in _check_column(raw, field))


def _check_column(raw: Raw, field: Field) -> list[Violation]:
    values = raw.columns[field.name]
    verdicts = {value: _verdict(field, value) for value in set(values)}
    bad = {value: verdict for value, verdict in verdicts.items() if verdict is not None}
    problems = [
        raw.violation(i, field.name, *bad[value]) for i, value in enumerate(values) if value in bad
    ]
    if field.unique or field.name == raw.table.primary_key:
        first: dict[str, int] = {}
        for i, value in enumerate(values):
            if value and value in first:
                message = f"must be unique; row {raw.rows[first[value]]} has it already"
                problems.append(raw.violation(i, field.name, "unique", message))
            first.setdefault(value, i)
    return problems


def _verdict(field: Field, text: str) -> tuple[str, str] | None:
    """Return the rule a cell breaks and what it allows, or None."""
    if NOT_UTF8.search(text):
        return "utf8", "the file must be UTF-8 text"
    if not text:
        return ("required", "must not be empty") if field.required else None
    for rule, message, holds in _checks(field):
        if not holds(text):
            return rule, message
    return None


def _checks(field: Field) -> Iterator[tuple[str, str, Callable[[str], bool]]]:
    if field.type == "integer":
        yield "type", "must be a whole number", lambda t: INTEGER.fullmatch(t) is not None
    if field.type == "number":
        yield "type", "must be a number", lambda t: number(t) is not None
    if field.type == "boolean":
        yield "type", "must be true or false", lambda t: t in ("true", "false")
    if field.type == "string":
        yield "spaces", "must not start or end with a space", lambda t: t == t.strip()
    if field.enum:
        yield "enum", f"must be one of {', '.join(field.enum)}", lambda t: t in field.enum
    low, high = field.minimum, field.maximum
    if low is not None:
        yield "minimum", f"must be at least {low:g}", lambda t: float(t) >= low
    if high is not None:
        yield "maximum", f"must be at most {high:g}", lambda t: float(t) <= high
    if field.pattern:
        pattern = re.compile(field.pattern)
        yield "pattern", f"must match {field.pattern}", lambda t: bool(pattern.fullmatch(t))


def _one_line(text: str) -> str:
    """Return text fit for one line of UTF-8: odd bytes and control characters escaped."""
    text = NOT_UTF8.sub(lambda m: f"\\x{ord(m.group()) - 0xDC00:02x}", text)
    return UNPRINTABLE.sub(lambda m: m.group().encode("unicode_escape").decode("ascii"), text)


def _short(text: str) -> str:
    return text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - 3] + "..."
