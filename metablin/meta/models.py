"""Which models `pool` knows, and how a model plugs in.

A model is one function ::

    def fit_glmm(e: EffectSizes, options: Options) -> MetaFit: ...

in a module of its own, named in :data:`MODELS` by ``"module:function"`` (it loads on first use).
It gets the included studies (`e`, with the raw numbers in ``e.counts``) and the checked options,
and returns :func:`metablin.meta.fit.make_fit` of its estimate, standard error and reference degrees
of freedom on the analysis scale; intervals, prediction, p-value, the reader's scale and the JSON
follow from there in one way for all models.

What a model must do itself: refuse a measure it cannot take (:func:`needs_measure`), refuse keyword
options it does not know (:meth:`Options.only`), and raise a named error when it cannot fit.
Subgroups (``by=``) need nothing: `pool` calls the model on each subset. Keyword arguments of
`pool` beyond its own arrive in ``options.extra``; arrays among them must have one value per input
row and are aligned with the included studies by :func:`metablin.meta.models.align`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from metablin._input import choice
from metablin.effects import EffectSizes
from metablin.errors import DataError

if TYPE_CHECKING:
    from metablin.meta.fit import MetaFit

__all__ = ["CI_METHODS", "MODELS", "ModelSpec", "Options", "align", "fitter", "needs_measure"]

CI_METHODS = ("hksj", "hksj-adhoc", "z", "t")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model: where it lives, and which intervals it offers (the first is its default)."""

    home: str
    ci: tuple[str, ...]


MODELS: dict[str, ModelSpec] = {
    "random": ModelSpec("metablin.meta.inverse:fit_random", CI_METHODS),
    "common": ModelSpec("metablin.meta.inverse:fit_common", ("z", "t", "hksj", "hksj-adhoc")),
    "glmm": ModelSpec("metablin.meta.glmm_pool:fit_glmm", ("z", "t")),
    "mantel-haenszel": ModelSpec("metablin.meta.stratified:fit_mantel_haenszel", ("z",)),
    "peto": ModelSpec("metablin.meta.stratified:fit_peto", ("z",)),
    "beta-binomial": ModelSpec("metablin.meta.betabinomial:fit_beta_binomial", ("z", "t")),
    "multilevel": ModelSpec("metablin.meta.multilevel:fit_multilevel", ("z", "t")),
    "bayes": ModelSpec("metablin.meta.bayes:fit_bayes", ("posterior",)),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of `pool` asked for, after checking.

    Attributes
    ----------
    model, ci : str
        Names from :data:`MODELS` and its intervals.
    tau2 : str or float
        Estimator, or a value that is taken as known.
    level : float
        Confidence level.
    extra : mapping
        Keyword arguments for one model only.
    prediction : {"match", "hts"}
        Kind of prediction interval (model ``random``).
    """

    model: str
    ci: str
    tau2: str | float = "REML"
    level: float = 0.95
    extra: Mapping[str, Any] = field(default_factory=dict)
    prediction: str = "match"

    def only(self, *names: str) -> Mapping[str, Any]:
        """Return ``extra`` after checking that it holds no other keys than `names`."""
        for name in self.extra:
            if name not in names:
                raise DataError(
                    f"not an option of model {self.model!r}",
                    column=name,
                    allowed=" | ".join(names) or "no further options",
                )
        return self.extra


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


def needs_effects(e: object) -> None:
    """Raise unless `e` is what :func:`metablin.proportions` and its kin return."""
    if not isinstance(e, EffectSizes):
        raise DataError(
            "not effect sizes",
            column="e",
            value=type(e).__name__,
            allowed="what proportions, two_by_two, hazard_ratios, rates or generic return",
        )


def needs_measure(e: EffectSizes, model: str, allowed: Iterable[str]) -> None:
    """Raise unless the effects are of a measure this model can take."""
    needs_effects(e)
    options = tuple(allowed)
    if e.measure not in options:
        raise DataError(
            f"model {model!r} cannot take this measure",
            column="measure",
            value=e.measure,
            allowed=" | ".join(options),
        )


def align(e: EffectSizes, name: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Return `values`, one per input row, for the k included studies.

    Raises
    ------
    DataError
        When the length is neither that of the input nor k.
    """
    array = np.asarray(values)
    if array.ndim == 0:
        raise DataError("not one value a row", column=name, value=repr(values))
    if len(array) == e.n_rows:
        return array[e.rows]
    if len(array) == e.k:
        return array
    raise DataError(f"{len(array)} values for {e.n_rows} rows", column=name)
