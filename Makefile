# One word for each job; each creates what it needs. Needs Python 3.11+ with venv, nothing else.
# Another interpreter: make check PYTHON=/path/to/python

VENV := .venv
BIN := $(VENV)/bin
# Workers of pytest; every one loads the model.
JOBS ?= 2
# Extra words for pytest or the bench: make test ARGS="-k sse -x"
ARGS ?=
# Cases of `make deep`, and what they follow from; a nightly run gives the date.
CASES ?= 100000
SEED ?= guardproxy
# Targets of `make fuzz`, all if not given, and how long each is fuzzed.
TARGETS ?= $(notdir $(wildcard fuzz/corpus/*))
SECONDS_EACH ?= 60
# How long `make soak` asks.
MINUTES ?= 30
# Rounds of `make bench`; 1 is the short form.
ROUNDS ?= 3
# Where other gateways are installed for `make bench`, as bench/README.md says.
OPPONENTS ?= .opponents
# What `make eval` measures: folders or files of labelled texts (docs/quality-measuring.md), how many
# rows of each source and language (all if not given), what the model was trained on, which model.
DATA ?=
SAMPLE ?=
TRAINED_ON ?=
MODEL ?=
# pyright asks a web site for its newest version unless told not to.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo check lint types test peers bench deep fuzz faults soak fmt docs eval build clean

help:
	@echo "make demo    install, then show one question answered and one refused"
	@echo "make check   install the tools, then everything CI runs"
	@echo "make lint    format, ruff, import floors"
	@echo "make types   mypy and pyright"
	@echo "make test    the tests, without coverage (ARGS=\"-k name\")"
	@echo "make peers   other people's suites through guardproxy; a quarter of an hour, needs a registry"
	@echo "make bench   what guardproxy adds, beside nginx and others; ten minutes (ROUNDS=1: four)"
	@echo "make deep    composed cases in search of a way past the guard (CASES=100000, SEED=name)"
	@echo "make fuzz    coverage-guided fuzzing, SECONDS_EACH=60 a target (TARGETS=\"events policy\")"
	@echo "make faults  overload, slow callers, reloads, ends, measured; half an hour"
	@echo "make soak    mixed traffic for a long time: does anything grow? (MINUTES=30)"
	@echo "make fmt     format and fix what can be fixed"
	@echo "make docs    write the tables of docs/ that are made from the code"
	@echo "make eval    measure the model on labelled texts, write docs/quality.md (DATA=\"dev more\")"
	@echo "make build   wheel and source archive into dist/"
	@echo "make clean   remove what the other words made"

demo: $(VENV)/.demo
	$(BIN)/guardproxy demo

check: lint types
	$(BIN)/pytest -n $(JOBS) --dist worksteal --cov --cov-report=term

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/pyright

test: $(VENV)/.dev
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

# Not part of `check`: openai-python's tests are fetched from a package registry.
peers: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --group peers
	$(BIN)/python -m bench.peers

bench: $(VENV)/.dev
	$(BIN)/python -m bench --rounds $(ROUNDS) --opponents $(OPPONENTS) $(ARGS)

deep: $(VENV)/.dev
	GUARDPROXY_TESTS=deep $(BIN)/pytest -n $(JOBS) --dist worksteal tests/dialects tests/peers \
		tests/policy tests/test_sse.py tests/test_strict_json.py tests/test_stream_guard.py
	$(BIN)/python -m tests.deep --cases $(CASES) --seed $(SEED) --jobs $(JOBS)

fuzz: $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --group fuzz
	@for target in $(TARGETS); do \
		$(BIN)/python -m fuzz $$target -max_total_time=$(SECONDS_EACH) || exit 1; \
	done

faults: $(VENV)/.dev
	GUARDPROXY_TESTS=deep $(BIN)/pytest tests/faults
	$(BIN)/python -m bench.faults

soak: $(VENV)/.dev
	$(BIN)/python -m bench.soak --minutes $(MINUTES) --write

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	$(BIN)/python -m tests.tables

eval: $(VENV)/.dev
	@test -n "$(DATA)" || { echo 'make: give DATA="FOLDER ...", see docs/quality-measuring.md' >&2; exit 2; }
	@mkdir -p build
	$(BIN)/guardproxy eval $(addprefix --data ,$(DATA)) --partial --buried --behind --scores build/eval-scores.db \
		$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(TRAINED_ON),--trained-on $(TRAINED_ON)) \
		$(if $(MODEL),--model $(MODEL)) --output build/eval --page docs/quality.md >/dev/null

build: $(VENV)/.dev
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf .import_linter_cache fuzz/found
	find guardproxy tests fuzz examples -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that what pyproject.toml asks for is installed. The tools include the demo's parts.
$(VENV)/.dev: pyproject.toml | $(VENV)/.pip
	@echo "installing guardproxy and its tools into $(VENV), a minute or two"
	@$(BIN)/python -m pip install --quiet --editable . --group dev --group training
	@touch $@ $(VENV)/.demo

$(VENV)/.demo: pyproject.toml | $(VENV)/.pip
	@echo "installing guardproxy into $(VENV), about a minute"
	@$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

# `--group` needs pip 25.1; the pip that comes with Python 3.11 and 3.12 is older.
$(VENV)/.pip:
	@found=; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
		if "$$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' \
			>/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "make: no Python 3.11 or newer with the venv module found." >&2; \
		echo "Install one (Debian, Ubuntu: apt install python3 python3-venv)," >&2; \
		echo "or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	echo "$$found -m venv $(VENV)"; \
	"$$found" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@
