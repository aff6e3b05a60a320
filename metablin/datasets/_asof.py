"""What was known on a date: rows by the day their source became public."""

from __future__ import annotations

import calendar
import datetime
import re

import numpy as np
import pandas as pd

from metablin.datasets._cells import read_raw
from metablin.datasets.package import Package, Table
from metablin.errors import DataError

__all__ = ["known", "public_by", "read_date"]

DATE = re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}")


def read_date(text: str) -> datetime.date:
    """Return the last day of a year, a month or a day.

    A source dated to the month counts as public from the last day of that month, and one dated
    to the year from the last of December: it was certainly public then.

    Parameters
    ----------
    text : str
        ``2017``, ``2017-03`` or ``2017-03-02``.

    Raises
    ------
    DataError
        When `text` is no date.

    Examples
    --------
    >>> str(read_date("2017-02")), str(read_date("2017"))
    ('2017-02-28', '2017-12-31')
    """
    try:
        if not isinstance(text, str) or not DATE.fullmatch(text):
            raise ValueError
        year, month, day = [*map(int, text.split("-")), 0, 0][:3]
        month = month or (12 if len(text) == 4 else 0)
        return datetime.date(year, month, day or calendar.monthrange(year, month)[1])
    except ValueError:
        raise DataError(
            "not a date", column="as_of", value=repr(text), allowed="YYYY, YYYY-MM or YYYY-MM-DD"
        ) from None


def public_by(package: Package, date: datetime.date) -> frozenset[str]:
    """Return the keys of the references that were public on `date`.

    A reference without a date is never among them.
    """
    dates = zip(*_columns(package, "references", "source_key", "public_date"), strict=True)
    return frozenset(key for key, text in dates if text and read_date(text) <= date)


def known(frame: pd.DataFrame, table: Table, package: Package, text: str) -> pd.DataFrame:
    """Return the rows of `frame` that were public on a date, with the rows preferred then.

    See :func:`metablin.datasets.load` for what counts.
    """
    date = read_date(text)
    if "source_key" not in frame or table.name == "screening":
        return frame
    keys = public_by(package, date)
    if table.name == "trials":
        return frame[frame["trial_id"].isin(_trials(package, keys))].reset_index(drop=True)
    frame = frame[frame["source_key"].isin(keys)].reset_index(drop=True)
    if "replaced_by" in frame:
        frame["preferred"] = np.array(_preferred(frame, table, package), dtype=bool)
    return frame


def _trials(package: Package, keys: frozenset[str]) -> set[str]:
    """Return the trials of which any report was public."""
    found: set[str] = set()
    for table in package.tables.values():
        if {"trial_id", "source_key"} <= set(table.columns) and table.name != "screening":
            rows = zip(*_columns(package, table.name, "trial_id", "source_key"), strict=True)
            found |= {trial for trial, source in rows if source in keys}
    return found


def _preferred(frame: pd.DataFrame, table: Table, package: Package) -> list[bool]:
    """Prefer a row that gave way to another as long as that other was not public.

    Of several, the one whose report is the latest.
    """
    rows, sources = frame["row_id"].tolist(), frame["source_key"].tolist()
    here = set(rows)
    chain = dict(zip(*_columns(package, table.name, "row_id", "replaced_by"), strict=True))
    dates = dict(zip(*_columns(package, "references", "source_key", "public_date"), strict=True))
    quantity = next((r.columns for r in table.rules if r.kind == "one_preferred_per"), ())
    by = [frame[c].astype(str) for c in ("patient_set", *quantity)]
    what = list(zip(*by, strict=True))
    chosen = list(frame["preferred"])
    taken = {what[i] for i, yes in enumerate(chosen) if yes}
    order = sorted(range(len(chosen)), key=lambda i: dates[sources[i]], reverse=True)
    for i in order:
        row = rows[i]
        if (
            not chosen[i]
            and chain[row]
            and what[i] not in taken
            and not _gave_way(row, chain, here)
        ):
            chosen[i] = True
            taken.add(what[i])
    return chosen


def _gave_way(row: str, chain: dict[str, str], here: set[str]) -> bool:
    """Tell whether any row that `row` gave way to, directly or in turn, was public."""
    seen = {row}
    while (row := chain.get(row, "")) and row not in seen:
        if row in here:
            return True
        seen.add(row)
    return False


def _columns(package: Package, table: str, *names: str) -> list[list[str]]:
    """Return columns of a table as they are written."""
    raw, problems = read_raw(package.directory, package.table(table))
    if raw is None:
        raise DataError(f"{problems[0].file}: {problems[0].message}")
    return [raw.columns[name] for name in names]
