import numpy as np
import pytest

from metablin.effects import proportions
from metablin.effects._scales import freeman_tukey, from_freeman_tukey
from metablin.errors import DataError
from tests.reference import pinned, table

CLOSED = 1e-12
"""Closed forms against metafor's, whose pinned digits are 15."""

TRANSFORMS = ("logit", "log", "raw", "arcsine", "freeman-tukey")


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_effects_and_variances_are_those_of_escalc(transform: str) -> None:
    d = table("proportions_edge")
    e = proportions(d["events"], d["n"], transform, d["study"])
    want = pinned("metafor_grid")["grid"][f"proportions_{transform}"]
    np.testing.assert_allclose(e.yi, want["yi"], rtol=CLOSED, atol=1e-14)
    np.testing.assert_allclose(e.vi, want["vi"], rtol=CLOSED)
    assert e.corrected.sum() == (0 if transform in ("arcsine", "freeman-tukey") else 4)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_back_undoes_every_transform(transform: str) -> None:
    e = proportions([3, 40, 12], [10, 55, 80], transform)
    n = [10, 55, 80]
    np.testing.assert_allclose(e.back(e.yi, n), np.divide([3, 40, 12], n), rtol=1e-12)
    assert e.back(0.3).shape == ()


def test_freeman_tukey_goes_back_through_the_harmonic_mean() -> None:
    want = pinned("metafor_grid")["freeman_tukey_back"]
    e = proportions([1, 5, 9], want["n"], "freeman-tukey")
    assert e.harmonic_n == pytest.approx(3 / (1 / 10 + 1 / 20 + 1 / 30), rel=1e-14)
    np.testing.assert_allclose(e.back(want["x"]), want["p"], rtol=CLOSED, atol=1e-14)


def test_freeman_tukey_round_trip_for_all_counts_of_25() -> None:
    n = np.full(26, 25.0)
    x = np.arange(26.0)
    np.testing.assert_allclose(from_freeman_tukey(freeman_tukey(x, n), n), x / 25, atol=1e-12)


def test_zero_cells_can_be_left_out_or_corrected_everywhere() -> None:
    left = proportions([0, 5, 9], [10, 10, 9], studies=["A", "B", "C"], zero_cells="none")
    assert left.k == 1
    assert left.studies == ("B",)
    assert [(x.study, x.row) for x in left.excluded] == [("A", 1), ("C", 3)]
    assert left.to_dict()["excluded"][0]["reason"].startswith("0 of 10")
    everywhere = proportions([0, 5], [10, 10], zero_cells="all")
    assert everywhere.corrected.tolist() == [True, True]
    assert everywhere.vi[1] == pytest.approx(1 / 5.5 + 1 / 5.5)


@pytest.mark.parametrize(
    ("events", "n", "words"),
    [
        ([3, 12], [10, 10], ["row 2", "events", "12", "at most n = 10"]),
        ([-1], [10], ["row 1", "events", "-1"]),
        ([1.5], [10], ["row 1", "a whole number"]),
        ([0], [0], ["row 1", "'n'", "at least 1"]),
        ([float("nan")], [5], ["row 1", "missing"]),
        (["x"], [5], ["row 1", "a number"]),
        ([1, 2], [5], ["'n'", "one length"]),
    ],
)
def test_bad_counts_are_named(events: list[float], n: list[float], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        proportions(events, n)
    for word in words:
        assert word in str(caught.value)


def test_arrays_are_read_only_and_input_is_kept() -> None:
    x = np.array([1.0, 2.0])
    e = proportions(x, [5, 5])
    assert x.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        e.yi[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        e.counts["events"][0] = 1
