"""The rule for pooling cohorts: which model applies, and that it is that model."""

from __future__ import annotations

import pytest

import metablin as mb


@pytest.mark.parametrize(
    ("events", "n", "model", "options"),
    [
        ([16], [45], "random", {}),
        ([16, 14], [45, 34], "bayes", {"model": "bayes"}),
        ([16, 14, 20], [45, 34, 41], "glmm", {"model": "glmm", "ci": "t"}),
        ([0, 0, 0], [5, 8, 9], "common", {"model": "common", "ci": "z"}),
        ([5, 8], [5, 8], "common", {"model": "common", "ci": "z"}),
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
