"""Networks of treatments: what indirect comparison can say of relapsed disease, and what not."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.bias import all_judged
from ..cohorts.networks import ADULTS, CHILDREN, OTHERWISE
from ..cohorts.populations import known_trials
from . import certain, context, figures, limits
from .rows import alternatives, answers, between, first_relapse, fitted, listing

READS = (
    "trials", "contrasts", "proportions", "safety", "survival", "syntheses", "references",
    "screening", "risk_of_bias", "overrides",
)  # fmt: skip


@analysis(reads=READS, order=25)
def network(evidence: Evidence, words: Words) -> Outcome:
    """Compare treatments directly and through chemotherapy; published comparisons beside ours."""
    trials = known_trials(evidence)
    labels = dict(zip(trials["trial_id"], trials["label"], strict=True))
    rows = {t: evidence.load(t, all_rows=True) for t in READS[1:5]}
    published = evidence.load("syntheses").set_index("synthesis_id")
    adults, other, children = (fitted(q, rows, labels) for q in (ADULTS, OTHERWISE, CHILDREN))
    bridged = context.bridged(adults, published)
    answered = answers(adults)
    beside = context.beside(adults, bridged, published)
    return words.outcome(
        {
            "answers": answered,
            "certainty": certain.rated(adults, all_judged(evidence, trials)),
            "inputs": listing(adults + other + children),
            "differences": limits.differences(evidence.load("trials"), rows),
            "hazards": limits.hazards(adults, rows["survival"]),
            "alternatives": alternatives(adults, other),
            "between": between(adults),
            "first_relapse": first_relapse(children),
            "published": beside,
            "explained": context.explained(beside),
            "bridged": context.listed(bridged),
            "unanswered": limits.unanswered(rows, published),
        },
        {
            "graph": figures.graph(adults),
            "adults": figures.forest(answered),
            "published": figures.published(beside),
        },
        extra_sd=f"{context.EXTRA_SD:g}",
    )
