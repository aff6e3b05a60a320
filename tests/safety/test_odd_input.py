"""What a statistician may hand in by mistake: one clear line, or an answer that says what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metablin import safety
from tests.odd_input import one_clear_line

ROWS = pd.DataFrame(
    {"study": ["A", "B"], "events": [1, 2], "n": [5, 6], "term": "fever", "grade": "any"}
)
RATE = safety.event_rate([1], [10])
NAN = float("nan")
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "no trials": (lambda: safety.event_rate([], []), "no trial to count"),
    "more events than patients": (
        lambda: safety.event_rate([1, 11], [10, 10], studies=["A", "B"]),
        r"row 2 \(B\), column 'events', value 11.*at most n = 10",
    ),
    "percent": (lambda: safety.event_rate([12.5], [100]), "value 12.5.*whole number"),
    "a missing count": (lambda: safety.event_rate([1, NAN], [9, 9]), "row 2, .*value missing"),
    "nobody treated": (lambda: safety.event_rate([0], [0]), "column 'n', value 0"),
    "a word": (lambda: safety.event_rate(["five"], [10]), "value 'five': not a number"),
    "a list for a table": (lambda: safety.event_rates([1, 2]), "not a table, value|value list"),  # type: ignore[arg-type]
    "an empty table": (lambda: safety.event_rates(ROWS.iloc[:0]), "at least one row"),
    "an empty key": (
        lambda: safety.event_rates(ROWS.assign(grade=["any", None])),
        "row 2, column 'grade', value missing",
    ),
    "a trial twice": (lambda: safety.event_rates(ROWS.assign(study="A")), "one trial twice"),
    "no such column": (
        lambda: safety.implausible_cells(ROWS.drop(columns="grade")), "column 'grade'",
    ),
    "a share in percent": (lambda: safety.implausible_cells(ROWS, share=98), "value 98"),
    "a number for a rate": (lambda: safety.predicted_count(0.3), "the result of event_rate"),  # type: ignore[arg-type]
    "half a patient": (lambda: safety.predicted_count(RATE, 2.5), "value 2.5"),  # type: ignore[arg-type]
    "nothing to compare": (lambda: safety.event_differences([], [], [], []), "no trial"),
    "one arm too many events": (
        lambda: safety.event_difference(11, 10, 1, 10),
        "column 'events_treatment', value 11.*at most n_treatment = 10",
    ),
    "an empty arm": (lambda: safety.event_difference(0, 0, 1, 10), "n_treatment.*at least 1"),
    "several trials at once": (
        lambda: safety.event_difference([1, 2], [9, 9], [1, 2], [9, 9]), "2 values",  # type: ignore[arg-type]
    ),
    "a level in percent": (
        lambda: safety.event_difference(1, 10, 1, 10, level=95), "column 'level', value 95",
    ),
    "no exposure": (lambda: safety.exposure_rate(1, 10, NAN), "column 'exposure', value missing"),
    "exposure of nothing": (lambda: safety.exposure_rate(1, 10, 0), "greater than 0"),
    "a proportion of patients": (lambda: safety.exposure_rate(0.3, 10, 2), "whole number"),
    "control without exposure": (
        lambda: safety.compare_by_exposure(1, 10, 2, 1, 10, None), "'exposure', value missing",  # type: ignore[arg-type]
    ),
    "no event of any term": (lambda: safety.gamma_shrinkage([0] * 5, [1] * 5), "no term has"),
    "an expectation of nothing": (
        lambda: safety.gamma_shrinkage([1] * 5, [1, 1, 0, 1, 1]), "row 3, column 'expected'",
    ),
    "words for counts": (lambda: safety.expected_counts([["a", 1], [0, 0]]), "not a table"),
    "rows of unequal length": (lambda: safety.expected_counts([[1], [0, 0]]), "unequal length"),
    "a p-value above one": (lambda: safety.benjamini_hochberg([0.1, 1.2]), "row 2.*value 1.2"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
def test_mistakes_get_one_clear_line(case: str) -> None:
    one_clear_line(*BAD[case])


def test_nobody_with_the_event_has_an_upper_limit_only() -> None:
    rate = safety.event_rate([0, 0, 0], [10, 20, 30])
    assert (rate.estimate, rate.conf_low) == (0.0, 0.0)
    assert rate.conf_high == pytest.approx(1 - 0.025 ** (1 / 60))
    assert safety.predicted_count(rate)[1] == 0


@pytest.mark.parametrize(
    ("table", "measure", "open_low", "open_high"),
    [
        ((0, 10, 3, 10), "rr", True, False),
        ((3, 10, 0, 10), "rr", False, True),
        ((10, 10, 5, 10), "rr", False, False),
        ((5, 10, 10, 10), "rr", False, False),
        ((10, 10, 5, 10), "or", False, True),
        ((5, 10, 10, 10), "or", True, False),
        ((0, 10, 10, 10), "or", True, False),
    ],
)
def test_a_ratio_is_open_only_where_a_cell_is_empty(
    table: tuple[int, int, int, int], measure: str, open_low: bool, open_high: bool
) -> None:
    found = safety.event_difference(*table, measure=measure)
    assert (found["conf_low"] == 0) == open_low
    assert np.isinf(found["conf_high"]) == open_high
    assert found["conf_low"] <= found["estimate"] <= found["conf_high"]


def test_a_ratio_of_nothing_to_nothing_is_not_a_number() -> None:
    found = safety.event_difference(0, 10, 0, 10, measure="rr")
    assert np.isnan([found["estimate"], found["conf_low"], found["conf_high"]]).all()
    assert found["p_value"] == 1.0


def test_everybody_in_both_arms_leaves_a_ratio_of_one_with_some_doubt() -> None:
    found = safety.compare_by_exposure(10, 10, 1.0, 10, 10, 1.0).to_frame()
    row = found.loc[found["assumption"] == "unadjusted"].iloc[0]
    assert row["estimate"] == 1.0
    assert row["conf_low"] < 1.0 < row["conf_high"]
    assert row["note"] != ""


def test_one_column_may_be_named_by_a_plain_word() -> None:
    assert safety.event_rates(ROWS, by="term")["k"].tolist() == [2]
