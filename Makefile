# Two commands do everything on a machine with Python 3.11+, make and the package index: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RAMP_VENV := .venv-ramp
RAMP_READY := $(RAMP_VENV)/.ready
RAMP_DATABASE := tests/data/ramp_database
JOBS ?= 4
# an image of Python's may forbid them; without compiled files each command that a test starts compiles all it imports
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help install demo check test unit soak bench lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY) ## the virtual environment from the lock file

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Rampart needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "Installing the locked packages into $(VENV) (once) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# RAMP's own database package, which the tests serve; its libraries are too old to share an environment with ours
$(RAMP_READY): $(RAMP_DATABASE)/requirements.lock
	@echo "Installing ramp-database for the tests into $(RAMP_VENV) (once) ..." >&2
	@$(PYTHON) -m venv --clear $(RAMP_VENV)
	@$(RAMP_VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
		-r $(RAMP_DATABASE)/requirements.lock
	@touch $(RAMP_READY)

demo: $(READY) ## a whole event on an embedded cloud, from nothing to a leaderboard
	@$(BIN)/invoke demo

check: $(READY) ## ruff, mypy, import rules, unit tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -n $(JOBS) tests/unit

test: $(READY) $(RAMP_READY) ## every test
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder tests

soak: $(READY) ## two hundred submissions while dispatchers are killed and hosts lost at random
	@RAMPART_SOAK=200 $(BIN)/pytest -q -s tests/faults/test_soak.py

bench: $(READY) ## the figures of docs/benchmarks.md, measured here (some fifteen minutes)
	@$(BIN)/python -m benchmarks --json build/benchmarks.json --table docs/benchmarks.md

lock: ## renew the lock files (needs uv on PATH)
	uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes --no-header --upgrade --quiet \
		--output-file requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade --quiet \
		--override $(RAMP_DATABASE)/overrides.txt \
		--output-file $(RAMP_DATABASE)/requirements.lock $(RAMP_DATABASE)/requirements.in

clean: ## remove the virtual environments and caches (.rampart stays: keys, queues, stack outputs)
	rm -rf $(VENV) $(RAMP_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
