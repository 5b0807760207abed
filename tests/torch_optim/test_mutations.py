"""Whatever is done to tensors between two steps: the next step is of what is there then, and memory that is no longer a
parameter's is not written to. What the step should do is what torch's own optimizer does after the same.
"""

import gc
import weakref

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import fastadam.torch  # noqa: E402


class Run:
    """A model and its optimizer, ours or torch's."""

    def __init__(self, cls):
        rng = torch.Generator().manual_seed(0)
        self.params = [torch.nn.Parameter(torch.randn(shape, generator=rng)) for shape in [(4, 3), (5,), (2, 2)]]
        self.cls, self.optimizer = cls, cls(self.params, lr=0.05)
        self.count = 0

    def give_grads(self):
        rng = torch.Generator().manual_seed(self.count)
        for param in self.params:
            if param.requires_grad:
                param.grad = torch.randn(param.shape, generator=rng).to(param.dtype)

    def step(self):
        self.give_grads()
        self.count += 1
        self.optimizer.step()

    def state_of(self, i):
        return self.optimizer.state[self.params[i]]


def replace_data(run):
    run.params[0].data = run.params[0].data.clone()


def replace_data_by_another_shape(run):
    run.params[1].data = torch.ones(7)
    for name in ("exp_avg", "exp_avg_sq"):
        run.state_of(1)[name] = torch.zeros(7)


def set_to_other_memory(run):
    with torch.no_grad():
        run.params[0].set_(torch.full((4, 3), 2.0))


def resize(run):
    run.params[1].data.resize_(500).fill_(1)  # the parameter keeps its shape, in new memory


def swap_two_parameters(run):
    run.params[0].data, run.params[2].data = torch.ones(4, 3), run.params[2].data.clone()


def drop_all_gradients(run):
    run.optimizer.zero_grad(set_to_none=True)


def zero_gradients_in_place(run):
    run.optimizer.zero_grad(set_to_none=False)


def freeze(run):
    run.params[1].requires_grad_(False)
    run.params[1].grad = None


def add_a_group(run):
    run.params.append(torch.nn.Parameter(torch.ones(6)))
    run.optimizer.add_param_group({"params": [run.params[-1]], "lr": 0.2})


def remove_a_parameter(run):
    run.optimizer.param_groups[0]["params"].pop(1)
    run.params.pop(1)


def put_another_parameter_in_its_place(run):
    run.params[1] = run.optimizer.param_groups[0]["params"][1] = torch.nn.Parameter(torch.ones(8))


def reorder_parameters(run):
    run.params.reverse()
    run.optimizer.param_groups[0]["params"].reverse()


def clear_state(run):
    run.optimizer.state.clear()


def forget_one_state(run):
    del run.optimizer.state[run.params[1]]


def replace_one_state(run):
    run.state_of(0)["exp_avg"] = torch.full((4, 3), 0.25)


def replace_the_state(run):
    run.optimizer.state = type(run.optimizer.state)(dict, {p: dict(run.optimizer.state[p]) for p in run.params})


def set_step_counts(run):
    for param in run.params:
        run.optimizer.state[param]["step"].fill_(41)


def load_its_own_state(run):
    run.optimizer.load_state_dict(run.optimizer.state_dict())


def to_another_type_and_back(run):
    for param in run.params:
        param.data = param.data.double()
    for param in run.params:
        param.data = param.data.float()


def to_channels_first(run):
    run.params[0].data = run.params[0].data.t().contiguous().t()
    for name in ("exp_avg", "exp_avg_sq"):
        run.state_of(0)[name] = run.state_of(0)[name].t().contiguous().t()


def change_options(run):
    run.optimizer.param_groups[0].update(lr=0.5, betas=(0.5, 0.25), eps=1e-2, weight_decay=0.25)


def take_a_group_away(run):
    add_a_group(run)
    run.step()
    run.optimizer.param_groups.pop(0)
    run.params = run.params[3:]


def share_memory(run):
    for param in run.params:
        param.data.share_memory_()
    for state in run.optimizer.state.values():
        state["exp_avg"].share_memory_()


def make_a_new_optimizer(run):
    run.optimizer = run.cls(run.params, lr=0.1)


MUTATIONS = [value for value in [*globals().values()] if callable(value) and getattr(value, "__module__", "") == __name__]
MUTATIONS = [value for value in MUTATIONS if value is not Run]


@pytest.fixture(params=["cpu", "gpu"])
def where(request):
    """All on the CPU, or most on the stand-in for GPUs, of which there are two."""
    if request.param == "gpu":
        request.getfixturevalue("gpus")


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_the_next_step_is_of_what_is_there(mutate, where):
    runs = Run(fastadam.torch.Adam), Run(torch.optim.Adam)
    old = [[param.data for param in run.params] for run in runs]  # kept alive, so that a write to it can be seen
    for run in runs:
        run.step()
        run.step()
        mutate(run)
        kept = [(tensor, tensor.clone()) for tensor in old[runs.index(run)]]
        run.step()
        living = {param.data_ptr() for param in run.params}
        for tensor, before in kept:
            assert tensor.data_ptr() in living or torch.equal(tensor, before)
        run.step()
    ours, theirs = runs
    assert ours.optimizer.fallbacks == 0
    for one, other in zip(ours.params, theirs.params, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        for name, value in theirs.optimizer.state[other].items():
            torch.testing.assert_close(ours.optimizer.state[one][name], value, rtol=1e-5, atol=1e-6)


def test_nothing_is_kept_alive(where):
    run = Run(fastadam.torch.Adam)
    run.step()
    run.step()
    # Tensors have a __dict__, so a weak reference tells when they are gone.
    watched = [weakref.ref(state["exp_avg"]) for state in run.optimizer.state.values()]
    watched += [weakref.ref(param.grad) for param in run.params]
    run.optimizer.state.clear()
    run.optimizer.zero_grad()
    gc.collect()
    assert [ref() for ref in watched] == [None] * 6
    param = weakref.ref(run.params[0])
    run.params.pop(0)
    run.optimizer.param_groups[0]["params"].pop(0)
    gc.collect()
    assert param() is None


@pytest.mark.parametrize("facing", ["torch", "numpy"])
def test_a_stale_backward_raises(facing):
    """Of a tensor that was stepped, whoever stepped it, and of no other."""
    weights = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    losses = [(weight * weight).sum() for weight in weights]
    if facing == "torch":
        losses[0].backward(retain_graph=True)
        fastadam.torch.SGD(weights, lr=0.1).step()
    else:
        fastadam.SGD([weight.detach() for weight in weights], lr=0.1).step([torch.ones(3), None])
    assert [weight._version for weight in weights] == [1, 0]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        losses[0].backward()
    losses[1].backward()
