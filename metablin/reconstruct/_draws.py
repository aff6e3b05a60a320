"""Plausible data sets around the estimate: what reading and missing items leave open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct import _fit
from metablin.reconstruct._estimate import estimate, lay_out
from metablin.reconstruct._fit import READING_SD, READING_TIME_SD, Censoring
from metablin.reconstruct._grid import Curve, build_grid

__all__ = ["draw_curve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LOG_POWER_SD = 1.5  # of the censoring shape when only the curve tells
SHARE_RANGE = (0.35, 1.0)  # patients censored before the end of the curve


def draw_curve(
    curve: Curve, source: str, count: int, seed: int
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Yield `count` data sets; each has its own stream, so any subset is reproducible."""
    curve = lay_out(curve)[0]
    curve = replace(curve, whole=bool(curve.whole))
    for stream in np.random.SeedSequence(seed).spawn(count):
        rng = np.random.default_rng(stream)
        read = _read_again(curve, rng)
        yield estimate(read, _draw_censoring(read, rng), rng)


def _read_again(curve: Curve, rng: np.random.Generator) -> Curve:
    """Click the same curve once more with reading noise."""
    k = curve.time.size
    y = np.clip(curve.survival + rng.normal(0.0, READING_SD, k), 0.0, 1.0)
    y[0] = 1.0
    if curve.whole:  # times are known, whoever reads them
        return replace(curve, survival=y)
    t = curve.time + rng.normal(0.0, READING_TIME_SD * curve.end, k)
    t = np.maximum.accumulate(np.clip(t, 0.0, curve.time[-1]))
    t[0], t[-1] = curve.time[0], curve.time[-1]
    return replace(curve, time=t, survival=y)


def _draw_censoring(curve: Curve, rng: np.random.Generator) -> Censoring | None:
    """Draw the course of censoring that a total leaves open; with a table the fit draws it."""
    if curve.has_table:
        return None
    share = float(rng.uniform(*SHARE_RANGE)) if rng.random() < 0.6 else 1.0
    if curve.events is None:
        power = float(np.exp(rng.normal(np.log(_fit.UNKNOWN_POWER), LOG_POWER_SD)))
        return Censoring(power, share)
    grid, z = build_grid(curve), _fit.monotone(curve.survival)
    return Censoring(_fit.solve_power(grid, z, curve.events, share), share)
