"""What PyTorch's tensors become has the bits that the same arrays of NumPy have, in every layout, by every rule and option."""

import numpy as np
import pytest
from variants import BOTH_TYPES, ONE_OF_EACH, VARIANTS, with_tensors

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch_params import LAYOUTS, expect_same, in_memory_order, optimizer_of, optimizers  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.torch import tensor_access  # noqa: E402

STEPS = 4


@pytest.fixture(params=["table", "described"])
def access(request, monkeypatch):
    """With DLPack's table, and as for a torch without it."""
    if request.param == "table":
        assert hasattr(torch.Tensor, "__dlpack_c_exchange_api__")
    else:
        monkeypatch.setattr(tensor_access, "TABLE", None)


@pytest.mark.parametrize("variant", with_tensors(BOTH_TYPES), ids=str)
def test_every_rule_and_option_in_every_layout(variant, access):
    rng, dtype = torch.Generator().manual_seed(1), getattr(torch, variant.dtype)
    params = [torch.nn.Parameter(make(torch.randn(shape, dtype=dtype, generator=rng))) for shape, make in LAYOUTS.values()]
    params.append(torch.nn.Parameter(torch.randn(3, 2, dtype=dtype.to_complex(), generator=rng).t()))
    assert {param.dtype for param in params} == {dtype, dtype.to_complex()}
    assert not params[2].is_contiguous()
    ours, numpys = optimizers(variant, params)
    for step in range(STEPS):
        for i, param in enumerate(params):
            param.grad = None if step == 1 and i % 3 == 0 else torch.randn(param.shape, dtype=param.dtype, generator=rng)
            if param.grad is not None and step != 2:  # in step 2 some have other strides than their parameters
                param.grad = torch.empty_like(param, requires_grad=False).copy_(param.grad)
        grads = [None if p.grad is None else in_memory_order(torch.empty_like(p).copy_(p.grad)).copy() for p in params]
        before = [None if p.grad is None else p.grad.clone() for p in params]
        ours.step()
        numpys.step(grads)
        assert all(p.grad is None or torch.equal(p.grad, old) for p, old in zip(params, before, strict=True))
        expect_same(ours, numpys, params)


@pytest.mark.parametrize("variant", with_tensors(ONE_OF_EACH), ids=str)
def test_parameters_of_several_types_in_a_group(variant):
    """One after the other: each type as if it were alone, in whatever order they are, with options that change in between."""
    rng = torch.Generator().manual_seed(1)
    types = [torch.float64, torch.float32, torch.complex128, torch.float32, torch.float64, torch.complex64]
    params = [torch.nn.Parameter(torch.randn(37 + i, dtype=each, generator=rng)) for i, each in enumerate(types)]
    kinds = [[param for param in params if param.dtype.to_real() == real] for real in (torch.float32, torch.float64)]
    ours = optimizer_of(variant, params)
    numpys = [variant.make([in_memory_order(param).copy() for param in kind]) for kind in kinds]
    for step in range(STEPS):
        for i, param in enumerate(params):
            param.grad = None if step == 1 + i % 2 else torch.randn(param.shape, dtype=param.dtype, generator=rng)
        ours.param_groups[0]["lr"] = lr = 0.25 / (step + 1)
        ours.step()
        for kind, optimizer in zip(kinds, numpys, strict=True):
            optimizer.lr = lr
            optimizer.step([None if p.grad is None else in_memory_order(p.grad) for p in kind])
            expect_same(ours, optimizer, kind)


def test_options_that_are_for_one_type_alone():
    """A rate that float32 would round to 1 is one for float64; whoever has parameters of float32 too is told."""
    param, other = (torch.nn.Parameter(torch.ones(3, dtype=each)) for each in (torch.float64, torch.float32))
    for each in (param, other):
        each.grad = torch.ones_like(each)
    fine = fastadam.torch.Adam([{"params": [param], "betas": (0.9, 1 - 1e-12)}])
    fine.step()
    array = np.ones(3)
    fastadam.Adam(array, betas=(0.9, 1 - 1e-12)).step(np.ones(3))
    np.testing.assert_array_equal(param.detach().numpy(), array)
    fine.param_groups[0]["params"].append(other)
    with pytest.raises(ValueError, match=r"param_groups\[0\]: beta2 is 0.9999"):
        fine.step()
    np.testing.assert_array_equal(param.detach().numpy(), array)
    assert torch.equal(other, torch.ones(3))


