# The whole interface for people: make demo, make test, make check, make bench, make soak.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml pyproject.toml

.PHONY: meaning help setup test check format bench bench-peers demo docs soak trust fuzz clean

help:
	@echo "make demo   set up and run the main example on the standard library"
	@echo "make test   set up and run every test, Rust and Python"
	@echo "make meaning  the part of it that runs 10 000 random workflows on every executor"
	@echo "make check  format, lint, types and stub, both languages"
	@echo "make bench  the table of docs/benchmarks.md, measured here"
	@echo "make docs   docs/errors.md, by running the programs of docs/errors"
	@echo "make bench-peers  install what the bench compares with: graflow, loky, joblib, mpire, pebble, Dask, Ray"
	@echo "make trust  faults injected, how often, and what was lost: the figures of docs/reliability.md"
	@echo "make soak   the same at random until MINUTES (30) are over"
	@echo "make fuzz   random bytes on a worker's link for SECONDS (300), guided by coverage; needs cargo-fuzz"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "maturin>=1.7,<2"

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		"cloudpickle>=3.0" "psutil>=5.9" \
		"pytest>=8" "pytest-timeout>=2" "hypothesis>=6.100" "networkx>=3.2" "grandalf>=0.8" "numpy>=1.26" \
		"ruff>=0.6" "mypy>=1.11"
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet
	@touch $@

setup: $(VENV)/.built

test: setup
	cargo test --workspace --exclude graflow-fast-core --release --quiet
	$(BIN)/python -m pytest -q

meaning: setup
	$(BIN)/python -m pytest -q tests/meaning

check: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --release --quiet -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest graflow_fast._core

format:
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo: setup
	$(BIN)/python examples/code_census.py

bench: setup
	$(BIN)/python benches/run.py --write

bench-peers: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt

docs: setup
	$(BIN)/python docs/generate_errors.py

trust: setup
	$(BIN)/python tests/trust/run.py

soak: setup
	$(BIN)/python tests/trust/run.py --soak --minutes $(or $(MINUTES),30)

# A stable toolchain will do: RUSTC_BOOTSTRAP lets it pass the flags that libFuzzer's coverage needs.
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz"; exit 1; }
	mkdir -p fuzz/corpus/frames
	RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none frames fuzz/corpus/frames fuzz/seeds -- \
		-max_total_time=$(or $(SECONDS),300) -max_len=4096 -print_final_stats=1

clean:
	rm -rf $(VENV) target
