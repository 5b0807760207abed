"""What others build with the installed package: a module in C++ (CMake), one in Cython, and a program without Python."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from consumer_builds import CONSUMERS, build, load, python_path

import fastadam
from fastadam import reference

pytestmark = pytest.mark.xdist_group("consumers")  # of which each is built once


@pytest.fixture(scope="module")
def cpp(tmp_path_factory):
    return load(build("cpp", tmp_path_factory.mktemp("cpp")))


@pytest.fixture(scope="module")
def cython(tmp_path_factory):
    return load(build("cython", tmp_path_factory.mktemp("cython")))


def test_cpp_trains_as_python_does(cpp):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 5), dtype=np.float32)
    y = x @ np.arange(5, dtype=np.float32)
    weights, expected = np.zeros((2, 5), np.float32)
    optimizer = fastadam.Adam(expected, lr=0.1)
    for _ in range(300):
        optimizer.step(cpp.gradient(x, y, expected))
    cpp.train(x, y, weights, lr=0.1, steps=300)
    assert_same_bits(weights, expected)
    np.testing.assert_allclose(weights, np.arange(5), atol=1e-2)  # that there was something to learn


def test_cython_trains_as_python_does(cython):
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((8, 100), dtype=np.float32)
    params, grads, exp_avgs, exp_avg_sqs = np.zeros((4, 8, 100), np.float32)
    expected = np.zeros_like(params)
    optimizer = fastadam.Adam(expected, lr=0.1)
    for _ in range(200):
        optimizer.step(expected - targets)
    cython.train(targets, params, grads, exp_avgs, exp_avg_sqs, lr=0.1, steps=200)
    assert_same_bits(params, expected)
    np.testing.assert_allclose(params, targets, atol=1e-2)


@pytest.mark.parametrize("consumer", ["cpp", "cython"])
def test_repeated_steps_on_many_threads(consumer, request):
    """Without the GIL, and at the same time."""
    consumer = request.getfixturevalue(consumer)
    inputs = random_inputs(1000, 2)
    expected = [array.copy() for array in inputs]
    for step in range(1, 51):
        reference.adam_step(*expected, step=step)
    copies = [[array.copy() for array in inputs] for _ in range(8)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda arrays: consumer.repeat(*arrays, 50), copies))
    for arrays in copies:
        for actual, wanted in zip(arrays, expected, strict=True):
            assert_same_bits(actual, wanted)


DECAYS = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}]


@pytest.mark.parametrize("options", [{"maximize": True}, {"lr": 0.1, "eps": 1e-3}, *DECAYS], ids=str)
@pytest.mark.parametrize("states", [2, 3])
@pytest.mark.parametrize("size", [0, 1, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cython_takes_every_option(cython, isa, dtype, size, states, options):
    inputs = random_inputs(size, states, dtype=dtype)
    expected = [array.copy() for array in inputs]
    take = cython.take if dtype == "float32" else cython.take_double
    take(*inputs, *[None] * (3 - states), step=7, **options)
    reference.adam_step(*expected, step=7, **options)
    for actual, wanted in zip(inputs, expected, strict=True):
        assert_same_bits(actual, wanted)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cython_refuses_other_sizes(cython, k, dtype):
    names = ["param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    arrays = [np.ones(5 - (i == k), dtype) for i in range(5)]
    with pytest.raises(ValueError, match=f"{names[k]} has 4 elements; expected 5, as param has"):
        (cython.take if dtype == "float32" else cython.take_double)(*arrays, step=1)
    assert all((array == 1).all() for array in arrays)


def test_cython_refuses_bad_options(cython):
    arrays = [np.ones(5, np.float32) for _ in range(4)]
    with pytest.raises(ValueError, match="lr is -1; expected a finite number >= 0"):
        cython.take(*arrays, None, step=1, lr=-1.0)
    assert all((array == 1).all() for array in arrays)


def test_cython_steps_any_rule(cython):
    param, grad, sums = np.ones(100, np.float32), np.linspace(-1, 1, 100, dtype=np.float32), np.full(100, 7, np.float32)
    expected = param.copy()
    optimizer = fastadam.Adagrad(expected, lr=0.5, eps=0.0, initial_accumulator_value=0.25)
    optimizer.step(grad)
    optimizer.lr = 0.125
    optimizer.step(grad)
    assert cython.adagrad(param, grad, sums, 0.25, 0.125) == 1
    assert_same_bits(param, expected)
    assert_same_bits(sums, optimizer.state["sum"])
    for begin, lr, message in ((-1.0, 0.5, "initial_accumulator_value is -1"), (0.0, -2.0, "lr is -2")):
        with pytest.raises(ValueError, match=message):
            cython.adagrad(param, grad, sums, begin, lr)


def test_cython_steps_any_rule_of_float64(cython):
    param, grad, sums = np.ones(100), np.linspace(-1, 1, 100), np.full(100, 7.0)
    expected = param.copy()
    optimizer = fastadam.Adagrad(expected, lr=0.5, eps=0.0, initial_accumulator_value=0.25)
    optimizer.step(grad)
    norm = optimizer.step(grad, max_norm=2.0)
    assert cython.adagrad_double(param, grad, sums, 0.25, 2.0) == (norm, True)
    assert_same_bits(param, expected)
    assert_same_bits(sums, optimizer.state["sum"])
    with pytest.raises(ValueError, match="initial_accumulator_value is -1"):
        cython.adagrad_double(param, grad, sums, -1.0, 2.0)
    with pytest.raises(ValueError, match="max_norm is -1"):
        cython.adagrad_double(param, grad, sums, 0.25, -1.0)


def test_cython_steps_many_tensors(cython):
    grad = np.array([3, 4, 12], np.float32)
    (first, second), average = np.zeros((2, 3), np.float32), np.full(3, 8, np.float32)
    twins = [np.zeros(3, np.float32) for _ in range(2)]
    optimizer = fastadam.SGD([{"params": [twins[0]], "lr": 0.5}, {"params": [twins[1]], "lr": 0.25, "ema_decay": 0.5}])
    optimizer.state[1]["step"][...], optimizer.state[1]["ema"][...] = 7, 8
    expected = optimizer.step([grad, grad], max_norm=2.0)
    assert cython.sgd_of_groups(first, second, grad, average, 2.0, False) == (expected, True, [1, 8], 0)
    for array, twin in zip((first, second, average), (*twins, optimizer.state[1]["ema"]), strict=True):
        assert_same_bits(array, twin)
    before = first.copy()
    assert cython.sgd_of_groups(first, second, grad * np.float32(np.inf), average, 0.0, True)[2:] == ([0, 7], 1)
    assert_same_bits(first, before)
    with pytest.raises(ValueError, match="max_norm is -1"):
        cython.sgd_of_groups(first, second, grad, average, -1.0, False)
    with pytest.raises(ValueError, match="tensor 0's param shares memory with tensor 1's states"):
        cython.sgd_of_groups(first, second, grad, first, 0.0, False)
    assert_same_bits(first, before)


def test_modules_use_the_instruction_set_of_the_process(cpp, isa):
    assert cpp.isa() == isa


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_module_for_an_older_interface_still_works(tmp_path, run_python, minor):
    """The headers of earlier minor versions, as they were."""
    folder = build("cpp", tmp_path, CXXFLAGS=f"-I{CONSUMERS / f'api-1.{minor}'}").parent
    program = f"""
