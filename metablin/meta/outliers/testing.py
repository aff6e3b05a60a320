"""Whether there are outliers: a likelihood-ratio test whose distribution is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import seed as check_seed
from metablin._input import whole
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.text import p_phrase
from metablin.meta.outliers.climb import highest
from metablin.meta.outliers.families import Family, Mixture, Student
from metablin.records import Record, json_dict

__all__ = ["OutlierTest", "outlier_test"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e-8
"""Statistics that differ by less are equal: most drawn ones are zero but for it."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OutlierTest(Record):
    """Likelihood-ratio test of normal random effects against those that allow for outliers.

    Attributes
    ----------
    model : str
        ``student-t`` or ``mixture``.
    statistic : float
        Twice the difference of the log-likelihoods.
    p_value : float
        (1 + number of drawn statistics as large) / (1 + draws).
    draws, seed : int
    drawn : ndarray, shape (draws,)
        Statistics of data drawn from the normal fit.
    """

    model: str
    statistic: float
    p_value: float
    draws: int
    seed: int
    drawn: FloatArray

    def to_frame(self) -> pd.DataFrame:
        """Return one row: ``model, statistic, p_value, draws``."""
        names = ("model", "statistic", "p_value", "draws")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types, without the drawn statistics."""
        return json_dict(self.to_frame().iloc[0].to_dict() | {"seed": self.seed})

    def summary(self) -> str:
        """Return the test as text for people."""
        return (
            f"Likelihood-ratio test of normal random effects against model {self.model!r}: "
            f"{self.statistic:.3f}, {p_phrase(self.p_value)} (parametric bootstrap, "
            f"{self.draws} draws)"
        )


def outlier_test(fit: MetaFit, draws: int = 999, seed: int = 1) -> OutlierTest:
    """Test whether random effects need heavier tails than normal ones, that is, for outliers.

    Normal effects lie at the edge of both models, and a mixture there has parameters without
    meaning, so that the likelihood ratio has no chi-square distribution. Its distribution is drawn:
    data from the normal fit, both models fitted to each.

    Parameters
    ----------
    fit : MetaFit
        Of model ``student-t`` (with estimated degrees of freedom) or ``mixture``, with or without
        moderators.
    draws : int
        Data sets drawn. A fit takes about 10 ms.
    seed : int

    Returns
    -------
    OutlierTest

    Raises
    ------
    DataError
        For another model, or degrees of freedom that were given.

    References
    ----------
    McLachlan GJ (1987). On bootstrapping the likelihood ratio test statistic for the number of
    components in a normal mixture. Appl Stat 36:318-324. doi:10.2307/2347790
    Beath KJ (2014). doi:10.1002/jrsm.1114

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.2, 0.15, 0.3, 2.2], [0.03, 0.04, 0.02, 0.05, 0.1])
    >>> test = mb.outlier_test(mb.pool(e, model="mixture"), draws=19)
    >>> round(test.statistic, 3), test.p_value
    (8.436, 0.05)
    """
    needs_fit(fit)
    family = _family(fit)
    draws, seed = whole("draws", draws, minimum=1), check_seed(seed)
    e = fit.effects
    x = np.ones((e.k, 1)) if fit.regression is None else fit.regression.design.matrix
    peak = highest(family, e.yi, e.vi, x)
    statistic = max(2 * (peak.value - peak.normal_value), 0.0)
    rng = np.random.default_rng(seed)
    spread = np.sqrt(e.vi + peak.normal_tau2)
    drawn = np.empty(draws)
    for i in range(draws):
        y = x @ peak.normal_beta + spread * rng.standard_normal(e.k)
        found = highest(family, y, e.vi, x)
        drawn[i] = max(2 * (found.value - found.normal_value), 0.0)
    as_large = int((drawn >= statistic - ROUNDING).sum())
    return OutlierTest(fit.model, statistic, (1 + as_large) / (1 + draws), draws, seed, drawn)


def _family(fit: MetaFit) -> Family:
    if fit.model == "mixture":
        return Mixture()
    if fit.model == "student-t" and "lr_normal" in fit.extra:
        return Student()
    raise DataError(
        "a test for outliers needs a fit that allows for them", column="model", value=fit.model,
        allowed="student-t with estimated degrees of freedom | mixture",
    )  # fmt: skip
