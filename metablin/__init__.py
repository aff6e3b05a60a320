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
from typing import TYPE_CHECKING, Any

from metablin.errors import ConvergenceError, ConvergenceWarning, DataError, MetablinWarning

if TYPE_CHECKING:
    from metablin.datasets import load, tables, trace, validate
    from metablin.effects import (
        EffectSizes,
        exact_intervals,
        generic,
        hazard_ratios,
        hazard_ratios_reported,
        proportions,
        rate_contrasts,
        rates,
        two_by_two,
    )
    from metablin.meta import MetaFit, pool, pool_many
    from metablin.meta.intervals import heterogeneity
    from metablin.meta.permutation import permutation_test

__version__ = "0.1.0"

# Where each public name lives; it is imported on first use.
_HOME = {
    "load": "metablin.datasets",
    "tables": "metablin.datasets",
    "trace": "metablin.datasets",
    "validate": "metablin.datasets",
    "EffectSizes": "metablin.effects",
    "exact_intervals": "metablin.effects",
    "generic": "metablin.effects",
    "hazard_ratios": "metablin.effects",
    "hazard_ratios_reported": "metablin.effects",
    "proportions": "metablin.effects",
    "rate_contrasts": "metablin.effects",
    "rates": "metablin.effects",
    "two_by_two": "metablin.effects",
    "MetaFit": "metablin.meta",
    "pool": "metablin.meta",
    "pool_many": "metablin.meta",
    "heterogeneity": "metablin.meta.intervals",
    "permutation_test": "metablin.meta.permutation",
}

__all__ = [
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "EffectSizes",
    "MetaFit",
    "MetablinWarning",
    "__version__",
    "exact_intervals",
    "generic",
    "hazard_ratios",
    "hazard_ratios_reported",
    "heterogeneity",
    "load",
    "permutation_test",
    "pool",
    "pool_many",
    "proportions",
    "rate_contrasts",
    "rates",
    "tables",
    "trace",
    "two_by_two",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'metablin' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
