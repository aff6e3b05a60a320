"""The pencil arithmetic, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from metablin.errors import DataError

Load = Callable[[str], ModuleType]
EXACT = 1e-12


def row(**values: Any) -> pd.DataFrame:
    return pd.DataFrame([{"row_id": "x-001", **values}])


def test_rates_come_with_exact_limits_even_at_the_edges(module: Load) -> None:
    rows = pd.DataFrame({"row_id": ["a", "b", "c"], "events": [0.0, 10.0, 5.0], "n": [10.0] * 3})
    frame = module("arithmetic.rows").rates(rows).set_index("key")
    assert frame["rate"].tolist() == [0.0, 1.0, 0.5]
    # Clopper and Pearson (1934): 1 - (alpha/2)^(1/n) when there is no event.
    assert frame.loc["a", "conf_high"] == pytest.approx(1 - 0.025**0.1, abs=EXACT)
    assert frame.loc["a", "conf_low"] == 0.0
    assert frame.loc["b", "conf_low"] == pytest.approx(0.025**0.1, abs=EXACT)
    assert frame.loc["b", "conf_high"] == 1.0


def test_rows_without_counts_are_left_out(module: Load) -> None:
    rows = pd.DataFrame({"row_id": ["a", "b"], "events": [float("nan"), 1.0], "n": [10.0, 4.0]})
    assert module("arithmetic.rows").rates(rows)["key"].tolist() == ["b"]


def test_a_p_value_follows_from_ratio_and_interval(module: Load) -> None:
    rows = row(measure="hr", estimate=0.5, ci_low=0.25, ci_high=1.0, ci_level=0.95)
    (line,) = module("arithmetic.rows").contrasts(rows).to_dict(orient="records")
    # log 0.5 over (log 1 - log 0.25) / (2 * 1.959964) is -1.959964.
    assert line["statistic"] == pytest.approx(-1.959963984540054, abs=EXACT)
    assert line["p_two_sided"] == pytest.approx(0.05, abs=EXACT)
    assert line["p_one_sided"] == pytest.approx(0.025, abs=EXACT)
    assert line["estimate_from_interval"] == pytest.approx(0.5, abs=EXACT)


def test_two_arms_are_compared_on_their_counts(module: Load) -> None:
    rows = pd.DataFrame(
        {
            "row_id": ["t", "c"],
            "trial_id": "x",
            "arm": ["blinatumomab", "chemotherapy"],
            "outcome": "cr",
            "subgroup": "all",
            "events": [3.0, 1.0],
            "n": [4.0, 4.0],
        }
    )
    (line,) = module("arithmetic.rows").two_by_two(rows).to_dict(orient="records")
    assert line["key"] == "x.cr"
    assert line["odds_ratio"] == pytest.approx(9.0)
    assert line["risk_ratio"] == pytest.approx(3.0)
    assert line["risk_difference"] == pytest.approx(0.5)
    # Fisher's tea-tasting table: 34/70.
    assert line["fisher_p"] == pytest.approx(34 / 70)


def test_landmarks_imply_counts(module: Load) -> None:
    rows = row(n=110.0, survival=0.54, median_months=36.0)
    (line,) = module("arithmetic.rows").landmarks(rows).to_dict(orient="records")
    assert (line["events_implied"], line["survivors_implied"], line["median_years"]) == (51, 59, 3)


@pytest.mark.parametrize(
    ("operation", "ids", "column", "expected"),
    [
        ("sum", "a b c", "events", 9.0),
        ("difference", "c a b", "events", 3.0),
        ("ratio", "c a", "events", 6.0),
        ("share", "a b c", "events", 0.125),
        ("weighted_mean", "a b", "rate", (0.1 * 10 + 0.1 * 20) / 30),
    ],
)
def test_named_sums(module: Load, operation: str, ids: str, column: str, expected: float) -> None:
    counts = pd.DataFrame(
        {"row_id": ["a", "b", "c"], "events": [1.0, 2.0, 6.0], "n": [10.0, 20.0, 30.0]}
    )
    line = {
        "name": "x",
        "operation": operation,
        "row_ids": ids,
        "column": column,
        "weight_column": "n" if operation == "weighted_mean" else "",
        "weight_row_ids": "",
        "statement": "",
    }
    frame = module("arithmetic.sums").named_sums(pd.DataFrame([line]), {"proportions": counts})
    assert frame.loc[0, "value"] == pytest.approx(expected)


def test_a_sum_over_a_row_that_is_not_there_names_it(module: Load) -> None:
    counts = pd.DataFrame({"row_id": ["a"], "events": [1.0], "n": [10.0]})
    line = dict.fromkeys(("name", "operation", "row_ids", "column", "statement"), "sum")
    line |= {"row_ids": "a zz", "column": "events", "weight_column": "", "weight_row_ids": ""}
    with pytest.raises(DataError, match="zz"):
        module("arithmetic.sums").named_sums(pd.DataFrame([line]), {"proportions": counts})


def claims_about(**cells: Any) -> pd.DataFrame:
    base = {"claim_id": "c000-001", "seed": "000", "result": "", "denominator": ""}
    return pd.DataFrame([base | cells])


REVIEWS = {"000": "https://doi.org/10.1/review"}


def test_a_number_is_set_against_another_source(module: Load) -> None:
    rows = row(median_months=7.7, source_url="https://doi.org/10.1/trial", source_key="trial")
    claims = claims_about(result="arithmetic/elsewhere/x-001/median_months")
    (line,) = (
        module("arithmetic.claim_checks")
        .elsewhere(claims, {"survival": rows}, REVIEWS)
        .to_dict(orient="records")
    )
    assert (line["key"], line["median_months"], line["source_key"]) == ("x-001", 7.7, "trial")


def test_a_row_read_in_the_review_is_no_other_source(module: Load) -> None:
    rows = row(median_months=7.7, source_url=REVIEWS["000"], source_key="trial")
    claims = claims_about(result="arithmetic/elsewhere/x-001/median_months")
    with pytest.raises(DataError, match="read in the review itself"):
        module("arithmetic.claim_checks").elsewhere(claims, {"survival": rows}, REVIEWS)


def test_a_percentage_is_attainable_when_a_count_rounds_to_it(module: Load) -> None:
    attainable = module("arithmetic.claim_checks").attainable
    rows = row(n=16.0)
    known = {"denominator": "x-001", "precision": 0.01}
    (yes,) = attainable(claims_about(value=0.44, **known), rows).to_dict(orient="records")
    (no,) = attainable(claims_about(value=0.47, **known), rows).to_dict(orient="records")
    assert (yes["events"], yes["value"]) == (7.0, 7 / 16)
    assert abs(yes["value"] - 0.44) < 0.005 < abs(no["value"] - 0.47)
    # Sixteen patients give 17 of the 101 whole percentages: the test refuses most.
    assert yes["power"] == pytest.approx(0.84, abs=EXACT)


def test_an_interval_follows_from_events_and_randomisation(module: Load) -> None:
    ratio = row(
        trial_id="t", measure="hr", endpoint="os", subgroup="all", estimate=0.5, preferred=True
    )
    deaths = pd.DataFrame(
        [{"row_id": "d", "trial_id": "t", "arm": "both_arms", "outcome": "death", "events": 100.0}]
    )
    trials = pd.DataFrame([{"trial_id": "t", "arms": "blinatumomab (50) | chemotherapy (50)"}])
    (line,) = (
        module("arithmetic.claim_checks")
        .from_events(ratio, deaths, trials)
        .to_dict(orient="records")
    )
    # d q (1 - q) is 25, so the standard error is 0.2.
    assert line["conf_low"] == pytest.approx(0.5 * 2.718281828459045 ** (-0.2 * 1.959963984540054))
    assert line["conf_high"] == pytest.approx(0.5 * 2.718281828459045 ** (0.2 * 1.959963984540054))
