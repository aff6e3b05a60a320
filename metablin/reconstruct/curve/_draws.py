"""Plausible data sets around the estimate: what reading and missing items leave open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.curve import _fit
from metablin.reconstruct.curve._estimate import (
    Fitted,
    Plan,
    lay_out,
    plan,
    realise,
    settled,
    solved_exactly,
)
from metablin.reconstruct.curve._exact_times import to_patients
from metablin.reconstruct.curve._fit import Censoring
from metablin.reconstruct.curve._grid import build_grid
from metablin.reconstruct.curve.clicks import Curve

__all__ = ["draw_curve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LOG_POWER_SD = 1.5  # of the censoring shape when only the curve tells
CUT = 0.3  # probability that some were censored only by the end of the picture
COURSES = 4  # of censoring, of which one is picked
TRUST = 0.3  # in what steps say of them: clicks are read twice here, and neighbours share a reading
SHARE_RANGE = (0.35, 1.0)  # patients censored before the end of the curve


def draw_curve(curve: Curve, count: int, seed: int) -> Iterator[Fitted]:
    """Yield `count` data sets; each has its own stream, so any subset is reproducible."""
    solved = solved_exactly(curve)
    streams = np.random.SeedSequence(seed).spawn(count)
    if solved is not None:
        curve = settled(curve, True)
        for stream in streams:
            yield Fitted(*to_patients(solved, curve, np.random.default_rng(stream)), curve)
        return
    curve, grid, _ = lay_out(curve)
    curve = replace(settled(curve, grid.at_drops), whole=bool(curve.whole))
    for stream in streams:
        rng = np.random.default_rng(stream)
        read = _read_again(curve, rng)
        yield Fitted(*realise(_posterior_plan(read, rng), read, rng), curve)


def _posterior_plan(read: Curve, rng: np.random.Generator) -> Plan:
    """Draw a fit; without a table the course of censoring in proportion to what steps say of it.

    Courses are drawn from what is plausible and one is picked by its likelihood (Rubin 1988,
    sampling and importance resampling).
    """
    if read.has_table:
        return plan(read, None, rng)
    plans = [plan(read, _draw_censoring(read, rng), rng) for _ in range(COURSES)]
    evidence = np.array([x.evidence for x in plans])
    return plans[int((TRUST * evidence + rng.gumbel(size=COURSES)).argmax())]


def _read_again(curve: Curve, rng: np.random.Generator) -> Curve:
    """Click the same curve once more with reading noise."""
    k = curve.time.size
    y = np.clip(curve.survival + rng.normal(0.0, curve.reading.sd, k), 0.0, 1.0)
    y[0] = 1.0
    if curve.whole:  # times are known, whoever reads them
        return replace(curve, survival=y)
    t = curve.time + rng.normal(0.0, curve.reading.time_sd * curve.end, k)
    t = np.maximum.accumulate(np.clip(t, 0.0, curve.time[-1]))
    t[0], t[-1] = curve.time[0], curve.time[-1]
    return replace(curve, time=t, survival=y)


def _draw_censoring(curve: Curve, rng: np.random.Generator) -> Censoring:
    """Draw the course of censoring that a missing table leaves open."""
    share = float(rng.uniform(*SHARE_RANGE)) if rng.random() < CUT else 1.0
    if curve.events is None:
        power = float(np.exp(rng.normal(np.log(_fit.UNKNOWN_POWER), LOG_POWER_SD)))
        return Censoring(power, share)
    grid, z = build_grid(curve), _fit.monotone(curve.survival)
    return Censoring(_fit.solve_power(grid, z, curve.events, share), share)
