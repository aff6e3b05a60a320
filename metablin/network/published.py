"""Published indirect comparisons beside the network's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from metablin._input import numeric
from metablin.errors import DataError
from metablin.network.data import table_of
from metablin.network.fit import NetworkFit, needs_fit
from metablin.numerics.inference import critical

__all__ = ["beside_published"]

NEEDED = ("source", "treat1", "treat2", "estimate", "conf_low", "conf_high")


def beside_published(fit: NetworkFit, published: Any, *, level: float = 0.95) -> pd.DataFrame:
    """Set published comparisons beside the network's estimates of the same pairs.

    Parameters
    ----------
    fit : NetworkFit
    published : DataFrame or mapping of columns
        ``source, treat1, treat2, estimate, conf_low, conf_high`` on the reader's scale, and
        ``method`` (NMA, MAIC, ...) where it is known.
    level : float
        Of the published intervals.

    Returns
    -------
    DataFrame
        One row a published comparison: ``ours, ours_low, ours_high, theirs, theirs_low,
        theirs_high, gap`` (ratio of ratios or difference) and ``gap_in_errors``, the difference on
        the analysis scale in units of the larger standard error. Both rest on much the same
        trials, so that is a distance, not a test. Pairs the network does not have are kept with
        ``note``.

    Raises
    ------
    DataError
        For a missing column, or an interval that does not contain its estimate.

    Examples
    --------
    >>> from metablin.network import network, network_pool
    >>> n = network({"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["z", "z"],
    ...              "estimate": [0.7, 0.9], "conf_low": [0.5, 0.7], "conf_high": [0.98, 1.16]},
    ...             "hr")
    >>> table = beside_published(network_pool(n), {
    ...     "source": ["Paper"], "treat1": ["x"], "treat2": ["y"], "estimate": [0.75],
    ...     "conf_low": [0.5], "conf_high": [1.12]})
    >>> table[["ours", "theirs"]].round(2).values.tolist()
    [[0.78, 0.75]]
    """
    needs_fit(fit)
    frame = table_of(published)
    for name in NEEDED:
        if name not in frame:
            raise DataError("the table lacks the column", column=name,
                            allowed=f"found: {', '.join(frame.columns)}")  # fmt: skip
    sources = [str(s) for s in frame["source"]]
    y, low, high = (numeric(c, frame[c].to_numpy(), studies=sources) for c in NEEDED[3:])
    wrong = np.flatnonzero(~((low <= y) & (y <= high)))
    if wrong.size:
        i = int(wrong[0])
        raise DataError("the interval does not contain the estimate", row=i + 1, study=sources[i],
                        column="conf_low", value=f"{y[i]:g} [{low[i]:g}, {high[i]:g}]")  # fmt: skip
    if fit.network.transform == "log":
        y, low, high = np.log(y), np.log(low), np.log(high)
    z = float(critical(level))
    rows = [
        _row(fit, sources[i], str(frame["treat1"][i]), str(frame["treat2"][i]), y[i],
             (high[i] - low[i]) / (2 * z))
        for i in range(len(frame))
    ]  # fmt: skip
    out = pd.DataFrame(rows)
    for name in ("theirs", "theirs_low", "theirs_high"):
        out[name] = frame[{"theirs": "estimate", "theirs_low": "conf_low"}.get(name, "conf_high")]
    if "method" in frame:
        out.insert(1, "method", frame["method"])
    return out


def _row(
    fit: NetworkFit, source: str, treat1: str, treat2: str, y: float, se: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"source": source, "treat1": treat1, "treat2": treat2}
    lost = [t for t in (treat1, treat2) if t not in fit.treatments]
    if lost:
        return {**row, "note": f"the network does not have {', '.join(lost)}"}
    ours = fit.effect(treat1, treat2)
    gap = ours["effect"] - y
    return {
        **row,
        "ours": ours["estimate"],
        "ours_low": ours["conf_low"],
        "ours_high": ours["conf_high"],
        "gap": float(fit.back(gap)),
        "gap_in_errors": gap / max(ours["std_error"], se),
        "note": "",
    }
