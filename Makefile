# Needs Python 3.11, make, Java 17 and Maven; sets up everything else by itself, in .venv and in the user's cache.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check coverage bench previews faults mutants clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# The lock is whole, so nothing is to be resolved: a resolver looks at releases newer than the lock, and pip then refuses them.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) deploy/preflight.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip --disable-pip-version-check check
	@touch $@

demo: .venv/ready ## a provider's two months in two minutes, on real Kafka, with a mailbox to watch
	@$(BIN)/whimbrel dev demo

test: .venv/ready ## all tests but the long ones, with real Kafka
	@$(BIN)/python -m pytest

coverage: .venv/ready ## the unit tests of the rules: every branch of domain and triggers
	@$(BIN)/python -m pytest tests/unit/domain tests/unit/triggers tests/unit/engine_heart tests/unit/test_cases.py \
		--cov=app.domain --cov=app.triggers --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

check: .venv/ready ## format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: .venv/ready ## throughput beside its peers, restore, day scan: see docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks

previews: .venv/ready ## every message as a picture, in .previews (needs Chromium)
	@$(BIN)/python -m app.dev.previews .previews

faults: .venv/ready ## every run under fire, and the table of all runs so far
	@$(BIN)/python -m pytest tests/faults -m 'long or not long'; status=$$?; $(BIN)/python -m tests.faults.report; exit $$status

mutants: .venv/ready ## change the rules one thing at a time, and see that a test notices: see docs/testing.md
	@$(BIN)/python -m tests.mutants

clean: ## forget the environment, the demo's data and every cache of the tools
	@rm -rf .venv .demo .previews .faults .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage *.egg-info build
