"""Count models with moderators, against lme4 and by reduction to simpler models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from tests.reference import pinned

DATA = Path(__file__).parents[1] / "reference" / "data"
BCG = pd.read_csv(DATA / "bcg.csv")
CATHETER = pd.read_csv(DATA / "nielweise2008.csv")
CELLS = {c["measure"]: c for c in pinned("glmm_moderators")["cells"]}

OPTIMISER = {"rel": 2e-4, "abs": 2e-4}
"""Where lme4's bobyqa stops, as for the models without moderators."""


def effects(measure):
    treated, control = ((BCG[f"events_{arm}"], BCG[f"n_{arm}"]) for arm in ("treatment", "control"))
    moderator = {"x": ((BCG["ablat"] - 33) / 10).tolist()}
    if measure == "proportion":
        return mb.proportions(*treated), moderator
    if measure == "rate":
        return mb.rates(*treated), moderator
    if measure == "or":
        return mb.two_by_two(*treated, *control), moderator
    names = ("x1i", "t1i", "x2i", "t2i")
    return mb.rate_contrasts(*names, data=CATHETER), {"x": (np.arange(1, len(CATHETER) + 1) % 3)}


@pytest.mark.parametrize("measure", CELLS)
def test_coefficients_are_lme4s(measure):
    e, data = effects(measure)
    fit = mb.pool(e, model="glmm", moderators="x", data=data)
    cell = CELLS[measure]
    assert fit.regression.beta == pytest.approx(np.array(cell["beta"]), **OPTIMISER)
    assert fit.tau2 == pytest.approx(cell["tau2"], rel=1e-3, abs=1e-4)
    # lme4's covariance takes tau2 as known; ours allows for its estimation.
    known = np.sqrt(np.diagonal(np.array(cell["cov"])))
    assert fit.regression.std_error == pytest.approx(known, rel=0.1)


@pytest.mark.parametrize("ci", ["z", "t"])
def test_an_intercept_alone_is_the_pool(ci):
    e, _ = effects("or")
    plain = mb.pool(e, model="glmm", ci=ci)
    fit = mb.pool(e, model="glmm", ci=ci, moderators="1", data={"one": [1] * e.k})
    found = fit.regression.to_frame().iloc[0]
    expected = [plain.analysis.estimate, plain.analysis.std_error, plain.p_value]
    assert found[["estimate", "std_error", "p_value"]].tolist() == pytest.approx(expected)


def test_two_groups_of_counts_are_two_pools_when_tau2_is_nought():
    events, n = [3, 4, 12, 15], [30, 40, 31, 39]
    fit = mb.pool(mb.proportions(events, n), model="glmm", moderators="late",
                  data={"late": [0, 0, 1, 1]})  # fmt: skip
    first, second = 7 / 70, 27 / 70
    logit = np.log(first / (1 - first))
    assert fit.tau2 == 0
    assert fit.regression.beta == pytest.approx([logit, np.log(second / (1 - second)) - logit])
    predicted = fit.predict({"late": [0, 1]})["estimate"]
    assert predicted.to_numpy() == pytest.approx([first, second])


def test_the_moderators_are_tested_together():
    e, data = effects("or")
    fit = mb.pool(e, model="glmm", moderators="x", data=data)
    slope = fit.regression.to_frame().iloc[1]
    assert fit.regression.qm == pytest.approx(slope["statistic"] ** 2)
    assert fit.regression.qm_p == pytest.approx(slope["p_value"])
    assert "coefficients" in fit.to_dict()
    assert mb.contrasts(fit, [0, 1]).joint_p == pytest.approx(slope["p_value"])


def test_models_without_moderators_say_which_have_them():
    e, data = effects("or")
    with pytest.raises(mb.DataError, match=r"random \| common \| glmm"):
        mb.pool(e, model="peto", moderators="x", data=data)
    empty = mb.two_by_two([0, 3, 4, 5], [9, 9, 9, 9], [0, 1, 6, 2], [9, 9, 9, 9])
    with pytest.raises(mb.DataError, match="linearly dependent"):
        mb.pool(empty, model="glmm", moderators="x", data={"x": [1, 0, 0, 0]})


def test_fits_with_moderators_are_saved_and_asked_again():
    e, data = effects("proportion")
    fit = mb.pool(e, model="glmm", moderators="x", data=data)
    back = mb.load_fit(fit.to_json())
    assert back.regression.beta.tolist() == fit.regression.beta.tolist()
    assert fit.update(ci="t").regression.df == e.k - 2
