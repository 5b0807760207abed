"""The cases that torch tests its own optimizers with, over its own list of classes, options and errors (``optim_db``)."""

import copy
import io
import pickle

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("expecttest", reason="expecttest, which torch's list needs, is not installed")

from torch.optim import lr_scheduler as schedulers  # noqa: E402
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db  # noqa: E402
from torch_params import CLASSES  # noqa: E402

import fastadam.torch  # noqa: E402

INFOS = [info for info in optim_db if info.optim_cls.__name__ in CLASSES]
CASES = [(info, case) for info in INFOS for case in info.optim_inputs_func(device="cpu")]
infos = pytest.mark.parametrize("info", INFOS, ids=lambda info: info.optim_cls.__name__)
cases = pytest.mark.parametrize(("info", "case"), CASES, ids=[f"{i.optim_cls.__name__}-{c.desc}" for i, c in CASES])


def ours(info):
    return getattr(fastadam.torch, info.optim_cls.__name__)


def new_params(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=rng)) for shape in [(4, 3), (5,), ()]]


def give_grads(params, seed):
    rng = torch.Generator().manual_seed(seed)
    for param in params:
        param.grad = torch.randn(param.shape, dtype=param.dtype, generator=rng)


def run(optimizer, params, steps=range(5)):
    for step in steps:
        give_grads(params, step)
        optimizer.step()


def expect_close(params, others):
    for one, other in zip(params, others, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-6)


def expect_equal(params, others):
    for one, other in zip(params, others, strict=True):
        assert torch.equal(one, other)


def test_all_classes_are_in_the_list():
    assert {info.optim_cls.__name__ for info in INFOS} == {*CLASSES} - {"Lion"}


@cases
def test_steps_are_torchs(info, case):
    params, others = new_params(), new_params()
    run(ours(info)(params, **case.kwargs), params)
    run(info.optim_cls(others, **case.kwargs), others)
    expect_close(params, others)


@cases
def test_state_dicts_are_exchanged_in_the_middle_of_a_run(info, case):
    """torch's, then ours, then torch's again is close to torch's all the way; saved and loaded as weights only."""

    def through_a_file(state_dict):
        file = io.BytesIO()
        torch.save(state_dict, file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    params, others = new_params(), new_params()
    optimizer, other = info.optim_cls(params, **case.kwargs), info.optim_cls(others, **case.kwargs)
    run(other, others, range(9))
    for cls, steps in [(None, range(3)), (ours(info), range(3, 6)), (info.optim_cls, range(6, 9))]:
        if cls:
            old, optimizer = optimizer, cls(params, **case.kwargs)
            optimizer.load_state_dict(through_a_file(old.state_dict()))
        run(optimizer, params, steps)
    expect_close(params, others)
    mine, theirs = optimizer.state_dict(), other.state_dict()
    assert mine["param_groups"] == theirs["param_groups"]
    torch.testing.assert_close(mine["state"], theirs["state"], rtol=1e-4, atol=1e-6)


@cases
def test_a_state_has_the_names_types_and_layouts_of_torchs(info, case):
    params, others = new_params(), new_params()
    mine, theirs = ours(info)(params, **case.kwargs), info.optim_cls(others, **case.kwargs)
    run(mine, params, range(1))
    run(theirs, others, range(1))
    for one, other in zip(params, others, strict=True):
        assert mine.state[one].keys() == theirs.state[other].keys()
        for name, value in theirs.state[other].items():
            got = mine.state[one][name]
            assert (got.dtype, got.shape, got.stride(), type(got)) == (value.dtype, value.shape, value.stride(), type(value))


@infos
def test_errors_of_constructors_are_torchs(info):
    for case in info.optim_error_inputs_func("cpu", torch.float32):
        if case.error_on is not OptimizerErrorEnum.CONSTRUCTION_ERROR:
            continue
        given = case.optimizer_error_input
        if issubclass(case.error_type, Warning):
            with pytest.warns(case.error_type, match=case.error_regex):
                ours(info)(given.params, **given.kwargs)
        else:
            with pytest.raises(case.error_type, match=case.error_regex):
                ours(info)(given.params, **given.kwargs)


@cases
def test_copies_and_pickles_go_on_alike(info, case):
    params = new_params()
    optimizer = ours(info)(params, **case.kwargs, strict=True, max_norm=5.0)
    run(optimizer, params, range(3))
    copied, pickled = copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))
    run(optimizer, params, range(3, 6))
    for other in (copied, pickled):
        assert type(other) is ours(info)
        assert (other.strict, other.max_norm) == (True, 5.0)
        others = other.param_groups[0]["params"]
        run(other, others, range(3, 6))
        expect_equal(params, others)


@infos
def test_a_step_without_gradients_does_nothing(info):
    params = new_params()
    optimizer = ours(info)(params)
    before = [param.detach().clone() for param in params]
    assert optimizer.step() is None
    assert optimizer.step(lambda: 3) == 3
    expect_equal(params, before)
    assert not any(value for name, state in optimizer.state.items() for value in state if value not in ("step", "sum"))


