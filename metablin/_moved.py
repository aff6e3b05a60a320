"""Modules that have moved: their old names work for one version, with a warning."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

__all__ = ["MOVED", "install"]

# Old name -> new name; leave out after version 0.2.
MOVED: dict[str, str] = {
    f"metablin.meta.{old}": f"metablin.meta.{new}"
    for old, new in {
        "baujat": "checks.baujat",
        "bias": "checks.bias",
        "batch": "normal.batch",
        "betabinomial": "counts.betabinomial",
        "curves": "survival.curves",
        "fit": "core.fit",
        "glmm": "counts.glmm",
        "gosh": "checks.gosh",
        "influence": "checks.influence",
        "intervals": "checks.intervals",
        "inverse": "normal.inverse",
        "ipd": "survival.ipd",
        "models": "core.models",
        "multilevel": "normal.multilevel",
        "permutation": "checks.permutation",
        "petpeese": "checks.petpeese",
        "pooled_curve": "survival.pooled_curve",
        "priors": "bayes.priors",
        "regression": "normal.regression",
        "robust": "normal.robust",
        "selection": "checks.selection",
        "sequence": "checks.sequence",
        "stratified": "counts.stratified",
        "subgroups": "normal.subgroups",
        "trimfill": "checks.trimfill",
    }.items()
}


class _Forwarder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under its old name and hands out the one that took its place."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        new = MOVED[spec.name]
        warnings.warn(
            f"{spec.name} is now {new}; the old name goes with version 0.2",
            DeprecationWarning,
            stacklevel=2,
        )
        old = ModuleType(spec.name)
        old.__dict__.update(
            {k: v for k, v in vars(importlib.import_module(new)).items() if k[:2] != "__"}
        )
        return old

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run: the new module ran when it was imported."""


def install() -> None:
    """Let old names of modules be found, after all others."""
    if not any(isinstance(finder, _Forwarder) for finder in sys.meta_path):
        sys.meta_path.append(_Forwarder())
