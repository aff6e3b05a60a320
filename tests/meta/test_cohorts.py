"""The rule for few studies: which model applies, that it is that model, and what it promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import metablin as mb
from benchmarks.simulation import ANALYSIS, few_studies
from metablin.meta.bayes import half_cauchy

CLOSED = 1e-10
"""A closed form on either side."""


@pytest.mark.parametrize(
    ("events", "n", "model", "options"),
    [
        ([16], [45], "random", {}),
        ([16, 14], [45, 34], "bayes", {"model": "bayes", "prior": half_cauchy(0.5)}),
        ([16, 14, 20], [45, 34, 41], "bayes", {"model": "bayes", "prior": half_cauchy(0.5)}),
        ([0, 3, 13], [45, 189, 267], "glmm", {"model": "glmm", "ci": "t"}),
    ],
)
def test_the_number_of_cohorts_and_empty_cells_choose_the_model(
    events: list[int], n: list[int], model: str, options: dict[str, Any]
) -> None:
    effects = mb.proportions(events, n)
    fit = mb.pool_cohorts(effects, level=0.9)
    assert fit.model == model
    assert fit.to_dict() == mb.pool(effects, level=0.9, **options).to_dict()


def test_only_proportions_can_be_pooled_so() -> None:
    with pytest.raises(mb.DataError, match="proportion"):
        mb.pool_cohorts(mb.hazard_ratios([0.7], [0.5], [0.98]))


def test_the_order_of_cohorts_does_not_matter() -> None:
    here = mb.pool_cohorts(mb.proportions([16, 14, 20], [45, 34, 41]))
    there = mb.pool_cohorts(mb.proportions([20, 16, 14], [41, 45, 34]))
    assert here.estimate == pytest.approx(there.estimate, rel=1e-9)
    assert here.conf_low == pytest.approx(there.conf_low, rel=1e-6)


@pytest.mark.parametrize("n", [[11], [5, 6], [2, 3, 3, 3], [1] * 11])
def test_no_events_are_the_exact_proportion_however_the_patients_are_divided(n: list[int]) -> None:
    none = mb.pool_cohorts(mb.proportions([0] * len(n), n), level=0.9)
    every = mb.pool_cohorts(mb.proportions(n, n), level=0.9)
    # Clopper and Pearson have a closed form at 0 of n.
    high = 1 - 0.05 ** (1 / 11)
    for fit, expected in ((none, (0.0, 0.0, high)), (every, (1.0, 1.0 - high, 1.0))):
        assert fit.model == "exact"
        found = (fit.estimate, fit.conf_low, fit.conf_high)
        assert found == pytest.approx(expected, abs=CLOSED)
        assert fit.weights == pytest.approx([x / 11 for x in n])
        assert fit.to_dict()["p_value"] is None
        assert "no standard error, test, tau2 or prediction interval" in fit.notes[-1]
        assert "nan" not in fit.summary()


def test_the_exact_rule_is_the_limit_of_the_mixed_model() -> None:
    """With ever fewer events in ever larger cohorts the likelihood puts the pool at their share."""
    n = [5000, 6000, 7000]
    fit = mb.pool_cohorts(mb.proportions([0, 2, 1], n))
    assert fit.model == "glmm"
    assert fit.tau2 == pytest.approx(0.0, abs=1e-6)
    assert fit.estimate == pytest.approx(3 / sum(n), rel=1e-6)


def test_a_mixed_model_blind_to_what_q_sees_foretells_no_new_cohort() -> None:
    """At the boundary its prediction interval would be its confidence interval."""
    events, n = [41, 8, 25, 81, 115, 0], [90, 21, 36, 189, 271, 3]
    plain = mb.pool(mb.proportions(events, n), model="glmm", ci="t")
    assert plain.tau2 < 1e-6
    assert plain.q_p < 0.1
    assert plain.pred_low == pytest.approx(plain.conf_low, rel=1e-3)
    fit = mb.pool_cohorts(mb.proportions(events, n))
    assert np.isnan([fit.pred_low, fit.pred_high, fit.analysis.pred_high]).all()
    assert (fit.estimate, fit.conf_low) == (plain.estimate, plain.conf_low)
    assert "Cochran's Q does" in fit.notes[-1]


RATIOS = ([0.62, 0.65, 0.35], [0.39, 0.32, 0.17], [0.98, 1.30, 0.70])
INTEGRATED = 1e-6
"""Two quadratures of one posterior."""


def test_contrasts_follow_the_rule_of_cohorts() -> None:
    e = mb.hazard_ratios(*RATIOS)
    fit = mb.pool_contrasts(e, level=0.9)
    assert fit.to_dict() == mb.pool(e, "bayes", level=0.9, prior=half_cauchy(0.5)).to_dict()
    alone = mb.pool_contrasts(mb.hazard_ratios([0.5], [0.3], [0.8]))
    assert alone.model == "random"
    assert (round(alone.conf_low, 2), round(alone.conf_high, 2)) == (0.31, 0.82)
    with pytest.raises(mb.DataError, match=r"log \| logit"):
        mb.pool_contrasts(mb.two_by_two([3], [10], [5], [10], measure="rd"))


def test_the_posterior_is_that_of_plain_integration() -> None:
    """Slow: tau by adaptive quadrature, the mean given tau in closed form."""
    e = mb.hazard_ratios(*RATIOS)
    fit = mb.pool_contrasts(e)

    def joint(tau: float) -> tuple[float, float, float]:
        s2 = e.vi + tau**2
        w = 1 / s2
        mean, sd = (w @ e.yi) / w.sum(), w.sum() ** -0.5
        log = -0.5 * (np.log(s2).sum() + w @ (e.yi - mean) ** 2) + np.log(sd)
        return float(np.exp(log)) / (1 + (tau / 0.5) ** 2), float(mean), float(sd)

    def share(x: float, wide: bool) -> float:
        def inside(tau: float) -> float:
            weight, mean, sd = joint(tau)
            return weight * float(stats.norm.cdf(x, mean, np.hypot(sd, tau) if wide else sd))

        whole = integrate.quad(lambda t: joint(t)[0], 0, np.inf, epsabs=1e-14)[0]
        return float(integrate.quad(inside, 0, np.inf, epsabs=1e-14)[0] / whole)

    a = fit.analysis
    found = [share(a.conf_low, False), share(a.estimate, False), share(a.conf_high, False)]
    assert found == pytest.approx([0.025, 0.5, 0.975], abs=INTEGRATED)
    new = [share(a.pred_low, True), share(a.pred_high, True)]
    assert new == pytest.approx([0.025, 0.975], abs=INTEGRATED)
    assert mb.probability_beyond(fit, fit.pred_high) == pytest.approx(0.025, abs=INTEGRATED)


def test_turning_every_ratio_turns_the_pool() -> None:
    estimate, low, high = (np.array(x) for x in RATIOS)
    here = mb.pool_contrasts(mb.hazard_ratios(estimate, low, high))
    there = mb.pool_contrasts(mb.hazard_ratios(1 / estimate, 1 / high, 1 / low))
    assert there.estimate == pytest.approx(1 / here.estimate, rel=1e-9)
    assert there.pred_high == pytest.approx(1 / here.pred_low, rel=1e-9)


def test_a_posterior_without_a_variance_has_no_test() -> None:
    fit = mb.pool_contrasts(mb.hazard_ratios([0.44, 0.5], [0.25, 0.3], [0.76, 0.8]))
    assert np.isinf(fit.analysis.std_error)
    assert np.isnan([fit.statistic, fit.p_value]).all()
    assert "p =" not in fit.summary()
    assert 0 < fit.conf_low < fit.conf_high < np.inf


def test_the_rule_is_the_narrowest_that_keeps_its_promise_in_every_cell() -> None:
    found = few_studies.verdict(pd.read_csv(ANALYSIS / "few_studies.csv"))
    everywhere = found["cells"] == found["cells"].max()
    kept = found.loc[everywhere & (found["cells_below"] == 0)]
    assert kept.loc[kept["width"].idxmin(), "interval"] == few_studies.RULE
