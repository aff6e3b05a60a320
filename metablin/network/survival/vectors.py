"""From patients of many trials, reconstructed ones with draws, to vectors of effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from metablin._input import is_missing, numeric
from metablin.errors import ConvergenceError, DataError
from metablin.network.data import natural, table_of
from metablin.network.survival.multivariate import MultivariateNetwork, VectorBlock
from metablin.network.survival.partial import basis_of, fit_partial
from metablin.numerics.inference import joint_test
from metablin.numerics.kaplan_meier import product_limit
from metablin.numerics.partial import arm_counts
from metablin.numerics.rubin import rubin_vectors
from metablin.survival.patients import Patients, count
from metablin.survival.rmst import area

__all__ = [
    "checked_patients",
    "hazard_vectors",
    "proportional_hazards",
    "survival_vectors",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Estimate = Callable[[FloatArray, FloatArray, IntArray, int], tuple[FloatArray, FloatArray]]


def survival_vectors(
    patients: Any,
    *,
    horizons: ArrayLike = (),
    milestones: ArrayLike = (),
    hazard_ratio: bool = True,
) -> MultivariateNetwork:
    """Return restricted means, survival at milestones and the log hazard ratio of every trial.

    Parameters
    ----------
    patients : DataFrame or mapping of columns
        ``study, treatment, time, event``, and ``draw`` where patients were reconstructed.
    horizons : array-like
        Horizons of the restricted mean, in the unit of time.
    milestones : array-like
        Times of survival.
    hazard_ratio : bool
        Whether the log hazard ratio stands in the vector.

    Returns
    -------
    MultivariateNetwork
        Differences in means and survival, log hazard ratios; a horizon beyond the follow-up of an
        arm is missing in that study and borrowed from the others. Covariances are those of the
        arms' martingale influences, so outcomes of one study are correlated as they should be.

    Raises
    ------
    DataError
        For bad patients, or a horizon no study reaches.

    References
    ----------
    Royston P, Parmar MKB (2013), restricted means. doi:10.1186/1471-2288-13-152
    Wei Y, Royston P, Tierney JF, Parmar MKB (2015). Meta-analysis of time-to-event outcomes from
    randomized trials using restricted mean survival time. doi:10.1002/sim.6556

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"study": np.repeat(["A", "B"], 100), "treatment": ["x", "y"] * 100,
    ...                       "time": rng.exponential(10, 200), "event": 1})
    >>> survival_vectors(frame, horizons=[12], milestones=[6]).outcomes
    ('RMST 12', 'survival 6', 'log HR')
    """
    taus = np.sort(numeric("horizons", np.ravel(np.asarray(horizons, dtype=float)), above=0))
    times = np.sort(numeric("milestones", np.ravel(np.asarray(milestones, dtype=float)), above=0))
    names = [f"RMST {t:g}" for t in taus] + [f"survival {t:g}" for t in times]
    names += ["log HR"] if hazard_ratio else []
    if not names:
        raise DataError("nothing to estimate", column="horizons",
                        allowed="horizons, milestones or hazard_ratio=True")  # fmt: skip

    def estimate(
        time: FloatArray, event: FloatArray, arm: IntArray, arms: int
    ) -> tuple[FloatArray, FloatArray]:
        return _influences(time, event, arm, arms, taus, times, hazard_ratio)

    transforms = ["none"] * (len(taus) + len(times)) + ["log"] * hazard_ratio
    found = _vectors(patients, estimate, names, transforms)
    for j, name in enumerate(names):
        if all(np.isnan(b.y[:, j]).any() for b in found.blocks):
            raise DataError("no study follows all its arms so far", column="horizons", value=name)
    return found


def hazard_vectors(patients: Any, shape: str = "log") -> MultivariateNetwork:
    """Return the coefficients of a log hazard ratio that changes with time, of every trial.

    Parameters
    ----------
    patients : DataFrame or mapping of columns
        As in :func:`survival_vectors`.
    shape : str
        ``log`` (intercept and slope in log time), ``fp:p``, ``fp:p,q``, ``piecewise:a,b`` or
        ``constant``; see :func:`metablin.network.survival.partial.basis_of`.

    Returns
    -------
    MultivariateNetwork
        Outcomes are the coefficients, on the log scale as they are.

    References
    ----------
    Jansen JP (2011). doi:10.1186/1471-2288-11-61
    Ouwens MJNM, Philips Z, Jansen JP (2010). Network meta-analysis of parametric survival curves.
    doi:10.1002/jrsm.25
    """
    basis, names = basis_of(shape)

    def estimate(
        time: FloatArray, event: FloatArray, arm: IntArray, arms: int
    ) -> tuple[FloatArray, FloatArray]:
        beta, cov = fit_partial(arm_counts(time, event, arm, arms), basis)
        return beta.ravel(), cov

    return _vectors(patients, estimate, list(names), ["none"] * len(names))


def proportional_hazards(patients: Any) -> pd.DataFrame:
    """Test proportional hazards in every trial and across the network.

    Returns
    -------
    DataFrame
        ``study, statistic, df, p_value``: Wald test of the slopes of the log hazard ratio in log
        time; the last row, ``all studies``, adds them up.

    References
    ----------
    Grambsch PM, Therneau TM (1994). Proportional hazards tests and diagnostics based on weighted
    residuals. doi:10.1093/biomet/81.3.515
    """
    n = hazard_vectors(patients, "log")
    rows = []
    for b in n.blocks:
        at = np.arange(len(b.y)) * 2 + 1
        q, p_value = joint_test(b.y[:, 1], b.cov[np.ix_(at, at)])
        rows.append((b.study, q, len(at), p_value))
    q, df = sum(r[1] for r in rows), sum(r[2] for r in rows)
    rows.append(("all studies", q, df, float(stats.chi2.sf(q, df))))
    return pd.DataFrame(rows, columns=["study", "statistic", "df", "p_value"])


def _vectors(
    patients: Any, estimate: Estimate, names: Sequence[str], transforms: Sequence[str]
) -> MultivariateNetwork:
    """Estimate every draw of every study and combine the draws."""
    frame = checked_patients(patients)
    treatments = tuple(sorted(set(frame["treatment"]), key=natural))
    place = {t: i for i, t in enumerate(treatments)}
    blocks, excluded = [], []
    for study, part in frame.groupby("study", sort=False):
        arms = tuple(sorted({place[t] for t in part["treatment"]}))
        if len(arms) < 2:
            raise DataError(f"the study has one arm, {treatments[arms[0]]}, and compares nothing",
                            study=str(study), column="treatment", allowed="two arms or more a "
                            "study; single arms go to network_bridge")  # fmt: skip
        local = np.array([arms.index(place[t]) for t in part["treatment"]], dtype=np.intp)
        draws = []
        try:
            for _, one in part.groupby("draw", sort=True):
                code = local[part.index.get_indexer(one.index)]
                if len(set(code.tolist())) < len(arms):
                    raise DataError("a draw lacks an arm")
                draws.append(estimate(one["time"].to_numpy(float), one["event"].to_numpy(float),
                                      code, len(arms)))  # fmt: skip
        except ConvergenceError as error:
            excluded.append((str(study), str(error)))
            continue
        y, cov, between = rubin_vectors(np.array([y for y, _ in draws]),
                                        np.array([v for _, v in draws]))  # fmt: skip
        blocks.append(VectorBlock(str(study), arms, y.reshape(len(arms) - 1, -1), cov, between))
    if not blocks:
        raise DataError(f"no study gives an effect ({'; '.join(f'{s}: {w}' for s, w in excluded)})")
    return MultivariateNetwork(treatments, tuple(names), tuple(transforms), tuple(blocks),
                               tuple(excluded))  # fmt: skip


def checked_patients(patients: Any) -> pd.DataFrame:
    """Return patients as a frame with ``study, treatment, time, event, draw``."""
    frame = table_of(patients)
    frame.columns = [c.strip().lower() for c in frame.columns]
    labels = ("study", "treatment")
    for name in (*labels, "time", "event"):
        if name not in frame:
            raise DataError("the table lacks the column", column=name,
                            allowed=f"found: {', '.join(frame.columns)}")  # fmt: skip
    for name in labels:
        blank = [i for i, x in enumerate(frame[name]) if is_missing(x)]
        if blank:
            raise DataError("must be filled", row=blank[0] + 1, column=name, value="missing")
    out = pd.DataFrame({name: frame[name].astype(str) for name in labels})
    out["time"] = numeric("time", frame["time"], minimum=0)
    out["event"] = numeric("event", frame["event"], minimum=0, maximum=1, integer=True)
    out["draw"] = frame.get("draw", 1)
    return out


def _influences(
    time: FloatArray,
    event: FloatArray,
    arm: IntArray,
    arms: int,
    taus: FloatArray,
    times: FloatArray,
    hazard_ratio: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return effects of all arms against the first and their covariance.

    Each quantity is a sum over patients to first order, so the sum of products of their influences
    is the joint covariance. Of means and survival it is Greenwood's.
    """
    size = len(taus) + len(times)
    own = np.full((arms, size), np.nan)
    pull = np.zeros((len(time), arms, size))
    for j in range(arms):
        here = arm == j
        own[j], pull[here, j] = _arm(time[here], event[here], taus, times)
    y = own[1:] - own[:1]
    influence = pull[:, 1:] - pull[:, :1]
    if hazard_ratio:
        beta, cov, score = _cox(time, event, arm, arms)
        y = np.column_stack([y, beta])
        influence = np.concatenate([influence, score[:, :, None]], axis=2)
    flat = influence.reshape(len(time), -1)
    total = flat.T @ flat
    if hazard_ratio:
        # The model-based variance of the log hazard ratio, with the influences' correlations.
        at = np.arange(arms - 1) * (size + 1) + size
        scale = np.ones(total.shape[0])
        scale[at] = np.sqrt(np.diag(cov) / np.diag(total)[at])
        total = total * np.outer(scale, scale)
    return y.ravel(), total


