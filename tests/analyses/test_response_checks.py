"""What goes with response: comparisons that trials make themselves stay within the trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from metablin.datasets import load
from metablin.pipeline.registry import load_analysis

FOLDER = Path(__file__).parents[2] / "analyses"


def odds_ratios(rows) -> list[float]:
    """Odds of response with 50% blasts or more over those below, trial by trial."""
    out = []
    for _, trial in rows.groupby("trial_id"):
        high = trial["subgroup"].str.contains(">=")
        odds = [part["events"].sum() / (part["n"] - part["events"]).sum()
                for part in (trial[high], trial[~high])]  # fmt: skip
        out.append(odds[0] / odds[1])
    return out


def test_the_odds_ratio_of_blasts_is_pooled_from_those_within_trials() -> None:
    table = load_analysis(FOLDER, "response_checks").run().tables["moderators"].frame
    line = table.set_index("key").loc["blasts.blasts"]
    rows = load("proportions").set_index("row_id").loc[line["row_ids"].split()]
    found = odds_ratios(rows)
    assert line["k"] == len(found) == rows["trial_id"].nunique()
    assert min(found) < line["estimate"] < max(found)
    assert line["conf_low"] < min(found)  # two trials: what they share is less sure than either
    assert line["p_value"] == pytest.approx(line["moderator_p"])
