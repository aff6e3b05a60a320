"""The door of risk-of-bias answers: rows checked, words read, every fault named by its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin import _input
from metablin.certainty.rob2 import ROB2
from metablin.certainty.robins import ROBINS_I
from metablin.certainty.trees import ANSWERS, Domain, Tool, questions
from metablin.errors import DataError

__all__ = ["TOOLS", "Answer", "Opinion", "read_answers", "read_opinions"]

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (ROB2, ROBINS_I)}

NEEDED = ("study", "domain", "question", "answer")

_WORDS = {
    "yes": "Y", "probably yes": "PY", "probably no": "PN", "no": "N", "no information": "NI",
    "not applicable": "NA", "strong yes": "SY", "weak yes": "WY", "weak no": "WN",
    "strong no": "SN", "": "NI", "nan": "NI",
}  # fmt: skip

# Domains by the other names in use; the keys are in lower case with blanks for underscores.
_ALIASES = {
    "rob2": {
        "d1": "randomisation", "randomization": "randomisation", "1": "randomisation",
        "randomisation process": "randomisation", "randomization process": "randomisation",
        "d2": "deviations", "2": "deviations",
        "deviations from intended interventions": "deviations",
        "d3": "missing_data", "3": "missing_data", "missing outcome data": "missing_data",
        "missing": "missing_data", "missing outcome": "missing_data",
        "d4": "measurement", "4": "measurement", "measurement of the outcome": "measurement",
        "outcome measurement": "measurement",
        "d5": "reporting", "5": "reporting", "selection of the reported result": "reporting",
        "reported result": "reporting", "selective reporting": "reporting",
    },
    "robins-i": {
        "b": "triage", "d1": "confounding", "d1a": "confounding", "1": "confounding",
        "d1b": "confounding_time_varying",
        "d2": "classification", "2": "classification",
        "classification of interventions": "classification",
        "d3": "selection", "3": "selection", "selection of participants": "selection",
        "d4": "missing_data", "4": "missing_data", "missing": "missing_data",
        "d5": "measurement", "5": "measurement", "measurement of the outcome": "measurement",
        "outcome measurement": "measurement",
        "d6": "reporting", "6": "reporting", "selection of the reported result": "reporting",
        "reported result": "reporting", "selective reporting": "reporting",
    },
}  # fmt: skip

_ONLY_ROBINS = {"triage", "confounding", "confounding_time_varying", "classification", "selection"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One signalling answer with where it came from; `row` counts from 1."""

    row: int
    study: str
    outcome: str
    tool: str
    domain: str
    question: str
    answer: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """A person's judgement of a domain, or of ``overall``, in place of the algorithm's."""

    row: int
    study: str
    outcome: str
    domain: str
    judgement: str
    reason: str


def read_answers(data: Any) -> list[Answer]:
    """Return the checked rows of an answers table (see :func:`metablin.risk_of_bias`)."""
    frame = _input.needed(data, NEEDED, ("study", "domain", "question")).reset_index(drop=True)
    if frame.empty:
        raise DataError("no answers", column="answers", allowed="at least one row")
    cells = {name: _texts(frame, name) for name in (*NEEDED, "outcome", "tool", "reason", "source")}
    tools = _tools(cells)
    rows = [_answer(i, {n: c[i] for n, c in cells.items()}, tools) for i in range(len(frame))]
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = (row.study, row.outcome, row.domain, row.question)
        if key in seen:
            raise DataError(f"answered twice, first in row {seen[key]}", row=row.row,
                            column="question", value=row.question, study=row.study)  # fmt: skip
        seen[key] = row.row
    return rows


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame:
        return [""] * len(frame)
    return ["" if pd.isna(v) else str(v).strip() for v in frame[column]]


