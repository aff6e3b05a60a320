"""Gamma, Gompertz and generalised gamma models: base R, and printed fits of flexsurv."""

import numpy as np
import pytest
from scipy import optimize
from sksurv.datasets import load_gbsg2

from metablin.errors import ConvergenceError
from metablin.survival import fit_parametric
from metablin.survival.parametric.families import SIMPLE
from metablin.survival.parametric.likelihood import log_likelihood
from metablin.survival.patients import patients
from tests.reference import pinned, table

CLOSED = 1e-10
"""Likelihoods are sums of closed forms; a maximum moves by the square of an optimiser's slip."""

OPTIMISED = 1e-6
"""Both sides iterate: estimates in standard errors, all else relative."""

NOISE = 1e-8
"""Of second differences on either side, relative to their diagonal; inverting an information matrix
multiplies it by the matrix's condition number."""

PRINTED = 1e-6
"""flexsurv's own tolerance of its likelihoods, relative; where its optimiser stops shows there."""

PROFILED = 1e-8
"""Two simplex searches of one smooth profile, relative."""

CELLS = [
    (name, family, cell)
    for name, families in pinned("parametric")["sets"].items()
    for family in families
    for cell in range(len(families[family]))
]


def test_the_grid_is_complete():
    assert len(CELLS) == 5 * 3 * 4
    found = {
        (name, family, c["weighted"], c["truncated"])
        for name, families in pinned("parametric")["sets"].items()
        for family in families
        for c in families[family]
    }
    assert len(found) == len(CELLS)


def values(rows, key):
    return np.array([row[key] for row in rows])


@pytest.mark.parametrize(("name", "family", "cell"), CELLS)
def test_fits_match_base_r(name, family, cell):
    reference, d = pinned("parametric")["sets"][name][family][cell], table(name)
    fit = fit_parametric(
        d["time"],
        d["event"],
        family,
        weights=d["weight"] if reference["weighted"] else None,
        entry=d["entry"] if reference["truncated"] else None,
    )
    assert fit.loglik == pytest.approx(reference["loglik"], rel=CLOSED)
    var = np.array(reference["var"])
    errors = np.sqrt(np.diag(var))
    np.testing.assert_allclose(fit.theta / errors, reference["theta"] / errors, atol=OPTIMISED)
    condition = np.linalg.cond(var / np.outer(errors, errors))
    np.testing.assert_allclose(fit.covariance, var, rtol=max(OPTIMISED, NOISE * condition))
    curve = fit.survival(reference["times"])
    for key in ("estimate", "std_error"):
        np.testing.assert_allclose(
            curve[key], values(reference["survival"], key), rtol=OPTIMISED, err_msg=key
        )
    area, error = fit.rmst(reference["tau"])
    assert area == pytest.approx(reference["rmst"]["estimate"], rel=OPTIMISED)
    assert error == pytest.approx(reference["rmst"]["std_error"], rel=OPTIMISED)
    assert fit.quantile(0.5) == pytest.approx(reference["median"], rel=OPTIMISED)


def test_the_gamma_fit_of_ovarian_is_flexsurvs():
    # flexsurv, tests/testthat/test_flexsurvreg.R, "Gamma".
    d = table("ovarian")
    fit = fit_parametric(d["time"], d["event"], "gamma")
    assert fit.loglik == pytest.approx(-97.86379723453011, rel=PRINTED)


def test_the_gompertz_likelihood_of_ovarian_is_flexsurvs():
    # The same file, "Gompertz": at the starting values, shape 0.001 and rate 1 / mean time.
    d = table("ovarian")
    value = log_likelihood(SIMPLE["gompertz"], patients(d["time"], d["event"]))
    start = np.array([[0.001], [-np.log(d["time"].mean())]])
    assert value(start)[0] == pytest.approx(-112.8294446076947, rel=PRINTED)