def _arm(
    time: FloatArray, event: FloatArray, taus: FloatArray, times: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return restricted means and survival of one arm, and every patient's influence on them."""
    p = Patients(time, event, None, None)
    c = count(p)
    hazard = c.n_event / c.n_risk
    survival, _ = product_limit(c.n_event, c.n_risk)
    last = float(time.max())
    reach = np.inf if bool(np.all(event[time == last] == 1)) else last
    at = np.searchsorted(c.time, time)
    # Martingale increments over those who survive them: the sum of squares is Greenwood's variance.
    alive = c.n_risk - c.n_event
    root = np.divide(1.0, alive, out=np.zeros_like(alive), where=alive > 0)
    ends = np.append(taus, times)
    values = np.full(len(ends), np.nan)
    pull = np.zeros((len(time), len(ends)))
    for k, end in enumerate(ends):
        if end > reach:
            continue
        before = c.time <= end
        if k < len(taus):
            values[k] = area(p, np.array([end]))[0][0]
            steps = np.diff(np.append(c.time[before], end))
            weight = np.zeros(len(c.time))
            weight[before] = np.cumsum((survival[before] * steps)[::-1])[::-1]
        else:
            inside = np.flatnonzero(before)
            values[k] = survival[inside[-1]] if inside.size else 1.0
            weight = np.where(before, values[k], 0.0)
        jump = weight * root
        drift = np.cumsum(jump * hazard)
        pull[:, k] = event * jump[at] - drift[at]
    return values, -pull


def _cox(
    time: FloatArray, event: FloatArray, arm: IntArray, arms: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log hazard ratios, covariance, and every patient's influence, (n, arms - 1)."""
    basis, _ = basis_of("constant")
    counts = arm_counts(time, event, arm, arms)
    beta, cov = fit_partial(counts, basis)
    beta = beta[:, 0]
    full = np.append(0.0, beta)
    risk = counts.at_risk * np.exp(full)
    share = (risk / risk.sum(1, keepdims=True))[:, 1:]
    step = counts.deaths.sum(1) / risk.sum(1)
    x = np.eye(arms)[arm][:, 1:]
    place = np.searchsorted(counts.time, time, side="right") - 1
    base = np.append(0.0, np.cumsum(step))[place + 1]
    drift = np.vstack([np.zeros((1, arms - 1)), np.cumsum(step[:, None] * share, 0)])[place + 1]
    at = np.clip(np.searchsorted(counts.time, time), 0, len(counts.time) - 1)
    score = event[:, None] * (x - share[at]) - np.exp(full[arm])[:, None] * (
        x * base[:, None] - drift)  # fmt: skip
    return beta, cov, score @ cov
