"""Indirect comparisons and network meta-analysis.

`network` reads one table into studies with exact covariances, `network_pool` fits it. One change of
basis a study (:mod:`metablin.network.gls`) turns a network with multi-arm studies into a
meta-regression of independent rows, so that every estimator is exact.
"""

import inspect
import sys
import types
from typing import Any

from metablin.network.data import network
from metablin.network.fit import NetworkFit
from metablin.network.pooling import network_pool
from metablin.network.records import Network

__all__ = ["Network", "NetworkFit", "network", "network_pool"]


class _Callable(types.ModuleType):
    """``metablin.network`` is this folder and the function of that name: calling it calls that."""

    def __call__(self, *args: Any, **options: Any) -> Network:
        return network(*args, **options)


sys.modules[__name__].__class__ = _Callable
# Whoever asks for the signature gets that of the function.
vars(sys.modules[__name__])["__signature__"] = inspect.signature(network)
