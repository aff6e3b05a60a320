"""The trial programme on the evidence."""

from __future__ import annotations

from pathlib import Path

from metablin.datasets import load
from metablin.pipeline.registry import load_analysis

FOLDER = Path(__file__).parents[2] / "analyses"


def test_the_evidence_counts_trials_of_blinatumomab_only() -> None:
    table = load_analysis(FOLDER, "landscape").run().tables["evidence"].frame.set_index("key")
    trials = load("trials").set_index("trial_id")
    groups = table.drop(index=["all", "for_comparison"])
    counted = trials.loc[" ".join(groups["trials"]).split()]
    assert table.loc["all", "estimate"] == len(counted)
    assert counted["arms"].str.contains("blina").all()
    assert (counted["design"] != "meta_analysis").all()
    assert groups["estimate"].sum() == table.loc["all", "estimate"]
    assert groups["patients"].sum() == table.loc["all", "patients"]
    assert table.loc["all", "estimate"] + table.loc["for_comparison", "estimate"] == len(trials)


def test_a_trial_has_as_many_patients_as_its_arms() -> None:
    trials = load("trials")
    # reports of external controls differ in whether they count them in
    trials = trials.loc[trials["design"] != "external_control"]
    trials = trials.loc[trials["trial_id"] != "graall_quest"]  # a single arm with such a control
    sized = trials.loc[trials["n_total"].notna() & trials["arms"].str.contains(r"\([0-9]+\)")]
    summed = sized["arms"].str.findall(r"\(([0-9]+)\)").map(lambda n: sum(map(int, n)))
    every = sized["arms"].str.count(r"\|") + 1 == sized["arms"].str.count(r"\([0-9]+\)")
    assert every.sum() > 30
    assert (summed[every] == sized.loc[every, "n_total"]).all()
