"""Dot plot of adverse events: rows by value."""

from __future__ import annotations

import pandas as pd
import pytest

from metablin.errors import DataError
from metablin.plots.dots import dots, dots_frame

DATA = pd.DataFrame(
    {
        "term": ["fever", "rash", "anaemia"],
        "treatment": [0.5, 0.1, 0.2],
        "control": [0.3, 0.08, 0.5],
        "estimate": [0.2, 0.02, -0.3],
        "conf_low": [0.1, -0.05, -0.4],
        "conf_high": [0.3, 0.09, -0.2],
    }
)


def test_rows_run_from_harm_to_benefit() -> None:
    frame = dots_frame(DATA)
    assert frame["term"].tolist() == ["fever", "rash", "anaemia"]
    assert frame["position"].tolist() == [0, 1, 2]


def test_only_the_most_frequent_terms_are_kept_on_request() -> None:
    assert set(dots_frame(DATA, top=2)["term"]) == {"fever", "anaemia"}


def test_both_panels_share_their_rows() -> None:
    left, right = dots(DATA)
    assert left.get_ylim() == right.get_ylim()
    assert [t.get_text() for t in left.get_yticklabels()] == ["fever", "rash", "anaemia"]
    assert list(left.lines[0].get_xdata()) == [0.5, 0.1, 0.2]
    assert list(right.lines[0].get_xdata()) == [0.2, 0.02, -0.3]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="control"):
        dots_frame(DATA.drop(columns="control"))
