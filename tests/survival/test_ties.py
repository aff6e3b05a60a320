"""Times that differ by rounding are one time, as with R's timefix, wherever times are compared."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metablin as mb
from metablin.errors import DataError
from metablin.meta.survival.ipd import one_stage
from metablin.survival import (
    kaplan_meier_by,
    milestone_difference,
    nelson_aalen,
    piecewise_hazard_ratio,
)
from metablin.survival.ties import TIE, join, onto
from tests.reference import pinned, table

CLOSED = 1e-12
"""Closed forms; the pinned values carry 15 digits."""

ITERATED = 1e-9
"""Coefficients: both sides stop at a gain in likelihood below 1e-11."""

PINNED = pinned("near_ties")
PATIENTS = table("near_ties")
TIME, CLEAN, EVENT, ARM = (PATIENTS[c].to_numpy() for c in ("time", "clean", "event", "arm"))
ENTRY = np.array(PINNED["entry"])
LATE = 0.1 + 0.2


def same_curve(curve, reference):
    assert curve.time.size == np.size(reference["time"])
    for name in ("time", "n_risk", "n_event", "survival", "std_error"):
        np.testing.assert_allclose(getattr(curve, name), reference[name], rtol=CLOSED, err_msg=name)


def test_the_smallest_case_matches_r():
    curve = mb.kaplan_meier([0.3, LATE], [0, 1])
    np.testing.assert_array_equal(curve.time, [0.3])
    assert curve.survival[-1] == 0.5
    same_curve(curve, PINNED["smallest"])


def test_curves_match_r():
    curve = mb.kaplan_meier(TIME, EVENT)
    assert curve.time.size == 35
    same_curve(curve, PINNED["km"])
    same_curve(mb.kaplan_meier(TIME, EVENT, entry=ENTRY), PINNED["truncated"])


def test_tests_and_models_match_r():
    assert mb.logrank(TIME, EVENT, ARM).statistic == pytest.approx(PINNED["logrank"], rel=CLOSED)
    for entry, name in ((None, "cox"), (ENTRY, "cox_truncated")):
        fit = mb.cox(TIME, EVENT, ARM, entry=entry)
        assert fit.log_hr[0] == pytest.approx(PINNED[name]["log_hr"], rel=ITERATED)
        assert fit.std_error[0] == pytest.approx(PINNED[name]["std_error"], rel=ITERATED)


@pytest.mark.parametrize("name", PINNED["medians"])
def test_medians_match_those_r_prints(name):
    d = PINNED["medians"][name]
    row = mb.kaplan_meier(d["time"], d["event"]).quantile().iloc[0]
    high = np.inf if d["conf_high"] is None else d["conf_high"]
    found = row[["estimate", "conf_low", "conf_high"]].tolist()
    assert found == pytest.approx([d["median"], d["conf_low"], high], rel=CLOSED)
    assert bool(row["note"]) == (name == "half")


def test_a_median_of_a_flat_end_stays_where_the_last_censoring_moves():
    time, event = [1, 2, 3, 4, 6, 10, 20, 30, 40, 60], [1] * 5 + [0] * 5
    moved = [*time[:-1], 600]
    curves = [mb.kaplan_meier(t, event) for t in (time, moved)]
    assert [c.median for c in curves] == [6.0, 6.0]
    assert "flat" in curves[0].summary()
    assert "flat" not in mb.kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).summary()


CALLS = {
    "restricted mean": lambda t: mb.rmst(t, EVENT, 5.0, ARM).to_frame(),
    "pieces": lambda t: piecewise_hazard_ratio(t, EVENT, ARM, [0.1 * 3 * 10]),
    "milestone": lambda t: milestone_difference(t, EVENT, ARM, [2.2]),
    "hazard": lambda t: nelson_aalen(t, EVENT),
    "weibull": lambda t: mb.fit_parametric(t, EVENT).to_frame(),
    "groups": lambda t: pd.concat(c.to_frame() for c in kaplan_meier_by(t, EVENT, ARM).values()),
    "landmark": lambda t: mb.landmark_analysis(
        t, EVENT, np.where(ARM == "a", np.minimum(t, 1.4), np.nan), 1.4
    ).to_frame(),
    "simon-makuch": lambda t: mb.simon_makuch(
        t, EVENT, np.where(ARM == "a", np.minimum(CLEAN, 1.4), np.nan)
    ).to_frame(),
    "table times": lambda t: mb.kaplan_meier(t, EVENT).at_risk(np.arange(58) * 0.1),
    "one stage": lambda t: one_stage(
        pd.DataFrame({"trial": ENTRY > 0, "group": ARM, "time": t, "event": EVENT})
    ).to_frame(),
}


@pytest.mark.parametrize("name", CALLS)
def test_rounding_of_times_changes_no_answer(name):
    found, clean = CALLS[name](TIME), CALLS[name](CLEAN)
    pd.testing.assert_frame_equal(found, clean, rtol=1e-6, atol=1e-9)


def test_table_times_and_landmarks_meet_follow_up_they_equal_but_for_rounding():
    curve = mb.kaplan_meier([LATE, 1.0, 2.0 - 1e-12], [1, 0, 0])
    assert curve.survival_at([0.3])["estimate"].tolist() == pytest.approx([2 / 3])
    assert curve.survival_at([2.0])["note"].tolist() == [""]
    assert curve.at_risk([0.3, LATE])["n_risk"].tolist() == [3, 3]
    assert mb.rmst([1.0, 2.0 - 1e-12], [1, 0], 2.0).estimate[0] == pytest.approx(1.5)
    found = mb.landmark_analysis(
        [LATE, 2, 1, 3, 4], [1, 1, 1, 1, 0], [None, LATE, None, None, 0.2], 0.3
    )
    assert found.excluded == 1
    assert found.curves["responder"].n == 2


def test_an_entry_at_the_end_of_follow_up_but_for_rounding_is_refused():
    with pytest.raises(DataError, match="row 1, column 'entry'"):
        mb.kaplan_meier([LATE, 1], [1, 1], entry=[0.3, 0])


def test_one_huge_time_joins_no_others():
    assert mb.kaplan_meier([1, 2, 3, 1e9], [1, 1, 1, 1]).time.size == 4


# Far below any follow-up, where a change of unit would lose digits, a time counts as zero.
TIME_OF_ONE = st.floats(0, 1e4).map(lambda t: t if t > 1e-200 else 0.0)
TIMES = st.lists(TIME_OF_ONE, min_size=1, max_size=30).map(np.array)


@given(TIMES, st.sampled_from([1e-9, 1.0, 1e9]))
def test_joining_does_not_depend_on_the_unit_and_keeps_order(times, unit):
    (joined,) = join(times)
    assert np.unique(join(times * unit)[0]).size == np.unique(joined).size
    assert (np.diff(joined[np.argsort(times)]) >= 0).all()
    assert (joined <= times).all()


@given(TIMES)
def test_times_far_apart_are_untouched(times):
    whole = np.unique(np.ceil(times)) + 1.0
    apart = whole[:1] if TIE * np.median(whole) >= 1 else whole
    (joined,) = join(apart)
    np.testing.assert_array_equal(joined, apart)
    np.testing.assert_array_equal(onto(apart + 0.25, apart), apart + 0.25)
