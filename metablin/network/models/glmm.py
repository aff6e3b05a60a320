"""Networks with the exact likelihood of the arms: binomial-normal and Poisson-normal models.

Arm j of study i has linear predictor mu_i + d_j + u_ij: a fixed study effect, the treatment, and a
normal study-by-treatment effect u with contrasts of variance tau2 and covariance tau2/2. The u of a
study sum to zero (the rest is in mu_i), so that no arm is a base; for two arms this is the coding
of -1/2 and +1/2 of Turner (2000). Integrals over u by adaptive Gauss-Hermite quadrature.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from metablin._input import choice, one
from metablin.errors import ConvergenceError, DataError
from metablin.network.fit import NAN, NetworkFit
from metablin.network.records import Network

__all__ = ["Group", "fit_glmm", "log_likelihood"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

POINTS = {1: 21, 2: 11, 3: 7, 4: 5, 5: 5, 6: 3}
"""Quadrature points a dimension, by the number of contrasts of a study."""

MAX_STEPS = 100
DECREMENT = 1e-12
"""Newton stops when the next step raises the log likelihood by less than this."""

NO_HETEROGENEITY = 1e-5
"""A tau that Newton brings below this is zero: the likelihood is flat there to rounding."""

FAR = 15.0
"""A log odds or rate ratio beyond this has run off to infinity."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Studies with the same number of arms.

    Attributes
    ----------
    index : ndarray of int, shape (s,)
        Position of the study effects.
    arms : ndarray of int, shape (s, a)
        Treatments.
    x, size : ndarray, shape (s, a)
        Events, and patients or time at risk.
    """

    index: IntArray
    arms: IntArray
    x: FloatArray
    size: FloatArray


@dataclass(slots=True, eq=False)
class _State:
    """Parameters, the log likelihood with its derivatives."""

    theta: FloatArray
    value: float
    gradient: FloatArray = field(default_factory=lambda: np.zeros(0))
    hessian: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    groups: tuple[Group, ...]
    studies: int
    treatments: int
    family: str
    random: bool
    points: int | None

    @property
    def size(self) -> int:
        return self.studies + self.treatments - 1 + self.random


def fit_glmm(
    network: Network,
    ci: str,
    level: float,
    reference: str | None,
    random: bool = True,
    points: int | None = None,
) -> NetworkFit:
    """Fit the binomial-normal (``or``) or Poisson-normal (``rate``) network by maximum likelihood.

    Parameters
    ----------
    random : bool
        False leaves the study-by-treatment effects out: logistic or Poisson regression on study
        and treatment.
    points : int, optional
        Quadrature points a dimension; by default 21 for two arms, 11 for three, 7 for four.

    Raises
    ------
    DataError
        For another measure, or a treatment without any event (its effect is infinite).
    ConvergenceError
        When effects run off to infinity or the likelihood still rises after the last step.

    References
    ----------
    Simmonds MC, Higgins JPT (2016). A general framework for the use of logistic regression models
    in meta-analysis. doi:10.1177/0962280214534409
    Turner RM and others (2000). A multilevel model framework for meta-analysis of clinical trials
    with binary outcomes. doi:10.1002/1097-0258(20001230)19:24<3417
    """
    choice("ci", ci, ("z",))
    model, dropped = _model(network, random, points)
    state = _maximise(model, _start(model))
    tau2 = float(state.theta[-1] ** 2) if random else 0.0
    where = slice(model.studies, model.studies + model.treatments - 1)
    if np.abs(state.theta[where]).max() > FAR:
        worst = network.treatments[1 + int(np.abs(state.theta[where]).argmax())]
        raise ConvergenceError(f"the effect of {worst} runs off to infinity: too few events")
    size = model.treatments
    d, cov = np.zeros(size), np.zeros((size, size))
    d[1:] = state.theta[where]
    cov[1:, 1:] = _covariance(state, model)[where, where]
    notes: tuple[str, ...] = ()
    if dropped:
        notes = (f"no information in {len(dropped)} without an event or with nothing else: "
                 f"{', '.join(dropped[:5])}",)  # fmt: skip
    return NetworkFit(
        network, "glmm", "ML" if random else None, ci, level, reference, d, cov, math.inf,
        tau2 if random else 0.0, NAN, NAN, NAN, NAN, NAN, notes,
        {"log_likelihood": state.value, "family": model.family},
    )  # fmt: skip


def _model(network: Network, random: bool, points: int | None) -> tuple[_Model, list[str]]:
    families = {"or": "binomial", "rate": "poisson"}
    if network.measure not in families or network.arms is None:
        raise DataError(
            "the exact likelihood needs counts of arms",
            column="measure",
            value=network.measure,
            allowed="or (events, n) | rate (events, person_time)",
        )
    family = families[network.measure]
    arms = network.arms
    x = arms.columns["events"]
    size = arms.columns["n" if family == "binomial" else "person_time"]
    if points is not None:
        points = int(one("points", points, minimum=1, maximum=101, integer=True))
    dropped: list[tuple[str, IntArray]] = []
    kept: list[tuple[str, IntArray]] = []
    for s, label in enumerate(arms.labels):
        at = np.flatnonzero(arms.study == s)
        full = family == "binomial" and bool((x[at] == size[at]).all())
        (dropped if full or not x[at].any() else kept).append((label, at))
    _check_treatments(network, x, size, family, [at for _, at in kept])
    by_arms: dict[int, list[tuple[int, IntArray]]] = {}
    for position, (_, at) in enumerate(kept):
        by_arms.setdefault(len(at), []).append((position, at))
    groups = []
    for _, studies in sorted(by_arms.items()):
        at = np.stack([a for _, a in studies])
        index = np.array([i for i, _ in studies], dtype=np.intp)
        groups.append(Group(index, arms.treatment[at], x[at], size[at]))
    model = _Model(tuple(groups), len(kept), len(network.treatments), family, bool(random), points)
    return model, [label for label, _ in dropped]


def _check_treatments(
    network: Network, x: FloatArray, size: FloatArray, family: str, kept: list[IntArray]
) -> None:
    assert network.arms is not None
    at = np.concatenate(kept) if kept else np.zeros(0, dtype=np.intp)
    for t, name in enumerate(network.treatments):
        here = at[network.arms.treatment[at] == t]
        if not x[here].any():
            raise DataError(
                "no event in any arm of the treatment, so its effect is infinite",
                column="events",
                value=name,
                allowed="treatments with events",
            )
        if family == "binomial" and (x[here] == size[here]).all():
            raise DataError("every patient of the treatment had the event, so its effect is "
                            "infinite", column="events", value=name)  # fmt: skip


def _start(model: _Model) -> FloatArray:
    """Return crude log odds or rates of studies, no effects, and a middling tau."""
    theta = np.zeros(model.size)
    for g in model.groups:
        share = (g.x.sum(1) + 0.5) / (g.size.sum(1) + (1.0 if model.family == "binomial" else 0.0))
        theta[g.index] = special.logit(share) if model.family == "binomial" else np.log(share)
    if model.random:
        theta[-1] = 0.3
    return theta


@lru_cache(maxsize=16)
def _basis(arms: int) -> FloatArray:
    """Return an orthonormal basis of effects that sum to zero, over sqrt(2), (arms, arms - 1)."""
    return np.asarray(linalg.helmert(arms).T / math.sqrt(2))


@lru_cache(maxsize=32)
def _nodes(dimension: int, points: int) -> tuple[FloatArray, FloatArray]:
    """Return standard normal nodes (q, dimension) and log weights + z'z/2 (q,)."""
    z, w = np.polynomial.hermite_e.hermegauss(points)
    nodes = np.array(list(itertools.product(z, repeat=dimension)))
    logs = np.array([sum(p) for p in itertools.product(np.log(w), repeat=dimension)])
    return nodes, logs + (nodes**2).sum(1) / 2 - dimension / 2 * math.log(2 * math.pi)


