"""Leave-one-out and cumulative meta-analysis: the same model refitted on subsets of its studies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import items
from metablin.errors import DataError
from metablin.meta.checks.deletion import without_each
from metablin.meta.checks.refit import CELLS, Spec, no_moderators, refit, spec_of
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.models import fit_model
from metablin.meta.core.nothing import exact_pool
from metablin.meta.core.options import Options, align
from metablin.records import Record, json_dict

__all__ = ["RefitSequence", "cumulative", "leave_one_out"]

FloatArray = NDArray[np.float64]

VALUES = (
    *("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
    *("pred_low", "pred_high", "tau2", "i2", "h2", "q", "q_p"),
)
SAME = 1e-6
"""A refit of all studies that differs from the fit by more than this was made in another way."""

SCALED = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RefitSequence(Record):
    """The pooled effect of a sequence of subsets of studies.

    Arrays have shape (m,), one value per subset, on the analysis scale.

    Attributes
    ----------
    kind : str
        ``leave-one-out`` or ``cumulative``.
    fit : MetaFit
        The fit of all studies.
    terms : tuple of str
        The study left out, or the study added.
    order : ndarray of int, shape (m,)
        Position of the study left out, or added.
    k : ndarray
        Studies in each subset.
    estimate, std_error, statistic, p_value, conf_low, conf_high : ndarray
        Pooled effect, its test and its confidence interval.
    pred_low, pred_high : ndarray
        Prediction interval; NaN where the model has none.
    tau2, i2, h2, q, q_p : ndarray
        Heterogeneity; I2 is 0 to 1.
    """

    kind: str
    fit: MetaFit
    terms: tuple[str, ...]
    order: NDArray[np.intp]
    k: FloatArray
    estimate: FloatArray
    std_error: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    pred_low: FloatArray
    pred_high: FloatArray
    tau2: FloatArray
    i2: FloatArray
    h2: FloatArray
    q: FloatArray
    q_p: FloatArray

    def to_frame(self, scale: str = "reader") -> pd.DataFrame:
        """Return one row per subset.

        Parameters
        ----------
        scale : {"reader", "analysis"}
            Scale of estimates and limits; the standard error and the test always belong to the
            analysis scale.
        """
        columns: dict[str, Any] = {"term": list(self.terms), "k": self.k.astype(int)}
        columns |= {name: getattr(self, name) for name in VALUES}
        if scale == "reader":
            columns |= {name: self._back(columns[name]) for name in SCALED}
        frame = pd.DataFrame(columns)
        frame.insert(list(columns).index("conf_high") + 1, "conf_level", self.fit.level)
        return frame

    def _back(self, x: FloatArray) -> FloatArray:
        e = self.fit.effects
        if e.transform != "freeman-tukey":
            return e.back(x)
        share = 1 / e.counts["n"]
        each = share.sum() - share if self.kind == "leave-one-out" else share[self.order].cumsum()
        return e.back(x, self.k / each)

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Which studies are in each subset, (m, k)."""
        return _masks(self.kind, self.order, slice(None))

    def to_dict(self) -> dict[str, Any]:
        """Return the sequence as JSON-ready Python types, estimates on the reader's scale."""
        return json_dict(
            {"kind": self.kind, "measure": self.fit.measure, "refits": self.to_frame()}
        )

    def summary(self) -> str:
        """Return the sequence as text for people."""
        columns = ["term", "k", "estimate", "conf_low", "conf_high", "p_value", "tau2", "i2"]
        table = self.to_frame()[columns].to_string(index=False, float_format="{:.4g}".format)
        title = {"leave-one-out": "Leaving out one study", "cumulative": "Adding one study"}
        return f"{title[self.kind]} at a time ({self.fit.measure}, {self.fit.model})\n{table}"


def leave_one_out(fit: MetaFit) -> RefitSequence:
    """Refit a meta-analysis without each of its studies in turn.

    Parameters
    ----------
    fit : MetaFit
        From :func:`metablin.pool`, of any model. Inverse-variance models are refitted all at
        once; the others one by one.

    Returns
    -------
    RefitSequence

    Raises
    ------
    DataError
        When there is only one study, the fit has moderators, or it was made with options of its
        model that the record does not keep (a prior, clusters).

    References
    ----------
    Viechtbauer W, Cheung MW-L (2010). Outlier and influence diagnostics for meta-analysis.
    doi:10.1002/jrsm.11

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.3, 0.9], [0.02, 0.05, 0.04]), tau2="DL", ci="z")
    >>> leave_one_out(fit).estimate.round(3).tolist()
    [0.608, 0.488, 0.157]
    """
    needs_fit(fit)
    if fit.k < 2:
        raise DataError("one study cannot be left out of one", value=f"k = {fit.k}")
    return _sequence("leave-one-out", fit, np.arange(fit.k))


