from __future__ import annotations

import numpy as np
import pytest

from metablin import DataError
from metablin.reconstruct import reconstruct_km

T = [0.0, 3.0, 6.0, 9.0, 12.0]
S = [1.0, 0.9, 0.7, 0.6, 0.5]


def bad(**changes):
    arguments = {"time": T, "survival": S, "n": 20, **changes}
    with pytest.raises(DataError) as caught:
        reconstruct_km(arguments.pop("time"), arguments.pop("survival"), **arguments)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "row", "column", "words"),
    [
        ({"time": [0, 6, 3, 9, 12]}, 2, "survival", "rises"),  # in order of time
        (
            {"time": [0, 6, 12, 0, 6, 12], "survival": [1, 0.8, 0.5, 1, 0.7, 0.4]},
            4,
            "time",
            "start again",
        ),
        ({"time": [-2, 3, 6, 9, 12]}, 1, "time", "negative time"),
        ({"time": [0, 3, float("nan"), 9, 12]}, 3, "time", "finite"),
        ({"time": [0, 3, "six", 9, 12]}, 3, "time", "not a number"),
        ({"survival": [1, 0.9, 1.3, 0.6, 0.5]}, 3, "survival", "percent=True"),
        ({"survival": [100, 90, 70, 60, 50]}, 1, "survival", "percent=True"),
        ({"survival": [1, 0.9, -0.2, 0.6, 0.5]}, 3, "survival", "range"),
        ({"survival": [1, 0.9, float("nan"), 0.6, 0.5]}, 3, "survival", "finite"),
        ({"survival": [1, 0.9, 0.7, 0.9, 0.5]}, 4, "survival", "rises"),
        ({"survival": S, "percent": True}, 1, "survival", "never exceeds 1"),
        ({"at_risk": ([0, 6], [20, 25])}, 2, "n_at_risk", "increase"),
        ({"at_risk": ([0, 4, 8], [20, 12, 14])}, 3, "n_at_risk", "increase"),
        ({"at_risk": ([6], [25])}, 1, "n_at_risk", "more at risk than patients"),
        ({"at_risk": ([0, 6], [15, 12])}, 1, "n_at_risk", "everyone"),
        ({"at_risk": ([0, 6, 4], [20, 12, 10])}, 3, "time", "increase"),
        ({"at_risk": ([0, 6], [20, 12.5])}, 2, "n_at_risk", "whole"),
        ({"at_risk": ([0, 6], [20, -1])}, 2, "n_at_risk", "negative"),
        ({"at_risk": ([0, 180], [20, 8])}, 2, "time", "units"),
        ({"at_risk": ([0, 0.5, 1.0], [20, 19, 18])}, 3, "time", "units"),
        ({"at_risk": ([0, 9], [20, 19])}, 2, "n_at_risk", "leaves alive"),
        ({"events": 21}, None, "events", "more events than patients"),
        ({"events": 19}, None, "events", "ends at"),
        ({"events": 0}, None, "events", "ends at"),
        ({"events": 2.5}, None, "events", "whole"),
        ({"events": -1}, None, "events", "at least 0"),
        ({"n": 0}, None, "n", "at least 1"),
        ({"time": [0.0], "survival": [1.0]}, None, "time", "1 click is no curve"),
        ({"time": [], "survival": []}, None, "time", "0 clicks"),
        ({"time": [0, 0, 0, 0, 0]}, 1, "time", "after zero"),
        ({"survival": S[:4]}, None, "survival", "4 values"),
        ({"n": 10**400}, None, "n", "too many patients"),
        ({"n": "many"}, None, "n", "whole number"),
        ({"at_risk": ([0.0, 3.0],)}, None, "at_risk", "not a table"),
        ({"at_risk": ([0, 6], [10**9, 12]), "n": None}, 1, "n_at_risk", "too many patients"),
        ({"at_risk": ([0, 6], [20])}, None, "n_at_risk", "1 values beside 2"),
        ({"clicks": "dots"}, None, "clicks", "drops"),
        ({"noise": "none"}, None, "noise", "standard deviation"),
        ({"noise": -0.1}, None, "noise", "standard deviation"),
        ({"noise": True}, None, "noise", "standard deviation"),
        ({"draws": -1}, None, "draws", "not a number of draws; allowed: at least 0"),
        ({"draws": 2.5}, None, "draws", "not a number of draws"),
        ({"printed": {"mean": 3}}, None, "printed", "unknown"),
        ({"censor_times": [40.0]}, 1, "censor_times", "at most"),
    ],
)
def test_each_mistake_is_one_clear_error_with_its_place(changes, row, column, words):
    error = bad(**changes)
    assert error.column == column
    assert error.row == row
    assert words in str(error)
    assert "\n" not in str(error)


def test_the_label_of_the_arm_is_in_the_message():
    with pytest.raises(DataError, match="placebo"):
        reconstruct_km([0, 1], [1, 5], label="placebo")


def test_more_events_than_the_first_number_at_risk_is_an_error():
    with pytest.raises(DataError, match="more events"):
        reconstruct_km(T, S, at_risk=([0, 6], [20, 12]), events=25)


def test_reading_noise_is_not_a_mistake():
    x = np.array([0.0, 3.0, 2.95, 6.0, 9.0, 12.0])
    y = np.array([1.004, 0.9, 0.905, 0.7, 0.703, 0.5])
    r = reconstruct_km(x, y, n=20)
    assert r.time.size == 20
    assert r.quality.rmse < 0.03
