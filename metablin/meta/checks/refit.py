"""Inverse-variance fits of many subsets of the same studies at once.

Deletion, accumulation and all-subsets diagnostics are one thing: refit on a mask. A study outside
a subset gets infinite variance, so that its weight is zero, and all subsets go through the array
functions of :mod:`metablin.numerics.gls` and :mod:`metablin.numerics.tau2` together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.options import CI_METHODS
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, hksj_factor, i2_h2, two_sided
from metablin.numerics.tau2 import estimate_tau2

__all__ = [
    "CELLS",
    "Refit",
    "Spec",
    "assemble",
    "design_of",
    "effects_only",
    "needs_spread",
    "no_moderators",
    "refit",
    "spec_of",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

CHUNK = 4096
"""Subsets fitted in one go: large enough to spread the cost of a call, small enough for a cache."""

CELLS = 1 << 20
"""Subsets times studies fitted in one go, so that memory does not grow with their product."""

LEAST = 3
"""Studies that a diagnostic needs: with two, each is the other's mirror."""

NO_SPREAD = 1e-28
"""A Hartung-Knapp factor of this size is zero but for rounding."""

NO_RANK = 1e-10
"""A design of unit columns whose smallest singular value is below this share of the largest has no
unique fit."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How to fit: no `method` and no `known` tau2 is the common effect."""

    method: str | None
    known: float | None
    ci: str
    level: float

    @property
    def random(self) -> bool:
        """Whether there is a between-study variance."""
        return self.method is not None or self.known is not None


def spec_of(fit: MetaFit) -> Spec | None:
    """Return how `fit` was made, or None when its model is not of the inverse-variance kind."""
    if fit.model == "common":
        return Spec(None, None, fit.ci_method, fit.level)
    if fit.model != "random" or fit.ci_method not in CI_METHODS:
        return None
    if fit.tau2_method == "given":
        return Spec(None, fit.tau2, fit.ci_method, fit.level)
    return Spec(fit.tau2_method, None, fit.ci_method, fit.level)


def design_of(fit: MetaFit) -> FloatArray | None:
    """Return the design of a meta-regression, None for a plain pool."""
    return None if fit.regression is None else fit.regression.design.matrix


def no_moderators(fit: MetaFit, what: str) -> None:
    """Raise when `fit` is a meta-regression."""
    if fit.regression is not None:
        raise DataError(
            f"{what} needs a fit without moderators",
            column="moderators",
            value=fit.regression.design.formula,
        )


def effects_only(fit: MetaFit, what: str) -> Spec:
    """Return :func:`spec_of` for a diagnostic that needs weights, after checking the fit.

    Raises
    ------
    DataError
        For a model without inverse-variance weights, or too few studies.
    """
    needs_fit(fit)
    spec = spec_of(fit)
    if spec is None:
        raise DataError(
            f"{what} needs a model with inverse-variance weights",
            column="model",
            value=fit.model,
            allowed="random | common",
        )
    if fit.k < LEAST:
        raise DataError(
            f"{what} needs more studies", value=f"k = {fit.k}", allowed=f"at least {LEAST}"
        )
    return spec


@dataclass(slots=True, eq=False)
class Refit:
    """Fits of m subsets: everything has shape (m,), but `beta` (m, p) and `cov` (m, p, p).

    `estimate`, `std_error`, the test and the intervals are those of the first coefficient;
    `cov` is (X'WX)^-1 times the factor `scale` of Hartung and Knapp (1 without it).
    """

    k: FloatArray
    beta: FloatArray
    cov: FloatArray
    scale: FloatArray
    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    pred_low: FloatArray
    pred_high: FloatArray
    tau2: FloatArray
    i2: FloatArray
    h2: FloatArray
    q: FloatArray
    q_p: FloatArray


def refit(
    y: FloatArray,
    v: FloatArray,
    keep: BoolArray,
    spec: Spec,
    x: FloatArray | None = None,
    studies: Sequence[str] | None = None,
) -> Refit:
    """Return the fits of the studies in each row of `keep`.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    keep : ndarray of bool, shape (m, k)
        Which studies are in each subset; each row has at least one.
    spec : Spec
    x : ndarray, shape (k, p), optional
        Design; the intercept alone when not given.
    studies : sequence of str, optional
        Labels for errors.

    Returns
    -------
    Refit
        A subset of one study has that study's effect with a normal interval, and tau2 = 0.

    Raises
    ------
    DataError
        When a subset cannot identify the coefficients.
    """
    if x is not None:
        _identified(x, keep, studies)
    rows = max(1, min(CHUNK, CELLS // len(y)))
    parts = [_refit(y, v, keep[i : i + rows], spec, x) for i in range(0, len(keep), rows)]
    return Refit(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Refit)))


