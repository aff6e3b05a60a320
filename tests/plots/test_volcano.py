"""Volcano plot: points by value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metablin.errors import DataError
from metablin.plots.volcano import volcano, volcano_frame

DATA = pd.DataFrame(
    {
        "term": ["fever", "rash", "anaemia", "cough"],
        "estimate": [0.2, 0.01, -0.3, 0.1],
        "p_value": [1e-4, 0.8, 1e-20, 0.04],
        "q_value": [2e-4, 0.8, 4e-20, 0.053],
        "events": [60, 10, 120, 20],
    }
)


def test_points_stand_at_difference_and_surprise() -> None:
    frame = volcano_frame(DATA, labels=3)
    assert frame["x"].tolist() == DATA["estimate"].tolist()
    np.testing.assert_allclose(frame["y"], [4, -np.log10(0.8), 20, -np.log10(0.04)])
    assert frame["side"].tolist() == ["more", "unclear", "less", "unclear"]
    assert frame["label"].tolist() == ["fever", "", "anaemia", ""]


def test_the_picture_names_its_terms_and_sides() -> None:
    ax = volcano(DATA, arms=("blinatumomab", "chemotherapy"))
    texts = {t.get_text() for t in ax.texts}
    assert {"fever", "anaemia"} <= texts
    assert "more often with blinatumomab →" in texts
    low, high = ax.get_xlim()
    assert low == -high


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="q_value"):
        volcano_frame(DATA.drop(columns="q_value"))
