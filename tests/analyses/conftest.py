"""Load the analyses as the runner does, and read what the main job wrote of them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from metablin.pipeline import load_analysis
from metablin.pipeline.registry import PACKAGE
from metablin.records import Table
from metablin.report import Outcome

FOLDER = Path(__file__).parents[2] / "analyses"

WRITTEN = 1e-11
"""Relative: numbers are written with twelve digits."""


@pytest.fixture
def module() -> Callable[[str], ModuleType]:
    """Return a function that imports a module of ``analyses/`` by name."""
    load_analysis(FOLDER, "landscape")
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(scope="session")
def written(main_job: Path) -> Callable[[str], Outcome]:
    """Return a function that reads the tables of an analysis as the main job wrote them.

    The analyses that take seconds are computed once in a run of the tests, by the main job, and
    judged from what it wrote. An empty cell of a column of text is empty text, as it was.
    """

    def read(name: str) -> Outcome:
        words = json.loads((main_job / name / "outcome.json").read_text("utf-8"))
        tables = {
            n: Table(_cells(main_job / name / n), (), words["tables"][n]["title"])
            for n in words["tables"]
        }
        return Outcome(tables)

    return read


def _cells(stem: Path) -> pd.DataFrame:
    """Return a written table, every column with the type that its schema says."""
    schema = json.loads(stem.with_name(f"{stem.name}.schema.json").read_text("utf-8"))
    text = {f["name"] for f in schema["fields"] if f["type"] == "string"}
    numbers = {f["name"]: [""] for f in schema["fields"] if f["name"] not in text}
    return pd.read_csv(
        f"{stem}.csv", dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=numbers
    )
