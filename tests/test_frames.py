"""Tables of any library at every door that takes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import pytest

import metablin as mb

STUDIES = pd.DataFrame({"events": [12, 20, 5, 9], "n": [34, 50, 30, 41], "dose": [1, 2, 3, 5]})
CLICKS = pd.DataFrame({"id": "a", "time": [0, 2, 4, 6], "survival": [1, 0.9, 0.8, 0.7]})
TOTALS = pd.DataFrame({"id": ["a"], "n": [50]})

KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "another index": lambda frame: frame.set_axis([7] * len(frame)),
    "other cases": lambda frame: frame.rename(columns=str.title),
    "polars": pl.from_pandas,
    "a mapping": lambda frame: frame.to_dict("list"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_any_table(kind: str) -> None:
    found = mb.proportions("events", "n", data=KINDS[kind](STUDIES))
    assert found.yi.tolist() == mb.proportions(STUDIES["events"], STUDIES["n"]).yi.tolist()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "other cases"])
def test_moderators_of_any_table(kind: str) -> None:
    e = mb.proportions(STUDIES["events"], STUDIES["n"])
    found = mb.pool(e, moderators="dose", data=KINDS[kind](STUDIES))
    assert found.to_dict() == mb.pool(e, moderators="dose", data=STUDIES).to_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_clicks_of_any_table(kind: str) -> None:
    found = mb.reconstruct_many(KINDS[kind](CLICKS), totals=KINDS[kind](TOTALS))
    pd.testing.assert_frame_equal(found, mb.reconstruct_many(CLICKS, totals=TOTALS))


def test_a_column_that_is_there_twice_is_refused() -> None:
    twice = pd.concat([CLICKS, CLICKS[["time"]]], axis=1)
    with pytest.raises(mb.DataError, match="'time': the clicks have this column twice"):
        mb.reconstruct_many(twice, totals=TOTALS)


def test_every_bad_cell_of_a_column_by_name_is_told() -> None:
    data = {"x": ["12*", "20", "5a"], "n": [34, 50, 30]}
    with pytest.raises(mb.DataError, match="row 1, column 'x'"):
        mb.proportions("x", "n", data=data)


def test_an_update_keeps_its_studies() -> None:
    e = mb.proportions(STUDIES["events"], STUDIES["n"])
    with pytest.raises(mb.DataError, match="studies stay as they are"):
        mb.pool(e).update(e=e)
