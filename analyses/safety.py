"""Safety: how often, compared with what, and for how long treated."""

from __future__ import annotations

import pandas as pd

from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis

from ._mrd import response_cohorts
from ._safety import (
    across_trials,
    by_burden,
    by_exposure,
    cohorts,
    counts,
    differences,
    exposure_cycles,
    exposures,
    pooled_rates,
    printed_rates,
    randomised,
)
from ._safety_answers import RULE, Question, answers, unanswered
from ._safety_described import (
    class_shares,
    dose_gaps,
    doses_and_cycles,
    organ_classes,
    spontaneous,
)
from ._safety_figures import (
    answers_figure,
    burden_figure,
    dots_figure,
    exposure_figure,
    rates_figure,
    volcano_figure,
)
from ._selection import MRD_RESPONSES, RESPONSES, WHOLE, candidates, one_a_cohort, one_definition
from ._shared import RELAPSED, known_trials

EXPOSED = "tower"
PANELS = {
    ("cytokine release syndrome", "any"): "CRS, any grade",
    ("cytokine release syndrome", "grade3plus"): "CRS, grade 3+",
    ("neurologic event", "any"): "Neurologic, any grade",
    ("neurologic event", "grade3plus"): "Neurologic, grade 3+",
}
ASKED = {
    "crs_severe": ("cytokine release syndrome", "grade3plus", "severe cytokine release syndrome"),
    "neuro_severe": ("neurologic event", "grade3plus", "severe neurologic event"),
    "severe": ("any adverse event", "grade3plus", "any severe adverse event"),
    "serious": ("any adverse event", "serious", "any serious adverse event"),
    "stopped": ("any adverse event", "discontinuation", "treatment ended by an adverse event"),
    "fatal": ("any adverse event", "fatal", "fatal adverse event, any cause"),
    "fatal_related": ("treatment-related adverse event", "fatal", "fatal event due to treatment"),
}


