"""Adaptive Gauss-Hermite likelihood of grouped binomial and Poisson counts, with its gradient.

The linear predictor of arm j in study i is ``eta = m[i, j] + sum_c Z[i, j, c] lam[c] u[c]`` with
``u`` standard normal of dimension q (1 or 2). Every study is one row; rows are independent, so
all of them, and all the perturbed copies needed for second derivatives, go through numpy at once.

References
----------
Pinheiro JC, Bates DM (1995), J Comput Graph Stat 4:12, eq. 2.7, doi:10.1080/10618600.1995.10474663.
Liu Q, Pierce DA (1994), Biometrika 81:624, doi:10.1093/biomet/81.3.624.
Smith SP (1995), J Comput Graph Stat 4:134, doi:10.1080/10618600.1995.10474671 (derivative of a
Cholesky factor).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln

from metablin.errors import ConvergenceError
from metablin.meta.counts.glmm import quadrature_single

__all__ = ["Counts", "Rows", "constants", "curvature", "marginal", "rule", "saturated"]

FloatArray = NDArray[np.float64]
#: Newton steps for the modes stop when no linear predictor moves by more (relative).
MODE_TOL = 1e-13
MODE_STEPS = 200
#: Largest move of a linear predictor in one Newton step; exp() overflows without a cap.
MAX_MOVE = 4.0
#: Step of the central differences of the analytic gradient (fourth order: error about 1e-12).
DIFF_STEP = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Observed counts.

    Attributes
    ----------
    y, n : ndarray, shape (r, J)
        Events, and trials (binomial) or ones (Poisson, whose exposure is an offset in `m`).
    z : ndarray, shape (r, J, q)
        Random-effect design.
    poisson : bool
        Family.
    """

    y: FloatArray
    n: FloatArray
    z: FloatArray
    poisson: bool

    @property
    def single(self) -> bool:
        """Return whether there is one arm with one random effect of code 1."""
        return self.z.shape[1:] == (1, 1) and bool((self.z == 1).all())

    def tile(self, times: int) -> Counts:
        """Return the rows repeated as whole blocks."""
        return Counts(
            np.tile(self.y, (times, 1)), np.tile(self.n, (times, 1)),
            np.tile(self.z, (times, 1, 1)), self.poisson,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Row-wise log likelihoods without constants, gradients in (m, lam), and modes.

    Attributes
    ----------
    value : ndarray, shape (r,)
    grad : ndarray, shape (r, J + q)
    mode : ndarray, shape (r, q)
    """

    value: FloatArray
    grad: FloatArray
    mode: FloatArray


@lru_cache(maxsize=64)
def rule(points: int, q: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes (M, q) and log weights (M,), the factor ``exp(x'x)`` included.

    Examples
    --------
    >>> x, log_w = rule(3, 1)
    >>> round(float(np.exp(log_w - x[:, 0] ** 2).sum() ** 2), 12) == round(np.pi, 12)
    True
    """
    x, w = np.polynomial.hermite.hermgauss(points)
    grid = np.stack(np.meshgrid(*([x] * q), indexing="ij"), axis=-1).reshape(-1, q)
    logs = np.stack(np.meshgrid(*([np.log(w)] * q), indexing="ij"), axis=-1).reshape(-1, q)
    return grid, logs.sum(axis=1) + (grid**2).sum(axis=1)


def _cumulants(eta: FloatArray, poisson: bool) -> tuple[FloatArray, FloatArray]:
    """Return b(eta) and b'(eta)."""
    if poisson:
        mean = np.exp(np.minimum(eta, 700.0))
        return mean, mean
    return np.logaddexp(0.0, eta), np.asarray(expit(eta))


def _modes(
    m: FloatArray, b: FloatArray, c: Counts, start: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Return the modes u (r, q) of the integrands and their linear predictors (r, J)."""
    r, _, q = b.shape
    u = np.zeros((r, q)) if start is None else start.copy()
    eta = m + np.einsum("rjq,rq->rj", b, u)
    bb, mean = _cumulants(eta, c.poisson)
    h = (c.y * eta - c.n * bb).sum(1) - 0.5 * (u * u).sum(1)
    for _ in range(MODE_STEPS):
        slope = np.einsum("rjq,rj->rq", b, c.y - c.n * mean) - u
        weight = c.n * (mean if c.poisson else mean * (1 - mean))
        step = _solve(_information(b, weight), slope[..., None])[..., 0]
        move = np.abs(np.einsum("rjq,rq->rj", b, step)).max(1)
        step *= np.minimum(1.0, MAX_MOVE / np.maximum(move, 1e-300))[:, None]
        done = float(np.minimum(move, MAX_MOVE).max())
        for _ in range(40):
            trial = u + step
            eta = m + np.einsum("rjq,rq->rj", b, trial)
            bb, mean = _cumulants(eta, c.poisson)
            new = (c.y * eta - c.n * bb).sum(1) - 0.5 * (trial * trial).sum(1)
            worse = new < h - 1e-12 * (1 + np.abs(h))
            if not worse.any():
                break
            step[worse] *= 0.5
        u, h = trial, new
        if done < MODE_TOL * (1 + float(np.abs(eta).max())) or (step == 0).all():
            return u, eta
        if done < 1e-8:
            # one more Newton step from here is exact to rounding; rounding noise never settles
            slope = np.einsum("rjq,rj->rq", b, c.y - c.n * mean) - u
            weight = c.n * (mean if c.poisson else mean * (1 - mean))
            u = u + _solve(_information(b, weight), slope[..., None])[..., 0]
            return u, m + np.einsum("rjq,rq->rj", b, u)
    raise ConvergenceError("the modes of the random effects were not found")


def _information(b: FloatArray, weight: FloatArray) -> FloatArray:
    """Return I + B'WB, shape (r, q, q)."""
    q = b.shape[2]
    return np.asarray(np.einsum("rja,rjb,rj->rab", b, b, weight) + np.eye(q))


def _solve(a: FloatArray, rhs: FloatArray) -> FloatArray:
    return np.asarray(rhs / a if a.shape[-1] == 1 else np.linalg.solve(a, rhs), dtype=np.float64)


def marginal(
    m: FloatArray, lam: FloatArray, c: Counts, points: int, start: FloatArray | None = None
) -> Rows:
    """Return the marginal log likelihood of every row and its exact gradient.

    Parameters
    ----------
    m : ndarray, shape (r, J)
        Fixed part of the linear predictor.
    lam : ndarray, shape (r, q)
        Standard deviations of the random effects (their sign does not matter).
    c : Counts
        Data, r rows.
    points : int
        Quadrature points per dimension; 1 is the Laplace approximation.
    start : ndarray, shape (r, q), optional
        Start of the search for the modes.

    Returns
    -------
    Rows

    Raises
    ------
    ConvergenceError
        When a mode is not found.

    Notes
    -----
    The gradient is that of the quadrature sum itself: the movement of its nodes with the
    parameters is included, so the maximum found is the maximum of what lme4 maximises.
    """
    if not lam.any():
        bb, mean = _cumulants(m, c.poisson)
        grad = np.concatenate([c.y - c.n * mean, np.zeros_like(lam)], axis=1)
        return Rows((c.y * m - c.n * bb).sum(1), grad, np.zeros_like(lam))
    if c.single:
        return _marginal_single(m, lam, c, points, start)
    b = c.z * lam[:, None, :]
    u, eta = _modes(m, b, c, start)
    x, log_w = rule(points, lam.shape[1])
    _, mean = _cumulants(eta, c.poisson)
    w2 = c.n * (mean if c.poisson else mean * (1 - mean))
    info = _information(b, w2)
    low = np.sqrt(info) if info.shape[-1] == 1 else np.linalg.cholesky(info)
    inv = 1 / low if info.shape[-1] == 1 else np.linalg.inv(low)
    spread = np.sqrt(2) * np.swapaxes(inv, 1, 2)
    nodes = u[:, None, :] + np.einsum("rab,mb->rma", spread, x)
    eta_m = m[:, None, :] + np.einsum("rjq,rmq->rmj", b, nodes)
    bb, mean_m = _cumulants(eta_m, c.poisson)
    terms = (c.y[:, None] * eta_m - c.n[:, None] * bb).sum(2) - 0.5 * (nodes**2).sum(2) + log_w
    top = terms.max(1)
    share = np.exp(terms - top[:, None])
    total = share.sum(1)
    log_det = np.log(np.diagonal(inv, axis1=1, axis2=2)).sum(1)
    value = top + np.log(total) + log_det - 0.5 * lam.shape[1] * np.log(np.pi)
    share /= total[:, None]
    resid = c.y[:, None] - c.n[:, None] * mean_m
    du, d_inv_t, trace = _mode_derivatives(c, b, u, mean, w2, info, inv)
    grad = _gradient(c, b, nodes, x, share, resid, du, d_inv_t, trace)
    return Rows(value, grad, u)


def _marginal_single(
    m: FloatArray, lam: FloatArray, c: Counts, points: int, start: FloatArray | None
) -> Rows:
    x, log_w = rule(points, 1)
    at, sd, y, n = m[:, 0], lam[:, 0], c.y[:, 0], c.n[:, 0]
    u = np.zeros(len(y)) if start is None else start[:, 0]
    u = quadrature_single.mode(at, sd, y, n, c.poisson, u)
    value, by_m, by_sd = quadrature_single.row_sums(at, sd, y, n, c.poisson, u, x[:, 0], log_w)
    return Rows(value, np.stack([by_m, by_sd], axis=1), u[:, None])


def _mode_derivatives(
    c: Counts,
    b: FloatArray,
    u: FloatArray,
    mean: FloatArray,
    w2: FloatArray,
    info: FloatArray,
    inv: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return derivatives in (m, lam) of the mode, of C = L^-T, and of log|L|."""
    r, j, q = b.shape
    d = j + q
    direct = np.zeros((r, j, d))
    direct[:, np.arange(j), np.arange(j)] = 1.0
    direct[:, :, j:] = c.z * u[:, None, :]
    rhs = -np.einsum("rja,rj,rjd->rad", b, w2, direct)
    rhs[:, np.arange(q), j + np.arange(q)] += np.einsum("rjc,rj->rc", c.z, c.y - c.n * mean)
    du = _solve(info, rhs)
    d_eta = direct + np.einsum("rja,rad->rjd", b, du)
    w3 = w2 if c.poisson else w2 * (1 - 2 * mean)
    d_info = np.einsum("rja,rjb,rj,rjd->rabd", b, b, w3, d_eta, optimize=False)
    cross = np.einsum("rja,rjb,rj->rab", c.z, b, w2)
    for a in range(q):
        d_info[:, a, :, j + a] += cross[:, a]
        d_info[:, :, a, j + a] += cross[:, a]
    scaled = np.einsum("rae,refd,rbf->rabd", inv, d_info, inv)
    half = np.tril(np.ones((q, q))) - 0.5 * np.eye(q)
    phi = scaled * half[None, :, :, None]
    d_inv_t = -np.einsum("rabd,rbe->read", phi, inv)
    return du, d_inv_t, np.einsum("raad->rd", phi)


def _gradient(
    c: Counts,
    b: FloatArray,
    nodes: FloatArray,
    x: FloatArray,
    share: FloatArray,
    resid: FloatArray,
    du: FloatArray,
    d_inv_t: FloatArray,
    trace: FloatArray,
) -> FloatArray:
    weighted = share[:, :, None] * resid
    slope = np.einsum("rjq,rmj->rmq", b, weighted) - share[:, :, None] * nodes
    by_m = weighted.sum(1)
    by_lam = np.einsum("rjc,rmj,rmc->rc", c.z, weighted, nodes)
    moved = np.einsum("rmq,rqd->rd", slope, du)
    outer = np.einsum("rma,mb->rab", slope, x)
    spread = np.sqrt(2) * np.einsum("rab,rabd->rd", outer, d_inv_t)
    return np.asarray(np.concatenate([by_m, by_lam], axis=1) + moved + spread - trace)


def curvature(
    m: FloatArray,
    lam: FloatArray,
    c: Counts,
    points: int,
    mode: FloatArray,
    fine: bool = True,
) -> FloatArray:
    """Return the second derivatives of each row in (m, lam), shape (r, D, D).

    Central differences of the analytic gradient, all perturbations in one call: of fourth order
    when `fine`, of second order for the steps of a search.
    """
    r, j = m.shape
    d = j + lam.shape[1]
    if not lam.any():
        return _curvature_at_zero(m, c)
    signs = np.array([1.0, -1.0, 2.0, -2.0] if fine else [1.0, -1.0])
    shift = np.zeros((d, len(signs), d))
    shift[np.arange(d), :, np.arange(d)] = signs * DIFF_STEP
    shift = shift.reshape(-1, 1, d)
    at = np.concatenate([m, lam], axis=1) + shift
    at = at.reshape(-1, d)
    times = len(shift)
    rows = marginal(at[:, :j], at[:, j:], c.tile(times), points, np.tile(mode, (times, 1)))
    g = rows.grad.reshape(d, len(signs), r, d)
    if fine:
        out = (8 * (g[:, 0] - g[:, 1]) - (g[:, 2] - g[:, 3])) / (12 * DIFF_STEP)
    else:
        out = (g[:, 0] - g[:, 1]) / (2 * DIFF_STEP)
    out = np.moveaxis(out, 0, 1)
    return np.asarray((out + np.swapaxes(out, 1, 2)) / 2)


def _curvature_at_zero(m: FloatArray, c: Counts) -> FloatArray:
    """Return the second derivatives where all standard deviations are zero, in closed form."""
    r, j, q = c.z.shape
    _, mean = _cumulants(m, c.poisson)
    w2 = c.n * (mean if c.poisson else mean * (1 - mean))
    out = np.zeros((r, j + q, j + q))
    out[:, np.arange(j), np.arange(j)] = -w2
    score = np.einsum("rjc,rj->rc", c.z, c.y - c.n * mean)
    out[:, j + np.arange(q), j + np.arange(q)] = score**2 - np.einsum("rjc,rj->rc", c.z**2, w2)
    return out


def constants(c: Counts) -> float:
    """Return the part of the log likelihood that no parameter touches."""
    if c.poisson:
        return float(-gammaln(c.y + 1).sum())
    return float((gammaln(c.n + 1) - gammaln(c.y + 1) - gammaln(c.n - c.y + 1)).sum())


def saturated(c: Counts) -> float:
    """Return the log likelihood without constants when every arm has its own rate.

    For Poisson counts the exposure cancels in differences as long as the offsets in `m` are the
    same, so ``y log y - y`` is used: `m` must then hold log exposure.
    """
    if c.poisson:
        y = c.y[c.y > 0]
        return float((y * np.log(y)).sum() - c.y.sum())
    total = 0.0
    for x in (c.y, c.n - c.y):
        use = x > 0
        total += float((x[use] * np.log(x[use] / c.n[use])).sum())
    return total
