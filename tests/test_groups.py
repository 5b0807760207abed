"""Parameter groups, hyperparameters that change between steps, schedules, and parameters without a gradient.

An optimizer of groups gives the bits of one optimizer for each group; those are judged by the reference elsewhere.
"""

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything, refuses
from variants import KINDS, ONE_OF_EACH

import fastadam

STORAGE = {"state_dtype", "master", "seed"}
SIZES = [3, 0, 70, 1, 257]

every_rule = pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)


def random_arrays(rng, sizes=SIZES):
    return [rng.standard_normal(size).astype(F32) for size in sizes]


def assert_same_state(optimizers, expected):
    """Of lists of (parameters, optimizer): the parameters and all state, in order."""
    for (params, states), (other_params, other_states) in zip(optimizers, expected, strict=True):
        for param, state, other, other_state in zip(params, states, other_params, other_states, strict=True):
            assert_same_bits(param, other)
            assert state.keys() == other_state.keys()
            assert state["step"] == other_state["step"]
            for name in state.keys() - {"step"}:
                assert_same_bits(state[name], other_state[name], name)


@every_rule
@pytest.mark.parametrize("threads", [1, 3])
def test_groups_give_the_bits_of_optimizers_of_their_own(variant, threads, isa, eager_threads):
    """With options that differ in what a step computes: maximize and decay choose other kernels."""
    rng = np.random.default_rng(0)
    params = [random_arrays(rng) for _ in range(3)]
    copies = [[param.copy() for param in group] for group in params]
    options = [{}, {"lr": 0.5, "maximize": False, "weight_decay": 0.0}, {"weight_decay": 0.25, "ema_decay": 0.9}]
    groups = variant.make([{"params": group, **some} for group, some in zip(params, options, strict=True)])
    apart = [variant.make(group, **some) for group, some in zip(copies, options, strict=True)]
    for _ in range(4):
        grads = [random_arrays(rng) for _ in params]
        groups.step([grad for group in grads for grad in group], num_threads=threads)
        for optimizer, some in zip(apart, grads, strict=True):
            optimizer.step(some, num_threads=threads)
    states = [groups.state[5 * i : 5 * i + 5] for i in range(3)]
    assert_same_state(zip(params, states, strict=True), [(c, o.state) for c, o in zip(copies, apart, strict=True)])
    assert [group["lr"] for group in groups.param_groups] == [optimizer.lr for optimizer in apart]


@pytest.mark.parametrize("amsgrad", [(True, False), (False, True)])
def test_groups_may_differ_in_their_state(amsgrad):
    params = random_arrays(np.random.default_rng(0), [4, 5])
    optimizer = fastadam.Adam([{"params": p, "amsgrad": a} for p, a in zip(params, amsgrad, strict=True)])
    assert ["max_exp_avg_sq" in state for state in optimizer.state] == [*amsgrad]
    with pytest.raises(ValueError, match=r"amsgrad differs between groups: .*param_groups\[i\]"):
        _ = optimizer.amsgrad


def test_groups_of_one_array_a_mapping_and_an_iterator():
    one, two, three = random_arrays(np.random.default_rng(0), [1, 2, 3])
    optimizer = fastadam.Adam(iter([{"params": one}, {"params": {"w": two}, "lr": 0.5}, {"params": iter([three])}]))
    optimizer.step([np.ones(size, F32) for size in (1, 2, 3)])
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 1, 1]
    assert optimizer.param_groups[1]["params"][0] is two
    assert [int(state["step"]) for state in optimizer.state] == [1, 1, 1]
    bad = [np.ones(1, F32), np.ones(1, F32), np.ones(3, F32)]
    words = ("grads[1] has shape (1,)", "expected (2,), the shape of params[1]['params']['w']")
    refuses(lambda: optimizer.step(bad), ValueError, words, [one, two, three], optimizer)


LATER = {"bias_correction", "cautious_weight_decay"}


def test_a_group_is_a_mapping():
    param = np.ones(2, F32)
    optimizer = fastadam.AdamW([{"params": [param], "lr": 0.5}])
    (group,) = optimizer.param_groups
    assert dict(group)["params"][0] is param
    assert {"params", "lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "ema_decay"} == {*group} - STORAGE - LATER
    assert len(group) == 8 + len(STORAGE | LATER)
    assert "lr" in group
    assert "decoupled_weight_decay" not in group  # the class says it
    group["lr"] *= 0.5
    group.update(eps=0.125, betas=[0.5, 0.75])
    assert (optimizer.lr, optimizer.eps, optimizer.betas) == (0.25, 0.125, (0.5, 0.75))
    assert "lr': 0.25" in repr(group)
    with pytest.raises(TypeError, match="cannot be deleted"):
        del group["lr"]


def test_what_is_set_holds_from_the_next_step():
    params = random_arrays(np.random.default_rng(0), [4, 4, 4])
    copies = [param.copy() for param in params]
    optimizer = fastadam.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.25)
    grads = [np.ones(4, F32) for _ in params]
    optimizer.step(grads)
    optimizer.param_groups[1]["lr"] = 1.0
    optimizer.step(grads)
    optimizer.lr = 0.125
    optimizer.step(grads)
    for param, copy, total in zip(params, copies, [(0.25, 0.25, 0.125), *[(0.5, 1.0, 0.125)] * 2], strict=True):
        for lr in total:
            copy -= F32(lr)
        assert_same_bits(param, copy)


