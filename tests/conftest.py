"""What the whole run shares: the main job's results, made once; and the order of the modules."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.cli.runner import process

# A test says whether an answer is right; how long it took depends on who else uses the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

PATIENCE = 900
"""Seconds that a worker waits for what another one makes."""

FIRST = ("tests/pipeline/test_main_job", "tests/site/test_build", "tests/analyses/", "tests/site/")
"""The longest modules: begun last, one of them would run alone at the end. While one worker builds
the site, the other does what does not wait for it."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among modules and tests: they stay to the end of the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_sessionfinish() -> None:
    """Let the last search, which tells of files left open, look everywhere."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first, the others as they were."""
    rank = {start: i for i, start in enumerate(FIRST)}
    items.sort(
        key=lambda item: next(
            (i for start, i in rank.items() if item.nodeid.startswith(start)), len(rank)
        )
    )


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of this run of the tests that the first worker to ask for it has made."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    home, ready, failed = (shared / f"{name}{end}" for end in ("", ".ready", ".failed"))
    try:
        home.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + PATIENCE
        while not ready.exists():
            assert not failed.exists(), f"{name} could not be made by the other worker"
            assert time.monotonic() < deadline, f"{name} was not made by the other worker"
            time.sleep(0.2)
    else:
        try:
            make(home)
        except BaseException:
            failed.touch()
            raise
        ready.touch()
    return home


def _reproduce(home: Path) -> None:
    result = process("reproduce", "--out", home / "results", "--jobs", 2)
    assert result.returncode == 0, result.stderr
    assert "Headline results" in result.stdout
    assert "report.html" in result.stdout


@pytest.fixture(scope="session")
def main_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything `metablin reproduce` writes, shared by parallel workers; not to be written to."""
    return made_once(tmp_path_factory, "main-job", _reproduce) / "results"
