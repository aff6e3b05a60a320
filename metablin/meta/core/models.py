"""Which models `pool` knows, and how a model plugs in.

A model is one function ::

    def fit_glmm(e: EffectSizes, options: Options) -> MetaFit: ...

in a module of its own, named in :data:`MODELS` by ``"module:function"`` (it loads on first use).
It gets the included studies (`e`, with the raw numbers in ``e.counts``) and the checked options,
and returns :func:`metablin.meta.core.fit.make_fit` of its estimate, standard error and reference
degrees of freedom on the analysis scale; intervals, prediction, p-value, the reader's scale and the
JSON follow from there in one way for all models.

What a model must do itself: refuse a measure it cannot take (:func:`needs_measure`), refuse keyword
options it does not know (:meth:`Options.only`), and raise a named error when it cannot fit.
Subgroups (``by=``) need nothing: `pool` calls the model on each subset. Keyword arguments of
`pool` beyond its own arrive in ``options.extra``; arrays among them must have one value per input
row and are aligned with the included studies by :func:`metablin.meta.core.options.align`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.meta.core.fit import MetaFit
from metablin.meta.core.nothing import exact_pool, identified, nothing_happened
from metablin.meta.core.options import CI_METHODS, Options

__all__ = ["CORRECTED", "MODELS", "ModelSpec", "fit_model", "fitter"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model: where it lives, and which intervals it offers (the first is its default)."""

    home: str
    ci: tuple[str, ...]


MODELS: dict[str, ModelSpec] = {
    "random": ModelSpec("metablin.meta.normal.inverse:fit_random", (*CI_METHODS, "kenward-roger")),
    "common": ModelSpec(
        "metablin.meta.normal.inverse:fit_common", ("z", "t", "hksj", "hksj-adhoc")
    ),
    "glmm": ModelSpec("metablin.meta.counts.glmm.model:fit_glmm", ("z", "t")),
    "mantel-haenszel": ModelSpec("metablin.meta.counts.stratified:fit_mantel_haenszel", ("z",)),
    "peto": ModelSpec("metablin.meta.counts.stratified:fit_peto", ("z",)),
    "beta-binomial": ModelSpec("metablin.meta.counts.betabinomial:fit_beta_binomial", ("z", "t")),
    "conditional": ModelSpec("metablin.meta.counts.conditional:fit_conditional", ("z", "t")),
    "weighted": ModelSpec("metablin.meta.normal.weighted:fit_weighted", ("z", "t")),
    "henmi-copas": ModelSpec("metablin.meta.normal.henmi_copas:fit_henmi_copas", ("henmi-copas",)),
    "student-t": ModelSpec("metablin.meta.outliers.fit:fit_student", ("profile",)),
    "mixture": ModelSpec("metablin.meta.outliers.fit:fit_mixture", ("profile",)),
    "multilevel": ModelSpec("metablin.meta.normal.multilevel:fit_multilevel", ("z", "t")),
    "bayes": ModelSpec("metablin.meta.bayes.fit:fit_bayes", ("posterior",)),
}


CORRECTED = (
    "random", "common", "weighted", "henmi-copas", "student-t", "mixture", "multilevel", "bayes"
)  # fmt: skip
"""Models that see zero cells only through their corrections."""


def fit_model(e: EffectSizes, options: Options) -> MetaFit:
    """Fit the model that `options` name.

    Where nothing happened, models that rest on corrected zero cells give way to the exact answer
    of single arms, and refuse a ratio.

    Raises
    ------
    DataError
        When a ratio is not identified.

    Examples
    --------
    >>> import metablin as mb
    >>> fit_model(mb.proportions([0, 0], [5, 6]), Options("random", "hksj")).model
    'exact'
    """
    if options.model in (*CORRECTED, "exact"):
        identified(e)
        if nothing_happened(e):
            return exact_pool(e, options.level)
    return fitter(options.model)(e, options)


def fitter(model: str) -> Callable[[EffectSizes, Options], MetaFit]:
    """Return the function that fits `model`.

    Examples
    --------
    >>> fitter("common").__name__
    'fit_common'
    """
    module, name = MODELS[choice("model", model, MODELS)].home.split(":")
    found: Callable[[EffectSizes, Options], MetaFit] = getattr(
        importlib.import_module(module), name
    )
    return found
