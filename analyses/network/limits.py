"""Where the assumptions of the indirect comparison break, and what it cannot answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from metablin.report import format_number

from ..cohorts.networks import ADULTS, HUB, Question, Rows, inputs
from ..lines import join_ids
from .context import COMPARED
from .rows import BLINA, INO, Fitted, pair_words

TRIALS = ("tower", "ino_vate")
Cell = tuple[str, list[str]]
LATE = ("baseline_third_salvage", "baseline_fourth_salvage", "baseline_fifth_or_later_salvage")
MANY_BLASTS = ("baseline_blasts_ge50", "baseline_blasts_50_90", "baseline_blasts_gt90")


def differences(trials: pd.DataFrame, rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what should be alike in both trials for the indirect comparison, side by side."""
    known = trials.set_index("trial_id")
    p, s = rows["proportions"], rows["survival"]
    items: tuple[tuple[str, str, Callable[[str], Cell], str], ...] = (
        ("population", "Who took part", lambda t: (str(known.loc[t, "population"]), [t]),
         "an effect that depends on the line of salvage or on the antigen is not the same effect"),
        ("salvage", "Third salvage or later", lambda t: _share(p, t, LATE),
         "TOWER has lines that INO-VATE left out"),
        ("ph", "Philadelphia chromosome", lambda t: _ph(known, rows["contrasts"], t),
         "INO-VATE includes positive disease, TOWER does not"),
        ("blasts", "Blasts in half of the marrow or more", lambda t: _share(p, t, MANY_BLASTS),
         "fewer blasts, more responses to blinatumomab"),
        ("response", "Chemotherapy: response", lambda t: _control("response", rows, t),
         "counted with any recovery in TOWER, as CR or CRi in INO-VATE"),
        ("median", "Chemotherapy: median survival", lambda t: _median(s, t),
         "the common comparator did not do equally well"),
        ("transplant", "Chemotherapy: transplanted", lambda t: _control("transplant", rows, t),
         "counted on study in TOWER, directly after remission in INO-VATE"),
        ("serious", "Chemotherapy: a serious adverse event",
         lambda t: _control("serious", rows, t),
         "watched for different times, of patients who began treatment"),
        ("level", "Level of the interval of the hazard ratio of death",
         lambda t: _level(rows["contrasts"], t),
         "read at the level printed: as a 95% interval it would be too wide"),
    )  # fmt: skip
    lines = []
    for key, what, cell, why in items:
        cells = [cell(t) for t in TRIALS]
        ids = [i for _, own in cells for i in own]
        lines.append({"key": key, "what": what, **dict(zip(TRIALS, (c for c, _ in cells),
                      strict=True)), "why": why, "row_ids": join_ids(ids)})  # fmt: skip
    return pd.DataFrame(lines)


def _of(events: float, n: float) -> str:
    return f"{events:.0f} of {n:.0f} ({format_number(events / n, 'proportion')})"


def _share(rows: pd.DataFrame, trial: str, outcomes: tuple[str, ...]) -> Cell:
    """Return patients of both arms with any of several findings at baseline, of all."""
    own = rows.loc[(rows["trial_id"] == trial) & rows["outcome"].isin(outcomes)
                   & (rows["subgroup"] == "all") & rows["preferred"]]  # fmt: skip
    if own.empty:
        return "not admitted", [trial]
    return _of(own["events"].sum(), own.groupby("arm")["n"].first().sum()), list(own["row_id"])


def _ph(known: pd.DataFrame, contrasts: pd.DataFrame, trial: str) -> Cell:
    own = contrasts.loc[(contrasts["trial_id"] == trial) & (contrasts["subgroup"] == "ph=positive")]
    if len(own):
        return "negative and positive", list(own["row_id"])
    return str(known.loc[trial, "ph_status"]), [trial]


def _control(key: str, rows: dict[str, pd.DataFrame], trial: str) -> Cell:
    question = next(q for q in ADULTS if q.key == key)
    part = tuple(p for p in question.parts if p.trial == trial)
    one = Question(question.key, question.measure, question.table, part)
    table = inputs(one, rows[one.table], {trial: trial})
    arm = table.loc[table["treatment"] == HUB].iloc[0]
    return _of(arm["events"], arm["n"]), str(arm["row_ids"]).split()


def _medians(rows: pd.DataFrame, trial: str) -> pd.DataFrame:
    own = rows.loc[(rows["trial_id"] == trial) & (rows["endpoint"] == "os")
                   & (rows["subgroup"] == "all") & rows["preferred"]
                   & rows["median_months"].notna()]  # fmt: skip
    return own.set_index("arm")


def _median(rows: pd.DataFrame, trial: str) -> Cell:
    arm = _medians(rows, trial).loc[HUB]
    return f"{format_number(arm['median_months'], 'months')} months", [str(arm["row_id"])]


def _level(rows: pd.DataFrame, trial: str) -> Cell:
    row = inputs(Question("os", "hr", "contrasts", (Rows(trial, "os"),)), rows, {trial: trial})
    return f"{100 * row['level'].iloc[0]:g}%", [str(row["row_ids"].iloc[0])]


