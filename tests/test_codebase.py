"""What holds for the package as a whole: one version, one name for each thing, documented examples that run."""

import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from variants import KINDS

import fastadam
from fastadam import _native

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
PAGES_WITH_EXAMPLES = [page for page in PAGES if ">>> " in page.read_text()]
MODULES = ["fastadam", *(m.name for m in pkgutil.walk_packages(fastadam.__path__, "fastadam.") if "__main__" not in m.name)]


def test_version_is_the_same_everywhere():
    assert fastadam.__version__ == _native.__version__ == importlib.metadata.version("fastadam")


def test_only_numpy_is_needed(run_python):
    """Importing the package imports nothing that a bare installation lacks."""
    optional = ["torch", "cupy", "scipy", "jax", "threadpoolctl", "matplotlib", "plotly"]
    assert run_python(f"import sys, fastadam; print([name for name in {optional} if name in sys.modules])") == "[]"
    required = [r for r in importlib.metadata.requires("fastadam") if "extra ==" not in r]
    assert [r.split(">")[0] for r in required] == ["numpy"]


def test_import_is_quick(run_python):
    """It imports next to nothing that NumPy has not imported, and leaves what few programs need for when it is asked for."""
    avoided = ["argparse", "copy", "dataclasses", "importlib.metadata", "inspect", "json", "pathlib", "pickle", "secrets"]
    avoided += ["statistics", "subprocess", "tempfile", "threading", "urllib", "zipfile"]
    avoided += ["fastadam.state.checkpoint", "fastadam.convert", "fastadam.reference", "fastadam.backends.cuda.backend"]
    program = f"import sys, numpy; old = {{*sys.modules}}; import fastadam; print({{*{avoided}}} & ({{*sys.modules}} - old))"
    assert run_python(program) == "set()"


@pytest.mark.parametrize("name", ["convert", "reference"])
def test_modules_that_are_imported_late_look_as_if_they_were_not(run_python, name):
    assert run_python(f"import fastadam; print(fastadam.{name}.__name__)") == f"fastadam.{name}"
    assert run_python(f"from fastadam import {name}; print({name}.__name__)") == f"fastadam.{name}"
    assert run_python(f"from fastadam import *; print({name}.__name__)") == f"fastadam.{name}"
    assert name in dir(fastadam)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fastadam' has no attribute 'Adan'"):
        getattr(fastadam, "Adan")  # noqa: B009


def test_options_are_values():
    def options(**hyperparameters):
        return fastadam.Adam(np.zeros(1, np.float32), **hyperparameters)._groups[0].options

    assert options(lr=0.5) == options(lr=0.5) != options(lr=0.25)
    assert hash(options(betas=[0.5, 0.5])) == hash(options(betas=(0.5, 0.5)))
    assert options() != fastadam.AdamW(np.zeros(1, np.float32), weight_decay=0.0)._groups[0].options
    assert options() != fastadam.RAdam(np.zeros(1, np.float32))._groups[0].options
    assert repr(options()).startswith("AdamOptions(ema_decay=None, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0,")
    with pytest.raises(AttributeError, match="AdamOptions cannot be changed"):
        options().lr = 0.5
    with pytest.raises(AttributeError, match="AdamOptions cannot be changed"):
        del options().lr
    with pytest.raises(TypeError, match=r"AdamOptions got .*, 'lr', 'beta'\]; expected .*, 'lr', 'betas'"):
        type(options())(lr=0.5, beta=0.5)


@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_documented(name):
    assert inspect.getdoc(getattr(fastadam, name)) or name == "__version__"


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_on_the_site(name):
    lists = [PAGES[0].with_name(page).read_text() for page in ("api.rst", "optimizers.rst")]
    assert re.search(rf"[ .]{name}$", "".join(lists), re.MULTILINE)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(importlib.import_module(module), raise_on_error=False)
    assert results.failed == 0


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_in_pages(page):
    """Sessions of a page, but those that import what is not installed, are one session."""
    sessions = re.findall(r"^```pycon\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert sessions
    runnable = [text for text in sessions if all(map(importlib.util.find_spec, re.findall(r"^>>> import (\w+)", text, re.M)))]
    test = doctest.DocTestParser().get_doctest("\n".join(runnable), {}, page.name, str(page), 0)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_reference_has_the_signature_of_the_kernel():
    kernel, reference = (inspect.signature(module.adam_step).parameters for module in (fastadam, fastadam.reference))
    assert list(reference) == [name for name in kernel if name != "num_threads"]
    assert all(reference[name].default == kernel[name].default for name in reference)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"adamw"}))  # which shares Adam's reference
def test_defaults_are_those_of_the_reference(name):
    of_class, of_reference = (inspect.signature(call).parameters for call in (KINDS[name].cls, KINDS[name].reference))
    shared = [option for option in of_class if option in of_reference]
    assert {"lr", "weight_decay", "maximize"} <= set(shared)
    assert all(of_class[option].default == of_reference[option].default for option in shared if option != "param")


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
