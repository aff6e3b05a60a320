"""Run the benchmarks: ``python -m benchmarks [NAME ...]``.

Without names, all but the simulations and the reconstruction of known patients, which take minutes.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

LONG = {"reconstruction", "simulation"}


def names() -> list[str]:
    """Every module or package here that has a ``main``."""
    found = (m.name for m in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def main() -> None:
    chosen = sys.argv[1:] or [name for name in names() if name not in LONG]
    unknown = [name for name in chosen if name not in names()]
    if unknown:
        sys.exit(f"no benchmark {unknown[0]}; there are: {', '.join(names())}")
    for name in chosen:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
