"""The claim ledger: what counts as reproduced, documented, not computable, unexplained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from metablin.datasets import load
from metablin.pipeline.claims import STATUSES, agrees, check_claims, unexplained

DISCREPANCIES = pd.DataFrame({"discrepancy_id": ["d-001"], "reason": ["labels exchanged"]})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "response"
    folder.mkdir()
    for name in ("rates.csv", "elsewhere.csv"):
        (folder / name).write_text("key,estimate\ntower,0.4389\n")
    return tmp_path


def claim(**changes: Any) -> dict[str, Any]:
    base = {
        "claim_id": "c000-001",
        "seed": "000",
        "locator": "Table 1",
        "kind": "response",
        "statement": "CR/CRh/CRi",
        "printed": "44%",
        "unit": "proportion",
        "value": 0.44,
        "precision": 0.01,
        "result": "response/rates/tower/estimate",
        "why_not": "",
        "discrepancy_id": "",
    }
    return {**base, **changes}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "reproduced"),
        ({"result": "response/elsewhere/tower/estimate"}, "confirmed elsewhere"),
        (
            {"result": "response/elsewhere/tower/estimate", "value": 0.43},
            "differs (unexplained)",
        ),
        ({"value": 0.43}, "differs (unexplained)"),
        ({"value": 0.43, "discrepancy_id": "d-001"}, "differs (documented)"),
        ({"value": 0.43, "discrepancy_id": "d-999"}, "differs (unexplained)"),
        ({"result": "", "why_not": "no source for n"}, "not computable"),
        ({"result": ""}, "differs (unexplained)"),
        ({"result": "response/rates/blast/estimate"}, "differs (unexplained)"),
        (
            {"result": "response/rates/blast/estimate", "discrepancy_id": "d-001"},
            "differs (unexplained)",
        ),
    ],
)
def test_each_claim_gets_its_status(out: Path, changes: dict[str, Any], status: str) -> None:
    ledger = check_claims(out, pd.DataFrame([claim(**changes)]), DISCREPANCIES)
    assert ledger["status"].tolist() == [status]
    assert status in STATUSES
    assert len(unexplained(ledger)) == (status == "differs (unexplained)")


def test_a_ledger_of_which_nothing_is_computed_has_columns_of_numbers(out: Path) -> None:
    none = pd.DataFrame([claim(result="", why_not="no source for n")])
    ledger = check_claims(out, none, DISCREPANCIES)
    assert ledger[["computed", "difference"]].dtypes.tolist() == [float, float]


@pytest.mark.parametrize(
    ("computed", "printed", "precision", "same"),
    [
        (0.785, 0.78, 0.01, True),
        (0.7851, 0.78, 0.01, False),
        (116 / 116, 1.0, 0.0001, True),
        (313, 313, 1, True),
        (312, 313, 1, False),
        (7.75, 7.7, 0.1, True),
    ],
)
def test_a_printed_value_covers_half_a_unit_of_its_last_digit(
    computed: float, printed: float, precision: float, same: bool
) -> None:
    assert agrees(computed, printed, precision) is same


def test_no_claim_that_belongs_to_no_trial_stands_twice() -> None:
    claims = load("claims")
    general = claims.loc[claims["trial_id"] == ""]
    where = ["seed", "locator", "printed", "value"]
    assert len(general) > 100
    assert general.loc[general.duplicated(where, keep=False), "claim_id"].tolist() == []
