"""Numbers at risk under a curve: long, wide, times across, one arm or many, or typed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.io.cells import explain
from metablin.io.grid import Grid, read_grids
from metablin.io.layout import Long, Part, lay_out
from metablin.io.names import plain
from metablin.io.table import ReadOptions

__all__ = ["AtRisk", "match_ids", "parse_at_risk", "read_at_risk"]

FloatArray = NDArray[np.float64]

MOST_PATIENTS = 10_000_000
"""More than any trial has; a figure typed as 1e9 would be worked on one patient at a time."""

_FIGURE = r"\d+(?:\.\d+)?"
_USELESS = ("i", "lower", "upper", "interval", "lowerindex", "upperindex", "n.event", "n.censor",
            "survival", "std.err")  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtRisk:
    """Numbers at risk, as :func:`metablin.reconstruct_many` takes them.

    Attributes
    ----------
    table : DataFrame
        ``id`` (empty for one curve without a name), ``time``, ``n_at_risk``.
    rows : ndarray of int
        Row of the file behind every entry.
    named : bool
    note : str
        One line: what was understood, or nothing.
    """

    table: pd.DataFrame
    rows: NDArray[np.intp]
    named: bool
    note: str


def read_at_risk(source: str | Path, options: ReadOptions | None = None) -> AtRisk:
    """Read numbers at risk from a file, or from text such as ``"A 0:154,6:96; B 0:150,6:80"``.

    Parameters
    ----------
    source : str or Path
        A file: long (``[id,] time, n_at_risk``), wide (``time`` and one column an arm), one row an
        arm with the times across, pairs of columns, or a sheet an arm. Text that is no file and
        has a colon is read as it stands.
    options : ReadOptions, optional

    Raises
    ------
    DataError
        For a table that is not clear, cells that are no numbers, and negative or enormous counts.
    """
    options = options or ReadOptions()
    path = Path(source)
    if not _is_file(path) and ":" in str(source):
        return parse_at_risk(str(source), options)
    if not _is_file(path):
        raise DataError(f"no such file: {source}", column="at_risk",
                        allowed='a file, or text such as "A 0:154,6:96; B 0:150,6:80"')  # fmt: skip
    grids = read_grids(path, options.sheet)
    useful = [g for g in grids if any(g.number(c) is not None for row in g.rows for c in row)]
    if not useful:
        raise DataError(f"{path.name} has no numbers", allowed="time and n_at_risk")
    out = Long(named=len(useful) > 1)
    for grid in (g.without_title() for g in useful):
        part = _across(grid) or lay_out(grid, options, "n_at_risk", fits_at_risk, _USELESS)
        _no_errors(part)
        sheet = grid.sheet if len(useful) > 1 else ""
        out.join(part, partial(_in_sheet, sheet))
    _check_counts(out)
    note = f"{path.name}: {'; '.join(out.said)}" if out.said else ""
    return _result(out, options, note)


def _is_file(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # text too long for a name
        return False


def _no_errors(part: Long) -> None:
    bad = [error for errors in part.errors.values() for error in errors]
    if bad:
        raise DataError.joined(bad)


def _in_sheet(sheet: str, name: str) -> str:
    return f"{sheet} {name}".strip()


def _check_counts(out: Long) -> None:
    rules: tuple[tuple[Callable[[FloatArray], NDArray[np.bool_]], str], ...] = (
        (lambda n: n < 0, "at least 0"),
        (lambda n: n != np.floor(n), "a whole number of patients"),
        (lambda n: n > MOST_PATIENTS, f"at most {MOST_PATIENTS}"),
    )
    for rule, allowed in rules:
        errors = [
            DataError("not allowed", row=int(part.row[i]), column="n_at_risk",
                      value=f"{part.value[i]:g}", allowed=allowed, study=part.id or None)
            for part in out.parts for i in np.flatnonzero(rule(part.value))
        ]  # fmt: skip
        if errors:
            raise DataError.joined(errors)


def _result(out: Long, options: ReadOptions, note: str) -> AtRisk:
    """Return the table with the entries of each arm in order of time."""
    orders = [np.argsort(part.time, kind="stable") for part in out.parts]
    time, value, row = (
        np.concatenate([getattr(p, x)[o] for p, o in zip(out.parts, orders, strict=True)])
        for x in ("time", "value", "row")
    )
    ids = np.repeat(np.array(out.names, dtype=object), [p.time.size for p in out.parts])
    table = pd.DataFrame({"id": ids, "time": time * options.months, "n_at_risk": value})
    return AtRisk(table, row, out.named, note)


def fits_at_risk(time: FloatArray, value: FloatArray) -> bool:
    """Tell whether two columns can be times and numbers at risk: the one grows, the other falls."""
    if np.isnan(time).any() or np.isnan(value).any():
        return False
    whole = bool((value == np.floor(value)).all())
    return whole and bool((np.diff(time) > 0).all() and (np.diff(value) <= 0).all())


# --- times across -----------------------------------------------------------------------------


def _across(grid: Grid) -> Long | None:
    """Read one row an arm under a row of times, or return None when the table is not so."""
    head, body = grid.rows[0], grid.rows[1:]
    if not body or grid.width < 3:
        return None
    labelled = grid.number(body[0][0]) is None or _time_in(head[0], grid) is None
    first = 1 if labelled else 0
    times = [_time_in(cell, grid) for cell in head[first:]]
    if None in times or len(times) < 2:
        return None
    t = np.array(times, dtype=np.float64)
    if not (np.diff(t) > 0).all():
        return None
    if not labelled and (len(body) > 1 or grid.width == 2):
        return None
    out = Long(said=[*grid.said, "times across, one row an arm"], named=labelled and len(body) > 1)
    for i, row in enumerate(body):
        name = row[0] if labelled and len(body) > 1 else ""
        pairs = [(t[j], row[first + j]) for j in range(len(times)) if row[first + j]]
        numbers = [grid.number(c) for _, c in pairs]
        bad = [c for (_, c), x in zip(pairs, numbers, strict=True) if x is None]
        if bad:
            raise DataError.joined([
                DataError(f"not a number ({explain(c)})", row=i + 1, column="n_at_risk",
                          value=repr(c), study=name or None)
                for c in bad
            ])  # fmt: skip
        out.parts.append(Part(
            name, np.array([x for x, _ in pairs]), np.array(numbers, dtype=np.float64),
            np.full(len(pairs), i + 1, dtype=np.intp),
        ))  # fmt: skip
    return out


def _time_in(cell: str, grid: Grid) -> float | None:
    """Return the time in a header such as ``6``, ``t6``, ``month 6`` or ``6 months``."""
    found = re.fullmatch(
        r"(?:t|time|month|months|mo|year|years|day|days|week|weeks|m)?[ _.=]*"
        r"(\d+(?:[.,]\d+)?)\s*(?:m|mo|months?|y|years?|d|days?|w|weeks?)?",
        cell.strip(), re.IGNORECASE,
    )  # fmt: skip
    return grid.number(found[1]) if found else None


# --- typed in ---------------------------------------------------------------------------------


def parse_at_risk(text: str, options: ReadOptions | None = None) -> AtRisk:
    """Read numbers at risk typed in, arms between semicolons and pairs between commas.

    Examples
    --------
    >>> parse_at_risk("A 0:154,6:96; B 0:150,6:80").table["n_at_risk"].tolist()
    [154.0, 96.0, 150.0, 80.0]
    """
    out = Long()
    arms = [part.strip() for part in text.split(";") if part.strip()]
    if not arms:
        raise _not_pairs(text)
    for arm in arms:
        name, pairs = _typed_arm(arm)
        if len(arms) > 1 and not name:
            raise DataError("an arm without a name", column="--at-risk", value=repr(arm),
                            allowed="a name before the first time")  # fmt: skip
        times, counts = np.array(pairs).T
        out.parts.append(Part(name, times, counts, np.arange(1, len(pairs) + 1)))
        out.named |= bool(name)
    if len(set(out.names)) < len(arms):
        raise DataError("two arms have one name", column="--at-risk", value=repr(text))
    _check_counts(out)
    return _result(out, options or ReadOptions(), "")


def _typed_arm(arm: str) -> tuple[str, list[tuple[float, float]]]:
    """Return an arm's name and its pairs of time and number, from ``A 0:154,6:96``."""
    first, *rest = (chunk.strip() for chunk in arm.rstrip(", ").split(","))
    found = re.fullmatch(rf"(.*?)[\s:]*({_FIGURE})\s*:\s*({_FIGURE})", first)
    others = [re.fullmatch(rf"({_FIGURE})\s*:\s*({_FIGURE})", chunk) for chunk in rest]
    if found is None or None in others:
        raise _not_pairs(arm)
    pairs = [(float(found[2]), float(found[3]))]
    pairs += [(float(m[1]), float(m[2])) for m in others if m is not None]
    name = found[1].strip().strip("\"'").rstrip(":").strip()
    inside = re.search(rf"(?:^|\s)({_FIGURE})\s*:\s*{_FIGURE}$", name)
    if inside and float(inside[1]) < pairs[0][0]:
        raise _not_pairs(arm)  # two pairs with a blank between them, not a name such as "2:1"
    return name, pairs


