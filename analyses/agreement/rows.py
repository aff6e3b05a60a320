"""Tables of the agreement with published pools."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from metablin.errors import DataError

from ..lines import records

UNITS = {"proportion": "proportion", "hr": "ratio", "rr": "ratio", "median_months": "months"}
ABSTRACT = "Conference abstract"
AGREE, OVERLAP, DIFFER = "agree", "overlap", "differ"
WORDS = {
    AGREE: "agree: each estimate lies within the other's interval, where one is printed",
    OVERLAP: "overlap: only one of the estimates lies within the other's interval, or none",
    DIFFER: "differ: the intervals do not meet, or theirs, without one, lies outside ours",
}


def compared(pairs: pd.DataFrame, published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Return one line a pair: theirs, ours, the verdict and the likely reason.

    Raises
    ------
    DataError
        When a pair points at a pool that is not there.
    """
    theirs = published.set_index("synthesis_id")
    lost = pairs.loc[~pairs["result"].isin(ours.index), "result"]
    if len(lost):
        raise DataError("no such pool", column="result", value=lost.iloc[0],
                        allowed="an address analysis/table/key")  # fmt: skip
    lines = [_line(p, theirs.loc[p["synthesis_id"]], ours.loc[p["result"]]) for p in records(pairs)]
    return pd.DataFrame(lines)


def _line(pair: dict[str, Any], theirs: pd.Series, ours: pd.Series) -> dict[str, Any]:
    low, middle, high = (float(theirs[c]) for c in ("ci_low", "estimate", "ci_high"))
    if pair["inverted"]:
        low, middle, high = 1 / high, 1 / middle, 1 / low
    own = (float(ours["conf_low"]), float(ours["estimate"]), float(ours["conf_high"]))
    return {
        "key": pair["agreement_id"],
        "review": f"{theirs['first_author'] or ABSTRACT} {theirs['year']:.0f}",
        "question": theirs["population"],
        "outcome": theirs["outcome"],
        "published": middle,
        "published_low": low,
        "published_high": high,
        "published_k": theirs["k"],
        "ours": own[1],
        "ours_low": own[0],
        "ours_high": own[2],
        "k": ours["k"],
        "pool": pair["result"],
        "topic": pair["result"].partition("/")[0],
        "unit": UNITS[pair["measure"]],
        "verdict": verdict((low, middle, high), own),
        "reason": pair["reason"],
        "row_ids": f"{pair['synthesis_id']} {ours['row_ids']}",
    }


def verdict(theirs: tuple[float, float, float], ours: tuple[float, float, float]) -> str:
    """Return whether two estimates, each as (low, middle, high), agree, overlap or differ.

    Examples
    --------
    >>> verdict((0.4, 0.6, 0.8), (0.2, 0.5, 1.2)), verdict((0.8, 0.9, 1.0), (0.2, 0.3, 0.4))
    ('agree', 'differ')
    """
    inside = ours[0] <= theirs[1] <= ours[2]
    if math.isnan(theirs[0]):
        return AGREE if inside else DIFFER
    if inside and theirs[0] <= ours[1] <= theirs[2]:
        return AGREE
    return OVERLAP if theirs[0] <= ours[2] and ours[0] <= theirs[2] else DIFFER


def counted(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return how many pairs agree, overlap and differ."""
    return pd.DataFrame(
        [
            {"key": name, "verdict": words, "estimate": int((pairs["verdict"] == name).sum()),
             "of": len(pairs), "row_ids": " ".join(pairs.loc[pairs["verdict"] == name, "key"])}
            for name, words in WORDS.items()
        ]
    )  # fmt: skip
