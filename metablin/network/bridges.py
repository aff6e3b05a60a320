"""Bridges: single arms and disconnected parts tied to a network by a predicted reference.

A bridge is not randomised. What rests on one is marked, stands beside what the network says without
it, and is no headline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import level as check_level
from metablin._input import one
from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta import pool
from metablin.network.arms import arm_summaries
from metablin.network.data import arms_of
from metablin.network.fit import NAN, NetworkFit
from metablin.network.gls import effects_of, rows_of, solve, stack
from metablin.network.pooling import network_pool
from metablin.network.records import Block, Network, needs_network
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import Record, json_dict

__all__ = ["BridgedNetwork", "External", "network_bridge"]

FloatArray = NDArray[np.float64]

ZERO = "(no effect)"
"""The level against which absolute outcomes stand; it is taken out again after the fit."""

FEWEST_ARMS = 3
"""Reference arms from which a spread between studies can be estimated at all."""

CAVEAT = (
    "estimates marked bridged rest on a prediction of the reference, not on randomisation: they "
    "assume that patients of the single arms would have fared under it like those of its trials"
)


@dataclass(frozen=True, slots=True)
class External:
    """A comparison with a matched external control.

    Attributes
    ----------
    study, treat1, treat2 : str
    effect, std_error : float
        treat1 against treat2 on the analysis scale.
    heterogeneity : float
        Standard deviation that such comparisons have beyond chance; there is no default.
    """

    study: str
    treat1: str
    treat2: str
    effect: float
    std_error: float
    heterogeneity: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BridgedNetwork(Record):
    """A network with bridges, beside the network without.

    Attributes
    ----------
    fit : NetworkFit
        With the bridges; its model is ``bridged``.
    without : NetworkFit or None
        The randomised network; None when it falls into parts.
    reference : str
    baseline, baseline_error, baseline_sd : float
        Predicted outcome of the reference on the analysis scale, its standard error, and the
        standard deviation between studies that every bridge carries.
    bridges : DataFrame
        ``study, treatment, kind``.
    """

    fit: NetworkFit
    without: NetworkFit | None
    reference: str
    baseline: float
    baseline_error: float
    baseline_sd: float
    bridges: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair, with and without the bridges.

        Returns
        -------
        DataFrame
            Columns of ``NetworkFit.to_frame`` and ``without, without_low, without_high`` (empty
            where no trial connects), ``bridged_share`` (of the information; 1 where there is no
            other) and ``grade``: ``randomised`` or ``bridged``.
        """
        frame = self.fit.to_frame()
        rows = []
        for r in frame.itertuples():
            old = self._old(str(r.treat1), str(r.treat2))
            if old is None:
                rows.append((NAN, NAN, NAN, 1.0))
                continue
            se = float(r.std_error)  # type: ignore[arg-type]
            share = max(1 - se**2 / old["std_error"] ** 2, 0.0)
            rows.append((old["estimate"], old["conf_low"], old["conf_high"], share))
        extra = pd.DataFrame(
            rows, columns=["without", "without_low", "without_high", "bridged_share"]
        )
        extra["grade"] = np.where(extra["bridged_share"] > 1e-9, "bridged", "randomised")
        return pd.concat([frame, extra], axis=1)

    def _old(self, a: str, b: str) -> dict[str, float] | None:
        if self.without is None or not {a, b} <= set(self.without.treatments):
            return None
        return self.without.effect(a, b)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        return json_dict(
            {
                "reference": self.reference,
                "baseline": self.baseline,
                "baseline_error": self.baseline_error,
                "baseline_sd": self.baseline_sd,
                "bridges": self.bridges,
                "effects": self.to_frame(),
                "caveat": CAVEAT,
                "headline": False,
            }
        )

    def summary(self) -> str:
        """Return the comparison of both networks in words."""
        shown = self.to_frame()[["treat1", "treat2", "estimate", "conf_low", "conf_high",
                                 "without", "grade", "bridged_share"]]  # fmt: skip
        return (
            f"Network with {len(self.bridges)} bridges to {self.reference}; spread of the "
            f"predicted reference between studies {self.baseline_sd:.3g}\n"
            + shown.to_string(index=False, float_format="{:.4g}".format, na_rep="")
            + f"\nNote: {CAVEAT}"
        )


