import itertools

import numpy as np
import pytest

from metablin.effects import EffectSizes, rate_contrasts, rates, two_by_two
from metablin.errors import DataError
from tests.reference import pinned, table

CLOSED = 1e-11
"""Closed forms against metafor's; differences of logarithms lose up to four digits."""

CELLS = pinned("metafor_effects")["cells"]
RULES = {"only0": "only-needed", "all": "all", "none": "none"}
TABLES = {"OR": "or", "RR": "rr", "RD": "rd", "PETO": "peto", "AS": "asd"}
RATE_PAIRS = {"IRR": "irr", "IRD": "ird", "IRSD": "irsd"}
RATES = {"IRLN": "log", "IR": "raw", "IRS": "sqrt"}
COLUMNS = ["events_treatment", "n_treatment", "events_control", "n_control"]


def usable(cell: dict[str, list[float | None]]) -> np.ndarray:
    """Rows metafor gives a finite effect and a positive variance."""
    y, v = (np.array(cell[c], dtype=float) for c in ("yi", "vi"))
    return np.isfinite(y) & np.isfinite(v) & (v > 0)


def compare(e: EffectSizes, cell: dict[str, list[float | None]]) -> None:
    keep = usable(cell)
    np.testing.assert_array_equal(e.rows, np.flatnonzero(keep))
    np.testing.assert_allclose(e.yi, np.array(cell["yi"], float)[keep], rtol=CLOSED, atol=1e-13)
    np.testing.assert_allclose(e.vi, np.array(cell["vi"], float)[keep], rtol=CLOSED)


@pytest.mark.parametrize(
    ("name", "metafor", "to"), list(itertools.product(("bcg", "sparse"), TABLES, RULES))
)
def test_tables_agree_with_escalc(name: str, metafor: str, to: str) -> None:
    d = table(name)
    e = two_by_two(*(d[c] for c in COLUMNS), TABLES[metafor], d["study"], RULES[to])
    compare(e, CELLS[f"{name} {metafor} {to}"])


@pytest.mark.parametrize("metafor", ["OR", "RR"])
def test_double_zeros_can_be_dropped_and_stay_visible(metafor: str) -> None:
    d = table("sparse")
    e = two_by_two(*(d[c] for c in COLUMNS), TABLES[metafor], d["study"], double_zeros="drop")
    compare(e, CELLS[f"sparse {metafor} drop00"])
    assert [(x.study, x.reason) for x in e.excluded] == [
        ("S 1", "no event in either group"),
        ("S 5", "no event in either group"),
    ]


def nielweise() -> list[np.ndarray]:
    d = table("nielweise2008")
    x1 = d["x1i"].to_numpy().copy()
    x1[1] = 0
    return [x1, d["t1i"].to_numpy(), d["x2i"].to_numpy(), d["t2i"].to_numpy()]


@pytest.mark.parametrize(("metafor", "to"), list(itertools.product(RATE_PAIRS, RULES)))
def test_pairs_of_rates_agree_with_escalc(metafor: str, to: str) -> None:
    e = rate_contrasts(*nielweise(), measure=RATE_PAIRS[metafor], zero_cells=RULES[to])
    compare(e, CELLS[f"rates {metafor} {to}"])


@pytest.mark.parametrize(("metafor", "to"), list(itertools.product(RATES, RULES)))
def test_single_rates_agree_with_escalc(metafor: str, to: str) -> None:
    x1, t1, _, _ = nielweise()
    e = rates(x1, t1, RATES[metafor], zero_cells=RULES[to])
    compare(e, CELLS[f"rates {metafor} {to}"])
    np.testing.assert_allclose(
        e.back(e.yi)[3:], (x1 / t1)[e.rows][3:] + 0.5 / t1[e.rows][3:] * (e.corrected[3:])
    )


def test_the_treatment_arm_correction_sums_to_one_and_is_neutral() -> None:
    e = two_by_two([0, 0], [10, 30], [0, 3], [20, 10], "or", zero_cells="treatment-arm")
    assert e.yi[0] == pytest.approx(0.0, abs=1e-14)
    k1, k2 = 30 / 40, 10 / 40
    want = np.log(k1 / (30 + k1)) - np.log((3 + k2) / (7 + k2))
    assert e.yi[1] == pytest.approx(want, rel=1e-13)


@pytest.mark.parametrize("measure", ["or", "rr", "rd", "peto", "asd"])
def test_swapping_the_arms_turns_the_sign(measure: str) -> None:
    d = table("sparse")
    a, n1, c, n2 = (d[x] for x in COLUMNS)
    e, turned = two_by_two(a, n1, c, n2, measure), two_by_two(c, n2, a, n1, measure)
    np.testing.assert_allclose(turned.yi, -e.yi, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(turned.vi, e.vi, rtol=1e-12)


def test_impossible_tables_are_named() -> None:
    with pytest.raises(DataError, match=r"row 2 \(B\), column 'events_control', value 9: more"):
        two_by_two([1, 2], [10, 10], [3, 9], [10, 8], studies=["A", "B"])
    with pytest.raises(DataError, match=r"row 1, column 'person_time', value 0"):
        rates([1], [0])
    with pytest.raises(DataError, match=r"or \| rr \| rd"):
        two_by_two([1], [10], [3], [10], measure="smd")
