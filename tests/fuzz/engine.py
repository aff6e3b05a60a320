"""One random input: called, checked, turned, and given in another form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.fuzz.inputs import FORMS
from tests.fuzz.rules import answer, check, numbers_of
from tests.fuzz.targets import Call, Target

__all__ = ["Draw", "tried"]

Draw = Callable[[st.SearchStrategy[Any]], Any]


def tried(target: Target, draw: Draw) -> int:
    """Try one input of a function and its variants; return how many calls were checked."""
    call: Call = draw(target.inputs)
    found = answer(lambda: target.call(**call.columns, **call.options))
    check(found)
    first = numbers_of(found)
    if not first:
        return 1
    calls = 1
    k = len(next(iter(call.columns.values()), ()))
    if target.invariant and k > 1:
        turned = call.permuted(draw(st.permutations(range(k))))
        again = answer(lambda: target.call(**turned.columns, **turned.options))
        same(first, numbers_of(again), target.tolerance, "another order of the rows")
        calls += 1
    form = draw(st.sampled_from(sorted(FORMS)))
    cast = {n: FORMS[form](c) if _plain(c) else c for n, c in call.columns.items()}
    if cast:
        again = answer(lambda: target.call(**cast, **call.options))
        same(first, numbers_of(again), 1e-12, f"columns as {form}")
        calls += 1
    return calls


def _plain(column: Any) -> bool:
    """Tell whether a column holds nothing but finite numbers, so that it has other forms."""
    return all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in column
    )


def same(one: dict[str, float], two: dict[str, float], tolerance: float, what: str) -> None:
    """Check that two answers are the same numbers."""
    assert one.keys() == two.keys(), f"{what}: {sorted(one)} became {sorted(two)}"
    for name, a in one.items():
        b = two[name]
        equal = a == b or (math.isnan(a) and math.isnan(b))
        close = equal or math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
        assert close, f"{what}: {name} {a!r} became {b!r}"
