"""The claim ledger: what the reviews print, against what the evidence gives when recomputed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from metablin.errors import DataError
from metablin.report import Saved

__all__ = ["STATUSES", "agrees", "check_claims", "unexplained"]

REPRODUCED = "reproduced"
CONFIRMED = "confirmed elsewhere"
DOCUMENTED = "differs (documented)"
NOT_COMPUTABLE = "not computable"
UNEXPLAINED = "differs (unexplained)"
STATUSES = (REPRODUCED, CONFIRMED, DOCUMENTED, NOT_COMPUTABLE, UNEXPLAINED)

# Results that hold the number another source prints: an agreement of sources, no recomputation.
ELSEWHERE = "/elsewhere/"

# A printed value stands for everything that rounds to it: half a unit of its last digit, plus
# room for the binary representation of a value that lies exactly on the boundary.
HALF_UNIT = 0.5
BOUNDARY = 1e-9


def agrees(computed: float, printed: float, precision: float) -> bool:
    """Tell whether `computed` rounds to `printed`, whose last digit is worth `precision`.

    Examples
    --------
    >>> agrees(0.4286, 0.43, 0.01), agrees(0.4386, 0.43, 0.01)
    (True, False)
    """
    return abs(computed - printed) <= HALF_UNIT * precision + BOUNDARY * max(1.0, abs(printed))


def check_claims(out: Path, claims: pd.DataFrame, discrepancies: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger: every claim with the value computed here and what became of it.

    Parameters
    ----------
    out : Path
        Folder of results.
    claims, discrepancies : pandas.DataFrame
        The evidence tables of those names.

    Returns
    -------
    pandas.DataFrame
        Columns ``claim_id, seed, locator, kind, statement, printed, unit, value, computed,
        difference, status, reason, result``; one row a claim, in the order given.
    """
    reasons = dict(zip(discrepancies["discrepancy_id"], discrepancies["reason"], strict=True))
    results = Saved(out)
    rows = [_check(results, dict(claim), reasons) for claim in claims.to_dict(orient="records")]
    return pd.DataFrame(rows)


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


def _check(results: Saved, claim: dict[Any, Any], reasons: dict[str, str]) -> dict[str, Any]:
    result, documented = _text(claim["result"]), _text(claim["discrepancy_id"])
    computed = math.nan
    status, reason = NOT_COMPUTABLE, _text(claim["why_not"])
    if result:
        try:
            computed = float(results.value(result))
        except DataError as error:
            status, reason = UNEXPLAINED, str(error)
        else:
            status, reason = _verdict(computed, claim, documented, reasons)
    elif not reason:
        status, reason = UNEXPLAINED, "neither a result nor a reason why there is none"
    copied = ("claim_id", "seed", "locator", "kind", "statement", "printed", "unit", "value")
    return {
        **{name: claim[name] for name in copied},
        "computed": computed,
        "difference": computed - float(claim["value"]),
        "status": status,
        "reason": reason,
        "result": result,
    }


def _verdict(
    computed: float, claim: dict[Any, Any], documented: str, reasons: dict[str, str]
) -> tuple[str, str]:
    if agrees(computed, float(claim["value"]), float(claim["precision"])):
        return CONFIRMED if ELSEWHERE in claim["result"] else REPRODUCED, ""
    if documented in reasons:
        return DOCUMENTED, f"{documented}: {reasons[documented]}"
    return UNEXPLAINED, "no discrepancy is recorded"


def unexplained(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the ledger that nothing explains."""
    return ledger.loc[ledger["status"] == UNEXPLAINED]
