"""MRD: who clears it, what clearing it is worth, and what transplant after it can tell."""

from __future__ import annotations

from typing import Any

import pandas as pd

import metablin as mb
from metablin.mrd import (
    ResponderHR,
    responder_hazard_ratios,
    response_rates,
    simulate_immortal_time,
)
from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis

from ._mrd import (
    ENDPOINTS,
    THRESHOLDS,
    anchors,
    bias_bounds,
    consistency_of_medians,
    responder_rows,
    response_cohorts,
    response_table,
)
from ._mrd_figures import (
    among_responders,
    curves_figure,
    pools_figure,
    responders_forest,
    response_forest,
    simulation_figure,
)
from ._mrd_transplant import outcomes_by_transplant, survival_by_transplant
from ._selection import MRD_RESPONSES
from ._shared import known_trials, pooled_row

SEED = 20240607
SIMULATIONS = 1000
WINDOWS = (1.5, 3.0, 6.0)
RULE = (
    "One row a cohort and denominator: MRD response (below 1e-4 or as the trial defines it) where "
    "reported, otherwise complete MRD response. Haematological responders of one trial count once, "
    "by the best-ranked set; parts of a cohort only where the whole is not reported; cohorts "
    "chosen because a transplant followed stay out; evaluable for efficacy counts as treated; a "
    "response below 5e-4 is none. Patients in remission with MRD are those of first line and of "
    "later lines, adults apart from children. Binomial-normal model; denominators are never mixed "
    "within one pool, and one cohort has no prediction interval."
)
CAVEAT = (
    "Those transplanted had to live, and stay in remission, until transplant; the two groups are "
    "described side by side and no contrast is computed."
)


@analysis(
    title="MRD response and what it is worth",
    question="Who clears MRD, how do those who clear it fare, and what can be concluded from it?",
    reads=(
        "trials", "references", "proportions", "survival", "contrasts", "mrd_stratified",
    ),
    order=30,
)  # fmt: skip
def mrd(evidence: Evidence) -> Outcome:
    """Pool MRD response, compare responders with the rest, and show what time bias does."""
    trials = known_trials(evidence)
    rows, survival = evidence.load("proportions"), evidence.load("survival")
    current = evidence.load("trials")
    cohorts = response_cohorts(rows, trials, MRD_RESPONSES)
    pools = response_rates(cohorts)
    detailed = ("population", "denominator", "outcome", "timepoint")
    transplants = transplant_cohorts(rows, trials, set(current["trial_id"]))
    transplant_pools = response_rates(transplants)
    compared = responder_rows(
        evidence.load("mrd_stratified"), trials, evidence.load("trials", all_rows=True), survival
    )
    found = responder_hazard_ratios(compared)
    main = ResponderHR(found.frame.loc[(~compared["subset"]).to_numpy()].reset_index(drop=True))
    used = compared.loc[~compared["subset"]].reset_index(drop=True)
    simulated = simulate_immortal_time(
        (1.0, 0.5), WINDOWS, simulations=SIMULATIONS, seed=SEED
    ).to_frame()
    simulated.insert(0, "key", [
        f"hr_{r.true_hr:g}.window_{r.window:g}.{r.method}" for r in simulated.itertuples()
    ])  # fmt: skip
    tables = {
        "response_cohorts": Table(
            cohort_table(cohorts),
            "MRD response by cohort",
            unit="proportion",
        ),
        "response": Table(
            response_table(pools, cohorts),
            "MRD response by population and denominator",
            RULE,
            unit="proportion",
        ),
        "response_detailed": Table(
            response_table(response_rates(cohorts, detailed), cohorts).assign(
                threshold=lambda t: [THRESHOLDS[k.split(".")[2]] for k in t["key"]]
            ),
            "MRD response by assay threshold and time point",
            unit="proportion",
        ),
        "responders": Table(
            responders_table(found, compared),
            "Responders against the rest",
            "Hazard ratio of responders over non-responders by the best route the print allows.",
            unit="ratio",
        ),
        "responders_pooled": Table(
            pooled(main, used),
            "Pooled hazard ratios of responders",
            "Random effects, REML, Hartung-Knapp; with two comparisons that interval says little.",
            unit="ratio",
        ),
        "anchors": Table(
            anchors(evidence.load("contrasts"), trials),
            "MRD-negative against MRD-positive patients elsewhere",
            "Published ratios, all as negative over positive; they stand beside and are not "
            "pooled in.",
            unit="ratio",
        ),
        "immortal_time": Table(
            bias_bounds(compared, found.frame, current["dose"]),
            "How far immortal time may have carried the unhandled comparisons",
            "From the printed ratio (everybody responded at once) to that with every response at "
            "the end of the window, hazards constant; beside them, every response in the middle. "
            "Relapse-free survival counted from remission leaves a shorter window than this.",
        ),
        "consistency": Table(
            consistency_of_medians(compared),
            "Do the medians of the parts fit that of the whole?",
            "The median of the whole must lie between those of responders and others, whatever "
            "the curves; beside it the median if hazards were constant. Different data cuts can "
            "break the rule.",
        ),
        "transplant": Table(
            response_table(transplant_pools, transplants),
            "Allogeneic transplant after blinatumomab",
            "Rates by population and denominator.",
            unit="proportion",
        ),
        "transplant_outcomes": Table(
            outcomes_by_transplant(rows, trials),
            "Outcome with and without transplant",
            CAVEAT,
            unit="proportion",
        ),
        "transplant_survival": Table(
            survival_by_transplant(survival, trials), "Survival by transplant, as printed", CAVEAT
        ),
        "simulation": Table(
            simulated,
            "Immortal time, simulated",
            f"{SIMULATIONS} cohorts a setting; estimate is the mean log hazard ratio as a ratio, "
            "bias is on the log scale.",
            unit="ratio",
        ),
    }
    return Outcome(
        tables=tables,
        figures=figures(cohorts, pools, main, simulated),
        headlines=headlines(),
        notes=(
            "The comparison of responders with others is a comparison of patients who differed "
            "before treatment; a better outcome after response is not an effect of response.",
            "The others are those of the cohort that the column among names: some reports take "
            "in patients without haematological remission, some only those in remission.",
            "Most ratios here rest on a p-value or two medians, and on constant hazards; the route "
            "of each is in the table, and the pool without them is beside the full one.",
            "MRD response was measured at different times and depths; the detailed table keeps "
            "them apart.",
        ),
    )


