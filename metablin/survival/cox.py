"""Cox regression of a trial: hazard ratios and the test of proportional hazards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin._frame import reads
from metablin.errors import ConvergenceError, DataError
from metablin.options import Missing, Ties, words
from metablin.records import Record, json_dict
from metablin.survival._normal import ratio_row
from metablin.survival.km import curve_of
from metablin.survival.partial import PartialFit, Stratum, evaluate, maximise, strata_of
from metablin.survival.patients import Patients, groups, patients

__all__ = ["CoxFit", "cox", "proportional_hazards_test", "schoenfeld_residuals"]

FloatArray = NDArray[np.float64]

TIES = words(Ties)
TRANSFORMS = ("km", "rank", "identity", "log")
FEW_TIMES = "too few informative event times to test proportional hazards"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoxFit(Record):
    """A fitted Cox model with p terms.

    Attributes
    ----------
    terms : tuple of str
        ``B vs A`` for groups (treatment over control), then covariates.
    log_hr, std_error : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
    loglik, loglik_null : float
        Log partial likelihood at the maximum and at zero.
    score_statistic : float
        Score test of all terms; the log-rank test when there is one group term and no ties.
    n, events : int
    ties : str
    stratified : bool
    level : float
    iterations : int
    """

    terms: tuple[str, ...]
    log_hr: FloatArray
    std_error: FloatArray
    covariance: FloatArray
    loglik: float
    loglik_null: float
    score_statistic: float
    n: int
    events: int
    ties: str
    stratified: bool
    level: float
    iterations: int

    @property
    def hr(self) -> float:
        """Hazard ratio of the first term."""
        return float(np.exp(self.log_hr[0]))

    @property
    def wald_statistic(self) -> float:
        """Wald chi-squared of all terms."""
        return float(self.log_hr @ np.linalg.solve(self.covariance, self.log_hr))

    def to_frame(self) -> pd.DataFrame:
        """Return hazard ratios; ``std_error`` and ``statistic`` are of the log."""
        rows = []
        for i, term in enumerate(self.terms):
            row = ratio_row(term, self.log_hr[i], float(self.std_error[i]), self.level)
            rows.append({"term": term, "log_hr": float(self.log_hr[i]), **row})
        return pd.DataFrame(rows)

    def tests(self) -> pd.DataFrame:
        """Return likelihood-ratio, Wald and score tests of all terms."""
        df = len(self.terms)
        values = {
            "likelihood ratio": 2.0 * (self.loglik - self.loglik_null),
            "wald": self.wald_statistic,
            "score": self.score_statistic,
        }
        return pd.DataFrame(
            {
                "term": list(values),
                "statistic": list(values.values()),
                "df": df,
                "p_value": [float(special.chdtrc(df, x)) for x in values.values()],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fit, ready for JSON."""
        return json_dict(
            {
                "n": self.n,
                "events": self.events,
                "ties": self.ties,
                "stratified": self.stratified,
                "terms": self.to_frame(),
                "tests": self.tests(),
                "loglik": self.loglik,
                "loglik_null": self.loglik_null,
            }
        )


def _design(
    p: Patients,
    group: Iterable[Any] | None,
    control: object,
    covariates: pd.DataFrame | None,
) -> tuple[tuple[str, ...], FloatArray]:
    names: list[str] = []
    columns: list[FloatArray] = []
    if group is not None:
        g = groups(group, p.n, control)
        for i in range(1, g.k):
            names.append(f"{g.levels[i]} vs {g.levels[0]}")
            columns.append((g.codes == i).astype(np.float64))
    if covariates is not None:
        for name in _input.needed(covariates, ()).columns:
            values = _input.numeric(str(name), covariates[name].to_numpy())
            _input.same_length(time=p.time, **{str(name): values})
            names.append(str(name))
            columns.append(values)
    if not columns:
        raise DataError("nothing to regress on", column="group", allowed="a group or covariates")
    return tuple(names), np.column_stack(columns)


def _prepare(
    p: Patients,
    group: Iterable[Any] | None,
    control: object,
    covariates: pd.DataFrame | None,
    strata: Iterable[Any] | None,
    ties: str,
) -> tuple[tuple[str, ...], tuple[Stratum, ...]]:
    ties = _input.choice("ties", ties, TIES)
    names, x = _design(p, group, control, covariates)
    if not p.event.any():
        raise DataError("no events", column="event", allowed="at least one event")
    codes = None if strata is None else groups(strata, p.n, column="strata", minimum=1).codes
    return names, strata_of(p, x, codes, ties)


