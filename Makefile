# The two commands to know are `make speak` and `make test`. Both set up `.venv` and need only Python 3.11 or 3.12, make
# and git.

PYTHON ?= $(shell command -v python3.12 >/dev/null 2>&1 && python3.12 -c '' 2>/dev/null && echo python3.12 || \
                  { command -v python3.11 >/dev/null 2>&1 && python3.11 -c '' 2>/dev/null && echo python3.11; } || echo python3)
UV_VERSION := 0.13.8
BIN := .venv/bin
PY := $(BIN)/python
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
READY := .venv/.ready
export PYTHONDONTWRITEBYTECODE :=  # what compiles all that it imports starts up to 14 s later; the tests start hundreds

TEXT ?= The rain had stopped, and for a moment the whole street held its breath.
MODEL ?=
VOICE ?=
LANGUAGE ?=
FORMAT ?= wav
OUT ?= out/speech.$(FORMAT)

.PHONY: speak queue serve test slow waiting together alone check lint bench setup lock format

speak: $(READY)  ## one text through the real worker loop on a local queue, saved as a file
	@$(PY) -m chatterbox_worker.localqueue --say "$$TEXT" --format "$(FORMAT)" --out "$(OUT)" \
	    $(if $(MODEL),--model "$(MODEL)") $(if $(VOICE),--voice "$(VOICE)") $(if $(LANGUAGE),--language "$(LANGUAGE)")
speak: export TEXT := $(TEXT)

queue: $(READY)  ## the local queue and its worker, until Ctrl-C
	@$(PY) -m chatterbox_worker.localqueue

serve: $(READY)  ## the HTTP server and the page, until Ctrl-C
	@$(PY) -m chatterbox_worker.server --local

# Two processes, one file of tests at a time. A fast test takes less than 2 s; those that take more are shown.
TEST_JOBS ?= 2
test: $(READY)  ## the fast tests
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow" -n $(TEST_JOBS) --dist loadfile --durations=10 --durations-min=2

slow: waiting together alone  ## the slow tests

# They wait for workers and clocks for two thirds of their time, so twice as many run at once.
WAITING := $(addprefix tests/,batch client localqueue serverless test_examples.py)
waiting: $(READY)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "slow and not alone" -n $$((2 * $(TEST_JOBS))) --dist worksteal $(WAITING)

# By test: by file, the longest files of few tests would come last, to one process. One that has nothing left takes half
# of the other's tests.
together: $(READY)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "slow and not alone" -n $(TEST_JOBS) --dist worksteal \
	    $(WAITING:%=--ignore=%)

alone: $(READY)
	$(PY) -m pytest -m alone

check: lint test  ## format, lint, types, import rules, dependencies, fast tests

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry src

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(PY) -m bench.queue
	$(PY) -m bench.engine

setup: $(READY)

# A .venv of an unsupported Python, or one that was not made to its end, is replaced.
$(READY): locks/dev.txt pyproject.toml
	@$(PY) -c 'import pip; $(SUPPORTED)' 2>/dev/null || { \
	    $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	        echo "Python 3.11 or 3.12 is needed. $(PYTHON) --version: $$($(PYTHON) --version 2>&1)." \
	             "With another: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	    $(PYTHON) -m venv --clear .venv; }
	@$(PY) -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "Installing the packages pinned in locks/dev.txt into .venv (a few GB the first time) ..."
	@cache="$$($(BIN)/uv cache dir --no-config)"; \
	{ mkdir -p "$$cache" && test -w "$$cache"; } 2>/dev/null || export UV_CACHE_DIR=.venv/.cache; \
	$(BIN)/uv pip install --no-config --quiet --python $(PY) --no-deps --require-hashes --compile-bytecode \
	    -r locks/dev.txt && \
	$(BIN)/uv pip install --no-config --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

# Both Pythons get the same versions, so that what passes under one holds for the other: the image's is 3.12.
lock:  ## resolve the dependencies again; the files contain no registry's address
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --extra worker pyproject.toml --output-file locks/worker.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-emit-index-url --no-annotate --no-header --extra dev --constraint locks/worker.txt pyproject.toml \
	    --output-file locks/dev.txt
