"""Many terms at once: shrunken ratios of observed to expected, and false-discovery control."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from metablin._input import labels, numeric, same_length
from metablin._input import level as check_level
from metablin.errors import ConvergenceWarning, DataError, warn
from metablin.records import Record, json_dict

__all__ = ["GammaShrinkage", "benjamini_hochberg", "expected_counts", "gamma_shrinkage"]

FloatArray = NDArray[np.float64]

STARTS = ((0.2, 0.1, 2.0, 4.0, 1 / 3), (1.0, 1.0, 5.0, 5.0, 0.5), (0.5, 0.5, 50.0, 50.0, 0.2))
"""alpha1, beta1, alpha2, beta2, weight; the first is DuMouchel's."""

FLAT = 1e-5
"""Largest slope of the log likelihood per term that still counts as its maximum."""

REACH = 8.0
"""Box for the logs of the parameters: beyond exp(8) a gamma is a point for any table seen here."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GammaShrinkage(Record):
    """Empirical-Bayes ratios of observed to expected counts.

    Attributes
    ----------
    terms : tuple of str
    observed, expected : ndarray, shape (m,)
    ratio : ndarray, shape (m,)
        Observed over expected.
    ebgm, low, high : ndarray, shape (m,)
        Geometric mean of the posterior of the ratio, and its quantiles (5% and 95% by default).
    weight : ndarray, shape (m,)
        Posterior probability of the first gamma component.
    alpha1, beta1, alpha2, beta2, mixing : float
        Estimated prior.
    loglik : float
    level : float
        Mass between `low` and `high`.
    """

    terms: tuple[str, ...]
    observed: FloatArray
    expected: FloatArray
    ratio: FloatArray
    ebgm: FloatArray
    low: FloatArray
    high: FloatArray
    weight: FloatArray
    alpha1: float
    beta1: float
    alpha2: float
    beta2: float
    mixing: float
    loglik: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a term, highest lower limit first."""
        names = ("observed", "expected", "ratio", "ebgm", "low", "high", "weight")
        frame = pd.DataFrame({"term": list(self.terms), **{n: getattr(self, n) for n in names}})
        return frame.sort_values("low", ascending=False, kind="stable").reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return prior and terms as JSON-ready Python types."""
        prior = {n: getattr(self, n) for n in ("alpha1", "beta1", "alpha2", "beta2", "mixing")}
        return json_dict({"prior": prior, "loglik": self.loglik, "terms": self.to_frame()})


def gamma_shrinkage(
    observed: ArrayLike,
    expected: ArrayLike,
    terms: Iterable[Any] | None = None,
    level: float = 0.90,
) -> GammaShrinkage:
    """Shrink ratios of observed to expected counts by a mixture of two gamma priors.

    ``N_i ~ Poisson(lambda_i E_i)``, ``lambda_i ~ P Gamma(a1, b1) + (1 - P) Gamma(a2, b2)``, the
    five parameters by maximum likelihood; the posterior of every lambda is again a mixture of two
    gammas.

    Parameters
    ----------
    observed : array-like of whole numbers, shape (m,)
        Counts.
    expected : array-like, shape (m,)
        Expected counts, positive; see :func:`expected_counts`.
    terms : iterable of str, optional
        Labels.
    level : float
        Mass between the posterior quantiles; 0.90 gives EB05 and EB95.

    Returns
    -------
    GammaShrinkage

    Raises
    ------
    DataError
        For bad counts or fewer than five terms.

    Warns
    -----
    ConvergenceWarning
        When no start of the optimiser converged.

    References
    ----------
    DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application to the
    FDA spontaneous reporting system. Am Stat 53:177-190, eqs 4 to 10.
    doi:10.1080/00031305.1999.10474456

    Examples
    --------
    >>> found = gamma_shrinkage([1, 5, 40, 9, 2, 11], [2.0, 5.5, 10.0, 9.0, 2.5, 10.0])
    >>> found.to_frame()["term"][0], bool(found.ebgm[2] < 4.0)
    ('study 3', True)
    """
    known = None if terms is None else [str(t) for t in terms]
    n = numeric("observed", observed, minimum=0, integer=True, studies=known)
    e = numeric("expected", expected, above=0, studies=known)
    m = same_length(observed=n, expected=e)
    if m < len(STARTS[0]):
        raise DataError("too few terms to estimate a prior of five parameters", value=m,
                        allowed="at least 5 terms")  # fmt: skip
    if not n.any():
        raise DataError("no term has an event", column="observed", allowed="at least one event")
    check_level(level)
    theta, value = _maximise(n, e)
    a1, b1, a2, b2, p = theta
    logs = np.stack([np.log(p) + _log_nb(n, e, a1, b1), np.log1p(-p) + _log_nb(n, e, a2, b2)])
    q = np.exp(logs[0] - special.logsumexp(logs, axis=0))
    mean = q * (special.digamma(a1 + n) - np.log(b1 + e)) + (1 - q) * (
        special.digamma(a2 + n) - np.log(b2 + e)
    )
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = (_quantiles(t, q, a1 + n, b1 + e, a2 + n, b2 + e) for t in tails)
    return GammaShrinkage(
        labels(known, m), n, e, n / e, np.exp(mean), low, high, q, a1, b1, a2, b2, p, value,
        float(level),
    )  # fmt: skip


def _log_nb(n: FloatArray, e: FloatArray, a: float, b: float) -> FloatArray:
    """Return the log probability of counts under one gamma component (negative binomial)."""
    return np.asarray(
        special.gammaln(a + n) - special.gammaln(a) - special.gammaln(n + 1)
        + n * (np.log(e) - np.log(b + e)) + a * (np.log(b) - np.log(b + e))
    )  # fmt: skip


def _negative(u: FloatArray, n: FloatArray, e: FloatArray) -> tuple[float, FloatArray]:
    """Return minus the log likelihood and its gradient in the logs (logit for the weight)."""
    a1, b1, a2, b2 = np.exp(u[:4])
    weight = special.expit(u[4])
    parts = np.stack(
        [
            -np.logaddexp(0, -u[4]) + _log_nb(n, e, a1, b1),
            -np.logaddexp(0, u[4]) + _log_nb(n, e, a2, b2),
        ]
    )
    whole = special.logsumexp(parts, axis=0)
    q = np.exp(parts - whole)
    slopes = []
    for share, a, b in ((q[0], a1, b1), (q[1], a2, b2)):
        by_a = special.digamma(a + n) - special.digamma(a) + np.log(b / (b + e))
        slopes += [(share * by_a).sum() * a, (share * (a / b - (a + n) / (b + e))).sum() * b]
    return -float(whole.sum()), -np.array([*slopes, (q[0] - weight).sum()])


def _maximise(n: FloatArray, e: FloatArray) -> tuple[tuple[float, ...], float]:
    best: Any = None
    box = [(-REACH, REACH)] * 5
    for start in STARTS:
        u0 = np.append(np.log(start[:4]), special.logit(start[4]))
        found = optimize.minimize(
            _negative, u0, args=(n, e), jac=True, method="L-BFGS-B", bounds=box,
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000},
        )  # fmt: skip
        if best is None or found.fun < best.fun - 1e-9:
            best = found
    inside = np.abs(best.x) < REACH
    if np.abs(best.jac[inside]).max(initial=0.0) > FLAT * len(n):
        warn(f"the gamma mixture prior stopped early: {best.message}", ConvergenceWarning)
    theta = (*(float(v) for v in np.exp(best.x[:4])), float(special.expit(best.x[4])))
    return theta, -float(best.fun)


def _quantiles(
    tail: float, q: FloatArray, a1: FloatArray, b1: FloatArray, a2: FloatArray, b2: FloatArray
) -> FloatArray:
    """Return a quantile of every two-gamma mixture; it lies between the components' own."""
    ends = np.stack(
        [stats.gamma.ppf(tail, a1, scale=1 / b1), stats.gamma.ppf(tail, a2, scale=1 / b2)]
    )
    out = np.empty(len(q))
    for i in range(len(q)):
        low, high = float(ends[:, i].min()), float(ends[:, i].max())

        def short(x: float, i: int = i) -> float:
            mass = q[i] * special.gammainc(a1[i], b1[i] * x)
            return float(mass + (1 - q[i]) * special.gammainc(a2[i], b2[i] * x) - tail)

        out[i] = low if high - low < 1e-12 * high else optimize.brentq(
            short, low * (1 - 1e-9), high * (1 + 1e-9), xtol=1e-12
        )  # fmt: skip
    return out


