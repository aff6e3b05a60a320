"""Reconstruction of public data sets with known patients, at the published targets.

`benchmarks/reconstruction` measures more of them; here a few arms guard what it found.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter

from metablin.reconstruct import reconstruct_km
from tests.reconstruct.conftest import plain_survival
from tests.reference import table

MONTH = 30.4375
READING_SD = 0.0025  # of survival
READING_TIME_SD = 0.0008  # of the time axis
RMSE_S = 0.006  # mean over arms; the benchmark's 328 arms have 0.005, these are smaller than most
RMST = 0.004  # relative, mean over arms
LOG_HR = 0.012  # absolute, mean over trials
SETS = ("lung", "veteran", "colon", "pbc", "ovarian")


def trial(name: str) -> pd.DataFrame:
    """Two arms of a data set of R's survival package: the first two groups by name."""
    d = table(name)
    names = sorted(d["group"].unique())[:2]
    d = d[d["group"].isin(names)]
    return pd.DataFrame({
        "time": d["time"] / MONTH, "event": d["event"].astype(int),
        "arm": (d["group"] == names[1]).astype(int),
    })  # fmt: skip


def reconstructed(arm: pd.DataFrame, rng: np.random.Generator, events: bool) -> pd.DataFrame:
    time, event = arm["time"].to_numpy(), arm["event"].to_numpy()
    x = np.linspace(0, time.max(), 100)
    y = np.clip(plain_survival(time, event, x) + rng.normal(0, READING_SD, x.size), 0, 1)
    x = np.maximum(x + rng.normal(0, READING_TIME_SD * x[-1], x.size), 0)
    r = np.linspace(0, time.max(), 10)[:-1]
    counts = np.array([(time >= v).sum() for v in r])
    got = reconstruct_km(
        x, y, n=time.size, at_risk=(r, counts), events=int(event.sum()) if events else None
    )
    assert [(got.time >= v).sum() for v in r] == counts.tolist()
    assert got.time.size == time.size
    assert not events or got.event.sum() == event.sum()
    return pd.DataFrame({"time": got.time, "event": got.event, "arm": arm["arm"].iloc[0]})


def log_hr(d: pd.DataFrame) -> float:
    return float(CoxPHFitter().fit(d, "time", "event").params_["arm"])


@cache
def measured(events: bool) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(20260101)
    arms, ratios = [], {}
    for name in SETS:
        d = trial(name)
        got = []
        for _, arm in d.groupby("arm"):
            r = reconstructed(arm, rng, events)
            at = np.linspace(0, arm["time"].max(), 1000)
            true, found = (
                KaplanMeierFitter().fit(f["time"], f["event"]).survival_function_at_times(at)
                for f in (arm, r)
            )
            miss = found.to_numpy() - true.to_numpy()
            arms.append({
                "name": name, "rmse": np.sqrt(np.mean(miss**2)),
                "rmst": abs(found.mean() / true.mean() - 1),
            })  # fmt: skip
            got.append(r)
        ratios[name] = abs(log_hr(pd.concat(got)) - log_hr(d))
    return pd.DataFrame(arms), pd.Series(ratios)


@pytest.mark.parametrize("events", [True, False])
def test_survival_and_restricted_means_of_true_data_come_back(events):
    arms, _ = measured(events)
    assert len(arms) == 2 * len(SETS)
    assert arms["rmse"].mean() < RMSE_S
    assert arms["rmst"].mean() < RMST


def test_hazard_ratios_of_true_data_come_back():
    _, ratios = measured(True)
    assert ratios.mean() < LOG_HR
