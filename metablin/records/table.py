"""A table of results and what its columns mean, declared once by whoever makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UNITS", "Column", "Role", "Table", "Unit"]

Unit = Literal[
    "text", "flag", "proportion", "points", "ratio", "months", "count", "number", "p", "row"
]
"""How a cell is printed. ``row``: as the column `unit` of its line says."""
UNITS: tuple[str, ...] = get_args(Unit)
Role = Literal["value", "range", "group"]
"""``range``: an interval without a middle; ``group``: heads the lines that share its value."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a column of a table is, and how people see it.

    Attributes
    ----------
    name : str
        In the frame.
    heading : str
        For people.
    unit : Unit
        How its cells are printed.
    role : {"value", "range", "group"}
        What it does in the table. A range reaches from this column to `high`.
    digits : int, optional
        After the decimal point, where the unit's own number will not do.
    low, high : str
        Columns that hold the limits of the interval of this one.
    codes : str
        What its cells stand for: ``names`` (trials or sources by their identifiers), ``patients``,
        ``text`` (a note or a place, typeset), or a column of the vocabulary (``table.column``
        where its words are those of one evidence table). Empty: nothing.
    """

    name: str
    heading: str
    unit: Unit = "text"
    role: Role = "value"
    digits: int | None = None
    low: str = ""
    high: str = ""
    codes: str = ""

    def __post_init__(self) -> None:
        """Check unit and role."""
        for what, value, known in (
            ("unit", self.unit, UNITS),
            ("role", self.role, get_args(Role)),
        ):
            if value not in known:
                raise DataError(
                    f"no such {what}", column=self.name, value=value, allowed=" | ".join(known)
                )

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns of the frame that it shows."""
        return tuple(c for c in (self.name, self.low, self.high) if c)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of results: a frame, and the columns that people see.

    Attributes
    ----------
    frame : pandas.DataFrame
        First column ``key``: unique, without ``/``. A column ``row_ids``, where there is one,
        lists the evidence rows behind each line, separated by spaces.
    columns : tuple of Column
        In the order in which people see them; other columns of the frame are in its file only.
    title : str
        Heading for people.
    note : str
        What the reader must know to read it.
    drawn : bool
        The numbers rest on random draws of whole patients, of which rounding on another processor
        may flip one: expected values keep their means, with a tolerance, instead of every number.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"key": ["all"], "estimate": [0.45], "low": [0.4], "high": [0.5]})
    >>> response = Column("estimate", "Response", "proportion", low="low", high="high")
    >>> Table(frame, (response,), "Pooled response").column("estimate").unit
    'proportion'
    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    title: str
    note: str = ""
    drawn: bool = False

    def __post_init__(self) -> None:
        """Check the key column, and that what is shown is there."""
        names = list(self.frame.columns)
        if not names or names[0] != "key":
            raise DataError("the first column of a result table is 'key'", value=names[:3])
        keys = self.frame["key"].astype(str)
        bad = keys[keys.duplicated() | keys.str.contains("/") | (keys == "")]
        if len(bad):
            raise DataError(
                "keys must be unique, not empty and without '/'",
                row=int(bad.index[0]) + 1,
                column="key",
                value=bad.iloc[0],
            )
        rows = ("unit",) if any(c.unit == "row" for c in self.columns) else ()
        for name in (*(n for c in self.columns for n in c.needed), *rows):
            if name not in names:
                raise DataError(
                    f"{self.title!r} has no such column", column=name, allowed=" | ".join(names)
                )

    def column(self, name: str) -> Column | None:
        """Return the declaration of a column, or of that whose interval it bounds; None without."""
        return next((c for c in self.columns if name in c.needed), None)

    @property
    def group(self) -> Column | None:
        """The column whose values head groups of lines, if there is one."""
        return next((c for c in self.columns if c.role == "group"), None)
