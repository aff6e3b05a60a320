"""Every headline as it was known over the years: what each publication moved."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin.certainty import LEVELS
from metablin.datasets import read_date
from metablin.pipeline import Evidence

from ..certainty.questions import (
    SINGLE,
    Body,
    Grading,
    Question,
    rate_bodies,
    survival_bodies,
)
from ..cohorts.comparisons import choices, comparisons
from ..cohorts.responses import (
    MRD_RESPONSES,
    RESPONSES,
    WHOLE,
    candidates,
    one_a_cohort,
    one_definition,
    response_cohorts,
)
from ..lines import join_ids
from ..randomised.absolute import Baseline
from ..safety.answers import Question as Asked

NOW = "all evidence"
RATED = {
    "adult_rr_ph_negative.response": "CR or CRh, relapsed or refractory adults",
    "mrd_positive.mrd": "MRD response, adults in remission with MRD",
    "adult_rr_ph_positive.response": "CR or CRh, relapsed or refractory adults, Ph-positive",
}
RATIOS = {
    "os.adult_rr_ph_negative": "Death, relapsed or refractory adults",
    "os.first_relapse": "Death, first relapse",
    "event_free.first_relapse": "Relapse, another event or death, first relapse",
    "os.first_line_adults": "Death, first line, adults",
    "event_free.first_line_children": "Relapse, another event or death, first line, children",
}
HEADLINES = RATIOS | RATED
ONE_ARM = (
    Question("rr_adults_one_arm", "Relapsed or refractory adults, one arm", "adult_rr_ph_negative"),
    *SINGLE,
)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One headline at one date; the body is None while nothing answers it."""

    date: str
    key: str
    body: Body | None
    sources: frozenset[str]


def dates_of(rows: pd.DataFrame, public: Mapping[str, str]) -> list[str]:
    """Return the days on which a source of any of the rows became public, in order.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of an evidence table, of every date.
    public : mapping of str to str
        Date by source; sources without one are passed over.
    """
    found = {read_date(public[s]) for s in set(rows["source_key"]) if public.get(s)}
    return [d.isoformat() for d in sorted(found)]


def ratios(
    evidence: Evidence, trials: pd.DataFrame, controls: Mapping[str, Baseline], grading: Grading,
    date: str | None,
) -> Iterator[tuple[Body, frozenset[str]]]:  # fmt: skip
    """Yield the pooled hazard ratios of headlines known on a date, and their sources."""
    known = evidence if date is None else evidence.at(date)
    rows = comparisons(known.load("contrasts"), trials)
    pools = [c for c in choices(rows) if c.key in RATIOS]
    sources = {c.key: frozenset(c.rows["source_key"]) for c in pools}
    for body in survival_bodies(pools, controls, grading):
        yield body, sources[body.key]


def rates(
    evidence: Evidence, trials: pd.DataFrame, grading: Grading, date: str | None
) -> Iterator[tuple[Body, frozenset[str]]]:
    """Yield the pooled rates of headlines known on a date, and their sources."""
    known = evidence if date is None else evidence.at(date)
    rows = known.load("proportions")
    response = candidates(rows, trials, RESPONSES)
    mrd = candidates(rows, trials, MRD_RESPONSES)
    asked = []
    if len(response):
        part = one_definition(one_a_cohort(response, WHOLE))
        asked.append(Asked("response", "haematological response (CR or CRh)", part))
    if len(mrd):
        part = response_cohorts(rows, trials, MRD_RESPONSES)
        part = part.loc[part["denominator"] == "evaluable"]
        asked.append(Asked("mrd", "MRD response", part))
    by = dict(zip(rows["row_id"], rows["source_key"], strict=True))
    for body in rate_bodies(asked, grading, ONE_ARM, RATED):
        yield body, frozenset(by[i] for i in body.row_ids.split())


Step = Callable[[str | None], Iterator[tuple[Body, frozenset[str]]]]


def followed(step: Step, dates: Sequence[str], keys: Sequence[str]) -> list[Known]:
    """Return every headline at every date, and with the sources whose date nobody knows."""
    out = []
    for date in [*dates, None]:
        found = {body.key: (body, sources) for body, sources in step(date)}
        for key in keys:
            body, sources = found.get(key, (None, frozenset()))
            out.append(Known(date or NOW, key, body, sources))
    return out


def moves(known: Sequence[Known], names: Mapping[str, str]) -> pd.DataFrame:
    """Return one line for every date at which a headline's number changed, and what moved it.

    Parameters
    ----------
    known : sequence of Known
    names : mapping of str to str
        Citation by source.
    """
    lines = []
    for key, title in HEADLINES.items():
        before: Known | None = None
        for one in (k for k in known if k.key == key):
            if one.body is not None and (before is None or _moved(before, one)):
                lines.append(_line(title, one, before, names))
                before = one
    return pd.DataFrame(lines)


def _moved(before: Known, now: Known) -> bool:
    assert before.body is not None
    assert now.body is not None
    a, b = before.body.rated, now.body.rated
    return (a.fit.estimate, a.fit.conf_low, a.fit.conf_high, a.level) != (
        b.fit.estimate, b.fit.conf_low, b.fit.conf_high, b.level,
    )  # fmt: skip


def _line(title: str, now: Known, before: Known | None, names: Mapping[str, str]) -> dict[str, Any]:
    assert now.body is not None
    rated = now.body.rated
    fresh = sorted(now.sources - (before.sources if before else frozenset()))
    gone = sorted((before.sources if before else frozenset()) - now.sources)
    last = before.body.rated if before and before.body else None
    return {
        "key": f"{now.key}.{now.date.replace(' ', '_')}",
        "headline": title,
        "date": now.date,
        "k": rated.fit.k,
        "patients": rated.patients,
        "estimate": rated.fit.estimate,
        "conf_low": rated.fit.conf_low,
        "conf_high": rated.fit.conf_high,
        "unit": "proportion" if rated.fit.measure == "proportion" else "ratio",
        "change": float("nan") if last is None else rated.fit.estimate - last.fit.estimate,
        "level": rated.level,
        "certainty": LEVELS[rated.level],
        "certainty_before": "" if last is None else LEVELS[last.level],
        "moved_by": "; ".join(names.get(s, s) for s in fresh),
        "gave_way": "; ".join(names.get(s, s) for s in gone),
        "studies": ", ".join(rated.fit.effects.studies),
        "row_ids": join_ids(now.body.row_ids.split()),
    }


def as_year(date: str, last: datetime.date) -> float:
    """Return a date as a year with its fraction; all evidence stands at the last date."""
    day = last if date == NOW else datetime.date.fromisoformat(date)
    return day.year + (day.timetuple().tm_yday - 1) / 365.25
