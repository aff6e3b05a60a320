"""Combescure's summary curves against R's metaSurvival (pinned)."""

import numpy as np
import pytest
from scipy import special

from metablin.meta.survival.curves import pool_curves
from metablin.survival import kaplan_meier
from tests.reference import pinned

CLOSED = 1e-10
"""Both sides solve the same linear equations."""

TRACE = 1e-7
"""An arm that has dropped out keeps a weight of about 1e-12 times its last in msurv."""

Z = 1.96
"""The normal quantile msurv types."""

PINNED = pinned("pooled_curves")["sets"]


def arms_of(patients):
    time, event = np.array(patients["time"], float), np.array(patients["event"])
    arm = np.array(patients["arm"])
    return {a: kaplan_meier(time[arm == a], event[arm == a]) for a in np.unique(arm)}


@pytest.mark.parametrize("name", sorted(PINNED))
def test_curve_and_errors_match_msurv(name):
    pin = PINNED[name]
    found = pool_curves(arms_of(pin["patients"]), pin["times"], ci="z")
    tolerance = CLOSED if len(set(pin["k"])) == 1 else TRACE
    assert found.k.tolist() == pin["k"]
    np.testing.assert_allclose(found.survival, pin["random"]["survival"], rtol=tolerance)
    # msurv's limits are formed on the log scale.
    se = found.std_error * -np.log(found.survival)
    for sign, limit in ((-1.0, "conf_low"), (1.0, "conf_high")):
        limits = found.survival * np.exp(sign * Z * se)
        np.testing.assert_allclose(limits, pin["random"][limit], rtol=tolerance)
    # Here the limits of S stay within 0 and 1: the same error on the log(-log) scale.
    z = special.ndtri(0.975)
    expected = found.survival ** np.exp(z * found.std_error)
    np.testing.assert_allclose(
        found.conf_low, np.maximum.accumulate(expected[::-1])[::-1], rtol=CLOSED
    )


@pytest.mark.parametrize("name", sorted(PINNED))
def test_heterogeneity_follows_from_the_same_q(name):
    pin = PINNED[name]
    found = pool_curves(arms_of(pin["patients"]), pin["times"])
    df = sum(k - 1 for k in pin["k"])
    assert found.i2[-1] == pytest.approx(max(0.0, 1.0 - df / pin["q"]), abs=CLOSED)
