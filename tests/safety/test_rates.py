"""Rates of adverse events, predicted counts and cells that cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metablin as mb
from metablin.errors import DataError
from metablin.safety import event_rate, event_rates, implausible_cells, predicted_count


@pytest.mark.parametrize(
    ("events", "n"), [([3], [40]), ([0, 0, 0], [20, 30, 10]), ([5, 6], [5, 6])]
)
def test_one_trial_and_empty_counts_are_exact(events: list[int], n: list[int]) -> None:
    rate = event_rate(events, n)
    x, m = sum(events), sum(n)
    assert rate.model == "exact"
    assert rate.estimate == x / m
    # Clopper-Pearson by its definition: each limit leaves 2.5% in a tail
    if x > 0:
        assert stats.binom.sf(x - 1, m, rate.conf_low) == pytest.approx(0.025, rel=1e-9)
    if x < m:
        assert stats.binom.cdf(x, m, rate.conf_high) == pytest.approx(0.025, rel=1e-9)
    assert np.isnan(rate.pred_low)


@pytest.mark.parametrize(
    ("events", "model"), [([3, 8, 20], "bayes"), ([0, 8, 20], "glmm"), ([3, 8], "bayes")]
)
def test_trials_are_pooled_by_the_rule_for_few_studies(events: list[int], model: str) -> None:
    n = [40, 50, 90][: len(events)]
    rate = event_rate(events, n)
    fit = mb.pool_cohorts(mb.proportions(events, n))
    assert rate.model == fit.model == model
    assert (rate.estimate, rate.pred_high) == (fit.estimate, fit.pred_high)


def test_groups_keep_their_columns_and_their_counts() -> None:
    rows = pd.DataFrame(
        {"study": ["a", "b", "c", "a"], "term": ["x", "x", "x", "y"], "events": [1, 2, 3, 4],
         "n": [10, 20, 30, 40]}
    )  # fmt: skip
    found = event_rates(rows, by=["term"])
    assert found["term"].tolist() == ["x", "y"]
    assert found["events"].tolist() == [6, 4]
    assert found["model"].tolist() == ["bayes", "exact"]


def test_a_trial_twice_in_one_group_is_refused() -> None:
    rows = pd.DataFrame({"study": ["a", "a"], "term": "x", "events": [1, 2], "n": [10, 20]})
    with pytest.raises(DataError, match="twice"):
        event_rates(rows, by=["term"])
    with pytest.raises(DataError, match="grade"):
        event_rates(rows)


def test_the_predicted_count_of_an_exact_rate_is_beta_binomial() -> None:
    expected, low, high = predicted_count(event_rate([10], [50]), patients=100)
    law = stats.betabinom(100, 10.5, 40.5)
    assert expected == pytest.approx(20)
    assert law.cdf(low - 1) < 0.025 <= law.cdf(low)
    assert law.cdf(high - 1) < 0.975 <= law.cdf(high)


def test_the_predicted_count_agrees_with_a_simulation() -> None:
    rate = event_rate([3, 8, 20, 30], [40, 50, 90, 80])
    rng = np.random.default_rng(8)
    logit = rate.mean_logit + rate.sd_logit * rng.standard_normal(200_000)
    counts = rng.binomial(100, 1 / (1 + np.exp(-logit)))
    _, low, high = predicted_count(rate)
    assert low == pytest.approx(np.quantile(counts, 0.025), abs=1)
    assert high == pytest.approx(np.quantile(counts, 0.975), abs=1)


def test_more_trials_narrow_the_predicted_count_to_the_binomial() -> None:
    _, low, high = predicted_count(event_rate([20_000], [100_000]))
    assert (low, high) == (stats.binom.ppf(0.025, 100, 0.2), stats.binom.ppf(0.975, 100, 0.2))


def test_cells_that_cannot_be_are_flagged_with_the_reason() -> None:
    rows = pd.DataFrame(
        [
            ("A", "drug", "fever", "any", 50, 50),
            ("A", "drug", "any adverse event", "any", 50, 50),
            ("A", "drug", "rash", "any", 5, 50),
            ("A", "drug", "rash", "grade3plus", 8, 50),
            ("B", "drug", "rash", "grade3plus", 2, 40),
        ],
        columns=["study", "arm", "term", "grade", "events", "n"],
    )
    found = implausible_cells(rows)
    assert found["term"].tolist() == ["fever", "rash"]
    assert found["grade"].tolist() == ["any", "grade3plus"]
    assert "every patient" in found["reason"][0]
    assert "any grade" in found["reason"][1]
