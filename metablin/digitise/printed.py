"""What the paper prints beside the figure, compared with the reading through the reconstruction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metablin.digitise.arms import Arm
from metablin.digitise.names import plain
from metablin.digitise.records import Digitised
from metablin.errors import DataError

__all__ = ["Printed", "check_printed", "compare_printed", "parse_printed"]

NUMBER = r"[-+]?\d+(?:\.\d+)?"
KNOWN = ("hr", "p", "median", "events", "n")
LEFT = 0.5  # of the confidence of an arm that what is printed contradicts: below the limit
SURVIVAL = 0.02  # error of S that a reading may have where the printed median stands
TIME = 0.005  # and of its time, as part of the time axis
EVENTS = (3.0, 0.06)  # events, and part of them, by which a reconstruction may differ
LOG_HR = 0.12  # error of a log hazard ratio: reading, and a Cox model that was stratified
SPREAD = 0.25  # and part of its standard error
LOG_P = 0.5  # of the decimal logarithm of P, and this part of it


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed number: its value, half a unit of its last digit, and ``=`` or ``<``."""

    value: float
    half: float
    sign: str = "="


def parse_printed(text: str) -> dict[str, dict[str, Printed]]:
    """Read ``hr=0.61; p<0.001; A median=12.3,events=90``; the key ``""`` holds the contrast.

    Examples
    --------
    >>> parse_printed("hr=0.61; Arm A median=12.3,events=90")["Arm A"]["median"].value
    12.3
    """
    out: dict[str, dict[str, Printed]] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        found = re.fullmatch(rf"(.*?)\s*((?:\w+\s*[=<]\s*{NUMBER}\s*,?\s*)+)", part)
        pairs = re.findall(rf"(\w+)\s*([=<])\s*({NUMBER})", found.group(2)) if found else []
        if not found or any(
            k.lower() not in KNOWN or (s == "<" and k.lower() != "p") for k, s, _ in pairs
        ):
            raise DataError(
                "not a printed item", column="--printed", value=part,
                allowed=f"{', '.join(KNOWN)}, as in hr=0.61; A median=12.3,events=90",
            )  # fmt: skip
        items = {k.lower(): _number(v, s) for k, s, v in pairs}
        out.setdefault(found.group(1), {}).update(items)
    return out


def _number(text: str, sign: str) -> Printed:
    digits = len(text.partition(".")[2])
    return Printed(float(text), 0.5 * 10.0**-digits, sign)


def compare_printed(
    found: Digitised, printed: str, ipd: Mapping[str, Any] | None = None
) -> list[str]:
    """Return one line per printed item: printed, read, and whether they contradict each other.

    Parameters
    ----------
    found : Digitised
        A figure, read.
    printed : str
        As for :func:`parse_printed`. The hazard ratio and P compare the first two arms, the
        second over the first.
    ipd : mapping, optional
        Patients by arm; reconstructed here when not given.
    """
    return check_printed(found, printed, ipd)[1]


def check_printed(
    found: Digitised, printed: str, ipd: Mapping[str, Any] | None = None
) -> tuple[Digitised, list[str]]:
    """Compare a reading with what is printed; what contradicts it lowers its confidence.

    Parameters
    ----------
    found, printed, ipd
        As for :func:`compare_printed`.

    Returns
    -------
    found : Digitised
        The reading; arms that a printed item contradicts are halved in confidence and say why.
    lines : list of str
        One per printed item.
    """
    items = parse_printed(printed)
    patients = found.reconstruct() if ipd is None else ipd
    by_name = {plain(a.id): a for a in found.arms} | {plain(a.name): a for a in found.arms}
    lines: list[str] = []
    why: dict[str, list[str]] = {}
    for name, values in items.items():
        if name and plain(name) not in by_name:
            allowed = ", ".join(patients)
            raise DataError("no such arm", column="--printed", value=name, allowed=allowed)
        arm = by_name.get(plain(name)) if name else None
        read = _contrast(patients) if arm is None else _arm(patients[arm.id])
        concerned = [a.id for a in found.arms[:2]] if arm is None else [arm.id]
        for key, item in values.items():
            label = f"{name} {key}".strip()
            line = f"{label}: printed {_text(item)}, read {read[key]:.4g}"
            against = _contradiction(key, item, read, arm)
            if against:
                line += f": {against}"
                for ident in concerned:
                    why.setdefault(ident, []).append(line)
            lines.append(line)
    return replace(found, arms=tuple(_doubted(a, why.get(a.id, [])) for a in found.arms)), lines


