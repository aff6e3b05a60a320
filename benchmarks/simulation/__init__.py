"""How often intervals and tests are right, and how far estimates are off: by simulation.

``make simulate`` writes ``RESULTS.md`` here, and a ``simulation.NAME.csv`` for every table beside
the analysis that shows them. Seeds are fixed, so the same versions write the same numbers.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from benchmarks.simulation import survival
from benchmarks.simulation.coverage import coverage
from benchmarks.simulation.transforms import transforms

HERE = Path(__file__).parent
ANALYSIS = HERE.parents[1] / "analyses" / "simulation"

TEXT = """# Simulations

Written by `make simulate`; do not edit. A Monte-Carlo standard error stands beside every figure.

## Intervals for the mean of random effects

{coverage_count} meta-analyses a line, normal effects with mean zero, sampling variances drawn as
0.25 times a chi-square with one degree of freedom, kept between 0.009 and 0.6 (Brockwell and
Gordon 2001, doi:10.1002/sim.650), tau2 by REML. `coverage` is the share of 95% intervals that
hold the true mean, so the type I error of the test is one minus it; `prediction` is the share of
95% prediction intervals that hold the effect of one new study.

{coverage}

## Pooled proportions near 0 and 1

{transforms_count} meta-analyses a line: ten studies of 15 to 120 patients, logits normal around the
logit of `p` with standard deviation 0.5. `bias` is the mean of the pooled proportion minus `p` (the
median study), in percentage points; `coverage` is that of the 95% interval (Hartung-Knapp for the
inverse-variance scales, t for the binomial-normal model).

{transforms}

## Tests of two survival curves

{survival_tests_count} trials a line of two arms, `n` patients in all, exponential controls with a
mean of 12 months, entry over 12 months and a cut at 36. `none`: no difference; `proportional`:
hazard ratio 0.7; `delayed`: 1 up to 6 months, 0.5 afterwards; `crossing`: 1.6 up to 5 months, 0.45
afterwards. `rejected` is the share of two-sided p below 0.05: the type I error under `none`, the
power elsewhere. `rmst` compares restricted means at 24 months.

{survival_tests}

## Cured shares

{cure_count} samples a line from a Weibull mixture cure model (shape 1.2, scale 9 months), censored
between 24 and 60 months (`long`: the plateau is seen) or 9 and 24 (`short`: it hardly is).
`coverage` is that of 95% intervals, `width` their median, `bias` in percentage points,
`at_boundary` the share of fits at 0 or 1, where there is no Wald interval.

{cure}

## Bands of pooled survival curves

{bands_count} pools a line of `k` single arms of 30 to 199 patients, exponential, log time scale
normal with standard deviation 0.3; followed for 24 months or more (`all`), or half of them (at most
all but three) for 6 to 24 months (`some`). `coverage` of the 95% band of the mean, averaged over 3,
6, 12, 18 and 24 months, and `lowest_time` at the worst of them; `new_trial` the same of the band
for a new trial; `bias` of the curve in percentage points; `median_months` the middle of the pooled
medians. The error is over pools.

{bands}
"""


def main() -> None:
    from benchmarks.simulation import few_studies  # which is a program of its own, too

    start = time.perf_counter()
    tables = {
        "coverage": coverage(),
        "transforms": transforms(),
        "survival_tests": survival.tests(),
        "cure": survival.cure(),
        "bands": survival.bands(),
    }
    for name, frame in tables.items():
        write(frame, name)
        print(frame.to_string(index=False))
    (HERE / "RESULTS.md").write_text(report(tables), encoding="utf-8")
    few_studies.main()
    print(f"{time.perf_counter() - start:.0f} s")


def report(tables: dict[str, pd.DataFrame]) -> str:
    """Return the tables as one Markdown text."""
    counts = {f"{name}_count": int(f["repetitions"].iloc[0]) for name, f in tables.items()}
    texts = {name: markdown(f.drop(columns="repetitions")) for name, f in tables.items()}
    return TEXT.format(**counts, **texts)


def write(frame: pd.DataFrame, name: str) -> None:
    """Write a table beside the analysis ``simulation``."""
    path = ANALYSIS / f"{name}.csv"
    frame.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table with four decimals at most."""
    cells = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in frame.values]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
