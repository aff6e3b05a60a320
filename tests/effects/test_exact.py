import numpy as np
import pytest
from scipy import stats

from metablin.effects import exact_intervals
from metablin.errors import DataError


def test_clopper_pearson_limits_are_quantiles_of_beta() -> None:
    found = exact_intervals([0, 7, 20], [20, 20, 20], level=0.9, studies=["A", "B", "C"])
    assert found["conf_low"][1] == pytest.approx(stats.beta.ppf(0.05, 7, 14), rel=1e-12)
    assert found["conf_high"][1] == pytest.approx(stats.beta.ppf(0.95, 8, 13), rel=1e-12)
    assert found["conf_low"][0] == 0
    assert found["conf_high"][2] == 1


def test_wilson_limits_solve_the_score_equation() -> None:
    found = exact_intervals([7], [20], "wilson")
    for limit in (found["conf_low"][0], found["conf_high"][0]):
        z = (7 / 20 - limit) / np.sqrt(limit * (1 - limit) / 20)
        assert abs(z) == pytest.approx(1.959963984540054, rel=1e-12)


def test_agresti_coull_is_centred_where_wilson_is() -> None:
    wilson, agresti = (exact_intervals([7], [20], m) for m in ("wilson", "agresti-coull"))
    middles = [(f["conf_low"] + f["conf_high"])[0] / 2 for f in (wilson, agresti)]
    assert middles[0] == pytest.approx(middles[1], rel=1e-12)
    assert agresti["conf_low"][0] < wilson["conf_low"][0]


def test_an_unknown_interval_lists_the_known() -> None:
    with pytest.raises(DataError, match=r"clopper-pearson \| wilson \| agresti"):
        exact_intervals([1], [2], "jeffreys")
