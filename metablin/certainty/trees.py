"""Decision trees of the risk-of-bias tools: questions, branches, and how an answer finds its way.

A tree is a judgement (a word) or a pair of a question and its branches. The keys of the branches
are answers in short, several of them separated by blanks: ``("1.2", {"Y": ..., "N NI": ...})``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["ANSWERS", "Domain", "Node", "Step", "Tool", "Verdict", "judge", "questions"]

Node: TypeAlias = "str | tuple[str, Mapping[str, Node]]"

ANSWERS = ("Y", "PY", "PN", "N", "NI", "NA", "SY", "WY", "WN", "SN")
"""Yes, probably yes, probably no, no, no information, not applicable; strong and weak yes or no."""

# What an answer may stand for where the question does not offer it, nearest first. A plain yes or
# no to a question that asks how strong is read as strong: the side that costs more.
_STANDS_FOR = {
    "Y": ("Y", "SY"),
    "PY": ("Y", "SY"),
    "SY": ("SY", "Y"),
    "WY": ("WY", "Y"),
    "N": ("N", "SN"),
    "PN": ("N", "SN"),
    "SN": ("SN", "N"),
    "WN": ("WN", "N"),
    "NI": ("NI", "N"),  # questions for evidence of something: none known is none
    "NA": ("NI", "N"),
}


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain of a tool.

    Attributes
    ----------
    name, title : str
        Short name in tables; the tool's own.
    parts : tuple of Node
        Trees whose worst judgement counts.
    then : tuple of (str, Node) or None
        When the worst of the parts is this judgement, the tree that decides instead.
    variant_of : str or None
        The domain this one replaces (effect of adhering, time-varying confounding).
    """

    name: str
    title: str
    parts: tuple[Node, ...]
    then: tuple[str, Node] | None = None
    variant_of: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A risk-of-bias tool: its domains, and its judgements from best to worst."""

    name: str
    title: str
    judgements: tuple[str, ...]
    domains: tuple[Domain, ...]

    def worst(self, judgements: list[str]) -> str:
        """Return the worst of some judgements."""
        return max(judgements, key=self.judgements.index)


@dataclass(frozen=True, slots=True)
class Step:
    """One question on the way: the answer given, None where the table is silent."""

    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a domain comes to, the way there, and what missing information could have made of it."""

    judgement: str
    steps: tuple[Step, ...]
    best: str
    worst: str


def judge(tool: Tool, domain: Domain, answers: Mapping[str, str]) -> Verdict:
    """Return the verdict of a domain from its answers by question; silence is no information.

    Examples
    --------
    >>> from metablin.certainty.rob2 import ROB2
    >>> verdict = judge(ROB2, ROB2.domains[0], {"1.1": "Y", "1.3": "N"})
    >>> verdict.judgement, verdict.best, verdict.worst
    ('some concerns', 'low', 'high')
    """
    found, steps, ranges = [], [], []
    for part in domain.parts:
        judgement, way = _walk(part, answers)
        found.append(judgement)
        steps += way
        ranges.append(_range(tool, part, answers))
    judgement = tool.worst(found)
    best, worst = tool.worst([r[0] for r in ranges]), tool.worst([r[1] for r in ranges])
    if domain.then is not None:
        trigger, tree = domain.then
        low, high = _range(tool, tree, answers)
        if judgement == trigger:
            judgement, way = _walk(tree, answers)
            steps += way
        best, worst = (low if best == trigger else best), (high if worst == trigger else worst)
    return Verdict(judgement, tuple(dict.fromkeys(steps)), best, worst)


def questions(node: Node) -> Iterator[str]:
    """Yield every question of a tree, again where it stands on several branches."""
    if isinstance(node, tuple):
        yield node[0]
        for branch in node[1].values():
            yield from questions(branch)


def _branch(node: tuple[str, Mapping[str, Node]], answer: str) -> Node:
    """Return where an answer leads."""
    for meant in _STANDS_FOR[answer]:
        for keys, branch in node[1].items():
            if meant in keys.split():
                return branch
    raise AssertionError(f"question {node[0]} has no branch for {answer}")


def _walk(node: Node, answers: Mapping[str, str]) -> tuple[str, list[Step]]:
    steps = []
    while isinstance(node, tuple):
        given = answers.get(node[0])
        steps.append(Step(node[0], given))
        node = _branch(node, given or "NI")
    return node, steps


def _range(tool: Tool, node: Node, answers: Mapping[str, str]) -> tuple[str, str]:
    """Return the best and the worst judgement that any information in place of none could give."""
    if not isinstance(node, tuple):
        return node, node
    given = answers.get(node[0]) or "NI"
    open_ways = list(node[1].values()) if given in ("NI", "NA") else [_branch(node, given)]
    ends = [_range(tool, way, answers) for way in open_ways]
    order = tool.judgements.index
    return min((e[0] for e in ends), key=order), max((e[1] for e in ends), key=order)
