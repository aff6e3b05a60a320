"""Best linear unbiased predictions: each study's own true effect, drawn towards the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.options import CI_METHODS
from metablin.meta.normal.nested import design_matrix_of
from metablin.numerics.gls import gls
from metablin.numerics.inference import critical, hksj_factor
from metablin.records import Record, json_dict

__all__ = ["StudyPredictions", "blup"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StudyPredictions(Record):
    """Predictions of the studies' true effects on the analysis scale.

    Attributes
    ----------
    effects : EffectSizes
    estimate, std_error, low, high : ndarray, shape (k,)
        The standard error allows for the coefficients, not for the estimation of tau2.
    shrinkage : ndarray, shape (k,)
        Weight of the rest: 0 keeps a study's own estimate, 1 replaces it.
    level : float
    """

    effects: EffectSizes
    estimate: FloatArray
    std_error: FloatArray
    low: FloatArray
    high: FloatArray
    shrinkage: FloatArray
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a study; ``observed`` is its own estimate."""
        names = ("estimate", "std_error", "low", "high", "shrinkage")
        return pd.DataFrame(
            {
                "study": list(self.effects.studies),
                "observed": self.effects.yi,
                **{name: getattr(self, name) for name in names},
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the predictions as JSON-ready Python types."""
        return json_dict({"level": self.level, "studies": self.to_frame()})


def blup(fit: MetaFit) -> StudyPredictions:
    """Predict each study's true effect (best linear unbiased, or empirical Bayes, prediction).

    It is lambda mu + (1 - lambda) y with lambda = v / (v + tau2) and mu the fitted value of the
    study; all on the analysis scale.

    Parameters
    ----------
    fit : MetaFit
        Model ``random``, with or without moderators, of two studies or more.

    Returns
    -------
    StudyPredictions

    Raises
    ------
    DataError
        For another model or one study.

    References
    ----------
    Raudenbush SW, Bryk AS (1985). Empirical Bayes meta-analysis. doi:10.3102/10769986010002075
    Kackar RN, Harville DA (1981), unbiasedness. doi:10.1080/03610928108828108

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    >>> blup(mb.pool(e)).estimate.round(3).tolist()
    [0.195, 0.478, 0.793, 0.266]
    """
    x = design_matrix_of(fit, "a prediction of study effects")
    if fit.model != "random" or fit.k < 2:
        raise DataError("study effects differ in random-effects models of two studies or more",
                        column="model", value=f"{fit.model}, k = {fit.k}")  # fmt: skip
    choice("ci", fit.ci_method, CI_METHODS)
    y, v = fit.effects.yi, fit.effects.vi
    solved = gls(y, 1 / (v + fit.tau2), x)
    cov, df = solved.cov, float(fit.k - x.shape[1])
    if fit.ci_method.startswith("hksj"):
        cov = cov * hksj_factor(solved.rss, df, fit.ci_method == "hksj-adhoc")
    shrinkage = v / (v + fit.tau2)
    estimate = y - shrinkage * solved.resid
    around = np.einsum("ij,jk,ik->i", x, cov, x)
    se = np.sqrt((1 - shrinkage) * v + shrinkage**2 * around)
    half = critical(fit.level, np.inf if fit.ci_method == "z" else df) * se
    return StudyPredictions(
        fit.effects, estimate, se, estimate - half, estimate + half, shrinkage, fit.level
    )
