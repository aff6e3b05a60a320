"""Whatever the patients, the answer is a number, a stated absence, or an error by name."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metablin.errors import ConvergenceError, DataError, MetablinWarning
from metablin.survival import (
    analyse_trial,
    fit_parametric,
    max_combo,
    piecewise_hazard_ratio,
    proportional_hazards_test,
    rmst_curve,
    simon_makuch,
    smoothed_hazard,
    time_varying_hazard_ratio,
)

NAMED = (ConvergenceError, DataError, MetablinWarning)

CALLS = {
    "trial": lambda t, e, g: json.dumps(analyse_trial(t, e, g).to_dict(), allow_nan=False),
    "text": lambda t, e, g: analyse_trial(t, e, g).summary(),
    "max-combo": max_combo,
    "pieces": lambda t, e, g: piecewise_hazard_ratio(t, e, g, [3, 5]),
    "changing": lambda t, e, g: time_varying_hazard_ratio(t, e, g, knots=0),
    "proportional": proportional_hazards_test,
    "means": lambda t, e, g: rmst_curve(t, e, g).to_frame(),
    "smooth": lambda t, e, g: smoothed_hazard(t, e),
    "response": lambda t, e, g: simon_makuch(t, e, np.where(np.array(g) == 1, t / 2, np.nan)),
    "gamma": lambda t, e, g: fit_parametric(t + 0.5, e, "gengamma"),
    "cure": lambda t, e, g: fit_parametric(t + 0.5, e, "weibull-mixture-cure"),
    "spline": lambda t, e, g: fit_parametric(t + 0.5, e, "rp-odds-1"),
}

patients = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=20
)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=25, deadline=None)
@given(rows=patients)
def test_nothing_fails_without_a_name(name, rows):
    t, e, g = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert outcome(CALLS[name], t, e, g.astype(int)) > 0


def test_a_limit_beyond_the_largest_double_is_infinite():
    t, event = np.array([1.0, 1.0, 1.0, 2.0]), np.array([0, 0, 1, 0])
    response = np.array([np.nan, np.nan, np.nan, 1.0])
    row = simon_makuch(t, event, response).to_frame().iloc[0]
    assert row["conf_high"] == np.inf
    assert row["conf_low"] < row["estimate"]


def test_a_flat_likelihood_cannot_test_proportional_hazards():
    t, e, g = np.array([[0, 2, 0, 0, 1, 3], [0, 1, 0, 0, 1, 0], [0, 1, 1, 0, 1, 1]])
    with pytest.raises(ConvergenceError, match="too few informative event times"):
        proportional_hazards_test(t, e, g)


def test_a_limit_of_a_parameter_beyond_the_largest_double_is_infinite():
    t, e = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0]), np.array([0, 0, 1, 0, 1, 1])
    frame = fit_parametric(t + 0.5, e, "gengamma").to_frame()
    assert np.isinf(frame["conf_high"]).any()
    assert (frame["conf_low"] < frame["conf_high"]).all()


def outcome(call, *arguments):
    """Length of the answer: letters of a text or an error's message, rows or items of a record."""
    try:
        answer = call(*arguments)
    except NAMED as error:
        return len(str(error))
    if isinstance(answer, str | pd.DataFrame):
        return len(answer)
    return len(answer.to_frame() if hasattr(answer, "to_frame") else answer.to_dict())
