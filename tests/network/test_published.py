"""Published comparisons stand beside ours with their distance."""

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.network import network, network_pool
from metablin.network.published import beside_published

FIT = network_pool(
    network({"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["z", "z"],
             "estimate": [0.7, 0.9], "conf_low": [0.5, 0.7], "conf_high": [0.98, 1.16]}, "hr")
)  # fmt: skip
TABLE = {"source": ["P", "Q"], "treat1": ["x", "x"], "treat2": ["y", "w"],
         "estimate": [0.75, 0.5], "conf_low": [0.5, 0.3], "conf_high": [1.12, 0.9]}  # fmt: skip


def test_the_distance_is_on_the_analysis_scale():
    row = beside_published(FIT, TABLE).iloc[0]
    ours = FIT.effect("x", "y")
    assert row["ours"] == pytest.approx(0.7 / 0.9)
    assert row["gap"] == pytest.approx(0.7 / 0.9 / 0.75)
    se = np.log(1.12 / 0.5) / (2 * 1.959964)
    want = np.log(0.7 / 0.9 / 0.75) / max(se, ours["std_error"])
    assert row["gap_in_errors"] == pytest.approx(want, rel=1e-6)
    assert row["theirs_high"] == 1.12


def test_what_the_network_does_not_have_is_said():
    table = beside_published(FIT, {**TABLE, "method": ["NMA", "MAIC"]})
    assert table["note"].tolist() == ["", "the network does not have w"]
    assert table["method"].tolist() == ["NMA", "MAIC"]
    assert np.isnan(table["ours"][1])


def test_a_contradictory_interval_names_its_source():
    with pytest.raises(DataError, match=r"row 2 \(Q\).*does not contain"):
        beside_published(FIT, {**TABLE, "conf_low": [0.5, 0.6]})
    with pytest.raises(DataError, match="'source'"):
        beside_published(FIT, {k: v for k, v in TABLE.items() if k != "source"})
