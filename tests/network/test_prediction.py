"""Prediction intervals over the confidence distribution of tau2."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from metablin.errors import DataError
from metablin.network import network, network_pool
from tests.network.pinned import net
from tests.network.test_fit import dense

CD = "confidence-distribution"
DRAWS = 4000
SPREAD = 0.06
"""Four Monte-Carlo errors of a 2.5 % quantile over 4,000 draws, in widths of the interval."""


def slow_limits(name, df):
    """Nagashima's draws with dense matrices: chi-squared, root of Q, effect, new effect."""
    rng = np.random.default_rng(3)
    y, v, h, x = dense(name)
    free = len(y) - x.shape[1]

    def fit(tau2):
        inverse = np.linalg.inv(v + tau2 * h)
        cov = np.linalg.inv(x.T @ inverse @ x)
        beta = cov @ x.T @ inverse @ y
        r = y - x @ beta
        return beta, cov, r @ inverse @ r

    grid = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 400)])
    q = np.array([fit(t)[2] for t in grid])
    drawn = rng.chisquare(free, DRAWS)
    tau2 = np.interp(-drawn, -q, grid)  # Q falls in tau2
    at = int(np.argmin(np.abs(drawn - free)))
    exact = optimize.brentq(lambda t: fit(t)[2] - drawn[at], 0, 100)
    assert tau2[at] == pytest.approx(exact, rel=1e-3)
    beta = np.array([fit(t)[0][0] for t in grid])
    var = np.array([fit(t)[1][0, 0] for t in grid])
    noise = rng.standard_normal(DRAWS) if np.isinf(df) else rng.standard_t(df, DRAWS)
    new = np.interp(tau2, grid, beta) + np.sqrt(np.interp(tau2, grid, var) + tau2) * noise
    return np.quantile(new, [0.025, 0.975])


@pytest.mark.parametrize("ci", ["z", "t"])
def test_the_limits_are_those_of_draws_with_dense_matrices(ci):
    fit = network_pool(net("hasselblad1998"), ci=ci, prediction=CD)
    low, high = slow_limits("hasselblad1998", fit.df)
    row = fit.effect(fit.treatments[1], fit.treatments[0])
    found = np.log([row["pred_low"], row["pred_high"]])
    assert found == pytest.approx([low, high], abs=SPREAD * (high - low))
    frame = fit.to_frame().iloc[0]
    assert 1 / frame["pred_high"] == pytest.approx(row["pred_low"])


def test_few_studies_get_wider_limits_and_many_the_same():
    small = {"study": list("ABCDE"), "treat1": ["x"] * 5, "treat2": ["y"] * 5,
             "yi": [0.1, 0.5, 0.9, 0.2, 0.6], "vi": [0.04] * 5}  # fmt: skip
    plain = network_pool(network(small, "generic")).effect("x", "y")
    wide = network_pool(network(small, "generic"), prediction=CD).effect("x", "y")
    assert wide["conf_low"] == plain["conf_low"]
    assert wide["pred_high"] - wide["pred_low"] > 1.3 * (plain["pred_high"] - plain["pred_low"])
    rng = np.random.default_rng(5)
    k = 1000
    y = rng.normal(0.3, np.sqrt(0.04 + 0.09), k)
    many = network({"study": range(k), "treat1": ["x"] * k, "treat2": ["y"] * k, "yi": y,
                    "vi": [0.04] * k}, "generic")  # fmt: skip
    limits = [network_pool(many, prediction=p).effect("x", "y")["pred_low"] for p in ("match", CD)]
    assert limits[0] == pytest.approx(limits[1], abs=0.005)


def test_the_reference_turns_the_limits_round():
    n = net("senn2013")
    one = network_pool(n, prediction=CD, reference="placebo").against().set_index("treat1")
    other = network_pool(n, prediction=CD).effect("placebo", "metformin")
    assert one.loc["metformin", "pred_low"] == pytest.approx(-other["pred_high"], abs=1e-9)
    assert network_pool(n, prediction=CD).to_dict()["prediction"] == CD


@pytest.mark.parametrize("options", [{"model": "common"}, {"tau2": 0.1},
                                     {"model": "mantel-haenszel"}])  # fmt: skip
def test_it_needs_a_variance_between_studies_that_is_estimated(options):
    with pytest.raises(DataError, match=r"'prediction'.*needs a variance between studies"):
        network_pool(net("hasselblad1998"), prediction=CD, **options)


def test_without_a_degree_of_freedom_there_is_no_prediction():
    n = network({"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["y", "z"],
                 "yi": [0.1, 0.2], "vi": [0.1, 0.2]}, "generic")  # fmt: skip
    assert np.isnan(network_pool(n, prediction=CD).effect("x", "y")["pred_low"])
