"""The site built once for all tests: results, generated pages and documents in a scratch folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import made_once

ROOT = Path(__file__).parents[2]
GENERATED = ("_site", ".quarto", "_freeze", "results", "evidence", "trials", "sources", "reference")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, main_job: Path) -> Path:
    """The folder of documents with everything they read, shared by parallel workers."""
    return made_once(tmp_path_factory, "published", lambda home: build(home, main_job)) / "site"


def build(home: Path, results: Path) -> None:
    """Write the pages beside a copy of the results."""
    shutil.copytree(results, home / "results")
    shutil.copytree(ROOT / "site", home / "site", ignore=shutil.ignore_patterns(*GENERATED))
    script = [sys.executable, str(ROOT / "site" / "_scripts" / "build.py")]
    places = ["--site", str(home / "site"), "--results", str(home / "results")]
    subprocess.run([*script, *places], check=True)
