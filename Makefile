# Every target sets up its own virtual environment under .venv/, from scratch.
PYTHON ?= python3
WHEELS ?= 3.11,3.12,3.13
.DEFAULT_GOAL := help
.NOTPARALLEL:  # the environments build the package in one folder

# A virtual environment with dependency group $*.
.venv/%/tools: pyproject.toml
	@test -x .venv/$*/bin/python || $(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/$*/bin/python -m pip install --quiet --group $*
	@touch $@

# The same with this package, rebuilt when a source file is newer.
SOURCES := pyproject.toml CMakeLists.txt bench/walls.hpp $(shell find csrc fastadam cmake -type f -not -path '*/__pycache__/*')
.venv/%/ready: .venv/%/tools $(SOURCES)
	.venv/$*/bin/python -m pip install --quiet $(INSTALL_FLAGS) .
	@touch $@

.venv/bench/ready: INSTALL_FLAGS = -C cmake.define.FASTADAM_EXTRA_RULES=$(CURDIR)/bench/walls.hpp -C build-dir=build/bench

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

test: .venv/test/ready  ## run every test
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" pytest -n auto --dist loadgroup $(PYTEST_FLAGS)

test-gpu: .venv/test-gpu/ready  ## run every test that runs on a GPU
	PATH="$(CURDIR)/.venv/test-gpu/bin:$$PATH" pytest -m gpu $(PYTEST_FLAGS)

mutants: .venv/test/ready  ## break the code by one small change at a time, and see whether the tests notice (half an hour)
	.venv/test/bin/python tools/mutate.py $(MUTANTS)

wheel: .venv/wheel/tools  ## build an sdist and from it wheels for CPython 3.11 to 3.13, as far as installed, in dist/
	PATH="$(CURDIR)/.venv/wheel/bin:$$PATH" python tools/wheels.py build --pythons $(WHEELS)

test-wheel:  ## run the tests against the wheels in dist/, in new environments without a compiler
	$(PYTHON) tools/wheels.py test --pythons $(WHEELS) $(PYTEST_FLAGS)

test-emulated:  ## the same for one wheel, on an emulated CPU without AVX (needs qemu-user)
	$(PYTHON) tools/wheels.py emulate $(PYTEST_FLAGS)

demo: .venv/demo/ready  ## train a network on handwritten digits
	.venv/demo/bin/python examples/digits.py

gallery: .venv/gallery/ready  ## the race, the paper's experiments and where Adam fails: figures in build/gallery/
	.venv/gallery/bin/python examples/gallery.py
	@touch build/gallery/ready

# The site needs only the small versions, which take seconds.
build/gallery/ready: .venv/docs/ready $(wildcard examples/*.py examples/lab/*.py)
	.venv/docs/bin/python examples/gallery.py --small
	@touch $@

bench: .venv/bench/ready  ## measure fastadam, every rule, the memory wall and every peer; writes bench/results/
	.venv/bench/bin/python bench
	.venv/bench/bin/python bench --rules
	.venv/bench/bin/python bench/torch_steps.py --large

bench-short: .venv/bench/ready  ## the same in a minute: checks all results, without meaningful times
	.venv/bench/bin/python bench --short
	.venv/bench/bin/python bench --short --rules

# Its installation compiles its kernel for this CPU, which requires torch and the build tools to be installed before.
bench-deepspeed: .venv/bench/ready  ## the same with DeepSpeed's CPUAdam, which it builds first
	.venv/bench/bin/python -m pip install --quiet setuptools wheel ninja packaging psutil py-cpuinfo
	DS_ACCELERATOR=cpu DS_BUILD_CPU_ADAM=1 .venv/bench/bin/python -m pip install --quiet --no-build-isolation deepspeed
	.venv/bench/bin/python bench
	.venv/bench/bin/python bench --rules

bench-cuda: .venv/bench-cuda/ready  ## measure fastadam and every peer on a GPU, and its memory; writes bench/results/
	.venv/bench-cuda/bin/python bench/cuda

docs: .venv/docs/ready build/gallery/ready  ## build the site, build/docs/html
	PATH="$(CURDIR)/.venv/docs/bin:$$PATH" sphinx-build -W -n --keep-going -d build/docs/doctrees docs build/docs/html

lint: .venv/lint/ready  ## check style and types
	.venv/lint/bin/ruff check .
	.venv/lint/bin/ruff format --check .
	.venv/lint/bin/clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.hpp' '*.h' '*.cu')
	.venv/lint/bin/mypy
	.venv/lint/bin/pyright --pythonpath .venv/lint/bin/python
	.venv/lint/bin/python -P -m mypy.stubtest fastadam._native --allowlist tests/stubtest-allowlist.txt

clean:  ## remove virtual environments and builds
	rm -rf .venv build docs/optimizers dist

.PRECIOUS: .venv/%/tools
.PHONY: help test test-gpu mutants wheel test-wheel test-emulated demo gallery bench bench-short bench-deepspeed bench-cuda docs lint clean
