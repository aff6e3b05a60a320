"""Numbers for sentences: one format, and a failure wherever a key leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from metablin import DataError
from metablin.report import Column, Outcome, Table, save
from metablin.report.inline import Inline

NAMES = ("key", "k", "estimate", "conf_low", "conf_high", "pred_low", "pred_high", "conf_level")
ROWS = (
    ("os.all", 5, 0.5885, 0.4211, 0.8224, 0.3526, 0.9824, 0.95),
    ("single", 1, 0.71, None, None, None, None, 0.9),
    ("wide", 3, 0.5, 0.25, 1, 0.1, 2, 0.9),
)
COLUMNS = (
    Column("k", "Studies", "count"),
    Column("estimate", "Hazard ratio", "ratio", low="conf_low", high="conf_high"),
    Column("pred_low", "Prediction interval", "ratio", "range", high="pred_high"),
)


@pytest.fixture
def inline(tmp_path: Path) -> Inline:
    pooled = Table(pd.DataFrame(ROWS, columns=NAMES), COLUMNS, "Pooled")
    save({"name": "randomised", "order": 1}, Outcome({"pooled": pooled}), tmp_path)
    return Inline(tmp_path)


def test_an_estimate_carries_its_interval_and_level(inline: Inline) -> None:
    assert inline.estimate("randomised/pooled/os.all") == "0.59 (95% CI 0.42 to 0.82)"
    assert inline.estimate("randomised/pooled/wide") == "0.50 (90% CI 0.25 to 1.00)"


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.40, 0.50, "45% (95% CI 40% to 50%)"), (0.44, 0.46, "44.8% (95% CI 44.0% to 46.0%)")],
)
def test_percentages_are_as_fine_as_their_interval(
    tmp_path: Path, low: float, high: float, said: str
) -> None:
    frame = pd.DataFrame(
        {"key": ["all"], "estimate": [0.448], "conf_low": [low], "conf_high": [high]}
    )
    column = Column("estimate", "Response", "proportion", low="conf_low", high="conf_high")
    save({"name": "response", "order": 1}, Outcome({"p": Table(frame, (column,), "P")}), tmp_path)
    assert Inline(tmp_path).estimate("response/p/all") == said


def test_prediction_and_value(inline: Inline) -> None:
    assert inline.prediction("randomised/pooled/os.all") == "0.35 to 0.98"
    assert inline.text("randomised/pooled/os.all/k") == "5"


@pytest.mark.parametrize(
    ("call", "key", "parts"),
    [
        ("estimate", "survival/pooled/os.all", ["survival/pooled", "no such result table"]),
        ("estimate", "randomised/pooled/os.al", ["os.al", "os.all"]),
        ("estimate", "randomised/pooled/single", ["conf_low", "empty"]),
        ("prediction", "randomised/pooled/single", ["pred_low", "empty"]),
        ("text", "randomised/pooled/os.all/kk", ["'kk'", "no such column"]),
        ("text", "os.all", ["no such result table"]),
    ],
)
def test_a_key_that_leads_nowhere_fails(
    inline: Inline, call: str, key: str, parts: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        getattr(inline, call)(key)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("randomised", True),
        ("survival", False),
        ("randomised/pooled", True),
        ("randomised/curves", False),
        ("randomised/pooled/os.all", True),
        ("randomised/pooled/os.none", False),
    ],
)
def test_has_tells_what_is_there(inline: Inline, path: str, there: bool) -> None:
    assert inline.has(path) is there
