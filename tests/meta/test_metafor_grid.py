"""Every cell of (data set x tau2 estimator x interval) agrees with metafor."""

import itertools

import numpy as np
import pytest

from metablin.effects import generic
from metablin.meta import pool
from tests.reference import pinned

CLOSED = 1e-10
"""Closed forms: only the order of floating-point operations differs."""

OPTIMISED = 1e-9
"""Iterated estimators: metafor's iterations were stopped at a change of 1e-14 in tau2."""

ZERO = 1e-13
"""Below this an absolute difference counts as agreement (values that are zero but for rounding)."""

METHODS = {name: CLOSED for name in ("FE", "DL", "HE", "HS", "SJ")} | {
    name: OPTIMISED for name in ("ML", "REML", "EB", "PM")
}
TESTS = {"z": "z", "t": "t", "knha": "hksj", "adhoc": "hksj-adhoc"}
SETS = [
    *(f"{d}_{m}" for d in ("bcg", "sparse") for m in ("or", "rr", "rd")),
    *(f"proportions_{t}" for t in ("logit", "log", "raw", "arcsine", "freeman-tukey")),
    "log_hr",
    *(f"sim_k{k:02d}" for k in (3, 4, 5, 7, 10, 20, 40, 60)),
]
ANALYSIS = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")

GRID = pinned("metafor_grid")["grid"]


def agree(ours: float, theirs: float, rtol: float, what: str) -> None:
    assert ours == pytest.approx(theirs, rel=rtol, abs=ZERO), what


def test_the_grid_has_every_set_estimator_and_test() -> None:
    assert list(GRID) == sorted(SETS, key=list(GRID).index)
    assert set(GRID) == set(SETS)
    for name, method, test in itertools.product(SETS, METHODS, TESTS):
        cell = GRID[name]["fits"][method]["tests"][test]
        wanted = set(ANALYSIS) | {"statistic", "p_value"}
        if method == "FE":
            wanted -= {"pred_low", "pred_high"}
        assert set(cell) == wanted


@pytest.mark.parametrize(("name", "method"), list(itertools.product(SETS, METHODS)))
def test_fits_agree_with_metafor(name: str, method: str) -> None:
    data, fits = GRID[name], GRID[name]["fits"][method]
    e = generic(data["yi"], data["vi"])
    rtol = METHODS[method]
    for test, cell in fits["tests"].items():
        model, tau2 = ("common", "REML") if method == "FE" else ("random", method)
        fit = pool(e, model=model, tau2=tau2, ci=TESTS[test])
        for key in ("tau2", "i2", "h2", "q", "q_p"):
            agree(getattr(fit, key), fits[key], rtol, key)
        for key in ("statistic", "p_value"):
            agree(getattr(fit, key), cell[key], rtol, key)
        for key in ANALYSIS:
            if key in cell:
                agree(getattr(fit.analysis, key), cell[key], rtol, key)
        if method != "FE":
            agree(fit.tau2_conf_low, data["q_profile"][0], OPTIMISED, "tau2_conf_low")
            agree(fit.tau2_conf_high, data["q_profile"][1], OPTIMISED, "tau2_conf_high")


def test_weights_are_shares() -> None:
    e = generic(GRID["sim_k20"]["yi"], GRID["sim_k20"]["vi"])
    assert pool(e).weights.sum() == pytest.approx(1.0, rel=1e-14)
    assert np.argmax(pool(e, model="common").weights) == np.argmin(e.vi)
