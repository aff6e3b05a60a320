"""Read Kaplan-Meier figures: a file in, clicks, marks, numbers at risk and a confidence out.

The package is called by its own name: ``mb.digitise("figure.pdf")`` is
:func:`metablin.digitise.digitise`.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from metablin.digitise.arms import CONFIDENT, Arm
from metablin.digitise.byhand import parse_axis
from metablin.digitise.figure import digitise
from metablin.digitise.pictures import blank_page
from metablin.digitise.printed import check_printed, compare_printed
from metablin.digitise.records import Digitised

__all__ = [
    "CONFIDENT",
    "Arm",
    "Digitised",
    "blank_page",
    "check_printed",
    "compare_printed",
    "digitise",
    "parse_axis",
]


class _Called(ModuleType):
    """A module that is called by its own name."""

    def __call__(self, *args: Any, **options: Any) -> Digitised:
        return digitise(*args, **options)


sys.modules[__name__].__class__ = _Called
# Whoever asks for the signature gets that of the function.
vars(sys.modules[__name__])["__signature__"] = inspect.signature(digitise)
