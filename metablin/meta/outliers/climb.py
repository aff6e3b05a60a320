"""The highest likelihood of a family of random effects, and its profile over one coefficient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.meta.outliers.families import Family, Mixture, Student, log_density
from metablin.numerics.gls import gls, gls_at
from metablin.numerics.newton import maximise
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["Peak", "highest", "log_likelihood"]

FloatArray = NDArray[np.float64]

BETTER = 1e-9
"""Log-likelihoods that differ by less than this are equal: the simpler fit is taken."""

ROUNDS = 30
"""Rounds of expectation and maximisation from every start, before Newton's method."""

CLIMBED = 4
"""Best starts from which Newton's method climbs."""

START_ALPHAS = (0.1, 0.6)
"""One over the degrees of freedom from which the search for them sets out."""


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """Where a likelihood is highest.

    Attributes
    ----------
    beta : ndarray, shape (p,)
    shape : ndarray, shape (size,)
        Parameters of the family.
    value : float
        Log-likelihood.
    normal_value, normal_beta, normal_tau2
        The same of normal random effects.
    is_normal : bool
        Whether the family does no better than normal random effects.
    """

    beta: FloatArray
    shape: FloatArray
    value: float
    normal_value: float
    normal_beta: FloatArray
    normal_tau2: float
    is_normal: bool


def log_likelihood(
    family: Family, y: FloatArray, v: FloatArray, x: FloatArray, theta: FloatArray
) -> FloatArray:
    """Return log-likelihoods (b,) at points (p + size, b)."""
    p = x.shape[1]
    resid = y - (x @ theta[:p]).T
    log_q, t2 = family.components(theta[p:], resid, v)
    return np.asarray(log_density(resid, v, log_q, t2)[0].sum(-1))


def highest(
    family: Family,
    y: FloatArray,
    v: FloatArray,
    x: FloatArray,
    near: Peak | None = None,
    start: FloatArray | None = None,
) -> Peak:
    """Return the highest peak found from several starts.

    Parameters
    ----------
    family : Family
    y, v : ndarray, shape (k,)
    x : ndarray, shape (k, p)
        p may be 0.
    near : Peak, optional
        A peak of almost the same likelihood, whose shape is one more start.
    start : ndarray, shape (p,), optional
        Coefficients that go with it.
    """
    p = x.shape[1]
    normal, normal_value, tau2 = _normal(y, v, x)
    basis, upper = np.linalg.qr(x) if p else (x, np.eye(0))

    def f(theta: FloatArray) -> FloatArray:
        return log_likelihood(family, y, v, basis, theta)

    spread = math.sqrt(tau2 + float(np.median(v)))
    scale = np.r_[np.full(p, spread), family.scale(spread)]
    starts = [np.r_[upper @ b, s] for b, s in _starts(family, y, v, x, normal, tau2)]
    if near is not None and not near.is_normal:
        starts.insert(0, np.r_[upper @ (normal if start is None else start), near.shape])
    found = [maximise(f, s, scale, with_hessian=False) for s in starts]
    best = max(found, key=lambda o: o.value)
    if family.size > 1 and best.value < normal_value + BETTER:
        return Peak(normal, family.normal(math.sqrt(tau2)), normal_value, normal_value, normal,
                    tau2, True)  # fmt: skip
    beta = np.linalg.solve(upper, best.theta[:p]) if p else best.theta[:0]
    return Peak(beta, best.theta[p:], best.value, normal_value, normal, tau2, False)


def _normal(y: FloatArray, v: FloatArray, x: FloatArray) -> tuple[FloatArray, float, float]:
    """Return coefficients, log-likelihood and tau2 of normal random effects, by ML."""
    tau2 = float(estimate_tau2("ML", y, v, x))
    fit = gls_at(y, v, tau2, x)
    size = len(y) * math.log(2 * math.pi) + float(np.log(v + tau2).sum())
    return fit.beta, -0.5 * (size + float(fit.rss)), tau2


