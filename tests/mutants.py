"""Change numerical modules one operator at a time, and say how many changes their tests notice.

Usage: ``python -m tests.mutants [MODULE ...] [--jobs N]``, by default all of `MODULES`; `mutmut`
makes the changes. It works on a copy of the tree in a temporary folder. Exits with 1 when a module
falls below its goal.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOAL = 0.9
"""Share of changes that the tests must notice. The rest are those that change nothing anybody
could see (a tolerance, the words of an error) and those that deserve a test."""

MODULES: dict[str, tuple[str, ...]] = {
    "metablin/survival/ties.py": ("tests/survival/test_ties.py",),
    "metablin/survival/rmst.py": ("tests/survival/test_rmst.py", "tests/survival/test_ties.py"),
    "metablin/survival/km.py": ("tests/survival/test_km.py", "tests/survival/test_ties.py"),
    "metablin/numerics/inference.py": ("tests/meta/test_inference.py", "tests/meta/test_pool.py"),
    "metablin/numerics/deletion.py": ("tests/meta/test_deletion_sums.py",),
    "metablin/meta/normal/blocks.py": ("tests/meta/test_multilevel.py",),
    "metablin/meta/core/nothing.py": ("tests/meta/test_nothing.py", "tests/meta/test_cohorts.py"),
    "metablin/meta/checks/intervals.py": ("tests/meta/test_intervals.py",),
    "metablin/safety/exposure.py": ("tests/safety/test_exposure.py",),
    "metablin/effects/contrasts.py": (
        "tests/effects/test_contrasts.py",
        "tests/meta/test_notes.py",
    ),
}
COPIED = ("metablin", "tests", "datasets", "pyproject.toml", "README.md")
KILLED = {1, 3}
"""Exit codes of pytest when a test fails, and of one that could not even start."""


def prepare(work: Path, module: str, tests: tuple[str, ...]) -> None:
    """Copy what the tests need and tell mutmut what to change."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__", "data")
            keep = None if name == "datasets" else skip
            shutil.copytree(source, work / name, ignore=keep)
        else:
            shutil.copy2(source, work / name)
    data = work / "tests" / "reference" / "data"
    if not data.exists():
        shutil.copytree(ROOT / "tests" / "reference" / "data", data)
    with (work / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(
            f'\n[tool.mutmut]\nsource_paths = ["{module}"]\n'
            f"pytest_add_cli_args_test_selection = {json.dumps(list(tests))}\n"
            'also_copy = ["metablin", "tests", "datasets"]\n'
        )


def run(module: str, tests: tuple[str, ...], jobs: int) -> tuple[Counter[str], list[str]]:
    """Return how many changes were killed, survived or reached by no test, and the survivors."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        work = Path(folder)
        prepare(work, module, tests)
        single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": folder}
        done = subprocess.run(
            [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs)],
            cwd=work, env={**os.environ, **single}, capture_output=True, text=True,
        )  # fmt: skip
        meta = work / "mutants" / f"{module}.meta"
        if not meta.is_file():
            sys.exit(f"{module}: mutmut did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    if not any(code in KILLED for code in codes.values()):
        sys.exit(f"{module}: no change was noticed\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    counts = Counter({"killed": 0, "survived": 0, "out of time": 0})
    survivors = []
    for name, code in codes.items():
        kind = (
            "killed" if code in KILLED else "out of time" if (code or 0) < 0 or code == 36 else ""
        )
        counts[kind or "survived"] += 1
        if not kind:
            survivors.append(name)
    return counts, survivors


def main() -> None:
    """Run the modules named on the command line and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="modules (default: all)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name the survivors")
    asked = parser.parse_args()
    unknown = [m for m in asked.modules if m not in MODULES]
    if unknown:
        sys.exit(f"unknown module {unknown[0]}; there are: {', '.join(MODULES)}")
    total: Counter[str] = Counter()
    below = []
    for module in asked.modules or MODULES:
        counts, survivors = run(module, MODULES[module], asked.jobs)
        total += counts
        share = _share(counts)
        print(f"{module}: {share:.0%} of {counts.total()} changes noticed", flush=True)
        if asked.list:
            print(*(f"  {name}" for name in survivors), sep="\n", flush=True)
        if share < GOAL:
            below.append(module)
    print(f"all: {_share(total):.0%} of {total.total()} changes noticed")
    if below:
        sys.exit(f"below {GOAL:.0%}: {', '.join(below)}")


def _share(counts: Counter[str]) -> float:
    """Return the share of changes noticed; one that makes a test run for ever is noticed too."""
    return (counts["killed"] + counts["out of time"]) / max(counts.total(), 1)


if __name__ == "__main__":
    main()
