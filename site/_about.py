"""How the review was made: searches, flow, what was left out, bias, citation, changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape

import yaml
from _lists import behind, listed
from _page import RESULTS, described, raw, say, sentences

import metablin as mb
from metablin.datasets import data_directory
from metablin.report import Column, format_number
from metablin.report.words import typeset

__all__ = [
    "bias",
    "changes",
    "citation",
    "counts",
    "excluded",
    "flow",
    "last_search",
    "reasons",
    "searches",
]

NOT_RECORDED = "not recorded"
SITE = RESULTS.parent


def meanings() -> dict[str, str]:
    """Return what every reason for leaving something out means, as the descriptor says it."""
    text = (data_directory() / "datapackage.json").read_text("utf-8")
    tables = {t["name"]: t for t in json.loads(text)["resources"]}
    fields = {f["name"]: f for f in tables["screening"]["schema"]["fields"]}
    told = fields["reason_code"]["description"].partition(". ")[2].rstrip(".")
    return dict(part.strip().split(": ", 1) for part in told.split(";"))


def last_search() -> str:
    """Return the day of the last search that was recorded."""
    dates = mb.load("searches", all_rows=True)["date"].astype(str)
    return str(max(d for d in dates if re.fullmatch(r"\d{4}-\d\d-\d\d", d)))


def counts() -> dict[str, str]:
    """Return how many cohorts were looked at, used and left out, and how many reports are cited."""
    screened = mb.load("screening", all_rows=True)
    cohorts = screened.loc[screened["stage"] == "cohort"]
    reports = screened.loc[screened["stage"] == "report"]
    numbers = {
        "cohorts": len(cohorts),
        "included": (cohorts["decision"] == "included").sum(),
        "left_out": (cohorts["decision"] == "left_out").sum(),
        "reports": len(mb.load("references", all_rows=True)),
        "reports_left_out": (reports["decision"] == "left_out").sum(),
    }
    return {name: format_number(float(n), "count") for name, n in numbers.items()}


SEARCHES = (
    Column("source", "Source", codes="text"),
    Column("date", "Date"),
    Column("strategy", "What was looked for", codes="text"),
    Column("found", "Found"),
    Column("kept", "Kept"),
    Column("note", "Remark", codes="text"),
)


def searches() -> None:
    """Show every search with its date and what came of it."""
    frame = mb.load("searches", all_rows=True).astype(str)
    links = behind("evidence/searches.csv")
    listed(frame, SEARCHES, "searches", "Sources and searches", links,
           "What was not counted says so; nothing is guessed.")  # fmt: skip


def reasons(stage: str) -> list[tuple[str, int]]:
    """Return why cohorts, or reports, were left out and how many, most frequent first."""
    screened = mb.load("screening", all_rows=True)
    own = screened.loc[(screened["stage"] == stage) & (screened["decision"] == "left_out")]
    said = meanings()
    return [(said[str(code)], int(n)) for code, n in own["reason_code"].value_counts().items()]


def flow() -> None:
    """Show the flow of reports and cohorts as boxes."""
    n = counts()
    sources = mb.load("searches", all_rows=True).astype(str)
    searched = sources.loc[sources["kind"] != "database"]
    names = [
        f"{typeset(source)} (number found: {found}; kept: {kept})"
        for source, found, kept in searched[["source", "found", "kept"]].itertuples(index=False)
    ]
    steps = [
        ("Identification", box("Sources", [escape(x) for x in names]),
         box("Duplicates removed", [NOT_RECORDED])),
        ("Reports", box(f"{n['reports']} reports cited in the base", []),
         box(f"{n['reports_left_out']} reports left out", why("report"))),
        ("Cohorts", box(f"{n['cohorts']} cohorts looked at", []),
         box(f"{n['left_out']} cohorts left out of the pools", why("cohort"))),
        ("Included", box(f"{n['included']} cohorts that a pool may use", []), ""),
    ]  # fmt: skip
    body = "".join(
        f'<div class="flow-step"><strong>{name}</strong>{left}{right or "<div></div>"}</div>'
        for name, left, right in steps
    )
    caption = sentences(
        "Flow of reports and cohorts",
        "After the PRISMA statement; what the first searches found was not kept and is not guessed",
    )
    boxes = raw(f'<div class="flow">{body}</div>')
    say(f"::: {{#fig-about-flow}}\n\n{boxes}\n\n{caption} [Data](evidence/screening.csv)\n\n:::")


def why(stage: str) -> list[str]:
    """Return reasons with their counts, as lines of a box."""
    return [f"{n} {escape(words)}" for words, n in reasons(stage)]


def box(title: str, lines: Iterable[str]) -> str:
    """Return a box of the flow."""
    items = "".join(f"<li>{line}</li>" for line in lines)
    whole = f"<ul>{items}</ul>" if items else ""
    return f'<div class="flow-box"><p>{title}</p>{whole}</div>'


EXCLUDED = (
    Column("report", "Cohort or report", codes="text"),
    Column("stage", "Stage", role="group"),
    Column("reason", "Why it is left out", codes="text"),
    Column("source_key", "Source", codes="names"),
)


def excluded() -> None:
    """Show everything that was left out, each with its reason."""
    screened = mb.load("screening", all_rows=True)
    own = screened.loc[screened["decision"] == "left_out"].fillna("").astype(str)
    own = own.assign(stage=own["stage"].map({"cohort": "Cohorts", "report": "Reports"}))
    listed(own, EXCLUDED, "excluded", "What was left out, and why",
           behind("evidence/screening.csv"))  # fmt: skip


def bias(outcome: str, words: str) -> None:
    """Show the risk of bias of the randomised comparisons for one outcome."""
    name = f"drawn/risk_of_bias_{outcome}"
    judged = mb.risk_of_bias(mb.load("risk_of_bias")).overall()
    own = judged.loc[(judged["outcome"] == outcome) & (judged["tool"] == "rob2")]
    parts = "; ".join(f"{j}: {n}" for j, n in own["judgement"].value_counts().items())
    alt = described(f"Risk of bias of {len(own)} randomised comparisons, {words}, overall: {parts}")
    caption = sentences(
        f"Risk of bias: {words}",
        "A light a domain (RoB 2): green low, yellow some concerns, red high; the sign says it too",
        "Judged by the published algorithm from answers that each have a reason and a source",
    )
    say(
        f"::: {{#fig-about-bias-{outcome.replace('_', '-')}}}\n\n"
        f'![]({name}.svg){{fig-alt="{alt}"}}\n\n'
        f"{caption} [Data](evidence/risk_of_bias.csv) · [SVG]({name}.svg) · "
        f"[PNG]({name}.png)\n\n:::"
    )


def citation() -> None:
    """Show how to cite the review, as a sentence and as BibTeX, from the file CITATION.cff."""
    cff = yaml.safe_load((SITE / "CITATION.cff").read_text("utf-8"))
    about = json.loads((SITE / "_variables.yml").read_text("utf-8"))
    date = str(about["evidence"]["date"])
    names = [a.get("name") or f"{a['family-names']} {a['given-names']}" for a in cff["authors"]]
    year, version = date[:4], cff["version"]
    title = f"{cff['title']}. Living review, version {version}"
    doi = cff.get("doi")
    archive = f"https://doi.org/{doi}" if doi else "no archive DOI yet"
    fields = {
        "author": " and ".join(f"{{{n}}}" for n in names), "title": f"{{{title}}}", "year": year,
        "note": f"Evidence of {date}; data {about['evidence']['digest']}",
    } | ({"doi": doi} if doi else {})  # fmt: skip
    lines = ",\n".join(f"  {k} = {{{v}}}" for k, v in fields.items())
    say(
        f"{', '.join(names)} ({year}). *{title}.* Evidence of {date}; {archive}.\n\n"
        f"```bibtex\n@misc{{metablin{year},\n{lines}\n}}\n```\n\n"
        "A figure: the same, with the title of the figure and the address its *Link* gives."
    )


def changes(heading: str) -> None:
    """Show a part of the list of changes of the newest version, folded."""
    file = RESULTS / "news.md"
    text = file.read_text("utf-8") if file.is_file() else ""
    part = re.search(rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.S | re.M)
    lines = [li for li in part[1].strip().splitlines() if li.startswith("- ")] if part else []
    if not lines:
        say("No change is listed for this version.")
        return
    marked = (re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(li[2:])) for li in lines)
    items = "".join(f"<li>{li.replace('*', '')}</li>" for li in marked)
    say(raw(f"<details><summary>{len(lines)} entries</summary><ul>{items}</ul></details>"))
