"""Mantel-Haenszel and exact-likelihood networks: reductions, slow versions, published values."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import metablin as mb
from metablin.errors import DataError
from metablin.network import network, network_pool
from tests.network.pinned import HERE, cells, net


def two_arms(k=12, seed=1):
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(20, 90, k), rng.integers(20, 90, k)
    a, c = rng.binomial(n1, 0.2), rng.binomial(n2, 0.15)
    a[0] = 0
    frame = pd.concat([
        pd.DataFrame({"study": range(k), "treatment": "b", "events": a, "n": n1}),
        pd.DataFrame({"study": range(k), "treatment": "a", "events": c, "n": n2}),
    ])  # fmt: skip
    return frame, mb.two_by_two(a, n1, c, n2)


@pytest.mark.parametrize(("model", "tolerance"), [("mantel-haenszel", 1e-12), ("glmm", 1e-7)])
def test_two_treatments_are_pool(model, tolerance):
    frame, e = two_arms()
    want = mb.pool(e, model=model, ci="z")
    got = network_pool(network(frame), model=model).effect("b", "a")
    assert got["effect"] == pytest.approx(want.analysis.estimate, rel=tolerance)
    assert got["std_error"] == pytest.approx(want.analysis.std_error, rel=tolerance)


def test_mantel_haenszel_does_not_depend_on_labels():
    frame = pd.DataFrame(cells()["hasselblad1998"]["data"])
    base = network_pool(net("hasselblad1998"), model="mantel-haenszel")
    flip = {t: f"{9 - i}{t}" for i, t in enumerate(base.treatments)}
    other = network_pool(
        network(frame.assign(treatment=frame["treatment"].map(flip))), model="mantel-haenszel"
    )
    for a, b in itertools.permutations(base.treatments, 2):
        want, got = base.effect(a, b), other.effect(flip[a], flip[b])
        assert got["effect"] == pytest.approx(want["effect"], abs=1e-12)
        assert got["std_error"] == pytest.approx(want["std_error"], rel=1e-10)


def test_the_covariance_of_three_arm_mantel_haenszel_is_that_of_its_repetitions():
    rng = np.random.default_rng(5)
    k, reps = 12, 400
    n = rng.integers(15, 40, (k, 3))
    p = special.expit(rng.normal(-1, 0.5, (k, 1)) + np.array([0, 0.6, -0.4]))
    frame = pd.DataFrame({"study": np.repeat(range(k), 3), "treatment": list("abc") * k,
                          "events": 0, "n": n.ravel()})  # fmt: skip
    found, stated = [], []
    for _ in range(reps):
        frame["events"] = rng.binomial(n, p).ravel()
        fit = network_pool(network(frame), model="mantel-haenszel")
        found.append(fit.d[1:])
        stated.append(fit.cov[1:, 1:])
    spread = np.cov(np.array(found).T)
    # Monte-Carlo error of a sample covariance under normality; three of them.
    v = np.diag(spread)
    error = np.sqrt((np.outer(v, v) + spread**2) / reps)
    assert (np.abs(np.mean(stated, axis=0) - spread) < 3 * error).all()
    assert np.mean(found, axis=0) == pytest.approx([0.6, -0.4], abs=0.05)


def brute(frame, family, treatments):
    """Return a maximiser of the likelihood by dense grids over the zero-sum effects."""
    studies = [g for _, g in frame.groupby("study")]
    grid = np.linspace(-5.5, 5.5, 45)
    weight = stats.norm.pdf(grid) * (grid[1] - grid[0])
    nodes = {}
    for arms in (2, 3):
        basis = np.linalg.svd(np.eye(arms) - 1 / arms)[0][:, : arms - 1] / np.sqrt(2)
        z = np.array(list(itertools.product(grid, repeat=arms - 1)))
        w = np.array([np.prod(x) for x in itertools.product(weight, repeat=arms - 1)])
        nodes[arms] = (z @ basis.T, w)

    def negative(theta):
        mu, d, tau = theta[: len(studies)], np.append(0, theta[len(studies) : -1]), theta[-1]
        total = 0.0
        for i, g in enumerate(studies):
            t = [treatments.index(x) for x in g["treatment"]]
            u, w = nodes[len(t)]
            eta = mu[i] + d[t] + tau * u
            x, n = g["events"].to_numpy(), g.iloc[:, 3].to_numpy()
            if family == "binomial":
                logs = (x * eta - n * np.logaddexp(0, eta)).sum(1)
            else:
                logs = (x * eta - n * np.exp(eta)).sum(1)
            total += special.logsumexp(logs, b=w)
        return -total

    return negative


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_multi_arm_likelihood_is_that_of_a_dense_grid(family):
    rng = np.random.default_rng(2)
    rows = []
    for s, arms in enumerate(["ab", "abc", "bc", "abc"]):
        for t in arms:
            eta = -1 + 0.5 * "abc".index(t) + rng.normal(0, 0.7)
            size = 40
            x = rng.binomial(size, special.expit(eta)) if family == "binomial" else rng.poisson(
                size * np.exp(eta))  # fmt: skip
            rows.append((s, t, x, size))
    column = "n" if family == "binomial" else "person_time"
    frame = pd.DataFrame(rows, columns=["study", "treatment", "events", column])
    fit = network_pool(network(frame, "or" if family == "binomial" else "rate"), model="glmm")
    negative = brute(frame, family, list("abc"))
    start = np.concatenate([np.full(4, -0.8), fit.d[1:], [np.sqrt(fit.tau2)]])
    best = optimize.minimize(negative, start, method="BFGS", options={"gtol": 1e-5})
    assert fit.extra["log_likelihood"] == pytest.approx(-best.fun, abs=1e-5)
    assert fit.d[1:] == pytest.approx(best.x[4:6], abs=2e-4)
    assert np.sqrt(fit.tau2) == pytest.approx(abs(best.x[6]), abs=2e-4)
    # BFGS's inverse Hessian is rough; differences of the gradient are not.
    step, size = 1e-3, len(best.x)
    hess = np.array([
        (optimize.approx_fprime(best.x + step * e, negative, 1e-5)
         - optimize.approx_fprime(best.x - step * e, negative, 1e-5)) / (2 * step)
        for e in np.eye(size)
    ])  # fmt: skip
    cov = np.linalg.inv((hess + hess.T) / 2)[4:6, 4:6]
    assert fit.cov[1:, 1:] == pytest.approx(cov, rel=0.01)


def test_a_treatment_without_events_is_named():
    for model in ("glmm", "mantel-haenszel"):
        with pytest.raises(DataError, match="Antithrombin III"):
            network_pool(net("gurusamy2011"), model=model)


def test_models_of_counts_refuse_other_measures():
    for model in ("glmm", "mantel-haenszel"):
        with pytest.raises(DataError, match="'measure', value md"):
            network_pool(net("senn2013"), model=model)
    with pytest.raises(DataError, match="needs a model of contrasts"):
        network_pool(net("hasselblad1998"), model="glmm").splits()


LME4 = json.loads((HERE / "glmm.json").read_text())["cells"]

BOBYQA = 2e-4
"""lme4's derivative-free optimiser and its finite-difference Hessian."""


