"""The quadrature of the count models written out for one arm and one random effect.

Same formulas and same results as the general code (a test holds them together), in a third of
the time: single proportions and rates are the case that is fitted in bulk.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from metablin.errors import ConvergenceError

__all__ = ["mode", "row_sums"]

FloatArray = NDArray[np.float64]
MODE_STEPS = 200
#: Below this move of the linear predictor Newton's method needs no safeguard.
SAFE_MOVE = 0.5
MAX_MOVE = 4.0


def _mean(eta: FloatArray, poisson: bool) -> FloatArray:
    return np.exp(np.minimum(eta, 700.0)) if poisson else np.asarray(expit(eta))


def _cumulant(eta: FloatArray, poisson: bool) -> FloatArray:
    return np.exp(np.minimum(eta, 700.0)) if poisson else np.logaddexp(0.0, eta)


def mode(
    m: FloatArray,
    lam: FloatArray,
    y: FloatArray,
    n: FloatArray,
    poisson: bool,
    start: FloatArray,
) -> FloatArray:
    """Return the modes u of ``y eta - n b(eta) - u^2 / 2`` with ``eta = m + lam u``, shape (r,)."""
    u = start
    for _ in range(MODE_STEPS):
        eta = m + lam * u
        mean = _mean(eta, poisson)
        weight = n * mean if poisson else n * mean * (1 - mean)
        step = (lam * (y - n * mean) - u) / (1 + lam * lam * weight)
        largest = float(np.abs(lam * step).max())
        if largest > SAFE_MOVE:
            step = _guarded(m, lam, y, n, poisson, u, step)
        u = u + step
        if largest < 1e-7:
            return u
    raise ConvergenceError("the modes of the random effects were not found")


def _guarded(
    m: FloatArray,
    lam: FloatArray,
    y: FloatArray,
    n: FloatArray,
    poisson: bool,
    u: FloatArray,
    step: FloatArray,
) -> FloatArray:
    """Return the step capped, and halved until the integrand does not fall."""
    step = step * np.minimum(1.0, MAX_MOVE / np.maximum(np.abs(lam * step), 1e-300))

    def height(at: FloatArray) -> FloatArray:
        eta = m + lam * at
        return np.asarray(y * eta - n * _cumulant(eta, poisson) - 0.5 * at * at)

    now = height(u)
    for _ in range(40):
        worse = height(u + step) < now - 1e-12 * (1 + np.abs(now))
        if not worse.any():
            break
        step = np.where(worse, 0.5 * step, step)
    return step


def row_sums(
    m: FloatArray,
    lam: FloatArray,
    y: FloatArray,
    n: FloatArray,
    poisson: bool,
    u: FloatArray,
    x: FloatArray,
    log_w: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log likelihoods and their derivatives in m and lam at the modes `u`, each (r,).

    Parameters
    ----------
    m, lam, y, n, u : ndarray, shape (r,)
        Fixed predictor, standard deviation, events, trials or ones, and modes.
    poisson : bool
        Family.
    x, log_w : ndarray, shape (M,)
        Nodes and log weights of :func:`metablin.meta.counts.glmm.quadrature.rule`.
    """
    mean = _mean(m + lam * u, poisson)
    w2 = n * mean if poisson else n * mean * (1 - mean)
    w3 = w2 if poisson else w2 * (1 - 2 * mean)
    info = 1 + lam * lam * w2
    c = 1 / np.sqrt(info)
    nodes = u[:, None] + (np.sqrt(2) * c)[:, None] * x
    eta = m[:, None] + lam[:, None] * nodes
    bb = _cumulant(eta, poisson)
    terms = y[:, None] * eta - n[:, None] * bb - 0.5 * nodes * nodes + log_w
    top = terms.max(1)
    share = np.exp(terms - top[:, None])
    total = share.sum(1)
    value = top + np.log(total) + np.log(c) - 0.5 * np.log(np.pi)
    share /= total[:, None]
    resid = share * (y[:, None] - n[:, None] * (bb if poisson else _mean(eta, False)))
    slope = lam[:, None] * resid - share * nodes
    r, r_u = resid.sum(1), (resid * nodes).sum(1)
    s, s_x = slope.sum(1), slope @ x
    out = []
    for direct, score, extra, first in (
        (1.0, 0.0, 0.0, r),
        (u, y - n * mean, 2 * lam * w2, r_u),
    ):
        du = (score - lam * w2 * direct) / info
        d_info = lam * lam * w3 * (direct + lam * du) + extra
        out.append(first + s * du - (np.sqrt(0.5) * c**3 * s_x + 0.5 / info) * d_info)
    return value, out[0], out[1]
