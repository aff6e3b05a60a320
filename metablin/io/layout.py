"""Where the columns of a table of curves stand: long, wide, in pairs, with a header or without.

Curves and at-risk tables come in the same layouts. The two differ in the name of the value
(survival, or patients at risk) and in what a column of values must look like, so both readers use
this module and end with long columns ``id, time, value`` and the rows they came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from metablin._input import is_missing
from metablin.errors import DataError
from metablin.io.blocks import stacked
from metablin.io.cells import column_of_numbers, is_number
from metablin.io.grid import Grid, trimmed
from metablin.io.names import NAMES, find, mapping, plain, said_unit, says_percent
from metablin.io.table import ReadOptions, check_unit

__all__ = ["Long", "Part", "lay_out"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

Fits = Callable[[FloatArray, FloatArray], bool]
"""Whether two columns of numbers can be the times and the values of one curve."""


@dataclass(frozen=True, slots=True)
class Part:
    """One curve: its name (empty without one), times, values, and data rows of the file from 1."""

    id: str
    time: FloatArray
    value: FloatArray
    row: IntArray


@dataclass(slots=True)
class Long:
    """The curves of a table.

    Attributes
    ----------
    parts : list of Part
        One a curve, in order of appearance.
    named : bool
        The file itself tells several curves apart, or names its one curve in a column.
    percent : bool
        A header says that values are in percent.
    errors : dict of str to list of DataError
        Bad cells by curve.
    said : list of str
    """

    parts: list[Part] = field(default_factory=list)
    named: bool = False
    percent: bool = False
    errors: dict[str, list[DataError]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Names of the curves."""
        return [part.id for part in self.parts]

    def join(self, other: Long, rename: Callable[[str], str]) -> None:
        """Take over the curves of another table, such as the next sheet, under new names.

        Raises
        ------
        DataError
            When a name is there already.
        """
        for part in other.parts:
            name = rename(part.id)
            if name in self.names:
                raise DataError("two curves have one name", column="id", value=name)
            self.parts.append(replace(part, id=name))
        self.percent |= other.percent
        self.named |= other.named
        self.errors |= {rename(name): bad for name, bad in other.errors.items()}
        self.said += [x for x in other.said if x not in self.said]


def lay_out(
    grid: Grid, options: ReadOptions, role: str, fits: Fits, ignored: Sequence[str] = ()
) -> Long:
    """Return the curves of a grid as one long table.

    Parameters
    ----------
    grid : Grid
    options : ReadOptions
    role : {"survival", "n_at_risk"}
        What the values are.
    fits : callable
        Judges whether a pair of columns without names can be a curve.
    ignored : sequence of str
        Known columns that are of no use here and not worth a word.

    Raises
    ------
    DataError
        When the layout is not clear.
    """
    blocks = stacked(grid, role)
    if not blocks:
        return _Reader(grid, options, role, fits, ignored).read()
    out = Long(named=True, said=[*blocks[0].grid.said, "curves one below the other"])
    for block in blocks:
        found = _Reader(block.grid, options, role, fits, ignored, block.first).read()
        out.join(found, partial(_named, block.name))
    return out


