"""Conditional logistic models against metafor, direct integration, Stijnen 2010, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import metablin as mb
from metablin.meta.counts.conditional import binomial, hypergeometric, marginal
from tests.reference import pinned, table

REFERENCE = pinned("conditional")
CELLS = REFERENCE["cells"]
# metafor climbs with numerical derivatives, lme4 to its own stop rule: half of the digits.
RTOL = {"estimate": 2e-5, "std_error": 2e-4, "tau2": 2e-4}
HEIGHT = 1e-10  # of the exact model; lme4 leaves constants out of the others
SAME = 1e-8  # one optimum reached from two parametrisations
INTEGRAL = 1e-8  # 40 nodes against adaptive quadrature


def effects(name: str) -> mb.EffectSizes:
    d = table(name)
    if name == "nielweise2008":
        return mb.rate_contrasts(d["x1i"], d["t1i"], d["x2i"], d["t2i"], studies=d["study"])
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    return mb.two_by_two(*(d[c] for c in columns), studies=d["study"])


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c['data']}-{c['approximate']}")
def test_agrees_with_metafor(cell: dict[str, object]) -> None:
    fit = mb.pool(effects(str(cell["data"])), model="conditional", approximate=cell["approximate"])
    got = {
        "estimate": fit.analysis.estimate,
        "std_error": fit.analysis.std_error,
        "tau2": fit.tau2,
    }
    for name, tolerance in RTOL.items():
        assert got[name] == pytest.approx(cell[name], rel=tolerance), name
    if (cell["measure"], cell["approximate"]) == ("or", False):
        assert fit.extra["loglik"] == pytest.approx(cell["log_likelihood"], rel=HEIGHT)


def test_all_three_models_are_pinned() -> None:
    have = {(c["measure"], c["approximate"]) for c in CELLS}
    assert have == {("or", False), ("or", True), ("irr", False)}


def slow(a: float, m: float, n1: float, n2: float, mu: float, tau: float) -> float:
    """One table: scipy's own distribution, integrated on the real line."""

    def height(theta: float) -> float:
        p = stats.nchypergeom_fisher.pmf(a, n1 + n2, n1, m, math.exp(theta))
        return float(p * stats.norm.pdf(theta, mu, tau))

    return math.log(integrate.quad(height, mu - 9 * tau, mu + 9 * tau, epsabs=0, limit=400)[0])


@pytest.mark.parametrize(("mu", "tau"), [(-1.3, 0.8), (0.2, 1.5), (0.0, 0.1)])
def test_the_integral_is_that_of_direct_integration(mu: float, tau: float) -> None:
    tables = [(0, 3, 116, 117), (1, 4, 44, 35), (7, 12, 40, 12), (3, 3, 20, 25)]
    a, m, n1, n2 = (np.array(x, dtype=float) for x in zip(*tables, strict=True))
    value = marginal(hypergeometric(a, m, n1, n2), mu, tau)[0]
    direct = sum(slow(*one, mu, tau) for one in tables)
    assert value == pytest.approx(direct, rel=INTEGRAL)


def test_the_binomial_integral_is_that_of_direct_integration() -> None:
    a, m, offset, mu, tau = 2, 7, -0.3, 0.4, 0.9

    def height(theta: float) -> float:
        p = 1 / (1 + math.exp(-theta - offset))
        return float(stats.binom.pmf(a, m, p) * stats.norm.pdf(theta, mu, tau))

    f = binomial(np.array([a]), np.array([m]), np.array([offset]))
    direct = math.log(integrate.quad(height, mu - 9 * tau, mu + 9 * tau, epsabs=0)[0])
    assert marginal(f, mu, tau)[0] == pytest.approx(direct, rel=INTEGRAL)


def test_the_derivatives_are_those_of_differences() -> None:
    a, m = np.array([0.0, 4, 9]), np.array([3.0, 7, 11])
    f = binomial(a, m, np.array([0.1, -0.4, 0.0]))
    at = np.array([-0.4, 0.9])
    _, score, hessian = marginal(f, *at)
    slope = optimize.approx_fprime(at, lambda x: marginal(f, *x)[0], 1e-6)
    bend = [optimize.approx_fprime(at, lambda x, i=i: marginal(f, *x)[1][i], 1e-6) for i in (0, 1)]
    assert score == pytest.approx(slope, rel=1e-4)  # forward differences
    assert hessian == pytest.approx(np.array(bend), rel=1e-4)