def cumulative(fit: MetaFit, order: ArrayLike | Sequence[Any] | None = None) -> RefitSequence:
    """Refit a meta-analysis as its studies are added one by one.

    Parameters
    ----------
    fit : MetaFit
        From :func:`metablin.pool`.
    order : sequence, optional
        One sortable value per input row (a year, a sample size, a precision); studies enter from
        the smallest value to the largest, ties in the order given. The order of the studies when
        it is not given.

    Returns
    -------
    RefitSequence
        The first entry is one study with its own effect and a normal interval.

    Raises
    ------
    DataError
        When there is not one value per row, or one is missing.

    References
    ----------
    Lau J, Antman EM, Jimenez-Silva J, Kupelnick B, Mosteller F, Chalmers TC (1992). Cumulative
    meta-analysis of therapeutic trials for myocardial infarction.
    doi:10.1056/NEJM199207233270406

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.3, 0.9], [0.02, 0.05, 0.04]), tau2="DL", ci="z")
    >>> c = cumulative(fit, order=[2003, 1999, 2001])
    >>> c.terms, c.k.tolist()
    (('study 2', 'study 3', 'study 1'), [1.0, 2.0, 3.0])
    """
    needs_fit(fit)
    at = np.arange(fit.k) if order is None else _order(fit, order)
    return _sequence("cumulative", fit, at)


def _order(fit: MetaFit, order: ArrayLike | Sequence[Any]) -> NDArray[np.intp]:
    values = pd.Series(align(fit.effects, "order", items("order", order)))
    if values.isna().any():
        i = int(np.flatnonzero(values.isna())[0])
        raise DataError("no value to sort by", column="order", study=fit.effects.studies[i])
    return np.asarray(values.argsort(kind="stable"), dtype=np.intp)


def _masks(kind: str, order: NDArray[np.intp], rows: slice) -> NDArray[np.bool_]:
    """Return which studies are in some of the subsets."""
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    step = np.arange(len(order))[rows, None]
    return np.asarray(rank != step if kind == "leave-one-out" else rank <= step)


def _sequence(kind: str, fit: MetaFit, order: NDArray[np.intp]) -> RefitSequence:
    no_moderators(fit, kind)
    e, spec = fit.effects, spec_of(fit)
    if spec is None:
        values = _one_by_one(fit, _masks(kind, order, slice(None)))
    else:
        values = _all_at_once(kind, fit, order, spec)
        _exact_where_nothing_happened(values, kind, fit, order)
    terms = tuple(e.studies[i] for i in order)
    size = np.full(fit.k, fit.k - 1.0) if kind == "leave-one-out" else np.arange(1.0, fit.k + 1)
    return RefitSequence(kind, fit, terms, order, size, **values)


def _all_at_once(
    kind: str, fit: MetaFit, order: NDArray[np.intp], spec: Spec
) -> dict[str, FloatArray]:
    y, v = fit.effects.yi, fit.effects.vi
    if kind == "leave-one-out":
        fits = without_each(y, v, spec)
        return {name: getattr(fits, name) for name in VALUES}
    rows = max(1, CELLS // fit.k)
    parts = [
        refit(y, v, _masks(kind, order, slice(i, i + rows)), spec) for i in range(0, fit.k, rows)
    ]
    return {name: np.concatenate([getattr(p, name) for p in parts]) for name in VALUES}


def _exact_where_nothing_happened(
    values: dict[str, FloatArray], kind: str, fit: MetaFit, order: NDArray[np.intp]
) -> None:
    e = fit.effects
    if e.measure not in ("proportion", "rate"):
        return
    own = np.array(list(e.counts.values()))[:, order]
    whole = kind == "leave-one-out"
    events, size = own.sum(1, keepdims=True) - own if whole else own.cumsum(1)
    every = (events == size) & (e.measure == "proportion")
    at = np.flatnonzero((events == 0) | every)
    if at.size:
        masks = (_masks(kind, order, slice(i, i + 1))[0] for i in at)
        exact = _values([exact_pool(e.select(mask), fit.level) for mask in masks])
        for name, found in exact.items():
            values[name][at] = found


def _repeats(fit: MetaFit, again: MetaFit) -> None:
    """Raise when a fit had options that its record does not keep, so that refits would differ."""
    one, other = fit.analysis.estimate, again.analysis.estimate
    if not math.isclose(one, other, rel_tol=SAME, abs_tol=SAME * fit.analysis.std_error):
        raise DataError(
            "the fit was made with options of its model that cannot be repeated on subsets",
            column="model",
            value=fit.model,
            allowed="a fit with the default options of the model",
        )


def _one_by_one(fit: MetaFit, keep: NDArray[np.bool_]) -> dict[str, FloatArray]:
    tau2: str | float = fit.tau2 if fit.tau2_method == "given" else fit.tau2_method or "REML"
    options = Options(fit.model, fit.ci_method, tau2, fit.level)
    _repeats(fit, fit_model(fit.effects, options))
    return _values([fit_model(fit.effects.select(mask), options) for mask in keep])


def _values(fits: list[MetaFit]) -> dict[str, FloatArray]:
    inner = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
    return {
        name: np.array([getattr(f.analysis if name in inner else f, name) for f in fits])
        for name in VALUES
    }
