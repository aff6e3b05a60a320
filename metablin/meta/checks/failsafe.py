"""Fail-safe N: how many studies without an effect would undo a result."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from metablin._input import choice, one
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_phrase
from metablin.records import Row

__all__ = ["FAIL_SAFE_METHODS", "FailSafe", "fail_safe_n"]

FAIL_SAFE_METHODS = ("rosenthal", "orwin", "rosenberg")

CAVEAT = (
    "Fail-safe N assumes that the studies left out show no effect on average; it ignores "
    "heterogeneity, and no value of it rules publication bias out."
)

WHOLE = 1e-9
"""A number of studies this near to a whole number is that number but for rounding."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FailSafe(Row):
    """A fail-safe N.

    Attributes
    ----------
    method : str
        ``rosenthal``, ``orwin`` or ``rosenberg``.
    k : int
        Studies observed.
    n : int
        Studies of no effect that would bring the result to ``target``.
    average, p_value : float
        What is undone: the mean effect on the analysis scale (Orwin, Rosenberg; NaN for
        Rosenthal) and its p-value (NaN for Orwin).
    target : float
        Level of the test, or for Orwin the effect that would no longer matter.
    """

    method: str
    k: int
    n: int
    average: float
    p_value: float
    target: float

    def summary(self) -> str:
        """Return the result as text for people, with its caveat."""
        now = p_phrase(self.p_value) if math.isnan(self.average) else f"mean {self.average:.4g}"
        what = "an effect of" if self.method == "orwin" else "p ="
        return (
            f"Fail-safe N ({self.method}): {self.n} studies of no effect would bring "
            f"{self.k} studies ({now}) to {what} {self.target:.3g}\n{CAVEAT}"
        )


def fail_safe_n(
    e: EffectSizes | MetaFit,
    method: str = "rosenthal",
    alpha: float = 0.05,
    target: float | None = None,
) -> FailSafe:
    """Return how many studies without an effect would undo the result.

    Given because it is asked for; it says little. It takes the missing studies to be null on
    average, while bias would make them point the other way, and it ignores heterogeneity (Becker
    2005). Prefer :func:`metablin.selection_model` or :func:`metablin.trim_and_fill`.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        Two studies or more.
    method : {"rosenthal", "orwin", "rosenberg"}
        Until Stouffer's sum of z is no longer significant at one-sided `alpha`; until the plain
        mean is `target`; until the mean with inverse-variance weights is no longer significant at
        two-sided `alpha`.
    alpha : float
    target : float, optional
        For Orwin, on the analysis scale; half of the mean when not given.

    Returns
    -------
    FailSafe

    Raises
    ------
    DataError
        For one study, or a target that is zero or for another method.

    References
    ----------
    Rosenthal R (1979). The file drawer problem and tolerance for null results.
    doi:10.1037/0033-2909.86.3.638
    Orwin RG (1983). A fail-safe N for effect size in meta-analysis.
    doi:10.3102/10769986008002157
    Rosenberg MS (2005). The file-drawer problem revisited: a general method for calculating
    fail-safe numbers in meta-analysis.
    doi:10.1111/j.0014-3820.2005.tb01004.x
    Becker BJ (2005). Failsafe N or file-drawer number. doi:10.1002/0470870168.ch7

    Examples
    --------
    >>> import metablin as mb
    >>> r = fail_safe_n(mb.generic([0.4, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))
    >>> r.n
    34
    """
    method = choice("method", method, FAIL_SAFE_METHODS)
    e = effects_of(e)
    alpha = one("alpha", alpha, above=0.0, maximum=0.5)
    if e.k < 2:
        raise DataError("fail-safe N needs two studies", value=f"k = {e.k}")
    if method == "orwin":
        return _orwin(e, target)
    if target is not None:
        raise DataError("only for method 'orwin'", column="target", value=target)
    if method == "rosenthal":
        return _rosenthal(e, alpha)
    return _rosenberg(e, alpha)


def _up(n: float) -> int:
    return max(math.ceil(n - WHOLE * max(abs(n), 1.0)), 0)


def _rosenthal(e: EffectSizes, alpha: float) -> FailSafe:
    total = abs(float((e.yi / np.sqrt(e.vi)).sum()))
    n = (total / float(special.ndtri(1 - alpha))) ** 2 - e.k
    p = float(special.ndtr(-total / math.sqrt(e.k)))
    return FailSafe("rosenthal", e.k, _up(n), math.nan, p, alpha)


def _orwin(e: EffectSizes, target: float | None) -> FailSafe:
    mean = float(e.yi.mean())
    aim = mean / 2 if target is None else one("target", target)
    if aim == 0:
        raise DataError("no number of studies brings the mean to zero", column="target",
                        value=aim, allowed="an effect other than 0")  # fmt: skip
    aim = math.copysign(aim, mean)
    return FailSafe("orwin", e.k, _up(e.k * (mean - aim) / aim), mean, math.nan, aim)


def _rosenberg(e: EffectSizes, alpha: float) -> FailSafe:
    w = 1 / e.vi
    top, total = float(w @ e.yi), float(w.sum())
    missing = (top / float(special.ndtri(1 - alpha / 2))) ** 2 - total
    p = 2 * float(special.ndtr(-abs(top) / math.sqrt(total)))
    return FailSafe("rosenberg", e.k, _up(missing * e.k / total), top / total, p, alpha)
