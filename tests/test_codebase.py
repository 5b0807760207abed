"""What holds for the package as a whole: one version, one name for each thing, documented examples that run."""

import doctest
import importlib
import importlib.metadata
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from variants import KINDS, VARIANTS

import fastadam
from fastadam import _native

MODULES = ["fastadam", *(m.name for m in pkgutil.walk_packages(fastadam.__path__, "fastadam.") if "__main__" not in m.name)]


def test_version_is_the_same_everywhere():
    assert fastadam.__version__ == _native.__version__ == importlib.metadata.version("fastadam")


def test_only_numpy_is_needed(run_python):
    """Importing the package imports nothing that a bare installation lacks."""
    optional = ["torch", "cupy", "scipy", "jax", "threadpoolctl", "matplotlib"]
    assert run_python(f"import sys, fastadam; print([name for name in {optional} if name in sys.modules])") == "[]"
    required = [r for r in importlib.metadata.requires("fastadam") if "extra ==" not in r]
    assert [r.split(">")[0] for r in required] == ["numpy"]


@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_documented(name):
    assert inspect.getdoc(getattr(fastadam, name)) or name == "__version__"


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(importlib.import_module(module), raise_on_error=False)
    assert results.failed == 0


def test_reference_has_the_signature_of_the_kernel():
    kernel, reference = (inspect.signature(module.adam_step).parameters for module in (fastadam, fastadam.reference))
    assert list(reference) == [name for name in kernel if name != "num_threads"]
    assert all(reference[name].default == kernel[name].default for name in reference)


@pytest.mark.parametrize("name", KINDS)
def test_defaults_are_those_of_the_reference(name):
    if name == "adamw":
        pytest.skip("shares Adam's reference")
    of_class, of_reference = (inspect.signature(call).parameters for call in (KINDS[name].cls, KINDS[name].reference))
    shared = [option for option in of_class if option in of_reference]
    assert {"lr", "weight_decay", "maximize"} <= set(shared)
    assert all(of_class[option].default == of_reference[option].default for option in shared if option != "param")


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_options_give_as_many_states_as_the_native_rule(variant):
    assert variant.rule.state_count == len(variant.make(np.zeros(1, np.float32)).state) - 1


def test_quickstart_of_the_readme_prints_what_it_says(run_python):
    readme = Path(__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("needs the source tree")
    program = re.search(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)[1]
    assert run_python(program).splitlines() == re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)


def test_programs_of_the_guide_run(run_python, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("optax")
    guide = Path(__file__).parents[1] / "docs" / "training.md"
    if not guide.exists():
        pytest.skip("needs the source tree")
    programs = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    assert len(programs) == 6
    assert run_python("\n".join([f"import os; os.chdir({str(tmp_path)!r})", *programs])).endswith(" 0")  # steps skipped
