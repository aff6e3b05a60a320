"""From the name of a family to the family."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.errors import DataError
from metablin.survival.parametric.cure import with_cure
from metablin.survival.parametric.families import SIMPLE, Family
from metablin.survival.parametric.likelihood import curve_points
from metablin.survival.parametric.spline import (
    basis,
    piecewise_exponential,
    royston_parmar,
    spline_knots,
)
from metablin.survival.patients import Patients

__all__ = ["ALLOWED", "DEFAULT", "check_name", "family_of"]

FloatArray = NDArray[np.float64]

ALLOWED = (
    f"{' | '.join(SIMPLE)} | piecewise-exponential | rp-hazard-K | rp-odds-K | rp-normal-K "
    "(K = 1 to 4 knots); each also with -mixture-cure or -non-mixture-cure"
)

DEFAULT = (
    *SIMPLE,
    "rp-hazard-1",
    "rp-hazard-2",
    "rp-odds-1",
    "rp-normal-1",
    "piecewise-exponential",
    "weibull-mixture-cure",
    "lognormal-mixture-cure",
    "weibull-non-mixture-cure",
)

_SPLINE = re.compile(r"rp-(hazard|odds|normal)-[0-4]")
# The longer ending first: one ends with the other.
_CURES = {"-non-mixture-cure": "non-mixture", "-mixture-cure": "mixture"}
PIECES = 4


def family_of(name: str, p: Patients, cuts: FloatArray | None = None) -> Family:
    """Return the family a name stands for, with knots and cut points from the patients.

    Raises
    ------
    DataError
        Listing the allowed names.
    """
    check_name(name)
    for ending, kind in _CURES.items():
        if name.endswith(ending):
            return with_cure(family_of(name.removesuffix(ending), p, cuts), kind)
    if name in SIMPLE:
        return SIMPLE[name]
    if name == "piecewise-exponential":
        return piecewise_exponential(_cuts(p, cuts))
    _, scale, knots = name.split("-")
    return _spline(scale, int(knots), p)


def check_name(name: object) -> str:
    """Return the name of a family after checking that there is one of that name.

    Raises
    ------
    DataError
        Listing the allowed names.
    """
    if isinstance(name, str):
        plain = name
        for ending in _CURES:
            plain = plain.removesuffix(ending)
        if plain in SIMPLE or plain == "piecewise-exponential" or _SPLINE.fullmatch(plain):
            return name
    raise DataError("unknown family", column="family", value=repr(name), allowed=ALLOWED)


def _cuts(p: Patients, cuts: FloatArray | None) -> FloatArray:
    deaths = p.time[p.event == 1.0]
    if cuts is None:
        inner = np.quantile(deaths, np.linspace(0.0, 1.0, PIECES + 1)[1:-1])
        return np.asarray(np.unique(inner[inner < deaths.max()]))
    edges = np.r_[0.0, np.sort(cuts), np.inf]
    for low, high in pairwise(edges):
        if not np.any((deaths > low) & (deaths <= high)):
            raise DataError(
                f"no event between {low:g} and {high:g}",
                column="cuts",
                allowed="cut points with at least one event in every interval",
            )
    return np.asarray(edges[1:-1])


def _spline(scale: str, interior: int, p: Patients) -> Family:
    time, survival, weight = curve_points(p)
    if time.size < interior + 2:
        raise DataError(
            f"{time.size} distinct event times",
            column="family",
            value=f"rp-{scale}-{interior}",
            allowed=f"at least {interior + 2} for {interior} interior knots",
        )
    knots = spline_knots(p.time[p.event == 1.0], interior)
    if np.any(np.diff(knots) <= 0):
        raise DataError(
            "knots coincide",
            column="family",
            value=f"rp-{scale}-{interior}",
            allowed="fewer knots: too many tied event times",
        )
    y = _transformed(scale, np.clip(survival, 1e-6, 1.0 - 1e-6))
    values, slopes = basis(np.log(time), knots)
    root = np.sqrt(weight)
    theta = np.linalg.lstsq((values * root).T, y * root, rcond=None)[0]
    if np.any(theta @ slopes <= 0):
        line = np.linalg.lstsq((values[:2] * root).T, y * root, rcond=None)[0]
        theta = np.r_[line, np.zeros(interior)]
    return royston_parmar(scale, knots, theta.astype(np.float64), np.log(time))


def _transformed(scale: str, s: FloatArray) -> FloatArray:
    if scale == "hazard":
        return np.asarray(np.log(-np.log(s)))
    return np.asarray(-special.logit(s) if scale == "odds" else -special.ndtri(s))
