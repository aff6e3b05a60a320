"""From a result back to the evidence: the rows behind it and what they cite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.datasets import describe, load, tables
from metablin.datasets.tracing import COLUMNS, _rows, _sources, cited
from metablin.errors import DataError
from metablin.records import Table, jsonable
from metablin.report import Saved, format_number
from metablin.report.render import shown
from metablin.report.words import typeset

__all__ = ["ResultTrace", "evidence_rows", "trace_result"]


@dataclass(frozen=True, slots=True, eq=False)
class ResultTrace:
    """A result and what stands behind it.

    Attributes
    ----------
    result : str
        ``analysis/table/key`` or ``analysis/table/key/column``.
    title, caption : str
        Of the table the result is in.
    row : mapping
        The whole line of that table.
    shown : mapping
        The same as people see it: headings and cells.
    value : object
        The cell asked for; None when the key names no column.
    evidence : pandas.DataFrame
        One row an evidence row, see :func:`evidence_rows`; empty when the table names none.
    """

    result: str
    title: str
    caption: str
    row: Mapping[str, Any]
    shown: Mapping[str, str]
    value: Any
    evidence: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "result": self.result,
            "title": self.title,
            "caption": self.caption,
            "value": jsonable(self.value),
            "row": {name: jsonable(cell) for name, cell in self.row.items()},
            "evidence": jsonable(self.evidence),
        }

    def summary(self) -> str:
        """Return the result, its evidence rows and their sources as text."""
        lines = [f"{self.result}: {self.title}"]
        if self.value is not None:
            lines.append(f"  value: {format_number(self.value)}")
        lines += [f"  {heading}: {cell}" for heading, cell in self.shown.items()]
        lines.append(f"{len(self.evidence)} evidence rows")
        for row in self.evidence.to_dict(orient="records"):
            lines.append(f"  {row['row_id']}  {row['item']}: {row['reported']}")
            where = row["doi"] or row["source_url"]
            lines.append(f"    {row['citation']} [{typeset(row['locator'])}] {where}".rstrip())
        return "\n".join(lines)


def trace_result(result: str, out: Path) -> ResultTrace:
    """Return a result with the evidence rows behind it and their citations.

    Parameters
    ----------
    result : str
        ``analysis/table/key``, or with ``/column`` after it.
    out : Path
        Folder of results.

    Raises
    ------
    DataError
        Naming the part of the key that leads nowhere.
    """
    parts = result.split("/")
    if len(parts) not in (3, 4) or not all(parts):
        raise DataError("not a result key", value=result, allowed="analysis/table/key[/column]")
    analysis, table, key = parts[:3]
    saved = Saved(out)
    found = saved.table(f"{analysis}/{table}")
    row = saved.row(f"{analysis}/{table}/{key}")
    value = saved.value(result) if len(parts) == 4 else None
    ids = row.get("row_ids")
    return ResultTrace(
        result=result,
        title=found.title,
        caption=found.note,
        row=row,
        shown=_line(found, key),
        value=value,
        evidence=evidence_rows(ids.split() if isinstance(ids, str) else ()),
    )


def _line(table: Table, key: str) -> dict[str, str]:
    if not table.columns:
        return {}
    frame = table.frame.loc[table.frame["key"] == key]
    found = shown(dataclasses.replace(table, frame=frame)).frame.iloc[0]
    return {str(heading): str(cell) for heading, cell in found.items()}


def evidence_rows(ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Return rows of the evidence base by their identifiers, whatever their table.

    Parameters
    ----------
    ids : iterable of str, optional
        Row identifiers, each the primary key of one table; by default every row of every table.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`metablin.datasets.trace`, with ``trial_id`` (empty where a table has
        none) after ``row_id``. Rows in the order of `ids`, each once.

    Raises
    ------
    DataError
        When an identifier belongs to no table.

    Examples
    --------
    >>> evidence_rows(["prop-tower-001"])[["table", "trial_id", "reported"]].values.tolist()
    [['proportions', 'tower', 'events=91; n=271']]
    """
    wanted = None if ids is None else list(dict.fromkeys(ids))
    parts = [_table_rows(name, wanted) for name in tables()["table"] if name != "references"]
    found = pd.concat(parts, ignore_index=True)
    found = cited(found, _sources(load("references")))
    found = found[[*COLUMNS[:2], "trial_id", *COLUMNS[2:]]]
    if wanted is None:
        return found
    for name in wanted:
        if name not in set(found["row_id"]):
            raise DataError("no such evidence row", value=name)
    found = found.drop_duplicates("row_id").set_index("row_id", drop=False)
    return found.loc[wanted].reset_index(drop=True)


def _table_rows(name: str, wanted: list[str] | None) -> pd.DataFrame:
    table = describe(name)
    frame = load(name, all_rows=True)
    if wanted is not None:
        frame = frame.loc[frame[table.primary_key].isin(wanted)]
    rows = _rows(table, frame)
    rows["trial_id"] = frame.get("trial_id", "")
    return rows
