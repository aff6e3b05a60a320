"""GRADE's words: levels, and one plain sentence for an effect of given size and certainty.

Santesso N et al. (2020). GRADE guidelines 26: informative statements to communicate the findings
of systematic reviews of interventions. J Clin Epidemiol 119:126-135.
doi:10.1016/j.jclinepi.2019.10.014
"""

from __future__ import annotations

__all__ = ["LEVELS", "SIGNS", "SUGGESTED", "rate_sentence", "sentence"]

LEVELS = {4: "high", 3: "moderate", 2: "low", 1: "very low"}
SIGNS = {level: "⊕" * level + "◯" * (4 - level) for level in LEVELS}
SUGGESTED = "suggested by rule, not given by a panel"

# Verbs before "in a large reduction", before "reduces", and how likely a rate is.
_RESULTS = {4: "results", 3: "likely results", 2: "may result"}
_DOES = {4: "{verb}s", 3: "likely {verb}s", 2: "may {verb}"}
_RATE = {4: "is", 3: "is likely", 2: "may be"}


def sentence(level: int, size: str, reduces: bool, intervention: str, outcome: str) -> str:
    """Return the sentence for an effect.

    Parameters
    ----------
    level : int
        1 (very low) to 4 (high).
    size : {"large", "moderate", "small", "trivial", "important", "not sized"}
        The last two where one threshold, or none, tells effects apart; they read like moderate.
    reduces : bool
        Whether the intervention makes the outcome rarer.
    intervention, outcome : str

    Examples
    --------
    >>> sentence(3, "moderate", True, "Drug X", "death")
    'Drug X likely reduces death.'
    >>> sentence(2, "large", False, "Drug X", "infection")
    'Drug X may result in a large increase in infection.'
    """
    if level == 1:
        return f"The evidence is very uncertain about the effect of {intervention} on {outcome}."
    intervention = intervention[:1].upper() + intervention[1:]
    if size == "trivial":
        what = f"in little to no difference in {outcome}"
        return f"{intervention} {_RESULTS[level]} {what}."
    if size == "large":
        noun = "reduction" if reduces else "increase"
        return f"{intervention} {_RESULTS[level]} in a large {noun} in {outcome}."
    verb = _DOES[level].format(verb="reduce" if reduces else "increase")
    tail = " slightly" if size == "small" else ""
    return f"{intervention} {verb} {outcome}{tail}."


def rate_sentence(level: int, shown: str, interval: str, outcome: str) -> str:
    """Return the sentence for a rate in one group.

    Examples
    --------
    >>> rate_sentence(2, "44%", "35% to 53%", "remission")
    'The rate of remission may be 44% (35% to 53%).'
    """
    if level == 1:
        return f"The evidence is very uncertain about the rate of {outcome}."
    return f"The rate of {outcome} {_RATE[level]} {shown} ({interval})."