@analysis(
    title="Safety",
    question="Which harms are likely, which of them are the drug's, and does time on it matter?",
    reads=(
        "trials", "references", "safety", "terms", "reporting", "proportions", "discrepancies",
    ),
    order=55,
)  # fmt: skip
def safety(evidence: Evidence) -> Outcome:
    """Pool adverse events, compare randomised arms with and without exposure, answer questions."""
    trials = known_trials(evidence)
    rows = evidence.load("safety")
    found = counts(rows, trials, evidence.load("discrepancies"))
    kept = cohorts(found)
    rates = pooled_rates(kept)
    pairs = randomised(found)
    compared = differences(pairs)
    exposed = by_exposure(pairs.loc[pairs["trial_id"] == EXPOSED], exposure_cycles(rows, EXPOSED))
    asked_of = questions(evidence, trials, kept)
    asked = answers(asked_of)
    current, terms = evidence.load("trials"), evidence.load("terms")
    every = evidence.load("safety", all_rows=True)
    steps = doses_and_cycles(every, trials, current.set_index("trial_id")["dose"])
    return Outcome(
        tables={
            "answers": Table(
                asked,
                "Of 100 such patients, how many",
                "Expected number and a 95% prediction interval for the next 100 patients of a new "
                "trial: sampling, estimation and differences between trials together. " + RULE,
                unit="proportion",
            ),
            "unanswered": Table(
                unanswered(asked_of),
                "Questions without an answer",
                "No cohort of these patients reports a count.",
            ),
            "rates": Table(
                rates,
                "Adverse events by population and grade",
                "Prospective trials, whole treatment; counts of a first cycle alone are in the "
                "tables by cycle and of randomised differences. Binomial-normal model; up to two "
                "trials, or none with or without the event, are summed with exact limits and have "
                "no prediction interval.",
                unit="proportion",
            ),
            "randomised": Table(
                compared,
                "Randomised differences by term",
                "Risk difference with Newcombe's interval, Fisher's p, false-discovery-adjusted q "
                "within trial, grade and period, and for severe events the ratio to what the "
                "control rate would give, shrunk by an empirical-Bayes double gamma.",
                unit="points",
            ),
            "pooled_differences": Table(
                across_trials(pairs),
                "Severe events two or more randomised trials report",
                "Mantel-Haenszel and Peto; the trials differ in control treatment, so the sum is "
                "over different comparisons.",
            ),
            "exposure": Table(
                exposed,
                "Severe events with and without regard to time on treatment",
                "Rates per cycle from the median number of cycles of each arm, under three "
                "readings of it; the tipping ratio is the exposure ratio at which no difference "
                "would remain.",
                unit="ratio",
            ),
            "printed_rates": Table(
                printed_rates(rows),
                "Events per patient-year as printed",
                "All events, not first ones; no count or patient-years are printed, so no interval "
                "follows.",
            ),
            "time_on_treatment": Table(
                exposures(rows, trials),
                "Time on treatment as printed",
                "Medians with the shortest and the longest; no trial prints patient-years.",
            ),
            "organ_classes": Table(
                organ_classes(found, terms),
                "Patients with an event of an organ class, at the least",
                "A trial's most frequent reported term of the class, because patients with two "
                "terms of one class are counted in both; terms that were not reported are "
                "missing, so the true rate is higher.",
                unit="proportion",
            ),
            "dose_and_cycle": Table(
                steps,
                "Cytokine release and neurologic events by cycle and dose level",
                "Every count by cycle or dose level that a source gives. Other dose levels are "
                "all treated less those at the recommended dose. Patients were not randomised to "
                "dose levels.",
                unit="proportion",
            ),
            "dose_gaps": Table(
                dose_gaps(steps, found, current),
                "Counts of the two signature harms that no source gives",
                "Prospective trials. No source gives counts before and after the rise of the dose "
                "on day 8.",
            ),
            "class_shares": Table(
                class_shares(every, terms),
                "Organ classes among the registered events of three trials",
                "Events of a class over all events of the terms a review lists; what a "
                "spontaneous-report database would call a reporting proportion, here with "
                "everybody treated known.",
                unit="proportion",
            ),
            "reporting": Table(
                spontaneous(evidence.load("reporting")),
                "Spontaneous reports",
                "Description only. Nobody knows how many were treated, known effects are "
                "reported more than unknown ones, and one patient may be reported twice: no "
                "rate, risk or comparison follows. The extracts overlap and are never added.",
                unit="proportion",
            ),
            "burden": Table(
                by_burden(kept),
                "Adults in relapse against patients in remission with MRD",
                "Sums over arms of different trials, so age, dose and definition differ too; a "
                "difference is no effect of tumour burden alone.",
                unit="points",
            ),
            "doubtful": Table(doubtful(found), "Cells that can hardly mean what they say"),
        },
        figures=figures(rates, compared, exposed, asked, by_burden(kept)),
        headlines=(
            Headline("Severe cytokine release syndrome, all populations", "rates",
                     "all.cytokine_release_syndrome.grade3plus", "proportion"),
            Headline("Severe neurologic events, all populations", "rates",
                     "all.neurologic_event.grade3plus", "proportion"),
            Headline("Fatal events due to treatment, all populations", "rates",
                     "all.treatment_related_adverse_event.fatal", "proportion"),
        ),
        notes=(
            "Blinatumomab is given for longer than the chemotherapy it is compared with, so equal "
            "risks mean lower rates; both are shown, and neither is the whole answer when the "
            "hazard is highest in the first days.",
            "A cycle of one arm is not the length of a cycle of the other; rates per cycle compare "
            "cycles, and the tipping ratio says how far exposure may be off.",
            "Severe counts of one report above any-grade counts of another come from grouped and "
            "single terms; they are listed, and no sum mixes them.",
            "Spontaneous reports cannot give rates: nobody knows how many were treated, and what "
            "is reported depends on what is expected.",
        ),
    )  # fmt: skip


