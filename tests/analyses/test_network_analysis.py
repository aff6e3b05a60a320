"""The network analysis on the evidence, against sums done by other means."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import metablin as mb
from metablin.datasets import load
from metablin.pipeline.registry import load_analysis
from metablin.pipeline.trace import evidence_rows
from metablin.report import Outcome

FOLDER = Path(__file__).parents[2] / "analyses"
EXACT = 1e-12
"""Closed forms of two studies: what is left is rounding."""
PAIRS = ("blinatumomab_v_inotuzumab", "blinatumomab_v_chemotherapy", "inotuzumab_v_chemotherapy")
CAR_T = ("autoleucel", "car_t")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return load_analysis(FOLDER, "network").run()


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame.set_index("key")


def row(table: str, row_id: str) -> pd.Series:
    rows = load(table, all_rows=True).set_index("row_id")
    return rows.loc[row_id]


def log_hazard(row_id: str) -> tuple[float, float]:
    """Log hazard ratio and its variance, from the interval at the level of its row."""
    r = row("contrasts", row_id)
    z = float(special.ndtri((1 + r["ci_level"]) / 2))
    se = (math.log(r["ci_high"]) - math.log(r["ci_low"])) / (2 * z)
    return math.log(r["estimate"]), se**2


def log_odds(table: str, treated: str, control: str) -> tuple[float, float]:
    """Log odds ratio and its variance, by hand."""
    cells = []
    for r in (row(table, treated), row(table, control)):
        cells += [float(r["events"]), float(r["n"] - r["events"])]
    a, b, c, d = cells
    return math.log(a * d / (b * c)), sum(1 / x for x in cells)


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [
        ("os", log_hazard("cont-tower-001"), log_hazard("cont-ino_vate-001")),
        ("event_free", log_hazard("cont-tower-002"), log_hazard("cont-ino_vate-002")),
        (
            "response",
            log_odds("proportions", "prop-tower-006", "prop-tower-008"),
            log_odds("proportions", "prop-ino_vate-005", "prop-ino_vate-006"),
        ),
        (
            "serious",
            log_odds("safety", "safe-tower-005", "safe-tower-006"),
            log_odds("safety", "safe-ino_vate-005", "safe-ino_vate-008"),
        ),
    ],
)
def test_indirect_ratios_are_those_of_bucher(
    outcome: Outcome, key: str, first: tuple[float, float], second: tuple[float, float]
) -> None:
    line = frame(outcome, "answers").loc[f"{key}.{PAIRS[0]}"]
    y, se = first[0] - second[0], math.sqrt(first[1] + second[1])
    z = float(special.ndtri(0.975))
    want = np.exp([y, y - z * se, y + z * se])
    got = line[["estimate", "conf_low", "conf_high"]].to_numpy(float)
    np.testing.assert_allclose(got, want, rtol=EXACT)
    assert line["evidence"] == "indirect"


def test_an_interval_of_another_level_is_read_at_that_level(outcome: Outcome) -> None:
    printed = row("contrasts", "cont-ino_vate-001")
    assert printed["ci_level"] > 0.95
    line = frame(outcome, "answers").loc[f"os.{PAIRS[2]}"]
    ours = math.log(line["conf_high"] / line["conf_low"])
    theirs = math.log(printed["ci_high"] / printed["ci_low"])
    ratio = special.ndtri(0.975) / special.ndtri((1 + printed["ci_level"]) / 2)
    assert ours / theirs == pytest.approx(ratio, rel=EXACT)


def test_mrd_response_is_counted_among_all_who_were_randomised(outcome: Outcome) -> None:
    inputs = frame(outcome, "inputs")
    for key in ("prop-tower-010+prop-tower-006", "prop-ino_vate-004+prop-ino_vate-002"):
        responders, whole = key.split("+")
        assert inputs.loc[key, "events"] == row("proportions", responders)["events"]
        assert inputs.loc[key, "n"] == row("proportions", whole)["n"]
        assert row("proportions", responders)["n"] == row("proportions", whole)["events"]


def test_every_row_named_is_evidence(outcome: Outcome) -> None:
    named = {i for t in outcome.tables.values() for ids in t.frame["row_ids"] for i in ids.split()}
    assert all((t.frame["row_ids"] != "").all() for t in outcome.tables.values())
    found = evidence_rows(sorted(named))
    assert named <= set(found["row_id"])


def test_a_direct_comparison_names_one_trial_and_an_indirect_one_both(outcome: Outcome) -> None:
    for key, line in frame(outcome, "answers").iterrows():
        count = len(line["trials"].split(", "))
        assert count == (2 if line["evidence"] == "indirect" else 1), key


def test_no_headline_rests_on_a_bridge(outcome: Outcome) -> None:
    assert outcome.headlines
    for line in outcome.headlines:
        assert line.table == "answers"
        assert not any(name in line.key for name in CAR_T)
    assert not any(name in k for k in frame(outcome, "answers").index for name in CAR_T)


def test_a_bridge_changes_nothing_that_was_randomised(outcome: Outcome) -> None:
    table = frame(outcome, "bridged")
    same = table.loc[table["grade"] == "randomised"]
    assert len(same)
    for suffix, name in (("", "estimate"), ("_low", "conf_low"), ("_high", "conf_high")):
        np.testing.assert_allclose(same[name], same[f"without{suffix}"], rtol=1e-9)
    over = table.loc[table["grade"] == "bridged"]
    assert over["without"].isna().all()
    assert all(any(name in k for name in CAR_T) for k in over.index)


def test_the_bridge_is_wider_than_the_interval_it_was_printed_with(outcome: Outcome) -> None:
    line = frame(outcome, "bridged").loc["os.brexucabtagene_autoleucel_v_blinatumomab"]
    theirs = load("syntheses").set_index("synthesis_id").loc["shah2023.os_v_blina"]
    assert line["estimate"] == pytest.approx(theirs["estimate"], rel=1e-9)
    assert line["conf_low"] < theirs["ci_low"]
    assert line["conf_high"] > theirs["ci_high"]


def test_published_comparisons_stand_as_printed_with_a_reason(outcome: Outcome) -> None:
    table = frame(outcome, "published")
    assert {"nma", "maic", "matched"} == set(table["design"])
    assert (table["reason"] != "").all()
    for name in ("Proskorovsky 2019", "Song 2019", "Shah 2023"):
        assert (table["source"] == name).any(), name
    own = table.loc[table["grade"] == "randomised"]
    assert own["ours"].notna().all()
    mirrored = frame(outcome, "answers").loc[f"response.{PAIRS[0]}", "estimate"]
    ours = table.loc["proskorovsky2019.remission", "ours"]
    assert ours * mirrored == pytest.approx(1.0, rel=EXACT)


def test_a_spread_between_trials_widens_and_moves_nothing(outcome: Outcome) -> None:
    table = frame(outcome, "between")
    for _, part in table.groupby("outcome"):
        width = np.log(part["conf_high"] / part["conf_low"]).to_numpy()
        assert (np.diff(width) > 0).all()
        np.testing.assert_allclose(part["estimate"], part["estimate"].iloc[0], rtol=1e-9)


def test_first_relapse_agrees_with_the_randomised_pools(
    outcome: Outcome, written: Callable[[str], Outcome]
) -> None:
    frame_ = frame(written("randomised"), "pooled")
    ours = frame(outcome, "first_relapse")
    for key in ("os", "event_free"):
        for column in ("estimate", "conf_low", "conf_high"):
            want = frame_.loc[f"{key}.first_relapse", column]
            assert ours.loc[key, column] == pytest.approx(want, rel=1e-9)


def test_a_network_of_two_treatments_is_a_pool(outcome: Outcome) -> None:
    parts = [log_hazard(i) for i in frame(outcome, "first_relapse").loc["os", "row_ids"].split()]
    fit = mb.pool(mb.generic([y for y, _ in parts], [v for _, v in parts]), tau2="REML", ci="z")
    network = frame(outcome, "first_relapse").loc["os"]
    assert network["network"] == pytest.approx(math.exp(fit.estimate), rel=1e-9)


def test_the_chemotherapy_arms_are_set_side_by_side(outcome: Outcome) -> None:
    line = frame(outcome, "differences").loc["response"]
    for trial, row_id in (("tower", "prop-tower-008"), ("ino_vate", "prop-ino_vate-006")):
        r = row("proportions", row_id)
        assert line[trial].startswith(f"{r['events']:.0f} of {r['n']:.0f}")
        assert row_id in line["row_ids"].split()


def test_every_indirect_answer_says_how_certain_it_is(outcome: Outcome) -> None:
    table, answers = frame(outcome, "certainty"), frame(outcome, "answers")
    indirect = answers.loc[answers["evidence"] == "indirect"]
    assert [f"{key}.{PAIRS[0]}" for key in table.index] == indirect.index.tolist()
    assert table["estimate"].to_numpy() == pytest.approx(indirect["estimate"].to_numpy(), rel=EXACT)
    # TOWER is judged high for survival, and every one of these is a detour
    assert table["lowered"].str.startswith("risk of bias, indirectness").all()
    assert (table["level"] <= 2).all()
    assert (table["not_judged"] == "INO-VATE").all()
