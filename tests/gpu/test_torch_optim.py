"""The optimizers of fastadam.torch over tensors on a GPU: the bits of the CPU, on torch's streams, which nothing waits for."""

import copy

import pytest
from variants import BOTH_TYPES, ONE_OF_EACH, of_both_types, with_tensors

pytestmark = pytest.mark.gpu

CYCLES = 600_000_000  # of a GPU's clock, which keep it busy for some tenths of a second
SHAPES = [(37,), (5, 7), (2, 3, 4, 5), (), (0, 3), (70_001,)]


class Both:
    """An optimizer over tensors on a GPU, and one over the same numbers on the CPU."""

    def __init__(self, torch, name, shapes=SHAPES, dtype="float32", **options):
        import fastadam.torch

        self._torch, self._rng, self._dtype = torch, torch.Generator().manual_seed(1), getattr(torch, dtype)
        self.params = [[], []]
        for number in range(len(shapes)):
            values = torch.randn(shapes[number], dtype=self._dtype, generator=self._rng)
            values = values.t().contiguous().t() if values.ndim == 2 else values  # of other strides than its gradients
            for params, device in zip(self.params, ("cuda", "cpu"), strict=True):
                params.append(torch.nn.Parameter(values.to(device)))
        cls = getattr(fastadam.torch, name)
        self.optimizers = [cls(params, strict=True, **options) for params in self.params]

    def give_grads(self, all_of_them=True):
        for i, (on_gpu, on_cpu) in enumerate(zip(*self.params, strict=True)):
            is_given = all_of_them or i % 3
            on_cpu.grad = self._torch.randn(on_cpu.shape, dtype=self._dtype, generator=self._rng) if is_given else None
            on_gpu.grad = on_cpu.grad if on_cpu.grad is None else on_cpu.grad.to("cuda")

    def step(self, **options):
        return [optimizer.step(**options) for optimizer in self.optimizers]

    def assert_same(self):
        for on_gpu, on_cpu in zip(*self.params, strict=True):
            assert self._torch.equal(on_gpu.cpu(), on_cpu)
            found, expected = self.optimizers[0].state.get(on_gpu, {}), self.optimizers[1].state.get(on_cpu, {})
            assert found.keys() == expected.keys()
            for name, value in found.items():
                assert value.device.type == ("cpu" if name in ("step", "mu_product") else "cuda")
                assert self._torch.equal(value.cpu(), expected[name]), name
        assert [optimizer.fallbacks for optimizer in self.optimizers] == [0, 0]


def options_of(variant):
    return variant.kind.cls.__name__, {"weight_decay": 0.0} | dict(variant.given)


@pytest.mark.parametrize("variant", with_tensors(BOTH_TYPES), ids=str)
def test_every_rule_and_option(torch, variant):
    name, options = options_of(variant)
    both = Both(torch, name, dtype=variant.dtype, **options)
    for k in range(4):
        both.give_grads(k != 1)
        both.step()
        both.assert_same()


@pytest.mark.parametrize("variant", with_tensors(of_both_types(ONE_OF_EACH)), ids=str)
def test_averages_and_norms(torch, variant):
    name, options = options_of(variant)
    both = Both(torch, name, dtype=variant.dtype, ema_decay=0.75, **options)
    for max_norm in (0.5, 1e9, float("inf")):
        both.give_grads()
        on_gpu, on_cpu = both.step(max_norm=max_norm)
        assert on_gpu.device.type == "cuda"
        assert on_gpu.item() == on_cpu
        both.assert_same()


@pytest.mark.parametrize("shapes", [[(100_000,)], [(1000,)] * 700], ids=["one", "list"])
def test_a_step_is_in_the_order_of_torchs_stream_and_waits_for_nothing(torch, cupy, shapes):
    both = Both(torch, "AdamW", shapes)
    both.give_grads()
    both.step()
    torch.cuda.synchronize()
    before = cupy.cuda.get_current_stream()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        both.optimizers[0].step()  # makes the tables that steps on this stream use
        side.synchronize()
        torch.cuda._sleep(CYCLES)
        for param in both.params[0]:
            param.grad.mul_(2)
        both.optimizers[0].step()
        for param in both.params[0]:
            param.grad.zero_()
        busy = not side.query()
    assert busy, "the step has waited, or the GPU was not busy for long enough"
    assert cupy.cuda.get_current_stream() == before
    both.optimizers[1].step()
    for param in both.params[1]:
        param.grad.mul_(2)
    both.optimizers[1].step()
    torch.cuda.synchronize()
    both.assert_same()


def test_training_with_a_grad_scaler(torch):
    both = Both(torch, "AdamW")
    scalers = [torch.amp.GradScaler(device, init_scale=1024.0) for device in ("cuda", "cpu")]
    for k in range(4):
        both.give_grads()
        for scaler, params, optimizer in zip(scalers, both.params, both.optimizers, strict=True):
            scaler.scale(torch.ones((), device=params[0].device))
            if k == 1:
                params[0].grad[3] = float("inf")
            scaler.step(optimizer)
            scaler.update(1024.0)
        both.assert_same()
    assert both.optimizers[0].state[both.params[0][0]]["step"] == 3


def test_state_dicts_of_torchs_fused_optimizer_and_back(torch):
    """Its step counts are on the GPU."""
    both = Both(torch, "NAdam")
    both.give_grads()
    both.step()
    for optimizer in both.optimizers:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # which moves NAdam's product to the GPU
    both.step()
    both.assert_same()

    both = Both(torch, "Adam")
    both.give_grads()
    both.step()
    fused = torch.optim.Adam([torch.nn.Parameter(p.detach().clone()) for p in both.params[0]], fused=True)
    fused.load_state_dict(copy.deepcopy(both.optimizers[0].state_dict()) | {"param_groups": fused.state_dict()["param_groups"]})
    assert all(state["step"].is_cuda for state in fused.state.values())
    state = fused.state_dict() | {"param_groups": both.optimizers[0].state_dict()["param_groups"]}
    both.optimizers[0].load_state_dict(copy.deepcopy(state))
    both.step()
    both.assert_same()


def test_fused_groups_are_torchs(torch):
    import fastadam.torch

    params = [torch.nn.Parameter(torch.linspace(-1, 1, 100, device="cuda")) for _ in range(2)]
    optimizers = fastadam.torch.Adam(params[:1], fused=True), torch.optim.Adam(params[1:], fused=True)
    for _ in range(3):
        for param in params:
            param.grad = torch.full_like(param, 0.5)
        for optimizer in optimizers:
            if optimizer is optimizers[0] and not optimizer.fallbacks:
                with pytest.warns(UserWarning, match="on cuda:0, in a group with fused=True"):
                    optimizer.step()
            else:
                optimizer.step()
    assert torch.equal(*params)
    assert optimizers[0].state[params[0]]["step"].is_cuda
    assert optimizers[0].fallbacks == 3


def test_a_captured_step_is_refused(torch):
    both = Both(torch, "Adam", [(37,)])
    both.give_grads()
    both.step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), pytest.raises(RuntimeError, match="capturable=True"):
        both.optimizers[0].step()
    both.step()
    both.assert_same()
