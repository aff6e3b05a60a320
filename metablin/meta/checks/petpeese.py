"""PET-PEESE: the pooled effect corrected for small-study effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from metablin._input import level as check_level
from metablin._input import one
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.checks.asymmetry import SmallStudyTest, linear_test
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.meta.core.text import p_text
from metablin.numerics.inference import two_sided
from metablin.records import Record, json_dict

__all__ = ["PetPeese", "pet_peese"]

ON_THE_LINE = 1e-12
"""A standard error this small beside the effects is zero but for rounding."""

PEESE_ALPHA = 0.10
"""PEESE replaces PET when PET's effect differs from zero at this two-sided level, the one-sided 5%
of Stanley and Doucouliagos (2014)."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PetPeese(Record):
    """The precision-effect test and the precision-effect estimate with standard error.

    Attributes
    ----------
    pet, peese : SmallStudyTest
        Regressions on the standard error and on the variance.
    chosen : str
        ``pet`` or ``peese``.
    estimate, std_error, p_value, conf_low, conf_high : float
        Effect of the chosen regression at a predictor of zero, on the analysis scale.
    """

    pet: SmallStudyTest
    peese: SmallStudyTest
    chosen: str

    @property
    def _test(self) -> SmallStudyTest:
        return self.pet if self.chosen == "pet" else self.peese

    @property
    def estimate(self) -> float:
        """Corrected effect on the analysis scale."""
        return self._test.limit

    @property
    def std_error(self) -> float:
        """Standard error of the corrected effect."""
        return self._test.limit_std_error

    @property
    def conf_low(self) -> float:
        """Lower limit."""
        return self._test.limit_low

    @property
    def conf_high(self) -> float:
        """Upper limit."""
        return self._test.limit_high

    @property
    def p_value(self) -> float:
        """Test that the corrected effect is zero."""
        return float(two_sided(self.estimate / self.std_error, self._test.df))

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each regression; ``chosen`` marks the one the rule picks."""
        frame = pd.concat([self.pet.to_frame(), self.peese.to_frame()], ignore_index=True)
        frame["chosen"] = frame["method"] == self.chosen
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready Python types."""
        names = ("chosen", "estimate", "std_error", "p_value", "conf_low", "conf_high")
        return json_dict(
            {
                **{name: getattr(self, name) for name in names},
                "pet": self.pet.to_dict(),
                "peese": self.peese.to_dict(),
            }
        )

    def summary(self) -> str:
        """Return the result as text for people."""
        return (
            f"PET-PEESE picks {self.chosen.upper()}: {self.estimate:.4g} "
            f"[{100 * self.pet.level:g}% CI {self.conf_low:.4g} to {self.conf_high:.4g}], "
            f"p = {p_text(self.p_value)}\n{self.pet.summary()}\n{self.peese.summary()}"
        )


def pet_peese(
    e: EffectSizes | MetaFit, alpha: float = PEESE_ALPHA, level: float = 0.95
) -> PetPeese:
    """Correct the pooled effect for small-study effects by PET-PEESE.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.
    alpha : float
        PEESE is taken when PET's effect differs from zero at this two-sided level.
    level : float

    Returns
    -------
    PetPeese

    References
    ----------
    Stanley TD, Doucouliagos H (2014). Meta-regression approximations to reduce publication
    selection bias, section 4. doi:10.1002/jrsm.1095

    Examples
    --------
    >>> import metablin as mb
    >>> r = pet_peese(mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))
    >>> r.chosen, round(r.estimate, 3)
    ('peese', 0.025)
    """
    e, level = effects_of(e), check_level(level)
    alpha = one("alpha", alpha, minimum=0.0, maximum=1.0)
    w = 1 / e.vi
    pet = linear_test("pet", "std_error", e, e.yi, w, np.sqrt(e.vi), level)
    peese = linear_test("peese", "variance", e, e.yi, w, e.vi, level)
    least = ON_THE_LINE * float(np.abs(e.yi).max())
    if min(pet.limit_std_error, peese.limit_std_error) <= least:
        raise DataError("all effects lie on the line, so its standard error is zero",
                        column="yi", allowed="effects that differ")  # fmt: skip
    p = float(two_sided(pet.limit / pet.limit_std_error, pet.df))
    return PetPeese(pet, peese, "peese" if p < alpha else "pet")