def hazards(found: Sequence[Fitted], survival: pd.DataFrame) -> pd.DataFrame:
    """Return the hazard ratio of death as printed, and as medians and late survival imply it."""
    one = next(x for x in found if x.question.key == "os")
    drugs = dict(zip(TRIALS, (BLINA, INO), strict=True))
    lines = []
    for trial, drug in drugs.items():
        effect = one.fit.effect(drug, HUB)
        lines.append(_hazard(f"{trial}.printed", drug, "ratio printed", effect["estimate"],
                             one.row_ids(drug, HUB).split()))  # fmt: skip
        arms = _medians(survival, trial)
        months = arms["median_months"].to_dict()
        ratio = float(months[HUB]) / float(months[drug])
        lines.append(_hazard(f"{trial}.medians", drug, "implied by medians", ratio,
                             list(arms.loc[[drug, HUB], "row_id"])))  # fmt: skip
        lines += _late(survival, trial, drug)
    by_key = {line["key"]: line for line in lines}
    for name in ("printed", "medians"):
        a, b = (by_key[f"{t}.{name}"] for t in TRIALS)
        lines.append({**a, "key": f"indirect.{name}", "comparison": pair_words(BLINA, INO),
                      "estimate": a["estimate"] / b["estimate"],
                      "row_ids": join_ids((a["row_ids"], b["row_ids"]))})  # fmt: skip
    return pd.DataFrame(lines)


def _hazard(key: str, drug: str, basis: str, ratio: float, ids: list[str]) -> dict[str, Any]:
    return {"key": key, "comparison": pair_words(drug, HUB), "basis": basis,
            "estimate": ratio, "row_ids": join_ids(ids)}  # fmt: skip


def _late(survival: pd.DataFrame, trial: str, drug: str) -> list[dict[str, Any]]:
    """Return the ratio of cumulative hazards at the latest time printed for both arms, if any."""
    own = survival.loc[(survival["trial_id"] == trial) & (survival["endpoint"] == "os")
                       & (survival["subgroup"] == "all") & survival["preferred"]
                       & survival["survival"].notna()]  # fmt: skip
    wide = own.pivot_table(index="time_months", columns="arm", values="survival")
    wide = wide.reindex(columns=[drug, HUB]).dropna()
    if wide.empty:
        return []
    time, (treated, control) = wide.index[-1], wide.iloc[-1]
    ids = own.loc[(own["time_months"] == time) & own["arm"].isin([drug, HUB]), "row_id"]
    ratio = math.log(treated) / math.log(control)
    basis = f"implied by survival at {time:g} months"
    return [_hazard(f"{trial}.late", drug, basis, ratio, list(ids))]


def unanswered(rows: dict[str, pd.DataFrame], published: pd.DataFrame) -> pd.DataFrame:
    """Return the questions that have no answer here, the reason, and the rows that show it."""
    s, c = rows["safety"], rows["contrasts"]

    def harm(trial: str, term: str) -> list[str]:
        own = s.loc[(s["trial_id"] == trial) & (s["term"] == term) & s["preferred"]]
        return list(own["row_id"])

    lines = (
        ("car_t", "CAR-T cells against anything",
         "no randomised comparison with CAR-T cells is in the evidence: only comparisons of arms "
         "of different studies, which stand apart as context",
         [x.ids[0] for x in _car_t(published)]),
        ("cytokine_release", "Cytokine release and neurologic events against inotuzumab",
         "counted in TOWER, not in INO-VATE",
         harm("tower", "cytokine release syndrome") + harm("tower", "neurologic event")),
        ("vod", "Veno-occlusive disease against inotuzumab", "counted in INO-VATE, not in TOWER",
         harm("ino_vate", "veno-occlusive disease")),
        ("consistency", "Whether direct and indirect evidence agree",
         "no trial compares blinatumomab with inotuzumab: there is no loop to test", list(TRIALS)),
        ("spread", "How far trials of one comparison differ",
         "one trial a comparison: the network is fitted without a variance between trials, and a "
         "table shows what one would do", list(TRIALS)),
        ("subgroups", "Effects by salvage line, age or blasts",
         "subgroups of the two trials are not cut alike, and patients are not at hand",
         list(TRIALS)),
        ("ph_positive", "Philadelphia-positive disease",
         "TOWER did not admit it; a ratio in it exists for inotuzumab alone",
         list(c.loc[(c["trial_id"] == "ino_vate") & (c["subgroup"] == "ph=positive"), "row_id"])),
        ("children", "Blinatumomab against CAR-T cells or inotuzumab in first relapse",
         "trials in first relapse compare blinatumomab with chemotherapy alone",
         ["aall1331_hrir", "aall1331_lr", "locatelli2021"]),
        ("chemotherapy", "Which chemotherapy",
         "regimens stand as one treatment, those of each trial together",
         ["tower", "ino_vate", "aall1331_hrir", "aall1331_lr", "locatelli2021"]),
    )  # fmt: skip
    return pd.DataFrame(
        [{"key": k, "question": q, "reason": r, "row_ids": join_ids(ids)} for k, q, r, ids in lines]
    )


def _car_t(published: pd.DataFrame) -> list[Any]:
    return [p for p in COMPARED if p.treat1 != INO and p.treat1 != BLINA
            and p.ids[0] in published.index]  # fmt: skip
