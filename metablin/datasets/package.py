"""The descriptor of the evidence base: where it is, its tables, what each column may hold."""

from __future__ import annotations

import difflib
import json
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from metablin.errors import DataError

__all__ = [
    "DESCRIPTOR",
    "Field",
    "ForeignKey",
    "Package",
    "Rule",
    "Table",
    "data_directory",
    "nearest",
    "read_package",
]

DESCRIPTOR = "datapackage.json"
MANY = 20  # more names than this are not listed in an error
TYPES = ("string", "integer", "number", "boolean")
RULE_KINDS = (
    "check",
    "filled",
    "some",
    "at_most_one",
    "exactly_one",
    "together",
    "needs",
    "one_preferred_per",
    "unique_together",
    "row_ids",
    "listed_in",
    "address",
    "not_future",
    "falls",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One column: what it means and what its cells may hold.

    Attributes
    ----------
    sources : mapping
        Where values of the column stand for reports: value to ``source_key`` of references.
    """

    name: str
    type: str
    description: str = ""
    unit: str = ""
    required: bool = False
    unique: bool = False
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the column's meaning in plain Python types."""
        return {
            "type": self.type,
            "description": self.description,
            "unit": self.unit,
            "required": self.required,
            "enum": list(self.enum),
            "sources": dict(self.sources),
        }


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A column whose filled cells name a row of another table."""

    column: str
    table: str
    target: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A check across columns, rows or tables, as the descriptor states it.

    Attributes
    ----------
    kind : str
        What is checked. Empty cells are passed over.

        ``check``: a chain of comparisons, ``"ci_low <= estimate <= ci_high"``;
        ``filled``: columns that must not be empty;
        ``some``: columns of which at least one must be filled;
        ``at_most_one``: columns of which no two may be filled;
        ``exactly_one``: columns of which one must be filled;
        ``together``: columns that are all filled or all empty;
        ``needs``: columns of which the first, when filled, needs the others filled;
        ``one_preferred_per``: columns that name a quantity, one preferred row for each;
        ``unique_together``: columns whose values together stand in one row only;
        ``row_ids``: a column of row identifiers, of any table or of the one named in the
        second column;
        ``listed_in``: a column of which every value, after `prefix`, is a row of `table`;
        ``address``: columns of addresses at a host of the package's list, marked as a copy
        (``copy:``) or ``not recorded``;
        ``not_future``: columns of dates no later than today;
        ``falls``: a column that never rises with the second one, within the others.
    columns : tuple of str
        The columns, or the operands of a chain (columns and numbers).
    signs : tuple of str
        The comparisons of a chain.
    when : mapping
        Column to the values that select the rows to check.
    table, prefix : str
        Where a ``listed_in`` rule looks.
    """

    name: str
    description: str
    kind: str
    columns: tuple[str, ...]
    signs: tuple[str, ...]
    when: Mapping[str, tuple[str, ...]]
    table: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table of the evidence base.

    Attributes
    ----------
    rules : tuple of Rule
        Checks across columns, rows and tables.
    show, quantity, values : tuple of str
        Columns to show first; columns that say what is reported; columns that hold it.
    hosts : frozenset of str
        Where an address of the package may lie.
    written : str
        Date of the descriptor, as far as it is a date.
    may_be_empty : bool
        Whether the table may be without a row.
    """

    name: str
    path: str
    title: str
    description: str
    fields: tuple[Field, ...]
    primary_key: str
    foreign_keys: tuple[ForeignKey, ...]
    rules: tuple[Rule, ...]
    show: tuple[str, ...]
    quantity: tuple[str, ...]
    values: tuple[str, ...]
    hosts: frozenset[str] = frozenset()
    written: str = ""
    may_be_empty: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in file order."""
        return [column.name for column in self.fields]


@dataclass(frozen=True, slots=True)
class Package:
    """The descriptor, read and checked."""

    directory: Path
    title: str
    tables: Mapping[str, Table]
    files: tuple[str, ...]

    def table(self, name: str) -> Table:
        """Return the table called `name`.

        Raises
        ------
        DataError
            When there is none, with the nearest names.
        """
        if not isinstance(name, str) or name not in self.tables:
            raise DataError(
                "no such table",
                column="table",
                value=repr(name),
                allowed=nearest(str(name), self.tables),
            )
        return self.tables[name]


def nearest(name: str, names: Any, limit: int = 8) -> str:
    """Return the names most like `name`, or all of them when they are few.

    Examples
    --------
    >>> nearest("towr", ["alcantara", "blast", "interfant", "tower"], limit=3)
    'tower'
    """
    known = sorted(str(n) for n in names)
    if len(known) <= limit:
        return ", ".join(known)
    close = difflib.get_close_matches(name.lower(), known, n=5, cutoff=0.6)
    inside = [n for n in known if name and name.lower() in n and n not in close]
    others = known if len(known) <= MANY else [*known[:MANY], "..."]
    return ", ".join([*close, *inside[:5]] or others)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # text too long for a name, or with a null in it
        return False


def data_directory(path: str | Path | None = None) -> Path:
    """Return the directory that holds the evidence base.

    Parameters
    ----------
    path : path, optional
        A directory to use instead of the one that belongs to the package.

    Returns
    -------
    Path
        `path` itself, else the tables inside the installed package, else those of a checkout.

    Raises
    ------
    DataError
        When there is no such directory.
    """
    if path is not None:
        chosen = Path(path) if isinstance(path, str | os.PathLike) else None
        if chosen is None or not _is_folder(chosen):
            raise DataError(
                "not a directory",
                column="directory",
                value=str(path),
                allowed=f"a directory with {DESCRIPTOR}",
            )
        return chosen
    here = Path(__file__).resolve()
    candidates = (here.parent / "data", here.parents[2] / "datasets")
    for candidate in candidates:
        if (candidate / DESCRIPTOR).is_file():
            return candidate
    raise DataError(
        "the evidence tables are not part of this installation",
        column="directory",
        allowed=f"a checkout or a wheel of metablin, or path= a directory with {DESCRIPTOR}",
    )


def read_package(directory: str | Path) -> Package:
    """Read and check the descriptor in `directory`.

    Raises
    ------
    DataError
        Naming the part of ``datapackage.json`` that is wrong.
    """
    root = Path(directory)
    title, tables, files = _read(_content(root / DESCRIPTOR))
    return Package(root, title, tables, files)


@lru_cache(maxsize=8)
def _read(content: bytes) -> tuple[str, dict[str, Table], tuple[str, ...]]:
    """Return title, tables and files; the same descriptor is read once in a process."""
    descriptor = _json(content)
    resources = descriptor.get("resources")
    if not isinstance(resources, list) or not resources:
        raise _broken("has no resources", column="resources", allowed="a list of tables")
    hosts = _hosts(descriptor)
    written = str(descriptor.get("created", ""))[:10]
    tables: dict[str, Table] = {}
    files: list[str] = []
    for i, resource in enumerate(resources):
        where = f"resources[{i}]"
        name, path = _text(resource, "name", where), _text(resource, "path", where)
        if Path(path).name != path:
            raise _broken("not a plain file name", column=f"{where}.path", value=path)
        if name in tables or path in files:
            raise _broken("listed twice", column=f"{where}.name", value=name)
        files.append(path)
        if resource.get("type") == "table":
            tables[name] = replace(_table(resource, where), hosts=hosts, written=written)
    for table in tables.values():
        _check_references(table, tables)
    return str(descriptor.get("title", "")), tables, tuple(files)


def _broken(
    message: str, *, column: str | None = None, value: Any = None, allowed: str | None = None
) -> DataError:
    return DataError(f"{DESCRIPTOR} {message}", column=column, value=value, allowed=allowed)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise _broken("is missing", allowed="a directory that holds the evidence base") from error


def _json(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _broken(f"is not UTF-8 text at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise _broken(
            f"is not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})"
        ) from error
    except RecursionError as error:
        raise _broken("is nested too deeply") from error
    if not isinstance(content, dict):
        raise _broken("is not a JSON object")
    return content


def _hosts(descriptor: dict[str, Any]) -> frozenset[str]:
    kinds = descriptor.get("hosts", {})
    if not isinstance(kinds, dict):
        raise _broken("lacks an object", column="hosts")
    return frozenset(host for kind in kinds for host in _texts(kinds, kind, "hosts"))


def _text(owner: Any, key: str, where: str) -> str:
    value = owner.get(key) if isinstance(owner, dict) else None
    if not isinstance(value, str) or not value:
        raise _broken("lacks a text", column=f"{where}.{key}")
    return value


def _list(owner: Any, key: str, where: str) -> list[Any]:
    value = owner.get(key, []) if isinstance(owner, dict) else None
    if not isinstance(value, list):
        raise _broken("lacks a list", column=f"{where}.{key}")
    return value


def _texts(owner: Any, key: str, where: str) -> tuple[str, ...]:
    values = _list(owner, key, where)
    for value in values:
        if not isinstance(value, str) or not value:
            raise _broken("lacks a text", column=f"{where}.{key}", value=repr(value))
    return tuple(values)


def _table(resource: dict[str, Any], where: str) -> Table:
    schema = resource.get("schema")
    fields = _list(schema, "fields", f"{where}.schema")
    if not isinstance(schema, dict) or not fields:
        raise _broken("has a table without fields", column=f"{where}.schema")
    key = _texts(schema, "primaryKey", f"{where}.schema")
    if len(key) != 1:
        raise _broken("has a table without one key column", column=f"{where}.schema.primaryKey")
    return Table(
        name=resource["name"],
        path=resource["path"],
        title=str(resource.get("title", "")),
        description=str(resource.get("description", "")),
        fields=tuple(_field(f, f"{where}.schema.fields[{i}]") for i, f in enumerate(fields)),
        primary_key=key[0],
        foreign_keys=tuple(
            _foreign_key(k, f"{where}.schema.foreignKeys[{i}]")
            for i, k in enumerate(_list(schema, "foreignKeys", f"{where}.schema"))
        ),
        rules=tuple(
            _rule(r, f"{where}.rules[{i}]") for i, r in enumerate(_list(resource, "rules", where))
        ),
        show=_texts(resource, "show", where),
        quantity=_texts(resource, "quantity", where),
        may_be_empty=resource.get("may_be_empty") is True,
        values=_texts(resource, "values", where),
    )


def _field(spec: Any, where: str) -> Field:
    name, kind = _text(spec, "name", where), _text(spec, "type", where)
    if kind not in TYPES:
        raise _broken("unknown type", column=f"{where}.type", value=kind, allowed=", ".join(TYPES))
    limits = spec.get("constraints", {})
    if not isinstance(limits, dict):
        raise _broken("lacks an object", column=f"{where}.constraints")
    return Field(
        name=name,
        type=kind,
        description=str(spec.get("description", "")),
        unit=str(spec.get("unit", "")),
        required=limits.get("required") is True,
        unique=limits.get("unique") is True,
        enum=_texts(limits, "enum", where),
        minimum=_limit(limits, "minimum", where),
        maximum=_limit(limits, "maximum", where),
        pattern=_pattern(limits, where),
        sources=_sources(spec, where),
    )


def _sources(spec: dict[str, Any], where: str) -> dict[str, str]:
    sources = spec.get("sources", {})
    if not isinstance(sources, dict):
        raise _broken("lacks an object", column=f"{where}.sources")
    return {value: _text(sources, value, f"{where}.sources") for value in sources}


def _limit(limits: dict[str, Any], key: str, where: str) -> float | None:
    value = limits.get(key)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise _broken("lacks a number", column=f"{where}.{key}", value=repr(value))


def _pattern(limits: dict[str, Any], where: str) -> str:
    value = limits.get("pattern", "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(value)
    except (re.error, TypeError) as error:
        raise _broken(
            "lacks a regular expression", column=f"{where}.pattern", value=repr(value)
        ) from error
    return str(value)


def _foreign_key(spec: Any, where: str) -> ForeignKey:
    columns = _texts(spec, "fields", where)
    reference = spec.get("reference")
    targets = _texts(reference, "fields", f"{where}.reference")
    if len(columns) != 1 or len(targets) != 1:
        raise _broken("has a foreign key that is not one column to one", column=where)
    return ForeignKey(columns[0], _text(reference, "resource", where), targets[0])


def _rule(spec: Any, where: str) -> Rule:
    name = _text(spec, "name", where)
    kinds = [kind for kind in RULE_KINDS if kind in spec]
    if len(kinds) != 1:
        raise _broken("has a rule without one check", column=where, allowed=", ".join(RULE_KINDS))
    kind, signs = kinds[0], tuple[str, ...]()
    if kind == "check":
        tokens = re.split(r"\s*(<=|>=|==|<|>)\s*", _text(spec, kind, where).strip())
        columns, signs = tuple(tokens[::2]), tuple(tokens[1::2])
    elif kind == "row_ids":
        columns = tuple(_text(spec, key, where) for key in (kind, "table") if key in spec)
    elif kind == "listed_in":
        columns = (_text(spec, kind, where),)
    else:
        columns = _texts(spec, kind, where)
    rule = Rule(name, str(spec.get("description", "")), kind, columns, signs, _when(spec, where))
    if kind == "listed_in":
        rule = replace(rule, table=_text(spec, "table", where), prefix=str(spec.get("prefix", "")))
    if not _rule_columns(rule) or (kind == "check" and not signs):
        raise _broken("has a rule about nothing", column=f"{where}.{kind}")
    return rule


def _when(spec: dict[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    when = spec.get("when", {})
    if not isinstance(when, dict):
        raise _broken("lacks an object", column=f"{where}.when")
    return {
        column: (wanted,) if isinstance(wanted, str) else _texts(when, column, f"{where}.when")
        for column, wanted in when.items()
    }


def _rule_columns(rule: Rule) -> set[str]:
    named = {c for c in rule.columns if rule.kind != "check" or re.match("[A-Za-z_]", c)}
    marks = {"patient_set", "preferred"} if rule.kind == "one_preferred_per" else set()
    return {*named, *marks, *rule.when} if rule.columns else set()


def _check_references(table: Table, tables: Mapping[str, Table]) -> None:
    known = set(table.columns)
    for i, column in enumerate(table.columns):
        if column in table.columns[:i]:
            raise _broken("has a column twice", column=table.name, value=column)
    named = {table.primary_key, *table.show, *table.quantity, *table.values}
    named |= {key.column for key in table.foreign_keys}
    named = named.union(*map(_rule_columns, table.rules))
    for column in sorted(named - known):
        raise _broken("names a column that is not in the table", column=table.name, value=column)
    for rule in table.rules:
        if rule.table and rule.table not in tables:
            raise _broken(
                "has a rule about a table that is not there",
                column=f"{table.name}.{rule.name}",
                value=rule.table,
            )
    for key in table.foreign_keys:
        if key.table not in tables or key.target != tables[key.table].primary_key:
            raise _broken(
                "has a foreign key to nowhere",
                column=f"{table.name}.{key.column}",
                value=f"{key.table}.{key.target}",
            )
