"""Our pools beside published ones: every pair found, the same unit, the verdict by its rule."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from metablin.datasets import load
from metablin.report import Outcome


@pytest.fixture(scope="module")
def pairs(written: Callable[[str], Outcome]) -> pd.DataFrame:
    return written("agreement").tables["pairs"].frame


def test_every_pair_is_compared_with_a_reason(pairs: pd.DataFrame) -> None:
    assert len(pairs) == len(load("agreement")) >= 12
    assert (pairs["reason"] != "").all()
    assert pairs["ours"].notna().all()


def test_published_numbers_are_those_of_the_base(pairs: pd.DataFrame) -> None:
    base = load("syntheses").set_index("synthesis_id")["estimate"]
    turned = load("agreement").set_index("agreement_id")["inverted"]
    for row in pairs.to_dict(orient="records"):
        printed = base[row["row_ids"].split()[0]]
        assert row["published"] == pytest.approx(1 / printed if turned[row["key"]] else printed)


def test_verdicts_follow_from_the_intervals(pairs: pd.DataFrame) -> None:
    agree = pairs.loc[pairs["verdict"] == "agree"]
    assert len(agree) > len(pairs) / 2
    inside = agree["published"].between(agree["ours_low"], agree["ours_high"])
    assert inside.all()
    known = agree.dropna(subset=["published_low"])
    assert known["ours"].between(known["published_low"], known["published_high"]).all()
    rest = pairs.loc[pairs["verdict"] == "overlap"]
    assert len(rest)
    assert (rest["published_low"] <= rest["ours_high"]).all()
    assert (rest["ours_low"] <= rest["published_high"]).all()


def test_ours_are_the_numbers_of_the_analyses(
    pairs: pd.DataFrame, written: Callable[[str], Outcome]
) -> None:
    rows = pairs.set_index("key")
    analysis = written("response").tables
    for key in ("agree-010", "agree-011", "agree-015"):
        _, table, name = rows.loc[key, "pool"].split("/")
        found = analysis[table].frame.set_index("key").loc[name, "estimate"]
        assert rows.loc[key, "ours"] == pytest.approx(found, rel=1e-12)
