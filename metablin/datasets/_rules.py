"""Rules across columns, rows and tables: the checks behind each kind of `Rule`."""

from __future__ import annotations

import datetime
import difflib
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from metablin.datasets._cells import Raw, Violation, number
from metablin.datasets.package import Rule, nearest

__all__ = ["COPY", "NOT_RECORDED", "check_foreign_keys", "check_rules"]

COPY = "copy:"  # before the address of a report of which only a copy was found
NOT_RECORDED = "not recorded"  # in place of an address that is not known

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}
Keys = Mapping[str, frozenset[str] | None]
Found = Iterator[tuple[int, str, str]]


def check_rules(raw: Raw, keys: Keys) -> list[Violation]:
    """Check the rules of one table.

    Parameters
    ----------
    raw : Raw
        Its rows.
    keys : mapping
        Key values of every table by name; None for a table that could not be read.
    """
    problems = []
    for rule in raw.table.rules:
        if not set(_columns(rule, raw)) <= set(raw.columns):
            continue  # the header lacks a column, which is named already
        rows: Sequence[int] = range(len(raw.rows))
        for column, wanted in rule.when.items():
            cells = raw.columns[column]
            rows = [i for i in rows if cells[i] in wanted]
        for i, column, message in KINDS[rule.kind](rule, raw, rows, keys):
            problems.append(raw.violation(i, column, rule.name, message))
    return problems


def check_foreign_keys(raw: Raw, keys: Keys) -> list[Violation]:
    """Check that filled foreign keys name a row of the table they point to."""
    problems = []
    for key in raw.table.foreign_keys:
        known = keys.get(key.table)
        if known is None or key.column not in raw.columns:
            continue
        for i, value in enumerate(raw.columns[key.column]):
            if value and value not in known:
                message = f"must be a {key.target} of {key.table}; nearest: {nearest(value, known)}"
                problems.append(raw.violation(i, key.column, "foreign_key", message))
    return problems


def _columns(rule: Rule, raw: Raw) -> list[str]:
    marks = ["patient_set", "preferred"] if rule.kind == "one_preferred_per" else []
    return [c for c in (*rule.columns, *rule.when) if number(c) is None] + marks


