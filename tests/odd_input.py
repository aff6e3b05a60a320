"""What every mistake of a user must come to."""

from collections.abc import Callable
from typing import Any

import pytest

from metablin.errors import DataError


def one_clear_line(call: Callable[[], Any], words: str) -> None:
    """Check that a call is refused by name, in one line that shows no type of numpy."""
    with pytest.raises(DataError, match=words) as error:
        call()
    assert "\n" not in str(error.value)
    assert "np." not in str(error.value)
