# make run | demo | test | lint | format | laws | torture | docs | pictures | bench | clean
#
# Everything is set up on the way: .venv, the tools, the native core in release mode. Stamps in .venv/.stamps remember what was done, so
# that a second `make run` starts at once and a change rebuilds only what depends on it.

PYTHON ?= python3
ARGS ?=
# Tests wait for disks, engines and browsers as much as they compute: more of them at once than a small machine has cores.
WORKERS ?= 4
BIN := .venv/bin
STAMPS := .venv/.stamps
NATIVE := native/Cargo.toml native/Cargo.lock $(shell find native/src -name '*.rs')
CARGO := cargo

# rustup looks for its tool chains below $HOME. Where HOME is another one's (CI, sudo), they still lie beside cargo.
RUSTUP_BESIDE := $(dir $(patsubst %/bin/cargo,%,$(shell command -v cargo 2>/dev/null))).rustup
ifeq ($(origin RUSTUP_HOME),undefined)
ifeq ($(wildcard $(HOME)/.rustup),)
ifneq ($(wildcard $(RUSTUP_BESIDE)/toolchains),)
export RUSTUP_HOME := $(RUSTUP_BESIDE)
endif
endif
endif
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run demo test lint lint-python lint-rust format laws torture docs pictures bench clean check-cargo check-rust check-python check-tests
.DEFAULT_GOAL := run

run: $(STAMPS)/package
	@exec $(BIN)/sojourn run $(ARGS)

demo: $(STAMPS)/package
	@exec $(BIN)/sojourn demo $(ARGS)

# The cheap checks first, so that a slip is told before the long ones begin; two at a time, since compilers end with one thread for long.
# (MAKEFLAGS= below: cargo would look for tokens of `make -j` that a recipe does not get.)
test:
	@$(MAKE) --no-print-directory -j 2 lint check-rust
	@$(MAKE) --no-print-directory check-tests

lint: lint-python lint-rust

lint-python: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest sojourn._native --ignore-missing-stub

lint-rust: $(STAMPS)/tools
	$(CARGO) fmt --manifest-path native/Cargo.toml --check
	MAKEFLAGS= $(CARGO) clippy --manifest-path native/Cargo.toml --locked --all-targets --features python -- -D warnings

check-rust: check-cargo
	MAKEFLAGS= $(CARGO) test --manifest-path native/Cargo.toml --locked --quiet

check-tests: $(STAMPS)/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# The property tests of the session rules, with many more examples than `make test` takes the time for.
laws: $(STAMPS)/dev
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -n $(WORKERS) -m laws $(ARGS)

# Kills collectors and databases at random moments and looks whether everything that was acknowledged is there once: about an hour.
torture: $(STAMPS)/dev
	$(BIN)/python -m tests.torture --rounds 1000 $(ARGS)

format: $(STAMPS)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(CARGO) fmt --manifest-path native/Cargo.toml

# docs/reference is generated from the components and from schema.py; a test holds them equal.
docs: $(STAMPS)/dev
	$(BIN)/python docs/generate.py

# The pictures of the documents, from generated traffic in a real browser.
pictures: $(STAMPS)/dev
	$(BIN)/python docs/pictures.py

bench: $(STAMPS)/dev
	@command -v go >/dev/null || { echo "make bench: go is missing: the load sender and the sink are written in Go: https://go.dev/dl" >&2; exit 1; }
	$(BIN)/python bench/run.py $(ARGS)

clean:
	rm -rf .venv build dist native/target bench/.build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f sojourn/_native*.so
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

check-python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $$($(PYTHON) --version) is too old: 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make: $(PYTHON) cannot make virtual environments: install its venv package, for example: apt install python3-venv" >&2; exit 1; }

check-cargo:
	@command -v cc >/dev/null || { echo "make: cc is missing: install a C compiler, for example: apt install build-essential" >&2; exit 1; }
	@command -v $(CARGO) >/dev/null || { echo "make: cargo is missing: install Rust 1.89 or newer: https://rustup.rs" >&2; exit 1; }
	@version=$$($(CARGO) --version 2>&1) || { echo "make: cargo does not work: $$(echo "$$version" | head -n 1)" >&2; exit 1; }; \
	  set -- $$version; rest=$${2#*.}; minor=$${rest%%.*}; \
	  [ "$${2%%.*}" -gt 1 ] || [ "$$minor" -ge 89 ] || { echo "make: $$version is too old: 1.89 or newer is needed: rustup update" >&2; exit 1; }

$(STAMPS)/tools: pyproject.toml
	@$(MAKE) --no-print-directory check-python check-cargo
	@echo "Setting up .venv and building Sojourn. The first time this takes some minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.9,<2'
	@mkdir -p $(STAMPS) && touch $@

# `maturin develop` builds the native core in place and installs the package editable, with its dependencies.
$(STAMPS)/package: $(STAMPS)/tools $(NATIVE)
	@$(MAKE) --no-print-directory check-cargo
	MAKEFLAGS= $(BIN)/maturin develop --release --locked --quiet
	@touch $@

$(STAMPS)/dev: $(STAMPS)/package
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
