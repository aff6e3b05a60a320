"""The surrogacy analysis on the evidence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metablin.report import Outcome


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("surrogacy")


def test_mrd_is_counted_among_all_randomised(outcome: Outcome) -> None:
    pairs = outcome.tables["pairs"].frame
    trials = load_sizes()
    for row in pairs.loc[pairs["drug"] == "blinatumomab"].itertuples():
        assert row.n_treatment + row.n_control == trials[row.key.split(".")[1]]


def load_sizes() -> dict[str, float]:
    import metablin as mb

    trials = mb.load("trials")
    return dict(zip(trials["trial_id"], trials["n_total"], strict=True))


def test_effects_are_logs_of_the_ratios_shown(outcome: Outcome) -> None:
    pairs = outcome.tables["pairs"].frame
    np.testing.assert_allclose(np.log(pairs["odds_ratio"]), pairs["x"])
    np.testing.assert_allclose(np.log(pairs["hazard_ratio"]), pairs["y"])


def test_few_trials_leave_r2_open_and_no_threshold(outcome: Outcome) -> None:
    lines = outcome.tables["lines"].frame
    three = lines.loc[lines["k"] == 3]
    assert (three["r2_low"] == 0).all()
    assert (three["r2_high"] == 1).all()
    flat = (lines["slope_low"] < 0) & (lines["slope_high"] > 0)
    assert not lines.loc[flat, "threshold_exists"].any()


def test_every_trial_left_out_is_predicted(outcome: Outcome) -> None:
    table = outcome.tables["left_out"].frame
    four = outcome.tables["pairs"].frame.groupby(outcome.tables["pairs"].frame["key"].str[:2])
    assert len(table) == sum(len(g) for _, g in four)
    assert (table["pred_low"] < table["pred_high"]).all()


def test_both_effects_random_needs_four_trials_and_settles_nothing(outcome: Outcome) -> None:
    table = outcome.tables["bivariate"].frame
    fitted = table.loc[table["why_not"] == ""]
    assert (fitted["k"] >= 4).all()
    assert (fitted["conf_low"] == 0).all()
    assert (fitted["conf_high"] == 1).all()
