"""Curves as people and programs click them: irregular, rounded, cut, noisy or exact.

Every arm is clicked in each way below, with its numbers at risk and its events known. Joining the
dots (linear between the clicks, the last one carried on) stands beside the reconstruction.

python -m benchmarks.reconstruction.scenarios [--every K] [--save FILE] [--export FOLDER]

`run.py` writes SCENARIOS.md. `--save` keeps the table of one version as CSV, which its `--before`
sets beside another one's. `--export` writes the cases of every sixth trial for `peer.R`, whose
patients its `--peer` reads.
"""

from __future__ import annotations

import argparse
import time as clock
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.reconstruction.digitiser import (
    HORIZONTAL_SD,
    VERTICAL_SD,
    Clicks,
    digitise,
    floor,
    km,
    risk_table,
    step,
)
from benchmarks.reconstruction.truth import Trial, public, simulated
from metablin.numerics.partial import log_hazard_ratio
from metablin.reconstruct import reconstruct_km

SEED = 20261130
ROWS = 400  # of a raster figure
COLUMNS = 601
CUT = 0.2  # where a y axis that does not start at zero is cut
COARSE = 0.005  # of both axes
MEASURED = 1000  # times at which curves are compared
ROUNDED = 2e-6  # of the time axis: rounding of six decimals
ALIKE = 1e-6  # survival: curves that are the same


@dataclass(frozen=True)
class Case:
    """One arm as it was clicked, with what is printed beside it and the truth."""

    scenario: str
    trial: str
    arm: int
    time: np.ndarray
    survival: np.ndarray
    n: int
    table: tuple[np.ndarray, np.ndarray]
    events: int
    truth: tuple[np.ndarray, np.ndarray]


Clicked = tuple[np.ndarray, np.ndarray]
Outcome = tuple[pd.DataFrame, pd.DataFrame, list[tuple[str, str, int, str]]]
Clicker = Callable[[np.ndarray, np.ndarray, np.random.Generator], Clicked]


def noisy(
    t: np.ndarray, e: np.ndarray, at: np.ndarray, rng: np.random.Generator, sd: float = VERTICAL_SD
) -> Clicked:
    """Read S at given times with reading error of both axes."""
    y = step(*km(t, e), at) + rng.normal(0, sd, at.size)
    x = np.clip(at + rng.normal(0, HORIZONTAL_SD * t.max(), at.size), 0, None)
    return x, np.clip(y, 0, 1)


