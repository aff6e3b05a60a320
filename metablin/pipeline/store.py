"""Outcomes on disk: one folder an analysis, written whole or not at all, read back by key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.errors import DataError
from metablin.pipeline.registry import Analysis
from metablin.pipeline.workspace import swap_in, write_text
from metablin.report import Outcome

__all__ = [
    "RESULT_DIGITS",
    "Results",
    "read_outcome",
    "read_table",
    "read_words",
    "save",
]

# More digits than any reader needs, fewer than the noise of summation order.
RESULT_DIGITS = 12


def save(analysis: Analysis, outcome: Outcome, out: Path) -> Path:
    """Write an outcome to ``out/<name>/`` and return that folder.

    Tables become CSV, figures SVG, and ``outcome.json`` holds the words. The folder is built
    aside and swapped in whole, so a stopped run leaves the earlier results as they were.
    """
    from metablin.plots.style import save_figure

    out.mkdir(parents=True, exist_ok=True)
    building, final = out / f".{analysis.name}.tmp", out / analysis.name
    if building.exists():
        shutil.rmtree(building)
    building.mkdir()
    for name, table in outcome.tables.items():
        table.frame.to_csv(
            building / f"{name}.csv", index=False, float_format=f"%.{RESULT_DIGITS}g"
        )
    for name, picture in outcome.figures.items():
        save_figure(picture.figure, building / f"{name}.svg")
    write_text(building / "outcome.json", _dump(_words(analysis, outcome)))
    swap_in(building, final)
    return final


def _words(analysis: Analysis, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": analysis.name,
        "title": analysis.title,
        "question": analysis.question,
        "order": analysis.order,
        "reads": list(analysis.reads),
        "notes": list(outcome.notes),
        "headlines": [
            {"label": h.label, "table": h.table, "key": h.key, "unit": h.unit}
            for h in outcome.headlines
        ],
        "tables": {
            n: {"title": t.title, "caption": t.caption, "drawn": t.drawn, "unit": t.unit}
            for n, t in outcome.tables.items()
        },
        "figures": {
            n: {"title": f.title, "caption": f.caption, "alt": f.alt, "data": f.data}
            for n, f in outcome.figures.items()
        },
    }


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read_words(folder: Path) -> dict[str, Any]:
    """Return the words of a saved outcome."""
    words: dict[str, Any] = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    return words


def read_outcome(folder: Path) -> dict[str, Any]:
    """Return the words of a saved outcome with its tables as frames under ``frames``."""
    words = read_words(folder)
    words["frames"] = {name: read_table(folder, name) for name in words["tables"]}
    return words


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Return one saved table; its keys and evidence rows stay text."""
    return pd.read_csv(
        folder / f"{name}.csv",
        dtype={"key": str, "row_ids": str},
        keep_default_na=False,
        na_values=[""],
    )


class Results:
    """The saved results of a folder, looked up by key; each table is read once.

    Parameters
    ----------
    out : Path
        Folder of results.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._tables: dict[tuple[str, str], pd.DataFrame] = {}

    def value(self, result: str) -> Any:
        """Return the value of a result key ``analysis/table/key/column``.

        Raises
        ------
        DataError
            Naming the part of the key that leads nowhere.
        """
        parts = result.split("/")
        if len(parts) != 4:
            raise DataError("not a result key", value=result, allowed="analysis/table/key/column")
        name, table, key, column = parts
        frame = self._table(name, table, result)
        if key not in frame.index or column not in frame.columns:
            missing = f"column {column!r}" if key in frame.index else f"key {key!r}"
            raise DataError(f"{name}/{table} has no {missing}", value=result)
        return frame.at[key, column]

    def _table(self, name: str, table: str, result: str) -> pd.DataFrame:
        if (name, table) not in self._tables:
            if not (self.out / name / f"{table}.csv").is_file():
                raise DataError(f"no result table {name}/{table}", value=result)
            frame = read_table(self.out / name, table)
            self._tables[name, table] = frame.set_index("key")
        return self._tables[name, table]
