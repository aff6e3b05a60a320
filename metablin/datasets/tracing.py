"""Where the numbers about one trial come from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.datasets._load import load
from metablin.datasets.package import Table, data_directory, nearest, read_package
from metablin.errors import DataError

__all__ = ["find_trial", "trace"]

COLUMNS = [
    "table",
    "row_id",
    "item",
    "reported",
    "printed",
    "preferred",
    "confidence",
    "source_key",
    "citation",
    "doi",
    "source_url",
    "locator",
    "note",
]


def trace(trial_id: str, path: str | Path | None = None) -> pd.DataFrame:
    """Return every row about a trial, of every table, with its source.

    Parameters
    ----------
    trial_id : str
        A row of ``trials``.
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.

    Returns
    -------
    DataFrame
        Columns ``table, row_id``; ``item`` (what is reported: arm, subgroup, outcome, ...) and
        ``reported`` (the values, as ``column=value``); ``printed``; ``preferred`` (bool);
        ``confidence``; the source as ``source_key, citation, doi, source_url, locator``; and
        ``note``. Preferred rows and the others alike; empty text where a table has no such
        column. Rows of tables that point to rows (discrepancies, cells of the reviews, sums) are
        included when they point to one about the trial.

    Raises
    ------
    DataError
        When there is no such trial, with the nearest names.

    Examples
    --------
    >>> rows = trace("tower")
    >>> rows.loc[rows["table"] == "trials", "row_id"].tolist()
    ['tower']
    >>> bool((rows["source_key"][rows["table"] == "proportions"] != "").all())
    True
    """
    package = read_package(data_directory(path))
    find_trial(trial_id, path)
    sources = _sources(load("references", path=path))
    parts: list[pd.DataFrame] = []
    ids: set[str] = set()
    for table in sorted(package.tables.values(), key=_points_to_rows):
        frame = load(table.name, all_rows=True, path=path)
        about = pd.Series(_about(table, frame, trial_id, ids), index=frame.index, dtype=bool)
        part = _rows(table, frame[about])
        ids |= set(part["row_id"])
        parts.append(part)
    rows = pd.concat(parts, ignore_index=True)
    return cited(rows, sources)[COLUMNS]


def find_trial(trial_id: str, path: str | Path | None = None) -> dict[str, Any]:
    """Return the row of a trial.

    Parameters
    ----------
    trial_id : str
        A row of ``trials``.
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.

    Returns
    -------
    dict
        Column to value.

    Raises
    ------
    DataError
        When there is no such trial, with the nearest names.

    Examples
    --------
    >>> find_trial("tower")["design"]
    'rct'
    """
    trials = load("trials", all_rows=True, path=path)
    found = trials[trials["trial_id"] == trial_id] if isinstance(trial_id, str) else trials[:0]
    if found.empty:
        raise DataError(
            "no such trial",
            column="trial_id",
            value=repr(trial_id),
            allowed=nearest(str(trial_id), trials["trial_id"]),
        )
    return {str(k): v for k, v in found.iloc[0].items()}


def _points_to_rows(table: Table) -> bool:
    return any(rule.kind == "row_ids" for rule in table.rules)


def _about(table: Table, frame: pd.DataFrame, trial_id: str, ids: set[str]) -> list[bool]:
    """Tell which rows name the trial, or name a row about it."""
    about = [trial == trial_id for trial in frame.get("trial_id", [None] * len(frame))]
    for rule in table.rules:
        if rule.kind == "row_ids":
            cells = frame[rule.columns[0]].astype(str)
            about = [
                known or not ids.isdisjoint(cell.split())
                for known, cell in zip(about, cells, strict=True)
            ]
    return about


def _rows(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    rows = frame.to_dict(orient="records")
    texts = ("printed", "confidence", "source_key", "source_url", "locator", "note")
    published = "first_author" in frame  # rows of other reviews, which references does not list
    out: dict[str, Any] = {
        "table": table.name,
        "row_id": frame[table.primary_key],
        "item": [_join(row, table.quantity, names=False) for row in rows],
        "reported": [_join(row, table.values, names=True) for row in rows],
        "preferred": frame.get("preferred", True),
        **{column: frame.get(column, "") for column in texts},
        "citation": [_citation(row) for row in rows] if published else "",
        "doi": frame["doi"] if published else "",
    }
    for field in table.fields:
        if field.sources:
            out["source_key"] = frame[field.name].map(dict(field.sources)).fillna("")
    return pd.DataFrame(out, index=frame.index)


def cited(rows: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the citation of their source; a row that is one itself keeps its own."""
    for column in ("citation", "doi"):
        found = rows["source_key"].map(sources[column]).fillna("")
        rows[column] = found.where(found != "", rows[column])
    return rows


def _join(row: Mapping[Hashable, Any], columns: tuple[str, ...], *, names: bool) -> str:
    cells = ((c, _text(row[c])) for c in columns)
    return "; ".join(f"{c}={text}" if names else text for c, text in cells if text)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:g}"
    return str(value)


def _sources(references: pd.DataFrame) -> pd.DataFrame:
    table = references.set_index("source_key")
    table["citation"] = [_citation(row) for row in table.to_dict(orient="records")]
    return table[["citation", "doi"]]


def _citation(row: Mapping[Hashable, Any]) -> str:
    year = _text(row["year"])
    who = f"{row['first_author']} et al." if row["first_author"] else str(row["title"])
    where = " ".join(x for x in (row["journal"], row.get("volume")) if x)
    if where and row.get("pages"):
        where = f"{where}:{row['pages']}"
    return ", ".join(x for x in (who, year, where) if x)
