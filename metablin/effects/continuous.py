"""Effect sizes of one group measured on a continuous scale: means, changes, correlations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length
from metablin.effects.means import same_sign, small_sample_factor
from metablin.effects.sizes import EffectSizes, build, readmit
from metablin.errors import DataError
from metablin.options import (
    ChangeMeasure,
    CorrelationTransform,
    MeanTransform,
    Missing,
    words,
)

__all__ = ["correlations", "mean_changes", "means"]

FloatArray = NDArray[np.float64]


@reads("mean", "sd", "n", optional=("studies",), after=readmit)
@np.errstate(over="ignore", invalid="ignore")
def means(
    mean: ArrayLike,
    sd: ArrayLike,
    n: ArrayLike,
    transform: MeanTransform = "raw",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return means of single groups with their variances.

    Parameters
    ----------
    mean : array-like, shape (k,)
        In the unit of the outcome; above 0 for ``transform="log"``.
    sd : array-like, shape (k,)
        Standard deviations of the patients, greater than 0.
    n : array-like of whole numbers, shape (k,)
        Patients, at least 2.
    transform : {"raw", "log"}
        Variance sd**2 / n, or sd**2 / (n mean**2) of the log mean.
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    EffectSizes
        With ``measure == "mean"``.

    Raises
    ------
    DataError
        When a number is missing or out of its range, naming the study.

    References
    ----------
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of MN and MNLN).

    Examples
    --------
    >>> e = means([5.0, 8.0], [2.0, 3.0], [20, 30], transform="log")
    >>> e.vi.round(5).tolist(), e.back(e.yi).round(6).tolist()
    ([0.008, 0.00469], [5.0, 8.0])
    """
    transform = choice("transform", transform, words(MeanTransform))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    above = 0.0 if transform == "log" else None
    m = numeric("mean", mean, above=above, studies=known)
    s = numeric("sd", sd, above=0, studies=known)
    size = numeric("n", n, minimum=2, integer=True, studies=known)
    names = labels(known, same_length(mean=m, sd=s, n=size))
    yi, vi = (m, s**2 / size) if transform == "raw" else (np.log(m), (s / m) ** 2 / size)
    return build(yi, vi, names, "mean", transform, {"mean": m, "sd": s, "n": size})


