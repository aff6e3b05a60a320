"""The answers of the evidence base are read and judged as they stand."""

import metablin as mb
from metablin.certainty import TOOLS


def test_every_study_of_the_base_gets_an_overall_judgement_with_its_way() -> None:
    answers = mb.load("risk_of_bias")
    judged = mb.risk_of_bias(answers)
    whole = judged.overall()
    keys = set(zip(answers["study"], answers["outcome"], strict=True))
    assert set(zip(whole["study"], whole["outcome"], strict=True)) == keys
    for row in whole.itertuples():
        order = TOOLS[row.tool].judgements.index
        assert order(row.best) <= order(row.judgement) <= order(row.worst)


def test_every_reason_in_the_base_reaches_a_judgement() -> None:
    answers = mb.load("risk_of_bias")
    table = mb.risk_of_bias(answers).to_frame().set_index(["study", "outcome", "domain"])
    used = 0
    for row in answers.itertuples():
        key = (row.study, row.outcome, row.domain)
        if key in table.index and f"{row.question} {row.answer}" in table.loc[key, "answers"]:
            assert row.reason in table.loc[key, "reason"]
            used += 1
    assert used > len(answers) / 2
