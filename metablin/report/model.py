"""The nouns an analysis hands over: figures with words, headlines, and all of it together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from metablin.errors import DataError
from metablin.records import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["Figure", "Headline", "Outcome", "slug"]


def slug(text: str) -> str:
    """Return `text` as a key: lower case, one underscore for every run of other characters.

    Examples
    --------
    >>> slug("Febrile neutropenia (grade >= 3)")
    'febrile_neutropenia_grade_3'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


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
        Row of one of the analysis' tables; ``estimate`` with its interval and, where there are,
        prediction interval and number of studies are shown as the table declares them.
    """

    label: str
    table: str
    key: str


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
            table = self.tables.get(line.table)
            if table is None or line.key not in set(table.frame["key"]):
                raise DataError(f"headline {line.label!r} points at {line.table}/{line.key}")
            if table.column("estimate") is None:
                raise DataError(f"headline {line.label!r}: {line.table} shows no estimate")
        for name, picture in self.figures.items():
            if picture.data and picture.data not in self.tables:
                raise DataError(f"figure {name!r} names a table that is not there: {picture.data}")
