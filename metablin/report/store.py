"""Outcomes on disk: one folder an analysis, written whole or not at all, read back by key.

Every table is a CSV file with its schema (Frictionless) beside it, which carries headings and
units; ``outcome.json`` holds the words.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from metablin.errors import DataError
from metablin.records import Column, Table
from metablin.report.folder import BUILDING, OUTCOME, SCHEMA, swap_in, write_text
from metablin.report.model import Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

__all__ = ["RESULT_DIGITS", "Saved", "save", "write_text"]

WriteFigure = Callable[["MplFigure", Path], None]
# More digits than any reader needs, fewer than the noise of summation order.
RESULT_DIGITS = 12
TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}


def save(
    about: Mapping[str, Any], outcome: Outcome, out: Path, write_figure: WriteFigure | None = None
) -> Path:
    """Write an outcome to ``out/<name>/`` and return that folder.

    Tables become CSV with a schema, figures SVG, and ``outcome.json`` holds the words. The folder
    is built aside and swapped in whole, so a stopped run leaves the earlier results as they were.

    Parameters
    ----------
    about : mapping
        Of the analysis: ``name, title, question, order, reads``.
    outcome : Outcome
    out : Path
        Folder of results.
    write_figure : callable, optional
        Writes a figure to a path; needed where the outcome has figures.

    Raises
    ------
    DataError
        When there is a figure and nothing to write it with.
    """
    if outcome.figures and write_figure is None:
        raise DataError("figures cannot be saved", allowed="write_figure")
    out.mkdir(parents=True, exist_ok=True)
    name = str(about["name"])
    building, final = out / f".{name}{BUILDING}", out / name
    if building.exists():
        shutil.rmtree(building)
    building.mkdir()
    for key, table in outcome.tables.items():
        table.frame.to_csv(building / f"{key}.csv", index=False, float_format=f"%.{RESULT_DIGITS}g")
        write_text(building / f"{key}{SCHEMA}", _dump(_schema(table)))
    for key, picture in outcome.figures.items():
        if write_figure is not None:
            write_figure(picture.figure, building / f"{key}.svg")
    write_text(building / OUTCOME, _dump({**about, **_words(outcome)}))
    swap_in(building, final)
    return final


def _words(outcome: Outcome) -> dict[str, Any]:
    return {
        "notes": list(outcome.notes),
        "headlines": [
            {
                "label": h.label,
                "table": h.table,
                "key": h.key,
                "unit": _unit(outcome.tables[h.table], h.key),
            }
            for h in outcome.headlines
        ],
        "tables": {
            n: {"title": t.title, "caption": t.note, "drawn": t.drawn, "unit": _unit(t)}
            for n, t in outcome.tables.items()
        },
        "figures": {
            n: {"title": f.title, "caption": f.caption, "alt": f.alt, "data": f.data}
            for n, f in outcome.figures.items()
        },
    }


def _unit(table: Table, key: str = "") -> str:
    """Return the unit of the estimate of a table, of one of its lines where they differ."""
    column = table.column("estimate")
    if column is None or (column.unit == "row" and not key):
        return "number"
    if column.unit == "row":
        return str(table.frame.loc[table.frame["key"] == key, "unit"].iloc[0])
    return column.unit


def _schema(table: Table) -> dict[str, Any]:
    """Return the schema of a table: the type of every column, and those that people see."""
    headings = {c.name: c.heading for c in table.columns}
    fields = [
        {"name": str(name), "type": TYPES.get(kind.kind, "string")}
        | ({"title": headings[name]} if name in headings else {})
        for name, kind in table.frame.dtypes.items()
    ]
    shown = [{k: v for k, v in asdict(c).items() if v not in ("", None)} for c in table.columns]
    return {"fields": fields, "primaryKey": ["key"], "missingValues": [""], "shown": shown}


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class Saved:
    """The saved results of a folder, by analysis, table, key and column; each is read once.

    Parameters
    ----------
    out : Path
        Folder of results.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._words: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, Table] = {}
        self._keys: dict[str, dict[str, int]] = {}

    @property
    def analyses(self) -> list[str]:
        """Names of the analyses with results here, in the order of reports."""
        found = sorted(p.parent.name for p in self.out.glob(f"*/{OUTCOME}"))
        return sorted(found, key=lambda name: self.words(name)["order"])

    def words(self, analysis: str) -> dict[str, Any]:
        """Return the words of an analysis.

        Raises
        ------
        DataError
            When it has no results here.
        """
        if analysis not in self._words:
            file = self.out / analysis / OUTCOME
            if not file.is_file():
                raise DataError("no results of such an analysis", value=analysis)
            self._words[analysis] = json.loads(file.read_text(encoding="utf-8"))
        return self._words[analysis]

    def has(self, path: str) -> bool:
        """Tell whether an analysis, a table of one or a row of one exists.

        Parameters
        ----------
        path : str
            ``analysis``, ``analysis/table`` or ``analysis/table/key``.
        """
        parts = path.split("/")
        if len(parts) == 1:
            return (self.out / path / OUTCOME).is_file()
        there = (self.out / parts[0] / f"{parts[1]}.csv").is_file()
        if len(parts) == 2 or not there:
            return there
        return parts[2] in self._places("/".join(parts[:2]))

    def table(self, path: str) -> Table:
        """Return the result table ``analysis/table``.

        Raises
        ------
        DataError
            When there is no such table.
        """
        if path not in self._tables:
            if path.count("/") != 1 or not self.has(path):
                raise DataError("no such result table", value=path, allowed="analysis/table")
            analysis, name = path.split("/")
            known = self.words(analysis)["tables"] if self.has(analysis) else {}
            words = known.get(name, {})
            file = self.out / analysis / f"{name}{SCHEMA}"
            schema = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
            self._tables[path] = Table(
                _read(self.out / f"{path}.csv"),
                tuple(Column(**c) for c in schema.get("shown", ())),
                words.get("title", name),
                words.get("caption", ""),
                words.get("drawn", False),
            )
        return self._tables[path]

    def row(self, result: str) -> dict[str, Any]:
        """Return one line of a result table, by its key ``analysis/table/key``.

        Raises
        ------
        DataError
            When there is no such line, with the nearest keys.
        """
        path, _, key = result.rpartition("/")
        frame, places = self.table(path).frame, self._places(path)
        if key not in places:
            near = get_close_matches(key, list(places), n=3, cutoff=0.3)
            raise DataError(
                f"{path} has no key {key!r}", value=result, allowed=" | ".join(near) or None
            )
        return {str(name): value for name, value in frame.iloc[places[key]].items()}

    def value(self, result: str) -> Any:
        """Return one cell, by its key ``analysis/table/key/column``.

        Raises
        ------
        DataError
            Naming the part of the key that leads nowhere.
        """
        if result.count("/") != 3:
            raise DataError("not a result key", value=result, allowed="analysis/table/key/column")
        path, _, column = result.rpartition("/")
        row = self.row(path)
        if column not in row:
            raise DataError(f"the result has no column {column!r}", value=result)
        return row[column]

    def _places(self, path: str) -> dict[str, int]:
        if path not in self._keys:
            keys = self.table(path).frame["key"]
            self._keys[path] = {str(key): i for i, key in enumerate(keys)}
        return self._keys[path]


def _read(file: Path) -> pd.DataFrame:
    """Return one saved table; its keys and evidence rows stay text."""
    return pd.read_csv(
        file, dtype={"key": str, "row_ids": str}, keep_default_na=False, na_values=[""]
    )
