"""Figures look as they did when somebody last looked at them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.plots import baselines

TOLERANCE = 1.0
"""Root mean square over all pixels, of 255. Agg and the fonts come with matplotlib, so the same
version draws the same picture; a step of one grey level at edges is left for other processors.
A marker moved by its own width is twice as far (see the last test)."""


@pytest.mark.parametrize("name", baselines.PICTURES)
def test_a_figure_looks_as_before(name: str) -> None:
    before = baselines.BASELINE / f"{name}.png"
    assert before.is_file(), "a figure without a baseline: python -m tests.plots.baselines"
    assert baselines.distance(baselines.draw(name), baselines.pixels(before)) <= TOLERANCE


def test_every_baseline_belongs_to_a_figure() -> None:
    assert {p.stem for p in baselines.BASELINE.glob("*.png")} == set(baselines.PICTURES)


def test_the_same_figure_drawn_twice_is_the_same_file() -> None:
    assert baselines.draw_bytes("km") == baselines.draw_bytes("km")


@pytest.mark.parametrize(
    ("name", "column", "row", "shift"),
    [("forest", "estimate", 2, 1.5), ("km", "survival", 20, 0.5), ("funnel", "effect", 0, 1.5)],
)
def test_a_value_that_moves_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, column: str, row: int, shift: float
) -> None:
    moved = baselines.frame(name)
    moved.loc[moved.index[row], column] *= shift
    read = baselines.frame
    monkeypatch.setattr(baselines, "frame", lambda n: moved if n == name else read(n))
    now = baselines.pixels(baselines.BASELINE / f"{name}.png")
    assert baselines.distance(baselines.draw(name), now) > TOLERANCE


def test_pictures_of_other_sizes_are_not_alike() -> None:
    assert baselines.distance(np.zeros((2, 2, 3)), np.zeros((2, 3, 3))) == float("inf")
