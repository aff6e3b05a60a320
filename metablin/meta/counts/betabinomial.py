"""Beta-binomial model for proportions: the mean proportion and the correlation within a study.

Unlike the binomial-normal model its mean is that of the proportions themselves, not of their
logits, and its likelihood is a finite sum that needs no quadrature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from metablin import _input
from metablin.effects import EffectSizes
from metablin.effects.single import events_of
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.design import design_matrix
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, needs_measure
from metablin.numerics.inference import critical, wald
from metablin.records import Coefficients

__all__ = ["BetaBinomialFit", "beta_binomial", "fit_beta_binomial"]

FloatArray = NDArray[np.float64]
#: Newton's decrement at which one last full step ends the search.
DECREMENT = 1e-10
MAX_STEPS = 200
#: Linear predictors and odds of rho beyond this run off to infinity.
MAX_PREDICTOR = 25.0
MAX_THETA = 1e4
#: Gains in log likelihood below this do not move rho off its boundary.
MIN_GAIN = 1e-10


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BetaBinomialFit(Coefficients):
    """A fitted beta-binomial model.

    Attributes
    ----------
    studies : tuple of str
        The k studies.
    terms : tuple of str
        Names of the p coefficients.
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
        Coefficients of the logit of the mean proportion.
    cov : ndarray, shape (p, p)
        Their covariance, uncertainty of rho included.
    df : float
        k - p for ``test="t"``, infinite for ``"z"``.
    rho : float
        Correlation of two patients of one study, 1 / (alpha + beta + 1); 0 is the binomial.
    rho_std_error, rho_conf_low, rho_conf_high : float
        Wald on the logit of rho, or profile likelihood. At the boundary Wald limits are NaN.
    mean, alpha, beta_shape : float
        Of the beta distribution of the true proportions (intercept-only models; else NaN).
    loglik, aic : float
        With all constants.
    rho_lrt, rho_lrt_p : float
        Likelihood-ratio test of rho = 0 (mixture of chi2_0 and chi2_1, half each).
    boundary : bool
        Whether rho is estimated at zero.
    """

    studies: tuple[str, ...]
    interval: str
    rho: float
    rho_std_error: float
    rho_conf_low: float
    rho_conf_high: float
    mean: float
    alpha: float
    beta_shape: float
    loglik: float
    aic: float
    rho_lrt: float
    rho_lrt_p: float
    boundary: bool
    steps: int


def beta_binomial(
    events: ArrayLike,
    n: ArrayLike,
    *,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    test: str = "z",
    interval: str = "wald",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> BetaBinomialFit:
    """Fit ``events_i ~ Binomial(n_i, p_i)`` with ``p_i ~ Beta`` by maximum likelihood.

    Parameters
    ----------
    events, n : array-like, shape (k,)
        Patients with the event, and patients.
    design : array-like, shape (k, p), optional
        Moderators of the logit of the mean, intercept included.
    terms : sequence of str, optional
        Names of the p columns.
    test : {"z", "t"}
        Normal or t(k - p) reference.
    interval : {"wald", "profile"}
        Intervals of the coefficients and of rho.
    level : float
        Confidence level.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    BetaBinomialFit

    Raises
    ------
    DataError
        For impossible counts, and when every study has no events or only events.
    ConvergenceError
        When a combination of moderators has no events or only events.

    References
    ----------
    Griffiths DA (1973), Biometrics 29:637, eq. 2.4, doi:10.2307/2529131. Young-Xu Y, Chan KA
    (2008), BMC Med Res Methodol 8:58, doi:10.1186/1471-2288-8-58.

    Examples
    --------
    >>> fit = beta_binomial([3, 10, 4, 18], [20, 31, 25, 40])
    >>> round(fit.mean, 4), round(fit.rho, 4)
    (0.2838, 0.0438)
    """
    y, size, names = events_of(events, n, studies)
    if ((y == 0) | (y == size)).all():
        raise DataError(
            "every study has no events or only events: the likelihood has no finite maximum",
            column="events", value=f"{y.sum():g} of {size.sum():g}",
        )  # fmt: skip
    x, labels = design_matrix(design, terms, np.ones(len(y), dtype=bool))
    test = _input.choice("test", test, ["z", "t"])
    interval = _input.choice("interval", interval, ["wald", "profile"])
    return _infer(_Model(y, size, x), names, labels, test, interval, _input.level(level))


def fit_beta_binomial(e: EffectSizes, options: Options) -> MetaFit:
    """Pool proportions by the beta-binomial model (see :func:`metablin.pool`).

    The option ``interval`` is ``wald`` or ``profile``. There is no tau2 on the logit scale; the
    overdispersion ``rho`` and the standard deviation of the true proportions are reported instead.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.proportions([3, 10, 4, 18], [20, 31, 25, 40]), model="beta-binomial")
    >>> round(fit.estimate, 4)
    0.2838
    """
    needs_measure(e, "beta-binomial", ("proportion",))
    extra = options.only("interval")
    if e.transform != "logit":
        raise DataError("model 'beta-binomial' works on the logit scale", column="transform",
                        value=e.transform, allowed="logit")  # fmt: skip
    fit = beta_binomial(
        e.counts["events"], e.counts["n"], test=options.ci if e.k > 1 else "z", level=options.level,
        interval=extra.get("interval", "wald"), studies=e.studies,
    )  # fmt: skip
    report = {
        name: getattr(fit, name)
        for name in (
            "rho",
            "rho_conf_low",
            "rho_conf_high",
            "rho_lrt",
            "rho_lrt_p",
            "loglik",
            "aic",
        )
    }
    report["sd_proportions"] = math.sqrt(fit.rho * fit.mean * (1 - fit.mean))
    notes: tuple[str, ...] = ("the counts enter as they were observed, without correction",)
    if fit.boundary:
        notes += ("rho is estimated at its boundary, zero",)
    if e.k == 1:
        notes += ("one study: a normal interval; rho cannot be estimated",)
    return make_fit(
        e, options, estimate=float(fit.beta[0]), std_error=float(fit.std_error[0]), df=fit.df,
        confidence=(float(fit.conf_low[0]), float(fit.conf_high[0])), notes=notes, extra=report,
    )  # fmt: skip


class _Model:
    """The log likelihood in (beta, theta) with theta = rho / (1 - rho), which may be zero.

    It is ``sum log(mu + r theta) + sum log(1 - mu + r theta) - sum log(1 + r theta)`` over the
    events, the non-events and the patients of every study, r counting each from zero: nothing
    cancels as theta goes to zero, and all derivatives are rational.
    """

    def __init__(self, y: FloatArray, n: FloatArray, x: FloatArray) -> None:
        self.y, self.n, self.x = y, n, x
        self.yes = _counters(y)
        self.no = _counters(n - y)
        self.all = _counters(n)
        self.constant = float(
            (special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)).sum()
        )

    def at(self, params: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return value, gradient and Hessian in (beta, theta)."""
        theta, k = params[-1], len(self.y)
        mu = special.expit(self.x @ params[:-1])
        value, d_mu, d_theta = 0.0, np.zeros(k), 0.0
        mm, mt, tt = np.zeros(k), np.zeros(k), 0.0
        for (i, r), base, sign in ((self.yes, mu, 1.0), (self.no, 1 - mu, -1.0)):
            inv = 1 / (base[i] + r * theta)
            value -= float(np.log(inv).sum())
            d_mu += sign * np.bincount(i, inv, k)
            mm -= np.bincount(i, inv**2, k)
            mt -= sign * np.bincount(i, r * inv**2, k)
            d_theta += float((r * inv).sum())
            tt -= float(((r * inv) ** 2).sum())
        r = self.all[1]
        value -= float(np.log1p(r * theta).sum())
        d_theta -= float((r / (1 + r * theta)).sum())
        tt += float(((r / (1 + r * theta)) ** 2).sum())
        slope = mu * (1 - mu)
        grad = np.append(self.x.T @ (d_mu * slope), d_theta)
        p = self.x.shape[1]
        hess = np.zeros((p + 1, p + 1))
        inner = mm * slope**2 + d_mu * slope * (1 - 2 * mu)
        hess[:p, :p] = (self.x.T * inner) @ self.x
        hess[:p, p] = hess[p, :p] = self.x.T @ (mt * slope)
        hess[p, p] = tt
        return value, grad, hess


