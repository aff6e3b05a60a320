"""Read Kaplan-Meier figures: a file in, clicks, marks, numbers at risk and a confidence out.

The package is called by its own name: ``mb.digitise("figure.pdf")`` is
:func:`metablin.digitise.digitise`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from metablin.digitise.arms import CONFIDENT, Arm
from metablin.digitise.byhand import parse_axis
from metablin.digitise.figure import digitise
from metablin.digitise.printed import compare_printed
from metablin.digitise.records import Digitised

__all__ = ["CONFIDENT", "Arm", "Digitised", "compare_printed", "digitise", "parse_axis"]


class _Called(ModuleType):
    """A module that is called by its own name."""

    def __call__(self, *args: Any, **options: Any) -> Digitised:
        return digitise(*args, **options)


sys.modules[__name__].__class__ = _Called
