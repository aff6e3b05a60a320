"""Preferred rows never count the same patients twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
OVERLAPS = json.loads((Path(__file__).parent / "overlaps.json").read_text(encoding="utf-8"))
QUANTITY = {
    "proportions": ["outcome", "arm"],
    "survival": ["endpoint", "time_months", "arm"],
    "contrasts": ["endpoint", "measure", "arm_treatment", "arm_control"],
    "mrd_stratified": ["endpoint"],
    "safety": ["term", "grade", "arm"],
}


def preferred(table: str) -> pd.DataFrame:
    rows = pd.read_csv(ROOT / "datasets" / f"{table}.csv", dtype=str, keep_default_na=False)
    return rows[rows["preferred"] == "true"]


@pytest.mark.parametrize("table", sorted(QUANTITY))
def test_one_row_is_preferred_of_a_patient_set_and_quantity(table: str) -> None:
    rows = preferred(table)
    repeated = rows[rows.duplicated(["patient_set", *QUANTITY[table]], keep=False)]
    assert repeated["row_id"].tolist() == []


@pytest.mark.parametrize("table", sorted(QUANTITY))
def test_preferred_rows_of_a_quantity_come_from_one_of_the_overlapping_sets(table: str) -> None:
    rows = preferred(table)
    arm = rows.get("arm", "blinatumomab")
    subgroup = rows.get("subgroup", "all")
    rows = rows.assign(atom=rows["trial_id"] + "/" + arm, part=subgroup)
    for overlap in OVERLAPS:
        inside = rows[rows["trial_id"].isin(overlap["sets"]) | rows["atom"].isin(overlap["sets"])]
        for quantity, group in inside.groupby([*QUANTITY[table], "part"]):
            assert group["trial_id"].nunique() == 1, (overlap["sets"], quantity)
