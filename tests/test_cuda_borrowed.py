"""On a GPU: memory of other libraries that was replaced, and what may not be done while a CUDA graph is captured."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
from buffers import assert_same_bits
from cuda_device import Host
from cuda_exporters import Exporter, Interface
from twins import LIST, ONE, Twins

import fastadam
from fastadam.backends.cuda.cupy_runtime import Gpu
from fastadam.backends.cuda.launch import Table

F32 = np.float32


class Methods(Exporter):
    """A tensor that says where it is by methods, as torch's do, and exports DLPack."""

    def __init__(self, array):
        super().__init__(array)
        self.asked = self.exports = 0

    @property
    def dtype(self):
        return self._array.dtype

    @property
    def shape(self):
        return self._array.shape

    def numel(self):
        return self._array.size

    def data_ptr(self):
        self.asked += 1
        return self._array.data.ptr

    def __dlpack__(self, **options):
        self.exports += 1
        return super().__dlpack__(**options)

    def exported(self):
        self.exports += 1
        return super().exported()


def replaced(tensor, array):
    """The same object with another array's memory, as after ``tensor.data = ...``."""
    if isinstance(tensor, Interface):
        tensor.__dict__.update(Interface(array).__dict__)
    else:
        tensor._array = array


WRAPS = {"methods": Methods, "interface": Interface, "dlpack": Exporter}


@pytest.fixture(params=WRAPS)
def wrap(request):
    return WRAPS[request.param]


@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        (lambda device: device.upload(np.ones(6, F32)), ValueError, "no longer has the memory it had"),
        (lambda device: device.upload(np.ones(7, F32)), ValueError, r"has shape|no longer has"),
        (lambda device: device.upload(np.ones(6)), TypeError, "has dtype"),
    ],
    ids=["moved", "resized", "of another type"],
)
def test_a_parameter_that_moved_is_refused(device, wrap, capturable, other, error, words):
    first, kept = device.upload(np.ones(6, F32)), device.upload(np.ones(6, F32))
    tensor, new = wrap(first), other(device)
    optimizer = fastadam.SGD([kept, tensor], lr=0.5, capturable=capturable)
    grads = [device.upload(np.ones(6, F32)) for _ in range(2)]
    optimizer.step(grads)
    replaced(tensor, new)
    for _ in range(2):
        with pytest.raises(error, match=rf"params\[1\] ({words})"):
            optimizer.step(grads)
    assert (device.download(new) == 1).all()
    assert (device.download(kept) == 0.5).all()
    assert optimizer.step_count == 1
    replaced(tensor, first)
    optimizer.step(grads)
    assert (device.download(first) == 0).all()


def test_tensors_that_can_be_asked_are_not_exported_again(device):
    tensor = Methods(device.upload(np.ones(6, F32)))
    optimizer = fastadam.SGD(tensor, lr=0.5)
    exports, asked = tensor.exports, tensor.asked
    for step in range(1, 4):
        optimizer.step(device.upload(np.ones(6, F32)))
        assert (tensor.exports, tensor.asked) == (exports, asked + step)


@pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
def test_gradients_of_other_libraries_are_refused_while_capturing(device, wrap, sizes):
    """Their export would make the captured stream wait for another one. Taken over before, they are captured."""
    twins = Twins(device, sizes, capturable=True)
    values = twins.random_grads()
    grads = twins.upload(values)
    twins.step(values)
    with device.capture() as replay:
        with pytest.raises(RuntimeError, match=r"grads.*while a CUDA graph is captured.*before the capture"):
            twins.gpu.step([wrap(grad) for grad in grads])
        twins.gpu.step(grads)
    twins.assert_same("after the capture")
    replay()
    twins.cpu.step(values)
    twins.assert_same("after a replay")


def test_parameters_that_were_taken_over_are_captured(device):
    array, grad = (device.upload(np.ones(6, F32)) for _ in range(2))
    optimizer = fastadam.SGD(Methods(array), lr=0.5, capturable=True)
    optimizer.step(grad)
    with device.capture() as replay:
        optimizer.step(grad)
    replay()
    assert (device.download(array) == 0).all()


def test_after_a_capture_no_group_is_added(device):
    twins = Twins(device, LIST, capturable=True)
    values = twins.random_grads()
    grads = twins.upload(values)
    added = {"params": [device.upload(np.ones(3, F32))]}
    with device.capture() as replay:
        twins.gpu.step(grads)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"CUDA graph was captured.*add all groups before the capture"):
            twins.gpu.add_param_group(added)
        assert len(twins.gpu.param_groups) == 1
        replay()
        twins.cpu.step(values)
        twins.assert_same()
        twins.step()
    twins.gpu.load_state_dict(twins.gpu.state_dict())  # into the arrays that the graph knows
    replay()
    twins.cpu.step(values)
    twins.assert_same()


