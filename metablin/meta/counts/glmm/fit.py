"""Generalised linear mixed models for counts: no effect sizes, no zero-cell corrections.

Binomial-normal models for proportions and 2x2 tables, Poisson-normal models for rates and rate
ratios, by maximum likelihood with adaptive Gauss-Hermite quadrature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import DataError
from metablin.meta.core.design import design_matrix
from metablin.meta.counts.glmm import engine
from metablin.meta.counts.glmm.quadrature import Counts
from metablin.records import Coefficients

__all__ = [
    "GLMMFit",
    "glmm_proportions",
    "glmm_rate_ratios",
    "glmm_rates",
    "glmm_two_by_two",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GLMMFit(Coefficients):
    """A fitted count model.

    Attributes
    ----------
    measure, model : str
        ``proportion``, ``or``, ``rate`` or ``irr``; ``one-sample``, ``UM.FS`` or ``UM.RS``.
    studies : tuple of str
        The k studies in the fit; `excluded` holds (study, reason) of the others.
    rows : ndarray of int, shape (k,)
        Where those k stand among the studies given.
    terms : tuple of str
        Names of the p coefficients.
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
        On the logit (proportions, odds ratios) or log (rates) scale.
    cov : ndarray, shape (p, p)
        Inverse observed information, uncertainty of the variances included.
    df : float
        k - p for ``test="t"``, infinite for ``"z"``.
    tau2, sigma2 : float
        Variance of the effect, and of the baseline (UM.RS; NaN otherwise).
    tau2_conf_low, tau2_conf_high : float
        Profile likelihood interval (NaN unless ``interval="profile"``).
    loglik, aic : float
        With all constants of the counts.
    q, q_df, q_p : float
        Likelihood-ratio test of the model without tau2 against the saturated one (NaN for UM.RS).
    tau2_lrt, tau2_lrt_p : float
        Likelihood-ratio test of tau2 = 0 (mixture of chi2_0 and chi2_1, half each).
    boundary : bool
        Whether tau2 is estimated at its boundary zero.
    points, steps : int
        Quadrature points per random effect, Newton steps.
    """

    measure: str
    model: str
    studies: tuple[str, ...]
    rows: NDArray[np.intp]
    interval: str
    tau2: float
    tau2_conf_low: float
    tau2_conf_high: float
    sigma2: float
    loglik: float
    aic: float
    q: float
    q_df: int
    q_p: float
    tau2_lrt: float
    tau2_lrt_p: float
    boundary: bool
    points: int
    steps: int
    excluded: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def glmm_proportions(
    events: ArrayLike,
    n: ArrayLike,
    *,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    random: bool = True,
    points: int | None = None,
    test: str = "z",
    interval: str = "wald",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> GLMMFit:
    """Fit the binomial-normal model for single proportions.

    ``events_i ~ Binomial(n_i, p_i)``, ``logit p_i ~ N(x_i beta, tau2)``.

    Parameters
    ----------
    events, n : array-like, shape (k,)
        Patients with the event, and patients.
    design : array-like, shape (k, p), optional
        Moderators, intercept included; an intercept alone when not given.
    terms : sequence of str, optional
        Names of the p columns.
    random : bool
        False fixes tau2 at zero (logistic regression).
    points : int, optional
        Quadrature points. When not given they are raised from 15 until the log likelihood
        stands still to 1e-9; 7 is the fixed default of R's metafor, 1 is Laplace.
    test : {"z", "t"}
        Normal or t(k - p) reference for tests and intervals.
    interval : {"wald", "profile"}
        ``profile`` inverts likelihood-ratio tests, for tau2 too.
    level : float
        Confidence level.
    studies : sequence of str, optional
        Labels.

    Returns
    -------
    GLMMFit

    Raises
    ------
    DataError
        For impossible counts, and where no maximum exists: every study has no events or only
        events (then mean or tau2 is infinite).
    ConvergenceError
        When a combination of moderators has no events or only events.

    Notes
    -----
    tau2 can be at zero while Q says that the studies differ. The slope of the likelihood in tau2
    at zero is half the sum of ``(events_i - n_i p)^2 - n_i p (1 - p)``, which weighs a study by
    the square of its patients, where Q weighs all alike: large studies that agree outweigh small
    ones that do not. ``boundary`` and a note say so; the profile interval of tau2 shows what the
    data leave open.

    References
    ----------
    Hamza TH, van Houwelingen HC, Stijnen T (2008), J Clin Epidemiol 61:41,
    doi:10.1016/j.jclinepi.2007.03.016. Stijnen T, Hamza TH, Ozdemir P (2010), Stat Med 29:3046,
    sec. 3, doi:10.1002/sim.4040.

    Examples
    --------
    >>> fit = glmm_proportions([3, 10, 4, 18], [20, 31, 25, 40])
    >>> fit.beta.round(4).tolist(), round(fit.tau2, 4)
    ([-0.9761], 0.2368)
    """
    y, size, names = _read(studies, {"events": events, "n": n})
    if ((y == 0) | (y == size)).all():
        raise DataError(
            "every study has no events or only events: the likelihood has no finite maximum",
            column="events", value=f"{y.sum():g} of {size.sum():g}",
            allowed="at least one study with both; else give exact limits of the pooled counts",
        )  # fmt: skip
    options = _options(test, interval, level, points, random)
    return _fit("proportion", "one-sample", y, size, names, design, terms, options)


def glmm_rates(
    events: ArrayLike,
    person_time: ArrayLike,
    *,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    random: bool = True,
    points: int | None = None,
    test: str = "z",
    interval: str = "wald",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> GLMMFit:
    """Fit the Poisson-normal model for single incidence rates.

    ``events_i ~ Poisson(t_i rate_i)``, ``log rate_i ~ N(x_i beta, tau2)``. Parameters are those
    of :func:`glmm_proportions`, with person-time in place of n.

    Returns
    -------
    GLMMFit

    Raises
    ------
    DataError
        For impossible input, or when no study has an event.

    References
    ----------
    Stijnen T, Hamza TH, Ozdemir P (2010), Stat Med 29:3046, doi:10.1002/sim.4040.

    Examples
    --------
    >>> fit = glmm_rates([3, 10, 4, 18], [200, 310, 250, 400])
    >>> fit.beta.round(4).tolist(), round(fit.tau2, 4)
    ([-3.5788], 0.0744)
    """
    y, time, names = _read(studies, {"events": events, "person_time": person_time})
    _some_events(y[:, 0], "events")
    options = _options(test, interval, level, points, random)
    return _fit("rate", "one-sample", y, time, names, design, terms, options)


def glmm_two_by_two(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    *,
    model: str = "UM.FS",
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    random: bool = True,
    points: int | None = None,
    test: str = "z",
    interval: str = "wald",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> GLMMFit:
    """Fit an unconditional logistic mixed model for the log odds ratio of 2x2 tables.

    ``logit p_ij = alpha_i + (x_i beta + b_i) g_ij`` with ``b_i ~ N(0, tau2)``; the random effect
    is split evenly between the arms (codes 1/2 and -1/2), as Jackson et al. recommend.

    Parameters
    ----------
    a, n1, c, n2 : array-like, shape (k,)
        Events and patients on treatment, events and patients on control.
    model : {"UM.FS", "UM.RS"}
        Study effects alpha_i fixed, or random ``alpha_i ~ N(mu, sigma2)`` independent of b_i.
    design, terms, random, points, test, interval, level, studies
        As in :func:`glmm_proportions`; for UM.RS `points` is per random effect (from 7
        upwards when not given), and 1 gives the Laplace approximation, the only one R's lme4
        offers here.

    Returns
    -------
    GLMMFit
        Tables with no events, or only events, in both arms are set aside and named.

    Raises
    ------
    DataError
        For impossible counts or an arm that has no events (or only events) in any study.

    References
    ----------
    Turner RM et al. (2000), Stat Med 19:3417, doi:10.1002/1097-0258(20001230)19:24<3417::AID-
    SIM614>3.0.CO;2-L. Stijnen T, Hamza TH, Ozdemir P (2010), Stat Med 29:3046,
    doi:10.1002/sim.4040. Jackson D et al. (2018), Stat Med 37:1059, models 4 and 5,
    doi:10.1002/sim.7588.

    Examples
    --------
    >>> fit = glmm_two_by_two([3, 10, 4, 18], [20, 31, 25, 40], [5, 14, 9, 20], [21, 30, 24, 41])
    >>> fit.beta.round(4).tolist(), fit.boundary
    ([-0.5162], True)
    """
    model = _input.choice("model", model, ["UM.FS", "UM.RS"])
    columns = {"events_treatment": a, "n_treatment": n1, "events_control": c, "n_control": n2}
    y, size, names = _read(studies, columns)
    empty = (y == 0).all(1) | (y == size).all(1)
    for j, column in enumerate(("events_treatment", "events_control")):
        _some_events(y[~empty, j], column)
        _some_events((size - y)[~empty, j], column, "non-events")
    options = _options(test, interval, level, points, random)
    return _fit("or", model, y, size, names, design, terms, options, empty)


def glmm_rate_ratios(
    x1: ArrayLike,
    t1: ArrayLike,
    x2: ArrayLike,
    t2: ArrayLike,
    *,
    model: str = "UM.FS",
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    random: bool = True,
    points: int | None = None,
    test: str = "z",
    interval: str = "wald",
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> GLMMFit:
    """Fit an unconditional Poisson mixed model for the log incidence rate ratio.

    Parameters
    ----------
    x1, t1, x2, t2 : array-like, shape (k,)
        Events and person-time on treatment, events and person-time on control.
    model, design, terms, random, points, test, interval, level, studies
        As in :func:`glmm_two_by_two`.

    Returns
    -------
    GLMMFit
        Studies without events in both arms are set aside and named.

    Raises
    ------
    DataError
        For impossible input or an arm without events in any study.

    References
    ----------
    Stijnen T, Hamza TH, Ozdemir P (2010), Stat Med 29:3046, doi:10.1002/sim.4040.

    Examples
    --------
    >>> fit = glmm_rate_ratios([3, 9, 4], [200, 310, 250], [5, 14, 9], [210, 300, 240])
    >>> fit.beta.round(4).tolist(), fit.tau2
    ([-0.5801], 0.0)
    """
    model = _input.choice("model", model, ["UM.FS", "UM.RS"])
    columns = {
        "events_treatment": x1, "person_time_treatment": t1,
        "events_control": x2, "person_time_control": t2,
    }  # fmt: skip
    y, time, names = _read(studies, columns)
    empty = (y == 0).all(1)
    for j, column in enumerate(("events_treatment", "events_control")):
        _some_events(y[~empty, j], column)
    options = _options(test, interval, level, points, random)
    return _fit("irr", model, y, time, names, design, terms, options, empty)


def _read(
    studies: Sequence[str] | None, columns: Mapping[str, ArrayLike]
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return events and patients (or person-time), (k, J) each for J arms, and the labels."""
    raw = {name: _column(name, values, studies) for name, values in columns.items()}
    names = _input.labels(studies, _input.same_length(**raw))
    arms = list(raw)
    for events, n in zip(arms[0::2], arms[1::2], strict=True):
        if n.startswith("n"):
            _input.within(events, raw[events], raw[n], names)
    both = list(raw.values())
    return np.stack(both[0::2], axis=1), np.stack(both[1::2], axis=1), names


