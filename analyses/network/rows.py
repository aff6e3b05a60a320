"""Tables of the networks' own answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

import metablin as mb
from metablin.datasets import entries, said
from metablin.network import NetworkFit

from ..cohorts.networks import HUB, Question, inputs
from ..lines import join_ids, records

OUTCOMES = said("network_outcome", "results")
SHORT = {e.code: e.short for e in entries("network_outcome", "results")}
ARMS = said("arm")
DIRECT, INDIRECT = "direct", "indirect"
BLINA, INO = "blinatumomab", "inotuzumab"
PAIRS = ((BLINA, INO), (BLINA, HUB), (INO, HUB))
"""What relapsed adults are compared in, the first over the second."""
SPREADS = (0.1, 0.2, 0.4)
"""Standard deviations between trials that two trials cannot show and might have, as log ratios."""
VARIANTS = {
    "response.full_recovery": "TOWER by full recovery (CR) alone",
    "response.first_218": "INO-VATE by its first 218 patients",
    "mrd.responders": "among responders only: no longer as randomised",
}


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A question with what was read and the network fitted to it."""

    question: Question
    table: pd.DataFrame
    fit: NetworkFit

    def row_ids(self, *pair: str) -> str:
        """Return the rows of the studies that inform a pair: one edge, or both of a path."""
        arms = set(pair) | ({HUB} if HUB not in pair else set())
        with_both = [s for s in self.table["study"].unique() if self._arms(s) <= arms]
        return join_ids(self.table.loc[self.table["study"].isin(with_both), "row_ids"])

    def _arms(self, study: str) -> set[str]:
        own = self.table.loc[self.table["study"] == study]
        columns = [c for c in ("treatment", "treat1", "treat2") if c in own]
        return {str(x) for c in columns for x in own[c]}


def fitted(
    questions: Sequence[Question], rows: dict[str, pd.DataFrame], labels: dict[str, str]
) -> list[Fitted]:
    """Return every question with its network, against chemotherapy."""
    found = []
    for q in questions:
        table = inputs(q, rows[q.table], labels)
        read = table.drop(columns=["row_ids", "definition"])
        net = mb.network(read, measure=q.measure)
        found.append(Fitted(q, table, mb.network_pool(net, reference=HUB)))
    return found


def pair_words(treat1: str, treat2: str) -> str:
    """Return a comparison in words."""
    words = f"{ARMS.get(treat1, treat1)} against {ARMS.get(treat2, treat2)}"
    return words[:1].upper() + words[1:]


def pair_line(one: Fitted, treat1: str, treat2: str) -> dict[str, Any]:
    """Return the effect of one treatment against another with its evidence."""
    found = one.fit.effect(treat1, treat2)
    direct = HUB in (treat1, treat2)
    z = abs(found["effect"]) / found["std_error"]
    return {
        "outcome": one.question.outcome,
        "comparison": pair_words(treat1, treat2),
        "evidence": DIRECT if direct else INDIRECT,
        "measure": one.question.measure,
        "trials": ", ".join(sorted(_studies(one, treat1, treat2))),
        **{c: found[c] for c in ("estimate", "conf_low", "conf_high")},
        "p_value": math.erfc(z / math.sqrt(2)),
        "row_ids": one.row_ids(treat1, treat2),
    }


def _studies(one: Fitted, treat1: str, treat2: str) -> set[str]:
    ids = set(one.row_ids(treat1, treat2).split())
    own = one.table["row_ids"].map(lambda x: bool(set(x.split()) & ids))
    return set(one.table.loc[own, "study"])


def answers(found: Sequence[Fitted]) -> pd.DataFrame:
    """Return all pairs of treatments for every outcome."""
    return pd.DataFrame(
        [
            {"key": f"{one.question.key}.{a}_v_{b}", **pair_line(one, a, b)}
            for one in found
            for a, b in PAIRS
        ]
    )


