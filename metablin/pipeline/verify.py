"""Recompute everything and compare it with what was committed and with what was printed."""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.errors import DataError
from metablin.pipeline.claims import STATUSES, check_claims, unexplained
from metablin.pipeline.registry import names
from metablin.pipeline.runner import Progress, reproduce
from metablin.records import jsonable
from metablin.report.store import Saved, write_text

__all__ = ["Verification", "compare", "expected_values", "ledger", "update_expected", "verify"]

# The same code on another processor or linear-algebra library: optimised values agree to 1e-6.
RELATIVE = 1e-6
ABSOLUTE = 1e-9
# Means over tables of random draws: a flipped draw of some thousand moves them by less.
DRAWN = 5e-3
MEANS = "mean of all rows"


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The result of a verification.

    Attributes
    ----------
    claims : pandas.DataFrame
        The claim ledger, see :func:`metablin.pipeline.claims.check_claims`.
    drift : pandas.DataFrame
        Result values that differ from the committed ones: ``result, expected, computed``.
    """

    claims: pd.DataFrame
    drift: pd.DataFrame

    @property
    def ok(self) -> bool:
        """True when no claim and no result is left unexplained."""
        return self.drift.empty and unexplained(self.claims).empty

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger, its counts and the drift, JSON-ready."""
        counts = self.claims["status"].value_counts().to_dict()
        return {
            "ok": self.ok,
            "counts": {status: int(counts.get(status, 0)) for status in STATUSES},
            "claims": jsonable(self.claims),
            "drift": jsonable(self.drift),
        }


def verify(
    folder: Path, *, jobs: int = 1, update: bool = False, progress: Progress | None = None
) -> Verification:
    """Recompute every analysis in a scratch folder and compare.

    Parameters
    ----------
    folder : Path
        The folder ``analyses`` with ``expected/`` beside its modules.
    jobs : int
        Processes.
    update : bool
        Accept today's values: write them to ``expected/`` first.
    progress : callable, optional
        See :func:`metablin.pipeline.runner.reproduce`.
    """
    with tempfile.TemporaryDirectory(prefix="metablin-verify-") as scratch:
        out = Path(scratch)
        reproduce(folder=folder, out=out, jobs=jobs, force=True, progress=progress)
        if update:
            update_expected(folder, out)
        return compare(folder, out)


def compare(folder: Path, out: Path) -> Verification:
    """Compare the results in `out` with the expected values in `folder` and with the claims."""
    return Verification(claims=ledger(out), drift=_drift(folder, out))


def ledger(out: Path) -> pd.DataFrame:
    """Return the claim ledger of a folder of results."""
    from metablin.datasets import load

    return check_claims(out, load("claims"), load("discrepancies"))


def expected_values(folder: Path) -> dict[str, Any]:
    """Return every number of a saved outcome as ``{table: {key: {column: value}}}``.

    Of a table that rests on random draws, the number of rows and the mean of every column.
    """
    saved, analysis = Saved(folder.parent), folder.name
    tables = {n: saved.table(f"{analysis}/{n}") for n in sorted(saved.words(analysis)["tables"])}
    return {n: _means(t.frame) if t.drawn else _rows(t.frame) for n, t in tables.items()}


def _rows(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {
        str(row["key"]): {c: _plain(row[c]) for c in frame.select_dtypes("number").columns}
        for row in frame.to_dict(orient="records")
    }


def _means(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    numbers = frame.select_dtypes("number")
    means = {c: _plain(numbers[c].mean()) for c in numbers.columns}
    return {MEANS: {"rows": len(frame), **means}}


def update_expected(folder: Path, out: Path) -> list[str]:
    """Write ``expected/<analysis>.json`` from the results in `out`; return the names."""
    (folder / "expected").mkdir(exist_ok=True)
    found = names(folder)
    for name in found:
        text = json.dumps(expected_values(out / name), indent=1, ensure_ascii=False)
        write_text(folder / "expected" / f"{name}.json", text + "\n")
    return found


def _plain(value: Any) -> float | int | None:
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and math.isnan(number) else number


def _drift(folder: Path, out: Path) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name in names(folder):
        path = folder / "expected" / f"{name}.json"
        if not path.is_file():
            raise DataError(f"no expected values for {name}", allowed=f"expected/{name}.json")
        expected = json.loads(path.read_text(encoding="utf-8"))
        rows += _differences(name, _flat(expected), _flat(expected_values(out / name)))
    return pd.DataFrame(rows, columns=["result", "expected", "computed"])


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{table}/{key}/{column}": value
        for table, keys in values.items()
        for key, columns in keys.items()
        for column, value in columns.items()
    }


def _differences(
    name: str, expected: dict[str, Any], computed: dict[str, Any]
) -> list[dict[str, Any]]:
    return [
        {
            "result": f"{name}/{key}",
            "expected": expected.get(key, "absent"),
            "computed": computed.get(key, "absent"),
        }
        for key in sorted(expected.keys() | computed.keys())
        if not _same(
            expected.get(key, "absent"),
            computed.get(key, "absent"),
            DRAWN if f"/{MEANS}/" in key else RELATIVE,
        )
    ]


def _same(a: Any, b: Any, relative: float) -> bool:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=relative, abs_tol=ABSOLUTE)
    return bool(a == b)
