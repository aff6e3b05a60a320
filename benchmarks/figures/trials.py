"""Simulated trials whose patients are known, and what a figure of them is asked to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MONTH = 30.4375  # days
UNITS = {"months": 1.0, "years": 12.0, "weeks": 12 / 52.1786}  # months in one unit


@dataclass(frozen=True)
class Arm:
    """One arm's patients, times in the unit of the figure."""

    name: str
    time: np.ndarray
    event: np.ndarray

    def at_risk(self, at: np.ndarray) -> np.ndarray:
        """Patients whose time is at least `at`."""
        return np.asarray((self.time[:, None] >= at[None, :]).sum(axis=0))

    def survival(self, at: np.ndarray) -> np.ndarray:
        """The product-limit estimate, from its definition."""
        times = np.unique(self.time[self.event == 1])
        died = ((self.time[:, None] == times) & (self.event[:, None] == 1)).sum(axis=0)
        s = np.r_[1.0, np.cumprod(1 - died / np.maximum(self.at_risk(times), 1))]
        return np.asarray(s[np.searchsorted(times, at, side="right")])

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Times and heights of the curve, from (0, 1) to the last patient."""
        times = np.unique(self.time[self.event == 1])
        s = np.r_[1.0, self.survival(times)]
        return np.r_[0.0, times, self.time.max()], np.r_[s, s[-1]]


@dataclass(frozen=True)
class Spec:
    """One figure: who draws it, how, and what it holds."""

    number: int
    style: str
    ending: str
    dpi: int
    grey: bool
    panels: tuple[tuple[Arm, ...], ...]
    unit: str
    ticks: np.ndarray
    table: bool
    black: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of the figure's file."""
        return f"{self.number:03d}.{self.ending}"

    @property
    def format(self) -> str:
        """Row of the table of results."""
        if self.ending in ("pdf", "svg"):
            return self.ending.upper()
        if self.grey or self.black:
            return "grey or black"
        if self.ending == "jpg":
            return "JPEG"
        return "raster >= 150 dpi" if self.dpi >= 150 else "raster 100 dpi"

    def patients(self) -> pd.DataFrame:
        """Patients of every arm: panel, arm, time, event."""
        return pd.concat(
            [
                pd.DataFrame({"panel": "AB"[k], "arm": a.name, "time": a.time, "event": a.event})
                for k, group in enumerate(self.panels)
                for a in group
            ],
            ignore_index=True,
        )

    def write(self, folder: Path) -> None:
        """Write the patients where R finds them."""
        self.patients().to_csv(folder / f"{self.number:03d}.csv", index=False)


NAMES = (
    ("Drug", "Placebo"),
    ("Blue regimen", "Red regimen"),
    ("Early", "Late"),
    ("Arm A", "Arm B"),
    ("Combination", "Monotherapy"),
    ("High dose", "Low dose", "Control"),
    ("No transplant",),
    ("Stage I", "Stage II", "Stage III", "Stage IV"),
)


def simulate(
    rng: np.random.Generator, names: tuple[str, ...], unit: str = "months", ratio: float = 0.0
) -> tuple[Arm, ...]:
    """Weibull, cure-fraction or delayed-effect arms with staggered entry, in whole days.

    With a `ratio` above 0 the hazards are proportional, of that ratio from arm to arm.
    """
    shape, median = rng.uniform(0.8, 1.4), rng.uniform(9, 26)
    cure = 0.0 if ratio else float(rng.choice([0.0, 0.0, 0.3]))
    out = []
    for k, name in enumerate(names):
        n = int(rng.integers(45, 260))
        effect = ratio**k if ratio else np.exp(rng.normal(0.35 * k, 0.1))
        scale = median * effect ** (-1 / shape) / np.log(2) ** (1 / shape)
        died = scale * rng.weibull(shape, n)
        died = np.where(rng.random(n) < cure, np.inf, died)
        left = rng.uniform(14, 62, n)
        left = np.where(rng.random(n) < 0.06, rng.uniform(0, 20, n), left)
        days = np.maximum(np.round(np.minimum(died, left) * MONTH), 1)
        event = (died <= left).astype(int)
        event[np.argmin(days)] = 1
        out.append(Arm(name, days / MONTH / UNITS[unit], event))
    return tuple(out)


def ticks_of(
    panels: tuple[tuple[Arm, ...], ...], rng: np.random.Generator, unit: str
) -> np.ndarray:
    """Ticks of the time axis, six to twelve, at round times."""
    last = max(float(a.time.max()) for group in panels for a in group)
    steps = {"months": (6, 12, 10), "years": (1.0, 0.5, 1.0), "weeks": (26, 52, 52)}[unit]
    step = float(rng.choice(steps))
    while last / step < 4:
        step /= 2
    return np.arange(0, np.ceil(last / step) + 1) * step
