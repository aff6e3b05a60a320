"""Individual patient data from the coordinates of one published Kaplan-Meier curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from numpy.typing import ArrayLike

from metablin._input import seed as check_seed
from metablin._input import whole
from metablin.reconstruct.curve._draws import draw_curve
from metablin.reconstruct.curve._estimate import estimate
from metablin.reconstruct.curve._quality import curve_quality
from metablin.reconstruct.curve.clicks import Given, Rows, check_curve
from metablin.reconstruct.reading import Kind
from metablin.reconstruct.records import PseudoIPD

__all__ = ["reconstruct_km"]


def reconstruct_km(
    time: ArrayLike,
    survival: ArrayLike,
    *,
    n: int | None = None,
    at_risk: tuple[ArrayLike, ArrayLike] | None = None,
    events: int | None = None,
    censor_times: ArrayLike | None = None,
    percent: bool = False,
    failure: bool = False,
    clicks: Kind = "auto",
    noise: float | Literal["exact"] | None = None,
    printed: Mapping[str, Any] | None = None,
    draws: int = 0,
    seed: int = 1,
    label: str = "",
) -> PseudoIPD:
    """Reconstruct individual patient data from a digitised Kaplan-Meier curve.

    Whole numbers of events and censorings are estimated by least squares of S, subject to the
    numbers at risk and the total of events, which are met exactly. Coordinates that are exact, as
    those of vector figures, are solved as whole numbers. Where a fall of one patient
    can be seen, the size of the fall also tells how many were at risk. Where the drops lie at
    whole numbers of the time unit (likelihood ratio above e^5 against times that lie anywhere),
    patients are put there. What is missing is replaced by a stated model, and `draws` carry its
    uncertainty.

    Parameters
    ----------
    time : array-like, shape (k,)
        Times of the clicks, in any order and unit.
    survival : array-like, shape (k,)
        Survival at the clicks in 0..1 (0..100 with ``percent=True``).
    n : int, optional
        Number of patients. Without it the first number at risk counts; without either the result
        is of a nominal number of patients and says so. Where it differs a little from the number
        at risk at time 0, the patients are those of the table.
    at_risk : (times, counts), optional
        Numbers at risk: patients whose time is at least the table time. A table that goes on
        after the last click tells of follow-up that was not seen: events of a known total may lie
        there.
    events : int, optional
        Total number of events.
    censor_times : array-like, optional
        Times of censoring marks.
    percent : bool
        Survival is in percent; never guessed.
    failure : bool
        The curve is a cumulative incidence, and survival one less it.
    clicks : {"auto", "drops", "corners", "points"}
        What was clicked: points just after falls, corners above and below falls, or points at
        times of their own. By default it is told from the clicks.
    noise : float or "exact", optional
        Reading error of survival (standard deviation, 0..1), or exact coordinates; estimated from
        the clicks by default.
    printed : mapping, optional
        Printed items to compare with: ``median``, ``median_ci`` (low, high), ``landmarks``
        ((time, survival) pairs), ``events``, ``n``.
    draws : int
        Further plausible data sets: reading noise, places of events and censorings, and the
        unknown course of censoring are drawn anew.
    seed : int
        Seed of the draws.
    label : str
        Name of the arm, used in messages.

    Returns
    -------
    PseudoIPD
        `time` and `event`, both of shape (n,), with `quality` and `draws`. What of the input was
        put right is in ``quality.mended``.

    Raises
    ------
    DataError
        For what cannot be read: survival out of range or rising beyond reading noise, a table that
        increases or contradicts n or the curve, totals above n, fewer than two clicks, missing
        values, two curves one above the other.

    References
    ----------
    Guyot P, Ades AE, Ouwens MJNM, Welton NJ (2012). BMC Med Res Methodol 12:9.
    doi:10.1186/1471-2288-12-9
    Titman AC (2026). Stat Med e70474 (quadratic programming on the cumulative hazard).
    Goldstein AJ, Kruskal JB (1976). J Am Stat Assoc 71:370-373.
    doi:10.1080/01621459.1976.10480388

    Examples
    --------
    >>> ipd = reconstruct_km([0, 2, 4, 6, 8], [1, 0.9, 0.7, 0.5, 0.5], n=10,
    ...                      at_risk=([0, 4], [10, 8]), events=5)
    >>> int(ipd.event.sum()), ipd.time.size, ipd.quality.level
    (5, 10, 'curve + n + at-risk + events')
    """
    checked = check_curve(
        Given(time, survival, n, at_risk, events, censor_times, percent, failure, clicks, noise),
        Rows(label=label),
    )
    draws, seed = whole("draws", draws, minimum=0, what="number of draws"), check_seed(seed)
    fitted = estimate(checked.curve)
    best = curve_quality(checked, fitted, printed)
    drawn = tuple(
        PseudoIPD(x.time, x.event, curve_quality(checked, x, printed), label=label)
        for x in draw_curve(checked.curve, draws, seed)
    )
    return PseudoIPD(fitted.time, fitted.event, best, drawn, label)
