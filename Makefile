# Two commands do everything: `make up` and `make test`. `make help` lists the rest.
# A slow or busy machine: `make test JOBS=2 PATIENCE=3` (fewer tests at once, every deadline times 3).
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
UP ?=
DEMO ?=
JOBS ?= 3
PATIENCE ?= 1
# Unit tests that start many processes or search for long: they wait for `make test`.
LONG := $(addprefix tests/unit/,worker/pool/test_pool.py ruletest/test_pytest_plugin.py \
	patches/test_sqlite.py store/outbox/test_outbox_machine.py store/record/test_invariants.py \
	replay/test_lifecycle_machine.py replay/test_history.py replay/test_lives.py \
	flow/test_silent.py prefect_io/test_due.py rulefile/test_check.py rulefile/test_load_flow.py \
	message/test_injection.py store/record/test_concurrency.py)
COVERING := tests/unit/decide tests/unit/model tests/unit/replay/test_ledger.py tests/unit/replay/test_replay.py
# Property tests whose examples are runs of a whole store: `make test` has time for a quarter.
SEARCHES := $(addprefix tests/unit/,message/test_injection.py replay/test_lifecycle_machine.py \
	replay/test_lives.py replay/test_replayed.py store/outbox/test_outbox_machine.py \
	store/record/test_invariants.py store/retention/test_decisions.py)
WORKER := $(addprefix tests/integration/,worker test_rule_flow.py test_overlap.py test_stuck.py)
export SENTINEL_TEST_PATIENCE = $(PATIENCE)
# Containers often set it, and then each of the hundreds of programs that tests start compiles anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up demo test slow check coverage stock soak search lint fmt bench mutation screenshots gallery pins clean help

up: .venv/.runtime ## install, start Prefect server, worker and viewer, deploy the example rules (options: UP="--server-port 4300")
	$(BIN)/sentinel up $(UP)

demo: .venv/.runtime ## two minutes of events on recorded quotes of 2012-13, beside everything else (options: DEMO="--keep x")
	$(BIN)/sentinel demo $(DEMO)

test: .venv/.dev ## the suite: real server, worker, databases, browser
	scripts/need-chromium
	$(BIN)/pytest -m "not soak and not slow" -n $(JOBS) --durations=20 $(ARGS)

slow: .venv/.dev ## the slow rest of it: a test each after every main case
	scripts/need-chromium
	-scripts/need-databases
	$(BIN)/pytest -m "slow and not soak" -n $(JOBS) --durations=20 $(ARGS)

check: lint ## for the daily loop: style, types, contracts and what needs no server
	$(BIN)/pytest -q -m "not soak and not slow and not servers" -n $(JOBS) $(LONG:%=--ignore=%) tests/unit $(ARGS)

coverage: .venv/.dev ## every branch of what decides must be taken by a test
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not soak and not slow and not servers" -p no:xdist $(COVERING)
	$(BIN)/coverage report

search: .venv/.dev ## property tests with new examples each time, and four times as many
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -n $(JOBS) $(SEARCHES) $(ARGS)

stock: .venv/.dev ## the worker's tests without anything replaced in Prefect, in server or worker
	SENTINEL_TEST_STOCK_PREFECT=all $(BIN)/pytest -m "not soak" -n $(JOBS) $(WORKER) $(ARGS)

soak: .venv/.dev ## the tests that take minutes
	scripts/need-chromium
	$(BIN)/pytest -m soak $(ARGS)

lint: .venv/.dev ## style, types and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fmt: .venv/.dev ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## every benchmark, each against a baseline in the same run
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

mutation: .venv/.mutation ## do the tests notice when the code is wrong? (half an hour; docs/mutation.md)
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results
	$(BIN)/python scripts/mutation

screenshots: .venv/.dev ## the pictures in docs/images, from a real system started for it
	scripts/need-chromium
	$(BIN)/python docs/screenshots.py

gallery: .venv/.dev ## every page in every state, theme and width, into gallery/, to be looked at
	scripts/need-chromium
	$(BIN)/python docs/gallery.py gallery

pins: ## write constraints.txt anew from the newest versions pyproject.toml allows
	scripts/pins "$(PYTHON)"

clean: ## remove what installing made
	rm -rf .venv mutants *.egg-info

.venv/.runtime: pyproject.toml constraints.txt
	scripts/install "$(PYTHON)" .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt
	scripts/install "$(PYTHON)" ".[dev]"
	@touch $@ .venv/.runtime

.venv/.mutation: pyproject.toml constraints.txt
	scripts/install "$(PYTHON)" ".[dev,mutation]"
	@touch $@ .venv/.dev .venv/.runtime

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14
