"""Covariates on patients of several trials: Cox's model and accelerated failure time.

lifelines fits them; what stands around the fit (patients in, one record out, the sandwich of tied
deaths) is ours.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin import _input
from metablin._extra import needs
from metablin.errors import ConvergenceError, DataError, warn
from metablin.numerics.inference import wald
from metablin.records import Coefficients
from metablin.survival.exchange import cox_frame, patient_frame
from metablin.survival.partial import score_residuals
from metablin.survival.patients import patients

__all__ = ["CovariateFit", "pooled_aft", "pooled_cox"]

FloatArray = NDArray[np.float64]

FAMILIES = {
    "weibull": ("WeibullAFTFitter", "lambda_", "rho_"),
    "lognormal": ("LogNormalAFTFitter", "mu_", "sigma_"),
    "loglogistic": ("LogLogisticAFTFitter", "alpha_", "beta_"),
}
"""Class of lifelines, its parameter of location and that of shape."""

NEWTON = {"precision": 1e-12, "r_precision": 1e-15}
"""Newton's method of lifelines, to the last digits instead of the first six."""
SLSQP = {"ftol": 1e-7, "maxiter": 2000}
"""Its search for accelerated failure time, near the maximum; asked for more, whether its line
search ends depends on the processor. Newton's own steps go the rest of the way."""
STEPS = 25
"""Newton's steps from there; three are usual."""
FLAT = 1e-10
"""A step this small, in standard errors, is the last."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CovariateFit(Coefficients):
    """A regression of patients of several trials; coefficients are logs of ratios.

    Attributes
    ----------
    model : str
        ``cox``, or the family of an accelerated failure time.
    measure : str
        What the exponential of a coefficient is: ``hazard ratio``, or ``time ratio`` (above 1:
        longer times).
    variance : str
        ``model``, ``robust`` (each patient a cluster) or ``robust by`` a column.
    model_std_error : ndarray, shape (p,)
        Standard errors that trust the model.
    trials : tuple of str
        Trials, each with its own baseline.
    n, events : int
        Patients, and events among them.
    loglik, aic : float
        Partial log-likelihood of Cox's model, else the full one.
    baseline : mapping of str to float
        Parameters of the trials' baselines (none in Cox's model): location by trial, log shape.
    """

    model: str
    measure: str
    variance: str
    model_std_error: FloatArray
    trials: tuple[str, ...]
    n: int
    events: int
    loglik: float
    aic: float
    baseline: Mapping[str, float]

    def to_frame(self) -> pd.DataFrame:
        """Return ratios with their limits; ``std_error`` and ``statistic`` are of the log."""
        frame = Coefficients.to_frame(self)
        frame.insert(1, "log_ratio", self.beta)
        for name in ("estimate", "conf_low", "conf_high"):
            frame[name] = np.exp(frame[name])
        return frame

    def summary(self) -> str:
        """Return the fit as text."""
        name = "Cox, stratified by trial" if self.model == "cox" else f"{self.model} AFT by trial"
        return (
            f"{name}: {self.n} patients, {self.events} events, {len(self.trials)} trials; "
            f"{self.measure}s, {self.variance} variance\n"
            f"{self.to_frame().drop(columns='conf_level').to_string(index=False)}\n"
            f"log-likelihood {self.loglik:.4f}, AIC {self.aic:.4f}"
        )


def pooled_cox(
    source: Any,
    covariates: Iterable[str],
    *,
    trial: str = "trial",
    control: Mapping[str, Any] | None = None,
    robust: bool = True,
    cluster: str | None = None,
    level: float = 0.95,
) -> CovariateFit:
    """Fit Cox's model with several covariates to patients of several trials.

    Every trial has a baseline hazard of its own; ties by Efron's method. lifelines fits the model;
    its robust variance does not handle ties, so the sandwich is computed here.

    Parameters
    ----------
    source : table or other patients
        As in :func:`metablin.patient_frame`, with the columns named below.
    covariates : iterable of str
        Columns of numbers, or of labels (one term a level against the control).
    trial : str
        Column of trials.
    control : mapping of str to label, optional
        Reference level of a column of labels.
    robust : bool
        Sandwich variance, each patient a cluster.
    cluster : str, optional
        Column of the clusters of the sandwich instead, such as the trial.
    level : float
        Confidence level.

    Returns
    -------
    CovariateFit

    Raises
    ------
    DataError
        For columns that cannot be used, or when lifelines is not installed.
    ConvergenceError
        When a hazard ratio is not estimable.

    References
    ----------
    Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model. J Am Stat
    Assoc 84:1074-1078. doi:10.1080/01621459.1989.10478874

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"trial": np.repeat(["a", "b"], 60), "arm": ["x", "y"] * 60,
    ...                       "age": rng.normal(60, 9, 120), "event": 1,
    ...                       "time": rng.exponential(10, 120).round(1) + 0.1})
    >>> pooled_cox(frame, ["arm", "age"]).terms
    ('arm: y vs x', 'age')
    """
    lifelines = needs("lifelines", "survival")
    level, robust = _input.level(level), _input.flag("robust", robust)
    frame, terms, groups = _design(source, covariates, trial, control, cluster)
    fitter = _fitted(lifelines.CoxPHFitter(), frame, {"strata": [trial], "fit_options": NEWTON})
    beta = fitter.params_.loc[terms].to_numpy(float)
    inverse = fitter.variance_matrix_.loc[terms, terms].to_numpy(float)
    p = patients(frame["time"].to_numpy(), frame["event"].to_numpy())
    codes = pd.factorize(frame[trial])[0]
    shares = score_residuals(p, frame[terms].to_numpy(float), codes, "efron", beta)
    loglik = float(fitter.log_likelihood_)
    return _record(
        frame[trial], terms, beta, _Variance(inverse, shares, robust, cluster, groups), level,
        model="cox", measure="hazard ratio", n=p.n, events=int(p.event.sum()), loglik=loglik,
        aic=2 * len(terms) - 2 * loglik, baseline={},
    )  # fmt: skip


def pooled_aft(
    source: Any,
    covariates: Iterable[str],
    *,
    family: str = "weibull",
    trial: str = "trial",
    control: Mapping[str, Any] | None = None,
    own_shape: bool = False,
    robust: bool = True,
    cluster: str | None = None,
    level: float = 0.95,
) -> CovariateFit:
    """Fit an accelerated failure time with several covariates to patients of several trials.

    ``log T = location of the trial + x beta + error``; lifelines fits it.

    Parameters
    ----------
    source, covariates, trial, control, level
        As in :func:`pooled_cox`; all times above 0.
    family : {"weibull", "lognormal", "loglogistic"}
    own_shape : bool
        A shape of its own for each trial, as well as a location.
    robust, cluster
        As in :func:`pooled_cox`.

    Returns
    -------
    CovariateFit
        Time ratios. A trial without events says nothing of them and is left out, with a warning.

    Raises
    ------
    DataError
        For columns that cannot be used, a time of 0, or when lifelines is not installed.
    ConvergenceError
        When the likelihood has no maximum.

    References
    ----------
    Wei LJ (1992). The accelerated failure time model: a useful alternative to the Cox regression
    model in survival analysis. Stat Med 11:1871-1879. doi:10.1002/sim.4780111409

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"trial": np.repeat(["a", "b"], 30), "arm": ["x", "y"] * 30,
    ...                       "event": 1, "time": rng.exponential(10, 60)})
    >>> pooled_aft(frame, ["arm"]).measure
    'time ratio'
    """
    lifelines = needs("lifelines", "survival")
    name, location, shape = FAMILIES[_input.choice("family", family, FAMILIES)]
    level, robust = _input.level(level), _input.flag("robust", robust)
    frame, terms, groups = _design(source, covariates, trial, control, cluster)
    for i in np.flatnonzero(frame["time"] <= 0.0)[:1]:
        raise DataError("log T needs a time above 0", row=int(i) + 1, column="time", value="0")
    frame, groups = _with_events(frame, trial, groups)
    labels = frame[trial].astype(str)
    own = {f"{trial}: {t}": (labels == t).astype(float) for t in sorted(labels.unique())[1:]}
    numbers = frame.drop(columns=trial).assign(**own, Intercept=1.0)
    options: dict[str, Any] = {"fit_options": SLSQP}
    if own_shape and own:
        options["ancillary"] = numbers[list(own)]
    fitter = _fitted(getattr(lifelines, name)(), numbers.drop(columns="Intercept"), options)
    found = {part: fitter.params_.loc[part] for part in (location, shape)}
    start = np.concatenate([v.to_numpy(float) for v in found.values()])
    at, spread = (numbers[list(v.index)].to_numpy(float) for v in found.values())
    climb = _climbed(family, numbers, (at, spread), start)
    names = [(part, term) for part, v in found.items() for term in v.index]
    where = {location: "location", shape: "log shape"}
    baseline = {
        f"{where[part]} {term}": float(value)
        for (part, term), value in zip(names, climb.theta, strict=True)
        if term not in terms
    }
    reported = [names.index((location, term)) for term in terms]
    return _record(
        frame[trial], terms, climb.theta[reported],
        _Variance(climb.inverse, climb.shares, robust, cluster, groups, reported), level,
        model=family, measure="time ratio", n=len(frame), events=int(frame["event"].sum()),
        loglik=climb.loglik, aic=2.0 * (len(start) - climb.loglik), baseline=baseline,
    )  # fmt: skip


def _with_events(
    frame: pd.DataFrame, trial: str, groups: NDArray[np.intp]
) -> tuple[pd.DataFrame, NDArray[np.intp]]:
    """Leave out trials without an event: the likelihood puts their own times at infinity."""
    some = frame["event"].groupby(frame[trial]).transform("max").to_numpy() > 0
    if some.all():
        return frame, groups
    names = ", ".join(sorted(frame.loc[~some, trial].astype(str).unique()))
    warn(
        f"left out, as no event was seen there and a location of its own has no estimate: "
        f"{trial} {names} ({int((~some).sum())} patients)"
    )
    return frame[some].reset_index(drop=True), pd.factorize(groups[some])[0]


class _Climb(NamedTuple):
    """A maximum: parameters, inverse information, each patient's share of the score, height."""

    theta: FloatArray
    inverse: FloatArray
    shares: FloatArray
    loglik: float