def _counters(counts: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """Return for every unit its study and its number within the study, from zero."""
    whole = counts.astype(np.intp)
    study = np.repeat(np.arange(len(whole)), whole)
    first = np.repeat(np.cumsum(whole) - whole, whole)
    return study, (np.arange(len(study)) - first).astype(np.float64)


def _climb(
    model: _Model, start: FloatArray, free: NDArray[np.bool_]
) -> tuple[FloatArray, float, FloatArray, int]:
    """Maximise over the free parameters with theta >= 0; return them, value, Hessian, steps."""
    params = start.copy()
    value, grad, hess = model.at(params)
    for step_count in range(1, MAX_STEPS + 1):
        moves = free.copy()
        if params[-1] == 0 and grad[-1] <= 0:
            moves[-1] = False
        step = np.zeros(len(params))
        if moves.any():
            step[moves] = _direction(-hess[np.ix_(moves, moves)], grad[moves])
        if float(grad @ step) < DECREMENT * (1 + abs(value)):
            params = params + step
            params[-1] = max(params[-1], 0.0)
            value, _, hess = model.at(params)
            return params, value, hess, step_count
        params, value, grad, hess = _move(model, params, value, step)
        if np.abs(model.x @ params[:-1]).max() > MAX_PREDICTOR:
            raise ConvergenceError(
                "an estimate runs off to infinity: some combination of moderators has no events "
                "or only events (separation)"
            )
        if params[-1] > MAX_THETA:
            raise ConvergenceError("rho runs off to one: the studies have no or only events")
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} steps")


