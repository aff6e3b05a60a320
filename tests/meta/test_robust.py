"""Cluster-robust variances against clubSandwich and metafor, slow algebra, and reductions."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, stats

from metablin.errors import DataError
from metablin.meta.normal.multilevel import multilevel
from metablin.meta.normal.robust import cluster_robust, robust

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "robust.json").read_text(encoding="utf-8")
)
CELLS = REFERENCE["cells"]
RTOL = 1e-9  # matrix algebra on both sides, same working model


def inputs(cell):
    d = {k: np.array(v) for k, v in REFERENCE["data"][cell["data"]].items()}
    k, year = len(d["yi"]), d["year"].astype(float)
    if "tau2" in cell["working"]:
        phi = np.diag(d["vi"] + cell["working"]["tau2"])
    else:
        s = cell["working"]["sigma2"]
        phi = np.diag(d["vi"] + s[1]) + s[0] * (d["trial"][:, None] == d["trial"])
    columns = [np.ones(k), year, year**2]
    p = {"1": 1, "year": 2, "year + I(year^2)": 3}[cell["mods"]]
    return d, phi, np.column_stack(columns[:p])


@pytest.mark.parametrize(
    "cell", CELLS, ids=lambda c: f"{c['data']}-{c['model']}-{c['mods']}-{c['kind']}"
)
def test_agrees_with_clubsandwich_and_metafor(cell):
    d, phi, x = inputs(cell)
    got = cluster_robust(d["yi"], phi, d["trial"], design=x, kind=cell["kind"])
    for key in ("beta", "std_error", "df", "conf_low", "conf_high"):
        assert getattr(got, key) == pytest.approx(np.atleast_1d(cell[key]), rel=RTOL), key
    if "metafor_se" in cell:
        peer = cluster_robust(d["yi"], phi, d["trial"], design=x, kind="CR1p", df="clusters")
        assert peer.std_error == pytest.approx(np.atleast_1d(cell["metafor_se"]), rel=RTOL)
        assert peer.p_value == pytest.approx(np.atleast_1d(cell["metafor_p"]), rel=1e-8)
    if cell.get("joint"):
        assert got.joint.statistic == pytest.approx(cell["joint"]["statistic"], rel=RTOL)
        assert got.joint.df_denom == pytest.approx(cell["joint"]["df_denom"], rel=RTOL)
        assert got.joint.p_value == pytest.approx(cell["joint"]["p_value"], rel=1e-8)


def test_grid_is_complete():
    have = {(c["data"], c["model"], c["mods"], c["kind"]) for c in CELLS}
    kinds = ("CR0", "CR1", "CR1p", "CR2")
    want = {("bcg", "random", "1", kind) for kind in kinds}
    for data in ("konstantopoulos", "assink"):
        for model in ("random", "multilevel"):
            for mods in ("1", "year", "year + I(year^2)"):
                want |= {(data, model, mods, kind) for kind in kinds}
    assert have == want


def slow_cr2(y, x, w, phi, cluster):
    """Pustejovsky and Tipton (2018), eqs 3-6 and 11, term by term with scipy's matrix root."""
    q = np.linalg.inv(x.T @ w @ x)
    maker = np.eye(len(y)) - x @ q @ x.T @ w
    e = maker @ y
    cov, g = np.zeros((x.shape[1],) * 2), []
    for c in dict.fromkeys(cluster):
        i = [j for j, label in enumerate(cluster) if label == c]
        d = np.linalg.cholesky(phi[np.ix_(i, i)]).T
        b = d @ maker[i] @ phi @ maker[i].T @ d.T
        a = d.T @ np.linalg.inv(linalg.sqrtm(b)) @ d
        score = q @ (x.T @ w)[:, i] @ a
        cov += np.outer(score @ e[i], score @ e[i])
        g.append((score @ maker[i])[0])
    m = np.array([[u @ phi @ v for v in g] for u in g])
    return cov, np.trace(m) ** 2 / (m**2).sum()


@pytest.mark.parametrize("weighting", ["inverse", "other"])
def test_cr2_agrees_with_a_term_by_term_computation(weighting):
    rng = np.random.default_rng(5)
    k = 18
    cluster = [str(c) for c in rng.integers(0, 7, k)]
    half = rng.normal(size=(k, k))
    phi = half @ half.T / k + np.diag(rng.uniform(0.1, 0.5, k))
    x = np.column_stack([np.ones(k), rng.normal(size=k)])
    y = rng.normal(size=k)
    w = np.linalg.inv(phi) if weighting == "inverse" else np.diag(rng.uniform(0.5, 2, k))
    got = cluster_robust(y, phi, cluster, design=x, weights=w)
    cov, df = slow_cr2(y, x, w, phi, cluster)
    assert got.cov == pytest.approx(cov, rel=1e-8)
    assert got.df[0] == pytest.approx(df, rel=1e-8)