def _climbed(
    family: str, frame: pd.DataFrame, designs: tuple[FloatArray, FloatArray], theta: FloatArray
) -> _Climb:
    """Go from a point near the maximum to it, by Newton's steps."""
    at, spread = designs
    for _ in range(STEPS):
        location, log_shape = np.split(theta, [at.shape[1]])
        by, bends, loglik = _likelihood(family, frame, at @ location, spread @ log_shape)
        shares = np.hstack([x * step[:, None] for x, step in zip(designs, by, strict=True)])
        mixed = at.T @ (bends[1][:, None] * spread)
        bend = np.block(
            [
                [at.T @ (bends[0][:, None] * at), mixed],
                [mixed.T, spread.T @ (bends[2][:, None] * spread)],
            ]
        )
        try:
            inverse = np.linalg.inv(-bend)
        except np.linalg.LinAlgError:
            break
        step = inverse @ shares.sum(axis=0)
        if not (np.diag(inverse) > 0).all():
            break
        if (np.abs(step) <= FLAT * np.sqrt(np.diag(inverse))).all():
            return _Climb(theta, inverse, shares, loglik)
        theta = theta + step
    raise ConvergenceError("the likelihood of accelerated failure time was not maximised")


def _likelihood(
    family: str, frame: pd.DataFrame, location: FloatArray, log_shape: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray], float]:
    """Return each patient's slopes and bends in location and log shape, and the log-likelihood.

    The shape of lifelines is 1 / scale but for the lognormal, where it is the scale. With
    z = (log t - location) / scale, the likelihood is that of log T, less the sum of log t.
    """
    had = frame["event"].to_numpy(float)
    log_time = np.log(frame["time"].to_numpy(float))
    turn = 1.0 if family == "lognormal" else -1.0
    log_scale = turn * log_shape
    scale = np.exp(log_scale)
    z = (log_time - location) / scale
    if family == "weibull":
        height, slope, bend = had * z - np.exp(z), had - np.exp(z), -np.exp(z)
    elif family == "lognormal":
        alive, density = special.log_ndtr(-z), -0.5 * z * z - 0.5 * math.log(2 * math.pi)
        mills = np.exp(density - alive)
        height = np.where(had == 1.0, density, alive)
        slope = -had * z - (1.0 - had) * mills
        bend = -had - (1.0 - had) * mills * (mills - z)
    else:
        height = had * z - (1.0 + had) * np.logaddexp(0.0, z)
        slope = had * special.expit(-z) - special.expit(z)
        bend = -(1.0 + had) * special.expit(z) * special.expit(-z)
    loglik = float((height - had * (log_scale + log_time)).sum())
    slopes = (-slope / scale, turn * (-had - z * slope))
    bends = (bend / scale**2, turn * (slope + z * bend) / scale, z * (slope + z * bend))
    return slopes, bends, loglik


