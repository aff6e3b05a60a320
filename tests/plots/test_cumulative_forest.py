"""The cumulative forest plot: its frame, what is drawn of it, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import metablin as mb
from metablin.plots import (
    cumulative_forest,
    cumulative_forest_frame,
    draw_cumulative_forest,
    forest_frame,
    style,
)
from tests.reference import table

BCG = table("bcg")
E = mb.two_by_two("events_treatment", "n_treatment", "events_control", "n_control", measure="rr",
                  data=BCG, studies="study")  # fmt: skip
FIT = mb.pool(E)
CUMULATIVE = mb.cumulative(FIT, order=BCG["year"])


def test_rows_are_the_pools_so_far_and_end_with_the_pool_of_all() -> None:
    frame = cumulative_forest_frame(CUMULATIVE)
    assert list(frame.columns) == list(forest_frame(FIT).columns)
    assert frame["kind"].tolist() == ["study"] * 13 + ["pooled", "prediction", "note"]
    assert frame["position"].tolist() == list(range(16))
    assert frame.loc[0, "label"] == "Aronson 1948"
    assert frame.loc[2, "label"] == "+ Stein & Aronson 1953"
    first = [i for i in np.argsort(BCG["year"], kind="stable")][:4]
    alone = mb.pool(E.select(np.isin(np.arange(E.k), first)))
    assert frame.loc[3, "estimate"] == pytest.approx(alone.estimate, rel=1e-10)
    assert frame.loc[3, "text"] == "0.37 (0.20 to 0.66)"
    assert frame.loc[12, "estimate"] == pytest.approx(FIT.estimate, rel=1e-10)
    assert frame.loc[13, ["label", "text"]].tolist() == ["All 13 studies", frame.loc[12, "text"]]
    assert frame["weight"].isna().all()


def test_events_and_patients_add_up() -> None:
    p = mb.proportions([3, 9, 4], [20, 31, 25], studies=["b", "c", "a"])
    frame = cumulative_forest_frame(mb.cumulative(mb.pool(p), order=[2, 3, 1]))
    assert frame.loc[:2, "counts"].tolist() == ["4/25", "7/45", "16/76"]
    assert frame.loc[:2, "label"].tolist() == ["a", "+ b", "+ c"]
    assert frame.loc[0, "text"].endswith("%)")


def test_what_is_drawn_is_the_frame() -> None:
    ax = cumulative_forest(CUMULATIVE)
    frame = cumulative_forest_frame(CUMULATIVE)
    written = {t.get_text() for t in ax.texts}
    assert {"Study added", "Risk ratio (95% CI)", "+ TPT Madras 1980"} <= written
    assert "Weight" not in written
    marks = [c.get_offsets()[0] for c in ax.collections]
    drawn = np.array([[m[0], m[1]] for m in marks])
    assert drawn[:, 1].tolist() == list(range(13))
    assert drawn[:, 0] == pytest.approx(frame["estimate"][:13].to_numpy())
    # the second pool, of two studies, reaches beyond the axis
    assert [line.get_marker() for line in ax.lines].count("<") == 1


def test_the_frame_alone_is_enough_and_a_telephone_has_its_own_layout() -> None:
    _, ax = style.figure(4, 4)
    frame = cumulative_forest_frame(CUMULATIVE).iloc[:5]
    assert draw_cumulative_forest(frame, ax, measure="rr", level=0.9) is ax
    assert "Risk ratio (90% CI)" in {t.get_text() for t in ax.texts}
    small = style.narrow(ax.figure)
    assert small.get_figwidth() == style.NARROW_INCHES
    assert "+ Stein & Aronson 1953" in {t.get_text() for t in small.axes[0].texts}


def test_leaving_out_adds_nothing_up() -> None:
    with pytest.raises(mb.DataError, match="leave-one-out"):
        cumulative_forest_frame(mb.leave_one_out(FIT))
    with pytest.raises(mb.DataError, match="what cumulative returns"):
        cumulative_forest_frame(FIT)