def questions(evidence: Evidence, trials: pd.DataFrame, kept: pd.DataFrame) -> list[Question]:
    """Return the questions, benefits first; trials that are part of another one stay out."""
    current = set(evidence.load("trials")["trial_id"])
    rows = evidence.load("proportions")
    rows = rows.loc[rows["trial_id"].isin(current)]
    response = one_definition(one_a_cohort(candidates(rows, trials, RESPONSES), WHOLE))
    mrd = response_cohorts(rows, trials, MRD_RESPONSES)
    transplant = response_cohorts(rows, trials, ("allohsct",))
    out = [
        Question("response", "haematological response (CR or CRh)", response, RELAPSED, harm=False),
        Question("mrd_of_responders", "of responders, MRD response",
                 mrd.loc[mrd["denominator"] == "responders"], RELAPSED, harm=False),
        Question("mrd", "MRD response (of those evaluable)",
                 mrd.loc[mrd["denominator"] == "evaluable"], harm=False),
        Question("mrd_of_treated", "MRD response, of all treated",
                 mrd.loc[mrd["denominator"] == "treated"], harm=False),
        Question("transplant", "transplant afterwards, of all treated",
                 transplant.loc[transplant["denominator"] == "treated"], harm=False),
    ]  # fmt: skip
    for key, (term, grade, words) in ASKED.items():
        part = kept.loc[(kept["term"] == term) & (kept["grade"] == grade)]
        out.append(Question(key, words, part))
    return out


def doubtful(found: pd.DataFrame) -> pd.DataFrame:
    """Return flagged cells with the reason, and whether they were left out of the pools."""
    kept = found.loc[found["reason"] != ""]
    columns = ["study", "arm", "term", "grade", "events", "n", "reason", "left_out"]
    out = kept[columns].assign(row_ids=kept["row_id"])
    out.insert(0, "key", kept["row_id"])
    return out


def figures(
    rates: pd.DataFrame, compared: pd.DataFrame, exposed: pd.DataFrame, asked: pd.DataFrame,
    burden: pd.DataFrame,
) -> dict[str, Figure]:  # fmt: skip
    """Return the figures of the analysis."""
    return {
        "answers": Figure(
            answers_figure(asked),
            "Of 100 such patients, how many",
            "Points are expected numbers, bars 95% prediction intervals for the next 100 patients; "
            "the word is the computed grade of the evidence.",
            f"Dot plot of {len(asked)} expected numbers with prediction intervals.",
            "answers",
        ),
        "rates": Figure(
            rates_figure(rates, PANELS),
            "Cytokine release and neurologic events by population",
            "Points are pooled rates, thin bars 95% confidence intervals, wide bars prediction "
            "intervals; populations without a report of that event and grade stay empty. Patients "
            "in remission have few leukaemic cells left to release cytokines over.",
            "Four panels of rates by population.",
            "rates",
        ),
        "burden": Figure(
            burden_figure(burden),
            "Much disease against little",
            "Sums over arms of different trials with exact 95% intervals: adults treated in "
            "relapse, and patients treated in remission because of MRD. Age, dose and definition "
            "differ as well, so this is no effect of tumour burden alone.",
            "Dot plot of cytokine release and neurologic events in relapse and in remission.",
            "burden",
        ),
        "volcano": Figure(
            volcano_figure(compared),
            "Severe adverse events in the randomised trials",
            "Each bubble is a term in one trial; its area is the number of patients with the "
            "event. Filled bubbles pass a false-discovery rate of 5% within their trial.",
            "Volcano plot: difference in risk across, minus log p upwards.",
            "randomised",
        ),
        "tower": Figure(
            dots_figure(compared, EXPOSED, "whole treatment"),
            "Severe adverse events in TOWER",
            "Left the risk in each arm, right the difference with Newcombe's 95% interval. Time on "
            "treatment, longer with blinatumomab, is not taken into account here.",
            "Two-panel dot plot of severe events in TOWER.",
            "randomised",
        ),
        "aall1331": Figure(
            dots_figure(compared, "aall1331_hrir", "first cycle"),
            "Severe adverse events in AALL1331, first cycle",
            "Both arms over one cycle, so exposure is alike.",
            "Two-panel dot plot of severe events in the first cycle of AALL1331.",
            "randomised",
        ),
        "exposure": Figure(
            exposure_figure(exposed),
            "The same events, with time ignored and with time counted",
            "TOWER, severe events. The rate ratio assumes a constant hazard of a first event and "
            "the median number of cycles in every patient of an arm. Intervals are cut at the ends "
            "of the axis.",
            "Two ratios of each event: with time ignored, and per cycle.",
            "exposure",
        ),
    }
