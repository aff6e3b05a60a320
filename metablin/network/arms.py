"""From the numbers of arms to contrasts with their exact covariance within a study."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metablin.effects.means import small_sample_factor
from metablin.errors import DataError
from metablin.network.records import Arms, Block

__all__ = ["ARM_COLUMNS", "arm_blocks", "arm_summaries"]

FloatArray = NDArray[np.float64]

ARM_COLUMNS: dict[str, tuple[str, ...]] = {
    "or": ("events", "n"),
    "rr": ("events", "n"),
    "rd": ("events", "n"),
    "rate": ("events", "person_time"),
    "md": ("mean", "sd", "n"),
    "smd": ("mean", "sd", "n"),
    "generic": ("yi", "vi"),
}

HALF = 0.5
"""What a continuity correction adds to every cell of a study."""


def arm_blocks(
    arms: Arms, measure: str, zero_cells: str, drop: bool
) -> tuple[list[Block], dict[str, str], list[str]]:
    """Return blocks of contrasts, why studies have none, and the studies that were corrected.

    Effects are differences of independent arm summaries, so the covariance of two contrasts is
    the variance of the arm they share (Franchini 2012, eq. 3); of Hedges' g also the covariance
    through the pooled standard deviation (Gleser and Olkin 2009).
    """
    blocks: list[Block] = []
    reasons: dict[str, str] = {}
    corrected: list[str] = []
    for s, label in enumerate(arms.labels):
        at = np.flatnonzero(arms.study == s)
        at = at[np.argsort(arms.treatment[at])]
        values = {c: x[at] for c, x in arms.columns.items()}
        why = _no_information(values, drop)
        if why is None:
            values, changed = _correct(values, measure, zero_cells)
            y, cov = _block(measure, values)
            if changed:
                corrected.append(label)
            if not (np.isfinite(y).all() and np.isfinite(cov).all() and (np.diag(cov) > 0).all()):
                why = f"no {measure} variance without a correction of its zero cells"
        if why is not None:
            reasons[label] = why
            continue
        blocks.append(Block(label, tuple(arms.treatment[at].tolist()), y, cov))
    return blocks, reasons, corrected


def arm_summaries(arms: Arms, measure: str) -> tuple[FloatArray, FloatArray]:
    """Return the outcome of every arm by itself and its variance; 1/2 is added to zero cells.

    Raises
    ------
    DataError
        For a measure that arms by themselves do not have.
    """
    if measure == "smd":
        raise DataError("a standardised difference has no outcome of an arm", column="measure",
                        value=measure, allowed="or | rr | rd | rate | md | generic")  # fmt: skip
    y, v = np.empty(len(arms.study)), np.empty(len(arms.study))
    for i in range(len(y)):
        one = {c: x[i : i + 1] for c, x in arms.columns.items()}
        values, _ = _correct(one, measure, "only-needed")
        (y[i],), (v[i],) = _single(measure, *values.values())
    return y, v


def _no_information(values: dict[str, FloatArray], drop: bool) -> str | None:
    if not drop or "events" not in values:
        return None
    if not values["events"].any():
        return "no event in any arm"
    if "n" in values and (values["events"] == values["n"]).all():
        return "every patient of all arms had the event"
    return None


def _correct(
    values: dict[str, FloatArray], measure: str, rule: str
) -> tuple[dict[str, FloatArray], bool]:
    """Add 1/2 to all cells of a study with a zero cell, or to those of every study."""
    if "events" not in values or rule == "none":
        return values, False
    zero = (values["events"] == 0).any()
    if measure != "rate":
        zero = zero or (values["events"] == values["n"]).any()
    if not (zero or rule == "all"):
        return values, False
    out = {**values, "events": values["events"] + HALF}
    if measure != "rate":
        out["n"] = values["n"] + 2 * HALF
    return out, True


def _block(measure: str, values: dict[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    if measure == "smd":
        return _standardised(**values)
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = _single(measure, *values.values())
        return y[1:] - y[0], np.diag(v[1:]) + v[0]


def _single(measure: str, *x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the summary of every arm and its variance."""
    if measure == "or":
        return np.log(x[0]) - np.log(x[1] - x[0]), 1 / x[0] + 1 / (x[1] - x[0])
    if measure == "rr":
        return np.log(x[0] / x[1]), 1 / x[0] - 1 / x[1]
    if measure == "rd":
        p = x[0] / x[1]
        return p, p * (1 - p) / x[1]
    if measure == "rate":
        return np.log(x[0] / x[1]), 1 / x[0]
    if measure == "md":
        return x[0], x[1] ** 2 / x[2]
    return x[0], x[1]


def _standardised(mean: FloatArray, sd: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Hedges' g of all arms against the first, by the standard deviation of all arms.

    References
    ----------
    Gleser LJ, Olkin I (2009). Stochastically dependent effect sizes, section 19.3.1, in
    Cooper H, Hedges LV, Valentine JC: The handbook of research synthesis and meta-analysis.
    """
    df = float((n - 1).sum())
    if df < 2:
        raise DataError("a standardised difference needs more patients", column="n",
                        value=f"{n.sum():g}", allowed="at least 2 an arm")  # fmt: skip
    pooled = np.sqrt(((n - 1) * sd**2).sum() / df)
    g = float(small_sample_factor(np.array(df))) * (mean[1:] - mean[0]) / pooled
    return g, np.diag(1 / n[1:]) + 1 / n[0] + np.outer(g, g) / (2 * n.sum())