def _doubted(arm: Arm, lines: list[str]) -> Arm:
    if not lines:
        return arm
    reasons = (*arm.reasons, *lines)
    return replace(arm, confidence=arm.confidence * LEFT ** len(lines), reasons=reasons)


def _text(item: Printed) -> str:
    return f"{'<' if item.sign == '<' else ''}{item.value:g}"


def _contradiction(key: str, item: Printed, read: dict[str, float], arm: Arm | None) -> str:
    """Return how a printed item contradicts the reading; empty where they agree."""
    got = read[key]
    if key == "median" and arm is not None:
        return _median(item, arm)
    if key == "n" and got != item.value:
        return "another number of patients: see the table, or give --at-risk"
    if key == "events" and abs(got - item.value) > max(EVENTS[0], EVENTS[1] * item.value):
        return "another number of events: see the curve and the table"
    if key == "hr":
        return _ratio(item, got, read["se"])
    if key == "p":
        return _p(item, got)
    return ""


def _median(item: Printed, arm: Arm) -> str:
    """Return why the curve does not cross one half where the median is printed."""
    slack = item.half + TIME * float(arm.time[-1])
    at = np.array([item.value - slack, item.value + slack])
    k = np.searchsorted(arm.time, at, side="right") - 1
    before, after = arm.survival[np.maximum(k, 0)]
    if before < 0.5 - SURVIVAL or after > 0.5 + SURVIVAL:
        s = float(arm.survival[max(int(np.searchsorted(arm.time, item.value, "right")) - 1, 0)])
        return f"the curve is at {s:.2f} there: see the axes"
    return ""


def _ratio(item: Printed, got: float, se: float) -> str:
    if item.value <= 0:
        return "a hazard ratio is above 0"
    allowed = LOG_HR + SPREAD * se + item.half / item.value
    off = abs(np.log(got / item.value))
    if off <= allowed:
        return ""
    if abs(np.log(got * item.value)) <= allowed and abs(np.log(got)) > allowed / 2:
        return "the same turned round: are the arms exchanged, or is it the first over the second?"
    return "another hazard ratio: see the curves and their names"


def _p(item: Printed, got: float) -> str:
    top = item.value + item.half
    if item.sign == "<":
        return "" if got <= top * 10**LOG_P else "a larger P: see the curves"
    apart = abs(np.log10(max(got, 1e-300)) - np.log10(max(item.value, item.half)))
    fine = apart <= max(LOG_P, LOG_P * abs(np.log10(max(item.value, item.half))))
    return "" if fine else "another P: see the curves"


def _arm(patients: Any) -> dict[str, float]:
    from metablin.survival import kaplan_meier

    curve = kaplan_meier(patients.time, patients.event)
    return {
        "median": float(curve.median),
        "events": float(np.sum(patients.event)),
        "n": float(len(patients.time)),
        "hr": np.nan, "p": np.nan, "se": np.nan,
    }  # fmt: skip


def _contrast(ipd: Mapping[str, Any]) -> dict[str, float]:
    from metablin.survival import logrank
    from metablin.survival.cox import cox

    if len(ipd) < 2:
        raise DataError("a hazard ratio needs two arms", column="--printed", allowed="two arms")
    first, second = list(ipd.values())[:2]
    time = np.concatenate([first.time, second.time])
    event = np.concatenate([first.event, second.event])
    group = np.repeat([0, 1], [len(first.time), len(second.time)])
    fit = cox(time, event, group)
    return {
        "hr": float(np.exp(fit.log_hr[0])),
        "se": float(fit.std_error[0]),
        "p": float(logrank(time, event, group).p_value),
        "median": np.nan, "events": float(event.sum()), "n": float(len(time)),
    }  # fmt: skip
