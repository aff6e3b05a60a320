"""Arms with as little in print as most have: one or two items, no follow-up, any kind of limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from benchmarks.reconstruction.truth import Trial
from metablin.numerics.kaplan_meier import median, product_limit, steps
from metablin.numerics.kaplan_meier import survival_at as s_at
from metablin.reconstruct import PseudoIPD, reconstruct_summary

SEED = 20260202
SCALES = ("log-log", "log", "plain")


def limits(
    s: Any, error: Any, scale: str, z: float = float(ndtri(0.975))
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise limits of S; `error` is that of log S (Greenwood)."""
    s, error = np.clip(np.asarray(s, float), 1e-9, 1 - 1e-9), np.asarray(error, float)
    if scale == "log-log":
        power = np.exp(z * error / -np.log(s))
        return s**power, s ** (1 / power)
    if scale == "log":
        return s * np.exp(-z * error), np.minimum(s * np.exp(z * error), 1.0)
    return np.maximum(s - z * s * error, 0.0), np.minimum(s + z * s * error, 1.0)


def median_items(
    t: np.ndarray, e: np.ndarray, scale: str
) -> tuple[float | None, float | None, float | None]:
    """Median and its interval, to one decimal, None where it is not reached."""
    curve = steps(t, e)
    alive = curve[1] > 0
    sides = limits(curve[1][alive], product_limit(curve[2], curve[3])[1][alive], scale)
    first = [np.flatnonzero(x <= 0.5 + 1e-9) for x in sides]
    low, high = (round(float(curve[0][i[0]]), 1) if i.size else None for i in first)
    m = median(curve)
    return (None if m != m else round(m, 1), low, high)


def landmark_items(t: np.ndarray, e: np.ndarray, at: float, scale: str) -> tuple[float, ...]:
    """Landmark with its interval, to two decimals."""
    curve = steps(t, e)
    i = int(np.searchsorted(curve[0], at, side="right")) - 1
    s = float(s_at(curve, np.array([at]))[0])
    if i < 0 or not 0 < s < 1:
        return (at, round(s, 2))
    low, high = limits(s, float(product_limit(curve[2], curve[3])[1][i]), scale)
    return (at, round(s, 2), round(float(low), 2), round(float(high), 2))


def cases(
    t: np.ndarray, e: np.ndarray, rng: np.random.Generator
) -> Iterator[tuple[str, dict[str, Any], tuple[float, ...]]]:
    """Yield what is printed, by kind, and the times at which S is asked for."""
    scale = str(rng.choice(SCALES))
    last = float(np.quantile(t, 0.9))
    l1, l2 = round(last / 3, 1), round(2 * last / 3, 1)
    if l1 <= 0:
        return
    m, low, high = median_items(t, e, scale)
    one, two = (landmark_items(t, e, x, scale) for x in (l1, l2))
    follow = round(float(median(steps(t, 1 - e))), 1) if median(steps(t, 1 - e)) > 0 else None
    if m is not None and m > 0 and low is not None and low > 0:
        full = (m, low, high)
        yield "median", {"median": m}, (l1, l2)
        yield "median with interval", {"median": full}, (l1, l2)
        yield "median with interval, follow-up", {"median": full, "followup": follow}, (l1, l2)
        yield "median with interval, landmark", {"median": full, "landmarks": [one]}, (l2,)
    yield "one landmark with interval", {"landmarks": [two]}, (l1,)
    yield "earlier landmark only", {"landmarks": [one[:2]]}, (l2,)


def thin(i: int, trial: Trial, draws: int) -> list[dict[str, object]]:
    """Coverage of withheld landmarks of one trial by the central 95 % of the draws, and width."""
    rows = []
    rng = np.random.default_rng([SEED, i])
    for arm in (0, 1):
        t, e = trial.one(arm)
        truth = steps(t, e)
        for kind, items, times in cases(t, e, rng):
            try:
                sets = reconstruct_summary(n=t.size, **items, draws=draws, seed=2 * i + arm)
            except ValueError as error:
                rows.append({"kind": kind, "trial": trial.name, "failed": 1, "why": str(error),
                             "items": items})  # fmt: skip
                continue
            for at in times:
                where = np.array([at])
                found = [_seen(x, where) for x in sets]
                low, high = np.nanquantile(found, [0.025, 0.975])
                s, slack = float(s_at(truth, where)[0]), max(0.005, 0.5 / t.size)
                rows.append({"kind": kind, "trial": trial.name, "failed": 0, "n": t.size,
                             "covered": low - slack <= s <= high + slack,
                             "low": low, "high": high, "truth": s,
                             "width": high - low, "at": at})  # fmt: skip
    return rows


def _seen(ipd: PseudoIPD, where: np.ndarray) -> float:
    if ipd.time[-1] < where[0]:
        return np.nan
    return float(s_at(steps(ipd.time, ipd.event), where)[0])


def thin_table(rows: list[dict[str, object]], draws: int) -> str:
    """Render the table."""
    f = pd.DataFrame(rows)
    lines = [
        "## From very little\n",
        f"Arms printed as most are; {draws} draws; limits on the log(-log), log or plain scale at "
        "random. Asked for: S at a landmark that is not printed, within the printed rounding or "
        "half a patient; `above` and `below` say on which side of the draws the others lie.\n",
        "| printed beside n | questions | failures | covered | above | below | mean width |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, g in f.groupby("kind", sort=False):
        good = g[g["failed"] == 0]
        missed = good[~good["covered"].astype(bool)]
        above = (missed["truth"] > missed["high"]).sum() / len(good)
        below = (missed["truth"] < missed["low"]).sum() / len(good)
        lines.append(
            f"| {kind} | {len(good)} | {int(g['failed'].sum())} | {good['covered'].mean():.3f} | "
            f"{above:.3f} | {below:.3f} | {good['width'].mean():.3f} |"
        )
    return "\n".join(lines)
