"""Rates, p-values and implied counts of every evidence row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ..lines import join_ids, records


def rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rate and intervals for every row with whole counts."""
    counted = rows.loc[rows["events"].notna() & rows["n"].notna() & (rows["n"] > 0)]
    events, n = counted["events"].to_numpy(float), counted["n"].to_numpy(float)
    exact_low, exact_high = proportion_confint(events, n, method="beta")
    wilson_low, wilson_high = proportion_confint(events, n, method="wilson")
    return pd.DataFrame(
        {
            "key": counted["row_id"].to_numpy(),
            "rate": events / n,
            "conf_low": np.where(events == 0, 0.0, exact_low),
            "conf_high": np.where(events == n, 1.0, exact_high),
            "wilson_low": wilson_low,
            "wilson_high": wilson_high,
            "row_ids": counted["row_id"].to_numpy(),
        }
    )


def contrasts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return p-values from ratio estimates with their intervals."""
    ratio = rows["measure"].isin(["hr", "or", "rr"]) & rows[["ci_low", "ci_high"]].notna().all(
        axis=1
    )
    usable = rows.loc[ratio & (rows["ci_low"] > 0)]
    level = usable["ci_level"].fillna(0.95).to_numpy(float)
    low, high = np.log(usable["ci_low"].to_numpy(float)), np.log(usable["ci_high"].to_numpy(float))
    std_error = (high - low) / (2 * stats.norm.ppf((1 + level) / 2))
    z = np.log(usable["estimate"].to_numpy(float)) / std_error
    return pd.DataFrame(
        {
            "key": usable["row_id"].to_numpy(),
            "std_error": std_error,
            "statistic": z,
            "p_two_sided": 2 * stats.norm.sf(np.abs(z)),
            "p_one_sided": stats.norm.sf(np.abs(z)),
            "estimate_from_interval": np.exp((low + high) / 2),
            "row_ids": usable["row_id"].to_numpy(),
        }
    )


def landmarks(rows: pd.DataFrame) -> pd.DataFrame:
    """Return counts implied by landmark survival, and medians in years.

    The standard error is that of complete follow-up: censoring makes the printed one larger.
    """
    known = rows.loc[rows["survival"].notna() | rows["median_months"].notna()]
    n, s = known["n"].to_numpy(float), known["survival"].to_numpy(float)
    return pd.DataFrame(
        {
            "key": known["row_id"].to_numpy(),
            "events_implied": np.round(n * (1 - s)),
            "survivors_implied": np.round(n * s),
            "std_error_complete": np.sqrt(s * (1 - s) / n),
            "median_years": known["median_months"].to_numpy(float) / 12,
            "row_ids": known["row_id"].to_numpy(),
        }
    )


def two_by_two(rows: pd.DataFrame) -> pd.DataFrame:
    """Return unadjusted comparisons of the blinatumomab and control arms on whole counts."""
    whole = rows.loc[(rows["subgroup"] == "all") & rows["events"].notna() & rows["n"].notna()]
    treated = whole.loc[whole["arm"].isin(["blinatumomab", "blinatumomab_plus_chemotherapy"])]
    control = whole.loc[whole["arm"] == "chemotherapy"]
    pairs = treated.merge(control, on=["trial_id", "outcome"], suffixes=("_t", "_c"))
    pairs = pairs.drop_duplicates(["trial_id", "outcome"])
    return pd.DataFrame([_compare(pair) for pair in records(pairs)])


def _compare(pair: dict[str, object]) -> dict[str, object]:
    a, n1, c, n2 = (float(str(pair[k])) for k in ("events_t", "n_t", "events_c", "n_c"))
    b, d = n1 - a, n2 - c
    # Half a case in every cell where one is empty, so that the ratios exist.
    odds = [x + 0.5 for x in (a, b, c, d)] if 0 in (a, b, c, d) else [a, b, c, d]
    risk = (a / n1) / (c / n2) if c else float("nan")
    return {
        "key": f"{pair['trial_id']}.{pair['outcome']}",
        "trial_id": pair["trial_id"],
        "outcome": pair["outcome"],
        "odds_ratio": odds[0] * odds[3] / (odds[1] * odds[2]),
        "risk_ratio": risk,
        "risk_difference": a / n1 - c / n2,
        "fisher_p": float(stats.fisher_exact([[a, b], [c, d]]).pvalue),
        "row_ids": join_ids([pair["row_id_t"], pair["row_id_c"]]),
    }
