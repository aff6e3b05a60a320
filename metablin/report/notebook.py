"""The HTML face of a result, for notebooks: by the renderer of report and site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from metablin.records import Record
from metablin.report.format import format_number
from metablin.report.render import Shown, to_html

if TYPE_CHECKING:
    from metablin.records import Unit

__all__ = ["record_html"]

HEADINGS: dict[str, tuple[str, Unit]] = {
    "term": ("Term", "text"),
    "estimate": ("Estimate", "number"),
    "std_error": ("Std. error", "number"),
    "statistic": ("Statistic", "number"),
    "df": ("df", "number"),
    "p_value": ("p", "p"),
    "conf_low": ("Lower limit", "number"),
    "conf_high": ("Upper limit", "number"),
    "conf_level": ("Level", "number"),
    "pred_low": ("Prediction, lower", "number"),
    "pred_high": ("Prediction, upper", "number"),
}
"""The columns that all results share; others stand under their own names."""
MOST = 50
"""Rows of a long table, such as a curve, that a notebook shows: the first and the last half."""


def record_html(record: Record) -> str:
    """Return the table of a result as HTML.

    Examples
    --------
    >>> from metablin import generic, pool
    >>> "Lower limit" in record_html(pool(generic([0.1, 0.3], [0.02, 0.05])))
    True
    """
    frame = record.to_frame()
    rows = len(frame)
    if rows > MOST:
        frame = pd.concat([frame.head(MOST // 2), frame.tail(MOST // 2)])
    cells, right = {}, []
    for name, column in frame.items():
        usual: Unit = "number" if pd.api.types.is_numeric_dtype(column) else "text"
        if pd.api.types.is_bool_dtype(column):
            usual = "flag"
        heading, unit = HEADINGS.get(str(name), (str(name).replace("_", " "), usual))
        cells[heading] = [format_number(value, unit) for value in column.tolist()]
        if unit not in ("text", "flag"):
            right.append(heading)
    body = to_html(Shown(pd.DataFrame(cells), right=tuple(right)), type(record).__name__.lower())
    return body if rows <= MOST else f"{body}<p>{rows} rows, of which {MOST} are shown</p>"
