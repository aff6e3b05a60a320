"""Two arms with a printed hazard ratio: is it met, and does it tell what the arms leave open?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.reconstruction.thin import median_items
from benchmarks.reconstruction.truth import Trial
from metablin.numerics.kaplan_meier import median, rmst, steps
from metablin.numerics.kaplan_meier import survival_at as s_at
from metablin.numerics.partial import log_hazard_ratio
from metablin.reconstruct import PseudoIPD, reconstruct_summary, reconstruct_summary_pair

Arm = tuple[np.ndarray, np.ndarray]
Rows = list[dict[str, Any]]

WORDS = {"apart": "the arms alone", "pair": "and the hazard ratio"}


def printed_arm(t: np.ndarray, e: np.ndarray) -> dict[str, Any] | None:
    """What a randomised trial prints of an arm in an abstract: median with interval, events."""
    m, low, high = median_items(t, e, "log-log")
    if m is None or m <= 0 or low is None or low <= 0:
        return None
    return {"n": t.size, "events": int(e.sum()), "median": (m, low, high),
            "followup": round(float(median(steps(t, 1 - e))), 1)}  # fmt: skip


def questions(trial: Trial) -> tuple[float, float]:
    """Times at which the arms are compared: two thirds of the shorter follow-up, and a third."""
    last = min(float(np.quantile(trial.one(a)[0], 0.9)) for a in (0, 1))
    return 2 * last / 3, last / 3


def answers(one: Arm, two: Arm, late: float, early: float) -> tuple[float, ...]:
    """Difference of restricted means and of S at both times, second arm less first."""
    a, b = steps(*one), steps(*two)
    at = np.array([late, early])
    return (rmst(b, late) - rmst(a, late), *(s_at(b, at) - s_at(a, at)))


def measured(i: int, trial: Trial, draws: int) -> tuple[Rows, Rows]:
    """One row per question and way; one row with what happened to the ratio, if it is printed."""
    arms = [trial.one(a) for a in (0, 1)]
    items = [x for x in (printed_arm(*arm) for arm in arms) if x is not None]
    late, early = questions(trial)
    if len(items) < 2 or not np.isfinite([x["followup"] for x in items]).all():
        return [], []
    hr = round(float(np.exp(log_hazard_ratio(trial.time, trial.event, trial.arm))), 2)
    try:
        both = reconstruct_summary_pair(items[1], items[0], hr=hr, draws=draws, seed=i)[::-1]
    except ValueError as error:
        return [], [{"trial": trial.name, "failed": str(error), "met": np.nan}]
    apart = [reconstruct_summary(**x, draws=draws, seed=2 * i + a) for a, x in enumerate(items)]
    truth = answers(arms[0], arms[1], late, early)
    rows = []
    for way, sets in (("apart", apart), ("pair", both)):
        found = np.array([
            answers((a.time, a.event), (b.time, b.event), late, early)
            for a, b in zip(*sets, strict=True)
        ])  # fmt: skip
        low, high = np.nanquantile(found, [0.025, 0.975], axis=0)
        for k, name in enumerate(("RMST", "S late", "S early")):
            rows.append({"way": way, "question": name, "width": high[k] - low[k],
                         "covered": low[k] - 1e-9 <= truth[k] <= high[k] + 1e-9})  # fmt: skip
    got = [check(*pair) for pair in zip(*both, strict=True)]
    return rows, [{"trial": trial.name, "failed": "", "met": np.mean(np.round(got, 2) == hr)}]


def check(control: PseudoIPD, treatment: PseudoIPD) -> float:
    """Hazard ratio of two reconstructed arms."""
    arm = np.repeat([0, 1], [control.time.size, treatment.time.size])
    time, event = (np.concatenate([getattr(control, x), getattr(treatment, x)])
                   for x in ("time", "event"))  # fmt: skip
    return float(np.exp(log_hazard_ratio(time, event, arm)))


def pairs_table(found: list[tuple[Rows, Rows]], draws: int) -> str:
    """Render the table."""
    frame, ratios = (
        pd.DataFrame([x for one in part for x in one]) for part in zip(*found, strict=True)
    )
    good = ratios[ratios["failed"] == ""]
    lines = [
        "## Two arms with a printed hazard ratio\n",
        "Given per arm: n, events, median with interval, median follow-up; and the hazard ratio to "
        f"two decimals. {draws} draws. Trials: {len(ratios)}; failures: "
        f"{len(ratios) - len(good)}; draws that meet the printed ratio: {good['met'].mean():.1%}. "
        "Asked for: differences between the arms at two thirds (late) and one third (early) of "
        "the follow-up of the shorter arm.\n",
        "| difference | given | trials | covered | width, arms alone = 1 |",
        "|---|---|---|---|---|",
    ]
    base = frame[frame["way"] == "apart"].groupby("question")["width"].mean()
    for (name, way), g in frame.groupby(["question", "way"], sort=False):
        share = g["width"].mean() / base[str(name)]
        lines.append(
            f"| {name} | {WORDS[str(way)]} | {len(g)} | {g['covered'].mean():.3f} | {share:.2f} |"
        )
    return "\n".join(lines)
