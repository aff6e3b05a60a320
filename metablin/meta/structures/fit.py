"""Models with random effects of any structure and any sampling covariance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._frame import column_of
from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta.core.design import design_matrix as given_matrix
from metablin.meta.core.design import sampling_variances
from metablin.meta.core.moderators import Design, design_matrix
from metablin.meta.core.text import p_phrase
from metablin.meta.structures.components import Component, component
from metablin.meta.structures.formula import read_random
from metablin.meta.structures.likelihood import Likelihood, climb
from metablin.meta.structures.prediction import containment, least_df, new_effects, rows_of
from metablin.meta.structures.profile import profile_limits
from metablin.numerics.inference import (
    chi2_tail,
    critical,
    joint_test,
    wald,
)
from metablin.records import Coefficients, jsonable

__all__ = ["Component", "MixedFit", "mixed"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixedFit(Coefficients):
    """A fitted model ``y = X beta + random effects + sampling errors``.

    Attributes
    ----------
    terms : tuple of str
        Names of the p coefficients.
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
    level, df : float
        ``df`` is infinite for a normal reference distribution, else the least of `term_df`.
    term_df : ndarray, shape (p,)
        Degrees of freedom of every coefficient.
    cov : ndarray, shape (p, p)
        Covariance of the coefficients.
    components : tuple of Component
        The random effects.
    yi : ndarray, shape (k,)
    vi : ndarray, shape (k,) or (k, k)
    design : ndarray, shape (k, p)
    method : str
        ``REML`` or ``ML``.
    loglik, aic, bic, aicc : float
        With their constants, as R's metafor counts them.
    parameters : int
        Coefficients, variances and correlations.
    q, q_df, q_p : float
        Test of residual heterogeneity with the sampling covariance alone.
    qm, qm_df, qm_df2, qm_p : float
        Test of all coefficients but the intercept (of all without one): chi-square, or F with
        ``qm_df2`` for ``test="t"``.
    steps : int
        Newton steps.
    theta : ndarray
        Where the search ended: standard deviations, angles of correlations, Cholesky factors.
    fixed : Design, optional
        The moderators, where they were given as a formula.
    """

    UNWRITTEN: ClassVar[frozenset[str]] = frozenset(
        {"vi", "design", "yi", "components", "theta", "fixed"}
    )

    components: tuple[Component, ...]
    yi: FloatArray
    vi: FloatArray
    design: FloatArray
    method: str
    loglik: float
    aic: float
    bic: float
    aicc: float
    parameters: int
    q: float
    q_df: int
    q_p: float
    qm: float
    qm_df: int
    qm_df2: float
    qm_p: float
    steps: int
    theta: FloatArray
    term_df: FloatArray
    fixed: Design | None = None

    @property
    def working(self) -> FloatArray:
        """Marginal covariance of the estimates at the fit, (k, k)."""
        m = np.diag(self.vi) if self.vi.ndim == 1 else self.vi.copy()
        for c in self.components:
            same = c.term.outer[:, None] == c.term.outer
            m += same * c.covariance[c.term.inner[:, None], c.term.inner]
        return m

    def variances(self) -> pd.DataFrame:
        """Return one row per variance: ``term, structure, level, groups, variance``.

        ``level`` is empty where all levels share the variance.
        """
        rows = [
            {"term": c.name, "structure": c.structure, "level": level, "groups": c.groups,
             "variance": float(v)}
            for c in self.components
            for level, v in ([("", c.variance[0])] if c.one_variance
                             else zip(c.levels, c.variance, strict=True))
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def correlations(self) -> pd.DataFrame:
        """Return one row per pair of levels of a term: ``term, level1, level2, correlation``."""
        rows = [
            {"term": c.name, "level1": c.levels[i], "level2": c.levels[j],
             "correlation": float(c.correlation[i, j])}
            for c in self.components
            if c.structure not in ("ID", "DIAG")
            for i in range(len(c.levels))
            for j in range(i + 1, len(c.levels))
        ]  # fmt: skip
        frame = pd.DataFrame(rows, columns=["term", "level1", "level2", "correlation"])
        return frame.astype({"correlation": float})

    def intervals(self) -> pd.DataFrame:
        """Return profile-likelihood limits of variances and correlations, one row each.

        Returns
        -------
        pandas.DataFrame
            ``term, level, parameter`` (``variance`` or ``correlation``), ``estimate, conf_low,
            conf_high, conf_level``. A term without structure ``UN``, whose variances share their
            parameters.
        """
        return profile_limits(
            self.yi, self.vi, self.design, self.components, self.theta, self.method,
            self.level,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the fit in plain types, ready for JSON."""
        more = {"variances": self.variances(), "correlations": self.correlations()}
        return Coefficients.to_dict(self) | dict(jsonable(more))

    def summary(self) -> str:
        """Return the fit as text for people."""
        shown = {"index": False, "float_format": "{:.4f}".format, "na_rep": ""}
        parts = [
            f"{len(self.yi)} estimates, {self.method}, log-likelihood {self.loglik:.3f}, "
            f"AIC {self.aic:.2f}, BIC {self.bic:.2f}",
            self.to_frame().to_string(**shown),  # type: ignore[call-overload]
            self.variances().to_string(**shown),  # type: ignore[call-overload]
        ]
        parts += [f"Correlation within {c.name} ({c.structure}): {c.rho:.4f}"
                  for c in self.components if math.isfinite(c.rho)]  # fmt: skip
        pairs = self.correlations()
        many = [c.name for c in self.components if math.isnan(c.rho)]
        pairs = pairs[pairs["term"].isin(many)]
        if len(pairs):
            parts.append(pairs.to_string(**shown))  # type: ignore[call-overload]
        parts.append(f"Residual heterogeneity: Q = {self.q:.2f}, df = {self.q_df}, "
                     f"{p_phrase(self.q_p)}")  # fmt: skip
        return "\n\n".join(parts)

    def contrasts(self, weights: ArrayLike) -> pd.DataFrame:
        """Return linear combinations of the coefficients, one row each.

        Parameters
        ----------
        weights : array-like, shape (p,) or (m, p)

        Returns
        -------
        pandas.DataFrame
            ``estimate, std_error, statistic, p_value, conf_low, conf_high, conf_level``.
        """
        try:
            rows = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        except (TypeError, ValueError):
            raise DataError("not numbers", column="weights") from None
        if rows.ndim != 2 or rows.shape[1] != len(self.beta) or not np.isfinite(rows).all():
            raise DataError(
                "not weights of the coefficients", column="weights", value=f"shape {rows.shape}",
                allowed=f"(m, {len(self.beta)})",
            )  # fmt: skip
        estimate, df = rows @ self.beta, least_df(rows, self.term_df)
        found = wald(estimate, rows @ self.cov @ rows.T, df, self.level)
        return pd.DataFrame({"estimate": estimate, **found, "conf_level": self.level})

    def predict(self, data: Any = None) -> pd.DataFrame:
        """Return the effect expected at new values, and the interval of a new true effect.

        Parameters
        ----------
        data : DataFrame, mapping of columns, or array-like (m, p), optional
            One row per prediction with the moderators of the formula (rows of the design where it
            was given as a matrix). Where the levels of a random effect have variances of their own
            (``HCS``, ``DIAG``, ``HAR``, ``UN``) its inner column says which level; without it there
            is a row for each.

        Returns
        -------
        DataFrame
            ``estimate, std_error, conf_low, conf_high, conf_level, pred_low, pred_high``, before
            them the levels. A new effect has new groups of all random effects.

        Notes
        -----
        The prediction interval has the reference distribution of the confidence interval, as in
        R's metafor; the degrees of freedom are the least of the coefficients that take part.

        Examples
        --------
        >>> fit = mixed([0.4, 0.3, 0.2, 0.6, 0.5], [0.01] * 5, "1 | trial", {"trial": "aabcc"},
        ...             dfs="contain")
        >>> fit.predict().round(3)[["estimate", "pred_low", "pred_high"]].values.tolist()
        [[0.375, -0.406, 1.157]]
        """
        given = self.fixed is None and not (self.design.shape[1] == 1 and (self.design == 1).all())
        x, frame = rows_of(data, self.fixed, self.terms, given)
        at, levels, variance = new_effects(self.components, len(x), frame)
        x = x[at]
        estimate = x @ self.beta
        square = np.einsum("mp,pq,mq->m", x, self.cov, x)
        crit = critical(self.level, least_df(x, self.term_df))
        half, wide = crit * np.sqrt(square), crit * np.sqrt(square + variance)
        out = pd.DataFrame({
            "estimate": estimate, "std_error": np.sqrt(square), "conf_low": estimate - half,
            "conf_high": estimate + half, "conf_level": self.level, "pred_low": estimate - wide,
            "pred_high": estimate + wide,
        })  # fmt: skip
        for name in reversed(levels[0] if levels else {}):
            out.insert(0, name, [row[name] for row in levels])
        return out

    def likelihood_ratio(self, smaller: MixedFit) -> pd.DataFrame:
        """Test a simpler fit against this one: ``statistic, df, p_value``, one row.

        Parameters
        ----------
        smaller : MixedFit
            Of the same estimates, with fewer parameters, nested in this one (which the caller must
            know of the structures); by REML with the same coefficients.
        """
        same = np.array_equal(self.yi, smaller.yi) and np.array_equal(self.vi, smaller.vi)
        if not same or self.method != smaller.method:
            raise DataError("not a fit of the same estimates by the same method", column="smaller")
        if self.method == "REML" and not np.array_equal(self.design, smaller.design):
            raise DataError("restricted likelihoods of other coefficients cannot be compared",
                            column="smaller", allowed='method="ML"')  # fmt: skip
        df = self.parameters - smaller.parameters
        if df < 1:
            raise DataError("has not fewer parameters", column="smaller",
                            value=str(smaller.parameters))  # fmt: skip
        statistic = max(0.0, 2 * (self.loglik - smaller.loglik))
        return pd.DataFrame({"statistic": [statistic], "df": [df],
                             "p_value": [float(chi2_tail(statistic, df))]})  # fmt: skip


