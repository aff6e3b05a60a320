"""Network meta-regression with one covariate of the studies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice, is_missing, numeric
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.network.fit import NAN, NetworkFit
from metablin.network.gls import TAU2_METHODS, Rows, design_of, estimate, rows_of, solve
from metablin.network.records import Network, needs_network
from metablin.numerics.inference import chi2_tail, wald
from metablin.options import NetworkInterval, words
from metablin.records import Record, json_dict

__all__ = ["NetworkRegression", "network_regression"]

FloatArray = NDArray[np.float64]

DEPENDENT = 1e-9
"""Singular values below this share of the largest are those of dependent columns."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkRegression(Record):
    """A network whose effects change with a covariate.

    Attributes
    ----------
    network : Network
    covariate : str
        Its name.
    centre : float
        Value at which :attr:`d` holds.
    reference : str
        Treatment to which the slopes refer; its own is 0.
    slopes : tuple of str
        Terms of the slopes: ``common``, or the treatments.
    beta, cov : ndarray
        Effects against the first treatment, then slopes; and their covariance.
    tau2, q, q_df, q_p : float
        What the covariate leaves over; Q at the common-effect weights.
    tau2_before : float
        tau2 without the covariate.
    test, test_df, test_p : float
        Wald test that all slopes are zero.
    df : float
        Degrees of freedom of the intervals.
    level : float
    """

    network: Network
    covariate: str
    centre: float
    reference: str
    slopes: tuple[str, ...]
    beta: FloatArray
    cov: FloatArray
    tau2: float
    q: float
    q_df: int
    q_p: float
    tau2_before: float
    test: float
    test_df: int
    test_p: float
    df: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row per slope, on the analysis scale."""
        count = len(self.slopes)
        y, cov = self.beta[-count:], self.cov[-count:, -count:]
        columns = {"term": list(self.slopes), "estimate": y, **wald(y, cov, self.df, self.level)}
        return pd.DataFrame(columns).assign(conf_level=self.level)

    def at(self, value: float) -> NetworkFit:
        """Return the network's effects at a value of the covariate."""
        t = len(self.network.treatments)
        ref = self.network.treatments.index(self.reference)
        effects = np.zeros((t, len(self.beta)))
        effects[1:, : t - 1] = np.eye(t - 1)
        gap = float(value) - self.centre
        for column, name in enumerate(self.slopes, start=t - 1):
            for i, treatment in enumerate(self.network.treatments):
                if i != ref and name in ("common", treatment):
                    effects[i, column] = gap
        effects = effects - effects[0]
        return NetworkFit(
            self.network, "random", "given", "z" if math.isinf(self.df) else "t", self.level,
            self.reference, effects @ self.beta, effects @ self.cov @ effects.T, self.df,
            self.tau2, NAN, NAN, self.q, self.q_df, self.q_p,
            (f"at {self.covariate} = {value:g}",),
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        names = ("covariate", "centre", "reference", "tau2", "tau2_before", "q", "q_df", "q_p",
                 "test", "test_df", "test_p")  # fmt: skip
        return json_dict({**{n: getattr(self, n) for n in names}, "slopes": self.to_frame()})

    def summary(self) -> str:
        """Return the result in words."""
        return "\n".join(
            [
                f"Network regression on {self.covariate} (centre {self.centre:.4g}), slopes "
                f"against {self.reference}; tau2 = {self.tau2:.4g} "
                f"(without it {self.tau2_before:.4g})",
                self.to_frame().to_string(index=False, float_format="{:.4g}".format),
                f"All slopes zero: {self.test:.3f}, df = {self.test_df}, p = {self.test_p:.4g}",
            ]
        )


def network_regression(
    n: Network,
    values: Mapping[str, float],
    covariate: str = "covariate",
    *,
    slopes: str = "common",
    reference: str | None = None,
    tau2: str = "REML",
    ci: NetworkInterval = "z",
    centre: float | None = None,
    level: float = 0.95,
) -> NetworkRegression:
    """Let the effects of a network change with one covariate of the studies.

    Parameters
    ----------
    n : Network
        In one piece.
    values : mapping of study to number
        Covariate of every study.
    covariate : str
        Its name, for tables.
    slopes : {"common", "independent"}
        One slope for every treatment against the reference, or one each.
    reference : str, optional
        The first treatment when not given.
    tau2, ci, level
        As in :func:`metablin.network_pool`; ``hksj`` scales the covariance.
    centre : float, optional
        Value at which effects are given; the mean over studies when not given.

    Returns
    -------
    NetworkRegression

    Raises
    ------
    DataError
        When the covariate of a study is missing, or a slope cannot be told from the rest.

    Notes
    -----
    A covariate of studies says how effects differ between studies, not between patients.

    References
    ----------
    Cooper NJ, Sutton AJ, Morris D, Ades AE, Welton NJ (2009). Addressing between-study
    heterogeneity and inconsistency in mixed treatment comparisons. doi:10.1002/sim.3594

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": list("ABCD"), "treat1": list("yyzz"), "treat2": ["x"] * 4,
    ...              "yi": [0.1, 0.5, 0.3, 0.8], "vi": [0.04, 0.05, 0.03, 0.04]}, "generic")
    >>> fit = network_regression(n, {"A": 1, "B": 2, "C": 1, "D": 2}, "dose", reference="x")
    >>> fit.slopes, round(float(fit.to_frame()["estimate"][0]), 3)
    (('common',), 0.456)
    """
    needs_network(n)
    slopes = choice("slopes", slopes, ("common", "independent"))
    tau2 = choice("tau2", tau2, TAU2_METHODS)
    ci = choice("ci", ci, words(NetworkInterval))
    x = _covariate(n, values, covariate)
    middle = float(x.mean()) if centre is None else float(centre)
    name = n.treatments[0] if reference is None else n.treatments[n.position(reference)]
    rows = rows_of(n)
    extra, terms = _columns(n, rows, x - middle, name, slopes)
    _check(rows, extra, terms, covariate)
    value = estimate(tau2, rows, extra)
    fit = solve(rows, value, extra)
    free = len(rows.y) - len(fit.beta)
    q = float(solve(rows, 0.0, extra).rss) if free else 0.0
    cov = fit.cov * (float(fit.rss) / free if ci == "hksj" and free else 1.0)
    count = len(terms)
    b = fit.beta[-count:]
    test = float(b @ np.linalg.solve(cov[-count:, -count:], b))
    return NetworkRegression(
        n, covariate, middle, name, terms, fit.beta, cov, value, q, free,
        float(chi2_tail(q, free)), estimate(tau2, rows), test, count,
        float(chi2_tail(test, count)), math.inf if ci == "z" or not free else float(free),
        check_level(level),
    )  # fmt: skip


def _covariate(n: Network, values: Mapping[str, float], covariate: str) -> FloatArray:
    out = []
    for b in n.blocks:
        if b.study not in values or is_missing(values[b.study]):
            raise DataError(
                "the covariate of the study is missing", study=b.study, column=covariate,
                value=" : ".join(n.treatments[i] for i in b.arms),
                allowed="a number for every study",
            )  # fmt: skip
        out.append(float(numeric(covariate, values[b.study], studies=[b.study])[0]))
    return np.array(out)


def _columns(
    n: Network, rows: Rows, x: FloatArray, reference: str, slopes: str
) -> tuple[FloatArray, tuple[str, ...]]:
    ref = n.treatments.index(reference)
    by_row = x[rows.study]
    if slopes == "common":
        # Rows are orthogonal to a constant: all but the reference together are minus it.
        return (-by_row * rows.x[:, ref])[:, None], ("common",)
    others = [i for i in range(len(n.treatments)) if i != ref]
    return by_row[:, None] * rows.x[:, others], tuple(n.treatments[i] for i in others)


def _check(rows: Rows, extra: FloatArray, terms: tuple[str, ...], covariate: str) -> None:
    """Refuse slopes that the studies cannot tell from the effects, by name."""
    for j, term in enumerate(terms):
        grown = design_of(rows, extra[:, : j + 1])
        s = np.linalg.svd(grown, compute_uv=False)
        if len(grown) < grown.shape[1] or s[-1] < DEPENDENT * s[0]:
            raise DataError(
                "the slope cannot be told from the effects: the covariate does not vary between "
                "studies that tie the treatment to the reference",
                column=covariate, value=term, allowed='slopes="common", or fewer treatments',
            )  # fmt: skip
