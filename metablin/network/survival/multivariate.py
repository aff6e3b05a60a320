"""Networks of several outcomes at once: vectors of effects with their covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import ConvergenceError, DataError
from metablin.network.fit import NAN, NetworkFit
from metablin.network.records import Block, Network
from metablin.numerics.inference import chi2_tail, critical, joint_test, two_sided
from metablin.records import Record, freeze, json_dict

__all__ = ["MultivariateFit", "MultivariateNetwork", "VectorBlock", "multivariate_pool"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class VectorBlock:
    """One study with several outcomes.

    Attributes
    ----------
    study : str
    arms : tuple of int
        As in :class:`metablin.network.records.Block`.
    y : ndarray, shape (r, p)
        Effects of ``arms[1:]`` against ``arms[0]`` on p outcomes; NaN where a study has none.
    cov : ndarray, shape (r p, r p)
        Their covariance, flattened arm by arm.
    between : ndarray, shape (r p, r p)
        The part of it that comes from the reconstruction of patients.
    """

    study: str
    arms: tuple[int, ...]
    y: FloatArray
    cov: FloatArray
    between: FloatArray

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultivariateNetwork(Record):
    """Studies with vectors of effects.

    Attributes
    ----------
    treatments : tuple of str
    outcomes : tuple of str
        Names of the p outcomes.
    transforms : tuple of str
        ``log`` or ``none`` for each.
    blocks : tuple of VectorBlock
    excluded : tuple of (study, reason)
    """

    treatments: tuple[str, ...]
    outcomes: tuple[str, ...]
    transforms: tuple[str, ...]
    blocks: tuple[VectorBlock, ...]
    excluded: tuple[tuple[str, str], ...] = ()

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.blocks)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study, contrast with its first arm, and outcome."""
        rows = []
        p = len(self.outcomes)
        for b in self.blocks:
            se = np.sqrt(np.diag(b.cov)).reshape(-1, p)
            extra = np.diag(b.between).reshape(-1, p)
            for i, j in np.ndindex(b.y.shape):
                if math.isnan(b.y[i, j]):
                    continue
                rows.append({
                    "study": b.study, "treat1": self.treatments[b.arms[i + 1]],
                    "treat2": self.treatments[b.arms[0]], "outcome": self.outcomes[j],
                    "yi": b.y[i, j], "std_error": se[i, j],
                    "reconstruction_share": extra[i, j] / se[i, j] ** 2,
                })  # fmt: skip
        return pd.DataFrame(rows)

    def outcome(self, name: str) -> Network:
        """Return the network of one outcome."""
        j = self.outcomes.index(choice("outcome", name, self.outcomes))
        p = len(self.outcomes)
        blocks = []
        for b in self.blocks:
            if np.isnan(b.y[:, j]).any():
                continue
            at = np.arange(len(b.y)) * p + j
            blocks.append(Block(b.study, b.arms, b.y[:, j].copy(), b.cov[np.ix_(at, at)].copy()))
        measure = "hr" if self.transforms[j] == "log" else "generic"
        return Network(self.treatments, measure, self.transforms[j], tuple(blocks))

    def summary(self) -> str:
        """Return the network in words."""
        lines = [
            f"Network of {len(self.treatments)} treatments, {self.k} studies, outcomes: "
            f"{', '.join(self.outcomes)}",
            *(f"Excluded: {s} ({why})" for s, why in self.excluded),
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultivariateFit(Record):
    """A fitted network of several outcomes.

    Attributes
    ----------
    network : MultivariateNetwork
    model : str
        ``common`` or ``random``.
    level : float
    reference : str or None
    d : ndarray, shape (t, p)
        Effects against the first treatment, which is 0.
    cov : ndarray, shape (t p, t p)
        Covariance of the effects flattened treatment by treatment.
    between : ndarray, shape (t p, t p)
        The part of it that comes from the reconstruction of patients.
    sigma : ndarray, shape (p, p)
        Covariance between studies of the outcomes of one comparison.
    q, q_df, q_p : float
        Q at the common-effect weights.
    """

    network: MultivariateNetwork
    model: str
    level: float
    reference: str | None
    d: FloatArray
    cov: FloatArray
    between: FloatArray
    sigma: FloatArray
    q: float
    q_df: int
    q_p: float
    extra: dict[str, Any] = field(default_factory=dict)

    def outcome(self, name: str) -> NetworkFit:
        """Return effects, ranking and league of one outcome, as estimated with the others."""
        n = self.network
        j = n.outcomes.index(choice("outcome", name, n.outcomes))
        p = len(n.outcomes)
        at = np.arange(len(n.treatments)) * p + j
        random = self.model == "random"
        return NetworkFit(
            n.outcome(name), self.model, "REML" if random else None, "z", self.level,
            self.reference, self.d[:, j].copy(), self.cov[np.ix_(at, at)].copy(), math.inf,
            float(self.sigma[j, j]) if random else 0.0, NAN, NAN, NAN, NAN, NAN,
        )  # fmt: skip

    def contrast(self, treat1: str, treat2: str) -> tuple[FloatArray, FloatArray]:
        """Return the vector of effects of one treatment against another, and its covariance."""
        y, c = self._contrast(treat1, treat2)
        return y, c @ self.cov @ c.T

    def _contrast(self, treat1: str, treat2: str) -> tuple[FloatArray, FloatArray]:
        names, p = self.network.treatments, len(self.network.outcomes)
        i, j = (names.index(choice(c, t, names)) for c, t in
                (("treat1", treat1), ("treat2", treat2)))  # fmt: skip
        c = np.zeros((p, len(names) * p))
        c[:, i * p : (i + 1) * p] += np.eye(p)
        c[:, j * p : (j + 1) * p] -= np.eye(p)
        return self.d[i] - self.d[j], c

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair and outcome, with the share of variance from reconstruction."""
        rows = []
        crit = float(critical(self.level, math.inf))
        for a, b in combinations(self.network.treatments, 2):
            first, second = (b, a) if a == self.reference else (a, b)
            y, c = self._contrast(first, second)
            v, extra = np.diag(c @ self.cov @ c.T), np.diag(c @ self.between @ c.T)
            for j, name in enumerate(self.network.outcomes):
                se = math.sqrt(v[j])
                ends = np.array([y[j], y[j] - crit * se, y[j] + crit * se])
                if self.network.transforms[j] == "log":
                    ends = np.exp(ends)
                rows.append({
                    "treat1": first, "treat2": second, "outcome": name, "estimate": ends[0],
                    "std_error": se, "statistic": y[j] / se,
                    "p_value": float(two_sided(y[j] / se, math.inf)), "conf_low": ends[1],
                    "conf_high": ends[2], "conf_level": self.level,
                    "reconstruction_share": extra[j] / v[j],
                })  # fmt: skip
        return pd.DataFrame(rows)

    def test(self, outcomes: tuple[str, ...]) -> dict[str, float]:
        """Return the Wald test that no treatment differs in the named outcomes."""
        p = len(self.network.outcomes)
        which = [self.network.outcomes.index(choice("outcome", o, self.network.outcomes))
                 for o in outcomes]  # fmt: skip
        at = [t * p + j for t in range(1, len(self.network.treatments)) for j in which]
        q, p_value = joint_test(self.d.ravel()[at], self.cov[np.ix_(at, at)])
        return {"q": q, "df": len(at), "p_value": p_value}

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        return json_dict(
            {
                "model": self.model,
                "treatments": list(self.network.treatments),
                "outcomes": list(self.network.outcomes),
                "k": self.network.k,
                "sigma": self.sigma,
                "q": self.q,
                "q_df": self.q_df,
                "q_p": self.q_p,
                "effects": self.to_frame(),
                **self.extra,
            }
        )

    def summary(self) -> str:
        """Return the result in words."""
        spread = ", ".join(
            f"{n} {math.sqrt(s):.3g}"
            for n, s in zip(self.network.outcomes, np.diag(self.sigma), strict=True)
        )
        return (
            f"{self.model.capitalize()}-effects network of {len(self.network.outcomes)} outcomes, "
            f"{self.network.k} studies; between studies (standard deviation): {spread}\n"
            + self.to_frame().to_string(index=False, float_format="{:.4g}".format)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """What a study gives: effects, covariance, design, and which entries there are."""

    y: FloatArray
    v: FloatArray
    between: FloatArray
    x: FloatArray
    half: FloatArray
    there: NDArray[np.bool_]

    def covariance(self, sigma: FloatArray) -> FloatArray:
        whole = self.v + np.kron(self.half, sigma)[np.ix_(self.there, self.there)]
        return np.asarray(whole)


def multivariate_pool(
    n: MultivariateNetwork,
    *,
    model: str = "random",
    reference: str | None = None,
    level: float = 0.95,
) -> MultivariateFit:
    """Pool a network of several outcomes, which borrow from each other through their covariance.

    Parameters
    ----------
    n : MultivariateNetwork
    model : {"random", "common"}
        With a covariance between studies, by restricted maximum likelihood, or none.
    reference : str, optional
        Treatment that stands second in its comparisons.
    level : float

    Returns
    -------
    MultivariateFit

    Raises
    ------
    DataError
        For a disconnected network or an unknown reference.
    ConvergenceError
        When the likelihood of the covariance has no maximum.

    References
    ----------
    Jackson D, Riley R, White IR (2011). Multivariate meta-analysis: potential and promise.
    doi:10.1002/sim.4172
    Efthimiou O and others (2015), networks of several outcomes. doi:10.1093/biostatistics/kxu038
    """
    model = choice("model", model, ("random", "common"))
    level = check_level(level)
    frame = Network(
        n.treatments,
        "generic",
        "none",
        tuple(Block(b.study, b.arms, b.y[:, 0], np.eye(len(b.y))) for b in n.blocks),
    )
    if not frame.connected:
        raise DataError(frame.describe_parts(), column="treatment")
    name = None if reference is None else n.treatments[frame.position(reference)]
    p, t = len(n.outcomes), len(n.treatments)
    studies = [_study(b, t, p) for b in n.blocks]
    size = sum(len(s.y) for s in studies)
    free = size - (t - 1) * p
    zero = np.zeros((p, p))
    _, q, _, _ = _gls(studies, zero)
    sigma = zero
    if model == "random" and free > 0:
        sigma = _sigma(studies, p)
    beta, _, cov, between = _gls(studies, sigma)
    d = np.zeros((t, p))
    d[1:] = beta.reshape(t - 1, p)
    full, extra = np.zeros((t * p, t * p)), np.zeros((t * p, t * p))
    full[p:, p:], extra[p:, p:] = cov, between
    return MultivariateFit(n, model, level, name, d, full, extra, sigma, q if free else 0.0, free,
                           float(chi2_tail(q, free)))  # fmt: skip


def _study(b: VectorBlock, t: int, p: int) -> _Study:
    r = len(b.arms) - 1
    arms = np.zeros((r, t))
    arms[np.arange(r), list(b.arms[1:])] = 1.0
    arms[:, b.arms[0]] -= 1.0
    x = np.asarray(np.kron(arms[:, 1:], np.eye(p)), dtype=np.float64)
    there = ~np.isnan(b.y.ravel())
    grid = np.ix_(there, there)
    return _Study(b.y.ravel()[there], b.cov[grid], b.between[grid], x[there],
                  (np.eye(r) + 1) / 2, there)  # fmt: skip


def _gls(
    studies: list[_Study], sigma: FloatArray
) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    """Return effects, Q, covariance, and the part of it from reconstruction."""
    size = studies[0].x.shape[1]
    info, score, carried = np.zeros((size, size)), np.zeros(size), np.zeros((size, size))
    for s in studies:
        w = np.asarray(np.linalg.inv(s.covariance(sigma)), dtype=np.float64)
        xw = s.x.T @ w
        info, score = info + xw @ s.x, score + xw @ s.y
        carried = carried + xw @ s.between @ xw.T
    if np.linalg.cond(info) > 1e14:
        raise DataError("an outcome does not tie all treatments", column="outcome",
                        allowed="outcomes of which the network is connected")  # fmt: skip
    cov = np.linalg.inv(info)
    beta = cov @ score
    q = 0.0
    for s in studies:
        r = s.y - s.x @ beta
        q += float(r @ np.linalg.solve(s.covariance(sigma), r))
    return np.asarray(beta), q, np.asarray(cov, dtype=np.float64), np.asarray(cov @ carried @ cov)


def _deviance(studies: list[_Study], sigma: FloatArray) -> float:
    """Return minus twice the restricted log likelihood, less constants."""
    size = studies[0].x.shape[1]
    info, score = np.zeros((size, size)), np.zeros(size)
    logs = square = 0.0
    for s in studies:
        low = np.linalg.cholesky(s.covariance(sigma))
        z = np.linalg.solve(low, np.column_stack([s.x, s.y]))
        logs += 2 * float(np.log(np.diag(low)).sum())
        info, score = info + z[:, :-1].T @ z[:, :-1], score + z[:, :-1].T @ z[:, -1]
        square += float(z[:, -1] @ z[:, -1])
    beta = np.linalg.solve(info, score)
    return logs + float(np.linalg.slogdet(info)[1]) + square - float(score @ beta)


def _sigma(studies: list[_Study], p: int) -> FloatArray:
    """Return the covariance between studies of restricted maximum likelihood.

    In its Cholesky factor, scaled by the outcomes' typical standard errors, the search has no
    border; a factor of zero is a stationary point, so it starts from outside and zero is compared.
    """
    sd = _typical(studies, p)
    place = np.tril_indices(p)

    def sigma_of(theta: FloatArray) -> FloatArray:
        low = np.zeros((p, p))
        low[place] = theta
        low = low * sd[:, None]
        return np.asarray(low @ low.T)

    best, value = np.zeros((p, p)), _deviance(studies, np.zeros((p, p)))
    for start in (0.3, 1.0):
        theta = np.eye(p)[place] * start
        found = optimize.minimize(lambda th: _deviance(studies, sigma_of(th)), theta,
                                  method="BFGS", options={"gtol": 1e-7})  # fmt: skip
        if not np.isfinite(found.fun):
            raise ConvergenceError(
                "the likelihood of the covariance between studies has no maximum"
            )
        if found.fun < value - 1e-9:
            best, value = sigma_of(found.x), float(found.fun)
    return best


def _typical(studies: list[_Study], p: int) -> FloatArray:
    """Return a typical standard error of every outcome."""
    found: list[list[float]] = [[] for _ in range(p)]
    for s in studies:
        which = np.flatnonzero(s.there) % p
        for j, v in zip(which, np.diag(s.v), strict=True):
            found[j].append(float(v))
    return np.array([math.sqrt(float(np.median(f))) if f else 1.0 for f in found])