@pytest.mark.parametrize("name", LME4)
def test_two_arm_studies_are_lme4(name):
    cell = LME4[name]
    fit = network_pool(network(pd.DataFrame(cell["two_arm"])), model="glmm", points=21)
    base = (set(fit.treatments) - set(cell["names"])).pop()
    found = [fit.effect(t, base) for t in cell["names"]]
    assert [f["effect"] for f in found] == pytest.approx(cell["beta"], abs=BOBYQA)
    assert [f["std_error"] for f in found] == pytest.approx(cell["se"], rel=5 * BOBYQA)
    assert fit.tau2 == pytest.approx(cell["tau2"], rel=5 * BOBYQA, abs=1e-6)


@pytest.mark.parametrize("name", LME4)
def test_common_effects_of_all_studies_are_glm(name):
    cell = LME4[name]
    fit = network_pool(net(name), model="glmm", random=False)
    base = (set(fit.treatments) - set(cell["glm_names"])).pop()
    found = [fit.effect(t, base) for t in cell["glm_names"]]
    assert [f["effect"] for f in found] == pytest.approx(cell["glm_beta"], abs=1e-8)
    assert [f["std_error"] for f in found] == pytest.approx(cell["glm_se"], rel=1e-7)


@pytest.mark.parametrize("model", ["mantel-haenszel", "glmm"])
def test_the_json_object_has_all_its_keys(model):
    out = network_pool(net("hasselblad1998"), model=model).to_dict()
    json.dumps(out, allow_nan=False)
    assert out["splits"] == []
    assert set(out["inconsistency"]) == {"q_between", "df", "p"}
    assert (out["inconsistency"]["q_between"] is None) == (model == "glmm")
    words = {"mantel-haenszel": "Mantel-Haenszel network", "glmm": "exact likelihood"}
    assert words[model] in network_pool(net("hasselblad1998"), model=model).summary()
