"""What counts as a difference between today's values and the expected ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metablin.pipeline.verify import DRAWN, MEANS, RELATIVE, _differences, verify
from tests.pipeline.test_runner import folder

__all__ = ["folder"]  # a fixture, found by its name


def differs(key: str, expected: float, computed: float) -> bool:
    return bool(_differences("a", {key: expected}, {key: computed}))


def test_computed_values_agree_to_a_millionth_and_drawn_means_to_half_a_percent() -> None:
    assert not differs("table/key/estimate", 1.0, 1.0 + 0.5e-6)
    assert differs("table/key/estimate", 1.0, 1.0 + 2e-6)
    drawn = f"table/{MEANS}/estimate"
    assert not differs(drawn, 1.0, 1.004)
    assert differs(drawn, 1.0, 1.006)
    assert (RELATIVE, DRAWN) == (1e-6, 5e-3)


def test_values_that_came_or_went_are_named() -> None:
    found = _differences("a", {"t/old/x": 1.0, "t/same/x": 2.0}, {"t/new/x": 3.0, "t/same/x": 2.0})
    assert [(row["result"], row["expected"], row["computed"]) for row in found] == [
        ("a/t/new/x", "absent", 3.0),
        ("a/t/old/x", 1.0, "absent"),
    ]


def test_a_value_that_nobody_expected_is_drift(folder: Path) -> None:
    (folder / "expected").mkdir()
    assert verify(folder, update=True).drift.empty
    path = folder / "expected" / "alpha.json"
    expected = json.loads(path.read_text())
    value = expected["count"]["all"].pop("estimate")
    path.write_text(json.dumps(expected))
    drift = verify(folder).drift
    assert drift["result"].tolist() == ["alpha/count/all/estimate"]
    assert drift["expected"].tolist() == ["absent"]
    assert drift["computed"].tolist() == pytest.approx([value])
