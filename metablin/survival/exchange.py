"""Patients out to lifelines and scikit-survival, and in from both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin import _input
from metablin._extra import needs
from metablin._frame import frame_of
from metablin.errors import DataError
from metablin.survival.patients import groups, patients

__all__ = ["cox_frame", "patient_frame", "to_lifelines", "to_sksurv"]

SOURCES = (
    "a table with columns time and event, a reconstruction, scikit-survival's structured array, "
    "or a fitted lifelines model"
)


def patient_frame(source: Any, *, time: str = "time", event: str = "event") -> pd.DataFrame:
    """Return patients from wherever they are as a frame with columns ``time`` and ``event``.

    Parameters
    ----------
    source : table, PseudoIPD, structured array or lifelines model
        A table (pandas, polars, pyarrow, a mapping of columns) with the columns named below, of
        which all others come along; what :func:`metablin.reconstruct_km` returns; the outcome of
        scikit-survival, whose first field is the event; or a fitted lifelines model, which still
        holds the follow-up, and weights and late entry where it had them.
    time, event : str
        Columns of a table.

    Returns
    -------
    DataFrame
        ``time, event`` (1 event, 0 censored), ready for ``data=`` of any function here.

    Raises
    ------
    DataError
        For anything else, and for times or events that cannot be used.

    Examples
    --------
    >>> outcome = np.array([(True, 5.0), (False, 7.0)], dtype=[("event", bool), ("time", float)])
    >>> patient_frame(outcome)["event"].tolist()
    [1, 0]
    """
    frame = _columns(source, _name("time", time), _name("event", event))
    p = patients(frame["time"].to_numpy(), frame["event"].to_numpy())
    rest = frame.drop(columns=["time", "event"]).reset_index(drop=True)
    return pd.concat([pd.DataFrame({"time": p.time, "event": p.event.astype(int)}), rest], axis=1)


def _name(argument: str, value: object) -> str:
    if not isinstance(value, str):
        raise DataError("not the name of a column", column=argument, value=repr(value),
                        allowed="text")  # fmt: skip
    return value


def _columns(source: Any, time: str, event: str) -> pd.DataFrame:
    if isinstance(source, np.ndarray) and source.dtype.names:
        return _structured(source)
    if hasattr(source, "durations") and hasattr(source, "event_observed"):
        return _fitted(source)
    if hasattr(source, "time") and hasattr(source, "event") and hasattr(source, "quality"):
        return pd.DataFrame({"time": source.time, "event": source.event})
    if isinstance(source, np.ndarray | list | tuple | str):
        raise DataError("not patients", value=type(source).__name__, allowed=SOURCES)
    frame = _input.needed(frame_of(source), (time, event))
    return frame.rename(columns={time: "time", event: "event"})


def _structured(outcome: NDArray[Any]) -> pd.DataFrame:
    names = outcome.dtype.names or ()
    if len(names) != 2 or outcome.dtype[0].kind != "b":
        raise DataError("not an outcome of scikit-survival", column="source", value=str(names),
                        allowed="two fields, the event (bool) and the time")  # fmt: skip
    return pd.DataFrame({"time": outcome[names[1]], "event": outcome[names[0]].astype(int)})


def _fitted(model: Any) -> pd.DataFrame:
    """Return the patients a lifelines model was fitted to; what is the same for all is left out."""
    columns = {
        "time": np.asarray(model.durations, dtype=float),
        "event": np.asarray(model.event_observed, dtype=int),
    }
    entry = getattr(model, "entry", getattr(model, "entries", None))
    for name, values, usual in (("entry", entry, 0.0), ("weights", model.weights, 1.0)):
        found = None if values is None else np.asarray(values, dtype=float)
        if found is not None and np.any(found != usual):
            columns[name] = found
    return pd.DataFrame(columns)


def to_sksurv(source: Any, *, time: str = "time", event: str = "event") -> NDArray[Any]:
    """Return patients as the structured array that scikit-survival takes as its outcome.

    Parameters
    ----------
    source, time, event
        As in :func:`patient_frame`.

    Returns
    -------
    ndarray, shape (n,)
        Fields ``event`` (bool) and ``time``, as ``sksurv.util.Surv.from_arrays`` makes them.

    Examples
    --------
    >>> to_sksurv({"time": [5, 7], "event": [1, 0]}).dtype.names
    ('event', 'time')
    """
    frame = patient_frame(source, time=time, event=event)
    out = np.empty(len(frame), dtype=[("event", bool), ("time", float)])
    out["event"], out["time"] = frame["event"] == 1, frame["time"]
    return out


def to_lifelines(
    source: Any,
    *,
    label: str | None = None,
    level: float = 0.95,
    time: str = "time",
    event: str = "event",
    entry: str | None = None,
    weights: str | None = None,
) -> Any:
    """Return patients as a fitted ``lifelines.KaplanMeierFitter``.

    Parameters
    ----------
    source, time, event
        As in :func:`patient_frame`.
    label : str, optional
        Name of the curve.
    level : float
        Confidence level.
    entry, weights : str, optional
        Columns of late entry and of case weights.

    Raises
    ------
    DataError
        When lifelines is not installed (``pip install "metablin[survival]"``).

    Examples
    --------
    >>> float(to_lifelines({"time": [5, 7, 9], "event": [1, 0, 1]}).median_survival_time_)
    9.0
    """
    lifelines = needs("lifelines", "survival")
    frame = patient_frame(source, time=time, event=event)
    given = {"entry": entry, "weights": weights}
    names = {k: _name(k, v) for k, v in given.items() if v is not None}
    _input.needed(frame, names.values())
    more = {k: frame[v].to_numpy() for k, v in names.items()}
    p = patients(frame["time"].to_numpy(), frame["event"].to_numpy(), **more)
    fitter = lifelines.KaplanMeierFitter(
        alpha=1.0 - _input.level(level), label=None if label is None else _name("label", label)
    )
    return fitter.fit(p.time, p.event, entry=p.entry, weights=p.weights)


def cox_frame(
    source: Any,
    covariates: Iterable[str] | None = None,
    *,
    strata: str | None = None,
    control: Mapping[str, Any] | None = None,
    time: str = "time",
    event: str = "event",
) -> pd.DataFrame:
    """Return patients as the frame of numbers that ``lifelines.CoxPHFitter`` fits.

    Parameters
    ----------
    source, time, event
        As in :func:`patient_frame`.
    covariates : iterable of str, optional
        Columns; all others than follow-up and strata when not given. Numbers stay as they are, a
        column of labels with m levels becomes m - 1 columns of 0 and 1, named
        ``column: B vs A``.
    strata : str, optional
        Column of strata, such as the trial; kept as it is.
    control : mapping of str to label, optional
        Reference level of a column of labels; the first in sorted order when not given.

    Returns
    -------
    DataFrame
        ``time, event``, the covariates and the strata.

    Raises
    ------
    DataError
        For a missing column or cell, and a covariate that does not vary.

    Examples
    --------
    >>> frame = cox_frame({"time": [5, 7, 9], "event": [1, 0, 1], "arm": ["a", "b", "b"]})
    >>> frame.columns.tolist()
    ['time', 'event', 'arm: b vs a']
    """
    frame = patient_frame(source, time=time, event=event)
    kept = ("time", "event", *((_name("strata", strata),) if strata is not None else ()))
    chosen = [c for c in frame.columns if c not in kept] if covariates is None else covariates
    names = [str(name) for name in _input.items("covariates", chosen)]
    _input.needed(frame, (*names, *kept), filled=kept[2:])
    if control is not None and not isinstance(control, Mapping):
        raise DataError("not a mapping", column="control", value=type(control).__name__,
                        allowed='{"arm": "placebo"}')  # fmt: skip
    reference = {str(k): v for k, v in (control or {}).items()}
    _input.needed(frame, reference)
    columns: dict[str, Any] = {"time": frame["time"], "event": frame["event"]}
    for name in names:
        columns.update(_numbers(frame, name, reference.get(name)))
    if len(columns) == 2:
        raise DataError("nothing to regress on", column="covariates", allowed="a column or more")
    if strata is not None:
        columns[strata] = frame[strata]
    return pd.DataFrame(columns)


def _numbers(frame: pd.DataFrame, name: str, control: Any) -> dict[str, NDArray[np.float64]]:
    """Return a column of numbers as it is, and one of labels as indicators of its levels."""
    column = frame[name]
    if control is None and pd.api.types.is_numeric_dtype(column):
        found = {name: _input.numeric(name, column.to_numpy()).astype(np.float64)}
    else:
        g = groups(column, len(frame), control, column=name, minimum=1)
        found = {
            f"{name}: {level} vs {g.levels[0]}": (g.codes == i).astype(np.float64)
            for i, level in enumerate(g.levels)
            if i
        }
    if not found or any(np.ptp(values) == 0.0 for values in found.values()):
        raise DataError("the covariate is the same in all patients", column=name)
    return found
