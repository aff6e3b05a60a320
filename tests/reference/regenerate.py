"""Compute the pinned values again with R and say how far they moved.

Usage: ``python -m tests.reference.regenerate [NAME ...]``. Every script ``NAME.R``, here or in a
folder of its own (``network/networks``), writes ``NAME.json``; ``data.R`` writes the inputs and
runs first. Values are compared as numbers, because bytes differ between processors and
linear-algebra libraries.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INPUTS = "data"
# Larger relative differences are reported as changes.
SAME = 1e-9


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a JSON value with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, f"{path}/{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from numbers(item, f"{path}/{i}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def largest_change(before: Any, after: Any) -> tuple[float, str]:
    """Return the largest relative difference between two JSON values and where it is."""
    old, new = dict(numbers(before)), dict(numbers(after))
    worst, place = 0.0, ""
    for path in sorted(old.keys() | new.keys()):
        a, b = old.get(path, math.nan), new.get(path, math.nan)
        change = abs(a - b) / max(abs(a), abs(b), 1e-300) if a != b else 0.0
        if math.isnan(change):
            return math.inf, path
        if change > worst:
            worst, place = change, path
    return worst, place


def run(name: str) -> None:
    """Run one script and print how far its values moved."""
    target = HERE / f"{name}.json"
    before = json.loads(target.read_text()) if target.is_file() else None
    script = HERE / f"{name}.R"
    subprocess.run(["Rscript", script.name], cwd=script.parent, check=True)
    if before is None:
        print(f"{name}: written" if target.is_file() else f"{name}: done")
        return
    worst, place = largest_change(before, json.loads(target.read_text()))
    verdict = "unchanged" if worst <= SAME else f"CHANGED at {place}"
    print(f"{name}: largest relative difference {worst:.2g}, {verdict}", flush=True)


def main() -> None:
    """Run the scripts named on the command line, or all."""
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is not installed; CONTRIBUTING.md lists the packages it needs")
    every = sorted(str(p.relative_to(HERE).with_suffix("")) for p in HERE.rglob("*.R"))
    chosen = sys.argv[1:] or every
    unknown = [name for name in chosen if name not in every]
    if unknown:
        sys.exit(f"no script {unknown[0]}.R; there are: {', '.join(every)}")
    for name in sorted(chosen, key=lambda n: (n != INPUTS, n)):
        run(name)


if __name__ == "__main__":
    main()
