"""Options that torch's optimizers do not have: of constructors and groups, in state dicts, and where torch has to step."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch_params import param_with_grad  # noqa: E402

from fastadam.torch import SGD, Adam, AdamW, Lion, NAdam, RAdam  # noqa: E402

# Classes with other options, the option, its value as torch steps, and another.
OPTIONS = [(cls, {}, "bias_correction", True, False) for cls in (Adam, AdamW)]
OPTIONS += [(cls, {"weight_decay": 0.5}, "cautious_weight_decay", False, True) for cls in (AdamW, Lion)]
OPTIONS += [(cls, OPTIONS[-1][1] | {"decoupled_weight_decay": True}, *OPTIONS[-1][2:]) for cls in (NAdam, RAdam)]
every_option = pytest.mark.parametrize(("cls", "more", "name", "usual", "other"), OPTIONS)


@every_option
def test_groups_take_it_from_the_constructor_or_have_their_own(cls, more, name, usual, other):
    params = [param_with_grad(-1.0) for _ in range(3)]
    optimizer = cls([{"params": params[:1]}, {"params": params[1:2], name: usual}], lr=0.1, **more, **{name: other})
    optimizer.add_param_group({"params": params[2:]})
    assert [group[name] for group in optimizer.param_groups] == [other, usual, other]
    optimizer.step()
    plain = cls([param_with_grad(-1.0)], lr=0.1, **more)
    plain.step()
    assert torch.equal(params[1], plain.param_groups[0]["params"][0])
    assert torch.equal(params[0], params[2])
    assert not torch.equal(params[0], params[1])


@every_option
def test_state_dicts_of_torch_stay_torchs(cls, more, name, usual, other):
    for optimizer in (cls([param_with_grad()]), cls([param_with_grad()], **{name: usual})):
        assert name not in optimizer.param_groups[0]
    ours = cls([param_with_grad()], **more, **{name: other})
    theirs = cls._torchs([param_with_grad()])
    theirs.step()
    for each in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert each.param_groups[0][name] == other
    ours.load_state_dict(theirs.state_dict())
    assert ours.param_groups[0][name] == other


@every_option
def test_what_torch_would_have_to_step_is_refused(cls, more, name, usual, other):
    optimizer = cls([param_with_grad(dtype=torch.bfloat16)], **more, **{name: other})
    words = rf"\[0\] is torch.bfloat16.*expected tensors that fastadam can step, for {name}; set it to {usual} in this group"
    with pytest.raises(TypeError, match=words):
        optimizer.step()
    assert not optimizer.state
    optimizer.param_groups[0][name] = usual
    with pytest.warns(UserWarning, match="torch's own step"):
        optimizer.step()
    assert optimizer.fallbacks == 1


@every_option
def test_a_value_that_is_no_flag_is_refused(cls, more, name, usual, other):
    with pytest.raises(TypeError, match=f"{name} is 1; expected True or False"):
        cls([param_with_grad()], **{name: 1})
    optimizer = cls([param_with_grad()])
    optimizer.param_groups[0][name] = 0.5
    with pytest.raises(ValueError, match=rf"param_groups\[0\]: {name} is 0.5; expected 0 or 1"):
        optimizer.step()
    with pytest.raises(TypeError, match=name):
        SGD([param_with_grad()], **{name: other})
