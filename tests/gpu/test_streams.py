"""A step goes into the queue of CuPy's current stream, in order with what is there, and waits for nothing."""

import threading
from time import perf_counter

import pytest
from buffers import assert_same_bits
from gpu.arrays import copy, to_cpu, to_gpu
from twins import LIST, ONE, Twins

import fastadam

pytestmark = pytest.mark.gpu

BUSY = 0.5  # seconds; long against anything that a step does by itself
SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
CAPTURABLE = pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])


@SIZES
@CAPTURABLE
def test_a_step_waits_for_nothing(device, stream, spin, sizes, capturable):
    twins = Twins(device, sizes, capturable=capturable)
    grads = [twins.random_grads() for _ in range(4)]
    on_gpu = [[to_gpu(grad) for grad in some] for some in grads]
    with stream:
        twins.gpu.step(on_gpu[0])  # once before, since a kernel's first launch may wait until it has been loaded
        stream.synchronize()
        spin(BUSY)
        start = perf_counter()
        twins.gpu.step(on_gpu[1])
        twins.gpu.step(on_gpu[1])
        twins.gpu.lr = 0.5
        twins.gpu.step(on_gpu[2])
        twins.gpu.step(on_gpu[3])
        took, done = perf_counter() - start, stream.done
        stream.synchronize()
    assert not done
    assert took < BUSY
    twins.cpu.step(grads[0])
    twins.cpu.step(grads[1])
    twins.cpu.step(grads[1])
    twins.cpu.lr = 0.5
    twins.cpu.step(grads[2])
    twins.cpu.step(grads[3])
    twins.assert_same()


def test_a_stateless_step_waits_for_nothing(device, stream, spin):
    twins = Twins(device, ONE)
    (grad,) = twins.random_grads()
    arrays = [twins.on_gpu[0], to_gpu(grad), *(twins.gpu.state[0][name] for name in ("exp_avg", "exp_avg_sq"))]
    with stream:
        fastadam.adam_step(*arrays, step=1)
        stream.synchronize()
        spin(BUSY)
        fastadam.adam_step(*arrays, step=2)
        done = stream.done
        stream.synchronize()
    assert not done
    for _ in range(2):
        twins.cpu.step([grad])
    twins.gpu.state[0]["step"][...] = 2
    twins.assert_same()


@SIZES
@CAPTURABLE
def test_a_step_comes_after_what_was_queued_before_and_before_what_comes_after(device, stream, spin, sizes, capturable):
    twins = Twins(device, sizes, capturable=capturable)
    first, second, third = (twins.random_grads() for _ in range(3))
    grads, later, last = ([to_gpu(grad) for grad in some] for some in (first, second, third))
    after = [to_gpu(param) for param in twins.params]

    def copy_all(targets, sources):
        for target, source in zip(targets, sources, strict=True):
            copy(target, source)

    def work(seconds):
        spin(seconds)
        copy_all(grads, later)
        twins.gpu.step(grads)
        copy_all(after, twins.on_gpu)
        copy_all(grads, last)

    with stream:
        twins.gpu.step(grads)
        work(0)
        stream.synchronize()
        work(BUSY)
        stream.synchronize()
    for values in (first, second, second):
        twins.cpu.step(values)
    twins.assert_same()
    for array, param in zip(after, twins.params, strict=True):
        assert_same_bits(to_cpu(array), param)


def test_the_default_stream_waits_as_it_always_does(device, spin):
    twins = Twins(device, ONE)
    (grad,) = twins.random_grads()
    target, source = to_gpu(grad * 0), to_gpu(grad)
    spin(BUSY / 5)
    copy(target, source)
    twins.gpu.step([target])
    twins.cpu.step([grad])
    twins.assert_same()


def test_threads_with_streams_and_optimizers_of_their_own(device, cupy):
    all_twins = [Twins(device, LIST) for _ in range(4)]
    grads = [[twins.random_grads() for _ in range(20)] for twins in all_twins]
    on_gpu = [[[to_gpu(grad) for grad in some] for some in many] for many in grads]
    failures = []

    def train(twins, many):
        try:
            own = cupy.cuda.Stream(non_blocking=True)
            with own:
                for some in many:
                    twins.gpu.step(some)
                own.synchronize()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=train, args=pair) for pair in zip(all_twins, on_gpu, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for twins, many in zip(all_twins, grads, strict=True):
        for some in many:
            twins.cpu.step(some)
        twins.assert_same()


def test_a_stream_is_as_before_after_a_refused_capture(device, stream):
    twins = Twins(device, ONE)
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
