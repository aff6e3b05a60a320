"""Every command that reads a file, under random files."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.commands import COMMANDS, attempt, tables

INPUTS = 25


@pytest.mark.parametrize("command", COMMANDS)
@settings(
    max_examples=INPUTS, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(data=st.data())
def test_any_file_is_answered_or_refused_in_one_line(command: str, data: st.DataObject) -> None:
    code = attempt(command, data.draw(tables(command)), data.draw(COMMANDS[command]))
    assert code in (0, 1, 2)
