"""How far metablin's pooled results lie from the values pinned from R, family by family."""

from __future__ import annotations

import json
from pathlib import Path

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


def family(method: str, words: str, grid: dict) -> dict:
    """Return one line: the values compared and the largest relative difference."""
    found = [d for data in grid.values() for d in differences(method, data)]
    return {
        "key": method,
        "family": words,
        "sets": len(grid),
        "values": len(found),
        "largest_relative_difference": max(found),
    }


def differences(method: str, data: dict) -> list[float]:
    """Return the relative differences of one estimator on one data set, over all intervals."""
    effects = generic(data["yi"], data["vi"])
    model, tau2 = ("common", "REML") if method == "FE" else ("random", method)
    found = []
    for test, cell in data["fits"][method]["tests"].items():
        fit = pool(effects, model=model, tau2=tau2, ci=TESTS[test]).analysis
        for name in VALUES:
            theirs = cell.get(name)
            if theirs is not None and abs(theirs) > ZERO:
                found.append(abs(getattr(fit, name) - theirs) / abs(theirs))
    return found
