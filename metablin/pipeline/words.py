"""The words of an analysis: a TOML file beside its code, and what makes an outcome of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metablin.errors import DataError
from metablin.records import Column, Table
from metablin.report import Figure, Headline, Outcome

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MplFigure

__all__ = ["WORDS", "Drawn", "Words"]

WORDS = "words.toml"


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture, and values for the places in its words, as ``{name}``.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        Drawn, not yet saved.
    values : mapping of str to object
        By name.
    """

    figure: MplFigure
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What an analysis says: everything about its tables and figures but their numbers.

    Attributes
    ----------
    source : Path
        The file they are in.
    title, question : str
        Of the analysis.
    notes : tuple of str
        Caveats.
    headlines : tuple of mapping
        Fields of :class:`metablin.report.Headline`.
    tables : mapping of str to mapping
        ``title``, ``caption``, ``columns`` (fields of :class:`metablin.records.Column`) and
        ``drawn`` of every table, by name.
    figures : mapping of str to mapping
        Fields of :class:`metablin.report.Figure` but the picture, by name.
    as_of : str
        Date of the evidence where it is not today's: headlines without a row are then left out, and
        the first note says the date.
    """

    source: Path
    title: str
    question: str
    notes: tuple[str, ...]
    headlines: tuple[Mapping[str, str], ...]
    tables: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Mapping[str, str]]
    as_of: str = ""

    @classmethod
    def read(cls, path: Path) -> Words:
        """Read the words of an analysis.

        Raises
        ------
        DataError
            When there is no such file, it cannot be read, or it has no title or question.
        """
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(
                source=path,
                title=found["title"],
                question=found["question"],
                notes=tuple(found.get("notes", ())),
                headlines=tuple(found.get("headlines", ())),
                tables=found.get("tables", {}),
                figures=found.get("figures", {}),
            )
        except OSError as error:
            raise DataError(f"no words of an analysis in {path}", allowed=WORDS) from error
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        except KeyError as error:
            raise DataError(f"{path} has no {error.args[0]}", allowed="title | question") from error

    def outcome(
        self,
        tables: Mapping[str, pd.DataFrame],
        figures: Mapping[str, MplFigure | Drawn] | None = None,
        **values: object,
    ) -> Outcome:
        """Return tables and figures with their words.

        Parameters
        ----------
        tables : mapping of str to pandas.DataFrame
        figures : mapping of str to figure, optional
        **values : object
            What stands in the places of the words of tables, as ``{name}``.

        Raises
        ------
        DataError
            When a table or a figure has no words, or a place in them no value.
        """
        lines = self.headlines
        missing: tuple[str, ...] = ()
        if self.as_of:
            missing = tuple(n for n, frame in tables.items() if frame.empty)
            tables = {n: frame for n, frame in tables.items() if not frame.empty}
            lines = tuple(x for x in lines if _has(tables, x["table"], x["key"]))
        drawn = {n: self._figure(n, one) for n, one in (figures or {}).items()}
        return Outcome(
            tables={n: self._table(n, frame, values) for n, frame in tables.items()},
            figures={n: one for n, one in drawn.items() if one.data not in missing},
            headlines=tuple(Headline(**line) for line in lines),
            notes=(*self._dated(missing), *self.notes),
        )

    def unanswered(self, reason: str) -> Outcome:
        """Return an outcome without a table: the reason why there is none."""
        return Outcome(tables={}, notes=(*self._dated(), f"Not answered: {reason}."))

    def _dated(self, missing: tuple[str, ...] = ()) -> tuple[str, ...]:
        if not self.as_of:
            return ()
        without = "; ".join(self.tables[n]["title"] for n in missing)
        tail = f" Nothing yet for: {without}." if missing else ""
        return (f"From what was public by {self.as_of}.{tail}",)

    def _table(self, name: str, frame: pd.DataFrame, values: Mapping[str, object]) -> Table:
        said = self._filled("tables", name, self.tables, values)
        columns = tuple(Column(**c) for c in said.get("columns", ()))
        note, drawn = said.get("caption", ""), said.get("drawn", False)
        return Table(frame, columns, said["title"], note, drawn)

    def _figure(self, name: str, found: MplFigure | Drawn) -> Figure:
        one = found if isinstance(found, Drawn) else Drawn(found)
        return Figure(one.figure, **self._filled("figures", name, self.figures, one.values))

    def _filled(
        self,
        kind: str,
        name: str,
        known: Mapping[str, Mapping[str, Any]],
        values: Mapping[str, object],
    ) -> dict[str, Any]:
        if name not in known:
            raise DataError(
                f"no words for {kind}.{name} in {self.source}", allowed=" | ".join(known) or None
            )
        try:
            return {
                part: text.format_map(values) if isinstance(text, str) else text
                for part, text in known[name].items()
            }
        except KeyError as error:
            raise DataError(
                f"no value for {{{error.args[0]}}} of {kind}.{name} in {self.source}",
                allowed=" | ".join(map(str, values)) or None,
            ) from error


def _has(tables: Mapping[str, pd.DataFrame], name: str, key: str) -> bool:
    return name in tables and key in set(tables[name]["key"])
