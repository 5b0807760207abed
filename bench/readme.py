"""``python bench/readme.py RESULTS.json``: writes the README's tables from the results of a run, or checks them."""

from pathlib import Path

from cases import GPT2_SMALL, MANY_TENSORS, SMALL_TENSORS, one_buffer
from document import update
from machine import microarchitecture
from report import ratios, table
from results import Results, setting

README = Path(__file__).parents[1] / "README.md"
CASES = [*(one_buffer(size).name for size in (1_000, 30_000, 300_000, 33_000_000))]
CASES += [SMALL_TENSORS.name, MANY_TENSORS.name, GPT2_SMALL.name]


def block(results: Results, path: Path) -> str:
    """The text between the README's markers."""
    machine = results.machine
    parts = [
        f"{microarchitecture(machine['cpu'])}, {machine['cpus']} CPUs, {machine['isa']}, {machine['date']}. One AdamW step. "
        '"vs" a peer: how many times as fast as the peer fastadam is in the same run. The walls are kernels with the same '
        "loads and stores and no arithmetic (memory wall), or with one square root and one division (divider wall); fastadam's "
        "speed is given in per cent of theirs.",
    ]
    for threads in results.unique("threads"):
        head, body = ratios(results, threads)
        selected = [row for row in body if row[0] in CASES]
        parts += [f"**{setting(threads)}**", table(head, selected)]
    folder = f"bench/results/{path.parent.name}/{path.stem}"
    parts += [
        f"![Bandwidth of all contenders over the number of elements]({folder}.png)",
        f"Full results: [{folder}.md]({folder}.md). Every rule and option: [{folder}-rules.md]({folder}-rules.md).",
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    update(README, "measured", Results, block, "python bench/readme.py", __doc__)
