"""Fits without each study in turn, in time and memory linear in the number of studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from metablin.meta.checks.refit import CELLS, Refit, Spec, assemble, refit
from metablin.numerics.deletion import Deletion, tau2_without_each
from metablin.numerics.gls import gls
from metablin.numerics.inference import hksj_factor

__all__ = ["covariance_at", "without_each"]

FloatArray = NDArray[np.float64]

FAST_FROM = 200
"""Below this many studies all masks fit into a cache, and masking costs less than sums."""


def without_each(
    y: FloatArray,
    v: FloatArray,
    spec: Spec,
    x: FloatArray | None = None,
    studies: Sequence[str] | None = None,
) -> Refit:
    """Return the fits without each of the k studies, shape (k,).

    Parameters
    ----------
    y, v, spec, x, studies
        As in :func:`metablin.meta.checks.refit.refit`. With a design the refits go through it in
        chunks: memory is linear in k, time is not.
    """
    k = len(y)
    if x is not None or k < FAST_FROM:
        rows = max(1, CELLS // k)
        parts = [
            refit(y, v, _masks(np.arange(i, min(i + rows, k)), k), spec, x, studies)
            for i in range(0, k, rows)
        ]
        return Refit(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Refit)))
    sums, tau2, sure = tau2_without_each(spec.method, y, v, spec.known or 0.0)
    out = _from_sums(sums, Deletion(y, v, 0.0), tau2, spec)
    again = np.flatnonzero(~sure)
    if again.size:
        rows = max(1, CELLS // k)
        for i in range(0, again.size, rows):
            at = again[i : i + rows]
            full = refit(y, v, _masks(at, k), spec)
            for f in fields(Refit):
                getattr(out, f.name)[at] = getattr(full, f.name)
    return out


def _masks(gone: NDArray[np.intp], k: int) -> NDArray[np.bool_]:
    keep = np.ones((len(gone), k), dtype=bool)
    keep[np.arange(len(gone)), gone] = False
    return keep


def _from_sums(sums: Deletion, known: Deletion, tau2: FloatArray, spec: Spec) -> Refit:
    here, at_zero = sums.at(tau2), known.at(np.zeros_like(tau2))
    k = np.full(len(tau2), float(sums.k - 1))
    scale = np.ones_like(tau2)
    if spec.ci.startswith("hksj"):
        scale = hksj_factor(here.squares(1), k - 1, spec.ci == "hksj-adhoc")
    q = at_zero.squares(1)
    if spec.random:
        typical = (k - 1) / at_zero.trace_p
        i2, h2 = tau2 / (typical + tau2), tau2 / typical + 1
    else:
        h2 = q / (k - 1)
        i2 = np.maximum(0.0, 1 - 1 / np.maximum(h2, 1.0))
    beta = (here.mean + sums.centre)[:, None]
    cov = (scale / here.a[0])[:, None, None]
    return assemble(k, beta, cov, np.asarray(scale), tau2, i2, h2, q, spec)


def covariance_at(v: FloatArray, tau2: FloatArray, x: FloatArray | None = None) -> FloatArray:
    """Return (X'WX)^-1 of all studies at each of m values of tau2, shape (m, p, p)."""
    k = len(v)
    if x is None and k >= FAST_FROM:
        sums = Deletion(np.zeros(k), v, float(tau2.max()))
        return np.asarray(1 / sums.everything(tau2)[0])[:, None, None]
    rows = max(1, CELLS // k)
    parts = [
        gls(np.zeros(k), 1 / (v + tau2[i : i + rows, None]), x).cov
        for i in range(0, len(tau2), rows)
    ]
    return np.concatenate(parts)
