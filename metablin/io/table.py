"""Tables with a header: which column is which, which rows are whole, what was understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import is_missing
from metablin.errors import DataError
from metablin.io.cells import column_of_numbers, explain, is_number
from metablin.io.grid import Grid, read_grids
from metablin.io.names import find, mapping, said_unit

__all__ = ["MONTHS", "ReadOptions", "Table", "Unit", "check_unit", "open_table"]

FloatArray = NDArray[np.float64]
Unit = Literal["days", "weeks", "months", "years"]

DAYS_A_MONTH = 365.25 / 12
MONTHS: Mapping[str, float] = {
    "days": 1 / DAYS_A_MONTH, "weeks": 7 / DAYS_A_MONTH, "months": 1.0, "years": 12.0,
}  # fmt: skip
"""How many months a unit of time lasts; a year has 365.25 days."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a caller says about a file.

    Attributes
    ----------
    columns : str, optional
        ``"events=deaths,n=total"``: metablin's name, then the file's.
    sheet : str, optional
        Sheet of a workbook, by name or by number from 1.
    missing : {"error", "drop"}
        Whether a row with a missing value is an error or left out (and named).
    percent : bool
        Survival, rates and shares are in percent.
    unit : {"days", "weeks", "months", "years"}, optional
        Unit of the file's times; they are then turned into months.
    """

    columns: str | None = None
    sheet: str | None = None
    missing: Literal["error", "drop"] = "error"
    percent: bool = False
    unit: Unit | None = None

    @property
    def months(self) -> float:
        """Factor from the file's unit of time to that of the output."""
        return MONTHS[self.unit] if self.unit else 1.0