def test_before_a_capture_groups_are_added(device):
    twins = Twins(device, [3], capturable=True)
    twins.step()
    more = np.ones(4, F32)
    twins.params.append(more)
    twins.on_gpu.append(device.upload(more))
    twins.cpu.add_param_group({"params": [more]})
    twins.gpu.add_param_group({"params": [twins.on_gpu[-1]]})
    twins.step()
    values = twins.random_grads()
    grads = twins.upload(values)
    with device.capture() as replay:
        twins.gpu.step(grads)
    replay()
    twins.cpu.step(values)
    twins.assert_same()


def test_a_table_is_not_believed_after_a_write_that_failed(host_gpu):
    from cuda_host import on_cpu

    table, fails, written = Table(3), [False], []

    def kernel(grid, block, arguments):
        if fails[0]:
            raise RuntimeError("a launch failed")
        written.append(arguments)

    table.set([1, 2, 3], kernel)
    fails[0] = True
    with pytest.raises(RuntimeError, match="a launch failed"):
        table.set([4, 5, 6], kernel)
    fails[0] = False
    assert not table.has([1, 2, 3])
    for _ in range(2):
        table.set([1, 2, 3], kernel)
    assert len(written) == 2
    assert on_cpu(table._array).shape == (3,)


@pytest.mark.parametrize("options", [{}, {"max_norm": 0.5}], ids=["plain", "norm"])
@pytest.mark.parametrize("capturable", [False, True])
def test_steps_go_on_after_launches_that_failed(host_gpu, options, capturable):
    """Whichever launch of a step fails. Only the stand-in's can be made to."""
    device = Host(host_gpu)
    for number in range(6):
        twins = Twins(device, LIST, capturable=capturable)
        twins.step(**options)
        values = twins.random_grads()
        grads, run, count = twins.upload(values), host_gpu.run, [0]

        def fails(kernel, launch, run=run, count=count, number=number):
            count[0] += 1
            if count[0] == number + 1:
                raise RuntimeError("a launch failed")
            run(kernel, launch)

        host_gpu.run = fails
        with contextlib.suppress(RuntimeError):
            twins.gpu.step(grads, **options)
        host_gpu.run = run
        if count[0] <= number:
            break
        others = twins.random_grads()
        fresh = Twins(device, LIST, capturable=capturable)
        for one in (twins, fresh):  # what the failed step left undone is not asked here: only that tables are right
            for i, (array, twin) in enumerate(zip(one.on_gpu, fresh.params, strict=True)):
                device.write(array, twin)
                for state in (one.gpu.state[i],):
                    for name in ("exp_avg", "exp_avg_sq"):
                        device.write(state[name], np.zeros(twin.shape, F32))
                    if capturable:
                        device.write(state["step"], np.zeros((), np.int64))
                    else:
                        state["step"][...] = 0
            one.gpu.step(one.upload(others), **options)
        for a, b in zip(twins.on_gpu, fresh.on_gpu, strict=True):
            assert_same_bits(device.download(a), device.download(b), f"after launch {number} failed")


class CudaError(Exception):
    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


def fake(**runtime):
    """CuPy with a runtime of one's own."""
    known = {"is_hip": False, "CUDARuntimeError": CudaError, "getDevice": lambda: 0}
    return SimpleNamespace(__version__="14", ndarray=object, cuda=SimpleNamespace(runtime=SimpleNamespace(**known | runtime)))


def test_cupy_for_rocm_is_refused(monkeypatch):
    monkeypatch.setattr("importlib.import_module", lambda name: fake(is_hip=True))
    with pytest.raises(RuntimeError, match=r"built for AMD's ROCm; expected one for CUDA.*fastadam\[cuda13\]"):
        Gpu()


def test_the_default_stream_beside_a_capture_is_refused(monkeypatch):
    def asked():
        raise CudaError(status)

    cupy = fake()
    cupy.cuda.get_current_stream = lambda: SimpleNamespace(is_capturing=asked)
    monkeypatch.setattr("importlib.import_module", lambda name: cupy)
    status = 906
    with pytest.raises(RuntimeError, match=r"another stream is being captured.*non_blocking=True"):
        Gpu().is_capturing()
    status = 1
    with pytest.raises(CudaError):
        Gpu().is_capturing()


def test_an_event_is_made_on_the_device_of_the_array(monkeypatch):
    current, made = [0], []

    @contextlib.contextmanager
    def on(device):
        before, current[0] = current[0], device
        yield
        current[0] = before

    cupy = fake(
        getDevice=lambda: current[0],
        pointerGetAttributes=lambda address: SimpleNamespace(device=3),
        eventRecord=lambda event, stream: None,
    )
    cupy.cuda.Device = on
    cupy.cuda.UnownedMemory = cupy.cuda.MemoryPointer = cupy.ndarray = lambda *arguments: arguments
    cupy.cuda.Event = lambda disable_timing: (made.append(current[0]), SimpleNamespace(ptr=1))[1]
    cupy.cuda.get_current_stream = lambda: SimpleNamespace(ptr=7, wait_event=lambda event: made.append(current[0]))
    monkeypatch.setattr("importlib.import_module", lambda name: cupy)
    interface = {"shape": (2,), "typestr": "<f4", "data": (64, False), "stream": 5}
    Gpu().from_interface(interface, None)
    assert made == [3, 3]
    assert current == [0]