def _direction(info: FloatArray, grad: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(info)
    size = np.maximum(np.abs(values), 1e-12 * float(np.abs(values).max()))
    return np.asarray(vectors @ ((vectors.T @ grad) / size))


def _move(
    model: _Model, params: FloatArray, value: float, step: FloatArray
) -> tuple[FloatArray, float, FloatArray, FloatArray]:
    scale = min(1.0, 4.0 / max(float(np.abs(model.x @ step[:-1]).max()), 1e-300))
    for _ in range(60):
        trial = params + scale * step
        trial[-1] = max(trial[-1], 0.0)
        new, grad, hess = model.at(trial)
        if new >= value - 1e-13 * (1 + abs(value)):
            return trial, new, grad, hess
        scale *= 0.5
    raise ConvergenceError("no step raises the likelihood")


def _infer(
    model: _Model,
    names: tuple[str, ...],
    labels: tuple[str, ...],
    test: str,
    interval: str,
    level: float,
) -> BetaBinomialFit:
    k, p = model.x.shape
    free = np.ones(p + 1, dtype=bool)
    free[-1] = False
    crude = np.log((model.y + 0.5) / (model.n - model.y + 0.5))
    start = np.append(np.linalg.lstsq(model.x, crude, rcond=None)[0], 0.0)
    null, null_value, null_hess, _ = _climb(model, start, free)
    start = np.append(null[:-1], 0.05)
    free[-1] = True
    best, value, hess, steps = _climb(model, start, free)
    boundary = bool(best[-1] == 0 or value < null_value + MIN_GAIN)
    if boundary:
        best, value, hess = null, null_value, null_hess
    free[-1] = not boundary
    cov = np.zeros((p + 1, p + 1))
    cov[np.ix_(free, free)] = np.linalg.inv(-hess[np.ix_(free, free)])
    df = float(k - p) if test == "t" else math.inf
    if df == 0:
        raise DataError("no degrees of freedom for test='t'", value=f"{k} studies")
    beta, beta_cov = best[:p].copy(), cov[:p, :p].copy()
    inference = wald(beta, beta_cov, df, level)
    theta = float(best[-1])
    rho, rho_se = theta / (1 + theta), math.sqrt(cov[p, p]) / (1 + theta) ** 2
    rho_limits = (math.nan, math.nan)
    if not boundary:
        # the logit of rho is log(theta)
        half = float(critical(level, math.inf)) * math.sqrt(cov[p, p]) / theta
        rho_limits = (rho / (rho + (1 - rho) * math.exp(half)),
                      rho / (rho + (1 - rho) * math.exp(-half)))  # fmt: skip
    if interval == "profile":
        cut, std_error = float(critical(level, df)) ** 2, inference["std_error"]
        ends = [_limits(model, best, value, j, std_error[j], cut) for j in range(p)]
        inference["conf_low"] = np.array([e[0] for e in ends])
        inference["conf_high"] = np.array([e[1] for e in ends])
        rho_limits = _rho_limits(model, best, value, null_value, level)
    gain = max(2 * (value - null_value), 0.0)
    mean = float(special.expit(beta[0])) if p == 1 and np.ptp(model.x) == 0 else math.nan
    total = 1 / theta if theta > 0 else math.inf
    return BetaBinomialFit(
        terms=labels, beta=beta, cov=beta_cov, df=df, level=level, **inference,
        studies=names, interval=interval, rho=rho,
        rho_std_error=math.nan if boundary else rho_se, rho_conf_low=rho_limits[0],
        rho_conf_high=rho_limits[1], mean=mean, alpha=mean * total,
        beta_shape=(1 - mean) * total, loglik=value + model.constant,
        aic=-2 * (value + model.constant) + 2 * (p + 1), rho_lrt=gain,
        rho_lrt_p=1.0 if gain == 0 else 0.5 * float(special.chdtrc(1, gain)),
        boundary=boundary, steps=steps,
    )  # fmt: skip


def _fall(model: _Model, best: FloatArray, value: float, j: int) -> Callable[[float], float]:
    """Return twice the fall of the profile likelihood of parameter `j`, as a function of it."""
    free = np.ones(len(best), dtype=bool)
    free[j] = False

    def fall(at: float) -> float:
        start = best.copy()
        if j < len(best) - 1:
            start[-1] = max(start[-1], 0.05)
        start[j] = at
        return 2 * (value - _climb(model, start, free)[1])

    return fall


def _limits(
    model: _Model, best: FloatArray, value: float, j: int, std_error: float, cut: float
) -> tuple[float, float]:
    fall, ends = _fall(model, best, value, j), []
    for sign in (-1.0, 1.0):
        reach = math.sqrt(cut)
        while fall(best[j] + sign * reach * std_error) < cut and reach < 40:
            reach *= 1.5
        if reach >= 40:
            ends.append(sign * math.inf)
            continue
        bracket = sorted((float(best[j]), float(best[j]) + sign * reach * std_error))
        ends.append(float(optimize.brentq(lambda b: fall(b) - cut, *bracket, xtol=1e-12)))
    return ends[0], ends[1]


def _rho_limits(
    model: _Model, best: FloatArray, value: float, null_value: float, level: float
) -> tuple[float, float]:
    """Return profile-likelihood limits of rho: zero, or one, where they are open."""
    cut, last = float(special.chdtri(1, 1 - level)), len(best) - 1
    fall, theta = _fall(model, best, value, last), float(best[-1])
    low = 0.0
    if 2 * (value - null_value) > cut:
        low = float(optimize.brentq(lambda t: fall(t) - cut, 0.0, theta, xtol=1e-13))
    far = 2 * theta + 0.1
    while far < MAX_THETA / 2 and fall(far) < cut:
        far *= 2
    if far >= MAX_THETA / 2:
        return low / (1 + low), 1.0
    high = float(optimize.brentq(lambda t: fall(t) - cut, theta, far, xtol=1e-13))
    return low / (1 + low), high / (1 + high)
