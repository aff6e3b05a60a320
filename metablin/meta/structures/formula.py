"""Random effects as people write them: ``"1 | district/school"``, ``"outcome | trial"``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin import _input
from metablin._frame import column_of
from metablin.errors import DataError
from metablin.meta.structures.correlation import CORRELATED, STRUCTURES, Structure
from metablin.meta.structures.likelihood import Term

__all__ = ["Named", "read_random"]

IntArray = NDArray[np.intp]
ALLOWED = '"1 | group", "1 | outer/inner" or "level | group"'


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A term of the random effects with its names.

    Attributes
    ----------
    name : str
        Such as ``district/school`` or ``outcome | trial``.
    levels : tuple of str
        Inner levels; empty for a plain effect of the group.
    groups : int
        Number of groups.
    term : Term
    """

    name: str
    levels: tuple[str, ...]
    groups: int
    term: Term


def read_random(
    random: str | Sequence[str] | Mapping[str, str], structure: str, data: Any, k: int
) -> list[Named]:
    """Return the terms of the random effects.

    Parameters
    ----------
    random : str, sequence of str, or mapping of str to str
        Terms; a mapping gives each its structure.
    structure : str
        Of the terms that have none of their own.
    data : frame or mapping of columns
        With the columns they name, k rows.
    k : int
        Number of estimates.
    """
    asked = random
    if isinstance(asked, str):
        asked = [asked]
    if not isinstance(asked, Mapping | list | tuple) or not asked:
        raise DataError("no random effects", column="random", value=repr(random), allowed=ALLOWED)
    if not all(isinstance(text, str) for text in asked):
        raise DataError("not a term of random effects", column="random", value=repr(random),
                        allowed=ALLOWED)  # fmt: skip
    given = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked, structure)
    if len(given) < len(asked):
        raise DataError("the same term twice", column="random")
    if data is None:
        raise DataError("names of columns without a table to find them in", column="random",
                        allowed="data=")  # fmt: skip
    out: list[Named] = []
    for text, kind in given.items():
        out += _term(text, kind, data, k)
    for i, one in enumerate(out):
        for two in out[:i]:
            if _alike(one.term, two.term):
                raise DataError(
                    f"groups the estimates just as {two.name!r}, so the two variances cannot be "
                    "told apart", column="random", value=repr(one.name),
                )  # fmt: skip
    return out


def _term(text: str, kind: Any, data: Any, k: int) -> list[Named]:
    parts = text.removeprefix("~").split("|")
    inner, outer = (p.strip() for p in parts) if len(parts) == 2 else ("", "")
    if not inner or not outer or ("/" in outer and inner != "1"):
        raise DataError("not a term of random effects", column="random", value=repr(text),
                        allowed=ALLOWED)  # fmt: skip
    if inner == "1":
        return _nested(outer, data, k)
    kind = _input.choice("structure", kind, STRUCTURES)
    group, label = _codes(outer, data, k)[0], f"{inner} | {outer}"
    level, levels, distance = _levels(inner, data, k, kind)
    if len(levels) == 1:
        raise DataError("one level only", column=inner, allowed=f'"1 | {outer}"')
    if kind in CORRELATED or kind == "UN":
        _together(group, level, levels, kind, label)
    groups = int(group.max()) + 1
    term = Term(group, level, Structure(kind, len(levels), distance))
    return [Named(label, levels, groups, term)]


def _nested(outer: str, data: Any, k: int) -> list[Named]:
    out: list[Named] = []
    codes = np.zeros(k, dtype=np.intp)
    names: list[str] = []
    for name in (n.strip() for n in outer.split("/")):
        own = _codes(name, data, k)[0]
        codes = np.asarray(pd.factorize(pd.MultiIndex.from_arrays([codes, own]))[0], np.intp)
        names.append(name)
        groups = int(codes.max()) + 1
        if groups == 1:
            raise DataError("one group only: its variance cannot be told from the mean",
                            column=name)  # fmt: skip
        one = Structure("ID", 1, np.zeros((1, 1)))
        out.append(Named("/".join(names), (), groups, Term(codes, np.zeros(k, dtype=np.intp), one)))
    return out


def _codes(name: str, data: Any, k: int) -> tuple[IntArray, list[str]]:
    found, values = column_of(data, name)
    labels = list(values)
    if len(labels) != k:
        raise DataError(f"{len(labels)} labels for {k} estimates", column=found)
    for i, label in enumerate(labels):
        if _input.is_missing(label):
            raise DataError("no label", row=i + 1, column=found)
    codes, kinds = pd.factorize(np.asarray([str(x) for x in labels], dtype=object))
    return np.asarray(codes, np.intp), [str(x) for x in kinds]


def _levels(name: str, data: Any, k: int, kind: str) -> tuple[IntArray, tuple[str, ...], Any]:
    """Return inner levels in their order (times by size), and the distances between them."""
    codes, labels = _codes(name, data, k)
    try:
        places = np.array([float(x) for x in labels])
        order = np.argsort(places, kind="stable")
    except ValueError:
        if kind == "CAR":
            raise DataError("CAR needs times", column=name, value=repr(labels[0]),
                            allowed="numbers") from None  # fmt: skip
        order = np.argsort(np.array(labels), kind="stable")
        places = np.zeros(len(labels))
    rank = np.empty(len(labels), dtype=np.intp)
    rank[order] = np.arange(len(labels))
    at = places[order] if kind == "CAR" else np.arange(float(len(labels)))
    distance = np.abs(np.subtract.outer(at, at))
    return rank[codes], tuple(labels[i] for i in order), distance


def _together(
    group: IntArray, level: IntArray, levels: tuple[str, ...], kind: str, label: str
) -> None:
    """Refuse correlations of levels that no group has together."""
    seen = np.zeros((int(group.max()) + 1, len(levels)))
    seen[group, level] = 1.0
    pairs = seen.T @ seen
    apart = np.argwhere(np.triu(pairs == 0, 1))
    if len(apart) and (kind == "UN" or not np.triu(pairs, 1).any()):
        one, two = (levels[i] for i in apart[0])
        raise DataError(
            f"no group has {one} and {two} together, so their correlation cannot be estimated",
            column="random", value=repr(label), allowed="structure DIAG or ID",
        )  # fmt: skip


def _alike(one: Term, two: Term) -> bool:
    """Whether two plain terms group the estimates in the same way."""
    if one.structure.size != 1 or two.structure.size != 1:
        return False
    pairs = pd.factorize(pd.MultiIndex.from_arrays([one.outer, two.outer]))[0].max()
    return bool(pairs == one.outer.max() == two.outer.max())
