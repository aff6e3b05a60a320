"""Moderators: a formula becomes a design, and coefficients of that design predict."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._frame import frame_of
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.io import Formula as ParsedFormula
from metablin.io import moderator_columns, read_formula
from metablin.numerics.inference import critical
from metablin.records import Coefficients, freeze, json_dict

__all__ = ["Design", "Regression", "design_matrix", "new_rows", "rebuild_spec"]

FloatArray = NDArray[np.float64]

_FUNCTIONS = {"sqrt": np.sqrt}
"""Functions of the grammar that formulaic does not have; it has the others."""

RANK_TOLERANCE = 1e-10
"""Smallest singular value, as a share of the largest, of a design with unit columns that counts
as full rank; below it coefficients would have no correct digit to speak of."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design matrix of the included studies.

    Attributes
    ----------
    matrix : ndarray, shape (k, p)
    terms : tuple of str
        Column names.
    formula : str
    spec : object
        The formulaic model spec, which builds the same columns from new data.
    columns : DataFrame, shape (k, m)
        The moderators as they were used.
    """

    matrix: FloatArray
    terms: tuple[str, ...]
    formula: str
    spec: Any
    columns: pd.DataFrame

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def tested(self) -> NDArray[np.intp]:
        """Positions of the moderators: all columns but the intercept."""
        at = [i for i, term in enumerate(self.terms) if term != "Intercept"]
        return np.array(at or range(len(self.terms)), dtype=np.intp)

    @property
    def has_intercept(self) -> bool:
        """Whether one column is the intercept."""
        return "Intercept" in self.terms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Regression(Coefficients):
    """Coefficients of a meta-regression, on the analysis scale.

    Attributes
    ----------
    design : Design
    beta, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (p,)
    cov : ndarray, shape (p, p)
        Covariance of the coefficients, Hartung-Knapp factor included.
    df : float
        k - p for t and F, infinite for z.
    level : float
    qm, qm_df, qm_df2, qm_p : float
        Test of all moderators: chi-square with ``qm_df`` degrees of freedom under z
        (``qm_df2`` is then NaN), else F with ``qm_df`` and ``qm_df2``.
    r2 : float
        Share of the between-study variance the moderators account for; NaN when there was none, or
        without an intercept.
    """

    design: Design
    qm: float
    qm_df: int
    qm_df2: float
    qm_p: float
    r2: float

    def to_dict(self) -> dict[str, Any]:
        """Return the entries a meta-regression adds to the JSON object."""
        names = ("qm", "qm_df", "qm_df2", "qm_p", "r2")
        return json_dict(
            {
                "moderators": self.design.formula,
                "coefficients": self.to_frame(),
                **{name: getattr(self, name) for name in names},
            }
        )

    def predict(
        self, data: Any, tau2: float | None, back: Callable[[FloatArray], FloatArray]
    ) -> pd.DataFrame:
        """Return predictions at new values; see :meth:`metablin.meta.core.fit.MetaFit.predict`.

        Without `tau2` (a common effect) there is no prediction interval; `back` leads from the
        analysis scale to the reader's.
        """
        x = new_rows(self.design, data)
        estimate = x @ self.beta
        variance = np.einsum("ij,jk,ik->i", x, self.cov, x)
        crit = float(critical(self.level, self.df))
        half = crit * np.sqrt(variance)
        none = np.full_like(half, math.nan)
        wide = none if tau2 is None else crit * np.sqrt(variance + tau2)
        return pd.DataFrame(
            {
                "estimate": back(estimate),
                "std_error": np.sqrt(variance),
                "conf_low": back(estimate - half),
                "conf_high": back(estimate + half),
                "conf_level": self.level,
                "pred_low": back(estimate - wide),
                "pred_high": back(estimate + wide),
            }
        )


def design_matrix(e: EffectSizes, formula: str, data: Any) -> Design:
    """Return the design of `formula` for the included studies.

    Parameters
    ----------
    e : EffectSizes
    formula : str
        Right-hand side in R's notation, such as ``"year + C(line)"`` or ``"x + I(x^2)"``; what
        may stand in it is in :func:`metablin.io.read_formula`.
    data : DataFrame or mapping of columns
        One row per input row of `e` (or per included study).

    Raises
    ------
    DataError
        For a formula that cannot be read, an unknown column, a missing value (naming study and
        column), a moderator without variation, collinear moderators, or as many coefficients as
        studies.
    """
    from formulaic import Formula

    if data is None:
        raise DataError("moderators need data", column="data", allowed="a table of moderators")
    parsed = read_formula(formula)
    frame = _as_frame(data)
    if len(frame) not in (e.n_rows, e.k):
        raise DataError(f"{len(frame)} rows for {e.n_rows} studies", column="data")
    frame = frame.iloc[e.rows if len(frame) == e.n_rows else slice(None)].reset_index(drop=True)
    columns = moderator_columns(parsed, frame, [int(i) + 1 for i in e.rows], e.studies)
    spec = _model_spec(Formula(parsed.flat), columns, formula)
    matrix = _materialise(spec, columns)
    design = Design(matrix, _term_names(spec, parsed), formula, spec, columns)
    _check_design(design)
    return design


def new_rows(design: Design, data: Any) -> FloatArray:
    """Return the rows of a design at new values of its moderators, shape (m, p).

    Raises
    ------
    DataError
        For a column that is not there, or a value the design has not met.
    """
    frame = _as_frame(data)
    formula = read_formula(design.formula)
    return _materialise(design.spec, moderator_columns(formula, frame, range(1, len(frame) + 1)))


def rebuild_spec(formula: str, columns: pd.DataFrame) -> Any:
    """Return the model spec of a formula from the columns it was first evaluated on."""
    from formulaic import Formula

    return _model_spec(Formula(read_formula(formula).flat), columns, formula)


def _term_names(spec: Any, formula: ParsedFormula) -> tuple[str, ...]:
    """Return the names of the columns, with factors as the user wrote them."""
    names = [str(c) for c in spec.column_names]
    for evaluated, written in formula.written.items():
        names = [name.replace(evaluated, written) for name in names]
    return tuple(names)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def _as_frame(data: Any) -> pd.DataFrame:
    return frame_of(data).reset_index(drop=True)


def _model_spec(parsed: Any, frame: pd.DataFrame, formula: str) -> Any:
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            return parsed.get_model_matrix(frame, na_action="ignore", context=_FUNCTIONS).model_spec
    except (FormulaicError, TypeError, ValueError) as error:
        raise DataError(
            f"the formula cannot be evaluated ({_first_line(error)})",
            column="moderators",
            value=repr(formula),
        ) from error


def _materialise(spec: Any, frame: pd.DataFrame) -> FloatArray:
    """Return the design matrix, refusing values that turn non-finite and unknown categories."""
    import warnings

    from formulaic.errors import DataMismatchWarning, FormulaicError

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            raw = spec.get_model_matrix(frame, na_action="ignore", context=_FUNCTIONS)
        except (FormulaicError, DataMismatchWarning) as error:
            raise DataError(
                f"the moderators cannot be evaluated ({_first_line(error)})", column="moderators"
            ) from error
    matrix = np.ascontiguousarray(raw.to_numpy(), dtype=np.float64)
    for i, j in np.argwhere(~np.isfinite(matrix))[:1]:
        raise DataError("a moderator is not finite", row=int(i) + 1, column=str(raw.columns[j]))
    return matrix


def _check_design(design: Design) -> None:
    k, p = design.matrix.shape
    if p == 0:
        raise DataError("the formula has no terms", column="moderators", value=design.formula)
    if k <= p:
        raise DataError(
            f"{p} coefficients for {k} studies",
            column="moderators",
            value=design.formula,
            allowed=f"at most {max(k - 1, 0)} coefficients",
        )
    flat = [
        term
        for term, column in zip(design.terms, design.matrix.T, strict=True)
        if term != "Intercept" and np.ptp(column) == 0
    ]
    if flat and (design.has_intercept or not design.matrix.any(0).all()):
        raise DataError("the moderator is the same in all studies", column=flat[0])
    values = np.linalg.svd(design.matrix / np.linalg.norm(design.matrix, axis=0), compute_uv=False)
    if values[-1] < RANK_TOLERANCE * values[0]:
        raise DataError(
            "moderators are collinear: one follows from the others",
            column="moderators",
            value=", ".join(design.terms),
        )
