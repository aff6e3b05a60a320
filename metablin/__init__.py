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
    from metablin.digitise import Digitised, digitise
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
    from metablin.meta.baujat import baujat
    from metablin.meta.bias import begg, egger, harbord, peters
    from metablin.meta.cohorts import pool_cohorts
    from metablin.meta.gosh import gosh
    from metablin.meta.influence import influence
    from metablin.meta.intervals import heterogeneity
    from metablin.meta.permutation import permutation_test
    from metablin.meta.petpeese import pet_peese
    from metablin.meta.selection import selection_model
    from metablin.meta.sequence import cumulative, leave_one_out
    from metablin.meta.trimfill import trim_and_fill
    from metablin.reconstruct import (
        PseudoIPD,
        SummaryDraws,
        reconstruct_km,
        reconstruct_many,
        reconstruct_summary,
        reconstruct_summary_pair,
    )
    from metablin.survival import (
        compare_parametric,
        fit_parametric,
        kaplan_meier,
        landmark_analysis,
        logrank,
        max_combo,
        milestone_difference,
        simon_makuch,
    )
    from metablin.survival.cox import cox
    from metablin.survival.rmst import rmst

__version__ = "0.1.0"

# Where each public name lives; it is imported on first use.
_HOME = {
    "load": "metablin.datasets",
    "tables": "metablin.datasets",
    "trace": "metablin.datasets",
    "validate": "metablin.datasets",
    "Digitised": "metablin.digitise.records",
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
    "pool_cohorts": "metablin.meta.cohorts",
    "heterogeneity": "metablin.meta.intervals",
    "permutation_test": "metablin.meta.permutation",
    "PseudoIPD": "metablin.reconstruct",
    "SummaryDraws": "metablin.reconstruct",
    "reconstruct_km": "metablin.reconstruct",
    "reconstruct_many": "metablin.reconstruct",
    "reconstruct_summary": "metablin.reconstruct",
    "reconstruct_summary_pair": "metablin.reconstruct",
    "compare_parametric": "metablin.survival",
    "cox": "metablin.survival",
    "fit_parametric": "metablin.survival",
    "kaplan_meier": "metablin.survival",
    "landmark_analysis": "metablin.survival",
    "logrank": "metablin.survival",
    "max_combo": "metablin.survival",
    "milestone_difference": "metablin.survival",
    "rmst": "metablin.survival",
    "simon_makuch": "metablin.survival",
    "begg": "metablin.meta.bias",
    "egger": "metablin.meta.bias",
    "harbord": "metablin.meta.bias",
    "pet_peese": "metablin.meta.petpeese",
    "peters": "metablin.meta.bias",
    "cumulative": "metablin.meta.sequence",
    "leave_one_out": "metablin.meta.sequence",
    "influence": "metablin.meta.influence",
    "baujat": "metablin.meta.baujat",
    "gosh": "metablin.meta.gosh",
    "trim_and_fill": "metablin.meta.trimfill",
    "selection_model": "metablin.meta.selection",
}

# Packages that are called by their own name: the module itself is what is handed out, so that the
# name means one thing whichever way it was imported first.
_CALLED = {"digitise"}

__all__ = [
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "Digitised",
    "EffectSizes",
    "MetaFit",
    "MetablinWarning",
    "PseudoIPD",
    "SummaryDraws",
    "__version__",
    "baujat",
    "begg",
    "compare_parametric",
    "cox",
    "cumulative",
    "digitise",
    "egger",
    "exact_intervals",
    "fit_parametric",
    "generic",
    "gosh",
    "harbord",
    "hazard_ratios",
    "hazard_ratios_reported",
    "heterogeneity",
    "influence",
    "kaplan_meier",
    "landmark_analysis",
    "leave_one_out",
    "load",
    "logrank",
    "max_combo",
    "milestone_difference",
    "permutation_test",
    "pet_peese",
    "peters",
    "pool",
    "pool_cohorts",
    "pool_many",
    "proportions",
    "rate_contrasts",
    "rates",
    "reconstruct_km",
    "reconstruct_many",
    "reconstruct_summary",
    "reconstruct_summary_pair",
    "rmst",
    "selection_model",
    "simon_makuch",
    "tables",
    "trace",
    "trim_and_fill",
    "two_by_two",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name in _CALLED:
        return importlib.import_module(f"metablin.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'metablin' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