def _not_pairs(text: str) -> DataError:
    return DataError("not times and numbers at risk between commas", column="--at-risk",
                     value=repr(text), allowed='such as "A 0:154,6:96; B 0:150,6:80"')  # fmt: skip


# --- names of arms ----------------------------------------------------------------------------


def match_ids(ids: Sequence[str], known: Sequence[str]) -> tuple[dict[str, str], str]:
    """Match the arms of a second table to the curves they belong to.

    Parameters
    ----------
    ids : sequence of str
        Arms of an at-risk table or of totals.
    known : sequence of str
        Curves.

    Returns
    -------
    names : dict of str to str
        The curve's name for every arm that has one.
    said : str
        What was taken for granted, or nothing.

    Examples
    --------
    >>> match_ids(["arm a"], ["Arm A", "B"])[0]
    {'arm a': 'Arm A'}
    """
    arms, curves = list(dict.fromkeys(ids)), list(dict.fromkeys(known))
    if len(arms) == 1 and len(curves) == 1:
        said = f"{arms[0]} belongs to {curves[0]}" if arms[0] and curves[0] != arms[0] else ""
        return {arms[0]: curves[0]}, said if curves[0] else ""
    by_plain: dict[str, list[str]] = {}
    for curve in curves:
        by_plain.setdefault(plain(curve), []).append(curve)
    out = {}
    for arm in arms:
        same = by_plain.get(plain(arm), [])
        if arm in curves:
            out[arm] = arm
        elif len(same) == 1 and same[0] not in arms:
            out[arm] = same[0]
    return out, ""
