"""Full validation: every cell, every row, every table, all violations in one report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metablin._extra import needs
from metablin.datasets._cells import Raw, Violation, check_cells, read_raw
from metablin.datasets._rules import COPY, NOT_RECORDED, check_foreign_keys, check_rules
from metablin.datasets.curves import check_curves
from metablin.datasets.package import DESCRIPTOR, Package, data_directory, read_package
from metablin.datasets.vocabulary import check_words
from metablin.errors import DataError
from metablin.records import Record

__all__ = ["ValidationReport", "Violation", "validate"]

ACCEPTED: set[str] = set()
"""Digests of bases that frictionless has accepted in this process."""

COLUMNS = ["file", "row", "line", "column", "value", "rule", "message"]


@dataclass(frozen=True, slots=True, repr=False)
class ValidationReport(Record):
    """What was checked and what is wrong.

    Attributes
    ----------
    directory : str
        The evidence base that was checked.
    rows : mapping of str to int
        Data rows checked, by table; a table that could not be read is absent.
    violations : tuple of Violation
        In order of table, row and column; empty when the base is valid.
    copies : int
        Rows whose report is known from a copy only, or whose address is not known
        (:func:`metablin.datasets.copies` lists them).
    """

    directory: str
    rows: Mapping[str, int]
    violations: tuple[Violation, ...]
    copies: int = 0

    @property
    def ok(self) -> bool:
        """Whether there is no violation."""
        return not self.violations

    def to_frame(self) -> pd.DataFrame:
        """Return one row per violation: file, row, line, column, value, rule, message."""
        frame = pd.DataFrame([asdict(v) for v in self.violations], columns=COLUMNS)
        return frame.astype({"row": "Int64", "line": "Int64"})

    def to_dict(self) -> dict[str, Any]:
        """Return the report in plain Python types."""
        return {
            "valid": self.ok,
            "directory": self.directory,
            "rows": dict(self.rows),
            "violations": [asdict(v) for v in self.violations],
        }

    def summary(self) -> str:
        """Return one line per violation and a last line that counts them."""
        checked = f"{sum(self.rows.values())} rows in {len(self.rows)} tables"
        if self.ok and self.copies:
            checked += f", {self.copies} of them with a copy or no address"
        n = len(self.violations)
        verdict = "valid" if self.ok else f"{n} violation{'s' if n > 1 else ''}"
        return "\n".join([*map(str, self.violations), f"{checked}: {verdict}"])


def validate(directory: str | Path | None = None) -> ValidationReport:
    """Check an evidence base against its descriptor and report everything that is wrong.

    Cells are checked for type and constraints; rows for their number of cells and the rules of
    the descriptor (``events <= n``, an interval contains its estimate, one preferred row per
    patient set and quantity); tables for keys that point to each other; codes for words in the
    vocabulary. A base in which nothing
    is wrong is also passed to frictionless, so that any reader of Data Packages accepts it.

    Parameters
    ----------
    directory : path, optional
        Directory with ``datapackage.json``; by default the base that belongs to the package.

    Returns
    -------
    ValidationReport

    Raises
    ------
    DataError
        When `directory` is not a directory. Everything in it that is wrong is reported, not
        raised.

    References
    ----------
    Open Knowledge Foundation (2024). Data Package, version 2. https://datapackage.org

    Examples
    --------
    >>> validate().ok
    True
    """
    root = data_directory(directory)
    try:
        package = read_package(root)
    except DataError as error:
        return ValidationReport(str(root), {}, (_of_descriptor(error),))
    raws: dict[str, Raw] = {}
    problems = _files(package)
    for table in package.tables.values():
        raw, wrong = read_raw(root, table)
        problems += wrong
        if raw is not None:
            raws[table.name] = raw
    keys = {name: raws[name].keys if name in raws else None for name in package.tables}
    for raw in raws.values():
        problems += [*check_cells(raw), *check_foreign_keys(raw, keys), *check_rules(raw, keys)]
    problems += check_words(raws, problems)
    problems += check_curves(package, keys, _printed(raws.get("survival")))
    if not problems:
        problems = _frictionless(package)
    order = {path: i for i, path in enumerate(package.files)}
    problems.sort(key=lambda v: (order.get(v.file, len(order)), v.row or 0))
    rows = {name: len(raw.rows) for name, raw in raws.items()}
    return ValidationReport(str(root), rows, tuple(problems), _copies(raws))


def _printed(survival: Raw | None) -> set[tuple[str, ...]]:
    """Return trial, arm, subgroup and endpoint of every row of printed survival."""
    columns = ("trial_id", "arm", "subgroup", "endpoint")
    if survival is None or not set(columns) <= set(survival.columns):
        return set()
    return set(zip(*(survival.columns[c] for c in columns), strict=True))


def _copies(raws: Mapping[str, Raw]) -> int:
    urls = (url for raw in raws.values() for url in raw.columns.get("source_url", []))
    return sum(url == NOT_RECORDED or url.startswith(COPY) for url in urls)


def _of_descriptor(error: DataError) -> Violation:
    message = error.message.removeprefix(f"{DESCRIPTOR} ")
    if error.allowed:
        message += f"; allowed: {error.allowed}"
    value = "" if error.value is None else str(error.value)
    return Violation(DESCRIPTOR, None, None, error.column or "", value, "descriptor", message)


def _files(package: Package) -> list[Violation]:
    """Report other files the descriptor promises, and tables it does not mention."""
    problems = []
    tables = {table.path for table in package.tables.values()}
    for path in package.files:
        if path not in tables and not (package.directory / path).is_file():
            problems.append(
                Violation(path, None, None, "", "", "missing_file", "the file is missing")
            )
    for file in sorted(package.directory.glob("*.csv")):
        if file.name not in package.files:
            message = f"the table is not in {DESCRIPTOR}"
            problems.append(Violation(file.name, None, None, "", "", "unlisted_file", message))
    return problems


def _frictionless(package: Package) -> list[Violation]:
    """Ask frictionless for a second opinion on a base that has passed every other check.

    What it has accepted once in a process it is not asked again.
    """
    frictionless = needs("frictionless", "data")
    state = _state(package)
    if state in ACCEPTED:
        return []

    try:
        report = frictionless.validate(DESCRIPTOR, basepath=str(package.directory), type="package")
    except frictionless.FrictionlessException as error:
        note = error.error.note
        return [Violation(DESCRIPTOR, None, None, "", "", "frictionless", note)]
    problems = [
        Violation(DESCRIPTOR, None, None, "", "", f"frictionless {e.type}", e.note)
        for e in report.errors
    ]
    for task in report.tasks:
        for e in task.errors:
            line = getattr(e, "row_number", None)
            row = None if line is None else line - 1
            column, value = getattr(e, "field_name", ""), getattr(e, "cell", "")
            rule = f"frictionless {e.type}"
            problems.append(Violation(task.place, row, line, column, str(value), rule, e.note))
    if not problems:
        ACCEPTED.add(state)
    return problems


def _state(package: Package) -> str:
    """Return one digest of the descriptor and of every file that it names."""
    found = hashlib.sha256()
    for name in (DESCRIPTOR, *sorted(package.files)):
        content = (package.directory / name).read_bytes()
        found.update(f"{name} {len(content)} ".encode())
        found.update(content)
    return found.hexdigest()
