"""The five domains that lower certainty, and the one that raises it: each with its numbers.

Thresholds marked as a choice are this project's: GRADE gives none, and warns against mechanical
use. Every rating is therefore a suggestion.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from metablin import _input
from metablin.certainty.evidence import Body, DomainRating, refit, severities
from metablin.certainty.precision import needed_information, relative_risk
from metablin.certainty.tables import read_indirectness, read_publication
from metablin.errors import DataError
from metablin.meta.checks.bias import egger

__all__ = [
    "inconsistency",
    "indirectness_domain",
    "large_effect",
    "publication_bias",
    "risk_of_bias_domain",
]

HALF = 0.5
"""Share of weight from which a feature of studies is one of the body (a choice)."""

HIGH_I2 = 0.75
FEW = 3
"""With so few studies the data can hardly show inconsistency."""

SAME_PRECISION = 1e-9
"""Relative spread of standard errors below which nothing can depend on them."""

FUNNEL_K, FUNNEL_P = 10, 0.10
"""Sterne 2011, doi:10.1136/bmj.d4002: tests of asymmetry need about ten studies."""


def risk_of_bias_domain(body: Body, judged: Any, outcome: str | None) -> DomainRating:
    """Rate down for risk of bias by the weight of the studies at high risk.

    Guyatt G et al. (2025). Core GRADE 4. doi:10.1136/bmj-2024-083864: all low, no change; all
    high, down; mixed, by whether the studies at low risk say the same. More than half of the
    weight at high risk costs a level even then (a choice).
    """
    if judged is None:
        return DomainRating(
            "risk of bias",
            0,
            0,
            "RB0 not judged",
            "no judgement given",
            would_change="judgements of risk of bias, which can only lower it",
        )
    cost, words = severities(body, judged, outcome)
    share = float(body.weights[cost > 0].sum())
    text = f"{100 * share:.0f}% of the weight at high risk ({_counts(words)})"
    numbers = {"weight_high_risk": share, "studies_high_risk": float((cost > 0).sum())}
    if not cost.any():
        return DomainRating(
            "risk of bias",
            0,
            0,
            "RB1 no study at high risk",
            text,
            numbers,
            "more than half of the weight at high risk would cost a level",
        )
    down = _majority(body, cost)
    if down:
        mend = f"at most half of the weight at high risk (now {100 * share:.0f}%)"
        return DomainRating("risk of bias", -down, -down, "RB2 most weight at high risk", text,
                            numbers, mend)  # fmt: skip
    low = refit(body.fit, cost == 0)
    alike = (
        body.scale.zones(low.estimate) == body.scale.zones(body.fit.estimate)
        and body.fit.conf_low <= low.estimate <= body.fit.conf_high
    )
    text += f"; studies at low risk alone: {low.estimate:.2f} against {body.fit.estimate:.2f}"
    numbers["estimate_low_risk"] = float(low.estimate)
    if alike:
        return DomainRating(
            "risk of bias",
            0,
            0,
            "RB3 studies at low risk agree",
            text,
            numbers,
            "more than half of the weight at high risk would cost a level",
        )
    return DomainRating("risk of bias", -1, -1, "RB4 studies at low risk differ", text, numbers,
                        "studies at low risk that agree with the others")  # fmt: skip


def _counts(words: list[str]) -> str:
    return ", ".join(f"{words.count(w)} {w}" for w in dict.fromkeys(words))


def _majority(body: Body, cost: np.ndarray[Any, Any]) -> int:
    """Return the largest cost that more than half of the weight reaches."""
    return max(
        (int(c) for c in set(cost.tolist()) if body.weights[cost >= c].sum() > HALF), default=0
    )


def inconsistency(body: Body, half_width: float) -> DomainRating:
    """Rate down for inconsistency by thresholds, overlap and the prediction interval.

    Guyatt G et al. (2025). Core GRADE 3. doi:10.1136/bmj-2024-081905. Down one level when point
    estimates lie on both sides of a threshold and some intervals do not overlap, or when the
    prediction interval crosses a threshold that the confidence interval does not; two when both
    hold and I2 exceeds 75% (choices). A rate without a threshold is inconsistent when intervals do
    not overlap and the prediction interval is wider than twice what the reader would accept.
    """
    fit, scale = body.fit, body.scale
    if fit.k == 1:
        return DomainRating("inconsistency", 0, 0, "IC0 not applicable", "one study",
                            would_change="a second study")  # fmt: skip
    gap = _largest_gap(body)
    zones = scale.zones(fit.effects.limits(fit.level)[0])
    shares = [float(body.weights[zones == z].sum()) for z in np.unique(zones)]
    crossed = set(scale.crossed(fit.pred_low, fit.pred_high)) - set(
        scale.crossed(fit.conf_low, fit.conf_high)
    )
    if scale.boundaries:
        spread, wide = len(shares) > 1 and gap > 0, bool(crossed)
    else:
        wide = fit.pred_high - fit.pred_low > 4 * half_width
        spread = gap > 0 and wide
        wide = spread and fit.i2 > HIGH_I2
    down = 2 if spread and wide and fit.i2 > HIGH_I2 else int(spread or wide)
    text = _inconsistency_text(body, gap, shares)
    numbers = {"i2": fit.i2, "tau2": fit.tau2, "pred_low": fit.pred_low,
               "pred_high": fit.pred_high, "smallest_side": min(shares) if len(shares) > 1 else 0.0,
               "gap": gap}  # fmt: skip
    rule = (
        "IC1 consistent",
        "IC2 differs or predicts across a threshold",
        "IC3 both, and I2 > 75%",
    )
    mend = _inconsistency_mend(body, crossed) if down else (
        "a prediction interval across a threshold, or estimates on both sides without overlap"
    )  # fmt: skip
    return DomainRating("inconsistency", -down, -down, rule[down], text, numbers, mend)


def _largest_gap(body: Body) -> float:
    """Return the largest distance between two studies' intervals; negative when all overlap."""
    _, low, high = body.fit.effects.limits(body.fit.level)
    low, high = body.scale.value(low), body.scale.value(high)
    gaps = low[:, None] - high[None, :]
    np.fill_diagonal(gaps, -math.inf)
    return float(gaps.max())


