"""The result of pooling a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import choice
from metablin.errors import DataError
from metablin.network import flow, inconsistency, ranking
from metablin.network.gls import rows_of
from metablin.network.prediction import propagated
from metablin.network.records import Network
from metablin.numerics.inference import critical, q_profile, two_sided
from metablin.records import Record, json_dict

__all__ = ["NetworkFit", "needs_fit"]

FloatArray = NDArray[np.float64]
NAN = math.nan

MODEL_NAMES = {
    "random": "Random-effects network",
    "common": "Common-effect network",
    "mantel-haenszel": "Mantel-Haenszel network",
    "glmm": "Network with exact likelihood of the arms",
}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NetworkFit(Record):
    """A fitted network meta-analysis.

    Attributes
    ----------
    network : Network
        What was pooled.
    model, tau2_method, ci_method : str
        As asked for; ``tau2_method`` is ``"given"`` for a known tau2, None without one.
    level : float
        Confidence level of all intervals.
    reference : str or None
        Treatment that stands second in its comparisons.
    d : ndarray, shape (t,)
        Effects against the first treatment, analysis scale; the first is 0.
    cov : ndarray, shape (t, t)
        Their covariance.
    df : float
        Degrees of freedom of the intervals; infinite for the normal distribution.
    tau2, i2, h2 : float
        Variance between studies of every comparison (one for the network), the share of the
        variance it makes up (0 to 1) and total over sampling variance.
    q, q_df, q_p : float
        Cochran's Q of the whole network at the common-effect weights.
    notes : tuple of str
        Caveats.
    extra : mapping
        What only this model reports, JSON-ready.
    prediction : {"match", "confidence-distribution"}
        How prediction intervals are made (:func:`metablin.network_pool`).
    """

    network: Network
    model: str
    tau2_method: str | None
    ci_method: str
    level: float
    reference: str | None
    d: FloatArray
    cov: FloatArray
    df: float
    tau2: float
    i2: float
    h2: float
    q: float
    q_df: float
    q_p: float
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    prediction: str = "match"

    @property
    def treatments(self) -> tuple[str, ...]:
        """Sorted labels of the treatments."""
        return self.network.treatments

    @property
    def measure(self) -> str:
        """Measure of the effects."""
        return self.network.measure

    @property
    def k(self) -> int:
        """Number of studies."""
        return self.network.k

    @property
    def tau2_conf_low(self) -> float:
        """Lower Q-profile limit of tau2; NaN where the model has none."""
        return self.tau2_limits()[0]

    @property
    def tau2_conf_high(self) -> float:
        """Upper Q-profile limit of tau2; NaN where the model has none."""
        return self.tau2_limits()[1]

    def tau2_limits(self) -> tuple[float, float]:
        """Return the Q-profile limits of tau2, worked out when they are asked for.

        References
        ----------
        Viechtbauer W (2007). Confidence intervals for the amount of heterogeneity in
        meta-analysis. doi:10.1002/sim.2514
        """
        if self.model != "random" or not self.q_df > 0:
            return NAN, NAN
        rows = rows_of(self.network)
        low, high = q_profile(rows.y, rows.v, self.level, rows.x[:, 1:])
        return float(low), float(high)

    @property
    def inverse_variance(self) -> bool:
        """Whether the fit rests on the contrasts of the studies and their covariance."""
        return self.model in ("random", "common")

    def back(self, x: ArrayLike) -> FloatArray:
        """Return values of the analysis scale on the reader's scale."""
        value = np.asarray(x, dtype=np.float64)
        if self.network.transform != "log":
            return value
        with np.errstate(over="ignore"):
            return np.exp(value)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair of treatments, every pair once.

        Returns
        -------
        DataFrame
            ``treat1, treat2``, and of treat1 against treat2 ``estimate, conf_low, conf_high,
            conf_level, pred_low, pred_high`` on the reader's scale, ``std_error, statistic`` on
            the analysis scale, ``p_value`` and ``studies`` (how many compare the two).
        """
        first, second = self._pairs()
        y = self.d[first] - self.d[second]
        variance = np.diag(self.cov)
        se = np.sqrt(variance[first] + variance[second] - 2 * self.cov[first, second])
        crit = float(critical(self.level, self.df))
        pred_low, pred_high = self._predicted(first, second, y, se)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = y / se
        direct = {frozenset((r.treat1, r.treat2)): r.studies
                  for r in self.network.geometry().itertuples()}  # fmt: skip
        t = self.treatments
        frame = pd.DataFrame(
            {
                "term": [f"{t[i]} : {t[j]}" for i, j in zip(first, second, strict=True)],
                "treat1": [t[i] for i in first],
                "treat2": [t[j] for j in second],
                "estimate": self.back(y),
                "std_error": se,
                "statistic": statistic,
                "p_value": two_sided(statistic, self.df),
                "conf_low": self.back(y - crit * se),
                "conf_high": self.back(y + crit * se),
                "conf_level": self.level,
                "pred_low": self.back(pred_low),
                "pred_high": self.back(pred_high),
                "effect": y,
            }
        )
        frame["studies"] = [
            direct.get(frozenset(p), 0) for p in zip(frame["treat1"], frame["treat2"], strict=True)
        ]
        return frame

    @property
    def predicts(self) -> bool:
        """Whether there is a variance between studies, and so a prediction interval."""
        known = (
            self.q_df != 0 or self.tau2_method == "given"
        )  # else nothing says how studies differ
        return self.model != "common" and self.tau2_method is not None and known and self.tau2 >= 0

    def _predicted(
        self, first: NDArray[np.intp], second: NDArray[np.intp], y: FloatArray, se: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the prediction limits of pairs on the analysis scale, NaN without any."""
        if not self.predicts:
            none = np.full(len(y), NAN)
            return none, none
        if self.prediction == "confidence-distribution":
            return propagated(self.network, self.level, self.df, (first, second))
        wide = float(critical(self.level, self.df)) * np.sqrt(se**2 + self.tau2)
        return y - wide, y + wide

    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the pairs, the reference (if any) always second."""
        pairs = np.array(list(combinations(range(len(self.treatments)), 2)), dtype=np.intp)
        first, second = pairs[:, 0].copy(), pairs[:, 1].copy()
        if self.reference is not None:
            at = first == self.treatments.index(self.reference)
            first[at], second[at] = second[at], first[at]
        return first, second

    def effect(self, treat1: str, treat2: str) -> dict[str, float]:
        """Return the effect of `treat1` against `treat2` with its limits.

        Returns
        -------
        dict
            ``estimate, conf_low, conf_high, pred_low, pred_high`` on the reader's scale, and
            ``effect, std_error`` on the analysis scale.

        Raises
        ------
        DataError
            When no study has one of the treatments.
        """
        i, j = (self.network.position(t, c) for t, c in ((treat1, "treat1"), (treat2, "treat2")))
        if i == j:
            raise DataError("the treatment is compared with itself", column="treat2", value=treat2)
        y = float(self.d[i] - self.d[j])
        se = math.sqrt(self.cov[i, i] + self.cov[j, j] - 2 * self.cov[i, j])
        crit = float(critical(self.level, self.df))
        low, high = self._predicted(np.array([i]), np.array([j]), np.array([y]), np.array([se]))
        ends = self.back([y, y - crit * se, y + crit * se, low[0], high[0]])
        names = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high")
        return {**dict(zip(names, ends.tolist(), strict=True)), "effect": y, "std_error": se}

    def against(self, reference: str | None = None) -> pd.DataFrame:
        """Return every other treatment against the reference, as rows of :meth:`to_frame`."""
        name = reference or self.reference or self.treatments[0]
        self.network.position(name)
        frame = replace(self, reference=name).to_frame()
        return frame[frame["treat2"] == name].reset_index(drop=True)

    def league(self, digits: int = 2, order: str = "rank", other: NetworkFit | None = None
               ) -> pd.DataFrame:  # fmt: skip
        """Return the league table: the row's treatment against the column's, with limits.

        Parameters
        ----------
        digits : int
            After the point.
        order : {"rank", "label"}
            Treatments by P-score, the best first, or by label.
        other : NetworkFit, optional
            A second outcome for the upper triangle; without it the upper triangle holds the
            direct estimates where there are some.

        Returns
        -------
        DataFrame
            Of text, treatments as index and columns.
        """
        names = list(self.treatments)
        if choice("order", order, ("rank", "label")) == "rank":
            names = self.ranking()["treatment"].tolist()
        if other is None:
            return ranking.league(names, self._cells(), self._direct_cells(), digits)
        lost = sorted(set(other.treatments) ^ set(names))
        if lost:
            raise DataError("only one of the outcomes has the treatment", column="other",
                            value=lost[0])  # fmt: skip
        return ranking.league(names, self._cells(), other._cells(), digits)

    def _cells(self) -> dict[tuple[str, str], tuple[float, float, float]]:
        """Return estimate and limits of every ordered pair."""
        out = {}
        for a, b in permutations(self.treatments, 2):
            cell = self.effect(a, b)
            out[a, b] = (cell["estimate"], cell["conf_low"], cell["conf_high"])
        return out

    def _direct_cells(self) -> dict[tuple[str, str], tuple[float, float, float]]:
        """Return the direct estimates of the ordered pairs that have some."""
        out: dict[tuple[str, str], tuple[float, float, float]] = {}
        if not self.inverse_variance:
            return out
        crit = float(critical(self.level, self.df))
        for (i, j), (y, v) in inconsistency.direct_effects(self.network, self.tau2).items():
            half = crit * math.sqrt(v)
            for a, b, sign in ((i, j, 1.0), (j, i, -1.0)):
                ends = self.back([sign * y, sign * y - half, sign * y + half]).tolist()
                out[self.treatments[a], self.treatments[b]] = (ends[0], ends[1], ends[2])
        return out

    @property
    def effects(self) -> ranking.Effects:
        """Effects against the first treatment with their covariance, for rankings."""
        return ranking.Effects(self.treatments, self.d, self.cov, self.df)

    def ranking(self, small_values: str = "desirable") -> pd.DataFrame:
        """Return P-scores, the best treatment first.

        Parameters
        ----------
        small_values : {"desirable", "undesirable"}
            Whether a small effect (fewer events, a smaller hazard) is what one wishes.

        Returns
        -------
        DataFrame
            ``treatment, p_score, mean_rank``; the caveat stands in ``attrs["caveat"]``.
        """
        return ranking.p_scores(self.effects, small_values)

    def rank_probabilities(
        self, small_values: str = "desirable", draws: int = 100_000, seed: int = 1
    ) -> pd.DataFrame:
        """Return the probability of every rank with its Monte-Carlo error, and SUCRA."""
        return ranking.rank_probabilities(self.effects, small_values, draws, seed)

    def better_than(self, margin: float = 0.0, small_values: str = "desirable") -> pd.DataFrame:
        """Return the probability that the row's treatment beats the column's by over `margin`."""
        return ranking.better_than(self.effects, margin, small_values)

    def splits(self, method: str = "back-calculation") -> pd.DataFrame:
        """Return direct and indirect estimates of every comparison that has both.

        Parameters
        ----------
        method : {"back-calculation", "side-splitting"}
            Indirect evidence as what the network adds to the direct (Koenig 2013), at the tau2 of
            the network; or a model with a parameter for the difference and a tau2 of its own,
            which treats the arms of multi-arm studies alike (White 2015).

        Returns
        -------
        DataFrame
            ``treat1, treat2, studies, share_direct``, on the analysis scale ``network, direct,
            direct_std_error, indirect, indirect_std_error, difference, std_error, statistic``, and
            ``p_value``.
        """
        self._needs_contrasts()
        return inconsistency.splits(self.network, rows_of(self.network), self.tau2,
                                    self._method(), self._pairs(), method)  # fmt: skip

    def inconsistency(self) -> inconsistency.Decomposition:
        """Return Q split into heterogeneity within designs and inconsistency between them."""
        self._needs_contrasts()
        return inconsistency.decompose(self.network, rows_of(self.network), self._method())

    def net_heat(self, model: str = "common") -> pd.DataFrame:
        """Return how far each design's inconsistency falls when another is set apart."""
        self._needs_contrasts()
        return inconsistency.net_heat(self.network, rows_of(self.network), model, self._method())

    def loops(self) -> pd.DataFrame:
        """Return the inconsistency of every loop of three treatments."""
        self._needs_contrasts()
        return inconsistency.loops(self.network, self.tau2)

    def contributions(self) -> pd.DataFrame:
        """Return the share of each direct comparison in each network estimate."""
        self._needs_contrasts()
        return flow.contributions(self.network, rows_of(self.network), self.tau2)

    def evidence_flow(self) -> pd.DataFrame:
        """Return share of direct evidence, minimal parallelism and mean path length."""
        self._needs_contrasts()
        return flow.measures(self.network, rows_of(self.network), self.tau2)

    def _needs_contrasts(self) -> None:
        if not self.inverse_variance:
            raise DataError("needs a model of contrasts", column="model", value=self.model,
                            allowed="random | common")  # fmt: skip

    def _method(self) -> str | None:
        """Return the estimator of tau2; None for a common effect or a known tau2."""
        return None if self.tau2_method in (None, "given") else self.tau2_method

    def to_dict(self, small_values: str = "desirable") -> dict[str, Any]:
        """Return the object ``metablin network --json`` prints; P-scores as in `ranking`."""
        out: dict[str, Any] = {
            "measure": self.measure,
            "model": self.model,
            "tau2_method": self.tau2_method,
            "ci_method": self.ci_method,
            "prediction": self.prediction,
            "level": self.level,
            "reference": self.reference,
            "treatments": list(self.treatments),
            "k": self.k,
            "m": self.network.m,
            "df": self.df,
        }
        out["tau2"] = self.tau2
        out["tau2_conf_low"], out["tau2_conf_high"] = self.tau2_limits()
        for name in ("i2", "h2", "q", "q_df", "q_p"):
            out[name] = getattr(self, name)
        out["effects"] = [_effect_dict(row) for row in self.to_frame().to_dict(orient="records")]
        out["small_values"] = small_values
        out["ranking"] = self.ranking(small_values)
        if self.inverse_variance:
            out["inconsistency"] = self.inconsistency().to_dict()
            out["splits"] = self.splits()
        else:  # Mantel-Haenszel's Q is the one between designs; exact likelihoods have none
            out["inconsistency"] = {"q_between": self.q, "df": self.q_df, "p": self.q_p}
            out["splits"] = []
        out["excluded"] = self.network.to_dict()["excluded"]
        out["notes"] = [*self.network.notes, *self.notes]
        out.update(self.extra)
        return json_dict(out)

    def summary(self, small_values: str = "desirable") -> str:
        """Return the result in words and two tables; P-scores as in `ranking`."""
        return _summarise(self, small_values)


