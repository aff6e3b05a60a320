import numpy as np
import pytest

from metablin.effects import generic, hazard_ratios
from metablin.effects.contrasts import _asymmetry, _last_digit, log_interval
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


def message(*arguments: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        hazard_ratios(*arguments, **options)
    return str(caught.value)


def test_every_word_of_a_bad_interval() -> None:
    assert message([0.7, 0.5], [0.5, 0.6], [0.98, 0.9], studies=["A", "B"]) == (
        "row 2 (B), column 'conf_low', value 0.5 [0.6, 0.9]: the interval does not contain the "
        "estimate; allowed: conf_low < estimate < conf_high"
    )
    above = message([0.7, 1.2, 0.1], [0.5, 0.6, 0.6], [0.98, 0.9, 0.9])
    assert above.startswith("row 2 (study 2), column 'conf_high', value 1.2 [0.6, 0.9]:")
    edge = message([0.5], [0.5], [0.9])
    assert "column 'conf_low'" in edge
    assert "column 'conf_high'" in message([0.9], [0.5], [0.9])


def test_every_word_of_a_bad_level() -> None:
    figures = ([0.7, 0.7], [0.5, 0.5], [0.98, 0.98])
    assert message(*figures, sides=3) == (
        "column 'sides', value 3: not a number of sides; allowed: 1 or 2"
    )
    assert "column 'sides'" in message(*figures, sides="2")
    assert message(*figures, level=0.5, sides=1) == (
        "column 'level', value 0.5: no interval has this one-sided level; allowed: above 0.5 when "
        "one-sided"
    )
    short = message(*figures, level=[0.95, 0.95, 0.95])
    assert "level" in short
    assert "estimate" in short
    assert "column 'level'" in message(*figures, level="high")
    assert "not a confidence level" in message(*figures, level=[0.95, 1.0])


def test_levels_of_one_side_differ_by_study_too() -> None:
    one = hazard_ratios([0.7, 0.7], [0.5, 0.5], [0.98, 0.98], level=[0.975, 0.95], sides=1)
    two = hazard_ratios([0.7, 0.7], [0.5, 0.5], [0.98, 0.98], level=[0.95, 0.9])
    np.testing.assert_allclose(one.vi, two.vi, rtol=1e-12)
    same = hazard_ratios([0.7, 0.7], [0.5, 0.5], [0.98, 0.98], level=0.9, sides=2)
    np.testing.assert_allclose(same.vi, two.vi[[1, 1]], rtol=1e-12)


def test_every_lopsided_interval_is_named_in_words() -> None:
    with pytest.warns(MetablinWarning) as said:
        hazard_ratios([0.9, 0.7, 0.9], [0.5, 0.5, 0.5], [1.1, 0.98, 1.1], studies=["A", "B", "C"])
    assert [str(w.message) for w in said] == [
        f"row {row} ({name}): 0.9 [0.5, 1.1] is not symmetric on the log scale; check the figures "
        "and the level"
        for row, name in ((1, "A"), (3, "C"))
    ]


def test_rows_are_counted_from_where_the_caller_says() -> None:
    wide = (np.array([0.5]), np.array([0.6]), np.array([0.9]), np.array([0.95]), ("A",))
    with pytest.raises(DataError, match=r"^row 7 \(A\)"):
        log_interval(*wide, first=7)
    with pytest.warns(MetablinWarning, match=r"^row 7 \(A\)"):
        log_interval(np.array([0.9]), np.array([0.5]), np.array([1.1]), *wide[3:], first=7)


@pytest.mark.parametrize(
    ("figures", "unit"),
    [((0.7, 0.5, 0.9), 0.1), ((0.7, 0.55, 0.9), 0.01), ((1.0, 2.0, 13.0), 1.0),
     ((10.0, 200.0, 3000.0), 1.0), ((0.71, 0.5, 0.125), 0.001)],
)  # fmt: skip
def test_the_last_digit_is_that_of_the_most_precise_figure(
    figures: tuple[float, ...], unit: float
) -> None:
    assert _last_digit(figures) == pytest.approx(unit, rel=1e-12)


def test_asymmetry_is_the_difference_of_half_widths_less_half_a_unit() -> None:
    y, low, high = 0.50, 0.31, 0.90
    gap = abs(np.log(high / y) - np.log(y / low))
    rounding = 0.005 * (1 / low + 1 / high + 2 / y)
    found = _asymmetry(np.array([y]), np.array([low]), np.array([high]))
    assert float(found[0]) == pytest.approx((gap - rounding) / np.log(high / low), rel=1e-12)
    assert float(_asymmetry(np.array([0.7]), np.array([0.5]), np.array([0.98]))[0]) == 0.0
