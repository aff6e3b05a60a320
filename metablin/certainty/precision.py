"""Imprecision: the interval against thresholds, and the optimal information size."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from metablin.certainty.evidence import Body, DomainRating, refit
from metablin.certainty.scale import RATIOS, risk_with

__all__ = ["imprecision", "information_size", "needed_information", "relative_risk"]

ALPHA, POWER = 0.05, 0.80
REDUCTION = 0.25
"""Relative reduction that the optimal information size is for (GRADE 6: 20 to 25%)."""

LARGE = 0.30
"""Relative risk reduction from which the information size is looked at (Core GRADE 2)."""

APPRECIABLE = (0.75, 1.25)
"""Relative effects that count as appreciable benefit and harm (GRADE 6)."""

FAR, VERY_FAR, FEW_EVENTS = 0.5, 0.1, 30
"""Shares of the information size, and events, below which two and three levels go (choices)."""


def needed_information() -> float:
    """Return the information, 1 / variance of a log ratio, that the optimal size carries.

    Examples
    --------
    >>> round(4 * needed_information())  # events at 1:1 (Schoenfeld 1983, doi:10.2307/2531021)
    379
    """
    return float(_z() ** 2 / math.log(1 - REDUCTION) ** 2)


def _z() -> float:
    return float(special.ndtri(1 - ALPHA / 2) + special.ndtri(POWER))


def information_size(risk: float, reduction: float = REDUCTION) -> float:
    """Return the patients per arm that show a relative reduction of a risk.

    Parameters
    ----------
    risk : float
        Without treatment.
    reduction : float
        Relative risk reduction.

    Returns
    -------
    float
        (z_a + z_b)^2 [p0 (1 - p0) + p1 (1 - p1)] / (p0 - p1)^2 with two-sided alpha 0.05 and
        power 80%.

    References
    ----------
    Guyatt GH et al. (2011). GRADE guidelines 6. doi:10.1016/j.jclinepi.2011.01.012

    Examples
    --------
    >>> round(information_size(0.2, 0.25))
    903
    """
    p1 = risk * (1 - reduction)
    return _z() ** 2 * (risk * (1 - risk) + p1 * (1 - p1)) / (risk - p1) ** 2


def relative_risk(body: Body, effect: float) -> float | None:
    """Return an effect as a relative risk; None where it takes a baseline that is not given."""
    measure, p0 = body.scale.measure, body.scale.baseline
    if body.scale.absolute:
        return float(risk_with(measure, effect, p0)) / p0
    return effect if measure == "rr" else None


def imprecision(body: Body, half_width: float) -> DomainRating:
    """Rate down for imprecision: thresholds crossed first, then the optimal information size.

    Guyatt G et al. (2025). Core GRADE 2. doi:10.1136/bmj-2024-081904; Zeng L et al. (2022). GRADE
    guidance 34. doi:10.1016/j.jclinepi.2022.07.014. A level for each threshold inside the interval
    (at most three). With the null alone as threshold, two when the interval also reaches 0.75 and
    1.25. A large effect (relative reduction above 30%) is held against the information size
    whether or not the interval crosses, so that more evidence never costs a level (a choice). A
    rate without threshold: a level when the half-width of the interval exceeds what the reader
    would accept, two when it exceeds twice that (a choice).
    """
    fit, scale = body.fit, body.scale
    interval = f"{100 * fit.level:g}% interval {fit.conf_low:.2f} to {fit.conf_high:.2f}"
    if not scale.boundaries:
        return _wide(body, half_width, interval)
    crossed = scale.crossed(fit.conf_low, fit.conf_high)
    by_cross = _by_crossing(body, crossed)
    share, size_text, by_size = _by_size(body)
    down = max(by_cross, by_size)
    numbers = {"thresholds_crossed": float(len(crossed)), "information_share": share,
               "conf_low": fit.conf_low, "conf_high": fit.conf_high}  # fmt: skip
    holds = ", ".join(scale.show(b) for b in crossed)
    text = f"{interval} " + (f"holds {holds}" if crossed else "crosses no threshold")
    text += f"; {size_text}" + _wald(body, by_cross)
    rule = "IM1 precise" if not down else (
        "IM2 interval crosses" if by_cross >= by_size else "IM3 below the information size"
    )  # fmt: skip
    return DomainRating("imprecision", -down, -down, rule, text, numbers,
                        _mend(body, crossed, share if by_size else math.nan))  # fmt: skip


def _by_crossing(body: Body, crossed: tuple[float, ...]) -> int:
    if body.scale.thresholds or not crossed:
        return min(len(crossed), 3)
    ends = (body.fit.conf_low, body.fit.conf_high)
    ratios = [relative_risk(body, x) for x in ends]
    if None in ratios and body.scale.measure in RATIOS:
        ratios = list(ends)
    low, high = ratios
    if low is None or high is None:
        return 1
    return 2 if low < APPRECIABLE[0] and high > APPRECIABLE[1] else 1


def _by_size(body: Body) -> tuple[float, str, int]:
    """Return the share of the information size reached, its text, and the levels it costs."""
    fit = body.fit
    if fit.measure not in (*RATIOS, "rd"):
        return math.nan, "no information size for this measure", 0
    share, events, text = _share(body)
    rr = relative_risk(body, fit.estimate)
    ratio = fit.estimate if rr is None and fit.measure in RATIOS else rr
    large = ratio is not None and (ratio < 1 - LARGE or ratio > 1 / (1 - LARGE))
    if math.isnan(share) or share >= 1 or not large:
        return share, text + ("" if large else ", effect not large"), 0
    if share >= FAR:
        return share, text, 1
    return share, text, 3 if share < VERY_FAR and events < FEW_EVENTS else 2


def _share(body: Body) -> tuple[float, float, str]:
    counts, scale = body.fit.effects.counts, body.scale
    if {"n_treatment", "n_control", "events_control", "events_treatment"} <= set(counts):
        n = float(counts["n_treatment"].sum() + counts["n_control"].sum())
        risk = float(counts["events_control"].sum() / counts["n_control"].sum())
        p0 = scale.baseline if scale.absolute else risk
        events = float(counts["events_treatment"].sum() + counts["events_control"].sum())
        if not 0 < p0 < 1:
            return math.nan, events, "no information size: no control event, or all"
        size = 2 * information_size(p0)
        return n / size, events, f"{n:.0f} of {size:.0f} patients of the information size"
    if body.fit.measure == "rd":
        return math.nan, math.nan, "no information size without counts"
    have = float((1 / body.fit.effects.vi).sum())
    need = needed_information()
    text = f"information worth {4 * have:.0f} of {4 * need:.0f} events at 1:1"
    return have / need, 4 * have, text


def _wald(body: Body, by_cross: int) -> str:
    """Say when a Wald interval would rate differently from Hartung and Knapp's."""
    fit = body.fit
    if fit.model != "random" or not fit.ci_method.startswith("hksj") or fit.k == 1:
        return ""
    wald = refit(fit, ci="z")
    other = _by_crossing(
        Body(wald, body.start, body.scale, body.weights),
        body.scale.crossed(wald.conf_low, wald.conf_high),
    )
    if other == by_cross:
        return ""
    return f"; a Wald interval ({wald.conf_low:.2f} to {wald.conf_high:.2f}) would cost {other}"


