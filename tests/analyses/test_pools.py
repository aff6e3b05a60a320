"""One rule of who is in a pool, and its mirror, the table of screening."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import metablin as mb
from metablin.datasets import load
from metablin.pipeline import Evidence, load_analysis
from metablin.pipeline.registry import PACKAGE
from metablin.plots import forest_frame

FOLDER = Path(__file__).parents[2] / "analyses"
ROUNDING = 1e-12
"""Sums of at most five shares of 1 in double precision."""


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    import importlib

    load_analysis(FOLDER, "pools")
    members = importlib.import_module(f"{PACKAGE}.cohorts.members")
    lines: pd.DataFrame = members.members(Evidence(members.READS))
    return lines


def test_screening_mirrors_the_pools(found: pd.DataFrame) -> None:
    """A cohort is included where a pool takes its patients, else it has a reason."""
    cohorts = load("screening").query("stage == 'cohort'").set_index("trial_id")
    used = set(found.loc[found["role"] == "blinatumomab", "trial_id"])
    assert set(cohorts.index[cohorts["decision"] == "included"]) == used
    left = cohorts.loc[cohorts["decision"] == "left_out"]
    assert (left[["reason_code", "reason"]] != "").all(axis=None)
    assert set(load("trials", all_rows=True)["trial_id"]) == set(cohorts.index)


def test_designs_are_never_mixed(found: pd.DataFrame) -> None:
    groups = found.groupby(["question", "pool"])["design"].nunique()
    assert len(groups) > 50
    assert (groups == 1).all()


def test_ph_positive_disease_stands_apart(found: pd.DataFrame) -> None:
    positive = load("trials", all_rows=True).query("ph_status == 'positive'")["trial_id"]
    by_population = found.loc[~found["pool"].isin(["os", "rfs"])]  # responders: each trial alone
    pools = by_population.loc[by_population["trial_id"].isin(positive), "pool"]
    assert len(pools) > 4
    assert pools.str.contains("ph_positive").all()


def test_no_row_stands_twice_in_one_pool(found: pd.DataFrame) -> None:
    rows = found.assign(row=found["row_ids"].str.split()).explode("row")
    assert not rows.duplicated(["question", "pool", "row"]).any()


def test_conversions_in_first_line_are_no_response_of_mrd_positive_disease(
    found: pd.DataFrame,
) -> None:
    mrd = found.loc[found["question"] == "MRD response"].set_index("pool")["trial_id"]
    assert mrd["first_line_mrd.evaluable"] == "lal2317"
    assert "lal2317" not in set(mrd[mrd.index.str.startswith("mrd_positive")])
    assert mrd["first_line_infants.treated.external_control"] == "interfant_blina"


def test_maintenance_after_transplantation_is_in_no_rate_of_harms(found: pd.DataFrame) -> None:
    harms = found.loc[found["question"] == "adverse events", "trial_id"]
    assert "tower" in set(harms)
    assert "gaballa_maint" not in set(harms)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("adult_rr_ph_negative.cr_crh_cri.retrospective",
         "Adults, relapsed/refractory, Ph-negative or mixed, CR, CRh or CRi, retrospective"),
        ("os.first_relapse", "Overall survival, first relapse, children and young adults"),
        ("mrd_positive.evaluable", "Adults in remission, MRD-positive, of those evaluable for MRD"),
    ],
)  # fmt: skip
def test_a_pool_is_named_in_words(
    module: Callable[[str], ModuleType], name: str, words: str
) -> None:
    assert module("pools.rows").pool_words(name) == words


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {n: table.frame for n, table in load_analysis(FOLDER, "pools").run().tables.items()}


@pytest.fixture(scope="module")
def weights(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return tables["weights"].set_index("key", drop=False)


def test_weights_are_shares_of_every_pool(weights: pd.DataFrame) -> None:
    """They sum to one, or the model has none; a cohort alone has all."""
    assert weights.index.is_unique
    for _, pool in weights.groupby("answer"):
        assert pool["cohorts"].sum() == pool["k"].iloc[0]
        assert pool["k"].nunique() == 1
        weighed = pool["model"].iloc[0] not in ("glmm", "patients together")
        if weighed or len(pool) == 1:
            assert pool["weight"].sum() == pytest.approx(1, abs=ROUNDING)
        else:
            assert pool["weight"].isna().all()
        assert pool["share"].isna().any() or pool["share"].sum() == pytest.approx(1, abs=ROUNDING)


def test_weights_are_those_of_the_forest_plots(weights: pd.DataFrame) -> None:
    """Of the rows as they stand in the base, pooled and drawn outside the analysis."""
    rows = load("contrasts").set_index("row_id")
    names = ["aall1331_hrir", "aall1331_lr", "locatelli2021"]
    lines = weights.loc[[f"randomised.pooled.os.first_relapse.{n}" for n in names]]
    ratios = rows.loc[lines["row_ids"], ["estimate", "ci_low", "ci_high"]]
    fit = mb.pool_contrasts(mb.hazard_ratios(*ratios.to_numpy().T, studies=names))
    drawn = forest_frame(fit).query("kind == 'study'")
    assert lines["weight"].to_numpy() == pytest.approx(drawn["weight"].to_numpy(), abs=ROUNDING)

    counts = load("proportions").set_index("row_id")
    lines = weights.loc[weights["answer"] == "response/pooled/adult_rr_ph_negative"]
    ids = " ".join(lines["row_ids"]).split()
    fit = mb.pool_cohorts(mb.proportions(counts.loc[ids, "events"], counts.loc[ids, "n"]))
    drawn = forest_frame(fit).query("kind == 'study'")
    both = drawn["weight"].groupby(counts.loc[ids, "trial_id"].to_numpy(), sort=False).sum()
    assert lines["weight"].to_numpy() == pytest.approx(both.to_numpy(), abs=ROUNDING)
    assert (lines["cohorts"] > 1).any()


def test_every_cohort_in_a_pool_has_a_weight_or_a_reason(
    found: pd.DataFrame, weights: pd.DataFrame
) -> None:
    cohorts = load("screening").query("stage == 'cohort'").set_index("trial_id")
    included = set(cohorts.index[cohorts["decision"] == "included"])
    assert included <= set(weights["trial_id"])
    assert set(weights["trial_id"]) <= set(found["trial_id"])


def test_pools_of_remission_are_those_of_its_page(tables: dict[str, pd.DataFrame]) -> None:
    """Who is listed as a member of a pool is who has a weight in it."""
    members, weights = tables["members"], tables["weights"]
    members = members.loc[members["question"] == "another definition of remission"]
    listed = {frozenset(ids.split()) for ids in members["row_ids"]}
    mine = weights.loc[weights["answer"].str.startswith("response/by_definition/")]
    pooled = {frozenset(" ".join(p["row_ids"]).split()) for _, p in mine.groupby("answer")}
    assert listed == pooled


def test_a_pool_under_two_names_is_listed_once(weights: pd.DataFrame) -> None:
    mine = weights.loc[weights["trial_id"] == "e1910", "answer"]
    assert "randomised/pooled/os.first_line_adults" in set(mine)
    assert "randomised/pooled/os.first_line" not in set(mine)