class Table:
    """A table with a header and the parts its columns play.

    Parameters
    ----------
    grid : Grid
        Its first row is the header.
    options : ReadOptions
    roles : iterable of str
        Names that ``--columns`` may give.
    """

    def __init__(self, grid: Grid, options: ReadOptions, roles: Iterable[str]) -> None:
        grid = grid.without_title().with_one_header()
        self.file, self.comma, self.options = grid.file, grid.comma, options
        self.said = [*([f"sheet {grid.sheet!r}"] if grid.sheet else []), *grid.said]
        if len(grid.rows) < 2:
            raise DataError(f"{grid.file} has no data rows",
                            allowed="a header and at least one row")  # fmt: skip
        self.headers, self._cells = grid.rows[0], grid.rows[1:]
        self.rows = list(range(1, len(self._cells) + 1))
        self._check_shape(grid.short)
        self.given = mapping(options.columns, self.headers, roles)
        self.roles: dict[str, int] = {}
        self._used: set[int] = set()
        self._running_numbers()

    def _check_shape(self, short: Mapping[int, int]) -> None:
        for i, name in enumerate(self.headers):
            if name and name in self.headers[:i]:
                raise DataError(f"{self.file} has the column twice", column=name,
                                allowed="a name of its own for each column")  # fmt: skip
        if short:
            wanted = f"{len(self.headers)} cells"
            raise DataError.joined(
                [DataError(f"{self.file} has {n} cell{'s' * (n != 1)}", row=i,
                           allowed=wanted + ("; a footnote? delete the line" if n == 1 else ""))
                 for i, n in short.items()]
            )  # fmt: skip

    def _running_numbers(self) -> None:
        """Set aside a first column that counts the rows; one of labels without a name is study."""
        first = [row[0] for row in self._cells]
        if self.headers[0] not in ("", "row.names", "Unnamed: 0"):
            return
        if all(is_number(c, self.comma) for c in first):
            self._used.add(0)
        elif all(first):
            self.headers = ["row.names", *self.headers[1:]]

    def __len__(self) -> int:
        return len(self._cells)

    def has(self, *roles: str) -> bool:
        """Tell whether every role has a column (which is then its own)."""
        taken: list[int] = []
        for role in roles:
            at = find(self.headers, role, self.given, [*taken, *self._used])
            if at is None:
                return False
            taken.append(at)
        return True

    def take(self, *roles: str) -> None:
        """Give every role its column.

        Raises
        ------
        DataError
            Naming the role without a column, and the columns there are.
        """
        for role in roles:
            if role in self.roles:
                continue
            at = find(self.headers, role, self.given, self._used)
            if at is None:
                raise DataError(
                    f"{self.file} lacks the column", column=role,
                    allowed=f"found: {', '.join(h for h in self.headers if h)}; {self._mend(role)}",
                )  # fmt: skip
            self.roles[role] = at
            self._used.add(at)

    def _mend(self, role: str) -> str:
        """Return how the column may be there after all: in another's cells, or under a name."""
        for j, name in enumerate(self.headers):
            cells = [row[j] for row in self._cells if not is_missing(row[j])]
            meant = [explain(c) for c in cells if not is_number(c, self.comma)]
            limits = role in ("conf_low", "conf_high") and all(
                m.startswith("a range") for m in meant
            )
            if limits and meant and len(meant) == len(cells):
                return f"in {name} {cells[0]!r} holds both limits; write them in two columns"
            if meant and len(meant) == len(cells) and all(" in t" in m for m in meant):
                return f"in {name} {cells[0]!r} is {meant[0]}"
        return f"--columns {role}=NAME says which it is"

    def take_named(self, name: str, option: str) -> str:
        """Mark a column that the user names in an option as used and return its exact name."""
        at = [i for i, h in enumerate(self.headers) if h == name]
        at = at or [i for i, h in enumerate(self.headers) if h.casefold() == name.casefold()]
        if len(at) != 1:
            raise DataError(f"{self.file} lacks the column of {option}", column=name,
                            allowed=", ".join(h for h in self.headers if h))  # fmt: skip
        self._used.add(at[0])
        self.roles[self.headers[at[0]]] = at[0]
        return self.headers[at[0]]

    def header(self, role: str) -> str:
        """Return the file's own name of the column that plays a role."""
        return self.headers[self.roles[role]]

    def text(self, role: str) -> list[str]:
        """Return a column as text."""
        at = self.roles[role]
        return [row[at] for row in self._cells]

    def numbers(self, role: str, *, percent: bool = False) -> FloatArray:
        """Return a column as floats.

        Raises
        ------
        DataError
            Naming every cell that is no number.
        """
        return self.all_numbers([role], percent=percent)[0]

    def all_numbers(
        self, roles: Sequence[str], *, missing: bool = False, percent: bool = False
    ) -> list[FloatArray]:
        """Return several columns as floats, with one error for all bad cells, in order of rows."""
        out, errors = [], []
        for role in roles:
            values, bad = column_of_numbers(
                self.header(role), self.text(role), comma=self.comma, percent=percent,
                missing=missing, studies=self.labels(), rows=self.rows,
            )  # fmt: skip
            out.append(values)
            errors += bad
        if errors:
            raise DataError.joined(sorted(errors, key=lambda e: e.row or 0))
        return out

    def labels(self) -> list[str] | None:
        """Return the labels of the rows, if the table has them."""
        return self.text("study") if "study" in self.roles else None

    def complete(self, roles: Iterable[str]) -> None:
        """Leave out the rows in which a role is missing, or refuse them by name.

        Raises
        ------
        DataError
            When ``missing`` is ``error`` and a cell is missing, naming every such cell.
        """
        names = self.labels()
        columns = {role: self.text(role) for role in roles}
        gaps = {
            i: [role for role in columns if is_missing(columns[role][i])] for i in range(len(self))
        }
        gaps = {i: which for i, which in gaps.items() if which}
        if not gaps:
            return
        if self.options.missing == "error":
            raise DataError.joined([
                DataError("a value is needed", row=self.rows[i], column=self.header(role),
                          value=repr(columns[role][i]) if columns[role][i] else "missing",
                          study=None if names is None else names[i],
                          allowed="a value in every row, or --missing drop to leave the row out")
                for i, which in gaps.items() for role in which
            ])  # fmt: skip
        shown = ", ".join(
            f"row {self.rows[i]}{'' if names is None else f' ({names[i]})'}" for i in gaps
        )
        self.keep([i for i in range(len(self)) if i not in gaps])
        self.said.append(f"{len(gaps)} {_rows(len(gaps))} with a missing value left out: {shown}")
        if not self._cells:
            raise DataError(f"{self.file} has no row without a missing value")

    def keep(self, at: Sequence[int]) -> None:
        """Keep only the rows at these positions."""
        self._cells = [self._cells[i] for i in at]
        self.rows = [self.rows[i] for i in at]

    def check_units(self, roles: Iterable[str]) -> None:
        """Refuse a unit of time that a header contradicts; say which unit stays as it is.

        Raises
        ------
        DataError
            When ``--unit`` says one unit and the header of a column of times another.
        """
        for role in roles:
            unit = said_unit(self.header(role))
            check_unit(self.header(role), unit, self.options.unit)
            if unit not in (None, "months") and self.options.unit is None:
                self.said.append(f"{self.header(role)} stays in {unit}; --unit {unit} gives months")

    def frame(self) -> pd.DataFrame:
        """Return all named columns as text."""
        at = [i for i, h in enumerate(self.headers) if h]
        return pd.DataFrame(
            {self.headers[i]: [row[i] for row in self._cells] for i in at}, dtype=object
        )

    def note(self, first: str = "") -> str:
        """Return in one line what was understood, or nothing when there is nothing to say."""
        read = [f"{self.headers[i]} is {role}" for role, i in self.roles.items()
                if self.headers[i].casefold() != role.casefold()]  # fmt: skip
        over = [h for i, h in enumerate(self.headers)
                if h and i not in self._used and self._filled(i)]  # fmt: skip
        bare = [i for i, h in enumerate(self.headers)
                if not h and i not in self._used and self._filled(i)]  # fmt: skip
        said = [first, ", ".join(read), *self.said]
        said.append(f"not used: {', '.join(over)}" if over else "")
        said.append(f"{len(bare)} without a name left out" if bare else "")
        text = "; ".join(x for x in said if x)
        return f"{self.file}: {text}" if text else ""

    def _filled(self, column: int) -> bool:
        return any(row[column] for row in self._cells)

    @contextmanager
    def places(self) -> Iterator[None]:
        """Within the block, errors about a row name the row of the file."""
        try:
            yield
        except DataError as error:
            if error.row is None or not 0 < error.row <= len(self.rows):
                raise
            raise DataError(
                error.message, row=self.rows[error.row - 1], column=error.column,
                value=error.value, allowed=error.allowed, study=error.study, also=error.also,
            ) from error  # fmt: skip


