"""Pools in which nothing happened: no patient had the event, or every patient had it.

Equal corrections of zero cells look like agreement between studies, so that a half added to each
would make the answer the surer the more studies the same patients are divided into.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from metablin.effects import EffectSizes, exact_intervals
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options

__all__ = ["exact_pool", "identified", "nothing_happened"]

FloatArray = NDArray[np.float64]

RATIOS = ("or", "rr", "peto", "irr")
DIFFERENCES = ("rd", "asd", "ird", "irsd")


def nothing_happened(e: EffectSizes) -> bool:
    """Return whether no patient, or every patient, had the event; False without counts.

    Examples
    --------
    >>> import metablin as mb
    >>> nothing_happened(mb.proportions([0, 0], [5, 6])), nothing_happened(mb.generic([0], [1]))
    (True, False)
    """
    events = [c for name, c in e.counts.items() if name.startswith("events")]
    if not events or e.measure not in ("proportion", "rate", *RATIOS, *DIFFERENCES):
        return False
    sizes = [c for name, c in e.counts.items() if name == "n" or name.startswith("n_")]
    return float(np.sum(events)) in (0.0, float(np.sum(sizes)) if sizes else math.inf)


def identified(e: EffectSizes) -> None:
    """Raise when the studies cannot say anything about two arms but what corrections put in.

    Raises
    ------
    DataError
        When no patient of either arm, or every one of both, had the event in any study.
    """
    if e.measure not in (*RATIOS, *DIFFERENCES) or not nothing_happened(e):
        return
    treated, control = (e.counts[f"events_{arm}"].sum() for arm in ("treatment", "control"))
    what = "every patient of both arms had the event in all studies"
    if treated == control == 0:
        what = "no event in either arm of any study"
    so = "the ratio is not identified"
    if e.measure in DIFFERENCES:
        so = "the difference has no variance of its own"
    raise DataError(
        f"{what}, so {so}",
        column="events_treatment, events_control",
        value=f"{treated:g}, {control:g}",
        allowed="a study with some events, or each arm pooled as a single group",
    )


def exact_pool(e: EffectSizes, level: float) -> MetaFit:
    """Return 0 of n, n of n, or no event in the whole time at risk, with its exact interval.

    The studies are one: the answer is the same however the patients are divided. The limits of a
    proportion are Clopper and Pearson's, those of a rate Garwood's.

    References
    ----------
    Clopper CJ, Pearson ES (1934). Biometrika 26:404-413. doi:10.1093/biomet/26.4.404
    Garwood F (1936). Biometrika 28:437-442. doi:10.1093/biomet/28.3-4.437

    Examples
    --------
    >>> import metablin as mb
    >>> fit = exact_pool(mb.rates([0, 0, 0], [50, 60, 70]), 0.95)
    >>> fit.estimate, round(fit.conf_high, 4)
    (0.0, 0.0205)
    """
    events = float(e.counts["events"].sum())
    if e.measure == "rate":
        total = float(e.counts["person_time"].sum())
        middle, low, high = 0.0, 0.0, -math.log((1 - level) / 2) / total
        who, method, weights = "no patient", "garwood", e.counts["person_time"]
        what = f"no event in {total:g} of time at risk"
    else:
        weights = e.counts["n"]
        one = exact_intervals([events], [weights.sum()], level=level).iloc[0]
        middle, low, high = (float(one[c]) for c in ("estimate", "conf_low", "conf_high"))
        who = "no patient" if events == 0 else "every patient"
        method, what = "clopper-pearson", f"{events:g} of {weights.sum():g}"
    inner = _onto_scale(e, np.array([middle, low, high]))
    return make_fit(
        e,
        Options("exact", method, level=level),
        estimate=inner[0],
        std_error=math.nan,
        confidence=(inner[1], inner[2]),
        weights=weights,
        notes=(
            f"{who} had the event: {what} as one cohort, exact interval; there is no "
            "standard error, test, tau2 or prediction interval",
        ),
    )


def _onto_scale(e: EffectSizes, p: FloatArray) -> tuple[float, float, float]:
    """Return values of the reader's scale on the analysis scale, infinite where it ends so."""
    with np.errstate(divide="ignore"):
        if e.transform == "freeman-tukey":
            n = e.harmonic_n
            angles = [np.arcsin(np.sqrt((p * n + i) / (n + 1))) for i in (0, 1)]
            inner = np.mean(angles, axis=0)
        elif e.transform == "arcsine":
            inner = np.arcsin(np.sqrt(p))
        else:
            inner = {"logit": special.logit, "log": np.log, "sqrt": np.sqrt}.get(
                e.transform, np.asarray
            )(p)
    return float(inner[0]), float(inner[1]), float(inner[2])