def _inconsistency_text(body: Body, gap: float, shares: list[float]) -> str:
    fit = body.fit
    parts = []
    if body.scale.boundaries:
        sides = " and ".join(f"{100 * s:.0f}%" for s in shares)
        parts.append(f"weight by side of the threshold {sides}")
    parts.append("some intervals do not overlap" if gap > 0 else "all intervals overlap")
    if not math.isnan(fit.i2):
        parts.append(f"I2 {100 * fit.i2:.0f}%")
    if not math.isnan(fit.pred_low):
        parts.append(f"prediction interval {fit.pred_low:.2f} to {fit.pred_high:.2f}")
    if fit.k <= FEW:
        parts.append(f"{fit.k} studies can hardly show it")
    return ", ".join(parts)


def _inconsistency_mend(body: Body, crossed: set[float]) -> str:
    if not crossed:
        return "a credible subgroup that explains the difference"
    ends = ", ".join(body.scale.show(b) for b in sorted(crossed))
    return f"a prediction interval that no longer holds {ends}, or a credible subgroup"


ASPECTS = ("population", "intervention", "comparator", "outcome", "indirect comparison")
SEVERITY = {"none": 0, "serious": 1, "very serious": 2}


def indirectness_domain(body: Body, rows: Any, population: str, codes: Any) -> DomainRating:
    """Rate down for indirectness: one serious aspect costs a level, two or a very serious one two.

    Guyatt G et al. (2025). Core GRADE 5. doi:10.1136/bmj-2024-083865. An aspect of single studies
    counts when they have more than half of the weight (a choice).
    """
    found = _aspects(body, rows)
    text = [f"{aspect} ({why})" for aspect, (_, why) in found.items()]
    numbers: dict[str, float] = {}
    if codes is not None:
        share = _other_population(body, population, codes)
        numbers["weight_other_population"] = share
        text.append(f"{100 * share:.0f}% of the weight from a population other than {population}")
        if share > HALF:
            found["population"] = max(found.get("population", (0, "")), (1, "population codes"))
    severe = [level for level, _ in found.values() if level]
    down = 0 if not severe else 2 if len(severe) > 1 or max(severe) > 1 else 1
    rule = ("ID1 direct", "ID2 one serious aspect", "ID3 two aspects, or a very serious one")[down]
    if rows is None and codes is None:
        rule, text = "ID0 not judged", ["no aspect given"]
    mend = f"evidence that is direct in: {', '.join(a for a, v in found.items() if v[0])}"
    return DomainRating(
        "indirectness",
        -down,
        -down,
        rule,
        "; ".join(text) or "no aspect indirect",
        numbers,
        mend if down else "another question than the studies asked",
    )


