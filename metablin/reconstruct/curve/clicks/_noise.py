"""What kind of clicks they are and how precise, told from the clicks themselves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from metablin.errors import DataError
from metablin.options import Clicks, words
from metablin.reconstruct.reading import READING_SD, READING_TIME_SD, Kind, Reading

__all__ = [
    "alternates",
    "at_corners",
    "check_noise",
    "collapsed",
    "estimated_reading",
    "falls_between",
    "follows_falls",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

VERTICAL = 0.002  # of the time axis: clicks so close are one above the other,
SAME_TIME, PLUMB = 1e-9, 2e-6  # the same, where a program wrote the coordinates
OF_USUAL = 0.25  # if they are closer than this share of the mean gap
NEARLY_ALL = 0.98  # of what happens at near verticals, from which these are strict
UPRIGHT = 0.8  # of the whole fall happens at verticals when corners were clicked
FEWEST = 3  # verticals
TRACED = 0.2  # of the whole fall at verticals, from which the line of the curve was followed
ALTERNATE = 1 / 3  # of the gaps between clicks, where falls were traced: half but for gaps left out
TO_SD = 1.4826  # a standard deviation over the median of absolute normal errors
APART = 3.0  # usual differences by which two readings of one plateau are not of one
STRAY = 0.1  # share of plateaus for which that may be so
LEVELS = 1.5  # degrees of freedom that a level of a monotone fit takes
ENOUGH = 8.0  # degrees of freedom from which the clicks tell their reading error
NOTABLE = 4.0  # errors of careful clicking: no rise above is a sign of rougher clicks
ROUGH = 1.4  # of the error of careful clicking: an estimate up to here is none of its own
PRIOR = 20.0  # degrees of freedom that careful clicking counts for
FINE = 0.0012  # of survival: reading errors below are those of programs, and taken as they are
FINEST = 3e-7  # of survival: six decimals
LEAST_SD = 3e-4  # of survival: the fit trusts no click more, as whole patients stand in the way
MOST = 0.1  # of survival, as a reading error
LATTICE = 5e-6  # of survival: smallest step of rounding
SAME = 1e-6  # of survival: smaller differences are those of arithmetic
ALONE = 1e-3  # relative
LEAST_LEVELS = 4
GRID = 1.5  # steps between usual clicks from which times on a grid are rounded, not regular
DECIMALS = 6


def check_noise(noise: float | str | None, kind: str) -> None:
    """Refuse a reading error or a kind of clicks that is none."""
    if not isinstance(kind, str) or kind not in words(Clicks):
        allowed = " | ".join(words(Clicks))
        raise DataError("no such kind", column="clicks", value=kind, allowed=allowed)
    if noise is None or (isinstance(noise, str) and noise == "exact"):
        return
    good = isinstance(noise, int | float | np.number) and 0.0 < noise <= MOST
    if isinstance(noise, bool) or not good:
        raise DataError(
            "not a reading error", column="noise", value=noise,
            allowed=f"'exact', or a standard deviation of survival above 0 and up to {MOST:g}",
        )  # fmt: skip


def at_corners(t: FloatArray, y: FloatArray) -> BoolArray | None:
    """Gaps that are vertical when falls were clicked above and below, else None; (k - 1,).

    The first click is the origin.
    """
    gap, fall = t[1:] - t[:-1], y[:-1] - y[1:]
    usual = gap <= min(VERTICAL, OF_USUAL / gap.size) * float(t[-1])
    usual[0] = False
    steep = float(fall[usual].sum())
    if np.count_nonzero(usual) < FEWEST or not steep >= UPRIGHT * float(fall.sum()) > 0.0:
        return None
    for width in (SAME_TIME, PLUMB):
        upright = gap <= width * float(t[-1])
        upright[0] = False
        if float(fall[upright].sum()) >= NEARLY_ALL * steep:
            return upright
    return usual


def falls_between(y: FloatArray, upright: BoolArray) -> bool:
    """Whether S often falls between two verticals: falls were traced, but not all of them.

    Where each fall was clicked above and below, a plateau is read twice within reading error.
    """
    pairs = np.abs(plateau_pairs(y, upright))
    if pairs.size == 0:
        return False
    usual = max(TO_SD * float(np.median(pairs)), float(pairs.mean()), SAME)
    return bool((pairs > APART * usual).mean() > STRAY)


def follows_falls(t: FloatArray, y: FloatArray) -> bool:
    """Whether verticals are among the clicks, and take part in the fall."""
    gap, fall = t[1:] - t[:-1], y[:-1] - y[1:]
    upright = gap <= min(VERTICAL, OF_USUAL / gap.size) * float(t[-1])
    upright[0] = False
    if np.count_nonzero(upright) < FEWEST:
        return False
    steep = float(fall[upright].sum()) >= TRACED * float(fall.sum()) > 0.0
    return steep and alternates(upright)


def alternates(upright: BoolArray) -> bool:
    """Whether short gaps are verticals: each stands between two plateaus, wider gaps.

    Clicks just after falls that follow each other closely have short gaps too, but together.
    """
    count = np.count_nonzero(upright)
    share = count / (count + np.count_nonzero(~upright[1:-1]))
    together = np.count_nonzero(upright[1:] & upright[:-1]) / count
    return bool(share >= ALTERNATE and together < share)


def collapsed(t: FloatArray, y: FloatArray, upright: BoolArray) -> tuple[FloatArray, FloatArray]:
    """One click for every vertical, with the mean level of the plateau after it.

    A plateau is read at the foot of its fall, wherever it was clicked, and at the top of the next
    fall. The origin and the end of the curve stay.
    """
    part = np.concatenate([[0], np.cumsum(~upright)])  # clicks joined by verticals
    count = np.bincount(part)
    drop = np.cumsum(count > 1)  # falls up to each part
    foot = np.concatenate([~upright, [True]])
    top = np.concatenate([[True], ~upright]) & (count[part] > 1)
    plateau = np.concatenate([drop[part[foot]], drop[part[top]] - 1])
    read = np.concatenate([y[foot], y[top]])
    level = np.bincount(plateau, weights=read) / np.bincount(plateau)
    fallen = count[part] > 1
    own = drop[part[fallen]] - 1
    middle = np.bincount(own, weights=t[fallen]) / np.bincount(own)
    time: FloatArray = np.concatenate([t[:1], middle])
    level = np.concatenate([y[:1], level[1:]])
    if count[part[-1]] == 1:
        time, level = np.append(time, t[-1]), np.append(level, level[-1])
    return time, level


def plateau_pairs(y: FloatArray, upright: BoolArray) -> FloatArray:
    """Return differences of S between the foot of a fall and the click after it, one plateau."""
    flat = ~upright
    flat[0] = False
    return y[:-1][flat] - y[1:][flat]


def estimated_reading(
    t: FloatArray,
    y: FloatArray,
    n: int,
    step: FloatArray,
    noise: float | str | None,
    kind: Kind,
    upright: BoolArray | None = None,
) -> Reading:
    """Return the reading error given, or estimated from how far the clicks are from falling.

    Clicks at corners read every plateau twice. Otherwise it is residuals of a monotone fit, less
    its degrees of freedom (Meyer and Woodroofe 2000, doi:10.1214/aos/1015956708), beside what
    careful clicking achieves. Rounding of the values is the least there can be. `step` is the fall
    of one patient at each click; the first click is the origin.
    """
    if noise == "exact":
        return reading_of(max(decimals(y), FINEST), kind)
    if noise is not None:
        return reading_of(float(noise), kind)
    freedom, squares, enough = _residuals(y, upright)
    if freedom < enough:
        if (y[2:] - y[1:-1]).max(initial=0.0) < NOTABLE * READING_SD:
            return Reading(kind)
        freedom, squares = _roughness(t, y, step)
        return _by_hand(squares, freedom, kind)
    sd = math.sqrt(squares / freedom)
    if sd >= FINE:
        return _by_hand(squares, freedom, kind)
    rounded = rounding(y, n)
    return reading_of(max(sd, rounded, FINEST), kind, time_rounding(t) if rounded else 0.0)


def _by_hand(squares: float, freedom: float, kind: Kind) -> Reading:
    """Return the reading of clicks made by hand: careful ones unless they are clearly rough."""
    sd = min(shrunk(squares, freedom), MOST)
    return reading_of(sd, kind) if sd > ROUGH * READING_SD else Reading(kind)


def _residuals(y: FloatArray, upright: BoolArray | None) -> tuple[float, float, float]:
    """Degrees of freedom of the reading error, sum of squares, and how many are enough."""
    if upright is not None:
        pairs = plateau_pairs(y, upright)
        return float(pairs.size), 0.5 * float(pairs @ pairs), float(FEWEST)
    fit = isotonic_regression(y[1:], increasing=False).x
    levels = 1 + int(np.count_nonzero(fit[1:] < fit[:-1]))
    away = y[1:] - fit
    return fit.size - LEVELS * levels, float(away @ away), ENOUGH


def _roughness(t: FloatArray, y: FloatArray, step: FloatArray) -> tuple[float, float]:
    """Degrees of freedom and sum of squares by the distance of clicks to the line of their two.

    After Gasser, Sroka and Jennen-Steinmetz (1986, doi:10.1093/biomet/73.3.625); whole patients
    make a curve rough as well: so much as events at random, of a fall `step` each, would is taken
    off. Neighbours are joined by time, and by number as for clicks on drops; the smoother counts.
    """
    if t.size < LEAST_LEVELS:
        return 0.0, 0.0
    fall = np.maximum(y[:-2] - y[2:], 0.0)
    width = np.maximum(t[2:] - t[:-2], SAME)
    found = []
    for w in ((t[1:-1] - t[:-2]) / width, np.full(t.size - 2, 0.5)):
        usual = 1.0 + w**2 + (1.0 - w) ** 2
        away = y[1:-1] - (1.0 - w) * y[:-2] - w * y[2:]
        whole = fall * step[1:-1] * np.maximum(w * (1.0 - w), 0.05)
        trust = 1.0 / (1.0 + whole / (usual * READING_SD**2)) ** 2
        freedom = 0.5 * float(trust.sum())
        variance = float((trust * (away**2 - whole)).sum() / (trust * usual).sum())
        found.append((freedom, freedom * max(variance, 0.0)))
    return min(found, key=lambda x: x[1])


def shrunk(squares: float, freedom: float) -> float:
    """Return the reading error of few clicks drawn to that of careful clicking.

    Examples
    --------
    >>> shrunk(0.0, 0.0), round(shrunk(40 * 0.01**2, 40.0), 4)
    (0.0025, 0.0083)
    """
    return math.sqrt((PRIOR * READING_SD**2 + squares) / (PRIOR + freedom))


def reading_of(sd: float, kind: Kind, rounded: float = 0.0) -> Reading:
    """Return the reading of clicks with this error of S; times are read as well as S is."""
    fit = max(sd, LEAST_SD)
    return Reading(kind, fit, max(READING_TIME_SD * min(1.0, fit / READING_SD), rounded), sd)


def time_rounding(t: FloatArray) -> float:
    """Return the error of times on a coarse grid, as a share of the axis; else 0.

    Regular times, and whole units, are no rounding.
    """
    step = common_step(np.unique(t), float(t[-1]))
    usual = float(t[-1]) / max(t.size - 1, 1)
    if step == 0.0 or usual < GRID * step or abs(step - np.rint(step)) < ALONE:
        return 0.0
    return step / math.sqrt(12.0) / float(t[-1])


def rounding(y: FloatArray, n: int) -> float:
    """Return the reading error of rounded values: their step over the root of 12.

    The step is the greatest common divisor of the differences of the levels. Without censoring S
    is a multiple of 1/n, which is no rounding.

    Examples
    --------
    >>> round(rounding(np.array([1.0, 0.97, 0.93, 0.92, 0.85]), 300), 4)
    0.0029
    """
    step = common_step(np.unique(y), 1.0)
    return 0.0 if abs(step * n - 1.0) < ALONE else step / math.sqrt(12.0)


def common_step(values: FloatArray, scale: float) -> float:
    """Return the greatest common divisor of the differences, 0 for none (Euclid).

    Examples
    --------
    >>> round(common_step(np.array([0.0, 0.02, 0.05, 0.13]), 1.0), 6)
    0.01
    """
    if values.size < LEAST_LEVELS:
        return 0.0
    apart = (values[1:] - values[:-1]) / scale
    step = float(apart[0])
    for x in apart[1:].tolist():
        while x > SAME:
            step, x = x, step % x
            x = 0.0 if step - x < SAME else x
        if step < LATTICE:
            return 0.0
    return step * scale


def decimals(y: FloatArray) -> float:
    """Return the reading error of values with fewer than six decimals, else 0."""
    for places in range(2, DECIMALS):
        scaled = y * 10.0**places
        if (np.abs(scaled - np.rint(scaled)) < SAME).all():
            return float(10.0**-places / math.sqrt(12.0))
    return 0.0
