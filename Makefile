# The commands of this project. Each makes `.venv` first, once, with Python 3.11 or newer: `make demo PYTHON=python3.12`.
PYTHON ?= python3
DEV := .venv/installed-dev
RUN := .venv/installed
BIN := .venv/bin

.PHONY: help install demo test lint types docs bench clean

help:                ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

install: $(DEV)      ## make .venv with all that developing needs

demo: $(RUN)         ## train on handwritten digits and show what survives
	$(BIN)/hourglass demo

test: $(DEV)         ## run the tests, with coverage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --cov=hourglass --cov-report=term:skip-covered

lint: $(DEV)         ## look for faults and untidy code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)        ## check the types
	$(BIN)/mypy

docs: $(DEV)         ## build the documentation into site/
	$(BIN)/mkdocs build --strict

bench:               ## measure against the peers, in a .venv-bench of its own (takes most of a day)
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet -c constraints.txt torch
	.venv-bench/bin/python -m pip install --quiet -c constraints.txt -r benchmarks/requirements.txt -e ".[melodies,molecules,onnx,server]"
	.venv-bench/bin/python -m benchmarks

clean:               ## remove what the commands made
	rm -rf .venv .venv-bench site hourglass-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(RUN): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(DEV): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@ $(RUN)
