"""Print the largest relative disagreement with the pinned metafor values, family by family.

Usage: ``python -m tests.reference.agreement``. A difference below 1e-13 in absolute value counts as
agreement to rounding (quantities that are zero).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np

from metablin.effects import generic, proportions, rate_contrasts, rates, two_by_two
from metablin.meta import pool
from metablin.meta.checks.intervals import heterogeneity
from metablin.options import ProportionTransform
from tests.meta.test_metafor_grid import ANALYSIS, GRID, METHODS
from tests.meta.test_metafor_grid import TESTS as BY_NAME
from tests.meta.test_regression import CELLS, NEW, data_of
from tests.reference import pinned, table

ROUNDING = 1e-13
COLUMNS = ("events_treatment", "n_treatment", "events_control", "n_control")
CLOSED = ("FE", "DL", "HE", "HS", "SJ")

TESTS: dict[str, Any] = BY_NAME

Found = Iterator[tuple[str, Any, Any]]


def difference(ours: Any, theirs: Any) -> float:
    """Return the largest relative difference of two arrays; missing pinned values are skipped."""
    a, b = np.ravel(np.array(ours, float)), np.ravel(np.array(theirs, float))
    use = np.isfinite(b)
    gap = np.abs(a[use] - b[use])
    relative = gap / np.maximum(np.abs(b[use]), 1e-300)
    return float(np.max(np.where(gap < ROUNDING, gap, relative), initial=0.0))


def effect_sizes() -> Found:
    cells = pinned("metafor_effects")["cells"]
    rules: dict[str, Any] = {"only0": "only-needed", "all": "all", "none": "none"}
    measures: dict[str, Any] = {"OR": "or", "RR": "rr", "RD": "rd", "PETO": "peto", "AS": "asd"}
    for name, m, to in itertools.product(("bcg", "sparse"), measures, rules):
        d = table(name)
        a, n1, c, n2 = (d[name] for name in COLUMNS)
        e = two_by_two(a, n1, c, n2, measures[m], zero_cells=rules[to])
        yield from _pair("2x2 effect sizes", e, cells[f"{name} {m} {to}"])
    d = table("nielweise2008")
    x1, t1, x2, t2 = d["x1i"].to_numpy().copy(), d["t1i"], d["x2i"], d["t2i"]
    x1[1] = 0
    contrasts: dict[str, Any] = {"IRR": "irr", "IRD": "ird", "IRSD": "irsd"}
    for m, to in itertools.product(contrasts, rules):
        e = rate_contrasts(x1, t1, x2, t2, contrasts[m], zero_cells=rules[to])
        yield from _pair("rate effect sizes", e, cells[f"rates {m} {to}"])
    transforms: dict[str, Any] = {"IRLN": "log", "IR": "raw", "IRS": "sqrt"}
    for m, to in itertools.product(transforms, rules):
        e = rates(x1, t1, transforms[m], zero_cells=rules[to])
        yield from _pair("rate effect sizes", e, cells[f"rates {m} {to}"])
    p = table("proportions_edge")
    for transform in get_args(ProportionTransform):
        e = proportions(p["events"], p["n"], transform)
        yield from _pair("proportion effect sizes", e, GRID[f"proportions_{transform}"])
    back = pinned("metafor_grid")["freeman_tukey_back"]
    e = proportions([1, 5, 9], back["n"], "freeman-tukey")
    yield "Freeman-Tukey back-transform", e.back(back["x"]), back["p"]


def _pair(family: str, e: Any, cell: dict[str, Any]) -> Found:
    for name in ("yi", "vi"):
        theirs = np.array(cell[name], float)[e.rows]
        yield family, getattr(e, name), theirs


def models() -> Found:
    for name, method in itertools.product(GRID, METHODS):
        data, fits = GRID[name], GRID[name]["fits"][method]
        family = f"tau2 and models, {'closed forms' if method in CLOSED else 'iterated'}"
        options: dict[str, Any] = {"model": "common"} if method == "FE" else {"tau2": method}
        for test, cell in fits["tests"].items():
            fit = pool(generic(data["yi"], data["vi"]), ci=TESTS[test], **options)
            for key in ("tau2", "i2", "h2", "q", "q_p"):
                yield family, getattr(fit, key), fits[key]
            for key in ("statistic", "p_value"):
                yield family, getattr(fit, key), cell[key]
            for key in ANALYSIS:
                if key in cell:
                    yield family, getattr(fit.analysis, key), cell[key]
        if method != "FE":
            yield "Q-profile", [fit.tau2_conf_low, fit.tau2_conf_high], data["q_profile"]


def regressions() -> Found:
    for cell, method in itertools.product(CELLS, METHODS):
        d, want = data_of(cell["data"]), cell["fits"][method]
        options: dict[str, Any] = {"model": "common"} if method == "FE" else {"tau2": method}
        kind = "closed forms" if method in CLOSED else "iterated"
        for test, pin in want["tests"].items():
            e = generic(d["yi"], d["vi"])
            fit = pool(e, ci=TESTS[test], moderators=cell["formula"], data=d, **options)
            for key in ("beta", "std_error", "p_value", "conf_low", "conf_high", "qm", "qm_p"):
                yield f"meta-regression, {kind}", getattr(fit.regression, key), pin[key]
            predicted = fit.predict(NEW[cell["formula"]])
            yield f"meta-regression, {kind}", predicted["conf_low"], pin["pred_conf_low"]


def intervals() -> Found:
    for cell in pinned("metafor_heterogeneity")["intervals"]:
        d = data_of(cell["data"])
        d["x"] = d["ablat"] if cell["data"] == "bcg" else d["x"]
        options: dict[str, Any] = {} if cell["mods"] == "none" else {"moderators": "x", "data": d}
        fit = pool(generic(d["yi"], d["vi"]), tau2=cell["method"], **options)
        for method, key in (("q-profile", "qp"), ("profile-likelihood", "pl")):
            found = heterogeneity(fit, method=method).to_frame()
            ours = found[["estimate", "conf_low", "conf_high"]].to_numpy()
            yield f"tau2, tau, I2, H2 by {method}", ours, cell[key]


def main() -> None:
    """Print one line per family."""
    worst: dict[str, tuple[float, int]] = {}
    for family, ours, theirs in itertools.chain(
        effect_sizes(), models(), regressions(), intervals()
    ):
        gap, count = worst.get(family, (0.0, 0))
        worst[family] = (max(gap, difference(ours, theirs)), count + np.size(theirs))
    for family, (gap, count) in worst.items():
        print(f"{family:42s} {count:6d} values, largest relative difference {gap:.1e}")


if __name__ == "__main__":
    main()
