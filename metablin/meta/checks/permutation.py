"""Permutation tests of the pooled effect and of moderators."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import seed as check_seed
from metablin._input import whole
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.parts import NAN
from metablin.numerics.gls import gls
from metablin.numerics.inference import hksj_factor
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record

__all__ = ["PermutationTest", "permutation_test"]

FloatArray = NDArray[np.float64]

COMPARISON_TOLERANCE = 1e-9
"""Statistics this close to the observed one count as equal to it, so that rearrangements that give
the same data are not decided by rounding."""

CHUNK_VALUES = 2_000_000
"""Design values held at once; bounds memory to about ten arrays of this size."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PermutationTest(Record):
    """P-values from rearranging the data.

    Attributes
    ----------
    terms : tuple of str
    statistic, p_value : ndarray, shape (p,)
        Observed z or t statistics and their two-sided permutation p-values.
    qm, qm_p : float
        Test of all moderators; NaN without moderators.
    arrangements : int
        How many were compared, the observed one included.
    exact : bool
        Whether these are all there are.
    """

    terms: tuple[str, ...]
    statistic: FloatArray
    p_value: FloatArray
    qm: float
    qm_p: float
    arrangements: int
    exact: bool

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient, and one for all moderators."""
        rows = [*zip(self.terms, self.statistic, self.p_value, strict=True)]
        if not math.isnan(self.qm):
            rows.append(("moderators", self.qm, self.qm_p))
        return pd.DataFrame(rows, columns=["term", "statistic", "p_value"])


def permutation_test(fit: MetaFit, n: int = 5000, seed: int = 1) -> PermutationTest:
    """Test a pooled effect by turning signs, or moderators by moving them between studies.

    Parameters
    ----------
    fit : MetaFit
        A random-effects or common-effect fit; tau2 is estimated anew in every arrangement, by the
        estimator of the fit.
    n : int
        Largest number of arrangements. When there are no more than this all are compared (an exact
        test), else `n` random ones, the observed one among them.
    seed : int
        Of the random arrangements.

    Returns
    -------
    PermutationTest

    References
    ----------
    Follmann DA, Proschan MA (1999), signs. doi:10.1111/j.0006-341x.1999.00732.x
    Higgins JPT, Thompson SG (2004), moderators. doi:10.1002/sim.1752

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.2, 0.5, 0.3, 0.6], [0.02, 0.03, 0.01, 0.05]))
    >>> permutation_test(fit).p_value.tolist()
    [0.125]
    """
    needs_fit(fit)
    if fit.model not in ("random", "common") or fit.k < 2:
        raise DataError(
            "a permutation test needs two studies and an inverse-variance model",
            column="model",
            value=f"{fit.model}, k = {fit.k}",
            allowed="random | common",
        )
    n, seed = whole("n", n, minimum=2), check_seed(seed)
    total = math.factorial(fit.k) if fit.regression is not None else 2**fit.k
    exact = total <= n
    observed, qm = _observed(fit)
    if not np.isfinite(observed).all():
        raise DataError(
            "all effects are equal, so the Hartung-Knapp variance is zero",
            column="ci", allowed="a fit with ci='z' or ci='hksj-adhoc'",
        )  # fmt: skip
    above, above_qm, count = np.zeros(len(observed)), 0, 0
    for statistics, q in _arranged(fit, exact, min(n, total), seed):
        above += (np.abs(statistics) >= np.abs(observed) - COMPARISON_TOLERANCE).sum(0)
        above_qm += int((q >= qm - COMPARISON_TOLERANCE).sum())
        count += len(q)
    if fit.regression is None:
        return PermutationTest(("overall",), observed, above / count, NAN, NAN, count, exact)
    terms = fit.regression.design.terms
    return PermutationTest(terms, observed, above / count, qm, above_qm / count, count, exact)


def _observed(fit: MetaFit) -> tuple[FloatArray, float]:
    if fit.regression is None:
        return np.array([fit.statistic]), NAN
    return np.array(fit.regression.statistic), fit.regression.qm


def _arranged(
    fit: MetaFit, exact: bool, n: int, seed: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield chunks of statistics (m, p) and moderator tests (m,) of rearranged data."""
    y, v = fit.effects.yi, fit.effects.vi
    p = 1 if fit.regression is None else len(fit.regression.beta)
    size = max(1, CHUNK_VALUES // (fit.k * p))
    orders = _permutations if fit.regression is not None else _signs
    for chunk in _batches(orders(fit.k, exact, n, seed), size):
        if fit.regression is None:
            yield _statistics(fit, y * chunk, v, None)
        else:
            x = fit.regression.design.matrix[chunk.astype(np.intp)]
            yield _statistics(fit, np.broadcast_to(y, chunk.shape), v, x)


def _permutations(k: int, exact: bool, n: int, seed: int) -> Iterator[FloatArray]:
    if exact:
        yield from (np.array(order, float) for order in itertools.permutations(range(k)))
        return
    rng = np.random.default_rng(seed)
    yield np.arange(k, dtype=np.float64)
    yield from (rng.permutation(k).astype(np.float64) for _ in range(n - 1))


def _signs(k: int, exact: bool, n: int, seed: int) -> Iterator[FloatArray]:
    if exact:
        yield from (np.array(s) for s in itertools.product((1.0, -1.0), repeat=k))
        return
    rng = np.random.default_rng(seed)
    yield np.ones(k)
    yield from (rng.choice([-1.0, 1.0], size=k) for _ in range(n - 1))


def _batches(rows: Iterator[FloatArray], size: int) -> Iterator[FloatArray]:
    while chunk := list(itertools.islice(rows, size)):
        yield np.array(chunk)


def _statistics(
    fit: MetaFit, y: FloatArray, v: FloatArray, x: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    v = np.broadcast_to(v, y.shape)
    tau2 = np.full(len(y), 0.0 if fit.tau2_method is None else fit.tau2)
    if fit.tau2_method not in (None, "given"):
        tau2 = estimate_tau2(str(fit.tau2_method), y, v, x)
    wls = gls(y, 1 / (v + tau2[:, None]), x)
    cov, p = wls.cov, wls.beta.shape[-1]
    if fit.ci_method.startswith("hksj"):
        factor = hksj_factor(wls.rss, float(fit.k - p), fit.ci_method == "hksj-adhoc")
        cov = cov * factor[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Signs that make all effects equal leave no variance: the most extreme statistic.
        statistics = wls.beta / np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    if fit.regression is None:
        return statistics, np.zeros(len(y))
    at = fit.regression.design.tested
    beta = wls.beta[:, at]
    solved = np.linalg.solve(cov[:, at[:, None], at], beta[..., None])[..., 0]
    qm = (beta * solved).sum(-1)
    return statistics, qm / len(at) if math.isfinite(fit.regression.df) else qm
