"""The rule for pooling cohorts: which model applies, and that it is that model."""

from __future__ import annotations

import pytest

import metablin as mb

CLOSED = 1e-10
"""A closed form on either side."""


@pytest.mark.parametrize(
    ("events", "n", "model", "options"),
    [
        ([16], [45], "random", {}),
        ([16, 14], [45, 34], "bayes", {"model": "bayes"}),
        ([16, 14, 20], [45, 34, 41], "glmm", {"model": "glmm", "ci": "t"}),
    ],
)
def test_the_number_of_cohorts_chooses_the_model(
    events: list[int], n: list[int], model: str, options: dict[str, str]
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
    fit = mb.pool_cohorts(mb.proportions([1, 1, 1], n))
    assert fit.model == "glmm"
    assert fit.tau2 == pytest.approx(0.0, abs=1e-6)
    assert fit.estimate == pytest.approx(3 / sum(n), rel=1e-6)
