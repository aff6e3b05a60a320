"""Across trials: pooling, heterogeneity, regression, diagnostics.

`pool` is a thin layer: it checks the options, looks the model up in
:mod:`metablin.meta.core.models` (whose docstring says how a model plugs in), and adds subgroups.
``core`` holds what every model shares, ``normal``, ``counts`` and ``bayes`` the models, ``checks``
what a pool rests on, ``survival`` curves and patients of several trials. The numerics are functions
on arrays in :mod:`metablin.numerics` that serve one meta-analysis and many at once.
"""

from metablin.meta.core.fit import MetaFit
from metablin.meta.normal.batch import pool_many
from metablin.meta.pooling import pool

__all__ = ["MetaFit", "pool", "pool_many"]
