"""The door of networks: one long table of arms or of contrasts becomes a :class:`Network`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._frame import column_of, names_of
from metablin._input import choice, is_missing, numeric, within
from metablin._input import level as check_level
from metablin.effects import Excluded, generic, hazard_ratios
from metablin.errors import DataError
from metablin.network.arms import ARM_COLUMNS, arm_blocks, arm_summaries
from metablin.network.contrasts import contrast_blocks
from metablin.network.records import Arms, Block, Network
from metablin.network.wide import lengthened
from metablin.options import DoubleZeros, Missing, NetworkMeasure, ZeroRuleSingle, words

__all__ = ["SingleArms", "arms_of", "columns_of", "natural", "network", "table_of", "text_of"]

FloatArray = NDArray[np.float64]

LOG_MEASURES = ("or", "rr", "rate", "hr")

ALIASES = {
    "study": ("study", "studlab", "trial", "study_id"),
    "treatment": ("treatment", "treat", "trt", "arm"),
    "treat1": ("treat1", "treatment1", "trt1", "t1"),
    "treat2": ("treat2", "treatment2", "trt2", "t2"),
    "events": ("events", "event", "responders", "r"),
    "n": ("n", "total", "patients", "sample_size", "samplesize"),
    "person_time": ("person_time", "exposure", "time"),
    "mean": ("mean", "y"),
    "sd": ("sd", "std_dev"),
    "yi": ("yi", "te", "log_hr"),
    "vi": ("vi", "variance"),
    "std_error": ("std_error", "se", "sete", "sei", "se_log_hr"),
    "estimate": ("estimate", "hr"),
    "conf_low": ("conf_low", "lower", "ci_low", "low"),
    "conf_high": ("conf_high", "upper", "ci_high", "high"),
    "level": ("level", "conf_level"),
    "shared_variance": ("shared_variance", "base_variance"),
}
"""Names under which a column is looked for, without regard to case, the first one first."""


def network(
    data: Any,
    measure: NetworkMeasure = "or",
    *,
    level: float = 0.95,
    zero_cells: ZeroRuleSingle = "only-needed",
    double_zeros: DoubleZeros = "keep",
    missing: Missing = "error",
) -> Network:
    """Return the network of a long table of arms or of contrasts.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row an arm: ``study, treatment`` and by measure ``events, n`` (or, rr, rd), ``events,
        person_time`` (rate), ``mean, sd, n`` (md, smd) or ``yi, vi`` (generic: effects of single
        arms); or one row a study with its arms side by side (``treat1, event1, n1, treat2, event2,
        n2``). Or one row a contrast: ``study, treat1, treat2`` and ``yi`` with ``vi`` or
        ``std_error`` (treat1 less treat2 on the analysis scale), or ``estimate, conf_low,
        conf_high`` (treat1 over treat2 for ratios), with an optional ``level``. A study of more
        than two arms gives all its pairs, or its contrasts with one arm and the variance of that
        arm in ``shared_variance``. Labels are text: ``1`` and ``01`` are two treatments.
    measure : {"or", "rr", "rd", "rate", "hr", "md", "smd", "generic"}
        Odds, risk, rate (``rate``) and hazard ratio, pooled as logs; risk difference, mean
        difference raw or standardised (Hedges), or anything else.
    level : float
        Level of the intervals in the table.
    zero_cells : {"only-needed", "all", "none"}
        Add 1/2 to every cell of the studies with a zero cell, of all, or nowhere (then such
        studies are set aside).
    double_zeros : {"keep", "drop"}
        Whether studies in which no patient or every patient had the event stay in.
    missing : {"error", "drop"}
        Leave rows with an empty cell out, and studies of which one arm is left; said in ``notes``.

    Returns
    -------
    Network
        Which knows its designs, multi-arm studies and parts; a network of several parts is
        returned too, and refused where it is pooled.

    Raises
    ------
    DataError
        Naming study and treatment: a study of one arm, a treatment compared with itself or given
        twice, contrasts of a multi-arm study that contradict each other, a covariance that is not
        positive.

    References
    ----------
    Franchini AJ and others (2012). Accounting for correlation in network meta-analysis with
    multi-arm trials, eq. 3 and 7. doi:10.1002/jrsm.1049

    Examples
    --------
    >>> n = network({"study": ["A", "A", "B", "B"], "treatment": ["x", "y", "y", "z"],
    ...              "events": [5, 9, 11, 7], "n": [50, 52, 60, 58]})
    >>> n.treatments, n.k, n.connected
    (('x', 'y', 'z'), 2, True)
    """
    measure = choice("measure", measure, words(NetworkMeasure))
    zero_cells = choice("zero_cells", zero_cells, words(ZeroRuleSingle))
    drop = choice("double_zeros", double_zeros, words(DoubleZeros)) == "drop"
    frame, wide = lengthened(table_of(data), measure)
    found = columns_of(frame)
    transform = "log" if measure in LOG_MEASURES else "none"
    _needs(found, ("study",), frame)
    gone: tuple[str, ...] = ()
    if choice("missing", missing, words(Missing)) == "drop":
        frame, gone = _complete(frame, found, measure)
    studies = text_of(frame, found["study"], "study")
    if "treat1" in found or "treat2" in found:
        _needs(found, ("treat1", "treat2"), frame)
        whole = _from_contrasts(frame, found, studies, measure, transform, level)
    else:
        _needs(found, ("treatment",), frame)
        whole = _from_arms(frame, found, studies, measure, transform, zero_cells, drop)
    return replace(whole, notes=(*whole.notes, *filter(None, [wide]), *gone))


def _complete(
    frame: pd.DataFrame, found: Mapping[str, str], measure: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows without an empty cell, and a note on those that were left out."""
    arms = "treat1" not in found
    pairs = ("treat1", "treat2", "yi", "vi", "std_error", "estimate", "conf_low", "conf_high")
    wanted = ("treatment", *ARM_COLUMNS.get(measure, ())) if arms else pairs
    columns = [found[c] for c in wanted if c in found]
    blank = frame[columns].map(is_missing).to_numpy()
    empty = blank.any(axis=1)
    if not empty.any():
        return frame, ()
    said = [
        f"row {i + 1} ({frame[found['study']][i]}: {columns[int(blank[i].argmax())]} missing)"
        for i in np.flatnonzero(empty)
    ]
    keep = ~empty
    if arms:
        labels = frame[found["study"]].astype(str).to_numpy()
        for study in np.unique(labels[empty]):
            if (keep & (labels == study)).sum() == 1:
                keep &= labels != study
                said.append(f"study {study} (one arm left)")
    if not keep.any():
        raise DataError("no row is complete", column=columns[0], value=said[0])
    kept: pd.DataFrame = frame.iloc[np.flatnonzero(keep)].reset_index(drop=True)
    return kept, (f"left out: {'; '.join(said)}",)