def test_cr2_reduces_to_hc2_with_singleton_clusters():
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(15), rng.normal(size=15)])
    y = rng.normal(size=15)
    got = cluster_robust(y, np.ones(15), range(15), design=x)
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    e = y - hat @ y
    bread = np.linalg.inv(x.T @ x)
    hc2 = bread @ (x.T * (e**2 / (1 - np.diag(hat)))) @ x @ bread
    assert got.cov == pytest.approx(hc2, rel=1e-12)


def test_a_balanced_intercept_is_the_one_sample_t_test_of_cluster_means():
    rng = np.random.default_rng(4)
    y = rng.normal(size=24)
    got = cluster_robust(y, np.ones(24), np.repeat(np.arange(8), 3))
    means = y.reshape(8, 3).mean(axis=1)
    peer = stats.ttest_1samp(means, 0)
    assert got.df[0] == pytest.approx(7, rel=1e-12)
    assert got.statistic[0] == pytest.approx(peer.statistic, rel=1e-12)
    assert got.p_value[0] == pytest.approx(peer.pvalue, rel=1e-12)


def test_cr2_is_unbiased_under_the_working_model():
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(6), [1, 2, 3, 4, 2, 5])
    phi = np.diag(rng.uniform(0.2, 1, 17)) + 0.3 * (cluster[:, None] == cluster)
    x = np.column_stack([np.ones(17), rng.normal(size=17)])
    root = np.linalg.cholesky(phi)
    # the estimator is quadratic in y, so its mean is exact over the columns of a root of Phi
    mean = sum(cluster_robust(column, phi, cluster, design=x).cov for column in root.T)
    assert mean == pytest.approx(np.linalg.inv(x.T @ np.linalg.inv(phi) @ x), rel=1e-9)


def test_joint_test_of_one_coefficient_is_its_t_test():
    cell = next(c for c in CELLS if c["mods"] == "year" and c["kind"] == "CR2")
    d, phi, x = inputs(cell)
    got = cluster_robust(d["yi"], phi, d["trial"], design=x)
    assert got.joint.statistic == pytest.approx(got.statistic[1] ** 2, rel=1e-9)
    assert got.joint.df_denom == pytest.approx(got.df[1], rel=1e-9)
    assert got.joint.p_value == pytest.approx(got.p_value[1], rel=1e-9)


def test_cluster_labels_and_order_do_not_matter():
    cell = next(c for c in CELLS if c["mods"] == "1" and c["kind"] == "CR2")
    d, phi, _ = inputs(cell)
    one = cluster_robust(d["yi"], phi, d["trial"])
    order = np.random.default_rng(0).permutation(len(d["yi"]))
    names = [f"trial {t}" for t in d["trial"][order]]
    two = cluster_robust(d["yi"][order], phi[np.ix_(order, order)], names)
    assert two.std_error == pytest.approx(one.std_error, rel=1e-10)
    assert two.df == pytest.approx(one.df, rel=1e-10)


def test_robust_takes_over_a_multilevel_fit():
    d = REFERENCE["data"]["konstantopoulos"]
    fit = multilevel(d["yi"], d["vi"], {"trial": d["trial"], "estimate": d["estimate"]})
    got = robust(fit, d["trial"])
    cell = next(
        c for c in CELLS if (c["model"], c["mods"], c["kind"]) == ("multilevel", "1", "CR2")
    )
    assert got.std_error[0] == pytest.approx(cell["std_error"], rel=1e-5)
    assert got.df[0] == pytest.approx(cell["df"], rel=1e-5)
    assert json.dumps(got.to_dict())
    assert list(got.to_frame()["term"]) == ["intercept"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: cluster_robust([1, 2], [1, 1], ["a", "a"]), "not enough clusters"),
        (lambda: cluster_robust([1, 2], [1, 1], ["a"]), "1 labels for 2"),
        (lambda: cluster_robust([1, 2], [1, -1], ["a", "b"]), "row 2"),
        (lambda: cluster_robust([1, 2], [[1, 2], [2, 1]], ["a", "b"]), "positive definite"),
        (lambda: cluster_robust([1, 2], [1, 1], ["a", "b"], kind="CR9"), "unknown option"),
    ],
)
def test_unusable_clusters_are_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()
