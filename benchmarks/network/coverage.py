"""Coverage of network intervals and type I error of node splits, by seeded simulation.

Studies of two and three arms with known variances; effects of studies from a normal distribution
with correlation 1/2 between contrasts of one study. ``python -m benchmarks.network.coverage``.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from metablin.network.gls import Rows, rows_of, stack
from metablin.network.inconsistency import splits
from metablin.network.prediction import below, mixture
from metablin.network.records import Block, Network
from metablin.numerics.gls import gls_at
from metablin.numerics.inference import critical
from metablin.numerics.tau2 import estimate_tau2

REPETITIONS = 4000
PREDICTION_REPETITIONS = 1000
SPLIT_REPETITIONS = 400
TAU2 = 0.1
LEVEL = 0.95


def geometry(treatments: int, dense: bool, rng: np.random.Generator) -> Network:
    """Return a network whose effects are still to be drawn (all zero)."""
    edges = [(i, (i + 1) % treatments) for i in range(treatments)]  # a circle
    edges += [(0, j) for j in range(2, treatments - 1)]  # and a star
    blocks: list[Block] = []
    for a, b in edges:
        for _ in range(4 if dense else 2):
            blocks.append(block(len(blocks), sorted((a, b)), rng))
    for _ in range(max(treatments // 4, 1)):
        blocks.append(block(len(blocks), sorted(rng.choice(treatments, 3, replace=False)), rng))
    names = tuple(f"T{i:02d}" for i in range(treatments))
    return Network(names, "generic", "none", tuple(blocks))


def block(number: int, arms: list[int], rng: np.random.Generator) -> Block:
    v = 4 / rng.integers(30, 250, len(arms))  # variance of a log odds at a risk of one half
    cov = np.diag(v[1:]) + v[0]
    return Block(f"S{number}", tuple(int(a) for a in arms), np.zeros(len(arms) - 1), cov)


def cell(treatments: int, dense: bool, rng: np.random.Generator) -> dict[str, float]:
    """Return coverage over all pairs and repetitions of one kind of network."""
    n = geometry(treatments, dense, rng)
    rows = rows_of(n)
    x = rows.x[:, 1:]
    y = np.sqrt(rows.v + TAU2) * rng.standard_normal((REPETITIONS, len(rows.y)))
    v = np.broadcast_to(rows.v, y.shape).copy()
    tau2 = estimate_tau2("REML", y, v, x)
    fit = gls_at(y, rows.v, tau2, np.broadcast_to(x, (REPETITIONS, *x.shape)))
    t = treatments
    d, cov = np.zeros((REPETITIONS, t)), np.zeros((REPETITIONS, t, t))
    d[:, 1:], cov[:, 1:, 1:] = fit.beta, fit.cov
    i, j = np.triu_indices(t, 1)
    gap = d[:, i] - d[:, j]  # the truth is 0
    var = cov[:, i, i] + cov[:, j, j] - 2 * cov[:, i, j]
    free = len(rows.y) - (t - 1)
    scale = (np.asarray(fit.rss) / free)[:, None]
    future = gap + np.sqrt(TAU2) * rng.standard_normal(gap.shape)
    z, q = float(critical(LEVEL, np.inf)), float(critical(LEVEL, free))
    wide = np.sqrt(var + tau2[:, None])
    return {
        "treatments": t,
        "studies": n.k,
        "df": free,
        "z": np.mean(np.abs(gap) < z * np.sqrt(var)),
        "t": np.mean(np.abs(gap) < q * np.sqrt(var)),
        "hksj": np.mean(np.abs(gap) < q * np.sqrt(var * scale)),
        "prediction_z": np.mean(np.abs(future) < z * wide),
        "prediction_t": np.mean(np.abs(future) < q * wide),
        **propagated_coverage(n, y, future - gap, float(free)),
        "node_split_type_1": node_splits(n, rows, y[:SPLIT_REPETITIONS]),
    }


def propagated_coverage(n: Network, y: np.ndarray, new: np.ndarray, df: float) -> dict[str, float]:
    """Return coverage of prediction over the confidence distribution of tau2, normal and t.

    `new` are the effects of new settings, shape (repetitions, pairs).
    """
    pairs = np.triu_indices(len(n.treatments), 1)
    tail = (1 - LEVEL) / 2
    inside: dict[str, list[float]] = {"prediction_cd_z": [], "prediction_cd_t": []}
    for one, true in zip(y[:PREDICTION_REPETITIONS], new, strict=False):
        center, width = mixture(Network(n.treatments, "generic", "none", rebuilt(n, one)), pairs)
        for name, free in zip(inside, (np.inf, df), strict=True):
            p = below(true, center, width, free)
            inside[name].append(float(np.mean((p > tail) & (p < 1 - tail))))
    return {name: float(np.mean(x)) for name, x in inside.items()}


def node_splits(n: Network, rows: Rows, y: np.ndarray) -> float:
    """Return how often a split is called at 5 % though direct and indirect evidence agree."""
    pairs = tuple(np.array(x) for x in zip((0, 1), (0, n_last(n)), strict=True))
    found = []
    for one in y:
        again = Rows(one.copy(), rows.v, rows.x, rows.study)
        tau2 = float(estimate_tau2("REML", one, rows.v, rows.x[:, 1:]))
        drawn = Network(n.treatments, "generic", "none", rebuilt(n, one))
        table = splits(drawn, again, tau2, "REML", (pairs[0], pairs[1]), "back-calculation")
        found += table["p_value"].tolist()
    return float(np.mean(np.array(found) < 0.05))


def n_last(n: Network) -> int:
    return len(n.treatments) - 1


def rebuilt(n: Network, y: np.ndarray) -> tuple[Block, ...]:
    """Return the blocks with effects that give the independent rows `y`."""
    blocks, at = [], 0
    for b in n.blocks:
        r = len(b.y)
        unit = stack((b,), len(n.treatments))
        turn = unit.x[:, list(b.arms[1:])]
        blocks.append(Block(b.study, b.arms, np.linalg.solve(turn, y[at : at + r]), b.cov))
        at += r
    return tuple(blocks)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(20)
    cells = []
    for t in (4, 8, 15):
        for dense in (False, True):
            cells.append(cell(t, dense, rng))
            print(f"{t} treatments, {'dense' if dense else 'sparse'}", file=sys.stderr)
    table = pd.DataFrame(cells)
    print(f"{REPETITIONS} networks a row, tau2 = {TAU2}, {SPLIT_REPETITIONS} for node splits, "
          f"{PREDICTION_REPETITIONS} for prediction over the confidence distribution")  # fmt: skip
    print(table.to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
