"""Steps captured into CUDA graphs: with ``capturable=True`` every replay is the next step, without it capture is refused."""

import numpy as np
import pytest
from buffers import assert_same_bits
from twins import LIST, ONE, Twins, set_step
from variants import VARIANTS

import fastadam

F32 = np.float32
SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
OPTIONS = pytest.mark.parametrize("options", [{}, {"max_norm": 0.5}], ids=["plain", "norm"])


def captured_step(twins, grads, **options):
    """A function that replays a step of the device's optimizer with these gradients."""
    with twins.device.capture() as replay:
        twins.gpu.step(grads, **options)
    return replay


def replay_with(twins, replay, grads, values):
    """A replay with other values in the gradients, and the CPU's step beside it."""
    for grad, new in zip(grads, values, strict=True):
        twins.device.write(grad, new)
    replay()
    twins.cpu.step(values)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_replays_equal_the_cpu(device, variant):
    """The gradients' contents and the learning rate change between replays, and other gradients are stepped in between."""
    twins = Twins(device, LIST, variant.make, capturable=True)
    grads = twins.upload(twins.random_grads())
    replay = captured_step(twins, grads)
    twins.assert_same("after the capture, which does nothing")
    for t in range(10):
        twins.gpu.lr = twins.cpu.lr = 0.1 / (t + 1)
        if t == 4:
            twins.step()
        else:
            replay_with(twins, replay, grads, twins.random_grads())
    twins.assert_same()


@SIZES
@pytest.mark.parametrize("warm", [False, True], ids=["first-step", "after-a-step"])
def test_a_hundred_replays_with_gradients_and_options_that_change(device, warm, sizes):
    twins = Twins(device, sizes, fastadam.AdamW, capturable=True, amsgrad=True, maximize=True)
    if warm:
        twins.step()
    grads = twins.upload(twins.random_grads())
    replay = captured_step(twins, grads)
    for t in range(100):
        if t % 10 == 5:
            twins.cpu.lr = twins.gpu.lr = 10.0 ** -(t // 20)
        if t == 50:
            twins.cpu.betas = twins.gpu.betas = (0.8, 0.99)
        replay_with(twins, replay, grads, twins.random_grads())
        if t in (0, 5, 50, 99):
            twins.assert_same(f"after replay {t}")


@SIZES
@OPTIONS
@pytest.mark.parametrize("warm", [False, True], ids=["first-step", "after-a-step"])
def test_replays_and_steps_mix(device, sizes, options, warm):
    """A graph keeps its gradients, and steps theirs, whoever came before."""
    twins = Twins(device, sizes, capturable=True)
    values, other_values = (twins.random_grads() for _ in range(2))
    grads, others = twins.upload(values), twins.upload(other_values)

    def step(own, on_gpu):
        twins.gpu.step(on_gpu, **options)
        twins.cpu.step(own, **options)

    if warm:  # so that the addresses are known when the step is captured
        step(values, grads)
    replay = captured_step(twins, grads, **options)
    for _ in range(3):
        step(other_values, others)
        replay()
        twins.cpu.step(values, **options)
        twins.assert_same("after a replay")
        step(other_values, others)
        twins.assert_same("after a step with the gradients of the step before")
    step(values, grads)
    twins.step(**options)
    twins.assert_same()


@SIZES
@OPTIONS
def test_two_graphs_of_one_optimizer(device, sizes, options):
    """As training has them that fills one set of gradients while it uses the other."""
    twins = Twins(device, sizes, capturable=True)
    values = [twins.random_grads() for _ in range(2)]
    grads = [twins.upload(some) for some in values]
    replays = [captured_step(twins, some, **options) for some in grads]
    for k in (0, 1, 1, 0, 1):
        replays[k]()
        twins.cpu.step(values[k], **options)
    twins.assert_same()


def test_several_steps_in_one_graph(device):
    twins = Twins(device, LIST, capturable=True)
    values = [twins.random_grads() for _ in range(2)]
    grads = [twins.upload(some) for some in values]
    with device.capture() as replay:
        for k in (0, 1, 0):
            twins.gpu.step(grads[k])
    for _ in range(2):
        replay()
        for k in (0, 1, 0):
            twins.cpu.step(values[k])
    twins.assert_same()


@pytest.mark.parametrize(("name", "value"), [("maximize", False), ("weight_decay", 0.1)])
@pytest.mark.parametrize(
    "change", [setattr, lambda optimizer, name, value: optimizer.param_groups[1].update({name: value})], ids=["all", "group"]
)
def test_options_that_a_captured_graph_cannot_follow_are_refused(device, name, value, change):
    """Steps and replays go on as they did before; other options are followed."""
    twins = Twins(device, [[5], [300, 2], [7]], capturable=True, maximize=True)
    twins.cpu.maximize = twins.gpu.maximize = False
    twins.step()
    twins.cpu.maximize = twins.gpu.maximize = True  # before the capture, anything goes
    values = twins.random_grads()
    grads = twins.upload(values)
    replay = captured_step(twins, grads)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"CUDA graph was captured.*make a new optimizer"):
            change(twins.gpu, name, value)
        assert [group[name] for group in twins.gpu.param_groups] == [group[name] for group in twins.cpu.param_groups]
        twins.step()
        twins.assert_same("after a step")
        replay()
        twins.cpu.step(values)
        twins.assert_same("after a replay")
        twins.cpu.lr = twins.gpu.lr = 0.5


