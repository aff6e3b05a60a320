"""Curves read off published figures: what a holder of a figure adds to the evidence base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.datasets._asof import public_by, read_date
from metablin.datasets._cells import Violation, number
from metablin.datasets.package import Package, data_directory, read_package
from metablin.errors import DataError

__all__ = ["ReadCurve", "check_curves", "curves"]

FOLDER = "curves"
LISTING = ("id", "trial_id", "arm", "subgroup", "endpoint", "source_key", "locator", "read_by")
FILES = {
    "clicks.csv": ("id", "time", "survival"),
    "at_risk.csv": ("id", "time", "n_at_risk"),
    "totals.csv": ("id", "n", "events"),
}
BACKWARDS = 0.01  # part of the time axis by which a click may stand before the one in front of it
RISE = 0.05  # by which survival may rise through reading noise


@dataclass(frozen=True, slots=True, eq=False)
class ReadCurve:
    """One published curve as read off its figure; times in months, survival in 0..1.

    Attributes
    ----------
    trial_id, arm, subgroup, endpoint : str
        Whose curve it is, as in the table ``survival``.
    source_key, locator, read_by, note : str
        Publication, figure and panel, tool and its version, remarks.
    time, survival : ndarray, shape (k,)
        Clicks.
    at_risk_times, at_risk : ndarray, shape (r,)
        Printed numbers at risk; empty without a table.
    n, events : int or None
        Printed totals.
    """

    trial_id: str
    arm: str
    subgroup: str
    endpoint: str
    source_key: str
    locator: str
    read_by: str
    note: str
    time: NDArray[np.float64]
    survival: NDArray[np.float64]
    at_risk_times: NDArray[np.float64]
    at_risk: NDArray[np.int64]
    n: int | None
    events: int | None

    @property
    def of(self) -> tuple[str, str, str, str]:
        """Trial, arm, subgroup and endpoint."""
        return self.trial_id, self.arm, self.subgroup, self.endpoint


def curves(path: str | Path | None = None, as_of: str | None = None) -> tuple[ReadCurve, ...]:
    """Load the curves that were read off figures, one folder ``curves/SOURCE_KEY`` a source.

    Parameters
    ----------
    path : path, optional
        Directory of an evidence base; by default the one that belongs to the package.
    as_of : str, optional
        Only curves whose source was public on this date, see :func:`metablin.datasets.load`.

    Returns
    -------
    tuple of ReadCurve
        In order of source and of its listing; empty where no figure was read.

    Raises
    ------
    DataError
        Naming file, row, column and value of the first thing that is wrong.

    Examples
    --------
    >>> all(0 <= c.survival.min() <= 1 for c in curves())
    True
    """
    package = read_package(data_directory(path))
    found = [c for folder in _folders(package) for c in _folder(folder)]
    if as_of is not None:
        public = public_by(package, read_date(as_of))
        found = [c for c in found if c.source_key in public]
    return tuple(found)


def check_curves(package: Package, keys: Mapping[str, Any], printed: set[Any]) -> list[Violation]:
    """Return what is wrong with the curves of an evidence base.

    Parameters
    ----------
    package : Package
    keys : mapping
        Primary keys by table; None for one that could not be read.
    printed : set of tuple
        Trial, arm, subgroup and endpoint of every row of printed survival.
    """
    out: list[Violation] = []
    for folder in _folders(package):
        try:
            found = _folder(folder)
        except DataError as error:
            out.append(_violation(folder.name, "form", "", str(error)))
            continue
        for curve in found:
            if keys.get("references") and curve.source_key not in keys["references"]:
                text = "is no key of the table references"
                out.append(_violation(folder.name, "foreign_key", curve.source_key, text))
            if curve.of not in printed:
                text = "no row of survival prints anything of these patients and this endpoint"
                out.append(_violation(folder.name, "foreign_key", " ".join(curve.of), text))
    return out


def _violation(folder: str, rule: str, value: str, message: str) -> Violation:
    column = "curves.csv" if value else ""
    return Violation(f"{FOLDER}/{folder}", None, None, column, value, rule, message)


def _folders(package: Package) -> list[Path]:
    root = package.directory / FOLDER
    return sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []


def _folder(folder: Path) -> list[ReadCurve]:
    """Read the curves of one source."""
    listing = _read(folder / "curves.csv", LISTING)
    tables = {
        name: _read(folder / name, columns)
        for name, columns in FILES.items()
        if name == "clicks.csv" or (folder / name).is_file()
    }
    known = set(listing["id"])
    if len(known) < len(listing):
        raise _wrong(folder / "curves.csv", "an id stands twice", allowed="one row a curve")
    for name, table in tables.items():
        strays = sorted(set(table["id"]) - known)
        if strays:
            raise _wrong(folder / name, "a curve that curves.csv does not list", value=strays[0])
    return [_curve(folder, row, tables) for row in listing.to_dict(orient="records")]


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise _wrong(path, "the file is missing")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, OSError) as error:
        first = str(error).splitlines()[0] if str(error) else "no reason given"
        raise _wrong(path, f"cannot be read: {first}") from error
    lacking = [c for c in columns if c not in frame]
    if lacking:
        raise _wrong(path, "a column is missing", column=lacking[0], allowed=", ".join(columns))
    return frame


def _curve(folder: Path, row: dict[Any, str], tables: dict[str, pd.DataFrame]) -> ReadCurve:
    clicks = _own(tables["clicks.csv"], row["id"])
    time, survival = (_numbers(folder / "clicks.csv", clicks, c) for c in ("time", "survival"))
    _check_clicks(folder / "clicks.csv", row["id"], time, survival)
    risk = _own(tables.get("at_risk.csv"), row["id"])
    totals = _own(tables.get("totals.csv"), row["id"])
    counts = _numbers(folder / "at_risk.csv", risk, "n_at_risk").astype(np.int64)
    return ReadCurve(
        **{c: row[c] for c in LISTING if c != "id"},
        note=row.get("note", ""),
        time=time,
        survival=survival,
        at_risk_times=_numbers(folder / "at_risk.csv", risk, "time"),
        at_risk=counts,
        n=_total(folder, totals, "n"),
        events=_total(folder, totals, "events"),
    )


def _own(table: pd.DataFrame | None, ident: str) -> pd.DataFrame:
    if table is None:
        return pd.DataFrame(columns=["time", "n_at_risk", "n", "events"], dtype=str)
    return table[table["id"] == ident]


def _numbers(path: Path, table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    out = []
    for i, text in table[column].items():
        value = number(str(text).strip())
        if value is None or value < 0:
            place = f"row {int(str(i)) + 1}"
            raise _wrong(path, f"{place}: not a number", column=column, value=text,
                         allowed="a number of 0 or more")  # fmt: skip
        out.append(value)
    return np.array(out, dtype=np.float64)


def _total(folder: Path, totals: pd.DataFrame, column: str) -> int | None:
    given = totals[totals[column].str.strip() != ""] if len(totals) else totals
    found = _numbers(folder / "totals.csv", given, column)
    return int(found[0]) if len(found) else None


def _check_clicks(path: Path, ident: str, time: Any, survival: Any) -> None:
    """Refuse what is no survival curve in months and fractions."""
    if len(time) < 2:
        raise _wrong(path, f"{ident}: {len(time)} clicks", allowed="two or more")
    if survival.max() > 1 + RISE:
        raise _wrong(path, f"{ident}: survival above 1", column="survival",
                     value=f"{survival.max():g}", allowed="0 to 1")  # fmt: skip
    if np.any(np.diff(time) < -BACKWARDS * time.max()):
        raise _wrong(path, f"{ident}: clicks are not in order of time", column="time")
    if np.any(survival - np.minimum.accumulate(survival) > RISE):
        raise _wrong(path, f"{ident}: survival rises by more than {RISE}", column="survival")


def _wrong(path: Path, message: str, **parts: Any) -> DataError:
    return DataError(f"{FOLDER}/{path.parent.name}/{path.name}: {message}", **parts)