@dataclass(frozen=True, slots=True)
class _Variance:
    """What the covariance of a fit is made of: inverse information, shares of the score."""

    inverse: FloatArray
    shares: FloatArray
    robust: bool
    cluster: str | None
    groups: NDArray[np.intp]
    at: list[int] | None = None

    @property
    def name(self) -> str:
        if self.cluster is not None:
            return f"robust by {self.cluster}"
        return "robust" if self.robust else "model"

    def matrix(self, model: bool = False) -> FloatArray:
        """Return the covariance of the reported terms; of the model, or as asked for."""
        out = self.inverse
        if not model and self.name != "model":
            moves = self.shares @ self.inverse
            sums = np.zeros((int(self.groups.max()) + 1, moves.shape[1]))
            np.add.at(sums, self.groups, moves)
            out = sums.T @ sums
        return out if self.at is None else out[np.ix_(self.at, self.at)]


def _design(
    source: Any,
    covariates: Iterable[str],
    trial: str,
    control: Mapping[str, Any] | None,
    cluster: str | None,
) -> tuple[pd.DataFrame, list[str], NDArray[np.intp]]:
    """Return the frame of numbers, the names of its terms, and the cluster of each patient."""
    patient = patient_frame(source)
    for argument, column in (("trial", trial), ("cluster", "" if cluster is None else cluster)):
        if not isinstance(column, str):
            raise DataError("not the name of a column", column=argument, value=repr(column),
                            allowed="text")  # fmt: skip
    frame = cox_frame(patient, covariates, strata=trial, control=control)
    if not frame["event"].any():
        raise DataError("no events", column="event", allowed="at least one event")
    groups = np.arange(len(frame))
    if cluster is not None:
        _input.needed(patient, (cluster,), filled=(cluster,))
        groups = pd.factorize(patient[cluster])[0]
    terms = [c for c in frame.columns if c not in ("time", "event", trial)]
    return frame, terms, groups


