"""Published indirect comparisons beside the network, and what a bridge to CAR-T cells would say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.network import NetworkFit

from ..cohorts.networks import HUB
from ..lines import join_ids
from .rows import BLINA, INO, SHORT, Fitted, pair_words

BREXU, CAR_T, OBE, TISA = (
    "brexucabtagene_autoleucel", "car_t", "obecabtagene_autoleucel", "tisagenlecleucel",
)  # fmt: skip
EXTRA_SD = 0.3
"""Standard deviation beyond chance that a comparison without randomisation is given, on the log
scale; with one bridge an outcome nothing can estimate it, so it is a stated choice."""
Z = 1.959963984540054
BRIDGED, RANDOMISED = "bridged", "randomised"
CANNOT = "no randomised path joins the two, so the network has no answer of its own"
SPOKE = f"{CANNOT}; it is the bridge itself"


@dataclass(frozen=True, slots=True)
class Published:
    """A published comparison: which of our outcomes it is about, and why the two may differ."""

    ids: tuple[str, ...]
    outcome: str
    treat1: str
    treat2: str
    reason: str


PFIZER = (
    "same two trials and the same path; theirs also adjusts for differences between their "
    "patients (anchored MAIC, STC), ours has printed summaries only"
)
COMPARED = (
    Published(("proskorovsky2019.remission",), "response", INO, BLINA,
              f"{PFIZER}; which recovery counts as remission in TOWER decides the size"),
    Published(("proskorovsky2019.hsct",), "transplant", INO, BLINA,
              f"{PFIZER}; transplantation is counted on study in one trial, directly after "
              "remission in the other"),
    Published(("proskorovsky2019.os",), "os", INO, BLINA, PFIZER),
    Published(("proskorovsky2019.efs",), "event_free", INO, BLINA,
              f"{PFIZER}; the endpoints of the two trials are not defined alike"),
    Published(("cao2022.cr_cart_v_blina",), "response", CAR_T, BLINA,
              f"{SPOKE}; which studies join CAR-T cells to the rest is not in the abstract"),
    Published(("cao2022.cr_cart_v_chemo",), "response", CAR_T, HUB,
              "ours is bridged: their comparison with blinatumomab carried through TOWER"),
    Published(("song2019.os_median_blina", "song2019.os_median_ino"), "os", BLINA, INO,
              "theirs sets the weighted blinatumomab arm of patients with one earlier salvage at "
              "most beside the inotuzumab arm, without the chemotherapy arms; the ratio is implied "
              "by the medians, as if survival were exponential, and has no interval"),
    Published(("shah2023.os_v_blina",), "os", BREXU, BLINA, SPOKE),
    Published(("shah2023.efs_v_blina",), "event_free", BREXU, BLINA, CANNOT),
    Published(("shah2023.os_v_chemo",), "os", BREXU, HUB,
              "ours is bridged: their comparison with blinatumomab carried through TOWER"),
    Published(("felix_eca2025.os_itt",), "os", OBE, "standard_therapy",
              f"{CANNOT}: the controls had several treatments, and the share that had "
              "blinatumomab is not stated"),
    Published(("felix_eca2025.os_mitt",), "os", OBE, "standard_therapy",
              f"{CANNOT}: as above, in those infused"),
    Published(("verneris2021.os_lowest", "verneris2021.os_highest"), "os", TISA, BLINA,
              f"{CANNOT}; children, relapsed or refractory: another question than first relapse"),
    Published(("verneris2021.cr_lowest", "verneris2021.cr_highest"), "response", TISA, BLINA,
              f"{CANNOT}; children, relapsed or refractory: another question than first relapse"),
)  # fmt: skip
BRIDGES = {"os": ("shah2023.os_v_blina", BREXU), "response": ("cao2022.cr_cart_v_blina", CAR_T)}
"""The published comparison that ties CAR-T cells to an outcome's network."""


@dataclass(frozen=True, slots=True, eq=False)
class Bridged:
    """A randomised network, the same with one comparison that is not randomised, and which."""

    without: Fitted
    fit: NetworkFit
    source: str
    treatment: str


def bridged(adults: Sequence[Fitted], published: pd.DataFrame) -> list[Bridged]:
    """Return the networks with CAR-T cells tied to blinatumomab by one published comparison."""
    found = []
    for one in adults:
        source, treatment = BRIDGES.get(one.question.key, ("", ""))
        if source not in published.index:
            continue
        row = published.loc[source]
        frame = one.fit.network.to_frame()[["study", "treat1", "treat2", "yi", "vi"]]
        error = (math.log(row["ci_high"]) - math.log(row["ci_low"])) / (2 * Z)
        bridge = {"study": source, "treat1": treatment, "treat2": BLINA,
                  "yi": math.log(row["estimate"]), "vi": error**2 + EXTRA_SD**2}  # fmt: skip
        frame = pd.concat([frame, pd.DataFrame([bridge])], ignore_index=True)
        net = mb.network(frame, measure=one.question.measure)
        found.append(Bridged(one, mb.network_pool(net, reference=HUB), source, treatment))
    return found