def figures(
    cohorts: pd.DataFrame, pools: Any, found: ResponderHR, simulated: pd.DataFrame
) -> dict[str, Figure]:
    """Return the figures of the analysis."""
    drawn = found.frame.loc[found.frame["log_hr"].notna(), "endpoint"]
    count = {e: int((drawn == e).sum()) for e in ENDPOINTS}
    return {
        "response": Figure(
            pools_figure(pools),
            "MRD response by population and denominator",
            "Points are pooled proportions, thin bars 95% confidence intervals, wide bars "
            "prediction intervals for a new cohort. Each row has one denominator.",
            f"Dot plot of {len(pools.fits)} pooled MRD response rates.",
            "response",
        ),
        "mrd_positive": Figure(
            response_forest(cohorts, "mrd_positive"),
            "MRD response of adults in remission with MRD",
            "Squares are cohorts; diamonds pooled proportions, bars below prediction intervals.",
            "Forest plot of MRD response, one block for each denominator.",
            "response_cohorts",
        ),
        "among_responders": Figure(
            among_responders(cohorts),
            "MRD response among haematological responders",
            "Squares are cohorts; diamonds pooled proportions, bars below prediction intervals.",
            "Forest plot of MRD response of haematological responders, one block a population.",
            "response_cohorts",
        ),
        **{
            f"responders_{name}": Figure(
                responders_forest(found, (name,)),
                f"{title} of MRD responders against others",
                "Hazard ratios on a logarithmic axis; below 1 favours responders. Each line "
                "says how the time before response was handled and from what the ratio was "
                "computed; where it was not handled, the ratio favours responders by construction.",
                f"Forest plot of {count[name]} comparisons of responders with others.",
                "responders",
            )
            for name, title in ENDPOINTS.items()
        },
        "simulation": Figure(
            simulation_figure(simulated),
            "What a comparison from the start of treatment gets wrong",
            "Points are mean estimates, bars the middle 95% of simulated cohorts, the dashed line "
            "the truth. The later responses may come, the more a comparison of ever-responders "
            "with the rest flatters response; a landmark or a time-dependent response does not.",
            "Two panels of hazard ratios by method and window of response.",
            "simulation",
        ),
        "curves": Figure(
            curves_figure(WINDOWS[-1], SEED),
            "A response that does nothing, drawn three ways",
            "One simulated cohort in which response has no effect. Curves by eventual response "
            "part at once; from a landmark, or with patients moved when they respond, they agree.",
            "Three panels of survival curves of responders and others.",
            "simulation",
        ),
    }


