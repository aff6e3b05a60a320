"""Intervals from resampled clusters: what depends on each other is drawn together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import items, same_length, whole
from metablin._input import level as check_level
from metablin._input import seed as check_seed
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.options import align
from metablin.meta.resampling import refitter
from metablin.meta.structures.fit import MixedFit
from metablin.records import Record, json_dict

__all__ = ["ClusterBootstrap", "cluster_bootstrap", "interval_limits", "quantile"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

FEWEST = 3
"""Clusters below which there is next to nothing to resample."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClusterBootstrap(Record):
    """Coefficients of a fit and their distribution over resampled clusters.

    Everything is on the analysis scale but for :meth:`to_frame` of a pool without moderators.

    Attributes
    ----------
    terms : tuple of str
    estimate : ndarray, shape (p,)
        Of the fit.
    drawn : ndarray, shape (m, p)
        Of the m draws that could be fitted.
    percentile_low, percentile_high : ndarray, shape (p,)
        Percentile interval.
    corrected_low, corrected_high : ndarray, shape (p,)
        Bias-corrected and accelerated interval.
    level : float
    clusters, failed, seed : int
        Clusters; draws that did not identify all coefficients, left out.
    fit : MetaFit or MixedFit
    """

    terms: tuple[str, ...]
    estimate: FloatArray
    drawn: FloatArray
    percentile_low: FloatArray
    percentile_high: FloatArray
    corrected_low: FloatArray
    corrected_high: FloatArray
    level: float
    clusters: int
    failed: int
    seed: int
    fit: MetaFit | MixedFit

    @property
    def std_error(self) -> FloatArray:
        """Standard deviation of the draws, shape (p,)."""
        return np.asarray(self.drawn.std(axis=0, ddof=1))

    @property
    def bias(self) -> FloatArray:
        """Mean of the draws less the estimate, shape (p,)."""
        return np.asarray(self.drawn.mean(axis=0) - self.estimate)

    def to_frame(self) -> pd.DataFrame:
        """Return two rows per coefficient, one for each interval.

        Returns
        -------
        DataFrame
            ``term, interval, estimate, std_error, bias, conf_low, conf_high, conf_level``; estimate
            and limits of a pool without moderators on the reader's scale, standard error and bias
            always on the analysis scale.
        """
        rows = [
            {"term": term, "interval": kind, "estimate": self.estimate[j],
             "std_error": self.std_error[j], "bias": self.bias[j], "conf_low": low[j],
             "conf_high": high[j], "conf_level": self.level}
            for j, term in enumerate(self.terms)
            for kind, low, high in (
                ("percentile", self.percentile_low, self.percentile_high),
                ("bias-corrected", self.corrected_low, self.corrected_high))
        ]  # fmt: skip
        frame = pd.DataFrame(rows)
        if isinstance(self.fit, MetaFit) and self.fit.regression is None:
            for name in ("estimate", "conf_low", "conf_high"):
                frame[name] = self.fit.effects.back(frame[name].to_numpy())
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the intervals as JSON-ready Python types, without the draws."""
        return json_dict(
            {"clusters": self.clusters, "draws": len(self.drawn), "failed": self.failed,
             "seed": self.seed, "intervals": self.to_frame()}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the intervals as text for people."""
        left = f", {self.failed} left out that did not identify the model" if self.failed else ""
        return (
            f"Bootstrap of {self.clusters} clusters, {len(self.drawn)} draws{left}\n"
            + self.to_frame().to_string(index=False, float_format="{:.4g}".format)
        )


