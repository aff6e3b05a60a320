"""Formulas of a regression: a small grammar, read to the end before anything is evaluated.

A formula is text from outside. Evaluated as it stands, it could run any Python; here it is parsed
into a tree that can hold column names, numbers, ``+ - * : ^ ( )`` and a few functions, and a
formula of plain terms is written from that tree. Nothing else reaches the evaluation.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pandas as pd

from metablin._input import is_missing
from metablin.errors import DataError
from metablin.io.cells import explain, looks_numeric, parse

__all__ = ["Formula", "moderator_columns", "read_formula"]

MOST_CHARACTERS = 200
MOST_TERMS = 50
MOST_POWER = 10
MOST_DEPTH = 20
FUNCTIONS = ("C", "I", "log", "exp", "sqrt", "center", "scale", "poly", "bs")
_OPTIONS = {"poly": ("degree",), "bs": ("df", "degree")}
ALLOWED = (
    "column names, numbers, + - * : ^ ( ) with powers up to 10, and "
    + " ".join(f"{name}()" for name in FUNCTIONS)
)  # fmt: skip

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?(?![\w.])|\.\d+(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[^\W\d][\w.]*)|`(?P<quoted>[^`\\\n]+)`|(?P<mark>\*\*|[-+*:^(),=]))"
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula after reading.

    Attributes
    ----------
    text : str
        As it was written.
    terms : tuple of frozenset of str
        Each the factors of one term, such as ``{"year", "C(line)"}``; the intercept is not one.
    intercept : bool
    columns : tuple of str
        Columns it needs, in order of appearance.
    categories : frozenset of str
        Columns that ``C()`` asks to be taken as categories.
    written : mapping of str to str
        Factors as they are evaluated, and as the user wrote them.
    """

    text: str
    terms: tuple[tuple[str, ...], ...]
    intercept: bool
    columns: tuple[str, ...]
    categories: frozenset[str]
    written: dict[str, str] = field(default_factory=dict)

    @property
    def flat(self) -> str:
        """The formula as a sum of plain terms, which is what is evaluated."""
        terms = [":".join(term) for term in self.terms]
        return " + ".join(["1" if self.intercept else "0", *terms])


def read_formula(text: object) -> Formula:
    """Parse the right-hand side of a formula.

    Parameters
    ----------
    text : str
        Such as ``"year + C(line)"``, ``"I(x^2)"`` or ``"(a + b)^2"``; a leading ``~`` is allowed.

    Raises
    ------
    DataError
        For anything that is not in the grammar, more than 200 characters, or more than 50 terms.

    Examples
    --------
    >>> read_formula("x + I(x^2)").flat
    '1 + x + I(x ** 2)'
    >>> read_formula("a * b - 1").terms
    (('a',), ('b',), ('a', 'b'))
    """
    if not (isinstance(text, str) and text.strip()):
        raise _wrong(text, "no text")
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"a formula of {len(text)} characters", column="moderators",
                        allowed=f"at most {MOST_CHARACTERS} characters")  # fmt: skip
    reader = _Reader(text, text.strip().removeprefix("~"))
    terms, intercept = reader.formula()
    if not terms and not intercept:
        raise _wrong(text, "no terms")
    return Formula(
        text, tuple(terms), intercept, tuple(dict.fromkeys(reader.columns)),
        frozenset(reader.categories), reader.written,
    )  # fmt: skip


def _wrong(text: object, why: str) -> DataError:
    shown = repr(text) if len(repr(text)) <= MOST_CHARACTERS else repr(text)[:60] + "..."
    return DataError(f"not a formula ({why})", column="moderators", value=shown, allowed=ALLOWED)


Term = tuple[str, ...]


