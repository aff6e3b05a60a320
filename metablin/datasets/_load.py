"""Loading the tables of the evidence base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from metablin._input import flag
from metablin.datasets._asof import known
from metablin.datasets._cells import Raw, Violation, check_cells, read_raw
from metablin.datasets._rules import COPY, NOT_RECORDED
from metablin.datasets.package import Field, Table, data_directory, read_package
from metablin.errors import DataError

__all__ = ["copies", "describe", "load", "tables"]


def load(
    table: str,
    all_rows: bool = False,
    path: str | Path | None = None,
    as_of: str | None = None,
) -> pd.DataFrame:
    """Load one table of the evidence base, typed and checked.

    Parameters
    ----------
    table : str
        Name of the table, see `tables`.
    all_rows : bool
        Return every row. By default only the preferred rows: for each set of patients and each
        quantity the one report that represents it, so that no patient is counted twice. Tables
        without a column ``preferred`` give all rows either way.
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.
    as_of : str, optional
        Only what was public on this date (``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``, the end of
        it). A row is public since the ``public_date`` of its reference; a date known to the month
        or year counts from its last day, and a reference without a date is left out. A row that
        gave way to a later report (``replaced_by``) is the preferred one as long as that report
        was not public. A trial is there when any report about it was, described as it is today.
        Tables without sources are given whole.

    Returns
    -------
    DataFrame
        Text columns hold str, with ``""`` for an empty cell; numbers are float64 with NaN for an
        empty cell; whole numbers are int64 when the column has no empty cell by rule and float64
        otherwise; ``preferred`` is bool. Times are in months, probabilities in 0..1, ratios are
        treatment over control. ``.attrs`` carries ``table``, ``title``, ``description``, ``path``
        (file name), ``primary_key``, ``all_rows``, ``as_of`` and ``fields`` (per column: ``type``,
        ``description``, ``unit``, ``required``, ``enum``).

    Raises
    ------
    DataError
        When the table does not exist, or naming the first cell that breaks the schema. Rules
        across columns and tables are left to `validate`.

    Examples
    --------
    >>> responses = load("proportions")
    >>> bool((responses["events"] <= responses["n"])[responses["events"].notna()].all())
    True
    >>> responses.attrs["fields"]["n"]["unit"]
    'patients'
    >>> "litzow2024" in set(load("contrasts", as_of="2023-06-30")["source_key"])
    False
    """
    package = read_package(data_directory(path))
    all_rows = flag("all_rows", all_rows)
    spec = package.table(table)
    raw = _checked(package.directory, spec)
    columns = {f.name: _typed(f, raw.columns[f.name]) for f in spec.fields}
    frame = pd.DataFrame(columns)
    if as_of is not None:
        frame = known(frame, spec, package, as_of)
    if not all_rows and "preferred" in frame:
        frame = frame[frame["preferred"]].reset_index(drop=True)
    frame.attrs = {
        "table": spec.name,
        "title": spec.title,
        "description": spec.description,
        "path": spec.path,
        "primary_key": spec.primary_key,
        "all_rows": all_rows,
        "as_of": as_of or "",
        "fields": _Fields((f.name, f.to_dict()) for f in spec.fields),
    }
    return frame


class _Fields(dict[str, dict[str, Any]]):
    """What the descriptor says of the columns of one frame and of what is made from it.

    pandas copies ``attrs`` deeply with every row and column that it hands out, which took longer
    than the work itself: a copy is the same object.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> _Fields:
        return self


def tables(path: str | Path | None = None) -> pd.DataFrame:
    """List the tables of the evidence base.

    Parameters
    ----------
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.

    Returns
    -------
    DataFrame
        Columns ``table, rows, preferred, title, description``; ``preferred`` counts the rows that
        `load` returns by default.

    Raises
    ------
    DataError
        When a file cannot be read.

    Examples
    --------
    >>> listing = tables().set_index("table")
    >>> bool(listing.loc["trials", "rows"] > 50)
    True
    """
    package = read_package(data_directory(path))
    listing = []
    for spec in package.tables.values():
        raw = _checked(package.directory, spec)
        marks = raw.columns.get("preferred", ["true"] * len(raw.rows))
        listing.append(
            (spec.name, len(raw.rows), marks.count("true"), spec.title, spec.description)
        )
    return pd.DataFrame(listing, columns=["table", "rows", "preferred", "title", "description"])


def copies(path: str | Path | None = None) -> pd.DataFrame:
    """List the rows whose report is known from a copy only, or whose address is not known.

    Parameters
    ----------
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.

    Returns
    -------
    DataFrame
        Columns ``table, row_id, source_key, kind, source_url``; ``kind`` is ``copy`` or
        ``not recorded``.

    Raises
    ------
    DataError
        When a file cannot be read.

    Examples
    --------
    >>> sorted(set(copies()["kind"]))
    ['copy', 'not recorded']
    """
    package = read_package(data_directory(path))
    rows: list[tuple[str, ...]] = []
    for spec in package.tables.values():
        if "source_url" not in spec.columns:
            continue
        cells = _checked(package.directory, spec).columns
        keys = cells.get("source_key", [""] * len(cells["source_url"]))
        for row, key, url in zip(cells[spec.primary_key], keys, cells["source_url"], strict=True):
            if url == NOT_RECORDED or url.startswith(COPY):
                kind = NOT_RECORDED if url == NOT_RECORDED else COPY.rstrip(":")
                rows.append((spec.name, row, key, kind, url))
    return pd.DataFrame(rows, columns=["table", "row_id", "source_key", "kind", "source_url"])


def describe(table: str, path: str | Path | None = None) -> Table:
    """Return the descriptor of one table: fields, units, keys and rules.

    Parameters
    ----------
    table : str
        Name of the table, see `tables`.
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        When the table does not exist.

    Examples
    --------
    >>> describe("proportions").primary_key
    'row_id'
    """
    return read_package(data_directory(path)).table(table)


def _checked(directory: Path, spec: Table) -> Raw:
    raw, problems = read_raw(directory, spec)
    if raw is not None:
        problems = problems + check_cells(raw)
    if problems or raw is None:
        raise _error(problems[0], len(problems) - 1)
    return raw


def _error(problem: Violation, more: int) -> DataError:
    rest = f" (and {more} more; see metablin data validate)" if more else ""
    return DataError(
        f"{problem.file}: {problem.message} [{problem.rule}]{rest}",
        row=problem.row,
        column=problem.column or None,
        value=problem.value or None,
    )


def _typed(field: Field, cells: list[str]) -> pd.Series:
    if field.type == "string":
        return pd.Series(cells, dtype=object)
    if field.type == "boolean":
        return pd.Series([c == "true" for c in cells], dtype=bool)
    if field.type == "integer" and field.required:
        return pd.Series([int(c) for c in cells], dtype="int64")
    values = [float(c) if c else float("nan") for c in cells]
    return pd.Series(values, dtype="float64")
