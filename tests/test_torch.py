"""Two hundred steps of every rule that ``torch.optim`` has, compared with its for-loop implementation on the CPU.

torch computes in float64 and float32, with every combination of a rule's options. The gradients are given, so that deviations
add up and are not fed back (but by coupled decay). A deviation is relative to the largest value that its element had in
torch's run: gradients of both signs cancel, and the error is relative to their size, not to what is left. Where it comes from:

* Rounding. Each step rounds a parameter to half an ulp, and 200 of these are a random walk: up to 2.6e-6 was seen. State
  gathers a few roundings a step of what it averages, of up to 6e-8 each: 3.5e-6.
* Decay rates. Ours are rounded to float32 and all else follows from them; torch's stay float64, and its float32 arithmetic
  then rounds 1 - beta2 by itself. For 0.999 our 1 - beta2 is smaller by a factor of 1 - 1.3e-5, and so is exp_avg_sq, while
  bias correction takes this out of the steps. RAdam's rectification is a function of 1 - beta2, too, and so is its step where
  eps is larger than the square root: there the parameter differs by 2.2e-5. With rates that are float32 numbers this
  difference is gone.
* Decoupled decay. 1 - lr weight_decay is rounded to float32, the same way in each step, and torch's float64 does not do so.
"""

import functools
import inspect

import numpy as np
import pytest
from variants import KINDS, NOT_IN_TORCH, VARIANTS

import fastadam

torch = pytest.importorskip("torch", reason="torch is not installed")

F32 = np.float32
STEPS, SIZE = 200, 2000
LR = 1e-2
DECAY_RATES = {"betas": (0.9, 0.999), "alpha": 0.99, "momentum": 0.9}
# Two to three times the largest deviation seen, without what the two functions below add: 2.6e-6 and 3.5e-6.
PARAM_TOLERANCE = 6e-6
STATE_TOLERANCE = 8e-6

classes = pytest.mark.parametrize(
    "cls", [kind.cls for name, kind in KINDS.items() if name not in NOT_IN_TORCH], ids=lambda cls: cls.__name__
)


@functools.cache
def problem():
    """A parameter, and gradients of sizes from 1e-4 to 1e2 around which each element's scatter."""
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-4, 2, SIZE)
    grads = [(size * (rng.standard_normal(SIZE) + 0.5)).astype(F32) for _ in range(STEPS)]
    return rng.standard_normal(SIZE).astype(F32), grads


@functools.cache
def problem_of_torch(dtype):
    param, grads = problem()
    return torch.tensor(param, dtype=dtype), torch.tensor(np.stack(grads), dtype=dtype)


def trained_by_torch(cls, dtype, **options):
    """The parameter ("param") and state after all steps, and the largest magnitude that each element of them ever had."""
    param, grads = problem_of_torch(dtype)
    parameter = torch.nn.Parameter(param.clone())
    optimizer = cls([parameter], foreach=False, **options)
    largest = {}
    for grad in grads:
        parameter.grad = grad.clone()  # which an optimizer may change
        optimizer.step()
        arrays = {"param": parameter.detach(), **optimizer.state[parameter]}
        for name, value in arrays.items():
            magnitude = np.abs(value.numpy())
            largest[name] = np.maximum(largest[name], magnitude) if name in largest else magnitude
    return {name: value.numpy().astype(np.float64) for name, value in arrays.items()}, largest


def rates(optimizer, rounded):
    """The decay rates that `optimizer` uses, as they are by default or as float32 numbers."""

    def rate(value):
        return tuple(map(rate, value)) if isinstance(value, tuple) else float(F32(value)) if rounded else value

    return {name: rate(value) for name, value in DECAY_RATES.items() if getattr(optimizer, name, 0)}


def bias_of_rates(options):
    """The largest relative error of 1 - rate that the rounding of the rates to float32 makes."""
    values = np.hstack([options[name] for name in DECAY_RATES if name in options] or [0.0])
    return np.abs((1 - values.astype(F32).astype(np.float64)) / (1 - values) - 1).max()


def bias_of_decay(weight_decay):
    """How far the rounding of the factor of decoupled decay to float32 takes the parameter."""
    kept = 1 - LR * weight_decay
    return STEPS * abs(float(F32(kept)) - kept)


