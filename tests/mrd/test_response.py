"""Response pools: denominators stay apart."""

from __future__ import annotations

import pandas as pd
import pytest

import metablin as mb
from metablin.errors import DataError, MetablinWarning
from metablin.mrd import response_rates


def cohorts() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": list("abcde"),
            "events": [16, 40, 30, 12, 20],
            "n": [20, 50, 44, 30, 60],
            "population": ["x", "x", "x", "x", "y"],
            "denominator": ["evaluable", "evaluable", "evaluable", "treated", "treated"],
        }
    )


def test_strata_are_pooled_apart_as_pool_would() -> None:
    found = response_rates(cohorts())
    frame = found.to_frame()
    assert frame["k"].tolist() == [3, 1, 1]
    alone = mb.pool_cohorts(mb.proportions([16, 40, 30], [20, 50, 44]))
    assert frame.loc[0, "estimate"] == pytest.approx(alone.estimate, rel=1e-12)
    assert frame.loc[0, "pred_low"] == pytest.approx(alone.pred_low, rel=1e-12)
    assert not frame["mixed_denominators"].any()


def test_a_pool_over_denominators_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="evaluable, treated"):
        response_rates(cohorts(), by=["population"])


def test_asked_for_in_so_many_words_it_comes_with_a_warning() -> None:
    with pytest.warns(MetablinWarning, match="mixes denominators"):
        found = response_rates(cohorts(), by=["population"], mix_denominators=True)
    assert found.to_frame()["mixed_denominators"].tolist() == [True, False]


def test_strata_can_be_threshold_and_time_point() -> None:
    rows = cohorts().assign(threshold=["1e-4", "1e-4", "1e-5", "1e-4", "1e-4"])
    found = response_rates(rows, by=["population", "denominator", "threshold"])
    assert found.to_frame()["k"].tolist() == [2, 1, 1, 1]


def test_all_or_no_responders_are_one_exact_proportion() -> None:
    rows = cohorts().assign(events=lambda d: d["n"])
    found = response_rates(rows).to_frame()
    assert set(found["model"]) == {"exact"}
    assert found["conf_low"].lt(1).all()
    assert found["conf_high"].eq(1).all()


def test_missing_columns_and_empty_tables_are_named() -> None:
    with pytest.raises(DataError, match="denominator"):
        response_rates(cohorts().drop(columns="denominator"))
    with pytest.raises(DataError, match="at least one row"):
        response_rates(cohorts().iloc[:0])