@reads(
    "mean_after",
    "mean_before",
    "n",
    optional=("sd_after", "sd_before", "correlation", "sd_change", "studies"),
    after=readmit,
)
@np.errstate(over="ignore", invalid="ignore")
def mean_changes(
    mean_after: ArrayLike,
    mean_before: ArrayLike,
    n: ArrayLike,
    sd_after: ArrayLike | None = None,
    sd_before: ArrayLike | None = None,
    correlation: ArrayLike | None = None,
    sd_change: ArrayLike | None = None,
    measure: ChangeMeasure = "mc",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return changes of means within the same patients: before and after, or matched pairs.

    In a cross-over trial or with matched pairs, "after" is the treatment and "before" the control.

    Parameters
    ----------
    mean_after, mean_before : array-like, shape (k,)
    n : array-like of whole numbers, shape (k,)
        Patients (pairs), at least 2.
    sd_after, sd_before : array-like, shape (k,), optional
        Standard deviations of the patients at both times.
    correlation : array-like or float, optional
        Correlation of the two measurements, between -1 and 1; one number is that of all studies.
    sd_change : array-like, shape (k,), optional
        Standard deviation of the changes, where a paper gives it: then ``mc`` and ``smcc`` need
        nothing else.
    measure : {"mc", "smcc", "smcr", "romc"}
        Change in the outcome's unit; over the standard deviation of the changes; over that of the
        first measurement; log ratio of the means. The standardised ones are freed of their
        small-sample bias by the exact factor.
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    EffectSizes

    Raises
    ------
    DataError
        When a number that the measure needs is missing or out of its range.

    References
    ----------
    Gibbons RD, Hedeker DR, Davis JM (1993). Estimation of effect size from a series of
    experiments involving paired comparisons, eq. 21 (with n for n - 1).
    doi:10.3102/10769986018003271
    Becker BJ (1988). Synthesizing standardized mean-change measures, eq. 13.
    doi:10.1111/j.2044-8317.1988.tb00901.x
    Lajeunesse MJ (2011). On the meta-analysis of response ratios for studies with correlated and
    multi-group designs, eq. 6. doi:10.1890/11-0423.1

    Examples
    --------
    >>> e = mean_changes([5.0], [3.5], [20], [2.0], [2.5], correlation=0.6, measure="smcr")
    >>> e.yi.round(4).tolist(), e.vi.round(4).tolist()
    ([0.5759], [0.0483])
    """
    measure = choice("measure", measure, words(ChangeMeasure))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    columns = {
        "mean_after": numeric("mean_after", mean_after, studies=known),
        "mean_before": numeric("mean_before", mean_before, studies=known),
        "n": numeric("n", n, minimum=2, integer=True, studies=known),
    }
    k = len(columns["n"])
    given = {"sd_after": sd_after, "sd_before": sd_before, "sd_change": sd_change}
    for name, values in given.items():
        if values is not None:
            columns[name] = numeric(name, values, above=0, studies=known)
    if correlation is not None:
        r = numeric("correlation", correlation, minimum=-1, maximum=1, studies=known)
        columns["correlation"] = np.repeat(r, k) if len(r) == 1 else r
    names = labels(known, same_length(**columns))
    if "sd_change" not in columns and measure in ("mc", "smcc"):
        columns["sd_change"] = _sd_of_change(columns, names)
    yi, vi = _change(measure, columns, names)
    return build(yi, vi, names, measure, "log" if measure == "romc" else "none", columns)


def _need(measure: str, columns: Mapping[str, FloatArray], *names: str) -> list[FloatArray]:
    for name in names:
        if name not in columns:
            raise DataError(f"measure {measure!r} needs it", column=name, value="not given")
    return [columns[name] for name in names]


def _sd_of_change(columns: Mapping[str, FloatArray], names: tuple[str, ...]) -> FloatArray:
    s1, s2, r = _need("mc", columns, "sd_after", "sd_before", "correlation")
    square = s1**2 + s2**2 - 2 * r * s1 * s2
    for i in np.flatnonzero(~(square > 0))[:1]:
        raise DataError("the changes do not vary", row=int(i) + 1, column="correlation",
                        value=f"{r[i]:g}", allowed="below 1", study=names[i])  # fmt: skip
    return np.asarray(np.sqrt(square))


def _change(
    measure: str, columns: Mapping[str, FloatArray], names: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    m1, m2, n = (columns[c] for c in ("mean_after", "mean_before", "n"))
    if measure == "mc":
        return m1 - m2, columns["sd_change"] ** 2 / n
    if measure == "smcc":
        g = small_sample_factor(n - 1) * (m1 - m2) / columns["sd_change"]
        return g, 1 / n + g**2 / (2 * n)
    if measure == "smcr":
        s2, r = _need(measure, columns, "sd_before", "correlation")
        g = small_sample_factor(n - 1) * (m1 - m2) / s2
        return g, 2 * (1 - r) / n + g**2 / (2 * n)
    s1, s2, r = _need(measure, columns, "sd_after", "sd_before", "correlation")
    same_sign("mean_after", m1, m2, names)
    c1, c2 = s1 / m1, s2 / m2
    return np.log(m1 / m2), (c1**2 + c2**2 - 2 * r * c1 * c2) / n


@reads("r", "n", optional=("studies",), after=readmit)
def correlations(
    r: ArrayLike,
    n: ArrayLike,
    transform: CorrelationTransform = "fisher-z",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return correlation coefficients with their variances.

    Parameters
    ----------
    r : array-like, shape (k,)
        Correlations, between -1 and 1 (not included for Fisher's z).
    n : array-like of whole numbers, shape (k,)
        Patients, at least 4.
    transform : {"fisher-z", "raw"}
        Variance 1 / (n - 3) of atanh(r), or (1 - r**2)**2 / (n - 1).
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    EffectSizes
        With ``measure == "correlation"``; ``back`` of Fisher's z is tanh.

    Raises
    ------
    DataError
        When a number is missing or out of its range, naming the study.

    References
    ----------
    Fisher RA (1921). On the "probable error" of a coefficient of correlation deduced from a small
    sample. Metron 1, 3-32.
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of ZCOR and COR).

    Examples
    --------
    >>> e = correlations([0.5, 0.3], [28, 53])
    >>> e.vi.tolist(), e.back(e.yi).round(6).tolist()
    ([0.04, 0.02], [0.5, 0.3])
    """
    transform = choice("transform", transform, words(CorrelationTransform))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    value = numeric("r", r, minimum=-1, maximum=1, studies=known)
    size = numeric("n", n, minimum=4, integer=True, studies=known)
    names = labels(known, same_length(r=value, n=size))
    for i in np.flatnonzero(np.abs(value) == 1)[:1]:
        raise DataError("a perfect correlation has no variance", row=int(i) + 1, column="r",
                        value=f"{value[i]:g}", allowed="between -1 and 1",
                        study=names[i])  # fmt: skip
    if transform == "raw":
        yi, vi = value, (1 - value**2) ** 2 / (size - 1)
    else:
        yi, vi = np.arctanh(value), 1 / (size - 3)
    return build(yi, vi, names, "correlation", transform, {"r": value, "n": size})