def mixed(
    yi: ArrayLike | str,
    vi: ArrayLike | str,
    random: str | Sequence[str] | Mapping[str, str],
    data: Any = None,
    *,
    structure: str = "CS",
    moderators: str | None = None,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    method: str = "REML",
    test: str | None = None,
    dfs: str = "residual",
    level: float = 0.95,
) -> MixedFit:
    """Fit a meta-analysis with nested, crossed or correlated random effects.

    Parameters
    ----------
    yi : array-like, shape (k,), or str
        Estimates on the analysis scale, or the name of their column.
    vi : array-like, shape (k,) or (k, k), or str
        Sampling variances, or their covariance (:func:`metablin.sampling_covariance`).
    random : str, sequence of str, or mapping of str to str
        ``"1 | district/school"``: an effect of each district and of each school in it.
        ``"outcome | trial"``: effects of every outcome, correlated within a trial by `structure`.
        Several terms may cross; a mapping gives each a structure of its own.
    data : frame or mapping of columns
        With the columns that the other arguments name, one row an estimate.
    structure : {"CS", "HCS", "UN", "ID", "DIAG", "AR", "HAR", "CAR"}
        Of ``inner | outer`` terms: compound symmetry with one or with a variance each,
        unstructured, independent with one or with a variance each, autoregressive over the order of
        the levels with one or with a variance each, and over continuous time.
    moderators : str, optional
        Formula of the fixed effects, such as ``"C(outcome) - 1"``; the intercept alone without it.
    design, terms : array-like, shape (k, p), and sequence of str, optional
        The fixed effects as a matrix instead, intercept included, and its names.
    method : {"REML", "ML"}
    test : {"z", "t"}
        Normal or t reference; normal when not given, but t with ``dfs="contain"``.
    dfs : {"residual", "contain"}
        Degrees of freedom of t: k - p, or by containment: a coefficient whose column is the same
        throughout each group of a random effect has as many as there are groups, less p (the least
        where several effects qualify). The omnibus test has the least of its coefficients.
    level : float
        Confidence level.

    Returns
    -------
    MixedFit

    Raises
    ------
    DataError
        For variances that are none, labels that are missing, or effects that cannot be told apart.
    ConvergenceError
        When the likelihood keeps rising.

    Notes
    -----
    The likelihood is maximised by Newton steps over standard deviations, correlations on a sine
    scale, and Cholesky factors, so that variances of zero and correlations of one are reached.

    References
    ----------
    Berkey CS, Hoaglin DC, Antczak-Bouckoms A, Mosteller F, Colditz GA (1998). Meta-analysis of
    multiple outcomes by regression with random effects. Stat Med 17:2537-2550,
    doi:10.1002/(SICI)1097-0258(19981130)17:22<2537::AID-SIM953>3.0.CO;2-C.
    Ishak KJ, Platt RW, Joseph L, Hanley JA, Caro JJ (2007). Meta-analysis of longitudinal studies.
    Clin Trials 4:525-539, doi:10.1177/1740774507083567 (autoregressive).
    Viechtbauer W (2010). J Stat Softw 36(3), doi:10.18637/jss.v036.i03.

    Examples
    --------
    >>> data = {"y": [0.4, -0.3, 0.2, -0.6, 0.5, -0.4, 0.1, -0.4],
    ...         "trial": list("aabbccdd"), "outcome": ["PD", "AL"] * 4}
    >>> fit = mixed("y", [0.01] * 8, "outcome | trial", data, structure="UN",
    ...             moderators="C(outcome) - 1")
    >>> fit.beta.round(3).tolist()
    [-0.425, 0.3]
    >>> fit.correlations()["correlation"].round(2).tolist()
    [0.86]
    """
    y, v = _estimates(yi, vi, data)
    k = len(y)
    method = _input.choice("method", method, ["REML", "ML"])
    dfs = _input.choice("dfs", dfs, ["residual", "contain"])
    if test is None:
        test = "t" if dfs == "contain" else "z"
    test = _input.choice("test", test, ["z", "t"])
    if dfs == "contain" and test == "z":
        raise DataError("degrees of freedom of a normal reference", column="dfs", value=dfs,
                        allowed='test="t"')  # fmt: skip
    level = _input.level(level)
    x, names, fixed = _fixed(y, v, moderators, design, terms, data)
    p = len(names)
    if k <= p and (test == "t" or method == "REML"):
        raise DataError(f"{p} coefficients of {k} estimates", column="moderators")
    found = read_random(random, structure, data, k)
    # orthonormal columns: a year of 1976 next to an intercept would cost half the digits
    basis, upper = np.linalg.qr(x)
    model = Likelihood(y, v, basis, [n.term for n in found], method == "REML")
    typical = float((v if v.ndim == 1 else np.diag(v)).mean())
    rest = y - basis @ (basis.T @ y)
    crude = max(float(rest @ rest) / max(k - p, 1) - typical, 0.1 * typical)
    theta, steps = climb(model, *model.start(math.sqrt(crude)))
    state = model.at(theta, score=False)
    beta = np.linalg.solve(upper, state.beta)
    cov = np.linalg.solve(upper, np.linalg.solve(upper, state.cov).T)
    components = tuple(component(n, theta[part])
                       for n, part in zip(found, model.parts, strict=True))  # fmt: skip
    df = np.full(p, float(k - p) if test == "t" else math.inf)
    if dfs == "contain":
        df = containment(x, [n.term for n in found])
    q = max(Likelihood(y, v, basis, [], False).at(np.empty(0), score=False).q, 0.0)
    return MixedFit(
        terms=names, cov=cov, components=components, yi=y, vi=v, design=x, method=method,
        steps=steps, theta=theta, q=q, q_df=k - p, q_p=float(chi2_tail(q, k - p)), fixed=fixed,
        **_inference(beta, cov, df, level, names),
        **_criteria(state.value, k, p, len(theta), method),
    )  # fmt: skip


