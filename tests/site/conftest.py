"""The site built once for all tests: results, generated pages and documents in a scratch folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metablin.pipeline import runner
from metablin.pipeline.publish import publish

ROOT = Path(__file__).parents[2]
GENERATED = ("_site", ".quarto", "_freeze", "results", "evidence", "trials", "sources", "reference")
PATIENCE = 600


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of documents with everything they read, shared by parallel workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    home, ready, failed = (shared / n for n in ("published", "published.ready", "published.failed"))
    try:
        home.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + PATIENCE
        while not ready.exists():
            assert not failed.exists(), "the site could not be built by the other worker"
            assert time.monotonic() < deadline, "the site was not built by the other worker"
            time.sleep(0.2)
    else:
        try:
            build(home)
        except BaseException:
            failed.touch()
            raise
        ready.touch()
    return home / "site"


def build(home: Path) -> None:
    """Reproduce the accepted analyses, publish, write the pages; reuse what is up to date."""
    if (ROOT / "results").is_dir():
        shutil.copytree(ROOT / "results", home / "results")
    accepted = sorted(p.stem for p in (ROOT / "analyses" / "expected").glob("*.json"))
    runner.reproduce(accepted, folder=ROOT / "analyses", out=home / "results", jobs=2)
    publish(home / "results")
    shutil.copytree(ROOT / "site", home / "site", ignore=shutil.ignore_patterns(*GENERATED))
    script = [sys.executable, str(ROOT / "site" / "_scripts" / "build.py")]
    places = ["--site", str(home / "site"), "--results", str(home / "results")]
    subprocess.run([*script, *places], check=True)
