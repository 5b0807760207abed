"""Steps within backward(): the bits of ordinary steps, without the gradients of all parameters at once."""

import copy
import weakref

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch_params import CLASSES  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.torch import SGD, AdamW, Lion, step_in_backward  # noqa: E402


def model_of(seed=0, dtype=torch.float32):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 5), torch.nn.Linear(5, 6))
    model[3].weight = torch.nn.Parameter(model[3].weight.detach().t().contiguous().t())  # its gradients have other strides
    model[2].weight.requires_grad_(False)  # frozen
    return model.to(dtype)


def loss_of(model, k):
    x = torch.linspace(-1, 1 + k, 24, dtype=model[0].weight.dtype).reshape(4, 6)
    tied = torch.nn.functional.linear(model(x), model[0].weight)  # used twice
    return tied.square().sum()


def groups_of(model):
    first, second = [model[0].weight, *model[2].parameters()], [model[0].bias, *model[3].parameters()]
    return [{"params": first}, {"params": second, "lr": 0.5}]


@pytest.mark.parametrize("cls", [getattr(fastadam.torch, name) for name in CLASSES])
def test_bits_are_those_of_ordinary_steps(cls):
    models = [model_of(), model_of()]
    optimizers = [cls(groups_of(model), lr=0.01) for model in models]
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) for optimizer in optimizers]
    handle = step_in_backward(models[0], optimizers[0])
    for k in range(6):
        for model, optimizer, scheduler in zip(models, optimizers, schedulers, strict=True):
            loss_of(model, k).backward()
            assert all(param.grad is None for param in model.parameters()) == (optimizer is optimizers[0])
            optimizer.step()  # of what was stepped in backward, none
            optimizer.zero_grad()
            scheduler.step()
            optimizer.param_groups[0]["lr"] = 0.1 * k
        if k == 2:  # the state dict is the ordinary one, and a loaded one is used
            dicts = [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers]
            for each in dicts:
                each["state"] = dict(sorted(each["state"].items()))  # it was made from the last parameter to the first
            assert str(dicts[0]) == str(dicts[1])
            for optimizer in optimizers:
                optimizer.load_state_dict(copy.deepcopy(dicts[0]))
        if k == 4:
            handle.remove()
            handle.remove()
            loss_of(models[0], k).backward()
            assert models[0][0].weight.grad is not None
            optimizers[0].zero_grad()
            handle = step_in_backward(models[0], optimizers[0])
        for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(models[0][0].weight, model_of()[0].weight)


def test_gradients_are_gone_before_the_next_ones_come():
    alive, counts = [], []
    model = torch.nn.Sequential(*[torch.nn.Linear(8, 8, bias=False) for _ in range(5)])

    def before(param):
        alive.append(weakref.ref(param.grad))
        counts.append(sum(ref() is not None for ref in alive))

    for param in model.parameters():
        param.register_post_accumulate_grad_hook(before)
    with step_in_backward(model, SGD(model.parameters(), lr=0.1)):
        model(torch.ones(2, 8)).sum().backward()
    assert counts == [1] * 5
    alive.clear()
    model(torch.ones(2, 8)).sum().backward()  # an ordinary one keeps them
    assert counts[5:] == [1, 2, 3, 4, 5]


def test_parameters_of_another_model_are_left_to_the_step():
    one, other = model_of(), model_of(1)
    optimizer = SGD([*one.parameters(), *other.parameters()], lr=0.01)
    step_in_backward(one, optimizer)
    before = other[0].weight.detach().clone()
    (loss_of(one, 0) + loss_of(other, 0)).backward()
    assert torch.equal(other[0].weight, before)
    optimizer.step()
    assert not torch.equal(other[0].weight, before)


def test_what_torch_has_to_step_is_stepped_by_torch():
    models = [model_of(dtype=torch.bfloat16), model_of(dtype=torch.bfloat16)]
    optimizer, theirs = AdamW(groups_of(models[0])), torch.optim.AdamW(groups_of(models[1]))
    step_in_backward(models[0], optimizer)
    with pytest.warns(UserWarning, match=r"param_groups\[1\]\['params'\]\[2\] is torch.bfloat16"):
        loss_of(models[0], 0).backward()
    loss_of(models[1], 0).backward()
    theirs.step()
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(one, other)
    assert optimizer.fallbacks == 5


def test_mistakes():
    model = model_of()
    with pytest.raises(TypeError, match=r"optimizer is a SGD; expected one of fastadam\.torch"):
        step_in_backward(model, torch.optim.SGD(model.parameters()))
    with pytest.raises(ValueError, match=r"parameter '0.bias' is not in the optimizer"):
        step_in_backward(model, Lion([model[0].weight]))
    with pytest.raises(ValueError, match=r"has max_norm=1\.0; expected None"):
        step_in_backward(model, Lion(model.parameters(), max_norm=1.0))
    optimizer = Lion(groups_of(model))
    handle = step_in_backward(model, optimizer)
    optimizer.max_norm = 2.0
    with pytest.raises(ValueError, match=r"has max_norm=2\.0"):
        loss_of(model, 0).backward()
    optimizer.max_norm = None
    optimizer.param_groups[1]["lr"] = -1.0
    with pytest.raises(ValueError, match=r"param_groups\[1\]: lr is -1"):
        loss_of(model, 0).backward()
    optimizer.param_groups[1]["lr"] = 0.1
    last = optimizer.param_groups[1]["params"].pop()
    with pytest.raises(RuntimeError, match=r"param_groups\[1\]\['params'\]\[2\] is no longer the parameter"):
        loss_of(model, 0).backward()
    optimizer.param_groups[1]["params"].append(last)
    assert not optimizer.state
    loss_of(model, 0).backward()
    handle.remove()
    assert optimizer.state