def listing(found: Sequence[Fitted]) -> pd.DataFrame:
    """Return what was read, one line an arm or a printed ratio; each row of evidence once."""
    lines: dict[str, dict[str, Any]] = {}
    for one in found:
        for row in records(one.table):
            arm = row.get("treatment") or pair_words(row["treat1"], row["treat2"])
            lines.setdefault(
                str(row["row_ids"]).replace(" ", "+"),
                {"trial": row["study"], "outcome": one.question.outcome,
                 "arm": ARMS.get(str(arm), str(arm)), "definition": row["definition"],
                 **{c: row.get(c, math.nan)
                    for c in ("events", "n", "estimate", "conf_low", "conf_high", "level")},
                 "row_ids": row["row_ids"]},
            )  # fmt: skip
    frame = pd.DataFrame([{"key": k, **line} for k, line in lines.items()])
    rank = frame["outcome"].map(list(OUTCOMES).index)
    return frame.iloc[rank.argsort(kind="stable")].reset_index(drop=True)


def alternatives(found: Sequence[Fitted], other: Sequence[Fitted]) -> pd.DataFrame:
    """Return blinatumomab against inotuzumab under other definitions and with other patients."""
    main = {one.question.key: one for one in found}
    lines: list[tuple[Fitted, str]] = []
    for outcome in dict.fromkeys(one.question.outcome for one in other):
        lines.append((main[outcome], "as in the answer above"))
        own = [one for one in other if one.question.outcome == outcome]
        lines += [(one, VARIANTS[one.question.key]) for one in own]
    return pd.DataFrame(
        [{"key": one.question.key, "choice": words, **pair_line(one, BLINA, INO)}
         for one, words in lines]
    )  # fmt: skip


def between(found: Sequence[Fitted]) -> pd.DataFrame:
    """Return blinatumomab against inotuzumab if trials of one comparison differed so much."""
    lines = []
    for one in found:
        for sd in (0.0, *SPREADS):
            fit = mb.network_pool(one.fit.network, tau2=sd**2, reference=HUB)
            effect = fit.effect(BLINA, INO)
            lines.append(
                {"key": f"{one.question.key}.sd_{sd:g}", "outcome": one.question.outcome,
                 "sd": sd, **{c: effect[c] for c in ("estimate", "conf_low", "conf_high")},
                 "row_ids": one.row_ids(BLINA, INO)}
            )  # fmt: skip
    return pd.DataFrame(lines)


def first_relapse(found: Sequence[Fitted]) -> pd.DataFrame:
    """Return blinatumomab against chemotherapy by the network and by the rule for few studies."""
    lines = []
    for one in found:
        network = one.fit.effect(BLINA, HUB)
        rule = mb.pool_contrasts(_effects(one))
        lines.append(
            {"key": one.question.key, "outcome": one.question.outcome,
             "measure": one.question.measure, "trials": ", ".join(one.fit.network.studies),
             "k": one.fit.k,
             "estimate": rule.estimate, "conf_low": rule.conf_low, "conf_high": rule.conf_high,
             "network": network["estimate"], "network_low": network["conf_low"],
             "network_high": network["conf_high"], "tau": math.sqrt(one.fit.tau2),
             "row_ids": join_ids(one.table["row_ids"])}
        )  # fmt: skip
    return pd.DataFrame(lines)


def _effects(one: Fitted) -> mb.EffectSizes:
    """Return blinatumomab against chemotherapy study by study, without a network."""
    table = one.table
    if one.question.measure == "hr":
        columns = (table["estimate"], table["conf_low"], table["conf_high"])
        return mb.hazard_ratios(*columns, studies=table["study"].tolist())
    arms = {arm: part.set_index("study") for arm, part in table.groupby("treatment")}
    first, second = arms[BLINA], arms[HUB].loc[arms[BLINA].index]
    return mb.two_by_two(
        first["events"], first["n"], second["events"], second["n"], measure="or",
        studies=first.index.tolist(),
    )  # fmt: skip
