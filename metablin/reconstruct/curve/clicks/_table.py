"""Numbers at risk: checked, mended, and put beside the clicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin.errors import DataError
from metablin.reconstruct.curve.clicks._rows import Rows, as_numbers
from metablin.reconstruct.records import Mended

__all__ = ["MOST_PATIENTS", "check_table", "used_table", "with_origin"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_PATIENTS = 10_000_000
TOO_LONG, TOO_SHORT = 4.0, 0.2  # table against curve: beyond these the units differ
APART = 0.2  # share by which n and the number at risk at time 0 may differ
CLOSE = 0.004  # of the time axis: several horizontal reading errors

Table = tuple[FloatArray, IntArray, int | None, tuple[Mended, ...]]


def check_table(
    at_risk: tuple[ArrayLike, ArrayLike] | None, n: int | None, end: float, rows: Rows
) -> Table:
    """Return times, counts, n, and what was mended; clicks end at `end`.

    Where n and the number at risk at time 0 differ a little, as intention-to-treat and treated
    patients do, the curve is that of the table's patients.
    """
    if at_risk is None:
        return np.empty(0), np.empty(0, dtype=np.int64), n, ()
    r, counts, mended = _columns(at_risk, rows)
    rows.entries = int(r.size)
    if r.size == 0:
        return r, counts.astype(np.int64), n, ()
    _rule(r < 0, r, "time", "negative time", "at least 0", rows)
    _rule(counts < 0, counts, "n_at_risk", "negative", "at least 0", rows)
    _rule(counts != np.floor(counts), counts, "n_at_risk", "not whole", "patients", rows)
    _rule(counts > MOST_PATIENTS, counts, "n_at_risk", "too many patients",
          f"at most {MOST_PATIENTS}", rows)  # fmt: skip
    again, grows = np.zeros((2, r.size), dtype=bool)
    again[1:], grows[1:] = r[1:] <= r[:-1], counts[1:] > counts[:-1]
    _rule(again, r, "time", "table times must increase", "later than the row above", rows)
    _rule(grows, counts, "n_at_risk", "numbers at risk increase",
          "at most the number above", rows)  # fmt: skip
    size, notes = _agreed_size(r, counts, n, rows)
    someone = r[counts > 0]
    if someone.size and someone[-1] > TOO_LONG * end:
        _rule(r == someone[-1], r, "time", "patients at risk long after the curve ends",
              f"at most about {TOO_LONG * end:g}; are the units the same?", rows)  # fmt: skip
    if r.size >= 3 and r[-1] < TOO_SHORT * end:
        _rule(r == r[-1], r, "time", "the table ends long before the curve",
              f"a table up to about {end:g}; are the units the same?", rows)  # fmt: skip
    return r, counts.astype(np.int64), size, (*mended, *notes)


def _columns(
    at_risk: tuple[ArrayLike, ArrayLike], rows: Rows
) -> tuple[FloatArray, FloatArray, tuple[Mended, ...]]:
    """Return times and counts as numbers; a table from the end to the beginning is turned round."""
    if not isinstance(at_risk, tuple | list) or len(at_risk) != 2:
        raise DataError(
            "not a table", column="at_risk", value=f"{type(at_risk).__name__}",
            allowed="(times, numbers at risk)", study=rows.label or None,
        )  # fmt: skip
    r = as_numbers("time", at_risk[0], rows.table, rows.label)
    counts = as_numbers("n_at_risk", at_risk[1], rows.table, rows.label)
    if r.size != counts.size:
        raise DataError(
            f"{counts.size} values beside {r.size} times", column="n_at_risk",
            allowed="one number at risk a time", study=rows.label or None,
        )  # fmt: skip
    if r.size > 1 and (r[1:] < r[:-1]).all():
        rows.turn_table(r.size)
        note = Mended("table", int(r.size), "at-risk table put in order of time")
        return r[::-1], counts[::-1], (note,)
    return r, counts, ()


def _agreed_size(
    r: FloatArray, counts: FloatArray, n: int | None, rows: Rows
) -> tuple[int | None, tuple[Mended, ...]]:
    if n is None:
        return n, ()
    if r[0] > 0:
        _rule(counts > n, counts, "n_at_risk", "more at risk than patients",
              f"at most n = {n}", rows)  # fmt: skip
        return n, ()
    first = int(counts[0])
    if first == n:
        return n, ()
    far = np.zeros(r.size, dtype=bool)
    far[0] = abs(first - n) > APART * n
    _rule(far, counts, "n_at_risk", "at time 0 everyone is at risk", f"n = {n}", rows)
    text = f"n = {n}, but {first} at risk at time 0: {first} patients used"
    return first, (Mended("n", abs(n - first), text),)


def _rule(
    bad: NDArray[np.bool_], values: FloatArray, column: str, message: str, allowed: str, rows: Rows
) -> None:
    if bad.any():
        i = int(np.flatnonzero(bad)[0])
        raise DataError(
            message,
            row=rows.risk(i),
            column=column,
            value=f"{values[i]:g}",
            allowed=allowed,
            study=rows.label or None,
        )


def with_origin(
    t: FloatArray, y: FloatArray, starts: FloatArray, counts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Add the origin and bring clicks beside the table onto the right side of its times.

    A last click that ends just ahead of the last table time is moved onto it, and clicks read
    at or after a time with nobody at risk are moved ahead of it.
    """
    if (counts == 0).any():
        empty = int(np.argmax(counts == 0))
        t = np.minimum(t, np.nextafter(float(starts[empty]), -np.inf))
        starts = starts[: max(empty, 1)]
    axis = max(t[-1], float(starts[-1]))
    if 0 < starts[-1] - t[-1] < CLOSE * axis:
        t = np.append(t[:-1], starts[-1])
    if t[0] > 0.0:
        return np.concatenate([[0.0], t]), np.concatenate([[1.0], y])
    return t, np.concatenate([[1.0], y[1:]])


def used_table(starts: FloatArray, counts: IntArray) -> tuple[FloatArray, IntArray]:
    """Table times that say something about the curve: those before the first zero."""
    keep = counts > 0
    keep[0] = True
    return starts[keep], counts[keep]
