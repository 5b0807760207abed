"""Tensors on a GPU are stepped by the package's CUDA kernels, on torch's current stream, with the bits that the CPU gives.

Here on the stand-in for GPUs; tests/gpu/test_torch_optim.py has what only a GPU can show.
"""

import pytest
from variants import BOTH_TYPES, ONE_OF_EACH, VARIANTS, of_both_types, with_tensors

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")

from torch_gpus import STREAM, on_three_devices  # noqa: E402
from torch_params import LAYOUTS, contents, expect_same, in_memory_order, optimizers  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.backends.cuda import cupy_runtime  # noqa: E402
from fastadam.torch import AdamW  # noqa: E402

STEPS = 4


def params_of(rng, dtype=torch.float32):
    params = [torch.nn.Parameter(make(torch.randn(shape, dtype=dtype, generator=rng))) for shape, make in LAYOUTS.values()]
    return [*params, torch.nn.Parameter(torch.randn(3, 2, dtype=dtype.to_complex(), generator=rng).t())]


def expect_the_cpus_bits(variant, gpus, **options):
    """Of steps with and without some gradients, of which some have other strides."""
    rng = torch.Generator().manual_seed(1)
    params = params_of(rng, getattr(torch, variant.dtype))
    ours, numpys = optimizers(variant, params, **options)
    for step in range(STEPS):
        for i, param in enumerate(params):
            param.grad = None if step == 1 and i % 3 == 0 else torch.randn(param.shape, dtype=param.dtype, generator=rng)
            if param.grad is not None and step != 2:
                param.grad = torch.empty_like(param, requires_grad=False).copy_(param.grad)
        before = len(gpus.launches)
        ours.step()
        assert len(gpus.launches) > before
        numpys.step([None if p.grad is None else in_memory_order(torch.empty_like(p).copy_(p.grad)).copy() for p in params])
        expect_same(ours, numpys, params)
    assert gpus.streams == {(0, STREAM)}


@pytest.mark.parametrize("variant", with_tensors(BOTH_TYPES), ids=str)
def test_every_rule_and_option_in_every_layout(variant, gpus):
    expect_the_cpus_bits(variant, gpus)


@pytest.mark.parametrize("variant", with_tensors(of_both_types(ONE_OF_EACH)), ids=str)
@pytest.mark.parametrize("gpus", ["described"], indirect=True)
def test_averages_of_parameters(variant, gpus):
    expect_the_cpus_bits(variant, gpus, ema_decay=0.75)


@pytest.mark.parametrize("gpus", ["table", "described"], indirect=True)
@pytest.mark.parametrize("max_norm", [0.5, 1e9, float("inf")])
def test_clipping_by_norm(gpus, max_norm):
    """The norm is a tensor on the GPU, so that nothing waits for it."""
    rng = torch.Generator().manual_seed(1)
    params = [torch.nn.Parameter(torch.randn(shape, generator=rng)) for shape in [(5, 7), (3000,), (1,)]]
    ours, numpys = optimizers(VARIANTS[0], params)
    for k in range(3):
        for param in params:
            param.grad = torch.randn(param.shape, generator=rng)
        norm = ours.step(max_norm=max_norm)
        assert norm.dtype == torch.float64
        assert norm.shape == ()
        assert norm is ours.last_norm
        assert norm.data_ptr() == gpus.numbers[k].data_ptr()
        assert norm.item() == numpys.step([in_memory_order(param.grad).copy() for param in params], max_norm=max_norm)
        expect_same(ours, numpys, params)


def test_options_and_streams_that_change(gpus, monkeypatch):
    """A new stream gets tables of its own, since what the last one has queued may still read those before."""
    copies, host = [], cupy_runtime.gpu()
    monkeypatch.setattr(host, "copy", lambda values, copy=host.copy: copies.append(values) or copy(values))
    params = [torch.nn.Parameter(torch.arange(size)) for size in (5.0, 3.0, 4.0)]
    arrays = [param.detach().numpy().copy() for param in params]
    ours = AdamW([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], strict=True)
    numpys = fastadam.AdamW([{"params": arrays[:2]}, {"params": arrays[2:], "lr": 0.5}])
    for step in range(6):
        gpus.stream = STREAM + 16 * (step // 2)
        copied = len(copies)
        for optimizer in (ours, numpys):
            optimizer.param_groups[0]["lr"] = 0.1 * step
            optimizer.param_groups[1]["maximize"] = step % 2 == 0
        for param in params:
            param.grad = torch.full_like(param, 1.0 + step)
        ours.step()
        numpys.step([param.grad.numpy() for param in params])
        assert (0, gpus.stream) in gpus.streams
        assert (len(copies) > copied) == (step % 2 == 0)
        expect_same(ours, numpys, params)


# ---- Several devices


@pytest.mark.parametrize("gpus", ["table", "described"], indirect=True)
def test_an_optimizer_of_tensors_on_several_devices(gpus):
    params, ours, numpys = on_three_devices()
    for step in range(3):
        for param in params:
            param.grad = torch.full_like(param, step - 0.5)
        ours.step()
        numpys.step([param.grad.numpy().reshape(-1) for param in params])
        expect_same(ours, numpys, params)
    assert gpus.streams == {(0, STREAM), (1, STREAM + 1)}
    assert cupy_runtime.gpu().current() == 0
    before = contents(ours)
    with pytest.raises(TypeError, match=r"\[1\] is torch.float32 on cpu, another type or device.*clip_grad_norm_"):
        ours.step(max_norm=1.0)
    assert contents(ours) == before


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_what_one_device_refuses_changes_nothing_on_the_others(gpus, refused):
    params, ours, _ = on_three_devices()
    ours.step()
    ours.state[params[refused]]["exp_avg"] = torch.zeros(3)
    before, launched = contents(ours), gpus.launches
    with pytest.raises(TypeError, match=rf"\['params'\]\[{refused}\] has state of another layout"):
        ours.step()
    assert contents(ours) == before
    assert gpus.launches == launched


@pytest.mark.parametrize("aliased", [0, 1, 2])
def test_gradients_that_share_memory_are_copied_first(gpus, aliased):
    params, ours, numpys = on_three_devices()
    memory = torch.cat([torch.full((1,), 0.25), params[aliased].detach()])
    params[aliased].data, params[aliased].grad = memory[1:], memory[:-1]  # each element's gradient is the one before it
    grads = [param.grad.numpy().reshape(-1).copy() for param in params]
    ours.step()
    numpys.step(grads)
    expect_same(ours, numpys, params)


@pytest.mark.parametrize("failing", [0, 1])
def test_a_launch_that_fails_counts_nothing(gpus, monkeypatch, failing):
    """And leaves CuPy's current device and streams as they were. What was launched before it has been done."""
    params, ours, numpys = on_three_devices()
    host = cupy_runtime.gpu()

    def run(kernel, launch, run=host.run):
        if launch.device == failing:
            raise RuntimeError("cudaErrorIllegalAddress")
        run(kernel, launch)

    ours.step()
    numpys.step([param.grad.numpy().reshape(-1) for param in params])
    with monkeypatch.context() as patch:
        patch.setattr(host, "run", run)
        with pytest.raises(RuntimeError, match="cudaErrorIllegalAddress"):
            ours.step()
    assert host.current() == 0
    assert host._streams == [0, 0]
    assert [ours.state[param]["step"] for param in params] == [1] * 6
    if failing == 0:
        expect_same(ours, numpys, params)
