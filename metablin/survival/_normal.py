"""Rows of results whose estimate is normal on some scale."""

from __future__ import annotations

import math
import sys
from typing import Any

from metablin.numerics.inference import critical, two_sided

__all__ = ["normal_row", "ratio_row"]

LARGEST = math.log(sys.float_info.max)


def normal_row(term: str, estimate: float, std_error: float, level: float) -> dict[str, Any]:
    """Return a result row; with a standard error of 0 there is nothing to test (NaN)."""
    z = estimate / std_error if std_error > 0 else math.nan
    half = float(critical(level)) * std_error
    return {
        "term": term,
        "estimate": estimate,
        "std_error": std_error,
        "statistic": z,
        "p_value": float(two_sided(z)),
        "conf_low": estimate - half,
        "conf_high": estimate + half,
        "conf_level": level,
    }


def ratio_row(term: str, log_estimate: float, std_error: float, level: float) -> dict[str, Any]:
    """Return a row for a ratio; ``std_error`` stays on the log scale, where the test is done.

    A limit beyond the largest double is infinite: where nobody in one group had the event the
    likelihood is all but flat, and the upper limit says nothing.
    """
    row = normal_row(term, float(log_estimate), std_error, level)
    for name in ("estimate", "conf_low", "conf_high"):
        row[name] = math.exp(row[name]) if row[name] < LARGEST else math.inf
    return row
