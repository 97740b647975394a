# make demo and make test need nothing before them: they make .venv and install what is missing (scripts/setup.sh).
SHELL := bash
.DEFAULT_GOAL := help

VENV ?= .venv
RUN ?= runs/demo
PYTHON_BIN := $(VENV)/bin/python
READY := $(VENV)/.ready
# Many tests wait: for a time limit, an engine, a server. How many run at a time is decided in tests/conftest.py.
SIDE_BY_SIDE := --numprocesses=auto --dist=worksteal

.PHONY: help counts setup demo test test-newest test-oldest test-interrupts test-kills lock lint format wheel wheel-test clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# A PyTorch that was asked for is put in even where the environment stands.
ifneq ($(origin TORCH),undefined)
.PHONY: $(READY)
endif

$(READY): pyproject.toml requirements.lock scripts/setup.sh scripts/torch.sh
	scripts/setup.sh $(VENV)
	@touch $@

setup: $(READY) ## make .venv and install everything

demo: $(READY) ## train a designer and an executor together, compare with either one frozen, write a report
	scripts/demo.sh $(VENV) $(RUN)

test: $(READY) ## run all tests, several at a time; ARGS are pytest's, as in make test ARGS=tests/tasks
	$(PYTHON_BIN) -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-newest: ## the same on the newest of everything that pyproject.toml allows, in .venv-newest
	scripts/setup.sh $(VENV)-newest newest
	$(VENV)-newest/bin/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-oldest: ## the same on the oldest, in .venv-oldest
	scripts/setup.sh $(VENV)-oldest oldest
	$(VENV)-oldest/bin/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

lock: $(READY) ## choose the versions of requirements.lock anew; ARGS are uv's: none keeps what can stay, ARGS=--upgrade takes the newest
	$(PYTHON_BIN) scripts/resolve.py locked requirements.lock $(ARGS)

test-interrupts: $(READY) ## every long command broken off at three moments by both signals (make test takes two of the six)
	MX_INTERRUPTS=all $(PYTHON_BIN) -m pytest tests/agents/test_interrupts.py $(ARGS)

test-kills: $(READY) ## training killed twenty times and resumed, bit for bit beside undisturbed training (make test kills it three times)
	$(PYTHON_BIN) benchmarks/kills.py $(ARGS)

lint: $(READY) ## what continuous integration checks besides the tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --num-workers 2
	$(VENV)/bin/lint-imports --no-cache

counts: $(READY) ## lengths, complexity, circles and repeated code, against ceilings
	$(PYTHON_BIN) scripts/counts.py

format: $(READY) ## rewrite the sources in the house style
	$(VENV)/bin/ruff check --fix-only --quiet .
	$(VENV)/bin/ruff format .

wheel: $(READY) ## build the wheel, into dist/
	$(PYTHON_BIN) -m build --wheel --no-isolation

wheel-test: $(READY) ## build the wheel and test it from outside the repository, with the core install only
	scripts/wheel_test.sh $(VENV)

clean: ## remove what make and the tools made, except runs
	rm -rf $(VENV) $(VENV)-newest $(VENV)-oldest build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
