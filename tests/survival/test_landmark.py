"""Landmarks, Simon-Makuch curves and the warning about immortal time."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxTimeVaryingFitter

from metablin.errors import DataError, MetablinWarning
from metablin.survival import cox, landmark_analysis, simon_makuch


@pytest.fixture(scope="module")
def trial():
    """Response has no effect: survival is the same before and after it."""
    rng = np.random.default_rng(11)
    n = 800
    time = rng.exponential(12.0, n)
    censor = rng.uniform(6.0, 40.0, n)
    response = rng.exponential(6.0, n)
    follow = np.minimum(time, censor)
    return follow, (time <= censor).astype(int), np.where(response < follow, response, np.nan)


def test_without_a_landmark_the_comparison_is_refused_or_named(trial):
    with pytest.raises(DataError, match="allow_naive=True"):
        landmark_analysis(*trial)
    with pytest.warns(MetablinWarning, match="immortal time"):
        naive = landmark_analysis(*trial, allow_naive=True)
    # A response without effect looks like a cure.
    assert naive.hazard_ratio.hr < 0.6
    assert naive.method == "naive"


def test_landmark_and_simon_makuch_see_no_effect_where_there_is_none(trial):
    for found in (landmark_analysis(*trial, landmark=3.0), simon_makuch(*trial)):
        row = found.to_frame().iloc[0]
        assert row["conf_low"] < 1 < row["conf_high"]
        assert found.test.p_value > 0.05


def test_the_landmark_starts_the_clock_and_drops_those_who_left(trial):
    time, event, response = trial
    found = landmark_analysis(*trial, landmark=4.0)
    keep = time > 4
    assert found.excluded == (~keep).sum()
    by_hand = cox(time[keep] - 4, event[keep], (response[keep] <= 4).astype(int))
    assert found.hazard_ratio.hr == pytest.approx(by_hand.hr)
    assert found.curves["responder"].n == (response[keep] <= 4).sum()


def test_the_time_dependent_ratio_is_lifelines(trial):
    time, event, response = trial
    rows = []
    for i, (t, e, r) in enumerate(zip(time, event, response, strict=True)):
        if np.isnan(r):
            rows.append((i, 0.0, t, e, 0))
        else:
            rows += [(i, 0.0, r, 0, 0), (i, r, t, e, 1)]
    long = pd.DataFrame(rows, columns=["id", "start", "stop", "event", "x"])
    theirs = CoxTimeVaryingFitter().fit(
        long, event_col="event", start_col="start", stop_col="stop", id_col="id"
    )
    found = simon_makuch(*trial)
    assert found.hazard_ratio.log_hr[0] == pytest.approx(theirs.params_["x"], rel=1e-5)


def test_risk_sets_move_from_one_curve_to_the_other(trial):
    time, _, response = trial
    found = simon_makuch(*trial)
    at = [2.0, 8.0]
    for t, none, some in zip(
        at,
        found.curves["non-responder"].at_risk(at)["n_risk"],
        found.curves["responder"].at_risk(at)["n_risk"],
        strict=True,
    ):
        assert none + some == (time >= t).sum()
        assert some == ((time >= t) & (response < t)).sum()


def test_a_response_after_the_end_is_refused():
    with pytest.raises(DataError, match="row 2, column 'response_time', value 9"):
        simon_makuch([5, 6, 7], [1, 0, 1], [None, 9, 2])


def test_a_landmark_nobody_responded_by_is_refused():
    with pytest.raises(DataError, match="no responder at 1"):
        landmark_analysis([5, 6, 7], [1, 0, 1], [None, 3, 2], landmark=1)


def test_the_result_speaks(trial):
    found = landmark_analysis(*trial, landmark=4.0)
    assert "landmark at 4" in found.summary()
    assert found.to_dict()["medians"]["responder"]["estimate"] > 0


def test_simon_makuch_from_a_landmark_counts_from_the_start_of_treatment(trial):
    found = simon_makuch(*trial, landmark=4.0)
    time, event, response = trial
    late = time > 4.0
    assert found.curves["responder"].time.max() == time[late & (response < time)].max()
    # Moving the clock of everybody moves no risk set.
    moved = simon_makuch(time[late] - 4, event[late], np.maximum(response[late] - 4, 0.0))
    assert found.hazard_ratio.hr == pytest.approx(moved.hazard_ratio.hr, rel=1e-12)
