"""A simulated digitiser: what someone would click on a printed Kaplan-Meier curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VERTICAL_SD = 0.0025  # of the survival axis
HORIZONTAL_SD = 0.0008  # of the length of the time axis


@dataclass(frozen=True)
class Clicks:
    time: np.ndarray
    survival: np.ndarray
    mode: str
    placed: np.ndarray  # times on the true curve, before reading error


def km(time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kaplan-Meier estimate: distinct event times and S just after each (written for this)."""
    t = np.unique(time[event == 1])
    at_risk = np.array([(time >= x).sum() for x in t])
    deaths = np.array([((time == x) & (event == 1)).sum() for x in t])
    return t, np.cumprod(1 - deaths / at_risk)


def step(t: np.ndarray, s: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.concatenate([[1.0], s])[np.searchsorted(t, at, side="right")]


def digitise(
    time: np.ndarray,
    event: np.ndarray,
    axis: float,
    rng: np.random.Generator,
    mode: str | None = None,
) -> Clicks:
    """Click 40 to 150 points, on a grid of times or only at drops, with placement noise."""
    t, s = km(time, event)
    end = time.max()
    k = int(rng.integers(40, 151))
    mode = mode or ("grid", "drops")[int(rng.integers(2))]
    if mode == "grid":
        x = np.linspace(0, end, k)
    else:
        pick = np.unique(np.linspace(0, t.size - 1, min(k - 2, t.size)).round().astype(int))
        x = np.concatenate([[0.0], t[pick], [end]])
    y = step(t, s, x)
    x_read = np.clip(x + rng.normal(0, HORIZONTAL_SD * axis, x.size), 0, None)
    y_read = np.clip(y + rng.normal(0, VERTICAL_SD, y.size), 0, 1)
    return Clicks(x_read, y_read, mode, x)


def risk_table(
    time: np.ndarray, axis: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers at risk every 3 to 6 units, a unit being 1/36 of the axis (7 to 13 columns)."""
    ticks = np.arange(0, axis, int(rng.integers(3, 7)) * axis / 36)
    return ticks, np.array([(time >= x).sum() for x in ticks])


def floor(time: np.ndarray, event: np.ndarray, clicks: Clicks, at: np.ndarray) -> np.ndarray:
    """S of a reconstruction that knows every number at risk and the events between any two clicks.

    It places them evenly in their gap, or all on the click where clicks sit on drops, whichever
    is closer to the truth: what clicks of this kind leave open even without reading error of S.
    """
    t = np.sort(time[event == 1])
    at_risk = np.array([(time >= x).sum() for x in t]) - ranks(t)
    s = np.concatenate([[1.0], np.cumprod(1 - 1 / at_risk)])
    gap = np.searchsorted(clicks.placed, t, side="left")
    size = np.bincount(gap, minlength=clicks.placed.size + 1)[gap]
    left, right = clicks.time[np.maximum(gap - 1, 0)], clicks.time[gap]
    rank = np.arange(t.size) - np.searchsorted(gap, gap)
    shares = [(rank + 0.5) / size]
    if clicks.mode == "drops":
        shares = [(rank + 1.0) / size, np.ones(size.size)]
    curves = [s[np.searchsorted(np.sort(left + u * (right - left)), at, side="right")]
              for u in shares]  # fmt: skip
    truth = step(*km(time, event), at)
    return min(curves, key=lambda y: float(np.mean((y - truth) ** 2)))


def ranks(t: np.ndarray) -> np.ndarray:
    """Place of each sorted time among its ties: 0, 1, ..."""
    return np.arange(t.size) - np.searchsorted(t, t, side="left")
