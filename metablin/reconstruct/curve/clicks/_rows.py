"""Which row of the input a message is about, and columns of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import numeric
from metablin.errors import DataError

__all__ = ["Rows", "as_numbers"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Rows:
    """Row numbers for messages: 1, 2, ... or those of the file the curve comes from."""

    def __init__(
        self, clicks: IntArray | None = None, table: IntArray | None = None, label: str = ""
    ) -> None:
        self.clicks, self.table, self.label = clicks, table, label
        self.scale = 1.0  # of survival in the input: 100 for percent
        self.entries = 0  # of the risk table

    def click(self, i: int) -> int:
        """Row of click `i`."""
        return int(i + 1 if self.clicks is None else self.clicks[i])

    def risk(self, i: int) -> int:
        """Row of risk-table entry `i`."""
        return int(i + 1 if self.table is None else self.table[i])

    def turn_table(self, size: int) -> None:
        """Take the table as read from its last row to its first."""
        rows = np.arange(1, size + 1) if self.table is None else self.table
        self.table = rows[::-1]


def as_numbers(column: str, values: ArrayLike, numbers: IntArray | None, label: str) -> FloatArray:
    """Column as finite floats, shape (k,); an error names the row of the file."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths within the list: said below
        array = np.array(None)
    if array.ndim == 1 and array.dtype.kind == "i":
        return array.astype(np.float64)
    if array.dtype == np.float64 and array.ndim == 1 and np.isfinite(array).all():
        return array
    try:
        return numeric(column, values)
    except DataError as error:
        row = error.row
        if row is not None and numbers is not None:
            row = int(numbers[row - 1])
        raise DataError(
            error.message,
            row=row,
            column=error.column,
            value=error.value,
            allowed=error.allowed,
            study=label or None,
        ) from error
