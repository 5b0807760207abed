"""What holds for the package as a whole: one version, one name for each thing, documented examples that run."""

import difflib
import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import itertools
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from variants import KINDS

import fastadam
from fastadam import _native

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("README.md")]
PAGES_WITH_EXAMPLES = [page for page in PAGES if ">>> " in page.read_text()]
WITHOUT_TORCH = importlib.util.find_spec("torch") is None
MODULES = ["fastadam", *(m.name for m in pkgutil.walk_packages(fastadam.__path__, "fastadam.") if "__main__" not in m.name)]
MODULES = [name for name in MODULES if not (WITHOUT_TORCH and name.startswith("fastadam.torch"))]


def test_no_two_modules_have_names_that_one_could_mistake():
    """But for a rule's, which has a module of its name in each room that knows it."""
    stems = [path.stem for path in Path(fastadam.__file__).parent.rglob("*.py") if "__" not in path.stem]
    stems += [path.name for path in Path(fastadam.__file__).parent.rglob("*") if (path / "__init__.py").exists()]
    others = [stem for stem in stems if stem not in _native.build_info()["rules"]]
    for one, other in itertools.combinations(sorted(others), 2):
        letters = [line for line in difflib.ndiff(one, other) if line[0] != " "]
        assert len(letters) > 2 or (len(letters) == 2 and letters[0][0] == letters[1][0]), (one, other)


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
    avoided += [
        "fastadam.state.checkpoint",
        "fastadam.convert",
        "fastadam.reference",
        "fastadam.viz",
        "difflib",
        "fastadam.backends.cuda.functions",
    ]
    program = f"import sys, numpy; old = {{*sys.modules}}; import fastadam; print({{*{avoided}}} & ({{*sys.modules}} - old))"
    assert run_python(program) == "set()"


@pytest.mark.parametrize("name", ["convert", "reference", "viz"])
def test_modules_that_are_imported_late_look_as_if_they_were_not(run_python, name):
    assert run_python(f"import fastadam; print(fastadam.{name}.__name__)") == f"fastadam.{name}"
    assert run_python(f"from fastadam import {name}; print({name}.__name__)") == f"fastadam.{name}"
    assert run_python(f"from fastadam import *; print({name}.__name__)") == f"fastadam.{name}"
    assert name in dir(fastadam)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fastadam' has no attribute 'Adan'"):
        getattr(fastadam, "Adan")  # noqa: B009


def test_hyperparameters_are_values():
    def values(cls=fastadam.Adam, **given):
        return cls(np.zeros(1, np.float32), **given)._groups[0].hyperparameters

    assert values(lr=0.5) == values(lr=0.5) != values(lr=0.25)
    assert hash(values(betas=[0.5, 0.5])) == hash(values(betas=(0.5, 0.5)))
    assert values() != values(fastadam.AdamW, weight_decay=0.0)
    assert values() != values(fastadam.RAdam)
    assert repr(values()).startswith("Hyperparameters(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0,")
    with pytest.raises(AttributeError, match="hyperparameters are immutable"):
        values().lr = 0.5
    with pytest.raises(AttributeError, match="hyperparameters are immutable"):
        del values().lr
    with pytest.raises(TypeError, match=r"Adam got hyperparameters \['lr', 'beta'\]; expected \['lr', 'betas', "):
        type(values())(fastadam.Adam, {"lr": 0.5, "beta": 0.5}, "float32")


@pytest.mark.parametrize("name", KINDS)
def test_hyperparameters_are_declared_as_the_constructor_has_them(name):
    """Names, order and defaults: the signature is for editors and type checkers, the declarations are what counts."""
    cls = KINDS[name].cls
    parameters = dict(inspect.signature(cls).parameters)
    for name in ("params", "capturable", "state"):
        del parameters[name]
    arguments = parameters.values()
    assert [argument.name for argument in arguments] == [*cls._chosen]
    for argument in arguments:
        declared = cls._declared[argument.name]
        assert repr(argument.default) == repr(declared.default)
        assert declared.check(argument.name, declared.default) == declared.default
        assert inspect.getdoc(declared).endswith((".", "None"))
        assert getattr(cls, argument.name) is declared


def test_what_a_class_stands_for_cannot_be_set():
    optimizer = fastadam.AdamW(np.zeros(1, np.float32))
    assert optimizer.decoupled_weight_decay is True
    with pytest.raises(AttributeError, match="decoupled_weight_decay cannot be set: it is always True for AdamW"):
        optimizer.decoupled_weight_decay = False


@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_documented(name):
    assert inspect.getdoc(getattr(fastadam, name)) or name == "__version__"


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
@pytest.mark.parametrize("name", fastadam.__all__)
def test_public_names_are_on_the_site(name):
    lists = [PAGES[0].with_name(page).read_text() for page in ("api.rst", "optimizers.rst")]
    assert re.search(rf"[ .]{name}(\(\))?$", "".join(lists), re.MULTILINE)


@pytest.mark.skipif(not PAGES, reason="needs the source tree")
def test_what_optimizers_share_is_on_the_site():
    """Its members, in the order that suits a reader, and the types for annotations."""
    page = PAGES[0].with_name("optimizers.rst").read_text()
    listed = re.findall(r"auto(?:method|property):: fastadam\.Optimizer\.(\w+)", page)
    members = {name for name in dir(fastadam.Optimizer) if not name.startswith("_") and hasattr(fastadam.Optimizer, name)}
    members -= {"ema_decay", "state_dtype", "master", "seed"}
    assert {*listed} == members
    assert {*re.findall(r"data:: (\w+)", page)} == {*fastadam.typing.__all__}


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(importlib.import_module(module), raise_on_error=False)
    assert results.failed == 0


def test_each_example_is_found_once():
    """Though public names say that they are of another module than their source."""
    found = [test for module in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(module))]
    examples = [test.docstring for test in found if test.examples]
    assert len(examples) == len({*examples})
    public = [inspect.getdoc(getattr(fastadam, name)) for name in fastadam.__all__ if name != "__version__"]
    clean = {inspect.cleandoc(docstring) for docstring in examples}
    assert {docstring for docstring in public if docstring and ">>> " in docstring} <= clean


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples_in_pages(page):
    """Sessions of a page, but those that import what is not installed, are one session."""
    sessions = re.findall(r"^```pycon\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert sessions
    runnable = [text for text in sessions if all(map(importlib.util.find_spec, re.findall(r"^>>> import (\w+)", text, re.M)))]
    test = doctest.DocTestParser().get_doctest("\n".join(runnable), {}, page.name, str(page), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
