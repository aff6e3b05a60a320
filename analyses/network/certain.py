"""How certain the indirect comparisons are: GRADE, from the trial that is judged and the detour."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

import metablin as mb
from metablin.certainty import RiskOfBias

from ..cohorts.bias import of_outcome
from .rows import BLINA, INO, OUTCOMES, Fitted, pair_line

DETOUR = [
    {
        "aspect": "indirect comparison",
        "severity": "serious",
        "reason": "through the chemotherapy arms of two trials whose patients differ",
    }
]
JUDGED = {"os": "os"}
RANKS = ("low", "some concerns", "high")
OTHERWISE = "event_free"
"""Outcomes that are not judged apart take the judgement of event-free survival, as harms do."""


def rated(found: Sequence[Fitted], judged: RiskOfBias) -> pd.DataFrame:
    """Return the certainty of blinatumomab against inotuzumab, an outcome a line.

    An indirect estimate starts as the randomised comparisons it is made of and loses what the worst
    of them loses, a level for the detour, and what its own interval costs (Puhan et al. 2014,
    doi:10.1136/bmj.g5630).

    Parameters
    ----------
    found : sequence of Fitted
    judged : RiskOfBias
        Of the trials by their labels. A trial that is not judged is named.
    """
    return pd.DataFrame([_line(one, judged) for one in found])


def _line(one: Fitted, judged: RiskOfBias) -> dict[str, object]:
    line = pair_line(one, BLINA, INO)
    effect = one.fit.effect(BLINA, INO)
    measure, name = one.question.measure, one.question.outcome
    e = mb.log_effects([effect["effect"]], [effect["std_error"]], measure=measure,
                       studies=[line["trials"]])  # fmt: skip
    overall = of_outcome(judged, JUDGED.get(name, OTHERWISE)).overall()
    known = overall.loc[overall["study"].isin(str(line["trials"]).split(", "))]
    worst = max(known["judgement"], key=RANKS.index, default="")
    rating = mb.grade(
        mb.pool(e, model="common"),
        "randomised",
        risk_of_bias={line["trials"]: worst} if worst else None,
        indirectness=DETOUR,
        outcome=OUTCOMES[name],
        intervention="blinatumomab rather than inotuzumab",
    )
    silent = sorted(set(str(line["trials"]).split(", ")) - set(known["study"]))
    return {
        "key": one.question.key,
        **{c: line[c] for c in ("outcome", "measure", "estimate", "conf_low", "conf_high")},
        "certainty": rating.word,
        "lowered": ", ".join(d.domain for d in rating.domains if d.final < 0),
        "not_judged": ", ".join(silent),
        "level": rating.level,
        "status": rating.status,
        "row_ids": line["row_ids"],
    }
