"""The committed simulations: what the captions and notes say of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from metablin.pipeline import load_analysis

FOLDER = Path(__file__).parents[2] / "analyses"

ERRORS = 3.0
"""Monte-Carlo standard errors a share may lie from its nominal value."""


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    found = load_analysis(FOLDER, "simulation").run()
    return {name: table.frame for name, table in found.tables.items()}


def test_every_test_holds_its_level(tables: dict[str, pd.DataFrame]) -> None:
    part = tables["survival_tests"].query("scenario == 'none'")
    assert len(part) == 3
    assert ((part["rejected"] - 0.05).abs() < ERRORS * part["rejected_se"]).all()


def test_max_combo_keeps_power_where_hazards_are_not_proportional(
    tables: dict[str, pd.DataFrame],
) -> None:
    power = tables["survival_tests"].pivot(index="scenario", columns="test", values="rejected")
    for scenario in ("delayed", "crossing"):
        assert power.loc[scenario, "max-combo"] == power.loc[scenario].max()
    loss = power.loc["proportional", "log-rank"] - power.loc["proportional", "max-combo"]
    assert 0 < loss < 0.05


def test_profile_intervals_of_a_cured_share_hold_their_level(
    tables: dict[str, pd.DataFrame],
) -> None:
    part = tables["cure"].query("interval == 'profile'")
    assert len(part) == 12
    assert ((part["coverage"] - 0.95).abs() < ERRORS * part["coverage_se"]).all()
    wald = tables["cure"].query("interval == 'wald' and followup == 'short' and cured == 0.1")
    assert (wald["coverage"] + ERRORS * wald["coverage_se"] < 0.95).any()
    assert (tables["cure"]["no_answer"] == 0).all()


def test_distribution_free_bands_hold_their_level(tables: dict[str, pd.DataFrame]) -> None:
    part = tables["bands"].query("method == 'combescure'")
    assert sorted(part["k"].unique()) == [5, 10, 20]
    for name in ("coverage", "new_trial"):
        assert (part[name] + ERRORS * part[f"{name}_se"] > 0.95).all(), name
    # A bias of half a point of survival, and a median within 2% of the true one.
    assert (part["bias"].abs() < 0.6).all()
    assert (part["median_months"] / part["true_median"] - 1).abs().max() < 0.02
