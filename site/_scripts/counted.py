"""Where a trial counts: the pools it is in, its weight, their answers, and what if it were out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cells import Row as Evidence
from cells import block, card_table, html, line
from patients import reason_words

from metablin.report import format_number
from metablin.report.inline import WIDE, Inline

WEIGHTS = "pools/weights"
PLACES = {
    "randomised/pooled": ("survival.html#tbl-randomised-pooled", "Survival", "hazard ratio "),
    "survival/pooled": ("survival.html#tbl-survival-pooled", "Survival", "median "),
    "response/pooled": ("response.html#tbl-response-pooled", "Response", ""),
    "response/by_definition": ("response.html#tbl-response-by-definition", "Response", ""),
    "mrd/response": ("mrd.html#tbl-mrd-response", "MRD", ""),
    "mrd/transplant": ("mrd.html#tbl-mrd-transplant", "MRD", ""),
    "mrd/responders_pooled": ("mrd.html#tbl-mrd-responders-pooled", "MRD", "hazard ratio "),
    "certainty/grades": ("certainty.html#tbl-certainty-grades", "Certainty", "risk ratio "),
    "safety/answers": ("safety.html#tbl-safety-answers", "Safety", ""),
}
"""Where each table of answers is read, the name of that page, and what its numbers are."""
SHARED = ("Pool", "Weight", "Answer of the pool", "Certainty", "Without this trial")
ALONE_HEADS = ("Question", "Patients", "Answer", "Certainty")
RULE = (
    "A weight is what the forest plot of the pool prints; who is in which pool, by which rule, is "
    "on [a page of its own](../pools.qmd)."
)
ALONE = "its weight is all of it, and without it nothing would be left."
ROLES = {"both arms": "both arms", "control group": "its control group"}
COUNTS = {2: "two", 3: "three"}
Row = dict[str, Any]


class Counted:
    """The pools of every trial, with links to their answers and to the page that pools again.

    Parameters
    ----------
    site : Path
        Folder of the documents, with the results beside them.
    """

    def __init__(self, site: Path) -> None:
        self._number = Inline(site / "results")
        self._there = self._number.has("pools")
        if not self._there:
            return
        frame = self._number.table(WEIGHTS).frame.fillna({"graded": ""})
        self._rows: list[Row] = [
            {str(k): v for k, v in r.items()} for r in frame.to_dict(orient="records")
        ]
        left_out = self._number.table("pools/left_out").frame
        self._reasons = dict(zip(left_out["key"], left_out["reason"], strict=True))
        self._views = views(site)
        ids: dict[str, set[str]] = {}
        for row in self._rows:
            ids.setdefault(row["answer"], set()).update(row["row_ids"].split())
        self._pools = ids

    def words(self, trial: str, rows: Sequence[Evidence]) -> str:
        """Return where a trial counts, as text and a table, or why nowhere.

        Parameters
        ----------
        trial : str
        rows : sequence of mapping
            Its evidence rows.
        """
        if not self._there:
            return "The results of who is in which pool are not part of this edition of the site."
        own = [r for r in self._rows if r["trial_id"] == trial]
        parts = []
        if trial in self._reasons:
            reason = reason_words(str(self._reasons[trial]))
            parts.append(f"No pool takes its patients on blinatumomab: {escape(reason)}.")
        alone = [r for r in own if r["k"] == r["cohorts"]]
        shared = [r for r in own if r not in alone]
        if shared:
            parts += [f"{sharing(len(shared))} {RULE}", html(self._shared(shared))]
        if alone:
            what = "one question" if len(alone) == 1 else f"{len(alone)} questions"
            parts += [f"It answers {what} alone: {ALONE}", html(self._alone(alone))]
        parts += self._rates(rows)
        return "\n\n".join(parts) or "It is in no pool that is an answer here."

    def _rates(self, rows: Sequence[Evidence]) -> list[str]:
        """Return how many pooled rates of adverse events hold rows of a trial, as a sentence."""
        if not self._number.has("safety/rates"):
            return []
        mine = {row["row_id"] for row in rows if row["table"] == "safety"}
        rates = self._number.table("safety/rates").frame
        rates = rates.loc[rates["design"] != "all"]
        n = sum(not mine.isdisjoint(str(ids).split()) for ids in rates["row_ids"])
        if not n:
            return []
        return [
            f"Its counts are in {n} pooled {'rate' if n == 1 else 'rates'} of adverse events; all "
            "are on the page [Safety](../safety.qmd)."
        ]

    def _shared(self, own: list[Row]) -> str:
        """Return the pools with other studies in them: weight, answer, and the pool without it."""
        lines, question = [], ""
        for row in own:
            if row["question"] != question:
                question = row["question"]
                lines.append(block(question, len(SHARED)))
            cells = (weight(row), self._answer(row), self._certainty(row), self._without(row))
            lines.append(line(escape(row["pool"]), cells, SHARED[1:], ROLES.get(row["role"], "")))
        return card_table(SHARED, lines)

    def _alone(self, own: list[Row]) -> str:
        """Return the questions that the trial answers alone."""
        lines = []
        for row in own:
            cells = (whose(row), self._answer(row), self._certainty(row))
            lines.append(line(escape(row["question"]), cells, ALONE_HEADS[1:]))
        return card_table(ALONE_HEADS, lines)

    def _answer(self, row: Row) -> str:
        """Return the answer of a pool and a link to the page that gives it."""
        path = row["answer"].rpartition("/")[0]
        place, page, measure = PLACES[path]
        if not self._number.has(row["answer"]):
            return "not part of this edition"
        if path == "survival/pooled":
            text = median(self._number.row(row["answer"]))
        elif path == "safety/answers":
            text = rate(self._number.row(row["answer"]))
        else:
            text = self._number.estimate(row["answer"])
        return f'{measure}{escape(text)}; page <a href="../{place}">{page}</a>'

    def _certainty(self, row: Row) -> str:
        """Return the certainty of a pool in GRADE's words, with a link to its reasons."""
        ways = (
            ("certainty/grades", "certainty.html#tbl-certainty-grades"),
            ("safety/answers", PLACES["safety/answers"][0]),
        )
        for table, place in ways:
            path = f"{table}/{row['graded']}"
            if row["graded"] and self._number.has(path):
                word = str(self._number.row(path)["certainty"])
                kind = word.replace(" ", "-")
                return f'<a class="grade grade-{kind}" href="../{place}">{escape(word)}</a>'
        return "not graded"

    def _without(self, row: Row) -> str:
        """Return a link to the pool without this trial, where the page that pools again has it."""
        found = self._views.get(frozenset(self._pools[row["answer"]]))
        if found is None:
            return "not offered"
        question, pool = found
        out = ",".join(row["row_ids"].split())
        address = f"../explore.html#q={question}&from={pool}&out={out}"
        return f'<a href="{escape(address)}">pool without it</a>'


