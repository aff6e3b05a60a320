"""How often the intervals are right, and how far proportion transforms are off: by simulation.

``make simulate`` writes ``RESULTS.md`` here, and ``simulation.coverage.csv`` and
``simulation.transforms.csv`` beside the analysis that shows them. Seeds are fixed, so the
same versions write the same numbers.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from benchmarks.simulation.coverage import coverage
from benchmarks.simulation.transforms import transforms

HERE = Path(__file__).parent
ANALYSES = HERE.parents[1] / "analyses"

TEXT = """# Simulations

Written by `make simulate`; do not edit. A Monte-Carlo standard error stands beside every figure.

## Intervals for the mean of random effects

{repetitions} meta-analyses a line, normal effects with mean zero, sampling variances drawn as
0.25 times a chi-square with one degree of freedom, kept between 0.009 and 0.6 (Brockwell and
Gordon 2001, doi:10.1002/sim.650), tau2 by REML. `coverage` is the share of 95% intervals that
hold the true mean, so the type I error of the test is one minus it; `prediction` is the share of
95% prediction intervals that hold the effect of one new study.

{coverage}

## Pooled proportions near 0 and 1

{small} meta-analyses a line: ten studies of 15 to 120 patients, logits normal around the logit of
`p` with standard deviation 0.5. `bias` is the mean of the pooled proportion minus `p` (the median
study), in percentage points; `coverage` is that of the 95% interval (Hartung-Knapp for the
inverse-variance scales, t for the binomial-normal model).

{transforms}
"""


def main() -> None:
    start = time.perf_counter()
    cover, bias = coverage(), transforms()
    write(cover, "coverage")
    write(bias, "transforms")
    text = TEXT.format(
        repetitions=int(cover["repetitions"].iloc[0]),
        small=int(bias["repetitions"].iloc[0]),
        coverage=markdown(cover.drop(columns="repetitions")),
        transforms=markdown(bias.drop(columns="repetitions")),
    )
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    print(cover.to_string(index=False))
    print(bias.to_string(index=False))
    print(f"{time.perf_counter() - start:.0f} s")


def write(frame: pd.DataFrame, name: str) -> None:
    """Write a table beside the analysis ``simulation``."""
    path = ANALYSES / f"simulation.{name}.csv"
    frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table with four decimals at most."""
    cells = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in frame.values]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
