"""Two-stage and one-stage analyses of patients; Rubin's rules."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.survival.ipd import one_stage, two_stage
from metablin.survival import cox, milestone_difference, rmst, rubin


def patients(k=6, n=120, sd=0.0, draws=1, seed=1, hr=0.7):
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(k):
        effect = np.log(hr) + rng.normal(0, sd)
        group = np.arange(n) % 2
        time = rng.exponential(10.0 * np.exp(-effect * group))
        censor = rng.uniform(15.0, 40.0, n)
        base = pd.DataFrame(
            {
                "trial": f"t{i}",
                "group": np.where(group == 1, "blina", "chemo"),
                "time": np.minimum(time, censor),
                "event": (time <= censor).astype(int),
            }
        )
        for j in range(draws):
            jitter = np.exp(rng.normal(0, 0.1, n)) if draws > 1 else 1.0
            parts.append(base.assign(draw=j, time=base["time"] * jitter))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("measure", "at"), [("hr", None), ("rmst", 12.0), ("milestone", 12.0)])
def test_without_draws_it_is_the_pool_of_the_trials_effects(measure, at):
    frame = patients()
    found = two_stage(frame, measure, at=at, control="chemo")
    yi, vi = [], []
    for _, d in frame.groupby("trial"):
        if measure == "hr":
            fit = cox(d["time"], d["event"], d["group"], control="chemo")
            yi.append(fit.log_hr[0])
            vi.append(fit.covariance[0, 0])
        elif measure == "rmst":
            row = rmst(d["time"], d["event"], at, d["group"], control="chemo").contrasts().iloc[0]
            yi.append(row["estimate"])
            vi.append(row["std_error"] ** 2)
        else:
            row = milestone_difference(
                d["time"], d["event"], d["group"], [at], control="chemo"
            ).iloc[0]
            yi.append(row["estimate"])
            vi.append(row["std_error"] ** 2)
    expected = pool(generic(yi, vi), ci="hksj")
    assert found.fit.analysis.estimate == pytest.approx(expected.analysis.estimate, rel=1e-9)
    assert found.fit.analysis.std_error == pytest.approx(expected.analysis.std_error, rel=1e-7)
    assert found.pooled_between_share == 0.0
    assert found.fit.measure == ("hr" if measure == "hr" else "generic")


def test_rubins_rules_add_the_spread_of_the_draws():
    y = np.array([[0.1, 1.0], [0.3, 1.0], [0.2, 1.0]])
    v = np.array([[0.04, 0.01], [0.06, 0.02], [0.05, 0.03]])
    estimate, total, share = rubin(y, v)
    np.testing.assert_allclose(estimate, [0.2, 1.0])
    np.testing.assert_allclose(total, [0.05 + (1 + 1 / 3) * 0.01, 0.02])
    np.testing.assert_allclose(share, [(4 / 3) * 0.01 / total[0], 0.0])


def test_draws_widen_the_variance_and_the_share_says_by_how_much():
    frame = patients(draws=5)
    found = two_stage(frame, "rmst", at=12, control="chemo", draw="draw")
    assert found.draws == 5
    assert (found.between_share > 0).all()
    assert 0 < found.pooled_between_share < 0.5
    first = found.to_frame().iloc[0]
    effects = [
        rmst(d["time"], d["event"], 12, d["group"], control="chemo").contrasts().iloc[0]
        for _, d in frame[frame["trial"] == "t0"].groupby("draw")
    ]
    assert first["yi"] == pytest.approx(np.mean([r["estimate"] for r in effects]))
    assert first["vi"] > np.mean([r["std_error"] ** 2 for r in effects])


def test_a_trial_without_an_effect_is_left_out_by_name():
    frame = patients(k=3)
    frame.loc[(frame["trial"] == "t1") & (frame["group"] == "blina"), "event"] = 0
    found = two_stage(frame, "hr", control="chemo")
    assert found.fit.k == 2
    assert found.excluded[0][0] == "t1"
    assert "left out t1" in found.summary()


def flat_draw(frame, trial, draws):
    """Move the events of some draws of a trial beyond 2 months."""
    own = (frame["trial"] == trial) & frame["draw"].isin(draws)
    return frame.assign(time=frame["time"] + np.where(own, 5.0, 0.0))


def test_a_draw_without_variance_still_gives_the_share_between_draws():
    frame = flat_draw(patients(k=4, draws=3), "t0", [1])
    found = two_stage(frame, "milestone", at=2.0, control="chemo", draw="draw")
    assert found.fit.k == 4
    assert 0.0 < found.pooled_between_share < 1.0


def test_a_trial_without_variance_in_any_draw_is_left_out_by_name():
    frame = flat_draw(patients(k=4, draws=3), "t0", [0, 1, 2])
    found = two_stage(frame, "milestone", at=2.0, control="chemo", draw="draw")
    assert found.fit.k == 3
    assert found.excluded[0][0] == "t0"
    assert "no variance" in found.excluded[0][1]


def test_one_stage_is_the_stratified_model_and_its_random_part_a_mixture():
    frame = patients(k=5, sd=0.4, seed=3)
    found = one_stage(frame, control="chemo")
    whole = cox(frame["time"], frame["event"], frame["group"], frame["trial"], control="chemo")
    assert found.log_hr == pytest.approx(whole.log_hr[0])
    assert found.k == 5
    # The marginal likelihood by adaptive integration, at and around the maximum.
    parts = [d for _, d in frame.groupby("trial")]

    def slow(mean, tau):
        total = 0.0
        for d in parts:
            arm = (d["group"] == "blina").to_numpy().astype(float)
            order = np.argsort(-d["time"].to_numpy())
            x, e = arm[order], d["event"].to_numpy()[order]

            def loglik(b, x=x, e=e):
                return np.sum((b * x - np.log(np.cumsum(np.exp(b * x))))[e == 1])

            top = loglik(mean)

            def f(b, g=loglik, t=top):
                density = np.exp(-0.5 * ((b - mean) / tau) ** 2) / (tau * np.sqrt(2 * np.pi))
                return np.exp(g(b) - t) * density

            total += top + np.log(integrate.quad(f, mean - 8 * tau, mean + 8 * tau, limit=200)[0])
        return total

    tau = found.tau2**0.5
    assert tau > 0.05
    top = slow(found.random_log_hr, tau)
    for step in (-0.02, 0.02):
        assert slow(found.random_log_hr + step, tau) < top
        assert slow(found.random_log_hr, tau + step) < top


def test_without_heterogeneity_the_random_effects_vanish():
    frame = patients(k=4, sd=0.0, seed=12, n=200)
    found = one_stage(frame, control="chemo")
    two = two_stage(frame, "hr", control="chemo", ci="z")
    assert found.log_hr == pytest.approx(two.fit.analysis.estimate, abs=0.03)
    if found.tau2 == 0.0:
        assert found.random_log_hr == pytest.approx(found.log_hr, abs=1e-6)
        assert found.random_std_error == pytest.approx(found.std_error, rel=1e-4)
    assert found.lr_p_value > 0.05


def test_bad_requests_are_named():
    frame = patients(k=2)
    with pytest.raises(DataError, match="rmst needs a time"):
        two_stage(frame, "rmst")
    with pytest.raises(DataError, match="column 'arm'"):
        two_stage(frame, group="arm")
    with pytest.raises(DataError, match="two arms"):
        one_stage(frame.assign(group=np.arange(len(frame)) % 3))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("time", np.nan, "row 51, column 'time', value missing"),
        ("time", -1.0, "row 51, column 'time', value -1"),
        ("event", 2, "row 51, column 'event', value 2"),
        ("trial", None, "row 51, column 'trial': missing"),
        ("group", None, "row 51, column 'group': missing"),
    ],
)
@pytest.mark.parametrize("analysis", [two_stage, one_stage])
def test_one_bad_row_is_named_and_does_not_cost_its_trial(analysis, column, value, words):
    frame = patients(k=3).astype({column: object})
    frame.loc[50, column] = value
    with pytest.raises(DataError, match=words):
        analysis(frame)
