"""Effects that a model with structured random effects expects, and how far new ones may lie."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._frame import frame_of
from metablin.errors import DataError
from metablin.meta.core.moderators import Design, new_rows
from metablin.meta.structures.components import Component
from metablin.meta.structures.likelihood import Term

__all__ = ["containment", "least_df", "new_effects", "rows_of"]

FloatArray = NDArray[np.float64]


def containment(x: FloatArray, terms: Sequence[Term]) -> FloatArray:
    """Return degrees of freedom of p coefficients by containment, shape (p,).

    A column that is the same throughout each group of a random effect is estimated from its groups:
    their number less p, the least where several effects qualify; k - p where none does.

    Raises
    ------
    DataError
        When no degree of freedom is left.
    """
    k, p = x.shape
    count = np.full(p, float(k))
    for t in terms:
        groups = int(t.outer.max()) + 1
        low, high = np.full((groups, p), math.inf), np.full((groups, p), -math.inf)
        np.minimum.at(low, t.outer, x)
        np.maximum.at(high, t.outer, x)
        constant = (low == high).all(axis=0)
        count[constant] = np.minimum(count[constant], groups)
    df = count - p
    for j in np.flatnonzero(df < 1)[:1]:
        raise DataError("no degrees of freedom by containment", column="dfs",
                        value=f"{count[j]:g} groups, {p} coefficients",
                        allowed='fewer coefficients, or dfs="residual"')  # fmt: skip
    return np.asarray(df)


def least_df(rows: FloatArray, term_df: FloatArray) -> FloatArray:
    """Return degrees of freedom of combinations (m, p): the least of the coefficients in them."""
    return np.asarray(np.where(rows != 0, term_df, math.inf).min(axis=1))


def rows_of(
    data: Any, fixed: Design | None, terms: Sequence[str], given: bool
) -> tuple[FloatArray, pd.DataFrame | None]:
    """Return rows of the design at new values, and the table of them if there is one.

    Parameters
    ----------
    data : DataFrame, mapping, array-like (m, p), or None
    fixed : Design, optional
        Of a formula.
    terms : sequence of str
    given : bool
        Whether the design was given as a matrix.
    """
    if fixed is not None:
        if data is None:
            raise DataError("moderators need values to predict at", column="data",
                            allowed="a table of the moderators")  # fmt: skip
        frame = frame_of(data).reset_index(drop=True)
        return new_rows(fixed, frame), frame
    if not given:
        if data is None:
            return np.ones((1, 1)), None
        frame = frame_of(data).reset_index(drop=True)
        return np.ones((len(frame), 1)), frame
    return _matrix(data, len(terms)), None


def _matrix(data: ArrayLike | None, p: int) -> FloatArray:
    try:
        rows = np.atleast_2d(np.asarray(data, dtype=np.float64))
    except (TypeError, ValueError):
        raise DataError("not numbers", column="data", allowed=f"a matrix (m, {p})") from None
    if rows.ndim != 2 or rows.shape[1] != p or not np.isfinite(rows).all():
        raise DataError("not rows of the design", column="data", value=f"shape {rows.shape}",
                        allowed=f"a matrix (m, {p})")  # fmt: skip
    return rows


def new_effects(
    components: Sequence[Component], m: int, frame: pd.DataFrame | None
) -> tuple[list[int], list[dict[str, str]], FloatArray]:
    """Return rows, levels and variances of new effects.

    A random effect whose levels have variances of their own takes the level that the table gives,
    or, where it gives none, all of them: the rows are then repeated.

    Parameters
    ----------
    components : sequence of Component
    m : int
        Number of rows.
    frame : DataFrame, optional

    Returns
    -------
    rows : list of int, length n
    levels : list of n mappings of inner variable to level
    variance : ndarray, shape (n,)
    """
    rows: list[int] = []
    levels: list[dict[str, str]] = []
    variance: list[float] = []
    for i in range(m):
        choices = [_choices(c, i, frame) for c in components]
        for chosen in itertools.product(*choices):
            rows.append(i)
            levels.append({
                _inner(c): c.levels[j] for c, j in zip(components, chosen, strict=True)
                if not c.one_variance
            })  # fmt: skip
            variance.append(sum(float(c.variance[j])
                                for c, j in zip(components, chosen, strict=True)))  # fmt: skip
    return rows, levels, np.array(variance)


def _inner(c: Component) -> str:
    return c.name.split("|")[0].strip()


def _choices(c: Component, i: int, frame: pd.DataFrame | None) -> Sequence[int]:
    if c.one_variance:
        return [0]
    name = _inner(c)
    if frame is None or name not in frame.columns:
        return range(len(c.levels))
    label = str(frame[name].iloc[i])
    if label not in c.levels:
        raise DataError("no such level", row=i + 1, column=name, value=repr(label),
                        allowed=" | ".join(c.levels))  # fmt: skip
    return [c.levels.index(label)]
