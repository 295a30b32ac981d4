# The whole interface for people: make demo, make test, make check, make bench, make soak.
PYTHON ?= python3
VENV := .venv
# Which versions of tools and of what the tests need; test-newest leaves it empty, in an environment of its own.
VERSIONS := -c requirements/locked.txt
NEWEST := VENV=.venv-newest VERSIONS=--upgrade
# The Cargo profile of the extension: quick builds faster and runs slower.
PROFILE ?= release
BIN := $(VENV)/bin
# Interpreters that tools/build_python.sh made, and an environment for each that is tested; kept from one clone to the next.
CACHE ?= $(HOME)/.cache/graflow-fast
SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml pyproject.toml

.PHONY: meaning engines help setup test test-trust test-rest test-compat test-graflow test-all test-versions pythons wheels release notices test-newest check check-newest format bench bench-peers demo docs picture pictures site links soak trust fuzz suite clean

help:
	@echo "make demo   set up and run the main example on the standard library"
	@echo "make test   set up and run every test, Rust and Python"
	@echo "make test-graflow  what an installed graflow lends: LLMs, prompts, feedback; it installs one for that"
	@echo "make test-all  that, and the short suite on every other Python there is, 3.10 - 3.14t; PYTHONS= names them instead"
	@echo "make pythons   build CPython 3.14 with and without the interpreter lock, where they are absent"
	@echo "make wheels    what is published, into dist: built against an old glibc, audited, installed where no Rust is"
	@echo "make release   whether what is checked out can be released: version, changelog, tag, licences, audits"
	@echo "make notices   THIRD-PARTY-NOTICES.md, after a change of the crates"
	@echo "make meaning  the part of it that runs 10 000 random workflows, here new ones, each of them on every executor"
	@echo "make check  format, lint, types and stub, both languages"
	@echo "make test-newest, make check-newest  the same with the newest versions of all that is installed"
	@echo "make bench  the table of docs/benchmarks.md, measured here"
	@echo "make docs   docs/errors.md, by running the programs of docs/errors"
	@echo "make picture  docs/front.svg, the picture of the README, from the figures of make bench"
	@echo "make pictures  docs/progress.svg and docs/report.png: a real run in a terminal, and its report in Chromium"
	@echo "make site   the pages of docs/ with search and reference, in target/site"
	@echo "make links  whether the links of the site to other sites still lead somewhere; needs a network"
	@echo "make bench-peers  install what the bench compares with: graflow, loky, joblib, mpire, pebble, Dask, Ray"
	@echo "make trust  faults injected, how often, and what was lost: the figures of docs/reliability.md"
	@echo "make soak   the same at random until MINUTES (30) are over"
	@echo "make suite  graflow's own tests on this engine; SUITE= is a checkout of it"
	@echo "make fuzz   random bytes on a worker's link for SECONDS (300), guided by coverage; needs cargo-fuzz"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python requirements/development.txt requirements/site.txt requirements/locked.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/development.txt -r requirements/site.txt $(VERSIONS)
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(SOURCES)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --profile $(PROFILE) --quiet
	@touch $@

setup: $(VENV)/.built

# What tests need that look at pages as people do. What can't be had is named, and these tests are skipped with a reason.
$(VENV)/.pages: $(VENV)/.installed requirements/pages.txt requirements/locked.txt
	tools/install_chromium.sh
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/pages.txt $(VERSIONS) \
		&& touch $@ || echo "requirements/pages.txt can't be installed: tests of pages in a browser and of notebooks are skipped"

# Parts beside each other, two at a time, the long ones first: most tests wait for processes. None looks at what is
# not its own process's.
test: setup
	cargo test --workspace --exclude graflow-fast-core --release --quiet
	$(MAKE) --no-print-directory $(VENV)/.pages
	$(MAKE) --no-print-directory -j2 --output-sync=target test-trust test-rest test-compat

test-trust: setup
	$(BIN)/python -m pytest -q tests/trust tests/pool

test-rest: setup
	$(BIN)/python -m pytest -q -rs --ignore=tests/compat --ignore=tests/trust --ignore=tests/pool

test-compat: setup
	$(BIN)/python -m pytest -q tests/compat

# What needs graflow has an environment of its own, which finds this package by a path: litellm and the like are large.
.venv-graflow/.installed: requirements/graflow.txt
	$(PYTHON) -m venv .venv-graflow
	.venv-graflow/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/graflow.txt
	echo "$(CURDIR)/python" > "$$(.venv-graflow/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/graflow_fast.pth"
	@touch $@

test-graflow: setup .venv-graflow/.installed
	.venv-graflow/bin/python -m pytest -q tests/lent tests/drop_in tests/compat/test_names.py tests/compat/test_public_names.py

# In CI what is not there is named and left out; elsewhere 3.14 and 3.14t are built first.
test-all: test $(if $(CI)$(PYTHONS),,pythons)
	$(MAKE) test-versions

test-versions: setup
	PYTHONS="$(PYTHONS)" $(BIN)/python tools/test_all.py $(CACHE)

pythons:
	tools/build_python.sh $(CACHE)/pythons

# Tools of the release have an environment of their own: nobody else needs a linker of 80 MB.
.venv-release/.installed: requirements/release.txt
	$(PYTHON) -m venv .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/release.txt
	@touch $@

wheels: .venv-release/.installed $(if $(CI),,pythons)
	.venv-release/bin/python tools/wheels.py $(CACHE)

release: .venv-release/.installed
	.venv-release/bin/python tools/release.py

notices:
	$(PYTHON) tools/third_party_notices.py

# The newest versions today, also where an earlier day's were installed.
test-newest check-newest:
	rm -f .venv-newest/.installed
	$(MAKE) $(@:-newest=) $(NEWEST)

meaning: setup
	GRAFLOW_FAST_EVERYWHERE=1 GRAFLOW_FAST_SEED=random $(BIN)/python -m pytest -q tests/meaning

# Random programs whose bodies run on engines; those that are not installed fail.
engines: setup
	for engine in faulty dask ray loky; do PYTHONPATH=tests $(BIN)/python -m meaning.elsewhere $$engine $(or $(PROGRAMS),300) || exit 1; done

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
	$(BIN)/python docs/draw_front.py

bench-peers: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benches/requirements.txt

docs: setup
	$(BIN)/python docs/generate_errors.py

picture: $(BIN)/python
	$(BIN)/python docs/draw_front.py

pictures: setup
	$(MAKE) --no-print-directory $(VENV)/.pages
	$(BIN)/python docs/draw_runs.py

site: setup
	$(BIN)/python -m sphinx -q -W --keep-going -d target/site-cache docs target/site
	@echo "built: target/site/index.html"

links: setup
	$(BIN)/python -m sphinx -q -b linkcheck -d target/site-cache docs target/site-links

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

suite: setup .venv-graflow/.installed
	.venv-graflow/bin/python tools/graflow_suite.py $(SUITE)

clean:
	rm -rf $(VENV) .venv-graflow target
