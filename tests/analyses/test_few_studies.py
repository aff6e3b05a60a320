"""The simulation of intervals for few studies: its Bayesian intervals, and what it concludes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from benchmarks.simulation import ANALYSIS, few_studies
from metablin.meta.bayes.priors import half_cauchy, half_normal

GRID = 1e-5
"""The simulation integrates over 120 values of tau, the library adaptively."""

PRIORS = {
    "half-normal 0.25": half_normal(0.25),
    "half-normal 0.5": half_normal(0.5),
    "half-normal 1": half_normal(1.0),
    "half-Cauchy 0.5": half_cauchy(0.5),
}


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return pd.read_csv(ANALYSIS / "few_studies.csv")


def test_intervals_of_many_pools_at_once_are_those_of_the_bayesian_model() -> None:
    rng = np.random.default_rng(3)
    y, v = rng.normal(-0.5, 0.4, (4, 3)), rng.uniform(0.02, 0.15, (4, 3))
    found = dict(few_studies.bayes(y, v))
    assert set(found) == set(PRIORS)
    for name, prior in PRIORS.items():
        for i in range(len(y)):
            fit = mb.pool(mb.generic(y[i], v[i]), model="bayes", prior=prior).analysis
            expected = [fit.conf_low, fit.conf_high, fit.pred_low, fit.pred_high]
            np.testing.assert_allclose([limit[i] for limit in found[name]], expected, atol=GRID)


def test_the_table_has_every_cell_of_every_interval(lines: pd.DataFrame) -> None:
    cells = lines.groupby("interval").size()
    ratios = 3 * len(few_studies.STUDIES)
    proportions = 2 * 2 * len(few_studies.STUDIES)
    assert cells.pop("GLMM t") == proportions
    assert set(cells) == {ratios + proportions}
    assert (lines["repetitions"] == few_studies.REPETITIONS).all()


def test_wald_intervals_cover_too_little_and_more_studies_help(lines: pd.DataFrame) -> None:
    wald = lines.query("interval == 'Wald' and kind == 'log hazard ratio'")
    most = wald[wald["tau"] == wald["tau"].max()].set_index("k")["coverage"]
    assert most[2] < 0.85
    assert most[10] > most[2]


def test_without_heterogeneity_hartung_knapp_is_exact(lines: pd.DataFrame) -> None:
    part = lines.query("interval == 'Hartung-Knapp' and tau == 0")
    assert len(part) == len(few_studies.STUDIES)
    assert ((part["coverage"] - 0.95).abs() < 4 * part["coverage_se"]).all()


def test_the_verdict_names_the_worst_cell() -> None:
    one = pd.DataFrame(
        {
            "kind": "x", "k": [2, 3, 2, 3], "tau": 0.1, "coverage": [0.95, 0.94, 0.90, 0.97],
            "interval": ["Hartung-Knapp"] * 2 + ["Wald"] * 2, "width": [2.0, 2.0, 1.0, 0.5],
            "prediction": 0.9, "prediction_width": 1.0,
        }
    )  # fmt: skip
    found = few_studies.verdict(one).set_index("interval")
    assert found.loc["Wald", "lowest"] == 0.90
    assert found.loc["Wald", "where"] == "x, k = 2, tau = 0.10"
    assert found.loc["Wald", "cells_below"] == 1
    assert found.loc["Wald", "width"] == pytest.approx(np.sqrt(0.5 * 0.25))
