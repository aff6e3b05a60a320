"""Published analyses, redone; tolerances are half a unit in the last printed digit."""

import numpy as np
import pytest

from metablin.effects import generic, two_by_two
from metablin.meta import pool
from metablin.meta.checks.intervals import heterogeneity
from tests.reference import table

COLUMNS = ["events_treatment", "n_treatment", "events_control", "n_control"]
METHODS = ("HS", "HE", "DL", "ML", "REML", "EB", "SJ")

# Viechtbauer 2005, J Educ Behav Stat 30:261, the two data sets of its examples.
FIRST = (
    [-0.581, 0.530, 0.771, 1.031, 0.553, 0.295, 0.078, 0.573, -0.176, -0.232],
    [0.023, 0.052, 0.060, 0.115, 0.095, 0.203, 0.200, 0.211, 0.051, 0.040],
)
# fmt: off
SECOND = (
    [0.100, -0.162, -0.090, -0.049, -0.046, -0.010, -0.431, -0.261, 0.134,
     0.019, 0.175, 0.056, 0.045, 0.103, 0.121, -0.482, 0.290, 0.342],
    [0.016, 0.015, 0.050, 0.050, 0.032, 0.052, 0.036, 0.024, 0.034,
     0.033, 0.031, 0.034, 0.039, 0.167, 0.134, 0.096, 0.016, 0.035],
)
# fmt: on


def printed(value: float, text: str) -> None:
    """Assert that `value` is what was printed."""
    digits = len(text.partition(".")[2])
    assert value == pytest.approx(float(text), abs=0.5001 * 10.0**-digits)


@pytest.mark.parametrize(
    ("data", "tau2", "i2", "h2"),
    [
        (
            FIRST,
            ("0.228", "0.148", "0.277", "0.197", "0.223", "0.192", "0.199"),
            ("77.23", "68.80", "80.44", "74.51", "76.84", "74.05", "74.75"),
            ("4.39", "3.21", "5.11", "3.92", "4.32", "3.85", "3.96"),
        ),
        (
            SECOND,
            ("0.010", "0.000", "0.013", "0.013", "0.016", "0.010", "0.025"),
            ("22.93", "0.00", "27.53", "28.45", "32.02", "23.72", "42.67"),
            ("1.30", "1.00", "1.38", "1.40", "1.47", "1.31", "1.74"),
        ),
    ],
    ids=["page 271", "page 272"],
)
def test_viechtbauer_2005_pages_271_and_272(
    data: tuple[list[float], list[float]],
    tau2: tuple[str, ...],
    i2: tuple[str, ...],
    h2: tuple[str, ...],
) -> None:
    for j, method in enumerate(METHODS):
        fit = pool(generic(*data), tau2=method)
        printed(fit.tau2, tau2[j])
        printed(100 * fit.i2, i2[j])
        printed(fit.h2, h2[j])


def test_viechtbauer_2007_table_ii_page_44() -> None:
    # Stat Med 26:37: diuretics in pregnancy, estimators and intervals of tau2.
    d = table("collins1985b")
    e = two_by_two(*(d[c] for c in COLUMNS), measure="or")
    for method, text in (("DL", "0.230"), ("ML", "0.239"), ("REML", "0.301"), ("SJ", "0.456")):
        printed(pool(e, tau2=method).tau2, text)
    fit = pool(e, tau2="DL")
    printed(fit.tau2_conf_low, "0.072")
    printed(fit.tau2_conf_high, "2.203")
    for method, low, high in (("ML", "0.027", "1.131"), ("REML", "0.043", "1.475")):
        found = heterogeneity(pool(e, tau2=method), method="profile-likelihood")
        printed(found.conf_low[0], low)
        printed(found.conf_high[0], high)


def test_normand_1999_tables_iii_and_vii_lidocaine() -> None:
    # Stat Med 18:321, pages 330 and 349, risk differences in per cent.
    d = table("hine1989")
    e = two_by_two(*(d[c] for c in COLUMNS), measure="rd")
    effects = ("2.8026", "0.0000", "1.9711", "1.7961", "3.5334", "4.4031")
    variances = ("17.7575", "37.5657", "8.1323", "10.8998", "8.0114", "6.1320")
    for i in range(6):
        printed(100 * e.yi[i], effects[i])
        printed(100**2 * e.vi[i], variances[i])
    common = pool(e, model="common")
    for fit in (common, pool(e, ci="z"), pool(e, tau2="DL", ci="z")):
        printed(100 * fit.estimate, "2.94")
        printed(100 * fit.conf_low, "0.4")
        printed(100 * fit.conf_high, "5.5")
        assert fit.tau2 == 0


