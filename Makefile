# Every target sets up what it needs in a virtual environment of its own under .venv/, from nothing.
PYTHON ?= python3
.DEFAULT_GOAL := help

# A virtual environment with dependency group $* and this package, built afresh when a source file is newer.
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc fastadam bench -name '*.[ch]pp' -o -name '*.py' -o -name '*.pyi')
.venv/%/ready: $(SOURCES)
	@test -x .venv/$*/bin/python || $(PYTHON) -m venv .venv/$*
	.venv/$*/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	.venv/$*/bin/python -m pip install --quiet --group $*
	.venv/$*/bin/python -m pip install --quiet $(INSTALL_FLAGS) .
	@touch $@

.venv/bench/ready: INSTALL_FLAGS = -C cmake.define.FASTADAM_BENCH_RULES=ON -C build-dir=build/bench

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

test: .venv/test/ready  ## run every test
	PATH="$(CURDIR)/.venv/test/bin:$$PATH" pytest $(PYTEST_FLAGS)

demo: .venv/demo/ready  ## train a network on handwritten digits
	.venv/demo/bin/python examples/digits.py

bench: .venv/bench/ready  ## measure beside the memory wall and every peer; writes bench/results/
	.venv/bench/bin/python -m bench

lint: .venv/lint/ready  ## check style and types
	.venv/lint/bin/ruff check .
	.venv/lint/bin/ruff format --check .
	.venv/lint/bin/clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.hpp')
	.venv/lint/bin/mypy
	.venv/lint/bin/python -P -m mypy.stubtest fastadam._native --allowlist tests/stubtest-allowlist.txt

clean:  ## remove virtual environments and builds
	rm -rf .venv build

.PHONY: help test demo bench lint clean
