"""Mantel-Haenszel odds ratios in a network: pooled within designs, joined between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin._input import choice
from metablin.errors import DataError
from metablin.network.fit import NAN, NetworkFit
from metablin.network.gls import effects_of, solve, stack
from metablin.network.records import Arms, Block, Network
from metablin.numerics.inference import chi2_tail

__all__ = ["fit_mantel_haenszel"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """Studies of one design: events and non-events, (studies, arms), and study sizes."""

    arms: tuple[int, ...]
    x: FloatArray
    y: FloatArray
    n: FloatArray


def fit_mantel_haenszel(
    network: Network, ci: str, level: float, reference: str | None
) -> NetworkFit:
    """Pool odds ratios by Mantel and Haenszel, without any continuity correction.

    Within each design the odds ratios of all pairs of arms are pooled by Mantel-Haenszel, made
    consistent by Mickey and Elashoff's average, and get Greenland's covariance, which holds for
    sparse and for large strata (for two arms it is that of Robins, Breslow and Greenland). Designs
    are then joined by generalised least squares. Studies without an event, or with nothing else,
    carry no information and take no part; an arm without an event in all studies of its design is
    left out of that design.

    References
    ----------
    Efthimiou O, Ruecker G, Schwarzer G, Higgins JPT, Egger M, Salanti G (2019). Network
    meta-analysis of rare events using the Mantel-Haenszel method. doi:10.1002/sim.8158
    Greenland S (1989). Generalized Mantel-Haenszel estimators for K 2xJ tables. doi:10.2307/2532044
    Mickey RM, Elashoff RM (1985). A generalization of the Mantel-Haenszel estimator of partial
    association for 2xJxK tables. doi:10.2307/2531279
    """
    choice("ci", ci, ("z",))
    if network.measure != "or" or network.arms is None:
        raise DataError(
            "Mantel-Haenszel pools odds ratios of arms",
            column="measure",
            value=network.measure,
            allowed="or, with events and n of every arm",
        )
    blocks, notes = [], []
    for design in _designs(network.arms):
        kept = _usable(design)
        names = " : ".join(network.treatments[t] for t in design.arms)
        if kept is None:
            notes.append(f"design {names} has events in fewer than two arms and takes no part")
            continue
        if len(kept.arms) < len(design.arms):
            lost = sorted(set(design.arms) - set(kept.arms))
            notes.append(
                f"design {names}: no event in {', '.join(network.treatments[t] for t in lost)}, "
                "left out of it"
            )
        blocks.append(_pooled(kept, names))
    size = len(network.treatments)
    _check(network, blocks)
    rows = stack(blocks, size)
    fit = solve(rows, 0.0)
    d, cov = effects_of(fit, size)
    free = len(rows.y) - (size - 1)
    q = float(fit.rss) if free else 0.0
    return NetworkFit(
        network, "mantel-haenszel", None, ci, level, reference, d, cov, math.inf,
        NAN, NAN, NAN, q, free, float(chi2_tail(q, free)),
        ("Q is that between designs; within designs one effect is assumed", *notes),
    )  # fmt: skip


def _designs(arms: Arms) -> list[_Design]:
    """Return the studies with information by design."""
    groups: dict[tuple[int, ...], list[NDArray[np.intp]]] = {}
    for s in range(len(arms.labels)):
        at = np.flatnonzero(arms.study == s)
        at = at[np.argsort(arms.treatment[at])]
        x, n = arms.columns["events"][at], arms.columns["n"][at]
        if x.any() and (x < n).any():
            groups.setdefault(tuple(arms.treatment[at].tolist()), []).append(at)
    out = []
    for design, studies in sorted(groups.items()):
        at = np.stack(studies)
        x, n = arms.columns["events"][at], arms.columns["n"][at]
        out.append(_Design(design, x, n - x, n.sum(1)))
    return out


def _usable(design: _Design) -> _Design | None:
    """Return the design without arms that have no event, or nothing else, in all its studies."""
    keep = (design.x.sum(0) > 0) & (design.y.sum(0) > 0)
    if keep.all():
        return design
    if keep.sum() < 2:
        return None
    x, y = design.x[:, keep], design.y[:, keep]
    informed = (x.sum(1) > 0) & (y.sum(1) > 0)
    arms = tuple(t for t, k in zip(design.arms, keep, strict=True) if k)
    return _Design(arms, x[informed], y[informed], (x + y).sum(1)[informed])


def _pooled(design: _Design, names: str) -> Block:
    """Return consistent log odds ratios of a design and their covariance."""
    x, y, n = design.x, design.y, design.n[:, None, None]
    size = len(design.arms)
    r = (x[:, :, None] * y[:, None, :] / n).sum(0)  # r[j, k]: events of j, non-events of k
    if (r + np.eye(size) == 0).any():
        j, k = (int(i) for i in np.argwhere(r + np.eye(size) == 0)[0])
        raise DataError("no study of the design has an event in one arm and none in the other",
                        column="events", value=f"arms {j + 1} and {k + 1} of {names}",
                        allowed='model "glmm", or merged arms')  # fmt: skip
    odds = r / r.T
    pairs = [(j, k) for j in range(size) for k in range(size) if j != k]
    log_or = np.array([math.log(odds[j, k]) for j, k in pairs])
    cov = np.array([[_covariance(design, odds, r, a, b) for b in pairs] for a in pairs])
    # L_jk averaged: (L_j+ - L_k+)/J, with L_jj = 0.
    average = np.zeros((size - 1, len(pairs)))
    for row, j in enumerate(range(1, size)):
        for column, (a, _) in enumerate(pairs):
            average[row, column] = ((a == j) - (a == 0)) / size
    return Block(names, design.arms, average @ log_or, average @ cov @ average.T)


def _covariance(
    design: _Design, odds: FloatArray, r: FloatArray, a: tuple[int, int], b: tuple[int, int]
) -> float:
    """Return the covariance of two pairwise Mantel-Haenszel log odds ratios.

    The estimating function of a pair is U_jk = sum (x_j y_k - odds_jk y_j x_k)/n. Unbiased
    products of independent binomials estimate the covariance of two of them.
    """
    (j, k), (m, o) = a, b
    if {j, k} == {m, o}:
        same = 1.0 if j == m else -1.0
        return same * _variance(design, float(odds[j, k]), float(r[j, k]), j, k)
    shared = {j, k} & {m, o}
    if not shared:
        return 0.0
    s = shared.pop()
    sign = (1.0 if j == s else -1.0) * (1.0 if m == s else -1.0)
    k, o = (k if j == s else j), (o if m == s else m)
    x, y = design.x, design.y
    size = x[:, s] + y[:, s]
    part = size * (odds[s, o] * y[:, k] * x[:, o] + odds[s, k] * x[:, k] * y[:, o]) / 2
    return sign * float((part / design.n**2).sum()) / float(r[s, k] * r[s, o])


def _variance(design: _Design, odds: float, r: float, j: int, k: int) -> float:
    """Return the variance of Robins, Breslow and Greenland (1986). doi:10.2307/2531052."""
    x, y, n = design.x, design.y, design.n
    big = x[:, j] * y[:, k] + odds * y[:, j] * x[:, k]
    diagonal = x[:, j] + y[:, k] + odds * (y[:, j] + x[:, k])
    return float((big * diagonal / n**2).sum()) / (2 * r**2)


def _check(network: Network, blocks: list[Block]) -> None:
    if not blocks:
        raise DataError("no design with events in two arms", column="events", value="all zero")
    used = {t for b in blocks for t in b.arms}
    for i, t in enumerate(network.treatments):
        if i not in used:
            raise DataError("no design has an event of the treatment", column="events", value=t,
                            allowed="treatments with events")  # fmt: skip
    left = Network(network.treatments, "or", "log", tuple(blocks))
    if not left.connected:
        raise DataError(f"without designs that have no events {left.describe_parts()}",
                        column="treatment")  # fmt: skip
