"""The door: what is read, and the one line for what is not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.errors import DataError
from metablin.network import network, network_pool

ARMS = {
    "study": ["A", "A", "B", "B", "C", "C", "C"],
    "treatment": ["x", "y", "y", "z", "x", "y", "z"],
    "events": [5, 9, 11, 7, 20, 12, 8],
    "n": [50, 52, 60, 58, 90, 88, 91],
}
PAIRS = {
    "study": ["A", "B", "C", "C", "C"],
    "treat1": ["x", "y", "x", "x", "y"],
    "treat2": ["y", "z", "y", "z", "z"],
    "yi": [0.1, 0.3, 0.2, 0.5, 0.3],
    "vi": [0.1, 0.1, 0.2, 0.2, 0.2],
}


def changed(table, **columns):
    return {**table, **columns}


def test_a_network_knows_its_parts():
    n = mb.network(pd.DataFrame(ARMS), measure="or")
    assert (n.treatments, n.k, n.m, n.multi_arm) == (("x", "y", "z"), 3, 5, ("C",))
    assert n.designs == ((0, 1), (0, 1, 2), (1, 2))
    assert n.geometry()["studies"].tolist() == [2, 1, 2]
    assert n.geometry()["n"].tolist() == [280, 181, 297]
    assert n.nodes()["n"].tolist() == [140, 200, 149]
    assert "3 treatments, 3 studies" in n.summary()


def test_labels_stay_text():
    n = network({"study": [1, 1, 2, 2], "treatment": ["1", "01", "01", "2"],
                 "events": [1, 2, 3, 4], "n": [9, 9, 9, 9]})  # fmt: skip
    assert set(n.treatments) == {"1", "01", "2"}
    floats = network({"study": [1.0, 1.0], "treatment": [1.0, 2.0], "events": [1, 2], "n": [9, 9]})
    assert (floats.treatments, floats.studies) == (("1", "2"), ("1",))


def test_columns_are_found_without_case_and_said():
    n = network({"Trial": ["A", "A"], "TRT": ["x", "y"], "r": [1, 2], "Total": [10, 12]})
    assert n.k == 1
    assert "Trial read as study" in n.notes[0]
    assert "Total read as n" in n.notes[0]


def test_arms_and_contrasts_of_the_same_study_agree():
    arms = network(ARMS)
    again = network(arms.to_frame(), "generic")
    for a, b in zip(arms.blocks, again.blocks, strict=True):
        assert a.y == pytest.approx(b.y, abs=1e-13)
        assert a.cov == pytest.approx(b.cov, abs=1e-13)


def test_one_shared_arm_with_its_variance_is_enough():
    full = network(ARMS)
    block = full.blocks[2]
    shared = 1 / 12 + 1 / 76  # arm y of study C
    rows = [("C", t, "y", *block.pair(full.treatments.index(t), 1), shared) for t in ("z", "x")]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "vi", "shared_variance"])
    got = network(frame, "generic").blocks[0]
    assert got.y == pytest.approx(block.y, abs=1e-13)
    assert got.cov == pytest.approx(block.cov, abs=1e-13)


def test_ratios_with_intervals_are_read_on_the_log_scale():
    n = network({"study": ["A"], "treat1": ["b"], "treat2": ["a"], "estimate": [0.71],
                 "conf_low": [0.55], "conf_high": [0.93]}, "hr")  # fmt: skip
    e = mb.hazard_ratios([0.71], [0.55], [0.93])
    assert n.blocks[0].y == pytest.approx(e.yi)
    assert n.blocks[0].cov[0] == pytest.approx(e.vi)
    assert network_pool(n, reference="a").to_frame()["estimate"][0] == pytest.approx(0.71)


def test_the_input_is_not_changed():
    frame = pd.DataFrame(ARMS)
    before = frame.copy()
    network(frame)
    pd.testing.assert_frame_equal(frame, before)


BAD = {
    "one arm": (changed(ARMS, study=["A", "A", "B", "B", "C", "C", "D"]), "or",
                ["(D)", "one arm", "z"]),
    "itself": (changed(ARMS, treatment=["x", "x", "y", "z", "x", "y", "z"]), "or",
               ["(A)", "x", "with itself"]),
    "itself in contrasts": (changed(PAIRS, treat2=["x", "z", "y", "z", "z"]), "generic",
                            ["row 1", "(A)", "with itself", "x"]),
    "inconsistent": (changed(PAIRS, yi=[0.1, 0.3, 0.2, -0.5, 0.3]), "generic",
                     ["study C", "contradict", "x, y, z"]),
    "no covariance": (changed(PAIRS, vi=[0.1, 0.1, 0.01, 0.01, 0.2]), "generic",
                      ["study C", "fit no covariance", "weighs most"]),
    "negative variance": (changed(PAIRS, vi=[-0.1, 0.1, 0.2, 0.2, 0.2]), "generic",
                          ["row 1", "A, x against y", "vi", "greater than 0"]),
    "a pair is lacking": ({k: v[:4] for k, v in PAIRS.items()}, "generic",
                          ["study C", "lacks y against z", "shared_variance"]),
    "a pair twice": (changed(PAIRS, treat1=["x", "y", "x", "y", "y"],
                             treat2=["y", "z", "y", "x", "z"]), "generic",
                     ["row 4 (C)", "twice", "y against x"]),
    "too many events": (changed(ARMS, events=[5, 9, 11, 70, 20, 12, 8]), "or",
                        ["row 4", "B, z", "more events than patients", "n = 58"]),
    "a missing count": (changed(ARMS, events=[5, 9, 11, None, 20, 12, 8]), "or",
                        ["row 4", "B, z", "missing"]),
    "a missing label": (changed(ARMS, treatment=["x", "y", "y", None, "x", "y", "z"]), "or",
                        ["row 4", "'treatment'", "missing"]),
    "no column": ({k: v for k, v in ARMS.items() if k != "events"}, "or", ["'events'", "found"]),
    "hazard ratios of arms": (ARMS, "hr", ["compares two arms"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_that_names_study_and_treatment(case):
    table, measure, parts = BAD[case]
    with pytest.raises(DataError) as found:
        network(table, measure)
    text = str(found.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_incomplete_rows_can_be_left_out_and_are_named():
    table = changed(ARMS, events=[5, None, 11, 7, 20, 12, 8])
    n = network(table, missing="drop")
    assert n.studies == ("B", "C")
    assert n.notes[-1] == "left out: row 2 (A: events missing); study A (one arm left)"
    thinned = network(changed(ARMS, events=[5, 9, 11, 7, 20, 12, "NR"]), missing="drop")
    assert thinned.multi_arm == ()
    assert thinned.k == 3
    pairs = changed({k: v[:2] for k, v in PAIRS.items()}, yi=[0.1, None])
    assert network(pairs, "generic", missing="drop").k == 1
    with pytest.raises(DataError, match="no row is complete"):
        network(changed(ARMS, events=[None] * 7), missing="drop")


def test_two_components_are_named_with_what_would_connect_them():
    n = network({"study": ["A", "A", "B", "B"], "treatment": ["x", "y", "v", "w"],
                 "events": [5, 9, 11, 7], "n": [50, 52, 60, 58]})  # fmt: skip
    assert not n.connected
    assert n.components == (("v", "w"), ("x", "y"))
    with pytest.raises(DataError, match=r"2 parts: \{v, w\} and \{x, y\}; a study that compares"):
        network_pool(n)


def test_an_unknown_reference_is_named():
    with pytest.raises(DataError, match=r"'reference', value q: .*x \| y \| z"):
        network_pool(network(ARMS), reference="q")


def test_zero_cells_are_corrected_in_all_arms_and_said():
    table = changed(ARMS, events=[5, 9, 0, 7, 20, 12, 8])
    n = network(table)
    assert "zero cells corrected (only-needed) in 1: B" in n.notes
    assert n.blocks[1].cov[0, 0] == pytest.approx(1 / 0.5 + 1 / 60.5 + 1 / 7.5 + 1 / 51.5)
    with pytest.raises(DataError, match="without a correction"):
        network({k: v[2:4] for k, v in table.items()}, zero_cells="none")
    kept = network(table, zero_cells="none")
    assert kept.studies == ("A", "C")
    assert kept.excluded[0].study == "B"


def test_studies_without_any_event_can_be_dropped():
    table = changed(ARMS, events=[0, 0, 3, 7, 20, 12, 8])
    assert network(table).k == 3
    n = network(table, double_zeros="drop")
    assert n.k == 2
    assert n.excluded[0].reason == "no event in any arm"


@pytest.mark.parametrize("measure", ["md", "smd"])
def test_mean_differences_of_two_arms_are_those_of_the_effect_sizes(measure):
    table = {"study": ["A", "A"], "treatment": ["a", "b"], "mean": [3.5, 5.0], "sd": [2.5, 2.0],
             "n": [22, 20]}  # fmt: skip
    block = network(table, measure).blocks[0]
    e = mb.mean_differences([5.0], [2.0], [20], [3.5], [2.5], [22], measure=measure)
    assert block.y == pytest.approx(e.yi, rel=1e-14)
    assert block.cov[0] == pytest.approx(e.vi, rel=1e-14)


def test_random_tables_fail_by_name_only():
    rng = np.random.default_rng(7)
    errors, effects = [], []
    for _ in range(60):
        k = int(rng.integers(1, 7))
        table = {
            "study": rng.choice(["A", "B", "C", ""], k, p=[0.4, 0.4, 0.15, 0.05]).tolist(),
            "treatment": rng.choice(["x", "y", "z"], k).tolist(),
            "events": rng.choice([0, 1, 5, -1, np.nan], k, p=[0.3, 0.3, 0.3, 0.05, 0.05]).tolist(),
            "n": rng.choice([5, 10], k).tolist(),
        }
        try:
            effects.append(network_pool(network(table)).d)
        except DataError as error:
            errors.append(str(error))
    assert len(errors) + len(effects) == 60
    assert len(effects) >= 3
    assert all("\n" not in text for text in errors)
    assert all(np.isfinite(d).all() for d in effects)


def test_the_folder_and_the_function_of_one_name_are_both_reached():
    code = (
        "import metablin.network\nimport metablin as mb\n"
        "n = mb.network({'study': ['A', 'A'], 'treatment': ['x', 'y'], 'events': [1, 2], "
        "'n': [9, 9]})\nprint(n.k, mb.network.network_pool is mb.network_pool)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1", "True"]


SIDES = [
    ("treat1", "event1", "n1", "treat2", "event2", "n2", "treat3", "event3", "n3"),
    ("Treat.1", "r.1", "Total.1", "Treat.2", "r.2", "Total.2", "Treat.3", "r.3", "Total.3"),
    ("t[1]", "r[1]", "n[1]", "t[2]", "r[2]", "n[2]", "t[3]", "r[3]", "n[3]"),
    ("t[,1]", "r[,1]", "n[,1]", "t[,2]", "r[,2]", "n[,2]", "t[,3]", "r[,3]", "n[,3]"),
]


@pytest.mark.parametrize("names", SIDES)
def test_arms_side_by_side_are_the_arms_one_below_the_other(names):
    rows = [
        ("x", 5, 50, "y", 9, 52, None, None, None),
        ("y", 11, 60, "z", 7, 58, None, None, None),
        ("x", 20, 90, "y", 12, 88, "z", 8, 91),
    ]
    wide = pd.DataFrame(rows, columns=list(names)).assign(study=["A", "B", "C"])
    n, long = network(wide), network(ARMS)
    assert any("side by side: 1, 2, 3" in note for note in n.notes)
    a, b = network_pool(n), network_pool(long)
    np.testing.assert_array_equal(a.d, b.d)
    np.testing.assert_array_equal(a.cov, b.cov)


def test_a_study_in_a_row_for_every_pair_of_its_arms_is_one_study():
    rows = [
        ("A", "x", 5, 50, "y", 9, 52), ("B", "y", 11, 60, "z", 7, 58),
        ("C", "x", 20, 90, "y", 12, 88), ("C", "x", 20, 90, "z", 8, 91),
        ("C", "y", 12, 88, "z", 8, 91),
    ]  # fmt: skip
    columns = ["study", "treat1", "event1", "n1", "treat2", "event2", "n2"]
    fit = network_pool(network(pd.DataFrame(rows, columns=columns)))
    np.testing.assert_array_equal(fit.d, network_pool(network(ARMS)).d)
    rows[4] = ("C", "y", 13, 88, "z", 8, 91)
    with pytest.raises(DataError, match=r"C.*y"):
        network(pd.DataFrame(rows, columns=columns))


def test_contrasts_with_the_counts_of_their_arms_stay_contrasts():
    counts = {"event1": [1, 2, 3, 4, 5], "n1": [9] * 5, "event2": [2] * 5, "n2": [9] * 5}
    pairs = {("TE" if c == "yi" else c): x for c, x in PAIRS.items()}
    for measure in ("generic", "or"):
        np.testing.assert_array_equal(
            network_pool(network({**pairs, **counts}, measure)).d,
            network_pool(network(PAIRS, measure)).d,
        )


def test_two_like_arms_of_one_row_are_two_arms():
    columns = ["study", "t1", "r1", "n1", "t2", "r2", "n2", "t3", "r3", "n3"]
    rows = [
        ("A", "x", 5, 50, "x", 5, 50, "y", 9, 52),
        ("B", "x", 4, 40, "y", 9, 45, None, None, None),
    ]
    with pytest.raises(DataError, match=r"A.*x"):
        network(pd.DataFrame(rows, columns=columns))