def _rows(n: int) -> str:
    return "row" if n == 1 else "rows"


def check_unit(header: str, said: str | None, given: str | None) -> None:
    """Refuse a unit of the command that the header contradicts.

    Raises
    ------
    DataError
        Naming the header and both units.
    """
    if said is not None and given is not None and said != given:
        raise DataError(f"the header says {said} and --unit says {given}", column=header,
                        value=given, allowed=f"--unit {said}")  # fmt: skip


def open_table(
    path: Path, options: ReadOptions, needs: Sequence[Sequence[str]], extra: Iterable[str] = ()
) -> Table:
    """Return the table of a file that can serve one of several sets of columns.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    needs : sequence of sequences of str
        Sets of roles, the preferred one first; the first set the table can serve is taken.
    extra : iterable of str
        Further roles ``--columns`` may name.

    Raises
    ------
    DataError
        When no sheet, or more than one, can serve.
    """
    roles = list(dict.fromkeys([*(role for need in needs for role in need), *extra]))
    grids = read_grids(path, options.sheet)
    tables, problems = [], []
    for grid in grids:
        try:
            table = Table(grid, options, roles)
            _take_first(table, needs)
            tables.append(table)
        except DataError as error:
            problems.append(error)
    if len(tables) > 1:
        raise DataError(
            f"{path.name} has {len(tables)} sheets with such columns", column="--sheet",
            allowed=" | ".join(grid.sheet for grid in grids),
        )  # fmt: skip
    if not tables:
        raise problems[0]
    return tables[0]


def _take_first(table: Table, needs: Sequence[Sequence[str]]) -> None:
    for need in needs:
        if table.has(*need):
            table.take(*need)
            return
    given = [need for need in needs if set(need) & set(table.given)]
    table.take(*(given or needs)[0])
