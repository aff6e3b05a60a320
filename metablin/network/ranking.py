"""Which treatment may be best: P-scores, SUCRA, rank probabilities, and what they cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import choice, one
from metablin.options import SmallValues, words
from metablin.records import freeze

__all__ = ["Effects", "better_than", "league", "p_scores", "rank_probabilities"]

FloatArray = NDArray[np.float64]

CAVEAT = (
    "ranks weigh neither the size of a difference nor the quality of the evidence; read them "
    "beside the effects and their intervals"
)
MOST_DRAWS = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Effects of all treatments against the first, their covariance, and its degrees of freedom."""

    treatments: tuple[str, ...]
    d: FloatArray
    cov: FloatArray
    df: float

    def __post_init__(self) -> None:
        freeze(self)


def _better(fit: Effects, small_values: str, margin: float = 0.0) -> FloatArray:
    """Return the probability that treatment i beats j by more than `margin`, (t, t)."""
    sign = -1.0 if choice("small_values", small_values, words(SmallValues)) == (
        "desirable") else 1.0  # fmt: skip
    gap = sign * (fit.d[:, None] - fit.d[None, :]) - margin
    variance = np.diag(fit.cov)
    se = np.sqrt(variance[:, None] + variance[None, :] - 2 * fit.cov)
    np.fill_diagonal(se, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((gap == 0) & (se == 0), 0.0, gap / se)  # no error: certain, or a tie
    p = special.ndtr(z) if np.isinf(fit.df) else special.stdtr(fit.df, z)
    np.fill_diagonal(p, np.nan)
    return np.asarray(p)


def p_scores(fit: Effects, small_values: str) -> pd.DataFrame:
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


def rank_probabilities(fit: Effects, small_values: str, draws: int, seed: int) -> pd.DataFrame:
    """Return one row per treatment and rank: probability, Monte-Carlo error, cumulative, SUCRA.

    SUCRA is the exact one, which equals the P-score for normal effects; ranks are counted over
    seeded draws from the normal (or t) distribution of the effects.

    References
    ----------
    Salanti G, Ades AE, Ioannidis JPA (2011). Graphical methods and numerical summaries for
    presenting results from multiple-treatment meta-analysis. doi:10.1016/j.jclinepi.2010.03.016
    """
    size = int(one("draws", draws, minimum=100, maximum=MOST_DRAWS, integer=True))
    sign = 1.0 if choice("small_values", small_values, words(SmallValues)) == (
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


def better_than(fit: Effects, margin: float, small_values: str) -> pd.DataFrame:
    """Return a square table of probabilities; `margin` is on the analysis scale, at least 0."""
    amount = one("margin", margin, minimum=0)
    names = list(fit.treatments)
    return pd.DataFrame(_better(fit, small_values, amount), index=names, columns=names)


Cell = tuple[float, float, float]


def league(
    names: list[str],
    lower: Mapping[tuple[str, str], Cell],
    upper: Mapping[tuple[str, str], Cell],
    digits: int,
) -> pd.DataFrame:
    """Return the league table as text: the row's treatment against the column's.

    Parameters
    ----------
    names : list of str
        In their order on the diagonal.
    lower, upper : mapping of (row, column) to (estimate, conf_low, conf_high)
        What stands below and above the diagonal; pairs that are not there stay empty.
    """
    table = pd.DataFrame("", index=names, columns=names)
    for i, row in enumerate(names):
        table.iat[i, i] = row
        for j, column in enumerate(names):
            cells = lower if j < i else upper
            if i != j and (row, column) in cells:
                # + 0.0 takes the sign off a zero.
                a, b, c = (f"{round(x, digits) + 0.0:.{digits}f}" for x in cells[row, column])
                table.iat[i, j] = f"{a} ({b} to {c})"
    return table
