import math
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from metablin.effects import generic, two_by_two
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.checks.permutation import permutation_test
from tests.reference import pinned, table

CLOSED = 1e-9
"""Closed forms; the calendar year beside an intercept costs metafor's cross-products digits."""

OPTIMISED = 1e-8
"""Iterated tau2 on both sides."""

TESTS = {"z": "z", "t": "t", "knha": "hksj", "adhoc": "hksj-adhoc"}
METHODS = ("FE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
NEW: dict[str, dict[str, list[object]]] = {
    "~ablat": {"ablat": [13, 33.5]},
    "~ablat + alloc": {"ablat": [33, 44], "alloc": ["systematic", "random"]},
    "~ablat + year": {"ablat": [33], "year": [1955]},
    "~0 + alloc": {"alloc": ["alternate", "random", "systematic"]},
    "~weeks": {"weeks": [0, 3]},
    "~x": {"x": [0.5]},
    "~x + g": {"x": [0.5, 0], "g": ["b", "a"]},
}
CELLS = pinned("metafor_regression")["cells"]
IDS = [f"{c['data']} {c['formula']}" for c in CELLS]


def data_of(name: str) -> pd.DataFrame:
    d = table(name)
    if name == "bcg":
        columns = ["events_treatment", "n_treatment", "events_control", "n_control"]
        e = two_by_two(*(d[c] for c in columns), measure="rr")
        d = d.assign(yi=e.yi, vi=e.vi)
    return d


def near(ours: object, theirs: object, rtol: float) -> None:
    np.testing.assert_allclose(
        np.array(ours, float), np.array(theirs, float), rtol=rtol, atol=1e-11
    )


def test_the_regression_grid_is_complete() -> None:
    assert len(CELLS) == len(NEW)
    for cell in CELLS:
        assert list(cell["fits"]) == list(METHODS)
        assert all(set(fit["tests"]) == set(TESTS) for fit in cell["fits"].values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cell", CELLS, ids=IDS)
def test_regressions_agree_with_metafor(cell: dict[str, object], method: str) -> None:
    d = data_of(str(cell["data"]))
    want = cell["fits"][method]  # type: ignore[index]
    rtol = OPTIMISED if method in ("ML", "REML", "EB", "PM") else CLOSED
    formula = str(cell["formula"])
    for test, pin in want["tests"].items():
        options = {"model": "common"} if method == "FE" else {"tau2": method}
        e = generic(d["yi"], d["vi"])
        fit = pool(e, ci=TESTS[test], moderators=formula, data=d, **options)
        reg = fit.regression
        assert reg.df == pytest.approx(len(d) - len(reg.beta)) or np.isinf(reg.df)
        for key in ("tau2", "i2", "h2", "q", "q_p"):
            near(getattr(fit, key), want[key], rtol)
        if want.get("r2"):
            near(reg.r2, want["r2"], rtol)
        for key in ("beta", "std_error", "statistic", "p_value", "conf_low", "conf_high"):
            near(getattr(reg, key), pin[key], rtol)
        for key in ("qm", "qm_df", "qm_p"):
            near(getattr(reg, key), pin[key], rtol)
        predicted = fit.predict(NEW[formula])
        for ours, theirs in (("estimate", "pred"), ("conf_low", "pred_conf_low")):
            near(predicted[ours], pin[theirs], rtol)
        near(predicted["std_error"], pin["pred_se"], rtol)
        if method != "FE":
            near(predicted["pred_high"], pin["pred_high"], rtol)
    if method == "REML":
        near([fit.tau2_conf_low, fit.tau2_conf_high], want["q_profile"], OPTIMISED)


@pytest.mark.parametrize("test", ["z", "knha"])
def test_exact_permutation_tests_agree_with_metafor(test: str) -> None:
    d, want = table("sim_k07"), pinned("metafor_regression")["permutation"][test]
    e = generic(d["yi"], d["vi"])
    found = permutation_test(pool(e, ci=TESTS[test], moderators="x", data=d), n=5040)
    assert found.exact
    assert found.arrangements == 5040
    near(found.p_value, want["p_value"], 1e-12)
    near(found.qm_p, want["qm_p"], 1e-12)
    near(permutation_test(pool(e, ci=TESTS[test])).p_value, want["intercept_only"], 1e-12)


def test_random_permutations_are_near_the_exact_and_repeat_with_their_seed() -> None:
    d = table("sim_k07")
    fit = pool(generic(d["yi"], d["vi"]), tau2="DL", moderators="x", data=d)
    exact = permutation_test(fit, n=5040).p_value[1]
    one, two = (permutation_test(fit, n=2000, seed=4) for _ in range(2))
    assert not one.exact
    assert one.p_value[1] == two.p_value[1]
    assert abs(one.p_value[1] - exact) < 4 * math.sqrt(exact * (1 - exact) / 2000)


def test_the_dictionary_of_a_regression_has_the_keys_of_the_contract() -> None:
    d = data_of("bcg")
    out = pool(generic(d["yi"], d["vi"]), moderators="ablat + C(alloc)", data=d).to_dict()
    assert {"coefficients", "qm", "qm_df", "qm_p", "r2"} <= set(out)
    assert out["estimate"] is None
    assert [c["term"] for c in out["coefficients"]] == [
        *("Intercept", "ablat", "C(alloc)[T.random]", "C(alloc)[T.systematic]")
    ]
    assert set(out["coefficients"][0]) == {
        *("term", "estimate", "std_error", "statistic", "p_value"),
        *("conf_low", "conf_high", "conf_level"),
    }


def test_predictions_are_on_the_readers_scale() -> None:
    d = table("bcg")
    columns = ["events_treatment", "n_treatment", "events_control", "n_control"]
    e = two_by_two(*(d[c] for c in columns), measure="rr")
    fit = pool(e, moderators="ablat", data=d)
    assert fit.to_frame()["term"].tolist() == ["Intercept", "ablat"]
    want = math.exp(fit.regression.beta @ [1.0, 44.0])
    assert fit.predict({"ablat": 44})["estimate"][0] == pytest.approx(want, rel=1e-12)


def test_an_intercept_alone_is_the_plain_model() -> None:
    d = table("sim_k20")
    e = generic(d["yi"], d["vi"])
    plain, reg = pool(e), pool(e, moderators="1", data=d)
    assert reg.to_frame()["term"].tolist() == ["Intercept"]
    assert reg.regression.beta[0] == pytest.approx(plain.analysis.estimate, rel=1e-10)
    assert reg.regression.std_error[0] == pytest.approx(plain.analysis.std_error, rel=1e-10)
    assert reg.tau2 == pytest.approx(plain.tau2, rel=1e-9)


D = pd.DataFrame(
    {
        "x": [1.0, 2, 3, 4, 5],
        "twice": [2.0, 4, 6, 8, 10],
        "flat": [7.0] * 5,
        "g": list("aabbb"),
        "gap": [1.0, None, 3, 4, 5],
        "id": list("vwxyz"),
    }
)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("nothere", "column 'nothere': no such column in data; allowed: x, twice"),
        ("gap", "row 2 (study 2), column 'gap': missing moderator"),
        ("flat", "column 'flat': the moderator is the same in all studies"),
        ("x + twice", "moderators are collinear"),
        ("C(id)", "5 coefficients for 5 studies"),
        ("x +", "not a formula"),
        ("log(x - 1)", "not finite"),
        ("x + y ~ g", "not a formula"),
    ],
)
def test_moderators_that_cannot_be_used_are_named(formula: str, words: str) -> None:
    e = generic([0.1, 0.3, 0.2, 0.5, 0.6], [0.1] * 5)
    with pytest.raises(DataError, match=re.escape(words)):
        pool(e, moderators=formula, data=D)


