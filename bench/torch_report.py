"""The tables of a run over PyTorch's tensors, and its targets. They are Markdown, readable as text.

``python bench/torch_report.py RESULTS.json`` writes those of docs/pytorch.md.
"""

from collections.abc import Iterator
from pathlib import Path

from document import update
from machine import microarchitecture
from report import about, duration, table, targets_table, three_digits
from results import Results, setting
from targets import Target
from torch_steps import CPU, ONE, RENEWED, SAME, SMALL_TENSORS

PAGE = Path(__file__).parents[1] / "docs" / "pytorch.md"
FUSED, FOREACH, DEFAULT = PEERS = ["torch fused", "torch foreach", "torch default"]
OF_FUSED = {ONE: 0.18, SAME: 0.20, RENEWED: 0.20, SMALL_TENSORS: 0.28}  # of the time; 1 for all others
OF_DEFAULT = {ONE: 0.12, SAME: 0.04, RENEWED: 0.04, SMALL_TENSORS: 0.06}
EXPLANATION = (
    "A step of AdamW on tensors of PyTorch; a fraction is fastadam.torch's time divided by that of torch.optim. CPU time is "
    "that of the thread that steps. New gradients: each step finds them at other addresses. In training, the loss and its "
    "gradients are computed before each step; an iteration is both, and the share is the step's."
)


def report(results: Results, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [about(results, "AdamW on PyTorch's tensors", EXPLANATION)]
    for threads in results.unique("threads"):
        for prefix, words in _clocks(threads).items():
            title = f"{setting(threads)}, {words}"
            parts += [f"## {title}: one step", steps(results, threads, prefix)]
            parts += [f"## {title}: training", training(results, threads, prefix)] if threads == 1 else []
    if with_targets:
        parts += ["## Targets", targets_table(target for t in results.unique("threads") for target in _targets(results, t))]
    return "\n\n".join(parts) + "\n"


def _clocks(threads: int) -> dict[str, str]:
    """The prefixes of the times of rows, and what they are."""
    return {CPU: "CPU time", "": "time"} if threads == 1 else {"": "time"}


def steps(results: Results, threads: int, prefix: str) -> str:
    """The time of a step, as a fraction of each peer's, and theirs."""
    body = []
    for case in results.unique("case", lambda row: row["threads"] == threads):
        ours, *theirs = [results.row(threads, case, name) for name in ("fastadam", *PEERS)]
        fractions = [three_digits(1 / row[f"{prefix}times_fastadam"]) for row in theirs]
        body.append([case, duration(ours[f"{prefix}nanoseconds"]), *fractions])
        body[-1] += [duration(row[f"{prefix}nanoseconds"]) for row in theirs]
    head = ["parameters", "fastadam.torch", *(f"of {name.removeprefix('torch ')}" for name in PEERS), *PEERS]
    return table(head, body)


def training(results: Results, threads: int, prefix: str) -> str:
    """The optimizer's share of an iteration."""
    body, key = [], f"{prefix}rest_nanoseconds"
    for case in results.unique("case", lambda row: key in row):
        for name in ("fastadam", *PEERS):
            row = results.row(threads, case, name)
            step, iteration = row[f"{prefix}nanoseconds"], row[f"{prefix}nanoseconds"] + row[key]
            words = "fastadam.torch" if name == "fastadam" else name
            body.append([f"{case}: {words}", duration(step), duration(iteration), f"{100 * step / iteration:.1f} %"])
    return table(["", "a step", "an iteration", "share"], body)


def _targets(results: Results, threads: int) -> Iterator[Target]:
    prefix = next(iter(_clocks(threads)))
    small, default = ({case.name: goal for case, goal in goals.items()} for goals in (OF_FUSED, OF_DEFAULT))
    for case in results.unique("case", lambda row: row["threads"] == threads):
        for peer, goal in ((FUSED, small.get(case, 1.0)), (DEFAULT, default.get(case, 1.0))):
            fraction = 1 / results.row(threads, case, peer)[f"{prefix}times_fastadam"]
            yield Target(f"{case}, {setting(threads)}", f"time / {peer}'s", goal, fraction, at_most=True)


def block(results: Results, path: Path) -> str:
    """The text between the page's markers."""
    machine = results.machine
    where = f"{microarchitecture(machine['cpu'])}, {machine['isa']}, torch {machine['versions']['torch']}, {machine['date']}"
    link = f"[all times](../bench/results/{path.parent.name}/{path.with_suffix('.md').name})"
    return "\n\n".join(
        [
            f"One thread's CPU time for a step of AdamW, as a fraction of torch's three ({where}; {link}):",
            steps(results, 1, CPU),
            "And the share that the step has of an iteration in training:",
            training(results, 1, CPU),
        ]
    )


if __name__ == "__main__":
    update(PAGE, "measured", Results, block, "python bench/torch_report.py", __doc__)
