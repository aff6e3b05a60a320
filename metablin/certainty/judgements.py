"""Risk of bias: signalling answers to domains to an overall judgement, reasons carried along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin.certainty.answers import TOOLS, Answer, Opinion, read_answers, read_opinions
from metablin.certainty.trees import Domain, Tool, Verdict, judge
from metablin.errors import DataError
from metablin.records import Record, json_dict

__all__ = ["Judgement", "RiskOfBias", "risk_of_bias"]

COLUMNS = (
    "study", "outcome", "tool", "domain", "judgement", "algorithm", "best", "worst", "answers",
    "no_information", "reason", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judgement:
    """The risk of bias of one domain, or overall, of one study and outcome.

    Attributes
    ----------
    study, outcome, tool, domain : str
        ``domain`` is ``overall`` for the whole.
    judgement : str
        What counts: the algorithm's, or a person's where there is one.
    algorithm : str
        What the algorithm says.
    best, worst : str
        The judgements that information could still lead to, where there is none now.
    answers : str
        The way through the questions, ``1.2 NI; 1.3 N``.
    no_information : str
        Questions on the way that the report answers with no information or not at all.
    reason, source : str
        As given with the answers on the way.
    """

    study: str
    outcome: str
    tool: str
    domain: str
    judgement: str
    algorithm: str
    best: str
    worst: str
    answers: str
    no_information: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class RiskOfBias(Record):
    """Judgements of risk of bias, domain by domain and overall.

    Attributes
    ----------
    judgements : tuple of Judgement
        In the order of the studies in the answers; the domains of a study, then its overall.
    """

    judgements: tuple[Judgement, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per domain and study, and one for the whole of each."""
        rows = [[getattr(j, name) for name in COLUMNS] for j in self.judgements]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def overall(self, outcome: str | None = None) -> pd.DataFrame:
        """Return the overall judgements: one row per study (and outcome)."""
        frame = self.to_frame()
        frame = frame[frame["domain"] == "overall"]
        if outcome is not None:
            frame = frame[frame["outcome"].isin([outcome, ""])]
        return frame.drop(columns="domain").reset_index(drop=True)

    def of(self, study: str, outcome: str | None = None) -> list[Judgement]:
        """Return the judgements of one study; of one outcome where the table has several."""
        mine = [j for j in self.judgements if j.study == study]
        if outcome is not None and any(j.outcome == outcome for j in mine):
            mine = [j for j in mine if j.outcome == outcome]
        if len({j.outcome for j in mine}) > 1:
            raise DataError("judged for several outcomes", study=study, column="outcome",
                            allowed=" | ".join(dict.fromkeys(j.outcome for j in mine)))  # fmt: skip
        return mine

    def summary(self) -> str:
        """Return the overall judgements as text, each with the domains that led there."""
        lines = []
        for whole in (j for j in self.judgements if j.domain == "overall"):
            name = f"{whole.study}, {whole.outcome}" if whole.outcome else whole.study
            lines.append(f"{name}: {whole.judgement} ({TOOLS[whole.tool].title}; {whole.reason})")
            if whole.best != whole.worst:
                lines.append(f"    with all information: {whole.best} to {whole.worst}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready Python types."""
        return json_dict({"judgements": self.to_frame()})


def risk_of_bias(answers: Any, overrides: Any = None) -> RiskOfBias:
    """Judge risk of bias from signalling answers by the published algorithms.

    Parameters
    ----------
    answers : DataFrame
        One row per signalling question: ``study, domain, question, answer`` and, where there are
        any, ``outcome, reason, source, tool``. Domains of RoB 2 (randomised trials):
        ``randomisation, deviations`` (effect of assignment; ``deviations_adherence`` for that of
        adhering), ``missing_data, measurement, reporting``; of ROBINS-I V2: ``triage``,
        ``confounding`` (or ``confounding_time_varying``), ``classification, selection,
        missing_data, measurement, reporting``; ``D1`` and so on do too. Questions carry the
        tool's numbers (``1.2``, ``B1``). Answers are ``Y PY PN N NI`` (``NA`` where a question
        does not apply), and in ROBINS-I also ``SY WY WN SN``. Where `tool` (``rob2`` or
        ``robins-i``) is not given, the domains tell.
    overrides : DataFrame, optional
        A person's judgements: ``study, domain, judgement, reason`` (and ``outcome``), with
        ``overall`` for the whole; each needs its reason. Whether some concerns in several domains
        add up to a high risk is such a judgement: the algorithm does not count them.

    Returns
    -------
    RiskOfBias
        A question that the table is silent about counts as no information; `best` and `worst`
        say what information could make of the judgement.

    Raises
    ------
    DataError
        Naming the row: an unknown tool, domain, question or answer, a question answered twice, an
        override without a reason.

    References
    ----------
    Sterne JAC et al. (2019). RoB 2. BMJ 366:l4898. doi:10.1136/bmj.l4898
    ROBINS-I V2, draft of 20 November 2025:
    https://sites.google.com/site/riskofbiastool/welcome/robins-i-v2

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({
    ...     "study": "A", "domain": ["randomisation"] * 3, "question": ["1.1", "1.2", "1.3"],
    ...     "answer": ["Y", "NI", "N"], "reason": "randomised 1:1"})
    >>> table = risk_of_bias(answers).to_frame()
    >>> table.loc[0, ["judgement", "answers", "best", "worst"]].tolist()
    ['some concerns', '1.2 NI; 1.3 N', 'low', 'high']
    """
    rows = read_answers(answers)
    opinions = read_opinions(overrides, rows)
    found: list[Judgement] = []
    for key in dict.fromkeys((r.study, r.outcome) for r in rows):
        mine = [r for r in rows if (r.study, r.outcome) == key]
        own = [o for o in opinions if o.study == key[0] and o.outcome in ("", key[1])]
        found += _study(mine, own)
    return RiskOfBias(tuple(found))


def _study(rows: list[Answer], opinions: list[Opinion]) -> list[Judgement]:
    tool = TOOLS[rows[0].tool]
    parts = [_judgement(tool, d, rows, opinions) for d in _asked(tool, rows)]
    if parts[0].domain == "triage":  # critical stops the assessment; otherwise it says: go on
        parts = parts[:1] if parts[0].judgement == tool.judgements[-1] else parts[1:]
    return [*parts, _overall(tool, parts, opinions)]


def _asked(tool: Tool, rows: list[Answer]) -> Iterator[Domain]:
    """Yield the domains to judge: all of the tool, a variant instead of its twin where asked."""
    named = {r.domain for r in rows}
    replaced = {d.variant_of for d in tool.domains if d.name in named}
    for domain in tool.domains:
        optional = domain.name == "triage" or domain.variant_of is not None
        if domain.name in replaced or (optional and domain.name not in named):
            continue
        yield domain


def _judgement(
    tool: Tool, domain: Domain, rows: list[Answer], opinions: list[Opinion]
) -> Judgement:
    mine = {r.question: r for r in rows if r.domain == domain.name}
    verdict: Verdict = judge(tool, domain, {q: r.answer for q, r in mine.items()})
    way = [s.question for s in verdict.steps]
    silent = [s.question for s in verdict.steps if s.answer in (None, "NI", "NA")]
    used = [mine[q] for q in way if q in mine]
    reasons = list(dict.fromkeys(r.reason for r in used if r.reason))
    opinion = next((o for o in opinions if o.domain == domain.name), None)
    if opinion is not None:
        reasons = [f"judged {opinion.judgement}, not {verdict.judgement}: {opinion.reason}"]
    final = verdict.judgement if opinion is None else opinion.judgement
    return Judgement(
        rows[0].study, rows[0].outcome, tool.name, domain.name, final, verdict.judgement,
        verdict.best if opinion is None else final, verdict.worst if opinion is None else final,
        "; ".join(f"{s.question} {s.answer or 'not stated'}" for s in verdict.steps),
        " ".join(silent),
        "; ".join(reasons) or "no information in the table",
        "; ".join(dict.fromkeys(r.source for r in used if r.source)),
    )  # fmt: skip


def _overall(tool: Tool, parts: list[Judgement], opinions: list[Opinion]) -> Judgement:
    worst = tool.worst([p.judgement for p in parts])
    if tool.name == "robins-i" and worst == "low":  # the best that a cohort can reach
        worst = tool.judgements[1]
    why = [p.domain.replace("_", " ") for p in parts if p.judgement == worst]
    reason = f"worst of {len(parts)} domains: {', '.join(why)}" if why else "every domain is low"
    opinion = next((o for o in opinions if o.domain == "overall"), None)
    if opinion is not None:
        reason = f"judged {opinion.judgement}, not {worst}: {opinion.reason}"
    final = worst if opinion is None else opinion.judgement
    first = parts[0]
    return Judgement(
        first.study, first.outcome, tool.name, "overall", final, worst,
        final if opinion else tool.worst([p.best for p in parts]),
        final if opinion else tool.worst([p.worst for p in parts]),
        "; ".join(f"{p.domain} {p.judgement}" for p in parts).replace("_", " "),
        " ".join(p.no_information for p in parts if p.no_information),
        reason,
        "; ".join(dict.fromkeys(p.source for p in parts if p.source)),
    )  # fmt: skip
