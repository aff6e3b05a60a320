"""How far metablin's pooled results lie from the values pinned from R, family by family."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.effects import generic
from metablin.meta import pool

TESTS = {"z": "z", "t": "t", "knha": "hksj", "adhoc": "hksj-adhoc"}
VALUES = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
FAMILIES = {
    "FE": "Common effect",
    "DL": "DerSimonian-Laird",
    "HE": "Hedges",
    "HS": "Hunter-Schmidt",
    "SJ": "Sidik-Jonkman",
    "ML": "Maximum likelihood",
    "REML": "Restricted maximum likelihood",
    "EB": "Empirical Bayes",
    "PM": "Paule-Mandel",
}
# Below this size a value is zero but for rounding and a relative difference says nothing.
ZERO = 1e-10


def write(pins: Path, target: Path) -> None:
    """Write the largest relative disagreement of every estimator over all pinned data sets."""
    source = pins / "metafor_grid.json"
    if not source.is_file():
        return
    grid = json.loads(source.read_text("utf-8"))["grid"]
    rows = [family(name, words, grid) for name, words in FAMILIES.items()]
    target.parent.mkdir(parents=True, exist_ok=True)
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.3g", lineterminator="\n")
    if not target.is_file() or target.read_text("utf-8") != text:
        target.write_text(text, encoding="utf-8")


def family(method: str, words: str, grid: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one line: the values compared and the largest relative difference."""
    found = [d for data in grid.values() for d in differences(method, data)]
    return {
        "key": method,
        "family": words,
        "sets": len(grid),
        "values": len(found),
        "largest_relative_difference": max(found),
    }


def differences(method: str, data: dict[str, Any]) -> list[float]:
    """Return the relative differences of one estimator on one data set, over all intervals."""
    effects = generic(data["yi"], data["vi"])
    model = {"model": "common"} if method == "FE" else {"model": "random", "tau2": method}
    found = []
    for test, cell in data["fits"][method]["tests"].items():
        options: dict[str, Any] = {**model, "ci": TESTS[test]}
        fit = pool(effects, **options).analysis
        for name in VALUES:
            theirs = cell.get(name)
            if theirs is not None and abs(theirs) > ZERO:
                found.append(abs(getattr(fit, name) - theirs) / abs(theirs))
    return found


def records(pins: Path, benchmarks: Path, target: Path) -> None:
    """Write what the repository records about agreement and accuracy, as parts of a page.

    What stands before the first section is about files and left out.
    """
    agreed = [part(pins / name, "####") for name in ("README.md", "influence.md")]
    write_text(target / "agreement.md", "\n".join(agreed))
    rebuilt = part(benchmarks / "reconstruction" / "RESULTS.md", "###")
    write_text(target / "reconstruction_benchmark.md", rebuilt)


def part(file: Path, level: str) -> str:
    """Return the sections of a record under headings of a level, after its title one level up."""
    if not file.is_file():
        return ""
    text = file.read_text("utf-8")
    title = re.match(r"# (.*)\n", text)
    body = re.sub(r"\A.*?(?=^## )", "", text, flags=re.S | re.M)
    words = f"{level[1:]} {title[1]}\n\n" if title and len(level) > len("###") else ""
    return words + re.sub(r"^##", level, body, flags=re.M)


def write_text(target: Path, text: str) -> None:
    """Write a file unless it would be empty or is there already."""
    if text.strip() and (not target.is_file() or target.read_text("utf-8") != text):
        target.write_text(text, encoding="utf-8")
