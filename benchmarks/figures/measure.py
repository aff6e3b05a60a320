"""Reading compared with truth: arms, error of S, cells, hazard ratio, seconds, silent failures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

import metablin as mb
from benchmarks.figures.trials import Arm, Spec
from metablin.digitise.names import plain
from metablin.numerics.partial import log_hazard_ratio

GRID = 400  # times from 0 to the end of the axis
SILENT = 0.05  # an error of S above this, without a low confidence, is a silent failure
NO_MATCH = 0.25  # a curve further off than this is not that arm


@dataclass(frozen=True)
class Score:
    """One figure: rows by arm, and the figure's own row."""

    arms: list[dict[str, Any]]
    figure: dict[str, Any]


def rmse(arm: Arm, end: float, low: float, read_time: Any, read_s: Any) -> float:
    """Root mean squared error of S where the axis shows it."""
    at = np.linspace(0, min(end, float(arm.time.max())), GRID + 1)[1:]
    true = arm.survival(at)
    k = np.searchsorted(read_time, at, side="right") - 1
    on = true >= low - 1e-9
    return float(np.sqrt(np.mean((np.asarray(read_s)[np.maximum(k, 0)] - true)[on] ** 2)))


def measure(spec: Spec, folder: Path, **options: Any) -> Score:
    """Read one figure and compare it with its patients."""
    began = time.process_time()
    base = {"figure": spec.number, "style": spec.style, "file": spec.file, "format": spec.format}
    arms = [a for group in spec.panels for a in group]
    try:
        found = mb.digitise(folder / spec.file, **options)
    except ValueError as error:
        spent = time.process_time() - began
        rows = [{**base, "arm": a.name, "found": False, "error": np.nan} for a in arms]
        return Score(rows, {**base, "seconds": spent, "refused": str(error), "silent": 0})
    spent = time.process_time() - began
    return _scored(spec, found, base, spent)


def _scored(spec: Spec, found: Any, base: dict[str, Any], spent: float) -> Score:
    arms = [(k, a) for k, group in enumerate(spec.panels) for a in group]
    end = float(spec.ticks[-1])
    lows = [min(p.y.values) if min(p.y.values) > 0.05 else 0.0 for p in found.panels]
    cost = np.array(
        [[rmse(a, end, lows[r.panel], r.time, r.survival) for r in found.arms] for _, a in arms]
    )
    rows_, cols = linear_sum_assignment(np.minimum(cost, NO_MATCH))
    match = {i: j for i, j in zip(rows_, cols, strict=True) if cost[i, j] < NO_MATCH}
    out, silent = [], len(found.arms) - len(match) if not found.doubtful() else 0
    for i, (_, arm) in enumerate(arms):
        row = {**base, "arm": arm.name, "found": i in match, "error": np.nan, "cells": 0,
               "cells_right": 0, "named": False, "cells_wrong": 0}  # fmt: skip
        want = {round(float(t), 6): int(n) for t, n in zip(spec.ticks, arm.at_risk(spec.ticks),
                                                         strict=True)}  # fmt: skip
        row["cells"] = len(want) if spec.table else 0
        if i in match:
            read = found.arms[match[i]]
            got = dict(zip(np.round(read.at_risk_times, 6).tolist(), read.at_risk.tolist(),
                           strict=True))  # fmt: skip
            right = sum(got.get(t) == n for t, n in want.items())
            row |= {"error": cost[i, match[i]], "confidence": read.confidence,
                    "named": plain(read.name) == plain(arm.name), "reasons": read.reasons,
                    "cells_right": right if spec.table else 0,
                    "cells_wrong": sum(t in want and want[t] != n for t, n in got.items()),
                    }  # fmt: skip
            others = {plain(a.name) for _, a in arms} - {plain(arm.name)}
            wrong = row["error"] > SILENT or plain(read.name) in others
            silent += wrong and not found.doubtful()  # the command then refuses the figure
        out.append(row)
    figure = {**base, "seconds": spent, "refused": "", "silent": int(silent),
              "doubtful": "; ".join(f"{a.id}: {', '.join(a.reasons)}" for a in found.doubtful()),
              "log_hr": _log_hr_error(spec, found, match, arms)}  # fmt: skip
    return Score(out, figure)


def _log_hr_error(spec: Spec, found: Any, match: dict[int, int], arms: list[Any]) -> float:
    """Error of the log hazard ratio of a two-arm figure, from the file to the Cox model."""
    if len(spec.panels) != 1 or len(arms) != 2 or len(match) != 2 or found.doubtful():
        return float("nan")
    counts = [len(a.time) for _, a in arms]
    read = []
    for i, n in enumerate(counts):
        arm = found.arms[match[i]]
        read.append(arm.reconstruct(None if len(arm.at_risk) else n))
    return abs(log_hr(read) - log_hr([a for _, a in arms]))


def log_hr(pair: Any) -> float:
    """Log hazard ratio of the second of two arms over the first."""
    group = np.repeat([0, 1], [len(x.time) for x in pair])
    time_, event = (np.concatenate([getattr(x, w) for x in pair]) for w in ("time", "event"))
    return float(log_hazard_ratio(time_, event, group))


def table(scores: list[Score]) -> pd.DataFrame:
    """One row per format, and one for all of a kind."""
    arms = pd.DataFrame([r for s in scores for r in s.arms])
    figures = pd.DataFrame([s.figure for s in scores])
    rows = []
    for name in dict.fromkeys(figures["format"]):
        a, f = arms[arms["format"] == name], figures[figures["format"] == name]
        rows.append(_row(name, a, f))
    return pd.DataFrame(rows)


def _row(name: str, arms: pd.DataFrame, figures: pd.DataFrame) -> dict[str, Any]:
    e = arms["error"].dropna()
    hr = figures["log_hr"].dropna() if "log_hr" in figures else pd.Series(dtype=float)
    cells = arms["cells"].sum()
    return {
        "format": name,
        "figures": len(figures),
        "refused": int((figures["refused"] != "").sum()),
        "doubtful": int((figures["doubtful"].fillna("") != "").sum())
        if "doubtful" in figures
        else 0,
        "arms found": f"{int(arms['found'].sum())}/{len(arms)}",
        "named": f"{int((arms['named'] == True).sum())}/{len(arms)}",  # noqa: E712
        "S mean": e.mean(),
        "S p95": e.quantile(0.95) if len(e) else np.nan,
        "S max": e.max(),
        "cells right": f"{int(arms['cells_right'].sum())}/{int(cells)}",
        "log HR": hr.mean(),
        "pairs": len(hr),
        "seconds": figures["seconds"].median(),
        "longest": figures["seconds"].max(),
        "silent": int(figures["silent"].sum()),
    }
