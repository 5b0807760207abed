"""``python bench/readme.py RESULTS.json``: writes the README's table from the results of a run, or checks them."""

from pathlib import Path

from cases import GPT2_SMALL, SMALL_TENSORS, one_buffer
from document import update
from machine import microarchitecture
from report import duration, table, three_digits
from results import Results, setting

README = Path(__file__).parents[1] / "README.md"
CASES = [*(one_buffer(size).name for size in (1_000, 300_000, 33_000_000)), SMALL_TENSORS.name, GPT2_SMALL.name]
PEERS = ["torch fused", "DeepSpeed", "optax", "NumPy"]


def block(results: Results, _: Path) -> str:
    """The text between the README's markers."""
    machine, threads = results.machine, results.unique("threads")[-1]
    body = []
    for case in CASES:
        ratios = [results.ratio(threads, case, peer) for peer in PEERS]
        row = results.row(threads, case, "fastadam")
        body.append([case, duration(row["nanoseconds"]), *("" if ratio is None else three_digits(ratio) for ratio in ratios)])
    return "\n\n".join(
        [
            "How many times as fast as others an AdamW step is, on all CPUs of one machine "
            f"({microarchitecture(machine['cpu'])}, {setting(threads)}, {machine['isa']}, {machine['date']}):",
            table(["elements", "time", *(f"vs {peer}" for peer in PEERS)], body),
        ]
    )


if __name__ == "__main__":
    update(README, "measured", Results, block, "python bench/readme.py", __doc__)
