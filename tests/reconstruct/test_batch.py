from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metablin import DataError
from metablin.reconstruct import reconstruct_batch, reconstruct_km, reconstruct_many


@pytest.fixture(scope="module")
def tables(known):
    clicks, risk, totals = [], [], []
    for i in range(40):
        k = known(30 + 5 * i, 100 + i, clicks=60)
        name = f"c{i}"
        clicks.append(pd.DataFrame({"id": name, "time": k.clicks[0], "survival": k.clicks[1]}))
        risk.append(pd.DataFrame({"id": name, "time": k.at_risk[0], "n_at_risk": k.at_risk[1]}))
        totals.append({"id": name, "n": k.n, "events": k.events})
    return (
        pd.concat(clicks, ignore_index=True),
        pd.concat(risk, ignore_index=True),
        pd.DataFrame(totals),
    )


@pytest.fixture(scope="module")
def patients(tables):
    """What one process makes of all curves; not to be written to."""
    return reconstruct_many(*tables)


def test_every_curve_comes_back_in_order_with_its_patients_and_events(tables, patients):
    out = patients
    totals = tables[2].set_index("id")
    assert out.columns.tolist() == ["id", "time", "event"]
    assert out["id"].unique().tolist() == totals.index.tolist()
    assert out.groupby("id").size().to_dict() == totals["n"].to_dict()
    assert out.groupby("id")["event"].sum().to_dict() == totals["events"].to_dict()


def test_the_result_is_the_same_for_any_number_of_workers(tables, patients):
    one, two = patients, reconstruct_many(*tables, jobs=2)
    assert one["time"].to_numpy().tobytes() == two["time"].to_numpy().tobytes()
    assert one.equals(two)


def test_a_batch_gives_what_a_single_call_gives(tables, patients):
    clicks, risk, totals = tables
    out = patients
    mine = clicks[clicks["id"] == "c7"]
    table = risk[risk["id"] == "c7"]
    row = totals[totals["id"] == "c7"].iloc[0]
    single = reconstruct_km(
        mine["time"], mine["survival"], n=int(row["n"]), events=int(row["events"]),
        at_risk=(table["time"], table["n_at_risk"]),
    )  # fmt: skip
    assert np.array_equal(out[out["id"] == "c7"]["time"], single.time)


def test_the_order_of_interleaved_curves_does_not_matter(tables, patients):
    clicks = tables[0]
    mixed = clicks.assign(k=clicks.groupby("id").cumcount()).sort_values(["k", "id"], kind="stable")
    other = reconstruct_many(mixed.drop(columns="k"), *tables[1:])
    times = [
        {name: part["time"].tolist() for name, part in x.groupby("id")} for x in (patients, other)
    ]
    assert times[0] == times[1]


def test_bad_curves_are_reported_with_their_file_row_and_good_ones_kept(tables):
    clicks = tables[0].copy()
    row = int(np.flatnonzero(clicks["id"] == "c3")[5])
    clicks.loc[row, "survival"] = 7.0
    batch = reconstruct_batch(clicks, *tables[1:], quality=True)
    assert list(batch.errors) == ["c3"]
    assert batch.errors["c3"].row == row + 1
    assert "c3" in str(batch.errors["c3"])
    assert batch.ipd["id"].nunique() == 39
    assert batch.quality["id"].tolist() == [f"c{i}" for i in range(40) if i != 3]
    assert (batch.quality[["at_risk_error", "events_error"]] == 0).all().all()
    with pytest.raises(DataError, match="survival outside its range"):
        reconstruct_many(clicks, *tables[1:])


def test_one_curve_needs_no_id():
    clicks = pd.DataFrame({"time": [0, 4, 8], "survival": [1, 0.8, 0.6]})
    out = reconstruct_many(clicks, totals=pd.DataFrame({"n": [10], "events": [4]}))
    assert out["event"].sum() == 4
    assert out["id"].unique().tolist() == [""]


def test_empty_totals_are_not_given_totals():
    clicks = pd.DataFrame({"id": "a", "time": [0, 4, 8], "survival": [1, 0.8, 0.6]})
    totals = pd.DataFrame({"id": ["a"], "n": [25], "events": [""]})
    assert len(reconstruct_many(clicks, totals=totals)) == 25


@pytest.mark.parametrize(
    ("which", "change", "column", "row"),
    [
        (2, lambda t: pd.concat([t, t.iloc[[0]]], ignore_index=True), "id", 41),
        (2, lambda t: t.assign(id=t["id"].replace("c0", "zz")), "id", 1),
        (1, lambda t: t.assign(id=t["id"].replace("c0", "zz")), "id", 1),
        (0, lambda t: t.drop(columns="survival"), "survival", None),
        (1, lambda t: t.drop(columns="n_at_risk"), "n_at_risk", None),
        (2, lambda t: t.drop(columns="n"), "n", None),
        (0, lambda t: t.iloc[:0], "time", None),
        (0, lambda t: t.assign(id=t["id"].where(t.index != 4)), "id", 5),
        (2, lambda t: t.assign(n=["many", *t["n"][1:]]), "n", 1),
    ],
)
def test_broken_tables_are_one_clear_error(tables, which, change, column, row):
    frames = list(tables)
    frames[which] = change(frames[which])
    with pytest.raises(DataError) as caught:
        reconstruct_many(*frames)
    assert (caught.value.column, caught.value.row) == (column, row)


@pytest.mark.parametrize(
    ("which", "change", "bad"),
    [
        (2, lambda t: pd.concat([t, t.iloc[[0]]], ignore_index=True), "c0"),
        (2, lambda t: t.assign(n=["many", *t["n"][1:]]), "c0"),
        (2, lambda t: pd.concat([t, t.iloc[[0]].assign(id="zz")], ignore_index=True), "zz"),
        (1, lambda t: pd.concat([t, t.iloc[[0]].assign(id="zz")], ignore_index=True), "zz"),
    ],
)
def test_a_mistake_in_the_rows_of_one_curve_costs_that_curve_only(tables, which, change, bad):
    frames = list(tables)
    frames[which] = change(frames[which])
    batch = reconstruct_batch(*frames)
    assert list(batch.errors) == [bad]
    assert batch.ipd["id"].unique().tolist() == [f"c{i}" for i in range(40) if f"c{i}" != bad]


def test_a_curve_that_starts_at_no_survival_is_an_error():
    clicks = pd.DataFrame({"id": "a", "time": [0.0, 4.0, 8.0], "survival": [0.0, 0.0, 0.0]})
    with pytest.raises(DataError, match="starts at no survival"):
        reconstruct_many(clicks)


def test_input_tables_are_not_changed(tables):
    before = [t.copy() for t in tables]
    reconstruct_many(*tables)
    assert all(a.equals(b) for a, b in zip(before, tables, strict=True))


def test_a_number_and_its_text_are_one_id() -> None:
    curve = pd.DataFrame({"time": [0.0, 2.0, 4.0, 6.0], "survival": [1.0, 0.75, 0.5, 0.25]})
    mixed = curve.assign(id=pd.Series([1, 1, "1", "1"], dtype=object))
    totals = pd.DataFrame({"id": pd.Series([1], dtype=object), "n": [8]})
    found = reconstruct_many(mixed, totals=totals)
    pd.testing.assert_frame_equal(found, reconstruct_many(curve.assign(id="1"), totals=totals))
    assert len(found) == 8
    twice = pd.DataFrame({"id": pd.Series([1, "1"], dtype=object), "n": [8, 10]})
    with pytest.raises(DataError, match=r"row 2 \(1\), column 'id', value 1: duplicate id"):
        reconstruct_many(mixed, totals=twice)
