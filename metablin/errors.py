"""Errors and warnings that name what went wrong and where."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

__all__ = [
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "MetablinWarning",
    "visible",
    "warn",
]


_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return text with what a terminal would obey written out.

    Control characters (colours, cursor movements, line ends) and marks that turn the direction of
    writing become their escapes, so that a label can neither hide nor forge what is printed.

    Examples
    --------
    >>> visible("\x1b[2JA")
    '\\x1b[2JA'
    """
    return _INVISIBLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


_NUMPY = re.compile(
    r"\bnp\.(?:float|int|uint|bool|str|bytes|complex|datetime|timedelta)_?\d*"
    r"\(([^()]*|\([^()]*\)[^()]*)\)"
)
"""A number as numpy writes it, such as ``np.float64(1.0)``; a reader wants the number."""

MOST_SHOWN = 200
"""Characters of a value that an error shows; what goes beyond is no cell of a table."""

MOST_PLACES = 50
"""Places that one error lists; a whole column of words would fill the screen."""


class DataError(ValueError):
    """Input that cannot be used, with its place and what would be allowed.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence without a final stop.
    row : int, optional
        Data row, counted from 1; in a file with a header it stands on line ``row + 1``.
    column : str, optional
        Name of the column or argument.
    value : object, optional
        The offending value.
    allowed : str, optional
        What would be accepted.
    study : str, optional
        Label of the study in that row.
    also : sequence of DataError, optional
        Further places of the same kind; they follow on the same line, joined by semicolons.

    Examples
    --------
    >>> print(DataError("more events than patients", row=3, column="events", value=12,
    ...                 allowed="at most n = 10", study="BLAST"))
    row 3 (BLAST), column 'events', value 12: more events than patients; allowed: at most n = 10
    """

    def __init__(
        self,
        message: str,
        *,
        row: int | None = None,
        column: str | None = None,
        value: Any = None,
        allowed: str | None = None,
        study: str | None = None,
        also: Sequence[DataError] = (),
    ) -> None:
        self.also = tuple(also)
        self.message = message
        self.row = row
        self.column = column
        self.value = value
        self.allowed = allowed
        self.study = study
        super().__init__(visible(self._text()))

    def _text(self) -> str:
        place = []
        if self.row is not None:
            label = f" ({self.study})" if self.study not in (None, "") else ""
            place.append(f"row {self.row}{label}")
        elif self.study:
            place.append(f"study {self.study}")
        if self.column is not None:
            long = len(self.column) > MOST_SHOWN
            name = f"{self.column[: MOST_SHOWN - 3]}..." if long else self.column
            place.append(f"column {name!r}")
        if self.value is not None:
            # One line, whatever the value: a table or an array prints over several.
            text_of = _NUMPY.sub(r"\1", " ".join(str(self.value).split()))
            long = len(text_of) > MOST_SHOWN
            place.append(f"value {text_of[: MOST_SHOWN - 3] + '...' if long else text_of}")
        text = f"{', '.join(place)}: {self.message}" if place else self.message
        text = f"{text}; allowed: {self.allowed}" if self.allowed else text
        shown = [str(error) for error in self.also[: MOST_PLACES - 1]]
        left = len(self.also) - len(shown)
        return "; ".join([text, *shown, *([f"and {left} more"] if left else [])])

    @classmethod
    def joined(cls, errors: Sequence[DataError]) -> DataError:
        """Return one error that names every place; the first gives its row and column.

        Examples
        --------
        >>> print(DataError.joined([DataError("missing", row=2), DataError("missing", row=5)]))
        row 2: missing; row 5: missing
        """
        told = [
            error if i + 1 == len(errors) or error.allowed != errors[i + 1].allowed
            else error._without_allowed()
            for i, error in enumerate(errors)
        ]  # fmt: skip
        first = told[0]
        return cls(
            first.message, row=first.row, column=first.column, value=first.value,
            allowed=first.allowed, study=first.study, also=told[1:],
        )  # fmt: skip

    def _without_allowed(self) -> DataError:
        """Return the error without what is allowed, which the next place will say again."""
        return DataError(
            self.message, row=self.row, column=self.column, value=self.value, study=self.study
        )


class ConvergenceError(RuntimeError):
    """An iterative solver did not reach its tolerance and there is no usable answer."""


class MetablinWarning(UserWarning):
    """A result stands but carries a caveat the caller should read."""


class ConvergenceWarning(MetablinWarning):
    """An iterative solver stopped early; the result is the best point it reached."""


_NO_CALLER = {"metablin", "importlib", "_frozen_importlib"}
"""Packages whose lines are never the caller's: this one, and the machinery of imports."""


def warn(message: str, category: type[Warning] = MetablinWarning) -> None:
    """Warn at the line that called this package, however deep in it the caveat was found.

    A fixed ``stacklevel`` counts frames, and a function is reached on several ways: by itself,
    through ``data=``, from another function.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     warn("the interval is wide")
    ...     said[0].category.__name__, str(said[0].message)
    ('MetablinWarning', 'the interval is wide')
    """
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__")).split(".")[0] in _NO_CALLER:
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__"),
        frame.f_globals.setdefault("__warningregistry__", {}),
    )
