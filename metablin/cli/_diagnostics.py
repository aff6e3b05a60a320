"""What ``metablin pool`` can add to a fit: influence, leave-one-out, funnel, its tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from metablin.cli import _io

if TYPE_CHECKING:
    from metablin.io import Studies
    from metablin.meta import MetaFit

__all__ = ["Diagnostics", "Test"]

Test = Literal[
    "egger", "begg", "peters", "harbord", "macaskill", "deeks", "thompson", "pustejovsky"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Which diagnostics were asked for; the funnel plot shows the filled studies if there are any.

    Attributes
    ----------
    leave_one_out, influence, trim_and_fill : bool
    small_study : str, optional
        Test for small-study effects.
    funnel : Path, optional
        Where a funnel plot goes.
    cumulative : bool
    outlier_test, bootstrap : int, optional
        Draws of the test, and how often clusters are resampled.
    """

    leave_one_out: bool
    influence: bool
    small_study: Test | None
    trim_and_fill: bool
    funnel: Path | None
    cumulative: bool
    outlier_test: int | None
    bootstrap: int | None

    def run(self, fit: MetaFit, studies: Studies) -> dict[str, Any]:
        """Return the results by name, and write the picture."""
        import metablin as mb

        out: dict[str, Any] = {}
        if self.leave_one_out:
            out["leave_one_out"] = mb.leave_one_out(fit)
        if self.cumulative:
            out["cumulative"] = mb.cumulative(fit, studies.order)
        if self.outlier_test is not None:
            out["outlier_test"] = mb.outlier_test(fit, self.outlier_test)
        if self.bootstrap is not None:
            groups = studies.frame[studies.cluster].tolist()
            out["bootstrap"] = mb.cluster_bootstrap(fit, groups, self.bootstrap)
        if self.influence:
            out["influence"] = mb.influence(fit)
        if self.small_study is not None:
            out["small_study"] = getattr(mb, self.small_study)(fit)
        if self.trim_and_fill:
            out["trim_and_fill"] = mb.trim_and_fill(fit)
        if self.funnel is not None:
            from metablin.plots import funnel

            _io.save_plot(funnel(out.get("trim_and_fill", fit)), self.funnel)
        return out

    def to_dict(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the results as entries of the JSON object."""
        return {name: result.to_dict() for name, result in found.items()}
