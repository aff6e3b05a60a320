"""Partial likelihood of several arms whose log hazard ratios may change with time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from metablin.errors import ConvergenceError, DataError
from metablin.numerics.partial import ArmCounts

__all__ = ["basis_of", "fit_partial"]

FloatArray = NDArray[np.float64]
Basis = Callable[[FloatArray], FloatArray]

MAX_STEPS = 60
STEP = 1e-9
FAR = 12.0
"""A log hazard ratio beyond this has run off to infinity."""


def basis_of(shape: str) -> tuple[Basis, tuple[str, ...]]:
    """Return the functions of time in a log hazard ratio, and their names.

    Parameters
    ----------
    shape : str
        ``constant``; ``log`` (1, log t); ``fp:p`` (1, t^p; p = 0 is the logarithm); ``fp:p,q``
        (1, t^p, t^q; t^p and t^p log t when p = q); ``piecewise:a,b`` (one value up to a, one to
        b, one after).

    Raises
    ------
    DataError
        For another shape.

    References
    ----------
    Jansen JP (2011). Network meta-analysis of survival data with fractional polynomials, eq. 3
    to 6. doi:10.1186/1471-2288-11-61

    Examples
    --------
    >>> g, names = basis_of("fp:0,1")
    >>> names, g(np.array([1.0, 2.0])).round(3).tolist()
    (('1', 'log(t)', 't^1'), [[1.0, 0.0, 1.0], [1.0, 0.693, 2.0]])
    """
    kind, _, rest = shape.partition(":")
    try:
        numbers = [float(x) for x in rest.split(",")] if rest else []
    except ValueError:
        numbers = []
    if kind == "constant" and not rest:
        return (lambda t: np.ones((len(t), 1))), ("1",)
    if kind == "log" and not rest:
        numbers, kind = [0.0], "fp"
    if kind == "fp" and len(numbers) in (1, 2):
        return _polynomial(numbers)
    if kind == "piecewise" and numbers and numbers == sorted(set(numbers)) and numbers[0] > 0:
        edges = np.array(numbers)
        names = (*(f"to {e:g}" for e in edges), f"after {edges[-1]:g}")

        def pieces(t: FloatArray) -> FloatArray:
            return np.eye(len(edges) + 1)[np.searchsorted(edges, t, side="left")]

        return pieces, names
    raise DataError("not a shape of a log hazard ratio", column="shape", value=shape,
                    allowed="constant | log | fp:p | fp:p,q | piecewise:a,b")  # fmt: skip


def _polynomial(powers: list[float]) -> tuple[Basis, tuple[str, ...]]:
    def one(t: FloatArray, p: float) -> FloatArray:
        return np.log(t) if p == 0 else t**p

    def name(p: float) -> str:
        return "log(t)" if p == 0 else f"t^{p:g}"

    twice = len(powers) == 2 and powers[0] == powers[1]

    def columns(t: FloatArray) -> FloatArray:
        parts = [np.ones_like(t), *(one(t, p) for p in powers)]
        if twice:
            parts[-1] = parts[-1] * np.log(t)
        return np.column_stack(parts)

    names = ["1", *(name(p) for p in powers)]
    if twice:
        names[-1] += " log(t)"
    return columns, tuple(names)


def fit_partial(counts: ArmCounts, basis: Basis) -> tuple[FloatArray, FloatArray]:
    """Return coefficients of every arm against the first, (arms - 1, p), and their covariance.

    Ties as Breslow; the covariance is that of the flattened coefficients, arm by arm.

    Raises
    ------
    ConvergenceError
        When a coefficient is not estimable (an arm without events in a piece of time, say).
    """
    if (counts.time <= 0).any():
        raise DataError("an event at time zero", column="time", value=0, allowed="above 0")
    g = basis(counts.time)
    arms, p = counts.deaths.shape[1], g.shape[1]
    scale = np.maximum(np.abs(g).max(0), 1e-300)
    g = g / scale
    beta = np.zeros((arms - 1, p))
    total = counts.deaths.sum(1)
    value = -np.inf
    step = np.zeros_like(beta)
    for _ in range(MAX_STEPS):
        size = 1.0
        while True:
            trial = beta + size * step
            eta = np.column_stack([np.zeros(len(g)), g @ trial.T])
            risk = counts.at_risk * np.exp(np.clip(eta, -50, 50))
            new = float((counts.deaths * eta).sum() - total @ np.log(risk.sum(1)))
            if new >= value - 1e-9 * (1 + abs(new)) or size < 1e-8:
                break
            size /= 2
        beta, value = trial, new
        share = risk / risk.sum(1, keepdims=True)
        score = (counts.deaths - total[:, None] * share)[:, 1:].T @ g
        info = _information(share[:, 1:], total, g)
        if np.linalg.cond(info) > 1e12:
            break
        step = np.linalg.solve(info, score.ravel()).reshape(beta.shape)
        if np.abs(step).max() < STEP:
            back = 1 / np.tile(scale, arms - 1)
            cov = np.linalg.inv(info) * np.outer(back, back)
            return beta / scale, np.asarray(cov, dtype=np.float64)
        if np.abs(g @ beta.T).max() > 2 * FAR:
            break
    raise ConvergenceError("the log hazard ratio is not estimable: an arm lacks events")


def _information(share: FloatArray, total: FloatArray, g: FloatArray) -> FloatArray:
    """Return the information about coefficients flattened arm by arm."""
    arms, p = share.shape[1], g.shape[1]
    info = np.empty((arms, p, arms, p))
    for i in range(arms):
        for j in range(arms):
            w = total * share[:, i] * ((1.0 if i == j else 0.0) - share[:, j])
            info[i, :, j, :] = (g * w[:, None]).T @ g
    return info.reshape(arms * p, arms * p)
