"""What the kernels do not step on a GPU, here the stand-in: torch steps it, or it is refused, and nothing is changed."""

import warnings

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")

from test_cuda_turns import interrupted  # noqa: E402
from torch_gpus import fail_to_compile, on_three_devices  # noqa: E402
from torch_params import contents, param_with_grad  # noqa: E402

from fastadam.backends.cuda import cupy_runtime, kernels  # noqa: E402
from fastadam.torch import Adam, on_gpu, tensor_access  # noqa: E402


def test_fused_groups_are_torchs_fused_step(gpus, monkeypatch):
    """Torch keeps their counts on the GPU. A parameter that does not fill its memory is not for the fused kernel."""
    base = torch.ones(4, 4)
    sparse = torch.nn.Parameter(base[:, :3])
    sparse.grad = torch.ones(4, 3)
    params, others = [param_with_grad(), sparse], [param_with_grad(), param_with_grad(shape=(4, 3))]
    others[1].grad = torch.ones(4, 3)
    optimizer, theirs = Adam(params, fused=True), torch.optim.Adam(others[:1], fused=True)
    plain = torch.optim.Adam(others[1:])
    with pytest.warns(UserWarning, match=r"is torch.float32 on cpu, in a group with fused=True: .*, and 1 more"):
        optimizer.step()
    seen = []

    def step(self, step=Adam._step_by_torch):
        seen.extend((group["fused"], [param is sparse for param in group["params"]]) for group in self.param_groups)
        step(self)

    monkeypatch.setattr(Adam, "_step_by_torch", step)
    optimizer.step()
    assert seen == [(True, [False]), (None, [True])]
    for each in (theirs, plain):
        each.step()
        each.step()
    assert optimizer.fallbacks == 4
    for one, other in zip(params, others, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(base[:, 3], torch.ones(4))
    assert not gpus.launches


def test_differentiable_groups_and_other_types_are_torchs(gpus):
    odd = param_with_grad(dtype=torch.bfloat16)
    beside = param_with_grad()
    optimizer = Adam([odd, beside])
    with pytest.warns(UserWarning, match="is torch.bfloat16 on cpu, neither float32 nor float64.*on the CPU or an NV"):
        optimizer.step()
    assert optimizer.fallbacks == 1
    assert gpus.launches
    assert optimizer.state[beside]["step"] == 1


def test_parameters_that_overlap_are_torchs(gpus):
    base = torch.zeros(8)
    params = [torch.nn.Parameter(base[:5]), torch.nn.Parameter(base[4:])]  # by their last element and their first
    for param in params:
        param.grad = torch.ones_like(param, requires_grad=False)
    optimizer = Adam(params)
    with pytest.warns(UserWarning, match="shares memory with another parameter"):
        optimizer.step()
    assert optimizer.fallbacks == 2
    assert not gpus.launches


@pytest.fixture(params=["CuPy", "a compiler"])
def without(request, gpus, monkeypatch):
    """What is missing."""
    if request.param == "CuPy":

        def none():
            raise ImportError(f"arrays on a GPU need CuPy, which cannot be imported; {cupy_runtime.INSTALL}")

        monkeypatch.setattr(on_gpu, "gpu", none)
        return "need CuPy, which cannot be imported; pip install"
    monkeypatch.setattr(kernels, "of_norms", fail_to_compile)
    return "CuPy could not compile"


def test_without_cupy_torch_steps_and_says_so_once(without, gpus):
    param, other = param_with_grad(), param_with_grad()
    optimizer, theirs = Adam([param]), torch.optim.Adam([other])
    with pytest.warns(UserWarning, match=f"is on cpu, and .*{without}.*: torch's own step"):
        optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    theirs.step()
    theirs.step()
    assert torch.equal(param, other)
    assert optimizer.fallbacks == 2
    assert not gpus.launches
    strict = Adam([param], strict=True)
    with pytest.raises(TypeError, match=f"{without}.*for strict=True"):
        strict.step()
    assert not strict.state


# ---- Errors that change nothing


def test_a_captured_step_is_refused(gpus):
    param = param_with_grad()
    optimizer = Adam([param], strict=True)
    optimizer.step()
    before = contents(optimizer)
    with cupy_runtime.gpu().capture(), pytest.raises(RuntimeError, match="set capturable=True in the parameter groups"):
        optimizer.step()
    assert contents(optimizer) == before
    optimizer.step()


def test_a_kernel_that_does_not_compile_changes_nothing(gpus, monkeypatch):
    params = [param_with_grad(), param_with_grad(shape=(8,))]
    optimizer = Adam(params)
    before = contents(optimizer)
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "of", fail_to_compile)
        with pytest.raises(RuntimeError, match="could not compile"):
            optimizer.step()
    assert contents(optimizer) == before
    assert not optimizer.state
    optimizer.step()
    assert optimizer.fallbacks == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a generator that was interrupted
@pytest.mark.parametrize("is_first", [False, True])
def test_an_interrupt_comes_before_a_step_or_after_it(gpus, is_first):
    def start():
        _, optimizer, _ = on_three_devices()
        for _ in range(not is_first):
            optimizer.step()
        return optimizer

    optimizer = start()
    runs = [contents(optimizer)]
    for _ in range(2):
        optimizer.step()
        runs.append(contents(optimizer))
    count = interrupted(start().step, 10**9)
    seen = set()
    for number in range(count):
        optimizer = start()
        interrupted(optimizer.step, number)
        done = runs.index(contents(optimizer))
        seen.add(done)
        optimizer.step()
        assert contents(optimizer) == runs[done + 1]
    assert seen == {0, 1}


def test_the_numbers_of_torch_are_asked_of_torch(monkeypatch):
    """The questions that the stand-in answers in the other tests."""
    seen = []

    class Stream:
        cuda_stream = 77

    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: seen.append(device) or Stream)
    assert tensor_access.current_stream(1) == 77
    assert seen == [1]
    assert tensor_access.device_of(torch.ones(1)) == tensor_access.CPU
    assert tensor_access.device_of(torch.ones(1, device="meta")) is None

    class OnGpu:
        device = torch.device("cuda", 1)

    assert tensor_access.device_of(OnGpu) == 1
    monkeypatch.setattr(torch.version, "hip", "7.0")  # a torch for AMD's GPUs
    assert tensor_access.device_of(OnGpu) is None
