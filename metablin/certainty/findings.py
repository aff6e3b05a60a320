"""Summary of findings: the table that guideline panels paste."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin import _input
from metablin.certainty.rating import Certainty
from metablin.certainty.words import SIGNS, SUGGESTED
from metablin.errors import DataError
from metablin.records import Record, json_dict

__all__ = ["SummaryOfFindings", "summary_of_findings"]


@dataclass(frozen=True, slots=True, eq=False)
class SummaryOfFindings(Record):
    """One row per outcome (and population), all at one time point.

    Attributes
    ----------
    rows : tuple of Certainty
    at : float
        The time point in months; NaN when no outcome has one.
    convention : str
        Of the starting levels; one for the table.
    """

    rows: tuple[Certainty, ...]
    at: float
    convention: str

    def to_frame(self) -> pd.DataFrame:
        """Return the table for people, as text."""
        return pd.DataFrame([_row(r) for r in self.rows])

    def numbers(self) -> pd.DataFrame:
        """Return the same table as numbers."""
        return pd.DataFrame([_numbers(r) for r in self.rows])

    def summary(self) -> str:
        """Return the table as text, with what it is and who stands behind it."""
        when = "" if math.isnan(self.at) else f" at {self.at:g} months"
        head = f"Summary of findings{when}; {self.convention}; certainty {SUGGESTED}"
        return f"{head}\n{self.to_frame().to_string(index=False)}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready Python types."""
        return json_dict(
            {
                "at": self.at,
                "convention": self.convention,
                "status": SUGGESTED,
                "rows": [r.to_dict() for r in self.rows],
            }
        )


def summary_of_findings(rated: Iterable[Certainty]) -> SummaryOfFindings:
    """Set ratings of several outcomes or populations in one table.

    Parameters
    ----------
    rated : iterable of Certainty
        From :func:`metablin.grade`.

    Returns
    -------
    SummaryOfFindings

    Raises
    ------
    DataError
        When two rows stand at different time points, or follow different conventions of where
        non-randomised evidence starts: such rows cannot be compared.

    References
    ----------
    Guyatt GH et al. (2013). GRADE guidelines 12. doi:10.1016/j.jclinepi.2012.01.012

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.two_by_two([10], [100], [20], [100], measure="rr"))
    >>> rated = mb.grade(fit, "randomised", baseline=0.2, outcome="relapse")
    >>> summary_of_findings([rated]).to_frame()[["without", "with"]].values.tolist()
    [['200 per 1,000', '100 per 1,000 (49 to 203)']]
    """
    rows = tuple(_input.items("rated", rated))
    if not rows:
        raise DataError("no ratings", column="rated", allowed="what grade returns")
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, Certainty):
            raise DataError("not a rating", row=i, column="rated", value=type(row).__name__,
                            allowed="what grade returns")  # fmt: skip
    timed = [(i, r) for i, r in enumerate(rows, start=1) if not math.isnan(r.at)]
    for i, row in timed:
        first = timed[0][1].at
        if row.at != first:
            raise DataError("another time point than in the rows before", row=i, column="at",
                            value=f"{row.at:g}", allowed=f"{first:g} months, or a table of its own",
                            study=row.outcome)  # fmt: skip
    judged = [
        (i, r) for i, r in enumerate(rows, start=1) if r.start in ("non-randomised", "robins-i")
    ]
    for i, row in judged:
        if row.convention != judged[0][1].convention:
            raise DataError(
                "another convention than in the rows before",
                row=i,
                column="start",
                value=row.start,
                allowed=judged[0][1].start,
                study=row.outcome,
            )
    at = timed[0][1].at if timed else math.nan
    convention = judged[0][1].convention if judged else rows[0].convention
    return SummaryOfFindings(rows, at, convention)


def _row(rated: Certainty) -> dict[str, str]:
    patients = "not stated" if math.isnan(rated.patients) else f"{rated.patients:,.0f}"
    out = {
        "outcome": rated.outcome,
        "population": rated.population,
        "patients (studies)": f"{patients} ({rated.fit.k})",
        "effect": rated.relative,
        "without": "",
        "with": "",
        "difference": "",
        "certainty": f"{SIGNS[rated.level]} {rated.word}",
        "lowered for": ", ".join(d.domain for d in rated.domains if d.final < 0),
        "in words": rated.sentence,
    }
    if rated.absolute is not None:
        a = rated.absolute.table.iloc[0]
        out["without"] = f"{a.per_1000_control:.0f} per 1,000"
        out["with"] = (
            f"{a.per_1000_treatment:.0f} per 1,000 "
            f"({1000 * a.risk_low:.0f} to {1000 * a.risk_high:.0f})"
        )
        middle, low, high = (
            _fewer(x) for x in (a.per_1000_difference, a.per_1000_low, a.per_1000_high)
        )
        out["difference"] = f"{middle} ({low} to {high})"
    return out


def _fewer(per_1000: float) -> str:
    count = round(per_1000)
    return f"{abs(count)} {'fewer' if count < 0 else 'more'}" if count else "0"


def _numbers(rated: Certainty) -> dict[str, Any]:
    f = rated.fit
    out: dict[str, Any] = {
        "outcome": rated.outcome, "population": rated.population, "at": rated.at,
        "patients": rated.patients, "studies": f.k, "measure": f.measure, "estimate": f.estimate,
        "conf_low": f.conf_low, "conf_high": f.conf_high, "conf_level": f.level,
        "start_level": rated.start_level, "level": rated.level, "certainty": rated.word,
    }  # fmt: skip
    names = ("per_1000_control", "per_1000_treatment", "per_1000_difference", "per_1000_low",
             "per_1000_high", "nnt", "nnt_low", "nnt_high")  # fmt: skip
    row = None if rated.absolute is None else rated.absolute.table.iloc[0]
    out.update({n: math.nan if row is None else float(row[n]) for n in names})
    out.update({d.domain: d.final for d in rated.domains})
    return out
