"""Numbers in running text: read from result files by key, formatted one way, never typed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from metablin.errors import DataError
from metablin.report.format import format_number
from metablin.report.store import Saved

__all__ = ["Inline"]

WIDE = 0.05
"""Width of an interval of a proportion from which it is said in whole per cent."""


class Inline(Saved):
    r"""The saved results of a folder, as text for a sentence.

    Units are those that the tables declare. Every method fails when its key leads nowhere, so a
    page that names a result which no longer exists cannot be rendered.

    Parameters
    ----------
    out : Path
        Folder of results.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from metablin.records import Column, Table
    >>> from metablin.report import Outcome, save
    >>> row = {"key": "os.all", "k": 5, "estimate": 0.5885, "low": 0.4211, "high": 0.8224}
    >>> columns = (Column("estimate", "Hazard ratio", "ratio", low="low", high="high"),)
    >>> folder = Path(tempfile.mkdtemp())
    >>> pooled = Table(pd.DataFrame([row]), columns, "Pooled")
    >>> _ = save({"name": "randomised", "order": 1}, Outcome({"pooled": pooled}), folder)
    >>> Inline(folder).estimate("randomised/pooled/os.all")
    '0.59 (95% CI 0.42 to 0.82)'
    """

    def estimate(self, result: str) -> str:
        """Return an estimate with its interval.

        Parameters
        ----------
        result : str
            ``analysis/table/key`` of a line with an estimate and its limits, and ``conf_level``
            where it is not 0.95.

        Raises
        ------
        DataError
            When the line or one of these numbers is missing.
        """
        row = self.row(result)
        column = self.table(result.rpartition("/")[0]).column("estimate")
        if column is None or not column.low:
            raise DataError("the table shows no estimate with an interval", value=result)
        value, low, high = self._rounded(row, column.needed, result)
        level = row.get("conf_level", 0.95)
        return f"{value} ({100 * level:.3g}% CI {low} to {high})"

    def prediction(self, result: str) -> str:
        """Return a prediction interval, e.g. ``0.35 to 0.98``.

        Raises
        ------
        DataError
            When the line or one of its limits is missing.
        """
        row = self.row(result)
        low, high = self._rounded(row, ("pred_low", "pred_high"), result)
        return f"{low} to {high}"

    def text(self, result: str) -> str:
        """Return one cell as text, by its key ``analysis/table/key/column``.

        Raises
        ------
        DataError
            When there is no such cell or nothing in it.
        """
        path, _, column = result.rpartition("/")
        return self._text(self.row(path), column, path)

    def _rounded(
        self, row: Mapping[str, Any], names: Sequence[str], result: str
    ) -> tuple[str, ...]:
        """Return cells as text; percentages whole where their interval is wider than five points.

        A decimal would promise what the interval takes back.
        """
        text = tuple(self._text(row, name, result) for name in names)
        if text[0].endswith("%") and row[names[-1]] - row[names[-2]] > WIDE:
            return tuple(format_number(row[name], "proportion", 0) for name in names)
        return text

    def _text(self, row: Mapping[str, Any], name: str, result: str) -> str:
        if name not in row:
            raise DataError("the result has no such column", column=name, value=result)
        value = row[name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            raise DataError("the result is empty", column=name, value=result)
        column = self.table(result.rpartition("/")[0]).column(name)
        if column is None:
            return format_number(value)
        unit = str(row["unit"]) if column.unit == "row" else column.unit
        return format_number(value, unit, column.digits)
