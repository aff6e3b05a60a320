"""Records as JSON text that loses nothing: every bit of a float, every NaN, every nested record.

The text holds plain values only, so that reading it back evaluates nothing. The module that knows
a family of records turns the text into them again.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from metablin.errors import DataError

__all__ = ["decode", "record_to_json"]


def record_to_json(record: object, kind: str, skip: tuple[str, ...] = ()) -> str:
    """Return a record as JSON text.

    Parameters
    ----------
    record : dataclass instance
    kind : str
        Key under which the record stands, such as ``metablin_fit``.
    skip : tuple of str
        Fields, at any depth, that are built anew from the others.
    """
    return json.dumps({kind: 1, "record": _encode(record, skip)}, allow_nan=False)


def _encode(value: Any, skip: tuple[str, ...]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value) if f.name not in skip]
        fields = {name: _encode(getattr(value, name), skip) for name in names}
        return {"record": type(value).__name__, "fields": fields}
    return _encode_many(value, skip)


def _encode_many(value: Any, skip: tuple[str, ...]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        items = [_encode(v, skip) for v in value.ravel().tolist()]
        return {"array": value.dtype.str, "shape": list(value.shape), "values": items}
    if isinstance(value, pd.DataFrame):
        return {"frame": {str(c): _encode_column(value[c], skip) for c in value.columns}}
    if isinstance(value, Mapping):
        return {"mapping": [[_encode(k, skip), _encode(v, skip)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_encode(v, skip) for v in value]}
    raise DataError("this part of a result cannot be saved", value=type(value).__name__)


def _encode_column(column: pd.Series, skip: tuple[str, ...]) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [_encode(v, skip) for v in column.cat.categories.tolist()]
        ordered = bool(column.cat.ordered)
        return {"codes": column.cat.codes.tolist(), "levels": levels, "ordered": ordered}
    return [_encode(v, skip) for v in column.tolist()]


def decode(value: Any, build: Callable[[str, dict[str, Any]], Any]) -> Any:
    """Return what :func:`record_to_json` wrote; `build` makes a record from its name and fields.

    Raises
    ------
    DataError, KeyError, TypeError, ValueError
        For a value that was not written so.
    """
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "record" in value:
        fields = {k: decode(v, build) for k, v in value["fields"].items()}
        return build(value["record"], fields)
    if "array" in value:
        return _array(value, [decode(v, build) for v in value["values"]])
    if "frame" in value:
        return pd.DataFrame({k: _column(v, build) for k, v in value["frame"].items()})
    if "mapping" in value:
        return {decode(k, build): decode(v, build) for k, v in value["mapping"]}
    if "tuple" in value:
        return tuple(decode(v, build) for v in value["tuple"])
    return [decode(v, build) for v in value["list"]]


def _array(value: dict[str, Any], items: list[Any]) -> np.ndarray[Any, Any]:
    dtype = np.dtype(value["array"])
    if dtype.kind not in "fiub":
        raise DataError("not an array of numbers", value=value["array"])
    return np.array(items, dtype=dtype).reshape(value["shape"])


def _column(value: Any, build: Callable[[str, dict[str, Any]], Any]) -> Any:
    if isinstance(value, dict):
        levels = pd.Index([decode(v, build) for v in value["levels"]])
        return pd.Categorical.from_codes(value["codes"], levels, ordered=value["ordered"])
    return [decode(v, build) for v in value]
