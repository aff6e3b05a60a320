"""Exact intervals of one 2x2 table: Fisher's, given the margins, and unconditional ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from metablin._input import choice, whole
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.records import Row

__all__ = ["EXACT_METHODS", "ExactTable", "exact_two_by_two", "score_tail"]

FloatArray = NDArray[np.float64]

EXACT_METHODS = ("fisher", "unconditional")

FARTHEST = 700.0
"""Log odds ratios beyond this overflow."""

ROOT = 1e-10
"""Accuracy of a limit, on the log scale (Fisher) or as a difference of risks."""

RISKS = 400
"""Intervals of the control arm's risk searched for the largest tail probability."""

TIES = 1e-9
"""Score statistics this near to each other are one."""

STEP = 0.01
"""Walk in the risk difference from the end of the scale to the first value not refused."""

LARGEST = 250
"""Patients an arm may have in the unconditional interval, whose time grows with their product."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExactTable(Row):
    """An exact interval of one table.

    Attributes
    ----------
    measure : str
        ``or`` (Fisher) or ``rd`` (unconditional).
    method : str
    estimate, conf_low, conf_high : float
        On the reader's scale: odds ratio (conditional maximum likelihood) or risk difference.
        0 and infinity are odds ratios that tables with a zero cell give.
    p_value : float
        Two-sided: twice the smaller tail at no effect, at most 1, which agrees with the interval.
    level : float
    """

    measure: str
    method: str
    estimate: float
    conf_low: float
    conf_high: float
    p_value: float
    level: float


def exact_two_by_two(
    events_treatment: int,
    n_treatment: int,
    events_control: int,
    n_control: int,
    method: str = "fisher",
    level: float = 0.95,
) -> ExactTable:
    """Return the exact interval of one 2x2 table.

    Parameters
    ----------
    events_treatment, n_treatment, events_control, n_control : int
        Patients with the event, and patients, of both arms.
    method : {"fisher", "unconditional"}
        The odds ratio given both margins, with equal tails of the non-central hypergeometric
        distribution; or the risk difference, by two one-sided exact tests on the score statistic
        of Miettinen and Nurminen, maximised over the control arm's risk (up to 250 patients an
        arm).
    level : float

    Returns
    -------
    ExactTable

    Raises
    ------
    DataError
        For impossible counts, when nobody or everybody had the event (``fisher``), or for arms too
        large for the unconditional interval.

    References
    ----------
    Cornfield J (1956). A statistical problem arising from retrospective studies. Proceedings of
    the Third Berkeley Symposium 4, 135-148 (given the margins).
    Chan ISF, Zhang Z (1999). Test-based exact confidence intervals for the difference of two
    binomial proportions. Biometrics 55, 1202-1209 (unconditional).
    Miettinen O, Nurminen M (1985). Comparative analysis of two rates. doi:10.1002/sim.4780040211

    Examples
    --------
    >>> r = exact_two_by_two(3, 20, 9, 22)
    >>> round(r.estimate, 3), round(r.conf_low, 3), round(r.conf_high, 3)
    (0.263, 0.038, 1.337)
    """
    method = choice("method", method, EXACT_METHODS)
    level = check_level(level)
    n1 = whole("n_treatment", n_treatment, minimum=1)
    n2 = whole("n_control", n_control, minimum=1)
    a = whole("events_treatment", events_treatment, minimum=0, maximum=n1)
    c = whole("events_control", events_control, minimum=0, maximum=n2)
    tail = (1 - level) / 2
    if method == "fisher":
        return _fisher(a, n1, c, n2, tail, level)
    if max(n1, n2) > LARGEST:
        raise DataError("too many patients for the unconditional interval", column="n_treatment",
                        value=max(n1, n2), allowed=f"up to {LARGEST} an arm")  # fmt: skip
    return _unconditional(a, n1, c, n2, tail, level)


def _fisher(a: int, n1: int, c: int, n2: int, tail: float, level: float) -> ExactTable:
    m = a + c
    if m in (0, n1 + n2):
        raise DataError("the odds ratio is not defined: nobody, or everybody, had the event",
                        column="events_treatment", value=a)  # fmt: skip
    low, high = max(0, m - n2), min(m, n1)
    j = np.arange(low, high + 1)
    weight = -special.betaln(j + 1, n1 - j + 1) - special.betaln(m - j + 1, n2 - m + j + 1)

    def over(theta: float, f: NDArray[Any]) -> float:
        """Return the expectation of `f` at a log odds ratio."""
        return float(special.softmax(weight + theta * j) @ f)

    middle = lower = -math.inf
    upper = math.inf
    if a > low:
        middle, lower = math.inf, _log_root(lambda t: over(t, j >= a) - tail)
    if a < high:
        upper = _log_root(lambda t: tail - over(t, j <= a))
        if a > low:
            middle = _log_root(lambda t: over(t, j) - a)
    p = min(1.0, 2 * min(over(0.0, j <= a), over(0.0, j >= a)))
    odds, least, most = (math.exp(x) for x in (middle, lower, upper))
    return ExactTable("or", "fisher", odds, least, most, p, level)


def _log_root(rising: Callable[[float], float]) -> float:
    """Return the zero of a rising function of the log odds ratio."""
    reach = 1.0
    while not rising(-reach) < 0 < rising(reach):
        reach *= 2
        if reach > FARTHEST:
            raise DataError("a limit of the odds ratio is beyond what a computer can hold")
    return float(optimize.brentq(rising, -reach, reach, xtol=ROOT))


def _unconditional(a: int, n1: int, c: int, n2: int, tail: float, level: float) -> ExactTable:
    estimate = a / n1 - c / n2
    low = _lowest(a, n1, c, n2, tail)
    high = -_lowest(c, n2, a, n1, tail)
    p = min(1.0, 2 * min(score_tail(a, n1, c, n2, 0.0), score_tail(c, n2, a, n1, 0.0)))
    return ExactTable("rd", "unconditional", estimate, low, high, p, level)


def _lowest(a: int, n1: int, c: int, n2: int, tail: float) -> float:
    """Return the smallest risk difference that the upper tail does not refuse.

    The tail is not quite monotone, hence a walk up from -1 before the bisection.
    """
    estimate = a / n1 - c / n2
    before = -1.0
    for d in np.append(np.arange(-1 + STEP, estimate, STEP), estimate):
        if score_tail(a, n1, c, n2, float(d)) > tail:
            break
        before = float(d)
    inside, outside = float(d), before
    while inside - outside > ROOT:
        middle = (inside + outside) / 2
        if score_tail(a, n1, c, n2, middle) > tail:
            inside = middle
        else:
            outside = middle
    return outside


def score_tail(a: int, n1: int, c: int, n2: int, difference: float) -> float:
    """Return the largest probability of a score statistic as high as that of the table.

    The statistic is that of Miettinen and Nurminen at a risk difference; the probability is
    largest over the risks that have this difference.

    Examples
    --------
    >>> round(score_tail(7, 15, 12, 15, -0.5), 3)
    0.173
    """
    x1, x2 = np.meshgrid(np.arange(n1 + 1.0), np.arange(n2 + 1.0), indexing="ij")
    score = _score(x1, n1, x2, n2, difference)
    extreme = (score >= score[a, c] - TIES).astype(np.float64)
    from_risk, to_risk = max(0.0, -difference), min(1.0, 1 - difference)

    def probability(risk: FloatArray) -> FloatArray:
        top = _binomial(n1, np.clip(risk + difference, 0, 1)) @ extreme
        return np.asarray((top * _binomial(n2, risk)).sum(-1))

    grid = np.linspace(from_risk, to_risk, RISKS + 1)
    best = int(np.argmax(probability(grid)))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, RISKS)])
    fine = probability(np.linspace(*around, RISKS // 4 + 1))
    return float(fine.max())


def _binomial(n: int, p: FloatArray) -> FloatArray:
    """Return the binomial probabilities of 0 to n events, shape (len(p), n + 1)."""
    j = np.arange(n + 1)
    log = -special.betaln(j + 1, n - j + 1) - math.log(n + 1)
    p = p[:, None]
    return np.asarray(np.exp(log + special.xlogy(j, p) + special.xlog1py(n - j, -p)))


def _score(x1: FloatArray, n1: int, x2: FloatArray, n2: int, difference: float) -> FloatArray:
    """Return the score statistic of every table, 0 where the observed difference is the one."""
    p2 = _restricted(x1, n1, x2, n2, difference)
    p1 = np.clip(p2 + difference, 0, 1)
    variance = np.maximum(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2, 0.0)
    gap = x1 / n1 - x2 / n2 - difference
    near = np.abs(gap) < TIES
    with np.errstate(divide="ignore", invalid="ignore"):
        score = gap / np.sqrt(variance)
    return np.asarray(np.where(near, 0.0, score))


def _restricted(x1: FloatArray, n1: int, x2: FloatArray, n2: int, d: float) -> FloatArray:
    """Return the control arm's risk of highest likelihood at a difference d.

    It is the root of a cubic (Miettinen and Nurminen 1985, appendix) that lies between the risks
    which d allows; the trigonometric form gives it directly.
    """
    n, m = n1 + n2, x1 + x2
    b = (n2 + n + 0.0) * d - n - m
    c = (n2 * d - n - 2 * x2) * d + m
    e = x2 * d * (1 - d)
    v = (b / (3 * n)) ** 3 - b * c / (6 * n * n) + e / (2 * n)
    u = np.copysign(np.sqrt(np.maximum((b / (3 * n)) ** 2 - c / (3 * n), 0.0)), v)
    cosine = np.divide(v, u**3, out=np.zeros_like(v), where=u != 0)
    angle = (math.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    root = 2 * u * np.cos(angle) - b / (3 * n)
    return np.asarray(np.clip(root, max(0.0, -d), min(1.0, 1 - d)))
