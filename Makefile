# One command for everything. A fresh machine needs make and a Python from 3.11 to 3.15; the rest goes into .venv.
#
#   make demo    run a program made by the StoffelLang compiler, and show what is in it
#   make test    the tests            make lint, make types    ruff, mypy
#   make ci      what CI does: every Python, from nothing (as root on Debian those missing are fetched)
#   make fuzz    100 000 damaged program files        make bench    benchmarks
#   make fuzz-tiers FUZZ_COUNT=1000000    generated programs in every tier
#   make fuzz-lang FUZZ_COUNT=1000000     damaged sources: only diagnostics
#   make conformance    the reference's cases in every way of running, kernels left at safepoints too
#   make faults    plants faults in a copy of the compiler: do the tests notice? (an hour)
#   make docs    the generated parts of the manual    make docs-site    the manual as a site, in build/site
#   make clean    remove what make made
#
# PYTHON=... picks the interpreter (an existing .venv of another version is made anew).

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/stoffel
PYTEST_ARGS ?= -n auto
FUZZ_COUNT ?= 100000
DEMO := examples/life.stflb

SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 15))

# An environment that is there stays in use, unless PYTHON names another version.
HAVE := $(patsubst $(STAMP)-%-installed,%,$(firstword $(wildcard $(STAMP)-*-installed)))
ifeq ($(origin PYTHON),undefined)
  PYTHON := $(shell for name in python3.14 python3.13 python3.12 python3.11 python3.15 python3 python; do \
      if $$name -c '$(SUPPORTED)' >/dev/null 2>&1; then echo $$name; break; fi; done)
  VERSION := $(HAVE)
endif
ifeq ($(VERSION),)
  VERSION := $(shell $(or $(PYTHON),false) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif
INSTALLED := $(STAMP)-$(or $(VERSION),none)-installed
DEVELOP := $(STAMP)-$(or $(VERSION),none)-develop

.PHONY: help demo test lint types ci stress fuzz fuzz-tiers fuzz-lang conformance faults bench docs docs-site clean
.DELETE_ON_ERROR:

help:
	@sed -n '3,14s/^# \{0,1\}//p' Makefile

# A plain path entry (compat mode) keeps setuptools' import hook, which costs milliseconds, out of every start.
$(INSTALLED): pyproject.toml
	@test -n '$(VERSION)' || { echo 'make: no usable Python found. Stoffel needs a Python from 3.11 to 3.15 with its venv' \
	    'module (Debian: apt install python3-venv), or name one: make demo PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'make: $(PYTHON) is Python $(VERSION); Stoffel needs 3.11 or newer' >&2; exit 1; }
	test '$(HAVE)' = '$(VERSION)' || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable .
	@$(BIN)/python -m compileall -q stoffel
	@touch $@

$(DEVELOP): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@echo
	$(BIN)/stoffel info $(DEMO)
	@echo
	$(BIN)/stoffel dis $(DEMO) | head -n 24
	@echo
	$(BIN)/stoffel run $(DEMO)
	@echo
	@echo 'The command is $(BIN)/stoffel; to have it on the path:  . $(BIN)/activate'

test: $(DEVELOP)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

conformance: $(DEVELOP)
	STOFFEL_CONFORMANCE=all $(BIN)/python -m pytest $(PYTEST_ARGS) tests/conformance

lint: $(DEVELOP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEVELOP)
	$(BIN)/mypy

ci:
	bash .ci/run

fuzz: $(DEVELOP)
	$(BIN)/python tests/fuzz/fuzz_stflb.py --count $(FUZZ_COUNT)

faults: $(DEVELOP)
	$(BIN)/python -m tests.faults

fuzz-tiers: $(DEVELOP)
	$(BIN)/python tests/fuzz/fuzz_tiers.py --count $(FUZZ_COUNT) --jobs 2

fuzz-lang: $(DEVELOP)
	$(BIN)/python tests/fuzz/fuzz_lang.py --count $(FUZZ_COUNT)

stress: $(DEVELOP)
	$(BIN)/python -m tests.stress

bench: $(DEVELOP)
	$(BIN)/python -m benchmarks

docs: $(DEVELOP)
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/code_map.py
	$(BIN)/python editors/grammars.py

# Pinned: before 1.0 its settings may change.
docs-site: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check zensical==0.0.73
	$(BIN)/zensical build --strict --clean -f mkdocs.yml

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
