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
from metablin._records import Record, freeze, jsonable
from metablin.errors import DataError

__all__ = ["StratifiedFit", "mantel_haenszel", "mantel_haenszel_rates", "peto"]

FloatArray = NDArray[np.float64]
#: Added to all cells of a table with a zero before its own effect is computed.
ZERO_CELL = 0.5
_COLUMNS = (
    "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "conf_level",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
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
    conf_level: float
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

    def __post_init__(self) -> None:
        freeze(self)

    def to_frame(self) -> pd.DataFrame:
        """Return one row with the pooled effect on the analysis scale."""
        row: dict[str, Any] = {"term": self.measure}
        return pd.DataFrame([row | {name: getattr(self, name) for name in _COLUMNS}])

    def to_dict(self) -> dict[str, Any]:
        """Return every field in plain types, ready for JSON."""
        out: dict[str, Any] = jsonable({n: getattr(self, n) for n in self.__slots__})
        return out


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
    estimate, std_error, weight = _MH[measure](a, n1, c, n2)
    yi, vi = _study_effects(a, n1, c, n2, measure)
    cmh, cmh_p = _cmh(a, n1, c, n2, correct)
    homogeneity = (np.nan, np.nan, 0)
    if measure == "or":
        homogeneity = _breslow_day(a, n1, c, n2, float(np.exp(estimate)))
    blank = weight <= 0 if measure == "rd" else _double_zero(a, n1, c, n2, measure)
    # Q leaves out tables with no or only events whatever the measure, as metafor's drop00 does
    yi = np.where(_double_zero(a, n1, c, n2, "or"), np.nan, yi)
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
        _need(r.sum() > 0, s.sum() > 0)
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
    test = _score_test(float((x1 - t1 * x / t).sum()), float((t1 * t2 * x / t**2).sum()), correct)
    return _assemble(
        measure, "mantel-haenszel", names, estimate, std_error, level, yi, vi, weight, blank,
        test, (np.nan, np.nan, 0),
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
        if (x > n).any():
            i = int(np.flatnonzero(x > n)[0])
            raise DataError(
                "more events than patients", row=i + 1, column=column, value=f"{x[i]:g}",
                allowed=f"at most n = {n[i]:g}", study=names[i],
            )  # fmt: skip
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


def _need(treatment: bool, control: bool) -> None:
    """Refuse a ratio whose numerator or denominator is zero in every study."""
    for ok, column in ((treatment, "events_treatment"), (control, "events_control")):
        if not ok:
            raise DataError(
                "the Mantel-Haenszel ratio is 0 or infinite: one arm has no events, or the "
                "other only events, in every informative study",
                column=column,
            )


def _mh_or(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n, b, d = n1 + n2, n1 - a, n2 - c
    p, q, r, s = (a + d) / n, (b + c) / n, a * d / n, b * c / n
    big_r, big_s = r.sum(), s.sum()
    _need(bool(big_r > 0), bool(big_s > 0))
    variance = (
        (p * r).sum() / (2 * big_r**2)
        + (p * s + q * r).sum() / (2 * big_r * big_s)
        + (q * s).sum() / (2 * big_s**2)
    )
    return float(np.log(big_r / big_s)), float(np.sqrt(variance)), s


def _mh_rr(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n = n1 + n2
    r, s = a * n2 / n, c * n1 / n
    big_r, big_s = r.sum(), s.sum()
    _need(bool(big_r > 0), bool(big_s > 0))
    top = ((n1 * n2 * (a + c) - a * c * n) / n**2).sum()
    if top <= 0:
        raise DataError("every patient in every study had the event", column="events")
    return float(np.log(big_r / big_s)), float(np.sqrt(top / (big_r * big_s))), s


def _mh_rd(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray
) -> tuple[float, float, FloatArray]:
    n = n1 + n2
    w = n1 * n2 / n
    rd = float(((a * n2 - c * n1) / n).sum() / w.sum())
    p = (c * n1**2 - a * n2**2 + n1 * n2 * (n2 - n1) / 2) / n**2
    q = (a * (n2 - c) + c * (n1 - a)) / (2 * n)
    variance = float((rd * p.sum() + q.sum()) / w.sum() ** 2)
    if variance <= 0:
        raise DataError(
            "the variance of the Mantel-Haenszel risk difference is zero: no study has both "
            "events and non-events",
            column="events",
        )
    return rd, float(np.sqrt(variance)), w


_MH = {"or": _mh_or, "rr": _mh_rr, "rd": _mh_rd}


def _double_zero(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, measure: str
) -> NDArray[np.bool_]:
    none = (a == 0) & (c == 0)
    every: NDArray[np.bool_] = (a == n1) & (c == n2)
    return np.asarray(none | every if measure == "or" else none)


def _study_effects(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, measure: str
) -> tuple[FloatArray, FloatArray]:
    """Study-wise effects with 1/2 in all cells of tables that have a zero cell."""
    b, d = n1 - a, n2 - c
    zero = ZERO_CELL * ((a == 0) | (b == 0) | (c == 0) | (d == 0))
    a, b, c, d = a + zero, b + zero, c + zero, d + zero
    n1, n2 = a + b, c + d
    if measure == "rd":
        yi, vi = a / n1 - c / n2, a * b / n1**3 + c * d / n2**3
    elif measure == "rr":
        yi, vi = np.log(a / n1) - np.log(c / n2), 1 / a - 1 / n1 + 1 / c - 1 / n2
    else:
        yi, vi = np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d
    return yi, vi


def _score_test(difference: float, variance: float, correct: bool) -> tuple[float, float]:
    if variance <= 0:
        return np.nan, np.nan
    top = max(abs(difference) - (0.5 if correct else 0.0), 0.0)
    value = top**2 / variance
    return value, float(stats.chi2.sf(value, 1))


def _cmh(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, correct: bool
) -> tuple[float, float]:
    n, m = n1 + n2, a + c
    variance = n1 * n2 * m * (n - m) / (n**2 * np.maximum(n - 1, 1))
    return _score_test(float((a - n1 * m / n).sum()), float(variance.sum()), correct)


def _breslow_day(
    a: FloatArray, n1: FloatArray, c: FloatArray, n2: FloatArray, odds_ratio: float
) -> tuple[Any, ...]:
    """Breslow-Day and Tarone tests at the pooled odds ratio, over informative tables."""
    use = ~_double_zero(a, n1, c, n2, "or")
    a, n1, c, n2 = a[use], n1[use], c[use], n2[use]
    fitted = _expected(n1, n2, a + c, odds_ratio)
    cells = np.array([fitted, n1 - fitted, a + c - fitted, n2 - (a + c) + fitted])
    variance = 1 / (1 / cells).sum(axis=0)
    bd = float(((a - fitted) ** 2 / variance).sum())
    tarone = bd - float((a - fitted).sum() ** 2 / variance.sum())
    df = len(a) - 1
    if df == 0:
        return np.nan, np.nan, 0
    return bd, tarone, df


def _expected(n1: FloatArray, n2: FloatArray, m: FloatArray, odds_ratio: float) -> FloatArray:
    """Return the expected treated events given the margins and a common odds ratio."""
    q = odds_ratio - 1
    b = odds_ratio * (n1 + m) + n2 - m
    # root of q x^2 - b x + OR n1 m = 0 in the form that does not cancel as OR -> 1
    return np.asarray(
        2 * odds_ratio * n1 * m / (b + np.sqrt(b**2 - 4 * q * odds_ratio * n1 * m)),
        dtype=np.float64,
    )


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
    half = float(stats.norm.isf((1 - level) / 2)) * std_error
    used = ~blank & np.isfinite(yi) & np.isfinite(vi) & (vi > 0)
    q = float(((yi[used] - estimate) ** 2 / vi[used]).sum())
    q_df = max(int(used.sum()) - 1, 0)
    bd, tarone, df = homogeneity
    informative = np.where(blank, 0.0, weight)
    reason = "no information: no events, or only events, in both arms"
    return StratifiedFit(
        measure=measure, method=method, k=len(names), k_informative=int((~blank).sum()),
        studies=names, estimate=estimate, std_error=std_error, statistic=z,
        p_value=float(2 * stats.norm.sf(abs(z))), conf_low=estimate - half,
        conf_high=estimate + half, conf_level=level, q=q, q_df=q_df,
        q_p=float(stats.chi2.sf(q, q_df)) if q_df else 1.0, cmh=test[0], cmh_p=test[1],
        breslow_day=bd, breslow_day_p=float(stats.chi2.sf(bd, df)) if df else np.nan,
        tarone=tarone, tarone_p=float(stats.chi2.sf(tarone, df)) if df else np.nan,
        homogeneity_df=df, yi=np.where(blank, np.nan, yi), vi=np.where(blank, np.nan, vi),
        weights=informative / informative.sum(),
        excluded=tuple((names[i], reason) for i in np.flatnonzero(blank)),
    )  # fmt: skip