def _column(name: str, values: ArrayLike, studies: Sequence[str] | None) -> FloatArray:
    if name.startswith("person_time"):
        return _input.numeric(name, values, above=0, studies=studies)
    least = 1 if name.startswith("n") else 0
    return _input.numeric(name, values, minimum=least, integer=True, studies=studies)


def _options(
    test: str, interval: str, level: float, points: int | None, random: bool
) -> engine.Settings:
    if points is not None and not (isinstance(points, int) and 1 <= points <= 100):
        raise DataError("not a number of points", column="points", value=points, allowed="1 to 100")
    return engine.Settings(
        _input.choice("test", test, ["z", "t"]),
        _input.choice("interval", interval, ["wald", "profile"]),
        _input.level(level), points, random,
    )  # fmt: skip


def _some_events(x: FloatArray, column: str, what: str = "events") -> None:
    if x.sum() == 0:
        raise DataError(
            f"no {what} in any study that carries information: the estimate is infinite",
            column=column, allowed=f"at least one study with {what}",
        )  # fmt: skip


def _spec(measure: str, model: str, y: FloatArray, size: FloatArray) -> engine.Spec:
    """Return a model of events y in `size` patients or person-time, (k, J) each."""
    codes = np.ones((1, 1)) if model == "one-sample" else np.array([[0.5], [-0.5]])
    z = np.broadcast_to(codes, (*y.shape, 1))
    if measure in ("rate", "irr"):
        counts, offset = Counts(y, np.ones_like(y), z, True), np.log(size)
    else:
        counts, offset = Counts(y, size, z, False), None
    if model == "one-sample":
        return engine.one_sample(counts, offset)
    return engine.two_arms(counts, model, offset)


