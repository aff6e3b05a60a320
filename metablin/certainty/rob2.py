"""RoB 2: the revised Cochrane tool for randomised trials, as decision trees.

Sterne JAC et al. (2019). RoB 2: a revised tool for assessing risk of bias in randomised trials.
BMJ 366:l4898, doi:10.1136/bmj.l4898; algorithms of the guidance of 22 August 2019
(riskofbias.info).
"""

from __future__ import annotations

from metablin.certainty.trees import Domain, Node, Tool

__all__ = ["ROB2"]

LOW, SOME, HIGH = "low", "some concerns", "high"

_RANDOMISATION: Node = (
    "1.2",  # concealed?
    {
        "Y": ("1.1", {"N": SOME, "Y NI": ("1.3", {"Y": SOME, "N NI": LOW})}),
        "NI": ("1.3", {"Y": HIGH, "N NI": SOME}),
        "N": HIGH,
    },
)

_CONTEXT: Node = (
    "2.3",  # deviations that arose because of the trial context?
    {
        "N": LOW,
        "NI": SOME,
        "Y": ("2.4", {"N": SOME, "Y NI": ("2.5", {"Y": SOME, "N NI": HIGH})}),
    },
)
_AWARE: Node = ("2.1", {"N": ("2.2", {"N": LOW, "Y NI": _CONTEXT}), "Y NI": _CONTEXT})
_ANALYSIS: Node = ("2.6", {"Y": LOW, "N NI": ("2.7", {"N": SOME, "Y NI": HIGH})})

_ADHERING_ANALYSIS: Node = ("2.6", {"Y": SOME, "N NI": HIGH})
_ADHERING: Node = (
    "2.4",  # failures of implementation?
    {
        "Y": _ADHERING_ANALYSIS,
        "N NI": ("2.5", {"Y": _ADHERING_ANALYSIS, "N NI": LOW}),
    },
)
_BALANCED: Node = ("2.3", {"Y": _ADHERING, "N NI": _ADHERING_ANALYSIS})
_ADHERENCE: Node = ("2.1", {"N": ("2.2", {"N": _ADHERING, "Y NI": _BALANCED}), "Y NI": _BALANCED})

_MISSING: Node = (
    "3.1",  # nearly all have data?
    {
        "Y": LOW,
        "N NI": (
            "3.2",  # evidence that the result was not biased?
            {
                "Y": LOW,
                "N": ("3.3", {"N": LOW, "Y NI": ("3.4", {"N": SOME, "Y NI": HIGH})}),
            },
        ),
    },
)

_INFLUENCE: Node = ("4.4", {"N": LOW, "Y NI": ("4.5", {"N": SOME, "Y NI": HIGH})})
_INFLUENCE_UNSURE: Node = ("4.4", {"N": SOME, "Y NI": ("4.5", {"N": SOME, "Y NI": HIGH})})
_MEASUREMENT: Node = (
    "4.1",  # inappropriate?
    {
        "Y": HIGH,
        "N NI": (
            "4.2",  # different between the groups?
            {
                "Y": HIGH,
                "N": ("4.3", {"N": LOW, "Y NI": _INFLUENCE}),
                "NI": ("4.3", {"N": SOME, "Y NI": _INFLUENCE_UNSURE}),
            },
        ),
    },
)

_REPORTING: Node = (
    "5.2",  # chosen from several measurements?
    {
        "Y": HIGH,
        "NI": ("5.3", {"Y": HIGH, "N NI": SOME}),
        "N": ("5.3", {"Y": HIGH, "NI": SOME, "N": ("5.1", {"Y": LOW, "N NI": SOME})}),
    },
)

ROB2 = Tool(
    "rob2",
    "RoB 2",
    (LOW, SOME, HIGH),
    (
        Domain("randomisation", "Randomisation process", (_RANDOMISATION,)),
        Domain("deviations", "Deviations from intended interventions", (_AWARE, _ANALYSIS)),
        Domain(
            "deviations_adherence",
            "Deviations from intended interventions (effect of adhering)",
            (_ADHERENCE,),
            variant_of="deviations",
        ),
        Domain("missing_data", "Missing outcome data", (_MISSING,)),
        Domain("measurement", "Measurement of the outcome", (_MEASUREMENT,)),
        Domain("reporting", "Selection of the reported result", (_REPORTING,)),
    ),
)
