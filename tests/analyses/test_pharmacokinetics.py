"""The pharmacokinetic analysis on the evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metablin.datasets import load
from metablin.pipeline.registry import load_analysis
from metablin.report import Outcome

FOLDER = Path(__file__).parents[2] / "analyses"


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return load_analysis(FOLDER, "pharmacokinetics").run()


def test_no_concentration_enters_the_line_twice(outcome: Outcome) -> None:
    power = outcome.tables["proportionality"].frame
    rows = load("pharmacokinetics", all_rows=True).set_index("row_id")
    used = rows.loc[power["row_ids"].iloc[0].split()]
    assert used["preferred"].all()
    assert used["dose_unit"].nunique() == 1
    measured = used.loc[used["estimate"].notna()]
    assert not measured.duplicated(["source_key", "estimate"]).any()


def test_the_slope_is_that_of_least_squares_by_hand(outcome: Outcome) -> None:
    power = outcome.tables["proportionality"].frame.set_index("key")
    points = outcome.tables["steady_state"].frame.set_index("key")
    used = points.loc[power.loc["slope", "row_ids"].split()]
    x, y = np.log(used["dose"]), np.log(used["estimate"])
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert power.loc["slope", "estimate"] == pytest.approx(slope)
    assert power.loc["slope", "k"] == len(used)
