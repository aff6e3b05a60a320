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
from metablin.meta.resampling import refitter

HERE = Path(__file__).parent
REFERENCE = HERE.parent / "tests" / "reference"
DATA = REFERENCE / "data"
LEAST = 0.03

Rows = dict[str, tuple[str, str, Callable[[], Any]]]
"""R's function, ours, and a call of ours that gives the same numbers."""
TABLE = ("events_treatment", "n_treatment", "events_control", "n_control")

NOT_OFFERED = [
    ('`rma(method = "GENQ")` with any weights', "its useful cases are `DL`, `HE`, `DL2`, `CA2`"),
    ("`escalc` of variability, C-statistics, partial correlations", "not asked for by trials"),
    (
        "`copas()`: the path through its contours",
        "a rule of thumb; ours is at stated "
        "probabilities of publication, the likelihood is compared at the same gammas",
    ),
    ("`rma(weights = , mods = )`", "weights of one's own are for a pool; a slope has no such use"),
    (
        "`rma.mv`: spatial structures, `R =`",
        "no trial has a place on a map or in a pedigree; `GEN` is a random slope, not asked for",
    ),
    ("`rma.mv(dfs = )` as numbers", "a user who knows them has `contrasts` and a table of t"),
    ("`metaplus`: plots of profiles", "the limits are found, not read off a picture"),
    ("wild bootstrap (`wildmeta`)", "resampled clusters: `cluster_bootstrap`; few of them: CR2"),
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


def pinned(name: str) -> Any:
    return json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))


def slopes(fit: mb.MetaFit) -> Any:
    """Return the coefficients of a fit with moderators."""
    assert fit.regression is not None
    return fit.regression.beta