def _wide(body: Body, half_width: float, interval: str) -> DomainRating:
    fit = body.fit
    half = (fit.conf_high - fit.conf_low) / 2
    down = 0 if half <= half_width else 1 if half <= 2 * half_width else 2
    text = f"{interval}, half-width {half:.2f} against {half_width:.2f} accepted"
    if fit.measure == "proportion" and "n" in fit.effects.counts:
        need = special.ndtri(1 - ALPHA / 2) ** 2 * fit.estimate * (1 - fit.estimate) / half_width**2
        text += (
            f"; {fit.effects.counts['n'].sum():.0f} patients, {need:.0f} would do without spread"
        )
    rule = ("IM1 precise", "IM4 wider than accepted", "IM5 twice as wide as accepted")[down]
    mend = f"an interval within {half_width:.2f} of the estimate" if down else "a wider interval"
    return DomainRating("imprecision", -down, -down, rule, text, {"half_width": half}, mend)


def _mend(body: Body, crossed: tuple[float, ...], share: float) -> str:
    """Return how much more evidence at the same estimate would undo the rating."""
    parts = []
    if crossed:
        factor = _factor(body)
        parts.append(
            "no amount of evidence at this estimate" if math.isinf(factor)
            else f"about {factor:.1f} times the evidence at the same estimate, for an interval "
            "without a threshold inside"
        )  # fmt: skip
    if share < 1:
        parts.append(f"{1 / share:.1f} times the evidence, for the information size")
    return "; ".join(parts) or "an interval across a threshold would cost a level"


def _factor(body: Body) -> float:
    """Return by how much the variance must shrink until the interval holds no boundary."""
    inner, scale = body.fit.analysis, body.scale
    worst = 1.0
    for boundary in scale.boundaries:

        def gap(x: float, target: float = boundary) -> float:
            at = float(scale.value(body.fit.effects.back([x]))[0])
            return float(np.nan_to_num(at, neginf=-1e300, posinf=1e300)) - target

        if not gap(inner.conf_low) < 0 < gap(inner.conf_high):
            continue
        at = optimize.brentq(gap, inner.conf_low, inner.conf_high)
        half = (
            inner.conf_high - inner.estimate
            if at > inner.estimate
            else inner.estimate - inner.conf_low
        )
        distance = abs(at - inner.estimate)
        worst = max(worst, math.inf if distance < 1e-9 * half else (half / distance) ** 2)
    return worst