class _Reader:
    def __init__(
        self,
        grid: Grid,
        options: ReadOptions,
        role: str,
        fits: Fits,
        ignored: Sequence[str],
        first: int = 1,
    ) -> None:
        self.grid, self.options, self.role, self.fits = grid, options, role, fits
        self.ignored = {plain(x) for x in ignored}
        self.comma = grid.comma
        self.out = Long(said=list(grid.said))
        heads = self._header_rows()
        self.heads = grid.rows[:heads]
        self.cells = grid.rows[heads:]
        self.rows = np.arange(first, first + len(self.cells))
        if not self.cells:
            raise DataError(f"{grid.file} has no data rows",
                            allowed="a header and at least one row")  # fmt: skip

    def _header_rows(self) -> int:
        """Count the rows of words above the numbers; a row that names the time is a header."""
        count = 0
        for row in self.grid.rows:
            words = any(row) and not any(is_number(c, self.comma) for c in row)
            if not words and not (count == 0 and _names_time(row[0])):
                break
            if count and _is_data(row):
                break
            count += 1
        return min(count, len(self.grid.rows) - 1)

    def read(self) -> Long:
        width = self.grid.width
        if width == 1:
            raise DataError(f"{self.grid.file} has one column",
                            allowed=f"time and {self.role}")  # fmt: skip
        if not self.heads:
            if self.options.columns:
                raise DataError("the file has no header to name columns by", column="--columns")
            return self._without_header()
        names, header = self._names_and_header()
        self.header = header
        if self._pairs(names, header):
            return self.out
        self._needs_whole_rows()
        return self._long_or_wide(header)

    def _needs_whole_rows(self) -> None:
        first = len(self.heads)
        errors = [
            DataError(f"{self.grid.file} has {n} cell{'s' * (n != 1)}", row=i - first + 1,
                      allowed=f"{self.grid.width} cells"
                      f"{'; a footnote? delete the line' if n == 1 else ''}")
            for i, n in self.grid.short.items() if i >= first
        ]  # fmt: skip
        if errors:
            raise DataError.joined(errors)

    def _names_and_header(self) -> tuple[list[str], list[str]]:
        """Return names that stand over pairs of columns (or none), and the row nearest the data."""
        header = self.heads[-1]
        over = self.heads[-2] if len(self.heads) > 1 else [""] * len(header)
        names = []
        last = ""
        for j, cell in enumerate(over):
            last = cell or (last if j % 2 else "")
            names.append(last)
        return names, header

    # --- pairs --------------------------------------------------------------------------------

    def _pairs(self, names: list[str], header: list[str]) -> bool:
        """Read columns that come as time and value, time and value; tell whether they do."""
        width = len(header)
        if width % 2 or self.options.columns:
            return False
        curves = []
        for j in range(0, width, 2):
            name = _pair_name(header[j], header[j + 1], self.role)
            if name is None:
                return False
            curves.append(names[j] or names[j + 1] or name)
        single = width == 2
        if single and not names[0] and not curves[0]:
            return False  # plain time and value: the long reader says so
        if not single and not all(curves):
            curves = [name or str(i + 1) for i, name in enumerate(curves)]
        if len(set(curves)) < len(curves):
            raise DataError("two curves have one name", column=header[0], value=curves[-1],
                            allowed="a name of its own for each curve")  # fmt: skip
        self.out.named = not single
        for j, name in zip(range(0, width, 2), curves, strict=True):
            self.out.percent |= says_percent(header[j + 1]) or says_percent(names[j])
            self._column_pair("" if single else name, j, j + 1)
        if single and curves[0]:
            self.out.said.append(f"curve {curves[0]}")
        return True

    def _column_pair(self, name: str, at_time: int, at_value: int) -> None:
        cells = [(row[at_time], row[at_value]) for row in self.cells]
        while cells and not any(cells[-1]):
            cells.pop()
        self._add(name, [c[0] for c in cells], [c[1] for c in cells], self.rows[: len(cells)])

    def _add(self, name: str, times: Sequence[str], values: Sequence[str], rows: IntArray) -> None:
        """Append a curve after turning its cells into numbers; bad cells become its errors."""
        t, y, row = list(times), list(values), rows
        if self.options.missing == "drop":
            keep = [i for i in range(len(t)) if not (is_missing(t[i]) or is_missing(y[i]))]
            if len(keep) < len(t):
                gone = [str(row[i]) for i in range(len(t)) if i not in set(keep)]
                self.out.said.append(f"left out for a missing value: row {', '.join(gone)}")
                t, y, row = [t[i] for i in keep], [y[i] for i in keep], row[keep]
        numbers, errors = [], []
        for column, cells in (("time", t), (self.role, y)):
            found, bad = column_of_numbers(
                column, cells, comma=self.comma, rows=[int(i) for i in row],
                percent=column == "survival" and (self.options.percent or self.out.percent),
                studies=[name] * len(cells),
            )  # fmt: skip
            numbers.append(found)
            errors += bad
        if errors:
            self.out.errors.setdefault(name, []).extend(sorted(errors, key=lambda e: e.row or 0))
        self.out.parts.append(Part(name, numbers[0], numbers[1], row))

    # --- long and wide ------------------------------------------------------------------------

    def _long_or_wide(self, header: list[str]) -> Long:
        given = mapping(self.options.columns, header, ("id", "time", self.role))
        running = self._running(header, given)
        at_time = find(header, "time", given, running)
        if at_time is None:
            at_time = self._first_numeric(header, running) if self.role == "survival" else None
        if at_time is None:
            raise DataError(f"{self.grid.file} lacks the column", column="time",
                            allowed=self._found(header))  # fmt: skip
        self._check_unit(header[at_time])
        taken = {*running, at_time}
        at_value = self._value_column(header, given, taken)
        if at_value is None:
            return self._wide(header, at_time, taken)
        at_id = find(header, "id", given, {*taken, at_value})
        self.out.percent |= says_percent(header[at_value])
        used = {*taken, at_value, *([] if at_id is None else [at_id])}
        free = [h for j, h in enumerate(header) if h and j not in used]
        over = [h for h in free if plain(h) not in self.ignored]
        if at_id is None:
            self._no_hidden_id(header, used)
        if over:
            self.out.said.append(f"not used: {', '.join(over)}")
        return self._long(at_id, at_time, at_value)

    def _check_unit(self, header: str) -> None:
        unit = said_unit(header)
        check_unit(header, unit, self.options.unit)
        if unit not in (None, "months") and self.options.unit is None and self.role == "survival":
            self.out.said.append(f"times stay in {unit}; --unit {unit} gives months")

    def _found(self, header: Sequence[str]) -> str:
        return f"found: {', '.join(h for h in header if h)}; --columns time=NAME says which it is"

    def _value_column(
        self, header: list[str], given: dict[str, int], taken: set[int]
    ) -> int | None:
        """Return the one column of values, or None where every other column is an arm."""
        at = find(header, self.role, given, taken)
        if at is not None or self.role in given:
            return at
        rest = [j for j in range(len(header)) if j not in taken
                and plain(header[j]) not in self.ignored]  # fmt: skip
        numeric = [j for j in rest if self._numeric(j)]
        if len(numeric) == 1 and len(rest) == 1:
            self.out.said.append(f"{header[numeric[0]] or 'column 2'} is {self.role}")
            return numeric[0]
        return None

    def _numeric(self, j: int) -> bool:
        """Tell whether most cells of a column are numbers."""
        cells = [row[j] for row in self.cells if not is_missing(row[j])]
        bare = [c.removesuffix("%").rstrip() for c in cells]
        return sum(is_number(c, self.comma) for c in bare) > len(cells) / 2

    def _first_numeric(self, header: list[str], running: set[int]) -> int | None:
        """Return the first column where only one reading is left: two columns, both of numbers."""
        rest = [j for j in range(len(header)) if j not in running]
        return rest[0] if len(rest) == 2 and all(self._numeric(j) for j in rest) else None

    def _running(self, header: list[str], given: dict[str, int]) -> set[int]:
        """Return the columns that count the rows: they are no curve's name."""
        out = set()
        for j, name in enumerate(header):
            cells = [row[j] for row in self.cells]
            counts = [str(i + 1) for i in range(len(cells))]
            counter = plain(name) in ("", "id", "i", "no", "nr", "row", "rownames", "index", "obs",
                                      "unnamed0", "point", "k", "interval")  # fmt: skip
            zero = [str(i) for i in range(len(cells))]
            if counter and cells in (counts, zero) and len(cells) > 1 and j not in given.values():
                out.add(j)
                if name and plain(name) == "id":
                    self.out.said.append("id counts the rows and names no curve")
        return out

    def _no_hidden_id(self, header: list[str], used: set[int]) -> None:
        """Refuse a column of repeated words that may tell curves apart and is not called so."""
        for j, name in enumerate(header):
            words = [row[j] for row in self.cells]
            if j not in used and not self._numeric(j) and 1 < len(set(words)) < len(words):
                raise DataError(
                    f"{self.grid.file} may hold several curves, told apart by a column of words",
                    column=name or str(j + 1), allowed=f"--columns id={name}, or delete the column",
                )  # fmt: skip

    def _long(self, at_id: int | None, at_time: int, at_value: int) -> Long:
        self.out.named = at_id is not None
        ids = [""] * len(self.cells) if at_id is None else [row[at_id] for row in self.cells]
        for i, name in enumerate(ids):
            if at_id is not None and not name:
                raise DataError("missing", row=int(self.rows[i]), column="id",
                                allowed="a name in every row")  # fmt: skip
        rows: dict[str, list[int]] = {}
        for i, name in enumerate(ids):
            rows.setdefault(name, []).append(i)
        for name, own in rows.items():
            self._add(name, [self.cells[i][at_time] for i in own],
                      [self.cells[i][at_value] for i in own], self.rows[own])  # fmt: skip
        return self.out

    def _wide(self, header: list[str], at_time: int, taken: set[int]) -> Long:
        """Read time and one column a curve; an empty cell says nothing about its curve."""
        arms = [j for j in range(len(header)) if j not in taken
                and plain(header[j]) not in self.ignored]  # fmt: skip
        words = [header[j] or str(j + 1) for j in arms if not self._numeric(j)]
        if words or not arms:
            raise DataError(
                f"{self.grid.file} lacks the column", column=self.role,
                allowed=f"found: {', '.join(h for h in header if h)}; "
                f"--columns {self.role}=NAME says which it is",
            )  # fmt: skip
        self.out.named = True
        for j in arms:
            name = _arm_name(header[j], self.role) or str(j + 1)
            self.out.percent |= says_percent(header[j])
            filled = [i for i, row in enumerate(self.cells)
                      if not is_missing(row[j]) or is_missing(row[at_time])]  # fmt: skip
            self._add(name, [self.cells[i][at_time] for i in filled],
                      [self.cells[i][j] for i in filled], self.rows[filled])  # fmt: skip
        self.out.said.append(f"time and one column a curve ({', '.join(self.out.names)})")
        return self.out

    # --- no header ----------------------------------------------------------------------------

    def _without_header(self) -> Long:
        self.cells = trimmed(self.cells)
        width = len(self.cells[0])
        labels = width == 3 and not any(is_number(row[0], self.comma) for row in self.cells)
        if labels:
            self._needs_whole_rows()
            self.out.said.append(f"no header: id, time, {self.role}")
            return self._long(0, 1, 2)
        counter = [row[0] for row in self.cells] == [str(i + 1) for i in range(len(self.cells))]
        if width == 3 and counter:
            self.out.said.append(f"no header: a running number, time, {self.role}")
            return self._long(None, 1, 2)
        if width == 2:
            self._needs_whole_rows()
            self.out.said.append(f"no header: time, {self.role}")
            return self._long(None, 0, 1)
        if width == 4 and self._error_columns():
            self.out.said.append(f"no header: time, {self.role} and its errors, which are not used")
            return self._long(None, 0, 1)
        if width % 2 == 0 and self._pairs_fit(width):
            self.out.named = True
            self.out.said.append(f"no header: {width // 2} curves in pairs of columns")
            for j in range(0, width, 2):
                self._column_pair(str(j // 2 + 1), j, j + 1)
            return self.out
        raise DataError(
            f"{self.grid.file} has {width} columns and no header: which are which is not clear",
            allowed=f"a header, such as time,{self.role}, or id,time,{self.role}",
        )  # fmt: skip

    def _numbers(self, j: int) -> FloatArray:
        cells = [row[j] for row in self.cells]
        return column_of_numbers("", cells, comma=self.comma, missing=True)[0]

    def _error_columns(self) -> bool:
        """Tell whether the last two of four columns are marks or errors, - and +."""
        last = [[row[j] for row in self.cells] for j in (2, 3)]
        if all(set(cells) <= {"-", "+", "", "−", "±"} for cells in last):
            return True
        minus, plus, y = self._numbers(2), self._numbers(3), self._numbers(1)
        if np.isnan(minus).any() or np.isnan(plus).any():
            return False
        signed = bool((minus <= 0).all() and (plus >= 0).all())
        around = bool((minus <= y).all() and (y <= plus).all())
        small = bool(
            (np.abs(minus) <= np.abs(y).max() / 4).all()
            and (np.abs(plus) <= np.abs(y).max() / 4).all()
            and not self.fits(minus, plus)
        )
        return signed or (around and not self.fits(minus, plus)) or small

    def _pairs_fit(self, width: int) -> bool:
        for j in range(0, width, 2):
            t, y = self._numbers(j), self._numbers(j + 1)
            seen = ~(np.isnan(t) & np.isnan(y))
            if seen.sum() < 2 or not self.fits(t[seen], y[seen]):
                return False
        return True


# --- words in headers -------------------------------------------------------------------------

_TIME_WORDS = ("x", "time", "t", "month", "months", "years", "days", "weeks", "times")
_VALUE_WORDS = {
    "survival": ("y", "survival", "surv", "s", "prob", "probability", "os", "pfs", "efs", "%"),
    "n_at_risk": ("n", "nrisk", "nar", "n_at_risk", "risk", "atrisk", "at risk", "n.risk", "y"),
}


def _named(name: str, _: str) -> str:
    return name


def _names_time(cell: str) -> bool:
    return plain(cell) in NAMES["time"]


def _is_data(row: Sequence[str]) -> bool:
    """Tell whether a row of words under a header is a bad data row, as words repeat no header."""
    axes = {"x", "y", "time", "survival"}
    return not any(plain(c) in axes or plain(c) in NAMES["time"] for c in row)


def _pair_name(first: str, second: str, role: str) -> str | None:
    """Return the name that two headers share beside their words for time and value, or None."""
    left, right = _rest(first, _TIME_WORDS), _rest(second, _VALUE_WORDS[role])
    if left is None or right is None or plain(left) != plain(right):
        return None
    return left.strip(" _-.:")


def _rest(header: str, words: Sequence[str]) -> str | None:
    """Return a header without one of the words at its end or its start, or None without one."""
    bare = re.sub(r"\([^)]*\)|%", " ", header).strip()
    for word in sorted(words, key=len, reverse=True):
        if word == "%" and "%" in header:
            return bare
        found = re.fullmatch(rf"(.*?)(?:^|[\s_.\-:]){re.escape(word)}", bare, re.IGNORECASE)
        found = found or re.fullmatch(rf"{re.escape(word)}(?:[\s_.\-:]|(?=\d))(.*)", bare, re.I)
        if found:
            return found[1]
        if bare.lower() == word:
            return ""
    return None


def _arm_name(header: str, role: str) -> str:
    """Return the arm of a wide column: ``nrisk.E`` is arm E, ``Arm A (%)`` is Arm A."""
    bare = re.sub(r"\(%\)|\[%\]|%", "", header).strip()
    for word in _VALUE_WORDS[role]:
        if len(word) > 1:
            found = re.fullmatch(rf"{re.escape(word)}[\s_.\-:]+(.+)", bare, re.IGNORECASE)
            found = found or re.fullmatch(rf"(.+?)[\s_.\-:]+{re.escape(word)}", bare, re.IGNORECASE)
            if found:
                return found[1]
    return bare
