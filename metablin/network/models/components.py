"""Additive component networks: the effect of a combination is the sum of its parts' effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.network.gls import TAU2_METHODS, Rows, rows_of
from metablin.network.records import Network, needs_network
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, critical, wald
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["ComponentFit", "network_components"]

FloatArray = NDArray[np.float64]

DEPENDENT = 1e-9
"""Singular values below this share of the largest are those of dependent columns."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComponentFit(Record):
    """An additive component network.

    Attributes
    ----------
    network : Network
    components : tuple of str
        Parts that have an effect.
    inactive : str or None
        The part that has none by assumption.
    matrix : ndarray, shape (t, c)
        1 where a treatment has the component.
    beta, cov : ndarray, shape (c,), (c, c)
        Effects of the components and their covariance; of components that the studies do not
        determine the smallest ones that fit.
    determined : tuple of bool
        Whether the studies determine each component's effect.
    tau2 : float
    q, q_df, q_p : float
        Cochran's Q of the additive model.
    q_difference, df_difference, p_difference : float
        Rise of Q against the model without additivity: the test of additivity (0 degrees of
        freedom where both are one; a disconnected network is compared part by part).
    level : float
    separator : str
        Between the parts of a combination.
    """

    network: Network
    components: tuple[str, ...]
    inactive: str | None
    matrix: FloatArray
    beta: FloatArray
    cov: FloatArray
    determined: tuple[bool, ...]
    tau2: float
    q: float
    q_df: int
    q_p: float
    q_difference: float
    df_difference: int
    p_difference: float
    level: float
    separator: str

    def _back(self, x: FloatArray) -> FloatArray:
        return np.asarray(np.exp(x)) if self.network.transform == "log" else x

    def to_frame(self) -> pd.DataFrame:
        """Return one row per component that the studies determine."""
        keep = np.array(self.determined)
        y = self.beta[keep]
        columns = wald(y, self.cov[np.ix_(keep, keep)], math.inf, self.level)
        columns |= {name: self._back(columns[name]) for name in ("conf_low", "conf_high")}
        terms = [c for c, k in zip(self.components, keep, strict=True) if k]
        return pd.DataFrame({"term": terms, "estimate": self._back(y), **columns}).assign(
            conf_level=self.level
        )

    def effect(self, treat1: str, treat2: str) -> dict[str, float]:
        """Return the effect of one combination against another, also of ones no study had.

        Raises
        ------
        DataError
            For an unknown component, or when the studies do not determine the difference.
        """
        c = self._row(treat1) - self._row(treat2)
        free = np.linalg.lstsq(self._seen(), c, rcond=None)[0] if len(self.beta) else c
        if np.abs(self._seen() @ free - c).max(initial=0.0) > 1e-8:
            raise DataError("the studies do not determine this difference", column="treat1",
                            value=f"{treat1} against {treat2}")  # fmt: skip
        y, se = float(c @ self.beta), math.sqrt(max(float(c @ self.cov @ c), 0.0))
        half = float(critical(self.level, math.inf)) * se
        ends = self._back(np.array([y, y - half, y + half])).tolist()
        names = ("estimate", "conf_low", "conf_high")
        return {**dict(zip(names, ends, strict=True)), "effect": y, "std_error": se}

    def _seen(self) -> FloatArray:
        """Return the contrasts of components within studies, (c, contrasts)."""
        rows = [self.matrix[b.arms[j]] - self.matrix[b.arms[0]]
                for b in self.network.blocks for j in range(1, len(b.arms))]  # fmt: skip
        return np.array(rows).T

    def _row(self, treatment: str) -> FloatArray:
        if treatment in self.network.treatments:
            row: FloatArray = self.matrix[self.network.treatments.index(treatment)]
            return row
        return _indicator(treatment, self.components, self.inactive, self.separator)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        names = ("components", "inactive", "tau2", "q", "q_df", "q_p", "q_difference",
                 "df_difference", "p_difference")  # fmt: skip
        return json_dict({**{n: getattr(self, n) for n in names}, "effects": self.to_frame()})

    def summary(self) -> str:
        """Return the result in words."""
        lost = [c for c, k in zip(self.components, self.determined, strict=True) if not k]
        lines = [
            f"Additive components of {len(self.network.treatments)} treatments, {self.network.k} "
            f"studies; tau2 = {self.tau2:.4g}; no effect assumed: {self.inactive or 'none'}",
            self.to_frame().to_string(index=False, float_format="{:.4g}".format),
            f"Q = {self.q:.3f}, df = {self.q_df}, p = {self.q_p:.4g}; additivity: "
            f"{self.q_difference:.3f}, df = {self.df_difference}, p = {self.p_difference:.4g}",
        ]
        if lost:
            lines.append(f"Note: the studies do not determine {', '.join(lost)}")
        return "\n".join(lines)


