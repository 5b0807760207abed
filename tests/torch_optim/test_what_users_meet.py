"""What users and trainers do with an optimizer of torch beside stepping it: hooks, scalers, compilers, mistakes."""

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.optim.optimizer import register_optimizer_step_post_hook  # noqa: E402
from torch_params import CLASSES, param_with_grad  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.torch import SGD, Adam, AdamW, NAdam  # noqa: E402


def test_importing_the_package_does_not_import_torch(run_python):
    program = "import sys, fastadam; before = 'torch' in sys.modules; from fastadam import torch; print(before, torch.AdamW)"
    assert run_python(program) == "False <class 'fastadam.torch.AdamW'>"


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_one_of_torchs(name):
    optimizer = getattr(fastadam.torch, name)([param_with_grad()])
    assert isinstance(optimizer, getattr(torch.optim, name, torch.optim.Optimizer))
    assert type(optimizer).__module__ == "fastadam.torch"
    assert optimizer._step_supports_amp_scaling
    optimizer.step()
    assert optimizer.fallbacks == 0


# ---- Hooks and the profiler


def hooks(optimizer, log):
    optimizer.register_step_pre_hook(lambda *_: log.append("pre"))
    optimizer.register_step_post_hook(lambda *_: log.append("post"))


class Subclass(AdamW):
    def step(self, closure=None):
        self.log.append("in")
        return super().step(closure)


@pytest.mark.parametrize("cls", [AdamW, Subclass])
def test_hooks_run_once(cls):
    AdamW([param_with_grad()]).step()  # so that torch has seen the class
    optimizer = cls([param_with_grad()])
    optimizer.log = log = []
    hooks(optimizer, log)
    optimizer.step()
    optimizer.step()
    assert [entry for entry in log if entry != "in"] == ["pre", "post"] * 2
    optimizer.register_step_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    optimizer._optimizer_step_pre_hooks.popitem()
    log.clear()
    optimizer.step()
    assert "pre" in log  # an error in a hook does not switch the others off


def test_global_hooks_and_hooks_that_change_arguments():
    log, optimizer = [], SGD([param_with_grad()])
    handle = register_optimizer_step_post_hook(lambda *_: log.append("global"))
    optimizer.register_step_pre_hook(lambda self, args, kwargs: ((self, lambda: "changed"), {}))
    assert optimizer.step() == "changed"
    handle.remove()
    optimizer.step()
    assert log == ["global"]


def test_a_profiler_sees_steps_with_their_names():
    optimizer = Adam([param_with_grad()])
    optimizer.step()
    with torch.autograd.profiler.profile() as profile:
        optimizer.step()
    assert "Optimizer.step#Adam.step" in {event.name for event in profile.function_events}


def test_compiled_training_has_the_bits_of_the_uncompiled():
    def train(compiled):
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 2)
        optimizer = AdamW(model.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()

        run = torch.compile(step, backend="eager") if compiled else step
        for k in range(3):
            run(torch.full((3, 4), float(k)))
        assert optimizer.fallbacks == 0
        assert all(state["step"] == 3 for state in optimizer.state.values())
        return model.weight

    assert torch.equal(train(True), train(False))


# ---- Scaled gradients


@pytest.mark.parametrize("unscale", [False, True])
def test_a_grad_scaler_scales_and_skips_and_leaves_gradients(unscale):
    params, arrays = [param_with_grad()], [np.ones(3, np.float32)]
    optimizer, numpys = AdamW(params), fastadam.AdamW(arrays)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(())).item()
    for value in (3.0, float("inf"), -2.0):
        params[0].grad.fill_(value * 1024)
        if unscale:
            scaler.unscale_(optimizer)
        grad = params[0].grad.clone()
        scaler.step(optimizer)
        assert torch.equal(params[0].grad, grad)
        if np.isfinite(value):
            numpys.step([grad.numpy()], grad_scale=1.0 if unscale else 1 / 1024)
        scaler.update(1024.0)
        np.testing.assert_array_equal(params[0].detach().numpy(), arrays[0])
    assert optimizer.state[params[0]]["step"] == 2


def test_scaled_gradients_of_parameters_that_torch_steps():
    one, other = param_with_grad(dtype=torch.bfloat16), param_with_grad(dtype=torch.bfloat16)
    optimizer = SGD([one], lr=0.1)
    optimizer.grad_scale, optimizer.found_inf = torch.tensor(4.0), torch.tensor(0.0)
    with pytest.warns(UserWarning, match=r"is torch.bfloat16 on cpu"):
        optimizer.step()
    other.grad /= 4
    torch.optim.SGD([other], lr=0.1).step()
    assert torch.equal(one, other)
    assert torch.equal(one.grad, torch.full((3,), 0.5, dtype=torch.bfloat16))
    assert optimizer.grad_scale == 4


# ---- Mistakes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": -1.0}, "lr is -1; expected a finite number >= 0"),
        ({"betas": (22.0, 0.9)}, "beta1 is 22; expected a number in"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"eps": -1}, "eps is -1"),
    ],
)
def test_options_that_torch_does_not_check_are_refused(changes, words):
    params = [param_with_grad(), param_with_grad()]
    optimizer = Adam([{"params": params[:1]}, {"params": params[1:]}])
    optimizer.param_groups[1].update(changes)
    with pytest.raises(ValueError, match=rf"param_groups\[1\]: {words}"):
        optimizer.step()
    assert not optimizer.state
    assert all(torch.equal(param, torch.ones(3)) for param in params)
    optimizer.param_groups[1].update(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    optimizer.step()
    assert optimizer.fallbacks == 0


def test_two_threads_do_not_step_at_once():
    optimizer = NAdam([param_with_grad(shape=(3_000_000,))])
    optimizer.step()
    errors = []

    def run():
        for _ in range(20):
            try:
                optimizer.step()
            except RuntimeError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("is being stepped by another thread" in error for error in errors)
    assert optimizer.state[optimizer.param_groups[0]["params"][0]]["step"] == 41 - len(errors)


def test_a_closure_computes_gradients_with_gradients_enabled():
    param = torch.nn.Parameter(torch.ones(3))
    optimizer = AdamW([param])

    def closure():
        optimizer.zero_grad()
        loss = param.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 3.0
    assert optimizer.state[param]["step"] == 1
