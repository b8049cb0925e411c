# `make demo` shows what nndoctor does, `make test` runs every check. Both set up what they need in .venv.

PYTHON ?= python3
BIN := .venv/bin
CONSTRAINTS := .ci/constraints.txt
READY := .venv/ready
# One thread a process: the scripts are small, and the tests run two at a time.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test test-all lint docs picture accuracy lab calibrate bench clean
.DEFAULT_GOAL := help

help:
	@echo "make setup     a virtual environment in .venv with nndoctor and what its tests need"
	@echo "make demo      diagnose a failing run"
	@echo "make test      style, types and tests"
	@echo "make test-all  the slow tests as well: every library, every loop"
	@echo "make lint      style and types only"
	@echo "make docs      write the pages of causes, and the examples for CI, anew"
	@echo "make picture   run an example, and put its report into the README"
	@echo "make accuracy  how often the right cause comes first, on the scripts of tests/cases"
	@echo "make lab       make and record the laboratory's mutants, outside the repository (an hour)"
	@echo "make calibrate what the diagnosis makes of them; fits how far its confidence can be trusted"
	@echo "make bench     what watching costs"
	@echo "make clean     remove .venv and caches"

setup: $(READY)

# Torch comes first and by itself: where several builds of a version are at hand, pip then takes the local one.
$(READY): pyproject.toml $(CONSTRAINTS)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $$(grep -o '^torch==[0-9.]*' $(CONSTRAINTS))
	$(BIN)/python -m pip install --quiet -e '.[test]' -c $(CONSTRAINTS)
	touch $@

# The exit code 1 says that the run is sick, which here it should be.
demo: $(READY)
	@echo 'nndoctor check examples/softmax_before_loss.py'
	@$(BIN)/nndoctor check examples/softmax_before_loss.py || test $$? -eq 1

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

docs: $(READY)
	$(BIN)/python -m tests.docs

picture: $(READY)
	$(BIN)/python -m tests.docs picture

accuracy: $(READY)
	$(BIN)/python tests/accuracy.py $(ARGS)

lab: $(READY)
	$(BIN)/python -m tests.lab.build $(ARGS)

calibrate: $(READY)
	$(BIN)/python -m tests.lab.judge --write $(ARGS)

bench: $(READY)
	$(BIN)/python tests/bench/overhead.py $(ARGS)

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
	find nndoctor tests examples -name __pycache__ -prune -exec rm -rf {} +
