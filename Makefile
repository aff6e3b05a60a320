# One list of commands. `make help` prints it.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
STAMP := .venv/.installed
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install reproduce verify expected test test-lowest test-newest structure lint format lock reference bench simulate site site-test clean fuzz mutants

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
	  awk -F '\t' '{printf "  make %-11s %s\n", $$1, $$2}'

install: $(STAMP) ## Create .venv with the pinned packages and metablin itself

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "metablin needs Python 3.11 or newer; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

reproduce: $(STAMP) ## Run every analysis; end with the headline results and the report
	@$(BIN)/metablin reproduce --jobs $(JOBS)

verify: $(STAMP) ## Recompute everything; compare with expected values and published claims
	$(BIN)/metablin verify --jobs $(JOBS)

expected: $(STAMP) ## Accept today's results as the expected ones (say why in NEWS.md)
	$(BIN)/metablin verify --jobs $(JOBS) --update

test: $(STAMP) ## Run the tests and the examples in docstrings
	$(RUN) pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

# The engine's tests; those that compare with lifelines or scikit-survival need that extra.
ENGINE := tests/effects tests/meta tests/survival tests/reconstruct tests/test_face.py tests/test_core_alone.py
PEERS = $(shell grep -rlE "lifelines|sksurv" tests/meta tests/survival tests/reconstruct --include=test_*.py)

test-lowest: $(STAMP) ## Run the engine's tests on the lowest versions that pyproject.toml declares
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest --resolution lowest-direct -e ".[test,survival,data]"
	.venv-lowest/bin/python -m pytest -W default -n $(JOBS) $(ENGINE) \
	  --deselect tests/test_face.py::test_a_type_checker_refuses_five_wrong_calls

test-newest: $(STAMP) ## Run the engine's tests on the newest versions, pandas 3 too, without the survival extra
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv-newest
	$(BIN)/uv pip install --quiet --python .venv-newest --upgrade -e ".[test,data]"
	@echo "not run, they need the survival extra: $(PEERS)"
	.venv-newest/bin/python -m pytest -W default -n $(JOBS) $(ENGINE) $(PEERS:%=--ignore=%) \
	  --deselect tests/test_face.py::test_a_type_checker_refuses_five_wrong_calls

fuzz: $(STAMP) ## Try 100,000 random inputs on every public function (half an hour)
	$(RUN) tests.fuzz

mutants: $(STAMP) ## Change numerical modules one operator at a time; say how many changes tests notice
	$(RUN) tests.mutants --jobs $(JOBS)

structure: $(STAMP) ## Print the package as rooms and arrows
	$(RUN) tests.structure

lint: $(STAMP) ## Check style (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## Pin all packages again (the one way to change requirements.lock)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --all-extras --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock

reference: $(STAMP) ## Compute the reference values again (needs R, see CONTRIBUTING.md)
	$(RUN) tests.reference.regenerate

bench: $(STAMP) ## Measure speed and accuracy against peers (R ones where installed)
	$(RUN) benchmarks

simulate: $(STAMP) ## Simulate coverage and bias of the intervals (minutes)
	$(RUN) benchmarks simulation

site: $(STAMP) ## Render the site (Quarto 1.6 to 1.10 on PATH, else its package from PyPI)
	@command -v $${QUARTO_PATH:-quarto} >/dev/null || [ -x $(BIN)/quarto ] || \
	  $(RUN) pip install --disable-pip-version-check quarto-cli >.venv/quarto.log 2>&1 || \
	  { echo "Quarto is needed: https://quarto.org/docs/get-started/ (its package from PyPI: .venv/quarto.log)"; exit 1; }
	$(BIN)/metablin site --jobs $(JOBS)

site-test: $(STAMP) ## Look at the rendered site in Chromium, PAGES=all at every page (needs node)
	@[ -f site/_site/index.html ] || { echo "no site yet: run make site first"; exit 1; }
	$(RUN) pip install --quiet --disable-pip-version-check playwright
	cd tests/site && npm install --no-audit --no-fund --no-package-lock --silent
	METABLIN_EXPLORE_COMPARISONS=10000 $(RUN) pytest -q tests/site/test_explore.py
	$(RUN) tests.site.browser $(PAGES:%=--%)

clean: ## Remove the environment, results and caches
	rm -rf .venv results dist .pytest_cache .mypy_cache .ruff_cache
