"""Random effects for outlying studies: metaplus, its published analyses, brute force, limits."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, optimize, special, stats

import metablin as mb
from metablin.meta.outliers.climb import highest
from metablin.meta.outliers.families import Mixture, Student, log_density
from tests.reference import pinned

REFERENCE = pinned("outliers")
SETS, METAPLUS = REFERENCE["sets"], REFERENCE["metaplus"]
# metaplus stops its searches at 1e-8 of the likelihood, so that parameters are good to some 1e-4
# of their standard errors.
STOPPED = 2e-4
PRINTED = 6e-5  # half a unit of the fourth digit printed
QUADRATURE = 1e-12  # adaptive integration, asked for 1e-12
BRUTE = 1e-5  # a search without slopes
FloatArray = NDArray[np.float64]


def effects(name: str) -> mb.EffectSizes:
    return mb.generic(SETS[name]["yi"], SETS[name]["vi"])


@functools.cache
def fitted(name: str, model: Any) -> mb.MetaFit:
    """Return the fit to a data set, made once for all tests that look at it."""
    return mb.pool(effects(name), model=model)


@functools.cache
def on_duration(model: Any) -> mb.MetaFit:
    """Return the regression of a set on the duration of its treatment, made once."""
    data = {"duration": np.array(SETS["exercise"]["duration"], float)}
    return mb.pool(effects("exercise"), model=model, moderators="duration", data=data)


def student_density(r: float, v: float, tau: float, df: float) -> float:
    """Return the density of a normal error plus t by adaptive integration, piece by piece."""
    s = math.sqrt(v)
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    constant -= math.log(tau) + 0.5 * math.log(2 * math.pi * v)

    def at(u: float) -> float:
        tail = 0.5 * (df + 1) * math.log1p((u / tau) ** 2 / df)
        return math.exp(constant - tail - 0.5 * ((r - u) / s) ** 2)

    inner = sorted({x for x in (0.0, -5 * tau, 5 * tau, r) if abs(x - r) < 9 * s})
    edges = [-np.inf, r - 9 * s, *inner, r + 9 * s, np.inf]
    return sum(
        integrate.quad(at, a, b, epsabs=0, epsrel=1e-12, limit=400)[0]
        for a, b in itertools.pairwise(edges)
    )


@pytest.mark.parametrize("df", [0.2, 0.5, 1.0, 3.7, 10.0, 50.0])
@pytest.mark.parametrize("tau", [0.1, 1.0, 30.0])
def test_the_density_of_t_is_that_of_adaptive_integration(df: float, tau: float) -> None:
    r, v = np.array([0.0, 0.3, 2.0, 10.0]), np.array([0.01, 0.2, 1.0, 0.05])
    log_q, t2 = Student(df).components(np.array([[tau]]), r[None], v)
    found = log_density(r[None], v, log_q, t2)[0][0]
    wanted = [math.log(student_density(a, b, tau, df)) for a, b in zip(r, v, strict=True)]
    assert found == pytest.approx(wanted, abs=QUADRATURE)


def at(e: mb.EffectSizes, mean: float, tau: float, wide: float, angle: float) -> float:
    """Return the log-likelihood of a mixture, written out."""
    near = np.cos(angle) ** 2 * stats.norm.pdf(e.yi, mean, np.sqrt(e.vi + tau**2))
    far = np.sin(angle) ** 2 * stats.norm.pdf(e.yi, mean, np.sqrt(e.vi + wide**2))
    return float(np.log(near + far).sum())


def brute(e: mb.EffectSizes, mean: float | None = None) -> float:
    """Return the highest log-likelihood of a mixture, at a mean or any, by global search."""
    y, v = e.yi[:, None], e.vi[:, None]

    def normal(m: Any, total: FloatArray) -> FloatArray:
        return -0.5 * (np.log(2 * np.pi * total) + (y - m) ** 2 / total)

    def lost(theta: FloatArray) -> FloatArray:
        m, (tau, wide, share) = (theta[0] if mean is None else mean), theta[-3:]
        near = np.log1p(-share) + normal(m, v + tau**2)
        far = np.log(share) + normal(m, v + wide**2)
        return -np.logaddexp(near, far).sum(0)

    inner = [(0.0, 5.0), (0.0, 5.0), (1e-7, 1 - 1e-7)]
    found = optimize.differential_evolution(
        lost, inner if mean is not None else [(-3.0, 3.0), *inner], seed=1, tol=1e-12,
        popsize=40, maxiter=3000, vectorized=True, updating="deferred", polish=False,
    )  # fmt: skip
    return -float(found.fun)


@pytest.mark.parametrize("name", ["mag", "cdp", "exercise"])
def test_the_mixture_is_the_highest_of_a_global_search(name: str) -> None:
    fit, best = fitted(name, "mixture"), brute(effects(name))
    assert fit.extra["log_likelihood"] == pytest.approx(best, abs=BRUTE)
    assert fit.extra["log_likelihood"] > best - 1e-9


@pytest.mark.parametrize("name", ["mag", "cdp", "exercise"])
def test_the_interval_ends_where_a_global_search_falls_by_the_quantile(name: str) -> None:
    e, fit = effects(name), fitted(name, "mixture")
    wanted = fit.extra["log_likelihood"] - special.chdtri(1, 0.05) / 2
    for end in (fit.conf_low, fit.conf_high):
        peak = highest(Mixture(), e.yi - end, e.vi, np.empty((e.k, 0)))
        assert at(e, end, *peak.shape) == pytest.approx(wanted, abs=1e-7)
        # a higher place, if a search found one, would put the limit farther out
        assert brute(e, end) < wanted + BRUTE
    p = 2 * (fit.extra["log_likelihood"] - brute(e, 0.0))
    assert fit.p_value == pytest.approx(float(special.chdtrc(1, p)), rel=1e-3)


def test_choline_by_t_as_published() -> None:
    # Beath 2016, R Journal 8:5-16, section on CDP choline: vinv = 2.023, tau2 = 4.504e-5. Its
    # log-likelihood is -4.0583, by an integration that is 6.5e-4 off (adaptive integration: below).
    e, fit = effects("cdp"), fitted("cdp", "student-t")
    assert fit.estimate == pytest.approx(0.1945, abs=PRINTED)
    assert fit.conf_low == pytest.approx(0.05294, abs=PRINTED)
    assert fit.conf_high == pytest.approx(0.3611, abs=3e-4)
    assert fit.p_value == pytest.approx(0.00899, abs=6e-6)
    assert 1 / fit.extra["effects_df"] == pytest.approx(2.023, abs=1e-3)
    assert fit.tau2 == pytest.approx(4.504e-5, rel=0.01)
    tau, df = math.sqrt(fit.tau2), fit.extra["effects_df"]
    value = sum(math.log(student_density(y - fit.estimate, v, tau, df))
                for y, v in zip(e.yi, e.vi, strict=True))  # fmt: skip
    assert fit.extra["log_likelihood"] == pytest.approx(value, abs=1e-10)
    assert value == pytest.approx(-4.058334, abs=1e-3)


def test_choline_by_the_mixture_as_published() -> None:
    fit = fitted("cdp", "mixture")
    assert fit.estimate == pytest.approx(0.1910, abs=PRINTED)
    assert fit.conf_high == pytest.approx(0.3479, abs=1.5e-4)  # a spline through the profile there
    assert fit.conf_low == pytest.approx(0.0563, abs=6e-4)
    assert fit.p_value == pytest.approx(0.00711, abs=6e-6)
    assert fit.tau2 == 0
    assert fit.extra["tau2_outliers"] == pytest.approx(3.1558, abs=PRINTED)
    assert fit.extra["outlier_share"] == pytest.approx(0.1237, abs=PRINTED)
    assert fit.extra["log_likelihood"] == pytest.approx(-3.007145, abs=6e-7)
    assert (fit.extra["aic"], fit.extra["bic"]) == pytest.approx((14.01429, 15.22463), abs=6e-6)
    assert fit.extra["outlier_probability"][2] > 0.999
    assert "study 3 (1.00)" in fit.summary()


def test_exercise_on_duration_as_published() -> None:
    fit = on_duration("mixture")
    assert fit.regression.beta == pytest.approx([-2.88472, 0.21086], abs=STOPPED)
    assert fit.regression.p_value == pytest.approx([0.000649, 0.007123], abs=5e-5)
    assert fit.regression.conf_high == pytest.approx([-1.48262, 0.34581], abs=5e-4)
    assert fit.extra["log_likelihood"] == pytest.approx(-7.69139, abs=6e-6)
    assert fit.extra["tau2_outliers"] == pytest.approx(0.59398, abs=6e-6)
    assert fit.extra["outlier_share"] == pytest.approx(0.25169, abs=6e-6)
    assert int(np.argmax(fit.extra["outlier_probability"])) == 2  # Reuter


@pytest.mark.parametrize("name", [n for n in METAPLUS if "mixture" in METAPLUS[n]])
def test_mixtures_are_those_of_metaplus(name: str) -> None:
    cell, fit = METAPLUS[name]["mixture"], fitted(name, "mixture")
    value = fit.extra["log_likelihood"]
    assert value > cell["log_likelihood"] - 1e-8
    if name == "drawn2":  # metaplus stays on a lower peak, 0.05 below
        assert value == pytest.approx(brute(effects(name)), abs=BRUTE)
        return
    assert value == pytest.approx(cell["log_likelihood"], abs=3e-6)
    assert fit.estimate == pytest.approx(cell["parameters"]["muhat"], abs=STOPPED)
    assert fit.extra["outlier_probability"] == pytest.approx(
        cell["outlier_probability"], abs=10 * STOPPED
    )


@pytest.mark.parametrize("name", [n for n in METAPLUS if "t-dist" in METAPLUS[n]])
def test_fits_of_t_are_those_of_metaplus(name: str) -> None:
    cell, fit = METAPLUS[name]["t-dist"], fitted(name, "student-t")
    assert fit.extra["log_likelihood"] == pytest.approx(cell["log_likelihood"], abs=1e-4)
    assert fit.estimate == pytest.approx(cell["parameters"]["muhat"], abs=1e-3)
    if cell["parameters"]["tau2"] > 0:  # else the degrees of freedom have no meaning
        assert 1 / fit.extra["effects_df"] == pytest.approx(cell["parameters"]["vinv"], abs=0.02)


@pytest.mark.parametrize("name", ["mag", "exercise"])
def test_without_outliers_both_are_the_normal_fit(name: str) -> None:
    e = effects(name)
    normal = mb.pool(e, tau2="ML", ci="z")
    fit = fitted(name, "student-t")
    assert fit.estimate == pytest.approx(normal.estimate, rel=1e-12)
    assert fit.tau2 == pytest.approx(normal.tau2, rel=1e-12)
    assert fit.extra["effects_df"] == math.inf
    assert (fit.extra["lr_normal"], fit.extra["lr_normal_p"]) == (0, 1)
    assert fit.extra["log_likelihood"] == pytest.approx(
        mb.fit_statistics(normal).log_likelihood, rel=1e-12
    )
    assert "normal" in fit.notes[-1]


def test_t_tends_to_the_normal_fit_as_its_degrees_of_freedom_grow() -> None:
    e = effects("cdp")
    normal = mb.pool(e, tau2="ML", ci="z")
    gaps = []
    for df in (1e2, 1e4, 1e6):
        fit = mb.pool(e, model="student-t", df=df)
        gaps.append(abs(fit.estimate - normal.estimate))
        assert "given" in fit.notes[-1]
    # in proportion to 1 / df
    assert gaps[1] == pytest.approx(gaps[0] / 100, rel=0.1)
    assert gaps[2] == pytest.approx(gaps[1] / 100, rel=0.1)


def test_equal_components_are_one_normal() -> None:
    e = effects("drawn2")
    r, tau = e.yi - 0.2, 0.4
    for angle in (0.0, 0.3, 1.1):
        log_q, t2 = Mixture().components(np.array([[tau], [tau], [angle]]), r[None], e.vi)
        found = log_density(r[None], e.vi, log_q, t2)[0][0]
        wanted = stats.norm.logpdf(r, 0, np.sqrt(e.vi + tau**2))
        assert found == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("model", ["student-t", "mixture"])
@pytest.mark.parametrize("name", ["cdp", "drawn1"])
def test_location_scale_and_order_go_through(model: Any, name: str) -> None:
    e = effects(name)
    one = fitted(name, model)
    order = np.random.default_rng(2).permutation(e.k)
    two = mb.pool(mb.generic((5 - 10 * e.yi)[order], (100 * e.vi)[order]), model=model)
    got = [two.estimate, two.conf_high, two.conf_low, two.pred_high, two.analysis.std_error]
    want = [5 - 10 * x for x in (one.estimate, one.conf_low, one.conf_high, one.pred_low)]
    assert got == pytest.approx([*want, 10 * one.analysis.std_error], rel=1e-5)
    assert two.tau2 == pytest.approx(100 * one.tau2, rel=1e-4, abs=1e-12)
    assert two.extra["log_likelihood"] == pytest.approx(
        one.extra["log_likelihood"] - e.k * math.log(10), abs=1e-8
    )
    assert two.weights == pytest.approx(one.weights[order], rel=1e-4)


@pytest.mark.parametrize("model", ["student-t", "mixture"])
def test_the_estimate_is_the_mean_with_the_weights(model: Any) -> None:
    e, fit = effects("cdp"), fitted("cdp", model)
    assert fit.weights @ e.yi == pytest.approx(fit.estimate, abs=1e-8)
    # the outlier has less weight than under normal effects
    assert fit.weights[2] < mb.pool(e).weights[2] / 3


def test_probabilities_are_bayes_rule() -> None:
    e, fit = effects("cdp"), fitted("cdp", "mixture")
    share, wide = fit.extra["outlier_share"], math.sqrt(fit.extra["tau2_outliers"])
    far = share * stats.norm.pdf(e.yi, fit.estimate, np.sqrt(e.vi + wide**2))
    near = (1 - share) * stats.norm.pdf(e.yi, fit.estimate, np.sqrt(e.vi + fit.tau2))
    assert fit.extra["outlier_probability"] == pytest.approx(far / (far + near), rel=1e-10)


@pytest.mark.parametrize("model", ["student-t", "mixture"])
def test_the_standard_error_is_the_curvature_of_the_profile(model: Any) -> None:
    e = effects("drawn3")
    fit = fitted("drawn3", model)
    se = fit.analysis.std_error
    near = mb.pool(e, model=model, level=float(special.chdtr(1, 0.01)))
    # a tenth of a standard error away the profile is still a parabola
    assert (near.conf_high - near.conf_low) / 2 == pytest.approx(0.1 * se, rel=0.01)


def test_the_prediction_interval_of_t_holds_its_share() -> None:
    fit = mb.pool(effects("cdp"), model="student-t", df=4)
    rng, n = np.random.default_rng(3), 200_000
    new = fit.estimate + fit.analysis.std_error * rng.standard_normal(n)
    new += math.sqrt(fit.tau2) * rng.standard_t(4, n)
    inside = float(((new > fit.pred_low) & (new < fit.pred_high)).mean())
    assert inside == pytest.approx(0.95, abs=5 * math.sqrt(0.95 * 0.05 / n))


def test_the_drawn_test_for_outliers() -> None:
    found = mb.outlier_test(fitted("cdp", "mixture"), draws=99)
    assert found.statistic == pytest.approx(2 * (8.198544 - 3.007145), abs=3e-6)  # 10.4, published
    assert found.p_value == 0.01  # 0.001 of 999 draws, published
    assert found.p_value == (1 + (found.drawn >= found.statistic).sum()) / 100
    assert "99 draws" in found.summary()
    none = mb.outlier_test(fitted("mag", "student-t"), draws=19)
    assert (none.statistic, none.p_value) == (0, 1)
    again = mb.outlier_test(fitted("cdp", "mixture"), draws=5)
    assert np.array_equal(again.drawn, found.drawn[:5])
    # 0.9 and "near 0.04", published
    fit = on_duration("mixture")
    assert mb.outlier_test(fit, draws=99).statistic == pytest.approx(0.884, abs=1e-3)


def test_a_t_test_against_normal_effects_has_half_the_tail() -> None:
    fit = fitted("cdp", "student-t")
    assert fit.extra["lr_normal"] == pytest.approx(8.28, abs=0.01)
    tail = float(special.chdtrc(1, fit.extra["lr_normal"]))
    assert fit.extra["lr_normal_p"] == pytest.approx(tail / 2, rel=1e-12)


@pytest.mark.parametrize("model", ["student-t", "mixture"])
def test_moderators_of_robust_models(model: Any) -> None:
    fit, shorter = on_duration(model), np.array(SETS["exercise"]["duration"], float) - 8
    moved = mb.pool(effects("exercise"), model=model, moderators="duration",
                    data={"duration": shorter})  # fmt: skip
    assert moved.regression.beta[1] == pytest.approx(fit.regression.beta[1], abs=1e-6)
    assert moved.regression.beta[0] == pytest.approx(fit.regression.beta @ [1, 8], abs=1e-5)
    # one moderator: the test of all is that of the one
    assert fit.regression.qm == pytest.approx(fit.regression.statistic[1] ** 2, rel=1e-6)
    assert fit.predict({"duration": [4, 12]})["pred_low"].isna().all()


def test_what_these_models_cannot_do_is_named() -> None:
    e = effects("cdp")
    with pytest.raises(mb.DataError, match="at least 3"):
        mb.pool(mb.generic([0.1, 0.2], [0.1, 0.1]), model="mixture")
    with pytest.raises(mb.DataError, match="df"):
        mb.pool(e, model="student-t", df=0)
    with pytest.raises(mb.DataError, match="df"):
        mb.pool(e, model="mixture", df=4)
    with pytest.raises(mb.DataError, match="tau2"):
        mb.pool(e, model="mixture", tau2="DL")
    with pytest.raises(mb.DataError, match="profile"):
        mb.pool(e, model="student-t", ci="hksj")
    with pytest.raises(mb.DataError, match="mixture"):
        mb.outlier_test(mb.pool(e))
    with pytest.raises(mb.DataError, match="estimated"):
        mb.outlier_test(mb.pool(e, model="student-t", df=4))


def test_a_fit_comes_back_from_its_text_and_leaves_out_studies() -> None:
    fit = fitted("cdp", "mixture")
    assert mb.load_fit(fit.to_json()).estimate == fit.estimate
    left = mb.leave_one_out(fit)
    # without the outlier there is no heterogeneity left
    assert left.tau2[2] == pytest.approx(0, abs=1e-9)
    assert mb.pool(effects("cdp"), model="t-dist").model == "student-t"
    assert "mixture of two normals" in fit.report().methods
