"""Trim and fill: how many studies seem to be missing on one side, and the effect with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.effects.sizes import build
from metablin.errors import ConvergenceError
from metablin.meta.checks.refit import Spec, effects_only, no_moderators, refit
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.models import fit_model
from metablin.meta.core.options import Options
from metablin.meta.core.text import p_text
from metablin.records import Record, json_dict

__all__ = ["TrimFill", "trim_and_fill"]

FloatArray = NDArray[np.float64]

MAX_ROUNDS = 100
"""Trimming settles within a few rounds; more than this many goes round in a circle."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrimFill(Record):
    """Result of trim and fill.

    Attributes
    ----------
    fit : MetaFit
        The fit of the studies given.
    filled : MetaFit
        The same model with the missing studies put in; they come last.
    estimator : str
        ``L0`` or ``R0``.
    side : str
        Where studies seem to be missing, ``left`` or ``right``.
    k0 : int
        Number of missing studies.
    std_error : float
        Standard error of ``k0``; NaN where its formula gives L0 a negative variance, which happens
        when far fewer studies are on this side than chance would put there.
    p_value : float
        Test that none is missing; NaN for L0, which has no such test.
    """

    fit: MetaFit
    filled: MetaFit
    estimator: str
    side: str
    k0: int
    std_error: float
    p_value: float

    @property
    def is_filled(self) -> NDArray[np.bool_]:
        """Which studies of ``filled`` were put in, shape (k + k0,)."""
        return np.arange(self.filled.k) >= self.fit.k

    def to_frame(self) -> pd.DataFrame:
        """Return the pooled effect without and with the missing studies, on the reader's scale."""
        rows = [fit.to_frame().iloc[[-1]] for fit in (self.fit, self.filled)]
        frame = pd.concat(rows, ignore_index=True)
        frame["term"] = ["observed", "filled"]
        frame.insert(1, "k", [self.fit.k, self.filled.k])
        frame["tau2"] = [self.fit.tau2, self.filled.tau2]
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        names = ("estimator", "side", "k0", "std_error", "p_value")
        return json_dict(
            {
                **{name: getattr(self, name) for name in names},
                "fits": self.to_frame(),
                "studies": self.filled.studies.assign(filled=self.is_filled),
            }
        )

    def summary(self) -> str:
        """Return the result as text for people."""
        test = "" if math.isnan(self.p_value) else f", p = {p_text(self.p_value)}"
        table = self.to_frame()[["term", "k", "estimate", "conf_low", "conf_high", "tau2"]]
        return (
            f"Trim and fill ({self.estimator}): {self.k0} missing on the {self.side} "
            f"(SE {self.std_error:.3g}{test})\n"
            + table.to_string(index=False, float_format="{:.4g}".format)
        )


def trim_and_fill(fit: MetaFit, estimator: str = "L0", side: str | None = None) -> TrimFill:
    """Estimate the number of studies missing from one side of the funnel and put them in.

    The most extreme studies on the other side are trimmed, the centre is found without them, and
    their mirror images about it are added. It answers "what if", and is no proof that studies are
    missing: heterogeneity makes funnels asymmetric too.

    Parameters
    ----------
    fit : MetaFit
        A random-effects or common-effect fit of at least three studies without moderators.
    estimator : {"L0", "R0"}
        Based on the rank sum, or on the rightmost run of ranks.
    side : {"left", "right"}, optional
        Side on which studies are missing. When not given: right when the slope of a regression of
        the effects on their standard errors (same model) is negative, else left.

    Returns
    -------
    TrimFill

    Raises
    ------
    DataError
        For another model or too few studies.
    ConvergenceError
        When the rounds of trimming do not settle.

    References
    ----------
    Duval S, Tweedie R (2000). Trim and fill: a simple funnel-plot-based method of testing and
    adjusting for publication bias in meta-analysis, eqs 2.4 to 2.7.
    doi:10.1111/j.0006-341X.2000.00455.x
    Duval S, Tweedie R (2000). A nonparametric "trim and fill" method of accounting for
    publication bias in meta-analysis. doi:10.1080/01621459.2000.10473905

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.12, 0.3, 0.5, 0.9, 1.1], [0.01, 0.01, 0.03, 0.06, 0.1, 0.12])
    >>> t = trim_and_fill(mb.pool(e, tau2="DL"))
    >>> t.side, t.k0, bool(t.filled.estimate < t.fit.estimate)
    ('left', 3, True)
    """
    spec = effects_only(fit, "trim and fill")
    no_moderators(fit, "trim and fill")
    estimator = choice("estimator", estimator, _K0)
    side = _side(fit, spec) if side is None else choice("side", side, ("left", "right"))
    sign = -1.0 if side == "right" else 1.0
    order = np.argsort(sign * fit.effects.yi, kind="stable")
    y, v = sign * fit.effects.yi[order], fit.effects.vi[order]
    k0, std_error, centre = _trim(y, v, spec, estimator)
    mirrored = order[fit.k - k0 :]
    filled = _fill(fit, mirrored, sign * centre)
    p = 0.5 ** (k0 + 1) if estimator == "R0" else math.nan
    return TrimFill(fit, filled, estimator, side, k0, std_error, p)


