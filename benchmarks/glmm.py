"""Time the binomial-normal model beside R's rma.glmm, in one run.

Run from the root: ``python benchmarks/glmm.py``. Without R only our own times are printed. Both
sides fit the same simulated proportions with 7 quadrature points; R times itself inside one
process, so its start-up is not counted. Times are the best of several on both sides: on a busy
machine the median measures the neighbours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import numpy as np

from metablin.meta.counts.glmm.fit import glmm_proportions

REPEATS = 15
POINTS = 7
R_CODE = """
suppressMessages({library(metafor); library(jsonlite)})
sets <- fromJSON(file("stdin"), simplifyVector = FALSE)
out <- lapply(sets, function(s) {
  x <- unlist(s$x); n <- unlist(s$n)
  f <- function() suppressWarnings(rma.glmm(measure = "PLO", xi = x, ni = n))
  r <- f()
  t <- sapply(1:%d, function(i) system.time(f())[["elapsed"]])
  list(seconds = min(t), estimate = as.numeric(r$beta), tau2 = r$tau2)
})
cat(toJSON(out, auto_unbox = TRUE, digits = 15))
"""


def simulate(k: int, seed: int) -> dict[str, list[int]]:
    rng = np.random.default_rng(seed)
    n = rng.integers(15, 120, k)
    p = 1 / (1 + np.exp(-rng.normal(-1, 0.7, k)))
    return {"x": rng.binomial(n, p).tolist(), "n": n.tolist()}


def ours(data: dict[str, list[int]], points: int | None) -> tuple[float, float, float]:
    fit = glmm_proportions(data["x"], data["n"], points=points)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        fit = glmm_proportions(data["x"], data["n"], points=points)
        times.append(time.perf_counter() - start)
    return min(times), float(fit.beta[0]), fit.tau2


def main() -> None:
    sizes = (5, 10, 20, 60)
    sets = [simulate(k, 100 + k) for k in sizes]
    peer = None
    if shutil.which("Rscript"):
        run = subprocess.run(
            ["Rscript", "-e", R_CODE % REPEATS],
            input=json.dumps(sets),
            capture_output=True,
            text=True,
            check=True,
        )
        peer = json.loads(run.stdout)
    print("k   ours, 7 points  ours, automatic  rma.glmm  ratio  |d estimate|  |d tau2|")
    for i, (k, data) in enumerate(zip(sizes, sets, strict=True)):
        seconds, estimate, tau2 = ours(data, POINTS)
        automatic, _, _ = ours(data, None)
        line = f"{k:<3d} {1e3 * seconds:11.2f} ms {1e3 * automatic:13.2f} ms"
        if peer is not None:
            r = peer[i]
            line += f" {1e3 * r['seconds']:6.0f} ms  {seconds / r['seconds']:5.3f}"
            line += f"  {abs(estimate - r['estimate']):12.1e}  {abs(tau2 - r['tau2']):8.1e}"
        print(line)


if __name__ == "__main__":
    main()
