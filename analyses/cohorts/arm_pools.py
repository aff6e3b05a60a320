"""Single arms of survival: which of them answer which question, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metablin.errors import DataError

from .arms import PrintedArm
from .designs import MAIN
from .responses import IN_REMISSION, WHOLE, WORDS

ADULT = ("adult_rr_ph_negative", "adult_rr_ph_positive")
CONTROLS = ("chemotherapy", "historical_control")
# Its estimate borrows the control patients of another trial here.
BORROWED = ("alcantara_extcontrol",)
PARTS = {**WORDS, "matched=yes": ""}


@dataclass(frozen=True, slots=True)
class Pool:
    """A question about single arms: who belongs to it, and in which words.

    Arms of its main design are pooled; those of other designs stand beside them.
    """

    name: str
    title: str
    endpoint: str
    belongs: Callable[[PrintedArm], bool]
    colour: str
    design: str = MAIN

    def main(self, arm: PrintedArm) -> bool:
        """Return whether an arm that belongs is of the main design."""
        return arm.design == self.design


def _ph_positive(arm: PrintedArm) -> bool:
    return arm.population == "adult_rr_ph_positive" or "ph=positive" in arm.subgroup


def _relapsed(arm: PrintedArm, treatments: tuple[str, ...], positive: bool = False) -> bool:
    return (
        arm.endpoint == "os"
        and arm.population in ADULT
        and _ph_positive(arm) == positive
        and arm.arm in treatments
        and arm.subgroup.split(";source=")[0] in WHOLE
        and (arm.left_out == "" if "blinatumomab" in treatments else arm.trial_id not in BORROWED)
    )


def _mrd_positive(arm: PrintedArm, endpoint: str) -> bool:
    own = arm.population == "mrd_positive" and arm.subgroup == "all"
    part = arm.population in ADULT and arm.subgroup in IN_REMISSION
    adult = arm.age_group == "adult"
    mine = arm.endpoint == endpoint and arm.arm == "blinatumomab" and arm.left_out == ""
    return mine and adult and (own or part)


POOLS = (
    Pool(
        "rr_blinatumomab",
        "Overall survival on blinatumomab, relapsed or refractory adults, Ph-negative or mixed",
        "os",
        lambda a: _relapsed(a, ("blinatumomab",)),
        "blinatumomab",
    ),
    Pool(
        "rr_control",
        "Overall survival on chemotherapy or in historical controls, relapsed or refractory adults",
        "os",
        lambda a: _relapsed(a, CONTROLS),
        "chemotherapy",
        "rct",
    ),
    Pool(
        "rr_ph_positive",
        "Overall survival on blinatumomab, relapsed or refractory adults, Ph-positive",
        "os",
        lambda a: _relapsed(a, ("blinatumomab",), positive=True),
        "adult_rr_ph_positive",
    ),
    Pool(
        "mrd_rfs",
        "Relapse-free survival on blinatumomab, MRD-positive adults",
        "rfs",
        lambda a: _mrd_positive(a, "rfs"),
        "mrd_positive",
    ),
    Pool(
        "mrd_os",
        "Overall survival on blinatumomab, MRD-positive adults",
        "os",
        lambda a: _mrd_positive(a, "os"),
        "mrd_positive",
    ),
)


def name_of(arm: PrintedArm) -> str:
    """Return the label of an arm in a pool."""
    part = PARTS.get(arm.subgroup, "")
    return f"{arm.label}, {part}" if part else arm.label


def no_patient_twice(arms: Sequence[PrintedArm]) -> None:
    """Check that no two arms of a pool can share patients.

    Arms of one cohort may stand together only when they are different levels of one split.

    Raises
    ------
    DataError
        Naming the two sets of patients.
    """
    parts = [a.patient_set.split("/", 2) for a in arms]
    for i, a in enumerate(parts):
        for b in parts[:i]:
            if a[:2] != b[:2]:
                continue
            split = len(a) == len(b) == 3 and a[2].split("=")[0] == b[2].split("=")[0]
            if not split or a[2] == b[2]:
                raise DataError(
                    "patients counted twice", column="patient_set", value=["/".join(a), "/".join(b)]
                )
