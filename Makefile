# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test soak test-extras test-gpu test-image check format bench bench-gpu lock clean

setup: .venv/.runtime

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; set PYTHON=/path/to/it (this is $$($(PYTHON) --version))" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || \
	  { echo "error: no virtual environment can be made; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@touch $@

# The lock is a set of constraints: pip takes exactly those versions, for whichever extras are asked for.
.venv/.runtime: pyproject.toml requirements.lock | .venv/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

.venv/.test: pyproject.toml requirements.lock | .venv/.python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[test]'
	@touch $@ .venv/.runtime

.venv/.bench: .venv/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[bench]'
	@touch $@

.venv/.gpu: .venv/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[gpu]'
	@touch $@

demo: setup
	$(BIN)/curate-and-train run data/demo.yaml

# Apart from the other tests, and first, since they take a minute: what cannot be installed beside the rest.
.venv/.extras: tests/extras.txt | .venv/.test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .venv/extras --upgrade -r tests/extras.txt
	@touch $@

test-extras: .venv/.extras
	PYTHONPATH=.venv/extras $(BIN)/python -m pytest -rs tests/train/test_quantize.py \
	  tests/train/test_checkpoint.py::test_moments_of_eight_bits_are_kept tests/train/test_observe.py::test_mlflow_has_the_numbers_and_one_run

test: .venv/.test check test-extras
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The property tests, on other examples each time: repeat it after a change of what they test.
soak: .venv/.test
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile soak -n auto --maxprocesses 4 --dist loadfile

# The container image, built for real; apart, because it takes minutes, root, buildah and debootstrap.
test-image: .venv/.test
	$(BIN)/python -m pytest -m image -rs tests/containers

# What needs a GPU; `make test` skips it where there is none, and says what is missing.
test-gpu: .venv/.gpu
	$(BIN)/python -m pytest -rs tests/gpu

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd benchmarks && MYPYPATH=.:.. ../$(BIN)/mypy --no-namespace-packages *.py

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.bench
	$(BIN)/python benchmarks/curation.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/compile.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/tokenising.py
	$(BIN)/python benchmarks/packing.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/duplicates.py --peers
	$(BIN)/python benchmarks/duplicates_growth.py 0.2 1

bench-gpu: .venv/.gpu
	$(BIN)/python benchmarks/gpu_curation.py

# Resolves runtime and all extras together, so that one lock serves machines with and without a GPU. Versions stay unless
# they must change; `uv pip compile --upgrade` moves them. Used as pip constraints.
lock:
	uv pip compile pyproject.toml --extra gpu --extra language --extra ner --extra remote --extra delta --extra docker --extra tracking \
	  --extra harness --extra qlora --extra test --extra bench --python-version 3.11 --no-annotate --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