def cases():
    """(variant, eps, whether rates are rounded, dtype); an eps of None is the default or that there is none.

    Options are judged beside float64, where least is rounded; beside float32 it is the rounding alone.
    """
    for variant in VARIANTS:
        if variant.is_in_torch:
            for eps in [None, 1e-3] if hasattr(variant.kind.cls, "eps") else [None]:
                name = f"{variant}-eps={eps}" if eps else str(variant)
                yield pytest.param(variant, eps, True, torch.float64, id=f"{name}-rounded-rates")
                yield pytest.param(variant, eps, False, torch.float64, id=name)
            yield pytest.param(variant, None, False, torch.float32, id=f"{variant}-float32")


@pytest.mark.parametrize(("variant", "eps", "rounded", "dtype"), [*cases()])
def test_two_hundred_steps_beside_torch(variant, eps, rounded, dtype):
    options = {"lr": LR, "weight_decay": 0.0} | dict(variant.given) | ({"eps": eps} if eps else {})
    options |= rates(variant.make(np.zeros(1, F32)), rounded)
    start, grads = problem()
    param = start.copy()
    optimizer = variant.kind.cls(param, **options)
    for grad in grads:
        optimizer.step(grad)
    expected, largest = trained_by_torch(getattr(torch.optim, type(optimizer).__name__), dtype, **options)

    tolerance = PARAM_TOLERANCE
    if variant.rule_name == "radam":
        tolerance += 2 * bias_of_rates(options)
    if variant.rule_name == "adamw" or "decoupled_weight_decay" in options:
        tolerance += bias_of_decay(options["weight_decay"])
    assert np.abs(start - param).max() > 0.1  # it went somewhere
    assert (np.abs(param - expected["param"]) / largest["param"]).max() <= tolerance

    assert int(optimizer.state["step"]) == int(expected.get("step", STEPS)) == STEPS
    assert {"param", "step", *optimizer.state} == {"step", *expected} - {"mu_product"}
    for name in optimizer.state.keys() - {"step"}:
        error = np.abs(optimizer.state[name] - expected[name]) / largest[name]
        assert error.max() <= STATE_TOLERANCE + bias_of_rates(options), name


@classes
def test_names_order_and_defaults_are_those_of_torch(cls):
    ours, theirs = (inspect.signature(c).parameters for c in (cls, getattr(torch.optim, cls.__name__)))
    positional = [name for name, parameter in ours.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert positional == list(theirs)[: len(positional)]
    for name in ours.keys() & theirs.keys():
        assert ours[name].default == theirs[name].default, name


imports_writeable = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.2.5", reason="before NumPy 2.2.5, what it imports by DLPack is read-only"
)


@imports_writeable
@pytest.mark.parametrize("cls", [fastadam.Adam, fastadam.AdamW])
def test_torch_tensors_are_stepped_in_place(cls):
    """By DLPack and without a copy, as parameters, gradients and in the stateless step."""
    param, grads = problem()
    expected, tensor = param.copy(), torch.from_numpy(param.copy())
    ours, theirs = cls(expected, amsgrad=True), cls(tensor, amsgrad=True)
    for grad in grads[:5]:
        ours.step(grad)
        theirs.step(torch.from_numpy(grad))
    np.testing.assert_array_equal(tensor.numpy(), expected)
    np.testing.assert_array_equal(theirs.state["max_exp_avg_sq"], ours.state["max_exp_avg_sq"])

    arrays = [expected, grads[5], np.zeros_like(param), np.zeros_like(param)]
    tensors = [torch.from_numpy(array.copy()) for array in arrays]
    fastadam.adam_step(*arrays, step=1)
    fastadam.adam_step(*tensors, step=1)
    for array, tensor in zip(arrays, tensors, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), array)


@imports_writeable
def test_torch_tensors_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match=r"params\[0\] is a Parameter whose memory cannot be used in place: .*detach"):
        fastadam.Adam([torch.nn.Parameter(torch.ones(3))])
    with pytest.raises(TypeError, match=r"params has dtype torch.float16; expected float32, float64, complex64 or complex128"):
        fastadam.Adam(torch.ones(3, dtype=torch.float16))
    with pytest.raises(ValueError, match=r"grads is laid out otherwise than params .*contiguous\(\)"):
        fastadam.Adam(torch.ones(3)).step(torch.ones(3, 2)[:, 0])
    with pytest.raises(ValueError, match=r"grads has shape torch.Size\(\[4\]\); expected torch.Size\(\[3\]\)"):
        fastadam.Adam(torch.ones(3)).step(torch.ones(4))
    shared = torch.ones(6)
    with pytest.raises(ValueError, match=r"params\[0\] shares memory with params\[1\]"):
        fastadam.Adam([shared[:4], shared[3:]])
