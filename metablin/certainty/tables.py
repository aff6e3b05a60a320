"""Tables of persons' decisions: indirectness, publication, overrides; every fault with its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from metablin import _input
from metablin.errors import DataError

__all__ = ["DOMAINS", "read_indirectness", "read_overrides", "read_publication"]

DOMAINS = (
    "risk of bias", "inconsistency", "indirectness", "imprecision", "publication bias",
    "large effect", "dose response", "plausible confounding",
)  # fmt: skip
RAISE = DOMAINS[5:]


def _cells(data: Any, name: str, needed: Sequence[str], others: Sequence[str] = ()) -> list[Any]:
    """Return rows of a frame or of a list of mappings as dicts of stripped text."""
    if not isinstance(data, pd.DataFrame):
        many = isinstance(data, Iterable) and not isinstance(data, str | bytes | Mapping)
        if not many or isinstance(data, np.ndarray | pd.Index):
            raise DataError("not a table", column=name, value=type(data).__name__,
                            allowed=f"rows of {', '.join(needed)}")  # fmt: skip
        data = list(data)
        data = pd.DataFrame(data, columns=None if len(data) else list(needed))
    frame = _input.needed(data, needed) if len(data) else data
    rows = []
    for record in frame.to_dict(orient="records"):
        row = {c: "" if pd.isna(record.get(c, "")) else str(record.get(c, "")).strip()
               for c in (*needed, *others)}  # fmt: skip
        rows.append(row)
    return rows


def read_indirectness(
    data: Any, studies: Sequence[str], aspects: Sequence[str], severity: Mapping[str, int]
) -> list[dict[str, str]]:
    """Return rows of aspect, severity and reason (and study), checked."""
    if data is None:
        return []
    rows: list[dict[str, str]] = _cells(
        data, "indirectness", ("aspect", "severity", "reason"), ("study",)
    )
    for i, row in enumerate(rows, start=1):
        row["aspect"], row["severity"] = row["aspect"].lower(), row["severity"].lower()
        for column, allowed in (("aspect", aspects), ("severity", list(severity))):
            if row[column] not in allowed:
                raise DataError(f"unknown {column} of indirectness", row=i, column=column,
                                value=row[column], allowed=" | ".join(allowed))  # fmt: skip
        if not row["reason"]:
            raise DataError("indirectness needs a reason", row=i, column="reason", value="missing")
        if row["study"] and row["study"] not in studies:
            raise DataError("not a study of this pool", row=i, column="study", value=row["study"],
                            allowed=" | ".join(studies))  # fmt: skip
    return rows


def read_publication(data: Any, studies: Sequence[str]) -> dict[str, Any]:
    """Return what is known of unpublished evidence: overdue results, industry-funded studies."""
    facts: dict[str, Any] = {"overdue": 0, "industry": ()}
    if data is None:
        return facts
    if not isinstance(data, Mapping):
        raise DataError("not a mapping", column="publication", value=type(data).__name__,
                        allowed="overdue (a number), industry (studies)")  # fmt: skip
    for key, value in data.items():
        if key not in facts:
            raise DataError("unknown fact", column="publication", value=key,
                            allowed=" | ".join(facts))  # fmt: skip
        facts[key] = value
    facts["overdue"] = int(_input.one("overdue", facts["overdue"], minimum=0, integer=True))
    facts["industry"] = [str(s) for s in _input.items("industry", facts["industry"])]
    for study in facts["industry"]:
        if study not in studies:
            raise DataError("not a study of this pool", column="industry", value=study,
                            allowed=" | ".join(studies))  # fmt: skip
    return facts


def read_overrides(data: Any) -> dict[str, tuple[int, str]]:
    """Return levels and reason by domain: columns domain, levels, reason."""
    if data is None:
        return {}
    found: dict[str, tuple[int, str]] = {}
    for i, row in enumerate(_cells(data, "overrides", ("domain", "levels", "reason")), start=1):
        domain = " ".join(row["domain"].lower().replace("_", " ").split())
        if domain not in DOMAINS:
            raise DataError("unknown domain", row=i, column="domain", value=row["domain"],
                            allowed=" | ".join(DOMAINS))  # fmt: skip
        if not row["reason"]:
            raise DataError("an override needs a reason", row=i, column="reason", value="missing")
        low, high = (0, 2) if domain in RAISE else (-3, 0)
        try:
            levels = int(float(row["levels"]))
        except ValueError:
            levels = high + 1
        if not low <= levels <= high:
            raise DataError("not a number of levels", row=i, column="levels", value=row["levels"],
                            allowed=f"{low} to {high} for {domain}")  # fmt: skip
        if domain in found:
            raise DataError("overridden twice", row=i, column="domain", value=domain)
        found[domain] = (levels, row["reason"])
    return found
