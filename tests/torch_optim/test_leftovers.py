"""What the kernels cannot step as it is: torch steps it, or gradients are copied first, or it is refused and unchanged."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch_params import param_with_grad  # noqa: E402

import fastadam  # noqa: E402
from fastadam.torch import SGD, Adam, Lion  # noqa: E402


def aliases():
    base = torch.zeros(8)
    params = [torch.nn.Parameter(base[:5]), torch.nn.Parameter(base[3:])]
    for param in params:
        param.grad = torch.ones_like(param, requires_grad=False)
    return params


def subclass_of_tensor():
    param = type("Odd", (torch.nn.Parameter,), {})(torch.ones(3))
    param.grad = torch.ones(3)
    return [param]


FALLEN_BACK = {
    "bfloat16": (
        lambda: [param_with_grad(dtype=torch.bfloat16)],
        {},
        r"is torch.bfloat16 on cpu, neither float32 nor float64",
    ),
    "float16": (lambda: [param_with_grad(dtype=torch.float16)], {}, r"is torch.float16 on cpu"),
    "overlapping": (aliases, {}, "shares memory with another parameter"),
    "subclass": (subclass_of_tensor, {}, "is a Odd, not a plain tensor"),
    "differentiable": (lambda: [param_with_grad().detach().requires_grad_()], {"differentiable": True}, "differentiable=True"),
}


@pytest.mark.parametrize("kind", FALLEN_BACK)
def test_what_falls_back_is_said_once_counted_and_right(kind):
    make, options, words = FALLEN_BACK[kind]
    params, others, beside, other_beside = make(), make(), param_with_grad(), param_with_grad()
    for param in [*params, *others] if kind == "differentiable" else []:
        param.grad = torch.ones(3)
    optimizer = Adam([{"params": params, **options}, {"params": [beside]}])
    theirs = torch.optim.Adam([{"params": others, **options}, {"params": [other_beside]}])
    run = torch.no_grad() if kind == "differentiable" else torch.enable_grad()
    with run:
        with pytest.warns(UserWarning, match=words):
            optimizer.step()
        optimizer.step()  # no second warning, which would be an error
        theirs.step()
        theirs.step()
    assert optimizer.fallbacks == 2 * len(params)
    for one, other in zip(params, others, strict=True):
        assert torch.equal(one.detach(), other.detach())
    torch.testing.assert_close(beside, other_beside)  # and the native step was taken, once
    assert optimizer.state[beside]["step"] == 2


@pytest.mark.parametrize("kind", FALLEN_BACK)
def test_strict_refuses_and_changes_nothing(kind):
    make, options, words = FALLEN_BACK[kind]
    params, beside = make(), param_with_grad()
    for param in params if kind == "differentiable" else []:
        param.grad = torch.ones(3)
    for more, asked in (({"strict": True}, {}), ({}, {"max_norm": 1.0})):
        optimizer = Adam([{"params": [beside]}, {"params": params, **options}], **more)
        with pytest.raises(TypeError, match=rf"param_groups\[1\]\['params'\]\[0\] .*{words}.*expected tensors"):
            optimizer.step(**asked)
        assert not optimizer.state
        assert torch.equal(beside, torch.ones(3))


def test_listed_twice_is_as_with_torch():
    one, other = param_with_grad(), param_with_grad()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizers = SGD([one, one], lr=0.1), torch.optim.SGD([other, other], lr=0.1)
    with pytest.warns(UserWarning, match="or is listed twice"):
        optimizers[0].step()
    optimizers[1].step()
    assert torch.equal(one, other)


def test_fused_refuses_what_torchs_refuses():
    for make in (lambda: param_with_grad(dtype=torch.complex64), lambda: param_with_grad(dtype=torch.complex128)):
        for cls in (Adam, SGD):
            param = make()
            with (
                pytest.warns(UserWarning, match="torch's own step"),
                pytest.raises(RuntimeError, match="floating point Tensors"),
            ):
                cls([param], fused=True).step()
            assert torch.equal(param, torch.ones(3, dtype=param.dtype))
    with pytest.raises(RuntimeError, match="cannot be `True` together"):
        Adam([param_with_grad()], fused=True, foreach=True)
    Adam([param_with_grad()], fused=True).step()
    Adam([param_with_grad()], foreach=True).step()


def test_capturable_is_torchs_own_error():
    param = param_with_grad()
    with pytest.warns(UserWarning, match="capturable=True"), pytest.raises(AssertionError, match="capturable"):
        Adam([param], capturable=True).step()
    assert torch.equal(param, torch.ones(3))


def test_meta_tensors_change_nothing():
    param = torch.nn.Parameter(torch.ones(3, device="meta"))
    param.grad = torch.ones(3, device="meta")
    optimizer = Adam([param])
    with pytest.warns(UserWarning, match="on meta"):
        optimizer.step()
    assert optimizer.fallbacks == 1


# ---- Gradients that are not what they seem


def test_gradients_that_share_memory_are_copied_first():
    for make in (
        lambda param, optimizer: param.data,
        lambda param, optimizer: optimizer.state[param]["exp_avg"],
        lambda param, optimizer: optimizer.state[param]["exp_avg_sq"],
    ):
        params = [param_with_grad(), param_with_grad()]
        optimizers = [Adam([param]) for param in params]
        for param, optimizer in zip(params, optimizers, strict=True):
            optimizer.step()
            param.grad = make(param, optimizer)
        params[1].grad = params[1].grad.clone()
        for optimizer in optimizers:
            optimizer.step()
        assert torch.equal(*params)
        assert optimizers[0].fallbacks == 0


def lazy_gradients():
    """Gradients whose numbers are not those in their memory; the first is dense, which only as_strided makes."""
    z = torch.tensor([1 + 2j, 3 - 4j, -5 + 6j]).conj()
    yield torch.as_strided(z.imag, (3,), (1,))
    yield z.imag
    yield z.imag[1:2].reshape(())
    yield z
    yield z.reshape(3, 1)


@pytest.mark.parametrize("k", range(5))
@pytest.mark.parametrize("cls", [SGD, Adam, Lion])
def test_lazy_negatives_and_conjugates_are_resolved(k, cls):
    grad = [*lazy_gradients()][k]
    params = [torch.nn.Parameter(torch.zeros(grad.shape, dtype=grad.dtype)) for _ in range(2)]
    for param, given in zip(params, (grad, grad.resolve_conj().resolve_neg().clone()), strict=True):
        optimizer = cls([param], lr=0.1)
        for _ in range(2):
            param.grad = given
            optimizer.step()
        assert optimizer.fallbacks == 0
    assert torch.equal(*params)
    assert params[0].abs().sum() > 0


@pytest.mark.parametrize("k", range(3))
def test_lazy_negatives_are_resolved_for_numpy_optimizers_too(k):
    grad = [*lazy_gradients()][k].reshape(-1)
    arrays = [np.zeros(len(grad), np.float32) for _ in range(2)]
    if grad.is_contiguous():
        fastadam.SGD(arrays[0], lr=0.1).step(grad)
        fastadam.SGD(arrays[1], lr=0.1).step(grad.resolve_neg().numpy())
        np.testing.assert_array_equal(*arrays)
        assert fastadam.global_norm([-grad]) == fastadam.global_norm([grad])
    if k == 0:
        with pytest.raises(ValueError, match="params is a lazy negative"):
            fastadam.SGD(grad)


def test_state_of_another_layout_is_torchs():
    param = param_with_grad(shape=(3, 4))
    optimizer = Adam([param])
    optimizer.step()
    optimizer.state[param]["exp_avg"] = optimizer.state[param]["exp_avg"].t().contiguous().t()
    with pytest.warns(UserWarning, match="has state of another layout"):
        optimizer.step()
    assert optimizer.state[param]["step"] == 2
    del optimizer.state[param]["exp_avg_sq"]
    with pytest.raises(KeyError, match="exp_avg_sq"):  # torch's own words
        optimizer.step()
