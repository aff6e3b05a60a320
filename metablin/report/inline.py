"""Numbers in running text: read from result files by key, formatted one way, never typed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.errors import DataError
from metablin.report.format import format_number

__all__ = ["Inline"]


class Inline:
    r"""The saved results of a folder, as text for a sentence; each table is read once.

    Every method fails when its key leads nowhere, so a page that names a result which no longer
    exists cannot be rendered.

    Parameters
    ----------
    out : Path
        Folder of results: ``<analysis>/<table>.csv`` with unique keys in the column ``key``.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "randomised").mkdir()
    >>> text = "key,k,estimate,conf_low,conf_high\nos.all,5,0.5885,0.4211,0.8224\n"
    >>> _ = (folder / "randomised" / "pooled.csv").write_text(text)
    >>> Inline(folder).estimate("randomised/pooled/os.all", "ratio")
    '0.59 (95% CI 0.42 to 0.82)'
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._tables: dict[str, pd.DataFrame] = {}

    def has(self, path: str) -> bool:
        """Tell whether an analysis, a table of one or a row of one exists.

        Parameters
        ----------
        path : str
            ``analysis``, ``analysis/table`` or ``analysis/table/key``.
        """
        parts = path.split("/")
        if len(parts) == 1:
            return (self.out / path / "outcome.json").is_file()
        table = self.out / parts[0] / f"{parts[1]}.csv"
        if len(parts) == 2 or not table.is_file():
            return table.is_file()
        return parts[2] in self.table("/".join(parts[:2])).index

    def table(self, path: str) -> pd.DataFrame:
        """Return the result table ``analysis/table``, indexed by key.

        Raises
        ------
        DataError
            When there is no such table.
        """
        if path not in self._tables:
            file = self.out / f"{path}.csv"
            if path.count("/") != 1 or not file.is_file():
                raise DataError("no such result table", value=path, allowed="analysis/table")
            frame = pd.read_csv(
                file,
                dtype={"key": str, "row_ids": str},
                keep_default_na=False,
                na_values=[""],
            )
            self._tables[path] = frame.set_index("key", drop=False)
        return self._tables[path]

    def row(self, result: str) -> Mapping[str, Any]:
        """Return one line of a result table, by its key ``analysis/table/key``.

        Raises
        ------
        DataError
            When there is no such line, with the nearest keys.
        """
        path, _, key = result.rpartition("/")
        frame = self.table(path)
        if key not in frame.index:
            near = get_close_matches(key, list(frame.index), n=3, cutoff=0.3)
            raise DataError("no such result", value=result, allowed=" | ".join(near) or None)
        return {str(name): value for name, value in frame.loc[key].items()}

    def estimate(self, result: str, unit: str = "number") -> str:
        """Return an estimate with its interval.

        Parameters
        ----------
        result : str
            ``analysis/table/key`` of a line with ``estimate``, ``conf_low`` and ``conf_high``,
            and ``conf_level`` where it is not 0.95.
        unit : str
            See :func:`metablin.report.format_number`.

        Raises
        ------
        DataError
            When the line or one of these numbers is missing.
        """
        row = self.row(result)
        value, low, high = (
            _number(row, c, unit, result) for c in ("estimate", "conf_low", "conf_high")
        )
        level = row.get("conf_level", 0.95)
        return f"{value} ({100 * level:.3g}% CI {low} to {high})"

    def prediction(self, result: str, unit: str = "number") -> str:
        """Return a prediction interval, e.g. ``0.35 to 0.98``.

        Raises
        ------
        DataError
            When the line or one of its limits is missing.
        """
        row = self.row(result)
        low, high = (_number(row, c, unit, result) for c in ("pred_low", "pred_high"))
        return f"{low} to {high}"

    def value(self, result: str, unit: str = "number") -> str:
        """Return one cell, by its key ``analysis/table/key/column``.

        Raises
        ------
        DataError
            When there is no such cell or nothing in it.
        """
        path, _, column = result.rpartition("/")
        return _number(self.row(path), column, unit, result)


def _number(row: Mapping[str, Any], column: str, unit: str, result: str) -> str:
    if column not in row:
        raise DataError("the result has no such column", column=column, value=result)
    value = row[column]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise DataError("the result is empty", column=column, value=result)
    return format_number(value, unit)