def table_of(data: Any) -> pd.DataFrame:
    """Return a table as a pandas frame with text column names; the input is not changed."""
    if not isinstance(data, pd.DataFrame):
        columns = {name: column_of(data, name)[1] for name in names_of(data)}
        try:
            data = pd.DataFrame(columns)
        except ValueError as error:
            raise DataError("columns of different lengths", column="data") from error
    if len(data) == 0:
        raise DataError("the table has no rows", column="data")
    frame: pd.DataFrame = data.rename(columns=str).reset_index(drop=True)
    return frame


def columns_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return where each known column stands, matched without case, blanks and points."""

    def plain(name: str) -> str:
        return re.sub(r"[\s.\-]+", "_", name.strip().lower())

    there = {plain(c): c for c in reversed(list(frame.columns))}
    found = {}
    for name, aliases in ALIASES.items():
        hit = next((there[a] for a in aliases if a in there), None)
        if hit is not None:
            found[name] = hit
    return found


def _needs(found: Mapping[str, str], names: tuple[str, ...], frame: pd.DataFrame) -> None:
    for name in names:
        if name not in found:
            raise DataError("the table lacks the column", column=name,
                            allowed=f"found: {', '.join(frame.columns)}")  # fmt: skip


def text_of(frame: pd.DataFrame, column: str, name: str) -> list[str]:
    """Return labels as text; a whole number that a missing cell turned into 1.0 is ``1``."""
    out = []
    for row, value in enumerate(frame[column].tolist(), start=1):
        if is_missing(value):
            raise DataError("must be filled", row=row, column=name, value="missing")
        whole = isinstance(value, float) and value.is_integer()
        out.append(str(int(value)) if whole else str(value).strip())
    return out


def natural(label: str) -> tuple[Any, ...]:
    """Return a key that sorts ``arm 2`` before ``arm 10``."""
    parts = re.split(r"(\d+)", label.casefold())
    return (*((int(p), "") if p.isdigit() else (0, p) for p in parts), (0, label))


def _from_arms(
    frame: pd.DataFrame,
    found: Mapping[str, str],
    studies: list[str],
    measure: str,
    transform: str,
    zero_cells: str,
    drop: bool,
) -> Network:
    given = text_of(frame, found["treatment"], "treatment")
    names = _arm_columns(measure, found, frame)
    treatments = tuple(sorted(set(given), key=natural))
    arms = _arms(frame, found, studies, given, treatments, names)
    _check_arms(arms, treatments)
    blocks, reasons, corrected = arm_blocks(arms, measure, zero_cells, drop)
    excluded = tuple(Excluded(s, studies.index(s) + 1, why) for s, why in sorted(reasons.items()))
    notes = _understood(found, ("study", "treatment", *names))
    if corrected:
        shown = ", ".join(corrected[:5]) + (", ..." if len(corrected) > 5 else "")
        notes += (f"zero cells corrected ({zero_cells}) in {len(corrected)}: {shown}",)
    if not blocks:
        raise DataError("no study with an effect size", column="study",
                        value=f"{excluded[0].study}: {excluded[0].reason}")  # fmt: skip
    return _trimmed(treatments, measure, transform, blocks, arms, excluded, notes)


@dataclass(frozen=True, slots=True)
class SingleArms:
    """Arms by themselves: their treatments, and ``(study, treatment, outcome, variance)`` each."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, str, float, float], ...]