def network_bridge(
    n: Network,
    singles: Any = None,
    *,
    reference: str,
    external: Sequence[External] = (),
    baseline_sd: float | None = None,
    level: float = 0.95,
) -> BridgedNetwork:
    """Tie single arms and disconnected parts to a network by predicting the reference in them.

    Parameters
    ----------
    n : Network
        Of arms (``or, rr, rd, rate, md``), connected or not.
    singles : DataFrame or mapping of columns, optional
        Single arms: ``study, treatment`` and the columns of the measure.
    reference : str
        Treatment whose outcome is predicted, from its arms in `n` by a random-effects model. Every
        study of a part without it, and every single arm, gets a predicted reference arm.
    external : sequence of External, optional
        Comparisons with matched external controls, each with a heterogeneity of its own.
    baseline_sd : float, optional
        Standard deviation of the reference between studies, where fewer than three arms are there
        to estimate it.
    level : float

    Returns
    -------
    BridgedNetwork

    Raises
    ------
    DataError
        For a network of contrasts only (nothing absolute to predict), too few reference arms, or
        when bridges leave the network in parts.

    Notes
    -----
    The error of the predicted mean is shared by all bridges; the spread between studies is each
    bridge's own. Reference arms serve in their trials and in the prediction; that correlation is
    not modelled.

    References
    ----------
    Thom HHZ, Capkun G, Cerulli A, Nixon RM, Howard LS (2015). Network meta-analysis combining
    individual patient and aggregate data from a mixture of study designs with an application to
    pulmonary arterial hypertension. doi:10.1186/s12874-015-0007-0
    Leahy J and others (2019), reference prediction. doi:10.1002/jrsm.1372

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": list("AABBCC"), "treatment": list("xyxyxy"),
    ...              "events": [20, 14, 25, 15, 18, 13], "n": [50] * 6})
    >>> found = network_bridge(n, {"study": ["D"], "treatment": ["z"], "events": [10], "n": [50]},
    ...                        reference="x")
    >>> found.to_frame()["grade"].tolist()
    ['randomised', 'bridged', 'bridged']
    """
    needs_network(n, connected=False)
    level = check_level(level)
    if n.arms is None:
        raise DataError("contrasts hold no outcome of the reference to predict from",
                        column="network", value=n.measure, allowed="a table of arms")  # fmt: skip
    extra = None if singles is None else arms_of(singles, n.measure)
    names = sorted({*n.treatments, *(extra.names if extra else ()), *(e.treat1 for e in external),
                    *(e.treat2 for e in external)})  # fmt: skip
    n.position(reference)
    treatments = (*names, ZERO)
    place = {t: i for i, t in enumerate(treatments)}
    m, error, spread = _baseline(n, reference, baseline_sd)
    tau2 = _tau2(n)
    blocks, bridges = _all_blocks(n, extra, external, place, reference, (m, error, spread), tau2)
    union = Network(treatments, n.measure, n.transform, tuple(blocks))
    needs_network(union)
    fit = solve(stack(blocks, len(treatments)), 0.0)
    d, cov = effects_of(fit, len(treatments))
    keep = len(names)
    shown = Network(
        tuple(names), n.measure, n.transform, _moved(n, place), n.arms, n.excluded, n.notes
    )
    found = NetworkFit(
        shown, "bridged", "REML", "z", level, reference, d[:keep], cov[:keep, :keep], math.inf,
        tau2, NAN, NAN, NAN, NAN, NAN, (CAVEAT,),
    )  # fmt: skip
    without = network_pool(n, reference=reference, level=level) if n.connected else None
    return BridgedNetwork(found, without, reference, m, error, spread, bridges)


def _baseline(n: Network, reference: str, sd: float | None) -> tuple[float, float, float]:
    """Return the predicted outcome of the reference, its error and its spread between studies."""
    assert n.arms is not None
    y, v = arm_summaries(n.arms, n.measure)
    at = n.arms.treatment == n.treatments.index(reference)
    if at.sum() < FEWEST_ARMS and sd is None:
        raise DataError("too few arms of the reference to tell how far studies differ",
                        column="reference", value=f"{reference}: {at.sum()}",
                        allowed=f"{FEWEST_ARMS} arms, or baseline_sd")  # fmt: skip
    given: str | float = "REML" if sd is None else one("baseline_sd", sd, minimum=0) ** 2
    fit = pool(generic(y[at], v[at]), tau2=given, ci="z")  # type: ignore[arg-type]
    return fit.analysis.estimate, fit.analysis.std_error, math.sqrt(fit.tau2)


