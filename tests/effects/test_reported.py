import math
import re

import numpy as np
import pytest

from metablin.effects import hazard_ratios, hazard_ratios_reported
from metablin.errors import DataError, MetablinWarning

Z975 = 1.959963984540054
PRINTED = 0.005
"""Half a unit in the second printed decimal."""


def one(**figures: object) -> tuple[float, float, float]:
    e = hazard_ratios_reported({name: [value] for name, value in figures.items()})
    return float(e.yi[0]), float(e.vi[0]), float(e.counts["method"][0])


def test_the_bladder_cancer_trial_is_recovered_from_its_p_value_and_deaths() -> None:
    # International Collaboration of Trialists 1999 (Lancet 354:533): 485 deaths, log-rank
    # p = 0.075, medians 44 and 37.5 months; the worked example of Tierney 2007, where z = 1.78 and
    # the hazard ratio is 0.85 with limits 0.71 and 1.02.
    y, v, method = one(p_value=0.075, events=485, favours="treatment")
    assert method == 6
    assert -y / math.sqrt(v) == pytest.approx(1.78, abs=PRINTED)
    assert math.exp(y) == pytest.approx(0.85, abs=PRINTED)
    assert math.exp(y - Z975 * math.sqrt(v)) == pytest.approx(0.71, abs=PRINTED)
    assert math.exp(y + Z975 * math.sqrt(v)) == pytest.approx(1.02, abs=PRINTED)


def test_the_bladder_cancer_trial_is_near_its_ratio_of_medians() -> None:
    y, v, method = one(
        median_treatment=44, median_control=37.5, events_treatment=230, events_control=255
    )
    assert method == 7
    assert math.exp(y) == pytest.approx(0.85, abs=PRINTED)
    assert v == pytest.approx(1 / 230 + 1 / 255, rel=1e-14)


def test_the_curve_method_example_of_tierney_follows_from_its_o_minus_e() -> None:
    # Tierney 2007: hazard ratio 0.88 with V = 128.81 gives limits 0.74 and 1.05.
    y, v, method = one(observed_minus_expected=math.log(0.88) * 128.81, variance=128.81)
    assert method == 1
    assert math.exp(y) == pytest.approx(0.88, abs=1e-12)
    assert math.exp(y - Z975 * math.sqrt(v)) == pytest.approx(0.74, abs=PRINTED)
    assert math.exp(y + Z975 * math.sqrt(v)) == pytest.approx(1.05, abs=PRINTED)


def test_all_roads_lead_to_the_same_log_rank_estimate() -> None:
    d1, d2, z = 60.0, 90.0, -2.1
    v = d1 * d2 / (d1 + d2)
    y, p = z / math.sqrt(v), math.erfc(-z / math.sqrt(2))
    hr = math.exp(y)
    low, high = (math.exp(y + s * Z975 / math.sqrt(v)) for s in (-1, 1))
    groups = {"events_treatment": d1, "events_control": d2}
    roads = [
        one(observed_minus_expected=z * math.sqrt(v), variance=v),
        one(hr=hr, low=low, high=high),
        one(hr=hr, low=low),
        one(hr=hr, high=high),
        one(hr=hr, low=low, high=high, level=0.975, sides=1),
        one(hr=hr, p_value=p),
        one(hr=hr, p_value=p / 2, sides=1),
        one(hr=hr, **groups),
        one(p_value=p, favours="treatment", **groups),
        one(p_value=p / 2, sides=1, favours="Treatment", **groups),
        one(p_value=p, favours="treatment", events=d1 + d2, allocation=d1 / d2),
    ]
    for found in roads:
        assert found[0] == pytest.approx(y, rel=1e-12)
        assert found[1] == pytest.approx(1 / v, rel=1e-12)
    assert [r[2] for r in roads] == [1, 2, 2, 2, 2, 3, 3, 4, 5, 5, 6]


def test_a_one_sided_p_above_one_half_turns_the_sign() -> None:
    y, _, _ = one(p_value=0.9, sides=1, events=100, favours="treatment")
    assert y > 0


def test_rows_may_print_different_things_and_approximations_are_marked() -> None:
    e = hazard_ratios_reported(
        {
            "study": ["A", "B"],
            "hr": [0.7, None],
            "low": [0.5, None],
            "high": [0.98, None],
            "p_value": [None, 0.03],
            "events": [None, 80],
            "favours": ["", "control"],
        }
    )
    plain = hazard_ratios([0.7], [0.5], [0.98])
    assert e.yi[0] == pytest.approx(plain.yi[0], rel=1e-14)
    assert e.vi[0] == pytest.approx(plain.vi[0], rel=1e-14)
    assert e.counts["approximate"].tolist() == [0, 1]
    assert e.yi[1] > 0
    assert np.isfinite(e.limits()[1]).all()


def test_a_lopsided_interval_is_named_with_its_row() -> None:
    with pytest.warns(MetablinWarning, match=r"row 2 \(B\)"):
        hazard_ratios_reported(
            {"study": ["A", "B"], "hr": [0.7, 0.9], "low": [0.5, 0.5], "high": [0.98, 1.1]}
        )


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"hr": 0.7}, "row 1 (study 1): these figures give no hazard ratio"),
        ({"p_value": 0.03, "events": 80}, "these figures give no hazard ratio"),
        ({"hr": 0.7, "p_value": "<0.001"}, "column 'p_value', value <0.001"),
        ({"hr": 0.7, "p_value": 0.0}, "greater than 0 and less than 1"),
        ({"hr": 1.0, "p_value": 0.9}, "gives no variance"),
        ({"hr": 0.7, "low": 0.8, "high": 0.9}, "column 'low', value 0.8"),
        ({"hr": 0.7, "high": 0.6}, "column 'high', value 0.6"),
        ({"hr": -0.7, "low": 0.8}, "column 'hr', value -0.7"),
        ({"hr": 0.7, "low": 0.5, "level": 0.5, "sides": 1}, "above 0.5 when one-sided"),
        ({"hr": 0.7, "low": 0.5, "sides": 3}, "allowed: 1 or 2"),
        ({"p_value": 0.03, "events": 80, "favours": "placebo"}, "treatment | control"),
        ({"hr": 0.7, "ci": "0.5-0.9"}, "column 'ci': unknown column"),
        ({"observed_minus_expected": -3, "variance": 0}, "column 'variance', value 0"),
    ],
)
def test_figures_that_do_not_suffice_are_named(figures: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        one(**figures)
