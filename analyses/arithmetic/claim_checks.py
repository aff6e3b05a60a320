"""What can be said of a printed number that no count of the base gives.

The same number in another source, the percentages that a count can give at all, the interval that
events and randomisation imply, and the standard error that complete follow-up would have.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy import stats

from metablin.errors import DataError

from ..lines import join_ids

ELSEWHERE = "arithmetic/elsewhere/"
# Columns that hold a printed number, of whatever table.
PRINTED = (
    "n", "events", "median_months", "median_ci_low", "median_ci_high", "survival",
    "followup_months", "median_followup_months", "n_total", "estimate", "spread",
    "median_responders", "median_nonresponders", "p_value", "dose",
)  # fmt: skip
Z95 = float(stats.norm.ppf(0.975))


def elsewhere(
    claims: pd.DataFrame, tables: dict[str, pd.DataFrame], reviews: dict[str, str]
) -> pd.DataFrame:
    """Return the rows of another source that claims are set against, one line a row.

    Parameters
    ----------
    claims : pandas.DataFrame
        Results of the form ``arithmetic/elsewhere/<row>/<column>`` name the rows.
    tables : dict of str to pandas.DataFrame
        Evidence tables; the first column names the row.
    reviews : dict of str to str
        Address of every review by its number.

    Raises
    ------
    DataError
        When a row is missing, or was itself read in the review that makes the claim.
    """
    frames = [t.set_index(t.columns[0]) for t in tables.values()]
    rows = pd.concat([f.reindex(columns=[*PRINTED, "source_url", "source_key"]) for f in frames])
    used: dict[str, None] = {}
    for claim in claims.loc[claims["result"].str.startswith(ELSEWHERE)].itertuples():
        row_id = str(claim.result).split("/")[2]
        if row_id not in rows.index:
            raise DataError("no such evidence row", study=str(claim.claim_id), value=row_id)
        if rows.at[row_id, "source_url"] == reviews[str(claim.seed)]:
            raise DataError(
                "the row was read in the review itself", study=str(claim.claim_id), value=row_id
            )
        used[row_id] = None
    found = rows.loc[list(used)]
    # the dose of a trial is words, that of a pharmacokinetic row a number
    numbers: pd.DataFrame = (
        found[list(PRINTED)].apply(pd.to_numeric, errors="coerce").reset_index(drop=True)
    )
    numbers.insert(0, "key", list(used))
    numbers["source_key"], numbers["row_ids"] = found["source_key"].to_numpy(), list(used)
    return numbers


def attainable(claims: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return, for a printed percentage, the nearest share that a count of its patients gives.

    After Brown and Heathers (2017), The GRIM test, Social Psychological and Personality Science
    8:363-369, doi:10.1177/1948550616673876. `power` is the part of all percentages of that
    precision that no count would give; without it the test says nothing.
    """
    asked = claims.loc[claims["denominator"] != ""]
    n = rows.set_index("row_id").loc[asked["denominator"], "n"].to_numpy(float)
    count = np.round(asked["value"].to_numpy(float) * n)
    step = asked["precision"].to_numpy(float)
    return pd.DataFrame(
        {
            "key": asked["claim_id"].to_numpy(),
            "value": count / n,
            "events": count,
            "n": n,
            "power": np.maximum(0.0, 1 - n * step),
            "row_ids": asked["denominator"].to_numpy(),
        }
    )


def from_events(
    contrasts: pd.DataFrame, proportions: pd.DataFrame, trials: pd.DataFrame
) -> pd.DataFrame:
    """Return the limits of a hazard ratio that all deaths and the sizes of the arms imply.

    The variance of the log ratio is ``1 / (d q (1 - q))`` with d events and a share q in one arm
    (Schoenfeld 1983, Biometrics 39:499-503, doi:10.2307/2531021).
    """
    both = proportions.loc[
        (proportions["arm"] == "both_arms") & (proportions["outcome"] == "death")
    ].set_index("trial_id")
    arms = trials.set_index("trial_id")["arms"]
    ratios = contrasts.loc[
        (contrasts["measure"] == "hr")
        & (contrasts["endpoint"] == "os")
        & (contrasts["subgroup"] == "all")
        & contrasts["trial_id"].isin(both.index)
        & contrasts["preferred"]
        & contrasts["estimate"].notna()
    ]
    lines = []
    for ratio in ratios.itertuples():
        first, second = (float(x) for x in re.findall(r"\((\d+)\)", arms[ratio.trial_id]))
        share = first / (first + second)
        deaths = float(both["events"][str(ratio.trial_id)])
        width = Z95 / np.sqrt(deaths * share * (1 - share))
        lines.append(
            {
                "key": ratio.row_id,
                "conf_low": ratio.estimate * np.exp(-width),
                "conf_high": ratio.estimate * np.exp(width),
                "events": deaths,
                "row_ids": join_ids([ratio.row_id, both.at[ratio.trial_id, "row_id"]]),
            }
        )
    return pd.DataFrame(lines, columns=["key", "conf_low", "conf_high", "events", "row_ids"])
