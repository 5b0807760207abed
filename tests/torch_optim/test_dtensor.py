"""DTensors, as FSDP2 makes them: each process steps its part, here on a mesh of one."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("torch.distributed.tensor", reason="torch has no DTensor")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("torch was built without gloo", allow_module_level=True)

from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor  # noqa: E402
from torch_params import CLASSES  # noqa: E402

import fastadam.torch  # noqa: E402
from fastadam.torch import AdamW, tensor_access  # noqa: E402


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    store = torch.distributed.FileStore(str(tmp_path_factory.mktemp("gloo") / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def params_of(mesh, placement, shape=(4, 3)):
    """A DTensor and a plain parameter with the same numbers."""
    values = torch.linspace(-1, 1, 12).reshape(shape)
    param = torch.nn.Parameter(distribute_tensor(values.clone(), mesh, [placement]))
    assert type(param) is DTensor
    return param, torch.nn.Parameter(values.clone())


def give_grads(mesh, placement, spread, plain, value):
    plain.grad = torch.full_like(plain, value)
    spread.grad = DTensor.from_local(plain.grad.clone(), mesh, [placement], run_check=False)


@pytest.mark.parametrize("placement", [Shard(0), Shard(1), Replicate()], ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_bits_are_those_of_plain_tensors(mesh, name, placement):
    cls, (spread, plain) = getattr(fastadam.torch, name), params_of(mesh, placement)
    options = {"ema_decay": 0.5, "strict": True}
    ours, plains = cls([spread], **options), cls([plain], **options)
    for k in range(3):
        give_grads(mesh, placement, spread, plain, k - 0.5)
        if k == 1:  # of other strides
            spread.grad = DTensor.from_local(plain.grad.t().contiguous().t(), mesh, [placement], run_check=False)
            assert not spread.grad._local_tensor.is_contiguous()
        version, local_version = spread._version, spread._local_tensor._version
        ours.step()
        plains.step()
        assert spread._version > version
        assert spread._local_tensor._version > local_version
    assert torch.equal(spread.full_tensor(), plain)
    for key, value in plains.state[plain].items():
        found = ours.state[spread][key]
        assert (type(found) is DTensor) == (key != "step" and key != "mu_product")
        assert torch.equal(found.full_tensor() if type(found) is DTensor else found, value)
    assert ours.fallbacks == 0


def test_the_results_are_torchs(mesh):
    (spread, _), (other, plain) = params_of(mesh, Shard(0)), params_of(mesh, Shard(0))
    ours, theirs = AdamW([spread]), torch.optim.AdamW([other])
    give_grads(mesh, Shard(0), other, plain, 0.5)
    spread.grad = other.grad.clone()
    for optimizer in (ours, theirs):
        optimizer.step()
    theirs.load_state_dict(ours.state_dict())  # and the state is torch's
    for optimizer in (ours, theirs):
        optimizer.step()
    torch.testing.assert_close(spread.full_tensor(), other.full_tensor())
    assert ours.fallbacks == 0


def partial_gradient(mesh, spread):
    spread.grad = DTensor.from_local(torch.ones(4, 3), mesh, [Partial()], run_check=False)


def gradient_of_another_placement(mesh, spread):
    spread.grad = DTensor.from_local(torch.ones(4, 3), mesh, [Replicate()], run_check=False)


def state_of_another_placement(mesh, spread):
    gradient = torch.ones(4, 3)
    spread.grad = DTensor.from_local(gradient, mesh, [Shard(0)], run_check=False)
    state = {name: DTensor.from_local(torch.zeros(4, 3), mesh, [Replicate()]) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.tensor(0.0)} | state


@pytest.mark.parametrize("change", [partial_gradient, gradient_of_another_placement, state_of_another_placement])
def test_other_placements_are_not_stepped_by_parts(mesh, change):
    spread, plain = params_of(mesh, Shard(0))
    optimizer = AdamW([spread], strict=True)
    if state := change(mesh, spread):
        optimizer.state[spread] = state
    with pytest.raises(TypeError, match=r"param_groups\[0\]\['params'\]\[0\] has .*for strict=True"):
        optimizer.step()
    assert torch.equal(spread.full_tensor(), plain)
    optimizer.strict = False
    with pytest.warns(UserWarning, match="torch's own step"):
        optimizer.step()
    assert optimizer.fallbacks == 1


def test_terms_of_a_sum_are_not_stepped(mesh):
    spread = DTensor.from_local(torch.ones(4, 3), mesh, [Partial()], run_check=False)
    assert tensor_access.local_of(spread) is None
    assert tensor_access.local_of(torch.ones(3)) is None
    spread = spread.requires_grad_()
    spread.grad = DTensor.from_local(torch.ones(4, 3), mesh, [Partial()], run_check=False)
    with pytest.raises(TypeError, match="is a DTensor whose processes have terms of a sum"):
        AdamW([spread], strict=True).step()


def test_the_norm_of_a_part_is_not_taken_for_that_of_the_whole(mesh):
    spread, plain = params_of(mesh, Shard(0))
    give_grads(mesh, Shard(0), spread, plain, 1.0)
    optimizer = AdamW([spread])
    with pytest.raises(TypeError, match=r"is spread over processes.*use torch\.nn\.utils\.clip_grad_norm_"):
        optimizer.step(max_norm=1.0)
    assert not optimizer.state
    assert torch.equal(spread.full_tensor(), plain)
