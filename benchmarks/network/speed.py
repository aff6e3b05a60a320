"""CPU time of networks, beside rma.mv and netmeta where R and they are installed."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from metablin.network import Network, network, network_pool

PINS = Path(__file__).parents[2] / "tests" / "reference" / "network" / "networks.json"

R_CODE = """
suppressMessages(library(metafor)); suppressMessages(library(metadat))
d <- dat.senn2013
b <- lapply(split(d, d$study), function(e) { r <- nrow(e) - 1; v <- e$sdi^2 / e$ni
  list(y = e$mi[-1] - e$mi[1], V = diag(v[-1], r) + v[1], t = e$treatment) })
y <- unlist(lapply(b, `[[`, "y")); V <- as.matrix(bldiag(lapply(b, `[[`, "V")))
tr <- sort(unique(d$treatment)); s <- rep(seq_along(b), sapply(b, function(x) length(x$y)))
X <- do.call(rbind, lapply(b, function(x) {
  o <- matrix(0, length(x$y), length(tr), dimnames = list(NULL, tr))
  for (i in seq_along(x$y)) { o[i, x$t[i + 1]] <- 1; o[i, x$t[1]] <- -1 }; o }))[, -1]
f <- data.frame(y = y, s = s, r = unlist(lapply(table(s), seq_len)))
g <- function() rma.mv(y, V, mods = X, intercept = FALSE, random = ~ r | s, rho = 0.5, data = f)
invisible(g()); t <- system.time(for (i in 1:20) g()); cat((t[[1]] + t[[2]]) / 20 * 1000)
"""

NETMETA_CODE = """
suppressMessages({library(netmeta); library(metadat)})
p <- pairwise(treatment, mean = mi, sd = sdi, n = ni, studlab = study, data = dat.senn2013,
              sm = "MD", append = FALSE)
g <- function() netmeta(p, method.tau = "REML", tol.multiarm = 0.1, tol.multiarm.se = 0.1)
invisible(g()); t <- system.time(for (i in 1:3) g()); cat((t[[1]] + t[[2]]) / 3 * 1000)
"""


def cpu(call: Callable[[], object], repeats: int) -> float:
    """Return the smallest CPU time of a call in milliseconds over five rounds."""
    call()
    rounds = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(repeats):
            call()
        rounds.append((time.process_time() - start) / repeats)
    return 1000 * min(rounds)


def senn() -> Network:
    cell = json.loads(PINS.read_text())["cells"]["senn2013"]
    return network(pd.DataFrame(cell["data"]), cell["measure"])


def table(treatments: int, studies: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return arms of a connected network with one study in ten of three arms."""
    rows = []
    for s in range(studies):
        size = 3 if s % 10 == 0 else 2
        arms = rng.choice(treatments, size, replace=False)
        if s < treatments - 1:  # a chain ties all treatments
            arms = np.array([s, s + 1])
        n = rng.integers(40, 200, len(arms))
        p = 1 / (1 + np.exp(1 - 0.02 * arms + rng.normal(0, 0.3)))
        rows += [(s, f"T{a}", e, m) for a, e, m in zip(arms, rng.binomial(n, p), n, strict=True)]
    return pd.DataFrame(rows, columns=["study", "treatment", "events", "n"])


def main() -> None:
    """Print one line per task."""
    rng = np.random.default_rng(1)
    small = senn()
    print(f"Senn 2013, REML, fit: {cpu(lambda: network_pool(small), 20):.2f} ms CPU (target 3)")
    whole = cpu(lambda: network_pool(small).to_dict(), 3)
    print(f"Senn 2013, REML, with effects, splits, ranks, inconsistency: {whole:.1f} ms CPU")
    frame = table(100, 1000, rng)
    door = cpu(lambda: network(frame), 1)
    big = network(frame)
    print(f"100 treatments, 1,000 studies: door {door:.0f} ms, fit "
          f"{cpu(lambda: network_pool(big), 1):.0f} ms CPU (target 1,000 together)")  # fmt: skip
    eight = [network(table(8, 20, rng)) for _ in range(50)]
    each = cpu(lambda: [network_pool(n) for n in eight], 1) / 50
    print(f"8 treatments, 20 studies: {each:.2f} ms each, so 10,000 fits take "
          f"{each * 10:.0f} s CPU (target 60)")  # fmt: skip
    for name, code in (("rma.mv", R_CODE), ("netmeta", NETMETA_CODE)):
        took = in_r(code)
        if math.isnan(took):
            print(f"{name}: not installed here", file=sys.stderr)
        else:
            print(f"{name} on Senn 2013, REML: {took:.1f} ms CPU")


def in_r(code: str) -> float:
    """Return the milliseconds that R code prints, NaN where R or a package is missing."""
    if not shutil.which("Rscript"):
        return math.nan
    out = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    return float(out.stdout) if out.returncode == 0 else math.nan


if __name__ == "__main__":
    main()