@every_rule
def test_an_added_group_gives_the_bits_of_one_that_was_there(variant):
    """Its parameters had no gradients before."""
    rng = np.random.default_rng(0)
    old, new = random_arrays(rng), random_arrays(rng)
    old_copies, new_copies = [[param.copy() for param in some] for some in (old, new)]
    growing = variant.make(old)
    whole = variant.make([{"params": old_copies}, {"params": new_copies, "lr": 0.5}])
    for t in range(6):
        if t == 3:
            growing.add_param_group({"params": new, "lr": 0.5})
        grads = random_arrays(rng, 2 * SIZES)
        growing.step(grads if t >= 3 else grads[:5])
        whole.step(grads if t >= 3 else [*grads[:5], *[None] * 5])
    assert [int(state["step"]) for state in growing.state] == [6] * 5 + [3] * 5
    assert_same_state([(old + new, growing.state)], [(old_copies + new_copies, whole.state)])


def test_an_added_group_takes_defaults_as_they_were_set():
    optimizer = fastadam.Adam([np.ones(2, F32)], lr=0.5)
    optimizer.param_groups[0]["eps"] = 0.25  # which is of that group
    optimizer.lr = 0.125
    optimizer.add_param_group({"params": np.ones(3, F32)})
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]
    assert [group["eps"] for group in optimizer.param_groups] == [0.25, 1e-8]


def test_an_added_group_leaves_the_counts_as_they_were():
    optimizer = fastadam.Adam([np.ones(2, F32)])
    optimizer.step([np.ones(2, F32)])
    optimizer.step([np.full(2, np.inf, F32)], skip_nonfinite=True)
    optimizer.add_param_group({"params": np.ones(3, F32)})
    assert (optimizer.step_count, optimizer.skipped_steps) == (2, 1)
    assert [int(state["step"]) for state in optimizer.state] == [1, 0]


def test_a_group_added_to_a_mapping_has_keys():
    params = {"weight": np.ones(3, F32), "bias": np.ones(1, F32)}
    optimizer = fastadam.Adam(params)
    for bad, error, words in [
        ([np.ones(2, F32)], TypeError, ("param_group['params'][0] has no key", "params is a mapping", "new keys")),
        ({"bias": np.ones(2, F32)}, ValueError, ("param_group['params']['bias']", "keys that params has", "['bias']")),
    ]:
        arrays = [*params.values(), *(a for state in optimizer.state.values() for a in state.values())]
        refuses(lambda bad=bad: optimizer.add_param_group({"params": bad}), error, words, arrays, optimizer)
    optimizer.add_param_group({"params": {"scale": np.ones(2, F32)}})
    optimizer.step({"weight": None, "bias": None, "scale": np.ones(2, F32)})
    assert {key: int(state["step"]) for key, state in optimizer.state.items()} == {"weight": 0, "bias": 0, "scale": 1}


@every_rule
def test_a_bad_value_in_one_of_several_groups_changes_none(variant):
    params = random_arrays(np.random.default_rng(0), [3, 3])
    optimizer = variant.make([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}])
    optimizer.step(random_arrays(np.random.default_rng(1), [3, 3]))
    for change in (lambda: setattr(optimizer, "lr", -1), lambda: optimizer.param_groups[1].update(lr=-1)):
        refuses(change, ValueError, ("lr is -1", "expected"), everything(optimizer, params), optimizer)


@every_rule
def test_no_gradient_leaves_a_parameter_alone(variant, isa):
    rng = np.random.default_rng(0)
    params = random_arrays(rng)
    copies = [param.copy() for param in params]
    together, alone = variant.make(params), [variant.make(copy) for copy in copies]
    for t in range(5):
        grads = [None if (t + i) % 3 == 0 else grad for i, grad in enumerate(random_arrays(rng))]
        together.step(grads)
        for optimizer, grad in zip(alone, grads, strict=True):
            optimizer.step(grad)
    assert_same_state([(params, together.state)], [(copies, [optimizer.state for optimizer in alone])])
    assert {int(state["step"]) for state in together.state} == {3, 4}
    before = [param.copy() for param in params]
    together.step([None] * len(params))
    np.testing.assert_equal(params, before)
    assert together.step_count == 6


def test_a_stateless_step_takes_a_gradient():
    arrays = random_arrays(np.random.default_rng(0), [3, 3, 3])
    words = ("grad is a NoneType", "expected a numpy.ndarray")
    refuses(lambda: fastadam.adam_step(arrays[0], None, *arrays[1:], step=1), TypeError, words, arrays)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_repr_is_like_torch_s(kind):
    optimizer = kind.cls([{"params": np.ones(2, F32)}, {"params": np.ones(2, F32), "lr": 0.5}])
    lines = repr(optimizer).splitlines()
    assert lines[:2] == [f"{kind.cls.__name__} (", "Parameter Group 0"]
    assert lines[-1] == ")"
    second = lines.index("Parameter Group 1")
    assert lines[2:second] == sorted(lines[2:second])
    assert "    lr: 0.5" in lines[second:-1]
    assert "    lr: 0.5" not in lines[:second]
