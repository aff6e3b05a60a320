"""True individual patient data for the benchmark: public data sets and simulated trials."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MONTH = 30.4375
MIN_ARM = 20  # pre-declared: an arm with fewer patients, or fewer than five events, is left out
MIN_EVENTS = 5


@dataclass(frozen=True)
class Trial:
    """Two arms with known individual data: time (months), event (0/1), arm (0/1).

    A simulated trial also has its population: sorted event times of each arm.
    """

    name: str
    source: str
    time: np.ndarray
    event: np.ndarray
    arm: np.ndarray
    population: tuple[np.ndarray, ...] = ()

    def one(self, arm: int) -> tuple[np.ndarray, np.ndarray]:
        keep = self.arm == arm
        return self.time[keep], self.event[keep]


def _trial(name: str, source: str, time: Any, event: Any, arm: Any) -> Trial:
    frame = pd.DataFrame({"t": np.asarray(time, float), "e": event, "a": arm}).dropna()
    frame = frame[frame["t"] > 0]
    return Trial(
        name,
        source,
        frame["t"].to_numpy(float),
        frame["e"].to_numpy().astype(int),
        frame["a"].to_numpy().astype(int),
    )


def _from_r() -> Iterator[Trial]:
    for path in sorted((Path(__file__).parent / "data").glob("*.csv")):
        d = pd.read_csv(path)
        yield _trial(path.stem, "R survival", d["time"], d["status"], d["arm"])


def _from_lifelines() -> Iterator[Trial]:
    from lifelines import datasets as ll

    d = ll.load_waltons()
    yield _trial("waltons", "lifelines", d["T"], d["E"], d["group"] == "control")
    d = ll.load_rossi()
    yield _trial("rossi", "lifelines", d["week"], d["arrest"], d["fin"])
    d = ll.load_leukemia()
    yield _trial("leukemia_6mp", "lifelines", d["t"], d["status"], d["Rx"])
    d = ll.load_lymphoma()
    yield _trial("lymphoma", "lifelines", d["Time"], d["Censor"], d["Stage_group"] == 2)
    d = ll.load_kidney_transplant()
    black = (d["black_male"] + d["black_female"]) > 0
    yield _trial("kidney_transplant", "lifelines", d["time"] / MONTH, d["death"], black)
    d = ll.load_larynx()
    late = (d["Stage_III"] + d["Stage_IV"]) > 0
    yield _trial("larynx", "lifelines", d["time"] * 12, d["death"], late)
    d = ll.load_multicenter_aids_cohort_study()
    yield _trial("macs", "lifelines", d["T"] * 12, d["D"], d["AIDSY"] > d["AIDSY"].median())


def _from_sksurv() -> Iterator[Trial]:
    from sksurv import datasets as sk

    x, y = sk.load_gbsg2()
    yield _trial("gbsg2", "scikit-survival", y["time"] / MONTH, y["cens"], x["menostat"] == "Post")
    x, y = sk.load_whas500()
    yield _trial(
        "whas500", "scikit-survival", y["lenfol"] / MONTH, y["fstat"], x["gender"].astype(float)
    )
    x, y = sk.load_aids()
    yield _trial("actg320", "scikit-survival", y["time"] / MONTH, y["censor"], x["txgrp"] == "2")
    x, y = sk.load_breast_cancer()
    yield _trial(
        "breast_cancer",
        "scikit-survival",
        y["t.tdm"] / MONTH,
        y["e.tdm"],
        x["er"] == "positive",
    )


def simulated(count: int, seed: int = 20120201) -> Iterator[Trial]:
    """Trials with staggered entry, dropout and five hazard shapes; n per arm from 20 to 3,000."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        n = int(np.exp(rng.uniform(np.log(20), np.log(3000))))
        shape = SHAPES[i % len(SHAPES)]
        trial = simulate_trial(f"sim_{shape}_{n}", shape, n, rng)
        while excluded(trial):
            trial = simulate_trial(f"sim_{shape}_{n}", shape, n, rng)
        yield trial


SHAPES = ("exponential", "weibull", "cure", "delayed", "crossing")


def simulate_trial(name: str, shape: str, n: int, rng: np.random.Generator) -> Trial:
    median = rng.uniform(6, 30)
    hr = np.exp(rng.normal(-0.25, 0.3))
    power = rng.uniform(0.6, 1.6)
    accrual, after = rng.uniform(6, 30), rng.uniform(3, 30)
    dropout = rng.choice([0.0, 0.005, 0.015])
    size1 = n if rng.random() < 0.6 else max(MIN_ARM, n // 2)
    out = []
    for arm, size in ((0, n), (1, size1)):
        t = _event_times(shape, arm, hr, median, power, -np.log(rng.random(size)), rng)
        c = np.minimum(
            accrual * rng.random(size) + after,
            rng.exponential(1 / dropout, size) if dropout else np.inf,
        )
        out.append((np.minimum(t, c), (t <= c).astype(int), np.full(size, arm)))
    time, event, arms = (np.concatenate(x) for x in zip(*out, strict=True))
    big = np.random.default_rng(7)
    u = -np.log((np.arange(POPULATION) + 0.5) / POPULATION)
    truth = tuple(np.sort(_event_times(shape, arm, hr, median, power, u, big)) for arm in (0, 1))
    return Trial(name, "simulated", np.maximum(time, 1e-3), event, arms, truth)


POPULATION = 20_000  # equally spaced quantiles that stand for the population


def _event_times(
    shape: str,
    arm: int,
    hr: float,
    median: float,
    power: float,
    u: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Event times for unit exponential cumulative hazards u."""
    r = hr if arm else 1.0
    base = np.log(2) / median
    if shape == "exponential":
        return np.asarray(u / (base * r))
    if shape == "weibull":
        return np.asarray((u / r / np.log(2)) ** (1 / power) * median)
    if shape == "cure":
        cured = rng.random(u.size) < (0.4 if arm else 0.25)
        return np.where(cured, np.inf, u / (base * 2))
    change = 0.4 * median
    late = r if shape == "delayed" else r * 0.7
    early = 1.0 if shape == "delayed" or not arm else 1.5
    if not arm:
        early = late = 1.0
    h1 = base * early * change
    return np.asarray(np.where(u < h1, u / (base * early), change + (u - h1) / (base * late)))


def public() -> list[Trial]:
    """Every public data set after the pre-declared exclusions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [*_from_r(), *_from_lifelines(), *_from_sksurv()]
    return [t for t in found if not excluded(t)]


def excluded(trial: Trial) -> bool:
    """Return True when an arm has too few patients or events (declared before any run)."""
    sizes = [(trial.arm == a).sum() for a in (0, 1)]
    events = [trial.event[trial.arm == a].sum() for a in (0, 1)]
    return bool(min(sizes) < MIN_ARM or min(events) < MIN_EVENTS)
