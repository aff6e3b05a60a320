"""Further regression tests of funnel asymmetry: on patients, effective size, additive variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin._input import level as check_level
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.checks.asymmetry import SmallStudyTest, linear_test
from metablin.meta.checks.bias import egger
from metablin.meta.core.fit import MetaFit, effects_of

__all__ = ["deeks", "macaskill", "pustejovsky", "thompson"]

FloatArray = NDArray[np.float64]


def macaskill(e: EffectSizes | MetaFit, level: float = 0.95) -> SmallStudyTest:
    """Test funnel asymmetry by regressing the effects on the numbers of patients.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        With numbers of patients; at least three studies.
    level : float

    Returns
    -------
    SmallStudyTest
        Linear form, inverse-variance weights. The limit is that of a study of no patients and is
        not given.

    Raises
    ------
    DataError
        Without numbers of patients, or when they are all equal.

    References
    ----------
    Macaskill P, Walter SD, Irwig L (2001). A comparison of methods to detect publication bias in
    meta-analysis. doi:10.1002/sim.698

    Examples
    --------
    >>> import metablin as mb
    >>> mb.macaskill(mb.proportions([5, 9, 30, 61], [20, 30, 80, 200])).df
    2.0
    """
    e = effects_of(e)
    n = np.sum(_patients(e), axis=0)
    return linear_test("macaskill", "n", e, e.yi, 1 / e.vi, n, check_level(level)).without_limit()


def deeks(e: EffectSizes | MetaFit, level: float = 0.95) -> SmallStudyTest:
    """Test funnel asymmetry of (diagnostic) odds ratios with the effective sample size.

    Regresses the log odds ratio on 1/sqrt(ESS) with weights ESS = 4 n1 n2 / (n1 + n2). For
    diagnostic accuracy the two "arms" are those with and without the disease.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        From 2x2 tables; at least three studies.
    level : float

    Returns
    -------
    SmallStudyTest

    Raises
    ------
    DataError
        Without numbers of patients in two arms.

    References
    ----------
    Deeks JJ, Macaskill P, Irwig L (2005). The performance of tests of publication bias and other
    sample size effects in systematic reviews of diagnostic test accuracy was assessed. J Clin
    Epidemiol 58, 882-893.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.two_by_two([4, 6, 3, 62], [123, 306, 231, 13598], [11, 29, 11, 248],
    ...                   [139, 303, 220, 12867])
    >>> mb.deeks(e).df
    2.0
    """
    e = effects_of(e)
    n1, n2 = _two_arms(e, "Deeks' test")
    size = 4 * n1 * n2 / (n1 + n2)
    return linear_test("deeks", "1/sqrt(ESS)", e, e.yi, size, 1 / np.sqrt(size),
                       check_level(level))  # fmt: skip


def pustejovsky(e: EffectSizes | MetaFit, level: float = 0.95) -> SmallStudyTest:
    """Test funnel asymmetry of standardised mean differences with sqrt(1/n1 + 1/n2).

    The standard error of a standardised difference depends on the difference itself; this part of
    it does not, so that the test keeps its level.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        Of two arms with numbers of patients; at least three studies.
    level : float

    Returns
    -------
    SmallStudyTest
        Linear form, inverse-variance weights.

    Raises
    ------
    DataError
        Without numbers of patients in two arms.

    References
    ----------
    Pustejovsky JE, Rodgers MA (2019). Testing for funnel plot asymmetry of standardized mean
    differences. doi:10.1002/jrsm.1332

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.mean_differences([5, 6, 7, 5], [2, 2, 2, 3], [10, 20, 40, 80], [4, 5, 5, 5],
    ...                         [2, 2, 3, 3], [12, 20, 38, 82], measure="smd")
    >>> mb.pustejovsky(e).df
    2.0
    """
    e = effects_of(e)
    n1, n2 = _two_arms(e, "the test of Pustejovsky and Rodgers")
    return linear_test("pustejovsky", "sqrt(1/n1 + 1/n2)", e, e.yi, 1 / e.vi,
                       np.sqrt(1 / n1 + 1 / n2), check_level(level))  # fmt: skip


def thompson(
    e: EffectSizes | MetaFit, tau2: str | float = "DL", level: float = 0.95
) -> SmallStudyTest:
    """Test funnel asymmetry with an additive between-study variance.

    Egger's regression as a random-effects meta-regression on the standard error, tested by t with
    k - 2 degrees of freedom (method 3 of Thompson and Sharp).

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.
    tau2 : str or float
        Estimator of the between-study variance.
    level : float

    Returns
    -------
    SmallStudyTest

    References
    ----------
    Thompson SG, Sharp SJ (1999). Explaining heterogeneity in meta-analysis: a comparison of
    methods. Stat Med 18, 2693-2708.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12])
    >>> mb.thompson(e).df
    2.0
    """
    return egger(e, tau2=tau2, ci="t", level=level).named("thompson")


def _patients(e: EffectSizes) -> list[FloatArray]:
    found = [e.counts[c] for c in ("n", "n_treatment", "n_control") if c in e.counts]
    if not found:
        raise DataError("the test needs numbers of patients", column="measure", value=e.measure,
                        allowed="effects made of counts, means or correlations")  # fmt: skip
    return found


def _two_arms(e: EffectSizes, what: str) -> list[FloatArray]:
    if "n_treatment" not in e.counts:
        raise DataError(f"{what} needs two arms with numbers of patients", column="measure",
                        value=e.measure, allowed="2x2 tables or means of two arms")  # fmt: skip
    return [e.counts["n_treatment"], e.counts["n_control"]]