def listed(found: Sequence[Bridged]) -> pd.DataFrame:
    """Return every pair of a bridged network beside what the network says without the bridge."""
    return pd.DataFrame([line for one in found for line in _pairs(one)])


def _pairs(one: Bridged) -> list[dict[str, Any]]:
    lines = []
    names = (one.treatment, BLINA, INO, HUB)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            effect = one.fit.effect(a, b)
            over = a == one.treatment
            old = None if over else one.without.fit.effect(a, b)
            inner = () if {a, b} == {one.treatment, BLINA} else (BLINA if over else a, b)
            ids = one.without.row_ids(*inner) if inner else ""
            lines.append(
                {"key": f"{one.without.question.key}.{a}_v_{b}",
                 "outcome": one.without.question.outcome, "comparison": pair_words(a, b),
                 "grade": BRIDGED if over else RANDOMISED,
                 **{c: effect[c] for c in ("estimate", "conf_low", "conf_high")},
                 **{f"without{s}": old[c] if old else math.nan
                    for s, c in (("", "estimate"), ("_low", "conf_low"), ("_high", "conf_high"))},
                 "row_ids": join_ids(x for x in (one.source if over else "", ids) if x)}
            )  # fmt: skip
    return lines


def beside(
    adults: Sequence[Fitted], found: Sequence[Bridged], published: pd.DataFrame
) -> pd.DataFrame:
    """Return published comparisons with ours of the same pair, and why the two may differ."""
    own = {one.question.key: one for one in adults}
    tied = {one.without.question.key: one for one in found}
    known = [p for p in COMPARED if published.index.isin(p.ids).sum() == len(p.ids)]
    return pd.DataFrame([_beside(p, own, tied, published) for p in known])


def explained(beside: pd.DataFrame) -> pd.DataFrame:
    """Return what the pages of published comparisons say, and why theirs and ours may differ."""
    columns = ["key", "what", "theirs_is", "page", "reason", "row_ids"]
    return beside[columns]


def _beside(
    p: Published, own: dict[str, Fitted], tied: dict[str, Bridged], published: pd.DataFrame
) -> dict[str, Any]:
    rows = published.loc[list(p.ids)]
    first = rows.iloc[0]
    source = f"{_surname(first['first_author'])} {first['year']:.0f}"
    ours, grade, ids = _ours(p, own, tied)
    return {
        "key": p.ids[0],
        "source": source,
        "design": first["design"],
        "outcome": p.outcome,
        "what": f"{source}: {SHORT[p.outcome].lower()}",
        "comparison": pair_words(p.treat1, p.treat2),
        **_theirs(rows),
        "page": _said(first["note"]),
        **{f"ours{s}": ours.get(c, math.nan)
           for s, c in (("", "estimate"), ("_low", "conf_low"), ("_high", "conf_high"))},
        "grade": grade,
        "reason": p.reason,
        "row_ids": join_ids((*p.ids, *ids)),
    }  # fmt: skip


def _surname(author: object) -> str:
    """Return an author without initials; of a report that names none, what it is."""
    return re.sub(r" [A-Z]{1,3}$", "", str(author or "")) or "Conference report"


def _theirs(rows: pd.DataFrame) -> dict[str, Any]:
    """Return a published ratio: as printed, the range over methods, or implied by two medians."""
    first = rows.iloc[0]
    values = rows["estimate"].to_numpy(float)
    found = {
        c: math.nan for c in ("theirs", "theirs_low", "theirs_high", "range_low", "range_high")
    }
    if first["measure"] == "median_months":
        return {**found, "theirs": values[1] / values[0], "theirs_is": "implied by medians"}
    if len(values) > 1:
        low, high = np.sort(values)[[0, -1]]
        return {**found, "range_low": low, "range_high": high, "theirs_is": "a range over methods"}
    ratio, low, high = (float(first[c]) for c in ("estimate", "ci_low", "ci_high"))
    kind = "printed" if low == low else "printed without a whole interval"
    kind = "not printed" if math.isnan(ratio) else kind
    return {**found, "theirs": ratio, "theirs_low": low, "theirs_high": high, "theirs_is": kind}


def _said(note: object) -> str:
    """Return what a note says of the comparison, without where it was read."""
    own = str(note).split("; page")[0].split("; ")
    return "; ".join(part for part in own if "page read" not in part)


def _ours(
    p: Published, own: dict[str, Fitted], tied: dict[str, Bridged]
) -> tuple[dict[str, float], str, tuple[str, ...]]:
    """Return our effect of a pair, how it is tied, and the rows behind it; nothing where none."""
    pair = {p.treat1, p.treat2}
    fitted = own[p.outcome]
    if pair <= set(fitted.fit.treatments):
        return fitted.fit.effect(p.treat1, p.treat2), RANDOMISED, (fitted.row_ids(*pair),)
    bridge = tied.get(p.outcome)
    if bridge and pair == {bridge.treatment, HUB}:
        effect = bridge.fit.effect(p.treat1, p.treat2)
        return effect, BRIDGED, (bridge.source, fitted.row_ids(BLINA, HUB))
    return {}, "", ()
