"""Survival networks: routes, vectors, time-varying ratios, curves, against R and slow versions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import metablin as mb
from metablin.errors import DataError
from metablin.network import network, network_pool
from metablin.network.survival import (
    MultivariateNetwork,
    hazard_network,
    hazard_vectors,
    multivariate_pool,
    proportional_hazards,
    survival_vectors,
    treatment_curves,
)
from metablin.network.survival.multivariate import VectorBlock
from metablin.network.survival.partial import basis_of, fit_partial
from metablin.numerics.partial import arm_counts
from tests.network.pinned import HERE

PIN = json.loads((HERE / "multivariate.json").read_text())
LUNG = pd.DataFrame(PIN["lung"])

NEWTON = 1e-8
SEARCH = 2e-4
"""BFGS on a likelihood with numerical gradients."""


def trial(rng, study, arms, n=150, shape=1.0, hazards=None):
    """Simulated patients of one trial."""
    rates = hazards or {"a": 0.05, "b": 0.035, "c": 0.025}
    parts = []
    for arm in arms:
        time = (rng.exponential(1, n) / rates[arm]) ** (1 / shape)
        stop = rng.uniform(20, 48, n)
        parts.append(pd.DataFrame({"study": study, "treatment": arm,
                                   "time": np.minimum(time, stop).round(2) + 0.01,
                                   "event": (time <= stop).astype(int)}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(20)
    designs = ["ab", "ab", "bc", "abc", "ac", "bc"]
    return pd.concat([trial(rng, f"S{i}", d) for i, d in enumerate(designs)], ignore_index=True)


def test_three_arms_are_coxph():
    basis, _ = basis_of("constant")
    arm = LUNG["arm"].to_numpy()
    beta, cov = fit_partial(
        arm_counts(LUNG["time"].to_numpy(float), LUNG["event"].to_numpy(float), arm, 3), basis
    )
    assert beta.ravel() == pytest.approx(PIN["three"]["beta"], rel=NEWTON)
    assert cov == pytest.approx(np.array(PIN["three"]["cov"]), rel=NEWTON)


def test_a_slope_in_log_time_is_coxph_with_tt():
    basis, names = basis_of("log")
    arm = (LUNG["arm"].to_numpy() > 0).astype(int)
    beta, cov = fit_partial(
        arm_counts(LUNG["time"].to_numpy(float), LUNG["event"].to_numpy(float), arm, 2), basis
    )
    assert names == ("1", "log(t)")
    assert beta.ravel() == pytest.approx(PIN["vary"]["beta"], rel=1e-6)
    assert cov == pytest.approx(np.array(PIN["vary"]["cov"]), rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("fp:1", [1, 2.0]),
        ("fp:0,0", [1, np.log(2), np.log(2) ** 2]),
        ("fp:-1,2", [1, 0.5, 4]),
        ("piecewise:1,3", [0, 1, 0]),
    ],
)
def test_shapes_of_a_log_hazard_ratio(shape, values):
    basis, names = basis_of(shape)
    assert basis(np.array([2.0]))[0] == pytest.approx(values)
    assert len(names) == len(values)


@pytest.mark.parametrize("shape", ["cubic", "fp:", "fp:1,2,3", "piecewise:3,1", "fp:x"])
def test_other_shapes_are_refused(shape):
    with pytest.raises(DataError, match="not a shape of a log hazard ratio"):
        basis_of(shape)


def test_restricted_means_and_milestones_are_those_of_one_trial(patients):
    part = patients[patients["study"] == "S0"]
    n = survival_vectors(part, horizons=[24, 36], milestones=[12])
    one = mb.rmst(part["time"], part["event"], 24, part["treatment"])
    want = one.contrasts().iloc[0]
    frame = n.to_frame().set_index("outcome")
    assert frame.loc["RMST 24", "yi"] == pytest.approx(want["estimate"], rel=1e-12)
    assert frame.loc["RMST 24", "std_error"] == pytest.approx(want["std_error"], rel=1e-10)
    arms = {}
    for name, arm in part.groupby("treatment"):
        curve = mb.kaplan_meier(arm["time"], arm["event"], conf_type="plain")
        at = np.searchsorted(curve.time, 12, side="right") - 1
        arms[name] = (curve.survival[at], curve.std_error[at])
    assert frame.loc["survival 12", "yi"] == pytest.approx(arms["b"][0] - arms["a"][0])
    assert frame.loc["survival 12", "std_error"] == pytest.approx(
        np.hypot(arms["a"][1], arms["b"][1]), rel=1e-10
    )
    hr = mb.cox(part["time"], part["event"], part["treatment"], ties="breslow")
    assert frame.loc["log HR", "yi"] == pytest.approx(hr.log_hr[0], rel=1e-8)
    assert frame.loc["log HR", "std_error"] == pytest.approx(hr.std_error[0], rel=1e-8)


def test_the_correlations_within_a_study_are_those_of_its_repetitions():
    rng = np.random.default_rng(4)
    found, stated = [], []
    for _ in range(250):
        n = survival_vectors(trial(rng, "S", "ab", n=80), horizons=[12, 18], milestones=[10])
        found.append(n.blocks[0].y.ravel())
        sd = np.sqrt(np.diag(n.blocks[0].cov))
        stated.append(n.blocks[0].cov / np.outer(sd, sd))
    # Error of a correlation over 250 repetitions is at most 1/sqrt(250) = 0.063; three of them.
    assert np.mean(stated, axis=0) == pytest.approx(np.corrcoef(np.array(found).T), abs=0.19)
    assert np.mean(stated, axis=0)[0, 1] > 0.9
    assert np.mean(stated, axis=0)[0, 3] < -0.55


def berkey():
    d = PIN["berkey"]
    blocks = []
    for k, t in enumerate(dict.fromkeys(d["trial"])):
        at = [i for i, x in enumerate(d["trial"]) if x == t]
        cov = np.array([[d["v1"][i], d["v2"][i]] for i in at])
        blocks.append(VectorBlock(f"T{k}", (0, 1), np.array([[d["yi"][i] for i in at]]), cov,
                                  np.zeros((2, 2))))  # fmt: skip
    names = tuple(d["outcome"][:2])
    return MultivariateNetwork(("control", "surgery"), names, ("none", "none"), tuple(blocks))


def test_two_treatments_are_the_published_bivariate_analysis():
    # Berkey and others (1998), Statistics in Medicine 17:2537-2550.
    fit = multivariate_pool(berkey())
    d = PIN["berkey"]
    order = [fit.network.outcomes.index(o) for o in ("AL", "PD")]
    assert fit.d[1][order] == pytest.approx(d["beta"], abs=1e-6)
    assert np.sqrt(np.diag(fit.cov)[2:])[order] == pytest.approx(d["se"], abs=1e-6)
    assert np.diag(fit.sigma)[order] == pytest.approx(d["tau2"], rel=SEARCH)
    rho = fit.sigma[0, 1] / np.sqrt(fit.sigma[0, 0] * fit.sigma[1, 1])
    assert rho == pytest.approx(d["rho"], rel=SEARCH)


def test_one_outcome_is_the_network_of_its_own(patients):
    n = survival_vectors(patients, horizons=[24], hazard_ratio=False)
    fit = multivariate_pool(n, reference="a")
    want = network_pool(n.outcome("RMST 24"), reference="a")
    assert fit.sigma[0, 0] == pytest.approx(want.tau2, rel=1e-3, abs=1e-6)
    row = fit.outcome("RMST 24").effect("c", "a")
    assert row["effect"] == pytest.approx(want.effect("c", "a")["effect"], abs=1e-4)
    common = multivariate_pool(n, model="common").outcome("RMST 24")
    exact = network_pool(n.outcome("RMST 24"), model="common")
    assert common.effect("c", "a")["effect"] == pytest.approx(
        exact.effect("c", "a")["effect"], rel=1e-10
    )


def test_a_vector_network_finds_the_effects_it_was_made_with(patients):
    n = survival_vectors(patients, horizons=[24, 36])
    fit = multivariate_pool(n, reference="a")
    y, cov = fit.contrast("c", "a")
    assert y[2] == pytest.approx(np.log(0.5), abs=4 * np.sqrt(cov[2, 2]))
    truth = 40 * (1 - np.exp(-24 / 40)) - 20 * (1 - np.exp(-24 / 20))
    assert y[0] == pytest.approx(truth, abs=4 * np.sqrt(cov[0, 0]))
    ranks = fit.outcome("RMST 36").ranking("undesirable")
    assert ranks["treatment"].tolist() == ["c", "b", "a"]
    assert fit.to_frame()["reconstruction_share"].to_numpy() == pytest.approx(np.zeros(9))


def test_a_horizon_one_study_does_not_reach_is_borrowed():
    rng = np.random.default_rng(3)
    short = trial(rng, "short", "ab")
    short["event"] = np.where(short["time"] > 20, 0, short["event"])
    short["time"] = np.minimum(short["time"], 20)
    frame = pd.concat([short, trial(rng, "long", "ab"), trial(rng, "other", "ab")])
    n = survival_vectors(frame, horizons=[12, 36], hazard_ratio=False)
    assert np.isnan(n.blocks[0].y[0, 1])
    joint = multivariate_pool(n, model="common").contrast("b", "a")
    alone = survival_vectors(frame[frame["study"] != "short"], horizons=[36], hazard_ratio=False)
    single = multivariate_pool(alone, model="common").contrast("b", "a")
    assert joint[1][1, 1] < single[1][0, 0]
    with pytest.raises(DataError, match="no study follows all its arms so far"):
        survival_vectors(frame, horizons=[60])


def test_draws_are_combined_by_rubin_and_their_share_is_carried():
    rng = np.random.default_rng(6)
    draws = [trial(rng, "R", "ab", n=60).assign(draw=i) for i in range(6)]
    other = trial(rng, "S", "bc").assign(draw=1)
    n = survival_vectors(pd.concat([*draws, other]), horizons=[24], hazard_ratio=False)
    each = [survival_vectors(d, horizons=[24], hazard_ratio=False).blocks[0] for d in draws]
    y = np.array([e.y[0, 0] for e in each])
    between = y.var(ddof=1) * 7 / 6
    assert n.blocks[0].y[0, 0] == pytest.approx(y.mean())
    assert n.blocks[0].cov[0, 0] == pytest.approx(np.mean([e.cov[0, 0] for e in each]) + between)
    fit = multivariate_pool(n, model="common")
    share = fit.to_frame().set_index(["treat1", "treat2"])["reconstruction_share"]
    whole = n.blocks[0].cov[0, 0] + n.blocks[1].cov[0, 0]
    assert share["a", "b"] == pytest.approx(between / n.blocks[0].cov[0, 0])
    assert share["b", "c"] == pytest.approx(0)
    assert share["a", "c"] == pytest.approx(between / whole)


def test_hazards_that_cross_are_noticed_and_those_that_do_not_are_not(patients):
    rng = np.random.default_rng(2)
    table = proportional_hazards(patients)
    assert table["study"].tolist()[-1] == "all studies"
    assert table["statistic"].iloc[-1] == pytest.approx(table["statistic"].iloc[:-1].sum())
    assert table["p_value"].iloc[-1] > 0.001
    crossing = pd.concat([
        trial(rng, "A", "a", n=300, shape=0.6), trial(rng, "A", "b", n=300, shape=1.6,
                                                      hazards={"b": 0.004}),
    ])  # fmt: skip
    assert proportional_hazards(crossing)["p_value"].iloc[0] < 1e-6
    fit = multivariate_pool(hazard_vectors(crossing, "log"), model="common")
    # Weibull shapes 0.6 and 1.6: the slope of the log hazard ratio in log time is their difference.
    y, cov = fit.contrast("b", "a")
    assert y[1] == pytest.approx(1.0, abs=3 * np.sqrt(cov[1, 1]))
    assert fit.test(("log(t)",))["p_value"] < 1e-6


def test_curves_on_a_baseline_are_powers_of_it_under_proportional_hazards(patients):
    fit = multivariate_pool(hazard_vectors(patients, "constant"), model="common", reference="a")
    base = patients[patients["treatment"] == "a"]
    curves = treatment_curves(fit, "constant", base["time"], base["event"], baseline="a",
                              horizons=[12, 36], draws=400, seed=3)  # fmt: skip
    survival = dict(zip(curves.treatments, curves.survival, strict=True))
    hr = np.exp(fit.contrast("c", "a")[0][0])
    assert survival["c"] == pytest.approx(survival["a"] ** hr)
    km = mb.kaplan_meier(base["time"], base["event"])
    at = np.searchsorted(km.time, curves.time[1:], side="right") - 1
    assert survival["a"][1:] == pytest.approx(km.survival[at])
    one = mb.rmst(base["time"], base["event"], 36)
    table = curves.rmst.set_index(["treatment", "horizon"])
    assert table.loc[("a", 36), "estimate"] == pytest.approx(one.estimate[0])
    assert table.loc[("a", 36), "std_error"] == pytest.approx(one.std_error[0], rel=0.12)
    assert curves.rmst["treatment"].tolist() == ["c", "b", "a"] * 2
    again = treatment_curves(fit, "constant", base["time"], base["event"], baseline="a",
                             horizons=[12, 36], draws=400, seed=3)  # fmt: skip
    pd.testing.assert_frame_equal(curves.rmst, again.rmst)
    assert (curves.conf_low <= curves.survival + 1e-9).all()
    with pytest.raises(DataError, match="beyond the baseline's follow-up"):
        treatment_curves(fit, "constant", base["time"], base["event"], baseline="a", horizons=[99])
    with pytest.raises(DataError, match="not the shape of the fit"):
        treatment_curves(fit, "log", base["time"], base["event"], baseline="a", horizons=[12])


COLUMNS = ["treatment", "events", "n", "median", "treat1", "treat2", "estimate", "conf_low",
           "conf_high"]  # fmt: skip


def mixed_table():
    blank = dict.fromkeys(COLUMNS, "")
    rows = [
        {"study": "Counts", "treatment": "a", "events": 40, "n": 100},
        {"study": "Counts", "treatment": "b", "events": 30, "n": 100},
        {"study": "Ratio", "treat1": "c", "treat2": "b", "estimate": 0.8, "conf_low": 0.6,
         "conf_high": 1.07},
        {"study": "Medians", "treatment": "a", "events": 60, "median": 10},
        {"study": "Medians", "treatment": "c", "events": 50, "median": 15},
        {"study": "Medians", "treatment": "b", "events": 55, "median": 12},
    ]  # fmt: skip
    return pd.DataFrame([{**blank, **r} for r in rows])


def test_every_study_takes_its_own_route_to_a_log_hazard_ratio():
    rng = np.random.default_rng(9)
    draws = [trial(rng, "Draws", "ab", n=60).assign(draw=i) for i in range(5)]
    ipd = pd.concat([trial(rng, "Patients", "bc").assign(draw=1), *draws])
    found = hazard_network(mixed_table(), ipd)
    routes = found.routes.set_index("study")
    assert routes["approximate"].to_dict() == {
        "Counts": True, "Ratio": False, "Medians": True, "Patients": False, "Draws": False,
    }  # fmt: skip
    assert routes.loc["Draws", "draws"] == 5
    assert routes.loc["Draws", "reconstruction_share"] > 0
    blocks = {b.study: b for b in found.network.blocks}
    cloglog = np.log(-np.log(0.7)) - np.log(-np.log(0.6))
    assert blocks["Counts"].y[0] == pytest.approx(cloglog)
    want = sum(p / (100 * (1 - p) * np.log(1 - p) ** 2) for p in (0.3, 0.4))
    assert blocks["Counts"].cov[0, 0] == pytest.approx(want)
    assert blocks["Ratio"].y[0] == pytest.approx(np.log(0.8))
    assert blocks["Medians"].y == pytest.approx(np.log([10 / 12, 10 / 15]))
    assert blocks["Medians"].cov[0, 1] == pytest.approx(1 / (60 * np.log(2) ** 2))
    part = ipd[ipd["study"] == "Patients"]
    hr = mb.cox(part["time"], part["event"], part["treatment"], ties="breslow")
    assert blocks["Patients"].y[0] == pytest.approx(hr.log_hr[0], rel=1e-8)
    fit = network_pool(found.network, reference="a")
    assert fit.measure == "hr"
    shares = found.reconstruction_share(fit).set_index(["treat1", "treat2"])
    assert ((shares > 0) & (shares < 1)).to_numpy().all()
    # The derivative of an effect in the draws' study's own, by difference.
    moved = hazard_network(mixed_table(), ipd).network
    step, at = 1e-4, [b.study for b in moved.blocks].index("Draws")
    frame = moved.to_frame()
    frame.loc[frame["study"] == "Draws", "yi"] += step
    base = network_pool(network(moved.to_frame().drop(columns="arms"), "generic"), tau2=fit.tau2)
    pushed = network_pool(network(frame.drop(columns="arms"), "generic"), tau2=fit.tau2)
    pull = (pushed.effect("b", "a")["effect"] - base.effect("b", "a")["effect"]) / step
    want = pull**2 * found.between["Draws"][0, 0] / base.effect("b", "a")["std_error"] ** 2
    assert at >= 0
    assert shares.loc[("b", "a"), "reconstruction_share"] == pytest.approx(want, rel=1e-6)


def test_the_variance_of_a_median_is_that_of_its_repetitions():
    rng = np.random.default_rng(1)
    medians = np.median(rng.exponential(10, (4000, 101)), axis=1)
    # Relative Monte-Carlo error of a variance over 4000: 2.2 %; three of them, and 1/n.
    assert np.var(np.log(medians)) == pytest.approx(1 / (101 * np.log(2) ** 2), rel=0.08)


def test_contradictory_rows_of_a_mixed_table_are_named():
    table = mixed_table()
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match="value Ratio: the study stands in the table and among"):
        hazard_network(table, trial(rng, "Ratio", "ab"))
    broken = table.copy()
    broken.loc[0, "treat1"], broken.loc[0, "treat2"] = "a", "b"
    with pytest.raises(DataError, match=r"Counts.*neither rows of arms nor rows of contrasts"):
        hazard_network(broken)
    lacking = table.copy()
    lacking.loc[3, "median"] = ""
    with pytest.raises(DataError, match=r"study Medians.*do not allow one route"):
        hazard_network(lacking)
    same = table.copy()
    same.loc[2, "treat2"] = "c"
    with pytest.raises(DataError, match=r"row 3 \(Ratio\).*compared with itself"):
        hazard_network(same)
    with pytest.raises(DataError, match=r"S.*one arm, a"):
        survival_vectors(trial(rng, "S", "a"), horizons=[12])


def test_the_bivariate_network_is_that_of_a_dense_likelihood(patients):
    n = hazard_vectors(patients, "log")
    fit = multivariate_pool(n)
    y = np.concatenate([b.y.ravel() for b in n.blocks])
    size = len(y)
    v, x = np.zeros((size, size)), np.zeros((size, 4))
    halves, at = [], 0
    for b in n.blocks:
        r = len(b.arms) - 1
        here = slice(at, at + 2 * r)
        v[here, here] = b.cov
        halves.append((here, (np.eye(r) + 1) / 2))
        for j, arm in enumerate(b.arms[1:]):
            for k in range(2):
                x[at + 2 * j + k, 2 * (arm - 1) + k] += 1
                if b.arms[0]:
                    x[at + 2 * j + k, 2 * (b.arms[0] - 1) + k] -= 1
        at += 2 * r

    def deviance(sigma):
        m = v.copy()
        for here, half in halves:
            m[here, here] += np.kron(half, sigma)
        inverse = np.linalg.inv(m)
        info = x.T @ inverse @ x
        r = y - x @ np.linalg.solve(info, x.T @ inverse @ y)
        return np.linalg.slogdet(m)[1] + np.linalg.slogdet(info)[1] + r @ inverse @ r

    def of(theta):
        low = np.array([[theta[0], 0], [theta[1], theta[2]]])
        return low @ low.T

    best = min((optimize.minimize(lambda t: deviance(of(t)), s, method="Nelder-Mead",
                                  options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000})
                for s in ([0.2, 0, 0.1], [0.5, -0.1, 0.05])), key=lambda f: f.fun)  # fmt: skip
    assert deviance(fit.sigma) <= best.fun + 1e-5