import cpp_consumer, numpy, fastadam
assert cpp_consumer.compiled_for == (1, {minor}) and cpp_consumer.runs_with[:2] > (1, {minor}), cpp_consumer.runs_with
arrays = numpy.ones((4, 1000), numpy.float32)
expected = arrays.copy()
cpp_consumer.repeat(*arrays, 20)
for step in range(1, 21):
    fastadam.adam_step(*expected, step=step)
print(numpy.array_equal(arrays, expected) and not (arrays[0] == 1).any())
"""
    assert run_python(program, PYTHONPATH=python_path(folder)) == "True"


def test_module_for_a_newer_interface_says_so(tmp_path, run_python):
    header = Path(fastadam.get_include(), "fastadam.h").read_text()
    folder = tmp_path / "newer"
    folder.mkdir()
    (folder / "fastadam.h").write_text(re.sub(r"(API_MINOR) \d+", r"\1 999", header))
    module = build("cpp", tmp_path, CXXFLAGS=f"-I{folder}")
    result = run_python("import cpp_consumer", check=False, PYTHONPATH=python_path(module.parent))
    assert re.search(r"ImportError: fastadam .* compiled for 1\.999 .* install a fastadam that has it", result.stderr)


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory):
    """The program of examples/cpp, linked with the library of the installed package."""
    source = Path(__file__).parents[1] / "examples" / "cpp"
    if not (shutil.which("c++") and shutil.which("cc") and shutil.which("cmake") and source.is_dir()):
        pytest.skip("needs a compiler, CMake and the source tree")
    folder = tmp_path_factory.mktemp("cartpole")
    root = Path(fastadam.get_include()).parent
    for command in (["-S", source, "-B", folder, f"-Dfastadam_ROOT={root}"], ["--build", folder]):
        result = subprocess.run(["cmake", *command], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
    return folder / "cartpole"


def run_cartpole(cartpole, **environ):
    return subprocess.run([cartpole], capture_output=True, text=True, env=os.environ | environ)


def test_a_program_without_python_learns_and_has_the_bits_of_its_formula(cartpole):
    for isa in fastadam.available_isas():
        result = run_cartpole(cartpole, FASTADAM_ISA=isa, FASTADAM_NUM_THREADS="2", FASTADAM_PREFETCH="64")
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"({isa})" in result.stdout
        assert "the same bits" in result.stdout


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("FASTADAM_ISA", "avx9", "FASTADAM_ISA is 'avx9'; expected an instruction set of this build that this CPU supports"),
        ("FASTADAM_NUM_THREADS", "0", "FASTADAM_NUM_THREADS is '0'; expected an integer from 1 to 65535"),
        ("FASTADAM_PREFETCH", "-1", "FASTADAM_PREFETCH is '-1'; expected an integer from 0 to 1048576"),
    ],
)
def test_a_program_without_python_is_told_of_a_bad_environment(cartpole, variable, text, message):
    result = run_cartpole(cartpole, **{variable: text})
    assert result.returncode == 1
    assert message in result.stderr
