"""The multilevel model against metafor's rma.mv, direct likelihoods, and its reductions."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.errors import DataError
from metablin.meta.normal.blocks import Model
from metablin.meta.normal.multilevel import multilevel

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "multilevel.json").read_text(encoding="utf-8")
)
CELLS = REFERENCE["cells"]
RTOL = 1e-6  # metafor's optimiser stops where the likelihood is flat to its tolerance
KEYS = ("beta", "std_error", "p_value", "conf_low", "conf_high", "loglik", "aic", "bic", "q")


def levels(name):
    d = REFERENCE["data"][name]
    wanted = ("pop", "trial", "estimate") if name == "nested" else ("trial", "estimate")
    return {w: d[w] for w in wanted}


def fit(cell, **options):
    d = REFERENCE["data"][cell["data"]]
    design = None
    if cell["mods"] != "1":
        design = np.column_stack([np.ones(len(d["yi"])), d["year"]])
    return multilevel(
        d["yi"],
        d["vi"],
        levels(cell["data"]),
        design=design,
        method=cell["method"],
        test=cell["test"],
        **options,
    )


@pytest.mark.parametrize(
    "cell", CELLS, ids=lambda c: f"{c['data']}-{c['method']}-{c['mods']}-{c['test']}"
)
def test_agrees_with_rma_mv(cell):
    got = fit(cell)
    for key in KEYS:
        want = np.atleast_1d(cell[key])
        assert np.atleast_1d(getattr(got, key)) == pytest.approx(want, rel=RTOL, abs=1e-8), key
    sigma2 = np.array(cell["sigma2"])
    assert got.sigma2 == pytest.approx(sigma2, rel=RTOL, abs=RTOL * sigma2.sum())
    assert got.loglik >= cell["loglik"] - 1e-9
    if cell["pred_low"] is not None:
        assert got.pred_low == pytest.approx(cell["pred_low"], rel=RTOL)
        assert got.pred_high == pytest.approx(cell["pred_high"], rel=RTOL)


def test_grid_is_complete():
    have = {(c["data"], c["method"], c["mods"], c["test"]) for c in CELLS}
    assert len(have) == len(CELLS) == 3 * 2 * 2 * 2


def test_profile_limits_agree_with_confint():
    cell = next(c for c in CELLS if c["data"] == "konstantopoulos" and c["mods"] == "1")
    got = fit(cell, profile=True)
    for j, (low, high) in enumerate(REFERENCE["profile"].values()):
        assert got.sigma2_conf_low[j] == pytest.approx(low, rel=1e-6)
        assert got.sigma2_conf_high[j] == pytest.approx(high, rel=1e-6)


def test_likelihood_is_that_of_the_multivariate_normal():
    cell = next(c for c in CELLS if c["data"] == "nested" and c["method"] == "ML")
    got = fit(cell)
    density = stats.multivariate_normal(got.design @ got.beta, got.working)
    assert got.loglik == pytest.approx(density.logpdf(got.yi), rel=1e-12)

    def fall(theta):
        variances = np.exp(theta)
        m = np.diag(REFERENCE["data"]["nested"]["vi"])
        ids = [np.array(v) for v in levels("nested").values()]
        for s, group in zip(variances, ids, strict=True):
            m = m + s * (group[:, None] == group)
        inv = np.linalg.inv(m)
        mu = (inv.sum(0) @ got.yi) / inv.sum()
        return -stats.multivariate_normal(np.full(len(got.yi), mu), m).logpdf(got.yi)

    best = optimize.minimize(fall, np.log([0.2, 0.05, 0.01]), method="Nelder-Mead")
    assert -best.fun <= got.loglik + 1e-9


def test_one_level_reduces_to_the_random_effects_model():
    e = mb.hazard_ratios(
        [0.71, 0.55, 0.90, 0.35, 1.3], [0.55, 0.35, 0.60, 0.2, 0.8], [0.92, 0.86, 1.35, 0.61, 2.1]
    )
    plain = mb.pool(e, ci="z")
    nested = multilevel(e.yi, e.vi, {"trial": range(5)})
    assert nested.sigma2[0] == pytest.approx(plain.tau2, rel=1e-7)
    assert nested.beta[0] == pytest.approx(plain.analysis.estimate, rel=1e-8)
    assert nested.std_error[0] == pytest.approx(plain.analysis.std_error, rel=1e-8)
    assert nested.i2[0] == pytest.approx(plain.i2, rel=1e-7)


def test_pool_adds_the_level_of_the_estimates_and_sums_the_variances():
    d = REFERENCE["data"]["konstantopoulos"]
    e = mb.generic(d["yi"], d["vi"])
    got = mb.pool(e, model="multilevel", levels={"trial": d["trial"]}, ci="t")
    cell = next(c for c in CELLS if (c["mods"], c["test"]) == ("1", "t"))
    assert got.analysis.estimate == pytest.approx(cell["beta"], rel=RTOL)
    assert got.tau2 == pytest.approx(sum(cell["sigma2"]), rel=RTOL)
    assert got.analysis.pred_low == pytest.approx(cell["pred_low"], rel=RTOL)
    assert [c["level"] for c in got.to_dict()["components"]] == ["trial", "estimate"]


def test_order_and_labels_do_not_matter():
    d = REFERENCE["data"]["nested"]
    order = np.random.default_rng(3).permutation(len(d["yi"]))
    one = multilevel(d["yi"], d["vi"], levels("nested"))
    shuffled = {n: [f"g{v[i]}" for i in order] for n, v in levels("nested").items()}
    two = multilevel(np.array(d["yi"])[order], np.array(d["vi"])[order], shuffled)
    assert two.sigma2 == pytest.approx(one.sigma2, rel=1e-7, abs=1e-12)
    assert two.beta == pytest.approx(one.beta, rel=1e-9)


def test_correlated_sampling_errors_are_taken_as_a_matrix():
    y, trial = [0.2, 0.4, -0.1, 0.3], ["a", "a", "b", "c"]
    plain = multilevel(y, [0.1] * 4, {"trial": trial})
    assert multilevel(y, 0.1 * np.eye(4), {"trial": trial}).beta == pytest.approx(plain.beta)
    v = 0.1 * np.eye(4)
    v[0, 1] = v[1, 0] = 0.08
    assert multilevel(y, v, {"trial": trial}).std_error[0] > 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: multilevel([1, 2], [1, 0], {"t": [1, 2]}), "row 2.*vi"),
        (lambda: multilevel([1, 2], [1, 1], {"t": [1]}), "1 labels for 2"),
        (lambda: multilevel([1, 2], [1, 1], {"t": [1, None]}), "row 2.*no label"),
        (lambda: multilevel([1, 2], [1, 1], {"t": [1, 1]}), "one group only"),
        (lambda: multilevel([1, 2], [1, 1], {"t": [1, 2], "e": [1, 2]}), "told apart"),
        (lambda: multilevel([1, 2], [1, 1], {}), "no levels"),
        (lambda: multilevel([1, 2], [[1, 2], [2, 1]], {"t": [1, 2]}), "positive definite"),
        (lambda: multilevel([1, 2], [1, 1], {"t": [1, 2]}, method="DL"), "unknown option"),
        (lambda: mb.pool(mb.generic([1, 2], [1, 1]), model="multilevel"), "needs groups"),
    ],
)
def test_unusable_input_is_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()


def dense(y, v, x, codes, sigma2, reml):
    """The likelihood by its definition, with matrices of all pairs of estimates."""
    m = v + sum(s * (c[:, None] == c[None, :]) for s, c in zip(sigma2, codes, strict=True))
    w = np.linalg.inv(m)
    info = x.T @ w @ x
    beta = np.linalg.solve(info, x.T @ w @ y)
    r = y - x @ beta
    k, p = x.shape
    value = np.linalg.slogdet(m)[1] + r @ w @ r + (k - p * reml) * np.log(2 * np.pi)
    value += np.linalg.slogdet(info)[1] if reml else 0.0
    return -value / 2


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("joined", [True, False])
def test_blocks_give_the_likelihood_and_its_derivatives(reml, joined):
    rng = np.random.default_rng(5)
    k = 40
    outer = rng.permutation(np.repeat(np.arange(9), [1, 1, 2, 3, 5, 5, 6, 8, 9]))
    inner = np.unique(np.c_[outer, rng.integers(0, 3, k)], axis=0, return_inverse=True)[1].ravel()
    y, x = rng.normal(size=k), np.linalg.qr(np.c_[np.ones(k), rng.normal(size=k)])[0]
    v = rng.uniform(0.05, 0.3, k)
    full = np.diag(v)
    if joined:  # two estimates of different trials share patients
        full[0, -1] = full[-1, 0] = 0.01
    model = Model(y, full if joined else v, x, [outer, inner], reml)
    at = np.array([0.2, 0.1])
    state = model.at(at)
    assert state.loglik == pytest.approx(dense(y, full, x, [outer, inner], at, reml), rel=1e-12)
    # Differences over steps h are good to h^2 and to rounding over h.
    h = 1e-5
    for j, step in enumerate(np.eye(2) * h):
        ends = [dense(y, full, x, [outer, inner], at + s * step, reml) for s in (1, -1)]
        assert state.score[j] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6, abs=1e-6)
        moved = [model.at(at + s * step).score for s in (1, -1)]
        np.testing.assert_allclose(
            -state.observed[j], (moved[0] - moved[1]) / (2 * h), rtol=1e-6, atol=1e-6
        )


def test_ten_thousand_estimates_take_no_matrix_of_all_pairs():
    rng = np.random.default_rng(1)
    trial = np.repeat(np.arange(500), 8)
    y = rng.normal(0, 0.3, 500)[trial] + rng.normal(0, 0.3, 4000)
    e = mb.generic(y, np.full(4000, 0.05))
    tracemalloc.start()
    fit = mb.pool(e, model="multilevel", levels={"trial": trial})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One matrix of all pairs would take 128 MB.
    assert peak < 60e6
    assert fit.weights.sum() == pytest.approx(1.0)


def test_order_of_the_estimates_does_not_matter():
    rng = np.random.default_rng(2)
    trial = rng.integers(0, 7, 30)
    y, v = rng.normal(size=30), rng.uniform(0.05, 0.4, 30)
    turn = rng.permutation(30)
    one = multilevel(y, v, {"trial": trial, "estimate": range(30)})
    two = multilevel(y[turn], v[turn], {"trial": trial[turn], "estimate": range(30)})
    np.testing.assert_allclose(two.sigma2, one.sigma2, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(two.shares, one.shares[turn], rtol=1e-8)
