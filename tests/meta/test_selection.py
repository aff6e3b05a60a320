"""The step-function selection model: metafor's values, derivatives, reductions, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, special

from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.checks.selection import SelectionModel, _climb, _Problem, selection_model
from tests.reference import pinned

PIN = pinned("bias")["grid"]

INSIDE = 1e-6
"""Optimiser against optimiser, tau2 above zero; metafor's has numerical derivatives."""

EDGE = 2e-4
"""At tau2 = 0 metafor stops at some 1e-12 on a log scale, which blurs the standard errors."""

LOCAL = ("proportions_logit", "less")
"""Here the likelihood has two maxima and metafor returns the lower one."""

CASES = [
    (name, alternative)
    for name, cell in PIN.items()
    for alternative, values in cell["selection"].items()
    if values and (name, alternative) != LOCAL
]


def of(name: str, alternative: str) -> SelectionModel:
    e = generic(PIN[name]["yi"], PIN[name]["vi"])
    return selection_model(e, alternative=alternative.replace(".", "-"))


def problem(name: str, alternative: str) -> _Problem:
    y, v = np.array(PIN[name]["yi"]), np.array(PIN[name]["vi"])
    z = y / np.sqrt(v)
    p = {
        "greater": special.ndtr(-z),
        "less": special.ndtr(z),
        "two-sided": 2 * special.ndtr(-np.abs(z)),
    }[alternative]
    return _Problem(y, v, p <= 0.025, 0.025, alternative)


def test_the_grid_has_all_directions_and_both_edges() -> None:
    assert {a for _, a in CASES} == {"greater", "less", "two.sided"}
    assert len(CASES) >= 20
    zero = [of(*case).tau2 == 0 for case in CASES]
    assert any(zero)
    assert not all(zero)


@pytest.mark.parametrize(("name", "alternative"), CASES)
def test_the_model_agrees_with_metafor(name: str, alternative: str) -> None:
    ours, theirs = of(name, alternative), PIN[name]["selection"][alternative]
    assert ours.log_likelihood == pytest.approx(theirs["log_likelihood"], rel=1e-9)
    assert ours.log_likelihood >= theirs["log_likelihood"] - 1e-12 * abs(ours.log_likelihood)
    assert ours.lrt == pytest.approx(theirs["lrt"], rel=INSIDE)
    for key in ("estimate", "delta"):
        assert getattr(ours, key) == pytest.approx(theirs[key], rel=INSIDE), key
    assert ours.tau2 == pytest.approx(theirs["tau2"], rel=INSIDE, abs=1e-9)
    rtol = INSIDE if ours.tau2 > 0 else EDGE
    for key, column in (
        ("std_error", "std_error"),
        ("delta_std_error", "se_delta"),
        ("conf_low", "conf_low"),
        ("conf_high", "conf_high"),
    ):
        assert getattr(ours, key) == pytest.approx(theirs[column], rel=rtol), key
    assert ours.p_value == pytest.approx(theirs["p_value"], rel=5 * rtol)
    if ours.tau2 > 0:
        assert ours.tau2_std_error == pytest.approx(theirs["se_tau2"], rel=INSIDE)
    else:
        assert np.isnan(ours.tau2_std_error)


def test_the_higher_of_two_maxima_is_taken_and_the_lower_is_metafors() -> None:
    ours, theirs = of(*LOCAL), PIN[LOCAL[0]]["selection"][LOCAL[1]]
    assert ours.log_likelihood == pytest.approx(theirs["log_likelihood"] + 0.5990344, abs=1e-6)
    start = np.array([theirs["estimate"], theirs["tau2"], np.log(theirs["delta"])])
    lower, ll, reached = _climb(problem(*LOCAL), start)
    assert reached
    assert ll == pytest.approx(theirs["log_likelihood"], rel=1e-12)
    assert lower[:2] == pytest.approx([theirs["estimate"], theirs["tau2"]], rel=INSIDE)
    assert np.exp(lower[2]) == pytest.approx(theirs["delta"], rel=INSIDE)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_derivatives_are_those_of_the_likelihood(alternative: str) -> None:
    p = problem("sim_k40", alternative)
    theta = np.array([-0.2, 0.11, 0.6])
    _, gradient, hessian = p.value(theta)
    for j in range(3):
        h = np.zeros(3)
        h[j] = 1e-5
        up, down = p.value(theta + h), p.value(theta - h)
        assert gradient[j] == pytest.approx((up[0] - down[0]) / 2e-5, rel=1e-6)
        np.testing.assert_allclose(hessian[j], (up[1] - down[1]) / 2e-5, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_the_density_of_a_seen_study_integrates_to_one(alternative: str) -> None:
    mu, tau2, delta, v = 0.2, 0.05, 0.3, 0.04
    cut = {"greater": [0.0, 0.39199], "less": [-0.39199, 0.0]}.get(alternative, [-0.4483, 0.4483])

    def density(y: float) -> float:
        z = y / np.sqrt(v)
        p = {
            "greater": special.ndtr(-z),
            "less": special.ndtr(z),
            "two-sided": 2 * special.ndtr(-abs(z)),
        }[alternative]
        one = _Problem(np.array([y]), np.array([v]), np.array([p <= 0.025]), 0.025, alternative)
        return float(np.exp(one.value(np.array([mu, tau2, delta]))[0]))

    total, _ = integrate.quad(density, -3, 3, points=cut, limit=400)
    assert total == pytest.approx(1.0, rel=1e-4)


def test_a_search_without_derivatives_finds_the_same_maximum() -> None:
    p, ours = problem("sim_k40", "less"), of("sim_k40", "less")

    def minus(t: np.ndarray) -> float:
        return -p.value(np.array([t[0], np.exp(t[1]), np.exp(t[2])]))[0]

    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 5000}
    slow = optimize.minimize(minus, [-0.3, -2.0, 0.0], method="Nelder-Mead", options=options)
    assert ours.estimate == pytest.approx(slow.x[0], rel=1e-5)
    assert ours.tau2 == pytest.approx(np.exp(slow.x[1]), rel=1e-5)
    assert ours.delta == pytest.approx(np.exp(slow.x[2]), rel=1e-5)


