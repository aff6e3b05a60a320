"""Every word that a code becomes: for reports, site, plots and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from metablin.datasets._cells import Raw, Violation
from metablin.datasets._load import load
from metablin.errors import DataError

__all__ = ["RESULTS", "Entry", "check_words", "codes_of", "entries", "entry", "said"]

TABLE = "vocabulary"
ANY, RESULTS = "*", "results"
"""An entry is of every evidence table, of one of them, or of the results of analyses."""
COLUMNS = {
    "arm_treatment": "arm",
    "arm_control": "arm",
    "arms": "arm",
    "median_state": "state",
    "median_ci_low_state": "state",
    "median_ci_high_state": "state",
    "median_responders_state": "state",
    "median_nonresponders_state": "state",
}
"""Columns whose codes stand under another name in the vocabulary."""
SEPARATORS = {"subgroup": ";", "arm": "|"}
"""What separates several codes of one cell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code is called.

    Attributes
    ----------
    code : str
    words, short : str
        In running text, and where there is little room (the words where nothing shorter is known).
    order : float
        Place among the codes of its column; infinite where none is given.
    colour_role : str
        What a plot paints it as; empty where it has no colour.
    """

    code: str
    words: str
    short: str
    order: float
    colour_role: str


@cache
def _all() -> Mapping[tuple[str, str], Mapping[str, Entry]]:
    found: dict[tuple[str, str], dict[str, Entry]] = {}
    for row in load(TABLE).to_dict(orient="records"):
        order = row["order"] if row["order"] == row["order"] else float("inf")
        one = Entry(
            row["code"], row["words"], row["short"] or row["words"], order, row["colour_role"]
        )
        found.setdefault((row["table"], row["column"]), {})[one.code] = one
    return found


def entries(column: str, table: str = ANY) -> list[Entry]:
    """Return what the codes of a column are called, in their order.

    Parameters
    ----------
    column : str
        Of the vocabulary.
    table : str
        An evidence table, ``results`` for what analyses make, or ``*`` for what all share.

    Examples
    --------
    >>> [e.words for e in entries("grade")][:2]
    ['any grade', 'grade 3 or worse']
    """
    found = {**_all().get((ANY, column), {}), **_all().get((table, column), {})}
    return sorted(found.values(), key=lambda e: e.order)


def entry(column: str, code: str, table: str = ANY) -> Entry:
    """Return what a code is called.

    Parameters
    ----------
    column, code, table : str
        See :func:`entries`.

    Raises
    ------
    DataError
        When the vocabulary has no words for it.

    Examples
    --------
    >>> entry("outcome", "cr_crh").words, entry("endpoint", "os").short
    ('CR or CRh', 'OS')
    """
    for where in dict.fromkeys((table, ANY)):
        found = _all().get((where, column), {}).get(code)
        if found is not None:
            return found
    raise DataError(
        "a code without words", column=column, value=code, allowed=f"a line in {TABLE}.csv"
    )


def said(column: str, table: str = ANY) -> dict[str, str]:
    """Return the words of every code of a column, in their order.

    Parameters
    ----------
    column, table : str
        See :func:`entries`.

    Examples
    --------
    >>> said("database")["faers"]
    'FAERS'
    """
    return {e.code: e.words for e in entries(column, table)}


def codes_of(column: str, cell: str) -> Iterator[str]:
    """Yield the codes of one cell of an evidence table.

    Arms may carry their number of patients in brackets; what follows a plus sign in a subgroup
    are other trials whose patients are in the same set.

    Examples
    --------
    >>> list(codes_of("arms", "blinatumomab (105) | chemotherapy (103)"))
    ['blinatumomab', 'chemotherapy']
    >>> list(codes_of("subgroup", "cr_crh=yes;phase=2"))
    ['cr_crh=yes', 'phase=2']
    """
    name = COLUMNS.get(column, column)
    text = cell.split("+")[0] if name == "subgroup" else cell
    for part in text.split(SEPARATORS[name]) if name in SEPARATORS else [text]:
        code = part.strip()
        yield code.split(" (")[0] if name == "arm" else code


def check_words(raws: Mapping[str, Raw], wrong: Sequence[Violation] = ()) -> list[Violation]:
    """Report codes of the evidence tables that the vocabulary has no words for.

    A column is one of codes when the vocabulary has any entry for it. Cells in which something
    else is `wrong` are passed over.
    """
    if TABLE not in raws:
        return []
    own = raws[TABLE].columns
    known = set(zip(own["table"], own["column"], own["code"], strict=True))
    coded = {(table, column) for table, column, _ in known}
    named = {(v.file, v.row, v.column) for v in wrong}
    problems = []
    for name, raw in raws.items():
        for column, cells in raw.columns.items():
            word = COLUMNS.get(column, column)
            places = [t for t in (ANY, name) if (t, word) in coded and name != TABLE]
            if not places:
                continue
            unsaid = {
                cell: [
                    code
                    for code in codes_of(column, cell)
                    if not any((t, word, code) in known for t in places)
                ]
                for cell in set(cells) - {""}
            }
            faulty = [i for i, cell in enumerate(cells) if unsaid.get(cell)]
            for i in faulty:
                if (raw.table.path, raw.rows[i], column) in named:
                    continue
                for code in unsaid[cells[i]]:
                    where = f"table {places[-1]}, column {word}, code {code}"
                    message = f"a code without words; add it to {TABLE}.csv: {where}"
                    problems.append(raw.violation(i, column, "words", message))
    return problems
