"""How numbers are printed for people: one format a unit, the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["format_estimate", "format_number"]

MISSING = "–"
LEAST_RATIO, MOST_RATIO = 0.005, 100.0
"""Ratios outside come from very few studies; two decimals would say nothing or too much."""


def format_number(value: Any, unit: str = "number") -> str:
    """Return one number as text.

    Parameters
    ----------
    value : float
        The number; missing values print as an en dash.
    unit : {"proportion", "points", "ratio", "months", "count", "number"}
        Proportions print as percentages with one decimal, differences of proportions as
        percentage points with one (their unit is in the words around them), ratios with two
        decimals (beyond 0.01 and 100 as far as that says something), months with one, counts as
        integers, other numbers with three significant digits.

    Examples
    --------
    >>> format_number(0.4286, "proportion"), format_number(0.712, "ratio")
    ('42.9%', '0.71')
    >>> format_number(0.095, "points"), format_number(64745.01, "ratio")
    ('9.5', '64,745')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, str):
        return value
    if unit == "proportion":
        return f"{100 * value:.1f}%"
    if unit == "points":
        return f"{100 * value:.1f}"
    if unit == "ratio":
        if 0.0 < value < LEAST_RATIO:
            return "under 0.01"
        return f"{value:.2f}" if value < MOST_RATIO else f"{value:,.0f}"
    if unit == "months":
        return f"{value:.1f}"
    if unit == "count":
        return f"{value:,.0f}"
    return f"{value:.3g}"


def format_estimate(row: Mapping[str, Any], unit: str = "number") -> str:
    """Return an estimate with its interval, e.g. ``42.9% (37.1% to 48.9%)``.

    Parameters
    ----------
    row : mapping
        With ``estimate`` and, where known, ``conf_low`` and ``conf_high``; ``not_reached`` names
        those that are survival times beyond the curve.
    unit : str
        See :func:`format_number`.

    Examples
    --------
    >>> format_estimate({"estimate": 0.71, "conf_low": 0.55, "conf_high": 0.93}, "ratio")
    '0.71 (0.55 to 0.93)'
    >>> format_estimate({"estimate": 11.4, "conf_low": 5.9, "not_reached": "conf_high"}, "months")
    '11.4 (5.9 to not reached)'
    """
    beyond = str(row.get("not_reached", "")).split()
    text, low, high = (
        "not reached" if c in beyond else format_number(row.get(c), unit)
        for c in ("estimate", "conf_low", "conf_high")
    )
    return text if MISSING in (low, high) else f"{text} ({low} to {high})"
