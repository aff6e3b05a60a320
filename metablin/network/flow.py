"""How evidence flows: contributions of direct comparisons, direct share, path length."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.network.gls import Rows
from metablin.network.records import Network

__all__ = ["contributions", "measures"]

FloatArray = NDArray[np.float64]

NO_FLOW = 1e-12
"""Flow below this share of the unit that enters is rounding."""


def _laplacian(rows: Rows, tau2: float) -> FloatArray:
    """Return the weighted Laplacian of the network; off the diagonal stand minus the weights.

    The precision of a study's contrasts in terms of its arms is a Laplacian too, whose entries are
    the adjusted weights of its comparisons (Ruecker 2012), so sums over studies aggregate them.
    """
    return np.asarray((rows.x / (rows.v + tau2)[:, None]).T @ rows.x)


def _flow(weights: FloatArray, inverse: FloatArray, a: int, b: int) -> FloatArray:
    """Return the flow on every directed edge when one unit enters at a and leaves at b.

    It is the row of the aggregate hat matrix, antisymmetric.

    References
    ----------
    Ruecker G (2012). Network meta-analysis, electrical networks and graph theory.
    doi:10.1002/jrsm.1058
    """
    potential = inverse[a] - inverse[b]
    return np.asarray(weights * (potential[:, None] - potential[None, :]))


def _parts(rows: Rows, tau2: float) -> tuple[FloatArray, FloatArray]:
    lap = _laplacian(rows, tau2)
    weights = -lap
    np.fill_diagonal(weights, 0.0)
    return weights, np.asarray(np.linalg.pinv(lap, hermitian=True), dtype=np.float64)


def measures(network: Network, rows: Rows, tau2: float) -> pd.DataFrame:
    """Return one row per comparison with three measures of its evidence.

    Returns
    -------
    DataFrame
        ``treat1, treat2, share_direct`` (flow along the direct edge, 0 to 1),
        ``minimal_parallelism`` (1 over the largest flow on one edge) and ``mean_path_length``
        (sum of the flow over all edges; above 2 the estimate deserves caution).

    References
    ----------
    Koenig J, Krahn U, Binder H (2013). Visualizing the flow of evidence in network meta-analysis
    and characterizing mixed treatment comparisons, section 3. doi:10.1002/sim.6001
    """
    weights, inverse = _parts(rows, tau2)
    out = []
    for a, b in combinations(range(len(network.treatments)), 2):
        flow = np.abs(_flow(weights, inverse, a, b))
        out.append(
            {
                "treat1": network.treatments[a],
                "treat2": network.treatments[b],
                "share_direct": float(flow[a, b]),
                "minimal_parallelism": 1 / float(flow.max()),
                "mean_path_length": float(flow.sum()) / 2,
            }
        )
    return pd.DataFrame(out)


def contributions(network: Network, rows: Rows, tau2: float) -> pd.DataFrame:
    """Return the contribution matrix: the share of each direct comparison in each estimate.

    A unit of evidence walks from one treatment to the other, choosing among edges in proportion to
    their flow; a path of length l gives each of its edges 1/l of its probability. This needs no
    choice among paths, so labels and order do not matter.

    Returns
    -------
    DataFrame
        Network comparisons as rows, direct comparisons as columns; rows sum to 1.

    References
    ----------
    Davies AL, Papakonstantinou T, Nikolakopoulou A, Ruecker G, Galla T (2022). Network
    meta-analysis and random walks, section 4. doi:10.1002/sim.9346

    Examples
    --------
    >>> from metablin.network import network, network_pool
    >>> n = network({"study": ["A", "B", "C"], "treat1": ["x", "y", "x"],
    ...              "treat2": ["y", "z", "z"], "yi": [0.1, 0.2, 0.4], "vi": [1.0, 1.0, 1.0]},
    ...             "generic")
    >>> network_pool(n, model="common").contributions().loc["x : z"].round(4).tolist()
    [0.1667, 0.6667, 0.1667]
    """
    weights, inverse = _parts(rows, tau2)
    names = network.treatments
    edges = sorted({p for b in network.blocks for p in combinations(b.arms, 2)})
    table = []
    pairs = list(combinations(range(len(names)), 2))
    for a, b in pairs:
        share = _walk(_flow(weights, inverse, a, b), a)
        table.append([share[i, j] + share[j, i] for i, j in edges])
    return pd.DataFrame(
        table,
        index=[f"{names[a]} : {names[b]}" for a, b in pairs],
        columns=[f"{names[i]} : {names[j]}" for i, j in edges],
    )


def _walk(flow: FloatArray, source: int) -> FloatArray:
    """Return the contribution of every edge: sum over paths of probability over length.

    Evidence flows downhill, so nodes in the order of the flow form no circle. With the number of
    steps so far, and the distribution of steps still to go, every edge's share is a sum over
    lengths.
    """
    forward = np.where(flow > NO_FLOW, flow, 0.0)
    out = forward.sum(1)
    step = np.divide(forward, out[:, None], out=np.zeros_like(forward), where=out[:, None] > 0)
    order = _topological(forward, source)
    size = len(flow)
    ahead = np.zeros((size, size + 1))  # [node, steps still to go]
    for node in reversed(order):
        if not step[node].any():
            ahead[node, 0] = 1.0
        else:
            ahead[node, 1:] = (step[node] @ ahead)[:-1]
    behind = np.zeros((size, size + 1))  # [node, steps taken], probability of being there
    behind[source, 0] = 1.0
    share = np.zeros_like(flow)
    longest = 1 + int(np.flatnonzero(ahead[source])[-1])
    ahead, behind = ahead[:, :longest], behind[:, :longest]
    lengths = np.arange(longest)
    inverse = 1 / (lengths[:, None] + lengths[None, :] + 1.0)
    for node in order:
        to = np.flatnonzero(step[node])
        if to.size:
            share[node, to] = step[node, to] * (ahead[to] @ (behind[node] @ inverse))
            behind[to, 1:] += step[node, to][:, None] * behind[node, :-1]
    return share


def _topological(forward: FloatArray, source: int) -> list[int]:
    """Return the nodes that evidence from `source` reaches, each before those it flows to."""
    seen: set[int] = set()
    order: list[int] = []
    stack = [(source, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((int(to), False) for to in np.flatnonzero(forward[node]))
    return order[::-1]
