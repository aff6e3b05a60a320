"""Time structured random effects beside R's metafor, in one run: CPU time, the least of several.

Without R only our own figures are printed. R times itself inside one session, so its start-up is
not counted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import metablin as mb

REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "structures.json"
REPEATS = 7

R_CODE = """
suppressMessages({library(metafor); library(jsonlite)})
R <- fromJSON("%s")
d <- lapply(R$data, as.data.frame); s <- lapply(R$scale_data, as.data.frame)
cpu <- function(f) { f(); min(sapply(1:%d, function(i) {
  t <- proc.time(); f(); sum((proc.time() - t)[1:2]) })) }
be <- d$berkey; ish <- d$ishak; kon <- d$konstantopoulos; as <- d$assink; bd <- s$bangertdrowns
Vb <- vcalc(vi = 1, cluster = trial, rvars = c(v1i, v2i), data = be)
Vi <- vcalc(vi, cluster = study, time1 = time, phi = .97, data = ish)
Va <- vcalc(vi, cluster = study, obs = esid, rho = .6, data = as)
cat(toJSON(list(
  `vcalc, 100 estimates` = cpu(function() vcalc(vi, cluster = study, obs = esid, rho = .6,
                                                data = as)),
  `nested` = cpu(function() rma.mv(yi, vi, random = ~ 1 | district/school, data = kon)),
  `crossed` = cpu(function() rma.mv(yi, vi, random = list(~ 1 | district/school, ~ 1 | year),
                                    data = kon)),
  `two outcomes, unstructured` = cpu(function() rma.mv(yi, Vb, mods = ~ outcome - 1,
    random = ~ outcome | trial, struct = "UN", data = be)),
  `four times, autoregressive` = cpu(function() rma.mv(yi, Vi, mods = ~ factor(time) - 1,
    random = ~ time | study, struct = "HAR", data = ish)),
  `nested, correlated errors` = cpu(function() rma.mv(yi, Va, random = ~ 1 | study/esid,
                                                      data = as)),
  `location-scale` = cpu(function() rma(yi, vi, mods = ~ meta, scale = ~ meta, data = bd))
), auto_unbox = TRUE, digits = 15))
"""


def cpu(function: Callable[[], object]) -> float:
    function()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def ours() -> dict[str, float]:
    found = json.loads(REFERENCE.read_text(encoding="utf-8"))
    d = {name: pd.DataFrame(columns) for name, columns in found["data"].items()}
    scale = pd.DataFrame(found["scale_data"]["bangertdrowns"])
    effects = mb.generic(scale["yi"], scale["vi"])
    kon, berkey, ishak, assink = (d[n] for n in ("konstantopoulos", "berkey", "ishak", "assink"))
    vb = np.zeros((len(berkey), len(berkey)))
    for i in range(0, len(berkey), 2):
        vb[i : i + 2, i : i + 2] = berkey.loc[i : i + 1, ["v1i", "v2i"]].to_numpy()
    cell = ishak["study"] + ishak["time"].astype(str)
    vi = mb.sampling_covariance(
        "vi", "study", cell.tolist(), time="time", rho=1, phi=0.97, data=ishak
    )

    def covariance() -> np.ndarray:
        return mb.sampling_covariance("vi", "study", "esid", rho=0.6, data=assink)

    va = covariance()
    calls: dict[str, Callable[[], object]] = {
        "vcalc, 100 estimates": covariance,
        "nested": lambda: mb.mixed("yi", "vi", "1 | district/school", kon),
        "crossed": lambda: mb.mixed("yi", "vi", ["1 | district/school", "1 | year"], kon),
        "two outcomes, unstructured": lambda: mb.mixed(
            "yi", vb, "outcome | trial", berkey, structure="UN", moderators="C(outcome) - 1"
        ),
        "four times, autoregressive": lambda: mb.mixed(
            "yi", vi, "time | study", ishak, structure="HAR", moderators="C(time) - 1"
        ),
        "nested, correlated errors": lambda: mb.mixed("yi", va, "1 | study/esid", assink),
        "location-scale": lambda: mb.location_scale(effects, "meta", "meta", scale),
    }
    return {name: cpu(call) for name, call in calls.items()}


def main() -> None:
    theirs: dict[str, float] = {}
    if shutil.which("Rscript") is not None:
        code = R_CODE % (REFERENCE, REPEATS)
        run = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
        theirs = json.loads(run.stdout)
    print(f"{'':32}{'metablin':>12}{'metafor':>12}{'ratio':>8}")
    for name, mine in ours().items():
        other = theirs.get(name)
        right = f"{1e3 * other:10.1f}ms{mine / other:8.2f}" if other else ""
        print(f"{name:32}{1e3 * mine:10.1f}ms{right}")


if __name__ == "__main__":
    main()
