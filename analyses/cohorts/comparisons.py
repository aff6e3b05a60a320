"""Randomised comparisons of blinatumomab with chemotherapy: which hazard ratios, in which pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from .populations import POPULATIONS, with_trials

ENDPOINTS = {
    "os": ("os",),
    "event_free": ("efs", "dfs", "rfs"),
}
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")
LINES = ("adult_rr_ph_negative", "first_relapse", "first_line")
"""Lines of treatment with a randomised comparison: each is a question, and has a pool."""
CONSOLIDATION = ("e1910", "locatelli2021", "aall1331_lr", "aall1331_hrir")
"""The randomised comparisons that a regulator pooled as consolidation."""
GROWN = "adult"


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Some comparisons of one group of endpoints, pooled together.

    Attributes
    ----------
    key : str
        ``endpoint.pool``.
    endpoint : str
        A key of :data:`ENDPOINTS`.
    main : bool
        Whether it answers one question; else it averages over several, a sensitivity analysis.
    rows : pandas.DataFrame
        Its hazard ratios.
    """

    key: str
    endpoint: str
    main: bool
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        """The pool, without its endpoint."""
        return self.key.split(".", 1)[1]


def comparisons(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return hazard ratios with intervals of whole randomised comparisons with blinatumomab."""
    found = with_trials(rows, trials)
    kept = found.loc[
        (found["design"] == "rct")
        & (found["left_out"] == "")
        & (found["measure"] == "hr")
        & found["arm_treatment"].isin(BLINATUMOMAB)
        & (found["arm_control"] == "chemotherapy")
        & found["subgroup"].str.fullmatch(r"all(;.*)?")
        & found[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
    ]
    group = {e: name for name, endpoints in ENDPOINTS.items() for e in endpoints}
    kept = kept.assign(group=kept["endpoint"].map(group))
    order = list(POPULATIONS)
    kept = kept.assign(order=kept["population"].map(order.index))
    return kept.sort_values(["group", "order", "trial_id"], kind="stable").reset_index(drop=True)


def choices(rows: pd.DataFrame) -> Iterator[Choice]:
    """Yield the pools of hazard ratios: by line, then what averages over lines.

    `rows` is what :func:`comparisons` returns.
    """
    for endpoint in ENDPOINTS:
        own = rows.loc[rows["group"] == endpoint]
        parts: dict[str, tuple[bool, pd.Series]] = {
            line: (True, own["population"] == line) for line in LINES
        }
        parts |= {
            "first_line_adults": (
                True, (own["population"] == "first_line") & (own["age_group"] == GROWN)
            ),
            "first_line_children": (
                True, (own["population"] == "first_line") & (own["age_group"] != GROWN)
            ),
            "all": (False, own["population"].isin(LINES)),
            "consolidation": (False, own["trial_id"].isin(CONSOLIDATION)),
            "children_any_line": (False, own["age_group"] != GROWN),
            **{f"age_{a}": (False, own["age_group"] == a) for a in own["age_group"].unique()},
        }  # fmt: skip
        for name, (main, mask) in parts.items():
            if mask.any():
                yield Choice(f"{endpoint}.{name}", endpoint, main, own.loc[mask])
