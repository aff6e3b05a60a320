"""The multilevel model against metafor's rma.mv, direct likelihoods, and its reductions."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.errors import DataError
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
