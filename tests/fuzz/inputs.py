"""Columns as people have them: usual values, edges, and values nobody should have typed."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

__all__ = ["FORMS", "column", "counts", "labels", "level", "numbers", "rows"]

ODD: list[Any] = [
    None, np.nan, np.inf, -np.inf, -1, -0.0, 0, 1e-300, 1e300, 10**400, "", "NR", "n/a", "1_0",
    "abc", "1,5", True, 1j, pd.NA, pd.NaT, datetime.date(2020, 1, 1), np.timedelta64(3, "D"), [1],
    "\x1b[2J", 2**53 + 1,
]  # fmt: skip
"""Cells that are no number, or a number that few columns allow."""

rows = st.integers(1, 12)
level = st.sampled_from([0.95, 0.9, 0.99, 0.5, 1 - 1e-9])


def numbers(low: float, high: float, decimals: int | None = None) -> st.SearchStrategy[float]:
    """Return numbers in a range, often round ones, so that ties are common."""
    whole = st.integers(int(np.ceil(low)), int(high)).map(float)
    some = st.floats(low, high, allow_subnormal=False)
    return st.one_of(whole, some if decimals is None else some.map(lambda x: round(x, decimals)))


def counts(most: int = 60) -> st.SearchStrategy[int]:
    """Return whole numbers, often 0."""
    return st.one_of(st.just(0), st.integers(0, most))


@st.composite
def column(draw: st.DrawFn, cells: st.SearchStrategy[Any], k: int, odd: float = 0.05) -> list[Any]:
    """Return `k` cells; now and then one of them is odd."""
    out: list[Any] = [draw(cells) for _ in range(k)]
    if draw(st.floats(0, 1)) < odd:
        out[draw(st.integers(0, k - 1))] = draw(st.sampled_from(ODD))
    return out


def labels(k: int) -> st.SearchStrategy[list[Any]]:
    """Return labels of groups: words, numbers, numbers as text, words that a picture would obey."""
    pools: list[list[Any]] = [
        ["a", "b"],
        [0, 1],
        ["9", "28", "100"],
        ["A vs B", "B vs A"],
        ["_x", "$5", "\x1b[1m"],
    ]
    return st.sampled_from(pools).flatmap(
        lambda pool: st.lists(st.sampled_from(pool), min_size=k, max_size=k)
    )


def _series(values: list[Any]) -> Any:
    return pd.Series(values, index=[f"r{i}" for i in range(len(values))][::-1])


FORMS: dict[str, Callable[[list[Any]], Any]] = {
    "array": np.array,
    "tuple": tuple,
    "series": _series,
    "objects": lambda values: np.array(values, dtype=object),
    "nullable": lambda values: pd.array(values, dtype="Float64"),
    "text": lambda values: [repr(float(x)) for x in values],
}
"""Other forms of a column of numbers; the answer must not depend on them."""
