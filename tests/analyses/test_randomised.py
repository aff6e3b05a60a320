"""The randomised evidence: lines apart, absolute effects that follow from print and ratio."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.report import Outcome

ROUNDED = 0.0051
"""Half a unit of a survival printed in whole percent."""


@pytest.fixture(scope="module")
def tables(written: Callable[[str], Outcome]) -> dict[str, pd.DataFrame]:
    return {name: table.frame for name, table in written("randomised").tables.items()}


def test_a_question_has_one_line_of_treatment(tables: dict[str, pd.DataFrame]) -> None:
    trials = mb.load("trials", all_rows=True).set_index("trial_id")["disease_status"]
    main = tables["pooled"].loc[tables["pooled"]["main"]]
    assert len(main) >= 9
    for ids in main["row_ids"]:
        own = trials.reindex(ids.split()).dropna()
        assert own.nunique() == 1


def test_every_comparison_has_its_risk_of_bias(
    tables: dict[str, pd.DataFrame], written: Callable[[str], Outcome]
) -> None:
    judged = written("certainty").tables["risk_of_bias"].frame
    overall = judged.loc[(judged["domain"] == "overall") & (judged["outcome"] == "os")]
    words = dict(zip(overall["study"], overall["judgement"], strict=True))
    shown = tables["comparisons"].set_index("trial")
    shown = shown.loc[shown["endpoint"] == "os", "risk_of_bias"]
    assert len(shown) == 5
    assert shown.to_dict() == {trial: words[trial] for trial in shown.index}


def test_pools_follow_the_rule_and_say_its_coverage(tables: dict[str, pd.DataFrame]) -> None:
    pooled = tables["pooled"].set_index("key")
    several = pooled.loc[pooled["k"] > 1]
    assert (several["model"] == "bayes").all()
    assert several["coverage"].between(0.93, 1).all()
    assert pooled.loc[pooled["k"] == 1, "coverage"].isna().all()
    line = pooled.loc["os.first_relapse"]
    rows = mb.load("contrasts").set_index("row_id").reindex(line["row_ids"].split()).dropna(
        subset=["estimate"]
    )  # fmt: skip
    fit = mb.pool_contrasts(mb.hazard_ratios(rows["estimate"], rows["ci_low"], rows["ci_high"]))
    assert line["estimate"] == pytest.approx(fit.estimate, rel=1e-9)


def test_a_regulators_four_comparisons(tables: dict[str, pd.DataFrame]) -> None:
    line = tables["pooled"].set_index("key").loc["os.consolidation"]
    assert line["k"] == 4
    assert not line["main"]
    assert tables["pooled"].set_index("key").loc["event_free.children_any_line", "n"] == 2011


def test_every_randomised_comparison_has_absolute_effects(tables: dict[str, pd.DataFrame]) -> None:
    ratios = mb.load("trials").query("design == 'rct'")["trial_id"]
    shown = {k.split(".")[0] for k in tables["absolute"]["key"]}
    assert shown == {"tower", "e1910", "aall1331_hrir", "aall1331_lr", "locatelli2021", "aall1731"}
    assert shown <= set(ratios)


def test_printed_survival_is_shown_as_printed(tables: dict[str, pd.DataFrame]) -> None:
    known = mb.load("survival").dropna(subset=["survival"])
    rows = tables["absolute"].query("basis == 'printed'")
    assert len(rows) > 8
    for row in rows.to_dict(orient="records"):
        here = known.loc[
            known["row_id"].isin(row["row_ids"].split()) & (known["time_months"] == row["time"])
        ]
        both = {round(row[f"survival_{arm}"], 9) for arm in ("treatment", "control")}
        assert both <= set(here["survival"].round(9))


def test_points_numbers_needed_and_counts_are_one_difference(
    tables: dict[str, pd.DataFrame],
) -> None:
    for name in ("absolute", "absolute_pooled"):
        frame = tables[name]
        gain = frame["survival_treatment"] - frame["survival_control"]
        np.testing.assert_allclose(frame["points"], 100 * gain, atol=1e-9)
        np.testing.assert_allclose(frame["per_1000_difference"], -1000 * gain, atol=1e-9)
        np.testing.assert_allclose(frame["nnt"], 1 / gain.abs(), rtol=1e-9)
        crosses = (frame["points_low"] < 0) & (frame["points_high"] > 0)
        assert crosses.any()
        assert np.isinf(frame.loc[crosses, "nnt_high"]).all()
        assert frame.loc[crosses, "nnt_text"].str.contains("infinity").all()
        assert not frame.loc[~crosses, "nnt_text"].str.contains("infinity").any()


def test_a_pool_at_a_baseline_is_the_survival_to_the_power_of_the_ratio(
    tables: dict[str, pd.DataFrame],
) -> None:
    pooled = tables["pooled"].set_index("key")
    frame = tables["absolute_pooled"]
    pool = frame["key"].str.split(".").str[:2].str.join(".")
    ratio = pooled.loc[pool, "estimate"].to_numpy()
    np.testing.assert_allclose(
        frame["survival_treatment"], frame["survival_control"] ** ratio, rtol=1e-9
    )
    several = frame["k"] > 1
    assert frame.loc[several, "p_benefit"].between(0, 1).all()
    assert frame.loc[~several, "p_benefit"].isna().all()
    assert (frame.loc[~several, "note"] != "").all()


def test_arms_drawn_with_numbers_at_risk_meet_the_printed_survival(
    tables: dict[str, pd.DataFrame],
) -> None:
    rows = tables["absolute"].set_index("key")
    printed = mb.load("survival").query("trial_id == 'aall1731' and endpoint == 'dfs'")
    whole = printed.loc[printed["patient_set"].str.count("/") == 1]
    for arm, name in (("blinatumomab", "treatment"), ("chemotherapy", "control")):
        marks = whole.loc[whole["arm"] == arm].dropna(subset=["survival"])
        for row in marks.to_dict(orient="records"):
            key = f"aall1731.dfs.{row['time_months']:g}"
            assert rows.loc[key, f"survival_{name}"] == pytest.approx(row["survival"], abs=ROUNDED)
    assert rows["row_ids"].str.contains("risk-aall1731").any()
