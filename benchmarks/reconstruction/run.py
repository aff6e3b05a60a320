"""Run the reconstruction benchmark and write RESULTS.md and SCENARIOS.md: fixed seeds.

python -m benchmarks.reconstruction.run [--quick] [--jobs N] [--folder FOLDER]
    [--every K] [--before FILE] [--peer PATIENTS.csv]

Results do not depend on `--jobs`. The last three are options of scenarios.py.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # speed is that of one core; read when numpy loads

import argparse
import platform
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks.reconstruction import scenarios
from benchmarks.reconstruction.digitiser import Clicks, digitise, floor, km, risk_table, step
from benchmarks.reconstruction.endpoints import PARTS as ENDPOINT_PARTS
from benchmarks.reconstruction.endpoints import endpoint_rows, endpoint_table
from benchmarks.reconstruction.guyot import guyot
from benchmarks.reconstruction.pairs import measured, pairs_table
from benchmarks.reconstruction.thin import thin, thin_table
from benchmarks.reconstruction.truth import (
    MIN_ARM,
    MIN_EVENTS,
    Trial,
    public,
    simulate_trial,
    simulated,
)
from metablin import __version__
from metablin.numerics.kaplan_meier import Steps, median, median_interval, rmst, steps
from metablin.numerics.kaplan_meier import survival_at as s_at
from metablin.numerics.partial import log_hazard_ratio
from metablin.reconstruct import PseudoIPD, reconstruct_batch, reconstruct_km, reconstruct_summary

Arm = tuple[np.ndarray, np.ndarray]
Covered = tuple[str, int, list[bool], list[float]]

LEVELS: dict[str, tuple[str, ...]] = {
    "curve": (),
    "curve + n": ("n",),
    "+ at-risk": ("n", "risk"),
    "+ events": ("n", "events"),
    "+ both": ("n", "risk", "events"),
}
SEED = 20260101
BEST_OF = 3  # the machine's own hiccups are no part of a time


HERE = Path(__file__).parent


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer trials and draws")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--every", type=int, default=3, help="trials of the scenarios: every k-th")
    for name in ("before", "peer"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args(arguments)
    small = options.quick
    trials, sims = public(), list(simulated(15 if small else 60))
    repeated = trials * (1 if small else 4) + sims
    some = (trials + sims)[:: options.every]
    draws = 20 if small else 80
    everyone = trials + sims
    work = {
        "speed": [delayed(speed)(60 if small else 100)],
        "drawn": [delayed(covered)(level, everyone, 20 if small else 60, part)
                  for level in DRAWN for part in range(PARTS)],
        "thin": [delayed(thin)(i, x, draws) for i, x in enumerate(trials + sims[:20])],
        "pairs": [delayed(measured)(i, x, 20 if small else 40) for i, x in enumerate(everyone)],
        "summaries": [delayed(summaries)(i, x, draws) for i, x in enumerate(everyone)],
        "endpoints": [delayed(endpoint_rows)(trials, 20 if small else 60, draws, printed, part)
                      for part in range(ENDPOINT_PARTS)],
        "exact": [delayed(exact_row)(some, *x) for x in scenarios.EXACT],
        "fits": [delayed(fits)(tool, level, repeated) for tool in FITS for level in LEVELS],
        "clicked": [delayed(scenarios.run)(some, [name]) for name in scenarios.SCENARIOS],
        "floors": [delayed(floors)(repeated)],
    }  # fmt: skip
    done = iter(Parallel(n_jobs=options.jobs)(x for tasks in work.values() for x in tasks))
    got = {name: [next(done) for _ in tasks] for name, tasks in work.items()}
    write(options.folder / "RESULTS.md", "\n\n".join([
        header(trials, sims),
        curves(got["fits"], got["floors"][0]),
        coverage(got["drawn"]),
        summary_table([*chain(*got["summaries"])], draws),
        endpoint_table(pd.concat(got["endpoints"], ignore_index=True), draws),
        thin_table([*chain(*got["thin"])], draws),
        pairs_table(got["pairs"], 20 if small else 40),
        got["speed"][0],
    ]))  # fmt: skip
    write(options.folder / "SCENARIOS.md", scenarios.document(
        got["clicked"], got["exact"], everyone, options.before, options.peer))  # fmt: skip


def exact_row(trials: list[Trial], decimals: int, total: bool) -> str:
    """One line of the table of exact corners (a function of this module, for its workers)."""
    return scenarios.exact_row(trials, decimals, total)


def write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
    print(text)


def header(trials: list[Trial], sims: list[Trial]) -> str:
    names = ["numpy", "scipy", "pandas", "lifelines", "scikit-survival"]
    used = ", ".join(f"{name} {version(name)}" for name in names)
    sets = ", ".join(sorted(t.name for t in trials))
    return (
        "# Reconstruction benchmark\n\n"
        "Written by `run.py`; not edited by hand. "
        f"Python {platform.python_version()}, metablin {__version__}, {used}.\n\n"
        f"True individual data: {len(trials)} public data sets ({sets}) and {len(sims)} simulated "
        "trials, two arms each. Excluded before any run: trials with an arm of fewer than "
        f"{MIN_ARM} patients or {MIN_EVENTS} events. A failure is an exception, a wrong number "
        "of patients, or a known number at risk or total that is not met."
    )


def one_case(
    trial: Trial, arm: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Clicks, Arm]:
    t, e = trial.one(arm)
    axis = float(trial.time.max())
    return t, e, digitise(t, e, axis, rng), risk_table(t, axis, rng)


def metablin_fit(
    clicks: Clicks, t: np.ndarray, e: np.ndarray, table: Arm, given: Sequence[str]
) -> Arm:
    r = reconstruct_km(
        clicks.time,
        clicks.survival,
        n=t.size if "n" in given else None,
        at_risk=table if "risk" in given else None,
        events=int(e.sum()) if "events" in given else None,
    )
    return r.time, r.event


def guyot_fit(
    clicks: Clicks, t: np.ndarray, e: np.ndarray, table: Arm, given: Sequence[str]
) -> Arm:
    return guyot(
        clicks.time,
        clicks.survival,
        t.size if "n" in given else 500,
        table if "risk" in given else None,
        int(e.sum()) if "events" in given else None,
    )


def measure(
    t: np.ndarray, e: np.ndarray, rt: np.ndarray, re: np.ndarray, table: Arm, given: Sequence[str]
) -> dict[str, float]:
    grid = np.linspace(0, t.max(), 1000)
    a, b = step(*km(t, e), grid), step(*km(rt, re), grid)
    m0, m1 = median(steps(t, e)), median(steps(rt, re))
    failed = "n" in given and rt.size != t.size
    failed |= "events" in given and int(re.sum()) != int(e.sum())
    if "risk" in given:
        failed |= any((rt >= x).sum() != k for x, k in zip(*table, strict=True))
    scale = t.size / rt.size
    return {
        "rmse": float(np.sqrt(np.mean((a - b) ** 2))),
        "median": abs(m1 / m0 - 1) if m0 == m0 and m1 == m1 else np.nan,
        "rmst": abs(b.mean() / a.mean() - 1),
        "events": abs(re.sum() * scale - e.sum()) / e.sum(),
        "failed": float(failed),
    }


FITS = {"metablin": metablin_fit, "Guyot 2012": guyot_fit}


def fits(tool: str, level: str, trials: list[Trial]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reconstruct every arm with one tool at one level: one row an arm, one a trial."""
    rows, ratios = [], []
    fit, given = FITS[tool], LEVELS[level]
    rng = np.random.default_rng(SEED)
    for trial in trials:
        arms = []
        for arm in (0, 1):
            t, e, clicks, table = one_case(trial, arm, rng)
            base = {"tool": tool, "level": level, "source": trial.source, "n": t.size,
                    "clicks": clicks.mode}  # fmt: skip
            try:
                rt, re = fit(clicks, t, e, table, given)
                rows.append({**base, **measure(t, e, rt, re, table, given)})
                arms.append((rt, re, np.full(rt.size, arm)))
            except (ValueError, IndexError, ZeroDivisionError, RuntimeError):
                rows.append({**base, "failed": 1.0})
        if len(arms) == 2:
            time, event, group = (np.concatenate(x) for x in zip(*arms, strict=True))
            found = log_hazard_ratio(time, event, group)
            truth = log_hazard_ratio(trial.time, trial.event, trial.arm)
            ratios.append({"tool": tool, "level": level, "hr": abs(found - truth)})
    return pd.DataFrame(rows), pd.DataFrame(ratios)


