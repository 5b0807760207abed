"""A program that is one of two processes: trains in shards, and writes what went wrong in each case to a file."""

import json
import sys
import traceback
import warnings
from pathlib import Path

import torch
from frameworks.small_models import OPTIONS, assert_same_bits, loader, loss_of, model
from torch import distributed
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from fastadam.torch import AdamW

PROCESSES, HALF = 2, 2
NAMES = ("model_state_dict", "optim_state_dict")


def train(net, optimizer, begin=0, end=None):
    """Steps on this process's batches, from the begin-th to the end-th, each with a smaller `lr`."""
    mine = [batch for i, batch in enumerate(loader()) if i % PROCESSES == distributed.get_rank()]
    for k, (x, y) in list(enumerate(mine))[begin:end]:
        for group in optimizer.param_groups:
            group["lr"] = OPTIONS["lr"] / (k + 1)
        optimizer.zero_grad()
        loss_of(net, x, y).backward()
        optimizer.step()


def data_parallel(end=None):
    net = DistributedDataParallel(model())
    optimizer = AdamW(net.parameters(), strict=True, **OPTIONS)
    train(net, optimizer, end=end)
    assert optimizer.fallbacks == 0
    return net, optimizer


def sharded(end=None):
    net = model()
    for part in (net[0], net):
        fully_shard(part, mesh=init_device_mesh("cpu", (PROCESSES,)))
    optimizer = AdamW(net.parameters(), strict=True, **OPTIONS)
    train(net, optimizer, end=end)
    assert optimizer.fallbacks == 0
    return net, optimizer


def whole(net):
    return [param.full_tensor() if isinstance(param, DTensor) else param for param in net.parameters()]


def zero_redundancy(folder, as_bucket_view=False):
    """Each process has a part of the state. Parameters are those of plain data parallelism, and so is the state of all."""
    plain, plain_optimizer = data_parallel()
    net = DistributedDataParallel(model())
    optimizer = ZeroRedundancyOptimizer(
        net.parameters(), AdamW, parameters_as_bucket_view=as_bucket_view, strict=True, **OPTIONS
    )
    train(net, optimizer)
    assert_same_bits(net, plain)
    assert type(optimizer.optim) is AdamW
    assert optimizer.optim.fallbacks == 0
    assert 0 < len(optimizer.optim.state) < len([*net.parameters()])
    optimizer.consolidate_state_dict()
    if distributed.get_rank() == 0:
        alone = AdamW(net.parameters(), **OPTIONS)
        alone.load_state_dict(optimizer.state_dict())
        for one, other in zip(alone.state.values(), plain_optimizer.state.values(), strict=True):
            assert_same_bits(one.values(), other.values())


def zero_redundancy_in_buckets(folder):
    zero_redundancy(folder, as_bucket_view=True)


def fully_sharded(folder):
    """The bits of plain data parallelism. Each process steps its part."""
    net, _ = sharded()
    plain, _ = data_parallel()
    assert_same_bits(whole(net), plain)


def saved_and_loaded(folder, make):
    """A run that goes on from a distributed checkpoint ends as one without a break."""
    checkpoint.save(dict(zip(NAMES, get_state_dict(*make(end=HALF)), strict=True)), checkpoint_id=folder)
    net, optimizer = make(end=0)
    state = dict(zip(NAMES, get_state_dict(net, optimizer), strict=True))
    checkpoint.load(state, checkpoint_id=folder)
    set_state_dict(net, optimizer, **state)
    train(net, optimizer, begin=HALF)
    without_a_break, _ = make()
    assert_same_bits(whole(net), whole(without_a_break))


def data_parallel_saved_and_loaded(folder):
    saved_and_loaded(folder, data_parallel)


def fully_sharded_saved_and_loaded(folder):
    saved_and_loaded(folder, sharded)


CASES = (
    zero_redundancy,
    zero_redundancy_in_buckets,
    fully_sharded,
    data_parallel_saved_and_loaded,
    fully_sharded_saved_and_loaded,
)


def main():
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=PROCESSES)
    wrong = {}
    for case in CASES:
        try:
            with warnings.catch_warnings(action="ignore"):
                case(folder / case.__name__)
            wrong[case.__name__] = ""
        except Exception:
            wrong[case.__name__] = traceback.format_exc()
        distributed.barrier()
    (folder / f"{rank}.json").write_text(json.dumps(wrong))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
