"""Surrogacy and consistency plots: frames by value, drawings by what stands on the axes."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.mrd import mixture_check, surrogacy
from metablin.plots.surrogacy import surrogacy_frame

FIT = surrogacy(
    [0.2, 0.9, 1.5, 2.1], [0.05] * 4, [-0.1, -0.4, -0.8, -1.0], [0.03] * 4,
    studies=list("ABCD"), draws=5,
)  # fmt: skip


def test_the_band_is_the_prediction_over_the_range_of_the_trials() -> None:
    frame = surrogacy_frame(FIT, "weighted", points=11)
    line = FIT.weighted
    np.testing.assert_allclose(frame["estimate"], line.intercept + line.slope * frame["x"])
    assert frame["x"].iloc[0] < 0
    assert frame["x"].iloc[-1] > 2.1
    assert (frame["pred_low"] < frame["pred_high"]).all()


def test_every_trial_is_named_and_axes_are_in_ratios() -> None:
    ax = FIT.plot()
    assert {"A", "B", "C", "D"} <= {t.get_text() for t in ax.texts}
    formatter = ax.yaxis.get_major_formatter()
    assert formatter(np.log(0.5), 0) == "0.5"


def test_times_that_do_not_add_up_are_crossed_out() -> None:
    found = mixture_check([12, 24], [0.50, 0.40], [0.80, 0.50], 0.8, [0.1, 0.0])
    ax = found.plot()
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert list(crosses[0].get_xdata()) == [12.0]
    assert ax.get_ylim()[0] == pytest.approx(0.0)
