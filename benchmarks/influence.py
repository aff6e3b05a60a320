"""Time influence, leave-one-out and GOSH beside R's metafor, in one run.

Run from the root: ``python -m benchmarks influence``. Without R only our own times are printed.
Both sides fit the same simulated effects by REML; R times itself inside one session, so its
start-up is not counted. metafor's GOSH is timed on a sample of subsets and scaled up to all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from metablin.effects import generic
from metablin.meta import MetaFit, pool
from metablin.meta.checks.gosh import gosh
from metablin.meta.checks.influence import influence, leave_one_out
from metablin.meta.checks.selection import selection_model
from metablin.meta.checks.trimfill import trim_and_fill

SIZES = (10, 20, 60)
REPEATS = 9
GOSH_STUDIES = 16
GOSH_SAMPLE = 400
R_CODE = """
suppressMessages({library(metafor); library(jsonlite)})
sets <- fromJSON(file("stdin"), simplifyVector = FALSE)
timed <- function(f, n) {
  f(); median(sapply(seq_len(n), function(i) system.time(f())[["elapsed"]])) }
out <- lapply(sets, function(s) {
  yi <- unlist(s$yi); vi <- unlist(s$vi)
  r <- rma(yi, vi); m <- rma(yi, vi, method = "ML")
  i <- suppressWarnings(influence(r))
  list(influence = timed(function() suppressWarnings(influence(r)), 5),
    leave_one_out = timed(function() leave1out(r), 5),
    trim_and_fill = timed(function() trimfill(r), 5),
    selection = timed(function() suppressWarnings(selmodel(m, type = "stepfun", steps = 0.025)), 3),
    cook = i$inf$cook.d)
})
s <- sets[[length(sets)]]
r <- rma(unlist(s$yi)[1:%d], unlist(s$vi)[1:%d])
fits <- %d
g <- system.time(gosh(r, subsets = fits, progbar = FALSE))[["elapsed"]]
cat(toJSON(list(sets = out, gosh = g / fits), auto_unbox = TRUE, digits = 15))
"""

JOBS: dict[str, Callable[[MetaFit], Any]] = {
    "influence": influence,
    "leave_one_out": leave_one_out,
    "trim_and_fill": trim_and_fill,
    "selection": selection_model,
}


def simulate(k: int, seed: int) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    v = 0.02 + rng.exponential(0.08, k)
    return {"yi": rng.normal(0.4, np.sqrt(v + 0.05)).tolist(), "vi": v.tolist()}


def seconds(job: Callable[[], Any], repeats: int = REPEATS) -> float:
    job()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def peer(sets: list[dict[str, list[float]]]) -> Any:
    """Return R's times, or None without R."""
    if shutil.which("Rscript") is None:
        return None
    run = subprocess.run(
        ["Rscript", "-e", R_CODE % (GOSH_STUDIES, GOSH_STUDIES, GOSH_SAMPLE)],
        input=json.dumps(sets),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def main() -> None:
    sets = [simulate(k, 200 + k) for k in SIZES]
    theirs = peer(sets)
    print(f"{'job':<15s} {'k':>3s} {'ours':>11s} {'metafor':>11s} {'ratio':>8s} {'|d Cook|':>9s}")
    for i, (k, data) in enumerate(zip(SIZES, sets, strict=True)):
        fit = pool(generic(data["yi"], data["vi"]), ci="z")
        for name, job in JOBS.items():
            own = seconds(partial(job, fit))
            line = f"{name:<15s} {k:>3d} {1e3 * own:>8.2f} ms"
            if theirs is not None:
                other = theirs["sets"][i][name]
                line += f" {1e3 * other:>8.0f} ms {own / other:>8.4f}"
                if name == "influence":
                    gap = np.abs(influence(fit).cook_d - theirs["sets"][i]["cook"]).max()
                    line += f" {gap:>9.1e}"
            print(line)
    _gosh(sets[-1], theirs)


def _gosh(data: dict[str, list[float]], theirs: Any) -> None:
    e = generic(data["yi"][:GOSH_STUDIES], data["vi"][:GOSH_STUDIES])
    fits = 2**GOSH_STUDIES - 1 - GOSH_STUDIES
    for tau2 in ("DL", "PM", "REML"):
        fit = pool(e, tau2=tau2)
        own = seconds(partial(gosh, fit), 3)
        line = f"GOSH, all {fits} subsets of {GOSH_STUDIES}, {tau2:<4s}: {own:.2f} s"
        if theirs is not None and tau2 == "REML":
            other = theirs["gosh"] * fits
            line += f"; metafor {other:.0f} s (from {GOSH_SAMPLE} subsets); ratio {own / other:.4f}"
        print(line)


if __name__ == "__main__":
    main()
