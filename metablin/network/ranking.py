"""Which treatment may be best: P-scores, SUCRA, rank probabilities, and what they cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import choice, one
from metablin.errors import DataError
from metablin.network.gls import critical

if TYPE_CHECKING:
    from metablin.network.fit import NetworkFit

__all__ = ["better_than", "league", "p_scores", "rank_probabilities"]

FloatArray = NDArray[np.float64]

CAVEAT = (
    "ranks weigh neither the size of a difference nor the quality of the evidence; read them beside "
    "the effects and their intervals"
)
MOST_DRAWS = 10_000_000


def _better(fit: NetworkFit, small_values: str, margin: float = 0.0) -> FloatArray:
    """Return the probability that treatment i beats j by more than `margin`, (t, t)."""
    sign = -1.0 if choice("small_values", small_values, ("desirable", "undesirable")) == (
        "desirable") else 1.0  # fmt: skip
    gap = sign * (fit.d[:, None] - fit.d[None, :]) - margin
    variance = np.diag(fit.cov)
    se = np.sqrt(variance[:, None] + variance[None, :] - 2 * fit.cov)
    np.fill_diagonal(se, 1.0)
    z = gap / se
    p = special.ndtr(z) if np.isinf(fit.df) else special.stdtr(fit.df, z)
    np.fill_diagonal(p, np.nan)
    return np.asarray(p)


def p_scores(fit: NetworkFit, small_values: str) -> pd.DataFrame:
    """Return P-scores: the mean certainty that a treatment is better than another one.

    References
    ----------
    Ruecker G, Schwarzer G (2015). Ranking treatments in frequentist network meta-analysis works
    without resampling methods, eq. 1. doi:10.1186/s12874-015-0060-8
    """
    p = np.nanmean(_better(fit, small_values), axis=1)
    t = len(p)
    frame = pd.DataFrame({"treatment": list(fit.treatments), "p_score": p,
                          "mean_rank": t - (t - 1) * p})  # fmt: skip
    frame = frame.sort_values("p_score", ascending=False, kind="stable").reset_index(drop=True)
    frame.attrs["caveat"] = CAVEAT
    return frame


def rank_probabilities(fit: NetworkFit, small_values: str, draws: int, seed: int) -> pd.DataFrame:
    """Return one row per treatment and rank: probability, Monte-Carlo error, cumulative, SUCRA.

    SUCRA is the exact one, which equals the P-score for normal effects; ranks are counted over
    seeded draws from the normal (or t) distribution of the effects.

    References
    ----------
    Salanti G, Ades AE, Ioannidis JPA (2011). Graphical methods and numerical summaries for
    presenting results from multiple-treatment meta-analysis. doi:10.1016/j.jclinepi.2010.03.016
    """
    size = int(one("draws", draws, minimum=100, maximum=MOST_DRAWS, integer=True))
    sign = 1.0 if choice("small_values", small_values, ("desirable", "undesirable")) == (
        "desirable") else -1.0  # fmt: skip
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(fit.cov[1:, 1:])
    t = len(fit.treatments)
    counts = np.zeros((t, t))
    left = size
    while left:
        chunk = min(left, 20_000)
        left -= chunk
        z = rng.standard_normal((chunk, t - 1)) @ root.T
        if np.isfinite(fit.df):
            z /= np.sqrt(rng.chisquare(fit.df, chunk) / fit.df)[:, None]
        effects = np.zeros((chunk, t))
        effects[:, 1:] = z + fit.d[1:]
        ranks = np.argsort(np.argsort(sign * effects, axis=1), axis=1)
        for i in range(t):
            counts[i] += np.bincount(ranks[:, i], minlength=t)
    p = counts / size
    sucra = np.nanmean(_better(fit, small_values), axis=1)
    return pd.DataFrame(
        {
            "treatment": np.repeat(fit.treatments, t),
            "rank": np.tile(np.arange(1, t + 1), t),
            "probability": p.ravel(),
            "mc_error": np.sqrt(p * (1 - p) / size).ravel(),
            "cumulative": np.cumsum(p, axis=1).ravel(),
            "sucra": np.repeat(sucra, t),
        }
    )


def better_than(fit: NetworkFit, margin: float, small_values: str) -> pd.DataFrame:
    """Return a square table of probabilities; `margin` is on the analysis scale, at least 0."""
    amount = one("margin", margin, minimum=0)
    names = list(fit.treatments)
    return pd.DataFrame(_better(fit, small_values, amount), index=names, columns=names)


def league(fit: NetworkFit, digits: int, order: str, other: NetworkFit | None) -> pd.DataFrame:
    """Return the league table as text."""
    names = list(fit.treatments)
    if choice("order", order, ("rank", "label")) == "rank":
        names = fit.ranking()["treatment"].tolist()
    if other is not None and set(other.treatments) != set(names):
        lost = sorted(set(other.treatments) ^ set(names))
        raise DataError("the two outcomes have other treatments", column="other", value=lost[0])
    table = pd.DataFrame("", index=names, columns=names)
    for i, row in enumerate(names):
        table.iat[i, i] = row
        for j in range(i):
            table.iat[i, j] = _cell(fit.effect(row, names[j]), digits)
            if other is not None:
                table.iat[j, i] = _cell(other.effect(names[j], row), digits)
    if other is None and fit.inverse_variance:
        _fill_direct(fit, table, digits)
    return table


def _fill_direct(fit: NetworkFit, table: pd.DataFrame, digits: int) -> None:
    """Put direct estimates into the upper triangle."""
    from metablin.network.inconsistency import direct_effects

    crit = float(critical(fit.level, fit.df))
    place = {name: i for i, name in enumerate(table.index)}
    for (i, j), (y, v) in direct_effects(fit.network, fit.tau2).items():
        row, column = place[fit.treatments[i]], place[fit.treatments[j]]
        if row > column:
            row, column, y = column, row, -y
        half = crit * v**0.5
        ends = fit.back([y, y - half, y + half])
        cell = dict(zip(("estimate", "conf_low", "conf_high"), ends.tolist(), strict=True))
        table.iat[row, column] = _cell(cell, digits)


def _cell(cell: dict[str, float], digits: int) -> str:
    a, b, c = (f"{cell[n]:.{digits}f}" for n in ("estimate", "conf_low", "conf_high"))
    return f"{a} ({b} to {c})"