def _identified(x: FloatArray, keep: BoolArray, studies: Sequence[str] | None) -> None:
    designs = x[None] * keep[..., None]
    lengths = np.linalg.norm(designs, axis=1, keepdims=True)
    values = np.linalg.svd(designs / np.where(lengths > 0, lengths, 1.0), compute_uv=False)
    bad = values[:, -1] < NO_RANK * values[:, 0]
    if bad.any():
        out = [int(i) for i in np.flatnonzero(~keep[int(np.argmax(bad))])]
        names = [f"study {i + 1}" if studies is None else studies[i] for i in out]
        raise DataError(
            "the coefficients cannot be estimated without it", study=", ".join(names[:5])
        )


def _refit(
    y: FloatArray, v: FloatArray, keep: BoolArray, spec: Spec, x: FloatArray | None
) -> Refit:
    masked = np.where(keep, v, np.inf)
    effects = np.where(keep, y, 0.0)
    k = keep.sum(-1).astype(np.float64)
    p = 1 if x is None else x.shape[-1]
    many = k > p
    tau2 = _tau2(effects, masked, many, spec, x)
    fit = gls(effects, 1 / (masked + tau2[:, None]), x)
    scale = _scale(fit.rss, k - p, many, spec.ci)
    q = gls(effects, 1 / masked, x).rss
    i2, h2 = _heterogeneity(masked, tau2, q, k - p, many, spec, x)
    return assemble(k, fit.beta, fit.cov * scale[:, None, None], scale, tau2, i2, h2, q, spec)


def assemble(
    k: FloatArray,
    beta: FloatArray,
    cov: FloatArray,
    scale: FloatArray,
    tau2: FloatArray,
    i2: FloatArray,
    h2: FloatArray,
    q: FloatArray,
    spec: Spec,
) -> Refit:
    """Return the tests and intervals that follow from the fits of m subsets."""
    p = beta.shape[-1]
    many = k > p
    df = np.where(many & (spec.ci != "z"), k - p, np.inf)
    estimate, std_error = beta[:, 0].copy(), np.sqrt(cov[:, 0, 0])
    crit = critical(spec.level, df)
    spread = np.sqrt(cov[:, 0, 0] + tau2) if spec.random else np.full(len(k), math.nan)
    spread = np.where(many, spread, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
    return Refit(
        k,
        beta,
        cov,
        scale,
        estimate,
        std_error,
        df,
        statistic,
        two_sided(statistic, df),
        estimate - crit * std_error,
        estimate + crit * std_error,
        estimate - crit * spread,
        estimate + crit * spread,
        tau2,
        i2,
        h2,
        q,
        chi2_tail(q, k - p),
    )


def _tau2(
    y: FloatArray, v: FloatArray, many: BoolArray, spec: Spec, x: FloatArray | None
) -> FloatArray:
    out = np.zeros(len(y))
    if spec.known is not None:
        out[many] = spec.known
    elif spec.method is not None and many.any():
        out[many] = estimate_tau2(spec.method, y[many], v[many], x)
    return out


def _scale(rss: FloatArray, df: FloatArray, many: BoolArray, ci: str) -> FloatArray:
    scale = np.ones(len(rss))
    if ci.startswith("hksj"):
        scale[many] = hksj_factor(rss[many], df[many], ci == "hksj-adhoc")
    return scale


def _heterogeneity(
    v: FloatArray,
    tau2: FloatArray,
    q: FloatArray,
    df: FloatArray,
    many: BoolArray,
    spec: Spec,
    x: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    i2, h2 = np.zeros(len(v)), np.ones(len(v))
    if spec.random:
        i2[many], h2[many] = i2_h2(v[many], tau2[many], x)
    else:
        h2[many] = q[many] / df[many]
        i2[many] = np.maximum(0.0, 1 - 1 / np.maximum(h2[many], 1.0))
    return i2, h2


def needs_spread(full: Refit, gone: Refit, names: Sequence[str]) -> None:
    """Raise where the Hartung-Knapp factor is zero, which would divide changes by nothing."""
    if full.scale[0] <= NO_SPREAD:
        raise DataError(
            "all effects are equal, so the Hartung-Knapp variance is zero",
            column="ci", allowed="a fit with ci='z' or ci='hksj-adhoc'",
        )  # fmt: skip
    for i in np.flatnonzero(gone.scale <= NO_SPREAD)[:1]:
        raise DataError(
            "without it all effects are equal, so the Hartung-Knapp variance is zero",
            study=names[int(i)], column="ci", allowed="a fit with ci='z' or ci='hksj-adhoc'",
        )  # fmt: skip
