"""Cox's partial likelihood with Efron or Breslow ties, strata, weights and late entry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.errors import ConvergenceError
from metablin.numerics.partial import tied
from metablin.survival.patients import Patients

__all__ = [
    "PartialFit",
    "Rows",
    "Stratum",
    "evaluate",
    "maximise",
    "score_residuals",
    "strata_of",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

MAX_ITER = 60
TOLERANCE = 1e-11
"""Newton's decrement (twice the gain still to be had in the log-likelihood)."""

MONOTONE = 15.0
"""A coefficient times the covariate's range beyond this means the likelihood has no maximum."""


FLAT = 1e-5
"""So does information that has fallen to this share of its value at zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """One stratum, sorted by time, with everything that does not depend on the coefficients.

    Attributes
    ----------
    x : ndarray, shape (n, p)
    w : ndarray, shape (n,)
    entry_order : ndarray of int, shape (n,), or None
        Patients by entry time.
    times : ndarray, shape (m,)
        Distinct event times.
    first : ndarray of int, shape (m,)
        First patient whose follow-up reaches each event time.
    first_entry : ndarray of int, shape (m,), or None
        First patient, in entry order, who enters at or after each event time.
    deaths : ndarray of int, shape (d,)
        Patients with an event.
    starts : ndarray of int, shape (m,)
        Where each event time's deaths start in ``deaths``.
    row : ndarray of int, shape (r,)
        Event time of each term of the likelihood: one a death.
    fraction : ndarray, shape (r,)
        Efron's share of the tied deaths already gone; 0 with Breslow's method.
    weight : ndarray, shape (r,)
        Mean weight of the tied deaths.
    """

    x: FloatArray
    w: FloatArray
    entry_order: IntArray | None
    times: FloatArray
    first: IntArray
    first_entry: IntArray | None
    deaths: IntArray
    starts: IntArray
    row: IntArray
    fraction: FloatArray
    weight: FloatArray


def strata_of(p: Patients, x: FloatArray, codes: IntArray | None, ties: str) -> tuple[Stratum, ...]:
    """Sort each stratum; strata without events add nothing and are left out."""
    if codes is None:
        return (_stratum(p, x, ties),)
    parts = [codes == s for s in np.unique(codes)]
    return tuple(_stratum(p.take(k), x[k], ties) for k in parts if p.event[k].any())


def _stratum(p: Patients, x: FloatArray, ties: str) -> Stratum:
    order = np.argsort(p.time, kind="stable")
    t, w = p.time[order], p.w[order]
    deaths = np.flatnonzero(p.event[order] == 1.0)
    times, starts, d = np.unique(t[deaths], return_index=True, return_counts=True)
    row, fraction = tied(d)
    entry_order = first_entry = None
    if p.entry is not None:
        entry = np.where(p.entry > 0.0, p.entry, -1.0)[order]
        entry_order = np.argsort(entry, kind="stable")
        first_entry = np.searchsorted(entry[entry_order], times, side="left")
    return Stratum(
        x=x[order],
        w=w,
        entry_order=entry_order,
        times=times,
        first=np.searchsorted(t, times, side="left"),
        first_entry=first_entry,
        deaths=deaths,
        starts=starts,
        row=row,
        fraction=fraction if ties == "efron" else np.zeros_like(fraction),
        weight=(np.add.reduceat(w[deaths], starts) / d)[row],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Terms of one stratum's likelihood.

    ``log_risk`` (r,) is the log of the summed hazard ratios at risk, ``mean`` (r, p) and
    ``variance`` (r, p, p) are the moments of x at risk.
    """

    loglik: float
    log_risk: FloatArray
    mean: FloatArray
    variance: FloatArray


def evaluate(s: Stratum, beta: FloatArray) -> Rows:
    """Return the log-likelihood of a stratum and the moments of x in each risk set.

    References
    ----------
    Efron B (1977). The efficiency of Cox's likelihood function for censored data. J Am Stat
    Assoc 72:557-565. doi:10.1080/01621459.1977.10480613
    """
    eta = s.x @ beta
    shift = float(eta.max())
    risk = s.w * np.exp(eta - shift)
    n, p = s.x.shape
    powers = np.empty((n, 1 + p + p * p))
    powers[:, 0] = risk
    powers[:, 1 : 1 + p] = risk[:, None] * s.x
    powers[:, 1 + p :] = (powers[:, 1 : 1 + p, None] * s.x[:, None, :]).reshape(n, p * p)
    sums = np.cumsum(powers[::-1], axis=0)[::-1][s.first]
    if s.entry_order is not None and s.first_entry is not None:
        late = np.cumsum(powers[s.entry_order][::-1], axis=0)[::-1]
        sums = sums - np.vstack([late, np.zeros_like(late[:1])])[s.first_entry]
    tied = np.add.reduceat(powers[s.deaths], s.starts, axis=0)
    terms = sums[s.row] - s.fraction[:, None] * tied[s.row]
    # On the way to an infinite coefficient a risk set can vanish; `maximise` then gives up.
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = terms[:, 1 : 1 + p] / terms[:, :1]
        second = (terms[:, 1 + p :] / terms[:, :1]).reshape(-1, p, p)
        logs = np.log(terms[:, 0]) + shift
    loglik = float(s.w[s.deaths] @ eta[s.deaths] - s.weight @ logs)
    return Rows(loglik, logs, mean, second - mean[:, :, None] * mean[:, None, :])


