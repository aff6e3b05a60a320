"""The picture of one answer under other choices, and the words it lends to its title."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from metablin.plots.style import narrow

ROWS = pd.DataFrame(
    [
        ("Adults", "the answer", 0.40, 0.30, 0.50),
        ("Adults", "another model", 0.46, 0.20, 0.70),
        ("Alone", "one choice only", 0.90, 0.80, 0.95),
    ],
    columns=["group", "choice", "estimate", "conf_low", "conf_high"],
)


@pytest.fixture
def choices(module: Callable[[str], ModuleType]) -> ModuleType:
    return module("choices")


@pytest.mark.parametrize(
    ("ratio", "found", "most"),
    [
        (False, "Adults: 40%, other choices 40 to 46%", "6 points of a hundred"),
        (True, "Adults: 0.40, other choices 0.40 to 0.46", "a factor of 1.15"),
    ],
)
def test_the_title_says_how_far_a_choice_moves_the_answer(
    choices: ModuleType, ratio: bool, found: str, most: str
) -> None:
    assert choices.choices_figure(ROWS, ratio).values == {"found": found, "most": most}


def test_a_group_without_another_choice_is_not_drawn(choices: ModuleType) -> None:
    ax = choices.choices_figure(ROWS).figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["the answer", "another model"]
    words = [t.get_text() for t in ax.texts]
    assert words == ["Adults", "40% (30% to 50%)", "46% (20% to 70%)"]


def test_the_drawing_for_telephones_names_every_choice_above_its_line(choices: ModuleType) -> None:
    small = narrow(choices.choices_figure(ROWS).figure)
    words = [t.get_text() for t in small.axes[0].texts]
    assert {"the answer", "another model"} <= set(words)
    assert list(small.axes[0].get_yticks()) == []
