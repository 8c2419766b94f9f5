# Every habit as a target; `make` alone lists them.
PYTHON ?= python3
# Said by you, it is taken; else the fastest Python of the same version: see tools/interpreter.py.
CHOOSE := $(if $(filter file,$(origin PYTHON)),$(PYTHON) tools/interpreter.py,command -v $(PYTHON))
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help run test check format contracts crossdoor clients faults transcripts fuzz bench clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(BIN)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Posthouse needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || "$$($(CHOOSE))" -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(BIN)/.test: pyproject.toml $(BIN)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(BIN)/.check: pyproject.toml $(BIN)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,check]'
	@touch $@

run: $(BIN)/.run ## a demo server on loopback: two people, real mail, two devices; prints how to connect
	$(BIN)/python -m posthouse demo --data $(DEMO)

test: $(BIN)/.test ## every test
	$(BIN)/pytest

check: $(BIN)/.check ## format, lint, types, layers, house rules
	$(BIN)/ruff format --check src tests tools benchmarks fuzz
	$(BIN)/ruff check src tests tools benchmarks fuzz
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/house.py

format: $(BIN)/.check ## put every file into shape
	$(BIN)/ruff format src tests tools benchmarks fuzz
	$(BIN)/ruff check --fix-only --quiet src tests tools benchmarks fuzz

contracts transcripts crossdoor clients faults: $(BIN)/.test ## one folder of tests
	$(BIN)/pytest tests/$@

fuzz: $(BIN)/.test ## half a minute of hostile input for every parser
	for t in fuzz/*_*.py; do $(BIN)/python $$t --seconds 30 || exit 1; done

bench: $(BIN)/.test ## measure against Dovecot and Postfix (needs Debian's packages); writes docs/dev/performance.md
	$(BIN)/python benchmarks/run.py

clean: ## remove the environment and the demo
	rm -rf $(VENV) $(DEMO)
