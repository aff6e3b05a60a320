"""Means and standard deviations from five numbers, against metafor and estmeansd."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.errors import DataError

REFERENCE = Path(__file__).parents[1] / "reference"
PINNED = json.loads((REFERENCE / "continuous.json").read_text())["quantiles"]
FIVE = pd.read_csv(REFERENCE / "data" / "five_numbers.csv")

CLOSED_FORM = 1e-12
"""Closed forms in another order of operations."""
SEARCHED = 2e-3
"""estmeansd stops its search (L-BFGS-B) early; ours reaches sums of squares that are no larger."""


def from_five(method, frame=FIVE):
    names = ("n", "median", "q1", "q3", "minimum", "maximum")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mb.MetablinWarning)
        return mb.means_from_quantiles(*names, method=method, studies="study", data=frame)


def test_luo_wan_and_shi_are_metafors():
    t = from_five("luo-wan-shi")
    assert t["mean"].to_numpy() == pytest.approx(np.array(PINNED["mean"]), rel=CLOSED_FORM)
    assert t["sd"].to_numpy() == pytest.approx(np.array(PINNED["sd"]), rel=CLOSED_FORM)
    assert t["skewed"].tolist() == PINNED["skewed"]


def test_quantile_estimation_is_that_of_estmeansd():
    """Where its search for a Weibull distribution fails, that may be the nearest nonetheless."""
    t = from_five("quantile-estimation")
    agreed = 0
    for (_, row), x, cell in zip(
        t.iterrows(), FIVE.itertuples(), PINNED["estimation"], strict=True
    ):
        if row["distribution"] == "weibull" and cell["weibull"] is None:
            best = min(cell[c] for c in ("normal", "log-normal", "gamma"))
            assert squares_of_weibull(row["mean"], row["sd"], x) < best
            continue
        agreed += 1
        assert row["distribution"] == cell["distribution"]
        found = [row["mean"], row["sd"]]
        assert found == pytest.approx([cell["mean"], cell["sd"]], rel=SEARCHED)
    assert agreed >= 13


def squares_of_weibull(mean, sd, x):
    """Sum of squares of the Weibull distribution with a mean and standard deviation."""
    c = optimize.brentq(lambda c: stats.weibull_min(c).std() / stats.weibull_min(c).mean()
                        - sd / mean, 0.1, 50)  # fmt: skip
    law = stats.weibull_min(c, scale=mean / stats.weibull_min(c).mean())
    shares = {"minimum": 1 / x.n, "q1": 0.25, "median": 0.5, "q3": 0.75, "maximum": 1 - 1 / x.n}
    return np.nansum([(law.ppf(p) - getattr(x, name)) ** 2 for name, p in shares.items()])


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("normal", stats.norm(-3, 2)),
        ("log-normal", stats.lognorm(0.7, scale=4)),
        ("gamma", stats.gamma(1.7, scale=5)),
        ("weibull", stats.weibull_min(1.3, scale=0.02)),
        ("beta", stats.beta(2, 5)),
    ],
)
def test_quantiles_of_a_distribution_give_it_back(name, law):
    n = 100
    q = law.ppf([1 / n, 0.25, 0.5, 0.75, 1 - 1 / n])
    t = mb.means_from_quantiles([n], q[2:3], q[1:2], q[3:4], q[:1], q[4:],
                                method="quantile-estimation").iloc[0]  # fmt: skip
    assert t["distribution"] == name
    assert t["mean"] == pytest.approx(law.mean(), rel=1e-5)
    assert t["sd"] == pytest.approx(law.std(), rel=1e-5)


def test_the_unit_does_not_matter():
    numbers = ["minimum", "q1", "median", "q3", "maximum"]
    for method in ("luo-wan-shi", "quantile-estimation"):
        some = FIVE.iloc[:12]
        scaled = some.assign(**{c: some[c] * 250 for c in numbers})
        a, b = from_five(method, some), from_five(method, scaled)
        assert b["mean"].to_numpy() == pytest.approx(250 * a["mean"].to_numpy(), rel=1e-6)
        assert b["sd"].to_numpy() == pytest.approx(250 * a["sd"].to_numpy(), rel=1e-6)


def test_skewed_numbers_are_told():
    with pytest.warns(mb.MetablinWarning, match="too skewed.*quantile-estimation"):
        t = mb.means_from_quantiles([200], [5.0], [4.0], [12.0])
    assert t["skewed"].tolist() == [True]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"q1": [6.0], "q3": [8.0]}, "not in order"),
        ({"q1": [4.0]}, "'q3'.*both q1 and q3"),
        ({}, "neither quartiles nor a range"),
        ({"q1": [5.0], "q3": [5.0]}, "some spread"),
    ],
)
def test_numbers_that_are_no_quantiles_are_named(kwargs, words):
    with pytest.raises(DataError, match=words):
        mb.means_from_quantiles([50], [5.0], **kwargs)
