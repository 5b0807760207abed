"""Measures a step of AdamW over PyTorch's tensors: torch's default, foreach and fused steps beside ours, in turn.

    python bench/torch_steps.py [--rounds 60] [--large]

Prints the least CPU time of this thread, in microseconds, and the fractions. The first steps of all are compared.
"""

import argparse
import time

import torch

import fastadam.torch

MAKERS = {
    "default": lambda params: torch.optim.AdamW(params, foreach=False, fused=False),
    "foreach": lambda params: torch.optim.AdamW(params, foreach=True),
    "fused": lambda params: torch.optim.AdamW(params, fused=True),
    "fastadam": lambda params: fastadam.torch.AdamW(params),
}
NARROW = [(16,)] * 74 + [(16, 16)] * 74
CASES = {  # shapes, and whether gradients are new in each step
    "one of 1,000": ([(1000,)], False),
    "148 of width 16": (NARROW, False),
    "148, new gradients": (NARROW, True),
    "1,000 x 256": ([(256,)] * 1000, False),
}
LARGE = {"one of 3e7": ([(30_000_000,)], False)}


def prepared(shapes):
    """Parameters with gradients and an optimizer, for each way; all have taken the same steps to within rounding."""
    made = {}
    for name, make in MAKERS.items():
        rng = torch.Generator().manual_seed(0)
        params = [torch.nn.Parameter(torch.randn(shape, generator=rng)) for shape in shapes]
        for param in params:
            param.grad = torch.randn(param.shape, generator=rng)
        made[name] = params, make(params)
        for _ in range(3):
            made[name][1].step()
        for one, other in zip(params, made["default"][0], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    return made


def measured(shapes, renewed, rounds):
    """The least time of a step, in microseconds, for each way."""
    times, made = {name: [] for name in MAKERS}, prepared(shapes)
    each = 1 if renewed else max(1, 1000 // len(shapes) // 5)
    for _ in range(rounds):
        for name, (params, optimizer) in made.items():
            for param in params if renewed else []:
                param.grad = torch.randn_like(param)
            begin = time.thread_time_ns()
            for _ in range(each):
                optimizer.step()
            times[name].append((time.thread_time_ns() - begin) / each)
    return {name: min(values) / 1e3 for name, values in times.items()}


def main():
    """Measure each case and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--large", action="store_true", help="also a tensor beyond the caches")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, fastadam {fastadam.__version__} ({fastadam.active_isa()}), one thread; µs")
    print("".join(f"{word:>20}" for word in ["", *MAKERS, "of fused", "of default"]))
    for case, (shapes, renewed) in (CASES | (LARGE if arguments.large else {})).items():
        times = measured(shapes, renewed, arguments.rounds)
        fractions = [times["fastadam"] / times[name] for name in ("fused", "default")]
        words = [case, *(f"{value:.1f}" for value in times.values()), *(f"{value:.3f}" for value in fractions)]
        print("".join(f"{word:>20}" for word in words), flush=True)


if __name__ == "__main__":
    main()