def _estimates(yi: Any, vi: Any, data: Any) -> tuple[FloatArray, FloatArray]:
    columns = []
    for name, given in (("yi", yi), ("vi", vi)):
        if isinstance(given, str):
            if data is None:
                raise DataError("the name of a column without a table to find it in", column=name,
                                value=repr(given), allowed="data=, or the values")  # fmt: skip
            given = column_of(data, given)[1]
        columns.append(given)
    y = _input.numeric("yi", columns[0])
    return y, sampling_variances(columns[1], len(y))


def _fixed(
    y: FloatArray, v: FloatArray, moderators: str | None, design: ArrayLike | None,
    terms: Sequence[str] | None, data: Any,
) -> tuple[FloatArray, tuple[str, ...], Design | None]:  # fmt: skip
    if moderators is None:
        return (*given_matrix(design, terms, np.ones(len(y), dtype=bool)), None)
    if design is not None:
        raise DataError("a formula and a matrix at once", column="design", allowed="one of them")
    e = generic(y, v if v.ndim == 1 else np.diag(v))
    built = design_matrix(e, moderators, data)
    return built.matrix, built.terms, built


def _inference(
    beta: FloatArray, cov: FloatArray, term_df: FloatArray, level: float, names: tuple[str, ...]
) -> dict[str, Any]:
    at = [i for i, n in enumerate(names) if n.lower() != "intercept"] or list(range(len(names)))
    df = float(term_df[at].min())
    qm, tail = joint_test(beta[at], cov[np.ix_(at, at)], df)
    return {
        "beta": beta, **wald(beta, cov, term_df, level), "level": level, "df": float(term_df.min()),
        "term_df": term_df, "qm": qm, "qm_df": len(at),
        "qm_df2": math.nan if math.isinf(df) else df, "qm_p": tail,
    }  # fmt: skip


def _criteria(value: float, k: int, p: int, variances: int, method: str) -> dict[str, Any]:
    count = p + variances
    n = k - p if method == "REML" else k
    enough = max(n, count + 2)
    return {
        "loglik": value, "parameters": count, "aic": 2 * count - 2 * value,
        "bic": count * math.log(n) - 2 * value,
        "aicc": 2 * count * enough / (enough - count - 1) - 2 * value,
    }  # fmt: skip