def score_residuals(
    p: Patients, x: FloatArray, codes: IntArray | None, ties: str, beta: FloatArray
) -> FloatArray:
    """Return each patient's share of the score at `beta`, (n, p); the shares add up to it.

    Tied deaths are treated as in the likelihood, so that the sandwich variance of Efron's method
    is that of R's ``coxph``.

    Parameters
    ----------
    p : Patients
        Seen from time 0.
    x : ndarray, shape (n, p)
    codes : ndarray of int, shape (n,), or None
        Strata.
    ties : str
    beta : ndarray, shape (p,)

    References
    ----------
    Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model. J Am Stat
    Assoc 84:1074-1078. doi:10.1080/01621459.1989.10478874
    """
    out = np.zeros_like(x)
    codes = np.zeros(p.n, dtype=np.intp) if codes is None else codes
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        part = p.take(at)
        if part.event.any():
            order = at[np.argsort(part.time, kind="stable")]
            out[order] = _shares(_stratum(part, x[at], ties), p.time[order], beta)
    return out


def _shares(s: Stratum, time: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the score residuals of one stratum, in the order of time."""
    rows = evaluate(s, beta)
    hazard = s.weight * np.exp(-rows.log_risk)
    steps = np.column_stack([hazard, hazard[:, None] * rows.mean])
    gone = np.column_stack([steps * s.fraction[:, None], rows.mean])
    # Baseline hazard, and the same times the mean of x, up to and with each time of death.
    paths = np.cumsum(np.add.reduceat(steps, s.starts), axis=0)
    last = np.searchsorted(s.times, time, side="right")
    seen = np.vstack([np.zeros(paths.shape[1]), paths])[last]
    died = last[s.deaths] - 1
    tied = np.diff(np.r_[s.starts, s.row.size])[:, None]
    own = np.add.reduceat(gone, s.starts)
    # A death counts in its own time's risk sets only until it is gone itself.
    k = s.x.shape[1]
    seen[s.deaths] -= own[died, : k + 1]
    shares = -np.exp(s.x @ beta)[:, None] * (s.x * seen[:, :1] - seen[:, 1:])
    shares[s.deaths] += s.x[s.deaths] - (own[:, k + 1 :] / tied)[died]
    return np.asarray(shares * s.w[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class PartialFit:
    """Maximum of the partial likelihood, with the value, score and information at zero."""

    beta: FloatArray
    information: FloatArray
    loglik: float
    loglik_null: float
    score_null: FloatArray
    information_null: FloatArray
    iterations: int


def _derivatives(
    strata: tuple[Stratum, ...], beta: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    p = beta.size
    loglik, score, information = 0.0, np.zeros(p), np.zeros((p, p))
    for s in strata:
        rows = evaluate(s, beta)
        loglik += rows.loglik
        score += s.w[s.deaths] @ s.x[s.deaths] - s.weight @ rows.mean
        information += np.einsum("r,rij->ij", s.weight, rows.variance)
    return loglik, score, information


def maximise(strata: tuple[Stratum, ...]) -> PartialFit:
    """Maximise the partial likelihood by Newton's method with step halving.

    Raises
    ------
    ConvergenceError
        When the likelihood has no finite maximum (a group without events, say), or the
        covariates are collinear.
    """
    p = strata[0].x.shape[1]
    centre = [s.x.mean(axis=0) for s in strata]
    strata = tuple(_shifted(s, c) for s, c in zip(strata, centre, strict=True))
    spread = np.max([np.ptp(s.x, axis=0) for s in strata], axis=0)
    beta = np.zeros(p)
    loglik, score, information = null = _derivatives(strata, beta)
    if np.linalg.eigvalsh(information)[0] <= 1e-12 * np.trace(information):
        raise ConvergenceError("the hazard ratio is not estimable: covariates do not vary at risk")
    for iteration in range(1, MAX_ITER + 1):
        step = np.linalg.solve(information, score)
        if float(score @ step) < TOLERANCE:
            beta = beta + step
            if np.max(np.abs(beta) * spread) > MONOTONE:
                break
            loglik, _, information = _derivatives(strata, beta)
            if np.any(np.diag(information) < FLAT * np.diag(null[2])):
                break
            return PartialFit(beta, information, loglik, null[0], null[1], null[2], iteration)
        for _ in range(40):
            found = _derivatives(strata, beta + step)
            if found[0] >= loglik - 1e-10 * abs(loglik):
                break
            step = step / 2.0
        beta = beta + step
        loglik, score, information = found
        if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 0.0:
            break
    raise ConvergenceError(
        "the hazard ratio is not estimable: the partial likelihood has no finite maximum "
        "(a group without events, or events in complete order?)"
    )


def _shifted(s: Stratum, centre: FloatArray) -> Stratum:
    """Return the stratum with centred covariates, which changes no estimate and no test."""
    return Stratum(
        s.x - centre,
        s.w,
        s.entry_order,
        s.times,
        s.first,
        s.first_entry,
        s.deaths,
        s.starts,
        s.row,
        s.fraction,
        s.weight,
    )
