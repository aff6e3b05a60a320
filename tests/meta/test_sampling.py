"""Sampling covariances against metafor's vcalc, and location-scale models against rma(scale=)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import metablin as mb
from tests.reference import pinned

REFERENCE = pinned("structures")
SAMPLING, SCALE = REFERENCE["sampling"], REFERENCE["scale"]
V, ARMS = pd.DataFrame(SAMPLING["v"]), pd.DataFrame(SAMPLING["g"])
EXACT = 1e-14
# metafor's optimiser leaves log-variances open to about 1e-6; its Hessian is by differences.
LIKELIHOOD, COEFFICIENTS, CURVATURE = 1e-11, 1e-5, 2e-4


def part(name: str, rows: list[int]) -> np.ndarray:
    return np.array(SAMPLING[name])[np.ix_(rows, rows)]


def test_estimates_of_one_kind() -> None:
    one = V["type"] + V["obs"].astype(str) + V["time"].astype(str)
    got = mb.sampling_covariance("vi", "study", one, rho=0.6, data=V)
    assert got == pytest.approx(np.array(SAMPLING["obs"]), abs=EXACT)


def test_kinds_alone_and_with_estimates_within_a_kind() -> None:
    rows = [0, 2, 6, 7]
    got = mb.sampling_covariance("vi", "study", type="type", rho_type=0.4, data=V.iloc[rows])
    assert got == pytest.approx(part("type", rows), abs=EXACT)
    rows = [0, 1, 2, 3, 6, 7]
    got = mb.sampling_covariance("vi", "study", "obs", "type", rho=0.6, rho_type=0.3,
                                 data=V.iloc[rows])  # fmt: skip
    assert got == pytest.approx(part("both", rows), abs=EXACT)


def test_times() -> None:
    got = mb.sampling_covariance("vi", "study", "obs", "type", "time", rho=0.6, rho_type=0.3,
                                 phi=0.9, data=V)  # fmt: skip
    assert got == pytest.approx(np.array(SAMPLING["time"]), abs=EXACT)


def test_contrasts_that_share_an_arm_of_equal_and_of_given_size() -> None:
    rows = [0, 1, 3, 4]
    arms = {"group1": "group1", "group2": "group2", "data": ARMS.iloc[rows]}
    got = mb.sampling_covariance("vi", "study", **arms)
    assert got == pytest.approx(part("groups", rows), abs=EXACT)
    got = mb.sampling_covariance("vi", "study", n1="n1", n2="n2", **arms)
    assert got == pytest.approx(part("weighted", rows), abs=EXACT)


def test_a_shared_arm_has_its_own_variance_as_covariance() -> None:
    n0, n1, n2, spread = 40.0, 10.0, 20.0, 3.0
    v = [spread * (1 / n1 + 1 / n0), spread * (1 / n2 + 1 / n0)]
    got = mb.sampling_covariance(v, ["A", "A"], group1=["x", "y"], group2=["p", "p"],
                                 n1=[n1, n2], n2=[n0, n0])  # fmt: skip
    assert got[0, 1] == pytest.approx(spread / n0, rel=1e-13)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"estimate": [1, 2, 1]}, "rho.*needed with estimate"),
        ({"rho": 0.5}, "a correlation without estimate"),
        ({"estimate": [1, 2, 1], "rho": 1.5}, "at most 1"),
        ({"time": [1, 2, 1]}, "phi.*needed with time"),
        ({"time": [1, 2, 1], "phi": -0.5}, "at least 0"),
        ({"group1": ["x", "y", "z"]}, "needs the other arm"),
        ({"group1": ["x", "p", "z"], "group2": ["p"] * 3}, "row 2.*with itself"),
        ({"n1": [1, 2, 3]}, "sizes of arms without the arms"),
        ({}, "row 1, column 'cluster', value A: .*impossible together"),
        ({"estimate": [1, 2], "rho": 0.5}, "2 labels for 3"),
    ],
)
def test_what_gives_no_covariance_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(mb.DataError, match=words):
        mb.sampling_covariance([0.1, 0.2, 0.1], ["A", "A", "B"], **arguments)


def scale_fit(cell: dict[str, Any]) -> Any:
    d = pd.DataFrame(REFERENCE["scale_data"][cell["data"]])
    mods = None if cell["mods"] == "1" else cell["mods"]
    return mb.location_scale(mb.generic(d["yi"], d["vi"]), cell["scale"], mods, d,
                             method=cell["method"], test=cell["test"])  # fmt: skip


@pytest.mark.parametrize("cell", SCALE, ids=lambda c: f"{c['data']}-{c['scale']}-{c['method']}-"
                         f"{c['test']}-{c['mods']}")  # fmt: skip
def test_location_scale_agrees_with_rma(cell: dict[str, Any]) -> None:
    fit = scale_fit(cell)
    assert fit.loglik == pytest.approx(cell["loglik"], rel=LIKELIHOOD)
    assert fit.aic == pytest.approx(cell["aic"], rel=LIKELIHOOD)
    assert fit.tau2 == pytest.approx(np.array(cell["tau2"]), rel=COEFFICIENTS)
    assert fit.location.estimate == pytest.approx(np.atleast_1d(cell["beta"]), rel=COEFFICIENTS)
    assert fit.location.std_error == pytest.approx(
        np.atleast_1d(cell["std_error"]), rel=COEFFICIENTS
    )
    assert fit.scale.estimate == pytest.approx(np.array(cell["alpha"]), rel=COEFFICIENTS)
    assert fit.location.p_value == pytest.approx(np.atleast_1d(cell["p_value"]), rel=1e-4)
    wanted = {"std_error": "alpha_std_error", "p_value": "alpha_p_value",
              "conf_low": "alpha_conf_low"}  # fmt: skip
    for ours, theirs in wanted.items():
        assert getattr(fit.scale, ours) == pytest.approx(np.array(cell[theirs]), rel=CURVATURE)
    assert fit.scale.test == pytest.approx(cell["qs"], rel=2 * CURVATURE)
    assert fit.scale.test_p == pytest.approx(cell["qs_p"], rel=CURVATURE)
    assert fit.q == pytest.approx(cell["q"], rel=1e-12)


def test_the_scale_grid_is_complete() -> None:
    cells = {(c["data"], c["mods"], c["scale"], c["method"], c["test"]) for c in SCALE}
    assert len(cells) == len(SCALE) == 4 * 2 * 2


def test_a_constant_scale_is_the_ordinary_model() -> None:
    e = mb.generic([0.1, 0.5, 0.9, 0.2, -0.3], [0.04, 0.05, 0.03, 0.04, 0.06])
    fit, plain = mb.location_scale(e, "1"), mb.pool(e, ci="z")
    assert fit.tau2 == pytest.approx(np.full(5, plain.tau2), rel=1e-8)
    assert fit.location.estimate[0] == pytest.approx(plain.estimate, rel=1e-9)
    assert fit.location.std_error[0] == pytest.approx(plain.analysis.std_error, rel=1e-9)


def test_the_curvature_is_that_of_the_profile_likelihood() -> None:
    cell = next(c for c in SCALE if c["data"] == "bcg" and c["method"] == "ML")
    fit = scale_fit(cell)
    y, v = fit.effects.yi, fit.effects.vi
    x = np.column_stack([np.ones(len(y)), REFERENCE["scale_data"]["bcg"]["ablat"]])

    def depth(alpha: np.ndarray) -> float:
        w = 1 / (v + np.exp(x @ alpha))
        beta = np.linalg.solve(x.T @ (w[:, None] * x), x.T @ (w * y))
        return float(0.5 * (w * (y - x @ beta) ** 2 - np.log(w)).sum())

    best = optimize.minimize(depth, fit.scale.estimate, method="Nelder-Mead",
                             options={"xatol": 1e-9, "fatol": 1e-13})  # fmt: skip
    assert best.x == pytest.approx(fit.scale.estimate, rel=1e-4)
    h = np.diag([1e-3, 1e-4])
    at = fit.scale.estimate
    curve = [[(depth(at + a + b) - depth(at + a - b) - depth(at - a + b) + depth(at - a - b))
              / (4 * a.sum() * b.sum()) for a in h] for b in h]  # fmt: skip
    assert np.sqrt(np.diag(np.linalg.inv(curve))) == pytest.approx(fit.scale.std_error, rel=1e-4)


def test_a_variance_without_an_estimate_is_said() -> None:
    e = mb.generic([0.2, 0.21, 0.2, 0.19, 0.9, -0.6, 1.4, -0.2], [0.01] * 8)
    with pytest.raises(mb.ConvergenceError, match="tends to zero"):
        mb.location_scale(e, "wide", data={"wide": [0, 0, 0, 0, 1, 1, 1, 1]}, method="ML")
    with pytest.raises(mb.DataError, match="2 coefficients for 2"):
        mb.location_scale(mb.generic([0.1, 0.2], [1, 1]), "x", data={"x": [1, 2]})
