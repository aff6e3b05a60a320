"""Named sums, differences, ratios, shares and weighted means over evidence rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from metablin.errors import DataError

from ..lines import records

OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "sum": lambda x, w: float(x.sum()),
    "difference": lambda x, w: float(x[0] - x[1:].sum()),
    "ratio": lambda x, w: float(x[0] / x[1]),
    "share": lambda x, w: float(x[0] / x[1:].sum()),
    "weighted_mean": lambda x, w: float((x * w).sum() / w.sum()),
}


def named_sums(sums: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the value of every named sum.

    Parameters
    ----------
    sums : pandas.DataFrame
        ``name, operation, row_ids, column, weight_column, weight_row_ids, statement``; `row_ids`
        in the order the operation takes them, `column` a column of their table or ``rate`` for
        events over n. Weights come from `weight_row_ids` where given, else from the same rows.
    tables : dict of str to pandas.DataFrame
        Evidence tables; the first column names the row.
    """
    rows = pd.concat([t.set_index(t.columns[0]) for t in tables.values()])
    rows = rows.assign(rate=rows["events"] / rows["n"])
    lines = [
        {
            "key": line["name"],
            "value": _value(line, rows),
            "operation": line["operation"],
            "statement": line["statement"],
            "row_ids": line["row_ids"],
        }
        for line in records(sums)
    ]
    return pd.DataFrame(lines, columns=["key", "value", "operation", "statement", "row_ids"])


def _value(line: dict[str, str], rows: pd.DataFrame) -> float:
    x = _column(line["name"], rows, line["row_ids"].split(), line["column"])
    w = np.ones(len(x))
    if line["weight_column"]:
        ids = (line["weight_row_ids"] or line["row_ids"]).split()
        w = _column(line["name"], rows, ids, line["weight_column"])
    return OPERATIONS[line["operation"]](x, w)


def _column(name: str, rows: pd.DataFrame, ids: list[str], column: str) -> np.ndarray:
    missing = [i for i in ids if i not in rows.index]
    if missing:
        raise DataError("no such evidence row", study=name, value=missing[0])
    values = rows.loc[ids, column].to_numpy(float)
    if np.isnan(values).any():
        raise DataError(
            f"{column} is missing", study=name, value=ids[int(np.isnan(values).argmax())]
        )
    return values
