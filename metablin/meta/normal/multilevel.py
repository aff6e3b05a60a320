"""Multilevel meta-analysis: several estimates per trial, several trials per population.

Estimates that share a trial (or a population) share a random effect, so they no longer count as
independent evidence. Sampling variances are known, variance components are estimated by REML or
ML with exact second derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from metablin import _input
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.design import design_matrix, sampling_variances
from metablin.meta.core.fit import MetaFit, make_fit
from metablin.meta.core.options import Options, align
from metablin.meta.core.parts import Heterogeneity
from metablin.meta.normal.blocks import Model, State
from metablin.numerics.inference import chi2_tail, critical, wald
from metablin.records import Coefficients

__all__ = ["MultilevelFit", "fit_multilevel", "multilevel"]

FloatArray = NDArray[np.float64]
#: Newton's decrement below which the next full step is exact to rounding and ends the search.
DECREMENT = 1e-10
MAX_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MultilevelFit(Coefficients):
    """A fitted multilevel model ``y = X beta + sum_l u_l + e``.

    Attributes
    ----------
    levels : tuple of str
        Names of the random effects, outermost first; `groups` holds how many groups each has.
    sigma2 : ndarray, shape (L,)
        Their variances; `sigma2_conf_low` and `sigma2_conf_high` are profile-likelihood limits
        (NaN unless asked for).
    terms : tuple of str
        Names of the p coefficients.
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
        Coefficients and their inference.
    cov : ndarray, shape (p, p)
        Covariance of the coefficients.
    vi : ndarray, shape (k,) or (k, k)
        Sampling variances or covariances.
    codes : ndarray of int, shape (L, k)
        Group of every estimate at each level.
    shares : ndarray, shape (k,)
        Weight of every estimate in an intercept-only fit; they sum to 1.
    design : ndarray, shape (k, p)
        X.
    yi : ndarray, shape (k,)
        The estimates.
    loglik, aic, bic : float
        Of the (restricted) likelihood, with its constants, as R's metafor counts them.
    q, q_df, q_p : float
        Test of residual heterogeneity with the sampling variances alone.
    i2 : ndarray, shape (L,)
        Share of the variance that lies at each level.
    pred_low, pred_high : float
        Prediction interval for a true effect in a new outermost group (intercept-only models).
    """

    UNWRITTEN: ClassVar[frozenset[str]] = frozenset({"vi", "codes", "shares", "design", "yi"})

    levels: tuple[str, ...]
    groups: tuple[int, ...]
    sigma2: FloatArray
    sigma2_conf_low: FloatArray
    sigma2_conf_high: FloatArray
    vi: FloatArray
    codes: NDArray[np.intp]
    shares: FloatArray
    design: FloatArray
    yi: FloatArray
    method: str
    loglik: float
    aic: float
    bic: float
    q: float
    q_df: int
    q_p: float
    i2: FloatArray
    pred_low: float
    pred_high: float
    steps: int

    @property
    def working(self) -> FloatArray:
        """Marginal covariance of the estimates at the fit, (k, k)."""
        m = np.diag(self.vi) if self.vi.ndim == 1 else self.vi.copy()
        for variance, code in zip(self.sigma2, self.codes, strict=True):
            m += variance * (code[:, None] == code[None, :])
        return m


def multilevel(
    yi: ArrayLike,
    vi: ArrayLike,
    levels: Mapping[str, Sequence[Any]],
    *,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    method: str = "REML",
    test: str = "z",
    profile: bool = False,
    level: float = 0.95,
    studies: Sequence[str] | None = None,
) -> MultilevelFit:
    """Fit a multilevel random-effects model with known sampling variances.

    Parameters
    ----------
    yi : array-like, shape (k,)
        Estimates on the analysis scale.
    vi : array-like, shape (k,) or (k, k)
        Sampling variances, or their full covariance matrix.
    levels : mapping of str to sequence
        Group labels, outermost level first; each level is nested in those before it. Three-level
        model: ``{"trial": trial, "estimate": range(k)}``.
    design : array-like, shape (k, p), optional
        Moderators, intercept included.
    terms : sequence of str, optional
        Names of the p columns.
    method : {"REML", "ML"}
        Likelihood to maximise.
    test : {"z", "t"}
        Normal or t(k - p) reference.
    profile : bool
        Also give profile-likelihood limits of the variances.
    level : float
        Confidence level.
    studies : sequence of str, optional
        Labels for error messages.

    Returns
    -------
    MultilevelFit

    Raises
    ------
    DataError
        For variances that are not positive, labels of the wrong length, or levels that cannot
        be told apart (two levels that group the estimates in the same way).
    ConvergenceError
        When the likelihood keeps rising.

    References
    ----------
    Konstantopoulos S (2011), Res Synth Methods 2:61, doi:10.1002/jrsm.35. Viechtbauer W (2010),
    J Stat Softw 36(3), doi:10.18637/jss.v036.i03. Nakagawa S, Santos ESA (2012), Evol Ecol
    26:1253, doi:10.1007/s10682-012-9555-5 (I2 of a level).

    Examples
    --------
    >>> y = [-0.2, -0.1, 0.3, 0.4, 0.1, -0.4]
    >>> trial = ["A", "A", "B", "B", "C", "D"]
    >>> fit = multilevel(y, [0.02] * 6, {"trial": trial, "estimate": range(6)})
    >>> fit.beta.round(4).tolist(), fit.sigma2.round(4).tolist()
    ([-0.019], [0.0896, 0.0])
    """
    y = _input.numeric("yi", yi, studies=studies)
    v = sampling_variances(vi, len(y), studies)
    k = len(y)
    x, names = design_matrix(design, terms, np.ones(k, dtype=bool))
    method = _input.choice("method", method, ["REML", "ML"])
    test = _input.choice("test", test, ["z", "t"])
    level = _input.level(level)
    codes, groups = _groups(levels, k)
    # orthonormal columns: a year of 1976 next to an intercept would cost half the digits
    basis, upper = np.linalg.qr(x)
    model = Model(y, v, basis, codes, method == "REML")
    sigma2, steps = _climb(model)
    state = model.at(sigma2)
    beta = np.linalg.solve(upper, state.beta)
    cov = np.linalg.solve(upper, np.linalg.solve(upper, state.cov).T)
    low = high = np.full(len(codes), np.nan)
    if profile:
        low, high = _profiles(model, sigma2, float(special.chdtri(1, 1 - level)))
    p = len(names)
    df = float(k - p) if test == "t" else math.inf
    if k == p and test == "t":
        raise DataError("no degrees of freedom for test='t'", value=f"{k} estimates")
    inference = wald(beta, cov, df, level)
    known = model.at(np.zeros(len(codes)))
    typical = (k - p) / known.trace_p if k > p else float(model.variances.mean())
    q = max(known.q, 0.0)
    n_par, n_obs = p + len(codes), k - p if method == "REML" else k
    spread = math.sqrt(inference["std_error"][0] ** 2 + sigma2.sum()) if p == 1 else math.nan
    reach = float(critical(level, df)) * spread
    return MultilevelFit(
        levels=tuple(levels), groups=groups, sigma2=sigma2, sigma2_conf_low=low,
        sigma2_conf_high=high, terms=names, beta=beta, **inference, level=level, df=df, cov=cov,
        vi=v, codes=np.array(codes),
        shares=state.row_sums / state.row_sums.sum(), design=x.copy(), yi=y,
        method=method, loglik=state.loglik, aic=2 * n_par - 2 * state.loglik,
        bic=n_par * math.log(max(n_obs, 1)) - 2 * state.loglik, q=q, q_df=k - p,
        q_p=float(chi2_tail(q, k - p)), i2=sigma2 / (sigma2.sum() + typical),
        pred_low=float(beta[0]) - reach, pred_high=float(beta[0]) + reach,
        steps=steps,
    )  # fmt: skip


def fit_multilevel(e: EffectSizes, options: Options) -> MetaFit:
    """Pool estimates nested in trials (see :func:`metablin.pool`).

    Options: ``levels`` (mapping of names to labels, one per input row, outermost first; a level
    of its own for every estimate is added when it is missing) and ``profile``. ``tau2`` is
    ``REML`` or ``ML``; the fit's tau2 is the sum over the levels.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([-0.2, -0.1, 0.3, 0.4], [0.02] * 4)
    >>> fit = mb.pool(e, model="multilevel", levels={"trial": ["A", "A", "B", "B"]})
    >>> round(fit.estimate, 4)
    0.1
    """
    extra = options.only("levels", "profile")
    if not isinstance(extra.get("levels"), Mapping) or not extra["levels"]:
        raise DataError(
            "model 'multilevel' needs groups", column="levels",
            allowed="a mapping such as {'trial': labels}",
        )  # fmt: skip
    levels = {name: list(align(e, name, labels)) for name, labels in extra["levels"].items()}
    if _group_count(levels) < e.k:
        levels["estimate"] = list(range(e.k))
    method = _input.choice("tau2", options.tau2, ["REML", "ML"])
    fit = multilevel(
        e.yi, e.vi, levels, method=method, test=options.ci, level=options.level,
        profile=bool(extra.get("profile", False)), studies=e.studies,
    )  # fmt: skip
    total = float(fit.sigma2.sum())
    share = float(fit.i2.sum())
    het = Heterogeneity(
        tau2=total, i2=share, h2=1 / (1 - share) if share < 1 else math.inf, q=fit.q,
        q_df=fit.q_df, q_p=fit.q_p,
    )  # fmt: skip
    components = [
        {"level": n, "groups": g, "sigma2": float(s), "i2": float(i)}
        for n, g, s, i in zip(fit.levels, fit.groups, fit.sigma2, fit.i2, strict=True)
    ]
    return make_fit(
        e, options, estimate=float(fit.beta[0]), std_error=float(fit.std_error[0]), df=fit.df,
        heterogeneity=het, tau2_method=method, weights=fit.shares,
        extra={"components": components, "loglik": fit.loglik},
    )  # fmt: skip


def _nested(levels: Mapping[str, Sequence[Any]]) -> list[NDArray[np.intp]]:
    """Return group numbers of every level, each nested in the levels before it."""
    out: list[NDArray[np.intp]] = []
    for labels in levels.values():
        codes = pd.factorize(np.asarray([str(x) for x in labels], dtype=object))[0]
        if out:
            pairs = pd.MultiIndex.from_arrays([out[-1], codes])
            codes = pd.factorize(pairs)[0]
        out.append(np.asarray(codes, dtype=np.intp))
    return out


def _group_count(levels: Mapping[str, Sequence[Any]]) -> int:
    return int(_nested(levels)[-1].max()) + 1


def _groups(
    levels: Mapping[str, Sequence[Any]], k: int
) -> tuple[list[NDArray[np.intp]], tuple[int, ...]]:
    if not levels:
        raise DataError("no levels", column="levels", allowed="at least one grouping")
    for name, labels in levels.items():
        if len(labels) != k:
            raise DataError(f"{len(labels)} labels for {k} estimates", column=str(name))
        for i, label in enumerate(labels):
            if label is None or label != label or str(label) == "":
                raise DataError("no label", row=i + 1, column=str(name))
    codes = _nested(levels)
    counts = [int(c.max()) + 1 for c in codes]
    for name, fewer, more in zip(list(levels)[1:], counts, counts[1:], strict=False):
        if fewer == more:
            raise DataError(
                "groups the estimates just as the level before it, so the two variances cannot "
                "be told apart", column=str(name),
            )  # fmt: skip
    if counts[0] == 1:
        raise DataError(
            "one group only: its variance cannot be told from the mean", column=next(iter(levels))
        )
    return codes, tuple(counts)


def _climb(
    model: Model, start: FloatArray | None = None, fixed: int | None = None
) -> tuple[FloatArray, int]:
    """Maximise over non-negative variances by Newton steps with an active set."""
    size = model.size
    if start is None:
        typical = float(model.variances.mean())
        crude = max(float(np.var(model.y)) - typical, 0.0)
        start = np.full(size, max(crude, 0.1 * typical) / size)
    sigma2, state = start.copy(), model.at(start)
    for step_count in range(1, MAX_STEPS + 1):
        free = ~((sigma2 == 0) & (state.score <= 0))
        if fixed is not None:
            free[fixed] = False
        if not free.any():
            return sigma2, step_count
        step = np.zeros(size)
        step[free] = _direction(state, free)
        if float(state.score @ step) < DECREMENT * (1 + abs(state.loglik)):
            return np.maximum(sigma2 + step, 0.0), step_count
        sigma2, state = _move(model, sigma2, state, step)
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} steps")


def _direction(state: State, free: NDArray[np.bool_]) -> FloatArray:
    """Return Newton's step, or Fisher's where the likelihood is not concave."""
    score, chosen = state.score[free], state.observed[np.ix_(free, free)]
    if np.linalg.eigvalsh(chosen)[0] <= 1e-12 * abs(np.linalg.eigvalsh(chosen)[-1]):
        chosen = state.expected[np.ix_(free, free)]
    return np.asarray(np.linalg.solve(chosen, score))


def _move(
    model: Model, sigma2: FloatArray, state: State, step: FloatArray
) -> tuple[FloatArray, State]:
    scale = 1.0
    for _ in range(60):
        trial = np.maximum(sigma2 + scale * step, 0.0)
        new = model.at(trial)
        if new.loglik >= state.loglik - 1e-13 * (1 + abs(state.loglik)):
            return trial, new
        scale *= 0.5
    raise ConvergenceError("no step raises the likelihood")


def _profiles(model: Model, sigma2: FloatArray, cut: float) -> tuple[FloatArray, FloatArray]:
    """Return profile-likelihood limits of every variance."""
    top = model.at(sigma2).loglik
    low, high = np.zeros(len(sigma2)), np.full(len(sigma2), np.inf)
    scale = float(np.var(model.y)) + float(model.variances.mean())
    for j in range(len(sigma2)):

        def fall(value: float, j: int = j) -> float:
            start = np.maximum(sigma2, 1e-3 * scale)
            start[j] = value
            best, _ = _climb(model, start, fixed=j)
            return 2 * (top - model.at(best).loglik) - cut

        if sigma2[j] > 0 and fall(0.0) > 0:
            low[j] = optimize.brentq(fall, 0.0, sigma2[j], xtol=1e-12 * scale)
        far = sigma2[j] + scale
        while fall(far) < 0 and far < 1e6 * scale:
            far *= 2
        if far < 1e6 * scale:
            high[j] = optimize.brentq(fall, sigma2[j], far, xtol=1e-12 * scale)
    return low, high