def _fit(
    measure: str,
    model: str,
    y: FloatArray,
    size: FloatArray,
    names: tuple[str, ...],
    design: ArrayLike | None,
    terms: Sequence[str] | None,
    settings: engine.Settings,
    empty: NDArray[np.bool_] | None = None,
) -> GLMMFit:
    empty = np.zeros(len(names), dtype=bool) if empty is None else empty
    rows = np.flatnonzero(~empty)
    used = tuple(names[i] for i in rows)
    x, labels = design_matrix(design, terms, ~empty)
    r = engine.run(_spec(measure, model, y[~empty], size[~empty]), x, settings)
    p = len(labels)
    notes = ["tau2 is estimated at its boundary, zero"] if r.boundary and settings.random else []
    if len(used) == 1:
        notes.append("one study: a normal interval; tau2 cannot be estimated")
    reason = "no events, or only events, in both arms"
    return GLMMFit(
        terms=labels, **r.inference, level=settings.level, interval=settings.interval,
        measure=measure, model=model, studies=used, rows=rows, tau2=r.tau2,
        tau2_conf_low=r.tau2_limits[0], tau2_conf_high=r.tau2_limits[1],
        sigma2=r.sigma2, loglik=r.loglik,
        aic=-2 * r.loglik + 2 * r.parameters, q=r.q, q_df=len(used) - p, q_p=r.q_p,
        tau2_lrt=r.tau2_lrt, tau2_lrt_p=r.tau2_lrt_p, boundary=r.boundary,
        points=r.points, steps=r.steps,
        excluded=tuple((names[i], reason) for i in np.flatnonzero(empty)), notes=tuple(notes),
    )  # fmt: skip
