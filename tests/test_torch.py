"""Two hundred steps beside ``torch.optim.Adam`` and ``AdamW``, for-loop implementation on the CPU, in float64 and float32.

The gradients are given, so that deviations add up and are not fed back (but by coupled decay). Where they come from:

* Rounding. Each step rounds a parameter of up to 8 to half an ulp, 2.4e-7; 200 of these are a random walk of a few 1e-6.
  The second moments, which average over more than 200 steps, gather a few roundings of 6e-8 a step.
* Betas. Ours are rounded to float32 and all else follows from them; torch's stay float64, and its float32 arithmetic then
  rounds 1 - beta2 by itself. For 0.999 our 1 - beta2 is smaller by a factor of 1 - 1.3e-5, and so is exp_avg_sq, while bias
  correction takes this out of the steps. With betas that are float32 numbers this difference is gone.
* Decoupled decay. 1 - lr weight_decay is rounded to float32, the same way in each step, and torch's float64 does not do so.
"""

import numpy as np
import pytest
import torch

import fastadam

F32 = np.float32
STEPS, SIZE = 200, 2000
LR, DECAY = 1e-2, 0.1
ROUNDED_BETAS = (float(F32(0.9)), float(F32(0.999)))
# Two to three times the largest deviation seen: 2.7e-6, and 1.8e-6 beside 1.3e-5 + 1.8e-6.
PARAM_TOLERANCE = 6e-6
MOMENT_TOLERANCE = {ROUNDED_BETAS: 5e-6, (0.9, 0.999): 1.3e-5 + 5e-6}


def problem():
    """A parameter, and gradients of sizes from 1e-4 to 1e2 around which each element's scatter."""
    rng = np.random.default_rng(0)
    size = 10.0 ** rng.uniform(-4, 2, SIZE)
    grads = [(size * (rng.standard_normal(SIZE) + 0.5)).astype(F32) for _ in range(STEPS)]
    return rng.standard_normal(SIZE).astype(F32), grads


def trained_by_torch(cls, param, grads, dtype, **options):
    parameter = torch.nn.Parameter(torch.tensor(param, dtype=dtype))
    optimizer = cls([parameter], foreach=False, fused=False, **options)
    for grad in grads:
        parameter.grad = torch.tensor(grad, dtype=dtype)
        optimizer.step()
    state = {name: value.numpy().astype(np.float64) for name, value in optimizer.state[parameter].items()}
    return parameter.detach().numpy().astype(np.float64), state


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("betas", MOMENT_TOLERANCE, ids=["rounded-betas", "default-betas"])
@pytest.mark.parametrize("eps", [1e-8, 1e-3])
@pytest.mark.parametrize("weight_decay", [0.0, DECAY])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
def test_two_hundred_steps_beside_torch(name, dtype, betas, eps, weight_decay, amsgrad, maximize):
    options = {"lr": LR, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize, "betas": betas}
    start, grads = problem()
    param = start.copy()
    optimizer = getattr(fastadam, name)(param, **options)
    for grad in grads:
        optimizer.step(grad)
    expected, state = trained_by_torch(getattr(torch.optim, name), start, grads, dtype, **options)

    tolerance = PARAM_TOLERANCE
    if name == "AdamW" and dtype is torch.float64:
        kept = 1 - LR * weight_decay
        tolerance += STEPS * abs(float(F32(kept)) - kept) * np.abs(expected).max()
    assert np.abs(start - expected).max() > 1  # it went somewhere
    np.testing.assert_allclose(param, expected, rtol=0, atol=tolerance)

    assert int(optimizer.state["step"]) == int(state["step"]) == STEPS
    for moment in ("exp_avg_sq", "max_exp_avg_sq")[: 1 + amsgrad]:
        np.testing.assert_allclose(optimizer.state[moment], state[moment], rtol=MOMENT_TOLERANCE[betas], atol=0)
    # Gradients of both signs cancel: the error is relative to their size, not to what is left.
    error = np.abs(optimizer.state["exp_avg"] - state["exp_avg"]) / np.sqrt(state["exp_avg_sq"])
    assert error.max() <= MOMENT_TOLERANCE[betas]


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
    with pytest.raises(TypeError, match=r"params has dtype torch.float64; expected float32"):
        fastadam.Adam(torch.ones(3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"grads is not C-contiguous .*copy it"):
        fastadam.Adam(torch.ones(3)).step(torch.ones(3, 2)[:, 0])
    with pytest.raises(ValueError, match=r"grads has shape torch.Size\(\[4\]\); expected torch.Size\(\[3\]\)"):
        fastadam.Adam(torch.ones(3)).step(torch.ones(4))
    shared = torch.ones(6)
    with pytest.raises(ValueError, match=r"params\[0\] shares memory with params\[1\]"):
        fastadam.Adam([shared[:4], shared[3:]])
