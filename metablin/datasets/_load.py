"""Loading the tables of the evidence base."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from metablin.datasets._cells import Raw, Violation, check_cells, read_raw
from metablin.datasets.package import Field, Table, data_directory, read_package
from metablin.errors import DataError

__all__ = ["describe", "load", "tables"]


def load(table: str, all_rows: bool = False, path: str | Path | None = None) -> pd.DataFrame:
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

    Returns
    -------
    DataFrame
        Text columns hold str, with ``""`` for an empty cell; numbers are float64 with NaN for an
        empty cell; whole numbers are int64 when the column has no empty cell by rule and float64
        otherwise; ``preferred`` is bool. Times are in months, probabilities in 0..1, ratios are
        treatment over control. ``.attrs`` carries ``table``, ``title``, ``description``, ``path``
        (file name), ``primary_key``, ``all_rows`` and ``fields`` (per column: ``type``,
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
    """
    package = read_package(data_directory(path))
    spec = package.table(table)
    raw = _checked(package.directory, spec)
    columns = {f.name: _typed(f, raw.columns[f.name]) for f in spec.fields}
    frame = pd.DataFrame(columns)
    if not all_rows and "preferred" in frame:
        frame = frame[frame["preferred"]].reset_index(drop=True)
    frame.attrs = {
        "table": spec.name,
        "title": spec.title,
        "description": spec.description,
        "path": spec.path,
        "primary_key": spec.primary_key,
        "all_rows": all_rows,
        "fields": {f.name: f.to_dict() for f in spec.fields},
    }
    return frame


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