@pytest.mark.parametrize(
    ("data", "approximate", "printed"),
    [("nielweise2007", False, (-1.353, 0.351, 0.693)),
     ("nielweise2007", True, (-1.303, 0.339, 0.601)),
     ("nielweise2008", False, (-0.476, 0.238, 0.123))],
)  # fmt: skip
def test_the_data_of_stijnen_2010(
    data: str, approximate: bool, printed: tuple[float, float, float]
) -> None:
    fit = mb.pool(effects(data), model="conditional", approximate=approximate)
    got = (fit.analysis.estimate, fit.analysis.std_error, fit.tau2)
    assert tuple(round(x, 3) for x in got) == printed


@pytest.mark.parametrize("approximate", [False, True])
def test_swapping_arms_changes_the_sign_only(approximate: bool) -> None:
    d = table("nielweise2007")
    treated, control = ((d[f"events_{arm}"], d[f"n_{arm}"]) for arm in ("treatment", "control"))
    one, two = mb.two_by_two(*treated, *control), mb.two_by_two(*control, *treated)
    a, b = (mb.pool(e, model="conditional", approximate=approximate) for e in (one, two))
    assert b.analysis.estimate == pytest.approx(-a.analysis.estimate, rel=SAME)
    assert b.tau2 == pytest.approx(a.tau2, rel=SAME)
    assert b.analysis.std_error == pytest.approx(a.analysis.std_error, rel=SAME)


def test_counting_non_events_changes_the_sign_only() -> None:
    d = table("nielweise2007")
    n1, n2 = d["n_treatment"], d["n_control"]
    one = mb.two_by_two(d["events_treatment"], n1, d["events_control"], n2)
    two = mb.two_by_two(n1 - d["events_treatment"], n1, n2 - d["events_control"], n2)
    a, b = (mb.pool(e, model="conditional") for e in (one, two))
    assert b.analysis.estimate == pytest.approx(-a.analysis.estimate, rel=SAME)


def test_equal_studies_have_no_spread_and_the_conditional_maximum() -> None:
    fit = mb.pool(mb.two_by_two([3] * 4, [20] * 4, [7] * 4, [22] * 4), model="conditional")
    one = stats.contingency.odds_ratio(np.array([[3, 17], [7, 15]]), kind="conditional")
    assert fit.tau2 == 0
    assert fit.estimate == pytest.approx(one.statistic, rel=1e-6)  # scipy's root finding


def test_studies_without_events_change_nothing_and_are_named() -> None:
    few = mb.two_by_two([2, 1, 5], [45, 31, 60], [6, 2, 9], [40, 30, 58])
    more = mb.two_by_two([2, 1, 5, 0], [45, 31, 60, 9], [6, 2, 9, 0], [40, 30, 58, 9],
                         studies=["a", "b", "c", "none"], double_zeros="keep")  # fmt: skip
    a, b = (mb.pool(e, model="conditional", ci="t") for e in (few, more))
    assert (b.estimate, b.conf_low) == (a.estimate, a.conf_low)
    assert any("none" in note for note in b.notes)


@pytest.mark.parametrize(
    ("e", "options", "word"),
    [
        (mb.two_by_two([0, 0], [9, 9], [3, 4], [9, 9]), {}, "events_treatment"),
        (mb.two_by_two([1, 2], [9, 9], [3, 4], [9, 9], measure="rr"), {}, "measure"),
        (mb.two_by_two([1, 2], [9, 9], [3, 4], [9, 9]), {"approximate": 1}, "approximate"),
        (mb.two_by_two([1, 2], [9, 9], [3, 4], [9, 9]), {"points": 3}, "points"),
        (mb.rate_contrasts([1, 2], [9, 9], [3, 4], [9, 9]), {"approximate": True}, "approximate"),
    ],
)
def test_what_it_cannot_take_is_named(
    e: mb.EffectSizes, options: dict[str, object], word: str
) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.pool(e, model="conditional", **options)
