"""A fitted meta-analysis as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metablin.meta.fit import MetaFit
    from metablin.meta.regression import Regression

__all__ = ["p_phrase", "p_text", "summarise"]

MODEL_NAMES = {
    "random": "Random-effects model",
    "common": "Common-effect model",
    "glmm": "Generalised linear mixed model",
    "mantel-haenszel": "Mantel-Haenszel model",
    "peto": "Peto model",
    "beta-binomial": "Beta-binomial model",
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


def summarise(fit: MetaFit) -> str:
    """Return the summary lines of a fit."""
    percent = f"{100 * fit.level:g}%"
    tau = f" (tau2: {fit.tau2_method})" if fit.tau2_method else ""
    transform = "" if fit.transform == "none" else f", {fit.transform} scale"
    lines = [
        f"{MODEL_NAMES.get(fit.model, fit.model)}{tau}: {fit.k} "
        f"{'study' if fit.k == 1 else 'studies'}, measure {fit.measure}{transform}",
        *_estimate_lines("Pooled", fit, percent),
        *_heterogeneity_lines(fit, percent),
    ]
    if fit.regression is not None:
        lines += _regression_lines(fit.regression)
    for name, group in fit.subgroups.items():
        lines += _estimate_lines(f"{name} (k = {group.k})", group, percent)
    if fit.subgroup_test is not None:
        test = fit.subgroup_test
        lines.append(
            f"Subgroups: {test.method}: {test.statistic:.3f}, df = {test.df}, "
            f"{p_phrase(test.p_value)}"
        )
    return "\n".join([*lines, *(f"Note: {note}" for note in fit.notes)])


def _estimate_lines(label: str, fit: MetaFit, percent: str) -> list[str]:
    if math.isnan(fit.estimate):
        return []
    reference = "z" if math.isinf(fit.df) else f"t({fit.df:g})"
    # Without a standard error there is no test.
    tested = not math.isnan(fit.statistic)
    test = f", {reference} = {fit.statistic:.3f}, {p_phrase(fit.p_value)}" if tested else ""
    lines = [
        f"{label}: {fit.estimate:.4g} [{percent} CI {fit.conf_low:.4g} to {fit.conf_high:.4g}]"
        f"{test} ({fit.ci_method})"
    ]
    if not math.isnan(fit.pred_low):
        lines.append(f"  prediction interval {fit.pred_low:.4g} to {fit.pred_high:.4g}")
    return lines


def _heterogeneity_lines(fit: MetaFit, percent: str) -> list[str]:
    lines = []
    if not math.isnan(fit.tau2):
        text = f"tau2 = {fit.tau2:.4g}"
        if not math.isnan(fit.tau2_conf_low):
            text += f" [{percent} CI {fit.tau2_conf_low:.4g} to {fit.tau2_conf_high:.4g}]"
        if not math.isnan(fit.i2):
            text += f", I2 = {100 * fit.i2:.1f}%, H2 = {fit.h2:.3g}"
        lines.append(text)
    if not math.isnan(fit.q):
        lines.append(f"Q = {fit.q:.3f}, df = {fit.q_df:g}, {p_phrase(fit.q_p)}")
    return lines


def _regression_lines(regression: Regression) -> list[str]:
    table = regression.to_frame().drop(columns="conf_level")
    if math.isnan(regression.qm_df2):
        test = f"QM = {regression.qm:.3f}, df = {regression.qm_df}"
    else:
        test = f"F({regression.qm_df}, {regression.qm_df2:g}) = {regression.qm:.3f}"
    explained = "" if math.isnan(regression.r2) else f", R2 = {100 * regression.r2:.1f}%"
    return [
        *table.to_string(index=False, float_format=lambda x: f"{x:.4f}").splitlines(),
        f"Moderators: {test}, {p_phrase(regression.qm_p)}{explained}",
    ]
