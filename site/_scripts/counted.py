"""Where a trial counts: the pools it is in, its weight, their answers, and what if it were out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from cells import html
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
HEADS = ("Pool", "Weight", "Answer of the pool", "Certainty", "Without this trial")
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

    def words(self, trial: str, rows: pd.DataFrame) -> str:
        """Return where a trial counts, as text and a table, or why nowhere.

        Parameters
        ----------
        trial : str
        rows : pandas.DataFrame
            Its evidence rows.
        """
        if not self._there:
            return "The results of who is in which pool are not part of this edition of the site."
        own = [r for r in self._rows if r["trial_id"] == trial]
        parts = []
        if trial in self._reasons:
            reason = reason_words(str(self._reasons[trial]))
            parts.append(f"No pool takes its patients on blinatumomab: {escape(reason)}.")
        if own:
            parts.append(
                f"{standing(own)} A weight is what the forest plot of the pool prints; who is in "
                "which pool, by which rule, is on [a page of its own](../pools.qmd)."
            )
            parts.append(html(self._table(own)))
        parts += self._rates(rows)
        return "\n\n".join(parts) or "It is in no pool that is an answer here."

    def _rates(self, rows: pd.DataFrame) -> list[str]:
        """Return how many pooled rates of adverse events hold rows of a trial, as a sentence."""
        if not self._number.has("safety/rates"):
            return []
        mine = set(rows.loc[rows["table"] == "safety", "row_id"])
        rates = self._number.table("safety/rates").frame
        rates = rates.loc[rates["design"] != "all"]
        n = sum(not mine.isdisjoint(str(ids).split()) for ids in rates["row_ids"])
        if not n:
            return []
        return [
            f"Its counts are in {n} pooled {'rate' if n == 1 else 'rates'} of adverse events; all "
            "are on the page [Safety](../safety.qmd)."
        ]

    def _table(self, own: list[Row]) -> str:
        head = "".join(f'<th scope="col">{words}</th>' for words in HEADS)
        body, question = [], ""
        for row in own:
            if row["question"] != question:
                question = row["question"]
                body.append(
                    f'<tr class="block"><th scope="colgroup" colspan="{len(HEADS)}">'
                    f"{escape(question)}</th></tr>"
                )
            whose = f"<small>{ROLES[row['role']]}</small>" if row["role"] in ROLES else ""
            cells = (weight(row), self._answer(row), self._certainty(row), self._without(row))
            body.append(
                f'<tr><th scope="row">{escape(row["pool"])}{whose}</th>'
                + "".join(
                    f'<td data-label="{label}">{cell}</td>'
                    for label, cell in zip(HEADS[1:], cells, strict=True)
                )
                + "</tr>"
            )
        return (
            f'<div class="scroll"><table class="sof counted"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
        )

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
        if row["cohorts"] == row["k"]:
            return "nothing is left"
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


def standing(own: list[Row]) -> str:
    """Return how many pools a trial shares with others, and how many questions it answers alone."""
    alone = sum(r["k"] == r["cohorts"] for r in own)
    shared = len(own) - alone
    parts = []
    if shared:
        pools = "one pool" if shared == 1 else f"{shared} pools"
        parts.append(f"shares {pools} with other studies")
    if alone:
        parts.append(f"answers {'one question' if alone == 1 else f'{alone} questions'} alone")
    return f"It {' and '.join(parts)}."


def weight(row: Mapping[str, Any]) -> str:
    """Return the weight of a trial in a pool as its forest plot prints it, or why there is none."""
    if row["cohorts"] == row["k"]:
        return "alone"
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
