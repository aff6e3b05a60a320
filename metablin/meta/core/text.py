"""Words that summaries share: names of models, p-values."""

from __future__ import annotations

import math

__all__ = ["MODEL_NAMES", "p_phrase", "p_text"]

MODEL_NAMES = {
    "random": "Random-effects model",
    "common": "Common-effect model",
    "glmm": "Generalised linear mixed model",
    "mantel-haenszel": "Mantel-Haenszel model",
    "peto": "Peto model",
    "beta-binomial": "Beta-binomial model",
    "conditional": "Conditional logistic model",
    "weighted": "Model with given weights",
    "henmi-copas": "Model of Henmi and Copas",
    "student-t": "Model with t distributed effects",
    "mixture": "Mixture of two normal distributions",
    "multilevel": "Multilevel model",
    "bayes": "Bayesian random-effects model",
    "exact": "One binomial proportion",
}


def p_text(p: float) -> str:
    """Return a p-value for people.

    Examples
    --------
    >>> p_text(0.0301), p_text(1e-9)
    ('0.030', '< 0.0001')
    """
    if math.isnan(p):
        return "not defined"
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.01 else f"{p:.3f}"


def p_phrase(p: float) -> str:
    """Return ``p = 0.030`` or ``p < 0.0001``.

    Examples
    --------
    >>> p_phrase(0.0301), p_phrase(1e-9)
    ('p = 0.030', 'p < 0.0001')
    """
    text = p_text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"
