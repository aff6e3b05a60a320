"""A warning points at the caller's line, however deep in the package its reason was found."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from metablin.errors import warn

TABLE = pd.DataFrame({
    "events": [3.0, 5.0, None], "n": [20, 20, 20], "hr": [0.5, 0.7, None], "low": [0.49, 0.5, 0.4],
    "high": [0.9, 1.0, 0.9], "time": [2.0, 4.0, None], "event": [1, 1, 0],
})  # fmt: skip


def old_argument() -> Any:
    return mb.logrank([1, 2, 3, 4], [1, 1, 1, 1], list("abab"), weights=(0, 1))


def old_attribute() -> Any:
    return mb.logrank([1, 2, 3, 4], [1, 1, 1, 1], list("abab")).weights


def old_module() -> Any:
    import metablin.meta.sequence as old

    return old


CALLS: dict[str, Callable[[], Any]] = {
    "proportions": lambda: mb.pool(mb.proportions([5, 5], "n", data=TABLE[:2])),
    "hazard_ratios": lambda: mb.hazard_ratios([0.5, 0.7], [0.49, 0.5], [0.9, 1.0]),
    "hazard_ratios by name": lambda: mb.hazard_ratios("hr", "low", "high", data=TABLE[:2]),
    "pool": lambda: mb.pool(mb.generic([0.1, 0.1, 0.1], [1.0, 2.0, 3.0])),
    "kaplan_meier": lambda: mb.kaplan_meier("time", "event", data=TABLE, missing="drop"),
    "kaplan_meier without names": lambda: mb.kaplan_meier(
        [2.0, None, 4.0], [1, 1, 0], missing="drop"
    ),
    "fit_parametric": lambda: mb.fit_parametric(
        [1.0, 2.0, 3.0, 4.0], [1] * 4, "weibull-mixture-cure"
    ),
    "an argument's old name": old_argument,
    "an attribute's old name": old_attribute,
    "a module's old name": old_module,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_warning_names_the_callers_line(name: str) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        CALLS[name]()
    assert said
    lines, first = inspect.getsourcelines(CALLS[name])
    for warning in said:
        assert warning.filename == __file__, warning.message
        assert first <= warning.lineno < first + len(lines)


def test_a_line_is_warned_about_once_and_another_again() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        for _ in range(3):
            warn("wide")
        warn("wide")
    assert len(said) == 2


def test_the_package_warns_in_one_way_only() -> None:
    package = Path(mb.__file__).parent
    others = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "warnings.warn(" in path.read_text(encoding="utf-8")
    ]
    assert others == []
