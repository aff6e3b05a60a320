"""GOSH: the pooled effect and the heterogeneity of all subsets of the studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import seed as check_seed
from metablin._input import whole
from metablin.meta.checks.refit import effects_only, no_moderators, refit
from metablin.meta.core.fit import MetaFit
from metablin.records import Record, json_dict

__all__ = ["ALL_SUBSETS_UP_TO", "Gosh", "gosh"]

FloatArray = NDArray[np.float64]

ALL_SUBSETS_UP_TO = 16
"""With more studies than this, subsets are sampled (2^16 subsets take about a second)."""

SAMPLED = 65_536
"""Subsets drawn when there are too many to list."""

MOST_CELLS = 1_000_000_000
"""Subsets times studies beyond this do not fit into memory."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gosh(Record):
    """Fits of m subsets of the k studies. Arrays have shape (m,) unless said otherwise.

    Attributes
    ----------
    fit : MetaFit
        The fit of all studies.
    member : ndarray of bool, shape (m, k)
        Which studies are in each subset.
    size : ndarray of int
        Studies in each subset.
    estimate, tau2, i2, h2, q : ndarray
        Pooled effect on the analysis scale, and heterogeneity; I2 is 0 to 1.
    complete : bool
        Whether these are all subsets of two or more studies, or a sample.
    seed : int or None
        Seed of the sample.
    """

    fit: MetaFit
    member: NDArray[np.bool_]
    size: NDArray[np.intp]
    estimate: FloatArray
    tau2: FloatArray
    i2: FloatArray
    h2: FloatArray
    q: FloatArray
    complete: bool
    seed: int | None

    @property
    def studies(self) -> tuple[str, ...]:
        """Labels of the k studies."""
        return self.fit.effects.studies

    def to_frame(self, scale: str = "reader") -> pd.DataFrame:
        """Return one row per subset: its size, the estimate on the chosen scale, heterogeneity."""
        return pd.DataFrame(
            {
                "k": self.size,
                "estimate": self._back() if scale == "reader" else self.estimate,
                "tau2": self.tau2,
                "i2": self.i2,
                "h2": self.h2,
                "q": self.q,
            }
        )

    def _back(self) -> FloatArray:
        e = self.fit.effects
        if e.transform != "freeman-tukey":
            return e.back(self.estimate)
        return e.back(self.estimate, self.size / (self.member / e.counts["n"]).sum(-1))

    def by_study(self) -> pd.DataFrame:
        """Return, per study, the median estimate and I2 of the subsets with and without it.

        A study whose presence splits the cloud shows a large difference.
        """
        estimate = self._back()
        rows = []
        for i, study in enumerate(self.studies):
            inside = self.member[:, i]
            row: dict[str, Any] = {"study": study}
            for name, part in (("with", inside), ("without", ~inside)):
                row[f"estimate_{name}"] = float(np.median(estimate[part]))
                row[f"i2_{name}"] = float(np.median(self.i2[part]))
            rows.append(row)
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary per study and the quantiles over subsets, JSON-ready."""
        levels = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
        frame = self.to_frame()
        return json_dict(
            {
                "subsets": len(self.size),
                "complete": self.complete,
                "seed": self.seed,
                "measure": self.fit.measure,
                "quantiles": {
                    name: dict(zip(map(str, levels), np.quantile(frame[name], levels), strict=True))
                    for name in ("estimate", "tau2", "i2")
                },
                "studies": self.by_study(),
            }
        )

    def summary(self) -> str:
        """Return the spread over subsets and the studies that split it, as text for people."""
        low, middle, high = np.quantile(self._back(), (0.05, 0.5, 0.95))
        kind = "all" if self.complete else "a sample of"
        table = self.by_study().to_string(index=False, float_format="{:.4g}".format)
        return (
            f"{kind.capitalize()} {len(self.size)} subsets of {len(self.studies)} studies: median "
            f"{middle:.4g}, 5% {low:.4g}, 95% {high:.4g}\n{table}"
        )


def gosh(fit: MetaFit, subsets: int | None = None, seed: int = 1) -> Gosh:
    """Fit the model to all subsets of two or more studies, or to a random sample of them.

    Parameters
    ----------
    fit : MetaFit
        A random-effects or common-effect fit of at least three studies.
    subsets : int, optional
        Draw this many subsets, each study in with probability 1/2, instead of listing all of
        them; with more than 16 studies 65,536 are drawn when nothing is said.
    seed : int
        Seed of the sample; the same seed gives the same subsets.

    Returns
    -------
    Gosh

    Raises
    ------
    DataError
        For another model, moderators, fewer than three studies, or fewer than one subset.

    References
    ----------
    Olkin I, Dahabreh IJ, Trikalinos TA (2012). GOSH: a graphical display of study heterogeneity.
    doi:10.1002/jrsm.1053

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.2, 0.15, 1.2], [0.02, 0.05, 0.04, 0.03]), tau2="DL")
    >>> g = gosh(fit)
    >>> len(g.size), float(g.estimate.min().round(3))
    (11, 0.117)
    """
    spec = effects_only(fit, "GOSH")
    no_moderators(fit, "GOSH")
    seed = check_seed(seed)
    if subsets is not None:
        subsets = whole("subsets", subsets, minimum=1, maximum=MOST_CELLS // fit.k)
    complete = subsets is None and fit.k <= ALL_SUBSETS_UP_TO
    member = _all(fit.k) if complete else _sample(fit.k, subsets or SAMPLED, seed)
    fits = refit(fit.effects.yi, fit.effects.vi, member, spec)
    return Gosh(
        fit,
        member,
        member.sum(-1),
        fits.estimate,
        fits.tau2,
        fits.i2,
        fits.h2,
        fits.q,
        complete,
        None if complete else seed,
    )


def _all(k: int) -> NDArray[np.bool_]:
    codes = np.arange(2**k)
    member = (codes[:, None] >> np.arange(k)) & 1 == 1
    return np.asarray(member[member.sum(-1) >= 2])


def _sample(k: int, m: int, seed: int) -> NDArray[np.bool_]:
    """Return m uniform draws from the subsets with at least two members."""
    rng = np.random.default_rng(seed)
    member = rng.random((m, k)) < 0.5
    while (small := member.sum(-1) < 2).any():
        member[small] = rng.random((int(small.sum()), k)) < 0.5
    return member
