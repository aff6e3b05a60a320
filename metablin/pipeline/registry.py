"""Analyses: small functions from evidence to an outcome, each in a folder with its words."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from metablin.errors import DataError
from metablin.pipeline.words import WORDS, Words

if TYPE_CHECKING:
    import pandas as pd

    from metablin.datasets import ReadCurve
    from metablin.report import Outcome

__all__ = ["Analysis", "Evidence", "analysis", "find_analyses", "load_analysis", "names"]

PACKAGE = "metablin_analyses"
STATE = "__files__"
READ = (".py", ".toml", ".csv")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence an analysis declared that it reads.

    Attributes
    ----------
    reads : tuple of str
        Names of the tables that may be loaded; the cache of the analysis hangs on them.
    as_of : str or None
        Only what was public on this date, see :func:`metablin.datasets.load`.
    """

    reads: tuple[str, ...]
    as_of: str | None = None

    def at(self, date: str) -> Evidence:
        """Return the same evidence as it was on a date."""
        return replace(self, as_of=date)

    def load(self, table: str, *, all_rows: bool = False) -> pd.DataFrame:
        """Return a table of the evidence base.

        Raises
        ------
        DataError
            When the analysis did not declare the table.
        """
        from metablin.datasets import load

        if table not in self.reads:
            raise DataError(
                f"table {table!r} is not declared", column="reads", allowed=" | ".join(self.reads)
            )
        return load(table, all_rows=all_rows, as_of=self.as_of)

    def curves(self) -> tuple[ReadCurve, ...]:
        """Return the curves read off figures; they belong to the table ``survival``."""
        from metablin.datasets import curves

        if "survival" not in self.reads:
            raise DataError("table 'survival' is not declared", column="reads")
        return curves(as_of=self.as_of)


Function = Callable[[Evidence, Words], "Outcome"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """A registered analysis.

    Attributes
    ----------
    name : str
        Of its folder in ``analyses/``, also the folder of its results.
    words : Words
        Title and question, and what its tables and figures say.
    order : int
        Place in reports; ties are broken by name.
    reads : tuple of str
        Evidence tables.
    function : callable
        From :class:`Evidence` and :class:`Words` to :class:`metablin.report.Outcome`.
    source : Path
        Its folder.
    """

    name: str
    words: Words
    order: int
    reads: tuple[str, ...]
    function: Function
    source: Path

    def about(self) -> dict[str, object]:
        """Return what is saved of it beside its outcome."""
        return {
            "name": self.name,
            "title": self.words.title,
            "question": self.words.question,
            "order": self.order,
            "reads": list(self.reads),
        }

    def run(self, as_of: str | None = None) -> Outcome:
        """Return the outcome computed from the evidence base, or from what was public on a date.

        On an early date the tables may hold too little for the analysis; the outcome then is that
        reason, in its notes.
        """
        if as_of is None:
            return self.function(Evidence(self.reads), self.words)
        evidence, words = Evidence(self.reads, as_of), replace(self.words, as_of=as_of)
        try:
            return self.function(evidence, words)
        except TOO_LITTLE as error:
            found = ", ".join(f"{t} {len(evidence.load(t))}" for t in self.reads)
            return words.unanswered(f"too little was public (rows: {found}): {_said(error)}")


TOO_LITTLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What analyses written for today's tables raise when a table is without the rows they name."""


def _said(error: Exception) -> str:
    """Return an error in words; what Python says of an empty table tells a reader nothing."""
    return str(error) if isinstance(error, DataError) else "no row to work on"


def analysis(*, reads: tuple[str, ...], order: int = 50) -> Callable[[Function], Analysis]:
    """Register the function of a folder in ``analyses/`` as that folder's analysis.

    Its words are read from ``words.toml`` beside it.

    Parameters
    ----------
    reads : tuple of str
        Tables of the evidence base the function may load.
    order : int
        Place in reports: lower comes first.
    """

    def register(function: Function) -> Analysis:
        folder = Path(str(sys.modules[function.__module__].__file__)).parent
        words = Words.read(folder / WORDS)
        return Analysis(folder.name, words, order, reads, function, folder)

    return register


def find_analyses(start: Path | None = None) -> Path:
    """Return the nearest folder ``analyses`` at or above `start` (default: here).

    Raises
    ------
    DataError
        When there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "analyses" / "__init__.py").is_file():
            return folder / "analyses"
    raise DataError(
        f"no folder 'analyses' in {here} or above it",
        allowed="run inside a checkout, or name the folder with --analyses",
    )


def names(folder: Path) -> list[str]:
    """Return the names of the analyses in a folder, in alphabetical order, without loading them.

    An analysis is a folder with ``words.toml``; other modules and packages hold what several share.

    Raises
    ------
    DataError
        When there is none.
    """
    found = sorted(p.parent.name for p in folder.glob(f"*/{WORDS}"))
    if not found:
        raise DataError(f"no analysis in {folder}")
    return found


def load_analysis(folder: Path, name: str) -> Analysis:
    """Return one analysis of a folder, read afresh where one of its files changed.

    Raises
    ------
    DataError
        When there is no such folder, or it registers no analysis or more than one.
    """
    if name not in names(folder):
        raise DataError("no such analysis", value=name, allowed=" | ".join(names(folder)))
    _mount(folder)
    module = importlib.import_module(f"{PACKAGE}.{name}")
    registered = [v for v in vars(module).values() if isinstance(v, Analysis)]
    if len(registered) != 1:
        raise DataError(f"{name} registers {len(registered)} analyses", allowed="one")
    return registered[0]


def _mount(folder: Path) -> None:
    """Make `folder` importable as one package, whatever its place, so modules share helpers.

    While no file of it changes it stays, and with it what its modules keep for each other.
    """
    state = (str(folder.resolve()), _state(folder))
    if getattr(sys.modules.get(PACKAGE), STATE, None) == state:
        return
    for name in [n for n in sys.modules if n == PACKAGE or n.startswith(PACKAGE + ".")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    init = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        PACKAGE, init, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not init.is_file():
        raise DataError(f"{folder} is not a folder of analyses", allowed="a package of modules")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
    setattr(module, STATE, state)


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of everything that analyses read from their folder."""
    files = (p for p in folder.rglob("*") if p.suffix in READ and p.is_file())
    return {str(p): (s.st_size, s.st_mtime_ns) for p in files for s in (p.stat(),)}