@pytest.mark.parametrize(
    ("family", "area", "error"),
    [("exponential", 4.789145, None), ("gengamma", 4.844458, 0.12751443)],
)
def test_eight_years_of_the_breast_cancer_study_are_flexsurvs(family, area, error):
    # Recurrence-free years within eight of 686 women: the vignette "survival" of the R package fic
    # (C. Jackson), which fits flexsurv's models and prints restricted means and their errors.
    outcome = load_gbsg2()[1]
    fit = fit_parametric(outcome["time"] / 365.0, outcome["cens"].astype(int), family)
    found = fit.rmst(8.0)
    assert found[0] == pytest.approx(area, rel=PRINTED)
    if error is not None:
        assert found[1] == pytest.approx(error, rel=2 * PRINTED)


ENDLESS = pinned("parametric")["endless"]
"""Times piled up towards the last event (a power law) or falling off from the first (a Pareto law),
and R's profile of the likelihood in Q."""


def profile(sign, time, event, size):
    """Return the log likelihood at Q = sign * size, the best over mu and sigma."""
    value = log_likelihood(SIMPLE["gengamma"], patients(time, event))
    q, edge = sign * size, np.log(time.max() if sign > 0 else time.min())

    def minus(x):
        # From the edge of the law, and the exponent 1 / (sigma |Q|), on whose scale it settles.
        point = np.array([[edge + x[0] / size], [x[1] - np.log(size)], [q]])
        return -value(point)[0]

    return -optimize.minimize(
        minus, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}
    ).fun


def limit(sign, time, event):
    """Return the highest log likelihood of the limiting law, in closed form."""
    events = event.sum()
    if sign > 0:
        total = np.log(time.max() / time).sum()
        power = events / total
        return events * np.log(power) - power * total - np.log(time).sum()
    total = np.log(time / time.min()).sum()
    power = events / total
    return events * np.log(power) - power * total - np.log(time[event == 1]).sum()


@pytest.mark.parametrize("direction", sorted(ENDLESS))
def test_a_generalised_gamma_likelihood_without_a_finite_maximum_is_refused_by_name(direction):
    reference = ENDLESS[direction]
    time, event = np.array(reference["time"]), np.array(reference["event"])
    sign = 1 if direction == "plus" else -1
    with pytest.raises(ConvergenceError, match=f"Q goes to {direction} infinity.*no finite max"):
        fit_parametric(time, event, "gengamma")
    heights = np.array([profile(sign, time, event, size) for size in reference["size"]])
    np.testing.assert_allclose(heights, reference["loglik"], rtol=PROFILED)
    assert np.all(np.diff(heights) > 0)
    # What is missing to the limit falls at least by half with each doubling of Q.
    missing = limit(sign, time, event) - heights[-3:]
    assert np.all(missing > 0)
    assert np.all(missing[1:] < 0.5 * missing[:-1])


def test_the_survival_of_the_generalised_gamma_stays_finite_towards_the_pareto_law():
    # S(t) = (t / start)^(-1 / (sigma |Q|)) up to a factor near 1; its gamma argument underflows.
    theta = np.array([[0.0], [np.log(1.0 / 4000.0)], [-2000.0]])
    found = SIMPLE["gengamma"].log_survival(theta, np.array([2.0, 4.0, 8.0]))
    np.testing.assert_allclose(np.diff(found), -2.0 * np.log(2.0), rtol=1e-6)


def test_a_maximum_is_the_estimate_even_below_the_end_of_the_climb_to_infinity():
    time = np.array([3.0, 3.4, 12.9, 2.3, 12.1, 3.6, 3.1, 15.4, 2.9, 10.2, 12.3, 4.6])
    event = np.array([1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1])
    fit = fit_parametric(time, event, "gengamma")
    assert fit.theta[2] == pytest.approx(2.7, abs=0.05)
    assert fit.loglik < limit(-1, time, event)
    value = log_likelihood(SIMPLE["gengamma"], patients(time, event))

    def height(q):
        """Return the profile near the estimate, by a simplex of its own."""
        found = optimize.minimize(
            lambda x: -value(np.array([[x[0]], [x[1]], [q]]))[0],
            fit.theta[:2],
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-11},
        )
        return -found.fun

    assert height(fit.theta[2]) == pytest.approx(fit.loglik, rel=PROFILED)
    assert height(fit.theta[2]) > max(height(fit.theta[2] - 0.3), height(fit.theta[2] + 0.3))
