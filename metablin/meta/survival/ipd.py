"""Meta-analysis of patients from several trials: two-stage and one-stage, with Rubin's rules."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin import _input
from metablin.effects import EffectSizes, generic, hazard_ratios
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.fit import MetaFit
from metablin.meta.normal.batch import pool_many
from metablin.meta.pooling import pool
from metablin.numerics.inference import critical, two_sided
from metablin.numerics.partial import arm_counts, efron
from metablin.options import Interval, Tau2
from metablin.records import Record, json_dict
from metablin.survival import cox, rubin
from metablin.survival.comparison import milestones, settled
from metablin.survival.partial import maximise, strata_of
from metablin.survival.patients import Groups, Patients, groups, two_arms
from metablin.survival.patients import patients as as_patients
from metablin.survival.rmst import area, horizon_of

__all__ = ["OneStage", "TwoStage", "one_stage", "two_stage"]

FloatArray = NDArray[np.float64]

MEASURES = ("hr", "rmst", "milestone")
NODES, WEIGHTS = special.roots_hermitenorm(41)
TAU_GRID = np.r_[0.0, np.geomspace(0.01, 3.0, 40)]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TwoStage(Record):
    """A two-stage meta-analysis of patients.

    Attributes
    ----------
    measure : str
        ``hr``, ``rmst`` or ``milestone``.
    fit : MetaFit
        The trials' effects, combined over draws, pooled.
    draws : int
        Reconstruction draws a trial.
    between_share : ndarray, shape (k,)
        Share of each trial's variance that lies between draws.
    pooled_between_share : float
        The same of the pooled effect, each draw pooled on its own.
    excluded : tuple of (str, str)
        Trials without an effect, and why.
    """

    measure: str
    fit: MetaFit
    draws: int
    between_share: FloatArray
    pooled_between_share: float
    excluded: tuple[tuple[str, str], ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the trials: ``study, yi, vi, between_share``."""
        e = self.fit.effects
        return pd.DataFrame(
            {"study": e.studies, "yi": e.yi, "vi": e.vi, "between_share": self.between_share}
        )

    def summary(self) -> str:
        """Return the pooled effect as text."""
        lines = [
            self.fit.summary(),
            f"{self.draws} draws a trial; between-draw share of the pooled variance "
            f"{self.pooled_between_share:.1%}",
        ]
        lines += [f"left out {name}: {why}" for name, why in self.excluded]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis, ready for JSON."""
        return json_dict(
            {
                "measure": self.measure,
                "fit": self.fit.to_dict(),
                "draws": self.draws,
                "between_share": dict(
                    zip(self.fit.effects.studies, self.between_share.tolist(), strict=True)
                ),
                "pooled_between_share": self.pooled_between_share,
                "excluded": [list(x) for x in self.excluded],
            }
        )


def two_stage(
    patients: pd.DataFrame,
    measure: str = "hr",
    *,
    at: float | None = None,
    control: object = None,
    trial: str = "trial",
    group: str = "group",
    draw: str | None = None,
    tau2: Tau2 = "REML",
    ci: Interval = "hksj",
    level: float = 0.95,
) -> TwoStage:
    """Estimate each trial's effect, combine its draws, and pool.

    Parameters
    ----------
    patients : DataFrame
        One row a patient (and draw) with columns ``time``, ``event`` and those named below.
    measure : {"hr", "rmst", "milestone"}
        Cox log hazard ratio, difference of restricted means, difference of survival.
    at : float, optional
        Horizon of ``rmst`` and time of ``milestone``; both need it.
    control : object, optional
        Label of the control arm; the first in sorted order when not given.
    trial, group : str
        Columns of trial and arm.
    draw : str, optional
        Column that numbers reconstruction draws.
    tau2, ci, level
        As in :func:`metablin.pool`.

    Returns
    -------
    TwoStage
        Trials whose effect cannot be estimated in some draw are left out by name.

    Raises
    ------
    DataError
        For missing columns, or when no trial gives an effect.

    References
    ----------
    Riley RD, Tierney JF, Stewart LA (2021). Individual Participant Data Meta-Analysis, chapter 5.
    doi:10.1002/9781119333784

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"trial": np.repeat(["a", "b", "c"], 60), "group": [0, 1] * 90,
    ...                       "time": rng.exponential(10, 180), "event": 1})
    >>> two_stage(frame, "rmst", at=8).fit.k
    3
    """
    measure = _input.choice("measure", measure, MEASURES)
    if measure != "hr":
        if at is None:
            raise DataError(f"{measure} needs a time", column="at", allowed="a positive number")
        at = float(_input.numeric("at", at, above=0.0)[0])
    _checked(patients, [trial, group, *([draw] if draw else [])])
    names: list[str] = []
    effects: list[FloatArray] = []
    excluded: list[tuple[str, str]] = []
    for name, part in patients.groupby(trial, sort=False, observed=True):
        try:
            effects.append(_draws(part, measure, at, control, group, draw))
            names.append(str(name))
        except (ConvergenceError, DataError) as error:
            excluded.append((str(name), str(error)))
    if not names:
        why = "; ".join(f"{a}: {b}" for a, b in excluded)
        raise DataError(f"no trial gives an effect ({why})")
    m = {e.shape[0] for e in effects}
    if len(m) > 1:
        raise DataError("trials differ in their number of draws", column=draw, value=sorted(m))
    stack = np.array(effects)
    y, v = stack[:, :, 0].T, stack[:, :, 1].T
    yi, vi, share = rubin(y, v)
    e = _effect_sizes(measure, yi, vi, names)
    return TwoStage(
        measure=measure,
        fit=pool(e, tau2=tau2, ci=ci, level=level),
        draws=y.shape[0],
        between_share=share,
        pooled_between_share=_pooled_share(y, v, tau2, ci),
        excluded=tuple(excluded),
    )


def _checked(frame: pd.DataFrame, labels: Iterable[str]) -> None:
    """Check columns, follow-up and labels of all patients, so that no row is lost in its trial."""
    names = tuple(labels)
    for name in ("time", "event", *names):
        if name not in frame.columns:
            raise DataError("missing", column=name, allowed=", ".join(map(str, frame.columns)))
    as_patients(frame["time"].to_numpy(), frame["event"].to_numpy())
    for name in names:
        gaps = np.flatnonzero(frame[name].isna() | frame[name].eq(""))
        if gaps.size:
            raise DataError("missing", row=int(gaps[0]) + 1, column=name, allowed="a label")


def _draws(
    part: pd.DataFrame,
    measure: str,
    at: float | None,
    control: object,
    group: str,
    draw: str | None,
) -> FloatArray:
    """Return effect and variance of each draw of one trial, (m, 2)."""
    p = as_patients(part["time"].to_numpy(), part["event"].to_numpy())
    g = two_arms(part[group].to_numpy(), p.n, control)
    codes = np.zeros(p.n, dtype=np.intp) if draw is None else pd.factorize(part[draw], sort=True)[0]
    pick = [np.flatnonzero(codes == j) for j in range(int(codes.max()) + 1)]
    found = np.array([_effect(p.take(i), Groups(g.codes[i], g.levels), measure, at) for i in pick])
    if not found[:, 1].any() and np.ptp(found[:, 0]) == 0.0:
        raise DataError("the effect has no variance: in each arm nobody, or all, had the event")
    return found


def _effect(p: Patients, g: Groups, measure: str, at: float | None) -> tuple[float, float]:
    """Return the effect of one draw, treatment over control, and its variance."""
    if np.unique(g.codes).size < 2:
        raise DataError("a draw has only one arm", column="group", allowed="two arms")
    if measure == "hr":
        if not p.event.any():
            raise ConvergenceError("no events")
        x = g.codes.astype(np.float64)[:, None]
        found = maximise(strata_of(p, x, None, "efron"))
        return float(found.beta[0]), 1.0 / float(found.information[0, 0])
    if measure == "rmst":
        arms = {name: p.take(g.codes == i) for i, name in enumerate(g.levels)}
        tau = np.array([horizon_of(arms, at)])
        (m0, se0), (m1, se1) = (area(arm, tau) for arm in arms.values())
        return float(m1[0] - m0[0]), float(se0[0] ** 2 + se1[0] ** 2)
    times = _input.numeric("at", np.array([at], dtype=object), minimum=0.0)
    before, after = (settled(v[:, 0]) for v in milestones(p, g, times, 0.95))
    return after[0] - before[0], after[1] ** 2 + before[1] ** 2


def _effect_sizes(measure: str, yi: FloatArray, vi: FloatArray, names: list[str]) -> EffectSizes:
    if measure != "hr":
        return generic(yi, vi, studies=names)
    half = float(special.ndtri(0.975)) * np.sqrt(vi)
    return hazard_ratios(np.exp(yi), np.exp(yi - half), np.exp(yi + half), studies=names)


def _pooled_share(y: FloatArray, v: FloatArray, tau2: str, ci: str) -> float:
    """Return the share of the pooled variance between draws, each draw pooled on its own."""
    if y.shape[0] == 1:
        return 0.0
    # A draw in which nobody, or everybody, had the event has no variance of its own: the trial's
    # variance over its draws stands in.
    _, total, _ = rubin(y, v)
    usual = np.where(v.mean(axis=0) > 0.0, v.mean(axis=0), total)
    found = pool_many(y, np.where(v > 0.0, v, usual), tau2=tau2, ci=ci)
    _, _, share = rubin(found["estimate"].to_numpy(), found["std_error"].to_numpy() ** 2)
    return float(share)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OneStage(Record):
    """A one-stage meta-analysis: Cox's model with a baseline hazard for each trial.

    Attributes
    ----------
    log_hr, std_error : float
        Common effect of the model stratified by trial.
    random_log_hr, random_std_error, tau2 : float
        Mean and between-trial variance of normal random treatment effects (maximum likelihood).
    lr_statistic, lr_p_value : float
        Likelihood-ratio test of tau2 = 0 (half a chi-squared with one degree of freedom).
    k : int
        Trials.
    level : float
    """

    log_hr: float
    std_error: float
    random_log_hr: float
    random_std_error: float
    tau2: float
    lr_statistic: float
    lr_p_value: float
    k: int
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return both hazard ratios; ``std_error`` is of the log."""
        z = float(critical(self.level))
        rows: list[dict[str, Any]] = []
        for term, b, se in (
            ("common, stratified", self.log_hr, self.std_error),
            ("random", self.random_log_hr, self.random_std_error),
        ):
            rows.append(
                {
                    "term": term,
                    "estimate": math.exp(b),
                    "log_hr": b,
                    "std_error": se,
                    "statistic": b / se,
                    "p_value": float(two_sided(b / se)),
                    "conf_low": math.exp(b - z * se),
                    "conf_high": math.exp(b + z * se),
                    "conf_level": self.level,
                }
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis, ready for JSON."""
        return json_dict(
            {
                "k": self.k,
                "tau2": self.tau2,
                "lr_statistic": self.lr_statistic,
                "lr_p_value": self.lr_p_value,
                "terms": self.to_frame(),
            }
        )


def one_stage(
    patients: pd.DataFrame,
    *,
    control: object = None,
    trial: str = "trial",
    group: str = "group",
    level: float = 0.95,
) -> OneStage:
    """Fit Cox's model to all trials at once, stratified by trial.

    The common effect is the stratified model's. With random effects the partial likelihood is a
    product over trials, each averaged over a normal treatment effect by Gauss-Hermite quadrature.

    Parameters
    ----------
    patients : DataFrame
        One row a patient, with ``time``, ``event`` and the columns named below; two arms.
    control, trial, group, level
        As in `two_stage`.

    Returns
    -------
    OneStage

    References
    ----------
    Tudur Smith C, Williamson PR, Marson AG (2005). Investigating heterogeneity in an individual
    patient data meta-analysis of time to event outcomes. Stat Med 24:1307-1319.
    doi:10.1002/sim.2050

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"trial": np.repeat(["a", "b", "c"], 60), "group": [0, 1] * 90,
    ...                       "time": rng.exponential(10, 180), "event": 1})
    >>> one_stage(frame).k
    3
    """
    _checked(patients, [trial, group])
    _input.level(level)
    p = as_patients(patients["time"].to_numpy(), patients["event"].to_numpy())
    arms = groups(patients[group].to_numpy(), p.n, control, column=group)
    if arms.k > 2:
        raise DataError("more than two arms", column=group, allowed="two arms")
    treated = arms.codes == 1
    fit = cox(p.time, p.event, treated.astype(int), patients[trial].to_numpy(), level=level)
    tables = _tables(p, treated, pd.factorize(patients[trial])[0])
    mean, tau, value = _maximise(tables, float(fit.log_hr[0]), float(fit.std_error[0]))
    null = _loglik(tables, float(fit.log_hr[0]), 0.0)
    statistic = max(0.0, 2.0 * (value - null))
    return OneStage(
        log_hr=float(fit.log_hr[0]),
        std_error=float(fit.std_error[0]),
        random_log_hr=mean,
        random_std_error=_curvature(tables, mean, tau),
        tau2=tau * tau,
        lr_statistic=statistic,
        lr_p_value=0.5 * float(special.chdtrc(1, statistic)) if statistic > 0 else 1.0,
        k=len(tables),
        level=level,
    )


Tables = list[tuple[FloatArray, FloatArray, float]]


def _tables(p: Patients, treated: NDArray[np.bool_], trials: NDArray[np.intp]) -> Tables:
    """Return controls and treated at risk at each death (Efron), and d1, by trial with events."""
    out: Tables = []
    for j in range(int(trials.max()) + 1):
        part = trials == j
        counts = arm_counts(p.time[part], p.event[part], treated[part])
        if counts.time.size:
            (control, treat), _ = efron(counts.at_risk, counts.deaths)
            out.append((control, treat, float(counts.deaths[:, 1].sum())))
    return out


def _loglik(tables: Tables, mean: float, tau: float) -> float:
    """Return the marginal log partial likelihood, up to a constant."""
    total = 0.0
    beta = mean + tau * NODES if tau > 0 else np.array([mean])
    weight = WEIGHTS / WEIGHTS.sum() if tau > 0 else np.ones(1)
    for control, treat, d1 in tables:
        each = d1 * beta - np.log(control[:, None] + treat[:, None] * np.exp(beta)).sum(axis=0)
        total += float(special.logsumexp(each, b=weight))
    return total


def _maximise(tables: Tables, start: float, se: float) -> tuple[float, float, float]:
    """Profile over tau on a grid, then refine; the mean by golden section around the start."""
    from scipy.optimize import minimize_scalar

    def profile(tau: float) -> tuple[float, float]:
        reach = 6.0 * se + 2.0 * tau + 0.5
        found = minimize_scalar(
            lambda b: -_loglik(tables, b, tau),
            bounds=(start - reach, start + reach),
            method="bounded",
            options={"xatol": 1e-9},
        )
        return float(found.x), -float(found.fun)

    values = [profile(float(t))[1] for t in TAU_GRID[::3]]
    best = int(np.argmax(values)) * 3
    low = float(TAU_GRID[max(best - 3, 0)])
    high = float(TAU_GRID[min(best + 3, TAU_GRID.size - 1)])
    found = minimize_scalar(
        lambda t: -profile(t)[1], bounds=(low, high), method="bounded", options={"xatol": 1e-7}
    )
    tau = float(found.x)
    mean, value = profile(tau)
    at_zero = profile(0.0)
    if at_zero[1] >= value - 1e-9:
        return at_zero[0], 0.0, at_zero[1]
    return mean, tau, value


def _curvature(tables: Tables, mean: float, tau: float) -> float:
    """Return the standard error of the mean from the joint curvature in (mean, tau)."""
    h = 1e-3
    f = {
        (i, j): _loglik(tables, mean + i * h, max(tau + j * h, 0.0))
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    a = -(f[1, 0] - 2 * f[0, 0] + f[-1, 0]) / h**2
    if tau <= 2 * h:
        return 1.0 / math.sqrt(a)
    c = -(f[0, 1] - 2 * f[0, 0] + f[0, -1]) / h**2
    b = -(f[1, 1] - f[1, -1] - f[-1, 1] + f[-1, -1]) / (4 * h**2)
    joint = a - b * b / c if c > 0 else a
    return 1.0 / math.sqrt(joint if joint > 0 else a)
