"""Block-diagonal covariances: which estimates belong together, blocks of one size at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["batches", "components"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def components(v: FloatArray, groups: Sequence[IntArray]) -> IntArray:
    """Return labels of estimates that a group or a sampling covariance joins, directly or not.

    Parameters
    ----------
    v : ndarray, shape (k,) or (k, k)
        Sampling variances, or their covariance.
    groups : sequence of ndarray, shape (k,)
        Codes from 0 on, one array a grouping.

    Examples
    --------
    >>> components(np.ones(4), [np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])]).tolist()
    [0, 0, 0, 1]
    """
    k = len(v)
    at, ones = np.arange(k), np.ones(k)
    # estimates and groups are the two sides of one graph
    sides = [sparse.csr_array((ones, (at, g)), shape=(k, int(g.max()) + 1)) for g in groups]
    own = sparse.csr_array(v != 0) if v.ndim == 2 else sparse.csr_array((k, k))
    wide = sparse.hstack([own, *sides]).tocsr()
    total = wide.shape[1]
    graph = sparse.vstack([wide, sparse.csr_array((total - k, total))]).tocsr()
    label = sparse.csgraph.connected_components(graph, directed=False)[1][:k]
    return np.asarray(np.unique(label, return_inverse=True)[1], np.intp)


def batches(v: FloatArray, label: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield the blocks of one size together: places (b, n) and sampling covariances (b, n, n).

    Examples
    --------
    >>> [at.tolist() for at, own in batches(np.ones(4), np.array([0, 1, 0, 2]))]
    [[[1], [3]], [[0, 2]]]
    """
    order = np.argsort(label, kind="stable")
    counts = np.bincount(label)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    for n in np.unique(counts):
        at = order[starts[counts == n][:, None] + np.arange(n)]
        if v.ndim == 1:
            own = np.zeros((*at.shape, n))
            own[:, np.arange(n), np.arange(n)] = v[at]
        else:
            own = v[at[:, :, None], at[:, None, :]]
        yield at, own
