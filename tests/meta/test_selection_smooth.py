"""Smooth selection functions against metafor, direct integration and their own invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import metablin as mb
from metablin.meta.checks.selection_smooth import (
    FUNCTIONS,
    _log_likelihood,
    _log_likelihood_beta,
)
from tests.reference import pinned

REFERENCE = pinned("selection_functions")
NAMES = {"halfnorm": "half-normal", "negexp": "negative-exponential", "logistic": "logistic",
         "beta": "beta"}  # fmt: skip
# metafor integrates to R's default tolerance.
HEIGHT = 1e-7
# Beta on hackshaw1998: its optimiser stops early with a finer tolerance than 1e-6, and its
# standard error is of differences of likelihoods no better than that.
HEIGHT_BETA = 1e-6
ROUGH = 0.05
# metafor's optimiser stops on the flat top, up to a hundredth of a standard error away.
NEAR = 0.02
SAME = 1e-4  # climbs from other units
INTEGRAL = 1e-10


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array(REFERENCE["data"][name]["yi"]), np.array(REFERENCE["data"][name]["vi"])


def likelihood(y: np.ndarray, v: np.ndarray, function: str, at: np.ndarray) -> float:
    if function == "beta":
        return _log_likelihood_beta(y, v, at)
    return _log_likelihood(y, v, function, at)


def coarse(cell: dict[str, object]) -> bool:
    return (cell["data"], cell["type"]) == ("hackshaw1998", "beta")


def height(cell: dict[str, object]) -> float:
    return HEIGHT_BETA if coarse(cell) else HEIGHT


CELLS = pytest.mark.parametrize(
    "cell", REFERENCE["cells"], ids=lambda c: f"{c['data']}-{c['type']}"
)


@CELLS
def test_the_likelihood_at_metafors_estimate_is_metafors(cell: dict[str, object]) -> None:
    y, v = data(str(cell["data"]))
    sign = 1 if cell["alternative"] == "greater" else -1
    at = np.append([sign * cell["estimate"], cell["tau2"]], cell["delta"])
    got = likelihood(sign * y, v, NAMES[str(cell["type"])], at)
    assert got == pytest.approx(cell["log_likelihood"], abs=height(cell))


@CELLS
def test_the_maximum_is_at_least_as_high_and_beside_it(cell: dict[str, object]) -> None:
    y, v = data(str(cell["data"]))
    r = mb.selection_function(mb.generic(y, v), NAMES[str(cell["type"])], cell["alternative"])
    assert r.log_likelihood >= cell["log_likelihood"] - height(cell)
    assert r.estimate == pytest.approx(cell["estimate"], abs=NEAR * r.std_error)
    first, *second = np.ravel(cell["delta"])
    assert r.delta == pytest.approx(first, abs=NEAR * r.delta_std_error)
    assert [r.delta2] * len(second) == pytest.approx(second, abs=NEAR * r.delta2_std_error)
    rough = ROUGH if coarse(cell) else NEAR
    assert r.std_error == pytest.approx(cell["std_error"], rel=rough)
    assert r.lrt == pytest.approx(cell["lrt"], abs=2e-4)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_likelihood_is_that_of_direct_integration(function: str) -> None:
    y, v, mu, tau2, delta = np.array([0.3, 0.9]), np.array([0.002, 0.2]), 0.2, 0.3, 2.5
    chance = {
        "half-normal": lambda p: math.exp(-delta * p**2),
        "negative-exponential": lambda p: math.exp(-delta * p),
        "logistic": lambda p: 2 * math.exp(-delta * p) / (1 + math.exp(-delta * p)),
        "beta": lambda p: stats.beta.pdf(min(max(p, 1e-5), 1 - 1e-5), delta, 0.4),
    }[function]
    total = 0.0
    for one, var in zip(y, v, strict=True):
        sd, se = math.sqrt(var + tau2), math.sqrt(var)

        def seen(x: float, sd: float = sd, se: float = se) -> float:
            return chance(stats.norm.sf(x / se)) * float(stats.norm.pdf(x, mu, sd))

        edge = float(stats.norm.isf(1e-5)) * se
        points = [-edge, -3 * se, 0.0, 3 * se, edge]
        area = integrate.quad(seen, mu - 9 * sd, mu + 9 * sd, points=points, epsabs=1e-13,
                              limit=500)[0]  # fmt: skip
        total += math.log(seen(one) / area)
    powers = [delta, 0.4] if function == "beta" else [delta]
    got = likelihood(y, v, function, np.array([mu, tau2, *powers]))
    assert got == pytest.approx(total, rel=INTEGRAL)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_other_direction_of_the_negative_effects_is_the_same(function: str) -> None:
    y, v = data("hackshaw1998")
    one = mb.selection_function(mb.generic(y, v), function)
    two = mb.selection_function(mb.generic(-10 * y, 100 * v), function, "less")
    assert two.estimate == pytest.approx(-10 * one.estimate, abs=SAME * 10 * one.std_error)
    assert two.delta == pytest.approx(one.delta, rel=SAME)
    assert two.lrt == pytest.approx(one.lrt, abs=1e-7)


def test_no_selection_in_the_data_gives_none() -> None:
    """Studies that lie on the side where they would not be seen."""
    y, v = data("hackshaw1998")
    r = mb.selection_function(mb.generic(y, v), alternative="less")
    assert r.delta == 0
    assert r.estimate == pytest.approx(r.unadjusted, rel=1e-4)
    assert (r.lrt_p, r.to_dict()["delta_std_error"]) == (pytest.approx(1.0, abs=1e-3), None)


@pytest.mark.parametrize(
    ("options", "word"),
    [({"function": "step"}, "half-normal"), ({"alternative": "two-sided"}, "greater"),
     ({"level": 1.0}, "level")],
)  # fmt: skip
def test_what_it_cannot_do_is_named(options: dict[str, object], word: str) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.selection_function(mb.generic([0.1, 0.2, 0.4, 0.1], [0.1] * 4), **options)


def test_three_studies_are_too_few() -> None:
    with pytest.raises(mb.DataError, match="at least 4"):
        mb.selection_function(mb.generic([0.1, 0.2, 0.4], [0.1] * 3))


def test_the_beta_function_has_a_second_delta_and_the_others_have_no_column_for_it() -> None:
    y, v = data("bcg")
    r = mb.selection_function(mb.generic(y, v), "beta", "less")
    assert r.to_dict()["delta2"] == r.delta2
    assert f"and {r.delta2:.3g}" in r.summary()
    other = mb.selection_function(mb.generic(y, v), alternative="less")
    assert math.isnan(other.delta2)
    assert "delta2" not in other.to_frame()


def test_four_studies_are_too_few_for_beta() -> None:
    with pytest.raises(mb.DataError, match="at least 5"):
        mb.selection_function(mb.generic([0.1, 0.2, 0.4, 0.3], [0.1] * 4), "beta")
