"""Whether clicks sit on drops, told from falls of single patients or of many."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.reconstruct.curve._estimate import lay_out
from metablin.reconstruct.curve.clicks import Given, Rows, check_curve
from tests.reconstruct.conftest import lifelines_survival

EVERY = {40: 1, 200: 2, 1500: 9}  # drops per click, by patients


def at_drops(n: int, seed: int, mode: str) -> bool:
    rng = np.random.default_rng(seed)
    t, c = rng.weibull(1.2, n) * 20.0, rng.uniform(6.0, 40.0, n)
    time, event = np.minimum(t, c), (t <= c).astype(int)
    drops = np.unique(time[event == 1])[:: EVERY[n]]
    anywhere = np.sort(rng.uniform(0.0, time.max(), drops.size))
    inner = {"drops": drops, "anywhere": anywhere,
             "regular": np.linspace(0.0, time.max(), drops.size + 2)[1:-1]}[mode]  # fmt: skip
    x = np.concatenate([[0.0], inner, [time.max()]])
    y = lifelines_survival(time, event, x) + rng.normal(0, 0.0025, x.size)
    x = np.maximum(x + rng.normal(0, 0.0008 * time.max(), x.size), 0.0)
    r = np.arange(0.0, time.max(), 5.0)
    counts = np.array([(time >= v).sum() for v in r])
    given = Given(x, np.clip(y, 0, 1), n, (r, counts), int(event.sum()))
    curve = check_curve(given, Rows()).curve
    return lay_out(curve)[1].at_drops


@pytest.mark.parametrize("n", EVERY)
@pytest.mark.parametrize(("mode", "expected"), [("drops", 10), ("anywhere", 0), ("regular", 0)])
def test_clicks_on_drops_are_told_from_clicks_at_times_of_their_own(n, mode, expected):
    assert sum(at_drops(n, seed, mode) for seed in range(10)) == expected
