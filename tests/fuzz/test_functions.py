"""Every public function under random input, within a fixed number of inputs."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metablin as mb
from tests.fuzz.engine import tried
from tests.fuzz.targets import EXEMPT, TARGETS

INPUTS = 12
"""Inputs a function; `make fuzz` tries 100,000 in all."""


def test_every_public_function_is_called_or_says_why_not() -> None:
    named = {n: getattr(mb, n) for n in dir(mb)}
    public = {n for n, x in named.items() if callable(x) and not inspect.isclass(x)}
    called = {word for name in TARGETS for word in name.split() if word in public}
    assert called | set(EXEMPT) == public
    assert not called & set(EXEMPT)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=INPUTS, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(data=st.data())
def test_any_input_is_answered_or_refused_by_name(name: str, data: st.DataObject) -> None:
    assert tried(TARGETS[name], data.draw) >= 1