def _side(fit: MetaFit, spec: Spec) -> str:
    e = fit.effects
    se = np.sqrt(e.vi)
    if np.ptp(se) <= 1e-12 * se.max():
        return "left"
    x = np.column_stack([np.ones(e.k), se])
    slope = refit(e.yi, e.vi, np.ones((1, e.k), dtype=bool), spec, x, e.studies).beta[0, 1]
    return "right" if slope < 0 else "left"


def _trim(y: FloatArray, v: FloatArray, spec: Spec, estimator: str) -> tuple[int, float, float]:
    """Return k0, its standard error and the centre; `y` ascends, the right end is trimmed."""
    k, k0 = len(y), 0
    for _ in range(MAX_ROUNDS):
        keep = np.arange(k)[None, :] < k - k0
        centre = float(refit(y, v, keep, spec).estimate[0])
        raw, std_error = _K0[estimator](_signed_ranks(y - centre), k)
        new = min(max(0, round(raw)), k - 1)
        if new == k0:
            return k0, std_error, centre
        k0 = new
    raise ConvergenceError("trim and fill did not settle on a number of missing studies")


def _signed_ranks(deviations: FloatArray) -> FloatArray:
    ranks = np.empty(len(deviations))
    ranks[np.argsort(np.abs(deviations), kind="stable")] = np.arange(1, len(deviations) + 1)
    return np.asarray(np.sign(deviations) * ranks)


def _l0(ranks: FloatArray, k: int) -> tuple[float, float]:
    s = float(ranks[ranks > 0].sum())
    k0 = (4 * s - k * (k + 1)) / (2 * k - 1)
    variance = (
        k * (k + 1) * (2 * k + 1)
        + 10 * k0**3
        + 27 * k0**2
        + 17 * k0
        - 18 * k * k0**2
        - 18 * k * k0
        + 6 * k**2 * k0
    ) / 24
    return k0, 4 * math.sqrt(variance) / (2 * k - 1) if variance >= 0 else math.nan


def _r0(ranks: FloatArray, k: int) -> tuple[float, float]:
    negative = -ranks[ranks < 0]
    k0 = k - float(negative.max()) - 1 if negative.size else 0.0
    return k0, math.sqrt(2 * max(k0, 0.0) + 2)


_K0: dict[str, Callable[[FloatArray, int], tuple[float, float]]] = {"L0": _l0, "R0": _r0}


def _fill(fit: MetaFit, mirrored: NDArray[np.intp], centre: float) -> MetaFit:
    if not len(mirrored):
        return fit
    e = fit.effects
    counts = {
        name: np.append(a, a[mirrored] if name == "n" else np.full(len(mirrored), np.nan))
        for name, a in e.counts.items()
    }
    more = build(
        np.append(e.yi, 2 * centre - e.yi[mirrored]),
        np.append(e.vi, e.vi[mirrored]),
        (*e.studies, *(f"Filled {i + 1}" for i in range(len(mirrored)))),
        e.measure,
        e.transform,
        counts,
        e.zero_cells,
        np.append(e.corrected, np.zeros(len(mirrored), dtype=np.bool_)),
    )
    return _again(fit, more)


def _again(fit: MetaFit, e: EffectSizes) -> MetaFit:
    tau2: str | float = fit.tau2 if fit.tau2_method == "given" else fit.tau2_method or "REML"
    return fit_model(e, Options(fit.model, fit.ci_method, tau2, fit.level))
