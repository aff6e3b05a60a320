"""Across trials: pooling, heterogeneity, regression, diagnostics.

`pool` is a thin layer: it checks the options, looks the model up in
:mod:`metablin.meta.models` (whose docstring says how a model plugs in), and adds subgroups. The
numerics are functions on arrays that serve one meta-analysis and many at once:
:mod:`metablin.meta._gls` (weighted least squares), :mod:`metablin.meta._tau2` (estimators of tau2,
Q(tau2) and its inverse) and :mod:`metablin.meta._inference` (critical values, tails, intervals).
"""

from metablin.meta.batch import pool_many
from metablin.meta.fit import MetaFit
from metablin.meta.pooling import pool

__all__ = ["MetaFit", "pool", "pool_many"]