def ours() -> Rows:
    d, bcg, five = (pd.read_csv(DATA / f"{n}.csv")
                    for n in ("normand1999", "bcg", "five_numbers"))  # fmt: skip
    m1, s1, n1, m2, s2, n2 = (d[c].to_numpy() for c in ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"))
    e = mb.two_by_two("events_treatment", "n_treatment", "events_control", "n_control", data=bcg)
    r = [0.2, 0.5, 0.68, 0.8, 0.35, 0.6, 0.45, 0.7, 0.55]
    reml, ml, common = mb.pool(e, ci="z"), mb.pool(e, tau2="ML", ci="z"), mb.generic(e.yi, e.vi)
    latitude = {"lat": bcg["ablat"].to_numpy()}
    mods = mb.pool(e, ci="z", moderators="lat", data=latitude)
    h = pinned("bias_more")["hackshaw"]
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


def sequences_and_counts() -> Rows:
    bcg, nielweise = (pd.read_csv(DATA / f"{n}.csv") for n in ("bcg", "nielweise2007"))
    rates = pd.read_csv(DATA / "nielweise2008.csv")
    e, counts = (mb.two_by_two("events_treatment", "n_treatment", "events_control", "n_control",
                               data=d) for d in (bcg, nielweise))  # fmt: skip
    pairs = mb.rate_contrasts(rates["x1i"], rates["t1i"], rates["x2i"], rates["t2i"])
    reml, weights = mb.pool(e, ci="z"), np.arange(1, e.k + 1)
    h = pinned("bias_more")["hackshaw"]
    hackshaw = mb.generic(h["yi"], h["vi"])
    review = HERE.parent / "tests" / "io" / "reviews" / "fleiss1993.rm5"

    def weighted() -> list[float]:
        a = mb.pool(e, model="weighted", weights=weights).analysis
        return [a.estimate, a.std_error, a.conf_low, a.conf_high]

    def sequence(call: Callable[[mb.MetaFit], Any]) -> Callable[[], Any]:
        def run() -> list[float]:
            s = call(reml)
            return [*s.estimate, *s.conf_low, *s.conf_high]

        return run

    def both(effects: Any, model: Any, **more: Any) -> Callable[[], Any]:
        def run() -> list[float]:
            f = mb.pool(effects, model=model, ci="z", **more)
            return [f.analysis.estimate, f.tau2]

        return run

    def read() -> list[float]:
        d = mb.read_revman(review)["1.1"].to_frame().sort_values("study")
        return [float(x) for c in TABLE for x in d[c]]

    glmm = '`pool(model="glmm"'
    return {
        "weights": ("`rma(weights = )`", '`pool(model="weighted", weights=)`', weighted),
        "cumul": ("`cumul`", "`cumulative`", sequence(mb.cumulative)),
        "leave1out": ("`leave1out`", "`leave_one_out`", sequence(mb.leave_one_out)),
        "UM.FS": ('`rma.glmm("OR", "UM.FS")`', f"{glmm})`", both(counts, "glmm")),
        "UM.RS": ('`rma.glmm("OR", "UM.RS")`', f'{glmm}, study_effects="random")`',
                  both(counts, "glmm", study_effects="random")),
        "CM.EL": ('`rma.glmm("OR", "CM.EL")`', '`pool(model="conditional")`',
                  both(counts, "conditional")),
        "CM.AL": ('`rma.glmm("OR", "CM.AL")`', '`pool(model="conditional", approximate=True)`',
                  both(counts, "conditional", approximate=True)),
        "IRR": ('`rma.glmm("IRR", "CM.EL")`', '`pool(model="conditional")`',
                both(pairs, "conditional")),
        "selbeta": ('`selmodel("beta")`', '`selection_function("beta")`',
                    lambda: mb.selection_function(hackshaw, "beta").estimate),
        "rm5": ("`read.rm5`", "`read_revman`", read),
    }  # fmt: skip


def structures() -> Rows:
    found = pinned("structures")
    kon, berkey, ishak, assink = (
        pd.DataFrame(found["data"][n]) for n in ("konstantopoulos", "berkey", "ishak", "assink")
    )
    scale = pd.DataFrame(found["scale_data"]["bangertdrowns"])
    effects = mb.generic(scale["yi"], scale["vi"])
    vb = np.zeros((len(berkey), len(berkey)))
    for i in range(0, len(berkey), 2):
        vb[i : i + 2, i : i + 2] = berkey.loc[i : i + 1, ["v1i", "v2i"]].to_numpy()
    cell = (ishak["study"] + ishak["time"].astype(str)).tolist()
    vi = mb.sampling_covariance("vi", "study", cell, time="time", rho=1, phi=0.97, data=ishak)
    va = mb.sampling_covariance("vi", "study", "esid", rho=0.6, data=assink)

    def fit(v: Any, random: Any, data: pd.DataFrame, **more: Any) -> Callable[[], Any]:
        return lambda: mb.mixed("yi", v, random, data, **more).beta

    def contained() -> list[float]:
        f = mb.mixed("yi", "vi", "1 | district/school", kon, dfs="contain")
        p = f.predict().iloc[0]
        return [f.df, p["conf_low"], p["conf_high"], p["pred_low"], p["pred_high"]]

    rows: Rows = {
        "vcalc": ("`vcalc`, 100 estimates", "`sampling_covariance`",
                  lambda: mb.sampling_covariance("vi", "study", "esid", rho=0.6, data=assink)),
        "nested": ("`rma.mv`, nested", "`mixed`, nested",
                   fit("vi", "1 | district/school", kon)),
        "crossed": ("`rma.mv`, crossed", "`mixed`, crossed",
                    fit("vi", ["1 | district/school", "1 | year"], kon)),
        "correlated": ("`rma.mv(V = )`, 100 estimates", "`mixed`",
                       fit(va, "1 | study/esid", assink)),
        "contain": ('`predict(rma.mv(dfs = "contain"))`', '`mixed(dfs="contain").predict`',
                    contained),
        "scale": ("`rma(scale = )`", "`location_scale`",
                  lambda: mb.location_scale(effects, "meta", "meta", scale).location.estimate),
    }  # fmt: skip
    for s in ("CS", "HCS", "UN", "DIAG"):
        rows[f"struct {s}"] = (
            f'`rma.mv(struct = "{s}")`', f'`mixed(structure="{s}")`',
            fit(vb, "outcome | trial", berkey, structure=s, moderators="C(outcome) - 1"),
        )  # fmt: skip
    for s in ("AR", "HAR", "CAR"):
        rows[f"struct {s}"] = (
            f'`rma.mv(struct = "{s}")`', f'`mixed(structure="{s}")`',
            fit(vi, "time | study", ishak, structure=s, moderators="C(time) - 1"),
        )  # fmt: skip
    return rows


def resampled_and_robust() -> Rows:
    b, sets = pinned("bootstrap"), pinned("outliers")["sets"]
    data = pd.DataFrame(b["data"])
    rows = [np.flatnonzero(data["district"] == x) for x in data["district"].unique()]
    picks = np.array(b["picks"])
    fit = mb.pool(mb.generic(data["yi"], data["vi"]))
    drawn, cdp = (mb.generic(sets[n]["yi"], sets[n]["vi"]) for n in ("drawn1", "cdp"))
    p = pinned("bias_more")["peers"]["bcg"]
    vaccine = mb.generic(p["yi"], p["vi"])

    def estimate(e: mb.EffectSizes, model: Any) -> Callable[[], Any]:
        # metaplus fits without its intervals here; ours always has them
        return lambda: mb.pool(e, model=model).estimate

    return {
        "boot": ("199 drawn sets of clusters, `rma` each", "`cluster_bootstrap`",
                 lambda: refitter(fit).many(rows, picks)[:, 0]),
        "t-dist": ('`metaplus(random = "t-dist")`', '`pool(model="student-t")`',
                   estimate(drawn, "student-t")),
        "mixture": ('`metaplus(random = "mixture")`', '`pool(model="mixture")`',
                    estimate(cdp, "mixture")),
        "copas": ("`copas`, one pair of gammas", "`copas_selection`",
                  lambda: mb.copas_selection(vaccine, [0.5], 0.99).to_frame()["estimate"][0]),
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
    every = ours() | sequences_and_counts() | structures() | resampled_and_robust()
    for key, (theirs, mine, call) in every.items():
        if key not in peer["rows"]:
            lines.append(f"| {theirs} | {mine} | not measured here | | | |")
            continue
        row = peer["rows"][key]
        found, wanted = np.ravel(call()), np.ravel(row["value"])
        off = float(np.max(np.abs(found - wanted) / np.maximum(np.abs(wanted), 1)))
        seconds = timed(call, 5 if row["seconds"] < 1 else 1)
        if row["seconds"] <= 0:  # below the tick of R's clock, on a busy machine
            lines.append(f"| {theirs} | {mine} | {off:.1e} | | {1000 * seconds:.3g} | |")
            continue
        ratio = row["seconds"] / seconds
        slower += [mine] if ratio < 1 else []
        lines.append(f"| {theirs} | {mine} | {off:.1e} | {1000 * row['seconds']:.3g} | "
                     f"{1000 * seconds:.3g} | {ratio:.3g} |")  # fmt: skip
    versions = ", ".join(f"{k} {v}" for k, v in peer["versions"].items())
    text = "\n".join([
        "# Beside metafor and meta", "",
        "Written by `python -m benchmarks breadth`: " + versions + ". Disagreement relative to R's "
        "value (absolute below 1); CPU time of one call. `rma.glmm` stops its search at about "
        "1e-4. `copas` is one search from one start for one pair of gammas, ours are five with the "
        "test of what is left of the asymmetry.", "", *lines, "",
        "Slower than R: " + (", ".join(slower) or "none") + ".", "",
        "## Not offered, and why", "", "| R | reason |", "|---|---|",
        *(f"| {a} | {b} |" for a, b in NOT_OFFERED), "",
    ])  # fmt: skip
    (HERE / "BREADTH.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
