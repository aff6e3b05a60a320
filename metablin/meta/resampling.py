"""Fits of resampled clusters: coefficients alone, many at once where a model allows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.options import align
from metablin.meta.structures.fit import MixedFit
from metablin.meta.structures.formula import read_random
from metablin.meta.structures.likelihood import Likelihood, Term, climb
from metablin.numerics.gls import gls_at
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["Refit", "refitter"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

CELLS = 1 << 20
"""Draws times rows fitted in one go."""

TOGETHER = 1e-12
"""Correlations of sampling errors below this are none."""


class Refit(Protocol):
    """How to fit a model anew on drawn clusters; `estimate` is that of all, shape (p,)."""

    terms: tuple[str, ...]
    estimate: FloatArray

    def check(self, rows: Sequence[IntArray]) -> None:
        """Raise when these clusters cannot be drawn apart."""
        ...

    def many(self, rows: Sequence[IntArray], picked: IntArray) -> FloatArray:
        """Return coefficients (m, p) of m draws of clusters (m, c); NaN without an answer."""
        ...


def refitter(fit: object) -> Refit:
    """Return how to fit a result of ``pool`` or ``mixed`` anew.

    Raises
    ------
    DataError
        For a model that cannot be, or a fit with subgroups.
    """
    if isinstance(fit, MixedFit):
        parts = [c.term for c in fit.components]
        return _Structured(fit.yi, fit.vi, fit.design, parts, fit.method, fit.terms, fit.beta)
    if not isinstance(fit, MetaFit):
        raise DataError("not a fitted meta-analysis", column="fit", value=type(fit).__name__,
                        allowed="what pool or mixed returns")  # fmt: skip
    if fit.subgroups or fit.model not in ("random", "common", "multilevel"):
        raise DataError(
            "clusters cannot be resampled for this fit", column="model",
            value=fit.model + (" with subgroups" if fit.subgroups else ""),
            allowed="random | common | multilevel, without subgroups, or what mixed returns",
        )  # fmt: skip
    return _nested(fit) if fit.model == "multilevel" else _Inverse(fit)


class _Inverse:
    """Inverse-variance fits, all draws together."""

    def __init__(self, fit: MetaFit) -> None:
        self.y, self.v = fit.effects.yi, fit.effects.vi
        self.method = None if fit.tau2_method in (None, "given") else str(fit.tau2_method)
        self.tau2 = 0.0 if fit.model == "common" else fit.tau2
        self.x: FloatArray | None = None
        self.terms: tuple[str, ...] = ("overall",)
        self.estimate = np.array([fit.analysis.estimate])
        if fit.regression is not None:
            self.x, self.terms = fit.regression.design.matrix, fit.regression.terms
            self.estimate = fit.regression.beta

    def check(self, rows: Sequence[IntArray]) -> None:
        """Raise when these clusters cannot be drawn apart."""

    def many(self, rows: Sequence[IntArray], picked: IntArray) -> FloatArray:
        """Return coefficients (m, p) of m draws of clusters (m, c); NaN without an answer."""
        sizes = np.array([len(r) for r in rows])
        widest = int(sizes[picked].sum(1).max())
        step = max(1, CELLS // widest)
        parts = [self._some(rows, picked[i : i + step], widest)
                 for i in range(0, len(picked), step)]  # fmt: skip
        return np.concatenate(parts)

    def _some(self, rows: Sequence[IntArray], picked: IntArray, widest: int) -> FloatArray:
        at = np.zeros((len(picked), widest), dtype=np.intp)
        there = np.zeros(at.shape, dtype=bool)
        for i, pick in enumerate(picked):
            own = np.concatenate([rows[c] for c in pick])
            at[i, : len(own)], there[i, : len(own)] = own, True
        y, v = np.where(there, self.y[at], 0.0), np.where(there, self.v[at], np.inf)
        if self.x is None:
            return np.asarray(gls_at(y, v, self._tau2(y, v, None)).beta)
        x = np.where(there[..., None], self.x[at], 0.0)
        out = np.full((len(picked), x.shape[-1]), math.nan)
        whole = np.linalg.matrix_rank(x) == x.shape[-1]
        whole &= there.sum(-1) > x.shape[-1]
        if whole.any():
            y, v, x = y[whole], v[whole], x[whole]
            out[whole] = gls_at(y, v, self._tau2(y, v, x), x).beta
        return out

    def _tau2(self, y: FloatArray, v: FloatArray, x: FloatArray | None) -> FloatArray:
        if self.method is None:
            return np.full(len(y), self.tau2)
        return estimate_tau2(self.method, y, v, x)


class _Structured:
    """Fits with random effects of any structure, one by one."""

    def __init__(
        self, y: FloatArray, v: FloatArray, x: FloatArray, parts: Sequence[Term], method: str,
        terms: tuple[str, ...], estimate: FloatArray,
    ) -> None:  # fmt: skip
        self.y, self.v, self.x, self.parts, self.method = y, v, x, list(parts), method
        self.terms, self.estimate = terms, estimate

    def check(self, rows: Sequence[IntArray]) -> None:
        """Raise when sampling errors of two clusters are correlated."""
        if self.v.ndim == 1:
            return
        spread = np.sqrt(np.diag(self.v))
        label = np.empty(len(self.y), dtype=np.intp)
        for c, own in enumerate(rows):
            label[own] = c
        apart = label[:, None] != label
        across = np.argwhere(apart & (np.abs(self.v) > TOGETHER * np.outer(spread, spread)))
        if len(across):
            i, j = (int(n) + 1 for n in across[0])
            raise DataError(
                f"its sampling error is correlated with that of row {j}, in another cluster",
                row=i, column="cluster", allowed="clusters that hold what is correlated",
            )  # fmt: skip

    def many(self, rows: Sequence[IntArray], picked: IntArray) -> FloatArray:
        """Return coefficients (m, p) of m draws of clusters (m, c); NaN without an answer."""
        within = [_nests(t.outer, rows) for t in self.parts]
        return np.array([self._one(rows, pick, within) for pick in picked])

    def _one(self, rows: Sequence[IntArray], pick: IntArray, within: Sequence[bool]) -> FloatArray:
        at = np.concatenate([rows[c] for c in pick])
        copy = np.repeat(np.arange(len(pick)), [len(rows[c]) for c in pick])
        x = self.x[at]
        none = np.full(x.shape[1], math.nan)
        if len(at) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
            return none
        v = self.v[at] if self.v.ndim == 1 else self.v[np.ix_(at, at)] * (copy[:, None] == copy)
        parts = [
            Term(_copied(t.outer[at], copy, nests), t.inner[at], t.structure)
            for t, nests in zip(self.parts, within, strict=True)
        ]
        y = self.y[at]
        basis, upper = np.linalg.qr(x)
        model = Likelihood(y, v, basis, parts, self.method == "REML")
        typical = float((v if v.ndim == 1 else np.diag(v)).mean())
        rest = y - basis @ (basis.T @ y)
        crude = max(float(rest @ rest) / (len(y) - x.shape[1]), 1.1 * typical) - typical
        try:
            theta = climb(model, *model.start(math.sqrt(crude)))[0]
        except ConvergenceError:
            return none
        return np.asarray(np.linalg.solve(upper, model.at(theta, score=False).beta))


def _nests(outer: IntArray, rows: Sequence[IntArray]) -> bool:
    """Whether all groups of a random effect lie within clusters, and do not reach over several."""
    return sum(len(np.unique(outer[own])) for own in rows) == len(np.unique(outer))


def _copied(outer: IntArray, copy: IntArray, nests: bool) -> IntArray:
    """Return groups of drawn rows; those that nest in clusters anew for each copy."""
    pairs = np.stack([outer, copy if nests else np.zeros_like(copy)], axis=1)
    return np.asarray(np.unique(pairs, axis=0, return_inverse=True)[1].ravel(), dtype=np.intp)


def _nested(fit: MetaFit) -> _Structured:
    e = fit.effects
    asked: Any = getattr(fit.again, "keywords", {}).get("levels")
    if asked is None:
        raise DataError("a fit from a file does not know its levels", column="fit",
                        allowed="what pool returned")  # fmt: skip
    labels = [list(align(e, name, given)) for name, given in asked.items()]
    table = {f"l{i}": own for i, own in enumerate(labels)}
    if len(fit.extra["components"]) > len(table):  # pool added a level for each estimate
        table[f"l{len(table)}"] = list(range(e.k))
    named = read_random("1 | " + "/".join(table), "ID", table, e.k)
    parts, estimate = [n.term for n in named], np.array([fit.analysis.estimate])
    return _Structured(e.yi, e.vi, np.ones((e.k, 1)), parts, str(fit.tau2_method), ("overall",),
                       estimate)  # fmt: skip
