"""What a summary says beside its numbers, and limits that stay on the scale."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.errors import MetablinWarning

NARROW = mb.generic([0.30, 0.31, 0.29, 0.30], [0.02, 0.03, 0.02, 0.04])


def notes(fit):
    return " | ".join(fit.notes)


def test_one_informative_table_has_no_heterogeneity():
    e = mb.two_by_two([0, 3, 0], [20, 30, 25], [0, 1, 0], [22, 28, 26])
    fit = mb.pool(e, model="mantel-haenszel")
    assert (fit.i2, fit.q, fit.q_df, fit.h2) == (0.0, 0.0, 0, 1.0)
    assert "I2 = 0.0%" in fit.summary()


@pytest.mark.parametrize("model", ["mantel-haenszel", "peto", "glmm"])
def test_models_of_counts_do_not_claim_corrections(model):
    e = mb.two_by_two([0, 3, 2], [20, 30, 25], [2, 1, 4], [22, 28, 26])
    assert "corrected" in notes(mb.pool(e))
    assert "corrected" not in notes(mb.pool(e, model=model))


@pytest.mark.parametrize(
    "call",
    [
        lambda e: mb.pool(e, model="common"),
        lambda e: mb.pool(e.select([0])),
        lambda e: mb.pool(e, moderators="x", data=pd.DataFrame({"x": [1.0, 2.0, 3.0, 5.0]})),
    ],
)
def test_freeman_tukey_keeps_what_has_no_value(call):
    fit = call(mb.proportions([1, 3, 5, 9], [10, 20, 15, 30], "freeman-tukey"))
    assert math.isnan(fit.pred_low)
    assert math.isnan(fit.pred_high)
    assert math.isnan(fit.estimate) == (fit.regression is not None)
    assert "prediction" not in fit.summary()
    assert ("Pooled" in fit.summary()) == (fit.regression is None)


def test_freeman_tukey_accumulates_without_a_prediction_of_the_first():
    fit = mb.pool(mb.proportions([1, 3, 5], [10, 20, 15], "freeman-tukey"))
    frame = mb.cumulative(fit).to_frame()
    assert math.isnan(frame["pred_low"].iloc[0])
    assert math.isnan(frame["pred_high"].iloc[0])


def test_an_interval_narrower_than_walds_says_so():
    assert "narrower" in notes(mb.pool(NARROW))
    assert "narrower" in notes(
        mb.pool(NARROW, moderators="x", data=pd.DataFrame({"x": [1.0, 2.0, 4.0, 7.0]}))
    )
    for ci in ("hksj-adhoc", "z", "t"):
        assert "narrower" not in notes(mb.pool(NARROW, ci=ci))
    wide = mb.generic([0.1, 0.9, -0.5, 1.4], [0.02, 0.03, 0.02, 0.04])
    assert "narrower" not in notes(mb.pool(wide))


def test_the_note_is_about_the_intervals_themselves():
    for shift in np.linspace(0.0, 0.5, 26):
        e = mb.generic([0.3, 0.3 + shift, 0.3 - shift, 0.29], [0.02, 0.03, 0.02, 0.04])
        hartung, wald = mb.pool(e), mb.pool(e, ci="z")
        narrow = hartung.conf_high - hartung.conf_low < wald.conf_high - wald.conf_low
        assert ("narrower" in notes(hartung)) == narrow


def test_repeated_labels_are_named():
    e = mb.generic([0.1, 0.2, 0.3, 0.4, 0.1], [0.1] * 5, studies=list("aabbc"))
    assert "5 rows of 3 studies" in notes(mb.pool(e))
    assert "--cluster study" in notes(mb.pool(e))
    levels = {"study": list("aabbc")}
    assert "rows of" not in notes(mb.pool(e, model="multilevel", levels=levels))
    assert "rows of" not in notes(mb.pool(NARROW))


def warned(*ratio):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MetablinWarning)
        mb.hazard_ratios(*([x] for x in ratio))
    return len(caught)


def test_asymmetry_is_judged_by_half_a_unit_of_the_printed_digit():
    assert warned(0.7, 0.1, 8.2) == 0
    assert warned(2, 1, 5) == 0
    assert warned(0.71, 0.11, 8.21) == 1
    assert warned(0.71, 0.55, 0.93) == 0


def test_limits_stay_on_the_scale():
    share = mb.pool(mb.proportions([18, 20, 19], [20, 20, 20], "raw"), ci="hksj")
    assert share.conf_high <= 1.0
    assert share.pred_high <= 1.0
    assert share.studies["conf_high"].max() <= 1.0
    assert share.analysis.pred_high > 1.0
    assert mb.pool(mb.proportions([9, 5], [10, 10], "log")).conf_high == 1.0
    assert mb.pool(mb.rates([1, 2], [10, 40], "raw")).conf_low == 0.0
    tables = mb.two_by_two([9, 2], [10, 10], [1, 1], [10, 10], measure="rd")
    assert mb.pool(tables).conf_high == 1.0
