"""Tables of studies: the columns of each measure, and what a row must not be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import is_missing
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.io.formula import read_formula
from metablin.io.names import percentile, plain, printed_level, says_percent
from metablin.io.table import ReadOptions, Table, open_table

__all__ = ["MEASURES", "Studies", "is_total", "read_studies"]

FloatArray = NDArray[np.float64]

_TWO = ("events_treatment", "n_treatment", "events_control", "n_control")
_FOUR = ("events_treatment", "non_events_treatment", "events_control", "non_events_control")
_RATES = ("events_treatment", "person_time_treatment", "events_control", "person_time_control")
_TABLES = (_TWO, _FOUR)
_PRINTED = (
    ("ratio", "conf_low", "conf_high"),
    ("log_ratio", "std_error"),
    ("log_ratio", "vi"),
)
"""Of ratios that a paper prints without the counts."""
_MEANS = tuple(
    tuple(f"{x}_{arm}" for arm in ("treatment", "control") for x in ("mean", spread, "n"))
    for spread in ("sd", "std_error")
)

MEASURES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "proportion": (("events", "n"), ("rate", "n")),
    "or": (*_TABLES, *_PRINTED),
    "rr": (*_TABLES, *_PRINTED),
    "rd": _TABLES,
    "asd": _TABLES,
    "irr": (_RATES, *_PRINTED),
    "ird": (_RATES,),
    "irsd": (_RATES,),
    "hr": (
        ("estimate", "conf_low", "conf_high"),
        ("log_estimate", "std_error"),
        ("log_estimate", "vi"),
    ),
    "rate": (("events", "person_time"),),
    "md": _MEANS,
    "smd": _MEANS,
    "smdh": _MEANS,
    "glass": _MEANS,
    "rom": _MEANS,
    "mean": (("mean", "sd", "n"), ("mean", "std_error", "n")),
    "correlation": (("r", "n"),),
    "generic": (("yi", "vi"), ("yi", "std_error"), ("yi", "conf_low", "conf_high")),
}
"""For every measure the sets of columns that can serve it, the contract's own first."""

COUNTS = ("events", "n", "person_time", *_TWO, *_FOUR, *_RATES)
"""Columns whose sums are totals; of means only the patients are, which two columns must show."""

WHOLE = 0.05
"""How far from a whole number a rate times its denominator may lie: what three printed digits of
a rate leave open with 100 patients."""

RATIO_LIKE = 4.0
"""How many times better the logarithms of intervals must be centred than the intervals themselves
before they are taken for those of ratios: digits as printed leave a factor of about 2 open."""

LEAST_LEVEL = 0.5
"""No paper prints a narrower interval; a level of 0.05 is one minus what was meant."""

MOST_FOR_SUBTOTALS = 300
"""Rows up to which every run of rows is tried; longer tables are not typed by hand."""

FEWEST = 4
"""Rows from which on equal sums are no accident; of three rows one may well be the others' sum."""

