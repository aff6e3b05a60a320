"""Invariances, reductions, slow versions and the JSON object of network_pool."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.errors import DataError
from metablin.network import network, network_pool
from tests.network.pinned import cells, fitted, net

SAME = 1e-12
"""Two orders of the same sums."""

METHODS = ["REML", "DL", "ML", "PM"]


def effects(fit):
    out = {}
    for r in fit.to_frame().itertuples():
        out[r.treat1, r.treat2] = (r.effect, r.std_error)
        out[r.treat2, r.treat1] = (-r.effect, r.std_error)
    return out


def assert_same(a, b, rename=lambda t: t, tolerance=SAME):
    mine, other = effects(a), effects(b)
    assert len(mine) == len(other)
    for (t, u), value in mine.items():
        assert other[rename(t), rename(u)] == pytest.approx(value, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["hasselblad1998", "senn2013"])
def test_order_labels_and_reference_do_not_matter(name, method):
    frame, measure = pd.DataFrame(cells()[name]["data"]), cells()[name]["measure"]
    base = fitted(name, method)
    shuffled = frame.sample(frac=1, random_state=3)
    assert_same(base, network_pool(network(shuffled, measure), tau2=method), tolerance=1e-10)
    flip = {t: f"{9 - i}{t}" for i, t in enumerate(base.treatments)}
    renamed = frame.assign(treatment=frame["treatment"].map(flip))
    other = network_pool(network(renamed, measure), tau2=method)
    assert_same(base, other, flip.get, tolerance=1e-10)
    assert other.q == pytest.approx(base.q, rel=1e-11)
    assert other.inconsistency().q_between == pytest.approx(
        base.inconsistency().q_between, rel=1e-9
    )
    last = network_pool(net(name), tau2=method, reference=base.treatments[-1])
    assert_same(base, last)
    a, b = base.contributions(), other.contributions()
    mine = {frozenset(i.split(" : ")): row for i, row in a.iterrows()}
    for pair, row in b.iterrows():
        back = {v: k for k, v in flip.items()}
        want = mine[frozenset(back[t] for t in pair.split(" : "))]
        for edge, share in row.items():
            key = frozenset(back[t] for t in edge.split(" : "))
            found = [v for e, v in want.items() if frozenset(e.split(" : ")) == key]
            assert found == [pytest.approx(share, abs=1e-8)]


@pytest.mark.parametrize("ci", ["z", "t", "hksj"])
@pytest.mark.parametrize("method", METHODS)
def test_two_treatments_are_pool(method, ci):
    rng = np.random.default_rng(11)
    k = 14
    n1, n2 = rng.integers(20, 90, k), rng.integers(20, 90, k)
    a, c = rng.binomial(n1, rng.beta(2, 6, k)), rng.binomial(n2, rng.beta(2, 8, k))
    a[0] = 0
    frame = pd.concat([
        pd.DataFrame({"study": range(k), "treatment": "b", "events": a, "n": n1}),
        pd.DataFrame({"study": range(k), "treatment": "a", "events": c, "n": n2}),
    ])  # fmt: skip
    want = mb.pool(mb.two_by_two(a, n1, c, n2), tau2=method, ci=ci)
    fit = network_pool(network(frame), tau2=method, ci=ci, reference="a")
    row = fit.to_frame().iloc[0]
    for key in ("estimate", "conf_low", "conf_high", "pred_low", "pred_high", "p_value"):
        assert row[key] == pytest.approx(getattr(want, key), rel=SAME), key
    for key in ("tau2", "tau2_conf_low", "tau2_conf_high", "i2", "h2", "q", "q_df", "q_p"):
        assert getattr(fit, key) == pytest.approx(getattr(want, key), rel=SAME, abs=SAME), key
    common = mb.pool(mb.two_by_two(a, n1, c, n2), model="common", ci=ci)
    row = network_pool(network(frame), model="common", ci=ci, reference="a").to_frame().iloc[0]
    assert row["conf_low"] == pytest.approx(common.conf_low, rel=SAME)


def test_a_star_without_heterogeneity_is_bucher():
    table = {"study": ["A", "B", "C"], "treat1": ["b", "b", "c"], "treat2": ["a", "a", "a"],
             "yi": [0.4, 0.2, -0.3], "vi": [0.04, 0.09, 0.05]}  # fmt: skip
    got = network_pool(network(table, "generic"), model="common").effect("b", "c")
    ab = mb.pool(mb.generic([0.4, 0.2], [0.04, 0.09]), model="common")
    assert got["effect"] == pytest.approx(ab.analysis.estimate + 0.3, rel=SAME)
    assert got["std_error"] ** 2 == pytest.approx(ab.analysis.std_error**2 + 0.05, rel=SAME)


def dense(name):
    """Return y, V, H, X of a network without the change of basis."""
    n = net(name)
    t = len(n.treatments)
    y = np.concatenate([b.y for b in n.blocks])
    size = len(y)
    v, h, x = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, t))
    at = 0
    for b in n.blocks:
        r = len(b.y)
        here = slice(at, at + r)
        v[here, here] = b.cov
        h[here, here] = (np.eye(r) + 1) / 2
        x[np.arange(at, at + r), b.arms[1:]] = 1
        x[here, b.arms[0]] = -1
        at += r
    return y, v, h, x[:, 1:]


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("name", ["senn2013", "linde2016", "hasselblad1998", "pagliaro1992"])
def test_the_likelihood_with_the_full_covariance_is_highest_there(name, restricted):
    y, v, h, x = dense(name)

    def fall(tau2):
        m = v + tau2 * h
        inverse = np.linalg.inv(m)
        info = x.T @ inverse @ x
        r = y - x @ np.linalg.solve(info, x.T @ inverse @ y)
        value = np.linalg.slogdet(m)[1] + r @ inverse @ r
        return (value + restricted * np.linalg.slogdet(info)[1]) / 2

    tau2 = fitted(name, "REML" if restricted else "ML").tau2
    best = optimize.minimize_scalar(fall, bounds=(0, 5 * tau2 + 1), method="bounded",
                                    options={"xatol": 1e-10})  # fmt: skip
    assert tau2 == pytest.approx(best.x, rel=1e-5, abs=1e-9)  # flat to the root of rounding
    assert fall(tau2) <= best.fun + 1e-11
    if tau2 == 0:
        assert fall(1e-6) > fall(0)
        return
    step = 1e-5 * tau2
    slope = (fall(tau2 + step) - fall(tau2 - step)) / (2 * step)
    curve = (fall(tau2 + step) - 2 * fall(tau2) + fall(tau2 - step)) / step**2
    assert abs(slope / max(curve, 1.0)) < 1e-6 * tau2 + 1e-9


def test_contributions_are_those_of_all_paths():
    fit = fitted("senn2013", "REML")
    table = fit.contributions()
    names = fit.treatments
    t = len(names)
    _, v, h, x = dense("senn2013")
    x = np.column_stack([-x.sum(1), x])
    lap = x.T @ np.linalg.solve(v + fit.tau2 * h, x)
    inverse = np.linalg.pinv(lap)
    for a, b in itertools.combinations(range(t), 2):
        pot = inverse[a] - inverse[b]
        flow = -lap * (pot[:, None] - pot[None, :])
        np.fill_diagonal(flow, 0)
        flow[flow < 1e-12] = 0
        share = np.zeros((t, t))

        def walk(node, path, p, flow=flow, share=share, end=b):
            if node == end:
                for i, j in itertools.pairwise(path):
                    share[i, j] += p / (len(path) - 1)
                return
            for to in np.flatnonzero(flow[node]):
                walk(int(to), [*path, int(to)], p * flow[node, to] / flow[node].sum())

        walk(a, [a], 1.0)
        row = table.loc[f"{names[a]} : {names[b]}"]
        assert row.sum() == pytest.approx(1, abs=1e-10)
        for edge, value in row.items():
            i, j = (names.index(s) for s in edge.split(" : "))
            assert value == pytest.approx(share[i, j] + share[j, i], abs=1e-10)


def test_the_net_heat_matrix_of_krahn_adds_up():
    fit = fitted("senn2013", "REML")
    heat = fit.net_heat()
    parts = fit.inconsistency()
    assert heat.groupby("design")["q"].first().sum() == pytest.approx(parts.q_between, rel=1e-10)
    fall = heat.groupby("detached")["change"].sum()
    want = parts.designs.set_index("design")
    gone = parts.q_between - want["q_detached"]
    assert fall[gone.index].to_numpy() == pytest.approx(gone.to_numpy(), abs=1e-9)


def test_the_net_heat_matrix_with_random_effects_is_cooler():
    fit = fitted("senn2013", "REML")
    common, random = fit.net_heat(), fit.net_heat("random")
    assert random["q"].max() < common["q"].max()
    parts = fit.inconsistency()
    assert random.groupby("design")["q"].first().sum() == pytest.approx(parts.random["q"], rel=1e-9)
    with pytest.raises(DataError, match="'model'"):
        fit.net_heat("fixed-ish")


def test_loops_of_two_arm_studies_are_bucher_differences():
    table = {"study": ["A", "B", "C"], "treat1": ["x", "y", "x"], "treat2": ["y", "z", "z"],
             "yi": [0.1, 0.2, 0.9], "vi": [0.1, 0.2, 0.3]}  # fmt: skip
    fit = network_pool(network(table, "generic"), model="common")
    row = fit.loops().iloc[0]
    assert row["difference"] == pytest.approx(0.1 + 0.2 - 0.9)
    assert row["std_error"] == pytest.approx(np.sqrt(0.6))
    assert row["statistic"] ** 2 == pytest.approx(fit.inconsistency().q_between)
    for method in ("back-calculation", "side-splitting"):
        assert fit.splits(method)["p_value"].to_numpy() == pytest.approx(row["p_value"])


def test_rank_probabilities_agree_with_the_exact_scores():
    fit = fitted("senn2013", "REML")
    table = fit.rank_probabilities(draws=40_000, seed=4)
    again = fit.rank_probabilities(draws=40_000, seed=4)
    pd.testing.assert_frame_equal(table, again)
    t = len(fit.treatments)
    mean = table.assign(r=table["rank"] * table["probability"]).groupby("treatment")["r"].sum()
    exact = fit.ranking().set_index("treatment")["mean_rank"]
    assert mean[exact.index].to_numpy() == pytest.approx(exact.to_numpy(), abs=0.03)
    assert table.groupby("treatment")["probability"].sum().to_numpy() == pytest.approx(np.ones(t))
    worst = fit.ranking(small_values="undesirable").set_index("treatment")["p_score"]
    best = fit.ranking().set_index("treatment")["p_score"]
    assert (worst + best)[list(fit.treatments)].to_numpy() == pytest.approx(np.ones(t))
    assert "quality of the evidence" in fit.ranking().attrs["caveat"]


def test_better_by_more_than_a_margin():
    fit = fitted("senn2013", "REML")
    e = fit.effect("metformin", "placebo")
    got = fit.better_than(0.5).loc["metformin", "placebo"]
    assert got == pytest.approx(stats.norm.cdf((-e["effect"] - 0.5) / e["std_error"]), rel=1e-12)


def test_the_json_object():
    out = fitted("hasselblad1998", "REML").to_dict()
    json.dumps(out, allow_nan=False)
    assert {"treatments", "k", "m", "tau2", "q", "q_df", "q_p", "i2", "effects", "ranking",
            "inconsistency", "splits"} <= set(out)  # fmt: skip
    assert len(out["effects"]) == 6
    assert {frozenset((e["treat1"], e["treat2"])) for e in out["effects"]} == {
        frozenset(p) for p in itertools.combinations(out["treatments"], 2)
    }
    first = out["effects"][0]
    assert first["estimate"] == pytest.approx(np.exp(first["analysis"]["estimate"]))
    assert {"q_between", "df", "p"} <= set(out["inconsistency"])
    assert {"treat1", "treat2", "direct", "indirect", "difference", "p_value"} <= set(
        out["splits"][0]
    )
    assert out["q"] == pytest.approx(
        out["inconsistency"]["q_between"] + out["inconsistency"]["q_within"]
    )


def test_a_reference_stands_second():
    fit = network_pool(net("senn2013"), reference="placebo")
    frame = fit.to_frame()
    rows = frame[(frame["treat1"] == "placebo") | (frame["treat2"] == "placebo")]
    assert (rows["treat2"] == "placebo").all()
    assert (len(rows), len(frame), len(fit.against())) == (9, 45, 9)


def test_a_network_without_loops_or_repeats_says_so():
    table = {"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["y", "z"],
             "yi": [0.1, 0.2], "vi": [0.1, 0.2]}  # fmt: skip
    for ci in ("z", "t", "hksj"):
        fit = network_pool(network(table, "generic"), ci=ci)
        assert (fit.tau2, fit.q, fit.q_df) == (0, 0, 0)
        assert "neither heterogeneity nor inconsistency" in fit.notes[0]
        assert fit.effect("x", "z")["std_error"] == pytest.approx(np.sqrt(0.3))
        assert fit.splits().empty
        assert fit.to_frame()["pred_low"].isna().all()
        json.dumps(fit.to_dict(), allow_nan=False)
        assert "2 studies" in fit.summary()


def test_the_league_table_holds_direct_estimates_above():
    fit = fitted("hasselblad1998", "REML")
    table = fit.league()
    names = table.index.tolist()
    assert names == fit.ranking()["treatment"].tolist()
    assert table.iat[0, 0] == names[0]
    cell = fit.effect(names[2], names[1])
    assert table.iat[2, 1].startswith(f"{cell['estimate']:.2f} (")
    two = fit.league(other=fitted("hasselblad1998", "common"), order="label")
    assert two.iat[0, 1].startswith(
        f"{fitted('hasselblad1998', 'common').effect(two.index[0], two.index[1])['estimate']:.2f}"
    )
    with pytest.raises(DataError, match="only one of the outcomes"):
        fit.league(other=fitted("senn2013", "REML"))


def test_effects_that_agree_exactly_are_said_to_leave_no_error():
    table = {"study": list("ABC"), "treat1": ["x", "y", "x"], "treat2": ["y", "z", "z"],
             "yi": [0.25, 0.5, 0.75], "vi": [0.1, 0.1, 0.1]}  # fmt: skip
    with pytest.warns(mb.MetablinWarning, match="agree exactly"):
        fit = network_pool(network(table, "generic"), model="common", ci="hksj")
    assert fit.ranking()["p_score"].tolist() == pytest.approx([1.0, 0.5, 0.0])


def test_every_triangle_of_direct_comparisons_is_a_loop():
    fit = fitted("hasselblad1998", "REML")
    wanted = set()
    pairs = {frozenset(p) for b in fit.network.blocks for p in itertools.combinations(b.arms, 2)}
    for trio in itertools.combinations(range(4), 3):
        if all(frozenset(p) in pairs for p in itertools.combinations(trio, 2)):
            wanted.add(" : ".join(fit.treatments[i] for i in trio))
    assert set(fit.loops()["loop"]) <= wanted
    assert len(fit.loops()) >= 2
