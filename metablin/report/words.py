"""Codes of the evidence tables in words for people: arms, outcomes, patients, trials, sources."""

from __future__ import annotations

import re
from functools import cache

import pandas as pd

from metablin.datasets import entries, entry, load
from metablin.datasets.package import data_directory, read_package

__all__ = [
    "arm_words",
    "code_words",
    "outcome_words",
    "patients_words",
    "short_names",
    "source_names",
    "trial_labels",
    "typeset",
]

RESULTS = "results"

NUMBER = re.compile(r"00\d")
REVIEW = re.compile(r"\bseeds? (00\d(?:(?: and | ?, ?)00\d)?)")
"""Review articles are cited by number."""
IDENTIFIER = re.compile(r"(?<![-\w/.])[a-z]\w*[0-9_]\w*(?![-\w/])")
"""Identifiers of trials and sources in running text; those of rows have hyphens."""
OPENING = 5
"""Words of a title that stand for a source without an author."""
UNITS = ((r"\bug\b", "µg"), (r"/m2\b", "/m²"), (r">=", "≥"), (r"<=", "≤"))


def outcome_words(code: str) -> str:
    """Return an outcome or endpoint in words.

    Examples
    --------
    >>> outcome_words("os"), outcome_words("complete_mrd_response")
    ('overall survival', 'complete MRD response')
    """
    known = any(code == e.code for e in entries("outcome"))
    return entry("outcome" if known else "endpoint", code).words


def arm_words(code: str) -> str:
    """Return an arm, or several between bars, in words.

    Examples
    --------
    >>> arm_words("mrd_negative | mrd_positive"), arm_words("hyper_cvad_blinatumomab")
    ('MRD-negative; MRD-positive', 'hyper-CVAD plus blinatumomab')
    """
    parts = (part.strip().partition(" ") for part in code.split("|"))
    return "; ".join(entry("arm", arm).words + space + n for arm, space, n in parts)


def patients_words(subgroup: str) -> str:
    """Return which patients of a trial a row is about.

    Parameters
    ----------
    subgroup : str
        ``all`` or parts as ``name=value``, separated by semicolons; trials whose patients are
        in the same set follow after plus signs.

    Examples
    --------
    >>> patients_words("all")
    'all patients'
    >>> patients_words("all;source=fda_label")
    'from the FDA label'
    >>> patients_words("prior_hsct=no;blasts=>=50")
    'no earlier transplant, blasts ≥ 50%'
    """
    own, *others = subgroup.split("+")
    parts = [part.strip() for part in own.split(";") if part.strip() not in ("", "all")]
    words = [entry("subgroup", part).words for part in parts]
    trials = [re.split("[/;]", other)[0] for other in others]
    words += [f"together with {short_names().get(trial, trial)}" for trial in trials]
    return ", ".join(words) or entry("subgroup", "all").words


def code_words(column: str, code: str) -> str:
    """Return a code of a result table in words.

    Parameters
    ----------
    column : str
        Of the vocabulary, with the evidence table and a point before it where the words are those
        of one table.
    code : str

    Examples
    --------
    >>> code_words("method", "egger"), code_words("endpoint", "os")
    ('Egger', 'overall survival')
    >>> code_words("reporting.kind", "organ_class")
    'organ class'
    """
    table, _, name = column.rpartition(".")
    return entry(name, code, table or RESULTS).words


def trial_labels(trials: pd.DataFrame, references: pd.DataFrame) -> dict[str, str]:
    """Return what people call each trial: its acronym or name, else first author and year.

    Parameters
    ----------
    trials, references : pandas.DataFrame
        The evidence tables of these names.

    Examples
    --------
    >>> from metablin.datasets import entries, entry, load
    >>> labels = trial_labels(load("trials", all_rows=True), load("references"))
    >>> labels["tower"], labels["schlegel2014"]
    ('TOWER', 'Schlegel 2014')
    """
    sources = source_names(references)
    names = zip(trials["trial_id"], trials["acronym"].fillna(""), trials["source_key"], strict=True)
    return {trial: name or sources.get(source) or trial for trial, name, source in names}


def source_names(references: pd.DataFrame) -> dict[str, str]:
    """Return every source by first author, person or group, and year; else by title and year.

    Examples
    --------
    >>> from metablin.datasets import entries, entry, load
    >>> source_names(load("references"))["kantarjian2017"]
    'Kantarjian 2017'
    """
    told = references[["source_key", "first_author", "title", "year"]].fillna("").astype(str)
    names = {key: _named(author, title, year, key) for key, author, title, year in told.to_numpy()}
    return {key: name for key, name in names.items() if name}


def _named(author: str, title: str, year: str, source: str) -> str:
    surname = " ".join(author.split()[:-1]) or author
    if not surname:
        opening = " ".join(title.split()[:OPENING])
        return f"\u201c{opening} \u2026\u201d {year[:4]}".strip() if opening else ""
    found = re.search(r"(19|20)[0-9]{2}", source)
    return f"{surname} {found.group() if found else year[:4]}".strip()


@cache
def review_keys() -> dict[str, str]:
    """Return the sources of the review articles by the numbers that stand for them."""
    fields = read_package(data_directory()).tables["claims"].fields
    return next(dict(field.sources) for field in fields if field.sources)


@cache
def short_names() -> dict[str, str]:
    """Return trials by what people call them, sources by author and year, by their identifiers."""
    references = load("references")
    reviews = {key: f"the review of {re.sub('[^0-9]', '', key)}" for key in review_keys().values()}
    trials = trial_labels(load("trials", all_rows=True), references)
    return {**reviews, **source_names(references), **trials}


@cache
def typeset(text: str) -> str:
    """Return a note or a place of the evidence with trials and sources by name, units as printed.

    Examples
    --------
    >>> typeset("seed 001 Table 1; 15 ug/m2/day; >=50%")
    'Lee 2016 Table 1; 15 µg/m²/day; ≥50%'
    >>> typeset("overlaps mt103_206 (dombret2019); see prop-mt103_206-001")
    'overlaps MT103-206 (Dombret 2019); see prop-mt103_206-001'
    """
    names = short_names()
    text = REVIEW.sub(lambda m: NUMBER.sub(lambda n: names[review_keys()[n[0]]], m[1]), text)
    text = re.sub(r"\bseed(s?)\b", r"review\1", re.sub(r"\bSeed(s?)\b", r"Review\1", text))
    text = IDENTIFIER.sub(lambda m: names.get(m[0], m[0]), text)
    for sign, words in UNITS:
        text = re.sub(sign, words, text)
    return text