@reads("time", "event", optional=("group", "strata", "entry", "weights"))
def cox(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any] | None = None,
    strata: Iterable[Any] | None = None,
    *,
    covariates: pd.DataFrame | None = None,
    control: object = None,
    ties: Ties = "efron",
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> CoxFit:
    """Fit a proportional-hazards model.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up and 1 event, 0 censored.
    group : iterable, length n, optional
        Labels of two or more groups; one hazard ratio for each against the control.
    strata : iterable, length n, optional
        Strata with baseline hazards of their own.
    covariates : DataFrame, n rows, optional
        Numeric columns to adjust for.
    control : object, optional
        Reference group; the first in sorted order when not given.
    ties : {"efron", "breslow"}
    entry, weights : array-like, shape (n,), optional
        Late entry and case weights.
    level : float
        Confidence level.

    Returns
    -------
    CoxFit

    Raises
    ------
    DataError
        For bad input.
    ConvergenceError
        When the hazard ratio is not estimable (no events in a group, say).

    References
    ----------
    Cox DR (1972). Regression models and life-tables. J R Stat Soc B 34:187-220.
    doi:10.1111/j.2517-6161.1972.tb00899.x

    Examples
    --------
    >>> fit = cox([5, 8, 2, 3, 9, 4], [1, 1, 1, 1, 0, 1], list("abbaab"))
    >>> fit.terms, fit.events
    (('b vs a',), 5)
    """
    p = patients(time, event, entry, weights)
    names, sorted_strata = _prepare(p, group, control, covariates, strata, ties)
    found = maximise(sorted_strata)
    return _fit_record(p, names, found, ties, strata is not None, _input.level(level))


def _fit_record(
    p: Patients, names: tuple[str, ...], f: PartialFit, ties: str, stratified: bool, level: float
) -> CoxFit:
    covariance: FloatArray = np.linalg.inv(f.information).astype(np.float64)
    return CoxFit(
        terms=names,
        log_hr=f.beta,
        std_error=np.sqrt(np.diag(covariance)),
        covariance=covariance,
        loglik=f.loglik,
        loglik_null=f.loglik_null,
        score_statistic=float(f.score_null @ np.linalg.solve(f.information_null, f.score_null)),
        n=p.n,
        events=int(p.event.sum()),
        ties=ties,
        stratified=stratified,
        level=level,
        iterations=f.iterations,
    )


def _clock(p: Patients, strata: tuple[Stratum, ...], transform: str) -> list[FloatArray]:
    """Return g(t) at each stratum's event times, on one scale for all strata."""
    if transform == "identity":
        return [s.times for s in strata]
    if transform == "log":
        if min(s.times.min() for s in strata) <= 0.0:
            raise DataError(
                "an event at time 0", column="transform", allowed="km | rank | identity"
            )
        return [np.log(s.times) for s in strata]
    if transform == "rank":
        # Ranks among all follow-up times, censored ones included.
        lookup = dict(zip(p.time.tolist(), pd.Series(p.time).rank().tolist(), strict=True))
        return [np.array([lookup[t] for t in s.times.tolist()]) for s in strata]
    km = curve_of(p, "plain", 0.95, "")
    before = np.r_[1.0, km.survival[:-1]]
    return [1.0 - before[np.searchsorted(km.time, s.times)] for s in strata]