@infos
def test_named_parameters_and_groups_that_are_added(info):
    params, others = new_params(), new_params()
    optimizers = []
    for cls, all_params in ((ours(info), params), (info.optim_cls, others)):
        optimizer = cls([("a", all_params[0])])
        run(optimizer, all_params, range(2))
        optimizer.add_param_group({"params": [("b", all_params[1]), ("c", all_params[2])], "lr": 0.03})
        run(optimizer, all_params, range(2, 5))
        optimizers.append(optimizer)
    expect_close(params, others)
    assert optimizers[0].state_dict()["param_groups"] == optimizers[1].state_dict()["param_groups"]


@infos
def test_learning_rates_that_are_tensors(info):
    params, others = new_params(), new_params()
    lr = torch.tensor(0.0625)
    run(ours(info)(params, lr=lr), params, range(3))
    run(ours(info)(others, lr=0.0625), others, range(3))
    expect_equal(params, others)
    lr.mul_(2)  # it is read anew in each step


@infos
def test_complex_parameters_are_pairs_of_numbers(info):
    if not info.supports_complex:
        pytest.skip("not complex")
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, dtype=torch.complex64, generator=rng)
    params, others = [torch.nn.Parameter(start.clone())], [torch.nn.Parameter(start.clone())]
    optimizer = ours(info)(params)
    run(optimizer, params)
    run(info.optim_cls(others), others)
    expect_close(params, others)
    assert optimizer.fallbacks == 0


@infos
def test_non_contiguous_parameters_are_torchs_and_nothing_beside_them_is_touched(info):
    """``Parameter(base[:, :3])``, which torch 2.13's fused steps corrupt."""
    base = torch.arange(20.0).reshape(4, 5)
    params, others = [torch.nn.Parameter(base[:, :3])], [torch.nn.Parameter(base.clone()[:, :3])]
    optimizer = ours(info)(params, **({"fused": True} if "fused" in info.supported_impls else {}))
    with pytest.warns(UserWarning, match=r"param_groups\[0\]\['params'\]\[0\] does not fill its memory"):
        run(optimizer, params)
    run(info.optim_cls(others), others)
    expect_equal(params, others)
    assert optimizer.fallbacks == 5
    assert torch.equal(base[:, 3:], torch.arange(20.0).reshape(4, 5)[:, 3:])


@pytest.fixture
def checked_sparse_tensors():
    with torch.sparse.check_sparse_tensor_invariants(True):  # or torch warns
        yield


@infos
def test_sparse_gradients_are_torchs(info, checked_sparse_tensors):
    param, other = torch.nn.Parameter(torch.ones(5, 2)), torch.nn.Parameter(torch.ones(5, 2))
    grad = torch.sparse_coo_tensor([[0, 3]], torch.ones(2, 2), (5, 2))
    optimizer, theirs = ours(info)([param], lr=0.1), info.optim_cls([other], lr=0.1)
    param.grad, other.grad = grad, grad.clone()
    if info.supports_sparse:
        with pytest.warns(UserWarning, match="gradient of class Tensor, torch.sparse_coo"):
            optimizer.step()
        theirs.step()
        expect_equal([param], [other])
    else:
        with (
            pytest.warns(UserWarning, match="gradient of class Tensor, torch.sparse_coo"),
            pytest.raises(RuntimeError, match="does not support sparse gradients"),
        ):
            optimizer.step()
        assert torch.equal(param, torch.ones(5, 2))


def one_cycle(optimizer):
    # The momenta that NAdam multiplies are those of the present beta1, as for fastadam.NAdam: docs/pytorch.md says so.
    cycles = bool({"betas", "momentum"} & {*optimizer.defaults}) and "NAdam" not in repr(optimizer)
    return schedulers.OneCycleLR(optimizer, 0.1, total_steps=20, cycle_momentum=cycles)


SCHEDULERS = {
    "OneCycleLR": one_cycle,
    "StepLR": lambda optimizer: schedulers.StepLR(optimizer, 2),
    "LambdaLR": lambda optimizer: schedulers.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
    "ReduceLROnPlateau": lambda optimizer: schedulers.ReduceLROnPlateau(optimizer, patience=1),
}


@infos
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(info, name):
    both = []
    for cls in (ours(info), info.optim_cls):
        params = new_params()
        optimizer = cls(params, **({"momentum": 0.9} if cls.__name__ == "SGD" else {}))
        scheduler = SCHEDULERS[name](optimizer)
        for step in range(6):
            run(optimizer, params, [step])
            scheduler.step(*([1.0] if name == "ReduceLROnPlateau" else []))
        both.append((params, optimizer.param_groups[0]["lr"]))
    expect_close(both[0][0], both[1][0])
    assert both[0][1] == both[1][1]


@infos
def test_averaged_models_and_shared_memory(info):
    model = torch.nn.Linear(3, 2)
    optimizer = ours(info)(model.parameters())
    averaged = torch.optim.swa_utils.AveragedModel(model)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
        averaged.update_parameters(model)
    model.share_memory()  # the memory of each parameter is another one now
    before = model.weight.detach().clone()
    optimizer.step()
    assert not torch.equal(model.weight, before)
