# Everything below needs python3 (3.11 or newer) with pip and venv, and nothing else.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.ready

# Two workers for each core: a test waits for its processes, and they for the server, a third of the
# time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * len(os.sched_getaffinity(0)))' 2>/dev/null || echo auto)
# Otherwise each of the thousands of processes compiles surefoot anew.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(RUN)/python -m pytest --dist loadgroup

.PHONY: help setup demo test test-all drawn tests quick lint ruff types prose documents pictures site bench matrix accuracy chaos containers new-check clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## make .venv with what the examples, tests and benches need

# The lock pins every package and its hashes; pip checks both. See CONTRIBUTING.md for how it is made.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("surefoot needs Python 3.11 or newer: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP) ## the main job, on an embedded PostgreSQL
	@$(RUN)/surefoot demo

test: ruff ## lint, types, and the tests that this commit draws: what CI runs, in ten minutes
	@$(MAKE) --no-print-directory --jobs 2 types drawn

test-all: ruff ## lint, types, and every test but those of the matrix: before a release
	@$(MAKE) --no-print-directory --jobs 2 types tests

# Which: tests/support/drawing.py. With another seed, others: make test DRAW=anything
DRAW ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo without-git)
drawn: $(STAMP)
	@$(PYTEST) -n $(WORKERS) --draw $(DRAW)

tests: $(STAMP)
	@$(PYTEST) -n $(WORKERS)

quick: ruff ## ruff and the tests that start no server: before each commit
	@$(PYTEST) -n auto -q tests/unit

lint: ruff types prose ## ruff, pyright, the documents' language, and whether figures are older than their code
	@$(RUN)/python bench/page.py

ruff: $(STAMP)
	@$(RUN)/ruff check . && $(RUN)/ruff format --check .

types: $(STAMP)
	@$(RUN)/pyright

bench: $(STAMP) ## measure, and write the figures into docs/evidence/performance.md
	@$(RUN)/python bench/run.py

matrix: $(STAMP) ## servers 13 to 18, lowest and newest dependencies, real histories (npm, a while)
	@$(RUN)/python tests/matrix/run.py

accuracy: $(STAMP) ## the tables of docs/evidence/accuracy.md (npm, real histories, most of an hour)
	@$(RUN)/python tests/accuracy/run.py

chaos: $(STAMP) ## killed, cut off, fed with nonsense: what docs/evidence/reliability.md counts (about an hour)
	@$(RUN)/python -m tests.chaos.run
	@$(RUN)/python -m tests.chaos.session_settings

documents: $(STAMP) ## write the pages that are made from the code: commands, keys, states, errors
	@$(RUN)/python tools/documents.py

pictures: $(STAMP) ## draw docs/pictures/*.dot (needs Graphviz)
	@$(RUN)/python tools/pictures.py

# The site has an environment of its own: nothing else needs its generator.
site: ## build the site from the documents, and check its links
	@test -x .cache/site/venv/bin/zensical || $(PYTHON) -m venv .cache/site/venv
	@.cache/site/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/site-requirements.lock
	@.cache/site/venv/bin/python tools/site.py

prose: $(STAMP) ## the language of the documents
	@$(RUN)/python tools/prose.py

containers: $(STAMP) ## the example's image as real containers, and the Helm chart (root, Debian packages that it names, npm)
	@$(RUN)/python -m tests.containers.run

new-check: $(STAMP) ## a new check of the preflight: make new-check CODE=table-too-large
	@$(RUN)/python tools/new_check.py $(CODE)

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache dist build .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
