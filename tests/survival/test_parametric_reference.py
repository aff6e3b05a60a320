"""Gamma, Gompertz and generalised gamma models: base R, and printed fits of flexsurv."""

import numpy as np
import pytest
from sksurv.datasets import load_gbsg2

from metablin.survival import fit_parametric
from metablin.survival._data import patients
from metablin.survival.parametric.families import SIMPLE
from metablin.survival.parametric.likelihood import log_likelihood
from tests.reference import pinned, table

CLOSED = 1e-10
"""Likelihoods are sums of closed forms; their maximum moves by the square of an optimiser's slip."""

OPTIMISED = 1e-6
"""Both sides iterate: estimates in standard errors, all else relative."""

NOISE = 1e-8
"""Of second differences on either side, relative to their diagonal; inverting an information matrix
multiplies it by the matrix's condition number."""

PRINTED = 1e-6
"""flexsurv's own tolerance of its pinned likelihoods, relative; its optimiser's stop shows there."""

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
