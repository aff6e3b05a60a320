import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import metablin as mb
from metablin.effects import generic, hazard_ratios, proportions, two_by_two
from metablin.errors import DataError, MetablinWarning
from metablin.meta import pool
from tests.reference import table

SAME = 1e-9
"""Relations that hold exactly, up to rounding in the iterations for tau2."""

CONTRACT = [
    *("measure", "model", "transform", "tau2_method", "ci_method", "k", "estimate", "conf_low"),
    *("conf_high", "pred_low", "pred_high", "analysis", "statistic", "p_value", "tau2"),
    *("tau2_conf_low", "tau2_conf_high", "i2", "h2", "q", "q_df", "q_p", "studies"),
]


def edge_set(transform: str = "logit") -> mb.EffectSizes:
    d = table("proportions_edge")
    return proportions(d["events"], d["n"], transform, d["study"])


def test_the_dictionary_has_the_keys_of_the_contract() -> None:
    out = pool(edge_set()).to_dict()
    assert set(CONTRACT) <= set(out)
    assert list(out["studies"][0]) == [
        *("study", "yi", "vi", "weight", "estimate", "conf_low", "conf_high")
    ]
    assert set(out["analysis"]) == {
        *("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
    }
    assert json.loads(json.dumps(out, allow_nan=False)) == out


def test_the_reader_sees_the_back_transformed_analysis() -> None:
    fit = pool(edge_set())
    assert fit.estimate == pytest.approx(1 / (1 + np.exp(-fit.analysis.estimate)), rel=1e-12)
    hr = table("log_hr")
    ratio = pool(hazard_ratios(hr["estimate"], hr["conf_low"], hr["conf_high"]))
    assert ratio.conf_high == pytest.approx(np.exp(ratio.analysis.conf_high), rel=1e-14)


def test_the_frame_has_the_columns_every_result_has() -> None:
    by = ["a", "b"] * 5 + ["a"]
    frame = pool(edge_set(), by=by).to_frame()
    assert frame["term"].tolist() == ["a", "b", "overall"]
    assert list(frame.columns) == [
        *("term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
        *("conf_level", "pred_low", "pred_high"),
    ]


def test_subgroups_are_fits_of_their_studies() -> None:
    e = edge_set()
    fit = pool(e, by=["a", "b"] * 5 + ["a"], ci="z")
    alone = pool(e.select([0, 2, 4, 6, 8, 10]), ci="z")
    assert fit.subgroups["a"].to_dict() == alone.to_dict()
    a, b = (fit.subgroups[g].analysis for g in "ab")
    z2 = (a.estimate - b.estimate) ** 2 / (a.std_error**2 + b.std_error**2)
    assert fit.subgroup_test.p_value == pytest.approx(stats.chi2.sf(z2, 1), rel=1e-12)
    assert fit.subgroup_test.statistic == pytest.approx(z2, rel=1e-12)
    assert fit.subgroup_test.df == 1
    assert "subgroup_test" in fit.to_dict()


def test_a_missing_subgroup_label_is_named() -> None:
    e = generic([0.1, 0.2], [0.1, 0.1], ["A", "B"])
    with pytest.raises(DataError, match=r"row 2 \(B\), column 'by'"):
        pool(e, by=["x", None])


def test_one_study_is_its_own_answer() -> None:
    fit = pool(generic([0.4], [0.04]))
    assert fit.analysis.conf_high == pytest.approx(0.4 + 1.959963984540054 * 0.2, rel=1e-12)
    assert fit.tau2 == 0
    assert np.isnan(fit.pred_low)
    assert "one study" in fit.notes[0]


def test_equal_effects_warn_of_a_zero_hartung_knapp_error() -> None:
    e = generic([0.1, 0.1, 0.1], [0.1, 0.2, 0.1])
    with pytest.warns(MetablinWarning, match="standard error is zero"):
        pool(e)
    assert pool(e, ci="hksj-adhoc").analysis.std_error == pytest.approx(0.2, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau2": "XX"}, "allowed: DL | HE"),
        ({"ci": "wald"}, "allowed: hksj | hksj-adhoc | z | t"),
        ({"model": "mixed"}, "allowed: random | common"),
        ({"level": 95}, "between 0 and 1"),
        ({"tau2": -1.0}, "at least 0"),
        ({"tau2": None}, "at least 0"),
        ({"by": "g"}, "allowed: data=, or one label per row"),
        ({"by": "g", "data": {"h": [1, 2]}}, "no such column in data; allowed: h"),
        ({"prediction": "none"}, "allowed: match | hts"),
        ({"by": ["a", "b"], "subgroup_tau2": "mine"}, "allowed: separate | common"),
        ({"colour": 1}, "no further options"),
    ],
)
def test_unknown_options_list_the_allowed_ones(options: dict[str, object], words: str) -> None:
    with pytest.raises(DataError) as caught:
        pool(generic([0.1, 0.2], [0.1, 0.1]), **options)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_a_known_tau2_of_zero_is_the_common_effect() -> None:
    e = edge_set()
    known, common = pool(e, tau2=0.0, ci="z"), pool(e, model="common")
    assert known.tau2_method == "given"
    assert known.analysis.estimate == pytest.approx(common.analysis.estimate, rel=1e-13)
    assert known.analysis.std_error == pytest.approx(common.analysis.std_error, rel=1e-13)


def test_the_summary_names_model_interval_and_caveats() -> None:
    text = pool(edge_set("freeman-tukey"), by=["a"] * 5 + ["b"] * 6).summary()
    for words in ("Random-effects model (tau2: REML): 11 studies", "harmonic mean", "a (k = 5)"):
        assert words in text


EFFECTS = st.lists(
    st.tuples(st.floats(-2, 2), st.floats(0.01, 1.0)), min_size=3, max_size=12
).filter(lambda rows: np.std([y for y, _ in rows]) > 1e-3)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows=EFFECTS, method=st.sampled_from(["DL", "REML", "PM", "ML", "SJ", "HE", "HS"]))
def test_order_and_scale_do_not_matter(rows: list[tuple[float, float]], method: str) -> None:
    y, v = np.array(rows).T
    fit = pool(generic(y, v), tau2=method)
    turned = pool(generic(y[::-1], v[::-1]), tau2=method)
    scaled = pool(generic(-10 * y, 100 * v), tau2=method)
    assert turned.tau2 == pytest.approx(fit.tau2, rel=SAME, abs=1e-12)
    assert turned.analysis.estimate == pytest.approx(fit.analysis.estimate, rel=SAME, abs=1e-12)
    assert scaled.tau2 == pytest.approx(100 * fit.tau2, rel=SAME, abs=1e-10)
    assert scaled.analysis.std_error == pytest.approx(
        10 * fit.analysis.std_error, rel=SAME, abs=1e-10
    )
    assert scaled.p_value == pytest.approx(fit.p_value, rel=1e-6, abs=1e-12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(rows=EFFECTS)
def test_studies_given_twice_halve_the_variance_and_keep_tau2(
    rows: list[tuple[float, float]],
) -> None:
    y, v = np.array(rows).T
    once, twice = generic(y, v), generic(np.tile(y, 2), np.tile(v, 2))
    one, two = pool(once, model="common"), pool(twice, model="common")
    assert two.analysis.estimate == pytest.approx(one.analysis.estimate, rel=SAME, abs=1e-12)
    assert two.analysis.std_error == pytest.approx(one.analysis.std_error / 2**0.5, rel=SAME)
    assert two.q == pytest.approx(2 * one.q, rel=SAME, abs=1e-12)
    likely, twice_as = pool(once, tau2="ML", ci="z"), pool(twice, tau2="ML", ci="z")
    assert twice_as.tau2 == pytest.approx(likely.tau2, rel=1e-7, abs=1e-10)


def test_labels_do_not_change_a_number() -> None:
    y, v = [0.1, 0.4, 0.2, 0.9], [0.1, 0.2, 0.05, 0.1]
    named = pool(generic(y, v, ["a", "b", "c", "d"])).to_dict()
    plain = pool(generic(y, v)).to_dict()
    for one, other in zip(named.pop("studies"), plain.pop("studies"), strict=True):
        assert {**one, "study": None} == {**other, "study": None}
    assert named == plain


def test_swapping_the_arms_turns_the_pooled_effect() -> None:
    d = table("bcg")
    a, n1, c, n2 = (
        d[x] for x in ("events_treatment", "n_treatment", "events_control", "n_control")
    )
    for measure in ("or", "rr"):
        fit = pool(two_by_two(a, n1, c, n2, measure))
        turned = pool(two_by_two(c, n2, a, n1, measure))
        assert turned.estimate == pytest.approx(1 / fit.estimate, rel=SAME)
        assert turned.conf_low == pytest.approx(1 / fit.conf_high, rel=SAME)
        assert turned.tau2 == pytest.approx(fit.tau2, rel=SAME)


def test_a_study_with_all_the_weight_is_the_answer() -> None:
    fit = pool(generic([0.5, -3.0], [1e-12, 1e6]), model="common")
    assert fit.estimate == pytest.approx(0.5, abs=1e-12)
    assert fit.weights[0] == pytest.approx(1.0, abs=1e-12)


def test_tables_without_any_event_are_named_when_nothing_is_left() -> None:
    e = two_by_two([0, 0], [10, 20], [0, 0], [12, 20], studies=["A", "B"], double_zeros="drop")
    with pytest.raises(DataError, match=r"no study to pool \(A: no event in either group; B: no"):
        pool(e)


def test_small_p_values_are_printed_as_bounds() -> None:
    e = generic([0.5, 0.6, 0.4, 0.55], [0.001] * 4)
    assert "p < 0.0001 (z)" in pool(e, ci="z").summary()


def test_subgroups_may_be_a_column_of_data() -> None:
    e = generic([0.1, 0.2, 0.5, 0.3], [0.1, 0.1, 0.2, 0.1])
    labels = ["x", "y", "x", "y"]
    named = pool(e, by="g", data={"g": labels})
    assert named.to_dict() == pool(e, by=labels).to_dict()


def test_anything_but_effect_sizes_is_refused() -> None:
    with pytest.raises(DataError, match="not effect sizes"):
        pool([0.1, 0.2])  # type: ignore[arg-type]
