"""The pinned public networks, and ours fitted to the same tables."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metablin.network import Network, NetworkFit, network, network_pool

HERE = Path(__file__).parents[1] / "reference" / "network"


@cache
def cells() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((HERE / "networks.json").read_text())["cells"]
    return found


@cache
def net(name: str) -> Network:
    cell = cells()[name]
    return network(pd.DataFrame(cell["data"]), cell["measure"])


@cache
def fitted(name: str, method: str) -> NetworkFit:
    if method == "common":
        return network_pool(net(name), model="common")
    return network_pool(net(name), tau2=method)


def against_first(fit: NetworkFit, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Effects and standard errors of all treatments against the first one of `names`."""
    found = [fit.effect(t, names[0]) for t in names[1:]]
    return np.array([f["effect"] for f in found]), np.array([f["std_error"] for f in found])


def by_pair(frame: pd.DataFrame) -> dict[frozenset[str], Any]:
    return {frozenset((r.treat1, r.treat2)): r for r in frame.itertuples()}
