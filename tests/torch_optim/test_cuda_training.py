"""Training with tensors on a GPU, here the stand-in: state dicts that go to the CPU and back, hooks, scalers, backward()."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")

from torch_gpus import STREAM, fail_to_compile  # noqa: E402
from torch_params import contents, expect_same, param_with_grad, plain  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.backends.cuda import kernels  # noqa: E402
from fastadam.torch import SGD, Adam, AdamW, NAdam, step_in_backward  # noqa: E402


@pytest.mark.parametrize("cls", [SGD, AdamW, NAdam])
def test_state_dicts_go_from_gpus_to_cpus_and_back(gpus, cls):
    options = {"momentum": 0.9} if cls is SGD else {}
    on_gpu, on_cpu = param_with_grad(shape=(5,)), param_with_grad(shape=(8,))
    wholes = param_with_grad(shape=(5,))  # of a run without changes
    runs = [cls([param], lr=0.1, strict=True, **options) for param in (on_gpu, on_cpu, wholes)]
    torchs = getattr(torch.optim, cls.__name__)([param_with_grad(shape=(5,))], lr=0.1, **options)
    for k in range(6):
        run, param = (runs[0], on_gpu) if k % 2 == 0 else (runs[1], on_cpu)
        before = len(gpus.launches)
        run.step()
        assert (len(gpus.launches) > before) == (k % 2 == 0)
        runs[2].step()
        saved = copy.deepcopy(run.state_dict())
        state = saved["state"][0]
        torchs.load_state_dict(copy.deepcopy(saved))
        assert plain(torchs.state_dict()["state"]) == plain(saved["state"])
        values = param.detach().clone()
        for name, value in state.items():
            if value.ndim:  # the two have other lengths here, by which the stand-in tells them
                state[name] = value[:5] if k % 2 else torch.cat([value, value[:3]])
        other, its = (runs[1], on_cpu) if k % 2 == 0 else (runs[0], on_gpu)
        its.data.copy_(values[:5] if k % 2 else torch.cat([values, values[:3]]))
        other.load_state_dict(saved)
    assert contents(runs[0]) == contents(runs[2])


@pytest.mark.parametrize("name", ["step", "mu_product"])
def test_counts_that_a_state_dict_has_brought_to_the_gpu_are_taken_back(gpus, monkeypatch, name):
    """As torch's load_state_dict brings NAdam's product there, and leaves step counts of fused optimizers there."""
    params = [param_with_grad(), param_with_grad()]
    runs = [NAdam([param], strict=True) for param in params]
    for run in runs:
        run.step()
    state = runs[0].state[params[0]]
    state[name] = state[name].reshape(1)  # which the stand-in says is on the GPU
    before = contents(runs[0])
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "of", fail_to_compile)
        with pytest.raises(RuntimeError, match="could not compile"):
            runs[0].step()
    assert contents(runs[0]) == before
    for run in runs:
        run.step()
        run.step()
    assert contents(runs[0]) == contents(runs[1])


def test_nothing_is_kept_that_another_optimizer_would_need(gpus):
    """Deep copies and pickles go on, each by itself."""
    param = param_with_grad()
    optimizer = Adam([param], strict=True)
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    for each in (optimizer, twin):
        each.param_groups[0]["params"][0].grad = torch.full((3,), 0.25)
        each.step()
    assert torch.equal(param, twin.param_groups[0]["params"][0])


# ---- What trainers do


def test_frozen_parameters_hooks_and_closures(gpus):
    params = [param_with_grad(), param_with_grad()]
    params[1].requires_grad_(False)
    params[1].grad = None
    optimizer, log = Adam(params, strict=True), []
    optimizer.register_step_pre_hook(lambda *_: log.append("pre"))
    optimizer.register_step_post_hook(lambda *_: log.append("post"))
    assert optimizer.step(lambda: "loss") == "loss"
    assert log == ["pre", "post"]
    assert torch.equal(params[1], torch.ones(3))
    assert list(optimizer.state) == params[:1]
    assert gpus.launches


def test_a_grad_scaler_scales_and_skips(gpus):
    params, arrays = [param_with_grad()], [np.ones(3, np.float32)]
    optimizer, numpys = AdamW(params, strict=True), fastadam.AdamW(arrays)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(())).item()
    for value in (3.0, float("inf"), -2.0):
        params[0].grad = torch.full((3,), value * 1024)
        launched = len(gpus.launches)
        scaler.step(optimizer)
        assert (len(gpus.launches) > launched) == np.isfinite(value)
        if np.isfinite(value):
            numpys.step([params[0].grad.numpy()], grad_scale=1 / 1024)
        scaler.update(1024.0)
        expect_same(optimizer, numpys, params)
    assert optimizer.state[params[0]]["step"] == 2


def test_steps_in_backward(gpus):
    models = [torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    runs = [AdamW(model.parameters(), strict=True) for model in models]
    with step_in_backward(models[0], runs[0]):
        for _ in range(3):
            for model in models:
                model(torch.linspace(-1, 1, 8).reshape(2, 4)).square().sum().backward()
            runs[1].step()
            runs[1].zero_grad()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
    assert gpus.streams == {(0, STREAM)}


def test_a_stale_backward_raises(gpus):
    weight = torch.nn.Parameter(torch.ones(3))
    loss = (weight * weight).sum()
    loss.backward(retain_graph=True)
    SGD([weight], lr=0.1, strict=True).step()
    assert weight._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
