"""Splines and cure models against printed fits of other software.

All are of recurrence-free survival of the 686 women of the German Breast Cancer Study Group, as
scikit-survival ships it. Stata's output (stpm for splines, strsmix and strsnmix for cure models) is
quoted in the tests of the R packages flexsurv (tests/testthat/test_spline.R) and flexsurvcure
(tests/testthat/test_match_stata.R); flexsurv's own log likelihoods stand in the former.
"""

import numpy as np
import pytest
from scipy import special
from sksurv.datasets import load_gbsg2

from metablin.survival import fit_parametric
from metablin.survival.parametric.fit import fit_family
from metablin.survival.parametric.spline import royston_parmar
from metablin.survival.patients import patients

PRINTED = 1.1e-5
"""Stata prints five decimals of a log likelihood; one more unit for its optimiser's stop."""

STATA = 1e-5
"""Stata stops early: the same model under two links differs by 2e-6 in ln(gamma) and 2e-5 in
ln(lambda), whose standard error is 0.6; coefficients are compared relative to max(1, size)."""

ERRORS = 2e-4
"""Standard errors of the same two links differ by as much, relatively."""

FLEXSURV = 1e-6
"""Tolerance of flexsurv's own tests, relative."""

DAYS = load_gbsg2()[1]["time"].astype(float)
YEARS = DAYS / 365.0
EVENT = load_gbsg2()[1]["cens"].astype(int)


def centile(values, percent):
    """Return Stata's centile: between the order statistics around (n + 1) p / 100."""
    x = np.sort(values)
    rank = (x.size + 1) * percent / 100
    low = int(rank)
    return x[low - 1] + (rank - low) * (x[low] - x[low - 1])


@pytest.mark.parametrize(
    ("scale", "loglik", "coefficients"),
    [
        ("hazard", -674.75128, [-1.728339, 3.476179, 0.567432, -0.3420749]),
        ("odds", -675.271, None),
        ("normal", -675.73591, None),
    ],
)
def test_splines_with_two_knots_are_stpms(scale, loglik, coefficients):
    deaths = np.log(YEARS[EVENT == 1])
    # stpm puts its knots at the 33rd and 67th centile; here they are at thirds.
    knots = np.array([deaths.min(), centile(deaths, 33), centile(deaths, 67), deaths.max()])
    family = royston_parmar(scale, knots, np.array([-2.0, 1.3, 0.0, 0.0]), deaths)
    fit = fit_family(family, patients(YEARS, EVENT, None, None), 0.95, profile=False)
    # Stata leaves the sum of log times out of the likelihood.
    assert fit.loglik + deaths.sum() == pytest.approx(loglik, abs=PRINTED)
    if coefficients is not None:
        np.testing.assert_allclose(fit.theta, coefficients, atol=STATA)


def test_thirds_instead_of_centiles_change_little():
    fit = fit_parametric(YEARS, EVENT, "rp-hazard-2")
    assert fit.loglik + np.log(YEARS[EVENT == 1]).sum() == pytest.approx(-674.75128, abs=0.01)


@pytest.mark.parametrize(
    ("entry", "loglik"),
    [(None, -873.207054864145), (0.0, -432.9048860461514), (1.9, -400.3556493114977)],
)
def test_left_truncated_splines_have_flexsurvs_likelihood(entry, loglik):
    keep = (-1.0 if entry is None else 2.0) < YEARS
    late = None if entry is None else np.full(keep.sum(), entry)
    fit = fit_parametric(YEARS[keep], EVENT[keep], "rp-hazard-0", entry=late)
    assert fit.loglik == pytest.approx(loglik, rel=FLEXSURV)


def weibull(fit):
    """Return ln(gamma) and ln(lambda) of Stata: S = exp(-lambda t^gamma), with errors."""
    log_shape, log_scale = fit.theta[1], fit.theta[2]
    slope = np.array([[1.0, 0.0], [-np.exp(log_shape) * log_scale, -np.exp(log_shape)]])
    cov = slope @ fit.covariance[1:, 1:] @ slope.T
    return [log_shape, -np.exp(log_shape) * log_scale], np.sqrt(np.diag(cov))


def lognormal(fit):
    return [fit.theta[2], fit.theta[1]], np.sqrt(np.diag(fit.covariance)[[2, 1]])


@pytest.mark.parametrize(
    ("family", "natural", "cure", "rest"),
    [
        # logit of the cure fraction: estimate, error; then ln(gamma), ln(lambda)
        (
            "weibull-mixture-cure",
            weibull,
            ("logit", -0.4731367, 0.1641441),
            [(0.448163, 0.0576425), (-11.10519, 0.5901206)],
        ),
        (
            "weibull-mixture-cure",
            weibull,
            ("identity", 0.3838745, 0.0388224),
            [(0.4481635, 0.0576427), (-11.10519, 0.5901226)],
        ),
        # ln(sigma), mu
        (
            "lognormal-mixture-cure",
            lognormal,
            ("identity", 0.2774585, 0.0703503),
            [(-0.093395, 0.0800746), (6.982433, 0.1304159)],
        ),
        (
            "lognormal-mixture-cure",
            lognormal,
            ("loglog", 0.2484884, 0.1977661),
            [(-0.0933944, 0.0800745), (6.982434, 0.1304159)],
        ),
        (
            "weibull-non-mixture-cure",
            weibull,
            ("logit", -0.5151878, 0.1806544),
            [(0.5110451, 0.0585201), (-12.16467, 0.6119361)],
        ),
        (
            "weibull-non-mixture-cure",
            weibull,
            ("loglog", -0.0165781, 0.1149836),
            [(0.5110431, 0.0585205), (-12.16465, 0.6119389)],
        ),
    ],
)
def test_cure_models_are_statas(family, natural, cure, rest):
    fit = fit_parametric(DAYS, EVENT, family, cure_interval="wald")
    share = special.expit(fit.theta[0])
    slope = share * (1.0 - share)
    values = {
        "logit": (fit.theta[0], 1.0),
        "identity": (share, slope),
        "loglog": (np.log(-np.log(share)), slope / (share * -np.log(share))),
    }
    link, printed, error = cure
    found, factor = values[link]
    assert found == pytest.approx(printed, abs=STATA)
    assert factor * np.sqrt(fit.covariance[0, 0]) == pytest.approx(error, rel=ERRORS)
    for (estimate, its_error), ours, our_error in zip(rest, *natural(fit), strict=True):
        assert ours == pytest.approx(estimate, abs=STATA * max(1.0, abs(estimate)))
        assert our_error == pytest.approx(its_error, rel=ERRORS)
