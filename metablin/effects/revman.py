"""Analyses of Cochrane reviews, ready to be pooled again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin.effects.contrasts import generic, log_effects
from metablin.effects.means import mean_differences
from metablin.effects.sizes import EffectSizes
from metablin.effects.tables import two_by_two
from metablin.errors import DataError
from metablin.io import RevManAnalysis, parse_revman
from metablin.options import DoubleZeros, LogMeasure, MeanMeasure, TableMeasure
from metablin.records import Record, json_dict

__all__ = ["Analysis", "Review", "read_revman"]

FloatArray = NDArray[np.float64]

RATIOS = ("hr", "or", "rr", "irr")
CLOSE = 5e-3
"""How far, in standard errors, limits may lie from those that an estimate and its standard error
give: RevMan Web prints six decimals."""
TABLE = ("events_treatment", "n_treatment", "events_control", "n_control")
GROUPS = (
    "mean_treatment", "sd_treatment", "n_treatment", "mean_control", "sd_control", "n_control",
)  # fmt: skip
SHOWN = {
    "dichotomous": TABLE,
    "continuous": GROUPS,
    "o-e": ("o_minus_e", "variance", *TABLE),
    "generic": ("entered", "estimate", "std_error", "conf_low", "conf_high"),
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Analysis(Record):
    """One analysis of a Cochrane review.

    Attributes
    ----------
    file : RevManAnalysis
        What the file has: names, measure, method, what RevMan computed.
    """

    file: RevManAnalysis

    @property
    def number(self) -> str:
        """Comparison and outcome, such as ``1.2``."""
        return self.file.number

    @property
    def options(self) -> dict[str, Any]:
        """Options of :func:`metablin.pool` that pool as RevMan did.

        RevMan's Mantel-Haenszel random-effects model takes tau2 from a Q around the
        Mantel-Haenszel estimate; the DerSimonian-Laird estimate given here differs a little.
        """
        model = {"MH": "mantel-haenszel", "PETO": "peto"}.get(self.file.method, "common")
        if self.file.model == "random":
            return {"model": "random", "tau2": "DL", "ci": "z"}
        return {"model": model, "ci": "z"}

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study: label, year, subgroup, and the columns of its kind of data."""
        frame = pd.DataFrame([dict(r) for r in self.file.rows])
        names = ["study", "year", "subgroup", *SHOWN.get(self.file.kind, SHOWN["generic"])]
        return frame[[n for n in names if n in ("study", "year") or not _blank(frame[n])]]

    def to_dict(self) -> dict[str, Any]:
        """Return names, measure, studies and RevMan's results in plain types."""
        f = self.file
        return json_dict({
            "number": f.number, "comparison": f.comparison, "outcome": f.outcome, "kind": f.kind,
            "measure": f.measure, "method": f.method, "model": f.model, "revman": dict(f.printed),
            "studies": self.to_frame(),
        })  # fmt: skip

    def summary(self) -> str:
        """Return the analysis as text for people."""
        f = self.file
        head = f"{f.number} {f.comparison}: {f.outcome} ({f.kind}, {f.measure}, {f.model})"
        return f"{head}\n{self.to_frame().to_string(index=False, na_rep='')}"

    def effects(self) -> EffectSizes:
        """Return the effect sizes of the studies.

        Raises
        ------
        DataError
            For a kind of data that is not known, or estimates whose scale cannot be told.

        Notes
        -----
        Tables in which nobody, or everybody, had the event say nothing about a ratio and are set
        aside, as in RevMan. Standardised differences take Hedges' exact factor, RevMan an
        approximation to it.
        """
        f = self.file
        frame = pd.DataFrame([dict(r) for r in f.rows])
        names = [str(s) for s in frame["study"]]
        if f.kind == "dichotomous":
            return _tables(f, frame, names)
        if f.kind == "continuous":
            m1, s1, n1, m2, s2, n2 = (frame[c] for c in GROUPS)
            kind: MeanMeasure = "smd" if f.measure == "smd" else "md"
            return mean_differences(m1, s1, n1, m2, s2, n2, kind, names)
        if f.kind == "o-e":
            variance = frame["variance"].to_numpy(dtype=float)
            _given(frame, ["o_minus_e", "variance"], names)
            measure = "or" if f.measure == "peto" else _ratio(f.measure)
            return log_effects(frame["o_minus_e"] / variance, 1 / np.sqrt(variance), measure,
                               names)  # fmt: skip
        if f.kind == "generic":
            return _generic(f, frame, names)
        raise DataError("a kind of data that is not known", column="analysis",
                        value=f"{f.number} ({f.kind})", allowed=" | ".join(SHOWN))  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Review(Record):
    """A Cochrane review: its analyses, by number.

    Attributes
    ----------
    title : str
    analyses : tuple of Analysis
    left_out : tuple of str
        Numbers of analyses without data of studies.
    """

    title: str
    analyses: tuple[Analysis, ...]
    left_out: tuple[str, ...]

    def __getitem__(self, number: str) -> Analysis:
        """Return the analysis with this number, such as ``"1.2"``."""
        for analysis in self.analyses:
            if analysis.number == str(number):
                return analysis
        raise DataError("no such analysis", column="analysis", value=str(number),
                        allowed=" | ".join(a.number for a in self.analyses))  # fmt: skip

    def __iter__(self) -> Iterator[Analysis]:
        return iter(self.analyses)

    def __len__(self) -> int:
        return len(self.analyses)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per analysis, with the result that RevMan computed."""
        return pd.DataFrame([
            {"analysis": f.number, "comparison": f.comparison, "outcome": f.outcome,
             "kind": f.kind, "measure": f.measure, "method": f.method, "model": f.model,
             "studies": len(f.rows), **{n: f.printed[n] for n in ("estimate", "conf_low",
                                                                 "conf_high")}}
            for f in (a.file for a in self.analyses)
        ])  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return title and analyses in plain types."""
        return {"title": self.title, "analyses": [a.to_dict() for a in self.analyses]}


