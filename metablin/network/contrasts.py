"""From printed contrasts to blocks: the covariance of a multi-arm study from its variances."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.network.records import Block

__all__ = ["contrast_blocks"]

FloatArray = NDArray[np.float64]

CLOSURE = 0.1
"""Contrasts of a multi-arm study may miss closing by this share of the smallest standard error of
theirs: rounding to printed digits stays below it, a wrong sign or a swapped pair does not."""

SMALLEST = 1e-8
"""Smallest eigenvalue of a covariance, as a share of the largest, that counts as positive."""


def contrast_blocks(
    studies: list[str],
    first: list[str],
    second: list[str],
    y: FloatArray,
    v: FloatArray,
    shared: FloatArray | None,
    treatments: tuple[str, ...],
) -> list[Block]:
    """Return one block a study from rows of contrasts (`first` less `second`)."""
    place = {t: i for i, t in enumerate(treatments)}
    rows: dict[str, list[int]] = {}
    for i, study in enumerate(studies):
        rows.setdefault(study, []).append(i)
    blocks = []
    for study, at in rows.items():
        pairs = [(place[first[i]], place[second[i]]) for i in at]
        _check_repeats(study, pairs, at, treatments)
        arms = tuple(sorted({t for p in pairs for t in p}))
        if len(arms) == 2:
            sign = 1.0 if pairs[0][0] == arms[1] else -1.0
            blocks.append(Block(study, arms, sign * y[at], v[at].reshape(1, 1).copy()))
        elif len(pairs) == len(arms) * (len(arms) - 1) // 2:
            blocks.append(_all_pairs(study, arms, pairs, y[at], v[at], treatments))
        else:
            given = None if shared is None else shared[at]
            blocks.append(_one_base(study, arms, pairs, y[at], v[at], given, treatments))
    return blocks


def _check_repeats(
    study: str, pairs: list[tuple[int, int]], at: list[int], treatments: tuple[str, ...]
) -> None:
    seen: set[frozenset[int]] = set()
    for pair, row in zip(pairs, at, strict=True):
        if frozenset(pair) in seen:
            names = " against ".join(treatments[i] for i in pair)
            raise DataError("the study gives this contrast twice", row=row + 1, study=study,
                            column="treat1", value=names, allowed="each pair once")  # fmt: skip
        seen.add(frozenset(pair))


def _all_pairs(
    study: str,
    arms: tuple[int, ...],
    pairs: list[tuple[int, int]],
    y: FloatArray,
    v: FloatArray,
    treatments: tuple[str, ...],
) -> Block:
    """Return the block of a study that gives every pair of its arms.

    The variance of all pairs determines the covariance: Cov(y_0j, y_0k) = (v_0j + v_0k - v_jk)/2.
    Effects that miss closing by rounding are brought together by least squares, so that no arm
    is preferred.
    """
    size = len(arms)
    where = {t: i for i, t in enumerate(arms)}
    distance = np.zeros((size, size))
    incidence = np.zeros((len(pairs), size))
    for row, ((a, b), value) in enumerate(zip(pairs, v, strict=True)):
        i, j = where[a], where[b]
        distance[i, j] = distance[j, i] = value
        incidence[row, i], incidence[row, j] = 1.0, -1.0
    summary = np.linalg.lstsq(incidence, y, rcond=None)[0]
    gap = np.abs(incidence @ summary - y) * len(pairs) / (len(pairs) - size + 1)
    if gap.max() > CLOSURE * np.sqrt(v.min()):
        names = ", ".join(treatments[t] for t in arms)
        worst = pairs[int(gap.argmax())]
        raise DataError(
            f"the contrasts of the arms {names} contradict each other by {gap.max():.3g}",
            study=study, column="yi",
            value=f"{y[int(gap.argmax())]:g} for {' against '.join(treatments[t] for t in worst)}",
            allowed="effects that add up around every loop of a study's arms",
        )  # fmt: skip
    base = distance[0, 1:]
    cov = (base[:, None] + base[None, :] - distance[1:, 1:]) / 2
    return _checked(study, arms, summary[1:] - summary[0], cov, treatments)


def _one_base(
    study: str,
    arms: tuple[int, ...],
    pairs: list[tuple[int, int]],
    y: FloatArray,
    v: FloatArray,
    shared: FloatArray | None,
    treatments: tuple[str, ...],
) -> Block:
    """Return the block of a study that gives its contrasts with one arm and that arm's variance."""
    common = set(pairs[0]).intersection(*map(set, pairs[1:]))
    names = ", ".join(treatments[t] for t in arms)
    missing = next(p for p in combinations(arms, 2) if p not in pairs and p[::-1] not in pairs)
    lacks = " against ".join(treatments[t] for t in missing)
    if len(common) != 1 or len(pairs) != len(arms) - 1 or shared is None or np.isnan(shared).any():
        raise DataError(
            f"the study compares {names} and lacks {lacks}, so the covariance of its contrasts is "
            "unknown",
            study=study, column="treat1",
            allowed="all pairs of its arms, or contrasts with one arm and its variance in the "
            "column shared_variance",
        )  # fmt: skip
    base = common.pop()
    order = [p[0] if p[1] == base else p[1] for p in pairs]
    sign = np.array([1.0 if p[1] == base else -1.0 for p in pairs])
    if np.ptp(shared) > 1e-9 * shared.max():
        raise DataError("the shared arm has one variance", study=study, column="shared_variance",
                        value=", ".join(f"{x:g}" for x in shared))  # fmt: skip
    full = np.zeros((len(arms), len(arms)))
    summary = np.zeros(len(arms))
    inner = np.full((len(order), len(order)), shared[0])
    np.fill_diagonal(inner, v)
    at = [arms.index(t) for t in order]
    summary[at] = sign * y
    full[np.ix_(at, at)] = inner
    # From contrasts with the given base to contrasts with the first arm.
    turn = np.hstack([-np.ones((len(arms) - 1, 1)), np.eye(len(arms) - 1)])
    return _checked(study, arms, turn @ summary, turn @ full @ turn.T, treatments)


def _checked(
    study: str, arms: tuple[int, ...], y: FloatArray, cov: FloatArray, treatments: tuple[str, ...]
) -> Block:
    values, vectors = np.linalg.eigh(cov)
    if not values[0] > SMALLEST * values[-1]:
        worst = treatments[arms[1:][int(np.abs(vectors[:, 0]).argmax())]]
        names = ", ".join(treatments[t] for t in arms)
        raise DataError(
            f"the variances of the contrasts of {names} fit no covariance (smallest eigenvalue "
            f"{values[0]:.3g}); {worst} weighs most in it",
            study=study, column="vi",
            allowed="standard errors of which none exceeds the sum of the two others in a triangle",
        )  # fmt: skip
    return Block(study, arms, y, cov)