_TOTAL = re.compile(
    r"(?:grand |sub)?total|overall|pooled|summary|all|all studies|sum|gesamt|combined"
    r"|(?:random|fixed|common)[- ]?effects?(?: model)?|heterogeneity"
    r"|(?:overall|pooled|combined|summary)(?: effect| estimate| total)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Studies:
    """Studies of a file, ready for the functions that make effect sizes of them.

    Attributes
    ----------
    columns : mapping of role to ndarray, shape (k,)
        The contract's columns of the measure.
    studies : list of str, or None
    level : float or ndarray, shape (k,)
        Level of the input's intervals.
    frame : DataFrame
        All columns as text, for subgroups, clusters and moderators.
    table : Table
        The file, for rows and notes.
    by, cluster : str, or None
        Exact names of those columns.
    weights : ndarray, shape (k,), or None
        The user's own weights.
    order : list of float or str, length k, or None
        What studies are sorted by.
    """

    columns: dict[str, FloatArray]
    studies: list[str] | None
    level: Any
    frame: pd.DataFrame
    table: Table
    by: str | None
    cluster: str | None
    weights: FloatArray | None = None
    order: list[float] | list[str] | None = None

    def note(self) -> str:
        """Return in one line what was understood of the file."""
        k = len(self.table)
        return self.table.note() and self.table.note(f"{k} {'study' if k == 1 else 'rows'}")


def read_studies(
    path: Path,
    measure: str,
    options: ReadOptions,
    *,
    by: str | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    order: str | None = None,
    moderators: str | None = None,
    input_level: float | None = None,
) -> Studies:
    """Read a table of studies for one measure.

    Parameters
    ----------
    path : Path
    measure : str
        A key of :data:`MEASURES`.
    options : ReadOptions
    by, cluster : str, optional
        Columns of subgroups and of clusters.
    weights : str, optional
        Column of weights, numbers of at least 0.
    order : str, optional
        Column to sort by: by size where all its cells are numbers, else as text.
    moderators : str, optional
        A formula, whose columns are needed too.
    input_level : float, optional
        Level of the intervals in the file; without it a column ``level`` says it row by row.

    Raises
    ------
    DataError
        For a table that cannot serve, naming all bad cells; for a row of totals.
    """
    table = open_table(path, options, MEASURES[measure], ("study", "level"))
    needed = list(table.roles)
    if table.has("study"):
        table.take("study")
    level_at = "conf_low" in needed and input_level is None and table.has("level")
    if level_at:
        table.take("level")
    wanted = {"--by": by, "--cluster": cluster, "--weights": weights,
              "--cumulative": order}  # fmt: skip
    named = {k: None if v is None else table.take_named(v, k) for k, v in wanted.items()}
    text = list(dict.fromkeys(v for v in named.values() if v is not None))
    if moderators is not None:
        columns = read_formula(moderators).columns
        text += [table.take_named(c, "--moderators") for c in columns if c in table.headers]
    if input_level is not None and "conf_low" not in needed:
        raise DataError("the file has no intervals", column="--input-level", value=input_level,
                        allowed="a file with conf_low and conf_high")  # fmt: skip
    _one_analysis(table)
    if options.missing == "drop":
        table.complete([*needed, *text, *(["level"] if level_at else [])])
    percent = _in_percent(table, options) if "rate" in needed else False
    values = dict(zip(needed, table.all_numbers(needed, percent=percent), strict=True))
    table.complete([*text, *(["level"] if level_at else [])])
    _no_totals(table, values)
    level = _levels(table, input_level, level_at)
    _repeated(table, cluster)
    return Studies(
        _standard(table, values, level, percent), table.labels(), level, table.frame(), table,
        named["--by"], named["--cluster"], _weights(table, named["--weights"]),
        _order(table, named["--cumulative"]),
    )  # fmt: skip


def _order(table: Table, column: str | None) -> list[float] | list[str] | None:
    if column is None:
        return None
    cells = table.text(column)
    try:
        return [float(x) for x in cells]
    except ValueError:
        return cells


def _weights(table: Table, column: str | None) -> FloatArray | None:
    if column is None:
        return None
    values, names = table.numbers(column), table.labels()
    bad = [
        DataError("not a weight", row=table.rows[i], column=column, value=table.text(column)[i],
                  study=None if names is None else names[i], allowed="a number of at least 0")
        for i in np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    ]  # fmt: skip
    if bad:
        raise DataError.joined(bad)
    return values


def _in_percent(table: Table, options: ReadOptions) -> bool:
    header = table.header("rate")
    if says_percent(header):
        table.said.append(f"{header} is in percent")
        return True
    return options.percent


def _levels(table: Table, given: float | None, in_column: bool) -> Any:
    """Return the level of the input's intervals: by option, by column or by header, else 0.95."""
    if in_column:
        return _column_of_levels(table)
    if given is not None:
        return check_level(given)
    if "conf_low" in table.roles:
        printed = _printed_levels(table)
        if len(printed) > 1:
            raise DataError("the headers print two levels", column=table.header("conf_low"),
                            allowed="--input-level says which")  # fmt: skip
        level = printed.pop() if printed else None
        if level not in (None, 0.95):
            table.said.append(f"intervals at {level:g} by their header")
            return level
    return 0.95


def _printed_levels(table: Table) -> set[float]:
    """Return the levels that headers print: of the limits, or of ``HR (90% CI)``."""
    shares = [percentile(table.header(x)) for x in ("conf_low", "conf_high")]
    if shares[0] is not None and shares[1] is not None:
        if not np.isclose(shares[0] + shares[1], 1.0):
            raise DataError("the two limits are not of one interval",
                            column=table.header("conf_low"),
                            allowed="such as 2.5 % and 97.5 %, or --input-level")  # fmt: skip
        return {round(shares[1] - shares[0], 6)}
    heads = [table.header(x) for x in ("conf_low", "conf_high")]
    heads += [h for h in (table.header(x) for x in ("estimate", "ratio", "yi") if x in table.roles)
              if re.search(r"\b(?:CI|KI|IC)\b|interval", h, re.IGNORECASE)]  # fmt: skip
    return {level for level in map(printed_level, heads) if level is not None}


def _column_of_levels(table: Table) -> FloatArray:
    values = table.numbers("level", percent=True)
    table.said.append(f"levels of the intervals from column {table.header('level')}")
    levels = np.where(values > 1, values / 100, values)
    names = table.labels()
    bad = [
        DataError("not the level of an interval", row=table.rows[i], column=table.header("level"),
                  value=table.text("level")[i], study=None if names is None else names[i],
                  allowed="such as 0.95 or 95; at least 0.5")
        for i in np.flatnonzero(~((levels >= LEAST_LEVEL) & (levels < 1)))
    ]  # fmt: skip
    if bad:
        raise DataError.joined(bad)
    return levels


def _standard(
    table: Table, values: dict[str, FloatArray], level: Any, percent: bool
) -> dict[str, FloatArray]:
    """Return the contract's columns from whatever set of columns the file has."""
    if "rate" in values:
        return {"events": _whole_patients(table, values, percent), "n": values["n"]}
    for arm in ("treatment", "control"):
        other = values.pop(f"non_events_{arm}", None)
        if other is not None:
            values[f"n_{arm}"] = values[f"events_{arm}"] + other
    if any(role == "mean" or role.startswith("mean_") for role in values):
        return _with_deviations(table, values)
    if values.keys() & LOGARITHMS.keys():
        return _from_log(table, values)
    if "yi" in values and "vi" not in values:
        if "std_error" in values:
            se = _positive(table, "std_error", values)
        else:
            z = special.ndtri((1 + np.asarray(level)) / 2)
            se = (values["conf_high"] - values["conf_low"]) / (2 * z)
            table.said.append("standard errors from the intervals")
            _inside(table, values)
        return {"yi": values["yi"], "vi": se**2}
    times = [role for role in values if role.startswith("person_time")]
    table.check_units(times)
    if table.options.unit:
        for role in times:
            values[role] = values[role] * table.options.months
            table.said.append(f"{table.header(role)} in {table.options.unit}, turned into months")
    return values


def _with_deviations(table: Table, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return the columns of means with standard deviations in the place of standard errors."""
    out = dict(values)
    for role in [r for r in values if r.startswith("std_error")]:
        arm = role.removeprefix("std_error")
        out[f"sd{arm}"] = _positive(table, role, values) * np.sqrt(values[f"n{arm}"])
        table.said.append(f"standard deviations are {table.header(role)} times the root of "
                          f"{table.header(f'n{arm}')}")  # fmt: skip
        del out[role]
    return out


def _positive(table: Table, role: str, values: Mapping[str, FloatArray]) -> FloatArray:
    bad = np.flatnonzero(~(values[role] > 0))
    if bad.size:
        names = table.labels()
        raise DataError.joined([
            DataError("not allowed", row=table.rows[i], column=table.header(role),
                      value=f"{values[role][i]:g}", allowed="greater than 0",
                      study=None if names is None else names[i])
            for i in bad
        ])  # fmt: skip
    return values[role]


def _inside(table: Table, values: Mapping[str, FloatArray]) -> None:
    low, y, high = values["conf_low"], values["yi"], values["conf_high"]
    for i in np.flatnonzero(~((low < y) & (y < high)))[:1]:
        raise DataError("the interval does not contain the estimate", row=table.rows[i],
                        column=table.header("yi"), value=f"{y[i]:g} [{low[i]:g}, {high[i]:g}]",
                        allowed="lower < estimate < upper")  # fmt: skip
    if (
        y.size
        and (low > 0).all()
        and _off_centre(low, y, high)
        > RATIO_LIKE * _off_centre(np.log(low), np.log(y), np.log(high))
    ):
        raise DataError("the intervals are those of ratios", column=table.header("yi"),
                        value=f"{y[0]:g} [{low[0]:g}, {high[0]:g}]",
                        allowed="--measure hr, which takes any ratio, or logarithms")  # fmt: skip


def _off_centre(low: FloatArray, y: FloatArray, high: FloatArray) -> float:
    """Return how far estimates lie from the middle of their intervals, in half widths."""
    return float(np.mean(np.abs(high + low - 2 * y) / (high - low)))


LOGARITHMS = {"log_estimate": "hazard ratios", "log_ratio": "ratios"}


def _from_log(table: Table, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    (role,) = values.keys() & LOGARITHMS.keys()
    given = "std_error" if "std_error" in values else "vi"
    spread = _positive(table, given, values)
    se = spread if given == "std_error" else np.sqrt(spread)
    table.said.append(f"{table.header(role)} read as log {LOGARITHMS[role]}")
    return {role: values[role], "std_error": se}


def _whole_patients(table: Table, values: Mapping[str, FloatArray], percent: bool) -> FloatArray:
    """Return events of rates, refusing rates that are no whole number of patients."""
    rate, n = values["rate"], values["n"]
    names = table.labels()
    shown = table.text("rate")
    count = rate * n / (100.0 if percent else 1.0)
    errors = []
    for i in range(len(count)):
        top = 100 if percent else 1
        if not 0 <= rate[i] <= top:
            hint = "" if percent else ", or --percent"
            message, allowed = "not a rate", f"0 to {top}{hint}"
        elif abs(count[i] - round(count[i])) > WHOLE:
            near = round(count[i])
            message = f"{rate[i]:g} of {n[i]:g} is {count[i]:.4g} patients"
            allowed = f"a column of events ({near} of {n[i]:g} is {near / n[i]:.3f})"
        else:
            continue
        errors.append(DataError(message, row=table.rows[i], column=table.header("rate"),
                                value=shown[i], allowed=allowed,
                                study=None if names is None else names[i]))  # fmt: skip
    if errors:
        raise DataError.joined(errors)
    table.said.append(f"events are {table.header('rate')} times {table.header('n')}")
    return np.round(count)


def _one_analysis(table: Table) -> None:
    """Refuse a review's export that holds several analyses."""
    keys = {"comparisonnumber", "outcomenumber", "analysisgroup", "analysisnumber", "comparison",
            "outcome"}  # fmt: skip
    at = [h for h in table.headers if plain(h) in keys]
    if not at:
        return
    frame = table.frame()
    found = list(dict.fromkeys(zip(*(frame[h] for h in at), strict=True)))
    if len(found) > 1 and any(plain(h).endswith("number") for h in at):
        shown = ", ".join(".".join(x) for x in found[:6])
        raise DataError(f"{table.file} holds {len(found)} analyses ({shown})", column=at[0],
                        allowed="the rows of one analysis")  # fmt: skip


def is_total(label: str) -> bool:
    """Tell whether a label is that of a row of totals, not of a study.

    Examples
    --------
    >>> is_total("Total (95% CI)"), is_total("TOWER")
    (True, False)
    """
    return bool(_TOTAL.fullmatch(re.sub(r"\(.*?\)|[:*]", "", label).strip()))


def _no_totals(table: Table, values: Mapping[str, FloatArray]) -> None:
    """Refuse a row that sums up the others, by its label or because its counts are their sums."""
    names = table.labels()
    for i in range(len(table)):
        label = "" if names is None else names[i]
        if is_total(label):
            raise DataError("a row of totals, not a study", row=table.rows[i], column="study",
                            value=label, allowed="studies only; delete the row")  # fmt: skip
    counts = [v for role, v in values.items() if role in COUNTS]
    if len(counts) < 2 or len(table) < FEWEST:
        return
    _say_subtotals(table, np.array(counts))
    for i in (len(table) - 1, 0):
        if all(np.isclose(v[i], v.sum() - v[i], rtol=1e-9) for v in counts):
            name = "a row without a label" if names is None or not names[i] else names[i]
            raise DataError(
                f"{name} holds the sums of all other rows: a row of totals, not a study",
                row=table.rows[i], allowed="studies only; delete the row",
            )  # fmt: skip


def _say_subtotals(table: Table, counts: FloatArray) -> None:
    """Say which rows hold the sums of the rows above or below them: subtotals, it may be."""
    cut = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    k = counts.shape[1]
    for i in range(k) if k <= MOST_FOR_SUBTOTALS else ():
        below = [(i + 2, j) for j in range(i + 3, k + 1)]
        above = [(j + 1, i) for j in range(i - 1)]
        for first, last in [*((a - 1, b) for a, b in below), *((a - 1, b) for a, b in above)]:
            if np.allclose(cut[:, last] - cut[:, first], counts[:, i], rtol=1e-9, atol=0):
                table.said.append(f"row {table.rows[i]} holds the sums of rows "
                                  f"{table.rows[first]} to {table.rows[last - 1]}: if it is a "
                                  f"subtotal, delete it")  # fmt: skip
                break


def _repeated(table: Table, cluster: str | None) -> None:
    names = table.labels()
    if names is None or cluster is not None:
        return
    times = Counter(n for n in names if not is_missing(n))
    twice = {n: c for n, c in times.items() if c > 1}
    if twice:
        shown = ", ".join(f"{n} in {c}" for n, c in list(twice.items())[:5])
        k = len(times) + sum(is_missing(n) for n in names)
        table.said.append(
            f"{len(names)} rows of {k} studies ({shown}), pooled as independent; --cluster "
            f"{table.header('study')} allows for what rows of a study share"
        )
