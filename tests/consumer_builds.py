"""Builds the modules in tests/consumers as users would."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONSUMERS = Path(__file__).parent / "consumers"
BUILT_WITH = {"cpp": ["scikit_build_core", "pybind11"], "cython": ["setuptools", "Cython"], "jax": ["scikit_build_core", "jax"]}


def build(name, folder, **environ):
    """The module of consumer `name`, built in `folder` as pip builds it for a user."""
    missing = [tool for tool in BUILT_WITH[name] if not importlib.util.find_spec(tool)]
    if missing or not (shutil.which("c++") and shutil.which("cmake") and CONSUMERS.is_dir()):
        pytest.skip(f"needs a compiler, CMake and {' and '.join(BUILT_WITH[name])}")
    source = shutil.copytree(CONSUMERS / name, folder / "source")
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--target", folder]
    result = subprocess.run([*command, source], env=os.environ | environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(path for path in folder.glob(f"{name}_consumer.*") if path.suffix in (".so", ".pyd"))


def python_path(folder):
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def load(path):
    spec = importlib.util.spec_from_file_location(path.name.split(".")[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
