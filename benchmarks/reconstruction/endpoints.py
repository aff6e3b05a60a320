"""Draws from summaries by endpoint: progression is seen at visits, death on its day.

Simulated arms: PFS with scans every 6 to 12 weeks, DFS with visits every 3 to 6 months, OS with
hazards that start low in trials that ask for a life expectancy; and public arms by their endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.reconstruction.truth import Trial
from metablin.numerics.kaplan_meier import Steps, rmst, steps
from metablin.numerics.kaplan_meier import survival_at as s_at
from metablin.reconstruct import reconstruct_summary

SEED = 20270228  # unseen: constants of the draws were chosen on arms of another
PUBLIC = {"colon_recurrence": "DFS", "rotterdam_relapse": "DFS", "gbsg": "DFS", "gbsg2": "DFS",
          "nwtco": "DFS", "breast_cancer": "DFS"}  # fmt: skip
EVERY = {"PFS": (1.4, 2.8), "DFS": (3.0, 6.0), "OS": (0.0, 0.0)}  # months between visits
MEDIAN = {"PFS": (3.0, 14.0), "DFS": (15.0, 70.0), "OS": (6.0, 40.0)}
JITTER = 0.12  # months by which visits are early or late
DEATHS = 0.2  # share of progression-free survival's events that are deaths, seen on their day
TOLERANCE = 1e-9

Printed = Callable[[np.ndarray, np.ndarray], dict[str, Any] | None]


def simulated_arm(endpoint: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One arm with staggered entry: times in months and event flags."""
    n = int(np.exp(rng.uniform(np.log(30), np.log(600))))
    median = np.exp(rng.uniform(*np.log(MEDIAN[endpoint])))
    power = rng.uniform(1.0, 1.5) if endpoint == "OS" else rng.uniform(0.8, 1.3)
    t = median * (rng.exponential(1.0, n) / np.log(2.0)) ** (1.0 / power)
    low, high = EVERY[endpoint]
    if high:
        every = rng.uniform(low, high)
        seen = np.ceil(t / every) * every + rng.normal(0.0, JITTER, n)
        t = np.where(rng.random(n) < DEATHS, t, np.maximum(seen, t))
    follow = median * rng.uniform(0.6, 2.0)
    c = follow + rng.uniform(0.0, median * rng.uniform(0.5, 2.0), n)
    c = np.where(rng.random(n) < rng.choice([0.0, 0.1]), rng.uniform(0.0, 1.0, n) * c, c)
    return np.minimum(t, c), (t <= c).astype(int)


def arms(
    public: list[Trial], simulations: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Endpoint, source, times and flags of every arm."""
    for trial in public:
        for arm in (0, 1):
            yield PUBLIC.get(trial.name, "OS"), "public", *trial.one(arm)
    for i, endpoint in enumerate(EVERY):
        rng = np.random.default_rng([SEED, i])
        made = 0
        while made < simulations:
            t, e = simulated_arm(endpoint, rng)
            if e.sum() >= 5:
                made += 1
                yield endpoint, "simulated", t, e


PARTS = 12  # in which the arms are dealt out


def endpoint_rows(
    public: list[Trial], simulations: int, draws: int, printed: Printed, part: int
) -> pd.DataFrame:
    """Whether the hidden RMST and early S of each arm lie within its draws, and the width."""
    rows = []
    for i, (endpoint, source, t, e) in enumerate(arms(public, simulations)):
        items = printed(t, e)
        if i % PARTS != part or items is None:
            continue
        base = {"endpoint": endpoint, "source": source, "n": t.size}
        try:
            sets = reconstruct_summary(**items, draws=draws, seed=i)
        except ValueError:
            rows.append({**base, "failed": 1.0})
            continue
        curves, truth = [steps(x.time, x.event) for x in sets], steps(t, e)
        (first, _), (last, _) = items["landmarks"]
        for what, at in (("RMST", last), ("early S", first / 2)):
            found = np.array([_value(what, c, at) for c in curves])
            low, high = np.quantile(found, [0.025, 0.975])
            true = _value(what, truth, at)
            rows.append({**base, "failed": 0.0, "what": what,
                         "covered": float(low - TOLERANCE <= true <= high + TOLERANCE),
                         "above": float(true > high + TOLERANCE),
                         "bias": float(found.mean() / true - 1.0) if true > 0 else np.nan,
                         "width": float((high - low) / true) if true > 0 else np.nan})  # fmt: skip
    return pd.DataFrame(rows)


def _value(what: str, curve: Steps, at: float) -> float:
    return rmst(curve, at) if what == "RMST" else float(s_at(curve, np.array([at]))[0])


def endpoint_table(rows: pd.DataFrame, draws: int) -> str:
    """Coverage, bias and median width by endpoint, as Markdown."""
    lines = [
        "## From summaries, by endpoint\n",
        f"Given: n, events, median with interval, two landmarks, median follow-up; {draws} draws. "
        "Share of arms whose own value lies in the central 95 % of the draws; bias and median "
        "width relative to it. The constants of the draws were chosen on arms simulated with "
        f"another seed. Failures: {int(rows['failed'].sum())}.\n",
        "| endpoint | arms | RMST covered | above | bias | width | early S covered | width |",
        "|---|---|---|---|---|---|---|---|",
    ]
    good = rows[rows["failed"] == 0]
    for (endpoint, source), f in good.groupby(["endpoint", "source"], sort=False):
        a, b = f[f["what"] == "RMST"], f[f["what"] == "early S"]
        lines.append(
            f"| {endpoint}, {source} | {len(a)} | {a['covered'].mean():.3f} | "
            f"{a['above'].mean():.3f} | {a['bias'].mean():+.4f} | {a['width'].median():.4f} | "
            f"{b['covered'].mean():.3f} | {b['width'].median():.4f} |"
        )
    return "\n".join(lines)