def irregular(count: int) -> Clicker:
    def click(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
        inner = np.sort(rng.uniform(0, t.max(), count - 2))
        return noisy(t, e, np.concatenate([[0.0], inner, [t.max()]]), rng)

    return click


def pixels(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    at = np.linspace(0, t.max(), COLUMNS)
    return at, np.round(step(*km(t, e), at) * ROWS) / ROWS


def corners(decimals: int) -> Clicker:
    def click(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
        drops, s = km(t, e)
        x = np.concatenate([[0.0], np.repeat(drops, 2), [t.max()]])
        y = np.concatenate([np.repeat(np.concatenate([[1.0], s]), 2)])
        return np.round(x, max(decimals, 4)), np.round(y, decimals)

    return click


def two_decimals(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    at = np.linspace(0, t.max(), 60)
    return at, np.round(step(*km(t, e), at), 2)


def coarse_grid(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    at = np.sort(rng.uniform(0, t.max(), 60))
    at = np.unique(np.round(at / t.max() / COARSE) * COARSE * t.max())
    return at, np.round(step(*km(t, e), at) / COARSE) * COARSE


def monthly(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    at = np.arange(0.0, np.floor(t.max()) + 1.0)
    if at.size < 6:  # follow-up of weeks: a sixth of it
        at = np.linspace(0.0, t.max(), 7)
    y = step(*km(t, e), at) + rng.normal(0, VERTICAL_SD, at.size)
    return at, np.clip(y, 0, 1)


def no_origin(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    c = digitise(t, e, t.max(), rng)
    return c.time[1:], c.survival[1:]


def axis_cut(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    c = digitise(t, e, t.max(), rng)
    keep = c.survival >= CUT
    return c.time[keep], c.survival[keep]


def no_plateau(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    drops = km(t, e)[0]
    c = digitise(t, e, t.max(), rng)
    keep = c.placed <= drops[-1]
    return c.time[keep], c.survival[keep]


def rough(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    c = digitise(t, e, t.max(), rng)
    return noisy(t, e, c.placed, rng, 0.01)


def ordinary(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    c = digitise(t, e, t.max(), rng)
    return c.time, c.survival


def bottom_up(t: np.ndarray, e: np.ndarray, rng: np.random.Generator) -> Clicked:
    """Falls traced from the bottom up, in any order of the clicks."""
    drops, s = km(t, e)
    few = np.unique(np.linspace(0, drops.size - 1, min(drops.size, 40)).round().astype(int))
    before = np.concatenate([[1.0], s])[few]
    x = np.concatenate([[0.0], np.column_stack([drops[few], drops[few]]).ravel(), [t.max()]])
    y = np.concatenate([[1.0], np.column_stack([s[few], before]).ravel(), [s[-1]]])
    x = np.clip(x + rng.normal(0, HORIZONTAL_SD * t.max(), x.size), 0, None)
    y = np.clip(y + rng.normal(0, VERTICAL_SD, y.size), 0, 1)
    return x[::-1], y[::-1]


SCENARIOS: dict[str, Clicker] = {
    "15 irregular clicks": irregular(15),
    "30 irregular clicks": irregular(30),
    "120 irregular clicks": irregular(120),
    "601 pixel columns": pixels,
    "exact corners": corners(6),
    "two decimals": two_decimals,
    "0.5 % grid": coarse_grid,
    "monthly readings": monthly,
    "no origin": no_origin,
    "y axis cut": axis_cut,
    "plateau not clicked": no_plateau,
    "noise .01": rough,
    "n and first at risk 1 % apart": ordinary,
    "falls bottom up, descending": bottom_up,
}


def cases(trials: list[Trial], names: list[str] | None = None) -> list[Case]:
    """Every arm clicked in every way; each scenario has its own stream of noise."""
    out = []
    for number, (name, click) in enumerate(SCENARIOS.items()):
        if names is not None and name not in names:
            continue
        rng = np.random.default_rng([SEED, number])
        for trial in trials:
            for arm in (0, 1):
                t, e = trial.one(arm)
                x, y = click(t, e, rng)
                n = t.size + (max(1, round(0.01 * t.size)) if name.startswith("n and") else 0)
                out.append(Case(name, trial.name, arm, x, y, n, risk_table(t, t.max(), rng),
                                int(e.sum()), (t, e)))  # fmt: skip
    return out


def dots(case: Case) -> np.ndarray:
    """Join the dots."""
    x, y = case.time, case.survival
    order = np.lexsort((-y, x))
    x, y = np.concatenate([[0.0], x[order]]), np.concatenate([[1.0], y[order]])
    return np.asarray(np.interp(grid_of(case), x, y))


def grid_of(case: Case) -> np.ndarray:
    return np.linspace(0, case.truth[0].max(), MEASURED)


def judge(case: Case, patients: tuple[np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """Errors of one reconstruction; NaN where there is none."""
    at = grid_of(case)
    true = step(*km(*case.truth), at)
    out = {"dots": float(np.sqrt(np.mean((dots(case) - true) ** 2))),
           "floor": lowest(case, at, true)}  # fmt: skip
    if patients is None:
        return {**out, "refused": 1.0, "rmse": np.nan, "rmst": np.nan, "exact": 0.0}
    found = step(*km(*patients), at)
    return {
        **out,
        "refused": 0.0,
        "rmse": float(np.sqrt(np.mean((found - true) ** 2))),
        "rmst": float(found.mean() / true.mean() - 1),
        "exact": float(wholly_exact(case, patients)),
        "events": abs(patients[1].sum() - case.events) / case.events,
    }


def lowest(case: Case, at: np.ndarray, true: np.ndarray) -> float:
    """RMSE that stays when the events between any two clicks, and all at risk, are known."""
    t, e = case.truth
    order = np.argsort(case.time, kind="stable")
    x = np.concatenate([[0.0], case.time[order], [t.max()]])
    y = np.concatenate([[1.0], case.survival[order], [np.nan]])
    placed = np.append(x[:-1] + ROUNDED * t.max(), np.inf)  # a rounded click stays on its drop
    found = [floor(t, e, Clicks(x, y, mode, placed), at) for mode in ("grid", "drops")]
    return float(min(np.sqrt(np.mean((s - true) ** 2)) for s in found))


def wholly_exact(case: Case, patients: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether events and numbers at risk are right at every event time."""
    (t, e), (rt, re) = case.truth, patients
    if rt.size != t.size or re.sum() != e.sum():
        return False
    a, b = np.sort(t[e == 1]), np.sort(rt[re == 1])
    n, m = t.size - np.searchsorted(np.sort(t), a), rt.size - np.searchsorted(np.sort(rt), b)
    return bool(np.abs(a - b).max() < 1e-3 * t.max() and (n == m).all())


def run(trials: list[Trial], names: list[str] | None = None, total: bool = True) -> Outcome:
    """Reconstruct all cases: one row an arm, one row a trial with its log hazard ratio."""
    rows, ratios, messages = [], [], []
    held: dict[tuple[str, str], list[tuple[Case, Clicked]]] = {}
    for case in cases(trials, names):
        start = clock.process_time()
        patients: Clicked | None = None
        mended: tuple[Any, ...] = ()
        try:
            r = reconstruct_km(case.time, case.survival, n=case.n, at_risk=case.table,
                               events=case.events if total else None)  # fmt: skip
            patients, mended = (r.time, r.event), getattr(r.quality, "mended", ())
        except ValueError as error:
            messages.append((case.scenario, case.trial, case.arm, str(error)))
        used = clock.process_time() - start
        rows.append({"scenario": case.scenario, "n": case.truth[0].size, "seconds": used,
                     "trial": case.trial, "arm": case.arm, "mended": mended,
                     **judge(case, patients)})  # fmt: skip
        pair = held.setdefault((case.scenario, case.trial), [])
        if patients is not None:
            pair.append((case, patients))
        if len(pair) == 2:
            both = [c for c, _ in pair]
            ratios.append({"scenario": case.scenario, "trial": case.trial,
                           "hr": off_ratio(both, [p for _, p in pair]),
                           "hr_floor": off_ratio(both, [spread(c) for c in both])})  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(ratios), messages


def off_ratio(cases: list[Case], patients: list[Clicked]) -> float:
    """Absolute error of the log hazard ratio of two arms."""
    values = []
    for arms in ([c.truth for c in cases], patients):
        group = np.repeat([0, 1], [a[0].size for a in arms])
        time, event = (np.concatenate([a[i] for a in arms]) for i in (0, 1))
        values.append(log_hazard_ratio(time, event, group))
    return abs(values[1] - values[0])


def spread(case: Case) -> Clicked:
    """The true patients, those censored evenly between the times that the print gives.

    These are the arm's own events, the columns of its table and the end of its curve: all that is
    known of the others is between which two of them they left.
    """
    t, e = case.truth
    out = t.astype(float)
    known = np.unique(np.concatenate([[0.0], t[e == 1], case.table[0], [t.max()]]))
    gap = np.clip(np.searchsorted(known, t, side="right") - 1, 0, known.size - 2)
    for k in np.unique(gap[e == 0]):
        here = np.flatnonzero((e == 0) & (gap == k) & (t < t.max()))
        share = (np.arange(here.size) + 0.5) / max(here.size, 1)
        out[here[np.argsort(t[here])]] = known[k] + share * (known[k + 1] - known[k])
    return out, e


def summary(rows: pd.DataFrame, ratios: pd.DataFrame) -> pd.DataFrame:
    """One row a scenario: refusals, mean RMSE, log HR, share the same as the truth, seconds."""
    by = rows.groupby("scenario", sort=False)
    out = by[["dots", "floor", "rmse", "rmst", "exact", "seconds"]].mean()
    out["alike"] = (rows["rmse"] <= ALIKE).groupby(rows["scenario"], sort=False).mean()
    out["refused"] = by["refused"].sum()
    out["arms"] = by.size()
    for name in ratios.columns.intersection(["hr", "hr_floor"]):
        out[name] = ratios.groupby("scenario", sort=False)[name].mean()
    return out


PEER_EVERY = 6  # trials that the peer, which takes half a second an arm, is run on


def export(trials: list[Trial], folder: Path) -> None:
    """Write clicks and tables of the cases for the peer."""
    found = cases(trials[::PEER_EVERY])
    clicks = [pd.DataFrame({"case": i, "time": c.time, "survival": c.survival, "n": c.n,
                            "events": c.events}) for i, c in enumerate(found)]  # fmt: skip
    tables = [pd.DataFrame({"case": i, "time": c.table[0], "n_at_risk": c.table[1]})
              for i, c in enumerate(found)]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(clicks).to_csv(folder / "cases.csv", index=False)
    pd.concat(tables).to_csv(folder / "tables.csv", index=False)


def peer_summary(trials: list[Trial], path: Path) -> pd.DataFrame:
    """Judge the peer's patients like ours; cases without any are failures."""
    patients = dict(list(pd.read_csv(path).groupby("case")))
    rows, ratios = [], []
    held: dict[tuple[str, str], list[tuple[Case, Clicked]]] = {}
    for i, case in enumerate(cases(trials[::PEER_EVERY])):
        own = patients.get(i)
        got = None if own is None else (own["time"].to_numpy(), own["event"].to_numpy(dtype=int))
        rows.append({"scenario": case.scenario, "seconds": np.nan, **judge(case, got)})
        pair = held.setdefault((case.scenario, case.trial), [])
        if got is not None:
            pair.append((case, got))
        if len(pair) == 2:
            off = off_ratio([c for c, _ in pair], [p for _, p in pair])
            ratios.append({"scenario": case.scenario, "hr": off})
    return summary(pd.DataFrame(rows), pd.DataFrame(ratios))


def markdown(now: pd.DataFrame, before: pd.DataFrame | None, peer: pd.DataFrame | None) -> str:
    """One line a scenario; the peer's is over every sixth trial."""
    lines = [
        "| clicks | arms | joining the dots | floor | RMSE before | RMSE | log HR before | log HR "
        "| refused before | refused | same curve | ms | peer: RMSE | log HR | failed |",
        "|---" * 15 + "|",
    ]
    for name in map(str, now.index):
        r = now.loc[name]
        old, other = ["", "", ""], ("", "", "")
        if before is not None:
            b = before.loc[name]
            old = ["" if b[x] != b[x] else f"{b[x]:.4f}" for x in ("rmse", "hr")]
            old.append(f"{b['refused']:.0f}")
        if peer is not None:
            q = peer.loc[name]
            other = (f"{q['rmse']:.4f}", f"{q['hr']:.4f}", f"{q['refused']:.0f}/{q['arms']:.0f}")
        lines.append(
            f"| {name} | {r['arms']:.0f} | {r['dots']:.4f} | {r['floor']:.4f} | {old[0]} "
            f"| {r['rmse']:.4f} | {old[1]} "
            f"| {r['hr']:.4f} | {old[2]} | {r['refused']:.0f} | {r['alike']:.2f} "
            f"| {1e3 * r['seconds']:.1f} | {other[0]} | {other[1]} | {other[2]} |"
        )
    return "\n".join(lines)


def mended_text(rows: pd.DataFrame) -> str:
    """What was mended, by kind: arms and how often."""
    arms: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for found in rows["mended"]:
        for x in found:
            arms[x.what] += 1
            times[x.what] += x.count
    lines = ["| mended | arms | times |", "|---|---|---|"]
    return "\n".join(lines + [f"| {k} | {v} | {times[k]} |" for k, v in arms.most_common()])


EXACT = [(decimals, total) for decimals in (6, 5, 4, 3) for total in (True, False)]


def exact_text(lines: list[str]) -> str:
    """Exact corners at several roundings, with and without the total of events."""
    head = [
        "| decimals | total | events right | events and numbers at risk right "
        "| RMSE up to 1e-6 | RMSE | log HR | floor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines])


def exact_row(trials: list[Trial], decimals: int, total: bool) -> str:
    """One line of that table."""
    SCENARIOS["corners"] = corners(decimals)
    try:
        rows, ratios, _ = run(trials, ["corners"], total=total)
    finally:
        del SCENARIOS["corners"]
    s = summary(rows, ratios).iloc[0]
    right = (rows["events"] == 0).mean()
    return (
        f"| {decimals} | {'yes' if total else 'no'} | {right:.3f} | {s['exact']:.3f} | "
        f"{s['alike']:.3f} | {s['rmse']:.5f} | {s['hr']:.4f} | {s['hr_floor']:.4f} |"
    )


INTRODUCTION = """# Clicks of every kind

Written by `run.py`; not edited by hand. With numbers at risk and the total of events. RMSE of S:
mean over arms; log HR: mean absolute error over trials; `same curve`: share of arms with an RMSE up
to 1e-6; `peer`: IPDfromKM 0.1.10, every sixth trial; `RMSE before`: of the arms that were not
refused then. `floor` is what remains when the events between any two clicks and all numbers at risk
are known: a step of one patient lies anywhere between two clicks, and where steps are large beside
reading error the straight line through the clicks is nearer on average than any whole patients can
be. Whole units of time, which it does not use, and smoothing over clicks may go below it.
"""

EXACT_WORDS = """Corners of an arm give its curve, and so who is at risk at each of its own events.
When patients are censored between two of them stays open: that is what is left of the error of the
hazard ratio, for which those of one arm are counted at the events of the other. `floor` is its
error for the true patients, those censored put evenly between the events and table times around
them.
"""


def document(
    clicked: list[Outcome],
    exact: list[str],
    everyone: list[Trial],
    before: Path | None,
    peer: Path | None,
) -> str:
    """The whole of SCENARIOS.md from the outcome of every scenario."""
    rows = pd.concat([x[0] for x in clicked], ignore_index=True)
    ratios = pd.concat([x[1] for x in clicked], ignore_index=True)
    old = None if before is None else pd.read_csv(before, index_col=0)
    other = None if peer is None else peer_summary(everyone, peer)
    parts = [INTRODUCTION, markdown(summary(rows, ratios), old, other), "## What was mended",
             mended_text(rows), "## Exact corners", EXACT_WORDS, exact_text(exact)]  # fmt: skip
    return "\n\n".join(part.strip() for part in parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="every k-th trial")
    for name in ("save", "export"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args()
    everyone = public() + list(simulated(60))
    trials = everyone[:: options.every]
    if options.export:
        export(everyone, options.export)
        return
    rows, ratios, messages = run(trials)
    if options.save:
        summary(rows, ratios).to_csv(options.save)
    for message in messages:
        print(*message)


if __name__ == "__main__":
    main()
