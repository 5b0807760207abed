# Every target sets up its own virtual environment under .venv/, from scratch.
PYTHON ?= python3
FUZZ_SECONDS ?= 300
WHEELS ?= 3.11,3.12,3.13
.DEFAULT_GOAL := help
.NOTPARALLEL:  # the environments build the package in one folder

# A virtual environment with dependency group $*.
.venv/%/tools: pyproject.toml
	@test -x .venv/$*/bin/python || $(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/$*/bin/python -m pip install --quiet --group $*
	@touch $@

SOURCES := pyproject.toml CMakeLists.txt bench/walls.hpp $(shell find csrc fastadam cmake -type f -not -path '*/__pycache__/*')

# This package, built once for all environments, again when a source file is newer.
build/package/ready: $(SOURCES)
	@test -x build/package/venv/bin/python || $(PYTHON) -m venv build/package/venv
	rm -rf build/package/wheel
	build/package/venv/bin/python -m pip wheel --quiet --no-deps --wheel-dir build/package/wheel -C build-dir=build/package/cmake .
	@touch $@

# The same with this package.
.venv/%/ready: .venv/%/tools build/package/ready
	.venv/$*/bin/python -m pip uninstall --quiet --quiet --yes fastadam
	.venv/$*/bin/python -m pip install --quiet build/package/wheel/*.whl
	@touch $@

# With the walls, which are kernels.
.venv/bench/ready: .venv/bench/tools $(SOURCES)
	.venv/bench/bin/python -m pip install --quiet -C cmake.define.FASTADAM_EXTRA_RULES=$(CURDIR)/bench/walls.hpp -C build-dir=build/bench .
	@touch $@

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

test: .venv/test/ready  ## run every test
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" pytest -n auto --dist loadgroup $(PYTEST_FLAGS)

# In place of a dependency group: the lower bounds of what the package needs, is built with and is tested with.
.venv/oldest/ready: tools/oldest.py $(SOURCES)
	@test -x .venv/oldest/bin/python || $(PYTHON) -m venv .venv/oldest
	.venv/oldest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PYTHON) tools/oldest.py > .venv/oldest/requirements.txt
	.venv/oldest/bin/python -m pip install --quiet -r .venv/oldest/requirements.txt
	PATH="$(CURDIR)/.venv/oldest/bin:$$PATH" .venv/oldest/bin/python -m pip install --quiet --no-build-isolation --no-deps -C build-dir=build/oldest .
	@touch $@

test-oldest: .venv/oldest/ready  ## run the tests with the oldest NumPy, build and test tools that are supported (Python 3.11)
	PATH="$(CURDIR)/.venv/oldest/bin:$$PATH" python -P -m pytest -n auto --dist loadgroup $(PYTEST_FLAGS)

test-gpu: .venv/test-gpu/ready  ## run every test that runs on a GPU
	PATH="$(CURDIR)/.venv/test-gpu/bin:$$PATH" pytest -m gpu $(PYTEST_FLAGS)

gpu:  ## the same, the sanitizer and a short benchmark in ten minutes, with what is installed: for a machine without a network
	$(PYTHON) tools/gpu.py

test-frameworks: .venv/frameworks/ready  ## train small models with accelerate, Lightning, transformers and PyTorch's shards
	PATH="$(CURDIR)/.venv/frameworks/bin:$$PATH" HF_HUB_OFFLINE=1 pytest -W default tests/frameworks $(PYTEST_FLAGS)

test-browser: .venv/browser/ready  ## run the tests of the race's page in a browser (needs Chromium or Chrome)
	PATH="$(CURDIR)/.venv/browser/bin:$$PATH" pytest tests/test_race_browser.py $(PYTEST_FLAGS)

test-recipes: .venv/recipes/ready  ## run the recipes, also those that need thinc and the oldest JAX
	PATH="$(CURDIR)/.venv/recipes/bin:$$PATH" pytest --strict-skips tests/test_recipes.py tests/test_jax.py $(PYTEST_FLAGS)

mutants: .venv/test/ready  ## break the code by one small change at a time, and see whether the tests notice (half an hour)
	.venv/test/bin/python tools/mutate.py $(MUTANTS)

# Both need Clang and its OpenMP library.
sanitize: .venv/test/ready  ## run the tests of the native code and a program of threads under sanitizers
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" python tools/sanitize.py thread
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" python tools/sanitize.py address $(PYTEST_FLAGS)

fuzz: .venv/test/ready  ## fuzz the C interface, checkpoint files and optimizers side by side for FUZZ_SECONDS each
	.venv/test/bin/python -m pip install --quiet --group fuzz
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" python tools/fuzz.py --seconds $(FUZZ_SECONDS)

faults: .venv/test/ready  ## make each allocation, thread and file call of every operation fail in turn (minutes)
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" FASTADAM_TEST_FAULTS=all pytest tests/test_faults.py $(PYTEST_FLAGS)

wheel: .venv/wheel/tools  ## build an sdist and from it wheels for CPython 3.11 to 3.13, as far as installed, in dist/
	PATH="$(CURDIR)/.venv/wheel/bin:$$PATH" python tools/wheels.py build --pythons $(WHEELS)

test-wheel:  ## run the tests against the wheels in dist/, in new environments without a compiler
	$(PYTHON) tools/wheels.py test --pythons $(WHEELS) $(PYTEST_FLAGS)

test-emulated:  ## the same for one wheel, on an emulated CPU without AVX (needs qemu-user)
	$(PYTHON) tools/wheels.py emulate $(PYTEST_FLAGS)

demo: .venv/demo/ready  ## train a network on handwritten digits
	.venv/demo/bin/python examples/digits.py

gallery: .venv/gallery/ready  ## run the paper's experiments and where Adam fails: figures and numbers in docs/figures/ (ten minutes)
	.venv/gallery/bin/python examples/gallery.py

build/gallery/race: .venv/docs/ready  # which the site shows
	.venv/docs/bin/python examples/gallery.py race "race page"
	@touch $@

bench: .venv/bench/ready  ## measure fastadam, every rule, the memory wall and every peer; writes bench/results/
	.venv/bench/bin/python bench
	.venv/bench/bin/python bench --rules
	.venv/bench/bin/python bench --torch
	.venv/bench/bin/python bench --float64
	.venv/bench/bin/python bench --storage

bench-short: .venv/bench/ready  ## the same in a minute: checks all results, without meaningful times
	.venv/bench/bin/python bench --short
	.venv/bench/bin/python bench --short --rules
	.venv/bench/bin/python bench --short --torch
	.venv/bench/bin/python bench --short --float64
	.venv/bench/bin/python bench --short --storage

# Its installation compiles its kernel for this CPU, which requires torch and the build tools to be installed before.
bench-deepspeed: .venv/bench/ready  ## the same with DeepSpeed's CPUAdam, which it builds first
	.venv/bench/bin/python -m pip install --quiet setuptools wheel ninja packaging psutil py-cpuinfo
	DS_ACCELERATOR=cpu DS_BUILD_CPU_ADAM=1 .venv/bench/bin/python -m pip install --quiet --no-build-isolation deepspeed
	.venv/bench/bin/python bench
	.venv/bench/bin/python bench --rules

bench-cuda: .venv/bench-cuda/ready  ## measure fastadam and every peer on a GPU, and its memory; writes bench/results/
	.venv/bench-cuda/bin/python bench/cuda

docs: .venv/docs/ready build/gallery/race  ## build the site, build/docs/html
	PATH="$(CURDIR)/.venv/docs/bin:$$PATH" sphinx-build -W -n --keep-going -d build/docs/doctrees docs build/docs/html

lint: .venv/lint/ready  ## check style and types
	.venv/lint/bin/ruff check .
	.venv/lint/bin/ruff format --check .
	.venv/lint/bin/clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.hpp' '*.h' '*.cu')
	.venv/lint/bin/mypy
	.venv/lint/bin/pyright --pythonpath .venv/lint/bin/python
	.venv/lint/bin/python -P -m mypy.stubtest fastadam._native --allowlist tests/stubtest-allowlist.txt

# Clang's commands, since clang-tidy refuses options that only GCC has. omp.h is that of the C++ compiler: no wheel has it.
tidy: .venv/tidy/tools  ## look for faults in the native code
	CXX=clang++ PATH="$(CURDIR)/.venv/tidy/bin:$$PATH" cmake -S . -B build/tidy -DCMAKE_BUILD_TYPE=Release \
	  -DPython_EXECUTABLE=$(CURDIR)/.venv/tidy/bin/python -Dpybind11_DIR=$$(.venv/tidy/bin/python -m pybind11 --cmakedir) >/dev/null
	git ls-files 'csrc/*.cpp' | xargs -P $$(nproc) -n 1 .venv/tidy/bin/clang-tidy -p build/tidy --quiet \
	  --extra-arg=-idirafter$$(dirname $$(c++ -print-file-name=include/omp.h))

clean:  ## remove virtual environments and builds
	rm -rf .venv build docs/optimizers dist

.PRECIOUS: .venv/%/tools build/package/ready
.PHONY: help test test-oldest test-gpu gpu test-frameworks test-browser test-recipes mutants faults sanitize fuzz wheel test-wheel test-emulated demo gallery bench bench-short bench-deepspeed bench-cuda docs lint tidy clean