def _tau2(n: Network) -> float:
    """Return tau2 of the randomised comparisons, whether they hang together or not."""
    rows = rows_of(n)
    _, s, vt = np.linalg.svd(rows.x, full_matrices=False)
    x = rows.x @ vt[s > 1e-9 * s[0]].T
    if len(rows.y) <= x.shape[1]:
        return 0.0
    return max(float(estimate_tau2("REML", rows.y, rows.v, x)), 0.0)


def _moved(n: Network, place: dict[str, int]) -> tuple[Block, ...]:
    """Return the studies with treatments numbered as in the larger network."""
    return tuple(_renumbered(b, [place[n.treatments[i]] for i in b.arms]) for b in n.blocks)


def _renumbered(b: Block, arms: list[int]) -> Block:
    order = np.argsort(arms)
    turn = np.zeros((len(arms) - 1, len(arms)))
    turn[np.arange(len(arms) - 1), order[1:]] = 1.0
    turn[:, order[0]] -= 1.0
    inner = turn[:, 1:]
    return Block(b.study, tuple(int(arms[i]) for i in order), inner @ b.y, inner @ b.cov @ inner.T)


def _all_blocks(
    n: Network,
    singles: Any,
    external: Sequence[External],
    place: dict[str, int],
    reference: str,
    baseline: tuple[float, float, float],
    tau2: float,
) -> tuple[list[Block], pd.DataFrame]:
    """Return all contrasts with their whole covariance, and what the bridges are."""
    m, error, spread = baseline
    zero = place[ZERO]
    blocks, rows = [], []
    home = next(c for c in n.components if reference in c)
    far = [b.study for b in n.blocks if n.treatments[b.arms[0]] not in home]
    for b in _moved(n, place):
        if b.study not in far:
            r = len(b.y)
            blocks.append(Block(b.study, b.arms, b.y, b.cov + tau2 * (np.eye(r) + 1) / 2))
    blocks.append(_absolute("prediction", [place[reference]], [m], [error**2], zero))
    for study, arms in _far_arms(n, far).items():
        at = [place[t] for t, _, _ in arms]
        v = [v + tau2 / 2 for _, _, v in arms]
        blocks.append(_absolute(study, at, [y for _, y, _ in arms], v, zero, spread**2))
        rows += [(study, t, "part without the reference") for t, _, _ in arms]
    if singles is not None:
        for study, treatment, y, v1 in singles.rows:
            one_arm = [v1 + tau2 / 2]
            blocks.append(_absolute(study, [place[treatment]], [y], one_arm, zero, spread**2))
            rows.append((study, treatment, "single arm"))
    for e in external:
        variance = e.std_error**2 + e.heterogeneity**2
        first, second = place[e.treat1], place[e.treat2]
        block = Block(e.study, (first, second), np.array([-e.effect]), np.array([[variance]]))
        blocks.append(_renumbered(block, [first, second]))
        rows.append((e.study, e.treat1, "matched external control"))
    if not rows:
        raise DataError(
            "nothing to bridge: the network is in one piece",
            column="singles",
            allowed="single arms, external controls, or a network in parts",
        )
    return blocks, pd.DataFrame(rows, columns=["study", "treatment", "kind"])


def _far_arms(n: Network, far: list[str]) -> dict[str, list[tuple[str, float, float]]]:
    """Return treatment, outcome and variance of all arms of the studies in `far`."""
    assert n.arms is not None
    y, v = arm_summaries(n.arms, n.measure)
    out: dict[str, list[tuple[str, float, float]]] = {}
    for s, t, outcome, variance in zip(n.arms.study, n.arms.treatment, y, v, strict=True):
        study = n.arms.labels[s]
        if study in far:
            out.setdefault(study, []).append((n.treatments[t], float(outcome), float(variance)))
    return out


def _absolute(
    study: str, arms: list[int], y: list[float], v: list[float], zero: int, shared: float = 0.0
) -> Block:
    """Return outcomes of arms against no effect; `shared` is the variance of the study's level."""
    cov = np.diag(v) + shared
    return _renumbered(Block(study, (zero, *arms), np.array(y), cov), [zero, *arms])
