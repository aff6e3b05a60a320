"""Values and CPU times of R's functions beside ours, in one run; writes ``BREADTH.md``.

Times are the least of several, of the call alone: starting R or Python and loading packages are not
counted. Where R's default tolerance shows, R's is tightened, and the disagreement is what is left.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb

HERE = Path(__file__).parent
DATA = HERE.parent / "tests" / "reference" / "data"
LEAST = 0.03

NOT_OFFERED = [
    ('`rma(method = "GENQ")` with any weights', "its useful cases are `DL`, `HE`, `DL2`, `CA2`"),
    ("`escalc` of variability, C-statistics, partial correlations", "not asked for by trials"),
    (
        '`selmodel(type = "beta")`',
        "its maximum often lies at the end of its range; half-normal, "
        "negative exponential, logistic and steps serve",
    ),
    (
        "`copas()`: the path through its contours",
        "a rule of thumb; ours is at stated "
        "probabilities of publication, the likelihood is compared at the same gammas",
    ),
    ('`pima(method = "boot")`', "the same interval without random numbers: `nagashima`"),
]


def timed(call: Callable[[], Any], repeats: int = 5) -> float:
    call()
    best = np.inf
    for _ in range(repeats):
        start, n = time.process_time(), 0
        while time.process_time() - start < LEAST:
            call()
            n += 1
        best = min(best, (time.process_time() - start) / n)
    return best


def slopes(fit: mb.MetaFit) -> Any:
    """Return the coefficients of a fit with moderators."""
    assert fit.regression is not None
    return fit.regression.beta


def ours() -> dict[str, tuple[str, str, Callable[[], Any]]]:
    d, bcg, five = (pd.read_csv(DATA / f"{n}.csv")
                    for n in ("normand1999", "bcg", "five_numbers"))  # fmt: skip
    m1, s1, n1, m2, s2, n2 = (d[c].to_numpy() for c in ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"))
    e = mb.two_by_two("events_treatment", "n_treatment", "events_control", "n_control", data=bcg)
    r = [0.2, 0.5, 0.68, 0.8, 0.35, 0.6, 0.45, 0.7, 0.55]
    reml, ml, common = mb.pool(e, ci="z"), mb.pool(e, tau2="ML", ci="z"), mb.generic(e.yi, e.vi)
    latitude = {"lat": bcg["ablat"].to_numpy()}
    mods = mb.pool(e, ci="z", moderators="lat", data=latitude)
    h = json.loads((HERE.parent / "tests/reference/bias_more.json").read_text())["hackshaw"]
    hackshaw = mb.generic(h["yi"], h["vi"])
    single = mb.proportions("events_treatment", "n_treatment", data=bcg)

    def both(x: Any) -> list[float]:
        return [*x.yi, *x.vi]

    def means(measure: Any) -> Callable[[], Any]:
        return lambda: both(mb.mean_differences(m1, s1, n1, m2, s2, n2, measure=measure))

    def fivenum() -> list[float]:
        t = mb.means_from_quantiles(five["n"], five["median"], five["q1"], five["q3"],
                                    five["minimum"], five["maximum"])  # fmt: skip
        return [*t["mean"], *t["sd"]]

    def kenward_roger() -> list[float]:
        f = mb.pool(common, ci="kenward-roger", prediction="kenward-roger")
        return [f.conf_low, f.conf_high, f.pred_low, f.pred_high]

    def limit() -> list[float]:
        x = mb.limit_meta(common)
        return [x.estimate, x.std_error, x.g2]

    def statistics() -> list[float]:
        s = mb.fit_statistics(ml)
        return [s.log_likelihood, s.aic, s.bic, s.aicc]

    def combined() -> list[float]:
        c = mb.contrasts(mods, [[1, 30], [0, 10]])
        return [*c.estimate, *c.std_error]

    def henmi() -> list[float]:
        a = mb.pool(e, model="henmi-copas").analysis
        return [a.estimate, a.conf_low, a.conf_high]

    return {
        "MD": ('`escalc("MD")`', "`mean_differences`", means("md")),
        "SMD": ('`escalc("SMD")`', '`mean_differences(measure="smd")`', means("smd")),
        "SMD1": ('`escalc("SMD1")`', '`mean_differences(measure="glass")`', means("glass")),
        "ROM": ('`escalc("ROM")`', '`mean_differences(measure="rom")`', means("rom")),
        "SMCR": ('`escalc("SMCR")`', '`mean_changes(measure="smcr")`',
                 lambda: both(mb.mean_changes(m1, m2, n1, s1, s2, r, measure="smcr"))),
        "ZCOR": ('`escalc("ZCOR")`', "`correlations`", lambda: both(mb.correlations(r, n1))),
        "MNLN": ('`escalc("MNLN")`', '`means(transform="log")`',
                 lambda: both(mb.means(m1, s1, n1, "log"))),
        "fivenum": ("`conv.fivenum`", "`means_from_quantiles`", fivenum),
        "PMM": ('`rma(method = "PMM")`', '`pool(tau2="PMM")`',
                lambda: mb.pool(e, tau2="PMM", ci="z").tau2),
        "KR": ('`metagen(method.random.ci = "KR")`', '`pool(ci="kenward-roger")`', kenward_roger),
        "hc": ("`hc`", '`pool(model="henmi-copas")`', henmi),
        "blup": ("`blup`", "`blup`", lambda: mb.blup(reml).estimate),
        "fitstats": ("`fitstats`", "`fit_statistics`", statistics),
        "anova": ("`anova(X = )`", "`contrasts`", combined),
        "confint": ("`confint`", "`heterogeneity`",
                    lambda: [mb.heterogeneity(reml).conf_low[0],
                             mb.heterogeneity(reml).conf_high[0]]),
        "fsn": ("`fsn`", "`fail_safe_n`", lambda: mb.fail_safe_n(e).n),
        "tes": ("`tes`", "`excess_significance`", lambda: mb.excess_significance(reml).expected),
        "limitmeta": ("`limitmeta`", "`limit_meta`", limit),
        "lfkindex": ("`lfkindex`", "`lfk_index`", lambda: mb.lfk_index(e).index),
        "Thompson": ('`metabias("Thompson")`', "`thompson`",
                     lambda: mb.thompson(e, tau2="REML").p_value),
        "stepfun": ('`selmodel("stepfun")`, two steps', "`selection_steps`",
                    lambda: mb.selection_steps(hackshaw, (0.025, 0.5)).estimate),
        "halfnorm": ('`selmodel("halfnorm")`', "`selection_function`",
                     lambda: mb.selection_function(hackshaw, "half-normal").estimate),
        "PLO": ('`rma.glmm("PLO", mods = )`', '`pool(model="glmm", moderators=)`',
                lambda: slopes(mb.pool(single, model="glmm", moderators="lat", data=latitude))),
    }  # fmt: skip


def main() -> None:
    if shutil.which("Rscript") is None:
        print("R is not installed: nothing to stand beside")
        return
    run = subprocess.run(["Rscript", str(HERE / "breadth.R")], cwd=HERE.parent, check=True,
                         capture_output=True, text=True)  # fmt: skip
    peer = json.loads(run.stdout)
    lines = ["| R | metablin | largest disagreement | R, ms | ours, ms | R / ours |",
             "|---|---|---:|---:|---:|---:|"]  # fmt: skip
    slower = []
    for key, (theirs, mine, call) in ours().items():
        if key not in peer["rows"]:
            lines.append(f"| {theirs} | {mine} | not installed here | | | |")
            continue
        row = peer["rows"][key]
        found, wanted = np.ravel(call()), np.ravel(row["value"])
        off = float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), 1)))
        seconds = timed(call)
        ratio = row["seconds"] / seconds
        slower += [mine] if ratio < 1 else []
        lines.append(f"| {theirs} | {mine} | {off:.1e} | {1000 * row['seconds']:.3g} | "
                     f"{1000 * seconds:.3g} | {ratio:.3g} |")  # fmt: skip
    versions = ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
    text = "\n".join([
        "# Beside metafor and meta", "",
        "Written by `python -m benchmarks breadth`: " + versions + ". Disagreement relative to R's "
        "value (absolute below 1); CPU time of one call.", "", *lines, "",
        "Slower than R: " + (", ".join(slower) or "none") + ".", "",
        "## Not offered, and why", "", "| R | reason |", "|---|---|",
        *(f"| {a} | {b} |" for a, b in NOT_OFFERED), "",
    ])  # fmt: skip
    (HERE / "BREADTH.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
