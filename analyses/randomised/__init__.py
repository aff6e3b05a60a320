"""The randomised comparisons: hazard ratios of blinatumomab against chemotherapy."""

from __future__ import annotations

from metablin.errors import DataError
from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..choices import choices_figure
from ..cohorts.arms import printed_arms
from ..cohorts.bias import all_judged
from ..cohorts.comparisons import ENDPOINTS, choices, comparisons
from ..cohorts.populations import known_trials
from . import absolute
from .figures import absolute_figure, forest_by, left_out_of
from .rows import beside, fitted, left_out, listing, pooled, sensitivity

READS = (
    "trials", "contrasts", "references", "screening", "survival", "at_risk", "risk_of_bias",
    "overrides",
)  # fmt: skip


@analysis(reads=READS, order=20)
def randomised(evidence: Evidence, words: Words) -> Outcome:
    """Pool hazard ratios line by line, and say what they mean in patients and months."""
    trials = known_trials(evidence)
    rows = comparisons(evidence.load("contrasts"), trials)
    if rows.empty:
        raise DataError("no randomised comparison with a hazard ratio", column="contrasts")
    bias = all_judged(evidence, trials)
    pools = list(choices(rows))
    fits = fitted(pools)
    arms = printed_arms(
        evidence.load("survival"), trials, evidence.load("at_risk"), evidence.curves()
    )
    drawn = absolute.drawn_pairs(arms, rows, rows["trial_id"].unique().tolist())
    known = absolute.curves(drawn, dict(zip(trials["trial_id"], trials["population"], strict=True)))
    gains = absolute.by_comparison(known)
    several = {name: (rows["group"] == name).sum() > 1 for name in ENDPOINTS}
    reported = [name for name in ENDPOINTS if (rows["group"] == name).any()]
    answers, others = pooled(pools, fits), sensitivity(pools)
    return words.outcome(
        {
            "pooled": answers,
            "absolute": gains,
            "absolute_pooled": absolute.by_pool(pools, fits, known, arms),
            "comparisons": listing(rows, bias),
            "sensitivity": others,
            "leave_one_out": left_out(rows),
            "not_drawn": absolute.not_drawn(drawn),
        },
        {
            **{name: forest_by(rows, name, bias) for name in reported},
            **({} if others.empty else {"choices": choices_figure(beside(answers, others), True)}),
            **({} if gains.empty else {"absolute": absolute_figure(gains)}),
            **{f"left_out_{name}": left_out_of(rows, name) for name in reported if several[name]},
        },
        draws=absolute.PAIR_DRAWS,
    )