def views(site: Path) -> dict[frozenset[str], tuple[str, str]]:
    """Return the pools of the page "Ask your own question": question and name, by their rows."""
    sys.path.insert(0, str(site))
    try:
        from _explore import questions

        return {
            frozenset(pool["rows"]): (question["name"], pool["name"])
            for question in questions()
            for pool in question["pools"]
        }
    finally:
        sys.path.remove(str(site))


def sharing(pools: int) -> str:
    """Return how many pools a trial shares with other studies, as a sentence."""
    return f"It shares {'one pool' if pools == 1 else f'{pools} pools'} with other studies."


def whose(row: Row) -> str:
    """Return the pool of a line and, where it is not the patients on blinatumomab, whose it is."""
    role = ROLES.get(row["role"], "")
    return escape(row["pool"]) + (f"<small>{role}</small>" if role else "")


def weight(row: Mapping[str, Any]) -> str:
    """Return the weight of a trial in a pool as its forest plot prints it, or why there is none."""
    many = f"one of {row['k']} cohorts"
    if row["cohorts"] > 1:
        many = f"{COUNTS.get(row['cohorts'], row['cohorts'])} of {row['k']} cohorts"
    if row["weight"] == row["weight"]:
        return f"{100 * row['weight']:.1f}%, {many}"
    if row["share"] == row["share"]:
        share = format_number(row["share"], "proportion", 0)
        return f"{share} of the patients, {many}; the model gives no weights"
    return f"{many}; the model gives no weights"


def rate(row: Mapping[str, Any]) -> str:
    """Return a rate with its interval, whole per cent where that is wider than five points."""
    digits = 0 if row["conf_high"] - row["conf_low"] > WIDE else 1
    values = (row[c] for c in ("estimate", "conf_low", "conf_high"))
    value, low, high = (format_number(v, "proportion", digits) for v in values)
    return f"{value} (95% CI {low} to {high})"


def median(row: Mapping[str, Any]) -> str:
    """Return a median in months with its interval; what the curve does not reach, in words."""
    open_ = str(row["not_reached"]).split()
    value, low, high = (
        "not reached" if c in open_ else format_number(row[c], "months")
        for c in ("estimate", "conf_low", "conf_high")
    )
    unit = "" if value == "not reached" else " months"
    return f"{value}{unit} (95% CI {low} to {high})"
