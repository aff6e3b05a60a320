"""Survival: speed against lifelines; with ``simulate``, operating characteristics.

``python -m benchmarks survival`` prints the speed ratios of one run.
``python -m benchmarks.survival simulate`` prints the simulation tables (minutes).
"""

from __future__ import annotations

import sys
import time as clock
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from metablin.meta.curves import pool_curves
from metablin.meta.ipd import two_stage
from metablin.survival import (
    bootstrap_hazard_ratios,
    fit_parametric,
    kaplan_meier,
    logrank,
    max_combo,
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


def two_arms(scenario: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One trial with entry over 12 months and a cut at 36."""
    group = np.arange(n) % 2
    u = rng.exponential(1.0, n)
    base = u * 12.0
    if scenario == "none":
        time = base
    elif scenario == "proportional":
        time = np.where(group == 1, base / 0.7, base)
    elif scenario == "delayed":
        # Hazard ratio 1 up to 6 months, 0.5 afterwards.
        late = 6.0 + (base - 6.0) / 0.5
        time = np.where((group == 1) & (base > 6.0), late, base)
    else:
        # Crossing: 1.6 up to 5 months, 0.45 afterwards.
        early = base / 1.6
        late = 5.0 + (base - 8.0) / 0.45
        time = np.where(group == 1, np.where(base > 8.0, late, early), base)
    censor = 36.0 - rng.uniform(0.0, 12.0, n)
    return np.minimum(time, censor), (time <= censor).astype(int), group


def simulate_tests(trials: int = 2000, n: int = 300) -> pd.DataFrame:
    """Rejection rates at the two-sided 5% level."""
    rng = np.random.default_rng(20260101)
    rows = []
    for scenario in ("none", "proportional", "delayed", "crossing"):
        hits = np.zeros(3)
        for _ in range(trials):
            t, e, g = two_arms(scenario, n, rng)
            hits[0] += logrank(t, e, g).p_value < 0.05
            hits[1] += max_combo(t, e, g).p_value < 0.05
            hits[2] += rmst(t, e, 24.0, g).contrasts()["p_value"].iloc[0] < 0.05
        for name, share in zip(("log-rank", "max-combo", "RMST at 24"), hits / trials, strict=True):
            rows.append((scenario, name, share, np.sqrt(share * (1 - share) / trials)))
    return pd.DataFrame(rows, columns=["scenario", "test", "rejected", "mc_error"])


def simulate_cure(trials: int = 500) -> pd.DataFrame:
    """Coverage of 95% intervals of a cure fraction."""
    rng = np.random.default_rng(20260102)
    rows = []
    for share in (0.1, 0.3, 0.5):
        for n in (100, 300):
            inside = {"profile": 0, "wald": 0}
            for _ in range(trials):
                cured = rng.random(n) < share
                time = np.where(cured, np.inf, rng.weibull(1.2, n) * 9.0)
                censor = rng.uniform(24.0, 60.0, n)
                t, e = np.minimum(time, censor), (time <= censor).astype(int)
                for kind in inside:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        fit = fit_parametric(t, e, "weibull-mixture-cure", cure_interval=kind)
                    _, low, high = fit.cure_fraction()
                    inside[kind] += low <= share <= high
            for kind, count in inside.items():
                p = count / trials
                rows.append((share, n, kind, p, np.sqrt(p * (1 - p) / trials)))
    return pd.DataFrame(rows, columns=["cured", "n", "interval", "coverage", "mc_error"])


def simulate_bands(trials: int = 500) -> pd.DataFrame:
    """Coverage of the bands of pooled curves at three times, averaged."""
    rng = np.random.default_rng(20260103)
    times = np.array([3.0, 6.0, 12.0, 18.0, 24.0])
    rows = []
    for k in (5, 10, 20):
        for method in ("combescure", "pointwise"):
            runs = trials if method == "combescure" else trials // 2
            mean, new = np.zeros((runs, 5)), np.zeros((runs, 5))
            for run in range(runs):
                effects = rng.normal(0.0, 0.3, k + 1)
                curves = {}
                for i in range(k):
                    n = int(rng.integers(30, 200))
                    time = 12.0 * rng.exponential(1.0, n) * np.exp(effects[i])
                    censor = rng.uniform(24.0, 60.0, n)
                    event = (time <= censor).astype(int)
                    curves[str(i)] = kaplan_meier(np.minimum(time, censor), event)
                found = pool_curves(curves, times, method=method)
                truth = np.exp(-times / 12.0)
                fresh = np.exp(-times / 12.0 * np.exp(-effects[k]))
                mean[run] = (found.conf_low <= truth) & (truth <= found.conf_high)
                new[run] = (found.pred_low <= fresh) & (fresh <= found.pred_high)
            for name, hits in (("mean", mean), ("new trial", new)):
                error = hits.mean(axis=1).std(ddof=1) / np.sqrt(runs)
                rows.append((k, method, name, hits.mean(), error))
    return pd.DataFrame(rows, columns=["trials", "method", "band", "coverage", "mc_error"])


def main() -> None:
    print(speed().round(2).to_string(index=False))


if __name__ == "__main__":
    if sys.argv[1:] == ["simulate"]:
        print(simulate_tests().round(4).to_string(index=False))
        print(simulate_cure().round(4).to_string(index=False), flush=True)
        print(simulate_bands().round(4).to_string(index=False))
    else:
        main()
