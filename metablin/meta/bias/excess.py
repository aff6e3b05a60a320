"""Test of excess significance: more significant studies than their power lets expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import choice, one
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.text import p_phrase
from metablin.records import Record, json_dict

__all__ = ["ExcessSignificance", "excess_significance"]

FloatArray = NDArray[np.float64]

ALTERNATIVES = ("two-sided", "greater", "less")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExcessSignificance(Record):
    """A test of excess significance.

    Attributes
    ----------
    effects : EffectSizes
    power : ndarray, shape (k,)
        Probability that each study is significant.
    observed : int
    expected : float
        Significant studies.
    chi2, chi2_p : float
        Chi-square test of observed against expected (1 degree of freedom).
    p_value : float
        One-sided exact test: probability of as many significant studies or more, given each
        study's own power.
    theta, tau2 : float
        The effect and between-study variance that the power rests on.
    alpha : float
    alternative : str
    """

    effects: EffectSizes
    power: FloatArray
    observed: int
    expected: float
    chi2: float
    chi2_p: float
    p_value: float
    theta: float
    tau2: float
    alpha: float
    alternative: str

    def to_frame(self) -> pd.DataFrame:
        """Return one row a study: its power."""
        return pd.DataFrame({"study": list(self.effects.studies), "power": self.power})

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types."""
        names = [n for n in self.__slots__ if n not in ("effects", "power")]
        return json_dict({**{n: getattr(self, n) for n in names}, "studies": self.to_frame()})

    def summary(self) -> str:
        """Return the test as text for people."""
        return (
            f"Excess significance: {self.observed} of {len(self.power)} studies significant, "
            f"{self.expected:.2f} expected, exact {p_phrase(self.p_value)}; "
            f"chi2 = {self.chi2:.3f}, {p_phrase(self.chi2_p)}"
        )


def excess_significance(
    fit: MetaFit, alpha: float = 0.05, alternative: str = "two-sided"
) -> ExcessSignificance:
    """Test whether more studies are significant than the pooled effect lets expect.

    Parameters
    ----------
    fit : MetaFit
        Model ``common`` or ``random`` without moderators; its effect and tau2 are taken for the
        truth. Bias in them makes the test conservative.
    alpha : float
        Level at which a study counts as significant.
    alternative : {"two-sided", "greater", "less"}
        Direction of the studies' own tests.

    Returns
    -------
    ExcessSignificance

    Raises
    ------
    DataError
        For another model, or where the power of every study is 0 or 1.

    References
    ----------
    Ioannidis JPA, Trikalinos TA (2007). An exploratory test for an excess of significant findings.
    doi:10.1177/1740774507079441

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.4, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]), model="common")
    >>> t = mb.excess_significance(fit)
    >>> t.observed, round(t.expected, 2)
    (3, 2.19)
    """
    needs_fit(fit)
    if fit.model not in ("common", "random") or fit.regression is not None:
        raise DataError("the test needs a common-effect or random-effects model without moderators",
                        column="model", value=fit.model)  # fmt: skip
    alternative = choice("alternative", alternative, ALTERNATIVES)
    alpha = one("alpha", alpha, above=0.0, maximum=0.5)
    theta, tau2 = fit.analysis.estimate, 0.0 if fit.model == "common" else fit.tau2
    se = np.sqrt(fit.effects.vi)
    spread = np.sqrt(1 + tau2 / fit.effects.vi)  # of y / se
    tail = alpha / 2 if alternative == "two-sided" else alpha
    cut, z = -float(special.ndtri(tail)), fit.effects.yi / se
    above, below = z >= cut, z <= -cut
    p_above = special.ndtr((theta / se - cut) / spread)
    p_below = special.ndtr((-theta / se - cut) / spread)
    significant, power = {
        "two-sided": (above | below, p_above + p_below),
        "greater": (above, p_above),
        "less": (below, p_below),
    }[alternative]
    k, observed, expected = fit.k, int(significant.sum()), float(power.sum())
    if not 0 < expected < k:
        raise DataError(
            "every study is certain of its result: there is nothing to test",
            column="power", value=f"{expected / k:g}", allowed="between 0 and 1",
        )  # fmt: skip
    chi2 = (observed - expected) ** 2 * (1 / expected + 1 / (k - expected))
    return ExcessSignificance(
        fit.effects, power, observed, expected, chi2, float(special.chdtrc(1, chi2)),
        float(min(_counts(power)[observed:].sum(), 1.0)), theta, tau2, alpha, alternative,
    )  # fmt: skip


def _counts(p: FloatArray) -> FloatArray:
    """Return the distribution of the number of successes with probabilities `p`."""
    out = np.ones(1)
    for one_p in p:
        out = np.convolve(out, [1 - one_p, one_p])
    return out
