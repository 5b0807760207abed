"""Groups, missing gradients, transforms, norms, skipped steps and averages on a device: the bits of the CPU."""

import numpy as np
import pytest
from buffers import assert_same_bits, random_values
from twins import Twins
from variants import ONE_OF_EACH, of_both_types

import fastadam
from fastadam import reference

F32 = np.float32
every_rule = pytest.mark.parametrize("variant", of_both_types(ONE_OF_EACH), ids=str)
CAPTURABLE = pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
# The limit of the norm (None: it is not asked for), and which gradients are missing.
STEPS = [(1.0, ()), (1e9, (2, 5)), (None, (1, 4, 7)), (0.25, (0, 4, 5, 6, 7)), (np.inf, ()), (2.0, range(8)), (None, (3, 6))]


def sizes(device):
    return [[5, 0, 300, 70_001], [9], [1, 2, device.large]]


@every_rule
@CAPTURABLE
def test_steps_of_groups(device, variant, capturable):
    twins = Twins(device, sizes(device), variant.make, capturable=capturable, dtype=variant.dtype)
    for t, (max_norm, missing) in enumerate(STEPS):
        grads = [None if i in missing else grad for i, grad in enumerate(twins.random_grads())]
        twins.cpu.param_groups[1]["lr"] = twins.gpu.param_groups[1]["lr"] = 0.1 / (t + 1)
        twins.step(grads, grad_scale=[0.5, -2.0][t % 2], clip_value=0.4, max_norm=max_norm)
    twins.assert_same()
    assert {int(state["step"]) for state in twins.cpu.state} == {4, 5}


@every_rule
def test_replays_and_steps_with_norm_and_skips(device, variant):
    """Captured once: the decision is the device's, and taken anew in each replay."""
    twins = Twins(device, sizes(device), variant.make, capturable=True, dtype=variant.dtype)
    options = {"max_norm": 1.0, "skip_nonfinite": True}
    buffers = twins.upload(twins.random_grads())
    with device.capture() as replay:
        norm = twins.gpu.step(buffers, **options)
    for t in range(9):
        grads = twins.random_grads()
        grads[(3 * t) % 8][-1:] = [0.5, np.nan, np.inf, -np.inf][t % 4]  # the empty one is among them
        if t in (2, 5):
            twins.step(grads, **options)
        else:
            for buffer, grad in zip(buffers, grads, strict=True):
                device.write(buffer, grad)
            replay()
            twins.expect_norm(norm, twins.cpu.step(grads, **options))
        assert twins.gpu.skipped_steps == twins.cpu.skipped_steps
    assert 0 < twins.cpu.skipped_steps < 9
    twins.assert_same()


@CAPTURABLE
@pytest.mark.parametrize("grad_scale", [3.0, -3.0])
@pytest.mark.parametrize("max_norm", [None, 1e-3, 1e9])
def test_one_group_maximizes_and_the_other_does_not(device, capturable, grad_scale, max_norm):
    """The sign is a group's own, also where the factor of the gradients is the device's."""
    rng = np.random.default_rng(0)
    params, grads = ([rng.standard_normal(3000).astype(F32) for _ in range(3)] for _ in range(2))
    arrays, on_gpu = ([device.upload(array) for array in some] for some in (params, grads))
    maximize = [False, True, False]
    groups = [{"params": [array], "maximize": each} for array, each in zip(arrays, maximize, strict=True)]
    optimizer = fastadam.SGD(groups, lr=0.5, capturable=capturable)
    norm = optimizer.step(on_gpu, grad_scale=grad_scale, max_norm=max_norm, clip_value=2.5)
    wanted = abs(grad_scale) * np.float64(reference.global_norm(grads))
    scale = F32(grad_scale) if max_norm is None else reference.clipping_scale(wanted, grad_scale, max_norm)
    assert norm is None if max_norm is None else device.download(norm) == wanted
    for array, param, grad, each in zip(arrays, params, grads, maximize, strict=True):
        given = reference.transform_gradient(grad, scale, 2.5)
        reference.sgd_step(param, -given if each else given, lr=0.5, weight_decay=0.0, step=1)
        assert_same_bits(device.download(array), param)


@pytest.mark.parametrize("sizes", [[1], [2047, 2048, 2049], [3] * 2100, [0, 5]], ids=["one", "three", "many", "large"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_global_norm(device, sizes, dtype):
    rng = np.random.default_rng(0)
    grads = [random_values(rng, size or 10 * device.large + 9, dtype=dtype) for size in sizes]
    grads = [np.where(np.isfinite(grad), grad, grad.dtype.type(1e30)) for grad in grads]
    on_gpu = [device.upload(grad, offset=k % 4) for k, grad in enumerate(grads)]
    wanted = np.float64(reference.global_norm(grads))
    norm = fastadam.global_norm(on_gpu)
    assert (norm.shape, norm.dtype) == ((), np.float64)
    assert device.download(norm).tobytes() == wanted.tobytes()


def test_global_norm_of_arrays_in_any_structure(device):
    arrays = [np.full(shape, 2, F32) for shape in ((2, 3), (0, 3), (), (5000,))]
    grads = [device.upload(array) for array in arrays]
    for given in (dict(zip("abcd", grads, strict=True)), [None, *grads, None]):
        assert device.download(fastadam.global_norm(given)) == reference.global_norm(arrays)
    assert device.download(fastadam.global_norm(grads[1])) == 0


def test_skipping_takes_step_counts_on_the_gpu(device):
    twins = Twins(device, [3])
    with pytest.raises(ValueError, match=r"skip_nonfinite is True.*capturable=True"):
        twins.gpu.step(twins.upload(twins.random_grads()), skip_nonfinite=True)
    twins.assert_same()
