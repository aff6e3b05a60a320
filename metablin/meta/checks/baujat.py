"""Baujat's plot: who makes the heterogeneity, and who moves the pooled effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.meta.checks.deletion import without_each
from metablin.meta.checks.refit import design_of, effects_only, needs_spread, refit
from metablin.meta.core.fit import MetaFit
from metablin.records import Record, json_dict

__all__ = ["Baujat", "baujat"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Baujat(Record):
    """Contribution of each study to heterogeneity and its influence. Arrays have shape (k,).

    Attributes
    ----------
    studies : tuple of str
        Labels.
    heterogeneity : ndarray
        Squared Pearson residual (y - mu)^2 / (v + tau2); for the common-effect model its sum is
        Cochran's Q.
    influence : ndarray
        Squared shift of the study's fitted effect on deletion, over its variance without it.
    """

    studies: tuple[str, ...]
    heterogeneity: FloatArray
    influence: FloatArray

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study: study, heterogeneity, influence."""
        return pd.DataFrame(
            {
                "study": list(self.studies),
                "heterogeneity": self.heterogeneity,
                "influence": self.influence,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as JSON-ready Python types."""
        return json_dict({"studies": self.to_frame()})


def baujat(fit: MetaFit) -> Baujat:
    """Return the coordinates of Baujat's plot.

    Parameters
    ----------
    fit : MetaFit
        A common-effect fit (the original form) or a random-effects fit of at least three studies,
        with or without moderators.

    Returns
    -------
    Baujat

    Raises
    ------
    DataError
        For another model, fewer than three studies, or a Hartung-Knapp fit in which all effects,
        or all but one, are equal.

    References
    ----------
    Baujat B, Mahe C, Pignon J-P, Hill C (2002). A graphical method for exploring heterogeneity
    in meta-analyses, section 2. doi:10.1002/sim.1221

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.3, 0.9], [0.02, 0.05, 0.04]), model="common")
    >>> b = baujat(fit)
    >>> round(float(b.heterogeneity.sum() - fit.q), 12)
    0.0
    """
    spec = effects_only(fit, "the Baujat plot")
    y, v, studies = fit.effects.yi, fit.effects.vi, fit.effects.studies
    design = design_of(fit)
    full = refit(y, v, np.ones((1, fit.k), dtype=bool), spec, design, studies)
    gone = without_each(y, v, spec, design, studies)
    needs_spread(full, gone, studies)
    x = np.ones((fit.k, 1)) if design is None else design
    resid = y - x @ full.beta[0]
    shift = np.einsum("ki,ki->k", x, full.beta[0] - gone.beta)
    variance = np.einsum("ki,kij,kj->k", x, gone.cov, x)
    return Baujat(studies, resid**2 / (v + full.tau2[0]), shift**2 / variance)
