"""Fail-safe N against metafor, against adding null studies, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import metablin as mb
from tests.reference import pinned

REFERENCE = pinned("breadth_normal")
SETS = REFERENCE["moments"]
CLOSED = 1e-10  # tail areas near 1e-30


def effects(data: str) -> mb.EffectSizes:
    return mb.generic(SETS[data]["yi"], SETS[data]["vi"])


@pytest.mark.parametrize("data", SETS)
def test_agrees_with_metafor(data: str) -> None:
    e, cell = effects(data), REFERENCE["failsafe"][data]
    rosenthal, rosenberg = (mb.fail_safe_n(e, m) for m in ("rosenthal", "rosenberg"))
    assert (rosenthal.n, rosenberg.n) == (cell["rosenthal"], cell["rosenberg"])
    assert rosenthal.p_value == pytest.approx(cell["rosenthal_p"], rel=CLOSED)
    assert rosenberg.p_value == pytest.approx(cell["rosenberg_p"], rel=CLOSED)
    assert mb.fail_safe_n(e, "orwin").n == cell["orwin"]
    assert mb.fail_safe_n(e, "orwin", target=0.05).n == cell["orwin_005"]


@pytest.mark.parametrize("data", SETS)
def test_so_many_null_studies_undo_stouffers_test_and_one_fewer_does_not(data: str) -> None:
    e = effects(data)
    z = abs((e.yi / np.sqrt(e.vi)).sum())
    n = mb.fail_safe_n(e).n
    p = [stats.norm.sf(z / math.sqrt(e.k + extra)) for extra in (n, n - 1)]
    assert p[0] >= 0.05 > p[1]


def test_so_many_null_studies_bring_the_mean_to_the_target() -> None:
    e = effects("bcg")
    n = mb.fail_safe_n(e, "orwin", target=-0.1).n
    assert abs(e.yi.sum()) / (e.k + n) <= 0.1 < abs(e.yi.sum()) / (e.k + n - 1)


@pytest.mark.parametrize("method", ["rosenthal", "orwin", "rosenberg"])
def test_sign_and_order_do_not_matter(method: str) -> None:
    e = effects("bcg")
    assert mb.fail_safe_n(mb.generic(-e.yi[::-1], e.vi[::-1]), method).n == (
        mb.fail_safe_n(e, method).n
    )


def test_a_whole_number_is_not_rounded_up() -> None:
    assert mb.fail_safe_n(mb.generic([0.3, 0.3, 0.3], [0.1] * 3), "orwin", target=0.1).n == 6


def test_the_caveat_is_said() -> None:
    assert "no value of it rules publication bias out" in mb.fail_safe_n(effects("bcg")).summary()


def test_the_record_is_plain() -> None:
    assert mb.fail_safe_n(effects("bcg"), "orwin").to_dict()["p_value"] is None


@pytest.mark.parametrize(
    ("options", "word"),
    [({"method": "orwin", "target": 0}, "target"), ({"target": 0.1}, "orwin"),
     ({"alpha": 0.0}, "alpha"), ({"alpha": 0.9}, "alpha"), ({"method": "hackshaw"}, "rosenthal")],
)  # fmt: skip
def test_what_it_cannot_do_is_named(options: dict[str, object], word: str) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.fail_safe_n(effects("bcg"), **options)


def test_one_study_is_refused() -> None:
    with pytest.raises(mb.DataError, match="two studies"):
        mb.fail_safe_n(mb.generic([0.1], [0.2]))