def test_no_selection_is_plain_maximum_likelihood() -> None:
    p, e = problem("sim_k40", "less"), generic(PIN["sim_k40"]["yi"], PIN["sim_k40"]["vi"])
    plain = pool(e, tau2="ML", ci="z")
    model = selection_model(e, alternative="less")
    assert model.unadjusted == pytest.approx(plain.analysis.estimate, rel=1e-12)
    assert model.unadjusted_tau2 == pytest.approx(plain.tau2, rel=1e-12)
    _, gradient, _ = p.value(np.array([model.unadjusted, model.unadjusted_tau2, 1.0]))
    np.testing.assert_allclose(gradient[:2], 0, atol=1e-8)


def test_mirroring_and_scaling_change_nothing_else() -> None:
    e = generic(PIN["log_hr"]["yi"], PIN["log_hr"]["vi"])
    less = selection_model(e, alternative="less")
    greater = selection_model(generic(-e.yi, e.vi), alternative="greater")
    large = selection_model(generic(1000 * e.yi, 1e6 * e.vi), alternative="less")
    assert greater.estimate == pytest.approx(-less.estimate, rel=1e-7)
    assert greater.delta == pytest.approx(less.delta, rel=1e-7)
    assert large.estimate == pytest.approx(1000 * less.estimate, rel=1e-7)
    assert large.tau2 == pytest.approx(1e6 * less.tau2, rel=1e-7)
    assert large.delta_std_error == pytest.approx(less.delta_std_error, rel=1e-7)


def test_selected_studies_are_pulled_back() -> None:
    rng = np.random.default_rng(20260321)
    v = rng.uniform(0.02, 0.3, 400)
    y = rng.normal(0.1, np.sqrt(v + 0.01))
    seen = (special.ndtr(-y / np.sqrt(v)) <= 0.025) | (rng.random(400) < 0.2)
    model = selection_model(generic(y[seen], v[seen]))
    assert abs(model.estimate - 0.1) < abs(model.unadjusted - 0.1)
    assert model.lrt_p < 0.01
    assert model.conf_low < 0.1 < model.conf_high


def test_a_side_without_studies_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="no study has a p-value at or below the step"):
        selection_model(generic([0.1, 0.2, 0.1], [0.1] * 3))
    with pytest.raises(DataError, match="no study has a p-value above the step"):
        selection_model(generic([2.1, 2.2, 2.1], [0.1] * 3))
    with pytest.raises(DataError, match="at least 3"):
        selection_model(generic([2.1, 0.1], [0.1] * 2))
    with pytest.raises(DataError, match="not a p-value"):
        selection_model(generic([2.1, 0.1, 0.2], [0.1] * 3), step=1.5)
    with pytest.raises(DataError, match="two-sided"):
        selection_model(generic([2.1, 0.1, 0.2], [0.1] * 3), alternative="both")


def test_the_record_speaks_for_itself() -> None:
    model = of("log_hr", "less")
    assert model.to_frame()["term"].tolist() == ["effect", "tau2", "delta"]
    assert model.to_dict()["k_below"] + model.to_dict()["k_above"] == 8
    assert model.to_dict()["reader"]["estimate"] == model.estimate
    assert "Selection at p = 0.025 (less; 4 below, 4 above)" in model.summary()