@reads("time", "event", optional=("group", "strata", "entry"))
def proportional_hazards_test(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any] | None = None,
    strata: Iterable[Any] | None = None,
    *,
    covariates: pd.DataFrame | None = None,
    control: object = None,
    ties: Ties = "efron",
    entry: ArrayLike | None = None,
    transform: str = "km",
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Test proportional hazards, that is whether a coefficient changes with g(t).

    The exact score test of adding x g(t) to the fitted model, as R's ``cox.zph`` since
    survival 3.0.

    Parameters
    ----------
    time, event, group, strata, covariates, control, ties, entry
        As in `cox`.
    transform : {"km", "rank", "identity", "log"}
        g(t); ``km`` is one minus the left-continuous Kaplan-Meier curve.

    Returns
    -------
    pandas.DataFrame
        ``term, statistic, df, p_value``, one row a term and one ``global``.

    References
    ----------
    Grambsch PM, Therneau TM (1994). Proportional hazards tests and diagnostics based on weighted
    residuals. Biometrika 81:515-526. doi:10.1093/biomet/81.3.515

    Examples
    --------
    >>> frame = proportional_hazards_test([5, 8, 2, 3, 9, 4], [1, 1, 1, 1, 0, 1], list("abbaab"))
    >>> frame["term"].tolist()
    ['b vs a', 'global']
    """
    p = patients(time, event, entry)
    names, sorted_strata = _prepare(p, group, control, covariates, strata, ties)
    transform = _input.choice("transform", transform, TRANSFORMS)
    beta = maximise(sorted_strata).beta
    k = beta.size
    clocks = _clock(p, sorted_strata, transform)
    deaths = sum(s.row.size for s in sorted_strata)
    middle = sum(float(g[s.row].sum()) for g, s in zip(clocks, sorted_strata, strict=True)) / deaths
    score = np.zeros(k)
    bb, bt, tt = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k))
    for s, clock in zip(sorted_strata, clocks, strict=True):
        rows = evaluate(s, beta)
        g = (clock - middle)[s.row]
        score += g @ (s.x[s.deaths] - rows.mean)
        bb += rows.variance.sum(axis=0)
        bt += np.einsum("r,rij->ij", g, rows.variance)
        tt += np.einsum("r,rij->ij", g * g, rows.variance)
    if not np.linalg.eigvalsh(bb)[0] > 0.0:
        raise ConvergenceError(FEW_TIMES)
    out = []
    for term, pick in [*((n, [i]) for i, n in enumerate(names)), ("global", list(range(k)))]:
        cross = bt[:, pick]
        v = tt[np.ix_(pick, pick)] - cross.T @ np.linalg.solve(bb, cross)
        u = score[pick]
        if np.linalg.eigvalsh(v)[0] <= 1e-10 * np.linalg.eigvalsh(tt[np.ix_(pick, pick)])[-1]:
            raise ConvergenceError(FEW_TIMES)
        statistic = float(u @ np.linalg.solve(v, u))
        out.append((term, statistic, len(pick), float(special.chdtrc(len(pick), statistic))))
    return pd.DataFrame(out, columns=["term", "statistic", "df", "p_value"])


def schoenfeld_residuals(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any] | None = None,
    strata: Iterable[Any] | None = None,
    *,
    covariates: pd.DataFrame | None = None,
    control: object = None,
    ties: Ties = "efron",
    entry: ArrayLike | None = None,
) -> pd.DataFrame:
    r"""Return Schoenfeld residuals, raw and scaled to the coefficient at that time.

    Parameters are those of `cox`.

    Returns
    -------
    pandas.DataFrame
        ``time, term, residual, scaled``, one row a death and term; ``scaled`` is
        :math:`\hat\beta + d\,V(\hat\beta)\,r`, whose trend over time is the log hazard ratio's.

    References
    ----------
    Schoenfeld D (1982). Partial residuals for the proportional hazards regression model.
    Biometrika 69:239-241. doi:10.1093/biomet/69.1.239

    Examples
    --------
    >>> frame = schoenfeld_residuals([5, 8, 2, 3, 9, 4], [1, 1, 1, 1, 0, 1], list("abbaab"))
    >>> bool(abs(frame["residual"].sum()) < 1e-9)
    True
    """
    p = patients(time, event, entry)
    names, sorted_strata = _prepare(p, group, control, covariates, strata, ties)
    found = maximise(sorted_strata)
    covariance = np.linalg.inv(found.information)
    deaths = sum(s.row.size for s in sorted_strata)
    parts = []
    for s in sorted_strata:
        # Tied deaths share the mean of Efron's averages.
        mean = evaluate(s, found.beta).mean
        shared = np.add.reduceat(mean, s.starts, axis=0) / np.diff(
            np.r_[s.starts, s.row.size]
        ).reshape(-1, 1)
        residual = s.x[s.deaths] - shared[s.row]
        scaled = found.beta + deaths * residual @ covariance
        for j, name in enumerate(names):
            parts.append(
                pd.DataFrame(
                    {
                        "time": s.times[s.row],
                        "term": name,
                        "residual": residual[:, j],
                        "scaled": scaled[:, j],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True).sort_values(
        ["term", "time"], kind="stable", ignore_index=True
    )