def read_revman(path: str | PathLike[str]) -> Review:
    """Read the analyses of a Cochrane review.

    Parameters
    ----------
    path : path
        A review of RevMan 5 (``.rm5``, as the Cochrane Library offers under *Download statistical
        data*), its data exported as CSV, or the export of RevMan Web (a zip, or its
        ``-data-rows.csv`` with the settings beside it).

    Returns
    -------
    Review
        ``review["1.1"].effects()`` are effect sizes for :func:`metablin.pool`, and
        ``review["1.1"].options`` what pools them as RevMan did.

    Raises
    ------
    DataError
        For a file that is no review, naming what is allowed.

    References
    ----------
    Deeks JJ, Higgins JPT, on behalf of the Statistical Methods Group (2010). Statistical algorithms
    in Review Manager 5.

    Examples
    --------
    >>> import tempfile
    >>> text = ('<COCHRANE_REVIEW><ANALYSES_AND_DATA><COMPARISON NO="1"><NAME>Drug</NAME>'
    ...         '<DICH_OUTCOME NO="1" EFFECT_MEASURE="RR" METHOD="MH" RANDOM="NO">'
    ...         '<NAME>Death</NAME><DICH_DATA STUDY_ID="STD-A" EVENTS_1="4" TOTAL_1="20" '
    ...         'EVENTS_2="8" TOTAL_2="20"/></DICH_OUTCOME></COMPARISON></ANALYSES_AND_DATA>'
    ...         '</COCHRANE_REVIEW>')
    >>> with tempfile.NamedTemporaryFile("w", suffix=".rm5") as file:
    ...     _ = file.write(text), file.flush()
    ...     review = read_revman(file.name)
    >>> analysis = review["1.1"]
    >>> analysis.effects().yi.round(4).tolist(), analysis.options["model"]
    ([-0.6931], 'mantel-haenszel')
    """
    try:
        found = parse_revman(Path(path))
    except (TypeError, OSError) as error:
        raise DataError(f"no file that can be read: {error}", column="path") from None
    return Review(found.title, tuple(Analysis(a) for a in found.analyses), found.left_out)


def _ratio(measure: str) -> LogMeasure:
    return cast("LogMeasure", measure) if measure in RATIOS else "hr"


def _blank(column: pd.Series[Any]) -> bool:
    return bool(column.isna().all() or (column == "").all())


def _given(frame: pd.DataFrame, columns: list[str], names: list[str]) -> None:
    for column in columns:
        values = frame[column].to_numpy(dtype=float)
        for i in np.flatnonzero(~np.isfinite(values) | ((column == "variance") & (values <= 0))):
            raise DataError("missing or not possible", row=int(i) + 1, column=column,
                            value=f"{values[i]:g}", study=names[i])  # fmt: skip


def _tables(f: RevManAnalysis, frame: pd.DataFrame, names: list[str]) -> EffectSizes:
    a, n1, c, n2 = (frame[name].to_numpy(dtype=float) for name in TABLE)
    if f.swapped:
        a, c = n1 - a, n2 - c
    if f.measure not in ("or", "rr", "rd", "peto"):
        raise DataError(
            "a measure of tables that is not known", column="analysis",
            value=f"{f.number} ({f.measure})", allowed="or | rr | rd | peto",
        )  # fmt: skip
    measure = cast("TableMeasure", "peto" if f.method == "PETO" else f.measure)
    drop: DoubleZeros = "keep" if measure == "rd" else "drop"
    return two_by_two(a, n1, c, n2, measure, names, double_zeros=drop)


def _generic(f: RevManAnalysis, frame: pd.DataFrame, names: list[str]) -> EffectSizes:
    """Return estimates with standard errors on the scale on which their interval is symmetric."""
    columns = ("estimate", "std_error", "conf_low", "conf_high")
    _given(frame, ["std_error"], names)
    y, se, low, high = (frame[c].to_numpy(dtype=float) for c in columns)
    entered = frame["entered"].to_numpy(dtype=float)
    reach = float(special.ndtri((1 + f.level) / 2)) * se

    def fits(middle: FloatArray, lower: FloatArray, upper: FloatArray) -> bool:
        off = np.maximum(np.abs(lower - (middle - reach)), np.abs(upper - (middle + reach)))
        return bool((off <= CLOSE * se).all())

    with np.errstate(invalid="ignore", divide="ignore"):
        logs = [np.log(x) for x in (y, low, high)]
    if fits(*logs):
        middle = entered if np.allclose(entered, logs[0], atol=1e-5) else logs[0]
        measure = _ratio(f.measure)
        return log_effects(middle, se, measure, names)
    if fits(y, low, high):
        middle = entered if np.allclose(entered, y, atol=1e-5) else y
        return generic(middle, se**2, names)
    raise DataError(
        "estimates, standard errors and limits do not agree on any scale", column="analysis",
        value=f.number, allowed="limits that are estimate -/+ z se, or so after logarithms",
    )  # fmt: skip