def cluster_bootstrap(
    fit: MetaFit | MixedFit,
    cluster: Sequence[Any],
    draws: int = 1999,
    seed: int = 1,
    level: float | None = None,
) -> ClusterBootstrap:
    """Give the coefficients of a fit intervals by resampling its clusters.

    Whole clusters are drawn with replacement, as many as there are, and the model is fitted anew,
    variances between studies included; a cluster drawn twice counts as two. Nothing is assumed of
    the dependence within clusters. With fewer than about ten clusters such intervals are too narrow
    (:func:`metablin.clustered` with ``kind="CR2"`` corrects for few).

    Parameters
    ----------
    fit : MetaFit or MixedFit
        From :func:`metablin.pool` (models ``random``, ``common`` and ``multilevel``, with or
        without moderators, no subgroups) or :func:`metablin.mixed`.
    cluster : sequence
        One label per input row (or per estimate): the trial, the laboratory. A random effect whose
        groups lie within clusters has them anew in every copy; one that crosses clusters keeps
        its groups.
    draws : int
        Resampled data sets. Fits of ``pool`` go together, 2,000 in less than a second; those of
        :func:`metablin.mixed` take some milliseconds each.
    seed : int
    level : float, optional
        Confidence level; that of the fit when not given.

    Returns
    -------
    ClusterBootstrap

    Raises
    ------
    DataError
        For another model, fewer than three clusters, or sampling errors that are correlated across
        clusters.

    References
    ----------
    Field CA, Welsh AH (2007). Bootstrapping clustered data. J R Stat Soc B 69:369-390.
    doi:10.1111/j.1467-9868.2007.00593.x
    Efron B (1987). Better bootstrap confidence intervals. J Am Stat Assoc 82:171-185.
    doi:10.1080/01621459.1987.10478410 (bias correction; acceleration by leaving out each cluster).
    Davison AC, Hinkley DV (1997). Bootstrap Methods and their Application, eq. 5.8 (quantiles).

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.3, 0.2, 0.6, 0.4, 0.5], [0.02, 0.03, 0.02, 0.04, 0.03, 0.02])
    >>> found = mb.cluster_bootstrap(mb.pool(e), ["a", "a", "b", "c", "d", "d"], draws=199)
    >>> found.clusters, found.percentile_low.round(2).tolist()
    (4, [0.18])
    """
    refit = refitter(fit)
    draws, seed = whole("draws", draws, minimum=2), check_seed(seed)
    level = fit.level if level is None else check_level(level)
    rows = _rows(fit, cluster)
    refit.check(rows)
    picked = np.random.default_rng(seed).integers(len(rows), size=(draws, len(rows)))
    drawn = refit.many(rows, picked)
    usable = np.isfinite(drawn).all(axis=1)
    if usable.sum() < 2:
        raise DataError("no resampled set of clusters identifies the model", column="cluster")
    without = refit.many(rows, np.array([np.delete(np.arange(len(rows)), j)
                                         for j in range(len(rows))]))  # fmt: skip
    kept = drawn[usable]
    limits = [
        interval_limits(kept[:, j], refit.estimate[j], without[:, j], level)
        for j in range(len(refit.estimate))
    ]
    low, high, corrected_low, corrected_high = np.array(limits).T
    return ClusterBootstrap(
        refit.terms, np.array(refit.estimate), kept, low, high, corrected_low, corrected_high,
        level, len(rows), int((~usable).sum()), seed, fit,
    )  # fmt: skip


def _rows(fit: MetaFit | MixedFit, cluster: Sequence[Any]) -> list[IntArray]:
    if isinstance(fit, MetaFit):
        labels = list(align(fit.effects, "cluster", items("cluster", cluster)))
    else:
        labels = items("cluster", cluster)
        same_length(yi=fit.yi, cluster=labels)
    for i, label in enumerate(labels):
        if label is None or label != label or str(label) == "":
            raise DataError("no label", row=i + 1, column="cluster")
    codes, found = pd.factorize(np.asarray([str(x) for x in labels], dtype=object))
    if len(found) < FEWEST:
        raise DataError("a bootstrap of clusters needs more of them", column="cluster",
                        value=f"{len(found)} clusters", allowed=f"at least {FEWEST}")  # fmt: skip
    return [np.flatnonzero(codes == c) for c in range(len(found))]


def quantile(ordered: FloatArray, share: float) -> float:
    """Return a quantile of sorted draws, interpolated on the normal scale.

    Examples
    --------
    >>> round(quantile(np.arange(1.0, 100.0), 0.025), 3)
    2.542
    """
    n = len(ordered)
    below = math.floor((n + 1) * share)
    if below < 1 or below >= n:
        return float(ordered[0 if below < 1 else n - 1])
    left, at, right = (float(special.ndtri(p)) for p in (below / (n + 1), share,
                                                         (below + 1) / (n + 1)))  # fmt: skip
    part = (at - left) / (right - left)
    return float(ordered[below - 1] + part * (ordered[below] - ordered[below - 1]))


def interval_limits(
    drawn: FloatArray, estimate: float, without: FloatArray, level: float
) -> tuple[float, float, float, float]:
    """Return the percentile and the bias-corrected and accelerated interval.

    Parameters
    ----------
    drawn : ndarray, shape (m,)
    estimate : float
    without : ndarray, shape (c,)
        Without each cluster; NaN where that cannot be fitted.
    level : float

    Returns
    -------
    (percentile low, percentile high, corrected low, corrected high)
    """
    ordered = np.sort(drawn)
    tails = ((1 - level) / 2, (1 + level) / 2)
    plain = [quantile(ordered, a) for a in tails]
    # half of what ties with the estimate lies below it; never nothing, never all
    n = len(drawn)
    below = float((drawn < estimate).sum()) + float((drawn == estimate).sum()) / 2
    shift = float(special.ndtri(min(max(below, 0.5), n - 0.5) / n))
    pull = without[np.isfinite(without)]
    pull = pull.mean() - pull
    size = float((pull**2).sum())
    bend = float((pull**3).sum()) / (6 * size**1.5) if size > 0 else 0.0
    shares = []
    for a in tails:
        z = shift + float(special.ndtri(a))
        shares.append(float(special.ndtr(shift + z / (1 - bend * z))))
    return plain[0], plain[1], quantile(ordered, shares[0]), quantile(ordered, shares[1])
