"""The words every option may take: the API, the command line and the errors read them here.

R's spellings are understood where they cannot mislead: upper and lower case are one (``"OR"``,
``"reml"``), and :data:`SPELLINGS` lists the words that R's packages use for the same thing.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

__all__ = [
    "SPELLINGS",
    "CertaintyMeasure",
    "ChangeMeasure",
    "Clicks",
    "ConfType",
    "CorrelationTransform",
    "DoubleZeros",
    "EqualTau2",
    "FillRule",
    "ForestLayout",
    "Interval",
    "LogMeasure",
    "MeanMeasure",
    "MeanTransform",
    "MeanVariance",
    "Measure",
    "Missing",
    "Model",
    "NetworkInterval",
    "NetworkMeasure",
    "NetworkModel",
    "NetworkPrediction",
    "Prediction",
    "ProportionTransform",
    "QuantileMethod",
    "RateMeasure",
    "RateTransform",
    "SmallValues",
    "SplitMethod",
    "Start",
    "TableMeasure",
    "Tau2",
    "Ties",
    "Transform",
    "ZeroRule",
    "ZeroRuleSingle",
    "words",
]

Clicks: TypeAlias = Literal["auto", "drops", "corners", "points"]
"""What was clicked on a curve: just after falls, above and below them, or at any time."""

Measure: TypeAlias = Literal[
    "proportion", "or", "rr", "rd", "asd", "hr", "rate", "irr", "ird", "irsd",
    "md", "smd", "smdh", "glass", "rom", "mean", "correlation", "generic",
]  # fmt: skip
"""What the columns of a table of studies hold (``metablin pool``)."""
CertaintyMeasure: TypeAlias = Literal[
    "proportion", "or", "rr", "rd", "asd", "hr", "rate", "irr", "ird", "irsd", "generic"
]  # fmt: skip
Transform: TypeAlias = Literal["logit", "log", "raw", "arcsine", "freeman-tukey", "fisher-z"]
"""Scales of proportions, of single means (raw, log) and of correlations (fisher-z, raw)."""
TableMeasure: TypeAlias = Literal["or", "rr", "rd", "peto", "asd"]
LogMeasure: TypeAlias = Literal["hr", "or", "rr", "irr"]
RateMeasure: TypeAlias = Literal["irr", "ird", "irsd"]
ProportionTransform: TypeAlias = Literal["logit", "log", "raw", "arcsine", "freeman-tukey"]
RateTransform: TypeAlias = Literal["log", "sqrt", "raw"]
ZeroRuleSingle: TypeAlias = Literal["only-needed", "all", "none"]
ZeroRule: TypeAlias = Literal["only-needed", "all", "treatment-arm", "none"]
DoubleZeros: TypeAlias = Literal["keep", "drop"]
Missing: TypeAlias = Literal["error", "drop"]
ForestLayout: TypeAlias = Literal["plain", "revman", "jama"]
"""As the house draws a forest plot, as Cochrane reviews do, as JAMA does."""

Model: TypeAlias = Literal[
    "random",
    "common",
    "glmm",
    "mantel-haenszel",
    "peto",
    "beta-binomial",
    "conditional",
    "weighted",
    "henmi-copas",
    "student-t",
    "mixture",
    "multilevel",
    "bayes",
]
Tau2: TypeAlias = Literal[
    "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM", "PMM", "SJ-HE", "DL2", "CA2"
]  # fmt: skip
Interval: TypeAlias = Literal[
    "hksj", "hksj-adhoc", "z", "t", "kenward-roger", "posterior", "henmi-copas", "profile"
]  # fmt: skip
Prediction: TypeAlias = Literal["match", "hts", "kenward-roger", "sidik-jonkman", "nagashima"]
EqualTau2: TypeAlias = Literal["separate", "common"]

ConfType: TypeAlias = Literal["log-log", "log", "plain"]
Ties: TypeAlias = Literal["efron", "breslow"]

Start: TypeAlias = Literal[
    "randomised", "non-randomised", "robins-i", "rate", "prognostic", "single-arm"
]
"""Kind of evidence, which fixes where its certainty starts."""
MeanMeasure: TypeAlias = Literal["md", "smd", "smdh", "glass", "rom"]
MeanVariance: TypeAlias = Literal[
    "large-sample", "pooled", "unbiased", "exact", "heteroscedastic"
]  # fmt: skip
MeanTransform: TypeAlias = Literal["raw", "log"]
ChangeMeasure: TypeAlias = Literal["mc", "smcc", "smcr", "romc"]
CorrelationTransform: TypeAlias = Literal["fisher-z", "raw"]
QuantileMethod: TypeAlias = Literal["luo-wan-shi", "quantile-estimation"]
FillRule: TypeAlias = Literal["none", "pooled", "largest", "cv"]
NetworkMeasure: TypeAlias = Literal["or", "rr", "rd", "rate", "hr", "md", "smd", "generic"]
NetworkModel: TypeAlias = Literal["random", "common", "mantel-haenszel", "glmm"]
NetworkInterval: TypeAlias = Literal["z", "t", "hksj"]
NetworkPrediction: TypeAlias = Literal["match", "confidence-distribution"]
SmallValues: TypeAlias = Literal["desirable", "undesirable"]
SplitMethod: TypeAlias = Literal["back-calculation", "side-splitting"]

SPELLINGS: dict[str, dict[str, str]] = {
    "model": {
        "fixed": "common",  # meta before version 5, RevMan
        "fe": "common",  # metafor, method="FE"
        "ee": "common",  # metafor, method="EE"
        "ce": "common",  # metafor, method="CE"
        "mh": "mantel-haenszel",
        "t-dist": "student-t",  # metaplus, random="t-dist"
    },
    "ci": {
        "knha": "hksj",  # metafor, test="knha"
        "hk": "hksj",  # meta, method.random.ci="HK"
        "adhoc": "hksj-adhoc",  # metafor, test="adhoc"
        "classic": "z",  # meta, method.random.ci="classic"
        "kr": "kenward-roger",  # meta, method.random.ci="KR"
    },
    "transform": {
        "plogit": "logit",  # meta, sm="PLOGIT"
        "plo": "logit",  # metafor, measure="PLO"
        "pln": "log",
        "praw": "raw",
        "pr": "raw",
        "pas": "arcsine",
        "pft": "freeman-tukey",
        "ft": "freeman-tukey",
        "double-arcsine": "freeman-tukey",
    },
    "small_values": {"good": "desirable", "bad": "undesirable"},  # netmeta before version 2
    "missing": {"omit": "drop", "fail": "error"},  # na.action
}


def words(option: Any) -> tuple[str, ...]:
    """Return the words of an option type.

    Examples
    --------
    >>> words(EqualTau2)
    ('separate', 'common')
    """
    return tuple(get_args(option))
