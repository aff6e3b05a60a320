"""Pooling with weights that are not those of the variances: equal ones, or one's own."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from metablin._input import numeric
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, align
from metablin.meta.core.parts import Heterogeneity
from metablin.meta.normal.inverse import fit_random, tau2_of
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, i2_h2, q_profile
from metablin.numerics.tau2 import estimate_tau2

__all__ = ["fit_weighted"]


def fit_weighted(e: EffectSizes, options: Options) -> MetaFit:
    """Pool by the mean with given weights (see :func:`metablin.pool`).

    The mean is sum w_i y_i / sum w_i, its variance sum w_i^2 (v_i + tau2) / (sum w_i)^2. The
    weights do not enter the estimate of tau2; ``tau2=0`` is the common-effect model.

    Options: ``weights``, ``"equal"`` (the default) or one number of at least 0 per input row.

    Raises
    ------
    DataError
        For weights that are no numbers, negative, of another length or all zero.

    References
    ----------
    Miller JJ (1978). The inverse of the Freeman-Tukey double arcsine transformation (equal
    weights). doi:10.1080/00031305.1978.10479283
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (given weights).

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9], [0.04, 0.05, 0.03])
    >>> round(mb.pool(e, model="weighted", tau2=0).estimate, 3)
    0.5
    >>> round(mb.pool(e, model="weighted", tau2=0, weights=[2, 1, 1]).estimate, 3)
    0.4
    """
    w = _weights(e, options)
    name, given = tau2_of(options.tau2)
    if e.k == 1:
        return fit_random(e, Options("random", options.ci, options.tau2, options.level))
    tau2 = float(estimate_tau2(name, e.yi, e.vi)) if given is None else given
    share = w / w.sum()
    q = float(gls(e.yi, 1 / e.vi).rss)
    low, high = (float(limit) for limit in q_profile(e.yi, e.vi, options.level))
    i2, h2 = (float(value) for value in i2_h2(e.vi, tau2))
    return make_fit(
        e,
        options,
        estimate=float(share @ e.yi),
        std_error=math.sqrt(float(share**2 @ (e.vi + tau2))),
        df=math.inf if options.ci == "z" else float(e.k - 1),
        heterogeneity=Heterogeneity(
            tau2, low, high, i2, h2, q, e.k - 1, float(chi2_tail(q, e.k - 1))
        ),
        tau2_method=name,
        weights=w,
        notes=("the weights are given, and not those of the variances",),
    )


def _weights(e: EffectSizes, options: Options) -> NDArray[np.float64]:
    weights = options.only("weights").get("weights", "equal")
    if isinstance(weights, str):
        if weights != "equal":
            raise DataError("not weights", column="weights", value=weights,
                            allowed="'equal', or one number per row")  # fmt: skip
        return np.ones(e.k)
    aligned = align(e, "weights", weights)
    w = numeric("weights", aligned, minimum=0.0)
    if not w.any():
        raise DataError("no study has weight", column="weights", allowed="some above 0")
    return w
