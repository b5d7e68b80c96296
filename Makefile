# `make` lists what there is. Nothing here needs more than python3 (3.11 or newer, with venv), make and a shell.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

PYTHON ?= python3
ARGS ?=
UV := uv==0.13.9

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# An environment whose interpreter is gone (a system upgrade), or that was moved or copied here, is made anew.
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && cat $(VENV)/.root 2>/dev/null),$(CURDIR))
$(shell rm -f $(VENV)/.root $(VENV)/.*.stamp)
endif

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ARGS=… is handed on, for example: make test ARGS='tests/policies -x'"

.PHONY: run
run: setup ## Start the worker on 127.0.0.1:8080 with a demo tenant, and send it a tour
	@exec $(BIN)/sluicegate demo $(ARGS)

.PHONY: setup
setup: $(VENV)/.runtime.stamp ## Install what the worker needs into .venv

.PHONY: test
test: $(VENV)/.test.stamp ## Run the tests (not those marked long)
	@exec $(BIN)/python -m pytest $(ARGS)

.PHONY: test-long
test-long: $(VENV)/.test.stamp ## Run all tests, those that take minutes too
	@exec $(BIN)/python -m pytest -m 'not bench' $(ARGS)

.PHONY: bench
bench: $(VENV)/.test.stamp ## Measure the worker against a plain receiver
	@exec $(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-screen
bench-screen: $(VENV)/.test.stamp ## Measure the screening of texts: make bench-screen DATA=directory of collections
	@test -n "$(DATA)" || { echo "DATA=… names the directory of the collections; docs/screening.md says which" >&2; exit 2; }
	@exec $(BIN)/python -m tests.bench.screen "$(DATA)"

.PHONY: lint
lint: $(VENV)/.test.stamp ## Check style, types, layers, dependencies and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/hadolint docker/Dockerfile

.PHONY: format
format: $(VENV)/.test.stamp ## Lay the code out and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# --- set-up -------------------------------------------------------------------------------------------------

LOCKS := requirements/build.txt pyproject.toml

$(VENV)/.root:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "There is no $(PYTHON) here. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)," >&2; \
	    echo "or name another one: make PYTHON=/path/to/python3 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); 3.11 or newer is needed. Name another one: make PYTHON=python3.11 …" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "set-up: new environment in $(VENV), $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@printf '%s\n' '$(CURDIR)' > $@

# Only wheels, each with its hash: no compiler, and nothing that the lock does not name.
define install
@echo "set-up: $(1), $$(cat requirements/build.txt $(2) | grep -c '^[a-z]') packages (a minute or two the first time)"
@$(PIP) install --progress-bar off --require-hashes --only-binary :all: -r requirements/build.txt -r $(2) | \
    awk '/^Collecting/ { if (++n % 10 == 0) { print "        " n " fetched"; fflush() } } \
         /^Installing collected/ { print "        unpacking"; fflush() }'
@echo "set-up: sluicegate itself"
@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
endef

$(VENV)/.runtime.stamp: $(VENV)/.root requirements/runtime.txt $(LOCKS)
	$(call install,the worker's libraries,requirements/runtime.txt)
	@touch $@

# The test lock holds the runtime's packages too, in the same versions.
$(VENV)/.test.stamp: $(VENV)/.root requirements/test.txt $(LOCKS)
	$(call install,libraries and test tools,requirements/test.txt)
	@touch $@ $(VENV)/.runtime.stamp

# --- upkeep -------------------------------------------------------------------------------------------------

# The locks are universal (any platform, every published wheel) and name no index. The largest is resolved first;
# the others start from a copy of it, so that one package has one version everywhere.
COMPILE = $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header pyproject.toml

.PHONY: lock
lock: $(VENV)/.root ## Resolve the dependencies of pyproject.toml into requirements/ anew
	@test -x $(VENV)/lock/bin/uv || $(PYTHON) -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet $(UV)
	$(COMPILE) --upgrade --extra postgres --group test --group lint -o requirements/test.txt
	@cp requirements/test.txt requirements/postgres.txt
	$(COMPILE) --extra postgres -o requirements/postgres.txt
	@cp requirements/test.txt requirements/runtime.txt
	$(COMPILE) -o requirements/runtime.txt
	$(patsubst pyproject.toml,,$(COMPILE)) --upgrade --group build -o requirements/build.txt

.PHONY: clean
clean: ## Remove the environment and the caches (not the data directory)
	rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
