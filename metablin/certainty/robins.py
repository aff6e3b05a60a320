"""ROBINS-I V2, cohort-type studies, draft of 20 November 2025, as decision trees.

https://sites.google.com/site/riskofbiastool/welcome/robins-i-v2. The tool is a draft: the date
pins it. One cell of its second domain (2.3 yes or unknown with 2.4 weak or unknown) is not in the
decision table we could compare with; here it counts like a strong influence, the side that costs
more.
"""

from __future__ import annotations

from itertools import product

from metablin.certainty.trees import Domain, Node, Tool

__all__ = ["ROBINS_I"]

LOW, EXCEPT, MODERATE = "low", "low except for uncontrolled confounding", "moderate"
SERIOUS, CRITICAL = "serious", "critical"

_TRIAGE: Node = (
    "B3",  # outcome measured in an inappropriate way?
    {
        "Y": CRITICAL,
        "N NI": ("B1", {"Y NI": LOW, "N": ("B2", {"Y": CRITICAL, "N NI": LOW})}),
    },
)

# Negative controls and other considerations; nothing known of them is nothing found.
_UNCONTROLLED: Node = ("1.4", {"N": SERIOUS, "Y": CRITICAL})
_CONTROLLED: Node = (
    "1.3",  # controlled for what came after the start?
    {
        "Y": _UNCONTROLLED,
        "N NI": (
            "1.2",  # measured validly?
            {"SN NI": SERIOUS, "Y WN": ("1.4", {"N": EXCEPT, "Y": MODERATE})},
        ),
    },
)
_CONFOUNDING: Node = ("1.1", {"SN NI": _UNCONTROLLED, "Y WN": _CONTROLLED})

_WEAK: Node = ("1.5", {"N": EXCEPT, "Y": SERIOUS})
_TIME_VARYING: Node = (
    "1.1",  # method right for time-varying confounding?
    {
        "N NI": ("1.4", {"Y": CRITICAL, "N NI": ("1.5", {"N": SERIOUS, "Y": CRITICAL})}),
        "Y": (
            "1.2",
            {
                "SN NI": SERIOUS,
                "Y": (
                    "1.3",
                    {"SN NI": SERIOUS, "Y": ("1.5", {"N": LOW, "Y": MODERATE}), "WN": _WEAK},
                ),
                "WN": ("1.3", {"SN NI": SERIOUS, "Y WN": _WEAK}),
            },
        ),
    },
)


def _errors(without: str, with_them: str) -> Node:
    """Further errors of classification."""
    return ("2.5", {"N": without, "Y NI": with_them})


_INFLUENCED: Node = (
    "2.4",  # classified with knowledge of the outcome?
    {
        "SY": _errors(SERIOUS, CRITICAL),
        "WY NI": _errors(MODERATE, SERIOUS),
        "N": _errors(LOW, MODERATE),
    },
)
_CLASSIFICATION: Node = (
    "2.1",  # distinguishable at the start?
    {
        "Y": _INFLUENCED,
        "N NI": (
            "2.2",  # nearly all events after that?
            {
                "Y": _INFLUENCED,
                "N NI": (
                    "2.3",  # problem avoided by the analysis?
                    {
                        "SY WY NI": (
                            "2.4",
                            {
                                "SY WY NI": _errors(SERIOUS, CRITICAL),
                                "N": _errors(MODERATE, SERIOUS),
                            },
                        ),
                        "N": ("2.4", {"SY WY NI": CRITICAL, "N": _errors(SERIOUS, CRITICAL)}),
                    },
                ),
            },
        ),
    },
)

_START: Node = (
    "3.1",  # follow-up from the start of the interventions?
    {"Y": ("3.2", {"Y": MODERATE, "N NI": LOW}), "WN NI": MODERATE, "SN": SERIOUS},
)
_LATER_FEATURES: Node = (
    "3.3",  # selected by what was seen later?
    {
        "N": LOW,
        "NI": MODERATE,
        "Y": (
            "3.4",
            {"N": LOW, "NI": MODERATE, "Y": ("3.5", {"Y": SERIOUS, "N NI": MODERATE})},
        ),
    },
)
_CORRECTED: Node = (
    "3.6",
    {
        "Y": MODERATE,
        "N NI": ("3.7", {"Y": MODERATE, "N NI": ("3.8", {"Y": CRITICAL, "N NI": SERIOUS})}),
    },
)


