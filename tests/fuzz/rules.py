"""What must hold of every answer, whatever the input."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb

__all__ = ["NAMED", "answer", "check", "numbers_of"]

NAMED = (mb.DataError, mb.ConvergenceError)
SLACK = 1e-7
"""Rounding between an estimate and its limits."""


class Refused:
    """A refusal by name, with its line."""

    def __init__(self, error: Exception) -> None:
        self.line = str(error)


def answer(call: Callable[[], Any]) -> Any:
    """Return the answer or the named refusal; any other exception or warning goes through."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", mb.MetablinWarning)
        warnings.simplefilter("ignore", mb.ConvergenceWarning)
        try:
            return call()
        except NAMED as error:
            return Refused(error)


def check(found: Any) -> None:
    """Check an answer: refusals in one clear line, JSON, intervals the right way round."""
    if isinstance(found, Refused):
        assert found.line, "an error without words"
        assert "\n" not in found.line, f"more than one line: {found.line!r}"
        assert "\x1b" not in found.line, "an escape reached the terminal"
        return
    if isinstance(found, pd.DataFrame):
        _intervals(found)
        return
    if hasattr(found, "to_dict") and hasattr(found, "to_frame"):
        json.dumps(found.to_dict(), allow_nan=False)
        frame = found.to_frame()
        if isinstance(frame, pd.DataFrame):
            _intervals(frame)
        if hasattr(found, "summary"):
            assert "\x1b" not in found.summary()
    if hasattr(found, "survival") and hasattr(found, "time"):
        assert (np.diff(np.asarray(found.survival)) <= SLACK).all(), "survival rises"
    if isinstance(found, mb.MetaFit):
        _of_fit(found)


def _of_fit(fit: mb.MetaFit) -> None:
    if math.isnan(fit.estimate):
        assert fit.notes or fit.regression is not None, "no value and no reason"
        return
    assert math.isfinite(fit.estimate) or math.isinf(fit.analysis.estimate)
    for low, high in ((fit.conf_low, fit.conf_high), (fit.pred_low, fit.pred_high)):
        if not math.isnan(low):
            slack = SLACK * (1 + abs(fit.estimate))
            assert low - slack <= fit.estimate <= high + slack, "estimate outside its interval"
    if fit.measure == "proportion":
        assert 0 <= fit.conf_low <= fit.conf_high <= 1
    if not math.isnan(fit.tau2):
        assert fit.tau2 >= 0
        assert math.isnan(fit.i2) or 0 <= fit.i2 <= 1
    weights = fit.weights
    assert np.isnan(weights).all() or abs(float(weights.sum()) - 1) < 1e-9


def _intervals(frame: pd.DataFrame) -> None:
    """Limits are in order, with the estimate between them where all three are numbers."""
    if not {"estimate", "conf_low", "conf_high"} <= set(frame.columns):
        return
    values = frame[["conf_low", "estimate", "conf_high"]].to_numpy(dtype=float)
    low, middle, high = values.T
    known = ~np.isnan(values).any(1)
    slack = SLACK * (1 + np.abs(np.where(np.isfinite(middle), middle, 0.0)))
    assert (low[known] <= high[known] + slack[known]).all(), "an interval the wrong way round"
    inside = (low - slack <= middle) & (middle <= high + slack)
    assert inside[known].all(), "estimate outside its interval"


def numbers_of(found: Any) -> dict[str, float]:
    """Return the numbers of an answer that do not depend on the order of the rows."""
    if isinstance(found, Refused):
        return {}
    if isinstance(found, mb.MetaFit):
        names = ("estimate", "conf_low", "conf_high", "tau2", "q")
        return {n: float(getattr(found, n)) for n in names}
    if isinstance(found, mb.EffectSizes):
        return {"yi": float(np.sum(found.yi)), "vi": float(np.sum(found.vi)), "k": found.k}
    if isinstance(found, np.ndarray):
        return {str(i): float(x) for i, x in enumerate(np.ravel(found))}
    frame = found if isinstance(found, pd.DataFrame) else None
    if frame is None and hasattr(found, "to_frame"):
        frame = found.to_frame()
    if not isinstance(frame, pd.DataFrame):
        return {}
    numeric = frame.select_dtypes("number")
    return {str(c): float(np.nansum(numeric[c].replace([np.inf, -np.inf], np.nan)))
            for c in numeric.columns}  # fmt: skip
