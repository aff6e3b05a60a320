"""Differences of means against metafor's escalc and by invariance."""

import numpy as np
import pytest

import metablin as mb
from metablin.errors import DataError

ARGS = ([5.0, 1.2], [2.0, 0.4], [20, 8], [3.5, 1.4], [2.5, 0.6], [22, 9])

# escalc("SMD", m1i = c(5, 1.2), sd1i = c(2, 0.4), n1i = c(20, 8), m2i = c(3.5, 1.4),
#        sd2i = c(2.5, 0.6), n2i = c(22, 9)), metafor 3.8-1
YI = [0.646535920789, -0.367549058043]
VI = [0.100430839465, 0.240084414348]


def test_hedges_g_is_metafors():
    e = mb.mean_differences(*ARGS, measure="smd")
    assert e.yi == pytest.approx(YI, abs=1e-11)
    assert e.vi == pytest.approx(VI, abs=1e-11)


def test_raw_differences():
    e = mb.mean_differences(*ARGS)
    assert e.yi == pytest.approx([1.5, -0.2])
    assert e.vi == pytest.approx([4 / 20 + 6.25 / 22, 0.16 / 8 + 0.36 / 9])
    assert (e.measure, e.transform) == ("md", "none")
    assert mb.pool(e).estimate == pytest.approx(float(mb.pool(mb.generic(e.yi, e.vi)).estimate))


@pytest.mark.parametrize("measure", ["md", "smd"])
def test_swapping_groups_turns_the_sign_and_a_unit_scales(measure):
    e = mb.mean_differences(*ARGS, measure=measure)
    back = mb.mean_differences(*ARGS[3:], *ARGS[:3], measure=measure)
    assert back.yi == pytest.approx(-e.yi)
    assert back.vi == pytest.approx(e.vi)
    scaled = [np.multiply(x, 10) if i % 3 < 2 else x for i, x in enumerate(ARGS)]
    factor = 10 if measure == "md" else 1
    assert mb.mean_differences(*scaled, measure=measure).yi == pytest.approx(factor * e.yi)


def test_bad_numbers_name_the_study():
    with pytest.raises(DataError, match=r"row 2 \(B\), column 'sd_control', value 0"):
        mb.mean_differences(*ARGS[:4], [2.5, 0.0], ARGS[5], studies=["A", "B"])
    with pytest.raises(DataError, match="'n_treatment', value 1: not allowed; allowed: at least 2"):
        mb.mean_differences(ARGS[0], ARGS[1], [1, 8], *ARGS[3:])
