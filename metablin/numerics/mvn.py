"""Probability that a normal vector leaves a cube: deterministic, and exact far into the tail."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["outside_cube"]

FloatArray = NDArray[np.float64]

AROUND, UP = 360, 120
"""Directions: around a circle, and between equator and pole of a sphere."""

SOBOL = 14
"""log2 of the number of directions in four and more dimensions."""

RANK = 1e-10
"""Eigenvalues below this share of the largest are rounding."""


def outside_cube(c: float, correlation: FloatArray) -> float:
    r"""Return P(max \|Z_j\| > c) for Z normal with mean 0 and the given correlation.

    Z is L u with u standard normal of the matrix's rank (the four usual weights of a max-combo
    test have rank 3). Along a direction v, the cube ends at the radius c / max \|L v\|, beyond
    which lies a chi-squared tail; the tails are averaged over directions.

    Parameters
    ----------
    c : float
    correlation : ndarray, shape (r, r)

    Returns
    -------
    float
        Kept between the single p-value and Bonferroni's bound.

    References
    ----------
    Deák I (1980). Three digit accurate multiple normal probabilities. Numer Math 35:369-380.
    doi:10.1007/BF01399006

    Examples
    --------
    >>> round(outside_cube(1.959964, np.eye(1)), 6)
    0.05
    """
    single = 2.0 * float(special.ndtr(-c))
    values, vectors = np.linalg.eigh(correlation)
    used = values > RANK * values.max()
    load = vectors[:, used] * np.sqrt(values[used])
    rank = load.shape[1]
    if rank == 1:
        return single
    reach = np.abs(_directions(rank) @ load.T).max(axis=1)
    found = float(np.mean(special.chdtrc(rank, (c / reach) ** 2)))
    return min(max(found, single), 1.0, len(correlation) * single)


@lru_cache(maxsize=8)
def _directions(rank: int) -> FloatArray:
    """Return evenly spread unit vectors, shape (nodes, rank); opposite ones count once."""
    if rank == 2:
        angle = (np.arange(8 * AROUND) + 0.5) * np.pi / (8 * AROUND)
        return np.column_stack([np.cos(angle), np.sin(angle)])
    if rank == 3:
        height = (np.arange(UP) + 0.5) / UP
        angle = (np.arange(AROUND) + 0.5) * 2.0 * np.pi / AROUND
        h, a = (x.ravel() for x in np.meshgrid(height, angle))
        flat = np.sqrt(1.0 - h * h)
        return np.column_stack([flat * np.cos(a), flat * np.sin(a), h])
    from scipy.stats import qmc

    points = qmc.Sobol(rank, scramble=True, rng=np.random.default_rng(1)).random_base2(SOBOL)
    normal = special.ndtri(points)
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))
