"""What is called, with what, and what must hold of every answer. Public names only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

import metablin as mb
from tests.fuzz.inputs import column, counts, labels, level, numbers, rows

__all__ = ["EXEMPT", "TARGETS", "Call", "Target"]


@dataclass
class Call:
    """Arguments of one call: columns with a value a row, and options."""

    columns: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def permuted(self, order: list[int]) -> Call:
        """Return the call with its rows in another order."""
        turned = {n: [c[i] for i in order] for n, c in self.columns.items()}
        return Call(turned, self.options)


@dataclass
class Target:
    """One function.

    Attributes
    ----------
    call : callable
        Takes the columns and the options by name.
    inputs : strategy of Call
    invariant : bool
        Whether the order of the rows leaves the answer's numbers as they are.
    tolerance : float
        Relative difference that iteration may leave between orders and forms.
    """

    call: Callable[..., Any]
    inputs: st.SearchStrategy[Call]
    invariant: bool = True
    tolerance: float = 1e-6


def _calls(
    cells: Mapping[str, st.SearchStrategy[Any]], least: int = 1, most: int = 12, **options: Any
) -> st.SearchStrategy[Call]:
    @st.composite
    def build(draw: st.DrawFn) -> Call:
        k = max(draw(rows), least) if most >= 12 else draw(st.integers(least, most))
        columns = {name: draw(column(values, k)) for name, values in cells.items()}
        return Call(columns, {name: draw(values) for name, values in options.items()})

    return build()


@st.composite
def _two_arms(draw: st.DrawFn, /, **options: Any) -> Call:
    k = draw(rows)
    columns = {}
    for events, size in (("a", "n1"), ("c", "n2")):
        n = draw(column(st.integers(1, 60), k))
        columns[size] = n
        limit = [x if isinstance(x, int) and 0 < x < 100 else 9 for x in n]
        columns[events] = [draw(counts(x)) for x in limit]
    return Call(columns, {name: draw(values) for name, values in options.items()})


@st.composite
def _shares(draw: st.DrawFn, /, **options: Any) -> Call:
    k = draw(rows)
    n = draw(column(st.integers(1, 60), k))
    x = [draw(counts(m if isinstance(m, int) and 0 < m < 100 else 9)) for m in n]
    return Call({"events": x, "n": n}, {name: draw(v) for name, v in options.items()})


@st.composite
def _patients(
    draw: st.DrawFn, /, group: bool = False, entry: bool = False, least: int = 1, **options: Any
) -> Call:
    k = draw(st.integers(least, 24))
    time = draw(column(numbers(0, 40, 1), k))
    columns = {"time": time, "event": draw(column(st.integers(0, 1), k))}
    if group:
        columns["group"] = draw(labels(k))
    if entry:
        late = [draw(st.sampled_from([0.0, 0.0, 0.3, 0.9])) for _ in range(k)]
        columns["entry"] = [
            s * t if isinstance(t, int | float) and 0 < t < 100 else 0.0
            for s, t in zip(late, time, strict=True)
        ]
    return Call(columns, {name: draw(values) for name, values in options.items()})


@st.composite
def _responses(draw: st.DrawFn, /, **options: Any) -> Call:
    call = draw(_patients(least=2, **options))
    share = st.sampled_from([None, None, 0.0, 0.3, 1.0])
    call.columns["response_time"] = [
        None if s is None or not isinstance(t, int | float) or not 0 <= t < 100 else s * t
        for t, s in ((t, draw(share)) for t in call.columns["time"])
    ]
    return call


EFFECTS = {"yi": numbers(-3, 3, 2), "vi": numbers(1e-3, 2)}
MEASURES = st.sampled_from(["or", "rr", "rd", "peto", "asd"])
TAU2 = st.sampled_from(["REML", "DL", "ML", "PM", "SJ", "HE", "HS", "EB", 0.0, 0.3, "x"])
CI = st.sampled_from(["hksj", "z", "t", "hksj-adhoc"])
ZERO = st.sampled_from(["only-needed", "all", "none"])
SHARE = st.sampled_from(["logit", "log", "raw", "arcsine", "freeman-tukey"])


def _pooled(make: Callable[..., Any], *chosen: str) -> Callable[..., Any]:
    """Pool what `make` returns, with the options that belong to `pool`."""

    def call(**given: Any) -> Any:
        options = {n: given.pop(n) for n in ("tau2", "ci", "level", "model") if n in given}
        if options.get("model", "random") not in ("random", "common"):
            options = {"model": options["model"], "level": options["level"]}
        return mb.pool(make(**given), **options)

    return call


def _on_fit(check: Callable[..., Any]) -> Callable[..., Any]:
    def call(yi: Any, vi: Any, tau2: Any = "REML", ci: Any = "hksj", **options: Any) -> Any:
        return check(mb.pool(mb.generic(yi, vi), tau2=tau2, ci=ci), **options)

    return call


def _on_tables(check: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, n1: Any, c: Any, n2: Any, **options: Any) -> Any:
        return check(mb.two_by_two(a, n1, c, n2), **options)

    return call


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    """Return a table whose odd cells are as they were typed."""
    return pd.DataFrame({n: pd.Series(list(c), dtype=object) for n, c in columns.items()})


def _reported(**columns: Any) -> Any:
    return mb.hazard_ratios_reported(_frame(columns))


def _ratios(**given: Any) -> Any:
    return mb.hazard_ratios(given["hr"], given["low"], given["high"], level=given["level"])


@st.composite
def _intervals(draw: st.DrawFn) -> Call:
    k = draw(rows)
    middle = draw(column(numbers(0.05, 8, 2), k))
    half = [draw(numbers(0.05, 2)) for _ in range(k)]
    known = [m if isinstance(m, int | float) and 0 < m < 100 else 1.0 for m in middle]
    low = [m * np.exp(-h) for m, h in zip(known, half, strict=True)]
    high = [m * np.exp(h) for m, h in zip(known, half, strict=True)]
    return Call({"hr": middle, "low": low, "high": high}, {"level": draw(level)})


@st.composite
def _curve(draw: st.DrawFn) -> Call:
    k = draw(st.integers(2, 12))
    time = sorted(draw(st.lists(numbers(0, 40, 1), min_size=k, max_size=k)))
    survival = sorted(draw(st.lists(numbers(0, 1, 3), min_size=k, max_size=k)), reverse=True)
    n = draw(st.sampled_from([1, 2, 10, 57, 200]))
    return Call({"time": time, "survival": survival}, {"n": n})


@st.composite
def _summary(draw: st.DrawFn) -> Call:
    options: dict[str, Any] = {"n": draw(st.sampled_from([2, 20, 75])), "draws": 2}
    if draw(st.booleans()):
        options["median"] = draw(numbers(0.5, 40, 1))
    if draw(st.booleans()):
        times = sorted(set(draw(st.lists(st.sampled_from([3, 6, 12, 24]), max_size=3))))
        options["landmarks"] = {t: draw(numbers(0, 1, 2)) for t in times}
    if draw(st.booleans()):
        options["events"] = draw(st.integers(0, 80))
    if draw(st.booleans()):
        options["followup"] = draw(numbers(0.5, 60, 1))
    return Call({}, options)


@st.composite
def _network(draw: st.DrawFn) -> Call:
    k = draw(st.integers(1, 10))
    pairs = [tuple(draw(st.permutations(list("abcd")))[:2]) for _ in range(k)]
    cells = {name: draw(column(values, k)) for name, values in EFFECTS.items()}
    one, two = zip(*pairs, strict=True)
    return Call({"study": list(range(k)), "treat1": one, "treat2": two, **cells})


def _network_pool(**columns: Any) -> Any:
    frame = _frame(columns)
    return mb.network_pool(mb.network(frame, measure="generic"))


def _pool_many(yi: Any, vi: Any, **options: Any) -> Any:
    return mb.pool_many([list(yi)], [list(vi)], **options)


def _absolute(yi: Any, vi: Any, baseline: Any) -> Any:
    mb.generic(yi, vi)  # names what is no number
    errors = np.sqrt(np.asarray([float(x) for x in vi]))
    effects = mb.log_effects(yi, errors, measure="or")
    return mb.absolute_effect(mb.pool(effects), baseline=baseline)


GROUPED: dict[str, Any] = {"group": True, "least": 2}
FIT: dict[str, Any] = {"tau2": TAU2, "ci": CI}

TARGETS: dict[str, Target] = {
    "generic": Target(mb.generic, _calls(EFFECTS)),
    "log_effects": Target(
        mb.log_effects, _calls({"log_effect": numbers(-3, 3), "std_error": numbers(0.01, 2)})
    ),
    "proportions": Target(mb.proportions, _shares(transform=SHARE, zero_cells=ZERO)),
    "rates": Target(
        mb.rates, _calls({"events": counts(), "person_time": numbers(0.1, 500)},
                         transform=st.sampled_from(["log", "sqrt", "raw"]), zero_cells=ZERO),
    ),
    "rate_contrasts": Target(
        mb.rate_contrasts,
        _calls({"x1": counts(), "t1": numbers(0.1, 500), "x2": counts(), "t2": numbers(0.1, 500)},
               measure=st.sampled_from(["irr", "ird", "irsd"]), zero_cells=ZERO),
    ),
    "two_by_two": Target(
        mb.two_by_two,
        _two_arms(measure=MEASURES, double_zeros=st.sampled_from(["keep", "drop"]),
                  zero_cells=st.sampled_from(["only-needed", "all", "treatment-arm", "none"])),
    ),
    "mean_differences": Target(
        mb.mean_differences,
        _calls({"mean_treatment": numbers(-9, 9), "sd_treatment": numbers(0.1, 5),
                "n_treatment": st.integers(2, 90), "mean_control": numbers(-9, 9),
                "sd_control": numbers(0.1, 5), "n_control": st.integers(2, 90)},
               measure=st.sampled_from(["md", "smd", "smdh", "glass", "rom"])),
    ),
    "means": Target(
        mb.means, _calls({"mean": numbers(-1, 9), "sd": numbers(0, 5), "n": st.integers(1, 90)},
                         transform=st.sampled_from(["raw", "log"])),
    ),
    "mean_changes": Target(
        mb.mean_changes,
        _calls({"mean_after": numbers(-9, 9), "mean_before": numbers(-9, 9),
                "n": st.integers(2, 90), "sd_after": numbers(0.1, 5), "sd_before": numbers(0.1, 5),
                "correlation": numbers(-1, 1)},
               measure=st.sampled_from(["mc", "smcc", "smcr", "romc"])),
    ),
    "correlations": Target(
        mb.correlations, _calls({"r": numbers(-1, 1), "n": st.integers(3, 90)},
                                transform=st.sampled_from(["fisher-z", "raw"])),
    ),
    "means_from_quantiles": Target(
        mb.means_from_quantiles,
        _calls({"n": st.integers(5, 200), "median": numbers(4, 5), "q1": numbers(2, 4),
                "q3": numbers(5, 9), "minimum": numbers(0, 2), "maximum": numbers(9, 20)}),
    ),
    "standard_deviations": Target(
        mb.standard_deviations,
        _calls({"n": st.integers(2, 90), "sd": numbers(0, 5), "std_error": numbers(0.1, 2)},
               fill=st.sampled_from(["none", "pooled", "largest"])), invariant=False,
    ),
    "shared_deviation": Target(
        mb.shared_deviation,
        _calls({"n_treatment": st.integers(2, 90), "n_control": st.integers(2, 90),
                "difference": numbers(-5, 5), "p_value": numbers(0, 1)}),
    ),
    "hazard_ratios": Target(_ratios, _intervals()),
    "hazard_ratios_reported": Target(
        _reported, _calls({"hr": numbers(0.1, 5, 2), "p_value": numbers(0, 1),
                           "events_treatment": counts(), "events_control": counts()}),
    ),
    "exact_intervals": Target(
        mb.exact_intervals,
        _shares(level=level,
                method=st.sampled_from(["clopper-pearson", "wilson", "agresti-coull"])),
    ),
    "pool": Target(_pooled(mb.generic),
                   _calls(EFFECTS, level=level, model=st.sampled_from(["random", "common"]),
                          **FIT)),
    "pool proportions": Target(
        _pooled(mb.proportions),
        _shares(transform=SHARE, level=level, model=st.sampled_from(
            ["random", "common", "bayes", "beta-binomial", "glmm"]), **FIT), tolerance=1e-4,
    ),
    "pool 2x2": Target(
        _pooled(mb.two_by_two),
        _two_arms(measure=MEASURES, level=level, model=st.sampled_from(
            ["random", "common", "mantel-haenszel", "peto"]), **FIT),
    ),
    "pool_cohorts": Target(
        lambda events, n, level: mb.pool_cohorts(mb.proportions(events, n), level),
        _shares(level=level), tolerance=1e-4,
    ),
    "pool_contrasts": Target(
        lambda hr, low, high, level: mb.pool_contrasts(mb.hazard_ratios(hr, low, high), level),
        _intervals(), tolerance=1e-4,
    ),
    "pool_many": Target(_pool_many, _calls(EFFECTS, level=level, **FIT)),
    "heterogeneity": Target(
        _on_fit(mb.heterogeneity),
        _calls(EFFECTS, method=st.sampled_from(["q-profile", "profile-likelihood"]), **FIT),
    ),
    "leave_one_out": Target(_on_fit(mb.leave_one_out), _calls(EFFECTS, **FIT), invariant=False),
    "cumulative": Target(_on_fit(mb.cumulative), _calls(EFFECTS, **FIT), invariant=False),
    "influence": Target(_on_fit(mb.influence), _calls(EFFECTS, **FIT), invariant=False),
    "baujat": Target(_on_fit(mb.baujat), _calls(EFFECTS, **FIT), invariant=False),
    "gosh": Target(_on_fit(mb.gosh), _calls(EFFECTS, most=7, tau2=TAU2), invariant=False),
    "trim_and_fill": Target(
        _on_fit(mb.trim_and_fill),
        _calls(EFFECTS, estimator=st.sampled_from(["L0", "R0"]), **FIT), invariant=False,
    ),
    "permutation_test": Target(
        _on_fit(mb.permutation_test),
        _calls(EFFECTS, most=7, n=st.sampled_from([2, 64, 200]), **FIT), invariant=False,
    ),
    "cluster_bootstrap": Target(
        lambda yi, vi, tau2: mb.cluster_bootstrap(
            mb.pool(mb.generic(yi, vi), tau2=tau2), [i // 2 for i in range(len(yi))], draws=40
        ),
        _calls(EFFECTS, tau2=TAU2), invariant=False,
    ),
    "pool outliers": Target(
        lambda yi, vi, **o: mb.pool(mb.generic(yi, vi), **o),
        _calls(EFFECTS, most=9, model=st.sampled_from(["student-t", "mixture"])),
        tolerance=1e-3,
    ),
    "outlier_test": Target(
        lambda yi, vi, model: mb.outlier_test(mb.pool(mb.generic(yi, vi), model=model), draws=3),
        _calls(EFFECTS, most=7, model=st.sampled_from(["student-t", "mixture"])), invariant=False,
    ),
    "egger": Target(lambda yi, vi, **o: mb.egger(mb.generic(yi, vi), **o),
                    _calls(EFFECTS, form=st.sampled_from(["mixed", "classical"]))),
    "begg": Target(lambda yi, vi: mb.begg(mb.generic(yi, vi)), _calls(EFFECTS)),
    "pet_peese": Target(lambda yi, vi: mb.pet_peese(mb.generic(yi, vi)), _calls(EFFECTS)),
    "selection_model": Target(
        lambda yi, vi, **o: mb.selection_model(mb.generic(yi, vi), **o),
        _calls(EFFECTS, alternative=st.sampled_from(["greater", "less", "two-sided"])),
        tolerance=1e-3,
    ),
    "selection_steps": Target(
        lambda yi, vi, **o: mb.selection_steps(mb.generic(yi, vi), **o),
        _calls(EFFECTS, alternative=st.sampled_from(["greater", "less", "two-sided"])),
        tolerance=1e-3,
    ),
    "limit_meta": Target(lambda yi, vi: mb.limit_meta(mb.generic(yi, vi)), _calls(EFFECTS)),
    "lfk_index": Target(lambda yi, vi: mb.lfk_index(mb.generic(yi, vi)), _calls(EFFECTS),
                        invariant=False),
    "thompson": Target(lambda yi, vi: mb.thompson(mb.generic(yi, vi)), _calls(EFFECTS)),
    "excess_significance": Target(
        _on_fit(mb.excess_significance),
        _calls(EFFECTS, alternative=st.sampled_from(["greater", "less", "two-sided"]), **FIT),
    ),
    "macaskill": Target(_on_tables(mb.macaskill), _two_arms()),
    "deeks": Target(_on_tables(mb.deeks), _two_arms()),
    "pustejovsky": Target(_on_tables(mb.pustejovsky), _two_arms()),
    "fail_safe_n": Target(
        lambda yi, vi, **o: mb.fail_safe_n(mb.generic(yi, vi), **o),
        _calls(EFFECTS, method=st.sampled_from(["rosenthal", "rosenberg"])),
    ),
    "blup": Target(_on_fit(mb.blup), _calls(EFFECTS, **FIT)),
    "fit_statistics": Target(_on_fit(mb.fit_statistics), _calls(EFFECTS, **FIT)),
    "peters": Target(_on_tables(mb.peters), _two_arms()),
    "harbord": Target(_on_tables(mb.harbord), _two_arms()),
    "probability_beyond": Target(
        _on_fit(mb.probability_beyond), _calls(EFFECTS, threshold=numbers(-2, 2), **FIT)
    ),
    "absolute_effect": Target(_absolute, _calls(EFFECTS, baseline=numbers(0, 1))),
    "kaplan_meier": Target(
        mb.kaplan_meier,
        _patients(entry=True, level=level, conf_type=st.sampled_from(["log-log", "log", "plain"])),
    ),
    "logrank": Target(mb.logrank, _patients(entry=True, **GROUPED), tolerance=1e-5),
    "max_combo": Target(mb.max_combo, _patients(**GROUPED), tolerance=1e-3),
    "cox": Target(mb.cox, _patients(entry=True, ties=st.sampled_from(["efron", "breslow"]),
                                    **GROUPED), tolerance=1e-4),
    "rmst": Target(mb.rmst, _patients(tau=st.one_of(st.none(), numbers(0, 50)), **GROUPED)),
    "milestone_difference": Target(
        mb.milestone_difference, _patients(times=st.lists(numbers(0, 40), max_size=3), **GROUPED)
    ),
    "landmark_analysis": Target(
        mb.landmark_analysis, _responses(landmark=numbers(0, 30)), tolerance=1e-4
    ),
    "simon_makuch": Target(
        mb.simon_makuch, _responses(landmark=st.sampled_from([0.0, 3.0])), tolerance=1e-4
    ),
    "fit_parametric": Target(
        mb.fit_parametric,
        _patients(family=st.sampled_from(["exponential", "weibull", "lognormal", "gompertz",
                                          "loglogistic", "rp-hazard-1", "weibull-mixture-cure"])),
        tolerance=1e-2,
    ),
    "reconstruct_km": Target(mb.reconstruct_km, _curve(), invariant=False),
    "reconstruct_summary": Target(mb.reconstruct_summary, _summary(), invariant=False),
    "network network_pool": Target(_network_pool, _network(), tolerance=1e-4),
}  # fmt: skip

EXEMPT = {
    "absolute_effect_arms": "takes curves; its arithmetic is that of milestone_difference",
    "cox_frame": "writes numbers and labels out again; bad tables are tested one by one",
    "cumulative_incidence": "of scikit-survival; bad input is tested one by one",
    "clustered": "takes a fit and one cluster a row; its variance is pinned and tested by hand",
    "contrasts": "takes a fit with moderators and a matrix that belongs to it",
    "copas_selection": "a second of maximising a call; compared with simulated selection",
    "digitise": "reads figures; odd files are tested one by one",
    "exact_two_by_two": "takes one table of whole numbers; compared with going through all tables",
    "likelihood_ratio": "takes two nested fits",
    "location_scale": "a formula for the variance; pinned, and compared with a slow likelihood",
    "mixed": "labels and formulas that belong together; permuted, relabelled and rescaled by hand",
    "sampling_covariance": "one product a cell; every part is pinned",
    "load_fit": "reads a file; odd files are tested one by one",
    "selection_function": "as selection_model, with other weights; a second of maximising a call",
    "patient_frame": "the patients of kaplan_meier, as a table",
    "pooled_aft": "of lifelines; a second of maximising a call",
    "pooled_cox": "of lifelines; bad tables are tested one by one",
    "to_lifelines": "the patients of kaplan_meier, for lifelines",
    "to_sksurv": "the patients of kaplan_meier, for scikit-survival",
    "compare_parametric": "fits every family of fit_parametric",
    "export": "prints any result; its cells are compared with the formats",
    "write_up": "prints a fit; every model and option is tried",
    "grade": "judgements, tested case by case",
    "load": "reads the evidence base",
    "reconstruct_many": "calls reconstruct_km for every curve",
    "reconstruct_summary_pair": "searches two arms of reconstruct_summary; minutes a thousand",
    "read_revman": "reads a file; odd files are tested one by one",
    "risk_of_bias": "takes a table of answers in words",
    "robust_average": "twenty models by quadrature a call; compared with draws from the priors",
    "summary_of_findings": "puts rated outcomes side by side",
    "tables": "lists the evidence base",
    "trace": "reads the evidence base",
    "validate": "reads the evidence base",
}
"""Public functions that are not called with random input, and why."""