class _Reader:
    """Recursive descent over the tokens; sums of terms outside functions, arithmetic inside."""

    def __init__(self, given: str, text: str) -> None:
        self.given = given
        self.tokens = list(self._tokens(text))
        self.at = self.depth = 0
        self.columns: list[str] = []
        self.categories: set[str] = set()
        self.written: dict[str, str] = {}

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                rest = text[at:].strip()
                raise _wrong(self.given, f"{rest[0]!r} is not allowed")
            yield str(found.lastgroup), str(found[str(found.lastgroup)])
            at = found.end()

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        i = self.at + ahead
        return self.tokens[i] if i < len(self.tokens) else ("end", "the end")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self.at += 1
        return token

    def _take(self, mark: str) -> bool:
        if self._peek() == ("mark", mark):
            self.at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise _wrong(self.given, f"{mark!r} is missing before {self._peek()[1]}")

    # Outside functions: terms.

    def formula(self) -> tuple[list[Term], bool]:
        terms, intercept = self._sum(True)
        if self._peek()[0] != "end":
            raise _wrong(self.given, f"{self._peek()[1]!r} is not expected")
        return terms, intercept

    def _sum(self, intercept: bool) -> tuple[list[Term], bool]:
        terms: list[Term] = []
        first = True
        while True:
            minus = self._take("-")
            if not minus and not self._take("+") and not first:
                return terms, intercept
            if self._peek() in (("number", "0"), ("number", "1")) and self._ends(1):
                intercept = (self._next()[1] == "1") != minus
            else:
                found = self._product()
                terms = _without(terms, found) if minus else _union(terms, found)
                self._check_count(terms)
            first = False

    def _ends(self, ahead: int) -> bool:
        return self._peek(ahead)[0] == "end" or self._peek(ahead)[1] in ("+", "-", ")")

    def _check_count(self, terms: Sequence[Term]) -> None:
        if len(terms) > MOST_TERMS:
            raise DataError("a formula of more terms than any table can serve",
                            column="moderators", allowed=f"at most {MOST_TERMS} terms")  # fmt: skip

    def _product(self) -> list[Term]:
        terms = self._interaction()
        while self._take("*"):
            right = self._interaction()
            terms = _union(_union(terms, right), self._cross(terms, right))
            self._check_count(terms)
        return terms

    def _interaction(self) -> list[Term]:
        terms = self._power()
        while self._take(":"):
            terms = self._cross(terms, self._power())
        return terms

    def _cross(self, left: Sequence[Term], right: Sequence[Term]) -> list[Term]:
        out: list[Term] = []
        for a in left:
            out = _union(out, [_joined(a, b) for b in right])
            self._check_count(out)
        return out

    def _power(self) -> list[Term]:
        terms = base = self._factor()
        while self._take("^") or self._take("**"):
            for _ in range(self._exponent() - 1):
                grown = _union(terms, self._cross(terms, base))
                self._check_count(grown)
                if len(grown) == len(terms):
                    break
                terms = grown
        return terms

    def _factor(self) -> list[Term]:
        kind, text = self._next()
        if kind == "mark" and text == "(":
            self.depth += 1
            if self.depth > MOST_DEPTH:
                raise _wrong(self.given, "too many parentheses inside each other")
            terms, _ = self._sum(True)
            self._need(")")
            self.depth -= 1
            return terms
        if kind == "name" and self._peek() == ("mark", "("):
            return [(self._call(text, 0),)]
        if kind in ("name", "quoted"):
            return [(self._column(text),)]
        if kind == "number":
            raise _wrong(self.given, f"the number {text} stands alone; arithmetic goes into I()")
        raise _wrong(self.given, f"a column name is missing before {text}")

    def _exponent(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdecimal() or not 1 <= int(text) <= MOST_POWER:
            raise _wrong(self.given, f"a power is a whole number of at most {MOST_POWER}")
        return int(text)

    def _column(self, name: str) -> str:
        self.columns.append(name)
        return name if name.isidentifier() and not keyword.iskeyword(name) else f"`{name}`"

    # Inside functions: arithmetic.

    def _call(self, name: str, depth: int) -> str:
        if name not in FUNCTIONS:
            raise _wrong(self.given, f"{name}() is not allowed")
        start = self.at
        self._need("(")
        inner = self._category() if name == "C" else self._arithmetic(depth + 1)[0]
        inner += self._arguments(name)
        self._need(")")
        out = f"{name}({inner})"
        if depth == 0:
            written = "".join(text for _, text in self.tokens[start : self.at])
            self.written[out] = (
                f"{name}{written.replace('**', '^') if '^' in self.given else written}"
            )
        return out

    def _category(self) -> str:
        kind, text = self._next()
        if kind not in ("name", "quoted") or self._peek() == ("mark", "("):
            raise _wrong(self.given, "C() takes one column name")
        self.categories.add(text)
        return self._column(text)

    def _arguments(self, name: str) -> str:
        out = ""
        positional = name == "poly"
        while self._take(","):
            option = ""
            if self._peek()[0] == "name":
                option = self._next()[1]
                if option not in _OPTIONS.get(name, ()):
                    raise _wrong(self.given, f"{name}() has no option {option}")
                self._need("=")
            elif name not in _OPTIONS or not positional:
                raise _wrong(self.given, f"{name}() takes its options by name")
            out += f", {option + '=' if option else ''}{self._exponent()}"
            positional = False
        return out

    def _arithmetic(self, depth: int) -> tuple[str, int]:
        """Return a sum of products and its degree, which the powers inside may not drive up."""
        out, degree = "", 0
        sign = "-" if self._take("-") else ""
        while True:
            text, power = self._times(depth)
            out, degree = f"{out}{sign}{text}", max(degree, power)
            if self._take("+"):
                sign = " + "
            elif self._take("-"):
                sign = " - "
            else:
                return out, degree

    def _times(self, depth: int) -> tuple[str, int]:
        out, degree = self._raised(depth)
        while self._take("*"):
            text, power = self._raised(depth)
            out, degree = f"{out} * {text}", degree + power
        return out, degree

    def _raised(self, depth: int) -> tuple[str, int]:
        out, degree = self._atom(depth)
        while self._take("^") or self._take("**"):
            power = self._exponent()
            out, degree = f"{out} ** {power}", max(degree, 1) * power
            if degree > MOST_POWER or self._peek()[1] in ("^", "**"):
                raise _wrong(self.given, f"powers of powers above {MOST_POWER}")
        return out, degree

    def _atom(self, depth: int) -> tuple[str, int]:
        if depth > MOST_DEPTH:
            raise _wrong(self.given, "too many parentheses inside each other")
        kind, text = self._next()
        if kind == "number":
            return text, 0
        if kind == "mark" and text == "(":
            inner, degree = self._arithmetic(depth + 1)
            self._need(")")
            return f"({inner})", degree
        if kind == "mark" and text == "-":
            inner, degree = self._atom(depth + 1)
            return f"-{inner}", degree
        if kind == "name" and self._peek() == ("mark", "("):
            if text in ("C", "poly", "bs"):
                raise _wrong(self.given, f"{text}() cannot stand inside another function")
            return self._call(text, depth), 1
        if kind in ("name", "quoted"):
            return self._column(text), 1
        raise _wrong(self.given, f"a value is missing before {text}")


def _joined(a: Term, b: Term) -> Term:
    return tuple(dict.fromkeys([*a, *b]))


def _without(terms: Sequence[Term], gone: Sequence[Term]) -> list[Term]:
    names = {frozenset(t) for t in gone}
    return [t for t in terms if frozenset(t) not in names]


def _union(left: Sequence[Term], right: Sequence[Term]) -> list[Term]:
    seen = {frozenset(t) for t in left}

    def add(out: list[Term], term: Term) -> list[Term]:
        if frozenset(term) not in seen:
            seen.add(frozenset(term))
            out.append(term)
        return out

    return reduce(add, right, list(left))


def moderator_columns(
    formula: Formula, frame: pd.DataFrame, rows: Sequence[int], studies: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the columns a formula needs, as numbers or as categories, without gaps.

    A column whose values are numbers is numeric, whatever its type in the frame; a column of words
    is a category; a categorical column keeps its order of levels and loses the empty ones.

    Parameters
    ----------
    formula : Formula
    frame : DataFrame
    rows : sequence of int
        Data rows of the input, from 1, for errors.
    studies : sequence of str, optional
        Labels for errors.

    Raises
    ------
    DataError
        For a column that is not there, missing values, and numbers with something beside them.

    Examples
    --------
    >>> dose = pd.DataFrame({"dose": ["9", "28"]})
    >>> moderator_columns(read_formula("dose"), dose, [1, 2])["dose"].tolist()
    [9.0, 28.0]
    """
    out = {}
    for name in formula.columns:
        if name not in frame.columns:
            raise DataError("no such column in data", column=name,
                            allowed=", ".join(str(c) for c in frame.columns))  # fmt: skip
        column = frame[name]
        _no_gaps(name, column, rows, studies)
        out[name] = _typed(name, column, rows, studies, name in formula.categories)
    return pd.DataFrame(out, index=frame.index)


def _no_gaps(
    name: str, column: pd.Series, rows: Sequence[int], studies: Sequence[str] | None
) -> None:
    gaps = [i for i, value in enumerate(column) if is_missing(value)]
    if gaps:
        raise DataError.joined([
            DataError("missing moderator", row=int(rows[i]), column=name,
                      study=None if studies is None else studies[i],
                      allowed="a value in every study; leave the study out before pooling if need "
                      "be (--missing drop)")
            for i in gaps
        ])  # fmt: skip


def _typed(
    name: str, column: pd.Series, rows: Sequence[int], studies: Sequence[str] | None, category: bool
) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if column.dtype.kind in "iuf":
        return column.astype("float64")  # whole numbers have no room for a tenth power
    if column.dtype.kind == "b":
        return column
    values = [_as_number(v) for v in column]
    if all(v is not None for v in values):
        return pd.Series(np.array(values, dtype=np.float64), index=column.index)
    words = all(v is None for v in values) and not any(map(_meant_as_number, column))
    if category or words:
        return column.astype(str)
    raise DataError.joined([
        DataError(f"not a number ({explain(str(column.iloc[i]))})", row=int(rows[i]), column=name,
                  value=repr(column.iloc[i]), study=None if studies is None else studies[i],
                  allowed=f"numbers throughout, or C({name}) for categories")
        for i, value in enumerate(values) if value is None
    ])  # fmt: skip


def _as_number(value: object) -> float | None:
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, int | float | np.number) and not isinstance(value, complex):
        return float(value)
    return None


def _meant_as_number(value: object) -> bool:
    return isinstance(value, str) and looks_numeric(value) and len(value.split()) == 1