def test_an_unknown_category_is_refused_in_prediction() -> None:
    fit = pool(generic([0.1, 0.3, 0.2, 0.5, 0.6], [0.1] * 5), moderators="g", data=D)
    with pytest.raises(DataError, match="cannot be evaluated"):
        fit.predict({"g": ["c"]})


def test_moderators_do_not_go_with_subgroups_or_stratified_models() -> None:
    e = generic([0.1, 0.3, 0.2, 0.5, 0.6], [0.1] * 5)
    with pytest.raises(DataError, match="at once"):
        pool(e, moderators="x", data=D, by=D["g"])
    with pytest.raises(DataError, match="inverse-variance model"):
        pool(e, model="peto", moderators="x", data=D)
    with pytest.raises(DataError, match="moderators need data"):
        pool(e, moderators="x")


Matrix = list[list[Fraction]]


def solve_exactly(a: Matrix, b: Matrix) -> Matrix:
    """Solve a x = b by Gauss-Jordan elimination on rational numbers."""
    n = len(a)
    rows = [[*left, *right] for left, right in zip(a, b, strict=True)]
    for i in range(n):
        pivot = rows[i][i]
        rows[i] = [value / pivot for value in rows[i]]
        for j in range(n):
            if j != i:
                factor = rows[j][i]
                rows[j] = [u - factor * w for u, w in zip(rows[j], rows[i], strict=True)]
    return [row[n:] for row in rows]


def test_an_ill_conditioned_regression_is_right_in_exact_arithmetic() -> None:
    d = data_of("bcg")
    y, w = [Fraction(float(t)) for t in d["yi"]], [1 / Fraction(float(t)) for t in d["vi"]]
    years, latitudes = d["year"].tolist(), d["ablat"].tolist()
    x = [[Fraction(1), Fraction(latitudes[i]), Fraction(years[i])] for i in range(len(y))]
    studies, columns = range(len(y)), range(3)

    def moment(power: int) -> Matrix:
        return [
            [sum((w[s] ** power * x[s][i] * x[s][j] for s in studies), Fraction()) for j in columns]
            for i in columns
        ]

    right = [[sum((w[s] * x[s][i] * y[s] for s in studies), Fraction())] for i in columns]
    beta = [row[0] for row in solve_exactly(moment(1), right)]
    residuals = [y[s] - sum(beta[i] * x[s][i] for i in columns) for s in studies]
    q = sum(w[s] * residuals[s] ** 2 for s in studies)
    share = solve_exactly(moment(1), moment(2))
    tau2 = (q - (len(y) - 3)) / (sum(w) - sum(share[i][i] for i in columns))
    fit = pool(generic(d["yi"], d["vi"]), tau2="DL", moderators="ablat + year", data=d)
    assert fit.tau2 == pytest.approx(float(tau2), rel=1e-12)
    common = pool(generic(d["yi"], d["vi"]), model="common", moderators="ablat + year", data=d)
    assert common.tau2 == 0.0
    np.testing.assert_allclose(common.regression.beta, [float(b) for b in beta], rtol=1e-11)
