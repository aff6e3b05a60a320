"""Time one fit and many fits beside R's metafor, in one run, and measure memory.

Without R only our own figures are printed. R times itself inside one session, so its start-up is
not counted. Targets: one REML fit with Hartung-Knapp interval, k = 20, at most 1 ms and a third of
``rma``; a fit of ``pool_many`` at most a hundredth of ``rma``; a million sets within 2 GB.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import metablin as mb

K = 20
SETS = 10_000
LARGE = 1_000_000
REPEATS = 200
R_FITS = 200

R_CODE = """
suppressMessages({library(metafor); library(jsonlite)})
s <- fromJSON(file("stdin"))
one <- function() rma(s$yi[1, ], s$vi[1, ], method = "REML", test = "knha")
r <- one(); invisible(confint(r))
single <- sapply(1:%d, function(i) system.time(one())[["elapsed"]])
many <- system.time(for (i in seq_len(nrow(s$yi))) tryCatch(
  rma(s$yi[i, ], s$vi[i, ], method = "REML", test = "knha"), error = function(e) NULL))[["elapsed"]]
whole <- system.time(for (i in 1:50) { r <- one(); confint(r); predict(r) })[["elapsed"]] / 50
cat(toJSON(list(single = mean(single), many = many / nrow(s$yi), whole = whole,
  estimate = as.numeric(r$beta)), auto_unbox = TRUE, digits = 15))
"""


def data(m: int, k: int = K) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20260103)
    vi = 0.25 * rng.chisquare(3, (m, k)) / 3 + 0.01
    return rng.normal(-0.3, np.sqrt(vi + 0.1)), vi


def median_time(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peak_memory(m: int, queue: multiprocessing.Queue[Any]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yi, vi = data(m)
    start = time.perf_counter()
    mb.pool_many(yi, vi)
    seconds = time.perf_counter() - start
    queue.put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, before))


def peer() -> dict[str, float] | None:
    if shutil.which("Rscript") is None:
        return None
    yi, vi = data(R_FITS)
    run = subprocess.run(
        ["Rscript", "-e", R_CODE % R_FITS],
        input=json.dumps({"yi": yi.tolist(), "vi": vi.tolist()}),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main() -> None:
    yi, vi = data(SETS)
    effects = mb.generic(yi[0], vi[0])
    mb.pool(effects)
    one = median_time(lambda: mb.pool(effects), REPEATS)
    many = median_time(lambda: mb.pool_many(yi, vi), 3) / SETS
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=peak_memory, args=(LARGE, queue))
    process.start()
    seconds, peak, before = queue.get()
    process.join()
    theirs = peer()
    lines = [
        ("one fit with intervals, k = 20", one, theirs and theirs["single"]),
        ("the same, rma + confint + predict", one, theirs and theirs["whole"]),
        (f"a fit of pool_many, {SETS} sets", many, theirs and theirs["many"]),
    ]
    print(f"{'':40}{'metablin':>12}{'metafor':>12}{'ratio':>10}")
    for name, ours, other in lines:
        right = f"{1e3 * other:10.3f}ms{ours / other:10.4f}" if other else f"{'-':>12}{'-':>10}"
        print(f"{name:40}{1e3 * ours:10.4f}ms{right}")
    print(
        f"{LARGE} sets of {K}: {seconds:.1f} s, peak {peak / 1e6:.2f} GB "
        f"({(peak - before) / 1e6:.2f} GB above the import)"
    )


if __name__ == "__main__":
    main()