def arms_of(data: Any, measure: str) -> SingleArms:
    """Return the outcomes of single arms on the analysis scale of `measure`.

    Raises
    ------
    DataError
        As :func:`network` does.
    """
    frame = table_of(data)
    found = columns_of(frame)
    _needs(found, ("study", "treatment"), frame)
    studies = text_of(frame, found["study"], "study")
    given = text_of(frame, found["treatment"], "treatment")
    names = tuple(sorted(set(given), key=natural))
    arms = _arms(frame, found, studies, given, names, _arm_columns(measure, found, frame))
    y, v = arm_summaries(arms, measure)
    rows = zip(studies, given, y.tolist(), v.tolist(), strict=True)
    return SingleArms(names, tuple(rows))


def _arm_columns(measure: str, found: Mapping[str, str], frame: pd.DataFrame) -> tuple[str, ...]:
    if measure == "hr":
        raise DataError(
            "a hazard ratio compares two arms", column="treat1", value="missing",
            allowed="study, treat1, treat2 with estimate, conf_low, conf_high or yi, vi",
        )  # fmt: skip
    names = ARM_COLUMNS[measure]
    _needs(found, names, frame)
    return names


def _arms(
    frame: pd.DataFrame,
    found: Mapping[str, str],
    studies: list[str],
    given: list[str],
    treatments: tuple[str, ...],
    names: tuple[str, ...],
) -> Arms:
    rules: dict[str, dict[str, Any]] = {
        "events": {"minimum": 0, "integer": True},
        "n": {"minimum": 1, "integer": True},
        "person_time": {"above": 0},
        "sd": {"above": 0},
        "vi": {"above": 0},
    }
    at = [f"{s}, {t}" for s, t in zip(studies, given, strict=True)]
    columns = {c: numeric(c, frame[found[c]], studies=at, **rules.get(c, {})) for c in names}
    if "events" in columns and "n" in columns:
        within("events", columns["events"], columns["n"], at)
    labels = tuple(dict.fromkeys(studies))
    where = {s: i for i, s in enumerate(labels)}
    place = {t: i for i, t in enumerate(treatments)}
    return Arms(
        np.array([where[s] for s in studies], dtype=np.intp),
        np.array([place[t] for t in given], dtype=np.intp),
        labels,
        columns,
    )


def _check_arms(arms: Arms, treatments: tuple[str, ...]) -> None:
    """Refuse studies of one arm, and a treatment that stands twice in a study."""
    for s, label in enumerate(arms.labels):
        at = np.flatnonzero(arms.study == s)
        there = arms.treatment[at]
        first = treatments[there[0]]
        if len(at) == 1:
            raise DataError(
                f"the study has one arm, {first}, and compares nothing", row=int(at[0]) + 1,
                study=label, column="treatment", value=first, allowed="two arms or more a study",
            )  # fmt: skip
        twice = np.flatnonzero(np.bincount(there) > 1)
        if twice.size:
            name = treatments[twice[0]]
            row = int(at[there == twice[0]][1]) + 1
            raise DataError(
                "the treatment is compared with itself", row=row, study=label, column="treatment",
                value=name, allowed="each treatment once a study: add such arms up, or name them "
                "apart",
            )  # fmt: skip


