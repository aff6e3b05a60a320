"""Survival: speed against lifelines, the ratios of one run."""

from __future__ import annotations

import time as clock
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from metablin.meta.survival.ipd import two_stage
from metablin.survival import (
    bootstrap_hazard_ratios,
    fit_parametric,
    kaplan_meier,
    rmst,
)


def best_of(repeats: int, run: Callable[[], object]) -> float:
    """Return the shortest of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = clock.perf_counter()
        run()
        times.append(clock.perf_counter() - start)
    return min(times)


def trial(n: int, seed: int, hr: float = 0.7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two arms of exponential survival with uniform censoring."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % 2
    time = rng.exponential(np.where(group == 1, 12.0 / hr, 12.0))
    censor = rng.uniform(6.0, 48.0, n)
    return np.minimum(time, censor), (time <= censor).astype(int), group


def speed() -> pd.DataFrame:
    from lifelines import GeneralizedGammaFitter, KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    time, event, group = trial(400, 1)

    def their_rmst() -> object:
        curve = KaplanMeierFitter().fit(time, event)
        return restricted_mean_survival_time(curve, t=30.0, return_variance=True)

    rows = []

    def add(what: str, ours: float, theirs: float, target: str) -> None:
        ratio = theirs / ours if np.isfinite(theirs) else np.nan
        rows.append((what, 1e3 * ours, 1e3 * theirs, ratio, target))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        add(
            "RMST with variance, n = 400",
            best_of(20, lambda: rmst(time, event, 30.0)),
            best_of(3, their_rmst),
            "200 x",
        )
        big = trial(100_000, 2)
        add(
            "Kaplan-Meier, n = 100,000",
            best_of(5, lambda: kaplan_meier(big[0], big[1])),
            best_of(2, lambda: KaplanMeierFitter().fit(big[0], big[1])),
            "50 ms",
        )
        add(
            "generalised gamma, n = 400",
            best_of(5, lambda: fit_parametric(time, event, "gengamma")),
            best_of(2, lambda: GeneralizedGammaFitter().fit(time, event)),
            "5 x",
        )
    add(
        "1,000 bootstrap hazard ratios, n = 400",
        best_of(3, lambda: bootstrap_hazard_ratios(time, event, group)),
        np.nan,
        "2 s",
    )
    draws = many_trials()
    add(
        "50 draws x 20 trials, hazard ratio, RMST and milestone, pooled",
        best_of(1, lambda: [two_stage(draws, m, at=24.0, draw="draw") for m in MEASURES]),
        np.nan,
        "10 s",
    )
    return pd.DataFrame(rows, columns=["what", "ours_ms", "lifelines_ms", "ratio", "target"])


MEASURES = ("hr", "rmst", "milestone")


def many_trials(trials: int = 20, draws: int = 50, n: int = 150) -> pd.DataFrame:
    """Reconstruction draws of randomised trials, as `two_stage` takes them."""
    parts = []
    for i in range(trials):
        for j in range(draws):
            t, e, g = trial(n, 1000 * i + j)
            parts.append(pd.DataFrame({"trial": i, "draw": j, "time": t, "event": e, "group": g}))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    print(speed().round(2).to_string(index=False))


if __name__ == "__main__":
    main()
