"""Does the treatment cause the event? Randomised differences, with care for rare events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from metablin._input import choice, one
from metablin._input import level as check_level
from metablin.effects import two_by_two
from metablin.errors import DataError
from metablin.meta.counts.stratified import mantel_haenszel, peto

__all__ = ["event_difference", "event_differences"]

FloatArray = NDArray[np.float64]

RARE = 0.05
"""Below this rate in both arms Peto's odds ratio is the recommended one (Bradburn 2007)."""

METHODS = ("mantel-haenszel-or", "mantel-haenszel-rr", "mantel-haenszel-rd", "peto-or", "exact")


def event_differences(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    *,
    studies: Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare an adverse event between randomised arms by every method that fits the data.

    Parameters
    ----------
    a, n1 : array-like of whole numbers, shape (k,)
        Patients with the event and patients on treatment.
    c, n2 : array-like of whole numbers, shape (k,)
        The same on control.
    studies : sequence of str, optional
        Labels.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        ``method, measure, estimate, conf_low, conf_high, conf_level, p_value, k, k_informative,
        preferred, note``; one row for Mantel-Haenszel odds ratio, risk ratio and risk difference,
        Peto's odds ratio, and, with one trial, the exact test with the score interval of the risk
        difference. A method that has no answer keeps its row with NaN and the reason. `preferred`
        marks Peto's when both arms are below 5% and groups are of similar size, and otherwise
        the Mantel-Haenszel risk difference.

    Raises
    ------
    DataError
        For impossible counts.

    References
    ----------
    Bradburn MJ, Deeks JJ, Berlin JA, Localio AR (2007). Much ado about nothing: a comparison of
    the performance of meta-analytical methods with rare events. Stat Med 26:53-77.
    doi:10.1002/sim.2528

    Examples
    --------
    >>> found = event_differences([12], [200], [0], [100]).set_index("method")
    >>> round(float(found.loc["mantel-haenszel-rd", "estimate"]), 4)
    0.06
    >>> found.loc["mantel-haenszel-or", "note"][:29]
    'the Mantel-Haenszel ratio is '
    """
    check_level(level)
    tables = two_by_two(a, n1, c, n2, studies=studies)
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    x1, m1, x2, m2 = (tables.counts[name] for name in columns)
    if not len(x1):
        raise DataError("no trial to compare", allowed="at least one")
    rows = [
        _stratified(name, x1, m1, x2, m2, tables.studies, level)
        for name in METHODS
        if name != "exact"
    ]
    if len(x1) == 1:
        rows.append(_exact(x1[0], m1[0], x2[0], m2[0], level))
    frame = pd.DataFrame(rows)
    rare = max(x1.sum() / m1.sum(), x2.sum() / m2.sum()) < RARE
    balanced = 0.5 <= m1.sum() / m2.sum() <= 2
    best = "peto-or" if rare and balanced else "mantel-haenszel-rd"
    return frame.assign(conf_level=level, preferred=frame["method"] == best)


def _stratified(
    name: str, x1: FloatArray, m1: FloatArray, x2: FloatArray, m2: FloatArray,
    studies: Sequence[str], level: float,
) -> dict[str, Any]:  # fmt: skip
    measure = name.rsplit("-", 1)[1]
    blank = {"method": name, "measure": measure, "estimate": np.nan, "conf_low": np.nan,
             "conf_high": np.nan, "p_value": np.nan, "k": len(x1), "k_informative": 0}  # fmt: skip
    try:
        if name == "peto-or":
            fit = peto(x1, m1, x2, m2, level=level, studies=studies)
        else:
            fit = mantel_haenszel(x1, m1, x2, m2, measure=measure, level=level, studies=studies)
    except DataError as error:
        return {**blank, "note": error.message}
    back = (lambda v: v) if measure == "rd" else np.exp
    values = {n: float(back(getattr(fit, n))) for n in ("estimate", "conf_low", "conf_high")}
    return {**blank, **values, "p_value": fit.p_value, "k_informative": fit.k_informative,
            "note": ""}  # fmt: skip


def _exact(x1: float, m1: float, x2: float, m2: float, level: float) -> dict[str, Any]:
    """Return the risk difference with Newcombe's interval and Fisher's exact p-value."""
    table = [[x1, m1 - x1], [x2, m2 - x2]]
    low, high = confint_proportions_2indep(
        x1, m1, x2, m2, method="newcomb", compare="diff", alpha=1 - level
    )
    return {
        "method": "exact", "measure": "rd", "estimate": x1 / m1 - x2 / m2, "conf_low": float(low),
        "conf_high": float(high), "p_value": float(stats.fisher_exact(table)[1]), "k": 1,
        "k_informative": int(0 < x1 + x2 < m1 + m2),
        "note": "Fisher's exact p-value; Newcombe's interval of the risk difference",
    }  # fmt: skip


def event_difference(
    a: float, n1: float, c: float, n2: float, *, measure: str = "rd", level: float = 0.95
) -> dict[str, float]:
    """Compare one event in one trial.

    Parameters
    ----------
    a, n1, c, n2 : float
        Patients with the event and patients, on treatment and on control.
    measure : {"rd", "rr", "or"}
        Risk difference (Newcombe's interval), risk ratio (Koopman's score interval) or odds ratio
        (score interval of Miettinen and Nurminen).
    level : float
        Confidence level.

    Returns
    -------
    dict
        ``estimate, conf_low, conf_high, p_value``; the p-value is Fisher's. Ratios with a zero
        are 0 or infinite, with a finite limit on the other side; with nobody or everybody in both
        arms a ratio is not defined, and it and its limits are NaN.

    Raises
    ------
    DataError
        For impossible counts, or several numbers where one is needed.

    References
    ----------
    Newcombe RG (1998). Stat Med 17:873-890. Koopman PAR (1984). Biometrics 40:513-517.
    doi:10.2307/2531405. Miettinen O, Nurminen M (1985). Stat Med 4:213-226.
    doi:10.1002/sim.4780040211

    Examples
    --------
    >>> found = event_difference(10, 100, 20, 100)
    >>> round(found["estimate"], 2), round(found["conf_low"], 3), round(found["p_value"], 3)
    (-0.1, -0.199, 0.073)
    """
    measure = choice("measure", measure, ("rd", "rr", "or"))
    level = check_level(level)
    (x1, m1), (x2, m2) = (_arm(x, n, arm) for x, n, arm in
                          ((a, n1, "treatment"), (c, n2, "control")))  # fmt: skip
    p = float(stats.fisher_exact([[x1, m1 - x1], [x2, m2 - x2]])[1])
    kind, method = {"rd": ("diff", "newcomb"), "rr": ("ratio", "score"),
                    "or": ("odds-ratio", "score")}[measure]  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = x1 / m1, x2 / m2
        estimate = {
            "rd": p1 - p2,
            "rr": float(np.divide(p1, p2)),
            "or": float(np.divide(x1 * (m2 - x2), x2 * (m1 - x1))),
        }[measure]
    low, high = np.nan, np.nan
    if measure == "rd" or 0 < x1 + x2 < m1 + m2:
        low, high = _limits(x1, m1, x2, m2, kind, method, level)
    return {"estimate": float(estimate), "conf_low": low, "conf_high": high, "p_value": p}


def _arm(events: float, n: float, arm: str) -> tuple[float, float]:
    m = one(f"n_{arm}", n, minimum=1, integer=True)
    x = one(f"events_{arm}", events, minimum=0, integer=True)
    if x > m:
        raise DataError("more events than patients", column=f"events_{arm}", value=f"{x:g}",
                        allowed=f"at most n_{arm} = {m:g}")  # fmt: skip
    return x, m


def _limits(
    x1: float, m1: float, x2: float, m2: float, kind: str, method: str, level: float
) -> tuple[float, float]:
    if kind == "diff" or (0 < x1 < m1 and 0 < x2 < m2):
        low, high = confint_proportions_2indep(
            x1, m1, x2, m2, method=method, compare=kind, alpha=1 - level
        )
        return float(low), float(high)
    # a zero cell: the score search has one open end; the exact conditional odds ratio has both
    if kind == "ratio":
        e = two_by_two([x1], [m1], [x2], [m2], measure="rr")
    else:
        e = two_by_two([x1], [m1], [x2], [m2], measure="or")
    _, lows, highs = e.limits(level)
    # a ratio of risks has no open end when everybody in an arm had the event; of odds it has
    odds = kind == "odds-ratio"
    open_low = x1 == 0 or (odds and x2 == m2)
    open_high = x2 == 0 or (odds and x1 == m1)
    return (0.0 if open_low else float(lows[0])), (np.inf if open_high else float(highs[0]))
