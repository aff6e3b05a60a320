"""The nouns an analysis hands over: tables with keyed rows, figures with words, headlines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MplFigure

__all__ = ["UNITS", "Figure", "Headline", "Outcome", "Table", "slug"]

Unit = Literal["proportion", "points", "ratio", "months", "count", "number"]
UNITS: tuple[str, ...] = get_args(Unit)


def slug(text: str) -> str:
    """Return `text` as a key: lower case, one underscore for every run of other characters.

    Examples
    --------
    >>> slug("Febrile neutropenia (grade >= 3)")
    'febrile_neutropenia_grade_3'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A named table of results.

    Attributes
    ----------
    frame : pandas.DataFrame
        First column ``key``: unique, without ``/``. A column ``row_ids``, where there is one,
        lists the evidence rows behind each line, separated by spaces.
    title : str
        Heading for people.
    caption : str
        What the reader must know to read it.
    drawn : bool
        The numbers rest on random draws of whole patients, of which rounding on another processor
        may flip one: expected values keep their means, with a tolerance, instead of every number.
    unit : {"proportion", "points", "ratio", "months", "count", "number"}
        How to print the column ``estimate`` and its limits. A column ``unit`` of the frame says so
        row by row instead.
    """

    frame: pd.DataFrame
    title: str
    caption: str = ""
    drawn: bool = False
    unit: Unit = "number"

    def __post_init__(self) -> None:
        """Check the key column."""
        columns = list(self.frame.columns)
        if not columns or columns[0] != "key":
            raise DataError("the first column of a result table is 'key'", value=columns[:3])
        keys = self.frame["key"].astype(str)
        bad = keys[keys.duplicated() | keys.str.contains("/") | (keys == "")]
        if len(bad):
            raise DataError(
                "keys must be unique, not empty and without '/'",
                row=int(bad.index[0]) + 1,
                column="key",
                value=bad.iloc[0],
            )


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A picture with the words that go with it.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not yet saved.
    title, caption, alt : str
        Heading, what to see in it, and a description for those who cannot see it.
    data : str
        Name of the table it was drawn from.
    """

    figure: MplFigure
    title: str
    caption: str
    alt: str
    data: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """One line of the short answer: a label and the place of its number.

    Attributes
    ----------
    label : str
        What the number is.
    table, key : str
        Row of one of the analysis' tables; columns ``estimate, conf_low, conf_high`` and,
        if there, ``pred_low, pred_high, k`` are shown.
    unit : {"proportion", "points", "ratio", "months", "count", "number"}
        How to print it.
    """

    label: str
    table: str
    key: str
    unit: Unit = "number"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Everything one analysis produces.

    Attributes
    ----------
    tables : mapping of str to Table
    figures : mapping of str to Figure
    headlines : tuple of Headline
    notes : tuple of str
        Caveats, one sentence each.
    """

    tables: Mapping[str, Table]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    headlines: tuple[Headline, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that headlines and figures point at rows and tables that exist."""
        for line in self.headlines:
            frame = self.tables[line.table].frame if line.table in self.tables else None
            if frame is None or line.key not in set(frame["key"]):
                raise DataError(f"headline {line.label!r} points at {line.table}/{line.key}")
        for name, picture in self.figures.items():
            if picture.data and picture.data not in self.tables:
                raise DataError(f"figure {name!r} names a table that is not there: {picture.data}")
