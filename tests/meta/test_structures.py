"""Structured random effects against metafor's rma.mv, a slow likelihood, and their reductions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.meta.normal.multilevel import multilevel
from metablin.meta.structures.correlation import STRUCTURES, Structure
from tests.reference import pinned

REFERENCE = pinned("structures")
CELLS = REFERENCE["cells"]
# metafor's optimiser stops where the likelihood is flat to about 1e-10 of its value, which leaves
# variances open to its square root.
VARIANCES, COEFFICIENTS, LIKELIHOOD = 2e-5, 5e-6, 1e-10
FORMULAS = {"1": None, "outcome - 1": "C(outcome) - 1", "factor(time) - 1": "C(time) - 1"}


@cache
def inputs(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    d = pd.DataFrame(REFERENCE["data"][name])
    if name == "berkey":
        v = np.zeros((len(d), len(d)))
        for i in range(0, len(d), 2):
            v[i : i + 2, i : i + 2] = d.loc[i : i + 1, ["v1i", "v2i"]].to_numpy()
        return d, v
    if name == "ishak":
        one = d["study"] + d["time"].astype(str)
        return d, mb.sampling_covariance("vi", "study", one, time="time", rho=1, phi=0.97, data=d)
    if name == "assink":
        return d, mb.sampling_covariance("vi", "study", "esid", rho=0.6, data=d)
    return d, d["vi"].to_numpy()


def fitted(cell: dict[str, Any], **changes: Any) -> Any:
    d, v = inputs(cell["data"])
    random = cell["random"]
    options = {"structure": cell["struct"], "moderators": FORMULAS[cell["mods"]]}
    options |= {"method": cell["method"], "test": cell["test"]}
    return mb.mixed("yi", v, random, d, **(options | changes))


def name_of(cell: dict[str, Any]) -> str:
    return f"{cell['data']}-{cell['struct']}-{cell['method']}-{cell['random']}"


@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_agrees_with_rma_mv(cell: dict[str, Any]) -> None:
    fit = fitted(cell)
    assert fit.loglik >= cell["loglik"] - 1e-9  # never a lower place than metafor's
    for key in ("loglik", "aic", "bic", "aicc", "q", "q_p"):
        assert getattr(fit, key) == pytest.approx(cell[key], rel=LIKELIHOOD, abs=1e-9), key
    assert fit.p_value == pytest.approx(np.atleast_1d(cell["p_value"]), rel=1e-4, abs=1e-9)
    for key in ("beta", "std_error", "conf_low", "conf_high"):
        want = np.atleast_1d(cell[key])
        assert getattr(fit, key) == pytest.approx(want, rel=COEFFICIENTS, abs=1e-9), key
    assert fit.qm == pytest.approx(cell["qm"], rel=2 * COEFFICIENTS)
    want = np.r_[np.ravel(cell["sigma2"] or []), np.ravel(cell["tau2"] or [])]
    got = fit.variances()["variance"].to_numpy()
    if cell["sigma2"] is not None and cell["tau2"] is not None:
        got = got[::-1]  # metafor puts plain terms first
    assert got == pytest.approx(want, rel=VARIANCES, abs=1e-8)
    if cell["rho"]:
        pairs = fit.correlations()["correlation"].to_numpy()
        rho = pairs[: np.size(cell["rho"])]
        assert rho == pytest.approx(np.ravel(cell["rho"]), rel=VARIANCES)


def test_the_grid_is_complete() -> None:
    assert {c["struct"] for c in CELLS} == set(STRUCTURES)
    assert {c["data"] for c in CELLS} == {"berkey", "ishak", "konstantopoulos", "assink"}
    assert len(CELLS) == 22


def test_the_likelihood_is_that_of_the_multivariate_normal_and_no_search_finds_a_higher() -> None:
    d, v = inputs("berkey")
    fit = mb.mixed("yi", v, "outcome | trial", d, structure="UN", method="ML",
                   moderators="C(outcome) - 1")  # fmt: skip
    density = stats.multivariate_normal(fit.design @ fit.beta, fit.working)
    assert fit.loglik == pytest.approx(density.logpdf(fit.yi), rel=1e-12)
    trial = d["trial"].to_numpy()
    place = (d["outcome"] == "PD").to_numpy().astype(int)

    def depth(theta: np.ndarray) -> float:
        root = np.array([[theta[0], 0], [theta[1], theta[2]]])
        g = root @ root.T
        m = v + (trial[:, None] == trial) * g[place[:, None], place]
        w = np.linalg.inv(m)
        x = fit.design
        beta = np.linalg.solve(x.T @ w @ x, x.T @ w @ fit.yi)
        return -float(stats.multivariate_normal(x @ beta, m).logpdf(fit.yi))

    best = optimize.minimize(depth, [0.2, 0.0, 0.1], method="Nelder-Mead",
                             options={"xatol": 1e-6, "fatol": 1e-9})  # fmt: skip
    assert -best.fun == pytest.approx(fit.loglik, abs=1e-7)


@pytest.mark.parametrize("kind", STRUCTURES)
def test_derivatives_of_a_structure_are_those_of_differences(kind: str) -> None:
    s = Structure(kind, 3, np.abs(np.subtract.outer([0, 1, 2.5], [0, 1, 2.5])))
    if kind in ("AR", "HAR"):
        s = Structure(kind, 3, np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0))))
    theta = s.start(0.7) + np.linspace(-0.1, 0.2, s.count)
    for j in range(s.count):
        step = 1e-6 * (np.arange(s.count) == j)
        slope = (s.matrix(theta + step)[0] - s.matrix(theta - step)[0]) / 2e-6
        assert s.matrix(theta)[1][j] == pytest.approx(slope, abs=1e-8)


def test_nested_terms_are_the_multilevel_model() -> None:
    d, v = inputs("konstantopoulos")
    one = mb.mixed("yi", v, "1 | district/school", d)
    two = multilevel(d["yi"], v, {"district": d["district"], "school": d["school"]})
    assert one.variances()["variance"].to_numpy() == pytest.approx(two.sigma2, rel=1e-7)
    assert (one.beta, one.loglik) == (pytest.approx(two.beta), pytest.approx(two.loglik))
    assert one.working == pytest.approx(two.working)


def test_profile_limits_are_those_of_confint() -> None:
    d, v = inputs("konstantopoulos")
    limits = mb.mixed("yi", v, "1 | district/school", d).intervals()
    for row, (low, high) in zip(
        limits.itertuples(), pinned("multilevel")["profile"].values(), strict=True
    ):
        assert (row.conf_low, row.conf_high) == (
            pytest.approx(low, rel=1e-6), pytest.approx(high, rel=1e-6),
        )  # fmt: skip


def test_at_a_limit_of_a_correlation_the_likelihood_has_fallen_by_what_it_may() -> None:
    d, v = inputs("berkey")
    fit = mb.mixed("yi", v, "outcome | trial", d, moderators="C(outcome) - 1", method="ML")
    rho = fit.intervals().set_index("parameter").loc["correlation"]
    trial = d["trial"].to_numpy()
    place = (d["outcome"] == "PD").to_numpy().astype(int)

    def depth(spread: float, rho: float) -> float:
        g = spread**2 * np.array([[1, rho], [rho, 1]])
        m = v + (trial[:, None] == trial) * g[place[:, None], place]
        w, x = np.linalg.inv(m), fit.design
        beta = np.linalg.solve(x.T @ w @ x, x.T @ w @ fit.yi)
        return -float(stats.multivariate_normal(x @ beta, m).logpdf(fit.yi))

    assert -1 < rho["conf_low"] < rho["estimate"] < rho["conf_high"] <= 1
    for limit in (rho["conf_low"], rho["conf_high"]):
        if abs(limit) < 1:
            best = optimize.minimize_scalar(depth, (0.05, 0.3), args=(limit,)).fun
            assert 2 * (fit.loglik + best) == pytest.approx(stats.chi2.isf(0.05, 1), rel=1e-5)
    with pytest.raises(mb.DataError, match="no profile of one variance"):
        mb.mixed("yi", v, {"outcome | trial": "UN"}, d, moderators="outcome").intervals()


def test_one_effect_a_study_is_the_random_effects_model() -> None:
    y, v = [0.1, 0.5, 0.9, 0.2, -0.3], [0.04, 0.05, 0.03, 0.04, 0.06]
    plain = mb.pool(mb.generic(y, v), ci="z")
    fit = mb.mixed(y, v, "1 | study", {"study": range(5)})
    assert fit.variances()["variance"][0] == pytest.approx(plain.tau2, rel=1e-7)
    assert fit.beta[0] == pytest.approx(plain.estimate, rel=1e-9)


def test_structures_that_contain_each_other_are_ordered_and_tested() -> None:
    d, v = inputs("berkey")
    fits = {
        kind: mb.mixed("yi", v, {"outcome | trial": kind}, d, moderators="C(outcome) - 1")
        for kind in ("UN", "HCS", "CS", "ID")
    }
    assert fits["UN"].loglik == pytest.approx(fits["HCS"].loglik, abs=1e-8)  # two outcomes
    assert fits["UN"].loglik > fits["CS"].loglik > fits["ID"].loglik
    test = fits["UN"].likelihood_ratio(fits["CS"]).iloc[0]
    statistic = 2 * (fits["UN"].loglik - fits["CS"].loglik)
    assert (test["statistic"], test["df"]) == (pytest.approx(statistic), 1)
    assert test["p_value"] == pytest.approx(stats.chi2.sf(statistic, 1))
    difference = fits["UN"].contrasts([-1, 1]).iloc[0]
    assert difference["estimate"] == pytest.approx(fits["UN"].beta[1] - fits["UN"].beta[0])


def test_order_labels_and_units_do_not_matter() -> None:
    d, v = inputs("ishak")
    one = mb.mixed("yi", v, "time | study", d, structure="HAR", moderators="C(time) - 1")
    order = np.random.default_rng(4).permutation(len(d))
    turned = d.iloc[order].reset_index(drop=True).assign(yi=lambda x: 10 * x["yi"])
    two = mb.mixed("yi", 100 * v[np.ix_(order, order)], "time | study", turned, structure="HAR",
                   moderators="C(time) - 1")  # fmt: skip
    assert two.beta == pytest.approx(10 * one.beta, rel=1e-7)
    variances = one.variances()["variance"].to_numpy()
    assert two.variances()["variance"].to_numpy() == pytest.approx(100 * variances, rel=1e-5)
    assert two.components[0].rho == pytest.approx(one.components[0].rho, rel=1e-6)


def test_a_correlation_of_one_and_a_variance_of_zero_are_reached() -> None:
    pairs = {"y": [0.5, 0.5, -0.4, -0.4, 0.1, 0.1], "trial": list("aabbcc"), "o": ["p", "q"] * 3}
    alike = mb.mixed("y", [0.01] * 6, "o | trial", pairs, structure="CS")
    assert alike.components[0].rho == pytest.approx(1.0, abs=1e-6)
    same = mb.mixed([0.2] * 4, [0.04] * 4, "1 | trial", {"trial": range(4)})
    assert same.variances()["variance"][0] == pytest.approx(0.0, abs=1e-9)


def test_the_summary_says_what_was_fitted() -> None:
    d, v = inputs("berkey")
    text = mb.mixed("yi", v, "outcome | trial", d, structure="CS").summary()
    assert "Correlation within outcome | trial (CS): " in text
    assert "10 estimates, REML" in text


SIX = {"g": list("aabbcc"), "o": ["p", "q"] * 3, "h": list("xxyyzz"), "p": list("pppqqq")}
Y, V = [0.1, 0.2, 0.3, 0.5, 0.2, 0.9], [0.01] * 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"random": "g"}, "not a term of random effects"),
        ({"random": "o | g/h"}, "not a term of random effects"),
        ({"random": []}, "no random effects"),
        ({"random": ["1 | g", "1 | h"]}, "just as 'g'"),
        ({"random": "1 | k"}, "no such column"),
        ({"random": "o | g", "structure": "TOEP"}, "unknown option.*CS | HCS"),
        ({"random": "o | g", "structure": "CAR"}, "CAR needs times"),
        ({"random": "p | o", "structure": "UN", "data": SIX | {"o": list("abcdef")}}, "together"),
        ({"random": "1 | g", "vi": -np.eye(6)}, "not a covariance matrix"),
        ({"random": "1 | g", "data": None}, "without a table"),
        ({"random": "1 | g", "data": SIX | {"g": ["a", None, "b", "b", "c", "c"]}}, "row 2"),
        ({"random": "1 | g", "moderators": "o", "design": np.ones((6, 1))}, "and a matrix"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_named(arguments: dict[str, Any], words: str) -> None:
    call = {"yi": Y, "vi": V, "data": SIX} | arguments
    with pytest.raises(mb.DataError, match=words):
        mb.mixed(**call)