def test_normand_1999_tables_viii_and_ix_length_of_stay() -> None:
    # Pages 351 and 352: mean differences with the pooled standard deviation.
    d = table("normand1999")
    pooled = ((d["n1i"] - 1) * d["sd1i"] ** 2 + (d["n2i"] - 1) * d["sd2i"] ** 2) / (
        d["n1i"] + d["n2i"] - 2
    )
    e = generic(d["m1i"] - d["m2i"], pooled / d["n1i"] + pooled / d["n2i"], d["study"])
    np.testing.assert_allclose(e.yi, [-20, -2, -55, -71, -4, 1, 11, -10, 7], rtol=1e-14)
    texts = ["40.59", "2.05", "15.28", "150.22", "20.19", "1.22", "95.38", "8.03", "20.69"]
    for value, text in zip(e.vi, texts, strict=True):
        printed(value, text)
    for options, estimate, low, high, tau2 in (
        ({"model": "common"}, "-3.49", "-5.03", "-1.96", "0"),
        ({"tau2": "DL"}, "-14.10", "-24.45", "-3.75", "218.72"),
        ({"tau2": "REML"}, "-15.12", "-32.67", "2.43", "685.20"),
    ):
        fit = pool(e, ci="z", **options)
        printed(fit.estimate, estimate)
        printed(fit.conf_low, low)
        printed(fit.conf_high, high)
        printed(fit.tau2, tau2)


def test_raudenbush_teacher_expectancy() -> None:
    # Raudenbush 1985 (data) and 2009, pages 83 to 92; the book's Q of 35.85 and 16.58 come from
    # rounded variances, so Q is checked to its unit.
    d = table("raudenbush1985")
    fit = pool(generic(d["yi"], d["vi"]), ci="z")
    printed(fit.tau2, "0.019")
    printed(fit.estimate, "0.084")
    printed(fit.statistic, "1.62")
    assert fit.q == pytest.approx(35.85, abs=0.05)
    d["weeks"] = d["weeks"].clip(upper=3)
    explained = pool(generic(d["yi"], d["vi"]), ci="z", moderators="weeks", data=d)
    assert explained.to_frame()["term"].tolist() == ["Intercept", "weeks"]
    assert explained.tau2 == pytest.approx(0, abs=5e-5)
    printed(explained.regression.beta[0], "0.407")
    printed(explained.regression.beta[1], "-0.157")
    printed(explained.regression.statistic[1], "-4.39")
    assert explained.q == pytest.approx(16.58, abs=0.05)


@pytest.mark.parametrize(
    ("rater", "k", "estimate", "limits", "p", "q", "i2"),
    [
        ("Males", 45, "0.26", ("0.12", "0.40"), "0.0004", "172.5", ("89", "82", "94")),
        ("Females", 36, "0.13", ("0.01", "0.25"), "0.03", "73.0", ("53", "33", "80")),
    ],
)
def test_lehmann_2018_abstract_red_and_attraction(
    rater: str,
    k: int,
    estimate: str,
    limits: tuple[str, str],
    p: str,
    q: str,
    i2: tuple[str, str, str],
) -> None:
    # Evol Psychol 16(4), doi:10.1177/1474704918802412: REML, Hartung-Knapp, Q-profile I2.
    d = table("lehmann2018")
    d = d[d["rater"] == rater]
    fit = pool(generic(d["yi"], d["vi"]))
    assert fit.k == k
    printed(fit.estimate, estimate)
    printed(fit.conf_low, limits[0])
    printed(fit.conf_high, limits[1])
    printed(fit.p_value, p)
    printed(fit.q, q)
    row = heterogeneity(fit).to_frame().set_index("term").loc["i2"]
    for name, text in zip(("estimate", "conf_low", "conf_high"), i2, strict=True):
        printed(100 * row[name], text)
