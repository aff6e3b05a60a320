"""What the random effects of a fit came out as."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.meta.structures.correlation import CORRELATED, SEVERAL
from metablin.meta.structures.formula import Named
from metablin.meta.structures.likelihood import Term
from metablin.records import freeze

__all__ = ["Component", "component"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """Variances and correlations of one term of the random effects.

    Attributes
    ----------
    name : str
        The term.
    levels : tuple of str
        Inner levels, q of them; one empty name for a plain effect.
    groups : int
    variance : ndarray, shape (q,)
    correlation : ndarray, shape (q, q)
    term : Term
        Group and level of every estimate, and the structure.
    """

    name: str
    levels: tuple[str, ...]
    groups: int
    variance: FloatArray
    correlation: FloatArray
    term: Term

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def structure(self) -> str:
        """Name of the structure; empty for a plain effect of the group."""
        return self.term.structure.kind if self.levels != ("",) else ""

    @property
    def one_variance(self) -> bool:
        """Whether all levels share one variance."""
        return self.structure not in (*SEVERAL, "UN")

    @property
    def rho(self) -> float:
        """The correlation of neighbouring levels, where one number gives all of them, else NaN."""
        if self.structure == "CAR" or self.structure not in CORRELATED:
            return math.nan
        return float(self.correlation[0, 1])

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the effects of a group, (q, q)."""
        d = np.sqrt(self.variance)
        c = np.where(np.outer(d, d) == 0, 0.0, np.nan_to_num(self.correlation))
        return np.asarray(d[:, None] * c * d)


def component(n: Named, theta: FloatArray) -> Component:
    """Return what a term came out as, from its parameters."""
    structure = n.term.structure
    g = structure.matrix(theta)[0]
    variance, correlation = structure.split(g)
    if structure.kind in CORRELATED:
        # of levels without variance too, where dividing would give none
        correlation = structure.matrix(np.r_[np.ones(len(theta) - 1), theta[-1]])[0]
    return Component(n.name, n.levels or ("",), n.groups, variance, correlation, n.term)