def _evidence(with_it: str, without: str) -> Node:
    """Evidence that the result was not biased by missing data; none known is none."""
    return ("4.11", {"Y": with_it, "N": without})


_CORRECTION = {
    "WN NI": _evidence(MODERATE, SERIOUS),
    "SN": _evidence(SERIOUS, CRITICAL),
}
_INCOMPLETE: Node = (
    "4.4",  # complete cases only?
    {
        "Y NI": (
            "4.5",  # exclusion related to the outcome?
            {
                "N": LOW,
                "Y NI": ("4.6", {"Y": _evidence(MODERATE, SERIOUS), **_CORRECTION}),
            },
        ),
        "N": (
            "4.7",  # imputed?
            {
                "Y": (
                    "4.8",
                    {
                        "Y": ("4.9", {"Y": LOW, **_CORRECTION}),
                        "N NI": _evidence(MODERATE, SERIOUS),
                    },
                ),
                "N NI": ("4.10", {"Y": LOW, **_CORRECTION}),
            },
        ),
    },
)
_MISSING: Node = (
    "4.1",
    {
        "Y": ("4.2", {"Y": ("4.3", {"Y": LOW, "N NI": _INCOMPLETE}), "N NI": _INCOMPLETE}),
        "N NI": _INCOMPLETE,
    },
)

_MEASUREMENT: Node = (
    "5.1",  # could differ between the groups?
    {
        "Y": SERIOUS,
        "N": (
            "5.2",
            {"N": LOW, "Y NI": ("5.3", {"N": LOW, "WY NI": MODERATE, "SY": SERIOUS})},
        ),
        "NI": ("5.2", {"N": MODERATE, "Y NI": ("5.3", {"N WY NI": MODERATE, "SY": SERIOUS})}),
    },
)


def _selected(answers: tuple[str, ...]) -> str:
    """Measurements, analyses, subgroups: how many of the three were chosen by the result."""
    yes = answers.count("Y")
    if yes or set(answers) == {"NI"}:
        return CRITICAL if yes > 1 else SERIOUS
    return MODERATE if "NI" in answers else LOW


def _reporting() -> Node:
    tree: dict[tuple[str, ...], Node] = {
        three: _selected(three) for three in product(("Y", "N", "NI"), repeat=3)
    }
    for length, question in ((2, "6.4"), (1, "6.3"), (0, "6.2")):
        tree = {
            before: (question, {a: tree[(*before, a)] for a in ("Y", "N", "NI")})
            for before in product(("Y", "N", "NI"), repeat=length)
        }
    return ("6.1", {"Y": LOW, "N NI": tree[()]})


ROBINS_I = Tool(
    "robins-i",
    "ROBINS-I V2",
    (LOW, EXCEPT, MODERATE, SERIOUS, CRITICAL),
    (
        Domain("triage", "Decision to proceed", (_TRIAGE,)),
        Domain("confounding", "Confounding", (_CONFOUNDING,)),
        Domain(
            "confounding_time_varying",
            "Confounding (effect of the strategy as followed)",
            (_TIME_VARYING,),
            variant_of="confounding",
        ),
        Domain("classification", "Classification of interventions", (_CLASSIFICATION,)),
        Domain(
            "selection",
            "Selection of participants",
            (_START, _LATER_FEATURES),
            then=(SERIOUS, _CORRECTED),
        ),
        Domain("missing_data", "Missing data", (_MISSING,)),
        Domain("measurement", "Measurement of the outcome", (_MEASUREMENT,)),
        Domain("reporting", "Selection of the reported result", (_reporting(),)),
    ),
)
