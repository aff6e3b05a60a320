"""Count models against lme4 and metafor, dense integration, and their own limits."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit, logit

import metablin as mb
from metablin.effects import rate_contrasts, rates, two_by_two
from metablin.errors import ConvergenceError, DataError
from metablin.meta.counts.glmm import newton, quadrature
from metablin.meta.counts.glmm.fit import (
    glmm_proportions,
    glmm_rate_ratios,
    glmm_rates,
    glmm_two_by_two,
)

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "glmm.json").read_text(encoding="utf-8")
)
CELLS = REFERENCE["cells"]
RTOL_LME4 = 1e-6  # polished optimum against polished optimum
RTOL_METAFOR = 2e-3  # lme4's own stop rule and finite-difference Hessian
#: lme4's inner loop stops at 1e-11 for these large tables; its second derivatives feel that
RTOL_LOOSE_SE = 5e-4


def data(name):
    return {k: np.array(v) for k, v in REFERENCE["data"][name].items()}


def fit(cell, **options):
    d = data(cell["data"])
    options = {"points": cell["points"]} | options
    if cell["measure"] == "proportion":
        return glmm_proportions(d["a"], d["n1"], **options)
    if cell["measure"] == "rate":
        return glmm_rates(d["x1"], d["t1"], **options)
    if cell["measure"] == "or":
        return glmm_two_by_two(d["a"], d["n1"], d["c"], d["n2"], model=cell["model"], **options)
    return glmm_rate_ratios(**d, model=cell["model"], **options)


def name(cell):
    return f"{cell['data']}-{cell['measure']}-{cell['model']}-{cell['points']}"


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_agrees_with_lme4_at_the_same_points(cell):
    got = fit(cell)
    assert got.beta[0] == pytest.approx(cell["estimate"], rel=RTOL_LME4)
    assert got.tau2 == pytest.approx(cell["tau2"], rel=RTOL_LME4, abs=1e-8)
    se_tol = RTOL_LOOSE_SE if cell["tolerance"] > 1e-12 else 5e-6
    assert got.std_error[0] == pytest.approx(cell["std_error"], rel=se_tol)
    if cell.get("sigma2") is not None:
        assert got.sigma2 == pytest.approx(cell["sigma2"], rel=RTOL_LME4)


@pytest.mark.parametrize("cell", [c for c in CELLS if c["metafor"]], ids=name)
def test_agrees_with_rma_glmm_as_called_by_a_user(cell):
    got, peer = fit(cell, test="t"), cell["metafor"]
    assert got.beta[0] == pytest.approx(peer["estimate"], rel=RTOL_METAFOR)
    assert got.tau2 == pytest.approx(peer["tau2"], rel=RTOL_METAFOR, abs=1e-4)
    if cell["model"] != "UM.RS":
        assert got.std_error[0] == pytest.approx(peer["std_error"], rel=RTOL_METAFOR)
        scale = RTOL_METAFOR * peer["std_error"]
        assert got.conf_low[0] == pytest.approx(peer["conf_low"], abs=scale)
        assert got.conf_high[0] == pytest.approx(peer["conf_high"], abs=scale)
        assert got.q == pytest.approx(peer["q"], rel=1e-8)


def test_rma_glmm_standard_errors_of_random_study_effects_are_off_by_lme4s_differences():
    """rma.glmm passes on lme4's Hessian, differenced at default inner tolerance.

    For UM.RS its standard errors are up to 1.3 % from those of the same likelihood with a tight
    inner tolerance, which ours match.
    """
    cells = [c for c in CELLS if c["model"] == "UM.RS"]
    assert len(cells) == 6
    off = [abs(c["metafor"]["std_error"] / c["std_error"] - 1) for c in cells]
    assert 1e-3 < max(off) < 2e-2
    for cell in cells:
        assert fit(cell).std_error[0] == pytest.approx(cell["std_error"], rel=RTOL_LOOSE_SE)


def test_grid_is_complete():
    have = {(c["data"], c["measure"], c["model"], c["points"]) for c in CELLS}
    sims = {f"sim{k:02d}" for k in (3, 5, 8, 12, 20, 30, 45, 60)}
    want = {
        (d, "proportion", "one-sample", q)
        for d in sims | {"bcg", "zeros", "sparse"}
        for q in (1, 7, 25)
    }
    for d in ("bcg", "sparse", "sim05", "sim12", "sim20"):
        want |= {(d, "or", "UM.FS", 1), (d, "or", "UM.FS", 7), (d, "or", "UM.RS", 1)}
    want |= {("catheter", "rate", "one-sample", q) for q in (1, 7, 25)}
    want |= {("catheter", "irr", "UM.FS", q) for q in (1, 7)} | {("catheter", "irr", "UM.RS", 1)}
    assert have == want


def dense_loglik(y, n, beta, tau):
    """Integrate each study on a fine trapezoid, which converges geometrically."""
    b = np.linspace(-12, 12, 1201) * tau
    f = stats.binom.pmf(y[:, None], n[:, None], expit(beta + b)) * stats.norm.pdf(b, 0, tau)
    return np.log(f.sum(axis=1) * (b[1] - b[0])).sum()


@pytest.mark.parametrize("dataset", ["zeros", "sparse", "bcg", "sim08"])
def test_default_points_agree_with_dense_integration(dataset):
    d = data(dataset)
    got = glmm_proportions(d["a"], d["n1"])
    dense = dense_loglik(d["a"], d["n1"], got.beta[0], np.sqrt(got.tau2))
    assert got.loglik == pytest.approx(dense, abs=1e-7)

    def objective(theta):
        return -dense_loglik(d["a"], d["n1"], theta[0], np.exp(theta[1]))

    start = [got.beta[0], 0.5 * np.log(got.tau2)]
    best = optimize.minimize(objective, start, method="Nelder-Mead", options={"fatol": 1e-13})
    assert -best.fun <= got.loglik + 1e-8


def test_two_random_effects_agree_with_dense_double_integration():
    d = {k: v[:3] for k, v in data("sim12").items()}
    lam = np.tile([0.6, 0.4], (3, 1))
    m = np.tile([-1.3, -0.9], (3, 1))
    y, n = np.stack([d["a"], d["c"]], 1), np.stack([d["n1"], d["n2"]], 1)
    z = np.broadcast_to(np.array([[1, 0.5], [1, -0.5]]), (3, 2, 2))
    counts = quadrature.Counts(y.astype(float), n.astype(float), z, False)
    rows = quadrature.marginal(m, lam, counts, 21)

    # the trapezoid rule converges geometrically for an analytic integrand that dies out
    grid = np.arange(-9, 9, 0.03)
    u = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1)
    prior = stats.norm.pdf(u).prod(axis=-1) * 0.03**2
    for i in range(3):
        eta = m[i] + (u * lam[i]) @ z[i].T
        loglik = (y[i] * eta - n[i] * np.logaddexp(0, eta)).sum(axis=-1)
        total = (np.exp(loglik - rows.value[i]) * prior).sum()
        assert np.log(total) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("dataset", ["sparse", "sim05"])
def test_random_study_effects_climb_to_enough_points_with_and_without_tau2(dataset):
    d = data(dataset)
    tables = (d["a"], d["n1"], d["c"], d["n2"])
    got = glmm_two_by_two(*tables, model="UM.RS")
    dense = glmm_two_by_two(*tables, model="UM.RS", points=25)
    assert got.loglik == pytest.approx(dense.loglik, abs=2e-6)
    assert got.tau2_lrt == pytest.approx(dense.tau2_lrt, abs=4e-6)
    assert got.beta[0] == pytest.approx(dense.beta[0], abs=1e-6)
    fixed = glmm_two_by_two(*tables, model="UM.RS", random=False)
    assert 2 * (got.loglik - fixed.loglik) == pytest.approx(got.tau2_lrt, abs=4e-6)


@pytest.mark.parametrize("poisson", [False, True])
@pytest.mark.parametrize("q", [1, 2])
def test_gradient_and_curvature_match_differences_of_the_value(q, poisson):
    rng = np.random.default_rng(7)
    n = rng.integers(5, 60, (6, 2)).astype(float)
    y = rng.binomial(n.astype(int), 0.3).astype(float)
    z = np.ones((6, 2, q))
    z[:, :, -1] = [0.5, -0.5]
    c = quadrature.Counts(y, np.ones_like(n) if poisson else n, z, poisson)
    at = np.concatenate([rng.normal(1 if poisson else -1, 0.3, (6, 2)), np.full((6, q), 0.7)], 1)

    def value(x):
        return quadrature.marginal(x[:, :2], x[:, 2:], c, 5)

    base = value(at)
    hess = quadrature.curvature(at[:, :2], at[:, 2:], c, 5, base.mode)
    for j in range(2 + q):
        e = np.zeros(2 + q)
        e[j] = 1e-5
        up, down = value(at + e), value(at - e)
        assert base.grad[:, j] == pytest.approx((up.value - down.value) / 2e-5, abs=1e-7)
        assert hess[:, j] == pytest.approx((up.grad - down.grad) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("poisson", [False, True])
def test_the_short_code_for_one_arm_equals_the_general_code(poisson):
    rng = np.random.default_rng(3)
    n = rng.integers(5, 60, (9, 1)).astype(float)
    y = rng.binomial(n.astype(int), 0.3).astype(float)
    z = np.ones((9, 1, 1))
    short = quadrature.Counts(y, np.ones_like(n) if poisson else n, z, poisson)
    # the sign of a random effect is immaterial, and code -1 takes the general way
    general = quadrature.Counts(y, short.n, -z, poisson)
    m, lam = rng.normal(0, 1, (9, 1)), rng.uniform(0.2, 2, (9, 1))
    one, two = quadrature.marginal(m, lam, short, 9), quadrature.marginal(m, lam, general, 9)
    assert one.value == pytest.approx(two.value, rel=1e-12)
    assert one.grad == pytest.approx(two.grad, rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("poisson", [False, True])
def test_the_short_search_for_one_arm_finds_what_the_general_search_finds(poisson):
    rng = np.random.default_rng(6)
    n = rng.integers(15, 60, (12, 1)).astype(float)
    y = rng.binomial(n.astype(int), expit(rng.normal(-1, 1, (12, 1)))).astype(float)
    design = np.stack([np.ones((12, 1)), rng.normal(size=(12, 1))], axis=2)
    offset = np.log(n) if poisson else np.zeros_like(n)
    found = []
    for code in (1.0, -1.0):
        size = np.ones_like(n) if poisson else n
        counts = quadrature.Counts(y, size, np.full((12, 1, 1), code), poisson)
        problem = newton.Problem(counts, design, offset, False, 11)
        start = np.array([-1.0, 0.0, 0.6])
        found.append(newton.maximise(problem, start, np.ones(3, dtype=bool)))
    one, two = found
    assert one.theta == pytest.approx(two.theta, rel=1e-9)
    assert one.loglik == pytest.approx(two.loglik, rel=1e-12)
    assert one.information == pytest.approx(two.information, rel=1e-7, abs=1e-7)


def test_without_tau2_it_is_logistic_regression_on_all_patients():
    d = data("sim12")
    got = glmm_proportions(d["a"], d["n1"], random=False)
    p = d["a"].sum() / d["n1"].sum()
    assert expit(got.beta[0]) == pytest.approx(p, rel=1e-12)
    assert got.std_error[0] ** 2 == pytest.approx(1 / (d["n1"].sum() * p * (1 - p)), rel=1e-9)
    assert got.loglik == pytest.approx(stats.binom.logpmf(d["a"], d["n1"], p).sum(), rel=1e-12)


def test_profile_limits_have_the_right_fall_in_likelihood():
    d = data("sim08")
    got = glmm_proportions(d["a"], d["n1"], interval="profile")
    for limit in (got.conf_low[0], got.conf_high[0]):
        best = optimize.minimize_scalar(
            lambda s, b=limit: -dense_loglik(d["a"], d["n1"], b, np.exp(s)),
            bounds=(-3, 2),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert 2 * (got.loglik + best.fun) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-6)
    for tau2 in (got.tau2_conf_low, got.tau2_conf_high):
        best = optimize.minimize_scalar(
            lambda b, t=tau2: -dense_loglik(d["a"], d["n1"], b, np.sqrt(t)),
            bounds=(-4, 2),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert 2 * (got.loglik + best.fun) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-6)


def test_profile_interval_is_open_upwards_when_tau2_is_at_zero():
    d = data("sim03")
    got = glmm_proportions(d["a"], d["n1"], interval="profile")
    wald = glmm_proportions(d["a"], d["n1"])
    assert got.boundary
    assert got.tau2_conf_low == 0
    assert got.tau2_conf_high > 0
    assert got.conf_low[0] < wald.conf_low[0]
    assert got.tau2_lrt_p == 1


def test_profile_limit_is_infinite_where_the_likelihood_stays_high():
    got = glmm_proportions([0, 9, 0, 0, 0, 0, 0], [39, 136, 78, 56, 72, 168, 3], interval="profile")
    assert got.conf_low[0] == -np.inf
    assert np.isfinite(got.conf_high[0])


def test_a_baseline_that_does_not_vary_gets_variance_zero():
    a, n1, c, n2 = [4, 8, 12], [40, 40, 40], [10, 10, 10], [50, 50, 50]
    got = glmm_two_by_two(a, n1, c, n2, model="UM.RS")
    assert got.sigma2 == 0
    common = glmm_two_by_two(a, n1, c, n2, model="UM.RS", random=False)
    assert got.loglik >= common.loglik
    assert expit(common.beta[0] + logit(0.2)) == pytest.approx(24 / 120, rel=1e-8)


def test_order_and_complement_do_not_matter():
    d = data("sim20")
    order = np.random.default_rng(1).permutation(20)
    one = glmm_proportions(d["a"], d["n1"])
    two = glmm_proportions(d["a"][order], d["n1"][order])
    three = glmm_proportions(d["n1"] - d["a"], d["n1"])
    assert two.beta[0] == pytest.approx(one.beta[0], rel=1e-9)
    assert three.beta[0] == pytest.approx(-one.beta[0], rel=1e-9)
    assert three.tau2 == pytest.approx(one.tau2, rel=1e-8)


@pytest.mark.parametrize("model", ["UM.FS", "UM.RS"])
def test_swapping_arms_changes_only_the_sign(model):
    d = data("sim05")
    one = glmm_two_by_two(d["a"], d["n1"], d["c"], d["n2"], model=model, points=5)
    two = glmm_two_by_two(d["c"], d["n2"], d["a"], d["n1"], model=model, points=5)
    assert two.beta[0] == pytest.approx(-one.beta[0], rel=1e-7)
    assert two.tau2 == pytest.approx(one.tau2, rel=1e-6)
    assert two.std_error[0] == pytest.approx(one.std_error[0], rel=1e-7)


def test_moderator_reproduces_two_separate_groups_in_the_limit_of_no_tau2():
    x = np.array([3, 4, 12, 14])
    n = np.array([20, 25, 30, 33])
    design = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    got = glmm_proportions(x, n, design=design, terms=["intercept", "line"], random=False)
    low, high = 7 / 45, 26 / 63
    assert expit(got.beta[0]) == pytest.approx(low, rel=1e-10)
    assert expit(got.beta.sum()) == pytest.approx(high, rel=1e-10)
    assert list(got.to_frame()["term"]) == ["intercept", "line"]
    assert got.q_df == 2


def test_one_study_gives_its_own_proportion_and_says_so():
    got = glmm_proportions([7], [20])
    assert expit(got.beta[0]) == pytest.approx(0.35, rel=1e-10)
    assert got.tau2 == 0
    assert "one study: a normal interval; tau2 cannot be estimated" in got.notes


def test_pool_answers_one_study_with_a_normal_interval():
    got = mb.pool(mb.proportions([7], [20]), model="glmm", ci="t")
    assert got.estimate == pytest.approx(0.35, rel=1e-10)
    assert np.isinf(got.df)
    assert any("one study" in note for note in got.notes)


def test_empty_tables_are_set_aside_by_name():
    got = glmm_two_by_two([0, 4, 6], [9, 20, 22], [0, 7, 8], [9, 19, 23], studies=["A", "B", "C"])
    assert got.studies == ("B", "C")
    assert got.excluded[0][0] == "A"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: glmm_proportions([0, 0], [9, 12]), "no events or only events"),
        (lambda: glmm_proportions([9, 12], [9, 12]), "no events or only events"),
        (lambda: glmm_proportions([0, 12], [9, 12]), "no finite maximum"),
        (lambda: glmm_proportions([1, 0, 1], [1, 1, 1]), "no finite maximum"),
        (lambda: glmm_proportions([5], [4]), "row 1 .*more events than patients"),
        (lambda: glmm_proportions([1.5], [4]), "a whole number"),
        (lambda: glmm_proportions([1, 2], [4, 5], points=0), "points"),
        (lambda: glmm_proportions([1, 2], [4, 5], design=[[1, 1], [1, 1]]), "dependent"),
        (lambda: glmm_proportions([1, 2], [4, 5], design=np.eye(3)), "matrix"),
        (lambda: glmm_proportions([1], [4], design=[[1, 2]]), "more coefficients than studies"),
        (lambda: glmm_rates([0, 0], [9, 12]), "no events"),
        (lambda: glmm_rates([1, 2], [0, 12]), "greater than 0"),
        (lambda: glmm_two_by_two([0, 0], [9, 9], [3, 2], [9, 9]), "events_treatment"),
        (lambda: glmm_two_by_two([9, 9], [9, 9], [3, 2], [9, 9]), "no non-events"),
        (lambda: glmm_rate_ratios([1, 2], [9, 9], [0, 0], [9, 9]), "events_control"),
        (lambda: glmm_two_by_two([1], [9], [3], [9], model="CM.EL"), "unknown option"),
    ],
)
def test_data_without_a_maximum_are_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()


def test_separation_by_a_moderator_is_named():
    design = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    with pytest.raises(ConvergenceError, match="separation"):
        glmm_proportions([3, 4, 0, 0], [20, 25, 30, 33], design=design)


def test_pool_reports_the_count_model_on_both_scales():
    d = data("zeros")
    direct = glmm_proportions(d["a"], d["n1"], test="t")
    fit_ = mb.pool(mb.proportions(d["a"], d["n1"]), model="glmm", ci="t")
    assert fit_.analysis.estimate == direct.beta[0]
    assert fit_.estimate == pytest.approx(expit(direct.beta[0]), rel=1e-12)
    assert fit_.conf_low == pytest.approx(expit(direct.conf_low[0]), rel=1e-12)
    assert fit_.to_dict()["loglik"] == pytest.approx(direct.loglik)
    peer = next(c["metafor"] for c in CELLS if c["data"] == "zeros" and c["points"] == 7)
    assert fit_.i2 == pytest.approx(peer["i2"], rel=2e-3)


@pytest.mark.parametrize("effects", ["fixed", "random"])
def test_pool_takes_tables_and_agrees_with_metafor_on_all_it_reports(effects):
    d = data("sparse")
    e = two_by_two(d["a"], d["n1"], d["c"], d["n2"])
    got = mb.pool(e, model="glmm", ci="t", study_effects=effects, points=1)
    model = {"fixed": "UM.FS", "random": "UM.RS"}[effects]
    cell = next(c for c in CELLS if (c["data"], c["model"], c["points"]) == ("sparse", model, 1))
    assert got.analysis.estimate == pytest.approx(cell["estimate"], rel=1e-6)
    assert got.estimate == pytest.approx(np.exp(cell["estimate"]), rel=1e-6)
    assert any(note == "no information, hence left out: study 3, study 9" for note in got.notes)


def test_pool_takes_rates_and_rate_ratios():
    d = data("catheter")
    single = mb.pool(rates(d["x1"], d["t1"]), model="glmm", points=7)
    cell = next(c for c in CELLS if c["measure"] == "rate" and c["points"] == 7)
    assert single.estimate == pytest.approx(np.exp(cell["estimate"]), rel=1e-6)
    assert single.i2 == pytest.approx(cell["metafor"]["i2"], rel=1e-3)
    pair = mb.pool(rate_contrasts(**d), model="glmm", points=7)
    cell = next(c for c in CELLS if c["measure"] == "irr" and c["points"] == 7)
    assert pair.analysis.estimate == pytest.approx(cell["estimate"], rel=1e-6)
    assert pair.h2 == pytest.approx(cell["metafor"]["h2"], rel=1e-3)


def test_pool_refuses_other_scales_and_unknown_options():
    e = mb.proportions([3, 4], [20, 25], transform="freeman-tukey")
    with pytest.raises(DataError, match="own scale"):
        mb.pool(e, model="glmm")
    e = mb.proportions([3, 4], [20, 25])
    with pytest.raises(DataError, match="not an option"):
        mb.pool(e, model="glmm", nAGQ=7)
    with pytest.raises(DataError, match="only for two arms"):
        mb.pool(e, model="glmm", study_effects="random")
