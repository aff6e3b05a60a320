"""Fits on disk: a pooled result as JSON text, and back again.

The text holds plain values only; nothing in it is evaluated. Floats keep every bit, and what JSON
has no word for (NaN, infinity) is written as text of that name.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metablin.effects import EffectSizes
from metablin.effects.sizes import Counts, Excluded
from metablin.errors import DataError
from metablin.meta.fit import Analysis, Heterogeneity, MetaFit, SubgroupTest
from metablin.meta.regression import Design, Regression

__all__ = ["fit_to_json", "load_fit"]

FORMAT = 1
_RECORDS: dict[str, type] = {
    t.__name__: t
    for t in (MetaFit, EffectSizes, Excluded, Analysis, Heterogeneity, SubgroupTest, Regression,
              Design)
}  # fmt: skip


def fit_to_json(fit: MetaFit) -> str:
    """Return a fit as JSON text that :func:`load_fit` reads back.

    Parameters
    ----------
    fit : MetaFit

    Returns
    -------
    str
    """
    return json.dumps({"metablin_fit": FORMAT, "fit": _encode(fit)}, allow_nan=False)


def load_fit(source: str | Path) -> MetaFit:
    """Return a fit that ``fit.to_json()`` wrote.

    Parameters
    ----------
    source : str or Path
        A file, or the text itself (which begins with a brace).

    Returns
    -------
    MetaFit
        Equal to the one saved, to the last bit; a meta-regression predicts again.

    Raises
    ------
    DataError
        When the source is no saved fit.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.3], [0.02, 0.05]))
    >>> mb.load_fit(fit.to_json()).estimate == fit.estimate
    True
    """
    text = source if isinstance(source, str) and source.lstrip().startswith("{") else None
    name = "the text" if text is not None else str(source)
    if text is None:
        text = Path(source).read_text(encoding="utf-8")
    try:
        raw = json.loads(text)
        if raw["metablin_fit"] != FORMAT:
            raise DataError("a saved fit of another format", value=raw["metablin_fit"],
                            allowed=str(FORMAT))  # fmt: skip
        fit = _decode(raw["fit"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is no saved fit", allowed="what fit.to_json() gives") from error
    if not isinstance(fit, MetaFit):
        raise DataError(f"{name} is no saved fit", allowed="what fit.to_json() gives")
    return fit


def _encode(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if type(value).__name__ in _RECORDS and dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        fields.pop("spec", None)  # built again from the formula and its columns
        return {
            "record": type(value).__name__,
            "fields": {k: _encode(v) for k, v in fields.items()},
        }
    if isinstance(value, np.ndarray):
        return {"array": value.dtype.str, "shape": list(value.shape),
                "values": [_encode(v) for v in value.ravel().tolist()]}  # fmt: skip
    if isinstance(value, pd.DataFrame):
        return {"frame": {str(c): _encode_column(value[c]) for c in value.columns}}
    if isinstance(value, Counts):
        return {"counts": {k: _encode(v) for k, v in value.items()}}
    if isinstance(value, Mapping):
        return {"mapping": [[_encode(k), _encode(v)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_encode(v) for v in value]}
    raise DataError("this part of a fit cannot be saved", value=type(value).__name__)


def _encode_column(column: pd.Series) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [_encode(v) for v in column.cat.categories.tolist()]
        return {"codes": column.cat.codes.tolist(), "levels": levels,
                "ordered": bool(column.cat.ordered)}  # fmt: skip
    return [_encode(v) for v in column.tolist()]


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "float" in value:
        return float(value["float"])
    if "record" in value:
        return _record(value["record"], {k: _decode(v) for k, v in value["fields"].items()})
    if "array" in value:
        dtype = np.dtype(value["array"])
        if dtype.kind not in "fiub":
            raise DataError("no array of numbers", value=value["array"])
        items = [_decode(v) for v in value["values"]]
        return np.array(items, dtype=dtype).reshape(value["shape"])
    if "frame" in value:
        return pd.DataFrame({k: _decode_column(v) for k, v in value["frame"].items()})
    if "counts" in value:
        return Counts({k: _decode(v) for k, v in value["counts"].items()})
    if "mapping" in value:
        return {_decode(k): _decode(v) for k, v in value["mapping"]}
    if "tuple" in value:
        return tuple(_decode(v) for v in value["tuple"])
    return [_decode(v) for v in value["list"]]


def _decode_column(value: Any) -> Any:
    if isinstance(value, dict):
        levels = pd.Index([_decode(v) for v in value["levels"]])
        return pd.Categorical.from_codes(value["codes"], levels, ordered=value["ordered"])
    return [_decode(v) for v in value]


def _record(name: str, fields: dict[str, Any]) -> Any:
    if name == "Design":
        from metablin.meta.regression import rebuild_spec

        fields["spec"] = rebuild_spec(fields["formula"], fields["columns"])
    return _RECORDS[name](**fields)
