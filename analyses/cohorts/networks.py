"""Who is in a network: the rows of each trial that answer one question, as printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from metablin.errors import DataError

from ..lines import join_ids, records

Kind = Literal["contrasts", "proportions", "safety"]
CODES: dict[Kind, str] = {"contrasts": "endpoint", "proportions": "outcome", "safety": "term"}
HUB = "chemotherapy"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one trial: what they count, and whom.

    Attributes
    ----------
    trial, code : str
        A trial, and an endpoint, outcome or term.
    subgroup, grade : str
        As in the table.
    among, among_subgroup : str
        An outcome whose denominator replaces that of the rows, so that patients are counted among
        all who were randomised.
    """

    trial: str
    code: str
    subgroup: str = "all"
    grade: str = ""
    among: str = ""
    among_subgroup: str = "all"


@dataclass(frozen=True, slots=True)
class Question:
    """One outcome of a network.

    Attributes
    ----------
    key : str
        Code of the outcome; after a point, how it differs from the main choice.
    measure : {"hr", "or"}
    table : str
        Evidence table of the rows.
    parts : tuple of Rows
        One a trial.
    """

    key: str
    measure: Literal["hr", "or"]
    table: Kind
    parts: tuple[Rows, ...]

    @property
    def outcome(self) -> str:
        """The outcome without what follows the point."""
        return self.key.split(".", maxsplit=1)[0]


TOWER_MRD = Rows("tower", "mrd_response", "cr_crh_cri=yes")
INO_MRD = Rows("ino_vate", "mrd_response", "itt218=yes;cr_cri=yes")
ADULTS = (
    Question("os", "hr", "contrasts", (Rows("tower", "os"), Rows("ino_vate", "os"))),
    Question("event_free", "hr", "contrasts", (Rows("tower", "efs"), Rows("ino_vate", "pfs"))),
    Question("response", "or", "proportions",
             (Rows("tower", "cr_crh_cri"), Rows("ino_vate", "cr_cri"))),
    Question("mrd", "or", "proportions",
             (Rows("tower", TOWER_MRD.code, TOWER_MRD.subgroup, among="cr_crh_cri"),
              Rows("ino_vate", INO_MRD.code, INO_MRD.subgroup, among="cr_cri",
                   among_subgroup="itt218=yes"))),
    Question("transplant", "or", "proportions",
             (Rows("tower", "allohsct"), Rows("ino_vate", "allohsct"))),
    Question("serious", "or", "safety",
             (Rows("tower", "any adverse event", grade="serious"),
              Rows("ino_vate", "any adverse event", grade="serious"))),
    Question("fatal", "or", "safety",
             (Rows("tower", "any adverse event", grade="fatal"),
              Rows("ino_vate", "any adverse event", grade="fatal"))),
)  # fmt: skip
"""Relapsed or refractory adults: blinatumomab and inotuzumab through chemotherapy."""
OTHERWISE = (
    Question("response.full_recovery", "or", "proportions",
             (Rows("tower", "cr"), Rows("ino_vate", "cr_cri"))),
    Question("response.first_218", "or", "proportions",
             (Rows("tower", "cr_crh_cri"), Rows("ino_vate", "cr_cri", "itt218=yes"))),
    Question("mrd.responders", "or", "proportions", (TOWER_MRD, INO_MRD)),
)  # fmt: skip
"""The same with other definitions or other patients."""
CHILDREN = (
    Question("os", "hr", "contrasts",
             (Rows("aall1331_hrir", "os"), Rows("aall1331_lr", "os"),
              Rows("locatelli2021", "os", "all;analysis=final"))),
    Question("event_free", "hr", "contrasts",
             (Rows("aall1331_hrir", "dfs"), Rows("aall1331_lr", "dfs"),
              Rows("locatelli2021", "efs"))),
    Question("mrd", "or", "proportions",
             tuple(Rows(t, "mrd_response") for t in ("aall1331_hrir", "locatelli2021"))),
    Question("transplant", "or", "proportions",
             tuple(Rows(t, "allohsct") for t in ("aall1331_hrir", "locatelli2021"))),
)  # fmt: skip
"""First relapse in children and young adults: blinatumomab against chemotherapy alone."""


def inputs(question: Question, rows: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Return the table that :func:`metablin.network` reads, with the rows behind each line.

    Parameters
    ----------
    question : Question
    rows : pandas.DataFrame
        All rows of its table.
    labels : dict of str to str
        Of trials.

    Raises
    ------
    DataError
        When a trial has no such row, or more of them than it has arms.
    """
    found = [line for part in question.parts for line in _lines(question, part, rows)]
    frame = pd.DataFrame(found)
    return frame.assign(study=frame["study"].map(labels))


def _lines(question: Question, part: Rows, rows: pd.DataFrame) -> list[dict[str, Any]]:
    chosen = records(_chosen(question.table, part, rows))
    if len(chosen) != (1 if question.table == "contrasts" else 2):
        raise DataError(f"{len(chosen)} rows for {question.key}", study=part.trial,
                        column=CODES[question.table], value=part.code,
                        allowed="one a comparison, or one an arm")  # fmt: skip
    if question.table == "contrasts":
        return [_contrast(part, row) for row in chosen]
    return [_arm(part, row, rows) for row in chosen]


def _chosen(table: Kind, part: Rows, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of all arms: those in use, or whatever there is of a group not in use."""
    kept = (rows["trial_id"] == part.trial) & (rows[CODES[table]] == part.code)
    if table == "safety":
        return rows.loc[kept & (rows["grade"] == part.grade) & rows["preferred"]]
    kept &= rows["subgroup"] == part.subgroup
    return rows.loc[kept & rows["preferred"]] if (kept & rows["preferred"]).any() else rows[kept]


def _contrast(part: Rows, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "study": part.trial,
        "treat1": row["arm_treatment"],
        "treat2": row["arm_control"],
        "estimate": row["estimate"],
        "conf_low": row["ci_low"],
        "conf_high": row["ci_high"],
        "level": row["ci_level"],
        "definition": row["endpoint"],
        "row_ids": row["row_id"],
    }


def _arm(part: Rows, row: dict[str, Any], rows: pd.DataFrame) -> dict[str, Any]:
    n, ids = row["n"], [row["row_id"]]
    if part.among:
        whole = _chosen("proportions", Rows(part.trial, part.among, part.among_subgroup), rows)
        base = whole.loc[whole["arm"] == row["arm"]].iloc[0]
        n, ids = base["n"], [*ids, base["row_id"]]
    return {
        "study": part.trial,
        "treatment": row["arm"],
        "events": int(row["events"]),
        "n": int(n),
        "definition": row.get("definition") or row.get("grade") or part.code,
        "row_ids": join_ids(ids),
    }
