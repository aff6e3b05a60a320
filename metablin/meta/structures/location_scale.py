"""Location-scale models: moderators of the effect, and of how much effects differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin import _input
from metablin.effects import EffectSizes
from metablin.errors import ConvergenceError, DataError
from metablin.meta.core.moderators import Design, design_matrix
from metablin.meta.core.options import needs_effects
from metablin.meta.core.text import p_phrase
from metablin.numerics.gls import gls
from metablin.numerics.inference import chi2_tail, joint_test, wald
from metablin.records import Coefficients, Record, json_dict

__all__ = ["LocationScale", "Part", "location_scale"]

FloatArray = NDArray[np.float64]

DECREMENT = 1e-12
"""Newton's decrement, relative to the likelihood, below which the next step ends the search."""
MAX_STEPS = 200
SHORT = 1e-3
"""Longest change of the logarithm of a variance in the last step."""
LARGEST_STEP = 2.0
"""Of the logarithm of a variance in one step."""
FLAT = 1e-13
"""Curvature below this share of the largest is rounding."""
NONE_LEFT = -25.0
"""log tau2, relative to the sampling variance, below which a variance is none."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part(Coefficients):
    """Coefficients of one part of the model, and the test of its moderators.

    Attributes
    ----------
    test, test_df, test_p : float
        Of all coefficients but the intercept: chi-square, or F (with `df`) under ``test="t"``.
    """

    test: float
    test_df: int
    test_p: float

    @property
    def estimate(self) -> FloatArray:
        """The coefficients, ``beta`` of other fits."""
        return self.beta


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LocationScale(Record):
    """A fitted location-scale model: ``y_i ~ N(x_i' beta, v_i + exp(z_i' alpha))``.

    Attributes
    ----------
    location : Part
        Of the effect, on the analysis scale.
    scale : Part
        Of the logarithm of the between-study variance.
    tau2 : ndarray, shape (k,)
        Between-study variance of every study.
    method : str
    loglik, aic, bic : float
        With their constants, as R's metafor counts them.
    q, q_df, q_p : float
        Test of residual heterogeneity.
    effects : EffectSizes
    """

    location: Part
    scale: Part
    tau2: FloatArray
    method: str
    loglik: float
    aic: float
    bic: float
    q: float
    q_df: int
    q_p: float
    effects: EffectSizes

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient, with ``part`` (location or scale) first."""
        parts = {"location": self.location, "scale": self.scale}
        frames = [p.to_frame().assign(part=name) for name, p in parts.items()]
        frame = pd.concat(frames, ignore_index=True)
        frame.insert(0, "part", frame.pop("part"))
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the fit in plain types, ready for JSON."""
        names = ("method", "loglik", "aic", "bic", "q", "q_df", "q_p", "tau2")
        tests = {
            name: {"statistic": part.test, "df": part.test_df, "p_value": part.test_p}
            for name, part in (("location", self.location), ("scale", self.scale))
        }
        return json_dict(
            {n: getattr(self, n) for n in names} | {"coefficients": self.to_frame(), "tests": tests}
        )

    def summary(self) -> str:
        """Return the fit as text for people."""
        table = self.to_frame().drop(columns="conf_level")
        lines = [f"{self.effects.k} studies, {self.method}, log-likelihood {self.loglik:.3f}"]
        lines.append(table.to_string(index=False, float_format="{:.4f}".format))
        for name, part in (("effect", self.location), ("variance", self.scale)):
            if len(part.terms) > 1:
                lines.append(f"Moderators of the {name}: {p_phrase(part.test_p)}")
        lines.append("Coefficients of the scale are of the logarithm of tau2.")
        return "\n".join(lines)


def location_scale(
    e: EffectSizes,
    scale: str,
    moderators: str | None = None,
    data: Any = None,
    *,
    method: str = "REML",
    test: str = "z",
    level: float = 0.95,
) -> LocationScale:
    """Fit a model in which moderators also change the between-study variance.

    Parameters
    ----------
    e : EffectSizes
    scale : str
        Formula of the logarithm of tau2, such as ``"year"``; ``"1"`` is the ordinary model.
    moderators : str, optional
        Formula of the effect; one mean without it.
    data : DataFrame or mapping
        Table of the moderators, one row per input row.
    method : {"REML", "ML"}
    test : {"z", "t"}
        Normal or t reference: k - p for the effect, k - q for the variance.
    level : float
        Confidence level.

    Returns
    -------
    LocationScale

    Raises
    ------
    DataError
        For a formula that does not fit the data, or fewer studies than coefficients.
    ConvergenceError
        When the variance tends to zero, so that its logarithm has no finite estimate.

    References
    ----------
    Viechtbauer W, López-López JA (2022). Location-scale models for meta-analysis. Res Synth
    Methods 13:697-715, doi:10.1002/jrsm.1562.

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.2, 0.15, 0.2, 0.9, -0.6, 1.4, -0.2], [0.01] * 8)
    >>> fit = mb.location_scale(e, "x", data={"x": [1, 5, 2, 4, 5, 5, 6, 6]})
    >>> bool(fit.scale.estimate[1] > 0)
    True
    """
    needs_effects(e)
    method = _input.choice("method", method, ["REML", "ML"])
    test = _input.choice("test", test, ["z", "t"])
    level = _input.level(level)
    place = _design(e, moderators, data)
    spread = _design(e, scale, data)
    x, z = place.matrix, spread.matrix
    (k, p), q = x.shape, z.shape[1]
    if k <= max(p, q):
        raise DataError(f"{max(p, q)} coefficients of {k} studies", column="scale")
    reml = method == "REML"
    # orthonormal columns of both parts: calendar years cost no digits
    basis = np.linalg.qr(x)[0]
    inner, lower = np.linalg.qr(z)
    alpha, value, curve = _climb(e, basis, inner, reml)
    tau2 = np.exp(inner @ alpha)
    solved = gls(e.yi, 1 / (e.vi + tau2), x)
    turned = np.linalg.solve(lower, np.linalg.solve(lower, np.linalg.inv(curve)).T)
    known = gls(e.yi, 1 / e.vi, x)
    count, n = p + q, k - p if reml else k
    dfs = (float(k - p), float(k - q)) if test == "t" else (math.inf, math.inf)
    heterogeneity = float(known.rss)
    return LocationScale(
        location=_part(place, solved.beta, solved.cov, dfs[0], level),
        scale=_part(spread, np.linalg.solve(lower, alpha), turned, dfs[1], level),
        tau2=tau2, method=method, loglik=value, aic=2 * count - 2 * value,
        bic=count * math.log(n) - 2 * value, q=heterogeneity, q_df=k - p,
        q_p=float(chi2_tail(heterogeneity, k - p)), effects=e,
    )  # fmt: skip


def _design(e: EffectSizes, formula: str | None, data: Any) -> Design:
    if formula is None or (isinstance(formula, str) and formula.strip() == "1"):
        return Design(np.ones((e.k, 1)), ("Intercept",), "1", None, pd.DataFrame(index=range(e.k)))
    return design_matrix(e, formula, data)


def _at(
    e: EffectSizes, x: FloatArray, z: FloatArray, alpha: FloatArray, reml: bool
) -> tuple[float, FloatArray, FloatArray]:
    """Return the likelihood, its score and its observed information in alpha."""
    tau2 = np.exp(z @ alpha)
    w = 1 / (e.vi + tau2)
    info = x.T @ (w[:, None] * x)
    cov = np.linalg.inv(info)
    wx = w[:, None] * x
    py = w * e.yi - wx @ (cov @ (wx.T @ e.yi))
    n = len(w) - x.shape[1] * reml
    value = 0.5 * (float(np.log(w).sum()) - float(e.yi @ py) - n * math.log(2 * math.pi))
    if reml:
        value -= 0.5 * float(np.linalg.slogdet(info)[1])
    taken = wx @ cov  # P = W - wx cov wx'
    lost = (taken * wx).sum(1)
    used = w - lost if reml else w
    # derivatives of M are diagonal: t_i z_ij
    own = tau2 * (py**2 - used)
    score = 0.5 * z.T @ own
    p = np.diag(w) - taken @ wx.T
    trace = (p * p) if reml else np.diag(w**2)
    pair = np.outer(tau2, tau2) * (np.outer(py, py) * p - 0.5 * trace)
    observed = z.T @ pair @ z - 0.5 * z.T @ (own[:, None] * z)
    return value, score, observed


def _climb(
    e: EffectSizes, x: FloatArray, z: FloatArray, reml: bool
) -> tuple[FloatArray, float, FloatArray]:
    typical = float(e.vi.mean())
    rest = e.yi - x @ (x.T @ e.yi)
    crude = max(float(rest @ rest) / (len(rest) - x.shape[1]) - typical, 0.1 * typical)
    alpha = z.T @ np.full(len(z), math.log(crude))
    value, score, observed = _at(e, x, z, alpha, reml)
    for _ in range(MAX_STEPS):
        sizes, vectors = np.linalg.eigh(observed)
        floor = FLAT * max(float(np.abs(sizes).max()), FLAT)
        step = vectors @ ((vectors.T @ score) / np.maximum(np.abs(sizes), floor))
        step /= max(1.0, float(np.abs(z @ step).max()) / LARGEST_STEP)
        # where a variance tends to zero the likelihood is flat, but the steps stay long
        done = float(score @ step) < DECREMENT * (1 + abs(value))
        done = done and float(np.abs(z @ step).max()) < SHORT
        fraction = 1.0
        for _ in range(50):
            found = _at(e, x, z, alpha + fraction * step, reml)
            if found[0] > value or done:
                break
            fraction /= 2
        else:
            return alpha, value, observed
        alpha = alpha + fraction * step
        value, score, observed = found
        _some_left(e, z @ alpha)
        if done:
            return alpha, value, observed
    raise ConvergenceError(f"the likelihood still rises after {MAX_STEPS} steps")


def _some_left(e: EffectSizes, log_tau2: FloatArray) -> None:
    least = int(np.argmin(log_tau2 - np.log(e.vi)))
    if log_tau2[least] - math.log(e.vi[least]) < NONE_LEFT:
        raise ConvergenceError(
            f"the variance between studies tends to zero ({e.studies[least]}), so that its "
            "logarithm has no finite estimate"
        )


def _part(design: Design, beta: FloatArray, cov: FloatArray, df: float, level: float) -> Part:
    at = design.tested
    test, tail = joint_test(beta[at], cov[np.ix_(at, at)], df)
    return Part(
        terms=design.terms, beta=beta, **wald(beta, cov, df, level), cov=cov, df=df, level=level,
        test=test, test_df=len(at), test_p=tail,
    )  # fmt: skip