def test_a_norm_over_several_types_is_refused():
    params = [torch.nn.Parameter(torch.ones(3, dtype=each)) for each in (torch.float32, torch.float64)]
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer = fastadam.torch.SGD(params, lr=0.5)
    words = r"\[1\] is torch.float64 on cpu, another type or device than the first parameter's.*clip_grad_norm_"
    with pytest.raises(TypeError, match=words):
        optimizer.step(max_norm=1.0)
    assert all(torch.equal(param, torch.ones_like(param)) for param in params)
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    assert not any(torch.equal(param, torch.ones_like(param)) for param in params)


@pytest.mark.parametrize("variant", [VARIANTS[0]], ids=str)
@pytest.mark.parametrize("options", [{"max_norm": 0.5}, {"max_norm": 1e9}, {"max_norm": float("inf")}], ids=str)
def test_clipping_by_norm(variant, options, access):
    rng = torch.Generator().manual_seed(1)
    params = [torch.nn.Parameter(make(torch.randn(shape, generator=rng))) for shape, make in LAYOUTS.values()]
    ours, numpys = optimizers(variant, params)
    for use_attribute in (False, True):
        for param in params:
            param.grad = torch.empty_like(param, requires_grad=False).normal_(generator=rng)
        if use_attribute:
            ours.max_norm = options["max_norm"]
        norm = ours.step() if use_attribute else ours.step(**options)
        assert norm == ours.last_norm == numpys.step([in_memory_order(param.grad).copy() for param in params], **options)
        expect_same(ours, numpys, params)
        assert ours.step(lambda: "loss") == "loss"  # with a closure, the norm is in the attribute alone
        numpys.step([in_memory_order(param.grad).copy() for param in params], **(options if use_attribute else {}))
    with pytest.raises(ValueError, match="max_norm is 0"):
        ours.step(max_norm=0)


@pytest.mark.parametrize("threads", [(1, 8), (8, 1), (2, 2)])
def test_threads_are_the_smaller_of_both_numbers_and_change_nothing(threads, restore_threads):
    torchs, ours = threads
    torch.set_num_threads(torchs)
    fastadam.set_num_threads(ours)
    params = [torch.nn.Parameter(torch.arange(200_000.0))]
    optimizer, numpys = optimizers(VARIANTS[0], params)
    params[0].grad = torch.ones(200_000)
    optimizer.step()
    numpys.step([np.ones(200_000, np.float32)])
    expect_same(optimizer, numpys, params)


@pytest.fixture
def restore_threads():
    before = torch.get_num_threads(), fastadam.get_num_threads()
    yield
    torch.set_num_threads(before[0])
    fastadam.set_num_threads(before[1])


def test_options_that_change_in_every_step():
    """By schedulers or by hand, as numbers or as tensors: the bits are those of a NumPy optimizer set to the same values."""
    params = [torch.nn.Parameter(torch.arange(5.0)), torch.nn.Parameter(torch.arange(3.0))]
    ours = fastadam.torch.AdamW([{"params": [params[0]]}, {"params": [params[1]], "lr": torch.tensor(0.5)}])
    arrays = [param.detach().numpy().copy() for param in params]
    numpys = fastadam.AdamW([{"params": [arrays[0]]}, {"params": [arrays[1]], "lr": 0.5}])
    cycle = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(ours, 3)
    for step in range(7):
        ours.param_groups[0]["weight_decay"] = 0.1 * step
        ours.param_groups[1]["betas"] = (torch.tensor(0.5), torch.tensor(0.25 * (step % 3)))
        ours.param_groups[1]["amsgrad"] = False
        for group, theirs in zip(ours.param_groups, numpys.param_groups, strict=True):
            theirs["lr"], theirs["weight_decay"] = float(group["lr"]), group["weight_decay"]
            theirs["betas"] = tuple(map(float, group["betas"]))
        for param in params:
            param.grad = torch.full_like(param, 1.0 + step)
        ours.step()
        numpys.step([param.grad.numpy() for param in params])
        cycle.step()
        expect_same(ours, numpys, params)
