"""metablin: the trials of blinatumomab in B-cell acute lymphoblastic leukaemia, pooled in the open.

Heavy libraries load on first use, so ``import metablin`` stays quick.

Examples
--------
>>> import metablin as mb
>>> trials = mb.load("trials")
>>> "tower" in set(trials["trial_id"])
True
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from metablin import _moved

__version__ = "0.1.0"

# The stub beside this file is the one list of public names: type checkers read it as it is, and
# here it says where each name lives.
_HOME = {
    name: home
    for home, name in re.findall(
        r"^from (\S+) import (\w+) as \2$",
        Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}

__all__ = sorted([*_HOME, "__version__"])

_moved.install()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'metablin' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
