"""The average of parameters that `ema_decay` keeps in the state."""

import copy
import pickle

import numpy as np
import pytest
from variants import VARIANTS, with_tensors

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch_params import LAYOUTS, in_memory_order, param_with_grad  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.torch import SGD, Adam, AdamW  # noqa: E402


def step(optimizers, value=None):
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for param in group["params"]:
                if value is not None:
                    param.grad = torch.full_like(param, value)
        optimizer.step()


@pytest.mark.parametrize("variant", with_tensors(VARIANTS), ids=str)
def test_bits_are_those_of_the_numpy_optimizers(variant):
    rng = torch.Generator().manual_seed(1)
    params = [torch.nn.Parameter(make(torch.randn(shape, generator=rng))) for shape, make in LAYOUTS.values()]
    params.append(torch.nn.Parameter(torch.randn(3, dtype=torch.complex64, generator=rng)))
    arrays = [in_memory_order(param).copy() for param in params]
    cls, given = variant.kind.cls, {"weight_decay": 0.0} | dict(variant.given)
    ours = getattr(fastadam.torch, cls.__name__)(params, **given, ema_decay=0.75)
    numpys = cls(arrays, **dict(variant.given), ema_decay=0.75)
    for k in range(4):
        for i, param in enumerate(params):
            param.grad = None if (k, i % 3) == (1, 0) else torch.empty_like(param, requires_grad=False).normal_(generator=rng)
        ours.step()
        numpys.step([None if p.grad is None else in_memory_order(p.grad).copy() for p in params])
        if k == 1:
            ours.param_groups[0]["ema_decay"] = numpys.param_groups[0]["ema_decay"] = 0.5
    for param, array, state in zip(params, arrays, numpys.state, strict=True):
        np.testing.assert_array_equal(in_memory_order(param), array)
        np.testing.assert_array_equal(in_memory_order(ours.state[param]["ema"]), state["ema"])
        assert ours.state[param]["ema"].stride() == param.stride()
        assert ours.state[param]["step"] == state["step"]
    assert ours.fallbacks == 0


@pytest.mark.parametrize("cls", [Adam, SGD])
def test_state_dicts_copies_and_pickles_go_on(cls, tmp_path):
    options = {"lr": 0.1, "ema_decay": 0.5}
    first = cls([param_with_grad()], **options)
    step([first] * 3, 1.0)
    torch.save(first.state_dict(), tmp_path / "state")
    loaded = cls([param_with_grad()], **options)
    loaded.param_groups[0]["params"][0].data.copy_(first.param_groups[0]["params"][0])
    loaded.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    others = [first, loaded, copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    step(others, -2.0)
    for other in others:
        (param,) = other.param_groups[0]["params"]
        for name, value in first.state[first.param_groups[0]["params"][0]].items():
            assert torch.equal(other.state[param][name], value), name
        assert other.param_groups[0]["ema_decay"] == 0.5
        assert other.state[param]["step"] == 4


@pytest.mark.parametrize(("cls", "torchs"), [(Adam, torch.optim.Adam), (SGD, torch.optim.SGD)])
def test_torchs_state_dicts_are_taken_and_given(cls, torchs):
    options = {"lr": 0.1} | ({"momentum": 0.5} if cls is SGD else {})
    theirs = torchs([param_with_grad()], **options)
    step([theirs] * 2)
    ours = cls([param_with_grad()], **options, ema_decay=0.75)
    plain = cls([param_with_grad()], **options)
    for optimizer in (ours, plain):
        optimizer.load_state_dict(copy.deepcopy(theirs.state_dict()))
    (param,) = ours.param_groups[0]["params"]
    before, count = param.detach().clone(), 1 if cls is SGD else 2  # SGD of torch does not count
    ours.step()
    assert ours.state[param]["step"] == count + 1
    ema = before.numpy()  # the average so far is the parameter
    fastadam.reference.average_step(ema, param.detach().numpy(), step=count + 1, ema_decay=0.75)
    np.testing.assert_array_equal(ours.state[param]["ema"], ema)
    plain.step()  # all but the average is as without one
    assert torch.equal(param, plain.param_groups[0]["params"][0])
    theirs.load_state_dict(ours.state_dict())
    theirs.step()
    assert ours.fallbacks == 0


def test_groups_have_their_own():
    params = [param_with_grad() for _ in range(4)]
    optimizer = SGD([{"params": params[:1]}, {"params": params[1:2], "ema_decay": None}], ema_decay=0.5)
    optimizer.add_param_group({"params": params[2:3]})
    optimizer.add_param_group({"params": params[3:], "ema_decay": 0.25})
    assert [group["ema_decay"] for group in optimizer.param_groups] == [0.5, None, 0.5, 0.25]
    optimizer.step()
    assert [*map(len, map(optimizer.state.get, params, [()] * 4))] == [2, 0, 2, 2]
    plain = SGD([param_with_grad()])
    assert "ema_decay" not in plain.param_groups[0]  # a state dict without it is torch's
    optimizer.param_groups[1]["ema_decay"] = 0.5  # begins with the next step
    optimizer.step()
    assert torch.equal(optimizer.state[params[1]]["ema"], params[1])


def test_mistakes_change_nothing():
    with pytest.raises(ValueError, match="ema_decay is 1"):
        AdamW([param_with_grad()], ema_decay=1)
    optimizer = AdamW([{"params": [param_with_grad()]}, {"params": [param_with_grad(dtype=torch.bfloat16)]}], ema_decay=0.5)
    with pytest.raises(TypeError, match=r"param_groups\[1\]\['params'\]\[0\] is torch.bfloat16.*for ema_decay; set it to None"):
        optimizer.step()
    optimizer.param_groups[0]["ema_decay"] = 1.5
    with pytest.raises(ValueError, match=r"param_groups\[0\]: ema_decay is 1.5; expected a number in \[0, 1\)"):
        optimizer.step()
    assert not optimizer.state
    late = SGD([param := param_with_grad()], ema_decay=0.5)
    late.step()
    late.param_groups[0]["momentum"] = 0.9
    before = param.detach().clone()
    with pytest.raises(TypeError, match="has taken steps without momentum"):
        late.step()
    assert torch.equal(param, before)
    assert late.state[param]["step"] == 1
    optimizer.param_groups[:] = [optimizer.param_groups[0] | {"ema_decay": 0.5}]
    optimizer.state[optimizer.param_groups[0]["params"][0]] = {"ema": torch.ones(3)}
    with pytest.raises(TypeError, match="or a step that is no count"):
        optimizer.step()