def _fitted(fitter: Any, frame: pd.DataFrame, options: dict[str, Any]) -> Any:
    """Fit, and let what lifelines warns of or raises be one named error."""
    from lifelines import exceptions

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", exceptions.ConvergenceWarning)
        try:
            return fitter.fit(frame, "time", "event", **options)
        except (
            exceptions.ConvergenceError,
            exceptions.ConvergenceWarning,
            np.linalg.LinAlgError,
        ) as error:
            first = next(iter(str(error).strip().splitlines()), "no maximum").split(". ")[0]
            raise ConvergenceError(
                f"the regression has no finite maximum, as lifelines sees it: {first}"
            ) from error


def _record(
    trials: pd.Series,
    terms: list[str],
    beta: FloatArray,
    variance: _Variance,
    level: float,
    **rest: Any,
) -> CovariateFit:
    cov = variance.matrix()
    inference: dict[str, Any] = dict(wald(beta, cov, math.inf, level))
    return CovariateFit(
        terms=tuple(terms), beta=beta, **inference, cov=cov, df=math.inf, level=level,
        variance=variance.name,
        model_std_error=np.sqrt(np.diag(variance.matrix(model=True))),
        trials=tuple(sorted(trials.astype(str).unique())), **rest,
    )  # fmt: skip
