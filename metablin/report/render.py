"""The one renderer: a table with declared columns as text, and that for terminal and page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from metablin.errors import DataError
from metablin.records import Column, Table
from metablin.report.format import MISSING, format_estimate, format_number, format_range
from metablin.report.store import Saved
from metablin.report.words import code_words, patients_words, short_names, typeset

if TYPE_CHECKING:
    import rich.table

__all__ = ["Page", "Shown", "headlines", "shown", "to_html", "to_page", "to_terminal"]

FOLDED, IN_FILE = 25, 300
"""Rows from which a table is folded away on a page, and from which it stays in its file."""
LEFT = ("text", "flag")
"""Units that stand to the left; numbers stand to the right."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A table as people see it: every cell is text.

    Attributes
    ----------
    frame : pandas.DataFrame
        Headings and cells.
    group : str
        Heading of the column that heads groups of lines; empty when there is none.
    right : tuple of str
        Headings of the columns that stand to the right.
    links : tuple of str
        Headings of the columns that hold HTML.
    """

    frame: pd.DataFrame
    group: str = ""
    right: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def shown(table: Table) -> Shown:
    """Return a table as people see it.

    Raises
    ------
    DataError
        When two columns stand under one heading, or a code has no words.

    Examples
    --------
    >>> frame = pd.DataFrame({"key": ["a"], "estimate": [0.4286], "low": [0.371], "high": [0.489]})
    >>> columns = (Column("estimate", "Response", "proportion", low="low", high="high"),)
    >>> shown(Table(frame, columns, "Response")).frame.to_dict("list")
    {'Response (95% interval)': ['42.9% (37.1% to 48.9%)']}
    """
    rows = [{str(k): v for k, v in row.items()} for row in table.frame.to_dict(orient="records")]
    cells: dict[str, list[str]] = {}
    group, right = "", []
    for column in table.columns:
        heading = _heading(column, table.frame)
        if column.role == "range" and table.frame[[column.name, column.high]].isna().all(axis=None):
            continue
        if heading in cells:
            raise DataError("two columns under one heading", value=heading)
        cells[heading] = [_cell(column, row) for row in rows]
        if column.role == "group":
            group = heading
            if column.unit not in LEFT:  # a number alone would head nothing
                cells[heading] = [f"{heading} {text}" for text in cells[heading]]
        elif column.unit not in LEFT:
            right.append(heading)
    return Shown(pd.DataFrame(cells), group, tuple(right))


def _heading(column: Column, frame: pd.DataFrame) -> str:
    bounded = column.low and frame[[column.low, column.high]].notna().any(axis=None)
    return f"{column.heading} (95% interval)" if bounded else column.heading


def _cell(column: Column, row: Mapping[str, Any]) -> str:
    value = row[column.name]
    if isinstance(value, str):
        return _said(column.codes, value) if value else MISSING
    unit = str(row["unit"]) if column.unit == "row" else column.unit
    if column.role == "range":
        return format_range(value, row[column.high], unit, column.digits)
    if column.low:
        names = (column.name, column.low, column.high)
        return format_estimate(row, unit, column.digits, names)
    if unit == "text" and isinstance(value, bool):
        unit = "flag"
    return format_number(value, unit, column.digits)


def _said(codes: str, value: str) -> str:
    """Return a cell of text with its codes in words."""
    if not codes:
        return value
    words = KINDS[codes](value) if codes in KINDS else code_words(codes, value)
    return words[:1].upper() + words[1:] if codes not in AS_PRINTED else words


def _names(value: str) -> str:
    names = short_names()
    return ", ".join(names.get(part, part) for part in value.split())


KINDS: dict[str, Callable[[str], str]] = {
    "names": _names,
    "patients": patients_words,
    "text": typeset,
}
"""What cells stand for that is no column of the vocabulary."""
AS_PRINTED = ("names", "text")


def to_terminal(table: Table) -> rich.table.Table:
    """Return a table for the terminal."""
    from rich.table import Table as Rich

    found = shown(table)
    out = Rich(title=table.title, title_justify="left")
    for name in found.frame.columns:
        out.add_column(str(name), justify="right" if name in found.right else "left")
    for line in found.frame.itertuples(index=False, name=None):
        out.add_row(*map(str, line))
    return out


@dataclass(frozen=True, slots=True)
class Page:
    """A table as a page shows it.

    Attributes
    ----------
    rows : int
        How many there are.
    body : str
        HTML that needs nothing else; long tables are folded behind a line that says how long they
        are, and of very long ones there is none: they stay in their files, so that pages open
        quickly.
    """

    rows: int
    body: str


def to_page(
    table: Table,
    name: str,
    links: Mapping[str, Iterable[str]] | None = None,
    *,
    most: int = IN_FILE,
    styled: bool = True,
) -> Page:
    """Return a table for a page: the report's or the site's.

    Parameters
    ----------
    table : Table
    name : str
        Identifier, one on a page.
    links : mapping of str to iterable of str, optional
        More columns, of HTML, by their headings.
    most : int
        Rows from which the table stays in its file.
    styled : bool
        Whether it brings its own style; a page of many tables has one for all of them.
    """
    rows = len(table.frame)
    if rows > most:
        return Page(rows, "")
    found = shown(table)
    if links:
        frame = found.frame.assign(**{heading: list(cells) for heading, cells in links.items()})
        found = dataclasses.replace(found, frame=frame, links=tuple(links))
    body = to_html(found, name)
    if not styled:
        start, _, rest = body.partition("<style>")
        body = start + rest.partition("</style>")[2]
    if rows > FOLDED:
        body = f"<details><summary>{rows} rows</summary>{body}</details>"
    return Page(rows, body)


def to_html(found: Shown, name: str) -> str:
    """Return cells of text as the HTML of a great table.

    Parameters
    ----------
    found : Shown
    name : str
        Identifier, one on a page.
    """
    from great_tables import GT

    frame = found.frame
    left = [c for c in frame.columns if c not in found.right and c != found.group]
    made = (
        GT(frame, id=f"gt-{name}", groupname_col=found.group or None)
        .cols_align("left", columns=left)
        .cols_align("right", columns=list(found.right))
        .fmt_passthrough(columns=list(found.links), escape=False)
        .tab_options(quarto_disable_processing=True, table_width="auto")
    )
    return str(made.as_raw_html()).strip()


HEADLINES = (
    Column("result", "Result"),
    Column("estimate", "Estimate", "row", low="conf_low", high="conf_high"),
    Column("pred_low", "Prediction interval", "row", role="range", high="pred_high"),
    Column("k", "Studies", "count"),
)
NUMBERS = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high", "k")


def headlines(saved: Saved, analyses: Iterable[str]) -> Table:
    """Return the short answers of analyses as one table, with the place of each in its key.

    The key is that of the result with points for slashes; columns ``analysis, table`` say where
    the number stands.
    """
    lines = []
    for name in analyses:
        for line in saved.words(name)["headlines"]:
            row = saved.row(f"{name}/{line['table']}/{line['key']}")
            lines.append(
                {
                    "key": f"{name}.{line['table']}.{line['key']}",
                    "analysis": name,
                    "table": line["table"],
                    "result": line["label"],
                    "unit": line["unit"],
                    **{c: row.get(c) for c in NUMBERS},
                    "not_reached": row.get("not_reached", ""),
                }
            )
    names = ["key", "analysis", "table", "result", "unit", *NUMBERS, "not_reached"]
    frame = pd.DataFrame(lines, columns=names).astype(dict.fromkeys(NUMBERS, float))
    return Table(frame, HEADLINES, "Headline results")
