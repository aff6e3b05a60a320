"""What the paper prints beside the figure, compared with the reading through the reconstruction."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from metablin.digitise.names import plain
from metablin.digitise.records import Digitised
from metablin.errors import DataError

__all__ = ["compare_printed", "parse_printed"]

NUMBER = r"[-+]?\d+(?:\.\d+)?"
KNOWN = ("hr", "p", "median", "events", "n")


def parse_printed(text: str) -> dict[str, dict[str, float]]:
    """Read ``hr=0.61; p=0.01; A median=12.3,events=90``; the key ``""`` holds the contrast.

    Examples
    --------
    >>> parse_printed("hr=0.61; Arm A median=12.3,events=90")
    {'': {'hr': 0.61}, 'Arm A': {'median': 12.3, 'events': 90.0}}
    """
    out: dict[str, dict[str, float]] = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        found = re.fullmatch(rf"(.*?)\s*((?:\w+\s*=\s*{NUMBER}\s*,?\s*)+)", part)
        pairs = re.findall(rf"(\w+)\s*=\s*({NUMBER})", found.group(2)) if found else []
        if not found or any(k.lower() not in KNOWN for k, _ in pairs):
            raise DataError(
                "not a printed item", column="--printed", value=part,
                allowed=f"{', '.join(KNOWN)}, as in hr=0.61; A median=12.3,events=90",
            )  # fmt: skip
        out.setdefault(found.group(1), {}).update({k.lower(): float(v) for k, v in pairs})
    return out


def compare_printed(found: Digitised, printed: str, ipd: dict[str, Any] | None = None) -> list[str]:
    """Return one line per printed item: printed, read, difference.

    Parameters
    ----------
    found : Digitised
        A figure, read.
    printed : str
        As for :func:`parse_printed`. The hazard ratio and P compare the first two arms, the
        second over the first.
    ipd : dict, optional
        Patients by arm; reconstructed here when not given.
    """
    items = parse_printed(printed)
    ipd = found.reconstruct() if ipd is None else ipd
    by_name = {plain(k): v for k, v in ipd.items()} | {plain(a.name): ipd[a.id] for a in found.arms}
    lines = []
    for name, values in items.items():
        if name and plain(name) not in by_name:
            raise DataError("no such arm", column="--printed", value=name, allowed=", ".join(ipd))
        read = _contrast(ipd) if not name else _arm(by_name[plain(name)])
        for key, value in values.items():
            got = read.get(key, float("nan"))
            label = f"{name} {key}".strip()
            lines.append(f"{label}: printed {value:g}, read {got:.4g}")
    return lines


def _arm(patients: Any) -> dict[str, float]:
    from metablin.survival import kaplan_meier

    curve = kaplan_meier(patients.time, patients.event)
    return {
        "median": float(curve.median),
        "events": float(np.sum(patients.event)),
        "n": float(len(patients.time)),
    }


def _contrast(ipd: dict[str, Any]) -> dict[str, float]:
    from metablin.survival import logrank
    from metablin.survival.cox import cox

    if len(ipd) < 2:
        raise DataError("a hazard ratio needs two arms", column="--printed", allowed="two arms")
    first, second = list(ipd.values())[:2]
    time = np.concatenate([first.time, second.time])
    event = np.concatenate([first.event, second.event])
    group = np.repeat([0, 1], [len(first.time), len(second.time)])
    fit = cox(time, event, group)
    return {"hr": float(np.exp(fit.log_hr[0])), "p": float(logrank(time, event, group).p_value)}
