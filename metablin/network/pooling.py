"""`network_pool`: from a network to its fit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import DataError, warn
from metablin.meta.normal.inverse import tau2_of
from metablin.network.fit import NetworkFit
from metablin.network.gls import (
    TAU2_METHODS,
    Rows,
    effects_of,
    estimate,
    rows_of,
    solve,
)
from metablin.network.records import Network, needs_network
from metablin.numerics.inference import chi2_tail, i2_h2
from metablin.options import NetworkInterval, NetworkModel, NetworkPrediction, words

__all__ = ["network_pool"]

ROUNDING = 1e-24
"""A weighted residual sum of squares a degree of freedom below this is rounding."""


def network_pool(
    n: Network,
    model: NetworkModel = "random",
    tau2: str | float = "REML",
    ci: NetworkInterval = "z",
    level: float = 0.95,
    reference: str | None = None,
    prediction: NetworkPrediction = "match",
    **extra: Any,
) -> NetworkFit:
    """Pool a network: every treatment against every other, from direct and indirect evidence.

    Parameters
    ----------
    n : Network
        From :func:`metablin.network`, in one piece.
    model : {"random", "common", "mantel-haenszel", "glmm"}
        Inverse-variance with one variance between studies for all comparisons, or none; odds
        ratios by Mantel and Haenszel within designs; exact likelihood of the arms (binomial for
        ``or``, Poisson for ``rate``) with normal effects of studies.
    tau2 : str or float
        ``REML`` (default), ``DL``, ``ML``, ``PM``, ``HE``, ``HS``, ``SJ``, ``EB``, or a known
        value.
    ci : {"z", "t", "hksj"}
        Normal; Student's t with contrasts less effects as degrees of freedom; the same with the
        variance scaled as Hartung and Knapp do.
    level : float
        Confidence level.
    reference : str, optional
        Treatment that stands second in its comparisons and opens the summary.
    prediction : {"match", "confidence-distribution"}
        Prediction interval with the estimate of tau2 put in as if it were known and the
        distribution of the confidence interval, or averaged over the confidence distribution of
        tau2, which holds its level with few studies too (model ``random`` with tau2 estimated).
    **extra
        Options of one model (``glmm``: ``points``, ``random``).

    Returns
    -------
    NetworkFit

    Raises
    ------
    DataError
        For a network in several parts (naming them), an unknown reference or option.

    Notes
    -----
    Contrasts of a multi-arm study are correlated by their shared arm in sampling and, with
    correlation 1/2, between studies; both enter every estimator, REML included.

    References
    ----------
    Lu G, Welton NJ, Higgins JPT, White IR, Ades AE (2011). Linear inference for mixed treatment
    comparison meta-analysis. doi:10.1002/jrsm.34
    Jackson D, White IR, Riley RD (2013). A matrix-based method of moments for fitting the
    multivariate random effects model (DL with a full covariance). doi:10.1002/bimj.201200152
    Nagashima K, Noma H, Furukawa TA (2019). Prediction interval for random-effects meta-analysis:
    a confidence distribution approach. doi:10.1177/0962280218773520

    Examples
    --------
    >>> import metablin as mb
    >>> n = mb.network({"study": ["A", "A", "B", "B", "C", "C"],
    ...                 "treatment": ["x", "y", "y", "z", "x", "z"],
    ...                 "events": [5, 9, 11, 7, 20, 12], "n": [50, 52, 60, 58, 90, 88]})
    >>> f = mb.network_pool(n, reference="x")
    >>> f.against()["treat1"].tolist(), f.against()["estimate"].round(2).tolist()
    (['y', 'z'], [1.35, 0.64])
    """
    model = choice("model", model, words(NetworkModel))
    ci = choice("ci", ci, words(NetworkInterval))
    prediction = choice("prediction", prediction, words(NetworkPrediction))
    level = check_level(level)
    needs_network(n)
    name = None if reference is None else n.treatments[n.position(reference)]
    if prediction != "match" and (model != "random" or not isinstance(tau2, str)):
        raise DataError("needs a variance between studies that is estimated from contrasts",
                        column="prediction", value=prediction,
                        allowed="match, or model random with an estimator of tau2")  # fmt: skip
    if model in ("mantel-haenszel", "glmm"):
        return _counts(n, model, ci, level, name, extra)
    if extra:
        raise DataError(f"not an option of model {model!r}", column=next(iter(extra)))
    rows = rows_of(n)
    method, given = tau2_of(tau2, TAU2_METHODS) if model == "random" else (None, 0.0)
    value = estimate(str(method), rows) if given is None else given
    fit = _inverse_variance(n, rows, model, method, value, ci, level, name)
    return fit if prediction == "match" else replace(fit, prediction=prediction)


def _counts(
    n: Network, model: str, ci: str, level: float, reference: str | None, extra: dict[str, Any]
) -> NetworkFit:
    if model == "mantel-haenszel":
        from metablin.network.models.mantel_haenszel import fit_mantel_haenszel

        return fit_mantel_haenszel(n, ci, level, reference, **extra)
    from metablin.network.models.glmm import fit_glmm

    return fit_glmm(n, ci, level, reference, **extra)


def _inverse_variance(
    n: Network,
    rows: Rows,
    model: str,
    method: str | None,
    tau2: float,
    ci: str,
    level: float,
    reference: str | None,
) -> NetworkFit:
    size = len(n.treatments)
    fit = solve(rows, tau2)
    plain = fit if tau2 == 0 else solve(rows, 0.0)
    free = len(rows.y) - (size - 1)
    q = float(plain.rss) if free else 0.0
    notes: tuple[str, ...] = ()
    df = math.inf
    i2, h2 = 0.0, 1.0
    if free == 0:
        notes = ("as many contrasts as effects: neither heterogeneity nor inconsistency can be "
                 "estimated, and intervals are normal",)  # fmt: skip
    else:
        df = math.inf if ci == "z" else float(free)
        x = rows.x[:, 1:]
        if model == "random":
            i2, h2 = (float(a) for a in i2_h2(rows.v, tau2, x))
        else:
            i2, h2 = (max(0.0, (q - free) / q) if q > 0 else 0.0), q / free
    d, cov = effects_of(fit, size)
    if ci == "hksj" and free:
        factor = float(fit.rss) / free
        if factor < ROUNDING:
            warn("all effects agree exactly, so the Hartung-Knapp standard errors are zero")
        cov = cov * factor
    return NetworkFit(
        n, model, method, ci, level, reference, d, cov, df, tau2, i2, h2,
        q, free, float(chi2_tail(q, free)), notes,
    )  # fmt: skip
