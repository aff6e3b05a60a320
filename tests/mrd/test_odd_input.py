"""What a statistician may hand in by mistake: one clear line that names row, column and value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metablin import mrd
from tests.odd_input import one_clear_line

NAN = float("nan")
COHORTS = pd.DataFrame({"study": ["A", "B"], "events": [1, 2], "n": [5, 6],
                        "population": "p", "denominator": "treated"})  # fmt: skip
LINE: tuple[Any, ...] = ([0, 1, 2, 3], [0.1] * 4, [0, -1, -1, -2], [0.1] * 4)


def printed(**values: Any) -> Any:
    """Return what a table makes of a sound row and then of these values."""
    rows = pd.DataFrame([{"study": "A", "hr": 0.5, "hr_low": 0.3, "hr_high": 0.833},
                         {"study": "B", **values}])  # fmt: skip
    return mrd.responder_hazard_ratios(rows)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "a mapping for a table": (lambda: mrd.response_rates({"a": 1}), "value dict: not a table"),  # type: ignore[arg-type]
    "a missing denominator": (
        lambda: mrd.response_rates(COHORTS.assign(denominator=["treated", None])),
        "row 2, column 'denominator', value missing",
    ),
    "a missing population": (
        lambda: mrd.response_rates(COHORTS.assign(population=[None, "p"])),
        "row 1, column 'population', value missing",
    ),
    "a cohort twice": (lambda: mrd.response_rates(COHORTS.assign(study="A")), "cohort twice"),
    "nothing to pool by": (lambda: mrd.response_rates(COHORTS, by=[]), "at least one column"),
    "rates for counts": (
        lambda: mrd.response_rates(COHORTS.assign(events=[0.2, 0.4])), "value 0.2.*whole number",
    ),
    "more responders than patients": (
        lambda: mrd.response_rates(COHORTS.assign(events=[1, 7])), r"row 2 \(B\).*value 7",
    ),
    "limits the wrong way round": (
        lambda: printed(hr=0.5, hr_low=0.9, hr_high=0.3), r"row 2 \(B\), column 'hr_low'",
    ),
    "a negative ratio": (lambda: printed(hr=-0.5, hr_low=0.3, hr_high=0.9), "row 2 .*'hr'"),
    "a level in percent": (
        lambda: printed(hr=0.5, hr_low=0.3, hr_high=0.833, hr_level=95), "'hr_level', value 95",
    ),
    "a p-value in percent": (
        lambda: printed(p_value=5, events_responders=3, events_nonresponders=4),
        r"row 2 \(B\), column 'p_value', value 5",
    ),
    "a group without events": (
        lambda: printed(p_value=0.05, events_responders=0, events_nonresponders=4),
        r"row 2 \(B\), column 'events_responders', value 0",
    ),
    "more events than responders": (
        lambda: printed(p_value=0.05, events_responders=30, events_nonresponders=4,
                        n_responders=10),
        "column 'events_responders', value 30.*at most n_responders = 10",
    ),
    "a median of zero": (
        lambda: printed(p_value=0.05, median_responders=0, median_nonresponders=4),
        r"row 2 \(B\), column 'median_responders', value 0",
    ),
    "a ratio with its interval in one cell": (
        lambda: printed(hr="0.5 (0.3-0.9)"), r"row 2, column 'hr', value '0.5 \(0.3-0.9\)'",
    ),
    "a row without a study": (
        lambda: mrd.responder_hazard_ratios(pd.DataFrame({"study": ["A", None]})),
        "row 2, column 'study', value missing",
    ),
    "two arrays for three": (lambda: mrd.hr_from_patients([([1, 2], [1, 1])]), "row 1.*2 arrays"),  # type: ignore[list-item]
    "an unknown response": (
        lambda: mrd.hr_from_patients([([1, 2, 3], [1, 1, 1], [1, NAN, 0])]),
        "row 2, column 'responder', value missing",
    ),
    "a landmark nobody uses": (
        lambda: mrd.compare_groups_after_baseline([3, 5], [1, 1], [None, 2], landmark=1),
        "only a landmark comparison",
    ),
    "a share in percent": (lambda: mrd.mixture_bounds([0.5], 60), "column 'share', value 60"),
    "survival in percent": (lambda: mrd.mixture_bounds([50], 0.6), "column 'overall', value 50"),
    "a window beyond follow-up": (
        lambda: mrd.immortal_time_bounds(0.5, 0.05, 200, 24, 0.6), "column 'window', value 200",
    ),
    "an unknown setting": (
        lambda: mrd.simulate_immortal_time([1], [1], n=50, simulations=2, foo=2), "'foo'",
    ),
    "a share of responders above one": (
        lambda: mrd.simulate_immortal_time([1], [1], n=50, simulations=2, response=2),
        "column 'response', value 2",
    ),
    "half a patient": (
        lambda: mrd.simulate_immortal_time([1], [1], n=50.5, simulations=2), "value 50.5",  # type: ignore[arg-type]
    ),
    "no patients": (
        lambda: mrd.simulate_cohort(0, true_hr=1, window=1, rng=np.random.default_rng(1)),
        "column 'n', value 0",
    ),
    "a missing effect": (lambda: mrd.surrogacy([0, NAN, 2, 3], *LINE[1:]), "row 2, column 'x'"),
    "a variance of zero": (
        lambda: mrd.surrogacy(LINE[0], [0.1, 0, 0.1, 0.1], *LINE[2:]), "row 2, column 'vx'",
    ),
    "one trial": (lambda: mrd.surrogacy([1], [0.1], [1], [0.1]), "value 1: too few trials"),
    "a trial twice": (lambda: mrd.surrogacy(*LINE, studies=list("abba")), "row 3.*one trial twice"),
    "too few labels": (lambda: mrd.surrogacy(*LINE, studies=["a"]), "1 labels for 4 rows"),
    "too few draws": (lambda: mrd.surrogacy(*LINE, draws=0), "column 'draws', value 0"),
    "a negative seed": (lambda: mrd.surrogacy(*LINE, seed=-1), "column 'seed', value -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BAD))
def test_mistakes_get_one_clear_line(case: str) -> None:
    one_clear_line(*BAD[case])


def test_an_empty_timing_is_not_stated_and_flagged() -> None:
    rows = pd.DataFrame({"study": ["A"], "hr": [0.5], "hr_low": [0.3], "hr_high": [0.833],
                         "timing": [np.nan]})  # fmt: skip
    found = mrd.responder_hazard_ratios(rows).to_frame().iloc[0]
    assert found["timing"] == "not stated"
    assert found["immortal_time"]


def test_one_column_may_be_named_by_a_plain_word() -> None:
    assert mrd.response_rates(COHORTS, by="population").to_frame()["k"].tolist() == [2]
