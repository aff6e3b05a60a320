"""Cells as numbers; and of a cell that is none, what it may mean and the smallest mend."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metablin._input import is_missing
from metablin.errors import DataError

__all__ = ["column_of_numbers", "explain", "is_number", "looks_numeric", "parse"]

FloatArray = NDArray[np.float64]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII)

_PLAIN = frozenset("0123456789.+-eE")
"""Cells of these characters alone are numbers wherever numpy reads them as such."""

_N = r"[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d(?:[ T].*)?|\d{{1,2}}[-./ ]{_MONTH}(?:[-./ ]\d{{2,4}})?"
    rf"|{_MONTH}[-./ ]\d{{1,4}}|\d{{1,2}}([./-])\d{{1,2}}\1\d{{2,4}}",
    re.IGNORECASE,
)

# What a cell may mean: its form, and the words, into which the captured parts go.
_MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"#[A-Z/0-9!?]+", "an error of the spreadsheet; mend its formula"),
        (rf"({_N})\s*\(\s*({_N})\s*%\s*\)", "{0} of which {1} % is the share; write {0}"),
        (rf"({_N})\s*\(\s*({_N})\s*\)", "{0} with {1} in parentheses; write {0}"),
        (
            rf"({_N})\s*[([]\s*({_N})\s*(?:-|–|to|,|;)\s*({_N})\s*[)\]]",
            "{0} with its interval; write {0}, {1} and {2} in three columns",
        ),
        (
            rf"({_N})\s*[([]\s*\d+(?:\.\d+)?\s*%\s*-?(?:CI|KI|IC)?\s*[:,]?\s*({_N})\s*(?:-|–|to|,|;)"
            rf"\s*({_N})\s*[)\]]",
            "{0} with its interval; write {0}, {1} and {2} in three columns",
        ),
        (
            rf"(\d+)\s*/\s*(\d+)\s*[([]\s*{_N}\s*%?\s*[)\]]",
            "{0} of {1} and the share; write {0} and {1} in two columns",
        ),
        (rf"({_N})\s*(?:±|\+/-)\s*({_N})", "{0} with its spread {1}; write them in two columns"),
        (r"(\d+(?:\.\d+)?)\s*/\s*(\d+)", "{0} of {1}; write them in two columns"),
        (r"(\d+)\s+of\s+(\d+)", "{0} of {1}; write them in two columns"),
        (rf"(\d+)[.,]?\d*\s*(?:-|–|to)\s*{_N}", "a range; write one number"),
        (rf"({_N})\s*%", "{0} in percent; give --percent, or write the share"),
        (rf"({_N})\s*[*†‡§#^]+|({_N})\s*\[?[a-z]\]?", "{0} with a footnote mark; write {0}"),
        (rf"(?:~|≈|ca\.?|c\.|about|approx\.?)\s*({_N})", "about {0}; write {0} if that is meant"),
        (rf"[<>≤≥]=?\s*({_N})", "a bound, not a value; write the number, or leave it empty"),
        (
            r"(\d{1,3})((?:[ '’\u2009\u202f]\d{3})+)",
            "{0}{1} with marks between thousands; write {0}{1}",
        ),
        (rf"({_N})\s*[a-zµ/²]+\.?", "{0} with a unit; write {0} and the unit in the header"),
        (
            r"not (?:reported|reached|estimable|available|applicable)|n\.?[adrk]\.?"
            r"|none|null|missing|unknown",
            "a missing value; write NA",
        ),
    )
)  # fmt: skip


def parse(cell: str, comma: bool = False) -> float | None:
    """Return the number a cell holds, or None.

    Typographic minus signs and the raised decimal point of some journals are read; ``1_0``,
    digits of other scripts, ``inf`` and ``nan`` are not numbers. `comma` says that this file
    writes decimals with a comma.

    Examples
    --------
    >>> parse("1e-3"), parse("−0·5"), parse("0,5"), parse("0,5", comma=True)
    (0.001, -0.5, None, 0.5)
    """
    text = cell.strip().replace("−", "-").replace("·", ".")
    if comma and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def is_number(cell: str, comma: bool = False) -> bool:
    """Tell whether a cell holds a number."""
    return parse(cell, comma) is not None


def looks_numeric(cell: str) -> bool:
    """Tell whether a cell that is no number was meant as one (it begins with a figure or mark)."""
    return bool(re.match(r"[~≈<>≤≥+\-−.,]?\s*\d", cell.strip()))


def explain(cell: str) -> str:
    """Return what a cell that is no number may mean, and the smallest mend.

    Examples
    --------
    >>> explain("12 (34%)"), explain("1,204")
    ('12 of which 34 % is the share; write 12', '1204 or 1.204; write one of them')
    """
    text = " ".join(cell.split())
    if _DATE.fullmatch(text):
        return f"a date: a spreadsheet turned {_before_the_date(text)} into it; type it as text"
    if _THOUSANDS.fullmatch(text):
        return f"{text.replace(',', '')} or {text.replace(',', '.', 1)}; write one of them"
    if _COMMA.fullmatch(text):
        point = text.replace(",", ".")
        return f"{point} with a decimal comma, or two numbers; write {point}"
    for pattern, words in _MEANINGS:
        found = pattern.fullmatch(text)
        if found:
            parts = [g for g in found.groups() if g is not None]
            return words.format(*(re.sub(r"[ '’\u2009\u202f]", "", p) for p in parts))
    if text.lower() in ("true", "false", "yes", "no"):
        return "a yes or no; write 1 or 0"
    return "a word; write a number, or NA for missing"


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _before_the_date(text: str) -> str:
    """Return what may have been typed before a spreadsheet made a date of it."""
    iso = re.match(r"\d{4}-(\d\d)-(\d\d)", text)
    if iso:
        month, day = int(iso[1]), int(iso[2])
        return f"{day}/{month} or {month}/{day}"
    word = re.search("|".join(_MONTHS), text.lower())
    figure = re.search(r"\d+", text)
    if word and figure:
        month, day = _MONTHS.index(word[0]) + 1, int(figure[0])
        return f"{day}/{month} or {month}/{day}"
    return "something such as 3/5"


def column_of_numbers(
    name: str,
    cells: Sequence[str],
    *,
    comma: bool = False,
    percent: bool = False,
    missing: bool = False,
    studies: Sequence[str] | None = None,
    rows: Sequence[int] | None = None,
) -> tuple[FloatArray, list[DataError]]:
    """Return a column as floats and one error for every cell that is no number.

    Parameters
    ----------
    name : str
        Column, for errors.
    cells : sequence of str, length k
    comma : bool
        Decimals have a comma.
    percent : bool
        A percent sign after a number is allowed (the column is in percent).
    missing : bool
        Missing codes are allowed and become NaN; else each is an error.
    studies : sequence of str, optional
        Labels for errors.
    rows : sequence of int, optional
        Data rows of the file, from 1.

    Returns
    -------
    values : ndarray, shape (k,)
        NaN where there is no number.
    errors : list of DataError
    """
    if cells and _PLAIN.issuperset("".join(cells)) and all(cells):
        try:
            quick = np.array(cells).astype(np.float64)
        except ValueError:  # such as 1-2: each cell is looked at below
            quick = np.array([np.nan])
        if np.isfinite(quick).all():
            return quick, []
    values = np.full(len(cells), np.nan)
    errors = []
    for i, cell in enumerate(cells):
        text = cell.strip()
        number = parse(text.removesuffix("%").rstrip() if percent else text, comma)
        if number is not None and np.isfinite(number):
            values[i] = number
        elif not (missing and is_missing(text)):
            row = i + 1 if rows is None else rows[i]
            errors.append(_error(name, text, row, None if studies is None else studies[i]))
    return values, errors


def _error(name: str, cell: str, row: int, study: str | None) -> DataError:
    if is_missing(cell):
        shown = "missing" if not cell else f"{cell!r} (missing)"
        return DataError("a value is needed", row=row, column=name, value=shown, study=study,
                         allowed="a finite number, or --missing drop")  # fmt: skip
    return DataError(f"not a number ({explain(cell)})", row=row, column=name, value=repr(cell),
                     study=study)  # fmt: skip
