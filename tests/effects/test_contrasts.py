import numpy as np
import pytest

from metablin.effects import generic, hazard_ratios
from metablin.errors import DataError, MetablinWarning
from tests.reference import pinned, table


def test_log_hazard_ratios_are_those_of_the_interval() -> None:
    d = table("log_hr")
    e = hazard_ratios(d["estimate"], d["conf_low"], d["conf_high"], studies=d["study"])
    want = pinned("metafor_grid")["grid"]["log_hr"]
    np.testing.assert_allclose(e.yi, want["yi"], rtol=1e-13)
    np.testing.assert_allclose(e.vi, want["vi"], rtol=1e-13)


def test_each_study_may_have_its_own_level() -> None:
    e = hazard_ratios([0.75, 0.75], [0.57, 0.57], [0.99, 0.99], level=[0.95, 0.975])
    assert e.vi[0] / e.vi[1] == pytest.approx((2.2414027 / 1.959964) ** 2, rel=1e-6)


def test_a_lopsided_interval_is_named_in_a_warning() -> None:
    with pytest.warns(MetablinWarning, match=r"row 2 \(B\): 0.9 \[0.5, 1.1\]"):
        hazard_ratios([0.7, 0.9], [0.5, 0.5], [0.98, 1.1], studies=["A", "B"])


def test_rounding_alone_does_not_warn() -> None:
    e = hazard_ratios([0.04], [0.01], [0.11])
    assert e.k == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (([0.5], [0.6], [0.9]), ["row 1", "conf_low", "does not contain"]),
        (([0.95], [0.6], [0.9]), ["row 1", "conf_high"]),
        (([0.7], [0.0], [0.9]), ["conf_low", "greater than 0"]),
        (([-0.7], [0.1], [0.9]), ["estimate", "greater than 0"]),
        (([0.7], ["NR"], [0.9]), ["row 1", "conf_low", "missing"]),
    ],
)
def test_bad_intervals_are_named(values: tuple[list[float], ...], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        hazard_ratios(*values)
    for word in words:
        assert word in str(caught.value)


def test_a_level_outside_0_and_1_is_refused() -> None:
    with pytest.raises(DataError, match="not a confidence level"):
        hazard_ratios([0.7], [0.5], [0.98], level=95)


@pytest.mark.parametrize("variance", [0.0, -0.1, float("inf"), float("nan")])
def test_generic_effects_need_positive_variances(variance: float) -> None:
    with pytest.raises(DataError, match=r"row 2 \(B\), column 'vi'"):
        generic([0.1, 0.2], [0.1, variance], studies=["A", "B"])


def test_generic_effects_are_their_own_back_transform() -> None:
    e = generic([0.1, 0.2], [0.1, 0.2])
    np.testing.assert_array_equal(e.back(e.yi), e.yi)
    frame = e.to_frame(level=0.9)
    assert frame["conf_level"].tolist() == [0.9, 0.9]
    assert frame["conf_low"][0] == pytest.approx(0.1 - 1.6448536 * 0.1**0.5, rel=1e-7)


def test_one_sided_levels_are_those_of_each_limit() -> None:
    one = hazard_ratios([0.7], [0.5], [0.98], level=0.975, sides=1)
    two = hazard_ratios([0.7], [0.5], [0.98])
    assert one.vi[0] == pytest.approx(two.vi[0], rel=1e-12)
    with pytest.raises(DataError, match=r"above 0\.5 when one-sided"):
        hazard_ratios([0.7], [0.5], [0.98], level=0.5, sides=1)
    with pytest.raises(DataError, match="1 or 2"):
        hazard_ratios([0.7], [0.5], [0.98], sides=3)


def test_rounding_explains_half_a_unit_and_no_more() -> None:
    # Half a unit of the last digit explains 3.9 of 10.3 points of asymmetry, a unit all but 2.5.
    with pytest.warns(MetablinWarning, match="not symmetric"):
        hazard_ratios([0.50], [0.31], [0.90])
    # Of 8.4 points 4.4 are left: fewer than the 5 that pass.
    hazard_ratios([0.50], [0.31], [0.88])