def _tools(cells: dict[str, list[str]]) -> dict[tuple[str, str], str]:
    """Return the tool of each study and outcome: as written, else told by its domains."""
    tools: dict[tuple[str, str], str] = {}
    keys = list(zip(cells["study"], cells["outcome"], strict=True))
    for i, (key, word, domain) in enumerate(zip(keys, cells["tool"], cells["domain"], strict=True)):
        name = word.lower().replace(" ", "").replace("_", "-")
        name = {"robins": "robins-i", "robins-iv2": "robins-i", "rob-2": "rob2"}.get(name, name)
        if name and name not in TOOLS:
            raise DataError("unknown tool", row=i + 1, column="tool", value=word,
                            allowed=" | ".join(TOOLS), study=key[0])  # fmt: skip
        if not name and _plain(domain).replace(" ", "_") in _ONLY_ROBINS:
            name = "robins-i"
        if name and tools.setdefault(key, name) != name:
            raise DataError(
                f"judged by {tools[key]} in an earlier row",
                row=i + 1,
                column="tool",
                value=name,
                allowed="one tool a study and outcome",
                study=key[0],
            )
    return {key: tools.get(key, "rob2") for key in keys}


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("_", " ").split())


def _answer(i: int, cell: dict[str, str], tools: dict[tuple[str, str], str]) -> Answer:
    tool = TOOLS[tools[cell["study"], cell["outcome"]]]
    domain = _domain(i, cell, tool)
    question = cell["question"].upper().removeprefix("Q").strip()
    asked = list(dict.fromkeys(q for part in _trees(domain) for q in questions(part)))
    if question not in asked:
        raise DataError(
            f"not a question of {tool.title}, domain {domain.name}",
            row=i + 1,
            column="question",
            value=cell["question"],
            allowed=" ".join(sorted(asked, key=_number)),
            study=cell["study"],
        )
    return Answer(
        i + 1, cell["study"], cell["outcome"], tool.name, domain.name, question,
        _word(i, cell, tool), cell["reason"], cell["source"],
    )  # fmt: skip


def _number(question: str) -> tuple[str, int]:
    head, _, tail = question.partition(".")
    return head, int(tail or 0)


def _trees(domain: Domain) -> list[Any]:
    return [*domain.parts, *([domain.then[1]] if domain.then else [])]


def _domain(i: int, cell: dict[str, str], tool: Tool) -> Domain:
    written = _plain(cell["domain"])
    name = _ALIASES[tool.name].get(written, written.replace(" ", "_"))
    found = {d.name: d for d in tool.domains}
    if name not in found:
        raise DataError(
            f"unknown domain of {tool.title}",
            row=i + 1,
            column="domain",
            value=cell["domain"],
            allowed=" | ".join(found),
            study=cell["study"],
        )
    return found[name]


def _word(i: int, cell: dict[str, str], tool: Tool) -> str:
    allowed = ANSWERS if tool.name == "robins-i" else ANSWERS[:6]
    answer = _WORDS.get(_plain(cell["answer"]), cell["answer"].upper())
    if answer not in allowed:
        raise DataError("unknown answer", row=i + 1, column="answer", value=cell["answer"],
                        allowed=" ".join(allowed), study=cell["study"])  # fmt: skip
    return answer


def read_opinions(data: Any, answers: list[Answer]) -> list[Opinion]:
    """Return persons' judgements: columns study, domain, judgement, reason and perhaps outcome."""
    if data is None:
        return []
    frame = _input.needed(data, ("study", "domain", "judgement", "reason"), ("study", "domain"))
    frame = frame.reset_index(drop=True)
    names = ("study", "outcome", "domain", "judgement", "reason")
    cells = {name: _texts(frame, name) for name in names}
    return [_opinion(i, {n: c[i] for n, c in cells.items()}, answers) for i in range(len(frame))]


def _opinion(i: int, cell: dict[str, str], answers: list[Answer]) -> Opinion:
    place: dict[str, Any] = {"row": i + 1, "study": cell["study"]}
    if not cell["reason"]:
        raise DataError("an override needs a reason", column="reason", value="missing", **place)
    mine = [a for a in answers if a.study == cell["study"]]
    mine = [a for a in mine if cell["outcome"] in ("", a.outcome)]
    if not mine:
        raise DataError("an override of a study without answers", column="study", **place)
    tool = TOOLS[mine[0].tool]
    overall = _plain(cell["domain"]) == "overall"
    domain = "overall" if overall else _domain(i, cell, tool).name
    judgement = _plain(cell["judgement"])
    if judgement not in tool.judgements:
        raise DataError("unknown judgement", column="judgement", value=cell["judgement"],
                        allowed=" | ".join(tool.judgements), **place)  # fmt: skip
    return Opinion(i + 1, cell["study"], cell["outcome"], domain, judgement, cell["reason"])
