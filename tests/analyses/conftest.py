"""Load the analyses as the runner does."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from metablin.pipeline import load_analysis
from metablin.pipeline.registry import PACKAGE

FOLDER = Path(__file__).parents[2] / "analyses"


@pytest.fixture
def module() -> Callable[[str], ModuleType]:
    """Return a function that imports a module of ``analyses/`` by name."""
    load_analysis(FOLDER, "landscape")
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")
