"""Concordance and competing risks."""

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index

from metablin.errors import DataError
from metablin.survival import concordance, cumulative_incidence, kaplan_meier
from tests.reference import pinned, table
from tests.survival.test_ties import ARM, CLEAN, EVENT, TIME


def test_concordance_is_lifelines():
    d = table("pbc")
    ours = concordance(d["time"], d["event"], d["x"])
    assert ours == pytest.approx(concordance_index(d["time"], -d["x"], d["event"]), abs=1e-4)


def test_one_cause_is_one_minus_the_curve_and_causes_add_up():
    d = table("lung")
    curve = kaplan_meier(d["time"], d["event"])
    one = cumulative_incidence(d["time"], d["event"])
    np.testing.assert_allclose(one["estimate"], 1 - curve.survival, atol=1e-12)
    kinds = d["event"] * (1 + np.arange(len(d)) % 2)
    two = cumulative_incidence(d["time"], kinds)
    total = two.groupby("time")["estimate"].sum()
    np.testing.assert_allclose(total, 1 - curve.survival, atol=1e-12)


def test_gaps_in_the_kinds_of_event_are_refused():
    with pytest.raises(DataError, match="without gaps"):
        cumulative_incidence([1, 2, 3], [1, 3, 0])
    with pytest.raises(DataError, match="no events"):
        concordance([1, 2], [0, 0], [1, 2])


CLOSED = 1e-10
"""The same closed form, written twice."""
VARIANCES = 0.004
"""R's limits rest on the infinitesimal jackknife, scikit-survival's on Aalen's variance."""
CAUSES = ("relapse", "death in remission")


def test_relapse_against_death_in_remission_is_rs():
    d, reference = table("colon_relapse"), pinned("covariates")["incidence"]
    names = {"causes": CAUSES}
    whole = cumulative_incidence("time", "event", data=d, **names)
    arms = cumulative_incidence("time", "event", group="group", data=d, **names)
    parts = {"all": whole} | dict(list(arms.groupby("group")))
    pins = {"all": reference["all"], **reference["groups"]}
    assert parts.keys() == pins.keys()
    for label, pin in pins.items():
        for j, cause in enumerate(CAUSES):
            curve = parts[label][parts[label]["cause"] == cause]
            at = np.searchsorted(curve["time"], reference["times"], side="right") - 1
            for column, slack in (("estimate", CLOSED), ("conf_low", VARIANCES),
                                  ("conf_high", VARIANCES)):  # fmt: skip
                theirs = np.array(pin[column], dtype=float)[:, j]
                seen = np.isfinite(theirs)
                ours = curve[column].to_numpy()[at]
                np.testing.assert_allclose(ours[seen], theirs[seen], atol=slack)


def test_one_minus_kaplan_meier_overstates_relapse():
    d = table("colon_relapse")
    frame = cumulative_incidence(d["time"], d["event"], causes=CAUSES)
    relapse = frame[frame["cause"] == "relapse"]["estimate"].iloc[-1]
    naive = 1 - kaplan_meier(d["time"], d["event"] == 1).survival[-1]
    assert relapse < naive


def test_a_kind_that_did_not_happen_stays_at_zero():
    frame = cumulative_incidence(
        [1, 2, 3, 4, 5], [1, 0, 2, 1, 0], causes=CAUSES, group=list("aabbb")
    )
    first = frame[(frame["group"] == "a") & (frame["cause"] == "death in remission")]
    assert (first["estimate"] == 0).all()
    with pytest.raises(DataError, match="a kind of event without a name"):
        cumulative_incidence([1, 2], [1, 3], causes=CAUSES)


def test_rounding_of_times_changes_no_incidence():
    kinds = np.where(ARM == "a", 2 * EVENT, EVENT)
    found, clean = (cumulative_incidence(t, kinds) for t in (TIME, CLEAN))
    pd.testing.assert_frame_equal(found, clean, rtol=1e-6, atol=1e-9)
