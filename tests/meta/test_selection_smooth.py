"""Smooth selection functions against metafor, direct integration and their own invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import metablin as mb
from metablin.meta.checks.selection_smooth import SELECTION_FUNCTIONS, _log_likelihood
from tests.reference import pinned

REFERENCE = pinned("selection_functions")
NAMES = {"halfnorm": "half-normal", "negexp": "negative-exponential", "logistic": "logistic"}
# metafor integrates to R's default tolerance.
HEIGHT = 1e-7
# metafor's optimiser stops on the flat top, up to a hundredth of a standard error away.
NEAR = 0.02
SAME = 1e-4  # climbs from other units
INTEGRAL = 1e-10


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array(REFERENCE["data"][name]["yi"]), np.array(REFERENCE["data"][name]["vi"])


CELLS = pytest.mark.parametrize(
    "cell", REFERENCE["cells"], ids=lambda c: f"{c['data']}-{c['type']}"
)


@CELLS
def test_the_likelihood_at_metafors_estimate_is_metafors(cell: dict[str, object]) -> None:
    y, v = data(str(cell["data"]))
    sign = 1 if cell["alternative"] == "greater" else -1
    at = np.array([sign * cell["estimate"], cell["tau2"], cell["delta"]])
    got = _log_likelihood(sign * y, v, NAMES[str(cell["type"])], at)
    assert got == pytest.approx(cell["log_likelihood"], abs=HEIGHT)


@CELLS
def test_the_maximum_is_at_least_as_high_and_beside_it(cell: dict[str, object]) -> None:
    y, v = data(str(cell["data"]))
    r = mb.selection_function(mb.generic(y, v), NAMES[str(cell["type"])], cell["alternative"])
    assert r.log_likelihood >= cell["log_likelihood"] - HEIGHT
    assert r.estimate == pytest.approx(cell["estimate"], abs=NEAR * r.std_error)
    assert r.delta == pytest.approx(cell["delta"], abs=NEAR * r.delta_std_error)
    assert r.std_error == pytest.approx(cell["std_error"], rel=NEAR)
    assert r.lrt == pytest.approx(cell["lrt"], abs=2e-4)


@pytest.mark.parametrize("function", SELECTION_FUNCTIONS)
def test_the_likelihood_is_that_of_direct_integration(function: str) -> None:
    y, v, mu, tau2, delta = np.array([0.3, 0.9]), np.array([0.002, 0.2]), 0.2, 0.3, 2.5
    chance = {
        "half-normal": lambda p: math.exp(-delta * p**2),
        "negative-exponential": lambda p: math.exp(-delta * p),
        "logistic": lambda p: 2 * math.exp(-delta * p) / (1 + math.exp(-delta * p)),
    }[function]
    total = 0.0
    for one, var in zip(y, v, strict=True):
        sd, se = math.sqrt(var + tau2), math.sqrt(var)

        def seen(x: float, sd: float = sd, se: float = se) -> float:
            return chance(stats.norm.sf(x / se)) * float(stats.norm.pdf(x, mu, sd))

        points = [-3 * se, 0.0, 3 * se]
        area = integrate.quad(seen, mu - 9 * sd, mu + 9 * sd, points=points, epsabs=1e-13,
                              limit=500)[0]  # fmt: skip
        total += math.log(seen(one) / area)
    got = _log_likelihood(y, v, function, np.array([mu, tau2, delta]))
    assert got == pytest.approx(total, rel=INTEGRAL)


@pytest.mark.parametrize("function", SELECTION_FUNCTIONS)
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
    [({"function": "beta"}, "half-normal"), ({"alternative": "two-sided"}, "greater"),
     ({"level": 1.0}, "level")],
)  # fmt: skip
def test_what_it_cannot_do_is_named(options: dict[str, object], word: str) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.selection_function(mb.generic([0.1, 0.2, 0.4, 0.1], [0.1] * 4), **options)


def test_three_studies_are_too_few() -> None:
    with pytest.raises(mb.DataError, match="at least 4"):
        mb.selection_function(mb.generic([0.1, 0.2, 0.4], [0.1] * 3))
