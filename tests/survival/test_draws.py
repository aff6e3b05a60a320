"""Rubin's rules for draws of one arm."""

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.survival import combine_curves, kaplan_meier, rmst, rubin
from metablin.survival.draws import patients_of
from tests.reference import table


@pytest.fixture(scope="module")
def draws():
    d = table("lung")
    rng = np.random.default_rng(2)
    return [
        (d["time"].to_numpy() * np.exp(rng.normal(0, 0.05, len(d))), d["event"].to_numpy())
        for _ in range(4)
    ]


def test_one_draw_keeps_its_own_estimates_and_intervals():
    d = table("lung")
    curve = kaplan_meier(d["time"], d["event"])
    rows = combine_curves([curve], at=[365], tau=500).set_index("term")
    names = ["estimate", "conf_low", "conf_high"]
    np.testing.assert_allclose(
        rows.loc["median", names].astype(float), curve.quantile()[names].iloc[0]
    )
    np.testing.assert_allclose(
        rows.loc["survival at 365", names].astype(float), curve.survival_at([365])[names].iloc[0]
    )
    own = rmst(d["time"], d["event"], 500).arms().iloc[0]
    np.testing.assert_allclose(
        rows.loc["RMST at 500", names].astype(float), own[names].astype(float)
    )


def test_the_spread_between_draws_is_added(draws):
    curves = [kaplan_meier(t, e) for t, e in draws]
    rows = combine_curves(curves, at=[365], tau=500).set_index("term")
    assert (rows["between_share"] > 0).all()
    assert (rows["between_share"] < 0.5).all()
    fits = [rmst(t, e, 500) for t, e in draws]
    m, v, share = rubin(
        np.array([f.estimate[0] for f in fits]), np.array([f.std_error[0] ** 2 for f in fits])
    )
    row = rows.loc["RMST at 500"]
    assert row["estimate"] == pytest.approx(float(m))
    assert row["between_share"] == pytest.approx(float(share))
    assert (row["conf_high"] - row["conf_low"]) / 2 == pytest.approx(1.959964 * float(v) ** 0.5)


def test_what_a_draw_cannot_give_is_said():
    reached = kaplan_meier([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 1, 1, 1, 1, 0, 0])
    never = kaplan_meier([1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 0, 0, 0, 0, 0, 0])
    rows = combine_curves([reached, never, never], at=[20]).set_index("term")
    assert "not reached" in rows.loc["median", "note"]
    assert rows.loc["median", "estimate"] == np.inf
    assert "beyond follow-up" in rows.loc["survival at 20", "note"]
    with pytest.raises(DataError, match="column 'tau'"):
        combine_curves([reached], tau=20)
    with pytest.raises(DataError, match="no draws"):
        combine_curves([])


def test_the_patients_behind_a_curve_give_it_back():
    d = table("veteran")
    curve = kaplan_meier(d["time"], d["event"])
    p = patients_of(curve)
    again = kaplan_meier(p.time, p.event, weights=p.w)
    np.testing.assert_allclose(again.to_frame(), curve.to_frame())
    with pytest.raises(DataError, match="late entries"):
        patients_of(kaplan_meier(d["time"], d["event"], entry=d["entry"]))
