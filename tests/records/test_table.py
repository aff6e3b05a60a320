"""A table of results says once what its columns are."""

from __future__ import annotations

import pandas as pd
import pytest

from metablin.errors import DataError
from metablin.records import Column, Table

FRAME = pd.DataFrame({"key": ["a", "b"], "estimate": [0.5, 0.6], "low": [0.4, 0.5], "high": 0.7})
ESTIMATE = Column("estimate", "Response", "proportion", low="low", high="high")


def test_a_limit_belongs_to_its_estimate() -> None:
    table = Table(FRAME, (ESTIMATE,), "Response")
    assert table.column("high") is ESTIMATE
    assert table.column("key") is None
    assert table.group is None


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[["estimate", "low", "high"]], "the first column of a result table is 'key'"),
        (FRAME.assign(key="a"), "keys must be unique"),
        (FRAME.assign(key=["a/b", "c"]), "keys must be unique"),
        (FRAME.assign(key=["", "c"]), "keys must be unique"),
        (FRAME.drop(columns="high"), "'Response' has no such column"),
    ],
)
def test_a_table_that_cannot_be_read_back_is_refused(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Table(frame, (ESTIMATE,), "Response")


def test_units_by_row_need_the_column_that_names_them() -> None:
    by_row = Column("estimate", "Estimate", "row")
    with pytest.raises(DataError, match="unit"):
        Table(FRAME, (by_row,), "Estimates")
    assert Table(FRAME.assign(unit="ratio"), (by_row,), "Estimates").columns == (by_row,)


@pytest.mark.parametrize(("unit", "role"), [("percent", "value"), ("ratio", "heading")])
def test_unknown_units_and_roles_are_refused(unit: str, role: str) -> None:
    with pytest.raises(DataError, match=r"estimate.*no such (unit|role)"):
        Column("estimate", "Estimate", unit, role)  # type: ignore[arg-type]
