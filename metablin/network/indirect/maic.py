"""Matching-adjusted indirect comparison: patients of one trial, printed averages of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._frame import column_of
from metablin._input import choice, numeric, one
from metablin._input import level as check_level
from metablin.errors import ConvergenceError, DataError
from metablin.network.indirect.bucher import IndirectComparison, compare, effect_of
from metablin.network.indirect.outcomes import (
    MEASURES,
    Outcome,
    arm_summary,
    robust_cox,
    weighted_contrast,
)
from metablin.network.indirect.weights import Target, centred, matching_weights, solve_weights
from metablin.numerics.rubin import rubin

__all__ = ["maic", "outcome_of", "printed_arm", "treated_of"]

FloatArray = NDArray[np.float64]

MOST_FAILURES = 0.1
"""Share of bootstrap samples that may have no answer before the variance is refused."""

UNANCHORED = (
    "without a common comparator the comparison assumes that every prognostic factor and effect "
    "modifier is among the matched averages"
)


def maic(
    patients: Any,
    target: Target,
    comparator: Any,
    *,
    measure: str = "or",
    treatment: str | None = None,
    control: object = None,
    outcome: str = "event",
    time: str = "time",
    method: str = "moments",
    variance: str = "robust",
    draws: int = 1000,
    seed: int = 1,
    level: float = 0.95,
) -> IndirectComparison:
    """Compare a treatment whose patients one holds with one of which there is only a table.

    Parameters
    ----------
    patients : DataFrame or mapping of columns
        One row a patient: covariates, the outcome, and the treatment when anchored.
    target : mapping of covariate to mean, or to (mean, standard deviation)
        Averages of the other trial.
    comparator : object
        Anchored: the other treatment against the common comparator, as what pool returns, one
        effect size, or (effect, std_error) on the analysis scale. Not anchored: the other arm's
        outcome, ``{"events", "n"}``, ``{"mean", "sd", "n"}``, or for ``hr`` a frame of its
        (pseudo) patients with ``time`` and ``event``; with a column ``draw`` its draws are
        combined by Rubin's rules.
    measure : {"or", "rr", "rd", "md", "hr"}
    treatment : str, optional
        Column of the treatment, which makes the comparison anchored.
    control : object, optional
        The common comparator's label; the first sorted one when not given.
    outcome, time : str
        Columns of the outcome (0 or 1, or a measurement) and, for ``hr``, of follow-up.
    method : {"moments", "entropy"}
        As in :func:`matching_weights`.
    variance : {"robust", "bootstrap"}
        Sandwich with the weights as given, or over samples of patients with new weights each.
    draws, seed : int
        Of the bootstrap.
    level : float

    Returns
    -------
    IndirectComparison
        The patients' treatment against the other one.

    References
    ----------
    Signorovitch JE and others (2010). doi:10.2165/11538370-000000000-00000
    Phillippo DM, Ades AE, Dias S, Palmer S, Abrams KR, Welton NJ (2018). Methods for
    population-adjusted indirect comparisons in health technology appraisal.
    doi:10.1177/0272989X17725740

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"age": rng.normal(50, 10, 200), "event": rng.integers(0, 2, 200)})
    >>> found = maic(frame, {"age": 55}, {"events": 40, "n": 100})
    >>> found.anchored, round(found.weights.ess) < 200
    (False, True)
    """
    measure = choice("measure", measure, MEASURES)
    variance = choice("variance", variance, ("robust", "bootstrap"))
    level = check_level(level)
    weights = matching_weights(patients, target, method=method)
    found = outcome_of(patients, measure, outcome, time)
    treated = None if treatment is None else treated_of(patients, treatment, control)
    if treated is None:
        parts = _unanchored(measure, found, comparator)
    else:
        y, v, _ = effect_of("comparator", comparator)
        parts = _anchored(measure, found, treated, (y, v))
    own, other = parts(weights.weights, None)
    notes: tuple[str, ...] = () if treated is not None else (UNANCHORED,)
    if variance == "bootstrap":
        count = int(one("draws", draws, minimum=20, maximum=100_000, integer=True))
        spread, failed = _bootstrap(patients, target, parts, treated, count, seed)
        own = (own[0], spread)
        notes += (f"variance over {count - failed} bootstrap samples with new weights",)
    return compare(
        "MAIC",
        measure,
        treated is not None,
        (("weighted patients", *own), ("comparator", *other)),
        level,
        weights,
        notes,
    )


Part = tuple[float, float]
Sample = tuple[NDArray[np.intp], np.random.Generator]
Parts = Callable[[FloatArray, Sample | None], tuple[Part, Part]]
"""Effects of both sides by weights, of all patients or of a sample of them."""


def outcome_of(patients: Any, measure: str, outcome: str, time: str) -> Outcome:
    """Return the checked outcome of the patients."""
    y = numeric(outcome, column_of(patients, outcome)[1])
    if measure != "md":
        bad = np.flatnonzero((y != 0) & (y != 1))
        if bad.size:
            raise DataError("not an event indicator", row=int(bad[0]) + 1, column=outcome,
                            value=f"{y[bad[0]]:g}", allowed="0 or 1")  # fmt: skip
    follow = numeric(time, column_of(patients, time)[1], minimum=0) if measure == "hr" else None
    return Outcome(y, follow)


def treated_of(patients: Any, treatment: str, control: object) -> NDArray[np.bool_]:
    """Return which patients had the treatment rather than the common comparator."""
    labels = [str(x) for x in column_of(patients, treatment)[1]]
    names = sorted(set(labels))
    if len(names) != 2:
        raise DataError("an anchored comparison needs two arms", column=treatment,
                        value=", ".join(names), allowed="two labels")  # fmt: skip
    base = names[0] if control is None else str(control)
    if base not in names:
        raise DataError("no patient has this treatment", column="control", value=base,
                        allowed=" | ".join(names))  # fmt: skip
    return np.array([x != base for x in labels])


def _anchored(measure: str, found: Outcome, treated: NDArray[np.bool_], other: Part) -> Parts:
    def parts(w: FloatArray, sample: Sample | None) -> tuple[Part, Part]:
        mine, arms = found, treated
        if sample is not None:
            mine, arms = found.take(sample[0]), treated[sample[0]]
        return weighted_contrast(measure, mine, arms, w), other

    return parts


def _unanchored(measure: str, found: Outcome, comparator: Any) -> Parts:
    if measure == "hr":
        return _against_patients(found, comparator)
    other = printed_arm(measure, comparator)

    def parts(w: FloatArray, sample: Sample | None) -> tuple[Part, Part]:
        mine = found if sample is None else found.take(sample[0])
        return arm_summary(measure, mine.y, w), other

    return parts


def printed_arm(measure: str, comparator: Any) -> Part:
    """Return a printed arm's outcome on the analysis scale and its variance."""
    if not isinstance(comparator, Mapping):
        raise DataError("not the outcome of an arm", column="comparator",
                        value=type(comparator).__name__,
                        allowed="{'events', 'n'} or {'mean', 'sd', 'n'}")  # fmt: skip
    needed = ("mean", "sd", "n") if measure == "md" else ("events", "n")
    for name in needed:
        if name not in comparator:
            raise DataError("the comparator lacks it", column=name, allowed=", ".join(needed))
    n = one("n", comparator["n"], minimum=1, integer=True)
    if measure == "md":
        return one("mean", comparator["mean"]), one("sd", comparator["sd"], above=0) ** 2 / n
    x = one("events", comparator["events"], minimum=0, maximum=n, integer=True)
    y = np.repeat([1.0, 0.0], [int(x), int(n - x)])
    return arm_summary(measure, y, np.ones(int(n)))