def headlines() -> tuple[Headline, ...]:
    """Return the short answers."""
    return (
        Headline("MRD response: adults in remission with MRD", "response",
                 "mrd_positive.evaluable", "proportion"),
        Headline("Hazard ratio of death, responders over others, adults and children",
                 "responders_pooled", "os.all", "ratio"),
        Headline("Hazard ratio of relapse or death, responders over others", "responders_pooled",
                 "rfs.all", "ratio"),
    )  # fmt: skip


def transplant_cohorts(rows: pd.DataFrame, trials: pd.DataFrame, current: set[str]) -> pd.DataFrame:
    """Return one transplant rate a cohort, of trials that are not part of another one."""
    kept = response_cohorts(rows, trials, ("allohsct",))
    return kept.loc[kept["trial_id"].isin(current)].reset_index(drop=True)


def cohort_table(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return one line a cohort."""
    e = mb.proportions(cohorts["events"], cohorts["n"], studies=cohorts["study"].tolist())
    frame = e.to_frame()
    kept = ["study", "population", "denominator", "outcome", "timepoint", "events", "n"]
    out = cohorts[kept].assign(
        estimate=cohorts["events"] / cohorts["n"],
        conf_low=frame["conf_low"].to_numpy(),
        conf_high=frame["conf_high"].to_numpy(),
        row_ids=cohorts["row_id"],
    )
    out.insert(0, "key", cohorts["row_id"])
    return out


def responders_table(found: ResponderHR, rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a comparison with route, timing and evidence row."""
    frame = found.to_frame()
    frame.insert(0, "key", rows["row_id"].to_numpy())
    return frame.assign(
        among=rows["among"].to_numpy(),
        n_responders=rows["n_responders"].to_numpy(),
        n_nonresponders=rows["n_nonresponders"].to_numpy(),
        in_pool=(~rows["subset"]).to_numpy() & frame["log_hr"].notna().to_numpy(),
        row_ids=rows["row_id"].to_numpy(),
    )


def pooled(found: ResponderHR, rows: pd.DataFrame) -> pd.DataFrame:
    """Return pooled hazard ratios: all, only handled time, only without assumed distributions."""
    lines = []
    usable = found.frame["log_hr"].notna()
    for name, title in ENDPOINTS.items():
        here = usable & (found.frame["endpoint"] == name)
        choices = {
            "all": ("All comparisons", here),
            "time_handled": (
                "Landmark or time-dependent only", here & ~found.frame["immortal_time"]
            ),
            "time_not_handled": ("Time before response not handled",
                                 here & found.frame["immortal_time"]),
            "exact_routes": ("Without assumed distributions", here & ~found.frame["approximate"]),
            "adults": ("Adults only", here & (rows["age_group"] == "adult")),
            "relapsed": ("Relapsed or refractory disease only",
                         here & (rows["disease_status"] == "relapsed_refractory")),
        }  # fmt: skip
        for key, (words, mask) in choices.items():
            if mask.any() and (key == "all" or not mask.equals(here)):
                part = ResponderHR(found.frame.loc[mask].reset_index(drop=True))
                fit = mb.pool(part.effects())
                more = {"endpoint": title, "choice": words}
                lines.append(pooled_row(f"{name}.{key}", fit, rows.loc[mask], **more))
    return pd.DataFrame(lines)
