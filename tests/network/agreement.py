"""Print the largest disagreement with the pinned networks, family by family.

Usage: ``python -m tests.network.agreement``. Relative to the pinned value; absolute below 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tests.network.pinned import against_first, by_pair, cells, fitted

Found = Iterator[tuple[str, object, object]]


def found() -> Found:
    for name, cell in cells().items():
        for method in ("common", "DL", "PM", "ML", "REML"):
            want = cell["common"] if method == "common" else cell["fits"][method]
            fit = fitted(name, method)
            kind = "closed forms" if method in ("common", "DL") else "iterated"
            d, se = against_first(fit, cell["treatments"])
            yield f"effects and errors, {kind}", [*d, *se], [*want["d"], *want["se"]]
            if method != "common":
                yield f"tau2, {kind}", fit.tau2, want["tau2"]
        parts = fitted(name, "common").inconsistency()
        yield "Q and its parts", [parts.q, parts.q_within, parts.q_between], [
            cell["q"], cell["q_within"], cell["q_between"]]  # fmt: skip
        if "interaction" in cell:
            got = fitted(name, "REML").inconsistency().random
            want = cell["interaction"]
            yield "design-by-treatment, random", [got["tau2"], got["q"]], [want["tau2"], want["q"]]
        yield from splits(name)
        for method, prefix in (("common", "common_"), ("REML", "")):
            kind = "common" if prefix else "REML"
            ranks = fitted(name, method).ranking().set_index("treatment")["p_score"]
            want = pd.Series(cell[f"{prefix}p_scores"])
            yield f"P-scores, {kind}", ranks[want.index].to_numpy(), want.to_numpy()
            flow = by_pair(fitted(name, method).evidence_flow())
            for row in cell[f"{prefix}flow"]:
                r = flow[frozenset((row["treat1"], row["treat2"]))]
                yield (
                    f"direct share, parallelism, path length, {kind}",
                    [r.share_direct, r.minimal_parallelism, r.mean_path_length],
                    [row["direct"], row["parallelism"], row["path"]],
                )


def splits(name: str) -> Found:
    for key, method in (("common_splits", "common"), ("splits", "REML")):
        ours = by_pair(fitted(name, method).splits())
        for row in cells()[name][key]:
            if "z" in row:
                r = ours[frozenset((row["treat1"], row["treat2"]))]
                sign = 1 if r.treat1 == row["treat1"] else -1
                yield (
                    f"node splits, {method}",
                    [sign * r.direct, sign * r.indirect, sign * r.statistic, r.p_value],
                    [row["direct"], row["indirect"], row["z"], row["p"]],
                )
    side = by_pair(fitted(name, "REML").splits("side-splitting"))
    for row in cells()[name]["side"]:
        r = side[frozenset((row["treat1"], row["treat2"]))]
        sign = 1 if r.treat1 == row["treat1"] else -1
        yield "side-splitting, own tau2", [sign * r.difference, r.std_error], [
            row["difference"], row["se"]]  # fmt: skip


def main() -> None:
    """Print one line a family."""
    worst: dict[str, tuple[float, int]] = {}
    for family, ours, theirs in found():
        a, b = np.ravel(np.array(ours, float)), np.ravel(np.array(theirs, float))
        gap = float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 1.0)))
        old, count = worst.get(family, (0.0, 0))
        worst[family] = (max(old, gap), count + a.size)
    for family, (gap, count) in sorted(worst.items()):
        print(f"{family:48s} {count:5d} values, largest difference {gap:.1e}")


if __name__ == "__main__":
    main()