def _against_patients(found: Outcome, comparator: Any) -> Parts:
    """Compare weighted patients with the other side's (pseudo) patients by a hazard ratio."""
    assert found.time is not None
    sets = _draw_sets(comparator)

    def parts(w: FloatArray, sample: Sample | None) -> tuple[Part, Part]:
        mine, theirs = found, sets
        if sample is not None:
            # The other side's patients are a sample too, of one of their draws.
            at, rng = sample
            mine = found.take(at)
            time, event = sets[int(rng.integers(len(sets)))]
            other = rng.choice(len(time), len(time))
            theirs = [(time[other], event[other])]
        assert mine.time is not None
        y, v = [], []
        for time, event in theirs:
            x = np.repeat([1.0, 0.0], [len(mine.y), len(time)])
            both = robust_cox(np.append(mine.time, time), np.append(mine.y, event), x,
                              np.append(w, np.ones(len(time))))  # fmt: skip
            y.append(both[0])
            v.append(both[1])
        middle, total, _ = rubin(np.array(y), np.array(v))
        return (float(middle), float(total)), (0.0, 0.0)

    return parts


def _draw_sets(comparator: Any) -> Sequence[tuple[FloatArray, FloatArray]]:
    frame = pd.DataFrame({c: list(column_of(comparator, c)[1]) for c in ("time", "event")})
    names = [str(c).lower() for c in getattr(comparator, "columns", comparator)]
    frame["draw"] = list(column_of(comparator, "draw")[1]) if "draw" in names else 1
    return [
        (numeric("time", part["time"], minimum=0), numeric("event", part["event"]))
        for _, part in frame.groupby("draw", sort=True)
    ]


def _bootstrap(
    patients: Any,
    target: Target,
    parts: Parts,
    treated: NDArray[np.bool_] | None,
    draws: int,
    seed: int,
) -> tuple[float, int]:
    """Return the variance over samples of patients (within arms), weights estimated anew."""
    names, x = centred(patients, target)
    rng = np.random.default_rng(seed)
    arms = [np.arange(len(x))] if treated is None else [
        np.flatnonzero(treated), np.flatnonzero(~treated)]  # fmt: skip
    found, failed = [], 0
    for _ in range(draws):
        at = np.concatenate([rng.choice(a, len(a)) for a in arms])
        try:
            w = solve_weights(x[at], names, np.ones(len(at)))
            found.append(parts(w * len(w) / w.sum(), (at, rng))[0][0])
        except (DataError, ConvergenceError):
            failed += 1
    if failed > MOST_FAILURES * draws:
        raise DataError("too many bootstrap samples reach no weights", column="draws",
                        value=f"{failed} of {draws}", allowed='variance="robust"')  # fmt: skip
    return float(np.var(found, ddof=1)), failed