def _kernel(
    family: str, x: FloatArray, size: FloatArray, eta: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log likelihood (less constants), score and information in eta."""
    if family == "binomial":
        p = special.expit(eta)
        return x * eta - size * np.logaddexp(0.0, eta), x - size * p, size * p * (1 - p)
    mean = size * np.exp(eta)
    return x * eta - mean, x - mean, mean


def _mode(model: _Model, g: Group, base: FloatArray, tau: float) -> tuple[FloatArray, FloatArray]:
    """Return the modes (s, r) of the studies' effects and the Cholesky factors of their spread."""
    e = _basis(g.arms.shape[1]) * tau
    r = e.shape[1]
    z = np.zeros((len(base), r))
    for _ in range(50):
        _, score, info = _kernel(model.family, g.x, g.size, base + z @ e.T)
        curve = np.eye(r) + np.einsum("aj,sa,ak->sjk", e, info, e)
        step = np.linalg.solve(curve, (score @ e - z)[..., None])[..., 0]
        step *= np.minimum(1.0, 3.0 / np.maximum(np.abs(step).max(1, keepdims=True), 1e-300))
        z = z + step
        if np.abs(step).max() < 1e-10:
            break
    return z, np.linalg.cholesky(np.linalg.inv(curve))


def _terms(model: _Model, g: Group, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log integrand at the nodes (s, q), effects there (s, q, a) over tau, and eta."""
    effects = np.concatenate([[0.0], theta[model.studies : model.studies + model.treatments - 1]])
    base = theta[g.index][:, None] + effects[g.arms]
    tau = float(theta[-1]) if model.random else 0.0
    if tau == 0.0:
        eta = base[:, None, :]
        return _kernel(model.family, g.x[:, None], g.size[:, None], eta)[0].sum(-1), 0 * eta, eta
    r = g.arms.shape[1] - 1
    nodes, logs = _nodes(r, model.points or POINTS.get(r, 3))
    mode, low = _mode(model, g, base, tau)
    z = mode[:, None, :] + np.einsum("sij,qj->sqi", low, nodes)
    log_det = np.log(np.einsum("sii->si", low)).sum(1)
    per_tau = z @ _basis(r + 1).T
    eta = base[:, None, :] + tau * per_tau
    value = _kernel(model.family, g.x[:, None], g.size[:, None], eta)[0].sum(-1)
    return value - (z**2).sum(-1) / 2 + logs + log_det[:, None], per_tau, eta


def log_likelihood(model: Any, theta: FloatArray) -> float:
    """Return the log likelihood without the constants of the counts."""
    return float(sum(special.logsumexp(_terms(model, g, theta)[0], axis=1).sum()
                     for g in model.groups))  # fmt: skip


def _derivatives(model: _Model, theta: FloatArray) -> _State:
    """Return the log likelihood with its derivatives, the nodes held where they are.

    Given the study-by-treatment effects the predictor is linear in all parameters, so the
    derivatives of the quadrature sum are moments over its nodes (Louis 1982).
    """
    state = _State(theta, 0.0, np.zeros(model.size), np.zeros((model.size, model.size)))
    for g in model.groups:
        terms, per_tau, eta = _terms(model, g, theta)
        total = special.logsumexp(terms, axis=1)
        weight = np.exp(terms - total[:, None])
        state.value += float(total.sum())
        _, score, info = _kernel(model.family, g.x[:, None], g.size[:, None], eta)
        for i in range(len(g.index)):
            at, grad, hess = _one_study(model, g, i, weight[i], per_tau[i], score[i], info[i])
            state.gradient[at] += grad
            state.hessian[np.ix_(at, at)] += hess
    return state


def _one_study(
    model: _Model, g: Group, i: int, weight: FloatArray, per_tau: FloatArray,
    score: FloatArray, info: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray]:  # fmt: skip
    """Return where a study's parameters are, and its part of gradient and Hessian."""
    arms = g.arms[i]
    count = len(arms)
    at = [int(g.index[i]), *(model.studies + int(t) - 1 for t in arms if t > 0)]
    a = np.zeros((len(weight), count, len(at) + model.random))
    a[:, :, 0] = 1.0
    for column, row in enumerate(np.flatnonzero(arms > 0), start=1):
        a[:, row, column] = 1.0
    if model.random:
        at.append(model.size - 1)
        a[:, :, -1] = per_tau
    s = np.einsum("qap,qa->qp", a, score)
    grad = weight @ s
    hess = (s * weight[:, None]).T @ s - np.outer(grad, grad)
    hess -= np.einsum("q,qap,qa,qar->pr", weight, a, info, a, optimize=True)
    return np.array(at, dtype=np.intp), grad, hess


def _maximise(model: _Model, theta: FloatArray) -> _State:
    """Climb by Newton steps, halved where they fall; tau may end at zero."""
    state = _derivatives(model, theta)
    for _ in range(MAX_STEPS):
        step = _step(state)
        gain = float(state.gradient @ step)
        if abs(gain) < DECREMENT:
            return _settle(model, state)
        state = _search(model, state, step)
        if model.random and abs(state.theta[-1]) < NO_HETEROGENEITY:
            return _settle(model, state)
        if (
            np.abs(state.theta[model.studies : model.studies + model.treatments - 1]).max()
            > 2 * FAR
        ):
            return state
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} steps")


def _step(state: _State) -> FloatArray:
    """Return Newton's step; where the likelihood is not concave, curvature is turned."""
    values, vectors = np.linalg.eigh(-state.hessian)
    values = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
    step = vectors @ ((vectors.T @ state.gradient) / values)
    return np.asarray(step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300)))


