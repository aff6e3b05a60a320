"""The engine runs on numpy, pandas and scipy alone: that is what lets it run in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import metablin

ROOT = Path(metablin.__file__).parent.parent

CODE = """
import sys

ALLOWED = {"numpy", "pandas", "scipy", "dateutil", "pytz", "six", "tzdata", "metablin"}
STANDARD = sys.stdlib_module_names


class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in STANDARD and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
        return None


sys.meta_path.insert(0, Nothing())
import metablin as mb

fit = mb.pool(mb.proportions([3, 9, 4], [20, 22, 25]))
assert 0 < fit.conf_low < fit.estimate < fit.conf_high < 1
assert mb.pool(mb.proportions([3, 9, 4], [20, 22, 25]), model="glmm").k == 3
assert mb.pool_many([[0.1, 0.2, 0.4]], [[0.01, 0.02, 0.03]])["estimate"].between(0, 1).all()
curve = mb.kaplan_meier([1, 2, 3, 4], [1, 0, 1, 1])
assert curve.survival[0] == 0.75
assert mb.cox([1, 2, 3, 4, 5], [1, 1, 0, 1, 1], [0, 1, 0, 1, 0]).to_frame().shape[0] == 1
assert mb.rmst([1, 2, 3, 4], [1, 0, 1, 1], 3).to_frame()["estimate"].iloc[0] > 0
ipd = mb.reconstruct_km([0, 2, 4, 6], [1, 0.8, 0.6, 0.5], n=50, at_risk=([0, 4], [50, 28]))
assert ipd.time.size == 50
assert len(mb.load("trials")) > 50
patients = {"time": [1, 2, 3, 4], "event": [1, 0, 1, 1], "trial": list("aabb"), "age": [5, 7, 6, 9]}
assert mb.to_sksurv(patients)["event"].sum() == 3
for call in (
    lambda: mb.to_lifelines(patients),
    lambda: mb.pooled_cox(patients, ["age"]),
    lambda: mb.pooled_aft(patients, ["age"]),
    lambda: mb.cumulative_incidence([1, 2, 3], [1, 2, 0]),
):
    try:
        call()
    except mb.DataError as error:
        assert str(error).endswith('is not installed; allowed: pip install "metablin[survival]"')
    else:
        raise AssertionError("not refused")
print("core alone")
"""


def test_pool_km_cox_rmst_reconstruct_and_load_need_three_libraries() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout == "core alone\n", done.stderr
