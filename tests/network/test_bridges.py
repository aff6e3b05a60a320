"""Bridges: exact in the limit, marked, and beside the network without them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.errors import DataError
from metablin.network import network, network_pool
from metablin.network.bridges import External, network_bridge

ARMS = {
    "study": list("AABBCC"), "treatment": list("xyxyxy"),
    "events": [20, 14, 25, 15, 18, 13], "n": [50] * 6,
}  # fmt: skip
SINGLE = {"study": ["D"], "treatment": ["z"], "events": [10], "n": [50]}


def log_odds(events, n):
    return math.log(events / (n - events)), 1 / events + 1 / (n - events)


def test_a_single_arm_is_compared_with_the_predicted_reference():
    found = network_bridge(network(ARMS), SINGLE, reference="x")
    logits = [log_odds(e, 50) for e in (20, 25, 18)]
    pooled = mb.pool(mb.generic([y for y, _ in logits], [v for _, v in logits]), ci="z")
    y, v = log_odds(10, 50)
    got = found.fit.effect("z", "x")
    tau2 = network_pool(network(ARMS)).tau2
    assert found.baseline == pytest.approx(pooled.analysis.estimate)
    assert got["effect"] == pytest.approx(y - pooled.analysis.estimate)
    want = v + pooled.analysis.std_error**2 + pooled.tau2 + tau2 / 2
    assert got["std_error"] ** 2 == pytest.approx(want)


def test_what_is_randomised_stays_as_it_is_and_bridged_pairs_are_marked():
    found = network_bridge(network(ARMS), SINGLE, reference="x")
    frame = found.to_frame().set_index(["treat1", "treat2"])
    plain = network_pool(network(ARMS), reference="x").effect("y", "x")
    assert frame.loc[("y", "x"), "estimate"] == pytest.approx(plain["estimate"], rel=1e-9)
    assert frame.loc[("y", "x"), "without"] == pytest.approx(plain["estimate"])
    assert frame["grade"].to_dict() == {
        ("y", "x"): "randomised", ("z", "x"): "bridged", ("y", "z"): "bridged",
    }  # fmt: skip
    assert math.isnan(frame.loc[("z", "x"), "without"])
    out = found.to_dict()
    assert out["headline"] is False
    assert "not on randomisation" in out["caveat"]
    assert "bridged" in found.summary()


def test_two_single_arms_share_the_error_of_the_prediction():
    singles = {"study": ["D", "E"], "treatment": ["z", "w"], "events": [10, 12], "n": [50, 60]}
    found = network_bridge(network(ARMS), singles, reference="x", baseline_sd=0.3).fit
    i, j = found.treatments.index("z"), found.treatments.index("w")
    x = found.treatments.index("x")
    covariance = found.cov[i, j] - found.cov[i, x] - found.cov[j, x] + found.cov[x, x]
    base = network_bridge(network(ARMS), singles, reference="x", baseline_sd=0.3).baseline_error
    assert covariance == pytest.approx(base**2)


def test_disconnected_parts_are_joined_and_stand_alone_without():
    extra = {"study": list("FF"), "treatment": list("vw"), "events": [12, 20], "n": [60, 60]}
    table = {k: [*ARMS[k], *extra[k]] for k in ARMS}
    n = network(table)
    with pytest.raises(DataError, match="2 parts"):
        network_pool(n)
    found = network_bridge(n, reference="x")
    assert found.without is None
    assert (found.to_frame()["grade"] == "bridged").all()
    assert found.bridges["kind"].unique().tolist() == ["part without the reference"]
    # What is randomised within the far part keeps its effect and error.
    alone = network_pool(network(extra)).effect("w", "v")
    got = found.fit.effect("w", "v")
    assert got["effect"] == pytest.approx(alone["effect"])
    assert got["std_error"] ** 2 == pytest.approx(alone["std_error"] ** 2 + found.fit.tau2)


def test_an_external_control_carries_its_own_heterogeneity():
    control = External("RWD", "z", "y", -0.4, 0.2, 0.3)
    found = network_bridge(network(ARMS), reference="x", external=[control])
    e = found.fit.effect("z", "y")
    assert e["effect"] == pytest.approx(-0.4)
    assert e["std_error"] ** 2 == pytest.approx(0.04 + 0.09)


def test_a_bridge_within_the_network_shows_its_share():
    again = {"study": ["D"], "treatment": ["y"], "events": [10], "n": [50]}
    found = network_bridge(network(ARMS), again, reference="x", baseline_sd=0.2)
    row = found.to_frame().iloc[0]
    assert row["grade"] == "bridged"
    assert 0 < row["bridged_share"] < 1
    old = network_pool(network(ARMS), reference="x").effect("y", "x")["std_error"]
    assert row["bridged_share"] == pytest.approx(1 - row["std_error"] ** 2 / old**2)


def test_a_wider_spread_of_the_reference_weakens_the_bridge():
    widths = [network_bridge(network(ARMS), SINGLE, reference="x", baseline_sd=s)
              .fit.effect("z", "x")["std_error"] for s in (0.0, 0.5, 1.0)]  # fmt: skip
    assert np.all(np.diff(widths) > 0)


def test_what_cannot_be_bridged_is_named():
    n = network(ARMS)
    with pytest.raises(DataError, match="'reference', value q"):
        network_bridge(n, SINGLE, reference="q")
    with pytest.raises(DataError, match="nothing to bridge"):
        network_bridge(n, reference="x")
    few = network({k: v[:4] for k, v in ARMS.items()})
    with pytest.raises(DataError, match="value x: 2: too few arms"):
        network_bridge(few, SINGLE, reference="x")
    with pytest.raises(DataError, match="hold no outcome of the reference"):
        network_bridge(network(few.to_frame(), "generic"), SINGLE, reference="x")
    with pytest.raises(DataError, match="'events', value 60"):
        network_bridge(n, {**SINGLE, "events": [60]}, reference="x")
    assert isinstance(n.to_frame(), pd.DataFrame)
