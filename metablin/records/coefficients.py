"""Coefficients of a regression and their inference: one record for all models that have them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._moved import Renamed
from metablin.records.base import Record, json_dict

__all__ = ["Coefficients"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Coefficients(Record):
    """The p coefficients of a fit, on the analysis scale.

    Attributes
    ----------
    terms : tuple of str
        Their names.
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
        Estimates, tests that they are zero, and confidence limits.
    cov : ndarray, shape (p, p)
        Covariance of the estimates.
    df : float
        Degrees of freedom of tests and intervals; infinite for a normal reference.
    level : float
        Confidence level.
    """

    UNWRITTEN: ClassVar[frozenset[str]] = frozenset()
    """Fields that :meth:`to_dict` leaves out: the input, and what follows from the rest."""

    terms: tuple[str, ...]
    beta: FloatArray
    std_error: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    cov: FloatArray
    df: float
    level: float

    conf_level = Renamed("level")

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        names = ("std_error", "statistic", "p_value", "conf_low", "conf_high")
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "estimate": self.beta,
                **{name: getattr(self, name) for name in names},
                "conf_level": self.level,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fit in plain types, ready for JSON."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in self.UNWRITTEN]
        return json_dict({name: getattr(self, name) for name in names})

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), allow_nan=False)
