"""Draw the figures, read them, write RESULTS.md: ``python -m benchmarks.figures.run [options]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import endtoend, measure, suite
from benchmarks.figures.drawn import DRAWN
from benchmarks.figures.trials import Spec

RESULTS = Path(__file__).with_name("RESULTS.md")
TARGETS = """| | error of S, mean | p95 | cells | log HR |
|---|---|---|---|---|
| vector | .001 | | 100 % | .003 |
| picture, 150 dpi and more | .004 | .010 | 98 % | .015 |
| 100 dpi, JPEG, grey | .008 | .020 | 90 % | |
| picture, axes by hand | .003 | | | |
"""
PEER = """Published, not measured here: the R reader of pictures needs two packages (`imager`,
`tesseract`) that were not to be had where this ran.

| reader | on | error | failed |
|---|---|---|---|
| SurvdigitizeR, pictures | own simulations (its abstract) | RMSE .012; .014 by hand | not said |
| SurvdigitizeR | 540 simulated plots of others | not said | 178 of 540 |
| KM-GPT, hosted models | the same 540 plots | median .005, integrated .018 | 2 of 540 |

Zhang JZ, Rios JD, Pechlivanoglou T, et al. (2024). BMC Med Res Methodol 24:147.
doi:10.1186/s12874-024-02273-8. The 540 plots: arXiv 2509.18141.
"""
OWN_MARKS = ("lifelines, one arm", "ggplot2, grey page")  # manners that choose their marks
BY_HAND = 8  # pictures of 150 dpi and more that are read again with axes by hand


def main(argv: Sequence[str] = ()) -> None:
    """Run the benchmark and write its record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rasters", type=int, default=2, help="pictures a manner")
    parser.add_argument("--runs", type=int, default=3, help="times ten trials, end to end")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--keep", type=Path, help="folder for the figures; else a temporary one")
    chosen = parser.parse_args(list(argv))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        text = record(chosen.keep or Path(folder), chosen.rasters, chosen.runs)
    chosen.out.write_text(text, encoding="utf-8")
    print(text)


def record(folder: Path, rasters: int, runs: int) -> str:
    """Return the whole record as Markdown."""
    styles = list(DRAWN) + (list(suite.R_STYLES) if suite.has_r() else [])
    specs = suite.suite(styles, rasters)
    suite.make(specs, folder)
    scores = []
    for spec in specs:
        scores.append(measure.measure(spec, folder))
        print(
            spec.file, spec.style, scores[-1].figure["refused"] or "", file=sys.stderr, flush=True
        )
    parts = [
        "# Figures read, against their patients\n",
        f"{len(specs)} figures in {len(styles)} manners; no option given. Error of S is the root "
        "mean square over 400 times of the axis, by arm. Seconds are of one core: the median and "
        "the longest.\n",
        "## Targets\n", TARGETS,
        "## By format\n", markdown(measure.table(scores)),
        "## With axes by hand\n", markdown(by_hand(specs, folder)),
        "## What was not read, or with doubt\n", faults(scores),
        "## By manner\n", markdown(manners(scores)),
        "## From figures to pools\n",
        f"{endtoend.TRIALS} two-arm trials a time, {runs} times (pictures once); {endtoend.DRAWS} "
        "draws a trial carry the reading error. Covered: the pool of the true patients lies in "
        "the 95 % interval of the pool of the read ones; within reading: in the interval of the "
        "draws alone.\n",
        "### Vector\n", markdown(endtoend.table(folder, runs, endtoend.VECTOR)),
        "### Pictures\n", markdown(endtoend.table(folder, 1, endtoend.RASTER)),
        "## Beside a peer\n", PEER,
    ]  # fmt: skip
    return "\n".join(parts)


def by_hand(specs: Sequence[Spec], folder: Path) -> pd.DataFrame:
    """Read pictures again with the first and last mark of both axes given."""
    able = [s for s in specs if s.format.startswith("raster >= 150") and len(s.panels) == 1]
    scores = []
    for spec in able[:BY_HAND]:
        low = 0.0
        if spec.style == "cut axis":
            lowest = min(float(a.survival(np.array([a.time.max()]))[0]) for a in spec.panels[0])
            low = round(max(0.0, np.floor(lowest * 10) / 10 - 0.1), 1)
        longest = max(float(a.time.max()) for a in spec.panels[0])
        marks = [t for t in spec.ticks if t <= longest or spec.style not in OWN_MARKS]
        ends = (0.0, float(marks[-1]))
        scores.append(measure.measure(spec, folder, x_axis=ends, y_axis=(low, 1.0)))
    return measure.table(scores)


def faults(scores: Sequence[measure.Score]) -> str:
    """Return one line a figure that was refused, is doubtful, or is silently wrong."""
    lines = []
    for s in scores:
        f = s.figure
        why = f["refused"] or f.get("doubtful", "")
        word = "refused" if f["refused"] else "doubtful"
        if f["silent"]:
            why, word = f"{f['silent']} arm(s) off by more than .05", "SILENT"
        if why:
            lines.append(f"- {f['file']} ({f['style']}, {f['format']}): {word}: {why}")
    return "\n".join(lines) + "\n" if lines else "None.\n"


def manners(scores: Sequence[measure.Score]) -> pd.DataFrame:
    """Return the error of S and the cells by manner."""
    arms = pd.DataFrame([r for s in scores for r in s.arms])
    found = arms.groupby("style", sort=False).agg(
        arms=("found", "size"), found=("found", "sum"), mean=("error", "mean"),
        largest=("error", "max"), cells=("cells", "sum"), right=("cells_right", "sum"),
    )  # fmt: skip
    return found.reset_index()


def markdown(frame: pd.DataFrame) -> str:
    """Return a table as Markdown, four digits after the point."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return (
                "" if np.isnan(value) else f"{value:g}" if value == int(value) else f"{value:.4f}"
            )
        return str(value)

    rows = [[cell(v) for v in row] for row in frame.itertuples(index=False)]
    lines = [list(map(str, frame.columns)), ["---"] * len(frame.columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
