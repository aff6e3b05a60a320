"""Stratified analyses of tables: Mantel-Haenszel and Peto, with their tests.

Arrays go in, a frozen :class:`StratifiedFit` comes out. Nothing is added to the cells of the
pooled estimate; 1/2 is added only where needed for the study-wise effects behind Cochran's Q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from metablin import _input
from metablin._moved import Renamed
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, needs_measure
from metablin.meta.core.parts import Heterogeneity
from metablin.meta.counts.strata import (
    POOLED,
    ZERO_CELL,
    breslow_day,
    cmh_test,
    double_zero,
    need,
    score_test,
    study_effects,
)
from metablin.numerics.inference import critical, two_sided
from metablin.records import Record, json_dict

__all__ = [
    "StratifiedFit",
    "fit_mantel_haenszel",
    "fit_peto",
    "mantel_haenszel",
    "mantel_haenszel_rates",
    "peto",
]

FloatArray = NDArray[np.float64]
_COLUMNS = (
    "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StratifiedFit(Record):
    """A common effect estimated across strata without inverse-variance weights.

    Attributes
    ----------
    measure : str
        ``or``, ``rr``, ``rd``, ``irr`` or ``ird``.
    method : str
        ``mantel-haenszel`` or ``peto``.
    k : int
        Studies given; `k_informative` of them carry weight.
    estimate, std_error, statistic, p_value, conf_low, conf_high : float
        On the analysis scale (log for ratios), standard normal reference.
    q, q_df, q_p : float
        Cochran's Q of the study effects around the pooled one.
    cmh, cmh_p : float
        Cochran-Mantel-Haenszel (person-time: Mantel-Haenszel) test, 1 df; NaN for Peto.
    breslow_day, breslow_day_p, tarone, tarone_p : float
        Homogeneity of odds ratios, ``homogeneity_df`` df; NaN for other measures.
    yi, vi, weights : ndarray, shape (k,)
        Study effects and variances (NaN when not estimable) and shares of the weight.
    """

    measure: str
    method: str
    k: int
    k_informative: int
    studies: tuple[str, ...]
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    level: float
    q: float
    q_df: int
    q_p: float
    cmh: float
    cmh_p: float
    breslow_day: float
    breslow_day_p: float
    tarone: float
    tarone_p: float
    homogeneity_df: int
    yi: FloatArray
    vi: FloatArray
    weights: FloatArray
    excluded: tuple[tuple[str, str], ...]

    conf_level = Renamed("level")

    def to_frame(self) -> pd.DataFrame:
        """Return one row with the pooled effect on the analysis scale."""
        row: dict[str, Any] = {"term": self.measure}
        row |= {name: getattr(self, name) for name in _COLUMNS}
        return pd.DataFrame([row | {"conf_level": self.level}])

    def to_dict(self) -> dict[str, Any]:
        """Return every field in plain types, ready for JSON."""
        return json_dict({n: getattr(self, n) for n in self.__slots__})


def mantel_haenszel(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    *,
    measure: str = "or",
    level: float = 0.95,
    correct: bool = True,
    studies: Sequence[str] | None = None,
) -> StratifiedFit:
    """Pool 2x2 tables by Mantel-Haenszel.

    Parameters
    ----------
    a, c : array-like, shape (k,)
        Events on treatment and control.
    n1, n2 : array-like, shape (k,)
        Patients on treatment and control.
    measure : {"or", "rr", "rd"}
        Odds ratio, risk ratio (both pooled and returned as logs) or risk difference.
    level : float
        Confidence level.
    correct : bool
        Continuity correction of 1/2 in the Cochran-Mantel-Haenszel test.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    StratifiedFit

    Raises
    ------
    DataError
        For impossible counts, or when the pooled effect does not exist (for example no
        events in one arm of all studies), with the cause.

    References
    ----------
    Mantel N, Haenszel W (1959), J Natl Cancer Inst 22:719, doi:10.1093/jnci/22.4.719.
    Robins J, Breslow N, Greenland S (1986), Biometrics 42:311, doi:10.2307/2531052 (log OR).
    Greenland S, Robins JM (1985), Biometrics 41:55, eq. 13, doi:10.2307/2530643 (log RR).
    Sato T, Greenland S, Robins JM (1989), Biometrics 45:1323 (RD).
    Breslow NE, Day NE (1980), IARC Sci Publ 32, eq. 4.30; Tarone RE (1985), Biometrika 72:91,
    doi:10.1093/biomet/72.1.91.

    Examples
    --------
    >>> fit = mantel_haenszel([4, 6], [123, 306], [11, 29], [139, 303])
    >>> round(float(np.exp(fit.estimate)), 4)
    0.2414
    """
    measure = _input.choice("measure", measure, ["or", "rr", "rd"])
    level = _input.level(level)
    a, n1, c, n2, names = _tables(a, n1, c, n2, studies)
    estimate, std_error, weight = POOLED[measure](a, n1, c, n2)
    yi, vi = study_effects(a, n1, c, n2, measure)
    cmh, cmh_p = cmh_test(a, n1, c, n2, correct)
    homogeneity = (np.nan, np.nan, 0)
    if measure == "or":
        homogeneity = breslow_day(a, n1, c, n2, float(np.exp(estimate)))
    blank = weight <= 0 if measure == "rd" else double_zero(a, n1, c, n2, measure)
    # Q leaves out tables with no or only events whatever the measure, as metafor's drop00 does
    yi = np.where(double_zero(a, n1, c, n2, "or"), np.nan, yi)
    return _assemble(
        measure, "mantel-haenszel", names, estimate, std_error, level, yi, vi, weight, blank,
        (cmh, cmh_p), homogeneity,
    )  # fmt: skip


def peto(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    *,
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> StratifiedFit:
    """Pool 2x2 tables by Peto's one-step odds ratio.

    Parameters
    ----------
    a, n1, c, n2 : array-like, shape (k,)
        Events and patients on treatment, events and patients on control.
    level : float
        Confidence level.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    StratifiedFit
        With ``measure="or"``; studies without any event (or only events) carry no weight.

    Raises
    ------
    DataError
        When no study has both events and non-events.

    References
    ----------
    Yusuf S, Peto R, et al. (1985), Prog Cardiovasc Dis 27:335,
    doi:10.1016/s0033-0620(85)80003-7.

    Examples
    --------
    >>> fit = peto([4, 6], [123, 306], [11, 29], [139, 303])
    >>> round(fit.estimate, 4)
    -1.2401
    """
    level = _input.level(level)
    a, n1, c, n2, names = _tables(a, n1, c, n2, studies)
    n, m = n1 + n2, a + c
    o_e = a - n1 * m / n
    v = n1 * n2 * m * (n - m) / (n**2 * np.maximum(n - 1, 1))
    if v.sum() == 0:
        raise DataError(
            "no study has both events and non-events, so Peto's odds ratio does not exist",
            column="events_treatment, events_control",
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        yi, vi = np.where(v > 0, o_e / v, np.nan), np.where(v > 0, 1 / v, np.nan)
    return _assemble(
        "or", "peto", names, float(o_e.sum() / v.sum()), float(v.sum() ** -0.5), level,
        yi, vi, v, v == 0, (np.nan, np.nan), (np.nan, np.nan, 0),
    )  # fmt: skip


def mantel_haenszel_rates(
    x1: ArrayLike,
    t1: ArrayLike,
    x2: ArrayLike,
    t2: ArrayLike,
    *,
    measure: str = "irr",
    level: float = 0.95,
    correct: bool = True,
    studies: Sequence[str] | None = None,
) -> StratifiedFit:
    """Pool two-group person-time data by Mantel-Haenszel.

    Parameters
    ----------
    x1, x2 : array-like, shape (k,)
        Events on treatment and control.
    t1, t2 : array-like, shape (k,)
        Person-time on treatment and control, in one unit.
    measure : {"irr", "ird"}
        Rate ratio (as log) or rate difference.
    level : float
        Confidence level.
    correct : bool
        Continuity correction of 1/2 in the Mantel-Haenszel test.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    StratifiedFit

    Raises
    ------
    DataError
        For impossible input or when the pooled effect does not exist.

    References
    ----------
    Greenland S, Robins JM (1985), Biometrics 41:55, doi:10.2307/2530643.
    Rothman KJ, Greenland S, Lash TL (2008), Modern Epidemiology, 3rd ed., ch. 15.

    Examples
    --------
    >>> fit = mantel_haenszel_rates([5, 3], [1000, 800], [9, 8], [1100, 700])
    >>> round(float(np.exp(fit.estimate)), 4)
    0.4699
    """
    measure = _input.choice("measure", measure, ["irr", "ird"])
    level = _input.level(level)
    x1, t1, x2, t2, names = _person_time(x1, t1, x2, t2, studies)
    t, x = t1 + t2, x1 + x2
    r, s = x1 * t2 / t, x2 * t1 / t
    if measure == "irr":
        need(r.sum() > 0, s.sum() > 0)
        estimate = float(np.log(r.sum() / s.sum()))
        std_error = float(np.sqrt((t1 * t2 * x / t**2).sum() / (r.sum() * s.sum())))
        weight, blank = s, x == 0
        zero = ZERO_CELL * ((x1 == 0) | (x2 == 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            yi = np.log((x1 + zero) / t1) - np.log((x2 + zero) / t2)
            vi = 1 / (x1 + zero) + 1 / (x2 + zero)
        yi, vi = np.where(x > 0, yi, np.nan), np.where(x > 0, vi, np.nan)
    else:
        weight = t1 * t2 / t
        estimate = float((r - s).sum() / weight.sum())
        std_error = float(np.sqrt((weight**2 * (x1 / t1**2 + x2 / t2**2)).sum()) / weight.sum())
        zero = ZERO_CELL * ((x1 == 0) | (x2 == 0))
        yi, vi = (x1 + zero) / t1 - (x2 + zero) / t2, (x1 + zero) / t1**2 + (x2 + zero) / t2**2
        blank = np.zeros(len(t), dtype=bool)
        if std_error == 0:
            raise DataError("no events in any study", column="events", allowed="some events")
    test = score_test(float((x1 - t1 * x / t).sum()), float((t1 * t2 * x / t**2).sum()), correct)
    return _assemble(
        measure, "mantel-haenszel", names, estimate, std_error, level, yi, vi, weight, blank,
        test, (np.nan, np.nan, 0),
    )  # fmt: skip


def fit_mantel_haenszel(e: EffectSizes, options: Options) -> MetaFit:
    """Pool the tables behind `e` by Mantel-Haenszel (see :func:`metablin.pool`).

    The option ``correct`` (default True) is the continuity correction of the CMH test.

    Examples
    --------
    >>> from metablin.effects import two_by_two
    >>> from metablin.meta import pool
    >>> fit = pool(two_by_two([4, 6], [123, 306], [11, 29], [139, 303]), model="mantel-haenszel")
    >>> round(fit.estimate, 4)
    0.2414
    """
    needs_measure(e, "mantel-haenszel", ("or", "rr", "rd", "irr", "ird"))
    correct = bool(options.only("correct").get("correct", True))
    rates = e.measure in ("irr", "ird")
    size = "person_time" if rates else "n"
    columns = [f"{what}_{arm}" for arm in ("treatment", "control") for what in ("events", size)]
    function = mantel_haenszel_rates if rates else mantel_haenszel
    fit = function(
        *(e.counts[name] for name in columns), measure=e.measure, level=options.level,
        correct=correct, studies=e.studies,
    )  # fmt: skip
    names = ["cmh", "cmh_p"]
    if e.measure == "or":
        names += ["breslow_day", "breslow_day_p", "tarone", "tarone_p", "homogeneity_df"]
    return _pooled(e, options, fit, names)


def fit_peto(e: EffectSizes, options: Options) -> MetaFit:
    """Pool the tables behind `e` by Peto's odds ratio (see :func:`metablin.pool`).

    Examples
    --------
    >>> from metablin.effects import two_by_two
    >>> from metablin.meta import pool
    >>> fit = pool(two_by_two([4, 6], [123, 306], [11, 29], [139, 303]), model="peto")
    >>> round(fit.analysis.estimate, 4)
    -1.2401
    """
    needs_measure(e, "peto", ("or", "peto"))
    options.only()
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    fit = peto(*(e.counts[name] for name in columns), level=options.level, studies=e.studies)
    return _pooled(e, options, fit, [])


def _pooled(e: EffectSizes, options: Options, fit: StratifiedFit, names: list[str]) -> MetaFit:
    excess = (fit.q - fit.q_df) / fit.q if fit.q > 0 else 0.0
    het = Heterogeneity(
        tau2=0.0, i2=max(0.0, excess), h2=fit.q / fit.q_df if fit.q_df else 1.0,
        q=fit.q, q_df=fit.q_df, q_p=fit.q_p,
    )  # fmt: skip
    notes = ["the counts are pooled as they were observed, without correction"]
    if fit.excluded:
        blank = ", ".join(name for name, _ in fit.excluded)
        notes.append(f"no information, hence no weight: {blank}")
    return make_fit(
        e, options, estimate=fit.estimate, std_error=fit.std_error, heterogeneity=het,
        weights=fit.weights, predict=False, notes=tuple(notes),
        extra={name: getattr(fit, name) for name in names},
    )  # fmt: skip


def _tables(
    a: ArrayLike, n1: ArrayLike, c: ArrayLike, n2: ArrayLike, studies: Sequence[str] | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, tuple[str, ...]]:
    n1 = _input.numeric("n_treatment", n1, minimum=1, studies=studies)
    n2 = _input.numeric("n_control", n2, minimum=1, studies=studies)
    a = _input.numeric("events_treatment", a, minimum=0, studies=studies)
    c = _input.numeric("events_control", c, minimum=0, studies=studies)
    k = _input.same_length(events_treatment=a, n_treatment=n1, events_control=c, n_control=n2)
    names = _input.labels(studies, k)
    for column, x, n in (("events_treatment", a, n1), ("events_control", c, n2)):
        _input.within(column, x, n, names)
    return a, n1, c, n2, names


def _person_time(
    x1: ArrayLike, t1: ArrayLike, x2: ArrayLike, t2: ArrayLike, studies: Sequence[str] | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, tuple[str, ...]]:
    x1 = _input.numeric("events_treatment", x1, minimum=0, studies=studies)
    x2 = _input.numeric("events_control", x2, minimum=0, studies=studies)
    t1 = _input.numeric("person_time_treatment", t1, above=0, studies=studies)
    t2 = _input.numeric("person_time_control", t2, above=0, studies=studies)
    k = _input.same_length(
        events_treatment=x1, person_time_treatment=t1, events_control=x2, person_time_control=t2
    )
    return x1, t1, x2, t2, _input.labels(studies, k)


def _assemble(
    measure: str,
    method: str,
    names: tuple[str, ...],
    estimate: float,
    std_error: float,
    level: float,
    yi: FloatArray,
    vi: FloatArray,
    weight: FloatArray,
    blank: NDArray[np.bool_],
    test: tuple[float, float],
    homogeneity: tuple[Any, ...],
) -> StratifiedFit:
    z = estimate / std_error
    half = float(critical(level)) * std_error
    used = ~blank & np.isfinite(yi) & np.isfinite(vi) & (vi > 0)
    q_df = max(int(used.sum()) - 1, 0)
    # One informative study agrees with itself, but for rounding.
    q = float(((yi[used] - estimate) ** 2 / vi[used]).sum()) if q_df else 0.0
    bd, tarone, df = homogeneity
    informative = np.where(blank, 0.0, weight)
    reason = "no information: no events, or only events, in both arms"
    return StratifiedFit(
        measure=measure, method=method, k=len(names), k_informative=int((~blank).sum()),
        studies=names, estimate=estimate, std_error=std_error, statistic=z,
        p_value=float(two_sided(z)), conf_low=estimate - half,
        conf_high=estimate + half, level=level, q=q, q_df=q_df,
        q_p=float(stats.chi2.sf(q, q_df)) if q_df else 1.0, cmh=test[0], cmh_p=test[1],
        breslow_day=bd, breslow_day_p=float(stats.chi2.sf(bd, df)) if df else np.nan,
        tarone=tarone, tarone_p=float(stats.chi2.sf(tarone, df)) if df else np.nan,
        homogeneity_df=df, yi=np.where(blank, np.nan, yi), vi=np.where(blank, np.nan, vi),
        weights=informative / informative.sum(),
        excluded=tuple((names[i], reason) for i in np.flatnonzero(blank)),
    )  # fmt: skip
