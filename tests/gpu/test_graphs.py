"""Steps captured into CUDA graphs: with ``capturable=True`` every replay is the next step, without it capture is refused."""

import pytest
from gpu.arrays import captured, to_gpu, write
from gpu.twins import LIST, ONE, Twins

import fastadam

pytestmark = pytest.mark.gpu

SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])


def captured_step(twins, grads):
    """A function that replays a step of the GPU's optimizer with these gradients."""
    with captured() as replay:
        twins.gpu.step(grads)
    return replay


@SIZES
@pytest.mark.parametrize("warm", [False, True], ids=["first-step", "after-a-step"])
@pytest.mark.parametrize(
    ("optimizer_class", "options"),
    [(fastadam.Adam, {}), (fastadam.AdamW, {"amsgrad": True}), (fastadam.Adam, {"weight_decay": 0.1, "maximize": True})],
    ids=["Adam", "AdamW-amsgrad", "Adam-coupled-maximize"],
)
def test_a_hundred_replays_with_gradients_and_options_that_change(optimizer_class, options, warm, sizes):
    twins = Twins(sizes, optimizer_class, capturable=True, **options)
    if warm:
        twins.step()
    grads = [to_gpu(grad) for grad in twins.random_grads()]
    replay = captured_step(twins, grads)
    twins.assert_same("after the capture, which does nothing")
    for t in range(100):
        values = twins.random_grads()
        for grad, new in zip(grads, values, strict=True):
            write(grad, new)
        if t % 10 == 5:
            twins.cpu.lr = twins.gpu.lr = 10.0 ** -(t // 20)
        if t == 50:
            twins.cpu.betas = twins.gpu.betas = (0.8, 0.99)
        twins.cpu.step(values)
        replay()
        if t in (0, 5, 50, 99):
            twins.assert_same(f"after replay {t}")


@SIZES
def test_replays_and_steps_mix(sizes):
    twins = Twins(sizes, capturable=True)
    values = twins.random_grads()
    grads = [to_gpu(grad) for grad in values]
    replay = captured_step(twins, grads)
    for _ in range(3):
        replay()
        twins.cpu.step(values)
        twins.step(times=2)
    twins.assert_same()


@SIZES
def test_two_graphs_of_one_optimizer(sizes):
    """As training has them that fills one set of gradients while it uses the other."""
    twins = Twins(sizes, capturable=True)
    values = [twins.random_grads() for _ in range(2)]
    grads = [[to_gpu(grad) for grad in some] for some in values]
    replays = [captured_step(twins, some) for some in grads]
    for k in (0, 1, 1, 0, 1):
        replays[k]()
        twins.cpu.step(values[k])
    twins.assert_same()


def test_several_steps_in_one_graph():
    twins = Twins(LIST, capturable=True)
    values = [twins.random_grads() for _ in range(2)]
    first, second = ([to_gpu(grad) for grad in some] for some in values)
    with captured() as replay:
        twins.gpu.step(first)
        twins.gpu.step(second)
        twins.gpu.step(first)
    for _ in range(2):
        replay()
        for k in (0, 1, 0):
            twins.cpu.step(values[k])
    twins.assert_same()


def test_a_captured_step_keeps_its_terms():
    """A graph cannot change which terms a step has, so options that would are refused."""
    twins = Twins(ONE, capturable=True)
    grads = [to_gpu(grad) for grad in twins.random_grads()]
    captured_step(twins, grads)
    with pytest.raises(ValueError, match="graph"):
        twins.gpu.maximize = True
    with pytest.raises(ValueError, match="graph"):
        twins.gpu.weight_decay = 0.1
    assert not twins.gpu.maximize
    assert twins.gpu.weight_decay == 0
    twins.assert_same()


@SIZES
def test_without_capturable_a_capture_is_refused_and_goes_on(sizes):
    twins, other = Twins(sizes), Twins(ONE, capturable=True)
    twins.step()
    values, others = twins.random_grads(), other.random_grads()
    grads, other_grads = [to_gpu(grad) for grad in values], [to_gpu(grad) for grad in others]
    with captured() as replay:
        with pytest.raises(RuntimeError, match="capturable=True"):
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


def test_a_stream_is_as_before_after_a_refused_capture(stream):
    twins = Twins(ONE)
    values = twins.random_grads()
    grads = [to_gpu(grad) for grad in values]
    with stream:
        stream.begin_capture()
        try:
            with pytest.raises(RuntimeError, match="capturable=True"):
                twins.gpu.step(grads)
        finally:
            stream.end_capture()
        assert not stream.is_capturing()
        twins.gpu.step(grads)
        stream.synchronize()
    twins.cpu.step(values)
    twins.assert_same()
