"""Pictures of networks: their frames say what is drawn, and the drawing holds every row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metablin.errors import DataError
from metablin.network import network_pool
from metablin.network.survival import hazard_vectors, multivariate_pool, treatment_curves
from metablin.plots.network import NETWORK_PICTURES, network_frames, network_graph
from metablin.plots.network_effects import network_forest_frame, split_frame
from tests.network.pinned import fitted, net


def test_the_graph_holds_every_treatment_and_comparison():
    nodes, edges = network_frames(net("senn2013"))
    assert len(nodes) == 10
    assert np.hypot(nodes["x"], nodes["y"]).to_numpy() == pytest.approx(np.ones(10))
    assert edges["studies"].sum() == net("senn2013").m
    ax = network_graph(net("senn2013"))
    assert len(ax.lines) == len(edges)
    shown = " ".join(t.get_text() for t in ax.texts)
    assert all(t in shown for t in nodes["treatment"])
    assert f"{int(nodes['n'].max()):,}" in shown


def test_risk_of_bias_colours_edges_by_the_worst_study():
    n = net("franchini2012")
    judged = dict.fromkeys(n.studies, "low") | {n.studies[0]: "high"}
    edges = network_frames(n, judged)[1]
    first = {n.treatments[i] for i in n.blocks[0].arms}
    for row in edges.itertuples():
        assert (row.risk_of_bias == "high") == ({row.treat1, row.treat2} <= first)
    legend = network_graph(n, risk_of_bias=judged).get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["low", "high"]
    with pytest.raises(DataError, match="no judgement of the study"):
        network_frames(n, {n.studies[0]: "low"})
    with pytest.raises(DataError, match="some concerns"):
        network_frames(n, dict.fromkeys(n.studies, "unclear"))


def test_the_forest_is_the_effects_against_the_reference():
    fit = network_pool(net("hasselblad1998"), reference="no_contact")
    frame = network_forest_frame(fit)
    assert frame["label"].tolist() == [t for t in fit.ranking()["treatment"] if t != "no_contact"]
    want = fit.effect(frame["label"][0], "no_contact")
    for key in ("estimate", "conf_low", "pred_high"):
        assert frame[key][0] == pytest.approx(want[key])


def test_the_split_forest_has_three_rows_a_comparison():
    frame = split_frame(fitted("hasselblad1998", "REML"))
    splits = fitted("hasselblad1998", "REML").splits()
    assert len(frame) == 3 * len(splits)
    direct = frame[frame["kind"] == "direct"]["estimate"].to_numpy()
    assert direct == pytest.approx(np.exp(splits["direct"].to_numpy()))


@pytest.mark.parametrize("picture", NETWORK_PICTURES)
def test_every_picture_is_drawn_with_its_labels(picture):
    ax = fitted("hasselblad1998", "REML").plot(picture=picture)
    ax.figure.canvas.draw()
    words = [t.get_text() for t in [*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels()]]
    found = " ".join(words).replace("\n", "")
    assert "self_help" in found


def test_a_network_without_loops_has_no_split_or_heat():
    from metablin.network import network

    fit = network_pool(network({"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["y", "z"],
                                "yi": [0.1, 0.2], "vi": [0.1, 0.2]}, "generic"))  # fmt: skip
    with pytest.raises(DataError, match="no comparison has direct and indirect"):
        fit.plot(picture="splits")
    with pytest.raises(DataError, match="no design can be inconsistent"):
        fit.plot(picture="heat")
    with pytest.raises(DataError, match="'picture'"):
        fit.plot(picture="pie")


def test_curves_are_drawn_for_every_treatment_with_their_restricted_means():
    rng = np.random.default_rng(1)
    parts = [
        pd.DataFrame({"study": s, "treatment": t, "time": rng.exponential(m, 60), "event": 1})
        for s, t, m in (("A", "x", 8), ("A", "y", 14), ("B", "y", 14), ("B", "z", 20))
    ]
    patients = pd.concat(parts)
    fit = multivariate_pool(hazard_vectors(patients, "constant"), model="common")
    curves = treatment_curves(fit, "constant", parts[0]["time"], parts[0]["event"], baseline="x",
                              horizons=[12], draws=100)  # fmt: skip
    ax = curves.plot()
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == curves.rmst["treatment"].tolist()
    assert f"{curves.rmst['estimate'][0]:.1f}" in labels[0]
    assert len(ax.collections) == 2  # bands of all but the baseline