def network_components(
    n: Network,
    *,
    separator: str = "+",
    inactive: str | None = None,
    model: str = "random",
    tau2: str = "REML",
    level: float = 0.95,
) -> ComponentFit:
    """Fit an additive component network; common parts may join what is disconnected.

    Parameters
    ----------
    n : Network
        Connected or not; a combination is written ``A + B``.
    separator : str
        What stands between parts.
    inactive : str, optional
        A part without effect (placebo, say).
    model : {"random", "common"}
    tau2 : str
        As in :func:`metablin.network_pool`.
    level : float

    Returns
    -------
    ComponentFit

    Raises
    ------
    DataError
        For an unknown inactive part, or when no component differs within any study.

    References
    ----------
    Welton NJ, Caldwell DM, Adamopoulos E, Vedhara K (2009). Mixed treatment comparison
    meta-analysis of complex interventions. doi:10.1093/aje/kwp014
    Ruecker G, Petropoulou M, Schwarzer G (2020). Network meta-analysis of multicomponent
    interventions, sections 2.3 and 2.4. doi:10.1002/bimj.201800167

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": list("ABC"), "treat1": ["A", "B", "A+B"], "treat2": ["P"] * 3,
    ...              "yi": [0.2, 0.3, 0.6], "vi": [0.02, 0.02, 0.02]}, "generic")
    >>> fit = network_components(n, inactive="P", model="common")
    >>> fit.to_frame()["estimate"].round(3).tolist(), fit.df_difference
    ([0.233, 0.333], 1)
    """
    needs_network(n, connected=False)
    model = choice("model", model, ("random", "common"))
    tau2 = choice("tau2", tau2, TAU2_METHODS)
    level = check_level(level)
    parts = sorted({p for t in n.treatments for p in _parts(t, separator)})
    if inactive is not None and inactive not in parts:
        raise DataError("no treatment has this part", column="inactive", value=inactive,
                        allowed=" | ".join(parts))  # fmt: skip
    names = tuple(p for p in parts if p != inactive)
    matrix = np.array([_indicator(t, names, inactive, separator) for t in n.treatments])
    rows = rows_of(n)
    x = rows.x @ matrix
    basis = _basis(x)
    if basis.shape[1] == 0:
        raise DataError("no component differs within a study", column="treatment",
                        value=", ".join(n.treatments))  # fmt: skip
    z = x @ basis
    free = len(rows.y) - z.shape[1]
    value = 0.0
    if model == "random" and free:
        value = max(float(estimate_tau2(tau2, rows.y, rows.v, z)), 0.0)
    fit = gls(rows.y, 1 / (rows.v + value), z)
    q = float(gls(rows.y, 1 / rows.v, z).rss) if free else 0.0
    plain, rank = _saturated(rows)
    gap = max(q - plain, 0.0) if rank > z.shape[1] else 0.0
    return ComponentFit(
        n, names, inactive, matrix, basis @ fit.beta, basis @ fit.cov @ basis.T,
        tuple(bool(abs(b @ b - 1) < 1e-8) for b in basis), value, q, free,
        float(chi2_tail(q, free)), gap, rank - z.shape[1],
        float(chi2_tail(gap, rank - z.shape[1])), level,
        separator,
    )  # fmt: skip


def _parts(treatment: str, separator: str) -> list[str]:
    return [p.strip() for p in treatment.split(separator) if p.strip()]


def _indicator(
    treatment: str, names: tuple[str, ...], inactive: str | None, separator: str
) -> FloatArray:
    found = _parts(treatment, separator)
    unknown = [p for p in found if p not in names and p != inactive]
    if unknown:
        raise DataError("no study has this component", column="treat1", value=unknown[0],
                        allowed=" | ".join(names))  # fmt: skip
    return np.array([float(name in found) for name in names])


def _basis(x: FloatArray) -> FloatArray:
    """Return an orthonormal basis of what the studies determine, (c, rank).

    A component is determined when its own direction lies in it.
    """
    _, s, vt = np.linalg.svd(x, full_matrices=False)
    rank = int((s > DEPENDENT * s[0]).sum()) if s.size and s[0] > 0 else 0
    return np.asarray(vt[:rank].T)


def _saturated(rows: Rows) -> tuple[float, int]:
    """Return Q and rank of the model with an effect of every treatment, parts on their own."""
    z = rows.x @ _basis(rows.x)
    if len(rows.y) == z.shape[1]:
        return 0.0, z.shape[1]
    return float(gls(rows.y, 1 / rows.v, z).rss), z.shape[1]