def _check(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    types = {f.type for f in raw.table.fields if f.name in rule.columns}
    holds = _dates_hold if types == {"string"} else _numbers_hold
    operands = [raw.columns.get(c, [c] * len(raw.rows)) for c in rule.columns]
    held: dict[tuple[str, ...], bool] = {}  # many rows have the same few texts
    for i in rows:
        texts = tuple([cells[i] for cells in operands])
        if held.get(texts):
            continue
        filled = [j for j, text in enumerate(texts) if text]
        pairs = pairwise(filled)
        held[texts] = all(holds(texts[a], rule.signs[a], texts[b]) for a, b in pairs)
        if held[texts]:
            continue
        middle = [len(texts) // 2] if len(texts) > 2 else []
        subject = next(
            j for j in [*middle, *filled] if j in filled and rule.columns[j] in raw.columns
        )
        chain = _chain(rule.columns, rule.signs)
        here = _chain([text or "(empty)" for text in texts], rule.signs)
        yield i, rule.columns[subject], f"must hold: {chain}; here {here}"


def _chain(operands: Sequence[str], signs: Sequence[str]) -> str:
    rest = (f" {sign} {operand}" for sign, operand in zip(signs, operands[1:], strict=True))
    return operands[0] + "".join(rest)


def _numbers_hold(left: str, sign: str, right: str) -> bool:
    a, b = number(left), number(right)
    if a is None or b is None:
        return True  # a cell that is no number is named by the check of its type
    return COMPARE[sign](a, b)


def _dates_hold(left: str, sign: str, right: str) -> bool:
    """Compare dates as far as both go: a year, a month or a day."""
    length = min(len(left), len(right))
    return COMPARE[sign](left[:length], right[:length])


def _filled(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    for i in rows:
        for column in rule.columns:
            if not raw.columns[column][i]:
                yield i, column, rule.description


def _count(low: int, high: int, text: str) -> Callable[..., Found]:
    def check(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
        columns = rule.columns
        for i in rows:
            filled = [c for c in columns if raw.columns[c][i]]
            if not low <= len(filled) <= high:
                has = ", ".join(filled) or "none"
                message = f"{text} of {', '.join(columns)} must be filled; the row has {has}"
                yield i, (filled[-1] if filled else columns[0]), message

    return check


def _together(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    columns = rule.columns
    for i in rows:
        empty = [c for c in columns if not raw.columns[c][i]]
        if empty and len(empty) < len(columns):
            yield i, empty[0], f"{', '.join(columns)} must be filled together"


def _needs(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    first, *others = rule.columns
    for i in rows:
        empty = [c for c in others if not raw.columns[c][i]]
        if raw.columns[first][i] and empty:
            yield i, empty[0], f"must be filled where {first} is"


def _one_preferred(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    quantity = rule.columns
    first: dict[tuple[str, ...], int] = {}
    preferred = [
        i for i in rows if raw.columns["preferred"][i] == "true" and raw.columns["patient_set"][i]
    ]
    for i in preferred:
        key = (raw.columns["patient_set"][i], *(_same(raw.columns[c][i]) for c in quantity))
        if key in first:
            yield i, "preferred", _already(raw, first[key], key)
        first.setdefault(key, i)
    for i in preferred:
        patients, *rest = (raw.columns["patient_set"][i], *(raw.columns[c][i] for c in quantity))
        for part in patients.split("+") if "+" in patients else []:
            key = (part, *map(_same, rest))
            if key in first:
                yield i, "preferred", _already(raw, first[key], key)
                break


def _already(raw: Raw, i: int, key: tuple[str, ...]) -> str:
    what = ", ".join(part for part in key if part)
    return f"row {raw.rows[i]} is preferred already for {what}"


def _same(text: str) -> str:
    value = number(text)
    return text if value is None else repr(value)


def _row_ids(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    column, *table = rule.columns
    read = [known for known in keys.values() if known is not None]
    everything = frozenset[str]().union(*read) if len(read) == len(keys) else None
    for i in rows:
        known, where = everything, "any table"
        if table:
            where = raw.columns[table[0]][i]
            if where not in keys:
                yield i, table[0], "must be the name of a table"
                continue
            known = keys[where]
        if known is None:
            continue  # a table that cannot be read is named already
        for value in raw.columns[column][i].split():
            if value not in known:
                yield i, column, f"{value} must be a row of {where}"


def _unique(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    first: dict[tuple[str, ...], int] = {}
    for i in rows:
        key = tuple(raw.columns[c][i] for c in rule.columns)
        if key in first:
            yield i, rule.columns[-1], f"row {raw.rows[first[key]]} has {', '.join(key)} already"
        first.setdefault(key, i)


def _listed(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    known, column = keys[rule.table], rule.columns[0]
    for i in rows:
        wanted = rule.prefix + raw.columns[column][i]
        if known is not None and wanted not in known:
            yield i, column, f"must have a row {wanted} in {rule.table}"


def _address(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    for column in rule.columns:
        for i in rows:
            text = raw.columns[column][i]
            if not text or text == NOT_RECORDED:
                continue
            parts = urlsplit(text.removeprefix(COPY))
            if parts.scheme not in ("http", "https") or not parts.netloc or " " in text:
                yield i, column, f"must be an address, {COPY}<address> or '{NOT_RECORDED}'"
            elif not text.startswith(COPY) and parts.netloc not in raw.table.hosts:
                yield i, column, _elsewhere(parts.netloc, raw)


def _elsewhere(host: str, raw: Raw) -> str:
    close = difflib.get_close_matches(host, sorted(raw.table.hosts), n=1)
    return (
        f"{host} is not among the allowed hosts; give the report's own address (DOI, PubMed, "
        f"publisher, registry, regulator) or, where only a copy exists, {COPY}<address>"
        + (f"; nearest: {close[0]}" if close else "")
    )


def _not_future(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    # A clock that is slow is no fault of a row: nothing written in the base by the date of its
    # descriptor is in the future.
    today = max(datetime.date.today().isoformat(), raw.table.written)
    for column in rule.columns:
        for i in rows:
            text = raw.columns[column][i]
            if re.match("[0-9]{4}", text) and text > today[: len(text)]:
                yield i, column, f"must not lie in the future; today is {today}"


def _falls(rule: Rule, raw: Raw, rows: Sequence[int], keys: Keys) -> Found:
    value, order, *group = (raw.columns[c] for c in rule.columns)
    series: dict[tuple[str, ...], list[tuple[float, float, int]]] = {}
    for i in rows:
        x, y = number(order[i]), number(value[i])
        if x is not None and y is not None:
            series.setdefault(tuple(c[i] for c in group), []).append((x, y, i))
    for points in series.values():
        for (x0, y0, _), (x1, y1, i) in pairwise(sorted(points)):
            if y1 > y0:
                message = f"must not rise: {y0:g} at {x0:g}, {y1:g} at {x1:g}"
                yield i, rule.columns[0], message


KINDS: dict[str, Callable[[Rule, Raw, Sequence[int], Keys], Found]] = {
    "check": _check,
    "filled": _filled,
    "some": _count(1, 99, "at least one"),
    "at_most_one": _count(0, 1, "at most one"),
    "exactly_one": _count(1, 1, "exactly one"),
    "together": _together,
    "needs": _needs,
    "one_preferred_per": _one_preferred,
    "unique_together": _unique,
    "row_ids": _row_ids,
    "listed_in": _listed,
    "address": _address,
    "not_future": _not_future,
    "falls": _falls,
}
