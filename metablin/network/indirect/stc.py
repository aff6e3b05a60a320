"""Simulated treatment comparison: a regression read off at the other trial's averages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import choice
from metablin._input import level as check_level
from metablin.errors import ConvergenceError, DataError
from metablin.network.indirect.bucher import IndirectComparison, compare, effect_of
from metablin.network.indirect.maic import UNANCHORED, outcome_of, printed_arm, treated_of
from metablin.network.indirect.outcomes import Outcome
from metablin.network.indirect.weights import Target, centred
from metablin.survival import cox

__all__ = ["stc"]

FloatArray = NDArray[np.float64]

MAX_STEPS = 100
STEP = 1e-10
FAR = 30.0
"""A coefficient beyond this, in a logistic regression, has run off to infinity."""

CONDITIONAL = (
    "the effect is that at the average covariates (conditional); odds and hazard ratios of the "
    "other trial are averages over patients (marginal), and the two differ where covariates matter"
)


def stc(
    patients: Any,
    target: Target,
    comparator: Any,
    *,
    measure: str = "or",
    treatment: str | None = None,
    control: object = None,
    modifiers: Sequence[str] | None = None,
    outcome: str = "event",
    time: str = "time",
    level: float = 0.95,
) -> IndirectComparison:
    """Regress the outcome on covariates and read the effect off at the other trial's averages.

    Parameters
    ----------
    patients : DataFrame or mapping of columns
        One row a patient.
    target : mapping of covariate to mean
        Averages of the other trial; every covariate enters the regression.
    comparator : object
        As in :func:`maic` (a printed arm when not anchored).
    measure : {"or", "md", "hr"}
        Logistic, linear or Cox regression (``hr`` only anchored).
    treatment, control, outcome, time, level
        As in :func:`maic`.
    modifiers : sequence of str, optional
        Covariates that change the effect (anchored); all of them when not given.

    Returns
    -------
    IndirectComparison

    References
    ----------
    Caro JJ, Ishak KJ (2010). No head-to-head trial? Simulate the missing arms.
    doi:10.2165/11537420-000000000-00000
    Phillippo DM and others (2018). doi:10.1177/0272989X17725740

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> age = rng.normal(50, 10, 300)
    >>> frame = pd.DataFrame({"age": age, "arm": ["a", "b"] * 150,
    ...                       "y": 0.1 * age + rng.normal(0, 1, 300)})
    >>> found = stc(frame, {"age": 55}, (0.2, 0.1), measure="md", treatment="arm", outcome="y")
    >>> found.anchored, found.method
    (True, 'STC')
    """
    measure = choice("measure", measure, ("or", "md", "hr"))
    level = check_level(level)
    if any(isinstance(v, tuple | list) for v in target.values()):
        raise DataError("a regression is read off at means", column="target",
                        allowed="covariate = mean")  # fmt: skip
    names, x = centred(patients, target)
    found = outcome_of(patients, measure, outcome, time)
    notes = () if measure == "md" else (CONDITIONAL,)
    if treatment is None:
        if measure == "hr":
            raise DataError("a hazard ratio needs a common comparator here", column="treatment",
                            allowed="maic with the other side's pseudo patients")  # fmt: skip
        beta, cov = _regress(measure, found, np.column_stack([np.ones(len(x)), x]))
        own, other = (float(beta[0]), float(cov[0, 0])), printed_arm(measure, comparator)
        return compare("STC", measure, False, (("patients", *own), ("comparator", *other)), level,
                       None, (*notes, UNANCHORED))  # fmt: skip
    arm = treated_of(patients, treatment, control).astype(np.float64)
    chosen = names if modifiers is None else [str(choice("modifiers", m, names)) for m in modifiers]
    cross = x[:, [names.index(m) for m in chosen]] * arm[:, None]
    design = np.column_stack([arm, x, cross])
    if measure == "hr":
        beta, cov = _hazards(found, design)
    else:
        beta, cov = _regress(measure, found, np.column_stack([design, np.ones(len(x))]))
    y, v, _ = effect_of("comparator", comparator)
    parts = (("patients", float(beta[0]), float(cov[0, 0])), ("comparator", y, v))
    return compare("STC", measure, True, parts, level, None, notes)


def _hazards(found: Outcome, design: FloatArray) -> tuple[FloatArray, FloatArray]:
    assert found.time is not None
    frame = pd.DataFrame(design, columns=[f"x{i}" for i in range(design.shape[1])])
    fit = cox(found.time, found.y, covariates=frame)
    return fit.log_hr, fit.covariance


def _regress(measure: str, found: Outcome, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and covariance of a linear or logistic regression."""
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise DataError("covariates depend on each other", column="target",
                        value=f"{x.shape[1] - 1} columns")  # fmt: skip
    if measure == "md":
        beta = np.asarray(np.linalg.lstsq(x, found.y, rcond=None)[0], dtype=np.float64)
        rest = found.y - x @ beta
        sigma2 = float(rest @ rest) / (len(rest) - x.shape[1])
        return beta, sigma2 * np.asarray(np.linalg.inv(x.T @ x), dtype=np.float64)
    beta = np.zeros(x.shape[1])
    for _ in range(MAX_STEPS):
        p = special.expit(x @ beta)
        info = (x * (p * (1 - p))[:, None]).T @ x
        step = np.linalg.lstsq(info, x.T @ (found.y - p), rcond=None)[0]
        beta = beta + step
        if np.abs(step).max() < STEP:
            return beta, np.asarray(np.linalg.inv(info), dtype=np.float64)
        if np.abs(beta).max() > FAR * (1 + np.abs(beta[-1])):
            break
    raise ConvergenceError("the logistic regression has no maximum: outcomes are separated")
