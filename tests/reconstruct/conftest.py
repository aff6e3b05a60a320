from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Known:
    """A curve with known patients: what a digitiser sees and what it should give back."""

    time: np.ndarray
    event: np.ndarray
    clicks: tuple[np.ndarray, np.ndarray]
    at_risk: tuple[np.ndarray, np.ndarray]

    @property
    def n(self) -> int:
        return self.time.size

    @property
    def events(self) -> int:
        return int(self.event.sum())


def lifelines_survival(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Kaplan-Meier by lifelines: the independent computation."""
    from lifelines import KaplanMeierFitter

    fit = KaplanMeierFitter().fit(time, event)
    return fit.survival_function_at_times(at).to_numpy()


def plain_survival(time: np.ndarray, event: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Kaplan-Meier as the formula says, a factor a time of death: what needs no library."""
    deaths, died = np.unique(time[event == 1], return_counts=True)
    followed = time.size - np.searchsorted(np.sort(time), deaths)
    survival = np.append(1.0, np.cumprod(1 - died / followed))
    return survival[np.searchsorted(deaths, at, side="right")]


def make(n: int, seed: int, clicks: int = 80, noise: float = 0.0025) -> Known:
    rng = np.random.default_rng(seed)
    t = rng.weibull(1.1, n) * 18
    c = rng.uniform(8, 40, n)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    x = np.linspace(0, time.max(), clicks)
    y = plain_survival(time, event, x) + rng.normal(0, noise, clicks)
    x = np.maximum(x + rng.normal(0, 0.0003 * x[-1], clicks), 0)
    r = np.arange(0, time.max(), 4.0)
    counts = np.array([(time >= v).sum() for v in r])
    return Known(time, event, (x, np.clip(y, 0, 1)), (r, counts))


@pytest.fixture(scope="session")
def known() -> Callable[..., Known]:
    return make
