"""Old names of modules, attributes and arguments: they work for one version, with a warning."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

from metablin.errors import warn

__all__ = ["MOVED", "Renamed", "install", "renamed"]

P = ParamSpec("P")
R = TypeVar("R")

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


def _warn(old: str, new: str) -> None:
    warn(f"{old} is now {new}; the old name goes with version 0.2", DeprecationWarning)


class Renamed:
    """The old name of an attribute of a record.

    Examples
    --------
    >>> class Fit:
    ...     level = 0.95
    ...     conf_level = Renamed("level")
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     Fit().conf_level, str(said[0].message)
    (0.95, 'conf_level is now level; the old name goes with version 0.2')
    """

    def __init__(self, new: str) -> None:
        self.new = new
        self.old = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, record: object, owner: type | None = None) -> Any:
        if record is None:
            return self
        _warn(self.old, self.new)
        return getattr(record, self.new)


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function understand old names of its arguments, given as ``old="new"``.

    Examples
    --------
    >>> @renamed(colour="color")
    ... def paint(color):
    ...     return color
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     paint(colour="red")
    'red'
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                _warn(f"{function.__name__}({old}=)", f"{names[old]}=")
                kwargs[names[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


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
        _warn(spec.name, new)
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