def curves(found: list[tuple[pd.DataFrame, pd.DataFrame]], lowest: pd.Series) -> str:
    frame, hr = (pd.concat(x, ignore_index=True) for x in zip(*found, strict=True))
    return "\n\n".join([by_level(frame, hr), by_size(frame, lowest)])


def floors(trials: list[Trial]) -> pd.Series:
    """RMSE that the clicks leave even when every count is known, arm by arm."""
    rng = np.random.default_rng(SEED)
    out = []
    for trial in trials:
        for arm in (0, 1):
            t, e, clicks, _ = one_case(trial, arm, rng)
            grid = np.linspace(0, t.max(), 1000)
            miss = floor(t, e, clicks, grid) - step(*km(t, e), grid)
            out.append(np.sqrt(np.mean(miss**2)))
    return pd.Series(out)


def by_level(frame: pd.DataFrame, hr: pd.DataFrame) -> str:
    lines = [
        "## From a curve\n",
        "Mean / 95th percentile over arms (log HR: over trials). Errors of median, RMST and "
        "events are relative.\n",
        "| tool | level | arms | RMSE of S | median | RMST | events | abs. log HR | failures |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (tool, level), f in frame.groupby(["tool", "level"], sort=False):
        h = hr[(hr["tool"] == tool) & (hr["level"] == level)]["hr"]
        cells = [pair(f[c]) for c in ("rmse", "median", "rmst", "events")]
        lines.append(
            f"| {tool} | {level} | {len(f)} | {' | '.join(cells)} | {pair(h)} | "
            f"{int(f['failed'].sum())} |"
        )
    return "\n".join(lines)


def by_size(frame: pd.DataFrame, lowest: pd.Series) -> str:
    f = frame[(frame["tool"] == "metablin") & (frame["level"] == "+ both")].copy()
    f["size"] = pd.cut(f["n"], [0, 60, 200, 600, 10_000], labels=["20-60", "61-200", "201-600",
                                                                   "over 600"])  # fmt: skip
    f["floor"] = lowest.to_numpy()
    lines = [
        "### RMSE of S with numbers at risk and events, by size of the arm and place of clicks\n",
        "With clicks at times of their own, a step of one patient lies anywhere between two "
        "clicks: no method can place it better than the middle of that gap. `floor` is what "
        "remains when the events between any two clicks and all numbers at risk are known; times "
        "recognised as whole units, which it does not use, may go below it.\n",
        "| clicks | n | arms | mean / p95 | floor |",
        "|---|---|---|---|---|",
    ]
    groups = [(f"{mode} | {size}", g) for (mode, size), g in
              f.groupby(["clicks", "size"], observed=True)]  # fmt: skip
    origin = np.where(f["source"] == "simulated", "simulated", "public")
    groups += [(f"all | all {source}", g) for source, g in f.groupby(origin)]
    for label, g in [*groups, ("all | all", f)]:
        lines.append(f"| {label} | {len(g)} | {pair(g['rmse'])} | {pair(g['floor'])} |")
    return "\n".join(lines)


def pair(x: pd.Series) -> str:
    return f"{x.mean():.4f} / {x.quantile(0.95):.4f}"


DRAWN = ("curve + n", "+ events", "+ both")
PARTS = 4  # in which the trials are dealt out for the draws


def coverage(found: list[Covered]) -> str:
    draws = found[0][1]
    lines = [
        "## Draws\n",
        f"Share of trials whose log HR of the hidden data lies in the central 95 % of {draws} "
        "draws (reconstruction uncertainty alone).\n",
        "| level | trials | covered | mean width |",
        "|---|---|---|---|",
    ]
    for level in DRAWN:
        hits = [hit for x in found if x[0] == level for hit in x[2]]
        widths = [width for x in found if x[0] == level for width in x[3]]
        lines.append(f"| {level} | {len(hits)} | {np.mean(hits):.3f} | {np.mean(widths):.3f} |")
    return "\n".join(lines)


def covered(level: str, trials: list[Trial], draws: int, part: int) -> Covered:
    """Whether the log HR of each trial of a part lies within its draws, and their width."""
    rng = np.random.default_rng(SEED + 1)
    given = LEVELS[level]
    hits, widths = [], []
    for i, trial in enumerate(trials):
        arms = [one_case(trial, arm, rng) for arm in (0, 1)]
        if i % PARTS != part:
            continue
        sets = [
            reconstruct_km(
                clicks.time, clicks.survival, n=t.size,
                at_risk=table if "risk" in given else None,
                events=int(e.sum()) if "events" in given else None,
                draws=draws, seed=2 * i + arm,
            ).draws
            for arm, (t, e, clicks, table) in enumerate(arms)
        ]  # fmt: skip
        group = np.repeat([0, 1], [sets[0][0].time.size, sets[1][0].time.size])
        found = [
            log_hazard_ratio(
                np.concatenate([a.time, b.time]), np.concatenate([a.event, b.event]), group
            )
            for a, b in zip(*sets, strict=True)
        ]
        truth = log_hazard_ratio(trial.time, trial.event, trial.arm)
        low, high = np.nanquantile(found, [0.025, 0.975])
        hits.append(bool(low <= truth <= high))
        widths.append(float(high - low))
    return level, draws, hits, widths


def printed(t: np.ndarray, e: np.ndarray) -> dict[str, Any] | None:
    """What a paper would print: median with interval, two landmarks, events, follow-up."""
    curve = steps(t, e)
    last = float(np.quantile(t, 0.9))
    l1, l2 = round(last / 3, 1), round(2 * last / 3, 1)
    if l1 <= 0:
        return None
    s1, s2 = (round(float(x), 2) for x in s_at(curve, np.array([l1, l2])))
    m, (low, high) = median(curve), median_interval(curve)
    follow = median(steps(t, 1 - e))

    def shown(x: float) -> float | None:
        return None if x != x else round(x, 1)

    return {
        "n": t.size,
        "events": int(e.sum()),
        "median": None if m != m and low != low else (shown(m), shown(low), shown(high)),
        "landmarks": [(l1, s1), (l2, s2)],
        "followup": shown(follow),
    }


def summaries(i: int, trial: Trial, draws: int) -> list[dict[str, Any]]:
    """Rows of one trial; an arm that fails has one that says so."""
    rows: list[dict[str, Any]] = []
    for arm in (0, 1):
        t, e = trial.one(arm)
        items = printed(t, e)
        if items is None:
            continue
        try:
            sets = reconstruct_summary(**items, draws=draws, seed=2 * i + arm)
        except ValueError:
            rows.append({"failed": 1.0})
            continue
        rows.extend(judge(trial, arm, t, e, items, sets))
    return rows


def summary_table(rows: list[dict[str, Any]], draws: int) -> str:
    failures = sum("failed" in x for x in rows)
    rows = [x for x in rows if "failed" not in x]
    total = len(rows) // QUANTITIES + failures
    f = pd.DataFrame(rows)
    lines = [
        "## From summaries\n",
        f"Given: n, events, median with interval, two landmarks, median follow-up; {draws} draws. "
        f"Arms: {total}; failures: {failures}. `sample`: share of arms whose own hidden value "
        "lies in the central 95 % of the draws. `population`: share of simulated arms whose "
        "population value lies in the Rubin-total 95 % interval. Width is relative to the bounds "
        "that monotonicity alone gives.\n",
        "| quantity | arms | sample | width / bounds | population |",
        "|---|---|---|---|---|",
    ]
    for item, g in f.groupby("item", sort=False):
        lines.append(
            f"| {item} | {len(g)} | {g['sample'].mean():.3f} | {g['width'].mean():.3f} | "
            f"{g['population'].mean():.3f} |"
        )
    targets = f[f["item"] != "S ahead of the first landmark"]
    origin = np.where(targets["simulated"], "simulated", "public")
    for source, g in targets.groupby(origin):
        lines.append(
            f"| first two, {source} | {len(g)} | {g['sample'].mean():.3f} | "
            f"{g['width'].mean():.3f} | |"
        )
    return "\n".join(lines)


QUANTITIES = 3  # asked for of every arm


def judge(
    trial: Trial, arm: int, t: np.ndarray, e: np.ndarray, items: dict[str, Any],
    sets: Sequence[PseudoIPD],
) -> list[dict[str, Any]]:  # fmt: skip
    (l1, s1), (l2, s2) = items["landmarks"]
    curves_ = [steps(x.time, x.event) for x in sets]
    truth = steps(t, e)
    bounds = l1 * (1 - s1) + (l2 - l1) * (s1 - s2)
    wanted = (
        ("RMST to the last landmark", rmst_variance, l2, bounds),
        ("S midway between landmarks", s_variance, (l1 + l2) / 2, s1 - s2),
        ("S ahead of the first landmark", s_variance, l1 / 2, 1 - s1),
    )
    out = []
    for item, value, at, bound in wanted:
        values = np.array([value(c, at) for c in curves_])
        low, high = np.quantile(values[:, 0], [0.025, 0.975])
        hit = low - 1e-9 <= value(truth, at)[0] <= high + 1e-9
        pop = np.nan
        if trial.population:
            between = values[:, 0].var(ddof=1)
            half = 1.959964 * np.sqrt(values[:, 1].mean() + (1 + 1 / len(values)) * between)
            true = population_value(trial.population[arm], item, at)
            pop = float(abs(values[:, 0].mean() - true) <= half)
        width = (high - low) / bound if bound > 0 else np.nan
        out.append({"item": item, "sample": float(hit), "width": width, "population": pop,
                    "simulated": bool(trial.population)})  # fmt: skip
    return out


def population_value(times: np.ndarray, item: str, at: float) -> float:
    if item.startswith("RMST"):
        return float(np.minimum(times, at).mean())
    return float((times > at).mean())


def s_variance(curve: Steps, at: float) -> tuple[float, float]:
    t, _, d, n = curve
    s = float(s_at(curve, np.array([at]))[0])
    keep = (t <= at) & (n > d)
    return s, float(s**2 * np.sum(d[keep] / (n[keep] * (n[keep] - d[keep]))))


def rmst_variance(curve: Steps, tau: float) -> tuple[float, float]:
    t, s, d, n = curve
    keep = (t <= tau) & (n > d)
    edges = np.append(t[t <= tau], tau)
    area = np.cumsum((s[: edges.size - 1] * np.diff(edges))[::-1])[::-1]
    inside = keep[: area.size]
    d, n = d[: area.size][inside], n[: area.size][inside]
    return rmst(curve, tau), float(np.sum(area[inside] ** 2 * d / (n * (n - d))))


def speed(count: int) -> str:
    rng = np.random.default_rng(3)
    each_clicks, each_table, each_total, cases = [], [], [], []
    for i in range(1000):
        trial = simulate_trial("x", ("exponential", "weibull", "cure")[i % 3], 300, rng) if (
            i < count) else None  # fmt: skip
        if trial is not None:
            t, e = trial.one(0)
            axis = float(t.max())
            cases.append((t, e, digitise(t, e, axis, rng), risk_table(t, axis, rng)))
        t, e, c, table = cases[i % count]
        each_clicks.append(pd.DataFrame({"id": f"c{i}", "time": c.time, "survival": c.survival}))
        each_table.append(pd.DataFrame({"id": f"c{i}", "time": table[0], "n_at_risk": table[1]}))
        each_total.append((f"c{i}", t.size, int(e.sum())))
    clicks, tables = pd.concat(each_clicks), pd.concat(each_table)
    totals = pd.DataFrame(each_total, columns=["id", "n", "events"])
    reconstruct_batch(clicks, tables, totals)
    each = [one_of_many(label, clicks, tables, totals) for label in totals["id"][:count]]
    median_arm = 1e3 * np.median(each)
    bulk = np.inf
    for _ in range(BEST_OF):
        start = clock.process_time()
        reconstruct_batch(clicks, tables, totals)
        bulk = min(bulk, (clock.process_time() - start) / len(totals))
    big_t = rng.exponential(20, 100_000)
    big_c = rng.uniform(5, 40, 100_000)
    t, e = np.minimum(big_t, big_c), (big_t <= big_c).astype(int)
    c, table = digitise(t, e, 40.0, rng, "grid"), risk_table(t, 40.0, rng)
    start = clock.process_time()
    reconstruct_km(c.time, c.survival, n=t.size, at_risk=table, events=int(e.sum()))
    big = clock.process_time() - start
    return "\n".join(
        [
            "## Speed\n",
            f"Processor time of one core, best of {BEST_OF}; arms of 300 patients with numbers at "
            "risk and events.\n",
            "| task | time |",
            "|---|---|",
            f"| one arm in a call for many, median of {count} arms | {median_arm:.2f} ms |",
            f"| one arm in a call for 1,000, mean | {1e3 * bulk:.2f} ms |",
            f"| 1,000 arms through the command line | {command_line(clicks, tables, totals)} |",
            f"| one arm of 100,000 patients | {1e3 * big:.0f} ms |",
        ]
    )


def one_of_many(
    label: str, clicks: pd.DataFrame, tables: pd.DataFrame, totals: pd.DataFrame, copies: int = 10
) -> float:
    """Processor time of one arm in a call for several copies of it, best of `BEST_OF` calls."""
    some_clicks, some_tables, some_totals = (
        pd.concat([x[x["id"] == label].assign(id=str(i)) for i in range(copies)])
        for x in (clicks, tables, totals)
    )
    found = []
    for _ in range(BEST_OF):
        start = clock.process_time()
        reconstruct_batch(some_clicks, some_tables, some_totals)
        found.append(clock.process_time() - start)
    return min(found) / copies


def command_line(clicks: pd.DataFrame, tables: pd.DataFrame, totals: pd.DataFrame) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, name)) for name in ("c.csv", "r.csv", "t.csv", "out.csv")]
        for frame, path in zip((clicks, tables, totals), paths, strict=False):
            frame.to_csv(path, index=False)
        code = (
            "import typer;from metablin.cli.reconstruct import reconstruct;typer.run(reconstruct)"
        )
        command = [sys.executable, "-c", code, paths[0], "--at-risk", paths[1],
                   "--totals", paths[2], "--out", paths[3]]  # fmt: skip
        used = []
        for _ in range(BEST_OF):
            start = os.times()
            subprocess.run(command, check=True)
            end = os.times()
            used.append(end.children_user + end.children_system
                        - start.children_user - start.children_system)  # fmt: skip
    return f"{min(used):.1f} s"


if __name__ == "__main__":
    main(sys.argv[1:])