def needs_fit(value: object) -> NetworkFit:
    """Return `value` after checking that :func:`metablin.network_pool` returned it."""
    if not isinstance(value, NetworkFit):
        raise DataError("not a fitted network", column="fit", value=type(value).__name__,
                        allowed="what network_pool returns")  # fmt: skip
    return value


def _effect_dict(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("treat1", "treat2", "estimate", "conf_low", "conf_high", "pred_low", "pred_high",
             "p_value", "studies")  # fmt: skip
    inner = {"estimate": row["effect"], "std_error": row["std_error"]}
    return {**{n: row[n] for n in names}, "analysis": inner}


def _summarise(fit: NetworkFit, small_values: str) -> str:
    tau = f" (tau2: {fit.tau2_method})" if fit.tau2_method else ""
    lines = [
        f"{MODEL_NAMES.get(fit.model, fit.model)}{tau}: {len(fit.treatments)} treatments, {fit.k} "
        f"{'study' if fit.k == 1 else 'studies'}, {fit.network.m} "
        f"{'comparison' if fit.network.m == 1 else 'comparisons'}, measure {fit.measure}"
    ]
    if not math.isnan(fit.tau2):
        limits = ""
        low, high = fit.tau2_limits()
        if not math.isnan(low):
            limits = f" [{100 * fit.level:g}% CI {low:.4g} to {high:.4g}]"
        share = "" if math.isnan(fit.i2) else f", I2 = {100 * fit.i2:.1f}%"
        lines.append(f"tau2 = {fit.tau2:.4g}{limits}{share}")
    if not math.isnan(fit.q):
        lines.append(f"Q = {fit.q:.3f}, df = {fit.q_df:g}, p = {fit.q_p:.4g}")
    if fit.inverse_variance:
        parts = fit.inconsistency()
        lines.append(
            f"  within designs {parts.q_within:.3f} (df = {parts.df_within}), between designs "
            f"{parts.q_between:.3f} (df = {parts.df_between}, p = {parts.p_between:.4g})"
        )
    table = fit.against()
    columns = ["treat1", "estimate", "conf_low", "conf_high", "pred_low", "pred_high", "p_value"]
    shown = table[columns].rename(columns={"treat1": f"against {table['treat2'][0]}"})
    lines.append(
        shown.dropna(axis=1, how="all").to_string(index=False, float_format="{:.4g}".format)
    )
    ranks = fit.ranking(small_values)
    lines.append(
        f"P-scores, small values {small_values}: "
        + ", ".join(
            f"{t} {p:.2f}" for t, p in zip(ranks["treatment"], ranks["p_score"], strict=True)
        )
    )
    lines.append(f"  {ranks.attrs['caveat']}")
    return "\n".join([*lines, *(f"Note: {n}" for n in (*fit.network.notes, *fit.notes))])
