"""Defaults are written in several places: classes, the stateless step, the reference, C and Cython. All are equal."""

import inspect
import re
from pathlib import Path

import pytest
from variants import KINDS

import fastadam

PACKAGE = Path(fastadam.__file__).parent
SOURCES = [Path(fastadam.get_include()) / "fastadam.h", PACKAGE.parent / "csrc" / "include" / "fastadam.h"]
NAMES = ("lr", "beta1", "beta2", "eps", "weight_decay", "decoupled_weight_decay", "maximize")


def parameters(call):
    return inspect.signature(call).parameters


def declared(cls):
    """An optimizer's defaults, by the names of C."""
    defaults = {name: hyperparameter.default for name, hyperparameter in cls._declared.items()}
    defaults["beta1"], defaults["beta2"] = defaults["betas"]
    return {name: defaults[name] for name in NAMES}


def numbers(text):
    """Values that C or Cython lists, by the names of C."""
    plain = [{"True": 1.0, "False": 0.0}.get(word.strip()) for word in text.split(",")]
    values = [float(word) if flag is None else flag for word, flag in zip(text.split(","), plain, strict=True)]
    return dict(zip(NAMES, values, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_of_the_reference(name):
    """A class may stand for arguments of the reference, and AdamW has a decay of its own."""
    declarations, reference = KINDS[name].cls._declared, parameters(KINDS[name].reference)
    shared = [argument for argument in declarations if argument in reference and not declarations[argument].implied]
    assert {"lr", "weight_decay", "maximize"} <= {*shared}
    if name == "adamw":
        shared.remove("weight_decay")
    assert {name: declarations[name].default for name in shared} == {name: reference[name].default for name in shared}


def test_of_the_stateless_step():
    kernel, reference = parameters(fastadam.adam_step), parameters(fastadam.reference.adam_step)
    assert list(reference) == [name for name in kernel if name != "num_threads"]
    assert all(reference[name].default == kernel[name].default for name in reference)
    shared = [name for name in kernel if name in fastadam.Adam._declared]
    assert len(shared) == 8
    assert all(kernel[name].default == fastadam.Adam._declared[name].default for name in shared)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_of_c(name):
    """The macro, and what its comment says of AdamW."""
    header = next((path.read_text() for path in SOURCES if path.exists()), None)
    if header is None:
        pytest.skip("needs fastadam.h")
    defaults = numbers(re.search(r"#define FASTADAM_ADAM_DEFAULTS \{(.*)\}", header)[1])
    if name == "AdamW":
        (comment,) = re.findall(r"/\* [^/]*\*/(?=\s*#define FASTADAM_ADAM_DEFAULTS)", header)
        changes = dict(re.findall(r"(\w+) (\d[\d.e-]*\d|\d)\b", comment.partition("AdamW")[2]))
        assert {*changes} == {"weight_decay", "decoupled_weight_decay"}
        defaults |= {name: float(value) for name, value in changes.items()}
    assert defaults == declared(getattr(fastadam, name))


def test_of_cython():
    text = (PACKAGE / "cython_optim.pxd").read_text()
    fields = re.search(r"cdef struct AdamOptions:\n((?:    .*\n)*)", text)[1]
    assert re.findall(r"^    (?:double|bint) (\w+)$", fields, re.MULTILINE) == [*NAMES]
    assert numbers(re.search(r"return AdamOptions\((.*)\)", text)[1]) == declared(fastadam.Adam)
