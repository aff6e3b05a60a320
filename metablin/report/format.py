"""How numbers are printed for people: one format a unit, the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["MISSING", "format_estimate", "format_number", "format_range"]

MISSING = "–"
LEAST_RATIO, MOST_RATIO = 0.005, 100.0
"""Ratios outside come from very few studies; two decimals would say nothing or too much."""
LEAST_P = 0.001
THOUSAND = 1000.0
DIGITS = {"proportion": 1, "points": 1, "ratio": 2, "months": 1, "count": 0, "p": 3}
"""After the decimal point, where a table does not say otherwise."""


def format_number(value: Any, unit: str = "number", digits: int | None = None) -> str:
    """Return one number as text.

    Parameters
    ----------
    value : float
        The number; missing values print as an en dash, text as it is.
    unit : metablin.records.Unit
        Proportions print as percentages with one decimal, differences of proportions as
        percentage points with one (their unit is in the words around them), ratios with two
        decimals (beyond 0.01 and 100 as far as that says something), months with one, counts as
        integers, p-values with three decimals or as below 0.001, flags as yes and no, other
        numbers with three significant digits (whole ones from a thousand on in full). What
        rounds to zero has no sign.
    digits : int, optional
        After the decimal point, in place of those of the unit.

    Examples
    --------
    >>> format_number(0.4286, "proportion"), format_number(0.712, "ratio")
    ('42.9%', '0.71')
    >>> format_number(0.095, "points"), format_number(-0.0002, "points")
    ('9.5', '0.0')
    >>> format_number(64745.01, "ratio")
    '64,745'
    >>> format_number(0.4286, "proportion", 0), format_number(0.0004, "p")
    ('43%', '< 0.001')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, str):
        return value
    if unit == "flag":
        return "yes" if value else "no"
    places = DIGITS.get(unit, 0) if digits is None else digits
    if unit == "proportion":
        return f"{100 * value:z.{places}f}%"
    if unit == "points":
        return f"{100 * value:z.{places}f}"
    if unit == "ratio" and 0.0 < value < LEAST_RATIO:
        return "under 0.01"
    if unit == "ratio" and value >= MOST_RATIO:
        return f"{value:,.0f}"
    if unit == "p" and value < LEAST_P:
        return f"< {LEAST_P}"
    if unit in DIGITS or digits is not None:
        return f"{value:z,.{places}f}"
    whole = abs(value) >= THOUSAND and float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def format_range(low: Any, high: Any, unit: str = "number", digits: int | None = None) -> str:
    """Return an interval without its middle, e.g. ``0.35 to 0.98``.

    Examples
    --------
    >>> format_range(0.352, 0.981, "ratio"), format_range(0.12, None, "proportion")
    ('0.35 to 0.98', 'from 12.0%')
    """
    first, last = (format_number(x, unit, digits) for x in (low, high))
    if MISSING in (first, last):
        return MISSING if first == last else f"from {first}"
    return first if first == last else f"{first} to {last}"


def format_estimate(
    row: Mapping[str, Any],
    unit: str = "number",
    digits: int | None = None,
    columns: tuple[str, str, str] = ("estimate", "conf_low", "conf_high"),
) -> str:
    """Return an estimate with its interval, e.g. ``42.9% (37.1% to 48.9%)``.

    Parameters
    ----------
    row : mapping
        With the columns; ``not_reached`` names those that are survival times beyond the curve.
    unit, digits
        See :func:`format_number`.
    columns : tuple of str
        Estimate and limits.

    Examples
    --------
    >>> format_estimate({"estimate": 0.71, "conf_low": 0.55, "conf_high": 0.93}, "ratio")
    '0.71 (0.55 to 0.93)'
    >>> format_estimate({"estimate": 11.4, "conf_low": 5.9, "not_reached": "conf_high"}, "months")
    '11.4 (5.9 to not reached)'
    """
    beyond = str(row.get("not_reached", "")).split()
    text, low, high = (
        "not reached" if c in beyond else format_number(row.get(c), unit, digits) for c in columns
    )
    return text if MISSING in (low, high) else f"{text} ({low} to {high})"
