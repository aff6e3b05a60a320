"""A pooled effect whose interval allows for rows that belong together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.options import align
from metablin.meta.normal.robust import RobustFit, cluster_robust
from metablin.numerics.inference import critical, joint_test

__all__ = ["clustered"]


def clustered(fit: MetaFit, cluster: Sequence[Any], kind: str = "CR1p") -> MetaFit:
    """Give an inverse-variance fit a cluster-robust interval.

    The estimate stays; its standard error no longer takes rows of one cluster (several arms or
    outcomes of one trial) for independent.

    Parameters
    ----------
    fit : MetaFit
        Of the models ``random`` and ``common``, with or without moderators, without subgroups.
    cluster : sequence
        One label per input row (or per study pooled).
    kind : {"CR1p", "CR1", "CR0", "CR2"}
        Small-sample correction; the default, m/(m - p) with t on m - p degrees of freedom for m
        clusters and p coefficients, is that of ``robust()`` in R's metafor.

    Returns
    -------
    MetaFit
        With ``ci_method == "cluster-robust"``.

    Raises
    ------
    DataError
        For other models, subgroups, and no more clusters than coefficients.

    References
    ----------
    Hedges LV, Tipton E, Johnson MC (2010). Res Synth Methods 1:39-65. doi:10.1002/jrsm.5

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.3, 0.2, 0.6], [0.02, 0.03, 0.02, 0.04])
    >>> mb.clustered(mb.pool(e), ["a", "a", "b", "c"]).df
    2.0
    """
    needs_fit(fit)
    if fit.model not in ("random", "common") or fit.subgroups:
        raise DataError(
            "cluster-robust intervals need an inverse-variance model without subgroups",
            column="model", value=fit.model, allowed="random | common",
        )  # fmt: skip
    e = fit.effects
    groups = align(e, "cluster", cluster)
    design = None if fit.regression is None else fit.regression.design.matrix
    found = cluster_robust(
        e.yi, e.vi + (0.0 if math.isnan(fit.tau2) else fit.tau2), [str(g) for g in groups],
        design=design, kind=kind, df="clusters", level=fit.level,
    )  # fmt: skip
    note = (
        f"cluster-robust interval ({kind}): {e.k} rows in {found.clusters} clusters, "
        f"t with {found.df[0]:g} df"
    )
    extra = {**fit.extra, "clusters": found.clusters, "cluster_correction": kind}
    changed: dict[str, Any] = {
        "ci_method": "cluster-robust",
        "notes": (*fit.notes, note),
        "extra": extra,
        "again": None,  # asked again, pool would not know of the clusters
    }
    if fit.regression is not None:
        return dataclasses.replace(fit, regression=_coefficients(fit, found), **changed)
    return dataclasses.replace(fit, **changed, **_pooled(fit, found))


def _pooled(fit: MetaFit, found: RobustFit) -> dict[str, Any]:
    se, df = float(found.std_error[0]), float(found.df[0])
    middle = fit.analysis.estimate
    spread = math.sqrt(se**2 + fit.tau2) if fit.model == "random" else math.nan
    half = float(critical(fit.level, df)) * spread
    inner = dataclasses.replace(
        fit.analysis, std_error=se, conf_low=float(found.conf_low[0]),
        conf_high=float(found.conf_high[0]), pred_low=middle - half, pred_high=middle + half,
    )  # fmt: skip
    names = ("conf_low", "conf_high", "pred_low", "pred_high")
    outer = fit.effects.back([getattr(inner, name) for name in names])
    return {
        "analysis": inner, "df": df, "statistic": float(found.statistic[0]),
        "p_value": float(found.p_value[0]),
        **{name: float(x) for name, x in zip(names, outer, strict=True)},
    }  # fmt: skip


def _coefficients(fit: MetaFit, found: RobustFit) -> Any:
    """Return the regression with robust errors and the Wald F test of its moderators."""
    old = fit.regression
    assert old is not None  # the caller asked
    at = old.design.tested
    df = float(found.df[0])
    qm, qm_p = joint_test(found.beta[at], found.cov[np.ix_(at, at)], df)
    return dataclasses.replace(
        old, std_error=found.std_error, statistic=found.statistic, p_value=found.p_value,
        conf_low=found.conf_low, conf_high=found.conf_high, cov=found.cov, df=df, qm=qm,
        qm_df=len(at), qm_df2=df, qm_p=qm_p,
    )  # fmt: skip
