"""Do direct and indirect evidence agree? Decomposition of Q, splits, loops and net heat."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice
from metablin.errors import DataError
from metablin.network.gls import Rows, estimate, solve
from metablin.network.records import Network
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, two_sided
from metablin.options import SplitMethod, words
from metablin.records import Record, json_dict

__all__ = [
    "Decomposition",
    "decompose",
    "direct_effects",
    "loops",
    "net_heat",
    "splits",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

NO_INDIRECT = 1e-9
"""A comparison whose direct share misses 1 by less has no indirect evidence."""

INDEPENDENT = 1e-9
"""Singular values below this share of the largest are those of dependent columns."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decomposition(Record):
    """Cochran's Q of a network in its parts.

    Attributes
    ----------
    q, q_within, q_between : float
        Whole network, heterogeneity within designs, inconsistency between designs; the first is
        the sum of the others.
    df, df_within, df_between : int
    p, p_within, p_between : float
    designs : DataFrame
        One row per design: ``design, studies, q_within, df, p_value``, and of the network without
        it being tied to the others ``q_detached, df_detached, p_detached``.
    random : dict
        The full design-by-treatment interaction model with random effects: ``tau2, q, df,
        p_value`` (Wald test of the interaction).
    """

    q: float
    df: int
    p: float
    q_within: float
    df_within: int
    p_within: float
    q_between: float
    df_between: int
    p_between: float
    designs: pd.DataFrame
    random: dict[str, float]

    def to_frame(self) -> pd.DataFrame:
        """Return three rows: whole, within designs, between designs."""
        return pd.DataFrame(
            {
                "term": ["total", "within designs", "between designs"],
                "statistic": [self.q, self.q_within, self.q_between],
                "df": [self.df, self.df_within, self.df_between],
                "p_value": [self.p, self.p_within, self.p_between],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the decomposition as JSON-ready Python types."""
        return json_dict(
            {
                "q_between": self.q_between,
                "df": self.df_between,
                "p": self.p_between,
                "q_within": self.q_within,
                "df_within": self.df_within,
                "p_within": self.p_within,
                "designs": self.designs,
                "random": self.random,
            }
        )


def _design_rows(network: Network, rows: Rows) -> dict[tuple[int, ...], NDArray[np.bool_]]:
    """Return which rows belong to each design."""
    of_study = [b.arms for b in network.blocks]
    label = np.array([network.designs.index(d) for d in of_study], dtype=np.intp)[rows.study]
    return {d: label == i for i, d in enumerate(network.designs)}


def _own(rows: Rows, at: NDArray[np.bool_], design: tuple[int, ...]) -> FloatArray:
    """Return the columns of a design's own effects: its contrasts, in its rows only."""
    return rows.x[:, list(design[1:])] * at[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class _Consistent:
    """The consistent model in weighted rows: what setting a design apart would change.

    Effects of one design more are a change of rank that of the design's contrasts, so that the
    residuals after it follow from those before it without another fit.
    """

    basis: FloatArray
    resid: FloatArray
    own: dict[tuple[int, ...], tuple[IntArray, FloatArray]]

    def detach(self, design: tuple[int, ...]) -> tuple[FloatArray, int]:
        """Return how the residuals change when a design is set apart, and the rank it takes."""
        at, b = self.own[design]
        c = b.T @ self.basis[at]
        values, vectors = np.linalg.eigh(np.eye(b.shape[1]) - c @ c.T)
        keep = values > INDEPENDENT
        if not keep.any():
            return np.zeros_like(self.resid), 0
        v = vectors[:, keep]
        move = v @ ((v.T @ (b.T @ self.resid[at])) / values[keep])
        change = -self.basis @ (c.T @ move)
        change[at] += b @ move
        return change, int(keep.sum())


def _consistent(
    rows: Rows, at: dict[tuple[int, ...], NDArray[np.bool_]], tau2: float = 0.0
) -> _Consistent:
    w = np.sqrt(1 / (rows.v + tau2))
    u, s, _ = np.linalg.svd(rows.x[:, 1:] * w[:, None], full_matrices=False)
    u = np.ascontiguousarray(u[:, s > INDEPENDENT * s[0]])
    z = w * rows.y
    own = {}
    for design, here in at.items():
        place = np.flatnonzero(here)
        columns = rows.x[place][:, list(design[1:])] * w[place, None]
        own[design] = (place, np.asarray(np.linalg.qr(columns)[0], dtype=np.float64))
    return _Consistent(u, z - u @ (u.T @ z), own)


def decompose(network: Network, rows: Rows, method: str | None) -> Decomposition:
    """Return the decomposition of Q by designs.

    References
    ----------
    Higgins JPT and others (2012). Consistency and inconsistency in network meta-analysis: concepts
    and models for multi-arm studies. doi:10.1002/jrsm.1044
    Krahn U, Binder H, Koenig J (2013), section 2.3. doi:10.1186/1471-2288-13-35
    """
    at = _design_rows(network, rows)
    model = _consistent(rows, at)
    q, df = float(model.resid @ model.resid), len(rows.y) - model.basis.shape[1]
    z = rows.y / np.sqrt(rows.v)
    table = []
    q_within, df_within = 0.0, 0
    for design, (place, basis) in model.own.items():
        left = z[place] - basis @ (basis.T @ z[place])
        value, own_df = float(left @ left), len(place) - basis.shape[1]
        value = value if own_df else 0.0
        change, rank = model.detach(design)
        gone = float((model.resid - change) @ (model.resid - change))
        q_within, df_within = q_within + value, df_within + own_df
        table.append((design, value, own_df, gone, df - rank))
    between, df_between = max(q - q_within, 0.0), df - df_within
    if df_between == 0:
        between = 0.0
    frame = _design_table(network, table, q_within, df_within)
    return Decomposition(
        q, df, float(chi2_tail(q, df)),
        q_within, df_within, float(chi2_tail(q_within, df_within)),
        between, df_between, float(chi2_tail(between, df_between)),
        frame, _interaction(rows, at, method, df_between),
    )  # fmt: skip


def _design_table(
    network: Network,
    table: list[tuple[tuple[int, ...], float, int, float, int]],
    q_within: float,
    df_within: int,
) -> pd.DataFrame:
    designs = [b.arms for b in network.blocks]
    out = []
    for design, value, df, detached, joint_df in table:
        left = max(detached - q_within, 0.0) if joint_df > df_within else 0.0
        out.append(
            {
                "design": " : ".join(network.treatments[i] for i in design),
                "studies": designs.count(design),
                "q_within": value,
                "df": df,
                "p_value": float(chi2_tail(value, df)) if df else math.nan,
                "q_detached": left,
                "df_detached": joint_df - df_within,
                "p_detached": float(chi2_tail(left, joint_df - df_within)),
            }
        )
    return pd.DataFrame(out)


def _interaction(
    rows: Rows,
    at: dict[tuple[int, ...], NDArray[np.bool_]],
    method: str | None,
    df_between: int,
) -> dict[str, float]:
    """Test the full interaction at the tau2 that is left within designs.

    Effects of the designs are independent between designs, so the Wald statistic of the
    interaction is the rise of the weighted residual sum of squares when it is left out.
    """
    if df_between == 0:
        return {"tau2": math.nan, "q": 0.0, "df": 0, "p_value": 1.0}
    # Designs that their own effects fit exactly say nothing about tau2.
    free = {d: here for d, here in at.items() if here.sum() > len(d) - 1}
    tau2 = 0.0
    if method is not None and free:
        use = np.logical_or.reduce(list(free.values()))
        full = np.column_stack([_own(rows, here, design)[use] for design, here in free.items()])
        kept = rows.take(use)
        tau2 = estimate(method, Rows(kept.y, kept.v, np.column_stack([full[:, :1], full]),
                                     kept.study))  # fmt: skip
    z = rows.y / np.sqrt(rows.v + tau2)
    within = 0.0
    for place, basis in _consistent(rows, free, tau2).own.values():
        left = z[place] - basis @ (basis.T @ z[place])
        within += float(left @ left)
    q = max(float(solve(rows, tau2).rss) - within, 0.0)
    return {"tau2": tau2, "q": q, "df": df_between, "p_value": float(chi2_tail(q, df_between))}


def direct_effects(network: Network, tau2: float) -> dict[tuple[int, int], tuple[float, float]]:
    """Return the pooled direct effect and its variance of every pair, at a given tau2."""
    sums: dict[tuple[int, int], list[float]] = {}
    for b in network.blocks:
        for i, j in combinations(b.arms, 2):
            y, v = b.pair(i, j)
            w = 1 / (v + tau2)
            part = sums.setdefault((i, j), [0.0, 0.0])
            part[0] += w
            part[1] += w * y
    return {pair: (wy / w, 1 / w) for pair, (w, wy) in sorted(sums.items())}


SPLIT_COLUMNS = (
    "treat1", "treat2", "studies", "share_direct", "network", "direct", "direct_std_error",
    "indirect", "indirect_std_error", "difference", "std_error", "statistic", "p_value",
)  # fmt: skip


def splits(
    network: Network,
    rows: Rows,
    tau2: float,
    tau2_method: str | None,
    pairs: tuple[IntArray, IntArray],
    method: str,
) -> pd.DataFrame:
    """Return direct, indirect and network estimates of every comparison with both.

    References
    ----------
    Koenig J, Krahn U, Binder H (2013), back-calculation. doi:10.1002/sim.6001
    Dias S and others (2010), node splitting. doi:10.1002/sim.3767
    White IR (2015), the symmetric side-splitting model. doi:10.1177/1536867X1501500403
    """
    method = choice("method", method, words(SplitMethod))
    direct = direct_effects(network, tau2)
    counts = {(r.treat1, r.treat2): r.studies for r in network.geometry().itertuples()}
    fit = solve(rows, tau2)
    out = []
    for a, b in zip(*pairs, strict=True):
        key = (min(a, b), max(a, b))
        if key not in direct:
            continue
        sign = 1.0 if (a, b) == key else -1.0
        y, v = direct[key]
        row = _back(fit.beta, fit.cov, a, b, sign * y, v)
        if row is None:
            continue
        if method == "side-splitting":
            row = _side(network, rows, tau2, tau2_method, a, b)
            if row is None:
                continue
        names = network.treatments
        out.append({"treat1": names[a], "treat2": names[b],
                    "studies": counts[names[key[0]], names[key[1]]], **row})  # fmt: skip
    return pd.DataFrame(out, columns=list(SPLIT_COLUMNS))


def _contrast(size: int, a: int, b: int) -> FloatArray:
    """Return e_a - e_b without the first treatment, whose effect is 0."""
    c = np.zeros(size + 1)
    c[a] += 1
    c[b] -= 1
    return c[1:]


def _back(
    beta: FloatArray, cov: FloatArray, a: int, b: int, y: float, v: float
) -> dict[str, float] | None:
    c = _contrast(len(beta), a, b)
    whole, variance = float(c @ beta), float(c @ cov @ c)
    share = variance / v
    if 1 - share < NO_INDIRECT:
        return None
    indirect, v_indirect = (whole - share * y) / (1 - share), variance / (1 - share)
    return _split_row(share, whole, (y, v), (indirect, v_indirect), v + v_indirect)


def _split_row(
    share: float,
    whole: float,
    direct: tuple[float, float],
    indirect: tuple[float, float],
    variance: float,
) -> dict[str, float]:
    se = math.sqrt(variance)
    z = (direct[0] - indirect[0]) / se
    return {
        "share_direct": share,
        "network": whole,
        "direct": direct[0],
        "direct_std_error": math.sqrt(direct[1]),
        "indirect": indirect[0],
        "indirect_std_error": math.sqrt(indirect[1]),
        "difference": direct[0] - indirect[0],
        "std_error": se,
        "statistic": z,
        "p_value": float(two_sided(z, math.inf)),
    }


def _side(
    network: Network, rows: Rows, tau2: float, tau2_method: str | None, a: int, b: int
) -> dict[str, float] | None:
    """Fit the model in which studies of both treatments differ by half a parameter either way."""
    both = np.array([a in x.arms and b in x.arms for x in network.blocks])[rows.study]
    extra = np.where(both, (rows.x[:, a] - rows.x[:, b]) / 2, 0.0)
    x = np.column_stack([rows.x[:, 1:], extra])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return None
    if tau2_method is not None:
        tau2 = estimate(tau2_method, rows, extra)
    fit = solve(rows, tau2, extra)
    c = _contrast(len(network.treatments) - 1, a, b)
    plus, minus = np.append(c, 0.5), np.append(c, -0.5)
    plain = solve(rows, tau2)
    whole, variance = float(c @ plain.beta), float(c @ plain.cov @ c)
    direct = (float(plus @ fit.beta * 1.0), float(plus @ fit.cov @ plus))
    indirect = (float(minus @ fit.beta), float(minus @ fit.cov @ minus))
    return _split_row(variance / direct[1], whole, direct, indirect, float(fit.cov[-1, -1]))


def loops(network: Network, tau2: float) -> pd.DataFrame:
    """Return the inconsistency of every closed loop of three treatments by two-arm evidence.

    Multi-arm studies are consistent in themselves; each loop takes the direct estimates of its
    three comparisons from studies that do not contain the third treatment.

    Returns
    -------
    DataFrame
        ``loop, difference, std_error, statistic, p_value``: the sum of effects around the loop.

    References
    ----------
    Bucher HC and others (1997). doi:10.1016/S0895-4356(97)00049-8
    Veroniki AA and others (2013). doi:10.1093/ije/dyt222
    """
    found: dict[tuple[int, int], list[tuple[float, float, tuple[int, ...]]]] = {}
    for b in network.blocks:
        for i, j in combinations(b.arms, 2):
            found.setdefault((i, j), []).append((*b.pair(i, j), b.arms))
    out = []
    for trio in _trios(found):
        y = v = 0.0
        for i, j, sign in ((trio[0], trio[1], 1), (trio[1], trio[2], 1), (trio[0], trio[2], -1)):
            third = ({*trio} - {i, j}).pop()
            parts = [(e, var) for e, var, arms in found[i, j] if third not in arms]
            if not parts:
                break
            w = np.array([1 / (var + tau2) for _, var in parts])
            y += sign * float(w @ [e for e, _ in parts]) / w.sum()
            v += 1 / float(w.sum())
        else:
            z = y / math.sqrt(v)
            names = " : ".join(network.treatments[i] for i in trio)
            out.append((names, y, math.sqrt(v), z, float(two_sided(z, math.inf))))
    return pd.DataFrame(out, columns=["loop", "difference", "std_error", "statistic", "p_value"])


def _trios(edges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield all triangles of a graph, sorted."""
    later: dict[int, set[int]] = {}
    for i, j in edges:
        later.setdefault(i, set()).add(j)
    for i in sorted(later):
        for j in sorted(later[i]):
            for k in sorted(later[i] & later.get(j, set())):
                yield i, j, k


def net_heat(network: Network, rows: Rows, model: str, method: str | None) -> pd.DataFrame:
    """Return the net heat matrix in long form.

    Parameters
    ----------
    model : {"common", "random"}
        Weights of the common effect, or with the tau2 left within designs.

    Returns
    -------
    DataFrame
        ``design, detached, q, change, hat``: the share q of a design in Q between designs, its
        fall when the design in ``detached`` gets effects of its own (positive: the detached design
        stands against it), and how much of the design's own estimate the detached one makes up.

    References
    ----------
    Krahn U, Binder H, Koenig J (2013). A graphical tool for locating inconsistency in network
    meta-analyses, eq. 8 to 11. doi:10.1186/1471-2288-13-35
    """
    model = choice("model", model, ("common", "random"))
    at = _design_rows(network, rows)
    tau2 = 0.0
    if model == "random" and method is not None:
        free = len(network.designs) and decompose(network, rows, method).random["tau2"]
        tau2 = 0.0 if math.isnan(free) else float(free)
    model_of = _consistent(rows, at, tau2)
    before = _shares(model_of, model_of.resid)
    hat = _hat(rows, at, tau2)
    names = {d: " : ".join(network.treatments[i] for i in d) for d in at}
    out = []
    for other in at:
        after = _shares(model_of, model_of.resid - model_of.detach(other)[0])
        for design in at:
            out.append(
                {
                    "design": names[design],
                    "detached": names[other],
                    "q": before[design],
                    "change": before[design] - after[design],
                    "hat": hat[design, other],
                }
            )
    return pd.DataFrame(out)


def _shares(model: _Consistent, resid: FloatArray) -> dict[tuple[int, ...], float]:
    """Return each design's share of Q between designs: what its own effects could take up."""
    return {d: float(((b.T @ resid[at]) ** 2).sum()) for d, (at, b) in model.own.items()}


def _hat(
    rows: Rows, at: dict[tuple[int, ...], NDArray[np.bool_]], tau2: float
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """Return how much of a design's network estimate comes from each design (norm of the block)."""
    fit = gls(rows.y, 1 / (rows.v + tau2), rows.x[:, 1:])
    own = {}
    for design, here in at.items():
        x, w = rows.x[here][:, list(design[1:])], 1 / (rows.v[here] + tau2)
        own[design] = (x * w[:, None]).T @ x
    out = {}
    for design in at:
        left = _padded(design, rows.x.shape[1])
        for other in at:
            right = _padded(other, rows.x.shape[1])
            block = left @ fit.cov @ right.T @ own[other]
            out[design, other] = float(np.abs(block).mean())
    return out


def _padded(design: tuple[int, ...], size: int) -> FloatArray:
    """Return the matrix from effects without the first treatment to the design's contrasts."""
    if len(design) < 2:
        raise DataError("a design needs two treatments", column="treatment")
    return np.array([_contrast(size - 1, t, design[0]) for t in design[1:]])