def _search(model: _Model, state: _State, step: FloatArray) -> _State:
    scale = 1.0
    for _ in range(40):
        trial = state.theta + scale * step
        if model.random and trial[-1] < 0:
            trial[-1] = 0.2 * state.theta[-1]
        if log_likelihood(model, trial) >= state.value - 1e-11 * (1 + abs(state.value)):
            return _derivatives(model, trial)
        scale /= 2
    raise ConvergenceError("no step raises the likelihood of the network")


def _settle(model: _Model, state: _State) -> _State:
    """Return the state; with a tau at rounding of zero, the one of tau = 0."""
    if not model.random or abs(state.theta[-1]) >= NO_HETEROGENEITY:
        return state
    plain = _Model(model.groups, model.studies, model.treatments, model.family, False, None)
    found = _maximise(plain, state.theta[:-1])
    return _State(np.append(found.theta, 0.0), found.value, np.append(found.gradient, 0.0),
                  linalg.block_diag(found.hessian, [[-1.0]]))  # fmt: skip


def _covariance(state: _State, model: _Model) -> FloatArray:
    try:
        low = np.linalg.cholesky(-state.hessian)
    except np.linalg.LinAlgError as error:
        raise ConvergenceError("the likelihood of the network has no maximum") from error
    return np.asarray(linalg.cho_solve((low, True), np.eye(model.size)))
