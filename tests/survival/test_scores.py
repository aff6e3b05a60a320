"""Concordance and competing risks."""

import numpy as np
import pytest
from lifelines.utils import concordance_index

from metablin.errors import DataError
from metablin.survival import concordance, cumulative_incidence, kaplan_meier
from tests.reference import table


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
