"""Groups asked about one by one: rows by rule, sentences that repeat them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from metablin.datasets import load
from metablin.pipeline import load_analysis

FOLDER = Path(__file__).parents[2] / "analyses"
GROUPS = (
    "first_line_adults", "first_line_ph_positive", "older_adults", "infants", "down_syndrome",
    "extramedullary", "cd19_negative", "transplant_landmark",
)  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    found = load_analysis(FOLDER, "special_populations").run().tables
    return {name: table.frame for name, table in found.items()}


def test_every_group_gets_a_sentence(tables: dict[str, pd.DataFrame]) -> None:
    answers = tables["answers"].set_index("key")
    assert tuple(answers.index) == GROUPS
    assert answers["sentence"].str.endswith(".").all()
    assert (answers["row_ids"] != "").all()
    assert answers.loc["down_syndrome", "k"] == 0
    assert "No result is read of" in answers.loc["down_syndrome", "sentence"]
    assert answers.loc["infants", "sentence"].startswith("One study, n = 30")


def test_tables_repeat_the_evidence(tables: dict[str, pd.DataFrame]) -> None:
    counts = load("proportions").set_index("row_id")
    seen = 0
    for name in GROUPS:
        for row in tables.get(name, pd.DataFrame()).to_dict(orient="records"):
            if row["row_ids"] in counts.index:
                printed = counts.loc[row["row_ids"]]
                assert (row["events"], row["n"]) == (printed["events"], printed["n"])
                assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
                seen += 1
    assert seen > 20


def test_no_review_counts_as_a_study(tables: dict[str, pd.DataFrame]) -> None:
    for name in GROUPS:
        if name in tables:
            assert (tables[name]["design"] != "meta_analysis").all()
