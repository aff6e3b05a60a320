"""What every result record shares: read-only arrays, JSON-ready values, an HTML view."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Record", "Row", "freeze", "json_dict", "jsonable"]


def freeze(record: object) -> None:
    """Make every array field of a dataclass instance read-only (as :class:`Record` does)."""
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            value.setflags(write=False)


def jsonable(value: Any) -> Any:
    """Return `value` in plain Python types that JSON can carry; NaN and infinities become None.

    Examples
    --------
    >>> jsonable({"a": np.float64(1.5), "b": np.array([1, 2]), "c": float("nan")})
    {'a': 1.5, 'b': [1, 2], 'c': None}
    """
    if isinstance(value, dict):
        return json_dict(value)
    if isinstance(value, np.ndarray | list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, pd.DataFrame):
        return [jsonable(row) for row in value.to_dict(orient="records")]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_dict(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping with names as text and values as :func:`jsonable` gives them.

    Examples
    --------
    >>> json_dict({"k": np.int64(3), "tau2": float("nan")})
    {'k': 3, 'tau2': None}
    """
    return {str(name): jsonable(value) for name, value in values.items()}


class Record:
    """Mixin for frozen result dataclasses with read-only arrays, ``to_frame`` and ``summary``."""

    __slots__ = ()

    def __post_init__(self) -> None:
        freeze(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the result as a tidy table."""
        raise TypeError(f"{type(self).__name__} has no table")

    def summary(self) -> str:
        """Return the result as text for people."""
        return self.to_frame().to_string(index=False, na_rep="")

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the result and return its axes.

        The drawing function is the one that :mod:`metablin.plots` names for this type of record;
        `options` are its own.

        Raises
        ------
        TypeError
            When this kind of result has no picture.
        """
        # By name: a result does not import its picture.
        axes: Axes = importlib.import_module("metablin.plots").drawing(type(self))(
            self, ax=ax, **options
        )
        return axes

    def to_markdown(self) -> str:
        """Return the result as a table in Markdown; see :func:`metablin.export`."""
        return _exported(self, "markdown")

    def to_latex(self) -> str:
        """Return the result as a table in LaTeX (with booktabs); see :func:`metablin.export`."""
        return _exported(self, "latex")

    def to_html(self) -> str:
        """Return the result as a table for word processors; see :func:`metablin.export`."""
        return _exported(self, "html")

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        try:
            # By name, as in `plot`: the renderer of report and site knows records, not they it.
            text: str = importlib.import_module("metablin.report.notebook").record_html(self)
        except ModuleNotFoundError:  # the engine alone, without great_tables
            text = self.to_frame().to_html(index=False, border=0, na_rep="")
        return text


class Row(Record):
    """Mixin for results that are one row of a table: their fields, ``level`` as ``conf_level``."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """Return the result as one row."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        row = {field.name: getattr(self, field.name) for field in fields}
        return pd.DataFrame([row]).rename(columns={"level": "conf_level"})

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready Python types."""
        return json_dict(self.to_frame().to_dict(orient="records")[0])


def _exported(record: Record, form: str) -> str:
    # By name: a result does not import what prints it.
    text: str = importlib.import_module("metablin.report.export").export(record, form)
    return text
