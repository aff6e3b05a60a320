"""What the page "Ask your own question" offers: the studies behind the pools."""

from __future__ import annotations

import json
from typing import Any

from _home import ANSWERS, certainty
from _page import number, raw, say

import metablin as mb
from metablin.datasets import said

__all__ = ["explore", "questions"]

RATIOS = {"os": "Overall survival", "event_free": "Survival without relapse or another event"}
ENDPOINTS = {"os": ("os",), "event_free": ("efs", "dfs", "rfs")}
COHORTS = {
    "response/cohorts": ("response", "Complete remission", "of patients in complete remission"),
    "mrd/response_cohorts": ("mrd", "Clearing residual disease", "of patients clear of MRD"),
}
"""Tables of counts: a name for the address, the question, what is counted."""
POOLS = {
    "response": ("response/pooled", "response/by_definition"),
    "mrd": ("mrd/response", "mrd/response_detailed"),
    "os": ("randomised/pooled",),
    "event_free": ("randomised/pooled",),
}
"""Published pools from which a reader starts; what cannot be found in the rows is left out."""
FILTERS = {
    "population": "Population",
    "definition": "Definition",
    "design": "Design",
    "age_group": "Age",
    "denominator": "Counted among",
    "timepoint": "When",
    "risk_of_bias": "Risk of bias",
}
UNKNOWN = "not judged"
MONTHS = 24
"""Month of the absolute effect of a ratio, where the home page names none for the pool."""
NAMED = {f"os.{answer.pool}": answer.months for answer in ANSWERS}


def explore() -> None:
    """Put the data and the frame of the page; the script `assets/explore.js` fills it."""
    text = json.dumps(questions(), ensure_ascii=False, separators=(",", ":"))
    text = text.replace("</", "<\\/")
    say(
        raw(
            '<div id="explore"><p class="without-script">Pooling needs JavaScript. Without it the '
            "rows are in the tables below, and the code of a pool is in "
            '<a href="statisticians/pool.html">How to pool studies</a>.</p></div>'
            f'<script type="application/json" id="explore-data">{text}</script>'
        )
    )


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its rows, what to choose by, and the published pools."""
    found = [ratio_question(name) for name in RATIOS] if number.has("randomised") else []
    return [*found, *(count_question(path) for path in COHORTS if number.has(path))]


def ratio_question(name: str) -> dict[str, Any]:
    """Return the randomised comparisons of one endpoint."""
    frame = number.table("randomised/comparisons").frame
    frame = frame.loc[frame["endpoint"].isin(ENDPOINTS[name])]
    judged = bias(name)
    frame = frame.assign(
        risk_of_bias=[
            next((judged[i] for i in str(ids).split() if i in judged), UNKNOWN)
            for ids in frame["row_ids"]
        ]
    )
    rows = [
        {"key": r["key"], "study": r["trial"], "estimate": r["estimate"], "low": r["conf_low"],
         "high": r["conf_high"], "level": r.get("conf_level", 0.95), "size": r["n"],
         **chosen_by(r)}
        for r in frame.to_dict(orient="records")
    ]  # fmt: skip
    return {
        "name": name,
        "label": f"{RATIOS[name]}: blinatumomab against chemotherapy",
        "measure": "hr",
        "what": "died" if name == "os" else "had an event",
        "months": MONTHS,
        "rows": rows,
        "pools": pools(name, rows),
        "filters": {c: w for c, w in FILTERS.items() if any(r.get(c) for r in rows)},
    }


def bias(outcome: str) -> dict[str, str]:
    """Return the overall risk of bias of every trial judged for an outcome."""
    overall = mb.risk_of_bias(mb.load("risk_of_bias")).overall()
    own = overall.loc[overall["outcome"] == outcome]
    return dict(zip(own["study"], own["judgement"], strict=True))


def count_question(path: str) -> dict[str, Any]:
    """Return the cohorts of one outcome that is counted."""
    name, label, what = COHORTS[path]
    frame = number.table(path).frame
    rows = [
        {"key": r["key"], "study": r["study"], "events": int(r["events"]), "n": int(r["n"]),
         **chosen_by(r)}
        for r in frame.to_dict(orient="records")
    ]  # fmt: skip
    return {
        "name": name,
        "label": f"{label}: single cohorts given blinatumomab",
        "measure": "proportion",
        "what": what,
        "rows": rows,
        "pools": pools(name, rows),
        "filters": {c: w for c, w in FILTERS.items() if len({r.get(c) for r in rows} - {None}) > 1},
    }


def chosen_by(row: dict[Any, Any]) -> dict[str, str]:
    """Return the columns of a row that a reader can choose by, in words."""
    known = {c: str(row[c]) for c in FILTERS if c in row and row[c] == row[c]}
    words = {"population": said("population", "results"), "design": said("design")}
    return {c: words.get(c, {}).get(text, text) for c, text in known.items()}


def pools(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the published pools over these rows: label, keys of their rows, numbers."""
    keys = {row["key"] for row in rows}
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in (p for p in POOLS[name] if number.has(p)):
        frame = number.table(path).frame
        for line in frame.loc[frame["estimate"].notna()].to_dict(orient="records"):
            inside = tuple(i for i in str(line["row_ids"]).split() if i in keys)
            mine = "." not in str(line["key"]) or not str(line["key"]).startswith(tuple(RATIOS))
            if len(inside) != line["k"] or not (mine or str(line["key"]).startswith(f"{name}.")):
                continue
            words = [str(line[c]) for c in ("group", "definition", "of_whom") if c in line]
            if inside not in found or str(line["key"]) in NAMED:  # the name that other pages use
                found[inside] = pool(path, line, ": ".join(words), inside)
    return sorted(found.values(), key=lambda p: len(p["rows"]) < 2)  # a choice of studies first


def pool(path: str, line: dict[Any, Any], label: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return one published pool."""
    numbers = {c: line[c] for c in ("estimate", "conf_low", "conf_high")}
    out = {"name": line["key"], "path": path, "label": label, "rows": list(keys), **numbers}
    months = NAMED.get(str(line["key"]), MONTHS)
    base = f"randomised/absolute_pooled/{line['key']}.{months}"
    out["certainty"] = certainty(str(line["key"]))
    if number.has(base):
        out["months"] = months
        out["baseline"] = round(100 * float(number.row(base)["survival_control"]))
    return out