def _aspects(body: Body, rows: Any) -> dict[str, tuple[int, str]]:
    """Return severity and reason of each aspect that enough of the weight shows."""
    shares: dict[tuple[str, str], float] = {}
    worst: dict[str, tuple[int, str]] = {}
    studies = list(body.fit.effects.studies)
    for row in read_indirectness(rows, studies, ASPECTS, SEVERITY):
        part = 1.0 if not row["study"] else float(body.weights[studies.index(row["study"])])
        key = (row["aspect"], row["severity"])
        if SEVERITY[row["severity"]] == 0:
            continue
        shares[key] = shares.get(key, 0.0) + part
        # Very serious in some studies is serious in them too.
        total = sum(
            s
            for (a, sev), s in shares.items()
            if a == row["aspect"] and SEVERITY[sev] >= SEVERITY[row["severity"]]
        )
        whole = sum(s for (a, _), s in shares.items() if a == row["aspect"])
        level = SEVERITY[row["severity"]] if total > HALF else int(whole > HALF)
        if level:
            worst[row["aspect"]] = max(worst.get(row["aspect"], (0, "")), (level, row["reason"]))
    return worst


def _other_population(body: Body, population: str, codes: Any) -> float:
    studies = body.fit.effects.studies
    if not isinstance(codes, dict):
        codes = _input.items("populations", codes)
        if len(codes) != len(studies):
            raise DataError(f"{len(codes)} codes for {len(studies)} studies", column="populations")
        codes = dict(zip(studies, codes, strict=True))
    for study in studies:
        if study not in codes:
            raise DataError("no population code", study=study, column="populations",
                            value="missing")  # fmt: skip
    other = np.array([codes[s] != population for s in studies])
    return float(body.weights[other].sum())


def publication_bias(body: Body, known: Any) -> DomainRating:
    """Rate down when results are overdue, when the funnel is asymmetric, or all is small and paid.

    Guyatt G et al. (2011). GRADE guidelines 5. doi:10.1016/j.jclinepi.2011.01.011; the triggers are
    choices. Below ten studies a funnel informs nobody.
    """
    facts = read_publication(known, body.fit.effects.studies)
    why, numbers = [], {}
    if facts["overdue"]:
        numbers["overdue"] = float(facts["overdue"])
        why.append(f"{facts['overdue']} registered comparison(s) overdue for results")
    p = _asymmetry(body)
    if p is not None:
        numbers["p_asymmetry"] = p
        if p < FUNNEL_P:
            why.append(f"asymmetric funnel, p = {p:.3f}")
    if (
        body.fit.k > 1
        and set(facts["industry"]) >= set(body.fit.effects.studies)
        and _all_small(body)
    ):
        why.append("all studies small and industry funded")
    k = body.fit.k
    few = f"funnel not informative at k = {k}"
    if k >= FUNNEL_K:
        few = "funnel not informative, all studies equally precise"
    funnel = few if p is None else f"Egger p = {p:.3f}"
    down = 1 if why else 0
    rule = "PB2 suspected" if down else "PB1 not suspected"
    if known is None and p is None:
        rule = "PB0 cannot be told"
    mend = "; ".join(f"without: {w}" for w in why) or "results overdue, or an asymmetric funnel"
    return DomainRating("publication bias", -down, -down, rule, "; ".join([*why, funnel]), numbers,
                        mend)  # fmt: skip


def _asymmetry(body: Body) -> float | None:
    se = np.sqrt(body.fit.effects.vi)
    if body.fit.k < FUNNEL_K or np.ptp(se) <= SAME_PRECISION * se.max():
        return None
    return float(egger(body.fit.effects).p_value)


def _all_small(body: Body) -> bool:
    """Whether no study alone reaches the optimal information size."""
    return bool((1 / body.fit.effects.vi < needed_information()).all())


def large_effect(body: Body, downs: int) -> DomainRating:
    """Rate up non-randomised evidence for a large effect when there is no reason to rate down.

    Guyatt G et al. (2011). GRADE guidelines 9. doi:10.1016/j.jclinepi.2011.06.004: a relative risk
    above 2 or below 0.5 one level, above 5 or below 0.2 two; odds and hazard ratios are converted
    at the baseline risk first.
    """
    name = "large effect"
    rr = relative_risk(body, body.fit.estimate)
    if rr is None:
        return DomainRating(name, 0, 0, "UP0 not applicable", "no relative risk without a baseline",
                            would_change="a baseline risk")  # fmt: skip
    size = max(rr, 1 / rr) if rr > 0 else math.inf
    up = 2 if size > 5 else int(size > 2)
    text, numbers = f"relative risk {rr:.2f}", {"relative_risk": rr}
    if up and downs:
        return DomainRating(name, 0, 0, "UP2 large, but rated down elsewhere", text, numbers,
                            "no domain rated down")  # fmt: skip
    rule = ("UP1 not large", "UP3 beyond 2 or 0.5", "UP4 beyond 5 or 0.2")[up]
    return DomainRating(name, up, up, rule, text, numbers)