@SIZES
def test_without_capturable_a_capture_is_refused_and_goes_on(device, sizes):
    twins, other = Twins(device, sizes), Twins(device, ONE, capturable=True)
    twins.step()
    values, others = twins.random_grads(), other.random_grads()
    grads, other_grads = twins.upload(values), other.upload(others)
    with device.capture() as replay:
        with pytest.raises(RuntimeError, match=r"captured into a CUDA graph.*capturable=True"):
            twins.gpu.step(grads)
        other.gpu.step(other_grads)
    twins.assert_same("after the refusal")
    for _ in range(2):
        replay()  # of what else was captured
        other.cpu.step(others)
    other.assert_same()
    twins.gpu.step(grads)
    twins.cpu.step(values)
    twins.assert_same()


def test_a_schedule_is_not_captured(device):
    """Unless it stands still."""
    twins = Twins(device, [3], lr=lambda t: 0.5 if t < 2 else 0.25, capturable=True)
    values = twins.random_grads()
    grads = twins.upload(values)
    twins.step(values)
    replay = captured_step(twins, grads)
    replay()
    twins.cpu.step(values)
    with device.capture(), pytest.raises(RuntimeError, match=r"hyperparameter changes while a CUDA graph is captured"):
        twins.gpu.step(grads)
    twins.step(values)
    twins.assert_same()


def test_the_device_computes_the_coefficients_of_the_host(device):
    """For step counts far apart, which users may set, and hyperparameters that make subnormal scalars."""
    values = np.array([1, 1e-22, -3], F32)
    for betas, eps in (((0.9, 0.999), 1e-8), ((0.0, 0.5), 1e-44), ((0.999999, 0.9999999), 1e-38)):
        counts = [0, 1, 2, 999, 10**5, 2**40]
        params, grads = ([device.upload(array) for _ in counts] for array in (np.full(3, 0.5, F32), values))
        optimizer = fastadam.Adam(params, lr=1e-3, betas=betas, eps=eps, capturable=True)
        for state, count in zip(optimizer.state, counts, strict=True):
            set_step(device, state, count)
        optimizer.step(grads)
        for param, state, count in zip(params, optimizer.state, counts, strict=True):
            assert device.download(state["step"]) == count + 1
            expected, *moments = np.full(3, 0.5, F32), np.zeros(3, F32), np.zeros(3, F32)
            fastadam.reference.adam_step(expected, values, *moments, step=count + 1, betas=betas, eps=eps)
            assert_same_bits(device.download(param), expected, f"step {count + 1}, betas {betas}")


def test_capturable_is_for_gpus():
    with pytest.raises(ValueError, match=r"capturable is True.*not on a GPU"):
        fastadam.Adam(np.ones(3, F32), capturable=True)
    with pytest.raises(TypeError, match=r"capturable is 1; expected True or False"):
        fastadam.Adam(np.ones(3, F32), capturable=1)
