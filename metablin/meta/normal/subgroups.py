"""Subgroups: one fit each and a test of their difference."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin._input import choice, is_missing
from metablin.effects import EffectSizes
from metablin.errors import DataError, visible
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.models import fit_model
from metablin.meta.core.options import Options, align
from metablin.meta.core.parts import Heterogeneity, SubgroupTest
from metablin.meta.normal.inverse import tau2_of
from metablin.numerics.gls import gls
from metablin.numerics.inference import (
    chi2_tail,
    hksj_factor,
    i2_h2,
    joint_test,
    q_profile,
)
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["add_subgroups"]

FloatArray = NDArray[np.float64]


def add_subgroups(
    fit: MetaFit, options: Options, by: Sequence[Any], subgroup_tau2: str = "separate"
) -> MetaFit:
    """Return `fit` with a fit per subgroup and a test of their difference.

    Parameters
    ----------
    fit : MetaFit
        Of all studies.
    options : Options
    by : sequence
        One label per input row.
    subgroup_tau2 : {"separate", "common"}
        A tau2 of its own for every subgroup, or one for all (model ``random``): the meta-regression
        on the subgroups, whose Hartung-Knapp factor and k - G degrees of freedom are shared too.

    Raises
    ------
    DataError
        For a missing label, or subgroups that cannot be compared.

    References
    ----------
    Borenstein M, Higgins JPT (2013). Meta-analysis and subgroups.
    doi:10.1007/s11121-013-0377-7
    """
    e = fit.effects
    names = _labels(e, by)
    levels = tuple(dict.fromkeys(names))
    masks = {level: np.array([n == level for n in names]) for level in levels}
    if choice("subgroup_tau2", subgroup_tau2, ("separate", "common")) == "common":
        groups, test = _common(e, options, masks)
    else:
        groups = {level: _group(e.select(mask), options, level) for level, mask in masks.items()}
        test = _separate_test(groups)
    return dataclasses.replace(fit, subgroups=groups, subgroup_test=test)


def _group(e: EffectSizes, options: Options, name: str) -> MetaFit:
    try:
        return fit_model(e, options)
    except DataError as error:
        raise DataError(f"subgroup {name}: {error}", column="by") from error


def _labels(e: EffectSizes, by: Sequence[Any]) -> list[str]:
    values = align(e, "by", by)
    for i, raw in enumerate(values):
        if is_missing(raw):
            raise DataError("no subgroup", row=int(e.rows[i]) + 1, column="by", study=e.studies[i])
    return [visible(str(raw)) for raw in values]


def _separate_test(groups: dict[str, MetaFit]) -> SubgroupTest | None:
    """Return Cochran's Q of the subgroup estimates with their own standard errors."""
    if len(groups) < 2 or any(g.model == "exact" for g in groups.values()):
        return None
    y = np.array([g.analysis.estimate for g in groups.values()])
    se = np.array([g.analysis.std_error for g in groups.values()])
    if not (se > 0).all():
        raise DataError(
            "the standard error of a subgroup is zero, so subgroups cannot be compared",
            column="by",
            value=", ".join(np.array(list(groups))[~(se > 0)]),
            allowed="ci='hksj-adhoc' or 'z', which do not vanish when effects are equal",
        )
    w = 1 / se**2
    q = float(np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2))
    df = len(groups) - 1
    return SubgroupTest(q, df, float(chi2_tail(q, df)), "Q between subgroups, separate tau2")


def _common(
    e: EffectSizes, options: Options, masks: dict[str, NDArray[np.bool_]]
) -> tuple[dict[str, MetaFit], SubgroupTest | None]:
    if options.model != "random":
        raise DataError(
            "one tau2 for all subgroups needs the random-effects model",
            column="subgroup_tau2",
            value=options.model,
            allowed="model='random'",
        )
    x = np.array(list(masks.values()), dtype=np.float64).T
    residual = float(e.k - len(masks))
    if residual < 1:
        raise DataError("as many subgroups as studies", column="by", value=len(masks))
    name, given = tau2_of(options.tau2)
    tau2 = float(estimate_tau2(name, e.yi, e.vi, x)) if given is None else given
    joint = gls(e.yi, 1 / (e.vi + tau2), x)
    cov = joint.cov
    if options.ci.startswith("hksj"):
        cov = cov * hksj_factor(joint.rss, residual, options.ci == "hksj-adhoc")
    df = math.inf if options.ci == "z" else residual
    low, high = (float(t) for t in q_profile(e.yi, e.vi, options.level, x))
    groups = {
        level: _member(
            e.select(mask), options, name, (tau2, low, high), joint.beta[j], cov[j, j], df
        )
        for j, (level, mask) in enumerate(masks.items())
    }
    return groups, _contrast_test(joint.beta, cov, df)


def _member(
    e: EffectSizes,
    options: Options,
    name: str,
    tau2: tuple[float, float, float],
    estimate: float,
    variance: float,
    df: float,
) -> MetaFit:
    i2, h2 = (float(s) for s in i2_h2(e.vi, tau2[0])) if e.k > 1 else (math.nan, math.nan)
    q = float(gls(e.yi, 1 / e.vi).rss)
    het = Heterogeneity(*tau2, i2, h2, q, e.k - 1, float(chi2_tail(q, e.k - 1)))
    return make_fit(
        e,
        options,
        estimate=float(estimate),
        std_error=math.sqrt(variance),
        df=df,
        heterogeneity=het,
        tau2_method=name,
        weights=1 / (e.vi + tau2[0]),
        notes=("tau2 is common to all subgroups",),
    )


def _contrast_test(beta: FloatArray, cov: FloatArray, df: float) -> SubgroupTest | None:
    m = len(beta) - 1
    if m == 0:
        return None
    difference = beta[1:] - beta[0]
    spread = cov[1:, 1:] + cov[0, 0]
    q, p = joint_test(difference, spread, df)
    method = f"F with {m} and {df:g} degrees of freedom, common tau2"
    return SubgroupTest(q, m, p, "Q between subgroups, common tau2" if math.isinf(df) else method)
