"""Bayesian, regression and component networks: reductions, slow versions, invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import metablin as mb
from metablin.errors import DataError
from metablin.meta.bayes.fit import bayes
from metablin.meta.bayes.priors import half_normal
from metablin.network import network, network_pool
from metablin.network.models import network_bayes, network_components, network_regression
from tests.network.pinned import fitted, net
from tests.network.test_fit import dense

PAIR = {
    "study": list("ABCDEF"), "treat1": ["b"] * 6, "treat2": ["a"] * 6,
    "yi": [0.1, 0.5, 0.9, 0.2, -0.3, 0.4], "vi": [0.04, 0.05, 0.03, 0.04, 0.09, 0.06],
}  # fmt: skip
DOSE = dict(zip("ABCDEF", [1.0, 2.0, 3.0, 1.5, 0.5, 2.5], strict=True))

QUADRATURE = 1e-6
"""Two quadratures over tau and an interpolated distribution of it."""


def test_two_treatments_are_the_bayesian_meta_analysis():
    post = network_bayes(network(PAIR, "generic"), half_normal(0.5), reference="a")
    want = bayes(PAIR["yi"], PAIR["vi"], half_normal(0.5))
    row = post.to_frame().iloc[0]
    mu, tau = want.summary_of("mu"), want.summary_of("tau")
    assert row["effect"] == pytest.approx(mu["mean"], abs=QUADRATURE)
    assert row["std_error"] == pytest.approx(mu["sd"], abs=QUADRATURE)
    assert row["conf_low"] == pytest.approx(mu["conf_low"], abs=QUADRATURE)
    assert post.tau_median == pytest.approx(tau["median"], abs=QUADRATURE)


def test_a_network_posterior_is_that_of_dense_integration():
    y, v, h, x = dense("hasselblad1998")
    post = network_bayes(net("hasselblad1998"), 0.5)

    def parts(tau):
        m = v + tau**2 * h
        inverse = np.linalg.inv(m)
        info = x.T @ inverse @ x
        beta = np.linalg.solve(info, x.T @ inverse @ y)
        r = y - x @ beta
        logs = -(np.linalg.slogdet(m)[1] + np.linalg.slogdet(info)[1] + r @ inverse @ r) / 2
        return logs + stats.halfnorm.logpdf(tau, scale=0.5), beta, np.linalg.inv(info)

    top = max(parts(t)[0] for t in np.linspace(0.01, 2, 40))
    whole = integrate.quad(lambda t: np.exp(parts(t)[0] - top), 0, 4, epsabs=1e-12)[0]
    mean = [integrate.quad(lambda t, j=j: np.exp(parts(t)[0] - top) * parts(t)[1][j], 0, 4,
                           epsabs=1e-12)[0] / whole for j in range(3)]  # fmt: skip
    assert post.weight @ post.d[:, 1:] == pytest.approx(mean, abs=1e-9)
    ranks = post.ranking().set_index("treatment")["sucra"]
    assert ranks.sum() == pytest.approx(2.0)


def test_a_narrow_prior_is_the_common_effect():
    post = network_bayes(net("hasselblad1998"), half_normal(1e-4))
    fit = fitted("hasselblad1998", "common")
    got, want = post.to_frame(), fit.to_frame()
    assert got["estimate"].to_numpy() == pytest.approx(want["estimate"].to_numpy(), rel=1e-5)
    assert got["conf_low"].to_numpy() == pytest.approx(want["conf_low"].to_numpy(), rel=1e-5)


@pytest.mark.parametrize("ci", ["z", "hksj"])
def test_two_treatments_are_meta_regression(ci):
    data = pd.DataFrame({"dose": list(DOSE.values())})
    want = mb.pool(mb.generic(PAIR["yi"], PAIR["vi"]), moderators="dose", data=data, ci=ci)
    fit = network_regression(network(PAIR, "generic"), DOSE, "dose", reference="a", ci=ci, centre=0)
    row = fit.to_frame().iloc[0]
    term = want.to_frame().set_index("term").loc["dose"]
    for key in ("estimate", "std_error", "p_value", "conf_low"):
        assert row[key] == pytest.approx(term[key], rel=1e-9), key
    assert fit.tau2 == pytest.approx(want.tau2, rel=1e-9)
    assert fit.at(2.0).effect("b", "a")["effect"] == pytest.approx(
        float(want.predict({"dose": [2.0]})["estimate"].iloc[0]), rel=1e-9
    )


@pytest.mark.parametrize("slopes", ["common", "independent"])
def test_regression_on_a_network_is_that_of_dense_matrices(slopes):
    n = net("senn2013")
    rng = np.random.default_rng(3)
    values = dict(zip(n.studies, rng.normal(0, 1, n.k), strict=True))
    if slopes == "independent":
        kept = pd.DataFrame({"study": n.studies})  # only treatments with repeated comparisons
        keep = {"placebo", "metformin", "rosiglitazone", "miglitol"}
        frame = pd.DataFrame(n.to_frame())
        frame = frame[frame["treat1"].isin(keep) & frame["treat2"].isin(keep)]
        frame = frame[frame["study"].isin(kept["study"])]
        n = network(frame.drop(columns="arms"), "generic")
    fit = network_regression(n, values, reference="placebo", slopes=slopes, tau2="ML", centre=0.0)
    y = np.concatenate([b.y for b in n.blocks])
    t = len(n.treatments)
    x, cov, h, z = [], [], [], []
    for b in n.blocks:
        for j, arm in enumerate(b.arms[1:]):
            row = np.zeros(t)
            row[arm], row[b.arms[0]] = 1, -1
            x.append(row)
            z.append(values[b.study])
            cov.append((b, j))
    x = np.array(x)
    size = len(y)
    v, h = np.zeros((size, size)), np.zeros((size, size))
    for i, (b, j) in enumerate(cov):
        for k, (other, m) in enumerate(cov):
            if b is other:
                v[i, k], h[i, k] = b.cov[j, m], 1.0 if j == m else 0.5
    ref = n.treatments.index("placebo")
    others = [i for i in range(t) if i != ref]
    slope = x[:, others] * np.array(z)[:, None]
    extra = slope.sum(1)[:, None] if slopes == "common" else slope
    full = np.column_stack([x[:, 1:], extra])

    def fall(tau2):
        m = v + tau2 * h
        root = np.linalg.cholesky(np.linalg.inv(m)).T
        beta = np.linalg.lstsq(root @ full, root @ y, rcond=None)[0]
        r = y - full @ beta
        return (np.linalg.slogdet(m)[1] + r @ np.linalg.solve(m, r)) / 2, beta

    best = optimize.minimize_scalar(lambda s: fall(s)[0], bounds=(0, 2), method="bounded",
                                    options={"xatol": 1e-11})  # fmt: skip
    assert fit.tau2 == pytest.approx(best.x, rel=1e-5, abs=1e-8)
    assert fit.beta == pytest.approx(fall(fit.tau2)[1], abs=1e-8)


def test_a_missing_covariate_names_the_study_and_its_treatments():
    values = {s: 1.0 for s in "ABCDE"}
    with pytest.raises(DataError, match=r"study F, column 'dose', value a : b: the covariate"):
        network_regression(network(PAIR, "generic"), values, "dose")
    with pytest.raises(DataError, match="cannot be told from the effects"):
        network_regression(network(PAIR, "generic"), values | {"F": 1.0}, "dose")


PARTS = {
    "study": list("ABCDE"), "treat1": ["A", "B", "A+B", "A+B", "C"],
    "treat2": ["P", "P", "P", "A", "P"], "yi": [0.2, 0.3, 0.6, 0.35, 0.1],
    "vi": [0.02, 0.03, 0.02, 0.04, 0.05],
}  # fmt: skip


def test_components_are_least_squares_on_the_parts():
    fit = network_components(network(PARTS, "generic"), inactive="P", model="common")
    x = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]])
    w = 1 / np.array(PARTS["vi"])
    cov = np.linalg.inv(x.T @ (w[:, None] * x))
    beta = cov @ x.T @ (w * np.array(PARTS["yi"]))
    assert fit.components == ("A", "B", "C")
    assert fit.to_frame()["estimate"].to_numpy() == pytest.approx(beta)
    assert fit.to_frame()["std_error"].to_numpy() == pytest.approx(np.sqrt(np.diag(cov)))
    standard = network_pool(network(PARTS, "generic"), model="common")
    assert fit.q_difference == pytest.approx(fit.q - standard.q)
    assert (fit.q_df, fit.df_difference) == (2, 1)
    new = fit.effect("A + B + C", "P")
    assert new["effect"] == pytest.approx(beta.sum())
    assert new["std_error"] == pytest.approx(np.sqrt(cov.sum()))


def test_without_combinations_components_are_the_network():
    fit = network_components(net("senn2013"), inactive="placebo")
    want = fitted("senn2013", "REML")
    assert fit.tau2 == pytest.approx(want.tau2, rel=1e-10)
    for a, b in (("metformin", "acarbose"), ("sitagliptin", "placebo")):
        assert fit.effect(a, b)["effect"] == pytest.approx(want.effect(a, b)["effect"], abs=1e-10)
        assert fit.effect(a, b)["std_error"] == pytest.approx(want.effect(a, b)["std_error"])
    assert fit.df_difference == 0


def test_common_parts_join_a_disconnected_network():
    table = {"study": list("ABC"), "treat1": ["A", "B", "A+B"], "treat2": ["P", "P", "C"],
             "yi": [0.2, 0.3, 0.1], "vi": [0.02, 0.03, 0.02]}  # fmt: skip
    n = network(table, "generic")
    assert len(n.components) == 2
    fit = network_components(n, inactive="P", model="common")
    assert fit.effect("C", "P")["effect"] == pytest.approx(0.2 + 0.3 - 0.1)
    lost = network_components(network({**table, "treat1": ["A", "B", "D"]}, "generic"),
                              inactive="P", model="common")  # fmt: skip
    assert lost.determined == (True, True, False, False)
    assert "do not determine C, D" in lost.summary()
    with pytest.raises(DataError, match="do not determine this difference"):
        lost.effect("C", "P")
    assert lost.effect("D", "C")["effect"] == pytest.approx(0.1)
    with pytest.raises(DataError, match="no study has this component"):
        lost.effect("E", "P")
    with pytest.raises(DataError, match="'inactive', value X"):
        network_components(n, inactive="X")
