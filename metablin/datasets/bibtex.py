"""BibTeX for the sources of the evidence base, generated from the ``references`` table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import pandas as pd

__all__ = ["render_bibtex"]

_TEXT_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)
# A personal author is stored as "Surname AB"; anything else is an organisation.
_PERSON = re.compile(r"^(?P<last>.+?) (?P<initials>[A-Z](?:-?[A-Z]){0,2})$")
_VOLUME = re.compile(r"^(?P<volume>[^()]+)\((?P<number>[^()]+)\)$")


def render_bibtex(references: pd.DataFrame) -> str:
    r"""Render the references table as one BibTeX file.

    One entry per row, sorted by key, with fields in a fixed order, so that equal tables give equal
    bytes. Rows of ``entry_type`` ``article`` become ``@article``, all others ``@misc``. Text fields
    are escaped for LaTeX and keep non-ASCII characters as UTF-8; ``doi`` and ``url`` are written
    verbatim, as BibTeX styles typeset them verbatim. Titles are protected against case changes.

    Parameters
    ----------
    references : pandas.DataFrame
        One row per source, with the columns ``source_key``, ``first_author``, ``year``, ``title``,
        ``journal``, ``volume``, ``pages``, ``doi``, ``pmid``, ``entry_type`` and ``url``. Missing
        or empty cells leave their field out.

    Returns
    -------
    str
        The entries, separated by one blank line, ending in a newline.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {
    ...     "source_key": "smith2020",
    ...     "first_author": "Smith AB",
    ...     "year": 2020,
    ...     "title": "Cure & control",
    ...     "journal": "Blood",
    ...     "volume": "1(2)",
    ...     "pages": "3-4",
    ...     "doi": "10.1000/a_b",
    ...     "pmid": "",
    ...     "entry_type": "article",
    ...     "url": "",
    ... }
    >>> print(render_bibtex(pd.DataFrame([row])), end="")
    @article{smith2020,
      author = {Smith, A. B. and others},
      title = {{Cure \& control}},
      journal = {Blood},
      year = {2020},
      volume = {1},
      number = {2},
      pages = {3--4},
      doi = {10.1000/a_b},
    }
    """
    records = references.to_dict("records")
    entries = {_cell(record, "source_key"): _entry(record) for record in records}
    return "\n".join(entries[key] for key in sorted(entries))


def _entry(record: Mapping[Hashable, object]) -> str:
    kind = "article" if _cell(record, "entry_type") == "article" else "misc"
    volume, number = _volume(_cell(record, "volume"))
    pmid = _cell(record, "pmid")
    title = _cell(record, "title")
    fields = {
        "author": _author(_cell(record, "first_author")),
        "title": f"{{{_escape(title)}}}" if title else "",
        "journal" if kind == "article" else "howpublished": _escape(_cell(record, "journal")),
        "year": _cell(record, "year"),
        "volume": _escape(volume),
        "number": _escape(number),
        "pages": _escape(re.sub(r"(?<=\d)-(?=\d)", "--", _cell(record, "pages"))),
        "doi": _cell(record, "doi"),
        "url": _cell(record, "url"),
        "note": f"PMID {pmid}" if pmid else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{_cell(record, 'source_key')},", *lines, "}\n"])


def _cell(record: Mapping[Hashable, object], column: str) -> str:
    value = record.get(column)
    text = "" if value is None else str(value).strip()
    if text in {"nan", "<NA>", "None"}:
        return ""
    return text.removesuffix(".0") if column in {"year", "pmid"} else text


def _author(first_author: str) -> str:
    if not first_author:
        return ""
    person = _PERSON.match(first_author)
    if person is None:
        return f"{{{_escape(first_author)}}}"
    initials = re.sub(r"([A-Z])(?!$)", r"\1. ", person["initials"]).replace(" -", "-") + "."
    return f"{_escape(person['last'])}, {initials} and others"


def _volume(text: str) -> tuple[str, str]:
    match = _VOLUME.match(text)
    return (match["volume"], match["number"]) if match else (text, "")


def _escape(text: str) -> str:
    return text.translate(_TEXT_ESCAPES)
