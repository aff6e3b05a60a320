"""Methods and results of a pool in sentences for a paper, with the sources of what was used."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin import __version__
from metablin.meta import MetaFit
from metablin.meta.core.fit import needs_fit
from metablin.meta.core.text import p_phrase
from metablin.records import Record
from metablin.report.export import HEADINGS, export, unit_of
from metablin.report.format import format_estimate, format_number, format_range
from metablin.report.sources import SOURCES

__all__ = ["PaperText", "write_up"]

ESTIMATORS = {
    "REML": ("restricted maximum likelihood", "reml"),
    "ML": ("maximum likelihood", "ml"),
    "DL": ("the method of DerSimonian and Laird", "dl"),
    "HE": ("the method of Hedges", "he"),
    "HS": ("the method of Hunter and Schmidt", "hs"),
    "SJ": ("the method of Sidik and Jonkman", "sj"),
    "SJ-HE": ("the method of Sidik and Jonkman, from Hedges' estimate", "sj-he"),
    "EB": ("empirical Bayes", "eb"),
    "PM": ("the method of Paule and Mandel", "pm"),
    "DL2": ("the two-step method of DerSimonian and Kacker", "two-step"),
    "CA2": ("the two-step method of DerSimonian and Kacker (from Cochran's variance)", "two-step"),
}
MODELS = {
    "random": ("a random-effects model (inverse variance)", ""),
    "common": ("a common-effect model (inverse variance)", ""),
    "glmm": ("a generalised linear mixed model", "glmm"),
    "mantel-haenszel": ("the Mantel-Haenszel method", "mantel-haenszel"),
    "peto": ("Peto's method", "peto"),
    "beta-binomial": ("a beta-binomial model", ""),
    "conditional": ("a conditional logistic model with random effects", "glmm"),
    "weighted": ("a random-effects model with given weights", ""),
    "henmi-copas": ("a random-effects model with common-effect weights", "henmi-copas"),
    "student-t": ("a model with t distributed random effects", "student-t"),
    "mixture": ("a model whose random effects are a mixture of two normals", "mixture"),
    "multilevel": ("a multilevel random-effects model", "multilevel"),
    "bayes": ("a Bayesian random-effects model", "bayes"),
    "exact": ("all patients together, since nobody, or everybody, had the event", "exact"),
}
INTERVALS = {
    "hksj": ("Confidence intervals follow Hartung and Knapp", "hksj"),
    "hksj-adhoc": (
        "Confidence intervals follow Hartung and Knapp, never narrower than Wald's", "ad-hoc",
    ),
    "z": ("Confidence intervals are Wald intervals (normal)", ""),
    "t": ("Confidence intervals are Wald intervals (Student's t)", ""),
    "henmi-copas": ("The confidence interval is that of Henmi and Copas", "henmi-copas"),
    "profile": ("Confidence intervals are those of the profile likelihood", "profile"),
    "posterior": ("Intervals are credible intervals of the posterior", ""),
    "cluster-robust": ("Confidence intervals are cluster-robust", "cluster"),
}  # fmt: skip
SCALES = {
    "logit": "logit", "log": "log", "arcsine": "arcsine square root",
    "freeman-tukey": "Freeman-Tukey double arcsine", "sqrt": "square root",
}  # fmt: skip
PLURALS = {
    "proportion": "Proportions", "or": "Odds ratios", "peto": "Odds ratios (Peto)",
    "rr": "Risk ratios", "rd": "Risk differences", "hr": "Hazard ratios", "rate": "Rates",
    "irr": "Rate ratios", "ird": "Rate differences", "asd": "Arcsine differences",
    "md": "Mean differences", "smd": "Standardised mean differences (Hedges' g)",
}  # fmt: skip
_CITED = re.compile(r" ?\{([a-z0-9-]+)\}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PaperText(Record):
    """Methods and results in sentences.

    Attributes
    ----------
    methods, results : str
        With numbers in brackets that point into `references`.
    references : tuple of str
        In the order in which they are cited.
    fit : MetaFit
    """

    methods: str
    results: str
    references: tuple[str, ...]
    fit: MetaFit

    def summary(self) -> str:
        """Return everything as text."""
        listed = "\n".join(f"[{i}] {text}" for i, text in enumerate(self.references, 1))
        return f"Methods\n{self.methods}\n\nResults\n{self.results}\n\nReferences\n{listed}"

    def to_frame(self) -> pd.DataFrame:
        """Return the references, one row each."""
        numbers = range(1, len(self.references) + 1)
        return pd.DataFrame({"number": numbers, "reference": list(self.references)})

    def to_dict(self) -> dict[str, Any]:
        """Return the texts in plain types."""
        return {"methods": self.methods, "results": self.results,
                "references": list(self.references)}  # fmt: skip

    def to_markdown(self) -> str:
        """Return the text with its headings and the table of studies."""
        listed = "\n".join(f"{i}. {text}" for i, text in enumerate(self.references, 1))
        return (
            f"## Methods\n\n{self.methods}\n\n## Results\n\n{self.results}\n\n"
            f"{export(self.fit, 'markdown')}\n\n## References\n\n{listed}\n"
        )


def write_up(fit: MetaFit) -> PaperText:
    """Return methods and results of a pool as sentences that a paper can take.

    Parameters
    ----------
    fit : MetaFit
        From :func:`metablin.pool` or :func:`metablin.clustered`.

    Returns
    -------
    PaperText
        Its numbers are those of the fit, rounded as in tables; only what was done is cited.

    Raises
    ------
    DataError
        For something else than a fit.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.proportions([3, 9, 4], [20, 25, 30]), tau2="DL")
    >>> text = write_up(fit)
    >>> print(text.methods.partition(". ")[0])
    Proportions were pooled on the logit scale by a random-effects model (inverse variance)
    >>> text.references[0].partition(".")[0]
    'DerSimonian R, Laird N'
    """
    needs_fit(fit)
    methods = ". ".join(_methods(fit)) + "."
    results = ". ".join(_results(fit)) + "."
    cited = list(dict.fromkeys(_CITED.findall(methods + results)))
    order = {key: i for i, key in enumerate(cited, 1)}

    def numbered(text: str) -> str:
        return _CITED.sub(lambda m: f" [{order[m[1]]}]", text)

    return PaperText(
        numbered(methods), numbered(results), tuple(SOURCES[key] for key in cited), fit
    )


def _cite(key: str) -> str:
    return f" {{{key}}}" if key else ""


def _methods(fit: MetaFit) -> list[str]:
    noun = PLURALS.get(fit.measure, "Effects")
    scale = f" on the {SCALES[fit.transform]} scale" if fit.transform in SCALES else ""
    name, key = MODELS.get(fit.model, (f"the model {fit.model!r}", ""))
    source = "smd" if fit.measure == "smd" else ""
    if fit.transform == "freeman-tukey":
        source = "freeman-tukey"
    if fit.model == "exact":
        return [f"{noun} were taken from {name}, with the exact interval{_cite(key)}", _software()]
    if fit.regression is not None:
        formula = fit.regression.design.formula
        name += f" with moderators ({formula})" + _cite("regression")
    out = [f"{noun}{_cite(source)} were pooled{scale} by {name}{_cite(key)}"]
    if fit.tau2_method in ESTIMATORS and fit.model != "henmi-copas":
        how, source = ESTIMATORS[fit.tau2_method]
        source = "" if key == "glmm" else source
        out.append(f"The between-study variance was estimated by {how}{_cite(source)}")
    elif fit.tau2_method == "given":
        out.append(f"The between-study variance was taken as {fit.tau2:.4g}")
    if fit.model == "bayes":
        out.append(_prior(fit))
    words, source = INTERVALS.get(fit.ci_method, (f"Intervals are of the kind {fit.ci_method}", ""))
    out.append(words + _cite(source))
    out += _heterogeneity_methods(fit)
    if fit.effects.corrected.any() and "zero" in " ".join(fit.notes):
        n = int(fit.effects.corrected.sum())
        out.append(f"{n} {_studies(n)} with a zero cell had it corrected ({_rule(fit)})")
    return [*out, _software()]


def _rule(fit: MetaFit) -> str:
    if fit.effects.zero_cells == "treatment-arm":
        return "each arm's share of patients was added"
    return "1/2 was added to its cells"


def _software() -> str:
    return f"The analysis was done with metablin {__version__}"


def _prior(fit: MetaFit) -> str:
    prior = fit.to_dict()["prior"]
    return (f"The prior of the between-study standard deviation was {prior['family']} with scale "
            f"{prior['scale']:g}")  # fmt: skip


def _heterogeneity_methods(fit: MetaFit) -> list[str]:
    parts = []
    if not math.isnan(fit.tau2_conf_low) and fit.model != "bayes":
        parts.append("the interval of the between-study variance by the Q-profile method"
                     + _cite("q-profile"))  # fmt: skip
    if not math.isnan(fit.q):
        parts.append("Cochran's Q" + _cite("q"))
    if not math.isnan(fit.i2):
        parts.append("I²" + _cite("i2"))
    if not math.isnan(fit.pred_low):
        parts.append(f"a {100 * fit.level:g}% prediction interval" + _cite("prediction"))
    if not parts:
        return []
    joined = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return [f"Heterogeneity is described by {joined}"]


def _studies(k: int) -> str:
    return "study" if k == 1 else "studies"


def _results(fit: MetaFit) -> list[str]:
    out = [_who(fit)]
    if fit.regression is not None:
        return out + _regression(fit)
    out += [_effect(fit), *_spread(fit)]
    for name, part in fit.subgroups.items():
        out.append(f"{name} ({part.k} {_studies(part.k)}): {_interval(part)}")
    if fit.subgroup_test is not None:
        test = fit.subgroup_test
        out.append(f"Test for subgroup differences: {p_phrase(test.p_value)}")
    gone = fit.effects.excluded
    if gone:
        why = "; ".join(f"{x.study}: {x.reason}" for x in gone)
        out.append(f"{len(gone)} {_studies(len(gone))} could not be used ({why})")
    return out


def _who(fit: MetaFit) -> str:
    counts = fit.effects.counts
    text = f"{fit.k} {_studies(fit.k)}"
    sizes = [k for k in ("n", "n_treatment", "n_control") if k in counts]
    events = [k for k in ("events", "events_treatment", "events_control") if k in counts]
    if sizes:
        text += f" with {sum(float(counts[s].sum()) for s in sizes):,.0f} patients"
    if events:
        joined = " and" if sizes else " with"
        text += f"{joined} {sum(float(counts[s].sum()) for s in events):,.0f} events"
    return text + (" was included" if fit.k == 1 else " were included")


def _interval(fit: MetaFit) -> str:
    unit, digits = unit_of(fit.measure)
    numbers = {n: getattr(fit, n) for n in ("estimate", "conf_low", "conf_high")}
    text = format_estimate(numbers, unit, digits)
    return text.replace("(", f"({_level(fit)} ", 1)


def _level(fit: MetaFit) -> str:
    return f"{100 * fit.level:g}% {'CrI' if fit.ci_method == 'posterior' else 'CI'}"


def _effect(fit: MetaFit) -> str:
    noun = HEADINGS.get(fit.measure, "effect")
    noun = noun[:1].lower() + noun[1:] if not noun.startswith("Peto") else noun
    test = ""
    tested = fit.measure not in ("proportion", "rate") and fit.ci_method != "posterior"
    if tested and not math.isnan(fit.p_value):
        test = f", {p_phrase(fit.p_value)}"
    return f"The pooled {noun} was {_interval(fit)}{test}"


def _spread(fit: MetaFit) -> list[str]:
    out = []
    if not math.isnan(fit.pred_low):
        unit, digits = unit_of(fit.measure)
        range_ = format_range(fit.pred_low, fit.pred_high, unit, digits)
        out.append(f"The {100 * fit.level:g}% prediction interval for a new study was {range_}")
    parts = []
    if not math.isnan(fit.tau2):
        text = f"τ² = {fit.tau2:.3g}"
        if not math.isnan(fit.tau2_conf_low):
            text += f" ({_level(fit)} {fit.tau2_conf_low:.3g} to {fit.tau2_conf_high:.3g})"
        parts.append(text)
    if not math.isnan(fit.i2):
        parts.append(f"I² = {100 * fit.i2:.1f}%")
    if not math.isnan(fit.q):
        parts.append(f"Q = {fit.q:.2f} on {fit.q_df:g} degrees of freedom ({p_phrase(fit.q_p)})")
    if fit.k == 1:
        parts = []
    return [*out, "Heterogeneity: " + ", ".join(parts)] if parts else out


def _regression(fit: MetaFit) -> list[str]:
    r = fit.regression
    assert r is not None  # the caller asked
    percent = f"{100 * r.level:g}%"
    lines = [
        f"{row['term']}: {format_number(row['estimate'])} ({percent} CI "
        f"{format_number(row['conf_low'])} to {format_number(row['conf_high'])}, "
        f"{p_phrase(row['p_value'])})"
        for row in r.to_frame().to_dict(orient="records")
    ]
    scale = SCALES.get(fit.transform)
    out = [f"Coefficients{f' on the {scale} scale' if scale else ''} were " + "; ".join(lines)]
    out.append(f"Test of all moderators: {p_phrase(r.qm_p)}")
    if not math.isnan(r.r2):
        out.append(f"They account for {100 * r.r2:.0f}% of the between-study variance")
    return out + _spread(fit)