def _from_contrasts(
    frame: pd.DataFrame,
    found: Mapping[str, str],
    studies: list[str],
    measure: str,
    transform: str,
    level: float,
) -> Network:
    first = text_of(frame, found["treat1"], "treat1")
    second = text_of(frame, found["treat2"], "treat2")
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a == b:
            raise DataError("the treatment is compared with itself", row=i + 1, study=studies[i],
                            column="treat2", value=b, allowed="another treatment")  # fmt: skip
    at = [f"{s}, {a} against {b}" for s, a, b in zip(studies, first, second, strict=True)]
    y, v, names = _effects(frame, found, at, measure, transform, level)
    shared = None
    if "shared_variance" in found:
        shared = numeric(
            "shared_variance", frame[found["shared_variance"]], missing=True, above=0, studies=at
        )
        names = (*names, "shared_variance")
    treatments = tuple(sorted({*first, *second}, key=natural))
    blocks = contrast_blocks(studies, first, second, y, v, shared, treatments)
    notes = _understood(found, ("study", "treat1", "treat2", *names))
    return _trimmed(treatments, measure, transform, blocks, None, (), notes)


def _effects(
    frame: pd.DataFrame,
    found: Mapping[str, str],
    at: list[str],
    measure: str,
    transform: str,
    level: float,
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return effects and variances of contrasts, and the columns they came from."""
    if "yi" in found and "vi" in found:
        e = generic(frame[found["yi"]].to_numpy(), frame[found["vi"]].to_numpy(), studies=at)
        return e.yi, e.vi, ("yi", "vi")
    if "yi" in found and "std_error" in found:
        se = numeric("std_error", frame[found["std_error"]], above=0, studies=at)
        e = generic(frame[found["yi"]].to_numpy(), se**2, studies=at)
        return e.yi, e.vi, ("yi", "std_error")
    _needs(found, ("estimate", "conf_low", "conf_high"), frame)
    names: tuple[str, ...] = ("estimate", "conf_low", "conf_high")
    levels: Any = check_level(level)
    if "level" in found:
        levels, names = frame[found["level"]].to_numpy(), (*names, "level")
    parts = [frame[found[c]].to_numpy() for c in names[:3]]
    if transform == "log":
        e = hazard_ratios(parts[0], parts[1], parts[2], level=levels, studies=at)
        return e.yi, e.vi, names
    return (*_plain_interval(parts, levels, at), names)


def _plain_interval(parts: list[Any], levels: Any, at: list[str]) -> tuple[FloatArray, FloatArray]:
    """Return differences and variances from estimates with symmetric intervals."""
    from scipy import special

    y, low, high = (
        numeric(c, x, studies=at)
        for c, x in zip(("estimate", "conf_low", "conf_high"), parts, strict=True)
    )
    wrong = np.flatnonzero(~((low < y) & (y < high)))
    if wrong.size:
        i = int(wrong[0])
        raise DataError(
            "the interval does not contain the estimate", row=i + 1, study=at[i],
            column="conf_low", value=f"{y[i]:g} [{low[i]:g}, {high[i]:g}]",
            allowed="conf_low < estimate < conf_high",
        )  # fmt: skip
    z = special.ndtri((1 + np.asarray(levels, dtype=np.float64)) / 2)
    return y, ((high - low) / (2 * z)) ** 2


def _understood(found: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return one note on columns read under another name."""
    read = [f"{found[c]} read as {c}" for c in names if found[c] != c]
    return (f"columns: {', '.join(read)}",) if read else ()


def _trimmed(
    treatments: tuple[str, ...],
    measure: str,
    transform: str,
    blocks: list[Block],
    arms: Arms | None,
    excluded: tuple[Excluded, ...],
    notes: tuple[str, ...],
) -> Network:
    """Return the network; a treatment left without any effect size is named."""
    used = {t for b in blocks for t in b.arms}
    lost = [t for i, t in enumerate(treatments) if i not in used]
    if lost:
        why = "; ".join(f"{x.study}: {x.reason}" for x in excluded)
        raise DataError("no study gives an effect size of the treatment", column="treatment",
                        value=lost[0], allowed=f"other zero_cells ({why})")  # fmt: skip
    return Network(treatments, measure, transform, tuple(blocks), arms, excluded, notes)