def _starts(
    family: Family, y: FloatArray, v: FloatArray, x: FloatArray, normal: FloatArray, tau2: float
) -> list[tuple[FloatArray, FloatArray]]:
    if isinstance(family, Mixture):
        return _allocations(y, v, x, normal, tau2)
    assert isinstance(family, Student)
    tau = math.sqrt(tau2 + 0.1 * float(np.median(v)))
    if family.df is not None:
        return [(normal, np.array([t])) for t in (tau, 0.3 * tau)]
    angles = [family.angle(a) for a in START_ALPHAS]
    return [(normal, np.array([t, a])) for t, a in zip((tau, 0.5 * tau), angles, strict=True)]


def _allocations(
    y: FloatArray, v: FloatArray, x: FloatArray, normal: FloatArray, tau2: float
) -> list[tuple[FloatArray, FloatArray]]:
    """Return the best of many starts of a mixture, each with other studies as outliers.

    Each single study, and the studies farthest from the mean, in standard errors or in those of
    the random-effects model, up to half of them.
    """
    k = len(y)
    resid = np.abs(y - x @ normal)
    ranks = [np.argsort(-resid / np.sqrt(total)) for total in (v, v + tau2)]
    out = [np.eye(k)[i] for i in range(k)]
    for order in ranks:
        out += [np.isin(np.arange(k), order[:m]).astype(float) for m in range(2, k // 2 + 1)]
    r = np.unique(np.clip(np.array(out), 0.02, 0.98), axis=0)
    typical = float(np.median(v))
    narrow = np.repeat([0.01 * typical, max(0.25 * tau2, 0.1 * typical)], len(r))
    r = np.concatenate([r, r])
    wide = np.full(len(r), max(4 * tau2, float(np.var(y))))
    beta, narrow, wide, share, value = _rounds(y, v, x, r, narrow, wide)
    order = np.argsort(-value, kind="stable")
    chosen: list[int] = []
    for i in order:
        if all(abs(value[i] - value[j]) > 1e-4 for j in chosen):
            chosen.append(int(i))
        if len(chosen) == CLIMBED:
            break
    return [
        (beta[i], np.array([math.sqrt(narrow[i]), math.sqrt(wide[i]),
                            math.asin(math.sqrt(share[i]))]))
        for i in chosen
    ]  # fmt: skip


def _rounds(
    y: FloatArray, v: FloatArray, x: FloatArray, r: FloatArray, narrow: FloatArray, wide: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Improve many starts at once by expectation and maximisation.

    The random effects count as missing too, so that both variances have a closed form.

    Parameters
    ----------
    r : ndarray, shape (s, k)
        Probability of being an outlier.
    narrow, wide : ndarray, shape (s,)

    References
    ----------
    Dempster AP, Laird NM, Rubin DB (1977). Maximum likelihood from incomplete data via the EM
    algorithm. doi:10.1111/j.2517-6161.1977.tb01600.x
    """
    design = np.broadcast_to(x, (len(r), *x.shape))
    data = np.broadcast_to(y, r.shape)
    beta, resid = design[:, 0], data  # without coefficients, where one is held: nothing to fit
    for _ in range(ROUNDS):
        share = np.clip(r.mean(-1), 1e-6, 1 - 1e-6)
        near, far = v + narrow[:, None], v + wide[:, None]
        if x.shape[1]:
            fit = gls(data, (1 - r) / near + r / far, design)
            beta, resid = fit.beta, fit.resid
        narrow, wide = (
            np.maximum(_spread(resid, v, t, total, part), 1e-12 * float(v.min()))
            for t, total, part in ((narrow, near, 1 - r), (wide, far, r))
        )
        near, far = v + narrow[:, None], v + wide[:, None]
        log_near = np.log1p(-share)[:, None] - 0.5 * (np.log(near) + resid**2 / near)
        log_far = np.log(share)[:, None] - 0.5 * (np.log(far) + resid**2 / far)
        both = np.logaddexp(log_near, log_far)
        r = np.exp(log_far - both)
    return beta, narrow, wide, share, both.sum(-1)


def _spread(
    resid: FloatArray, v: FloatArray, t: FloatArray, total: FloatArray, part: FloatArray
) -> FloatArray:
    """Return the mean square of the random effects expected of a part of the studies.

    A part without studies keeps its variance.
    """
    pull = t[:, None] / total
    square = (pull * resid) ** 2 + pull * v
    weight = part.sum(-1)
    mean = (part * square).sum(-1) / np.where(weight > 0, weight, 1.0)
    return np.asarray(np.where(weight > 0, mean, t))