def expected_counts(counts: ArrayLike) -> FloatArray:
    """Return counts expected in every cell of a table if rows and columns were independent.

    Parameters
    ----------
    counts : array-like, shape (terms, groups)
        Patients with each event in each group.

    Returns
    -------
    ndarray, shape (terms, groups)

    Raises
    ------
    DataError
        When the table is not two-dimensional, negative or empty.

    Examples
    --------
    >>> expected_counts([[10, 20], [30, 40]]).tolist()
    [[12.0, 18.0], [28.0, 42.0]]
    """
    try:
        table = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "not a table of counts",
            column="counts",
            value="rows of unequal length or entries that are no numbers",
            allowed="two dimensions of numbers",
        ) from None
    if table.ndim != 2 or not (table >= 0).all() or table.sum() == 0:
        raise DataError("not a table of counts", column="counts", value=f"shape {table.shape}",
                        allowed="two dimensions, no negative entry, some events")  # fmt: skip
    out: FloatArray = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return out


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """Return p-values adjusted to control the false-discovery rate.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        Between 0 and 1; NaN entries stay NaN and do not count.

    Returns
    -------
    ndarray, shape (m,)
        A term is a discovery at rate q when its adjusted value is at most q.

    Raises
    ------
    DataError
        For values outside 0..1.

    References
    ----------
    Benjamini Y, Hochberg Y (1995). J R Stat Soc B 57:289-300.
    doi:10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = numeric("p_value", p_values, minimum=0, maximum=1, missing=True)
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    m = len(order)
    if m:
        scaled = p[order] * m / np.arange(1, m + 1)
        out[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return out
